/*
 * Slices and the strict readers of outside text.
 */
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* A slice of a heap copy that ends where the memory ends, so that ASan sees a read past it. */
static struct slice tight(const char *bytes, size_t n)
{
    char *copy = malloc(n == 0 ? 1 : n);

    assert_non_null(copy);
    memcpy(copy, bytes, n);
    return (struct slice){copy, n};
}

static void test_cut_and_trim(void **state)
{
    (void)state;
    struct slice head;
    struct slice rest;

    assert_true(slice_cut(slice_of("a=b=c"), '=', &head, &rest));
    assert_true(slice_eq(head, slice_of("a")));
    assert_true(slice_eq(rest, slice_of("b=c")));
    assert_false(slice_cut(slice_of("abc"), '=', &head, &rest));
    assert_true(slice_eq(head, slice_of("abc")));
    assert_int_equal(rest.n, 0);
    assert_true(slice_cut(slice_of("="), '=', &head, &rest));
    assert_int_equal(head.n + rest.n, 0);
    assert_false(slice_cut(slice_of(NULL), '=', &head, &rest));

    assert_true(slice_eq(slice_trim(slice_of(" \t a b\t ")), slice_of("a b")));
    assert_int_equal(slice_trim(slice_of(" \t ")).n, 0);
    assert_int_equal(slice_trim(slice_of(NULL)).n, 0);
}

static void test_compare(void **state)
{
    (void)state;
    assert_true(slice_eq(slice_of(NULL), slice_of("")));
    assert_false(slice_eq(slice_of("a"), slice_of("A")));
    assert_true(slice_eq_nocase(slice_of("BeArer"), slice_of("bEaReR")));
    assert_false(slice_eq_nocase(slice_of("[]"), slice_of("{}")));
    assert_true(slice_starts(slice_of("abc"), slice_of("")));
    assert_true(slice_starts(slice_of("abc"), slice_of("abc")));
    assert_false(slice_starts(slice_of("ab"), slice_of("abc")));
}

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t min, max;
        bool good;
        int64_t value;
    } rows[] = {
        {"0", INT64_MIN, INT64_MAX, true, 0},
        {"-0", INT64_MIN, INT64_MAX, true, 0},
        {"007", INT64_MIN, INT64_MAX, true, 7},
        {"9223372036854775807", INT64_MIN, INT64_MAX, true, INT64_MAX},
        {"9223372036854775808", INT64_MIN, INT64_MAX, false, 0},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, true, INT64_MIN},
        {"-9223372036854775809", INT64_MIN, INT64_MAX, false, 0},
        {"99999999999999999999999", INT64_MIN, INT64_MAX, false, 0},
        {"10", 1, 10, true, 10},
        {"11", 1, 10, false, 0},
        {"0", 1, 10, false, 0},
        {"", INT64_MIN, INT64_MAX, false, 0},
        {"-", INT64_MIN, INT64_MAX, false, 0},
        {"--1", INT64_MIN, INT64_MAX, false, 0},
        {"+1", INT64_MIN, INT64_MAX, false, 0},
        {" 1", INT64_MIN, INT64_MAX, false, 0},
        {"1 ", INT64_MIN, INT64_MAX, false, 0},
        {"1e3", INT64_MIN, INT64_MAX, false, 0},
        {"0x10", INT64_MIN, INT64_MAX, false, 0},
        {"1.0", INT64_MIN, INT64_MAX, false, 0},
        {"\xd9\xa1", INT64_MIN, INT64_MAX, false, 0}, /* an Arabic digit */
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice s = tight(rows[i].text, strlen(rows[i].text));
        int64_t value = 4711;

        assert_int_equal(str_to_i64(s, rows[i].min, rows[i].max, &value), rows[i].good);
        assert_int_equal(value, rows[i].good ? rows[i].value : 4711);
        free((char *)s.p);
    }

    uint64_t big = 0;

    assert_true(str_to_u64(slice_of("18446744073709551615"), UINT64_MAX, &big));
    assert_true(big == UINT64_MAX);
    assert_false(str_to_u64(slice_of("18446744073709551616"), UINT64_MAX, &big));
    assert_false(str_to_u64(slice_of("9"), 5, &big));
    assert_false(str_to_u64(slice_of("-1"), UINT64_MAX, &big));
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool good;
        size_t count;
    } rows[] = {
        {"", true, 0},
        {"plain", true, 5},
        {"\xc2\x80", true, 1},
        {"\xdf\xbf", true, 1},
        {"\xe0\xa0\x80", true, 1},
        {"\xed\x9f\xbf", true, 1},
        {"\xee\x80\x80", true, 1},
        {"\xef\xbf\xbf", true, 1},
        {"\xf0\x90\x80\x80", true, 1},
        {"\xf4\x8f\xbf\xbf", true, 1},
        {"\xd0\x9f\xd1\x80 \xf0\x9f\x98\x80", true, 4},
        {"\x80", false, 0},             /* continuation without a start */
        {"\xc0\x80", false, 0},         /* overlong NUL */
        {"\xc1\xbf", false, 0},         /* overlong */
        {"\xe0\x9f\xbf", false, 0},     /* overlong */
        {"\xf0\x8f\xbf\xbf", false, 0}, /* overlong */
        {"\xed\xa0\x80", false, 0},     /* surrogate */
        {"\xed\xbf\xbf", false, 0},     /* surrogate */
        {"\xf4\x90\x80\x80", false, 0}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", false, 0},
        {"\xff", false, 0},
        {"\xc3", false, 0},         /* cut */
        {"\xe2\x82", false, 0},     /* cut */
        {"\xf0\x9f\x98", false, 0}, /* cut */
        {"\xc3\x28", false, 0},
        {"\xe2\x28\xa1", false, 0},
        {"\xe2\x82\x28", false, 0},
        {"\xf0\x9f\x98\x28", false, 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice s = tight(rows[i].bytes, strlen(rows[i].bytes));

        assert_int_equal(str_is_utf8(s), rows[i].good);
        if (rows[i].good) {
            assert_int_equal(str_utf8_count(s), rows[i].count);
        }
        free((char *)s.p);
    }
    assert_true(str_is_utf8((struct slice){"a\0b", 3}));
}

/* Every cut of a good text at a character's border is good, every other cut is not. */
static void test_utf8_split(void **state)
{
    (void)state;
    static const char text[] = "a\xd0\x9f\xe2\x82\xac\xf0\x9f\x98\x80z";

    for (size_t n = 0; n < sizeof(text); n++) {
        struct slice s = tight(text, n);
        bool border = ((unsigned char)text[n] & 0xc0) != 0x80;

        assert_int_equal(str_is_utf8(s), border);
        free((char *)s.p);
    }
}

static void test_uuid(void **state)
{
    (void)state;
    assert_true(str_is_uuid(slice_of("01234567-89ab-CDEF-0123-456789abcdef")));
    assert_false(str_is_uuid(slice_of("01234567-89ab-cdef-0123-456789abcde")));
    assert_false(str_is_uuid(slice_of("01234567-89ab-cdef-0123-456789abcdef0")));
    assert_false(str_is_uuid(slice_of("0123456789ab-cdef-0123-456789abcdef--")));
    assert_false(str_is_uuid(slice_of("01234567-89ab-cdef-0123-456789abcdeg")));
    assert_false(str_is_uuid(slice_of("{1234567-89ab-cdef-0123-456789abcde}")));
    assert_false(str_is_uuid(slice_of("")));
}

static void test_hex(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0x00, 0x0f, 0xa5, 0xff};
    char out[2 * sizeof(bytes) + 1];

    str_hex(bytes, sizeof(bytes), out);
    assert_string_equal(out, "000fa5ff");
}

static void test_percent(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool plus;
        const char *out; /* NULL: refused */
    } rows[] = {
        {"", false, ""},
        {"abc", false, "abc"},
        {"a%20b", false, "a b"},
        {"a+b", false, "a+b"},
        {"a+b", true, "a b"},
        {"%2B", true, "+"},
        {"%d0%9F", true, "\xd0\x9f"},
        {"%", false, NULL},
        {"%4", false, NULL},
        {"a%4", false, NULL},
        {"%zz", false, NULL},
        {"%4g", false, NULL},
        {"%00", false, NULL},
        {"a%00b", false, NULL},
        {"%25%34", false, "%4"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice s = tight(rows[i].in, strlen(rows[i].in));
        char *out = malloc(s.n + 1);
        size_t len = 0;

        assert_non_null(out);
        assert_int_equal(str_percent_decode(s, rows[i].plus, out, &len), rows[i].out != NULL);
        if (rows[i].out != NULL) {
            assert_string_equal(out, rows[i].out);
            assert_int_equal(len, strlen(rows[i].out));
        }
        free(out);
        free((char *)s.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_and_trim), cmocka_unit_test(test_compare),
        cmocka_unit_test(test_integers),     cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_split),   cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_hex),          cmocka_unit_test(test_percent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
