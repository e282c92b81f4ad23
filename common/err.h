/*
 * err: every way in which an operation of Confab can fail, and what each one is called in the log,
 * in HTTP and in public JSON. One table (err.c) maps them all, SQLSTATEs included.
 */
#ifndef CONFAB_ERR_H
#define CONFAB_ERR_H

#include <stddef.h>

enum confab_err {
    CONFAB_OK = 0,

    /* Parsers and buffers. "Need more", "bad input" and "our fault" never share a value. */
    CONFAB_NEED_MORE,
    CONFAB_BAD_REQUEST,
    CONFAB_TOO_BIG,
    CONFAB_NO_MEMORY,
    CONFAB_IO,

    /* HTTP, decided before the database is asked. */
    CONFAB_NO_ROUTE,
    CONFAB_METHOD_NOT_ALLOWED,
    CONFAB_UPGRADE_REQUIRED,
    CONFAB_LENGTH_REQUIRED,
    CONFAB_UNSUPPORTED_MEDIA_TYPE,
    CONFAB_BAD_ORIGIN,

    /* Raised on purpose by SQL functions: SQLSTATE class CF. */
    CONFAB_UNAUTHENTICATED,
    CONFAB_WRONG_CREDENTIALS,
    CONFAB_FORBIDDEN,
    CONFAB_NOT_FOUND,
    CONFAB_LOGIN_TAKEN,
    CONFAB_CONFLICT,
    CONFAB_INVALID,
    CONFAB_IDEMPOTENCY_MISMATCH,
    CONFAB_RATE_LIMITED,
    CONFAB_EPOCH_CHANGED,
    CONFAB_ROOM_BUSY,

    /* The database's own refusals, and our own. */
    CONFAB_DB_BUSY, /* lock, cancel, deadlock, serialization, resources: try again */
    CONFAB_DB_AWAY, /* no connection, shutting down, read-only: reconnect, then try again */
    CONFAB_OVERLOADED,
    CONFAB_INTERNAL,

    CONFAB_ERR_MAX
};

/* The word for the log and for problem+json's "code", e.g. "not_found". Never NULL. */
const char *err_code(enum confab_err err);

/* A short English title for people, e.g. "Not found". Never NULL. */
const char *err_title(enum confab_err err);

/* The HTTP status that answers err: 400 to 599 (200 for CONFAB_OK). */
int err_http_status(enum confab_err err);

/* Seconds for Retry-After, or 0 where retrying does not help. */
int err_retry_after_s(enum confab_err err);

/*
 * What a five-character SQLSTATE means to us. NULL or "" (libpq had no answer at all) is
 * CONFAB_DB_AWAY; a state that nobody expected is CONFAB_INTERNAL.
 */
enum confab_err err_from_sqlstate(const char *sqlstate);

/* The error of that code (err_code). CONFAB_INTERNAL: there is none. */
enum confab_err err_from_code(const char *code, size_t len);

#endif
