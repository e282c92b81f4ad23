/*
 * msg: see msg.h.
 */
#include "msg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sse.h"

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
    *m = (struct msg){.refs = 1, .kind = MSG_OTHER, .sse_len = bytes.n};
    if (bytes.n > 0) {
        memcpy(m->sse, bytes.p, bytes.n);
    }
    return m;
}

struct msg *msg_from_event(const struct msg_event *event)
{
    struct buf b;

    buf_init(&b, MSG_MAX_BYTES);
    sse_put_event(&b, event->type, (struct slice){NULL, 0}, event->data);
    struct msg *m = msg_from_buf(&b);

    buf_clear(&b);
    if (m != NULL) {
        m->id = event->id;
        m->xid = event->xid;
        m->room_id = event->room_id;
        m->user_id = event->user_id;
        m->kind = kind_of(event->type);
    }
    return m;
}

struct msg *msg_ref(struct msg *m)
{
    assert(m->refs > 0 && m->refs < UINT32_MAX);
    m->refs++;
    return m;
}

void msg_unref(struct msg *m)
{
    if (m == NULL) {
        return;
    }
    assert(m->refs > 0);
    if (--m->refs == 0) {
        free(m);
    }
}

size_t msg_footprint(const struct msg *m)
{
    return sizeof *m + m->sse_len;
}
