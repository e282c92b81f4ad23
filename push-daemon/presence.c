/*
 * presence: see presence.h.
 */
#include "presence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "common/log.h"

#define RENEWALS 3 /* in the time that a lease lasts */
#define SWEEPS   4 /* in the time of the grace */
#define MS_PER_S 1000

struct presence_user {
    struct list link; /* in states[state] */
    int64_t id;
    int64_t since_ms; /* when he was held, 0: not yet; of one who is gone: when he went */
    enum presence_state state;
};

static struct presence_user *user_of(struct list *node)
{
    return list_entry(node, struct presence_user, link);
}

static void move(struct presence *p, struct presence_user *user, enum presence_state to)
{
    user->state = to;
    list_remove(&user->link);
    list_append(&p->states[to], &user->link);
}

/* To the front of those who are here: he is the next to be held. */
static void move_to_front(struct presence *p, struct presence_user *user)
{
    user->state = PRESENCE_HERE;
    user->since_ms = 0;
    list_remove(&user->link);
    list_append(p->states[PRESENCE_HERE].next, &user->link);
}

/* ---- What the hub tells ---- */

static struct presence_user *user_new(struct presence *p, int64_t id)
{
    struct presence_user *user = calloc(1, sizeof *user);

    if (user == NULL || !map_put(&p->users, (uint64_t)id, user)) {
        log_warnx("presence error=\"out of memory\"");
        free(user);
        return NULL;
    }
    user->id = id;
    list_init(&user->link);
    return user;
}

static void came(void *ctx, int64_t user_id)
{
    struct presence *p = ctx;
    struct presence_user *user = map_get(&p->users, (uint64_t)user_id);

    if (user == NULL) {
        user = user_new(p, user_id);
    }
    if (user != NULL) {
        move_to_front(p, user);
        work_wake(p->work);
    }
}

static void left(void *ctx, int64_t user_id)
{
    struct presence *p = ctx;
    struct presence_user *user = map_get(&p->users, (uint64_t)user_id);

    if (user != NULL && !p->stopped) {
        user->since_ms = clock_ms();
        move(p, user, PRESENCE_GONE);
    }
}

/* ---- The parameters of a batch ---- */

static void begin_ids(struct buf *ids)
{
    buf_putc(ids, '{');
}

static void add_id(struct buf *ids, int64_t id)
{
    if (ids->len > 1) {
        buf_putc(ids, ',');
    }
    buf_put_i64(ids, id);
}

static void end_ids(struct presence *p, struct buf *params, int64_t seconds)
{
    buf_puts(&params[0], p->name);
    buf_putc(&params[1], '}');
    buf_put_i64(&params[2], seconds);
}

/* ---- Holding ---- */

static bool is_due(const struct presence *p, const struct presence_user *user, int64_t now_ms)
{
    return user->since_ms == 0 ||
           now_ms - user->since_ms >= p->settings->presence_lease_s * MS_PER_S / RENEWALS;
}

static void try_again(struct presence *p, int64_t now_ms)
{
    struct list *again = &p->states[PRESENCE_AGAIN];

    while (now_ms >= p->again_ms && !list_empty(again)) {
        move_to_front(p, user_of(again->next));
    }
}

static bool fill_hold(void *ctx, struct buf *params)
{
    struct presence *p = ctx;
    struct list *here = &p->states[PRESENCE_HERE];
    int64_t now = clock_ms();
    int count = 0;

    if (now < p->hold_ms) {
        return false;
    }
    try_again(p, now);
    begin_ids(&params[1]);
    while (count < PRESENCE_BATCH && !list_empty(here) && is_due(p, user_of(here->next), now)) {
        struct presence_user *user = user_of(here->next);

        add_id(&params[1], user->id);
        user->since_ms = now;
        move(p, user, PRESENCE_HERE);
        count++;
    }
    if (count == PRESENCE_BATCH) {
        p->hold_ms = now + PRESENCE_PACE_MS;
    }
    p->sent_ms = now;
    end_ids(p, params, p->settings->presence_lease_s);
    return count > 0;
}

static void put_off(struct presence *p, struct presence_user *user)
{
    move(p, user, PRESENCE_AGAIN);
    p->again_ms = clock_ms() + PRESENCE_AGAIN_MS;
}

/* One who could not be held. */
static void take_not_held(void *ctx, const struct pg_row *row)
{
    struct presence *p = ctx;
    struct presence_user *user = map_get(&p->users, (uint64_t)pg_i64(row, 0));

    if (user != NULL && user->state == PRESENCE_HERE && user->since_ms == p->sent_ms) {
        put_off(p, user);
    }
}

/* Those of the batch stand last: who came meanwhile stands in front of all. */
static void hold_over(void *ctx, bool done)
{
    struct presence *p = ctx;
    struct list *here = &p->states[PRESENCE_HERE];

    while (!done && !list_empty(here) && user_of(here->prev)->since_ms == p->sent_ms) {
        put_off(p, user_of(here->prev));
    }
}

/* ---- Releasing ---- */

/* Should it fail, the leases run out all the same. */
static bool fill_release(void *ctx, struct buf *params)
{
    struct presence *p = ctx;
    int64_t before = clock_ms() - PRESENCE_LINGER_MS;
    struct list *node, *tmp;
    int count = 0;

    begin_ids(&params[1]);
    list_for_each_safe(node, tmp, &p->states[PRESENCE_GONE])
    {
        struct presence_user *user = user_of(node);

        if (count == PRESENCE_BATCH || user->since_ms > before) {
            break;
        }
        add_id(&params[1], user->id);
        list_remove(&user->link);
        map_remove(&p->users, (uint64_t)user->id);
        free(user);
        count++;
    }
    end_ids(p, params, p->settings->presence_grace_s);
    return count > 0;
}

/* ---- Sweeping ---- */

static int64_t sweep_period(const struct presence *p)
{
    int64_t ms = p->settings->presence_grace_s * MS_PER_S / SWEEPS;

    if (ms < PRESENCE_SWEEP_MIN_MS) {
        return PRESENCE_SWEEP_MIN_MS;
    }
    return ms < PRESENCE_SWEEP_MAX_MS ? ms : PRESENCE_SWEEP_MAX_MS;
}

static bool fill_sweep(void *ctx, struct buf *params)
{
    struct presence *p = ctx;
    int64_t now = clock_ms();

    if (now < p->sweep_ms) {
        return false;
    }
    p->sweep_ms = now + clock_jitter(sweep_period(p) / 2, sweep_period(p));
    buf_put_i64(&params[0], p->settings->presence_lease_s);
    return true;
}

static void take_swept(void *ctx, const struct pg_row *row)
{
    struct presence *p = ctx;

    if (slice_eq(pg_text(row, 0), SLICE_LITERAL("t"))) {
        p->sweep_ms = clock_ms() + PRESENCE_MORE_MS;
    }
}

/* A database that was away learns first that it was, by a sweep, and then who is here: it then
 * waits for all renewals before it takes a missing lease for a sign. */
static void up(void *ctx)
{
    struct presence *p = ctx;

    p->sweep_ms = 0;
}

/* ---- Life ---- */

static const struct work_task sweep = {
    .stmt = PG_PRESENCE_SWEEP, .fill = fill_sweep, .row = take_swept, .up = up};
static const struct work_task hold = {
    .stmt = PG_PRESENCE_HOLD, .fill = fill_hold, .row = take_not_held, .over = hold_over};
static const struct work_task release = {.stmt = PG_PRESENCE_RELEASE, .fill = fill_release};

void presence_init(struct presence *p, const struct settings *settings, struct work *work,
                   struct hub *hub)
{
    *p = (struct presence){.settings = settings, .work = work};
    snprintf(p->name, sizeof p->name, "%d-%08" PRIx32 "%08" PRIx32, (int)getpid(), arc4random(),
             arc4random());
    map_init(&p->users);
    for (int state = 0; state < PRESENCE_STATE_MAX; state++) {
        list_init(&p->states[state]);
    }
    hub->watch = (struct hub_watch){.came = came, .left = left, .ctx = p};
    work_add(work, &sweep, p);
    work_add(work, &hold, p);
    work_add(work, &release, p);
}

void presence_clear(struct presence *p)
{
    struct presence_user *user;
    size_t at = 0;
    uint64_t id;

    while ((user = map_next(&p->users, &at, &id)) != NULL) {
        free(user);
    }
    map_clear(&p->users);
}

void presence_stop(struct presence *p)
{
    p->stopped = true;
}
