/*
 * feed: reads the event log and hands what is new to the hub and the ring. It looks when the
 * doorbell rings, when somebody waits, and once a second in any case; a look continues from the
 * cursor of the one before, so that a ring that was lost, a connection that broke or a server that
 * was away costs time and no event. docs/architecture.md tells why.
 */
#ifndef PUSH_FEED_H
#define PUSH_FEED_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/settings.h"
#include "conns.h"
#include "stats.h"

struct feed;

/* All are borrowed and outlive it; it becomes the feed of conns. NULL: out of memory. */
struct feed *feed_new(struct event_base *base, const struct settings *settings, struct stats *stats,
                      struct conns *conns);
void feed_free(struct feed *feed);

/* Begins to connect to the database, and never gives up. */
void feed_start(struct feed *feed);

/* The settings have changed. */
void feed_reload(struct feed *feed);

/* What it holds, and how it is. */
struct feed_figures {
    bool database_up;
    int64_t looked_ms; /* when the last look was complete; 0: never */
    size_t ring_bytes, ring_messages, ring_looks;
};
struct feed_figures feed_figures(const struct feed *feed);

#endif
