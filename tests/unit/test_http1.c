/* Tests of http1: docs/protocol.md, paragraphs 1.1 to 1.4. */
#include "push-daemon/http1.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "guard.h"

/* Parses text from a copy that ends where memory ends. */
static enum confab_err parse_at_guard(const char *text, size_t len, struct http1_head *head,
                                      void (*check)(const struct http1_head *head))
{
    size_t scanned = 0;
    enum confab_err err = http1_parse((struct slice){guarded(text, len), len}, &scanned, head);

    if (err == CONFAB_OK && check != NULL) {
        check(head);
    }
    return err;
}

static enum confab_err parse(const char *text, struct http1_head *head)
{
    struct http1_head unused;
    size_t scanned = 0;
    enum confab_err err = parse_at_guard(text, strlen(text), &unused, NULL);

    assert_int_equal(http1_parse(slice_of(text), &scanned, head), err);
    return err;
}

static void assert_slice(struct slice s, const char *text)
{
    assert_int_equal(s.n, strlen(text));
    assert_memory_equal(s.p, text, s.n);
}

static const char usual[] = "GET /chat/stream?last_event_id=ab%3A1&x HTTP/1.1\r\n"
                            "Host: example.org:8080\r\n"
                            "Accept: text/event-stream\r\n"
                            "origin:https://example.org:8080\r\n"
                            "Cookie:  a=b; c=d \t\r\n"
                            "Authorization: Bearer xyz\r\n"
                            "Last-Event-ID: 0123abcd-1:2:\r\n"
                            "X-Empty:\r\n"
                            "\r\n";

static void check_usual(const struct http1_head *head)
{
    assert_int_equal(head->method, HTTP1_GET);
    assert_int_equal(head->minor_version, 1);
    assert_int_equal(head->bytes, strlen(usual));
    assert_slice(head->path, "/chat/stream");
    assert_slice(head->query, "last_event_id=ab%3A1&x");
    assert_slice(head->host, "example.org:8080");
    assert_slice(head->origin, "https://example.org:8080");
    assert_slice(head->cookie, "a=b; c=d");
    assert_slice(head->authorization, "Bearer xyz");
    assert_slice(head->last_event_id, "0123abcd-1:2:");
    assert_null(head->content_length.p);
    assert_false(head->has_body);
}

static void test_takes_a_usual_head_apart(void **state)
{
    struct http1_head head;

    (void)state;
    assert_int_equal(parse_at_guard(usual, strlen(usual), &head, check_usual), CONFAB_OK);
}

/* Every prefix is "need more", however it was reached, and the whole is the same. */
static void test_is_the_same_split_at_every_byte(void **state)
{
    size_t len = strlen(usual);

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        struct http1_head head;
        size_t scanned = 0;

        assert_int_equal(parse_at_guard(usual, cut, &head, NULL), CONFAB_NEED_MORE);
        assert_int_equal(http1_parse((struct slice){usual, cut}, &scanned, &head),
                         CONFAB_NEED_MORE);
        assert_int_equal(scanned, cut);
        assert_int_equal(http1_parse((struct slice){usual, len}, &scanned, &head), CONFAB_OK);
        check_usual(&head);
    }
}

static void test_comes_byte_by_byte(void **state)
{
    struct http1_head head;
    size_t scanned = 0;
    size_t len = strlen(usual);

    (void)state;
    for (size_t n = 0; n < len; n++) {
        assert_int_equal(http1_parse((struct slice){usual, n}, &scanned, &head), CONFAB_NEED_MORE);
    }
    assert_int_equal(http1_parse((struct slice){usual, len}, &scanned, &head), CONFAB_OK);
    check_usual(&head);
}

static void test_leaves_what_follows_the_head(void **state)
{
    const char *text = "GET / HTTP/1.0\r\n\r\nGET /second HTTP/1.1\r\n\r\n";
    struct http1_head head;

    (void)state;
    assert_int_equal(parse(text, &head), CONFAB_OK);
    assert_int_equal(head.bytes, strlen("GET / HTTP/1.0\r\n\r\n"));
    assert_slice(head.path, "/");
    assert_int_equal(head.minor_version, 0);
    assert_null(head.host.p);
}

static void test_knows_methods_and_targets(void **state)
{
    struct http1_head head;

    (void)state;
    assert_int_equal(parse("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", &head), CONFAB_OK);
    assert_int_equal(head.method, HTTP1_HEAD);
    assert_int_equal(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &head), CONFAB_OK);
    assert_int_equal(head.method, HTTP1_OPTIONS);
    assert_slice(head.path, "*");
    assert_int_equal(parse("DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n", &head), CONFAB_OK);
    assert_int_equal(head.method, HTTP1_OTHER);
    assert_int_equal(parse("get /x HTTP/1.1\r\nHost: a\r\n\r\n", &head), CONFAB_OK);
    assert_int_equal(head.method, HTTP1_OTHER);
    assert_int_equal(parse("GET http://b:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n", &head), CONFAB_OK);
    assert_slice(head.host, "b:1");
    assert_slice(head.path, "/x");
    assert_slice(head.query, "y");
}

static void test_tells_bodies(void **state)
{
    struct http1_head head;

    (void)state;
    assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &head),
                     CONFAB_OK);
    assert_false(head.has_body);
    assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n", &head),
                     CONFAB_OK);
    assert_true(head.has_body);
    assert_int_equal(
        parse("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", &head), CONFAB_OK);
    assert_true(head.has_body);
}

static void test_refuses_what_readers_could_differ_on(void **state)
{
    static const char *const bad[] = {
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: a\r\nCookie: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nOrigin: a\r\nOrigin: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: a\r\nLast-Event-ID: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Key: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Version: "
        "8\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: \"close, upgrade\"\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket/\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: /13\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: a, b;q=1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b "
        "c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET relative HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct http1_head head;

        if (parse(bad[i], &head) != CONFAB_BAD_REQUEST) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

static void test_refuses_nul(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    struct http1_head head;

    (void)state;
    assert_int_equal(parse_at_guard(text, sizeof text - 1, &head, NULL), CONFAB_BAD_REQUEST);
}

/* What cannot become valid is refused before its end has come. */
static void test_refuses_early(void **state)
{
    struct http1_head head;

    (void)state;
    assert_int_equal(parse("GET / HTTP/1.1\nHo", &head), CONFAB_BAD_REQUEST);
    assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\rb", &head), CONFAB_BAD_REQUEST);
    assert_int_equal(parse("\x01", &head), CONFAB_BAD_REQUEST);
}

static void test_bounds_the_number_of_headers(void **state)
{
    char text[HTTP1_HEADERS_MAX * 8 + 128];
    size_t len;
    struct http1_head head;

    (void)state;
    for (int extra = 0; extra <= 1; extra++) {
        len = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int i = 1; i < HTTP1_HEADERS_MAX + extra; i++) {
            len += (size_t)snprintf(text + len, sizeof text - len, "X: y\r\n");
        }
        snprintf(text + len, sizeof text - len, "\r\n");
        assert_int_equal(parse(text, &head), extra ? CONFAB_TOO_BIG : CONFAB_OK);
    }
}

/* The nearest proxy, which adds a line or goes on with one, is the one to be believed. */
static void test_takes_the_last_of_what_proxies_add(void **state)
{
    struct http1_head head;

    (void)state;
    assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n"
                           "X: y\r\nx-forwarded-for: 5.6.7.8, 9.9.9.9\r\n\r\n",
                           &head),
                     CONFAB_OK);
    assert_slice(head.forwarded_for, "5.6.7.8, 9.9.9.9");
}

static void test_finds_elements_of_lists(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\n"
                               "Host: a\r\n"
                               "Connection: keep-alive,\tUpgrade ,,\r\n"
                               "Upgrade:\r\n"
                               "connection: x\r\n"
                               "Connections: y\r\n"
                               "\r\n";
    static const struct {
        const char *name, *element;
        bool exact, any_case;
    } rows[] = {
        {"Connection", "keep-alive", true, true}, {"Connection", "upgrade", false, true},
        {"Connection", "Upgrade", true, true},    {"CONNECTION", "x", true, true},
        {"Connection", "y", false, false},        {"Connection", "keep", false, false},
        {"Connection", "", false, false},         {"Upgrade", "", false, false},
        {"Upgrade", "x", false, false},           {"Sec-WebSocket-Protocol", "x", false, false},
    };
    struct http1_head head;

    (void)state;
    assert_int_equal(parse(text, &head), CONFAB_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice element = slice_of(rows[i].element);

        assert_int_equal(http1_list_has(&head, rows[i].name, element, slice_eq), rows[i].exact);
        assert_int_equal(http1_list_has(&head, rows[i].name, element, slice_eq_nocase),
                         rows[i].any_case);
    }
    assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n", &head), CONFAB_OK);
    assert_false(http1_list_has(&head, "Connection", slice_of("close"), slice_eq));
}

static void test_finds_query_parameters(void **state)
{
    struct slice value;

    (void)state;
    assert_true(http1_query_find(slice_of("a=1&last_event_id=x%3Ay&last_event_id=z"),
                                 "last_event_id", &value));
    assert_slice(value, "x%3Ay");
    assert_true(http1_query_find(slice_of("last_event_id"), "last_event_id", &value));
    assert_int_equal(value.n, 0);
    assert_false(http1_query_find(slice_of("xlast_event_id=1"), "last_event_id", &value));
    assert_false(http1_query_find(slice_of(""), "last_event_id", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_a_usual_head_apart),
        cmocka_unit_test(test_is_the_same_split_at_every_byte),
        cmocka_unit_test(test_comes_byte_by_byte),
        cmocka_unit_test(test_leaves_what_follows_the_head),
        cmocka_unit_test(test_knows_methods_and_targets),
        cmocka_unit_test(test_tells_bodies),
        cmocka_unit_test(test_refuses_what_readers_could_differ_on),
        cmocka_unit_test(test_refuses_nul),
        cmocka_unit_test(test_refuses_early),
        cmocka_unit_test(test_bounds_the_number_of_headers),
        cmocka_unit_test(test_takes_the_last_of_what_proxies_add),
        cmocka_unit_test(test_finds_elements_of_lists),
        cmocka_unit_test(test_finds_query_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
