/*
 * feed: see feed.h. One batch of statements is under way at a time, and feed_next decides which is
 * the next one. With anything to ask (round.h) a look is
 *     begin; feed_read; feed_sessions; feed_replay; commit
 * in one snapshot, else feed_read alone. Between looks the doorbell is armed, unless they come
 * thick.
 */
#include "feed.h"

#include <assert.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "common/log.h"
#include "pg.h"
#include "ring.h"
#include "round.h"
#include "signals.h"

#define FEED_LATE_MS 5000 /* without a look for longer than usual: not healthy */
#define FEED_PACE_US                                                                               \
    3000 /* between two looks, while each finds something: what they cost is shared */
#define FEED_REFUSED_MS    5    /* until a doorbell that a ringer held is tried again */
#define FEED_STALL_STEP_MS 5    /* how often a look that waits for readers looks at them */
#define FEED_STALL_RATE    2000 /* bytes a millisecond: how slow a reader is waited for */
#define FEED_CURSOR_BYTES  65536
#define FEED_PROBE_BYTES   64
#define FEED_PARTIAL_FIRST 256

/* What is under way. */
enum feed_state {
    FEED_DOWN, /* no connection */
    FEED_IDLE,
    FEED_LISTENING,
    FEED_LOOKING,
    FEED_MENDING, /* rollback, or epoch_begin */
    FEED_PROBING,
    FEED_ARMING, /* the doorbell: architecture.md */
    FEED_DISARMING,
};

/* Ids of events that were published in a look that then broke off: the next look, which begins at
 * the same cursor, reads them again. */
struct partial {
    int64_t *ids; /* owned */
    size_t count, cap;
    size_t sorted; /* the first so many are from earlier attempts, in order */
};

struct feed {
    struct event_base *base;         /* borrowed */
    const struct settings *settings; /* borrowed */
    struct stats *stats;             /* borrowed */
    struct conns *conns;             /* borrowed */
    struct pg *pg;                   /* owned */
    struct event tick, pace;
    struct ring ring;
    struct round round;
    struct signals signals;
    enum feed_state state;

    struct buf cursor; /* where the next look begins, as text; empty: at the present */
    struct cursor at;  /* the same, parsed */
    struct partial partial;
    const char *resync;  /* why all streams must be told that something is missing; or NULL */
    int64_t stall_bytes; /* published in this look and not yet used up by waiting for readers */
    int64_t looked_ms;   /* when the last look was complete; 0: never */
    int64_t asked_us;    /* when the look under way was */

    bool wake;           /* there may be something new */
    bool found;          /* the last look brought events, and there was no rest since */
    bool armed;          /* whoever commits rings */
    bool in_transaction; /* the batch under way began one */
    bool must_rollback;
    bool must_begin_epoch;
    bool backing_off; /* the last batch failed, or a ringer was in its way: waits for the tick */
    bool blame_round; /* it failed on what the round asked */

    char probe[FEED_PROBE_BYTES]; /* the payload that is awaited; empty: none */
    int64_t probe_ms;             /* when it was sent */
    uint64_t probe_count;
};

static void feed_next(struct feed *feed);

/* ---- Events that were published before their look broke off ---- */

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void partial_begin_look(struct partial *p)
{
    if (p->count > p->sorted) {
        qsort(p->ids, p->count, sizeof *p->ids, compare_ids);
        p->sorted = p->count;
    }
}

static bool partial_has(const struct partial *p, int64_t id)
{
    return p->sorted > 0 && bsearch(&id, p->ids, p->sorted, sizeof id, compare_ids) != NULL;
}

static bool partial_add(struct partial *p, int64_t id)
{
    if (p->count == p->cap) {
        size_t cap = p->cap == 0 ? FEED_PARTIAL_FIRST : p->cap * 2;
        int64_t *ids = reallocarray(p->ids, cap, sizeof *ids);

        if (ids == NULL) {
            return false;
        }
        p->ids = ids;
        p->cap = cap;
    }
    p->ids[p->count++] = id;
    return true;
}

static void partial_clear(struct partial *p)
{
    if (p->cap > FEED_PARTIAL_FIRST) {
        free(p->ids);
        p->ids = NULL;
        p->cap = 0;
    }
    p->count = p->sorted = 0;
}

/* ---- A look's rows ---- */

/* Hands one event on. False: out of memory; the look must be made again. */
static bool publish(struct feed *feed, const struct msg_event *event)
{
    struct msg *m = msg_from_event(event);

    if (m == NULL || !partial_add(&feed->partial, event->id)) {
        msg_unref(m);
        return false;
    }
    conns_begin_look(feed->conns);
    ring_add(&feed->ring, m);
    if (!hub_publish(&feed->conns->hub, m)) {
        conns_drop_user(feed->conns, m->user_id);
    }
    if (m->kind == MSG_LEAVE) {
        signals_left(&feed->signals, m->room_id, m->user_id);
    } else if (m->kind == MSG_JOIN) {
        signals_joined(&feed->signals, m->room_id, m->user_id);
    } else if (m->kind == MSG_SESSION_END) {
        conns_hold_user(feed->conns, m->user_id);
        feed->wake = true;
    }
    feed->found = true;
    feed->stats->counts[STAT_EVENTS]++;
    feed->stall_bytes += (int64_t)m->forms[MSG_SSE].n;
    msg_unref(m);
    return true;
}

static void take_event(struct feed *feed, const struct pg_row *row)
{
    struct msg_event event = {.id = pg_i64(row, 0),
                              .xid = pg_u64(row, 1),
                              .room_id = pg_i64(row, 2),
                              .user_id = pg_i64(row, 3),
                              .type = pg_text(row, 4),
                              .data = pg_text(row, 5)};

    if (partial_has(&feed->partial, event.id)) {
        return;
    }
    if (!publish(feed, &event)) {
        pg_drop(feed->pg, "out of memory");
    }
}

/* All streams begin anew: what they have seen is of no use for going on. */
static void begin_anew(struct feed *feed)
{
    log_warnx("reset streams=%zu reason=%s", feed->conns->count, feed->resync);
    conns_resync(feed->conns, feed->resync);
    feed->resync = NULL;
    feed->wake = true;
    dead_clear(&feed->conns->dead);
    partial_clear(&feed->partial);
    if (!ring_start(&feed->ring, &feed->at)) {
        log_warnx("ring error=\"out of memory\"");
    }
}

/* The row that ends a look: everything up to this cursor has been published. */
static void take_cursor(struct feed *feed, const struct pg_row *row)
{
    struct slice text = pg_text(row, 6);

    if (slice_eq(pg_text(row, 4), SLICE_LITERAL("reset"))) {
        feed->resync = slice_eq(pg_text(row, 5), SLICE_LITERAL("epoch")) ? "epoch" : "expired";
    }
    buf_reset(&feed->cursor);
    buf_put_slice(&feed->cursor, text);
    cursor_clear(&feed->at);
    bool usable = cursor_parse(text, &feed->at) == CONFAB_OK;

    if (feed->resync != NULL) {
        begin_anew(feed);
    } else {
        ring_end_look(&feed->ring, &feed->at);
    }
    partial_clear(&feed->partial);
    if (usable) {
        conns_end_look(feed->conns, text);
        conns_set_late(feed->conns, false);
    } else {
        /* More transactions in progress than a cursor may name: streams go on, without marks. */
        log_warnx("look error=\"unusable cursor\" bytes=%zu", text.n);
    }
    feed->looked_ms = clock_ms();
    feed->stats->counts[STAT_LOOKS]++;
    stats_time(&feed->stats->look_times, clock_us() - feed->asked_us);
}

static void on_row(void *ctx, enum pg_stmt stmt, const struct pg_row *row)
{
    struct feed *feed = ctx;

    if (stmt == PG_FEED_READ && pg_is_null(row, 0)) {
        take_cursor(feed, row);
    } else if (stmt == PG_FEED_READ) {
        take_event(feed, row);
    } else if (stmt == PG_FEED_SESSIONS) {
        round_take_session(&feed->round, row);
    } else if (stmt == PG_FEED_REPLAY) {
        round_take_replay(&feed->round, feed->conns, row);
    } else if (stmt == PG_FEED_BACKFILL) {
        round_take_backfill(&feed->round, &feed->ring, row);
    } else if (stmt == PG_RING_ARM) {
        feed->armed = slice_eq(pg_text(row, 0), SLICE_LITERAL("t"));
    }
}

/*
 * After a slice of rows. What they brought is written; and if a reader has fallen far behind, the
 * look waits for it, but not longer than one of FEED_STALL_RATE needs: a big COPY is read faster
 * than any socket takes it, and would be over everybody's bound.
 */
static int64_t on_slice(void *ctx)
{
    struct feed *feed = ctx;

    conns_flush(feed->conns);
    if (conns_behind(feed->conns)) {
        return 1; /* that is our own slowness */
    }
    if (feed->conns->congested > 0 && feed->stall_bytes > 0) {
        feed->stall_bytes -= FEED_STALL_STEP_MS * FEED_STALL_RATE;
        return FEED_STALL_STEP_MS;
    }
    return 0;
}

/* ---- Batches ---- */

static void send_look(struct feed *feed)
{
    int64_t before = clock_ms() - feed->settings->session_check_s * 1000;
    bool asks = round_collect(&feed->round, feed->conns, &feed->ring, before);
    const char *params[] = {feed->cursor.len > 0 ? buf_str(&feed->cursor) : NULL};

    feed->state = FEED_LOOKING;
    feed->asked_us = clock_us();
    feed->wake = feed->found = false;
    feed->stall_bytes = 0;
    partial_begin_look(&feed->partial);
    signals_begin_look(&feed->signals);
    if (asks) {
        pg_send(feed->pg, PG_BEGIN, NULL);
    }
    pg_send(feed->pg, PG_FEED_READ, params);
    if (asks) {
        if (!round_send(&feed->round, feed->pg, feed->conns)) {
            pg_drop(feed->pg, "out of memory");
        }
        pg_send(feed->pg, PG_COMMIT, NULL);
    }
    feed->in_transaction = asks;
    pg_flush(feed->pg);
}

static void send_one(struct feed *feed, enum feed_state state, enum pg_stmt stmt,
                     const char *const *params)
{
    feed->state = state;
    pg_send(feed->pg, stmt, params);
    pg_flush(feed->pg);
}

/* A notification to ourselves: when it does not come back, no doorbell would either. */
static void send_probe(struct feed *feed)
{
    const char *params[] = {feed->probe};

    snprintf(feed->probe, sizeof feed->probe, "%d-%08" PRIx32 "-%" PRIu64, (int)getpid(),
             arc4random(), ++feed->probe_count);
    feed->probe_ms = clock_ms();
    send_one(feed, FEED_PROBING, PG_PROBE, params);
}

static void send_disarm(struct feed *feed)
{
    feed->armed = false;
    send_one(feed, FEED_DISARMING, PG_RING_DISARM, NULL);
}

static bool somebody_waits(const struct feed *feed)
{
    return !list_empty(&feed->conns->states[CONN_WAITING]) ||
           sessions_any_held(&feed->conns->sessions);
}

/* How long it is until the next look, when there is one after the other: each takes the database as
 * much as several sends, however little it finds. */
static long rest_us(const struct feed *feed)
{
    int64_t rest = feed->asked_us + FEED_PACE_US - clock_us();

    return feed->found && rest > 0 ? (long)rest : 0;
}

/* Begins the next batch, if nothing is under way and there is anything to do. */
static void feed_next(struct feed *feed)
{
    int64_t now = clock_ms();
    bool work = feed->wake || somebody_waits(feed);
    const struct timeval rest = {0, rest_us(feed)};

    if (feed->state != FEED_IDLE) {
        return;
    }
    if (feed->must_rollback) {
        feed->must_rollback = false;
        send_one(feed, FEED_MENDING, PG_ROLLBACK, NULL);
    } else if (feed->must_begin_epoch) {
        feed->must_begin_epoch = false;
        send_one(feed, FEED_MENDING, PG_EPOCH_BEGIN, NULL);
    } else if (feed->backing_off) {
        return;
    } else if (feed->probe[0] == '\0' && now - feed->probe_ms >= feed->settings->probe_ms) {
        send_probe(feed);
    } else if (work && feed->found && feed->armed) {
        send_disarm(feed);
    } else if (work && rest.tv_usec > 0) {
        event_add(&feed->pace, &rest);
    } else if (work) {
        send_look(feed);
    } else if (!feed->armed) {
        send_one(feed, FEED_ARMING, PG_RING_ARM, NULL);
    } else {
        feed->found = false;
    }
}

/* The slow timer runs always, and sometimes out of turn. */
static void set_tick(struct feed *feed, int64_t ms)
{
    struct timeval t = {ms / 1000, (ms % 1000) * 1000};

    event_add(&feed->tick, &t);
}

/* ---- What the connection tells ---- */

static void on_up(void *ctx)
{
    struct feed *feed = ctx;

    feed->state = FEED_LISTENING;
    pg_send(feed->pg, PG_LISTEN_EVENT, NULL);
    pg_send(feed->pg, PG_LISTEN_PROBE, NULL);
    pg_send(feed->pg, PG_LISTEN_SIGNAL, NULL);
    pg_flush(feed->pg);
}

static void on_down(void *ctx)
{
    struct feed *feed = ctx;

    round_abandon(&feed->round, false);
    feed->state = FEED_DOWN;
    feed->must_rollback = feed->must_begin_epoch = feed->backing_off = feed->blame_round = false;
    feed->armed = false;
    feed->probe[0] = '\0';
    feed->probe_ms = 0;
}

static void on_notified(void *ctx, const char *channel, const char *payload)
{
    struct feed *feed = ctx;

    if (strcmp(channel, "chat_event") == 0) {
        feed->stats->counts[STAT_RINGS]++;
        feed->wake = true;
        feed_next(feed);
    } else if (strcmp(channel, "chat_signal") == 0) {
        signals_take(&feed->signals, slice_of(payload));
        feed->wake = true;
        feed_next(feed);
    } else if (strcmp(payload, feed->probe) == 0) {
        feed->probe[0] = '\0';
    }
}

static void on_failed(void *ctx, enum pg_stmt stmt, enum confab_err err)
{
    struct feed *feed = ctx;

    feed->must_rollback = feed->state == FEED_LOOKING && feed->in_transaction;
    if (stmt == PG_FEED_READ && err == CONFAB_EPOCH_CHANGED) {
        feed->must_begin_epoch = true;
        feed->resync = "epoch";
        buf_reset(&feed->cursor);
    } else {
        feed->blame_round = (stmt == PG_FEED_SESSIONS || stmt == PG_FEED_REPLAY) &&
                            feed->round.ask_count > 0 && err != CONFAB_DB_BUSY &&
                            err != CONFAB_DB_AWAY;
        feed->backing_off = !feed->blame_round;
    }
}

static void on_idle(void *ctx, bool all_done)
{
    struct feed *feed = ctx;
    enum feed_state was = feed->state;

    feed->state = FEED_IDLE;
    if (was == FEED_LOOKING && all_done) {
        round_apply(&feed->round, feed->conns, &feed->ring, &feed->at);
        feed->wake = feed->wake || (feed->found && !feed->armed);
        feed->wake |= signals_tell(&feed->signals, &feed->conns->hub);
    } else if (was == FEED_LOOKING) {
        round_abandon(&feed->round, feed->blame_round);
        feed->blame_round = false;
        feed->wake = true;
    } else if (was == FEED_LISTENING || (was == FEED_MENDING && all_done)) {
        feed->wake = true; /* what rang before we listened, what could not be read before */
    } else if (was == FEED_ARMING && all_done) {
        feed->wake = true; /* what was committed before we were armed, and rang for nobody */
        feed->backing_off = !feed->armed;
        if (!feed->armed) {
            set_tick(feed, FEED_REFUSED_MS);
        }
    }
    if (was == FEED_LOOKING) {
        conns_flush(feed->conns);
    }
    feed_next(feed);
}

static const struct pg_callbacks callbacks = {
    .up = on_up,
    .down = on_down,
    .notified = on_notified,
    .row = on_row,
    .failed = on_failed,
    .idle = on_idle,
    .slice = on_slice,
};

/* ---- The slow timer ---- */

static bool healthy(void *ctx)
{
    const struct feed *feed = ctx;

    return feed->looked_ms != 0 &&
           clock_ms() - feed->looked_ms < feed->settings->look_interval_ms + FEED_LATE_MS;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct feed *feed = arg;

    (void)fd;
    (void)what;
    feed->wake = true;
    feed->backing_off = false;
    if (!feed->conns->looking && !healthy(feed)) {
        conns_set_late(feed->conns, true);
    }
    if (feed->probe[0] != '\0' && feed->state == FEED_IDLE &&
        clock_ms() - feed->probe_ms > feed->settings->probe_ms) {
        pg_drop(feed->pg, "our own notification did not come");
    } else {
        feed_next(feed);
    }
    set_tick(feed, feed->settings->look_interval_ms);
}

static void on_pace(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    feed_next(arg);
}

/* ---- For the connections ---- */

static void wake(void *ctx)
{
    feed_next(ctx);
}

struct feed *feed_new(struct event_base *base, const struct settings *settings, struct stats *stats,
                      struct conns *conns)
{
    struct feed *feed = calloc(1, sizeof *feed);

    if (feed == NULL) {
        return NULL;
    }
    feed->base = base;
    feed->settings = settings;
    feed->stats = stats;
    feed->conns = conns;
    ring_init(&feed->ring, (size_t)settings->ring_bytes);
    round_init(&feed->round);
    signals_init(&feed->signals, stats);
    buf_init(&feed->cursor, FEED_CURSOR_BYTES);
    cursor_init(&feed->at);
    event_assign(&feed->tick, base, -1, 0, on_tick, feed);
    event_assign(&feed->pace, base, -1, 0, on_pace, feed);
    feed->pg = pg_new(base, settings, stats, PG_FOR_FEED, &callbacks, feed);
    if (feed->pg == NULL) {
        feed_free(feed);
        return NULL;
    }
    conns->feed = (struct conn_feed){.wake = wake, .healthy = healthy, .ctx = feed};
    return feed;
}

void feed_free(struct feed *feed)
{
    if (feed == NULL) {
        return;
    }
    pg_free(feed->pg);
    event_del(&feed->tick);
    event_del(&feed->pace);
    round_abandon(&feed->round, false);
    signals_clear(&feed->signals);
    ring_clear(&feed->ring);
    buf_clear(&feed->cursor);
    cursor_clear(&feed->at);
    free(feed->partial.ids);
    free(feed);
}

void feed_start(struct feed *feed)
{
    set_tick(feed, feed->settings->look_interval_ms);
    pg_start(feed->pg);
}

void feed_reload(struct feed *feed)
{
    set_tick(feed, feed->settings->look_interval_ms);
}

struct feed_figures feed_figures(const struct feed *feed)
{
    return (struct feed_figures){.database_up = feed->state != FEED_DOWN,
                                 .looked_ms = feed->looked_ms,
                                 .ring_bytes = feed->ring.bytes,
                                 .ring_messages = (size_t)(feed->ring.next - feed->ring.first),
                                 .ring_looks =
                                     (size_t)(feed->ring.next_look - feed->ring.first_look)};
}
