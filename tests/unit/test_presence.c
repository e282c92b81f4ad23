/*
 * Presence, the chores and work, which does both, against a database and a clock that are this
 * test: who is held when, and what happens when the database does not do it. Docs:
 * protocol.md 9.2, 9.3.
 */
#include "push-daemon/presence.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "fake_pg.h"
#include "push-daemon/chores.h"

#define NOW_MS   1000000000
#define LEASE_MS 60000
#define CROWD    (2 * PRESENCE_BATCH + 1)

static struct event_base *base;
static struct settings settings;
static struct stats stats;
static struct work *work;
static struct hub hub;
static struct presence presence;
static struct chores chores;
static struct hub_sub subs[CROWD];

static void deliver(struct hub_sub *sub, struct msg *m, bool bulk)
{
    (void)sub;
    (void)m;
    (void)bulk;
}

static int set_up(void **state)
{
    (void)state;
    settings = (struct settings){
        .presence_lease_s = LEASE_MS / 1000, .presence_grace_s = 30, .event_keep_hours = 24};
    memset(subs, 0, sizeof subs);
    now_ms = NOW_MS;
    log_init("test", LOG_LEVEL_ERR);
    base = event_base_new();
    assert_non_null(base);
    work = work_new(base, &settings, &stats);
    assert_non_null(work);
    hub_init(&hub, deliver);
    presence_init(&presence, &settings, work, &hub);
    chores_init(&chores, &settings, "test", work);
    chores.prune_ms = chores.housekeep_ms = INT64_MAX;
    work_start(work);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    presence_stop(&presence);
    for (int i = 0; i < CROWD; i++) {
        hub_detach(&hub, &subs[i]);
    }
    hub_clear(&hub);
    work_free(work);
    presence_clear(&presence);
    event_base_free(base);
    return 0;
}

/* Stream i is one of user's. */
static void opens(int i, int64_t user_id)
{
    assert_true(hub_attach(&hub, &subs[i], user_id));
}

static void closes(int i)
{
    hub_detach(&hub, &subs[i]);
}

static void pass(int64_t ms)
{
    now_ms += ms;
    work_wake(work);
}

/* Connected, and the first sweep is over, which found nobody. */
static void comes_up(void)
{
    pg.callbacks.up(pg.ctx);
    assert_batch(1, PG_WORK_SETTINGS);
    batch_over(true);
    assert_batch(1, PG_PRESENCE_SWEEP);
    assert_string_equal(asked(PG_PRESENCE_SWEEP), "60");
    batch_over(true);
}

static void assert_holds(const char *users)
{
    assert_batch(1, PG_PRESENCE_HOLD);
    assert_string_equal(asked_param(PG_PRESENCE_HOLD, 0), presence.name);
    assert_string_equal(asked_param(PG_PRESENCE_HOLD, 1), users);
    assert_string_equal(asked_param(PG_PRESENCE_HOLD, 2), "60");
}

static void not_held(const char *user)
{
    const struct pg_row row = {{user}};

    pg.callbacks.row(pg.ctx, PG_PRESENCE_HOLD, &row);
}

/* Nothing but sweeps for so long. */
static void assert_quiet_for(int64_t ms)
{
    for (; ms > 0; ms -= WORK_TICK_MS) {
        pass(ms < WORK_TICK_MS ? ms : WORK_TICK_MS);
        if (asked(PG_PRESENCE_SWEEP) != NULL) {
            batch_over(true);
        }
        assert_batch(0);
    }
}

/* ---- Who is held ---- */

static void test_holds_whoever_comes_and_releases_whoever_goes(void **state)
{
    (void)state;
    comes_up();
    opens(0, 7);
    assert_holds("{7}");
    opens(1, 8); /* while that is under way */
    opens(2, 7);
    opens(3, 9);
    batch_over(true);
    assert_holds("{9,8}");
    batch_over(true);
    closes(0);
    assert_batch(0);
    closes(2);
    assert_quiet_for(PRESENCE_LINGER_MS - 1);
    closes(3);
    pass(1);
    assert_batch(1, PG_PRESENCE_RELEASE);
    assert_string_equal(asked_param(PG_PRESENCE_RELEASE, 0), presence.name);
    assert_string_equal(asked_param(PG_PRESENCE_RELEASE, 1), "{7}");
    assert_string_equal(asked_param(PG_PRESENCE_RELEASE, 2), "30");
    opens(0, 7); /* back before it was over */
    opens(3, 9); /* and before it began */
    batch_over(true);
    assert_holds("{9,7}");
    batch_over(true);
    assert_quiet_for(PRESENCE_LINGER_MS);
}

static void test_renews_in_time(void **state)
{
    (void)state;
    comes_up();
    opens(0, 7);
    batch_over(true);
    assert_quiet_for(10000);
    opens(1, 8);
    batch_over(true);
    assert_quiet_for(9999);
    pass(1);
    assert_holds("{7}");
    batch_over(true);
    assert_quiet_for(9999);
    pass(1);
    assert_holds("{8}");
    batch_over(true);
}

/* Batches are bounded, and others have a turn between them. */
static void test_a_crowd(void **state)
{
    int held = 0;

    (void)state;
    for (int i = 0; i < CROWD; i++) {
        opens(i, i + 1);
    }
    comes_up();
    for (int batch = 0; batch < 3; batch++) {
        const char *users = asked_param(PG_PRESENCE_HOLD, 1);
        int count = 1;

        assert_non_null(users);
        for (; *users != '\0'; users++) {
            count += *users == ',';
        }
        held += count;
        assert_true(count <= PRESENCE_BATCH);
        batch_over(true);
        assert_batch(0);
        pass(PRESENCE_PACE_MS);
    }
    assert_int_equal(held, CROWD);
    assert_batch(0);
}

static void test_who_could_not_be_held_is_tried_again(void **state)
{
    (void)state;
    comes_up();
    opens(0, 7);
    opens(1, 8);
    opens(2, 9);
    batch_over(true);
    assert_holds("{9,8}");
    not_held("8");
    not_held("12345"); /* whom nobody asked about */
    batch_over(true);
    assert_quiet_for(PRESENCE_AGAIN_MS - 1);
    pass(1);
    assert_holds("{8}");
    not_held("8");
    closes(1);
    batch_over(true);
    pass(PRESENCE_LINGER_MS);
    assert_batch(1, PG_PRESENCE_RELEASE);
    batch_over(true);
    assert_quiet_for(2 * PRESENCE_AGAIN_MS);
}

/* ---- When the database does not do it ---- */

static void test_a_hold_that_fails(void **state)
{
    (void)state;
    comes_up();
    opens(0, 7);
    batch_over(true);
    opens(1, 8);
    opens(2, 9); /* comes while it is under way */
    batch_fails(PG_PRESENCE_HOLD, CONFAB_DB_BUSY);
    closes(0);
    assert_quiet_for(WORK_RETRY_MS - 1);
    pass(1);
    assert_batch(1, PG_PRESENCE_RELEASE);
    batch_over(true);
    assert_holds("{8,9}");
    batch_over(true);
    assert_quiet_for(LEASE_MS / 3 - 1);
    pass(1);
    assert_holds("{8,9}");
    batch_over(true);
}

/* It learns by a sweep that it was away, before it learns who is here. */
static void test_a_database_that_was_away(void **state)
{
    (void)state;
    comes_up();
    opens(0, 7);
    batch_over(true);
    opens(1, 8);
    batch_over(true);
    closes(1);
    pass(PRESENCE_LINGER_MS);
    assert_batch(1, PG_PRESENCE_RELEASE);
    goes_down();
    opens(2, 9);
    pass(1000);
    assert_batch(0);
    comes_up();
    assert_holds("{9}");
    goes_down(); /* in the middle of it */
    pass(LEASE_MS / 3);
    comes_up();
    assert_holds("{9,7}");
    batch_over(true);
    assert_batch(0);
}

/* ---- Sweeping, the end, chores ---- */

static void test_sweeps(void **state)
{
    const struct pg_row more = {{"t"}}, done = {{"f"}};

    (void)state;
    comes_up();
    pass(PRESENCE_SWEEP_MAX_MS - 1);
    assert_batch(0);
    pass(1);
    assert_batch(1, PG_PRESENCE_SWEEP);
    pg.callbacks.row(pg.ctx, PG_PRESENCE_SWEEP, &more);
    batch_over(true);
    assert_batch(0);
    pass(PRESENCE_MORE_MS);
    assert_batch(1, PG_PRESENCE_SWEEP);
    pg.callbacks.row(pg.ctx, PG_PRESENCE_SWEEP, &done);
    batch_over(true);
    settings.presence_grace_s = 0;
    pass(PRESENCE_SWEEP_MAX_MS);
    batch_over(true);
    pass(PRESENCE_SWEEP_MIN_MS);
    assert_batch(1, PG_PRESENCE_SWEEP);
    batch_over(true);
}

static void test_nobody_is_released_at_the_end(void **state)
{
    (void)state;
    comes_up();
    opens(0, 7);
    batch_over(true);
    presence_stop(&presence);
    closes(0);
    assert_quiet_for(2 * PRESENCE_LINGER_MS);
}

static void test_prunes_now_and_then(void **state)
{
    (void)state;
    comes_up();
    chores.prune_ms = now_ms;
    settings.presence_grace_s = 3600;
    presence.sweep_ms = INT64_MAX;
    pass(0);
    assert_batch(1, PG_EVENT_PRUNE);
    assert_string_equal(asked(PG_EVENT_PRUNE), "24 hours");
    opens(0, 7);
    batch_fails(PG_EVENT_PRUNE, CONFAB_EPOCH_CHANGED);
    assert_holds("{7}"); /* others are not held up by what failed */
    batch_over(true);
    closes(0);
    pass(PRESENCE_LINGER_MS);
    batch_over(true);
    pass(59 * 1000);
    assert_batch(0);
    pass(60 * 1000);
    assert_batch(1, PG_EVENT_PRUNE);
    batch_over(true);
}

static void test_keeps_house_now_and_then(void **state)
{
    (void)state;
    comes_up();
    presence.sweep_ms = INT64_MAX;
    chores.housekeep_ms = now_ms;
    pass(0);
    assert_batch(1, PG_HOUSEKEEP);
    assert_string_equal(asked(PG_HOUSEKEEP), "test");
    batch_over(true);
    pass(60 * 1000 - 1);
    assert_batch(0);
    pass(1);
    assert_batch(1, PG_HOUSEKEEP);
    batch_over(true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_holds_whoever_comes_and_releases_whoever_goes),
        TEST(test_renews_in_time),
        TEST(test_a_crowd),
        TEST(test_who_could_not_be_held_is_tried_again),
        TEST(test_a_hold_that_fails),
        TEST(test_a_database_that_was_away),
        TEST(test_sweeps),
        TEST(test_nobody_is_released_at_the_end),
        TEST(test_prunes_now_and_then),
        TEST(test_keeps_house_now_and_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
