/*
 * input: from path, query and JSON body to parameter texts.
 */
#include "input.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

#define DETAIL_REQUIRED "This is required."

/* How often jansson was refused memory in this process; what it reports then is bad JSON. */
static size_t json_memory_failures;

static void *json_memory_get(size_t size)
{
    void *memory = malloc(size);

    json_memory_failures += memory == NULL;
    return memory;
}

/* Passwords pass through here. */
static void json_memory_free(void *memory)
{
    if (memory != NULL) {
        explicit_bzero(memory, malloc_usable_size(memory));
        free(memory);
    }
}

void input_start(void)
{
    json_set_alloc_funcs(json_memory_get, json_memory_free);
}

/* What reading a field needs, in one place. */
struct reader {
    struct req *req;       /* borrowed */
    struct problem *p;     /* borrowed */
    const struct field *f; /* borrowed (static): the field being read */
    bool out_of_memory;    /* sticky */
};

static void reader_refuse(struct reader *r, const char *detail)
{
    problem_add_field(r->p, slice_of(r->f->name), slice_of(detail));
}

static const char *reader_keep(struct reader *r, const char *text)
{
    r->out_of_memory = r->out_of_memory || text == NULL;
    return text;
}

/* ---- One value ---- */

static const char *read_int(struct reader *r, struct slice text)
{
    int64_t value = 0;
    char detail[PROBLEM_DETAIL_BYTES];

    if (str_to_i64(text, r->f->min, r->f->max, &value)) {
        return reader_keep(r, arena_copy(&r->req->arena, text));
    }
    snprintf(detail, sizeof(detail), "This must be a whole number from %" PRId64 " to %" PRId64 ".",
             r->f->min, r->f->max);
    reader_refuse(r, detail);
    return NULL;
}

static void refuse_length(struct reader *r, const char *unit)
{
    char detail[PROBLEM_DETAIL_BYTES];

    if (r->f->min > 0) {
        snprintf(detail, sizeof(detail), "This must have %" PRId64 " to %" PRId64 " %s.", r->f->min,
                 r->f->max, unit);
    } else {
        snprintf(detail, sizeof(detail), "This may have up to %" PRId64 " %s.", r->f->max, unit);
    }
    reader_refuse(r, detail);
}

/* text is NUL-terminated and lives as long as the request. */
static const char *read_text(struct reader *r, struct slice text)
{
    if (!str_is_utf8(text) || memchr(text.p, '\0', text.n) != NULL) {
        reader_refuse(r, "This must be UTF-8 text without NUL.");
        return NULL;
    }
    bool is_secret = r->f->type == FIELD_SECRET;
    int64_t length = (int64_t)(is_secret ? text.n : str_utf8_count(text));

    if (length < r->f->min || length > r->f->max) {
        refuse_length(r, is_secret ? "bytes" : "characters");
        return NULL;
    }
    return text.p;
}

static const char *read_uuid(struct reader *r, struct slice text)
{
    if (str_is_uuid(text)) {
        return text.p;
    }
    reader_refuse(r, "This must be a UUID.");
    return NULL;
}

static void refuse_list(struct reader *r, const char *of_what)
{
    char detail[PROBLEM_DETAIL_BYTES];

    snprintf(detail, sizeof(detail), "This must be a list of %" PRId64 " to %" PRId64 " %s.",
             r->f->min, r->f->max, of_what);
    reader_refuse(r, detail);
}

static bool is_within(const struct reader *r, size_t count)
{
    return count >= (size_t)r->f->min && count <= (size_t)r->f->max;
}

/* A list of ids while it is read, and then as PostgreSQL writes an array: {1,2,3}. */
struct id_list {
    struct buf text;
    size_t count;
    bool good;
};

static void id_list_init(struct id_list *ids)
{
    *ids = (struct id_list){.good = true};
    buf_init(&ids->text, REQ_MEMORY_BYTES);
    buf_putc(&ids->text, '{');
}

static void id_list_add(struct id_list *ids, bool is_int, int64_t id)
{
    ids->good = ids->good && is_int && id > 0;
    if (ids->count++ > 0) {
        buf_putc(&ids->text, ',');
    }
    buf_put_i64(&ids->text, id);
}

/* The list as a value of the field; clears it. */
static const char *id_list_end(struct reader *r, struct id_list *ids)
{
    const char *kept = NULL;

    buf_putc(&ids->text, '}');
    if (ids->good && is_within(r, ids->count)) {
        kept = buf_failed(&ids->text) ? NULL : arena_copy(&r->req->arena, buf_slice(&ids->text));
        reader_keep(r, kept);
    } else {
        refuse_list(r, "ids");
    }
    buf_clear(&ids->text);
    return kept;
}

static const char *read_text_ids(struct reader *r, struct slice text)
{
    struct id_list ids;
    bool more = true;

    id_list_init(&ids);
    while (more && ids.good) {
        struct slice item;
        int64_t id = 0;

        more = slice_cut(text, ',', &item, &text);
        bool is_int = str_to_i64(item, 1, INT64_MAX, &id);

        id_list_add(&ids, is_int, id);
    }
    return id_list_end(r, &ids);
}

/* A value that came as text: from the path or the query. NUL-terminated. */
static const char *read_from_text(struct reader *r, struct slice text)
{
    switch (r->f->type) {
    case FIELD_INT:
        return read_int(r, text);
    case FIELD_UUID:
        return read_uuid(r, text);
    case FIELD_USER_OR_ME:
        return slice_eq(text, SLICE_LITERAL("me")) ? NULL : read_int(r, text);
    case FIELD_INT_LIST:
        return read_text_ids(r, text);
    default:
        return read_text(r, text);
    }
}

/* The JSON of a value, written compactly. */
static const char *keep_json(struct reader *r, const json_t *value)
{
    /* 15 digits keep 0.1 as 0.1; 17 keep any double exactly. */
    const size_t flags = JSON_COMPACT;
    char *text = json_dumps(value, flags | JSON_REAL_PRECISION(15));
    json_t *back = text == NULL ? NULL : json_loads(text, 0, NULL);
    bool exact = back != NULL && json_equal(back, value);

    json_decref(back);
    if (!exact) {
        free(text);
        text = json_dumps(value, flags | JSON_REAL_PRECISION(17));
    }
    const char *kept = text == NULL ? NULL : arena_copy(&r->req->arena, slice_of(text));

    free(text);
    return reader_keep(r, kept);
}

static const char *read_object(struct reader *r, const json_t *value)
{
    const char *kept = keep_json(r, value);

    if (kept != NULL && strlen(kept) > (size_t)r->f->max) {
        refuse_length(r, "bytes of JSON");
        return NULL;
    }
    return kept;
}

static const char *read_items(struct reader *r, const json_t *value)
{
    size_t i = 0;
    const json_t *item = NULL;
    bool good = is_within(r, json_array_size(value));

    json_array_foreach(value, i, item)
    {
        good = good && json_is_object(item);
    }
    if (!good) {
        refuse_list(r, "objects");
        return NULL;
    }
    return keep_json(r, value);
}

static const char *read_json_ids(struct reader *r, const json_t *value)
{
    struct id_list ids;
    size_t i = 0;
    const json_t *item = NULL;

    id_list_init(&ids);
    json_array_foreach(value, i, item)
    {
        id_list_add(&ids, json_is_integer(item), json_integer_value(item));
    }
    return id_list_end(r, &ids);
}

static const char *read_json_int(struct reader *r, const json_t *value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));

    return read_int(r, (struct slice){text, (size_t)n});
}

/* The strings of jansson are UTF-8, end with NUL and live as long as the body. */
static struct slice json_slice(const json_t *value)
{
    return (struct slice){json_string_value(value), json_string_length(value)};
}

/* A value of the JSON body, which is not null. */
static const char *read_from_json(struct reader *r, const json_t *value)
{
    static const struct {
        json_type type;
        const char *detail; /* when the value is of another type */
    } expected[FIELD_TYPE_MAX] = {
        [FIELD_INT] = {JSON_INTEGER, "This must be a whole number."},
        [FIELD_TEXT] = {JSON_STRING, "This must be a string."},
        [FIELD_RULED] = {JSON_STRING, "This must be a string."},
        [FIELD_SECRET] = {JSON_STRING, "This must be a string."},
        [FIELD_UUID] = {JSON_STRING, "This must be a UUID."},
        [FIELD_BOOL] = {JSON_TRUE, "This must be true or false."},
        [FIELD_OBJECT] = {JSON_OBJECT, "This must be an object."},
        [FIELD_INT_LIST] = {JSON_ARRAY, "This must be a list of ids."},
        [FIELD_ITEMS] = {JSON_ARRAY, "This must be a list of objects."},
        [FIELD_USER_OR_ME] = {JSON_INTEGER, "This must be an id."},
    };
    json_type type = json_is_false(value) ? JSON_TRUE : json_typeof(value);

    if (type != expected[r->f->type].type) {
        reader_refuse(r, expected[r->f->type].detail);
        return NULL;
    }
    switch (r->f->type) {
    case FIELD_INT:
    case FIELD_USER_OR_ME:
        return read_json_int(r, value);
    case FIELD_UUID:
        return read_uuid(r, json_slice(value));
    case FIELD_BOOL:
        return json_is_true(value) ? "true" : "false";
    case FIELD_OBJECT:
        return read_object(r, value);
    case FIELD_INT_LIST:
        return read_json_ids(r, value);
    case FIELD_ITEMS:
        return read_items(r, value);
    default:
        return read_text(r, json_slice(value));
    }
}

/* ---- The query ---- */

/* A decoded, NUL-terminated copy of one part of the query; p NULL when it cannot be decoded. */
static struct slice query_decode(struct reader *r, struct slice part)
{
    char *decoded = arena_alloc(&r->req->arena, part.n + 1);
    size_t len = 0;

    if (reader_keep(r, decoded) == NULL || !str_percent_decode(part, true, decoded, &len)) {
        return (struct slice){NULL, 0};
    }
    return (struct slice){decoded, len};
}

static const char *read_query_field(struct reader *r)
{
    struct slice rest = r->req->query;
    const char *value = NULL;
    bool given = false;

    while (rest.n > 0) {
        struct slice pair;
        struct slice name;
        struct slice text;

        slice_cut(rest, '&', &pair, &rest);
        slice_cut(pair, '=', &name, &text);
        if (!slice_eq(name, slice_of(r->f->name))) {
            continue;
        }
        if (given) {
            reader_refuse(r, "This may be given only once.");
            return NULL;
        }
        given = true;
        struct slice decoded = query_decode(r, text);

        if (decoded.p == NULL) {
            reader_refuse(r, "This is not encoded as a query should be.");
        } else {
            value = read_from_text(r, decoded);
        }
    }
    if (!given && r->f->required) {
        reader_refuse(r, DETAIL_REQUIRED);
    }
    return value;
}

/* ---- The body ---- */

enum body_kind { BODY_JSON, BODY_TEXT, BODY_UNKNOWN };

/* By Content-Type (RFC 9110 8.3); a charset other than UTF-8 is unknown. */
static enum body_kind body_kind(struct slice content_type)
{
    struct slice type;
    struct slice parameters;

    slice_cut(content_type, ';', &type, &parameters);
    type = slice_trim(type);
    while (parameters.n > 0) {
        struct slice parameter;
        struct slice name;
        struct slice value;

        slice_cut(parameters, ';', &parameter, &parameters);
        slice_cut(slice_trim(parameter), '=', &name, &value);
        if (slice_eq_nocase(name, SLICE_LITERAL("charset")) &&
            !slice_eq_nocase(value, SLICE_LITERAL("utf-8")) &&
            !slice_eq_nocase(value, SLICE_LITERAL("\"utf-8\""))) {
            return BODY_UNKNOWN;
        }
    }
    if (slice_eq_nocase(type, SLICE_LITERAL("application/json"))) {
        return BODY_JSON;
    }
    return slice_eq_nocase(type, SLICE_LITERAL("text/plain")) ? BODY_TEXT : BODY_UNKNOWN;
}

/* jansson's own limit on nesting is 2048; this one keeps its recursion shallow. Strings are skipped
 * as JSON writes them; whatever else is wrong with the text is left to jansson. */
static bool json_is_shallow(struct slice text)
{
    bool in_string = false;
    size_t depth = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
        if (depth > INPUT_DEPTH_MAX) {
            return false;
        }
    }
    return true;
}

/* What is wrong with a body, in the words of one who sent it. */
static const char *json_complaint(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_invalid_utf8:
        return "The body is not UTF-8.";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "The body has a NUL character (\\u0000) in a string.";
    case json_error_duplicate_key:
        return "The body has a key twice.";
    case json_error_numeric_overflow:
        return "The body has a number that is too large.";
    default:
        return "The body is not well-formed JSON.";
    }
}

static enum confab_err body_parse(struct input *in, struct slice body, struct problem *p)
{
    json_error_t error;
    size_t failures = json_memory_failures;

    if (!json_is_shallow(body)) {
        return problem_set(p, CONFAB_BAD_REQUEST, "The body is nested too deeply.");
    }
    in->body = json_loadb(body.p == NULL ? "" : body.p, body.n, JSON_REJECT_DUPLICATES, &error);
    if (in->body == NULL) {
        if (json_memory_failures > failures) {
            return CONFAB_NO_MEMORY;
        }
        return problem_set(p, CONFAB_BAD_REQUEST, json_complaint(&error));
    }
    if (!json_is_object(in->body)) {
        return problem_set(p, CONFAB_BAD_REQUEST, "The body is not a JSON object.");
    }
    return CONFAB_OK;
}

/* Parses the body, if the endpoint takes one. */
static enum confab_err body_read(struct input *in, const struct req *req,
                                 const struct endpoint *endpoint, bool may_be_text, bool *is_text,
                                 struct problem *p)
{
    bool has_body = false;

    for (size_t i = 0; i < endpoint->field_count; i++) {
        has_body = has_body || endpoint->fields[i].where == FIELD_BODY;
    }
    *is_text = false;
    if (!has_body) {
        return CONFAB_OK;
    }
    switch (body_kind(req->content_type)) {
    case BODY_JSON:
        return body_parse(in, req->body, p);
    case BODY_TEXT:
        *is_text = may_be_text;
        return may_be_text ? CONFAB_OK
                           : problem_set(p, CONFAB_UNSUPPORTED_MEDIA_TYPE,
                                         "The body must be application/json.");
    default:
        return problem_set(p, CONFAB_UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.");
    }
}

static const char *read_body_field(struct reader *r, const struct input *in, bool is_text)
{
    if (is_text && strcmp(r->f->name, "body") == 0) {
        return read_text(
            r, (struct slice){r->req->body.p == NULL ? "" : r->req->body.p, r->req->body.n});
    }
    const json_t *value = json_object_get(in->body, r->f->name);

    if (value == NULL || json_is_null(value)) {
        if (r->f->required) {
            reader_refuse(r, DETAIL_REQUIRED);
        }
        return NULL;
    }
    return read_from_json(r, value);
}

/* ---- All fields ---- */

/* Path fields come first: what names nothing is not found, whatever else is wrong. */
static enum confab_err path_read(struct input *in, struct req *req, const struct route *route)
{
    struct problem ignored = {.field_count = 0};
    struct reader r = {.req = req, .p = &ignored};
    size_t param = 0;

    for (size_t i = 0; i < route->endpoint->field_count; i++) {
        r.f = &route->endpoint->fields[i];
        if (r.f->where == FIELD_PATH) {
            in->values[i] = read_from_text(&r, route->params[param++]);
        }
    }
    if (r.out_of_memory) {
        return CONFAB_NO_MEMORY;
    }
    return ignored.field_count > 0 ? CONFAB_NOT_FOUND : CONFAB_OK;
}

enum confab_err input_read(struct input *in, struct req *req, const struct route *route,
                           bool may_be_text, struct problem *p)
{
    struct reader r = {.req = req, .p = p};
    bool is_text = false;

    *in = (struct input){.body = NULL};
    enum confab_err err = path_read(in, req, route);

    if (err == CONFAB_OK) {
        err = body_read(in, req, route->endpoint, may_be_text, &is_text, p);
    }
    if (err != CONFAB_OK) {
        return err;
    }
    for (size_t i = 0; i < route->endpoint->field_count; i++) {
        r.f = &route->endpoint->fields[i];
        if (r.f->where == FIELD_QUERY) {
            in->values[i] = read_query_field(&r);
        } else if (r.f->where == FIELD_BODY) {
            in->values[i] = read_body_field(&r, in, is_text);
        }
    }
    if (r.out_of_memory) {
        p->field_count = 0; /* of the last fields nothing is known */
        return CONFAB_NO_MEMORY;
    }
    return p->field_count > 0 ? problem_set(p, CONFAB_INVALID, PROBLEM_FIELDS_DETAIL) : CONFAB_OK;
}

void input_clear(struct input *in)
{
    json_decref(in->body);
    *in = (struct input){.body = NULL};
}
