/*
 * stats: what the daemon counts. One table gives each figure its name, in the log and in the
 * metrics, and says what it is.
 */
#ifndef PUSH_STATS_H
#define PUSH_STATS_H

#include <stdint.h>

#include "reason.h"

enum stat_id {
    STAT_ACCEPTED,
    STAT_STREAMS,
    STAT_LOOKS,
    STAT_EVENTS,
    STAT_DELIVERIES,
    STAT_WRITES,
    STAT_BYTES,
    STAT_REPLAYS_RING,
    STAT_REPLAYS_LOG,
    STAT_RESETS,
    STAT_RINGS,
    STAT_SIGNALS,
    STAT_SIGNALS_DROPPED,
    STAT_DB_CONNECTS,
    STAT_DB_FAILURES,
    STAT_ACCEPT_PAUSES,
    STAT_MAX
};

#define STATS_BUCKETS 12

/* How often something took how long. */
struct stats_times {
    uint64_t counts[STATS_BUCKETS + 1]; /* by stats_bounds_us; the last: longer than all of them */
    uint64_t sum_us;
};

struct stats {
    uint64_t counts[STAT_MAX];
    uint64_t closed[REASON_MAX];   /* connections by the reason of their end */
    struct stats_times look_times; /* from asking for a look to its cursor */
};

extern const int64_t stats_bounds_us[STATS_BUCKETS];

const char *stats_name(enum stat_id id);
const char *stats_help(enum stat_id id);

void stats_time(struct stats_times *times, int64_t us);

/* Writes all that is not zero to the log, on one line. */
void stats_log(const struct stats *s);

#endif
