/*
 * conn: one client connection, from accept to close. It holds references to shared messages and no
 * buffers of its own; what is pending for it in one turn of the loop leaves in one send. It knows
 * nothing of HTTP (conn_http.c), nothing of how things are said (its transport does, conn_sse.c),
 * and nothing of the database.
 */
#ifndef PUSH_CONN_H
#define PUSH_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "filter.h"
#include "handshake.h"
#include "hub.h"
#include "msg.h"
#include "queue.h"
#include "reason.h"
#include "session.h"
#include "wheel.h"

#define CONN_MAX_BYTES 512  /* of memory for each, beside what the kernel takes */
#define CONN_DRAIN_MS  5000 /* to take what was last written and to close */
#define CONN_LOOK_MS   5000 /* beyond its age, for the look under way to end */
#define CONN_RENEW_MS  500  /* at most, until a stream that reached its age is back */

/* The state is also the list of struct conns that a connection is in. */
enum conn_state {
    CONN_HEAD,      /* sends its request head */
    CONN_REDEEMING, /* its stream is open; it has shown a ticket for a session */
    CONN_WAITING,   /* it has shown a session's token; the feed has yet to say whose it is */
    CONN_LIVE,      /* gets events */
    CONN_DRAINING,  /* its last bytes are pending; then it is closed */
    CONN_CLOSED,    /* over; the memory waits for the end of the loop's turn */
    CONN_STATE_MAX
};

struct conn;
struct conns;
struct poll;      /* in conn_poll.c */
struct ws_reader; /* in ws.h */

/* What a client has asked for and not been told yet: struct ops_item, in ops.c. */
struct conn_ops {
    struct list items;
    uint32_t count;
};

/* What a WebSocket has beside. In the connection itself: an allocation of its own, made in the
 * middle of the handshake's, costs far more than its size. */
struct conn_ws {
    struct ws_reader *reader; /* owned; NULL between messages, when there is nothing to keep */
    struct conn_ops ops;
    int64_t pinged_ms;  /* when the first ping went out that nothing came after; 0: none */
    int64_t allowed_ms; /* until then what it may send is used up */
};

/* What is said of a stream that is attached. */
struct conn_greeting {
    enum resume resume;
    struct slice cursor; /* that it starts from; empty when a reset follows */
    int64_t session_id, expires_in_s;
};

/* How a kind of stream says what there is to say. Each makes the bytes and queues them; what
 * returns false has closed the connection. */
struct conn_transport {
    const char *name; /* in the metrics */
    enum msg_form form;
    bool (*connected)(struct conn *c, const struct conn_greeting *greeting);
    /* reason: a literal of the protocol. */
    bool (*reset)(struct conn *c, const char *reason, int64_t within_s);
    /* All that was read from the log is pending; mark says so, and is borrowed. */
    bool (*mark)(struct conn *c, struct msg *mark);
    /* Nothing was written for a while, and (unless beats_always) there is no mark to write. */
    bool (*beat)(struct conn *c);
    /* What ends a stream: its session is over; or it may come back after a while. */
    bool (*auth_over)(struct conn *c);
    bool (*bye)(struct conn *c, enum reason reason, int64_t retry_ms);
    /* The client has sent something after its request. May close c. */
    void (*take)(struct conn *c, char *bytes, size_t n);
    /* c is being closed: frees what the transport owns. NULL: nothing. */
    void (*closed)(struct conn *c);
    bool waits_for_mark; /* nothing is written before */
    bool beats_always;   /* also beside a mark */
};

struct conn {
    struct event ev;
    struct list in_state;
    struct list in_dirty;
    struct list in_session;
    struct wheel_node timer;
    struct hub_sub sub;
    struct queue out;
    struct conns *set;                      /* borrowed: outlives all connections */
    struct session *session;                /* borrowed while linked by in_session; else NULL */
    struct filter *filter;                  /* owned; NULL: all rooms */
    struct handshake *handshake;            /* owned; NULL once live */
    const struct conn_transport *transport; /* static; NULL until the stream is open */
    union {                                 /* the transport's */
        struct poll *poll;                  /* owned */
        struct conn_ws ws;
    };
    uint64_t id;
    uint64_t address; /* counted in set->addresses, unless unknown */
    int64_t opened_ms;
    int64_t wrote_ms; /* when the socket last took something */
    int64_t ends_ms;  /* the end of the stream's life, or the deadline of the state */
    int fd;
    uint32_t extra_bytes; /* received after the head, where nothing is to be received */
    enum reason reason;   /* of the end, while draining */
    enum conn_state state;
    bool blocked;   /* the socket is full: waits for EV_WRITE */
    bool mark_due;  /* got events since its last mark */
    bool congested; /* counted in set->congested */
};

/* Takes over a connected, non-blocking socket; closes it when that fails. */
void conn_accept(struct conns *set, int fd);

void conn_set_state(struct conn *c, enum conn_state to);
const char *conn_state_name(enum conn_state state);

/* What is said from now on is said in this way; once, before anything is. */
void conn_set_transport(struct conn *c, const struct conn_transport *transport);
/* The request is understood, and shows a token or a ticket: whose stream it is has to be found out,
 * by tickets (CONN_REDEEMING) or the feed (CONN_WAITING). */
void conn_wait(struct conn *c, enum conn_state how);
/* The ticket was good: the handshake has the session's token now. */
void conn_redeemed(struct conn *c);
/* The client sent what a stream of one direction has no use for. A little (a pipelined request) is
 * passed over; much closes c. */
void conn_take_extra(struct conn *c, char *bytes, size_t n);

/* Appends what must not be lost; false when out of memory, and the connection is then closed. The
 * reference of m is taken over (NULL, for want of memory, is allowed). */
bool conn_queue(struct conn *c, struct msg *m) __attribute__((warn_unused_result));
/* The same for the bytes of a buffer, which is cleared. */
bool conn_queue_buf(struct conn *c, struct buf *b) __attribute__((warn_unused_result));
/* Appends without having it written before the rest; m is borrowed. False: c is closed. */
bool conn_push(struct conn *c, struct msg *m) __attribute__((warn_unused_result));
/* Whether another `more` bytes may wait, if need be once the socket has taken what it takes. If
 * not, c has been too slow, and is closed. */
bool conn_make_room(struct conn *c, size_t more) __attribute__((warn_unused_result));
/* Something is pending: it will be written before the loop sleeps. */
void conn_touch(struct conn *c);

/* Writes what is pending, and the mark that is due. May close c. */
void conn_flush(struct conn *c);

/* Takes an event of the hub. */
void conn_deliver(struct hub_sub *sub, struct msg *m, bool bulk);

/* Makes a waiting connection live as a stream of this session, whose memberships are known to the
 * hub from now on. False when out of memory, and it is then closed. */
bool conn_attach(struct conn *c, const struct handshake_answer *answer)
    __attribute__((warn_unused_result));

/* Its stream ends then, unless something else ends it. */
void conn_set_end(struct conn *c, int64_t ends_ms);

/* Live no more: c waits to be attached anew, and is then told that something may be missing. */
void conn_resync(struct conn *c, const char *reason);

/* The deadline of its state is over, or a heartbeat may be due. */
void conn_due(struct conn *c, int64_t now_ms);

/* No more events: what is queued (and the peer's own end) is waited for, then it is closed. */
void conn_finish(struct conn *c, enum reason reason);
/* Says bye first. */
void conn_bye(struct conn *c, enum reason reason, int64_t retry_ms);
/* The one end of a connection. Unlinks it everywhere; its memory lives until the loop's turn is
 * over. Repeating it is harmless. */
void conn_close(struct conn *c, enum reason reason);

#endif
