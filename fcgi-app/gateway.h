/*
 * gateway: how the web server reaches us. One interface over FastCGI (libfcgi, any number of
 * requests) and plain CGI (RFC 3875, one request), since libfcgi's own CGI mode does not work with
 * its fcgiapp functions. Non-goals: what the variables mean (req.c), HTTP (resp.c).
 *
 * It is used in this order: accept, variable and read, settle, write, finish; and again.
 */
#ifndef CONFAB_GATEWAY_H
#define CONFAB_GATEWAY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct gateway;

enum gateway_event {
    GATEWAY_REQUEST,     /* one is there: read, answer and finish it */
    GATEWAY_INTERRUPTED, /* a signal came while waiting */
    GATEWAY_END,         /* plain CGI: the one request is done */
    GATEWAY_FAILED       /* waiting is impossible; errno says why */
};

/* Whether somebody started us as a FastCGI or CGI program at all. */
bool gateway_present(void);

/* The gateway of this process; NULL when memory is out or libfcgi does not start. Installs a
 * SIGALRM handler. Free with gateway_free. */
struct gateway *gateway_new(void) __attribute__((warn_unused_result));
void gateway_free(struct gateway *g); /* NULL is accepted */

/* Waits for a request. Signals that are not in wait_mask come through only while waiting, so that
 * they never disturb a request and are never lost between two. */
enum gateway_event gateway_accept(struct gateway *g, const sigset_t *wait_mask)
    __attribute__((warn_unused_result));

/* A variable of the request, or NULL. Borrowed: lives until gateway_finish. */
const char *gateway_variable(const struct gateway *g, const char *name);

/* Whether the request body ends by itself, so that it can be read without knowing its length. */
bool gateway_body_ends(const struct gateway *g);

/* Reads up to size bytes of the request body; fewer only at its end or when reading failed. */
size_t gateway_read(struct gateway *g, void *out, size_t size);

/* Whether reading ended because of an error, a peer that took too long included. */
bool gateway_read_failed(const struct gateway *g);

/* The request has been read: the time limit for reading it ends here. */
void gateway_settle(struct gateway *g);

/* Writes all of it, or gives up silently when the web server is gone or does not read. */
void gateway_write(struct gateway *g, const void *data, size_t size);

/* Ends the request and closes its connection. */
void gateway_finish(struct gateway *g);

#endif
