/*
 * listener: the socket that clients (as a rule the web server) connect to. It accepts a bounded
 * number a turn, and none while descriptors are short.
 */
#ifndef PUSH_LISTENER_H
#define PUSH_LISTENER_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/types.h>

#include "conns.h"

#define LISTENER_BACKLOG    4096
#define LISTENER_QUOTA      128  /* accepted in one turn of the loop */
#define LISTENER_PAUSE_MS   1000 /* without descriptors */
#define LISTENER_FD_RESERVE 64   /* descriptors that clients never get */

struct listener {
    struct conns *conns; /* borrowed */
    struct event io, pause;
    int fd; /* -1: closed */
    bool is_tcp;
    char *path;     /* owned; of a unix socket, removed at the end; else NULL */
    dev_t path_dev; /* what we made there: a successor's is left alone */
    ino_t path_ino;
    size_t conn_max; /* connections that the limit of descriptors leaves room for */
};

/* Opens the socket that address names: "unix:PATH" or "HOST:PORT". False: it has been logged. */
bool listener_open(struct listener *l, struct event_base *base, struct conns *conns,
                   const char *address) __attribute__((warn_unused_result));
/* No more is accepted; who still comes waits. */
void listener_stop(struct listener *l);
void listener_close(struct listener *l);

#endif
