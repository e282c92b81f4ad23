/*
 * conn_poll: see conn_poll.h. What is delivered waits in the queue; the mark that follows it makes
 * one answer of it.
 */
#include "conn_poll.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "clock.h"
#include "conns.h"
#include "said.h"

#define BODY_BYTES   65536 /* beside the events: the longest cursor */
#define MS_PER_S     1000
#define NUMBER_BYTES 20

struct poll {
    struct slice cors; /* its bytes follow */
    bool asks_cursor;  /* and nothing else: it is answered at once */
    char bytes[];
};

/* ---- Answers ---- */

static void put_event(struct buf *b, const struct msg *m)
{
    buf_puts(b, "{\"type\":\"");
    buf_put_slice(b, m->type);
    if (m->id != 0) {
        buf_puts(b, "\",\"eid\":");
        buf_put_i64(b, m->id);
    } else {
        buf_putc(b, '"');
    }
    buf_puts(b, ",\"data\":");
    buf_put_slice(b, m->data);
    buf_putc(b, '}');
}

/* Queues the answer to a poll, in place of what waits: all of that, and the cursor that covers it.
 * False: closed. */
static bool answer_events(struct conn *c, struct slice cursor, int64_t interval_ms)
{
    struct buf body;

    buf_init(&body, BODY_BYTES + 2 * (size_t)c->set->settings->stream_queue_bytes);
    buf_puts(&body, "{\"events\":[");
    for (uint32_t i = 0; i < c->out.count; i++) {
        buf_puts(&body, i > 0 ? "," : "");
        put_event(&body, queue_at(&c->out, i));
    }
    buf_puts(&body, "],\"cursor\":\"");
    buf_put_slice(&body, cursor);
    buf_printf(&body, "\",\"interval_ms\":%" PRId64 "}", interval_ms);
    if (buf_failed(&body)) {
        buf_clear(&body);
        conn_close(c, REASON_MEMORY);
        return false;
    }
    queue_clear(&c->out);
    bool queued = answer_queue(c, &(struct answer){.status = 200,
                                                   .title = "OK",
                                                   .cors = c->poll->cors,
                                                   .type = "application/json",
                                                   .body = buf_slice(&body)});

    buf_clear(&body);
    return queued;
}

/* The same for a failure. extra: header lines. */
static bool answer_failure(struct conn *c, enum confab_err err, const char *extra)
{
    queue_clear(&c->out);
    return answer_problem(c, &(struct answer){.extra = extra, .cors = c->poll->cors}, 0, err);
}

/* ---- As a transport ---- */

static bool connected(struct conn *c, const struct conn_greeting *greeting)
{
    c->poll->asks_cursor = greeting->resume == RESUME_NOW;
    c->mark_due = true;
    conn_set_end(c, clock_ms() + c->set->settings->poll_wait_ms);
    return true;
}

static bool reset(struct conn *c, const char *reason, int64_t within_s)
{
    c->mark_due = true;
    return said_queue_reset(c, reason, within_s);
}

static bool mark(struct conn *c, struct msg *m)
{
    if (queue_empty(&c->out) && !c->poll->asks_cursor) {
        return true;
    }
    if (answer_events(c, m->cursor, 0)) {
        conn_finish(c, REASON_ANSWERED);
    }
    return false;
}

static bool beat(struct conn *c)
{
    (void)c;
    return true; /* the web server waits longer than poll_wait_ms for an answer */
}

static bool auth_over(struct conn *c)
{
    return answer_failure(c, CONFAB_UNAUTHENTICATED, "WWW-Authenticate: Bearer\r\n");
}

/* Nothing has come. While a look is under way there is no cursor for what it has brought. */
static bool bye(struct conn *c, enum reason reason, int64_t retry_ms)
{
    char extra[sizeof "Retry-After: \r\n" + NUMBER_BYTES];
    bool covered = c->state == CONN_LIVE && !c->mark_due && !c->set->looking;
    struct msg *m = covered ? conns_mark(c->set, c->filter) : NULL;

    if (m != NULL) {
        bool queued = answer_events(c, m->cursor, reason == REASON_AGE ? 0 : retry_ms);

        msg_unref(m);
        return queued;
    }
    snprintf(extra, sizeof extra, "Retry-After: %" PRId64 "\r\n", 1 + (retry_ms - 1) / MS_PER_S);
    return answer_failure(c, CONFAB_DB_AWAY, extra);
}

static void closed(struct conn *c)
{
    free(c->poll);
    c->poll = NULL;
}

static const struct conn_transport transport = {
    .name = "poll",
    .form = MSG_SSE,
    .connected = connected,
    .reset = reset,
    .mark = mark,
    .beat = beat,
    .auth_over = auth_over,
    .bye = bye,
    .take = conn_take_extra,
    .closed = closed,
    .waits_for_mark = true,
};

bool conn_poll_open(struct conn *c, struct slice cors)
{
    struct poll *p = calloc(1, sizeof *p + cors.n);

    if (p == NULL) {
        conn_close(c, REASON_MEMORY);
        return false;
    }
    p->cors = (struct slice){p->bytes, cors.n};
    if (cors.n > 0) {
        memcpy(p->bytes, cors.p, cors.n);
    }
    c->poll = p;
    conn_set_transport(c, &transport);
    return true;
}
