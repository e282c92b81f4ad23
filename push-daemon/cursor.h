/*
 * cursor: what a reader of the event log has seen, "EPOCH-XMIN:XMAX:XIP,XIP…": the epoch of the log
 * (8 hex digits) and a PostgreSQL snapshot. SQL makes cursors; this module reads and compares
 * them. It touches no clock, no socket and no other state.
 */
#ifndef PUSH_CURSOR_H
#define PUSH_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/str.h"

#define CURSOR_EPOCH_BYTES 8
#define CURSOR_XIP_MAX     1000 /* transactions in progress; a cursor with more is refused */

struct cursor {
    char epoch[CURSOR_EPOCH_BYTES + 1];
    uint64_t xmin; /* all below are seen */
    uint64_t xmax; /* this one and all above are not */
    uint64_t *xip; /* owned; ascending; those between xmin and xmax that are not seen */
    size_t xip_count;
};

/* Makes c the empty cursor, which covers nothing and needs no clearing. */
void cursor_init(struct cursor *c);
void cursor_clear(struct cursor *c);

/*
 * Reads a cursor from outside. CONFAB_OK: *out is a new cursor, to be cleared by the caller.
 * CONFAB_BAD_REQUEST: no cursor. CONFAB_TOO_BIG: over CURSOR_XIP_MAX. CONFAB_NO_MEMORY.
 */
enum confab_err cursor_parse(struct slice text, struct cursor *out)
    __attribute__((warn_unused_result));
enum confab_err cursor_copy(const struct cursor *from, struct cursor *out)
    __attribute__((warn_unused_result));

/* Appends the cursor in its one canonical form. */
void cursor_put(const struct cursor *c, struct buf *b);

/* Whether what the transaction xid wrote has been seen. */
bool cursor_covers(const struct cursor *c, uint64_t xid);

/* Whether a has seen all that b has; never across epochs. */
bool cursor_includes(const struct cursor *a, const struct cursor *b);

bool cursor_same_epoch(const struct cursor *a, const struct cursor *b);

#endif
