/*
 * Answers as they are written, problem+json among them.
 */
#include "fcgi-app/resp.h"

#include <jansson.h>
#include <sodium.h>
#include <string.h>

#include "cgi.h"
#include "unit.h"

static const char *const env[] = {"REQUEST_METHOD", "GET", "REQUEST_URI", "/", NULL};

/* Writes r as the answer to a request of that method; the text that was written is in c->answer. */
static int answer(struct cgi *c, struct resp *r, enum http_method method)
{
    struct req req = {.id = "0123456789abcdef", .method = method};

    cgi_begin(c, env, slice_of(""));
    int status = resp_send(r, &req, c->gateway);

    cgi_end(c);
    resp_clear(r);
    return status;
}

static void test_json(void **state)
{
    (void)state;
    struct cgi c;
    struct resp r;

    resp_init(&r);
    resp_json(&r, 201, "{\"a\":1}");
    resp_header(&r, "Link", "<x>; rel=\"next\"");
    assert_int_equal(answer(&c, &r, HTTP_POST), 201);
    assert_string_equal(c.answer, "Status: 201 Created\r\n"
                                  "Content-Type: application/json\r\n"
                                  "Content-Length: 7\r\n"
                                  "Link: <x>; rel=\"next\"\r\n"
                                  "X-Request-Id: 0123456789abcdef\r\n"
                                  "Cache-Control: no-store\r\n"
                                  "Vary: Origin\r\n"
                                  "X-Content-Type-Options: nosniff\r\n"
                                  "\r\n"
                                  "{\"a\":1}");
}

static void test_head_and_empty(void **state)
{
    (void)state;
    struct cgi c;
    struct resp r;

    resp_init(&r);
    resp_json(&r, 200, "{\"a\":1}");
    assert_int_equal(answer(&c, &r, HTTP_HEAD), 200);
    assert_non_null(strstr(c.answer, "Content-Length: 7\r\n"));
    assert_string_equal(strstr(c.answer, "\r\n\r\n"), "\r\n\r\n");

    resp_init(&r);
    resp_json(&r, 204, NULL);
    assert_int_equal(answer(&c, &r, HTTP_DELETE), 204);
    assert_null(strstr(c.answer, "Content-Length"));
    assert_string_equal(strstr(c.answer, "\r\n\r\n"), "\r\n\r\n");
}

static void test_header_injection(void **state)
{
    (void)state;
    struct cgi c;
    struct resp r;

    resp_init(&r);
    resp_json(&r, 200, "{}");
    resp_header(&r, "X-A", "a\r\nX-Evil: 1");
    resp_header(&r, "X-B", "b\x7f");
    resp_header(&r, "X-C", "c");
    assert_int_equal(answer(&c, &r, HTTP_GET), 200);
    assert_null(strstr(c.answer, "X-Evil"));
    assert_null(strstr(c.answer, "X-B"));
    assert_non_null(strstr(c.answer, "X-C: c\r\n"));
}

static void test_problem(void **state)
{
    (void)state;
    struct cgi c;
    struct resp r;
    struct problem p = {.retry_after_s = 0};

    problem_add_field(&p, SLICE_LITERAL("name"), SLICE_LITERAL("Say \"more\"."));
    resp_init(&r);
    resp_problem(&r, CONFAB_INVALID, &p, "0123456789abcdef");
    assert_int_equal(answer(&c, &r, HTTP_POST), 422);
    assert_non_null(strstr(c.answer, "Content-Type: application/problem+json\r\n"));
    assert_null(strstr(c.answer, "Retry-After"));

    json_t *body = json_loads(strstr(c.answer, "\r\n\r\n") + 4, 0, NULL);
    const json_t *error = json_array_get(json_object_get(body, "errors"), 0);

    assert_string_equal(json_string_value(json_object_get(body, "type")),
                        "urn:confab:problem:invalid");
    assert_string_equal(json_string_value(json_object_get(body, "title")), "Invalid input");
    assert_int_equal(json_integer_value(json_object_get(body, "status")), 422);
    assert_string_equal(json_string_value(json_object_get(body, "code")), "invalid");
    assert_string_equal(json_string_value(json_object_get(body, "request_id")), "0123456789abcdef");
    assert_string_equal(json_string_value(json_object_get(error, "pointer")), "/name");
    assert_string_equal(json_string_value(json_object_get(error, "detail")), "Say \"more\".");
    json_decref(body);
}

static void test_problem_headers(void **state)
{
    (void)state;
    struct cgi c;
    struct resp r;
    const struct problem none = {.retry_after_s = 0};
    const struct problem later = {.retry_after_s = 77};

    resp_init(&r);
    resp_problem(&r, CONFAB_UNAUTHENTICATED, &none, "x");
    assert_int_equal(answer(&c, &r, HTTP_GET), 401);
    assert_non_null(strstr(c.answer, "WWW-Authenticate: Bearer realm=\"confab\"\r\n"));

    resp_init(&r);
    resp_problem(&r, CONFAB_DB_AWAY, &none, "x");
    assert_int_equal(answer(&c, &r, HTTP_GET), 503);
    assert_non_null(strstr(c.answer, "Retry-After: 2\r\n"));

    resp_init(&r);
    resp_problem(&r, CONFAB_RATE_LIMITED, &later, "x");
    assert_int_equal(answer(&c, &r, HTTP_GET), 429);
    assert_non_null(strstr(c.answer, "Retry-After: 77\r\n"));
}

/* An answer that does not fit becomes a 503, not half an answer. */
static void test_too_big(void **state)
{
    (void)state;
    struct cgi c;
    struct resp r;

    resp_init(&r);
    resp_json(&r, 200, "{}");
    for (int i = 0; i < 2000; i++) {
        resp_header(&r, "X-Filler", "0123456789");
    }
    assert_int_equal(answer(&c, &r, HTTP_GET), 503);
    assert_memory_equal(c.answer, "Status: 503 Service Unavailable\r\n", 33);
    assert_null(strstr(c.answer, "X-Filler"));
}

/* Texts are cut between characters. */
static void test_problem_cut(void **state)
{
    (void)state;
    struct problem p = {.retry_after_s = 0};
    char text[PROBLEM_DETAIL_BYTES + 10];

    for (size_t i = 0; i + 1 < sizeof(text); i += 2) {
        memcpy(text + i, "\xc3\xa4", 2);
    }
    text[sizeof(text) - 2] = '\0';
    assert_int_equal(problem_set(&p, CONFAB_CONFLICT, text), CONFAB_CONFLICT);
    assert_true(str_is_utf8(slice_of(p.detail)));
    assert_int_equal(strlen(p.detail), PROBLEM_DETAIL_BYTES - 2);
    for (int i = 0; i < PROBLEM_FIELDS_MAX + 3; i++) {
        problem_add_field(&p, slice_of(text), slice_of(text));
    }
    assert_int_equal(p.field_count, PROBLEM_FIELDS_MAX);
    assert_true(str_is_utf8(slice_of(p.fields[0].pointer)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_head_and_empty),
        cmocka_unit_test(test_header_injection),
        cmocka_unit_test(test_problem),
        cmocka_unit_test(test_problem_headers),
        cmocka_unit_test(test_too_big),
        cmocka_unit_test(test_problem_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
