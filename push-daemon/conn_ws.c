/*
 * conn_ws: see conn_ws.h.
 */
#include "conn_ws.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"
#include "common/log.h"
#include "conns.h"
#include "ops.h"
#include "said.h"
#include "ws.h"
#include "ws_upgrade.h"

#define OPENING_BYTES     512
#define ANSWER_BYTES      1024
#define MESSAGE_MAX_BYTES 16384 /* of a client */
#define CODE_UNSUPPORTED  1003  /* RFC 6455, section 7.4.1 */

/* What a client may send: so many messages at once, and then one in so long. */
#define BURST     50
#define REFILL_MS 50

/* ---- What is said ---- */

/* An answer to what the client said. False: c is closed, perhaps since too much waits for it. */
static bool queue_answer(struct conn *c, enum ws_opcode opcode, struct slice payload)
{
    size_t max_bytes = WS_HEAD_MAX_BYTES + payload.n;
    struct buf b;

    if (!conn_make_room(c, max_bytes)) {
        return false;
    }
    buf_init(&b, max_bytes);
    ws_put_frame(&b, opcode, payload);
    return conn_queue_buf(c, &b);
}

static bool queue_close(struct conn *c, unsigned code, struct slice reason)
{
    struct buf b;

    buf_init(&b, WS_HEAD_MAX_BYTES + WS_CONTROL_MAX_BYTES);
    ws_put_close(&b, code, reason);
    return conn_queue_buf(c, &b);
}

/* The last word of ours: why we close. */
static bool say_close(struct conn *c, enum reason reason)
{
    return queue_close(c, reason_close_code(reason), slice_of(reason_word(reason)));
}

static bool auth_over(struct conn *c)
{
    return said_queue_reset(c, "auth", 0) && say_close(c, REASON_AUTH);
}

static bool bye(struct conn *c, enum reason reason, int64_t retry_ms)
{
    return conn_queue(c, said_bye(retry_ms)) && say_close(c, reason);
}

/* A ping each time, since what a client hears says nothing of whether it is there. */
static bool beat(struct conn *c)
{
    int64_t now = clock_ms();

    if (c->ws.pinged_ms == 0) {
        c->ws.pinged_ms = now;
    } else if (now - c->ws.pinged_ms > c->set->settings->stream_silent_ms) {
        conn_close(c, REASON_PEER);
        return false;
    }
    return conn_push(c, c->set->ping);
}

/* ---- What clients say ---- */

void conn_ws_answer(struct conn *c, const struct op *op, enum confab_err err)
{
    struct buf b;

    if (c->state == CONN_DRAINING) {
        return; /* our close was the last word */
    }
    buf_init(&b, ANSWER_BYTES);
    if (err == CONFAB_OK) {
        op_put_done(op, &b);
    } else {
        op_put_error(op, err, &b);
    }
    (void)queue_answer(c, WS_TEXT, buf_slice(&b));
    buf_clear(&b);
}

static void take_op(struct conn *c, struct slice text)
{
    struct op op;
    enum confab_err err = op_parse(text, &op);

    if (err == CONFAB_OK && op.kind != OP_PING) {
        /* Whose it is, the database has yet to say. */
        err = c->state == CONN_LIVE ? ops_submit(c->set->ops, c, &op) : CONFAB_DB_AWAY;
        if (err == CONFAB_OK) {
            return; /* the answer comes when it is done */
        }
    }
    conn_ws_answer(c, &op, err);
}

/* The client closes, or has broken the rules: our answer, after what waits, and the end. */
static void close_with(struct conn *c, unsigned code, struct slice why, enum reason reason)
{
    if (queue_close(c, code, why)) {
        conn_finish(c, reason);
    }
}

static void take_message(struct conn *c, const struct ws_message *m)
{
    switch (m->opcode) {
    case WS_TEXT:
        take_op(c, m->payload);
        break;
    case WS_PING:
        (void)queue_answer(c, WS_PONG, m->payload);
        break;
    case WS_CLOSE:
        close_with(c, m->code, (struct slice){NULL, 0}, REASON_PEER);
        break;
    case WS_BINARY:
        close_with(c, CODE_UNSUPPORTED, slice_of("binary"), REASON_BAD_REQUEST);
        break;
    case WS_PONG:
    case WS_CONTINUATION:
        break;
    }
}

/* Whether one more message is within what a client may send. */
static bool is_allowed(struct conn_ws *ws, int64_t now_ms)
{
    if (ws->allowed_ms < now_ms) {
        ws->allowed_ms = now_ms;
    }
    ws->allowed_ms += REFILL_MS;
    return ws->allowed_ms <= now_ms + BURST * REFILL_MS;
}

/* All messages that end in what came. May close c. */
static void read_messages(struct conn *c, struct ws_reader *r, char *bytes, size_t n)
{
    struct ws_message m;
    enum confab_err err = CONFAB_OK;

    int64_t now = clock_ms();

    c->ws.pinged_ms = 0;
    while (err == CONFAB_OK && c->state != CONN_DRAINING && c->state != CONN_CLOSED) {
        err = ws_read(r, &bytes, &n, &m);
        if (err == CONFAB_OK && !is_allowed(&c->ws, now)) {
            close_with(c, reason_close_code(REASON_FLOOD), slice_of(reason_word(REASON_FLOOD)),
                       REASON_FLOOD);
        } else if (err == CONFAB_OK) {
            take_message(c, &m);
        }
    }
    if (err == CONFAB_BAD_REQUEST) {
        close_with(c, m.code, m.payload, REASON_BAD_REQUEST);
    } else if (err == CONFAB_NO_MEMORY) {
        conn_close(c, REASON_MEMORY);
    }
}

/* Between messages, which is nearly always, a connection has no reader: one is made of what a
 * message leaves unfinished. */
static void take(struct conn *c, char *bytes, size_t n)
{
    struct ws_reader r;

    if (c->state == CONN_DRAINING) {
        return; /* nothing counts after our close, which an end with unread bytes would take away */
    }
    ws_reader_init(&r, MESSAGE_MAX_BYTES);
    if (c->ws.reader != NULL) {
        r = *c->ws.reader;
        free(c->ws.reader);
        c->ws.reader = NULL;
    }
    read_messages(c, &r, bytes, n);
    if (c->state == CONN_CLOSED || c->state == CONN_DRAINING || ws_reader_is_idle(&r)) {
        ws_reader_clear(&r);
        return;
    }
    c->ws.reader = malloc(sizeof r);
    if (c->ws.reader == NULL) {
        ws_reader_clear(&r);
        conn_close(c, REASON_MEMORY);
        return;
    }
    *c->ws.reader = r;
}

struct msg *conn_ws_ping(void)
{
    struct buf b;

    buf_init(&b, WS_HEAD_MAX_BYTES);
    ws_put_frame(&b, WS_PING, (struct slice){NULL, 0});
    struct msg *m = msg_from_buf(&b);

    buf_clear(&b);
    return m;
}

/* ---- As a transport ---- */

static void closed(struct conn *c)
{
    if (c->ws.reader != NULL) {
        ws_reader_clear(c->ws.reader);
        free(c->ws.reader);
    }
    ops_forget(&c->ws.ops);
}

static const struct conn_transport transport = {
    .name = "websocket",
    .form = MSG_WS,
    .connected = said_queue_connected,
    .reset = said_queue_reset,
    .mark = conn_push,
    .beat = beat,
    .auth_over = auth_over,
    .bye = bye,
    .take = take,
    .closed = closed,
    .beats_always = true,
};

static bool put_opening(struct conn *c, struct slice key)
{
    char accept[WS_UPGRADE_ACCEPT_BYTES + 1];
    struct buf b;

    buf_init(&b, OPENING_BYTES);
    if (!ws_upgrade_accept(key, accept)) {
        b.failed = true;
    }
    buf_printf(&b,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: " WS_UPGRADE_SUBPROTOCOL
               "\r\n\r\n",
               accept);
    return conn_queue_buf(c, &b);
}

bool conn_ws_open(struct conn *c, struct slice key)
{
    list_init(&c->ws.ops.items);
    conn_set_transport(c, &transport);
    return put_opening(c, key);
}
