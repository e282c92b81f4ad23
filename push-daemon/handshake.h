/*
 * handshake: what is known of a connection only until its stream is live: the bytes of its request
 * head, whom it claims to be, where it wants to go on, and what the database said to that.
 */
#ifndef PUSH_HANDSHAKE_H
#define PUSH_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/token.h"
#include "cursor.h"
#include "hub.h"
#include "queue.h"

struct conn;

enum resume {
    RESUME_NOW,    /* from here on */
    RESUME_CURSOR, /* after a cursor */
    RESUME_RESET   /* from here on, and told that something may be missing */
};

/* A session and its user's memberships, all of one snapshot. */
struct handshake_answer {
    int64_t session_id, user_id, expires_in_s;
    struct token_hash token;
    struct hub_membership *rooms; /* owned */
    size_t room_count;
};

struct handshake {
    struct conn *conn; /* borrowed; NULL: the connection is gone, the asker is to free this */
    bool asked;        /* the feed is asking the database about it, and holds a pointer to it */

    struct buf head; /* the request so far; empty once it is answered */
    size_t scanned;

    struct token_hash token; /* of the session; while redeeming, of a ticket for one */
    enum resume resume;
    struct cursor cursor;     /* of RESUME_CURSOR */
    const char *reset_reason; /* of RESUME_RESET; a literal */
    bool was_live;            /* a resync: its stream must not end for want of a database */

    bool answered; /* there is such a session: answer is filled */
    struct handshake_answer answer;
    bool replay_asked;   /* the database was asked for what was missed */
    const char *refusal; /* it cannot be given, for this reason; a literal, or NULL */
    struct queue replay; /* what was missed */
};

/* NULL: out of memory. */
struct handshake *handshake_new(struct conn *c, size_t head_max_bytes);
void handshake_free(struct handshake *h);

/* Lets go of the handshake of a connection that needs it no longer. */
void handshake_orphan(struct handshake *h);

/* From now on the stream starts at the present, after a reset for that reason. */
void handshake_reset(struct handshake *h, const char *reason);

/* Forgets what the database said, so that it can be asked again. */
void handshake_unask(struct handshake *h);

#endif
