/*
 * buf: growing bytes with a limit. Growth doubles, so a sequence of writes costs linear time.
 */
#include "buf.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_BYTES  64
#define BUF_NUMBER_BYTES 24 /* room for any 64-bit number, sign and NUL */

void buf_init(struct buf *b, size_t max_bytes)
{
    assert(max_bytes < SIZE_MAX / 2);
    *b = (struct buf){.max = max_bytes};
}

void buf_clear(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data != NULL) {
        b->data[0] = '\0';
    }
}

void buf_cut(struct buf *b, size_t len)
{
    assert(len <= b->len);
    if (len < b->len) {
        b->len = len;
        b->data[len] = '\0';
    }
}

/* Makes room for extra bytes and the NUL; on failure b is failed. */
static bool buf_reserve(struct buf *b, size_t extra)
{
    if (b->failed || extra > b->max - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + extra + 1;

    if (need <= b->cap) {
        return true;
    }
    size_t cap = b->cap == 0 ? BUF_FIRST_BYTES : b->cap * 2;

    if (cap < need) {
        cap = need;
    }
    if (cap > b->max + 1) {
        cap = b->max + 1;
    }
    char *data = realloc(b->data, cap);

    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_put(struct buf *b, const void *data, size_t len)
{
    if (!buf_reserve(b, len)) {
        return;
    }
    if (len > 0) {
        memcpy(b->data + b->len, data, len);
    }
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_put_slice(struct buf *b, struct slice s)
{
    buf_put(b, s.p, s.n);
}

void buf_putc(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void buf_put_u64(struct buf *b, uint64_t value)
{
    char text[BUF_NUMBER_BYTES];
    int len = snprintf(text, sizeof(text), "%" PRIu64, value);

    buf_put(b, text, (size_t)len);
}

void buf_put_i64(struct buf *b, int64_t value)
{
    char text[BUF_NUMBER_BYTES];
    int len = snprintf(text, sizeof(text), "%" PRId64, value);

    buf_put(b, text, (size_t)len);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_list again;

    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);

    va_end(args);
    if (len < 0) {
        b->failed = true;
    } else if (buf_reserve(b, (size_t)len)) {
        vsnprintf(b->data + b->len, (size_t)len + 1, fmt, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

bool buf_failed(const struct buf *b)
{
    return b->failed;
}

const char *buf_str(const struct buf *b)
{
    return b->data == NULL ? "" : b->data;
}

struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->data, b->len};
}

char *buf_steal(struct buf *b)
{
    buf_put(b, NULL, 0); /* an empty buf has no bytes to give away yet */
    if (b->failed) {
        return NULL;
    }
    char *data = b->data;

    buf_init(b, b->max);
    return data;
}
