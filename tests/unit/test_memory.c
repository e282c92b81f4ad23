/*
 * Out of memory at every allocation in turn: each operation fails cleanly, changes nothing and
 * leaks nothing (ASan watches). Linked with --wrap for the allocators.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/map.h"
#include "common/settings.h"
#include "fcgi-app/input.h"
#include "fcgi-app/resp.h"
#include "push-daemon/hub.h"
#include "push-daemon/ws.h"
#include "unit.h"

static size_t allocations_left = SIZE_MAX;

static bool allocation_allowed(void)
{
    if (allocations_left == 0) {
        errno = ENOMEM;
        return false;
    }
    allocations_left--;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strndup(const char *s, size_t n);

void *__wrap_malloc(size_t size)
{
    return allocation_allowed() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return allocation_allowed() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
    return allocation_allowed() ? __real_realloc(old, size) : NULL;
}

char *__wrap_strndup(const char *s, size_t n)
{
    return allocation_allowed() ? __real_strndup(s, n) : NULL;
}

/* Runs attempt with 0, 1, 2 … allocations allowed until it succeeds; it must fail before that. */
static void exhaust(bool (*attempt)(void))
{
    size_t allowed = 0;
    bool done = false;

    while (!done) {
        allocations_left = allowed++;
        done = attempt();
        allocations_left = SIZE_MAX;
    }
    assert_true(allowed > 1);
}

static bool attempt_buf(void)
{
    struct buf b;

    buf_init(&b, 10000);
    for (int i = 0; i < 100; i++) {
        buf_puts(&b, "some bytes");
        buf_printf(&b, "%d", i);
    }
    char *bytes = buf_steal(&b);
    bool done = bytes != NULL;

    free(bytes);
    buf_clear(&b);
    return done;
}

static bool attempt_map(void)
{
    struct map m;
    bool done = true;
    char value;

    map_init(&m);
    for (uint64_t key = 0; done && key < 100; key++) {
        size_t before = m.count;

        done = map_put(&m, key, &value);
        assert_true(m.count == before + done);
    }
    map_clear(&m);
    return done;
}

static bool attempt_settings(void)
{
    static const char text[] = "database = x\norigins = https://a.example\n";
    struct settings s;
    struct conf_error e;
    enum confab_err err = conf_defaults(&settings_table, &s);

    if (err == CONFAB_OK) {
        err = conf_read_text(&settings_table, &s, "test", text, sizeof(text) - 1, &e);
        conf_clear(&settings_table, &s);
    }
    assert_true(err == CONFAB_OK || err == CONFAB_NO_MEMORY);
    return err == CONFAB_OK;
}

static bool attempt_input(void)
{
    static const struct field fields[] = {
        {"name", FIELD_BODY, FIELD_TEXT, true, 1, 100},
        {"meta", FIELD_BODY, FIELD_OBJECT, false, 0, 1000},
        {"ids", FIELD_BODY, FIELD_INT_LIST, false, 0, 100},
        {"q", FIELD_QUERY, FIELD_TEXT, true, 1, 100},
    };
    static const struct endpoint endpoint = {
        .method = HTTP_POST, .path = "/x", .fields = fields, .field_count = COUNT(fields)};
    static const struct settings settings = {.request_body_bytes = 65536};
    const struct route route = {.endpoint = &endpoint};
    struct problem problem = {.field_count = 0};
    struct input input;
    struct req req;

    req_init(&req, &settings);
    req.content_type = slice_of("application/json");
    req.query = slice_of("q=a%20b");
    req.body = slice_of("{\"name\":\"n\",\"meta\":{\"a\":[1,2.5]},\"ids\":[1,2]}");
    enum confab_err err = input_read(&input, &req, &route, false, &problem);

    assert_true(err == CONFAB_OK || err == CONFAB_NO_MEMORY);
    assert_int_equal(problem.field_count, 0);
    input_clear(&input);
    req_clear(&req);
    return err == CONFAB_OK;
}

/* Without memory a problem is still a problem with its status, if need be an empty one. */
static bool attempt_problem(void)
{
    struct problem problem = {.field_count = 0};
    struct resp resp;

    problem_add_field(&problem, SLICE_LITERAL("name"), SLICE_LITERAL("No."));
    resp_init(&resp);
    resp_problem(&resp, CONFAB_INVALID, &problem, "0123456789abcdef");
    assert_int_equal(resp.status, 422);
    bool done = !buf_failed(&resp.body) && strstr(buf_str(&resp.body), "\"/name\"") != NULL;

    resp_clear(&resp);
    return done;
}

/* A text in two fragments, and a ping between them that is cut. */
static bool attempt_ws(void)
{
    char bytes[] = "\x01\x81\0\0\0\0a"
                   "\x89\x82\0\0\0\0bc"
                   "\x80\x81\0\0\0\0d";
    size_t chunk = 7 + 7;
    size_t rest = sizeof bytes - 1 - chunk;
    char *at = bytes;
    struct ws_reader r;
    struct ws_message m;

    ws_reader_init(&r, 1000);
    enum confab_err err = ws_read(&r, &at, &chunk, &m);

    if (err == CONFAB_NEED_MORE) {
        err = ws_read(&r, &at, &rest, &m);
        assert_true(err != CONFAB_OK || slice_eq(m.payload, SLICE_LITERAL("bc")));
    }
    if (err == CONFAB_OK) {
        err = ws_read(&r, &at, &rest, &m);
        assert_true(err != CONFAB_OK || slice_eq(m.payload, SLICE_LITERAL("ad")));
    }
    assert_true(err == CONFAB_OK || err == CONFAB_NO_MEMORY);
    ws_reader_clear(&r);
    return err == CONFAB_OK;
}

/* A subscriber whose user is in more rooms each time. */
static bool attempt_hub(void)
{
    static const struct hub_membership rooms[] = {{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}};
    struct hub hub;
    struct hub_sub sub = {.user = NULL};

    hub_init(&hub, NULL);
    bool done = hub_attach(&hub, &sub, 1);

    for (size_t n = 1; done && n <= COUNT(rooms); n++) {
        done = hub_set_rooms(&hub, 1, rooms, n) != HUB_NO_MEMORY;
        assert_true(hub_room_count(&hub) <= n);
        assert_true(!done || hub_room_count(&hub) == n);
    }
    hub_detach(&hub, &sub);
    hub_clear(&hub);
    return done;
}

static void test_hub(void **state)
{
    (void)state;
    exhaust(attempt_hub);
}

static void test_ws(void **state)
{
    (void)state;
    exhaust(attempt_ws);
}

static void test_input(void **state)
{
    (void)state;
    exhaust(attempt_input);
}

static void test_problem(void **state)
{
    (void)state;
    exhaust(attempt_problem);
}

static void test_buf(void **state)
{
    (void)state;
    exhaust(attempt_buf);
}

static void test_map(void **state)
{
    (void)state;
    exhaust(attempt_map);
}

static void test_settings(void **state)
{
    (void)state;
    exhaust(attempt_settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf),      cmocka_unit_test(test_map),
        cmocka_unit_test(test_settings), cmocka_unit_test(test_input),
        cmocka_unit_test(test_problem),  cmocka_unit_test(test_hub),
        cmocka_unit_test(test_ws),
    };

    input_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
