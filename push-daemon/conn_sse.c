/*
 * conn_sse: see conn_sse.h.
 */
#include "conn_sse.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "conns.h"
#include "sse.h"

#define SSE_PADDING_BYTES 2048
#define SSE_OPENING_BYTES 2048
#define SSE_EVENT_BYTES   32768 /* room for the longest cursor */
#define SSE_AUTH_RETRY_MS 600000
#define TIME_BYTES        sizeof "2026-01-01T00:00:00Z"

static const char opening_lines[] = "HTTP/1.1 200 OK\r\n"
                                    "Content-Type: text/event-stream; charset=utf-8\r\n"
                                    "Cache-Control: no-store, no-transform\r\n"
                                    "X-Accel-Buffering: no\r\n"
                                    "X-Content-Type-Options: nosniff\r\n"
                                    "Connection: close\r\n";

/* Puts an event whose data is a JSON object; takes over the object. NULL fails the buffer. */
static void put_json_event(struct buf *b, const char *type, struct slice id, json_t *object)
{
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);

    json_decref(object);
    if (text == NULL) {
        b->failed = true;
        return;
    }
    sse_put_event(b, slice_of(type), id, slice_of(text));
    free(text);
}

/* Queues what b holds, as one message. */
static bool queue_buf(struct conn *c, struct buf *b)
{
    struct msg *m = msg_from_buf(b);

    buf_clear(b);
    return conn_queue(c, m);
}

static bool put_opening(struct conn *c, struct slice cors, int64_t retry_ms)
{
    struct buf b;

    buf_init(&b, SSE_OPENING_BYTES);
    buf_puts(&b, opening_lines);
    buf_put_slice(&b, cors);
    buf_puts(&b, "\r\n");
    sse_put_retry(&b, (uint64_t)retry_ms);
    buf_putc(&b, '\n');
    return queue_buf(c, &b);
}

static bool connected(struct conn *c, struct slice id, int64_t session_id, int64_t expires_in_s)
{
    struct buf b;
    char now[TIME_BYTES];
    time_t seconds = time(NULL);
    struct tm utc;

    gmtime_r(&seconds, &utc);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
    buf_init(&b, SSE_EVENT_BYTES);
    put_json_event(&b, "connected", id,
                   json_pack("{s:I,s:s,s:I}", "session", (json_int_t)session_id, "time", now,
                             "expires_in", (json_int_t)expires_in_s));
    return queue_buf(c, &b);
}

static bool reset(struct conn *c, const char *reason, int64_t within_s)
{
    struct buf b;

    buf_init(&b, SSE_EVENT_BYTES);
    put_json_event(&b, "reset", (struct slice){NULL, 0},
                   json_pack("{s:s,s:I}", "reason", reason, "within", (json_int_t)within_s));
    c->set->stats->counts[STAT_RESETS]++;
    return queue_buf(c, &b);
}

static bool auth_over(struct conn *c)
{
    struct buf b;

    buf_init(&b, SSE_EVENT_BYTES);
    sse_put_retry(&b, SSE_AUTH_RETRY_MS);
    put_json_event(&b, "reset", (struct slice){NULL, 0},
                   json_pack("{s:s,s:i}", "reason", "auth", "within", 0));
    return queue_buf(c, &b);
}

static bool bye(struct conn *c, int64_t retry_ms)
{
    struct buf b;

    buf_init(&b, SSE_EVENT_BYTES);
    sse_put_retry(&b, (uint64_t)retry_ms);
    put_json_event(&b, "bye", (struct slice){NULL, 0},
                   json_pack("{s:I}", "retry", (json_int_t)retry_ms));
    return queue_buf(c, &b);
}

static const struct conn_transport transport = {
    .connected = connected,
    .reset = reset,
    .auth_over = auth_over,
    .bye = bye,
};

void conn_sse_open(struct conn *c, struct slice cors)
{
    struct conns *set = c->set;

    c->transport = &transport;
    if (!put_opening(c, cors, conns_retry_ms(set)) || !conn_queue(c, msg_ref(set->padding))) {
        return;
    }
    c->ends_ms = clock_ms() + set->settings->handshake_ms;
    wheel_add(&set->wheel, &c->timer, c->ends_ms);
    conn_set_state(c, CONN_WAITING);
    buf_clear(&c->handshake->head); /* its work is done */
    set->feed.wake(set->feed.ctx);
}

void conn_sse_refuse(struct conn *c, struct slice cors)
{
    c->transport = &transport;
    if (put_opening(c, cors, SSE_AUTH_RETRY_MS) && auth_over(c)) {
        conn_finish(c, REASON_AUTH);
    }
}

struct msg *conn_sse_mark(struct slice cursor, bool late)
{
    struct buf b;

    buf_init(&b, SSE_EVENT_BYTES);
    sse_put_event(&b, SLICE_LITERAL("mark"), cursor,
                  late ? SLICE_LITERAL("{\"late\":true}") : SLICE_LITERAL("{}"));
    struct msg *m = msg_from_buf(&b);

    buf_clear(&b);
    return m;
}

static struct msg *comment(struct slice text)
{
    struct buf b;

    buf_init(&b, SSE_EVENT_BYTES);
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
