/* Tests of signals: docs/protocol.md, section 9. Whom they reach is in test_hub.c. */
#include "push-daemon/signals.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "fake_pg.h"
#include "push.h"

#define ROOM        100
#define ROOM_TWO    200
#define ALICE       1
#define BOB         2
#define START       "typing.start 1 100 {\"n\":0}"
#define ONLINE      "presence.online 1 100 {}"
#define GOT_MAX     8192
#define PAYLOAD_MAX 8000

/* Bob's one stream, and what it got. */
static struct hub_sub sub;
static struct msg *got[GOT_MAX]; /* borrowed: only compared, or read while they are there */
static int got_count;
static char last[PAYLOAD_MAX]; /* "TYPE DATA" of the last */
static struct hub hub;
static struct stats stats;
static struct signals signals;

static void note(struct hub_sub *s, struct msg *m, bool bulk)
{
    (void)s;
    (void)bulk;
    assert_true(got_count < GOT_MAX);
    assert_int_equal(m->id, 0);
    got[got_count++] = m;
    snprintf(last, sizeof last, "%.*s %.*s", (int)m->type.n, m->type.p, (int)m->data.n, m->data.p);
}

static int set_up(void **state)
{
    const struct hub_membership rooms[] = {{ROOM, 0}, {ROOM_TWO, 0}};

    (void)state;
    log_init("test", LOG_LEVEL_ERR);
    now_ms = 1000000;
    got_count = 0;
    last[0] = '\0';
    memset(&stats, 0, sizeof stats);
    memset(&sub, 0, sizeof sub);
    hub_init(&hub, note);
    assert_true(hub_attach(&hub, &sub, BOB));
    assert_int_equal(hub_set_rooms(&hub, BOB, rooms, COUNT(rooms)), HUB_CHANGED);
    signals_init(&signals, &stats);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    signals_clear(&signals);
    assert_int_equal(signals.count, 0);
    assert_int_equal(signals.bytes, 0);
    hub_detach(&hub, &sub);
    hub_clear(&hub);
    return 0;
}

static void take(const char *payload)
{
    signals_take(&signals, slice_of(payload));
}

/* A whole look; how many were told at its end. */
static int look(void)
{
    int before = got_count;

    signals_begin_look(&signals);
    (void)signals_tell(&signals, &hub);
    return got_count - before;
}

static void test_waits_for_a_look_that_begins_later(void **state)
{
    (void)state;
    signals_begin_look(&signals);
    take(START);
    assert_false(signals_tell(&signals, &hub));
    assert_int_equal(got_count, 0);
    signals_begin_look(&signals); /* this one breaks off */
    take(ONLINE);
    signals_begin_look(&signals);
    assert_false(signals_tell(&signals, &hub));
    assert_int_equal(got_count, 2);
    assert_string_equal(last, "typing.start {\"n\":0}");
    assert_int_equal(look(), 0);
}

static void test_forms(void **state)
{
    static const char *const bad[] = {
        "",
        "typing.start",
        "typing.start 1",
        "typing.start 1 100",
        "typing.start 1 100 ",
        "typing.start 1 100 []",
        "typing.start 0 100 {}",
        "typing.start x 100 {}",
        "typing.start 1  {}",
        "typing.start 1 100, {}",
        "typing.start 1 ,100 {}",
        "typing.start 1 0 {}",
        "typing.start 1 99999999999999999999 {}",
        " 1 100 x",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        take(bad[i]);
        assert_int_equal(stats.counts[STAT_SIGNALS_DROPPED], i + 1);
    }
    assert_int_equal(look(), 0);
    take("a.type_of_later 1 999,100,200 {\"a b\":\"c d\"}");
    assert_int_equal(look(), 1);
    assert_string_equal(last, "a.type_of_later {\"a b\":\"c d\"}");
    take("A:\n 1 100 {}");
    assert_int_equal(look(), 1);
    assert_string_equal(last, "unknown {}");
}

static void test_not_of_one_who_has_left(void **state)
{
    (void)state;
    take(START);
    signals_left(&signals, ROOM, ALICE); /* in the look that then is over */
    assert_int_equal(look(), 0);
    take(START); /* the notification came a moment after the look */
    now_ms += SIGNALS_LEAVES_KEPT_MS;
    assert_int_equal(look(), 0);
    take("typing.start 3 100 {}");
    take("typing.start 1 200 {}");
    take("presence.online 1 100,200 {}"); /* by the other room */
    take(ONLINE);
    assert_int_equal(look(), 3);
    signals_joined(&signals, ROOM, ALICE);
    take(START);
    assert_int_equal(look(), 1);
    signals_left(&signals, ROOM, ALICE);
    now_ms += SIGNALS_LEAVES_KEPT_MS + 1;
    take(START);
    assert_int_equal(look(), 1);
}

/* When more leave than are remembered, whose typing it is cannot be told for a while. */
static void test_more_leave_than_are_remembered(void **state)
{
    (void)state;
    signals_left(&signals, ROOM, ALICE);
    for (int i = 0; i < SIGNALS_LEAVES_MAX; i++) {
        signals_left(&signals, 300, i + 1);
    }
    take(START);
    take(ONLINE);
    assert_int_equal(look(), 1);
    assert_string_equal(last, "presence.online {}");
    now_ms += SIGNALS_LEAVES_KEPT_MS;
    take(START);
    assert_int_equal(look(), 1);
}

static void test_bounds(void **state)
{
    char big[PAYLOAD_MAX];
    int n = snprintf(big, sizeof big, "presence.online 1 100 {\"x\":\"");

    (void)state;
    take(ONLINE);
    for (int i = 0; i < SIGNALS_MAX; i++) {
        take(START);
    }
    assert_int_equal(signals.count, SIGNALS_MAX);
    assert_int_equal(stats.counts[STAT_SIGNALS_DROPPED], 1); /* and that was typing */
    signals_begin_look(&signals);
    assert_true(signals_tell(&signals, &hub));
    assert_int_equal(got_count, SIGNALS_TOLD_MAX);
    while (look() > 0) {
    }
    assert_int_equal(got_count, SIGNALS_MAX);
    for (int i = 0; i <= SIGNALS_MAX; i++) {
        take(ONLINE);
    }
    assert_int_equal(signals.count, SIGNALS_MAX);
    signals_clear(&signals);

    memset(big + n, 'y', 7000);
    snprintf(big + n + 7000, sizeof big - (size_t)n - 7000, "\"}");
    for (int i = 0; i < SIGNALS_MAX; i++) {
        take(big);
        assert_true(signals.bytes <= SIGNALS_MAX_BYTES);
    }
    assert_true(signals.count > SIGNALS_MAX_BYTES / 20000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_waits_for_a_look_that_begins_later),
        TEST(test_forms),
        TEST(test_not_of_one_who_has_left),
        TEST(test_more_leave_than_are_remembered),
        TEST(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
