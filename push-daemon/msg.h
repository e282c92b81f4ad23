/*
 * msg: what is written to connections, shared by count. What it says never changes; the bytes of
 * each form are made at most once, Server-Sent Events at once, since nearly all streams are such,
 * and WebSocket frames when the first such stream gets it.
 */
#ifndef PUSH_MSG_H
#define PUSH_MSG_H

#include <stdbool.h>
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

/* How bytes are framed. */
enum msg_form {
    MSG_SSE, /* an event of Server-Sent Events */
    MSG_WS,  /* a WebSocket text message, {"type", "id"?, "data"} */
    MSG_FORM_MAX
};

struct msg {
    int64_t id;      /* of the event; 0: no event (a mark, an answer, …) */
    uint64_t xid;    /* the transaction that wrote it */
    int64_t room_id; /* 0: none */
    int64_t user_id; /* 0: none */
    uint32_t refs;
    enum msg_kind kind;
    struct slice type, cursor, data;  /* borrowed from bytes; data is one line of JSON */
    struct slice forms[MSG_FORM_MAX]; /* [MSG_SSE] is bytes; [MSG_WS].p: NULL until made, owned */
    char bytes[];
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
/* The same for what is no event of the log. cursor: the id that goes with it, may be empty. */
struct msg *msg_new(struct slice type, struct slice cursor, struct slice data);
/* A message of given bytes, the same in every form; NULL also when b has failed. b may be reused.
 */
struct msg *msg_from_buf(const struct buf *b);

/* Makes the bytes of that form, if they are not there yet. False: out of memory. */
bool msg_encode(struct msg *m, enum msg_form form) __attribute__((warn_unused_result));

struct msg *msg_ref(struct msg *m); /* returns m */
void msg_unref(struct msg *m);      /* NULL is nothing */

/* What m takes in memory, for those who keep within bounds. */
size_t msg_footprint(const struct msg *m);

#endif
