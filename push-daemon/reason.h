/*
 * reason: why a connection ended. One table, three uses: the word for log and metrics, the code
 * that closes a WebSocket (RFC 6455, 7.4), and the index of the counter.
 */
#ifndef PUSH_REASON_H
#define PUSH_REASON_H

#include <stdint.h>

enum reason {
    REASON_ANSWERED,      /* a plain request, answered */
    REASON_BAD_REQUEST,   /* no HTTP, or refused before any stream */
    REASON_PEER,          /* the client went away */
    REASON_ERROR,         /* the socket failed */
    REASON_HANDSHAKE,     /* no whole request head in time */
    REASON_UNAVAILABLE,   /* no database in time */
    REASON_AUTH,          /* no session, or not any more */
    REASON_SESSION_LIMIT, /* the session opened more streams than it may hold */
    REASON_ADDRESS_LIMIT, /* so many streams come from one address that there is no more */
    REASON_SLOW,          /* did not read: more waits than may wait */
    REASON_AGE,           /* lived long enough */
    REASON_FLOOD,         /* sent much where nothing is to be sent */
    REASON_MEMORY,        /* we have none left */
    REASON_SHUTDOWN,
    REASON_MAX
};

const char *reason_word(enum reason reason);

/* The registered code where one says the same, else one of the private range (4000 and up). */
uint16_t reason_close_code(enum reason reason);

#endif
