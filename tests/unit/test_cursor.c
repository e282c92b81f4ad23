/* Tests of cursor: docs/protocol.md, paragraph 4.2. */
#include "push-daemon/cursor.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "push.h"

#define MAX_BYTES 65536
#define XIDS      12
#define TRIALS    20000

static void test_writes_what_it_read(void **state)
{
    static const char *const good[] = {
        "0123abcd-1:1:",
        "0123abcd-731:731:",
        "ffffffff-10:20:10,11,19",
        "00000000-5:9223372036854775807:5",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct cursor c = cursor_of(good[i]);
        struct buf b;

        buf_init(&b, MAX_BYTES);
        cursor_put(&c, &b);
        assert_string_equal(buf_str(&b), good[i]);
        buf_clear(&b);
        cursor_clear(&c);
    }
}

static void test_refuses_what_is_no_cursor(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "0123abcd",
        "0123abcd-",
        "0123abcd-1",
        "0123abcd-1:",
        "0123abcd-1:2",
        "0123ABCD-1:2:",
        "0123abc-1:2:",
        "0123abcde-1:2:",
        "0123abcg-1:2:",
        "0123abcd-0:2:",
        "0123abcd-3:2:",
        "0123abcd--1:2:",
        "0123abcd-+1:2:",
        "0123abcd- 1:2:",
        "0123abcd-1:2: ",
        "0123abcd-1:2:\n",
        "0123abcd-1:18446744073709551616:",
        "0123abcd-1:9:,",
        "0123abcd-1:9:2,",
        "0123abcd-1:9:,2",
        "0123abcd-1:9:2,,3",
        "0123abcd-1:9:3,2",
        "0123abcd-1:9:2,2",
        "0123abcd-1:9:9",
        "0123abcd-2:9:1",
        "0123abcd-1:9:2:3",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct cursor c;

        if (cursor_parse(slice_of(bad[i]), &c) != CONFAB_BAD_REQUEST) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

static void test_bounds_transactions_in_progress(void **state)
{
    struct buf b;
    struct cursor c;

    (void)state;
    buf_init(&b, MAX_BYTES);
    buf_puts(&b, "0123abcd-1:100000:");
    for (int i = 1; i <= CURSOR_XIP_MAX; i++) {
        buf_printf(&b, "%s%d", i > 1 ? "," : "", i);
    }
    assert_int_equal(cursor_parse(buf_slice(&b), &c), CONFAB_OK);
    cursor_clear(&c);
    buf_puts(&b, ",9999");
    assert_int_equal(cursor_parse(buf_slice(&b), &c), CONFAB_TOO_BIG);
    buf_clear(&b);
}

static void test_covers_what_a_snapshot_sees(void **state)
{
    struct cursor c = cursor_of("0123abcd-10:20:10,15,19");

    (void)state;
    assert_true(cursor_covers(&c, 1));
    assert_true(cursor_covers(&c, 9));
    assert_false(cursor_covers(&c, 10));
    assert_true(cursor_covers(&c, 11));
    assert_false(cursor_covers(&c, 15));
    assert_true(cursor_covers(&c, 18));
    assert_false(cursor_covers(&c, 19));
    assert_false(cursor_covers(&c, 20));
    assert_false(cursor_covers(&c, UINT64_MAX));
    cursor_clear(&c);
}

/* A random snapshot over few transactions. */
static struct cursor random_cursor(unsigned *seed)
{
    struct cursor c;

    cursor_init(&c);
    memcpy(c.epoch, "0123abcd", CURSOR_EPOCH_BYTES + 1);
    c.xmin = 1 + (unsigned)rand_r(seed) % XIDS;
    c.xmax = c.xmin + (unsigned)rand_r(seed) % (XIDS + 1 - c.xmin + 1);
    c.xip = calloc(XIDS + 1, sizeof *c.xip);
    assert_non_null(c.xip);
    for (uint64_t xid = c.xmin; xid < c.xmax; xid++) {
        if (rand_r(seed) % 2 == 0) {
            c.xip[c.xip_count++] = xid;
        }
    }
    return c;
}

/* By its definition, one transaction after the other. */
static bool includes_by_definition(const struct cursor *a, const struct cursor *b)
{
    for (uint64_t xid = 1; xid <= 2 * XIDS; xid++) {
        if (cursor_covers(b, xid) && !cursor_covers(a, xid)) {
            return false;
        }
    }
    return true;
}

static void test_includes_what_covers_no_less(void **state)
{
    unsigned seed = 1;
    int included = 0;

    (void)state;
    for (int i = 0; i < TRIALS; i++) {
        struct cursor a = random_cursor(&seed), b = random_cursor(&seed);
        bool expected = includes_by_definition(&a, &b);

        assert_int_equal(cursor_includes(&a, &b), expected);
        assert_true(cursor_includes(&a, &a));
        included += expected;
        cursor_clear(&a);
        cursor_clear(&b);
    }
    assert_in_range(included, TRIALS / 20, TRIALS - TRIALS / 20);
}

static void test_never_includes_another_epoch(void **state)
{
    struct cursor a = cursor_of("0123abcd-9:9:"), b = cursor_of("0123abce-1:1:");
    struct cursor nothing;

    (void)state;
    cursor_init(&nothing);
    assert_false(cursor_includes(&a, &b));
    assert_false(cursor_same_epoch(&a, &b));
    assert_false(cursor_includes(&a, &nothing));
    assert_false(cursor_includes(&nothing, &a));
}

static void test_copies(void **state)
{
    struct cursor a = cursor_of("0123abcd-2:9:3,4"), b;

    (void)state;
    assert_int_equal(cursor_copy(&a, &b), CONFAB_OK);
    cursor_clear(&a);
    assert_false(cursor_covers(&b, 4));
    assert_true(cursor_covers(&b, 5));
    cursor_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_what_it_read),
        cmocka_unit_test(test_refuses_what_is_no_cursor),
        cmocka_unit_test(test_bounds_transactions_in_progress),
        cmocka_unit_test(test_covers_what_a_snapshot_sees),
        cmocka_unit_test(test_includes_what_covers_no_less),
        cmocka_unit_test(test_never_includes_another_epoch),
        cmocka_unit_test(test_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
