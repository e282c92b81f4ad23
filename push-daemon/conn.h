/*
 * conn: one client connection, from accept to close. It holds references to shared messages and no
 * buffers of its own; what is pending for it in one turn of the loop leaves in one writev. It knows
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
#include "handshake.h"
#include "hub.h"
#include "queue.h"
#include "reason.h"
#include "session.h"
#include "wheel.h"

#define CONN_MAX_BYTES   512   /* of memory for each, beside what the kernel takes */
#define CONN_DRAIN_MS    5000  /* to take what was last written and to close */
#define CONN_RENEW_MS    500   /* at most, until a stream that reached its age is back */
#define CONN_STUCK_MS    60000 /* without taking anything of what waits */
#define CONN_EXTRA_BYTES 16384 /* that a client may send after its request head */

/* The state is also the list of struct conns that a connection is in. */
enum conn_state {
    CONN_HEAD,     /* sends its request head */
    CONN_WAITING,  /* its stream is open; the feed has yet to say whose it is */
    CONN_LIVE,     /* gets events */
    CONN_DRAINING, /* its last bytes are pending; then it is closed */
    CONN_CLOSED,   /* over; the memory waits for the end of the loop's turn */
    CONN_STATE_MAX
};

struct conn;
struct conns;

/* How a kind of stream says what there is to say. Each makes the bytes and queues them. */
struct conn_transport {
    /* The stream is attached. id: the cursor it starts from, empty when a reset follows. */
    bool (*connected)(struct conn *c, struct slice id, int64_t session_id, int64_t expires_in_s);
    /* reason: a literal of the protocol. */
    bool (*reset)(struct conn *c, const char *reason, int64_t within_s);
    bool (*auth_over)(struct conn *c);
    bool (*bye)(struct conn *c, int64_t retry_ms);
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
    struct handshake *handshake;            /* owned; NULL once live */
    const struct conn_transport *transport; /* static; NULL until the stream is open */
    uint64_t id;
    int64_t opened_ms;
    int64_t wrote_ms; /* when the socket last took something */
    int64_t ends_ms;  /* the end of the stream's life, or the deadline of the state */
    int fd;
    uint32_t extra_bytes; /* received after the head */
    enum reason reason;   /* of the end, while draining */
    enum conn_state state;
    bool blocked;   /* the socket is full: waits for EV_WRITE */
    bool mark_due;  /* got events since its last mark */
    bool congested; /* counted in set->congested */
};

/* Takes over a connected, non-blocking socket; closes it when that fails. */
void conn_accept(struct conns *set, int fd);

void conn_set_state(struct conn *c, enum conn_state to);

/* Appends what must not be lost; false when out of memory, and the connection is then closed. The
 * reference of m is taken over (NULL, for want of memory, is allowed). */
bool conn_queue(struct conn *c, struct msg *m) __attribute__((warn_unused_result));
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
