/*
 * The endpoint tables are consistent, and addresses find their rows.
 */
#include "fcgi-app/route.h"

#include <string.h>

#include "unit.h"

/* The names in the braces of a template, in order, are the path fields. */
static void check_path_fields(const struct endpoint *e)
{
    const char *at = e->path;
    size_t params = 0;

    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];

        if (f->where == FIELD_PATH) {
            at = strchr(at, '{');
            assert_non_null(at);
            at++;
            assert_memory_equal(at, f->name, strlen(f->name));
            assert_int_equal(at[strlen(f->name)], '}');
            params++;
        }
    }
    assert_null(strchr(at, '{'));
    assert_true(params <= ROUTE_PARAMS_MAX);
}

static void test_tables(void **state)
{
    (void)state;
    const struct endpoint *e = NULL;
    size_t at = 0;
    size_t count = 0;

    while ((e = route_next(&at)) != NULL) {
        count++;
        assert_int_equal(e->path[0], '/');
        assert_true(e->field_count <= ROUTE_FIELDS_MAX);
        check_path_fields(e);
        for (size_t i = 0; i < e->field_count; i++) {
            assert_true(e->fields[i].min <= e->fields[i].max);
        }
        if (e->handle == NULL) {
            assert_int_equal(e->field_count + (e->auth == AUTH_TOKEN),
                             stmt_table[e->stmt].param_count);
        }
        if (e->method == HTTP_GET) {
            for (size_t i = 0; i < e->field_count; i++) {
                assert_int_not_equal(e->fields[i].where, FIELD_BODY);
            }
        }
    }
    assert_true(count > 20);
}

/* No two rows for one method and template, and no row that another one hides. */
static void test_no_doubles(void **state)
{
    (void)state;
    const struct endpoint *e = NULL;
    size_t at = 0;

    while ((e = route_next(&at)) != NULL) {
        const struct endpoint *other = NULL;
        size_t behind = at;

        while ((other = route_next(&behind)) != NULL) {
            assert_false(e->method == other->method && strcmp(e->path, other->path) == 0);
        }
    }
}

static void test_statements(void **state)
{
    (void)state;
    for (int i = 0; i < STMT_MAX; i++) {
        const struct stmt_row *row = &stmt_table[i];
        int highest = 0;

        assert_non_null(row->name);
        for (const char *p = row->sql; *p != '\0'; p++) {
            if (*p == '$' && p[1] - '0' > highest) {
                highest = p[1] - '0';
            }
        }
        assert_int_equal(highest, row->param_count);
        assert_true(row->param_count <= STMT_PARAMS_MAX);
    }
}

static void test_find(void **state)
{
    (void)state;
    static const struct {
        enum http_method method;
        const char *path;
        enum confab_err err;
        const char *template; /* of the endpoint */
        const char *params[ROUTE_PARAMS_MAX];
        const char *allow;
    } rows[] = {
        {HTTP_GET, "/rooms", CONFAB_OK, "/rooms", {0}, "GET, HEAD, POST, OPTIONS"},
        {HTTP_HEAD, "/rooms", CONFAB_OK, "/rooms", {0}, "GET, HEAD, POST, OPTIONS"},
        {HTTP_OPTIONS, "/session", CONFAB_OK, "/session", {0}, "GET, HEAD, POST, DELETE, OPTIONS"},
        {HTTP_DELETE, "/rooms", CONFAB_METHOD_NOT_ALLOWED, NULL, {0}, "GET, HEAD, POST, OPTIONS"},
        {HTTP_OTHER, "/health", CONFAB_METHOD_NOT_ALLOWED, NULL, {0}, "GET, HEAD, OPTIONS"},
        {HTTP_HEAD, "/dialogs/1", CONFAB_METHOD_NOT_ALLOWED, NULL, {0}, "PUT, OPTIONS"},
        {HTTP_GET,
         "/rooms/17/messages/3",
         CONFAB_OK,
         "/rooms/{room}/messages/{seq}",
         {"17", "3"},
         "GET, HEAD, OPTIONS"},
        {HTTP_PUT,
         "/rooms/a%20b/members/%6de",
         CONFAB_OK,
         "/rooms/{room}/members/{user}",
         {"a b", "me"},
         "PUT, DELETE, OPTIONS"},
        {HTTP_GET, "/rooms/1%2F2", CONFAB_OK, "/rooms/{room}", {"1/2"}, "GET, HEAD, OPTIONS"},
        {HTTP_GET, "/rooms/%", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "/rooms/%00", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "/", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "/room", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "/roomss", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "/Rooms", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "/rooms/", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "//rooms", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "/rooms//messages", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "/rooms/1/messages/2/", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "/rooms/1/messages/2/3", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "/{room}", CONFAB_NO_ROUTE, NULL, {0}, NULL},
        {HTTP_GET, "/../rooms", CONFAB_NO_ROUTE, NULL, {0}, NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena;
        struct route route;

        arena_init(&arena, 10000);
        assert_int_equal(route_find(rows[i].method, slice_of(rows[i].path), &arena, &route),
                         rows[i].err);
        if (rows[i].err == CONFAB_OK) {
            assert_string_equal(route.endpoint->path, rows[i].template);
            for (size_t n = 0; n < route.param_count; n++) {
                assert_true(slice_eq(route.params[n], slice_of(rows[i].params[n])));
            }
        }
        if (rows[i].allow != NULL) {
            assert_string_equal(route.allow, rows[i].allow);
        }
        arena_clear(&arena);
    }
}

static void test_below_base(void **state)
{
    (void)state;
    static const struct {
        const char *path, *prefix;
        const char *below; /* NULL: not ours */
    } rows[] = {
        {"/api/v1/rooms", "", "/rooms"},
        {"/api/v1/", "", "/"},
        {"/api/v1", "", NULL},
        {"/api/v1x/rooms", "", NULL},
        {"/api/v2/rooms", "", NULL},
        {"/chat/api/v1/rooms", "", NULL},
        {"/chat/api/v1/rooms", "/chat", "/rooms"},
        {"/chatter/api/v1/rooms", "/chat", NULL},
        {"/api/v1/rooms", "/chat", NULL},
        {"", "", NULL},
        {"*", "", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice below = {NULL, 0};

        assert_int_equal(route_below_base(slice_of(rows[i].path), rows[i].prefix, &below),
                         rows[i].below == NULL ? CONFAB_NO_ROUTE : CONFAB_OK);
        assert_true(slice_eq(below, slice_of(rows[i].below)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),     cmocka_unit_test(test_no_doubles),
        cmocka_unit_test(test_statements), cmocka_unit_test(test_find),
        cmocka_unit_test(test_below_base),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
