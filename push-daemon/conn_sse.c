/*
 * conn_sse: see conn_sse.h.
 */
#include "conn_sse.h"

#include <string.h>

#include "conns.h"
#include "said.h"
#include "sse.h"

#define SSE_PADDING_BYTES 2048
#define SSE_OPENING_BYTES 2048
#define SSE_AUTH_RETRY_MS 600000

static const char opening_lines[] = "HTTP/1.1 200 OK\r\n"
                                    "Content-Type: text/event-stream; charset=utf-8\r\n"
                                    "Cache-Control: no-store, no-transform\r\n"
                                    "X-Accel-Buffering: no\r\n"
                                    "X-Content-Type-Options: nosniff\r\n"
                                    "Connection: close\r\n";

static bool put_opening(struct conn *c, struct slice cors)
{
    struct buf b;

    buf_init(&b, SSE_OPENING_BYTES);
    buf_puts(&b, opening_lines);
    buf_put_slice(&b, cors);
    buf_puts(&b, "\r\n");
    sse_put_retry(&b, (uint64_t)conns_retry_ms(c->set));
    buf_putc(&b, '\n');
    return conn_queue_buf(c, &b);
}

/* A message of the stream itself, after `retry:` when that is not 0. */
static bool queue_event(struct conn *c, int64_t retry_ms, struct msg *m)
{
    struct buf b;

    if (retry_ms > 0) {
        buf_init(&b, SSE_OPENING_BYTES);
        sse_put_retry(&b, (uint64_t)retry_ms);
        if (!conn_queue_buf(c, &b)) {
            msg_unref(m);
            return false;
        }
    }
    return conn_queue(c, m);
}

static bool beat(struct conn *c)
{
    return conn_push(c, c->set->beat);
}

static bool auth_over(struct conn *c)
{
    return queue_event(c, SSE_AUTH_RETRY_MS, said_reset("auth", 0));
}

static bool bye(struct conn *c, enum reason reason, int64_t retry_ms)
{
    (void)reason;
    return queue_event(c, retry_ms, said_bye(retry_ms));
}

static const struct conn_transport transport = {
    .name = "sse",
    .form = MSG_SSE,
    .connected = said_queue_connected,
    .reset = said_queue_reset,
    .mark = conn_push,
    .beat = beat,
    .auth_over = auth_over,
    .bye = bye,
    .take = conn_take_extra,
};

bool conn_sse_open(struct conn *c, struct slice cors)
{
    conn_set_transport(c, &transport);
    return put_opening(c, cors) && conn_queue(c, msg_ref(c->set->padding));
}

static struct msg *comment(struct slice text)
{
    struct buf b;

    buf_init(&b, 2 * SSE_PADDING_BYTES);
    sse_put_comment(&b, text);
    struct msg *m = msg_from_buf(&b);

    buf_clear(&b);
    return m;
}

struct msg *conn_sse_padding(void)
{
    char dots[SSE_PADDING_BYTES];

    memset(dots, '.', sizeof dots);
    return comment((struct slice){dots, sizeof dots});
}

struct msg *conn_sse_beat(void)
{
    return comment((struct slice){NULL, 0});
}
