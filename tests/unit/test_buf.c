/*
 * Growing bytes, their limit and their sticky failure.
 */
#include "common/buf.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void test_empty(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 10);
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(buf_slice(&b).n, 0);
    assert_false(buf_failed(&b));
    buf_clear(&b);
    buf_clear(&b);
}

static void test_writes(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 1000);
    buf_puts(&b, "a");
    buf_putc(&b, 'b');
    buf_put(&b, "c\0d", 3);
    buf_put_slice(&b, (struct slice){NULL, 0});
    buf_put_u64(&b, UINT64_MAX);
    buf_put_i64(&b, INT64_MIN);
    buf_printf(&b, "[%d %s]", 7, "x");
    assert_false(buf_failed(&b));
    assert_memory_equal(b.data, "abc\0d18446744073709551615-9223372036854775808[7 x]", b.len + 1);
    buf_clear(&b);
}

/* The limit is exact, whichever way and in whatever pieces the bytes come. */
static void test_limit(void **state)
{
    (void)state;
    char bytes[300];

    memset(bytes, 'x', sizeof(bytes));
    for (size_t max = 0; max < 200; max++) {
        for (size_t piece = 1; piece < 100; piece += 13) {
            struct buf b;
            size_t done = 0;

            buf_init(&b, max);
            while (done + piece <= max) {
                buf_put(&b, bytes, piece);
                done += piece;
            }
            assert_false(buf_failed(&b));
            assert_int_equal(b.len, done);
            buf_put(&b, bytes, max - done);
            assert_false(buf_failed(&b));
            assert_int_equal(b.len, max);
            buf_putc(&b, 'y');
            assert_true(buf_failed(&b));
            buf_clear(&b);
        }
    }
}

static void test_failure_is_sticky(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 4);
    buf_puts(&b, "12345");
    buf_puts(&b, "1");
    assert_true(buf_failed(&b));
    assert_null(buf_steal(&b));
    buf_reset(&b);
    assert_false(buf_failed(&b));
    buf_printf(&b, "%s", "12345");
    assert_true(buf_failed(&b));
    buf_reset(&b);
    buf_printf(&b, "%s", "1234");
    assert_false(buf_failed(&b));
    assert_string_equal(buf_str(&b), "1234");
    buf_put(&b, "", SIZE_MAX);
    assert_true(buf_failed(&b));
    buf_clear(&b);
}

static void test_cut(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 10);
    buf_cut(&b, 0);
    buf_puts(&b, "12345");
    buf_cut(&b, 5);
    assert_string_equal(buf_str(&b), "12345");
    buf_cut(&b, 2);
    assert_string_equal(buf_str(&b), "12");
    buf_puts(&b, "x");
    assert_string_equal(buf_str(&b), "12x");
    buf_cut(&b, 0);
    assert_string_equal(buf_str(&b), "");
    buf_clear(&b);
}

static void test_steal(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 100);
    char *empty = buf_steal(&b);

    assert_string_equal(empty, "");
    free(empty);
    buf_puts(&b, "mine");
    char *bytes = buf_steal(&b);

    assert_string_equal(bytes, "mine");
    assert_string_equal(buf_str(&b), "");
    free(bytes);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty), cmocka_unit_test(test_writes),
        cmocka_unit_test(test_limit), cmocka_unit_test(test_failure_is_sticky),
        cmocka_unit_test(test_cut),   cmocka_unit_test(test_steal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
