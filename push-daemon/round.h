/*
 * round: what one trip to the database asks beside the events: which of the waiting connections
 * have a session, which sessions still live, and what those missed who come back. All answers are
 * of one snapshot, that of the events; with them, connections are attached exactly there.
 */
#ifndef PUSH_ROUND_H
#define PUSH_ROUND_H

#include <stdbool.h>
#include <stdint.h>

#include "backfill.h"
#include "conns.h"
#include "handshake.h"
#include "pg.h"
#include "ring.h"

#define ROUND_ASKS_MAX     500 /* handshakes */
#define ROUND_REPLAYS_MAX  64  /* of them, those that go on from the log */
#define ROUND_SESSIONS_MAX 500

struct round {
    struct handshake *asks[ROUND_ASKS_MAX]; /* owned by their connections, or by this if those are
                                               gone; the index is the ord of the question */
    int ask_count;
    int ask_limit; /* how many may be asked: few, after one of many has made a round fail */
    int64_t session_ids[ROUND_SESSIONS_MAX]; /* their ords follow those of asks */
    bool session_seen[ROUND_SESSIONS_MAX];
    int session_count;
    struct backfill backfill;
};

void round_init(struct round *r);

/* Chooses what to ask; true when there is anything. before_ms: sessions that were last looked up
 * before are due. */
bool round_collect(struct round *r, struct conns *set, const struct ring *ring, int64_t before_ms);

/* Adds the questions to the batch of pg. False: out of memory, and none has been added. */
bool round_send(struct round *r, struct pg *pg, const struct conns *set)
    __attribute__((warn_unused_result));

void round_take_session(struct round *r, const struct pg_row *row);
void round_take_replay(struct round *r, const struct conns *set, const struct pg_row *row);
void round_take_backfill(struct round *r, const struct ring *ring, const struct pg_row *row);

/* All has been answered, as of the snapshot `at`: attaches, refuses, closes. */
void round_apply(struct round *r, struct conns *set, struct ring *ring, const struct cursor *at);

/* There will be no answers. blame: what was asked may be the cause. */
void round_abandon(struct round *r, bool blame);

#endif
