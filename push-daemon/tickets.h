/*
 * tickets: turns the single-use tickets of handshakes into their sessions, many at once. A ticket
 * is spent by that, whatever becomes of the stream.
 */
#ifndef PUSH_TICKETS_H
#define PUSH_TICKETS_H

#include "conns.h"
#include "handshake.h"
#include "work.h"

#define TICKETS_MAX 500 /* in one statement */

struct tickets {
    struct conns *conns;                   /* borrowed */
    struct work *work;                     /* borrowed */
    struct handshake *asks[TICKETS_MAX];   /* owned by their connections, or by this if those are
                                               gone; the index is the ord */
    struct token_hash tokens[TICKETS_MAX]; /* of the sessions, where … */
    bool good[TICKETS_MAX];                /* … the ticket was good */
    int count;
};

/* Registers with work. */
void tickets_init(struct tickets *tickets, struct conns *conns, struct work *work);
void tickets_clear(struct tickets *tickets);

/* Somebody shows a ticket. */
void tickets_wake(struct tickets *tickets);

#endif
