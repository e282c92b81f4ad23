/*
 * msg: see msg.h.
 */
#include "msg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sse.h"
#include "ws.h"

/* More than any event's JSON: SQL bounds bodies far below. */
#define MSG_MAX_BYTES (16 * 1024 * 1024)

static const char *const kind_types[] = {
    [MSG_JOIN] = "member.join",
    [MSG_LEAVE] = "member.leave",
    [MSG_ROOM_NEW] = "room.new",
    [MSG_SESSION_END] = "session.end",
};
static_assert(sizeof kind_types / sizeof *kind_types == MSG_KIND_MAX, "one type a kind");

static enum msg_kind kind_of(struct slice type)
{
    for (int kind = MSG_OTHER + 1; kind < MSG_KIND_MAX; kind++) {
        if (slice_eq(type, slice_of(kind_types[kind]))) {
            return (enum msg_kind)kind;
        }
    }
    return MSG_OTHER;
}

struct msg *msg_from_buf(const struct buf *b)
{
    if (buf_failed(b)) {
        return NULL;
    }
    struct slice bytes = buf_slice(b);
    struct msg *m = malloc(sizeof *m + bytes.n);

    if (m == NULL) {
        return NULL;
    }
    *m = (struct msg){.refs = 1, .kind = MSG_OTHER};
    if (bytes.n > 0) {
        memcpy(m->bytes, bytes.p, bytes.n);
    }
    for (int form = 0; form < MSG_FORM_MAX; form++) {
        m->forms[form] = (struct slice){m->bytes, bytes.n};
    }
    return m;
}

/* Appends data as one line: between the tokens of JSON a line's end is as good as a space, and
 * within them there is none (RFC 8259, sections 2 and 7). */
static void put_one_line(struct buf *b, struct slice data)
{
    size_t from = b->len;

    buf_put_slice(b, data);
    for (size_t i = from; !buf_failed(b) && i < b->len; i++) {
        if (b->data[i] == '\n' || b->data[i] == '\r') {
            b->data[i] = ' ';
        }
    }
}

/* Where the parts that were given are in m's bytes: before each stands what sse_put_event writes.
 */
static void locate_parts(struct msg *m, struct slice type, struct slice cursor, struct slice data)
{
    const char *end = m->bytes + m->forms[MSG_SSE].n;

    m->forms[MSG_WS] = (struct slice){NULL, 0};
    m->data = (struct slice){end - strlen("\n\n") - data.n, data.n};
    m->cursor = (struct slice){m->data.p - strlen("\ndata: ") - cursor.n, cursor.n};
    m->type = (struct slice){m->bytes + strlen("event: "), type.n};
}

struct msg *msg_new(struct slice type, struct slice cursor, struct slice data)
{
    struct buf line, b;

    buf_init(&line, MSG_MAX_BYTES);
    buf_init(&b, MSG_MAX_BYTES);
    put_one_line(&line, data);
    data = buf_slice(&line);
    sse_put_event(&b, type, cursor, data);
    struct msg *m = buf_failed(&line) ? NULL : msg_from_buf(&b);

    if (m != NULL) {
        locate_parts(m, type, cursor, data);
    }
    buf_clear(&line);
    buf_clear(&b);
    return m;
}

/* Only SQL makes types; one that needed escaping is none that a client could know. */
static struct slice plain_type(struct slice type)
{
    for (size_t i = 0; i < type.n; i++) {
        char c = type.p[i];

        if (!(c >= 'a' && c <= 'z') && c != '.' && c != '_') {
            return SLICE_LITERAL("unknown");
        }
    }
    return type.n > 0 ? type : SLICE_LITERAL("unknown");
}

struct msg *msg_from_event(const struct msg_event *event)
{
    struct msg *m = msg_new(plain_type(event->type), (struct slice){NULL, 0}, event->data);

    if (m != NULL) {
        m->id = event->id;
        m->xid = event->xid;
        m->room_id = event->room_id;
        m->user_id = event->user_id;
        m->kind = kind_of(event->type);
    }
    return m;
}

/* The event as JSON in a frame. Types and cursors are plain ASCII without what JSON escapes. */
static void put_ws(struct buf *frame, const struct msg *m)
{
    struct buf text;

    buf_init(&text, MSG_MAX_BYTES);
    buf_puts(&text, "{\"type\":\"");
    buf_put_slice(&text, m->type);
    if (m->cursor.n > 0) {
        buf_puts(&text, "\",\"id\":\"");
        buf_put_slice(&text, m->cursor);
    }
    buf_puts(&text, "\",\"data\":");
    buf_put_slice(&text, m->data);
    buf_putc(&text, '}');
    if (buf_failed(&text)) {
        frame->failed = true;
    } else {
        ws_put_frame(frame, WS_TEXT, buf_slice(&text));
    }
    buf_clear(&text);
}

bool msg_encode(struct msg *m, enum msg_form form)
{
    struct buf b;

    if (m->forms[form].p != NULL) {
        return true;
    }
    assert(form == MSG_WS);
    buf_init(&b, MSG_MAX_BYTES);
    put_ws(&b, m);
    size_t n = b.len;
    char *bytes = buf_steal(&b);

    if (bytes == NULL) {
        return false;
    }
    m->forms[form] = (struct slice){bytes, n};
    return true;
}

struct msg *msg_ref(struct msg *m)
{
    assert(m->refs > 0 && m->refs < UINT32_MAX);
    m->refs++;
    return m;
}

static void msg_free(struct msg *m)
{
    if (m->forms[MSG_WS].p != m->bytes) {
        free((char *)m->forms[MSG_WS].p);
    }
    free(m);
}

void msg_unref(struct msg *m)
{
    if (m == NULL) {
        return;
    }
    assert(m->refs > 0);
    if (--m->refs == 0) {
        msg_free(m);
    }
}

size_t msg_footprint(const struct msg *m)
{
    return sizeof *m + MSG_FORM_MAX * m->forms[MSG_SSE].n;
}
