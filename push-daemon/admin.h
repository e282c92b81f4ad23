/*
 * admin: answers on a private address whether the daemon is alive and ready, and with its figures.
 * One request a connection, few connections at a time. Non-goals: who may ask (that is the
 * address's affair), acting on anything.
 */
#ifndef PUSH_ADMIN_H
#define PUSH_ADMIN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>

#include "bound.h"
#include "common/list.h"
#include "common/settings.h"
#include "metrics.h"

#define ADMIN_CONNS_MAX   8
#define ADMIN_HEAD_BYTES  4096
#define ADMIN_DEADLINE_MS 5000 /* for a whole exchange */
#define ADMIN_RETRY_MS    5000 /* until opening, or accepting, is tried again */

/* NULL: ready; else the word for why not, a literal. */
typedef const char *(*admin_status_fn)(void *ctx);

struct admin {
    const struct settings *settings; /* borrowed */
    const struct metrics *metrics;   /* borrowed */
    admin_status_fn status;
    void *ctx; /* borrowed; of status */
    struct bound bound;
    struct event io, retry;
    struct list exchanges; /* owns struct exchange */
    size_t count;
    bool warned; /* that it cannot be opened */
};

/* False: no event. */
bool admin_init(struct admin *a, struct event_base *base, const struct settings *settings,
                const struct metrics *metrics, admin_status_fn status, void *ctx)
    __attribute__((warn_unused_result));

/* Opens the address of the settings, if they name one. What hinders that is logged once; it is
 * tried again until it works, since a daemon without figures is better than none. */
void admin_open(struct admin *a);

/* Ends what is under way, too. Repeating it is harmless. */
void admin_close(struct admin *a);

#endif
