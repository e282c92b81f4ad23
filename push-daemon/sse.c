/*
 * sse: see sse.h.
 */
#include "sse.h"

#include <stdbool.h>
#include <string.h>

/* Whether readers take s as one field value. */
static bool is_one_field(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0') {
            return false;
        }
    }
    return s.n > 0;
}

static void put_field(struct buf *b, const char *name, struct slice value)
{
    buf_puts(b, name);
    buf_put_slice(b, value);
    buf_putc(b, '\n');
}

/* Takes the first line, ended by CR, LF, CRLF or the end, off text; false when it was the last. */
static bool cut_line(struct slice *text, struct slice *line)
{
    size_t n = 0;

    while (n < text->n && text->p[n] != '\r' && text->p[n] != '\n') {
        n++;
    }
    *line = (struct slice){text->p, n};
    if (n == text->n) {
        return false;
    }
    size_t skip = text->p[n] == '\r' && n + 1 < text->n && text->p[n + 1] == '\n' ? 2 : 1;

    text->p += n + skip;
    text->n -= n + skip;
    return true;
}

static void put_lines(struct buf *b, const char *name, struct slice text)
{
    struct slice line;
    bool more = true;

    while (more) {
        more = cut_line(&text, &line);
        put_field(b, name, line);
    }
}

void sse_put_event(struct buf *b, struct slice type, struct slice id, struct slice data)
{
    if (is_one_field(type)) {
        put_field(b, "event: ", type);
    }
    if (is_one_field(id)) {
        put_field(b, "id: ", id);
    }
    put_lines(b, "data: ", data);
    buf_putc(b, '\n');
}

void sse_put_comment(struct buf *b, struct slice text)
{
    put_lines(b, ": ", text);
    buf_putc(b, '\n');
}

void sse_put_retry(struct buf *b, uint64_t ms)
{
    buf_puts(b, "retry: ");
    buf_put_u64(b, ms);
    buf_putc(b, '\n');
}
