/*
 * Reading of requests, by the CGI gateway.
 */
#include "fcgi-app/req.h"

#include <sodium.h>
#include <string.h>

#include "cgi.h"
#include "unit.h"

static const struct settings settings = {.request_body_bytes = 1024};

/* Reads one request with these variables; the caller looks at r, then ends both. */
static enum confab_err read_one(struct cgi *c, struct req *r, const char *const *env,
                                struct slice body)
{
    cgi_begin(c, env, body);
    req_init(r, &settings);
    return req_read(r, c->gateway, &settings);
}

static void end_one(struct cgi *c, struct req *r)
{
    req_clear(r);
    cgi_end(c);
}

static void test_head(void **state)
{
    (void)state;
    static const char *const env[] = {"REQUEST_METHOD",
                                      "PUT",
                                      "REQUEST_URI",
                                      "/chat/api/v1/a%20b?x=1?y",
                                      "PATH_INFO",
                                      "/misleading",
                                      "SCRIPT_NAME",
                                      "/misleading",
                                      "HTTP_HOST",
                                      "h:81",
                                      "HTTP_ORIGIN",
                                      "https://o",
                                      "HTTP_COOKIE",
                                      "a=b",
                                      "REDIRECT_HTTP_AUTHORIZATION",
                                      "Bearer t",
                                      "HTTPS",
                                      "on",
                                      NULL};
    struct cgi c;
    struct req r;

    assert_int_equal(read_one(&c, &r, env, slice_of("")), CONFAB_OK);
    assert_int_equal(r.method, HTTP_PUT);
    assert_true(slice_eq(r.path, slice_of("/chat/api/v1/a%20b")));
    assert_true(slice_eq(r.query, slice_of("x=1?y")));
    assert_true(slice_eq(r.host, slice_of("h:81")));
    assert_true(slice_eq(r.origin, slice_of("https://o")));
    assert_true(slice_eq(r.cookie, slice_of("a=b")));
    assert_true(slice_eq(r.authorization, slice_of("Bearer t")));
    assert_true(r.is_https);
    assert_int_equal(strlen(r.id), REQ_ID_BYTES);
    assert_int_equal(r.body.n, 0);
    end_one(&c, &r);
}

static void test_uris(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *path, *query;
    } rows[] = {
        {"/a", "/a", ""},
        {"/a?", "/a", ""},
        {"/a?b?c", "/a", "b?c"},
        {"http://host/a?b", "/a", "b"},
        {"https://host:1/a", "/a", ""},
        {"http://host", "http://host", ""},
        {"/http://host/a", "/http://host/a", ""},
        {"*", "*", ""},
        {"", "", ""},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *const env[] = {"REQUEST_METHOD", "GET", "REQUEST_URI", rows[i].uri, NULL};
        struct cgi c;
        struct req r;

        assert_int_equal(read_one(&c, &r, env, slice_of("")), CONFAB_OK);
        assert_true(slice_eq(r.path, slice_of(rows[i].path)));
        assert_true(slice_eq(r.query, slice_of(rows[i].query)));
        assert_false(r.is_https);
        end_one(&c, &r);
    }
}

static void test_methods(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum http_method method;
    } rows[] = {
        {"GET", HTTP_GET},       {"HEAD", HTTP_HEAD},       {"POST", HTTP_POST},
        {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS}, {"PATCH", HTTP_OTHER},
        {"get", HTTP_OTHER},     {"OTHER", HTTP_OTHER},     {"", HTTP_OTHER},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *const env[] = {"REQUEST_METHOD", rows[i].name, "REQUEST_URI", "/", NULL};
        struct cgi c;
        struct req r;

        assert_int_equal(read_one(&c, &r, env, slice_of("")), CONFAB_OK);
        assert_int_equal(r.method, rows[i].method);
        end_one(&c, &r);
    }
}

static void test_bodies(void **state)
{
    (void)state;
    static char big[2000];
    static const struct {
        const char *length;   /* CONTENT_LENGTH; NULL: not set */
        const char *encoding; /* HTTP_TRANSFER_ENCODING; NULL: not set */
        size_t sent;
        enum confab_err err;
        size_t got;
    } rows[] = {
        {NULL, NULL, 0, CONFAB_OK, 0},
        {"", NULL, 5, CONFAB_OK, 0}, /* CGI reads nothing without a length */
        {NULL, NULL, 5, CONFAB_OK, 0},
        {NULL, "chunked", 0, CONFAB_LENGTH_REQUIRED, 0},
        {"0", NULL, 0, CONFAB_OK, 0},
        {"5", NULL, 5, CONFAB_OK, 5},
        {"5", NULL, 9, CONFAB_OK, 5},
        {"5", NULL, 4, CONFAB_BAD_REQUEST, 0},
        {"5", NULL, 0, CONFAB_BAD_REQUEST, 0},
        {"1024", NULL, 1024, CONFAB_OK, 1024},
        {"1025", NULL, 1025, CONFAB_TOO_BIG, 0},
        {"99999999999999999999", NULL, 10, CONFAB_BAD_REQUEST, 0},
        {"18446744073709551615", NULL, 10, CONFAB_TOO_BIG, 0},
        {"-1", NULL, 0, CONFAB_BAD_REQUEST, 0},
        {"5x", NULL, 5, CONFAB_BAD_REQUEST, 0},
        {" 5", NULL, 5, CONFAB_BAD_REQUEST, 0},
    };

    memset(big, 'b', sizeof(big));
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *env[9] = {"REQUEST_METHOD", "POST", "REQUEST_URI", "/x"};
        size_t n = 4;
        struct cgi c;
        struct req r;

        if (rows[i].length != NULL) {
            env[n++] = "CONTENT_LENGTH";
            env[n++] = rows[i].length;
        }
        if (rows[i].encoding != NULL) {
            env[n++] = "HTTP_TRANSFER_ENCODING";
            env[n++] = rows[i].encoding;
        }
        assert_int_equal(read_one(&c, &r, env, (struct slice){big, rows[i].sent}), rows[i].err);
        assert_int_equal(r.body.n, rows[i].got);
        assert_int_equal(r.method, HTTP_POST);
        if (rows[i].got > 0) {
            assert_memory_equal(r.body.p, big, r.body.n);
            assert_int_equal(r.body.p[r.body.n], '\0');
        }
        end_one(&c, &r);
    }
}

static int start(void **state)
{
    (void)state;
    return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_uris),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_bodies),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
