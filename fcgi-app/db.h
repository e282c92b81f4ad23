/*
 * db: the worker's one connection to PostgreSQL, and calls of prepared statements on it. The only
 * file of the workers that sees libpq. Non-goals: SQL text (stmts.c), what an answer means.
 */
#ifndef CONFAB_DB_H
#define CONFAB_DB_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/settings.h"
#include "common/str.h"
#include "problem.h"
#include "stmts.h"

struct db;
struct db_result;

/* Makes a handle; it connects at the first call. s is borrowed and outlives it. NULL when memory is
 * out or the configured connection string cannot be parsed (logged). Free with db_free. */
struct db *db_new(const struct settings *s) __attribute__((warn_unused_result));
void db_free(struct db *db); /* NULL is accepted */

/*
 * Calls a statement with its parameters (texts, NULL for null) and waits for its commit. Connects
 * when needed. Takes at most the connect timeout and the statement timeout, each once or, where a
 * call is repeated, twice, and two seconds more.
 *
 * Behind a statement that may write events the doorbell is rung. That nobody waits for here: the
 * next call does, until this one's deadline, and db_free.
 *
 * A lost connection: the call is made again on a new one if it cannot have run, or if repeatable
 * says that running twice is the same as once; else the error is CONFAB_DB_AWAY. An epoch change is
 * settled here (epoch_begin, then the call again).
 *
 * On CONFAB_OK *out is the result, which the caller frees with db_result_free. Otherwise p holds
 * what the client may be told.
 */
enum confab_err db_call(struct db *db, enum stmt stmt, const char *const *params, bool repeatable,
                        struct db_result **out, struct problem *p)
    __attribute__((warn_unused_result));
void db_result_free(struct db_result *res); /* NULL is accepted */

/* The value at row and column, NULL for null or where there is none. Borrowed from res. */
const char *db_text(const struct db_result *res, int row, int column);
int db_rows(const struct db_result *res);

/* The SHA-256 of a token, as the text of a bytea parameter. */
#define DB_TOKEN_PARAM_BYTES 67 /* with the NUL */
struct token_hash;
void db_token_param(const struct token_hash *hash, char out[DB_TOKEN_PARAM_BYTES]);

#endif
