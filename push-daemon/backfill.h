/*
 * backfill: extends the ring into the past when many come back whose cursors it does not reach, as
 * after a restart: the log is read once for all of them, and not once for each.
 */
#ifndef PUSH_BACKFILL_H
#define PUSH_BACKFILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cursor.h"
#include "handshake.h"
#include "pg.h"
#include "ring.h"

#define BACKFILL_MIN    16    /* so many must ask */
#define BACKFILL_MAX    512   /* of those who ask so many are looked at */
#define BACKFILL_EVENTS 20000 /* more are not read */
#define BACKFILL_OFF_MS 2000  /* after a refusal it is not tried for so long */

/* All zero is one that nobody asked for, which holds nothing. */
struct backfill {
    const struct handshake *late[BACKFILL_MAX]; /* borrowed while a round is being collected */
    size_t late_count;
    struct cursor from; /* where it begins */
    struct msg **msgs;  /* owned, counted references; BACKFILL_EVENTS of them fit */
    size_t count, bytes;
    bool asked, whole;
    int64_t off_until_ms;
};

/* One more whose cursor the ring does not reach. */
void backfill_note(struct backfill *b, const struct handshake *h);
/* All have been noted: whether to ask for one. Those are forgotten. */
bool backfill_want(struct backfill *b, int64_t now_ms);
/* Whether this one will find what it missed in the ring, if the backfill comes. */
bool backfill_serves(const struct backfill *b, const struct cursor *c);

/* Adds the question to the batch of pg. False: out of memory. */
bool backfill_send(struct backfill *b, struct pg *pg) __attribute__((warn_unused_result));
void backfill_take(struct backfill *b, const struct ring *ring, const struct pg_row *row);

/* The answer is as whole as it gets: puts it into the ring, which has been read up to `at`. */
void backfill_apply(struct backfill *b, struct ring *ring, const struct cursor *at, int64_t now_ms);
/* There will be no answer. */
void backfill_fail(struct backfill *b, int64_t now_ms);

#endif
