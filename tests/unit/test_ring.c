/* Tests of ring: whoever it says it can serve gets all that he missed. */
#include "push-daemon/ring.h"

#include "unit.h"

#include "push.h"

#define TEXT_BYTES 64
#define MAX_BYTES  4096

/* A cursor that covers the transactions below xmax. */
static struct cursor below(uint64_t xmax)
{
    char text[TEXT_BYTES];

    snprintf(text, sizeof text, "0123abcd-%llu:%llu:", (unsigned long long)xmax,
             (unsigned long long)xmax);
    return cursor_of(text);
}

static void add(struct ring *r, int64_t id, uint64_t xid)
{
    struct msg *m = event_of(id, xid, 1, 0, "message.new");

    ring_add(r, m);
    msg_unref(m);
}

static void end_look(struct ring *r, uint64_t xmax)
{
    struct cursor c = below(xmax);

    ring_end_look(r, &c);
    cursor_clear(&c);
}

/* How many messages the ring has for a reader at c; -1: it does not reach back so far. */
static int missed_by(const struct ring *r, const char *text)
{
    struct cursor c = cursor_of(text);
    uint64_t from;
    int count = 0;

    if (!ring_find(r, &c, &from)) {
        count = -1;
    } else {
        for (; from < r->next; from++) {
            count += !cursor_covers(&c, ring_at(r, from)->xid);
        }
    }
    cursor_clear(&c);
    return count;
}

static void start(struct ring *r, size_t max_bytes)
{
    struct cursor c = below(10);

    ring_init(r, max_bytes);
    assert_true(ring_start(r, &c));
    cursor_clear(&c);
}

static void test_serves_from_each_look(void **state)
{
    struct ring r;

    (void)state;
    start(&r, MAX_BYTES);
    add(&r, 1, 10);
    end_look(&r, 11);
    end_look(&r, 11);
    add(&r, 2, 11);
    add(&r, 3, 12);
    end_look(&r, 13);
    assert_int_equal(missed_by(&r, "0123abcd-9:9:"), -1);
    assert_int_equal(missed_by(&r, "0123abcd-9:10:9"), -1);
    assert_int_equal(missed_by(&r, "0123abcd-10:10:"), 3);
    assert_int_equal(missed_by(&r, "0123abcd-11:11:"), 2);
    assert_int_equal(missed_by(&r, "0123abcd-11:13:11"), 1);
    assert_int_equal(missed_by(&r, "0123abcd-13:13:"), 0);
    assert_int_equal(missed_by(&r, "0123abcd-99:99:"), 0);
    assert_int_equal(missed_by(&r, "0123abce-13:13:"), -1);
    ring_clear(&r);
}

static void test_drops_whole_looks(void **state)
{
    struct ring r;

    (void)state;
    start(&r, MAX_BYTES);
    for (uint64_t xid = 10; xid < 500; xid++) {
        add(&r, (int64_t)xid, xid);
        end_look(&r, xid + 1);
        assert_true(r.bytes <= MAX_BYTES);
    }
    assert_int_equal(missed_by(&r, "0123abcd-10:10:"), -1);
    assert_int_equal(missed_by(&r, "0123abcd-490:490:"), 10);
    ring_clear(&r);
}

/* Of a look that alone is over the bound nothing is of use; the next one is served again. */
static void test_a_look_over_the_bound(void **state)
{
    struct ring r;

    (void)state;
    start(&r, MAX_BYTES);
    add(&r, 1, 10);
    end_look(&r, 11);
    for (int i = 0; i < 1000; i++) {
        add(&r, 2 + i, 11);
    }
    assert_int_equal(missed_by(&r, "0123abcd-11:11:"), -1);
    end_look(&r, 12);
    assert_int_equal(missed_by(&r, "0123abcd-11:11:"), -1);
    assert_int_equal(missed_by(&r, "0123abcd-12:12:"), 0);
    add(&r, 2000, 12);
    end_look(&r, 13);
    assert_int_equal(missed_by(&r, "0123abcd-12:12:"), 1);
    ring_clear(&r);
}

static void test_before_it_starts(void **state)
{
    struct ring r;

    (void)state;
    ring_init(&r, MAX_BYTES);
    add(&r, 1, 1);
    assert_int_equal(missed_by(&r, "0123abcd-10:10:"), -1);
    end_look(&r, 20);
    assert_int_equal(missed_by(&r, "0123abcd-10:10:"), -1);
    assert_int_equal(missed_by(&r, "0123abcd-20:20:"), 0);
    ring_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serves_from_each_look),
        cmocka_unit_test(test_drops_whole_looks),
        cmocka_unit_test(test_a_look_over_the_bound),
        cmocka_unit_test(test_before_it_starts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
