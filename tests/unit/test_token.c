/*
 * Tokens, and how a request carries one.
 */
#include "common/token.h"

#include <string.h>

#include "unit.h"

static const char token_a[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static void test_make_and_hash(void **state)
{
    (void)state;
    char one[TOKEN_TEXT_BYTES + 1];
    char two[TOKEN_TEXT_BYTES + 1];
    struct token_hash hash_one;
    struct token_hash again;

    token_make(one);
    token_make(two);
    assert_int_equal(strlen(one), TOKEN_TEXT_BYTES);
    assert_string_not_equal(one, two);
    assert_true(token_hash(slice_of(one), &hash_one));
    assert_true(token_hash(slice_of(one), &again));
    assert_memory_equal(&hash_one, &again, sizeof(again));
    assert_true(token_hash(slice_of(two), &again));
    assert_memory_not_equal(&hash_one, &again, sizeof(again));
}

/* SHA-256 of the text, as `printf %s TOKEN | sha256sum` gives it. */
static void test_hash_value(void **state)
{
    (void)state;
    struct token_hash hash;
    char hex[2 * TOKEN_HASH_BYTES + 1];

    assert_true(token_hash(slice_of(token_a), &hash));
    str_hex(hash.bytes, sizeof(hash.bytes), hex);
    assert_string_equal(hex, "0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a");
}

static void test_not_tokens(void **state)
{
    (void)state;
    struct token_hash hash;
    static const char *const rows[] = {
        "",
        "A",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\xc3\xa4",
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_false(token_hash(slice_of(rows[i]), &hash));
    }
}

static void test_cookie_name(void **state)
{
    (void)state;
    char plain[COOKIE_NAME_BYTES];
    char secure[COOKIE_NAME_BYTES];
    char other[COOKIE_NAME_BYTES];

    cookie_name(&(struct cookie_site){slice_of("localhost"), ""}, false, plain);
    assert_string_equal(plain, "confab-e3b0c442");
    cookie_name(&(struct cookie_site){slice_of("localhost:443"), ""}, true, secure);
    assert_string_equal(secure, "__Host-confab-e3b0c442");
    cookie_name(&(struct cookie_site){slice_of("localhost"), "/chat"}, false, other);
    assert_string_not_equal(plain, other);
}

/* Cookies do not know of ports; their names do. */
static void test_cookie_name_of_port(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool is_plain;
    } rows[] = {{"", true},
                {"example.org", true},
                {"example.org:80", true},
                {"[::1]", true},
                {"[::1]:443", true},
                {"[::1]:8080", false},
                {"example.org:8080", false},
                {"other:8080", false}};
    char plain[COOKIE_NAME_BYTES];
    char at_8080[COOKIE_NAME_BYTES];
    char name[COOKIE_NAME_BYTES];

    cookie_name(&(struct cookie_site){slice_of(""), ""}, false, plain);
    cookie_name(&(struct cookie_site){slice_of("x:8080"), ""}, false, at_8080);
    assert_string_not_equal(plain, at_8080);
    for (size_t i = 0; i < COUNT(rows); i++) {
        cookie_name(&(struct cookie_site){slice_of(rows[i].host), ""}, false, name);
        assert_string_equal(name, rows[i].is_plain ? plain : at_8080);
    }
}

static void test_fingerprint(void **state)
{
    (void)state;
    struct token_hash hash = {{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01}};

    assert_true(token_has_print(&hash, slice_of("0123456789abcdef")));
    assert_false(token_has_print(&hash, slice_of("0123456789abcde")));
    assert_false(token_has_print(&hash, slice_of("0123456789abcdef0")));
    assert_false(token_has_print(&hash, slice_of("1123456789abcdef")));
    assert_false(token_has_print(&hash, slice_of("")));
}

static void test_cookie_find(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *value; /* NULL: not there */
    } rows[] = {
        {"", NULL},
        {"n=v", "v"},
        {"n=", ""},
        {"n=a=b", "a=b"},
        {"x=1; n=v; y=2", "v"},
        {"x=1;n=v", "v"},
        {"  n = v  ;y=2", "v"},
        {"n=first; n=second", "first"},
        {"n", NULL},
        {"nn=v; xn=v; N=v", NULL},
        {";;;=; n=v", "v"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice value = {NULL, 0};

        assert_int_equal(cookie_find(slice_of(rows[i].header), "n", &value), rows[i].value != NULL);
        assert_true(slice_eq(value, slice_of(rows[i].value)));
    }
}

static void test_from_bearer(void **state)
{
    (void)state;
    static const struct {
        const char *authorization;
        const char *token; /* NULL: none */
    } rows[] = {
        {"", NULL},       {"Bearer AAA", "AAA"}, {"bEARER   AAA  ", "AAA"},
        {"Bearer", NULL}, {"Basic QUFB", NULL},  {"BearerAAA", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice token = {NULL, 0};

        assert_int_equal(token_from_bearer(slice_of(rows[i].authorization), &token),
                         rows[i].token != NULL);
        assert_true(slice_eq(token, slice_of(rows[i].token)));
    }
}

static void test_from_cookie(void **state)
{
    (void)state;
    static const struct {
        const char *cookie;
        const char *token; /* NULL: none */
    } rows[] = {
        {"", NULL},
        {"confab-e3b0c442=BBB", "BBB"},
        {"confab-e3b0c442=BBB; __Host-confab-e3b0c442=CCC", "CCC"},
        {"confab-00000000=BBB", NULL},
    };
    const struct cookie_site site = {slice_of("localhost"), ""};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice token = {NULL, 0};

        assert_int_equal(token_from_cookie(slice_of(rows[i].cookie), &site, &token),
                         rows[i].token != NULL);
        assert_true(slice_eq(token, slice_of(rows[i].token)));
    }
}

static int start(void **state)
{
    (void)state;
    return token_init() ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make_and_hash),       cmocka_unit_test(test_hash_value),
        cmocka_unit_test(test_not_tokens),          cmocka_unit_test(test_cookie_name),
        cmocka_unit_test(test_cookie_name_of_port), cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_cookie_find),         cmocka_unit_test(test_from_bearer),
        cmocka_unit_test(test_from_cookie),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
