/*
 * msg: what is written to connections, encoded once and shared by count. Immutable after creation.
 */
#ifndef PUSH_MSG_H
#define PUSH_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/str.h"

/* What the daemon itself must know of an event; all else is between SQL and the client. */
enum msg_kind {
    MSG_OTHER,
    MSG_JOIN,        /* member.join: user_id is in room_id from here on */
    MSG_LEAVE,       /* member.leave: not any more */
    MSG_ROOM_NEW,    /* room.new: what room_id is, for user_id alone, while he is in it */
    MSG_SESSION_END, /* session.end: a session of user_id is over */
    MSG_KIND_MAX
};

struct msg {
    int64_t id;      /* of the event; 0: no event (a mark, an answer, …) */
    uint64_t xid;    /* the transaction that wrote it */
    int64_t room_id; /* 0: none */
    int64_t user_id; /* 0: none */
    uint32_t refs;
    enum msg_kind kind;
    size_t sse_len;
    char sse[]; /* the bytes for a Server-Sent Events stream */
};

/* An event as the log has it; the slices are borrowed for the call. */
struct msg_event {
    int64_t id;
    uint64_t xid;
    int64_t room_id, user_id;
    struct slice type, data;
};

/* A new message with one reference, or NULL when out of memory. */
struct msg *msg_from_event(const struct msg_event *event);
/* A message of given bytes that is no event; NULL also when b has failed. b may be reused. */
struct msg *msg_from_buf(const struct buf *b);

struct msg *msg_ref(struct msg *m); /* returns m */
void msg_unref(struct msg *m);      /* NULL is nothing */

/* What m takes in memory, for those who keep within bounds. */
size_t msg_footprint(const struct msg *m);

#endif
