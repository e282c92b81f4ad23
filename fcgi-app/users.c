/*
 * users: registering, finding people, oneself.
 */
#include <sodium.h>

#include "exchange.h"

static const struct field register_fields[] = {
    {"login", FIELD_BODY, FIELD_RULED, true, 1, 64},
    {"password", FIELD_BODY, FIELD_SECRET, true, PASSWORD_BYTES_MIN, PASSWORD_BYTES_MAX},
    {"display_name", FIELD_BODY, FIELD_RULED, true, 1, 64},
    {"token", FIELD_BODY, FIELD_BOOL, false, 0, 0},
};
enum { REGISTER_LOGIN, REGISTER_PASSWORD, REGISTER_DISPLAY_NAME, REGISTER_TOKEN };

/*
 * POST /users: makes a person and logs him in, as POST /session does. Not repeated when the
 * connection is lost: the second time would find the login taken.
 */
static enum confab_err handle_register(struct exchange *x)
{
    const char *const *in = x->input.values;
    bool wants_token = in[REGISTER_TOKEN] != NULL && in[REGISTER_TOKEN][0] == 't';
    char hash[PASSWORD_HASH_BYTES];
    struct fresh_token token;
    enum confab_err err = wants_token ? CONFAB_OK : exchange_check_origin(x);

    if (err == CONFAB_OK) {
        err = password_hash(&x->app->password, in[REGISTER_PASSWORD], hash);
    }
    if (err != CONFAB_OK) {
        return err;
    }
    exchange_make_token(x, &token);
    const char *const params[] = {in[REGISTER_LOGIN], hash,       in[REGISTER_DISPLAY_NAME],
                                  token.param,        token.days, exchange_agent(x)};

    err = exchange_call(x, STMT_REGISTER, params, false);
    if (err == CONFAB_OK) {
        err = exchange_give_token(x, &token, wants_token);
    }
    sodium_memzero(&token, sizeof(token));
    return err;
}

static const struct field search_fields[] = {
    {"q", FIELD_QUERY, FIELD_TEXT, true, 1, 100},
    {"limit", FIELD_QUERY, FIELD_INT, false, 1, PAGE_LIMIT_MAX},
    {"after", FIELD_QUERY, FIELD_TEXT, false, 1, PAGE_PLACE_CHARS},
};

static const struct field user_fields[] = {
    {"id", FIELD_PATH, FIELD_INT, true, 1, INT64_MAX},
};

static const struct endpoint endpoints[] = {
    {HTTP_POST, "/users", AUTH_NONE, false, STMT_REGISTER, FIELDS(register_fields),
     handle_register},
    {HTTP_GET, "/users", AUTH_TOKEN, false, STMT_USER_SEARCH, FIELDS(search_fields), NULL},
    {HTTP_GET, "/users/{id}", AUTH_TOKEN, false, STMT_USER, FIELDS(user_fields), NULL},
    {HTTP_GET, "/me", AUTH_TOKEN, false, STMT_ME, NO_FIELDS, NULL},
};

const struct endpoint_table users_endpoints = ENDPOINT_TABLE(endpoints);
