/*
 * err: the one table of failures. Non-goals: formatting of answers (fcgi-app/resp.c) and of log
 * lines (log.c).
 */
#include "err.h"

#include <assert.h>
#include <string.h>

#define RETRY_SOON_S  1
#define RETRY_LATER_S 2

struct err_row {
    const char *code;
    const char *title;
    int http_status;
    int retry_after_s;
};

static const struct err_row err_table[] = {
    [CONFAB_OK] = {"ok", "OK", 200, 0},
    [CONFAB_NEED_MORE] = {"incomplete", "Request is incomplete", 400, 0},
    [CONFAB_BAD_REQUEST] = {"bad_request", "Bad request", 400, 0},
    [CONFAB_TOO_BIG] = {"too_big", "Request is too big", 413, 0},
    [CONFAB_NO_MEMORY] = {"out_of_memory", "Out of memory", 503, RETRY_LATER_S},
    [CONFAB_IO] = {"io", "Input or output failed", 500, 0},
    [CONFAB_NO_ROUTE] = {"no_route", "No such address", 404, 0},
    [CONFAB_METHOD_NOT_ALLOWED] = {"method_not_allowed", "Method not allowed", 405, 0},
    [CONFAB_UPGRADE_REQUIRED] = {"upgrade_required", "Upgrade required", 426, 0},
    [CONFAB_LENGTH_REQUIRED] = {"length_required", "Content-Length required", 411, 0},
    [CONFAB_UNSUPPORTED_MEDIA_TYPE] = {"unsupported_media_type", "Unsupported media type", 415, 0},
    [CONFAB_BAD_ORIGIN] = {"bad_origin", "Origin not allowed", 403, 0},
    [CONFAB_UNAUTHENTICATED] = {"unauthenticated", "Not authenticated", 401, 0},
    [CONFAB_WRONG_CREDENTIALS] = {"wrong_credentials", "Wrong login or password", 401, 0},
    [CONFAB_FORBIDDEN] = {"forbidden", "Forbidden", 403, 0},
    [CONFAB_NOT_FOUND] = {"not_found", "Not found", 404, 0},
    [CONFAB_LOGIN_TAKEN] = {"login_taken", "Login is taken", 409, 0},
    [CONFAB_CONFLICT] = {"conflict", "Conflict", 409, 0},
    [CONFAB_INVALID] = {"invalid", "Invalid input", 422, 0},
    [CONFAB_IDEMPOTENCY_MISMATCH] = {"idempotency_mismatch", "Idempotency key was used before", 422,
                                     0},
    [CONFAB_RATE_LIMITED] = {"rate_limited", "Too many requests", 429, RETRY_SOON_S},
    [CONFAB_EPOCH_CHANGED] = {"epoch_changed", "Service unavailable", 503, RETRY_SOON_S},
    [CONFAB_ROOM_BUSY] = {"room_busy", "Room is busy", 503, RETRY_SOON_S},
    [CONFAB_DB_BUSY] = {"unavailable", "Service unavailable", 503, RETRY_SOON_S},
    [CONFAB_DB_AWAY] = {"unavailable", "Service unavailable", 503, RETRY_LATER_S},
    [CONFAB_OVERLOADED] = {"overloaded", "Service overloaded", 503, RETRY_LATER_S},
    [CONFAB_INTERNAL] = {"internal", "Internal error", 500, 0},
};
static_assert(sizeof(err_table) / sizeof(err_table[0]) == CONFAB_ERR_MAX,
              "every error has its row");

/* A SQLSTATE, or the beginning that a family of them shares. The first match counts. */
struct sqlstate_row {
    const char *state;
    enum confab_err err;
};

static const struct sqlstate_row sqlstate_table[] = {
    {"CF001", CONFAB_UNAUTHENTICATED},
    {"CF002", CONFAB_WRONG_CREDENTIALS},
    {"CF003", CONFAB_FORBIDDEN},
    {"CF004", CONFAB_NOT_FOUND},
    {"CF005", CONFAB_LOGIN_TAKEN},
    {"CF006", CONFAB_CONFLICT},
    {"CF007", CONFAB_INVALID},
    {"CF008", CONFAB_IDEMPOTENCY_MISMATCH},
    {"CF009", CONFAB_RATE_LIMITED},
    {"CF010", CONFAB_EPOCH_CHANGED},
    {"CF011", CONFAB_ROOM_BUSY},
    {"CF012", CONFAB_BAD_REQUEST},
    {"55P03", CONFAB_DB_BUSY},     /* lock_timeout */
    {"57014", CONFAB_DB_BUSY},     /* statement_timeout, or an administrator's cancel */
    {"40001", CONFAB_DB_BUSY},     /* serialization failure */
    {"40P01", CONFAB_DB_BUSY},     /* deadlock */
    {"53", CONFAB_DB_BUSY},        /* disk, memory or connections used up */
    {"25006", CONFAB_DB_AWAY},     /* read only: this server is a standby now */
    {"25P03", CONFAB_DB_AWAY},     /* idle in transaction for too long: connection is closed */
    {"57P", CONFAB_DB_AWAY},       /* shutting down, crashed, starting, database dropped */
    {"08", CONFAB_DB_AWAY},        /* connection failure */
    {"22021", CONFAB_BAD_REQUEST}, /* bytes that are not text */
    {"22P05", CONFAB_BAD_REQUEST}, /* text that the database's encoding lacks */
};

static const struct err_row *err_row(enum confab_err err)
{
    if ((unsigned)err >= CONFAB_ERR_MAX) {
        return &err_table[CONFAB_INTERNAL];
    }
    return &err_table[err];
}

const char *err_code(enum confab_err err)
{
    return err_row(err)->code;
}

const char *err_title(enum confab_err err)
{
    return err_row(err)->title;
}

int err_http_status(enum confab_err err)
{
    return err_row(err)->http_status;
}

int err_retry_after_s(enum confab_err err)
{
    return err_row(err)->retry_after_s;
}

enum confab_err err_from_code(const char *code, size_t len)
{
    for (int err = 0; err < CONFAB_ERR_MAX; err++) {
        if (strlen(err_table[err].code) == len && memcmp(err_table[err].code, code, len) == 0) {
            return (enum confab_err)err;
        }
    }
    return CONFAB_INTERNAL;
}

enum confab_err err_from_sqlstate(const char *sqlstate)
{
    if (sqlstate == NULL || sqlstate[0] == '\0') {
        return CONFAB_DB_AWAY;
    }
    for (size_t i = 0; i < sizeof(sqlstate_table) / sizeof(sqlstate_table[0]); i++) {
        const struct sqlstate_row *row = &sqlstate_table[i];

        if (strncmp(sqlstate, row->state, strlen(row->state)) == 0) {
            return row->err;
        }
    }
    return CONFAB_INTERNAL;
}
