/*
 * conns: all connections, what they share, and the turn of the loop that serves them: first those
 * with something to write, a bounded number at a time, then the deadlines, last the memory of those
 * that were closed.
 */
#ifndef PUSH_CONNS_H
#define PUSH_CONNS_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "common/buf.h"
#include "common/list.h"
#include "common/settings.h"
#include "conn.h"
#include "dead.h"
#include "hub.h"
#include "pack.h"
#include "session.h"
#include "stats.h"
#include "wheel.h"

#define CONNS_FLUSH_MAX      1024 /* connections served in one turn of the loop … */
#define CONNS_FLUSH_BULK_MAX 256  /* … and of those that can wait */
#define CONNS_STOP_HEAD_MS   1000 /* for a request head, once we stop */
/* Told to a stream that a newer one of its session displaced, or one too many of its address. */
#define CONNS_LIMIT_RETRY_MS 60000

/* What the set asks of whoever feeds it. */
struct conn_feed {
    void (*wake)(void *ctx);    /* somebody waits, or is held */
    bool (*healthy)(void *ctx); /* events flow */
    void *ctx;                  /* borrowed: outlives the set */
};

struct conns {
    struct event_base *base;         /* borrowed */
    const struct settings *settings; /* borrowed; what it says may change at any turn */
    struct stats *stats;             /* borrowed */
    struct conn_feed feed;
    struct ops *ops;         /* borrowed; does what clients ask for */
    struct tickets *tickets; /* borrowed */
    struct hub hub;
    struct sessions sessions;
    struct addresses addresses;
    struct dead dead;
    struct list states[CONN_STATE_MAX]; /* struct conn, linked by in_state */
    struct list dirty[2];               /* those with something to write; [1]: bulk, served after */
    struct wheel wheel;
    struct pack pack;
    struct event tick, flush, reap;
    struct buf cursor;   /* the newest whole look's; empty before the first */
    struct msg *mark;    /* counted; made from cursor when first needed, else NULL */
    struct msg *padding; /* counted; the opening comment */
    struct msg *beat;    /* counted; the comment that is a heartbeat when a mark cannot be */
    struct msg *ping;    /* counted; a WebSocket's */
    size_t count;        /* of open connections */
    size_t congested;    /* live ones with much pending */
    uint64_t last_id;
    bool looking; /* a look is under way: what was written has no mark yet */
    bool late;    /* the log cannot be read at present, and marks say so */
};

/* False when out of memory or events. */
bool conns_init(struct conns *set, struct event_base *base, const struct settings *settings,
                struct stats *stats) __attribute__((warn_unused_result));
/* Closes everything at once. */
void conns_clear(struct conns *set);

/* Tells every stream to come back later, spread out. To be called again and again until all are
 * gone: who has just connected gets a moment to say what for, and is told then. */
void conns_stop(struct conns *set);

/* The newest mark under a filter (NULL: none) with a reference for the caller; NULL: out of memory.
 * Only outside of looks. */
struct msg *conns_mark(struct conns *set, const struct filter *filter);
/* Have conns_flush run, or the memory of closed connections freed, when the stack has unwound. */
void conns_schedule_flush(struct conns *set);
void conns_schedule_reap(struct conns *set);

int64_t conns_retry_ms(const struct conns *set); /* a random value for `retry:` */

/* ---- for the feed ---- */

/* Events are about to be published; until conns_end_look nobody gets a mark. */
void conns_begin_look(struct conns *set);
/* They all have been, and whoever got them has seen what cursor covers. */
void conns_end_look(struct conns *set, struct slice cursor);
/* The log cannot be read, or can be again: every stream is told by a mark. Only outside of looks.
 */
void conns_set_late(struct conns *set, bool late);
/* Writes to a bounded number of connections what is pending; the rest follows in later turns. */
void conns_flush(struct conns *set);
/* Whether some that could be written to have not had their turn. */
bool conns_behind(const struct conns *set);
/* A session of this user has ended: his streams are held until each one's session is looked up. */
void conns_hold_user(struct conns *set, int64_t user_id);
/* Memory for what this user is to get was missing: his streams are closed, and resume by their
 * cursors. */
void conns_drop_user(struct conns *set, int64_t user_id);
/* The session was looked up: alive, or over. */
void conns_session_alive(struct conns *set, struct session *s);
void conns_session_over(struct conns *set, struct session *s);
/* What the live streams know is void, for reason: each waits to be attached anew. */
void conns_resync(struct conns *set, const char *reason);

#endif
