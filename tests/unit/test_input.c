/*
 * Fields out of path, query and JSON: each type, each way to be bad, and all of them at once.
 */
#include "fcgi-app/input.h"

#include <string.h>

#include "common/buf.h"
#include "unit.h"

static const struct field fields[] = {
    {"id", FIELD_PATH, FIELD_INT, true, 1, INT64_MAX},
    {"limit", FIELD_QUERY, FIELD_INT, false, 1, 200},
    {"q", FIELD_QUERY, FIELD_TEXT, true, 1, 5},
    {"name", FIELD_BODY, FIELD_TEXT, true, 1, 5},
    {"secret", FIELD_BODY, FIELD_SECRET, false, 2, 4},
    {"flag", FIELD_BODY, FIELD_BOOL, false, 0, 0},
    {"meta", FIELD_BODY, FIELD_OBJECT, false, 0, 40},
    {"ids", FIELD_BODY, FIELD_INT_LIST, false, 0, 3},
};
enum { ID, LIMIT, Q, NAME, SECRET, FLAG, META, IDS };

static const struct endpoint endpoint = {
    .method = HTTP_POST, .path = "/x/{id}", .fields = fields, .field_count = COUNT(fields)};

static const struct field text_fields[] = {
    {"body", FIELD_BODY, FIELD_TEXT, true, 1, 10},
    {"client_id", FIELD_BODY, FIELD_UUID, false, 0, 0},
};
static const struct endpoint text_endpoint = {.method = HTTP_POST,
                                              .path = "/t",
                                              .text_body = true,
                                              .fields = text_fields,
                                              .field_count = COUNT(text_fields)};

static const struct field list_fields[] = {
    {"rooms", FIELD_QUERY, FIELD_INT_LIST, false, 2, 3},
    {"items", FIELD_BODY, FIELD_ITEMS, true, 1, 2},
};
enum { ROOMS, ITEMS };
static const struct endpoint list_endpoint = {
    .method = HTTP_POST, .path = "/l", .fields = list_fields, .field_count = COUNT(list_fields)};

static const struct settings settings = {.request_body_bytes = 65536};

/* What one reading gave; values must be looked at before reading_clear. */
struct reading {
    struct req req;
    struct input in;
    struct problem p;
    enum confab_err err;
};

static void read_with(struct reading *r, const struct endpoint *e, const char *param,
                      const char *query, const char *type, struct slice body, bool may_be_text)
{
    struct route route = {.endpoint = e, .params = {slice_of(param)}, .param_count = 1};

    memset(r, 0, sizeof(*r));
    req_init(&r->req, &settings);
    r->req.query = slice_of(query);
    r->req.content_type = slice_of(type);
    r->req.body = body;
    r->err = input_read(&r->in, &r->req, &route, may_be_text, &r->p);
}

static void reading_clear(struct reading *r)
{
    input_clear(&r->in);
    req_clear(&r->req);
}

static void read_json(struct reading *r, const char *param, const char *query, const char *body)
{
    read_with(r, &endpoint, param, query, "application/json", slice_of(body), false);
}

static void test_good(void **state)
{
    (void)state;
    struct reading r;

    read_json(&r, "17", "x=1&q=%D0%9F+%41&limit=007&unknown",
              "{\"name\":\"\\u00e4\\ud83d\\ude00\",\"secret\":\"\xc3\xa4\",\"flag\":true,"
              "\"meta\":{\"a\":[0.1,{}],\"b\":null},\"ids\":[3,1],\"unknown\":[1]}");
    assert_int_equal(r.err, CONFAB_OK);
    assert_string_equal(r.in.values[ID], "17");
    assert_string_equal(r.in.values[LIMIT], "007");
    assert_string_equal(r.in.values[Q], "\xd0\x9f A");
    assert_string_equal(r.in.values[NAME], "\xc3\xa4\xf0\x9f\x98\x80");
    assert_string_equal(r.in.values[SECRET], "\xc3\xa4");
    assert_string_equal(r.in.values[FLAG], "true");
    assert_string_equal(r.in.values[META], "{\"a\":[0.1,{}],\"b\":null}");
    assert_string_equal(r.in.values[IDS], "{3,1}");
    reading_clear(&r);
}

static void test_absent(void **state)
{
    (void)state;
    struct reading r;

    read_json(&r, "1", "q=a", "{\"name\":\"a\",\"flag\":null,\"ids\":[]}");
    assert_int_equal(r.err, CONFAB_OK);
    assert_null(r.in.values[LIMIT]);
    assert_null(r.in.values[SECRET]);
    assert_null(r.in.values[FLAG]);
    assert_null(r.in.values[META]);
    assert_string_equal(r.in.values[IDS], "{}");
    reading_clear(&r);
}

static void test_bad_field(void **state)
{
    (void)state;
    static const struct {
        const char *query, *body, *pointer;
    } rows[] = {
        {"", "{\"name\":\"a\"}", "/q"},
        {"q=", "{\"name\":\"a\"}", "/q"},
        {"q=abcdef", "{\"name\":\"a\"}", "/q"},
        {"q=a&q=b", "{\"name\":\"a\"}", "/q"},
        {"q=%ff", "{\"name\":\"a\"}", "/q"},
        {"q=%4", "{\"name\":\"a\"}", "/q"},
        {"q=a%00", "{\"name\":\"a\"}", "/q"},
        {"q=a&limit=0", "{\"name\":\"a\"}", "/limit"},
        {"q=a&limit=201", "{\"name\":\"a\"}", "/limit"},
        {"q=a&limit=1.5", "{\"name\":\"a\"}", "/limit"},
        {"q=a&limit=", "{\"name\":\"a\"}", "/limit"},
        {"q=a", "{}", "/name"},
        {"q=a", "{\"name\":null}", "/name"},
        {"q=a", "{\"name\":\"\"}", "/name"},
        {"q=a", "{\"name\":\"abcdef\"}", "/name"},
        {"q=a", "{\"name\":5}", "/name"},
        {"q=a", "{\"name\":[\"a\"]}", "/name"},
        {"q=a", "{\"name\":true}", "/name"},
        {"q=a", "{\"name\":\"a\",\"secret\":\"x\"}", "/secret"},
        {"q=a", "{\"name\":\"a\",\"secret\":\"\xc3\xa4\xc3\xa4z\"}", "/secret"},
        {"q=a", "{\"name\":\"a\",\"flag\":1}", "/flag"},
        {"q=a", "{\"name\":\"a\",\"flag\":\"true\"}", "/flag"},
        {"q=a", "{\"name\":\"a\",\"meta\":[]}", "/meta"},
        {"q=a", "{\"name\":\"a\",\"meta\":{\"k\":\"0123456789012345678901234567890123456789\"}}",
         "/meta"},
        {"q=a", "{\"name\":\"a\",\"ids\":{}}", "/ids"},
        {"q=a", "{\"name\":\"a\",\"ids\":[1,2,3,4]}", "/ids"},
        {"q=a", "{\"name\":\"a\",\"ids\":[1,0]}", "/ids"},
        {"q=a", "{\"name\":\"a\",\"ids\":[1,\"2\"]}", "/ids"},
        {"q=a", "{\"name\":\"a\",\"ids\":[1.0]}", "/ids"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reading r;

        read_json(&r, "1", rows[i].query, rows[i].body);
        assert_int_equal(r.err, CONFAB_INVALID);
        assert_int_equal(r.p.field_count, 1);
        assert_string_equal(r.p.fields[0].pointer, rows[i].pointer);
        assert_true(strlen(r.p.fields[0].detail) > 0);
        reading_clear(&r);
    }
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *query, *body, *rooms, *items; /* NULL: refused, but for absent rooms */
    } rows[] = {
        {"", "[{}]", NULL, "[{}]"},
        {"rooms=1,2", "[{\"a\":[1,0.1]},{}]", "{1,2}", "[{\"a\":[1,0.1]},{}]"},
        {"rooms=9223372036854775807,2%2c2", "[{}]", "{9223372036854775807,2,2}", "[{}]"},
        {"rooms=", "[{}]", NULL, "[{}]"},
        {"rooms=1", "[{}]", NULL, "[{}]"},
        {"rooms=1,2,3,4", "[{}]", NULL, "[{}]"},
        {"rooms=1,", "[{}]", NULL, "[{}]"},
        {"rooms=1,,2", "[{}]", NULL, "[{}]"},
        {"rooms=1,+2", "[{}]", NULL, "[{}]"},
        {"rooms=0,1", "[{}]", NULL, "[{}]"},
        {"rooms=1,9223372036854775808", "[{}]", NULL, "[{}]"},
        {"rooms={1,2}", "[{}]", NULL, "[{}]"},
        {"rooms=1,2%00", "[{}]", NULL, "[{}]"},
        {"", "{}", NULL, NULL},
        {"", "\"[{}]\"", NULL, NULL},
        {"", "[]", NULL, NULL},
        {"", "[{},{},{}]", NULL, NULL},
        {"", "[{},[]]", NULL, NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reading r;
        char body[100];
        bool refused = rows[i].items == NULL || (rows[i].rooms == NULL && rows[i].query[0] != '\0');

        snprintf(body, sizeof(body), "{\"items\":%s}", rows[i].body);
        read_with(&r, &list_endpoint, "1", rows[i].query, "application/json", slice_of(body),
                  false);
        assert_int_equal(r.err, refused ? CONFAB_INVALID : CONFAB_OK);
        assert_int_equal(r.p.field_count, refused);
        if (rows[i].rooms != NULL) {
            assert_string_equal(r.in.values[ROOMS], rows[i].rooms);
        } else {
            assert_null(r.in.values[ROOMS]);
        }
        if (rows[i].items != NULL) {
            assert_string_equal(r.in.values[ITEMS], rows[i].items);
        } else {
            assert_null(r.in.values[ITEMS]);
        }
        reading_clear(&r);
    }
}

static void test_all_at_once(void **state)
{
    (void)state;
    static const char *const pointers[] = {"/limit", "/q",    "/name", "/secret",
                                           "/flag",  "/meta", "/ids"};
    struct reading r;

    read_json(&r, "1", "limit=x", "{\"secret\":1,\"flag\":1,\"meta\":1,\"ids\":1}");
    assert_int_equal(r.err, CONFAB_INVALID);
    assert_int_equal(r.p.field_count, COUNT(pointers));
    for (size_t i = 0; i < COUNT(pointers); i++) {
        assert_string_equal(r.p.fields[i].pointer, pointers[i]);
    }
    reading_clear(&r);
}

static void test_bad_path(void **state)
{
    (void)state;
    static const char *const params[] = {"0", "-1", "x", "1x", "9223372036854775808", "me", " 1"};

    for (size_t i = 0; i < COUNT(params); i++) {
        struct reading r;

        read_json(&r, params[i], "", "{");
        assert_int_equal(r.err, CONFAB_NOT_FOUND);
        reading_clear(&r);
    }
}

static void test_bad_json(void **state)
{
    (void)state;
    static const struct slice bodies[] = {
        SLICE_LITERAL(""),
        SLICE_LITERAL("null"),
        SLICE_LITERAL("[]"),
        SLICE_LITERAL("\"name\""),
        SLICE_LITERAL("{\"name\":\"a\""),
        SLICE_LITERAL("{\"name\":\"a\"} x"),
        SLICE_LITERAL("{\"name\":\"a\",\"name\":\"b\"}"),
        SLICE_LITERAL("{\"name\":\"\xff\"}"),
        SLICE_LITERAL("{\"name\":\"\xed\xa0\x80\"}"),
        SLICE_LITERAL("{\"name\":\"\\ud800\"}"),
        SLICE_LITERAL("{\"name\":\"a\\u0000\"}"),
        SLICE_LITERAL("{\"name\":\"a\0\"}"),
        SLICE_LITERAL("{\"name\":\"a\"}\0"),
        SLICE_LITERAL("{'name':'a'}"),
        SLICE_LITERAL("\xef\xbb\xbf{\"name\":\"a\"}"),
        SLICE_LITERAL("{\"name\":1e999}"),
        SLICE_LITERAL("{\"name\":99999999999999999999}"),
        SLICE_LITERAL("\\"),
        SLICE_LITERAL("\"\\"),
    };

    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct reading r;

        read_with(&r, &endpoint, "1", "q=a", "application/json", bodies[i], false);
        assert_int_equal(r.err, CONFAB_BAD_REQUEST);
        assert_true(strlen(r.p.detail) > 0);
        reading_clear(&r);
    }
}

/* A good body that is cut anywhere is bad JSON, and nothing worse. */
static void test_split(void **state)
{
    (void)state;
    static const char body[] = "{\"name\":\"\\u00e4\xc3\xa4\",\"meta\":{\"a\":[1,-2.5e3]}}";

    for (size_t n = 0; n < sizeof(body) - 1; n++) {
        struct reading r;

        read_with(&r, &endpoint, "1", "q=a", "application/json", (struct slice){body, n}, false);
        assert_int_equal(r.err, CONFAB_BAD_REQUEST);
        reading_clear(&r);
    }
}

/* A body whose objects are nested depth levels deep, itself included. */
static void nested(struct buf *out, size_t depth)
{
    buf_reset(out);
    buf_puts(out, "{\"name\":\"[[[[[{{{{{\\\"[[[\",\"meta\":");
    for (size_t i = 1; i < depth; i++) {
        buf_puts(out, "{\"a\":");
    }
    buf_putc(out, '1');
    for (size_t i = 0; i < depth; i++) {
        buf_putc(out, '}');
    }
    assert_false(buf_failed(out));
}

static void test_depth(void **state)
{
    (void)state;
    struct buf body;
    struct reading r;

    buf_init(&body, 20000);
    nested(&body, INPUT_DEPTH_MAX);
    read_json(&r, "1", "q=a", buf_str(&body));
    assert_int_equal(r.err, CONFAB_INVALID); /* name and meta are too long, but it is JSON */
    reading_clear(&r);
    nested(&body, INPUT_DEPTH_MAX + 1);
    read_json(&r, "1", "q=a", buf_str(&body));
    assert_int_equal(r.err, CONFAB_BAD_REQUEST);
    assert_string_equal(r.p.detail, "The body is nested too deeply.");
    reading_clear(&r);
    nested(&body, 2500);
    read_json(&r, "1", "q=a", buf_str(&body));
    assert_int_equal(r.err, CONFAB_BAD_REQUEST);
    reading_clear(&r);
    buf_clear(&body);
}

static void test_content_type(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        bool may_be_text;
        enum confab_err err;
    } rows[] = {
        {"application/json", false, CONFAB_OK},
        {"Application/JSON ; charset=UTF-8", false, CONFAB_OK},
        {"application/json;charset=\"utf-8\"", false, CONFAB_OK},
        {"application/json; charset=latin1", false, CONFAB_UNSUPPORTED_MEDIA_TYPE},
        {"application/jsonp", false, CONFAB_UNSUPPORTED_MEDIA_TYPE},
        {"application/x-www-form-urlencoded", true, CONFAB_UNSUPPORTED_MEDIA_TYPE},
        {"multipart/form-data; boundary=x", true, CONFAB_UNSUPPORTED_MEDIA_TYPE},
        {"", true, CONFAB_UNSUPPORTED_MEDIA_TYPE},
        {"text/plain", false, CONFAB_UNSUPPORTED_MEDIA_TYPE},
        {"text/plain; charset=utf-16", true, CONFAB_UNSUPPORTED_MEDIA_TYPE},
        {"text/plain", true, CONFAB_INVALID}, /* as text the JSON is over 10 characters */
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reading r;

        read_with(&r, &text_endpoint, "", "", rows[i].type, slice_of("{\"body\":\"0123456789\"}"),
                  rows[i].may_be_text);
        assert_int_equal(r.err, rows[i].err);
        reading_clear(&r);
    }
}

static void test_text_body(void **state)
{
    (void)state;
    struct reading r;

    read_with(&r, &text_endpoint, "", "", "text/plain; charset=utf-8", slice_of("{\xc3\xa4"), true);
    assert_int_equal(r.err, CONFAB_OK);
    assert_string_equal(r.in.values[0], "{\xc3\xa4");
    assert_null(r.in.values[1]);
    reading_clear(&r);

    static const struct slice bad[] = {SLICE_LITERAL(""), SLICE_LITERAL("\xff"),
                                       SLICE_LITERAL("a\0b"), SLICE_LITERAL("12345678901")};

    for (size_t i = 0; i < COUNT(bad); i++) {
        read_with(&r, &text_endpoint, "", "", "text/plain", bad[i], true);
        assert_int_equal(r.err, CONFAB_INVALID);
        assert_string_equal(r.p.fields[0].pointer, "/body");
        reading_clear(&r);
    }
}

static void test_uuid(void **state)
{
    (void)state;
    struct reading r;

    read_with(&r, &text_endpoint, "", "", "application/json",
              slice_of("{\"body\":\"a\",\"client_id\":\"01234567-89ab-cdef-0123-456789abcdef\"}"),
              false);
    assert_int_equal(r.err, CONFAB_OK);
    assert_string_equal(r.in.values[1], "01234567-89ab-cdef-0123-456789abcdef");
    reading_clear(&r);
    read_with(&r, &text_endpoint, "", "", "application/json",
              slice_of("{\"body\":\"a\",\"client_id\":\"1\"}"), false);
    assert_int_equal(r.err, CONFAB_INVALID);
    assert_string_equal(r.p.fields[0].pointer, "/client_id");
    reading_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_bad_field),   cmocka_unit_test(test_lists),
        cmocka_unit_test(test_all_at_once), cmocka_unit_test(test_bad_path),
        cmocka_unit_test(test_bad_json),    cmocka_unit_test(test_split),
        cmocka_unit_test(test_depth),       cmocka_unit_test(test_content_type),
        cmocka_unit_test(test_text_body),   cmocka_unit_test(test_uuid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
