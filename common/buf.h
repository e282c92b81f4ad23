/*
 * buf: bytes that grow up to a limit. Failure is sticky: write without checking, then ask
 * buf_failed() once before use. The byte after the end is always NUL. Non-goals: reading, giving
 * back a part of the memory.
 */
#ifndef CONFAB_BUF_H
#define CONFAB_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct buf {
    char *data;  /* owned; NULL until the first write */
    size_t len;  /* bytes used, the closing NUL not counted */
    size_t cap;  /* bytes allocated */
    size_t max;  /* limit on len */
    bool failed; /* over max or out of memory; the content is then meaningless */
};

/* Makes b empty with a limit of max_bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max_bytes);
/* Frees the bytes; b is then as after buf_init with the same limit. */
void buf_clear(struct buf *b);
/* Forgets content and failure, keeps the memory. */
void buf_reset(struct buf *b);
/* Forgets what follows the first len bytes, which b has. */
void buf_cut(struct buf *b, size_t len);

void buf_put(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_put_slice(struct buf *b, struct slice s);
void buf_putc(struct buf *b, char c);
void buf_put_u64(struct buf *b, uint64_t value);
void buf_put_i64(struct buf *b, int64_t value);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* True when any write since init or reset did not fit. */
bool buf_failed(const struct buf *b) __attribute__((warn_unused_result));
/* The content, NUL-terminated, "" when empty. Borrowed: lives until the next write. */
const char *buf_str(const struct buf *b);
struct slice buf_slice(const struct buf *b);
/* Gives the bytes away (caller frees with free()); NULL when failed. b is then empty. */
char *buf_steal(struct buf *b) __attribute__((warn_unused_result));

#endif
