/*
 * Tokens of requests, origins, cookies.
 */
#include "fcgi-app/auth.h"

#include <string.h>

#include "unit.h"

static struct settings settings = {.path_prefix = "",
                                   .origins = "https://listed.example http://other.example:81",
                                   .session_days = 2};

static struct req request(bool https, const char *host, const char *origin, const char *site)
{
    return (struct req){.is_https = https,
                        .host = slice_of(host),
                        .origin = slice_of(origin),
                        .sec_fetch_site = slice_of(site)};
}

static void test_origin(void **state)
{
    (void)state;
    static const struct {
        bool https;
        const char *host, *origin, *site;
        bool good;
    } rows[] = {
        {false, "a.example", "http://a.example", "", true},
        {false, "a.example:80", "http://a.example", "", true},
        {false, "A.Example", "http://a.example", "", true},
        {false, "a.example:8080", "http://a.example:8080", "", true},
        {true, "a.example:443", "https://a.example", "", true},
        {true, "a.example", "http://a.example", "", false},
        {false, "a.example", "https://a.example", "", false},
        {false, "a.example:8080", "http://a.example", "", false},
        {false, "a.example", "http://a.example:8080", "", false},
        {false, "a.example:8080", "http://a.example:80", "", false},
        {false, "a.example", "http://a.example.evil", "", false},
        {false, "a.example", "http://evil.a.example", "", false},
        {false, "a.example", "null", "", false},
        {false, "a.example", "", "", false},
        {false, "", "http://", "", false},
        {false, "a.example", "", "same-origin", true},
        {false, "a.example", "", "same-site", false},
        {false, "a.example", "", "none", false},
        {false, "a.example", "http://evil.example", "cross-site", false},
        {false, "a.example", "https://listed.example", "cross-site", true},
        {false, "a.example", "http://other.example:81", "", true},
        {false, "a.example", "http://other.example", "", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct req req = request(rows[i].https, rows[i].host, rows[i].origin, rows[i].site);

        assert_int_equal(auth_origin_is_good(&req, &settings), rows[i].good);
    }
}

static void test_cors(void **state)
{
    (void)state;
    struct resp resp;
    struct req listed = request(false, "a.example", "https://listed.example", "");
    struct req own = request(false, "a.example", "http://a.example", "");

    resp_init(&resp);
    auth_cors(&resp, &own, &settings);
    assert_int_equal(resp.headers.len, 0);
    auth_cors(&resp, &listed, &settings);
    assert_non_null(
        strstr(buf_str(&resp.headers), "Access-Control-Allow-Origin: https://listed.example\r\n"));
    resp_clear(&resp);
}

static void test_kind(void **state)
{
    (void)state;
    struct req req = {.authorization = slice_of("Bearer A"),
                      .cookie = slice_of("confab-e3b0c442=B")};
    struct auth auth = auth_read(&req, &settings);

    assert_int_equal(auth.kind, AUTH_KIND_BEARER);
    assert_true(slice_eq(auth.token, slice_of("A")));
    req.authorization = slice_of("Basic QQ==");
    auth = auth_read(&req, &settings);
    assert_int_equal(auth.kind, AUTH_KIND_COOKIE);
    assert_true(slice_eq(auth.token, slice_of("B")));
    req.cookie = slice_of(NULL);
    assert_int_equal(auth_read(&req, &settings).kind, AUTH_KIND_NONE);
}

static void test_cookie(void **state)
{
    (void)state;
    struct settings below = {.path_prefix = "/chat", .origins = "", .session_days = 2};
    struct req http = {.is_https = false};
    struct req https = {.is_https = true};
    struct resp resp;

    resp_init(&resp);
    auth_set_cookie(&resp, &http, &settings, "T");
    assert_string_equal(buf_str(&resp.headers), "Set-Cookie: confab-e3b0c442=T; Path=/; "
                                                "Max-Age=172800; HttpOnly; SameSite=Lax\r\n");
    buf_reset(&resp.headers);
    auth_set_cookie(&resp, &https, &below, "T");
    assert_non_null(strstr(buf_str(&resp.headers), "Set-Cookie: __Host-confab-"));
    assert_non_null(strstr(buf_str(&resp.headers), "; Path=/; "));
    assert_non_null(strstr(buf_str(&resp.headers), "; Secure; "));
    buf_reset(&resp.headers);
    auth_set_cookie(&resp, &http, &below, "T");
    assert_non_null(strstr(buf_str(&resp.headers), "; Path=/chat; "));
    buf_reset(&resp.headers);
    auth_clear_cookie(&resp, &http, &settings);
    assert_non_null(strstr(buf_str(&resp.headers), "=; Path=/; Max-Age=0; "));
    resp_clear(&resp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_cors),
        cmocka_unit_test(test_kind),
        cmocka_unit_test(test_cookie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
