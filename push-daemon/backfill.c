/*
 * backfill: see backfill.h.
 */
#include "backfill.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"

#define CURSOR_TEXT_MAX_BYTES 32768
#define LIMIT_BYTES           16
/* The oldest of ten is left to the log: one who was away for days must not make it too much. */
#define OLDEST_LEFT_OUT 10

static void let_go(struct backfill *b)
{
    for (size_t i = 0; i < b->count; i++) {
        msg_unref(b->msgs[i]);
    }
    free(b->msgs);
    b->msgs = NULL;
    b->count = b->bytes = 0;
    b->asked = b->whole = false;
    cursor_clear(&b->from);
}

void backfill_fail(struct backfill *b, int64_t now_ms)
{
    if (b->asked) {
        b->off_until_ms = now_ms + BACKFILL_OFF_MS;
        let_go(b);
    }
}

/* ---- Asking ---- */

void backfill_note(struct backfill *b, const struct handshake *h)
{
    if (b->late_count < BACKFILL_MAX) {
        b->late[b->late_count++] = h;
    }
}

static int compare_age(const void *a, const void *b)
{
    uint64_t x = (*(const struct handshake *const *)a)->cursor.xmax;
    uint64_t y = (*(const struct handshake *const *)b)->cursor.xmax;

    return (x > y) - (x < y);
}

bool backfill_want(struct backfill *b, int64_t now_ms)
{
    size_t count = b->late_count;

    b->late_count = 0;
    if (count < BACKFILL_MIN || now_ms < b->off_until_ms) {
        return false;
    }
    qsort(b->late, count, sizeof(struct handshake *), compare_age);
    b->asked = cursor_copy(&b->late[count / OLDEST_LEFT_OUT]->cursor, &b->from) == CONFAB_OK;
    return b->asked;
}

bool backfill_serves(const struct backfill *b, const struct cursor *c)
{
    return b->asked && cursor_includes(c, &b->from);
}

bool backfill_send(struct backfill *b, struct pg *pg)
{
    struct buf cursor;
    char limit[LIMIT_BYTES];

    b->msgs = calloc(BACKFILL_EVENTS, sizeof(struct msg *));
    if (b->msgs == NULL) {
        return false;
    }
    buf_init(&cursor, CURSOR_TEXT_MAX_BYTES);
    cursor_put(&b->from, &cursor);
    bool good = !buf_failed(&cursor);

    if (good) {
        snprintf(limit, sizeof limit, "%d", BACKFILL_EVENTS);
        pg_send(pg, PG_FEED_BACKFILL, (const char *const[]){buf_str(&cursor), limit});
    }
    buf_clear(&cursor);
    return good;
}

/* ---- The answer ---- */

/* Half of the ring's memory at most, so that it does not throw all away at once. */
static bool has_room(const struct backfill *b, const struct ring *ring)
{
    return b->count < BACKFILL_EVENTS && b->bytes <= ring->max_bytes / 2;
}

void backfill_take(struct backfill *b, const struct ring *ring, const struct pg_row *row)
{
    if (b->msgs == NULL || !has_room(b, ring)) {
        return;
    }
    if (pg_is_null(row, 0)) {
        b->whole = true;
        return;
    }
    const struct msg_event event = {.id = pg_i64(row, 0),
                                    .xid = pg_u64(row, 1),
                                    .room_id = pg_i64(row, 2),
                                    .user_id = pg_i64(row, 3),
                                    .type = pg_text(row, 4),
                                    .data = pg_text(row, 5)};
    struct msg *m = msg_from_event(&event);

    if (m == NULL) {
        b->bytes = SIZE_MAX; /* no room for what is missing */
        return;
    }
    b->msgs[b->count++] = m;
    b->bytes += msg_footprint(m);
}

void backfill_apply(struct backfill *b, struct ring *ring, const struct cursor *at, int64_t now_ms)
{
    if (!b->asked) {
        return;
    }
    if (b->whole && ring_start(ring, &b->from)) {
        for (size_t i = 0; i < b->count; i++) {
            ring_add(ring, b->msgs[i]);
        }
        ring_end_look(ring, at);
        log_info("backfill events=%zu", b->count);
        let_go(b);
    } else {
        backfill_fail(b, now_ms);
    }
}
