/*
 * clients: the daemon's connections over real sockets, with the test as the client of each. Whoever
 * includes it links clients.c, and has the one set of connections that is here.
 */
#ifndef CONFAB_TESTS_CLIENTS_H
#define CONFAB_TESTS_CLIENTS_H

#include "unit.h"

#include "push-daemon/conns.h"

#define QUEUE_BYTES (64 * 1024)       /* that may wait for one client, unless the test says more */
#define READ_BYTES  (4 * 1024 * 1024) /* that a client may read at once */

extern struct event_base *base;
extern struct settings settings;
extern struct stats stats;
extern struct conns set;
extern char *heard; /* what a client read last */

/* Of a test: there is nobody yet, and nobody feeds the set. */
void clients_set_up(void);
void clients_tear_down(void);

/* Has the loop do all that can be done now. */
void turn(void);

/* A client that asks for this path; n makes its token. more: header lines. */
int client_ask(const char *path, int n, const char *more);
/* What has come since the last call, as a string. */
const char *client_read(int fd);

#endif
