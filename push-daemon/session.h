/*
 * session: the sessions that have streams open. A session is looked up again now and then, however
 * many streams it has; while that is urgent it is held, and nothing is written to its streams.
 * Non-goals: sockets, SQL; what a connection is (it is a link in a list here).
 */
#ifndef PUSH_SESSION_H
#define PUSH_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/map.h"
#include "common/token.h"

struct session {
    int64_t id, user_id;
    struct token_hash token;
    struct list conns; /* struct conn, linked by in_session; the oldest first */
    uint32_t conn_count;
    struct list in_queue;
    int64_t checked_ms; /* when it was last seen alive */
    bool held;          /* a session of its user has ended: is it this one? */
};

struct sessions {
    struct map by_id;  /* owns struct session */
    struct list queue; /* by checked_ms, the longest ago first; the held ones before all */
};

void sessions_init(struct sessions *all);
/* All links must have been removed. */
void sessions_clear(struct sessions *all);

struct session *sessions_find(const struct sessions *all, int64_t id);

/* Links one more connection to the session, which is made when there is none (and is then due).
 * NULL: no memory. */
struct session *sessions_link(struct sessions *all, int64_t id, int64_t user_id,
                              const struct token_hash *token, struct list *link);
/* Unlinks one; a session without connections is forgotten (and its pointer dangles). */
void sessions_unlink(struct sessions *all, struct session *s, struct list *link);

void sessions_hold(struct sessions *all, struct session *s);
/* The session has been seen alive. */
void sessions_checked(struct sessions *all, struct session *s, int64_t now_ms);

/* Fills up to max ids of sessions to be looked up: the held, and those last seen alive before
 * before_ms. Returns how many. They stay due until sessions_checked. */
int sessions_due(const struct sessions *all, int64_t before_ms, int64_t *ids, int max);
/* Whether sessions_due would give any that is held. */
bool sessions_any_held(const struct sessions *all);

#endif
