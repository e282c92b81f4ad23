/*
 * stats: what the daemon counts. One table gives each figure its name.
 */
#ifndef PUSH_STATS_H
#define PUSH_STATS_H

#include <stdint.h>

#include "reason.h"

enum stat_id {
    STAT_ACCEPTED,      /* connections */
    STAT_STREAMS,       /* streams that went live */
    STAT_LOOKS,         /* reads of the event log */
    STAT_EVENTS,        /* events read from it */
    STAT_DELIVERIES,    /* events put before connections */
    STAT_WRITES,        /* calls of send */
    STAT_BYTES,         /* written to sockets */
    STAT_REPLAYS_RING,  /* streams resumed from memory */
    STAT_REPLAYS_LOG,   /* streams resumed from the database */
    STAT_RESETS,        /* gaps that were announced */
    STAT_RINGS,         /* doorbells heard */
    STAT_DB_CONNECTS,   /* connections to the database */
    STAT_DB_FAILURES,   /* those lost or refused */
    STAT_ACCEPT_PAUSES, /* accepting stopped for want of descriptors */
    STAT_MAX
};

struct stats {
    uint64_t counts[STAT_MAX];
    uint64_t closed[REASON_MAX]; /* connections by the reason of their end */
};

/* Writes all that is not zero to the log, on one line. */
void stats_log(const struct stats *s);

#endif
