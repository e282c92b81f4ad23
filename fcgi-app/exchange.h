/*
 * exchange: one request and its answer. exchange_run is the whole life of a request; the rest is
 * what handlers use.
 */
#ifndef CONFAB_EXCHANGE_H
#define CONFAB_EXCHANGE_H

#include "auth.h"
#include "common/token.h"
#include "db.h"
#include "input.h"
#include "password.h"
#include "problem.h"
#include "req.h"
#include "resp.h"
#include "route.h"

#define EXCHANGE_NUMBER_BYTES 24 /* room for any 64-bit number as text */

/* What outlives requests. */
struct app {
    const struct settings *settings; /* borrowed */
    struct gateway *gateway;         /* borrowed */
    struct db *db;                   /* borrowed */
    struct password password;        /* embedded */
};

struct exchange {
    struct app *app; /* borrowed */
    struct req req;
    struct resp resp;
    struct route route;
    struct input input;
    struct problem problem; /* filled before an error is returned */
    struct auth auth;
    char token_param[DB_TOKEN_PARAM_BYTES]; /* the presented token's hash; AUTH_TOKEN endpoints */
};

/* Reads the request that the gateway has accepted, answers it, logs it and finishes it. */
void exchange_run(struct app *app);

/* The endpoint's statement with its fields as parameters, as they stand, as the answer. */
enum confab_err exchange_pass(struct exchange *x, bool repeatable)
    __attribute__((warn_unused_result));

/* A statement of the form (status, body, link) with params, as the answer. */
enum confab_err exchange_call(struct exchange *x, enum stmt stmt, const char *const *params,
                              bool repeatable) __attribute__((warn_unused_result));

/* Adds a member with a text to the answer, which is an object. */
enum confab_err exchange_add_member(struct exchange *x, const char *name, const char *text)
    __attribute__((warn_unused_result));

/* A new token, in the forms in which it is needed. Wipe with sodium_memzero. */
struct fresh_token {
    char text[TOKEN_TEXT_BYTES + 1];
    char param[DB_TOKEN_PARAM_BYTES]; /* its hash, for the statement */
    char days[EXCHANGE_NUMBER_BYTES]; /* how long a session lasts, for the statement */
};
void exchange_make_token(const struct exchange *x, struct fresh_token *out);

/*
 * Hands the token of the session that the answer tells of to the client: as a cookie, or, when
 * as_member, as the member "token" of the answer.
 */
enum confab_err exchange_give_token(struct exchange *x, const struct fresh_token *token,
                                    bool as_member) __attribute__((warn_unused_result));

/* Refuses what would set a cookie for a page of a foreign origin: a log-in nobody asked for. */
enum confab_err exchange_check_origin(struct exchange *x) __attribute__((warn_unused_result));

/* The request's User-Agent as a text that SQL takes; NULL when there is none. */
const char *exchange_agent(struct exchange *x);

#endif
