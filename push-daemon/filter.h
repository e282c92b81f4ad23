/*
 * filter: the rooms that a stream is narrowed to (`?rooms=1,2,3`). A cursor belongs to the filter
 * that it was made under: it says nothing of what the filter left out. Hence the filter's digest is
 * part of it, after a '~'; sql/core/cursor.sql makes the same.
 */
#ifndef PUSH_FILTER_H
#define PUSH_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "msg.h"

#define FILTER_ROOMS_MAX    100
#define FILTER_DIGEST_BYTES 8 /* hex digits: of SHA-256 over the ids, ascending, joined by ',' */

struct filter {
    char digest[FILTER_DIGEST_BYTES + 1];
    size_t count;
    int64_t rooms[]; /* ascending, each once */
};

/* Reads "1,2,3". CONFAB_OK: *out is new, and freed by free(). CONFAB_BAD_REQUEST: no such list, or
 * more than FILTER_ROOMS_MAX. CONFAB_NO_MEMORY. */
enum confab_err filter_parse(struct slice text, struct filter **out)
    __attribute__((warn_unused_result));

/* Whether an event that this person may see passes: what is his own does under every filter, and
 * everything under none (NULL). */
bool filter_passes(const struct filter *f, const struct msg *m, int64_t user_id);

/* Cuts the digest off a cursor. False: it was made under another filter than f (or NULL). */
bool filter_cut_cursor(const struct filter *f, struct slice text, struct slice *cursor)
    __attribute__((warn_unused_result));
/* Puts it on. */
void filter_put_cursor(const struct filter *f, struct slice cursor, struct buf *b);

#endif
