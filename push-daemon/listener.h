/*
 * listener: the socket that clients (as a rule the web server) connect to. It accepts a bounded
 * number a turn, and none while descriptors are short.
 */
#ifndef PUSH_LISTENER_H
#define PUSH_LISTENER_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "bound.h"
#include "common/settings.h"
#include "conns.h"

#define LISTENER_BACKLOG    4096
#define LISTENER_QUOTA      128  /* accepted in one turn of the loop */
#define LISTENER_PAUSE_MS   1000 /* without descriptors */
#define LISTENER_FD_RESERVE 64   /* descriptors that clients never get */

enum listener_state {
    LISTENER_CLOSED,
    LISTENER_OPEN, /* who comes waits */
    LISTENER_ACCEPTING,
    LISTENER_PAUSED,  /* for want of descriptors */
    LISTENER_LEAVING, /* who waits is accepted, then it is closed */
};

struct listener {
    struct conns *conns; /* borrowed */
    struct bound bound;
    struct event io, timer;
    enum listener_state state;
    size_t conn_max; /* connections that the limit of descriptors leaves room for */
};

/* Raises the limit of descriptors to what the system gives. False: no event. */
bool listener_init(struct listener *l, struct event_base *base, struct conns *conns)
    __attribute__((warn_unused_result));

/* Opens the socket that the settings name. False: it has been logged. */
bool listener_open(struct listener *l, const struct settings *s)
    __attribute__((warn_unused_result));
/* Takes over a socket that somebody else has opened, and still has. False: it is none, and that has
 * been logged. */
bool listener_adopt(struct listener *l, int fd) __attribute__((warn_unused_result));

/* From now on connections are accepted. */
void listener_begin(struct listener *l);
/* A socket that others have too is left to them with all who wait in it. Else these are accepted,
 * which may take some turns of the loop; then it is closed. Over TCP who connects in the very
 * moment of closing is reset. */
void listener_stop(struct listener *l);
/* At once. */
void listener_close(struct listener *l);

#endif
