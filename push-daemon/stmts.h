/*
 * stmts: all SQL that the daemon says, one row a statement. Parameters are always bound.
 */
#ifndef PUSH_STMTS_H
#define PUSH_STMTS_H

#include <stdbool.h>

enum pg_stmt {
    PG_LISTEN_EVENT,
    PG_LISTEN_PROBE,
    PG_LISTEN_SIGNAL,
    PG_PROBE, /* $1 payload */
    PG_BEGIN, /* of a transaction that sees one snapshot */
    PG_COMMIT,
    PG_ROLLBACK,
    PG_FEED_READ,     /* $1 cursor */
    PG_FEED_SESSIONS, /* $1 ord[], $2 token[] */
    PG_FEED_REPLAY,   /* $1 ord[], $2 token[], $3 cursor[], $4 limit */
    PG_FEED_BACKFILL, /* $1 cursor, $2 limit */
    PG_EPOCH_BEGIN,
    PG_RING_ARM,
    PG_RING_DISARM,
    PG_WORK_SETTINGS,
    PG_PRESENCE_SWEEP,   /* $1 seconds */
    PG_PRESENCE_HOLD,    /* $1 daemon, $2 user[], $3 seconds */
    PG_PRESENCE_RELEASE, /* $1 daemon, $2 user[], $3 seconds */
    PG_TICKETS,          /* $1 ord[], $2 ticket[] */
    PG_TYPING,           /* $1 ord[], $2 session[], $3 room[], $4 state[] */
    PG_RECEIPTS,         /* $1 ord[], $2 session[], $3 room[], $4 kind[], $5 seq[] */
    PG_HOUSEKEEP,        /* $1 who */
    PG_EVENT_PRUNE,      /* $1 how long events are kept */
    PG_STMT_MAX
};

/* Which connection says it. Each prepares what is its own, so that the feed does not depend on what
 * only work needs. */
enum pg_use { PG_FOR_FEED, PG_FOR_WORK };

struct stmt {
    enum pg_use use;
    const char *name; /* under which it is prepared when the connection is made; NULL: it is not */
    const char *sql;
    int param_count;
    bool by_row; /* rows are handed over as they come, and not when all have */
};

extern const struct stmt stmts[PG_STMT_MAX];

#endif
