/*
 * messages: sending, and reading of a room's history.
 */
#include "exchange.h"

#define MESSAGE_CHARS_MAX 10000
#define META_BYTES_MAX    4096

static const struct field send_fields[] = {
    {"room", FIELD_PATH, FIELD_INT, true, 1, INT64_MAX},
    {"body", FIELD_BODY, FIELD_RULED, true, 1, MESSAGE_CHARS_MAX},
    {"type", FIELD_BODY, FIELD_RULED, false, 1, 32},
    {"meta", FIELD_BODY, FIELD_OBJECT, false, 0, META_BYTES_MAX},
    {"client_id", FIELD_BODY, FIELD_UUID, false, 0, 0},
    {"reply_to", FIELD_BODY, FIELD_INT, false, 1, INT64_MAX},
};
enum { SEND_CLIENT_ID = 4 };

/* The UUID of an Idempotency-Key header, with or without the quotes of a structured field. */
static struct slice idempotency_key(const struct req *req)
{
    struct slice key = slice_trim(req->idempotency_key);

    if (key.n >= 2 && key.p[0] == '"' && key.p[key.n - 1] == '"') {
        key.p++;
        key.n -= 2;
    }
    return key;
}

/* Takes the client_id from Idempotency-Key where the body has none; both must agree. */
static enum confab_err client_id_settle(struct exchange *x)
{
    struct slice key = idempotency_key(&x->req);
    const char **client_id = &x->input.values[SEND_CLIENT_ID];

    if (key.n == 0) {
        return CONFAB_OK;
    }
    if (!str_is_uuid(key)) {
        problem_add_field(&x->problem, SLICE_LITERAL("client_id"),
                          SLICE_LITERAL("Idempotency-Key must be a UUID."));
        return problem_set(&x->problem, CONFAB_INVALID, PROBLEM_FIELDS_DETAIL);
    }
    if (*client_id != NULL && !slice_eq_nocase(slice_of(*client_id), key)) {
        problem_add_field(&x->problem, SLICE_LITERAL("client_id"),
                          SLICE_LITERAL("Idempotency-Key says something else."));
        return problem_set(&x->problem, CONFAB_INVALID, PROBLEM_FIELDS_DETAIL);
    }
    *client_id = arena_copy(&x->req.arena, key);
    return *client_id == NULL ? CONFAB_NO_MEMORY : CONFAB_OK;
}

/*
 * POST /rooms/{room}/messages: 201 for a new message, 200 for one that was sent before with the
 * same client_id. With a client_id it may be repeated when the connection is lost.
 */
static enum confab_err handle_send(struct exchange *x)
{
    enum confab_err err = client_id_settle(x);

    if (err == CONFAB_OK) {
        err = exchange_pass(x, x->input.values[SEND_CLIENT_ID] != NULL);
    }
    if (err == CONFAB_OK && x->resp.status == 200) {
        resp_header(&x->resp, "Idempotent-Replay", "true");
    }
    return err;
}

static const struct field list_fields[] = {
    {"room", FIELD_PATH, FIELD_INT, true, 1, INT64_MAX},
    {"before", FIELD_QUERY, FIELD_INT, false, 0, INT64_MAX},
    {"after", FIELD_QUERY, FIELD_INT, false, 0, INT64_MAX - 1},
    {"around", FIELD_QUERY, FIELD_INT, false, 0, INT64_MAX},
    {"limit", FIELD_QUERY, FIELD_INT, false, 1, PAGE_LIMIT_MAX},
};

static const struct field message_fields[] = {
    {"room", FIELD_PATH, FIELD_INT, true, 1, INT64_MAX},
    {"seq", FIELD_PATH, FIELD_INT, true, 1, INT64_MAX},
};

static const struct endpoint endpoints[] = {
    {HTTP_POST, "/rooms/{room}/messages", AUTH_TOKEN, true, STMT_MESSAGE_SEND, FIELDS(send_fields),
     handle_send},
    {HTTP_GET, "/rooms/{room}/messages", AUTH_TOKEN, false, STMT_MESSAGE_LIST, FIELDS(list_fields),
     NULL},
    {HTTP_GET, "/rooms/{room}/messages/{seq}", AUTH_TOKEN, false, STMT_MESSAGE,
     FIELDS(message_fields), NULL},
};

const struct endpoint_table messages_endpoints = ENDPOINT_TABLE(endpoints);
