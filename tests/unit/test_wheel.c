/* Tests of wheel, session and dead: who is due when, and who is known to be gone. */
#include "push-daemon/wheel.h"

#include "unit.h"

#include <stdlib.h>

#include "push-daemon/dead.h"
#include "push-daemon/session.h"

#define NODES  300
#define END_MS 200000

struct timer {
    struct wheel_node node;
    int64_t fired_ms;
    int fired;
};

struct run {
    struct wheel *wheel;
    int64_t now_ms;
    int64_t again_ms; /* each node is added again so much later; 0: not */
};

static void fire(struct wheel_node *node, void *ctx)
{
    struct run *run = ctx;
    struct timer *t = list_entry(node, struct timer, node);

    t->fired++;
    t->fired_ms = run->now_ms;
    if (run->again_ms > 0) {
        wheel_add(run->wheel, node, run->now_ms + run->again_ms);
    }
}

/* Each fires once, never early, and at most two ticks late, also far beyond the wheel's horizon. */
static void test_fires_once_and_in_time(void **state)
{
    static struct timer timers[NODES];
    struct wheel w;
    struct run run = {.wheel = &w};

    (void)state;
    srandom(1);
    wheel_init(&w, 0);
    for (int i = 0; i < NODES; i++) {
        wheel_node_init(&timers[i].node);
        wheel_add(&w, &timers[i].node, 99999);
        wheel_add(&w, &timers[i].node, random() % (END_MS - 1000));
    }
    for (run.now_ms = 0; run.now_ms < END_MS; run.now_ms += 100 + random() % 100) {
        wheel_run(&w, run.now_ms, fire, &run);
    }
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(timers[i].fired, 1);
        assert_in_range(timers[i].fired_ms - timers[i].node.due_ms, 0, 2 * WHEEL_TICK_MS);
    }
}

static void test_after_a_long_stop(void **state)
{
    struct timer t = {.fired = 0};
    struct wheel w;
    struct run run = {.wheel = &w, .now_ms = 10000000, .again_ms = 1000};

    (void)state;
    wheel_init(&w, 0);
    wheel_node_init(&t.node);
    wheel_add(&w, &t.node, 5000);
    wheel_run(&w, run.now_ms, fire, &run);
    assert_int_equal(t.fired, 1);
    run.now_ms += 999;
    wheel_run(&w, run.now_ms, fire, &run);
    assert_int_equal(t.fired, 1);
    run.now_ms += 2 * WHEEL_TICK_MS;
    wheel_run(&w, run.now_ms, fire, &run);
    assert_int_equal(t.fired, 2);
    wheel_remove(&t.node);
    wheel_remove(&t.node);
    wheel_run(&w, run.now_ms + 100000, fire, &run);
    assert_int_equal(t.fired, 2);
}

static const struct token_hash token = {{1, 2, 3}};

static void test_sessions_due(void **state)
{
    struct sessions all;
    struct list links[4];
    struct session *s[3];
    int64_t ids[4];

    (void)state;
    sessions_init(&all);
    for (int i = 0; i < 4; i++) {
        list_init(&links[i]);
    }
    for (int i = 0; i < 3; i++) {
        s[i] = sessions_link(&all, i + 1, 7, &token, &links[i]);
        assert_non_null(s[i]);
        sessions_checked(&all, s[i], 100 * i);
    }
    assert_int_equal(sessions_due(&all, 100, ids, 4), 1);
    assert_int_equal(ids[0], 1);
    assert_int_equal(sessions_due(&all, 0, ids, 4), 0);
    assert_false(sessions_any_held(&all));

    sessions_hold(&all, s[2]);
    assert_true(sessions_any_held(&all));
    assert_int_equal(sessions_due(&all, 0, ids, 4), 1);
    assert_int_equal(ids[0], 3);
    assert_int_equal(sessions_due(&all, 150, ids, 2), 2);
    sessions_checked(&all, s[2], 300);
    assert_false(s[2]->held);
    assert_false(sessions_any_held(&all));

    assert_ptr_equal(sessions_link(&all, 1, 7, &token, &links[3]), s[0]);
    assert_int_equal(s[0]->conn_count, 2);
    sessions_unlink(&all, s[0], &links[0]);
    assert_ptr_equal(sessions_find(&all, 1), s[0]);
    sessions_unlink(&all, s[0], &links[3]);
    assert_null(sessions_find(&all, 1));
    sessions_unlink(&all, s[1], &links[1]);
    sessions_unlink(&all, s[2], &links[2]);
    assert_true(list_empty(&all.queue));
    sessions_clear(&all);
}

static void test_dead_tokens(void **state)
{
    static struct dead d;
    struct token_hash same_slot = token, other = {{9}};

    (void)state;
    same_slot.bytes[31] = 1;
    dead_clear(&d);
    assert_false(dead_has(&d, &token));
    dead_add(&d, &token);
    assert_true(dead_has(&d, &token));
    assert_false(dead_has(&d, &same_slot));
    assert_false(dead_has(&d, &other));
    dead_add(&d, &same_slot);
    assert_true(dead_has(&d, &same_slot));
    assert_false(dead_has(&d, &token));
    dead_clear(&d);
    assert_false(dead_has(&d, &same_slot));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fires_once_and_in_time),
        cmocka_unit_test(test_after_a_long_stop),
        cmocka_unit_test(test_sessions_due),
        cmocka_unit_test(test_dead_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
