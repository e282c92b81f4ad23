/*
 * metrics: all that the daemon knows of itself in figures, in Prometheus' text format 0.0.4.
 * Reading them costs a walk over the connections. confab-pushd(8) has the list; a test compares.
 */
#ifndef PUSH_METRICS_H
#define PUSH_METRICS_H

#include <time.h>

#include "common/buf.h"
#include "conns.h"
#include "feed.h"
#include "listener.h"
#include "stats.h"

#define METRICS_MAX_BYTES    65536
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Whose figures they are; all are borrowed. */
struct metrics {
    const struct stats *stats;
    const struct conns *conns;
    const struct feed *feed;
    const struct listener *listener;
    time_t started; /* by the clock on the wall, and by ours */
    int64_t started_ms;
};

void metrics_init(struct metrics *m, const struct stats *stats, const struct conns *conns,
                  const struct feed *feed, const struct listener *listener);

/* Appends all of them, as they are now. ready: whether the daemon would call itself that. */
void metrics_put(const struct metrics *m, bool ready, struct buf *b);

#endif
