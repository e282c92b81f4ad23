/*
 * session: logging in and out, and tickets by which a session's streams are opened.
 */
#include <sodium.h>

#include "exchange.h"

static const struct field login_fields[] = {
    {"login", FIELD_BODY, FIELD_TEXT, true, 1, 64},
    {"password", FIELD_BODY, FIELD_SECRET, true, 1, PASSWORD_BYTES_MAX},
    {"token", FIELD_BODY, FIELD_BOOL, false, 0, 0},
};
enum { LOGIN_LOGIN, LOGIN_PASSWORD, LOGIN_TOKEN };

/* Whose login it is, once the password is known to be right. */
struct login {
    const char *user_id; /* borrowed from the look-up's result */
    const char *hash;    /* likewise */
    char new_hash[PASSWORD_HASH_BYTES];
    bool renewed; /* new_hash replaces hash */
};

/* The second step: opens a session for the person of login. */
static enum confab_err session_open(struct exchange *x, const struct login *login, bool wants_token)
{
    struct fresh_token token;

    exchange_make_token(x, &token);
    const char *const params[] = {
        login->user_id, login->hash, login->renewed ? login->new_hash : NULL,
        token.param,    token.days,  exchange_agent(x)};
    enum confab_err err = exchange_call(x, STMT_SESSION_CREATE, params, false);

    if (err == CONFAB_OK) {
        err = exchange_give_token(x, &token, wants_token);
    }
    sodium_memzero(&token, sizeof(token));
    return err;
}

/*
 * POST /session: two calls, since the password is verified here between them. An unknown login and
 * a wrong password take the same time and give the same answer. The second call is given the hash
 * that was verified, and refuses if it has changed since.
 */
static enum confab_err handle_login(struct exchange *x)
{
    const char *const *in = x->input.values;
    bool wants_token = in[LOGIN_TOKEN] != NULL && in[LOGIN_TOKEN][0] == 't';
    struct login login = {.user_id = NULL};
    struct db_result *found = NULL;
    enum confab_err err = wants_token ? CONFAB_OK : exchange_check_origin(x);

    if (err == CONFAB_OK) {
        err = db_call(x->app->db, STMT_LOGIN_LOOKUP, &in[LOGIN_LOGIN], true, &found, &x->problem);
    }
    if (err != CONFAB_OK) {
        return err;
    }
    login.user_id = db_text(found, 0, 0);
    login.hash = db_text(found, 0, 1);
    err = password_verify(&x->app->password, in[LOGIN_PASSWORD], login.hash, login.new_hash,
                          &login.renewed);
    if (err == CONFAB_OK) {
        err = session_open(x, &login, wants_token);
    }
    db_result_free(found);
    return err;
}

/* DELETE /session: the cookie goes too, when it was the cookie that authorised this. */
static enum confab_err handle_logout(struct exchange *x)
{
    enum confab_err err = exchange_pass(x, true);

    if (err == CONFAB_OK && x->auth.kind == AUTH_KIND_COOKIE) {
        auth_clear_cookie(&x->resp, &x->req, x->app->settings);
    }
    return err;
}

/* POST /stream-tickets: only the ticket's hash goes to the database, as a session token's does. */
static enum confab_err handle_stream_ticket(struct exchange *x)
{
    struct fresh_token ticket;

    exchange_make_token(x, &ticket);
    const char *const params[] = {x->token_param, ticket.param};
    enum confab_err err = exchange_call(x, STMT_STREAM_TICKET, params, false);

    if (err == CONFAB_OK) {
        err = exchange_add_member(x, "ticket", ticket.text);
    }
    sodium_memzero(&ticket, sizeof(ticket));
    return err;
}

static const struct endpoint endpoints[] = {
    {HTTP_POST, "/session", AUTH_NONE, false, STMT_SESSION_CREATE, FIELDS(login_fields),
     handle_login},
    {HTTP_GET, "/session", AUTH_TOKEN, false, STMT_SESSION, NO_FIELDS, NULL},
    {HTTP_DELETE, "/session", AUTH_TOKEN, false, STMT_LOGOUT, NO_FIELDS, handle_logout},
    {HTTP_POST, "/stream-tickets", AUTH_TOKEN, false, STMT_STREAM_TICKET, NO_FIELDS,
     handle_stream_ticket},
};

const struct endpoint_table session_endpoints = ENDPOINT_TABLE(endpoints);
