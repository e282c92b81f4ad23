/*
 * db: one connection, one call at a time. A call is a pipeline of Parse (the first time), Bind,
 * Execute and Sync: one round trip. Behind a call that may write events goes a second one, which
 * rings the doorbell: after the Sync, so after the commit. Its answer is for the next call to read.
 *
 * libpq is used without blocking, with a deadline of our own: a server that hangs in a commit (a
 * synchronous standby is away, say) does not obey statement_timeout. Such a call is given up by
 * dropping the connection, never by a cancel, which would report a commit as failed that was not.
 */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/token.h"

#define DB_GRACE_MS 2000 /* beyond statement_timeout, before a call is given up */
/* After an attempt to connect that ran into its timeout, calls fail at once for this long: else
 * every worker would be held by every request while the database's host is gone. */
#define DB_PAUSE_MS       2000
#define DB_IDLE_XACT_S    10 /* a server's limit on a transaction of ours that does nothing */
#define DB_TCP_TIMEOUT_MS 10000
#define DB_KEEPALIVE_S    30
#define DB_OPTIONS_BYTES  2048
#define DB_NUMBER_BYTES   24
#define DB_TRIES          2 /* of one call: the second on a new connection */

struct db {
    PGconn *conn;                /* owned; NULL while there is none */
    const struct settings *s;    /* borrowed, lives longer */
    char *options;               /* owned; the server settings of each session */
    bool prepared[STMT_MAX];     /* on this connection */
    int64_t no_attempt_until_ms; /* monotonic */
    int64_t ring_until_ms;       /* deadline of a ring whose answer is still to be read; 0: none */
};

struct db_result {
    PGresult *res; /* owned */
};

/* How far a call got, which decides whether it may be made again. */
enum call_fate {
    CALL_DONE,     /* answered: with rows and committed, or with an error and rolled back */
    CALL_NOT_SENT, /* the connection was lost before */
    CALL_LOST,     /* the connection was lost on the way: it may have been committed */
    CALL_GIVEN_UP  /* no answer until the deadline: as lost, and repeating would only hang again */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_notice(void *arg, const char *message)
{
    (void)arg;
    log_debug("db notice=\"%s\"", log_text(message).text);
}

/* ---- Connecting ---- */

/* Our session settings after those that the administrator's connection string may hold. */
static char *options_make(const struct settings *s, const char *theirs)
{
    struct buf b;
    int64_t waiters = s->workers > 1 ? s->workers / 2 : 1;

    buf_init(&b, DB_OPTIONS_BYTES);
    buf_puts(&b, theirs);
    buf_printf(&b, " -c lock_timeout=%" PRId64 " -c statement_timeout=%" PRId64, s->lock_timeout_ms,
               s->statement_timeout_ms);
    buf_printf(&b, " -c idle_in_transaction_session_timeout=%ds", DB_IDLE_XACT_S);
    buf_printf(&b, " -c chat.room_waiters=%" PRId64 " -c chat.poll_interval_ms=%" PRId64, waiters,
               s->poll_interval_ms);
    buf_puts(&b, " -c chat.ring=off"); /* the trigger's, since STMT_RING does it better */
    char *options = buf_steal(&b);

    buf_clear(&b);
    return options;
}

struct db *db_new(const struct settings *s)
{
    char *why = NULL;
    PQconninfoOption *parsed = PQconninfoParse(s->database, &why);
    struct db *db = calloc(1, sizeof(*db));
    const char *theirs = "";

    for (const PQconninfoOption *o = parsed; o != NULL && o->keyword != NULL; o++) {
        if (strcmp(o->keyword, "options") == 0 && o->val != NULL) {
            theirs = o->val;
        }
    }
    if (db != NULL && parsed != NULL) {
        db->s = s;
        db->options = options_make(s, theirs);
    }
    PQconninfoFree(parsed);
    if (db == NULL || db->options == NULL) {
        log_errx("db conninfo_refused why=\"%s\"",
                 log_text(why == NULL ? "no memory, or too many options" : why).text);
        free(db);
        db = NULL;
    }
    PQfreemem(why);
    return db;
}

static void db_drop(struct db *db)
{
    PQfinish(db->conn);
    db->conn = NULL;
    db->ring_until_ms = 0;
    memset(db->prepared, 0, sizeof(db->prepared));
}

/* libpq's own blocking connect, since it alone applies the timeout to each host of several. */
static PGconn *connect_start(const struct db *db)
{
    char timeout[DB_NUMBER_BYTES];
    char tcp_timeout[DB_NUMBER_BYTES];
    char keepalive[DB_NUMBER_BYTES];

    snprintf(timeout, sizeof(timeout), "%" PRId64, db->s->db_connect_timeout_s);
    snprintf(tcp_timeout, sizeof(tcp_timeout), "%d", DB_TCP_TIMEOUT_MS);
    snprintf(keepalive, sizeof(keepalive), "%d", DB_KEEPALIVE_S);
    /* The connection string is expanded where "dbname" stands; what follows it overrides it. */
    const char *const keywords[] = {"dbname",
                                    "connect_timeout",
                                    "client_encoding",
                                    "target_session_attrs",
                                    "keepalives_idle",
                                    "tcp_user_timeout",
                                    "application_name",
                                    "options",
                                    NULL};
    const char *const values[] = {db->s->database, timeout,     "UTF8",
                                  "read-write",    keepalive,   tcp_timeout,
                                  "confab.fcgi",   db->options, NULL};

    return PQconnectdbParams(keywords, values, 1);
}

static enum confab_err db_connect(struct db *db)
{
    int64_t start = now_ms();

    if (start < db->no_attempt_until_ms) {
        return CONFAB_DB_AWAY;
    }
    db_drop(db);
    db->conn = connect_start(db);
    if (db->conn == NULL) {
        return CONFAB_NO_MEMORY;
    }
    if (PQstatus(db->conn) != CONNECTION_OK || PQsetnonblocking(db->conn, 1) != 0 ||
        PQenterPipelineMode(db->conn) != 1) {
        int64_t took = now_ms() - start;

        log_warnx("db connect_failed ms=%" PRId64 " why=\"%s\"", took,
                  log_text(PQerrorMessage(db->conn)).text);
        if (took >= db->s->db_connect_timeout_s * 1000 / 2) {
            db->no_attempt_until_ms = now_ms() + DB_PAUSE_MS;
        }
        db_drop(db);
        return CONFAB_DB_AWAY;
    }
    PQsetNoticeProcessor(db->conn, on_notice, NULL);
    log_debug("db connected ms=%" PRId64, now_ms() - start);
    return CONFAB_OK;
}

/*
 * Whether the connection still lives, as far as can be told without asking the server: one that
 * was restarted has said farewell and closed, which is to be read now. A call that is not sent yet
 * can always be made on another connection.
 */
static bool db_is_alive(struct db *db)
{
    if (db->conn == NULL || PQstatus(db->conn) != CONNECTION_OK) {
        return false;
    }
    struct pollfd waiting = {.fd = PQsocket(db->conn), .events = POLLIN};

    while (poll(&waiting, 1, 0) > 0) {
        if (PQconsumeInput(db->conn) == 0) {
            return false;
        }
        /* Parses what came: notices and settings that changed; nothing else is due. */
        (void)PQisBusy(db->conn);
    }
    return PQstatus(db->conn) == CONNECTION_OK;
}

/* ---- One call ---- */

/* Waits until the socket is ready; false when the deadline has passed and it is not. */
static bool wait_ready(const struct db *db, short events, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd waiting = {.fd = PQsocket(db->conn), .events = events};
        int64_t left = deadline_ms - now_ms();
        int n = poll(&waiting, 1, left > 0 ? (int)left : 0);

        if (n >= 0) {
            return n > 0;
        }
        if (errno != EINTR) {
            return false;
        }
    }
}

/* Sends what is queued. While that is not possible the server may want to be read first. */
static bool flush(struct db *db, int64_t deadline_ms)
{
    for (;;) {
        int left = PQflush(db->conn);

        if (left == 0) {
            return true;
        }
        if (left < 0 || !wait_ready(db, POLLIN | POLLOUT, deadline_ms) ||
            PQconsumeInput(db->conn) == 0) {
            return false;
        }
    }
}

/* The next result, waited for; false when the connection is lost or the deadline has passed. *res
 * may be NULL, which ends the results of one command. */
static bool next_result(struct db *db, int64_t deadline_ms, PGresult **res)
{
    while (PQisBusy(db->conn) != 0) {
        if (!wait_ready(db, POLLIN, deadline_ms) || PQconsumeInput(db->conn) == 0) {
            return false;
        }
    }
    *res = PQgetResult(db->conn);
    return PQstatus(db->conn) == CONNECTION_OK;
}

static bool queue_call(struct db *db, enum stmt stmt, const char *const *params)
{
    const struct stmt_row *row = &stmt_table[stmt];

    if (!db->prepared[stmt] &&
        PQsendPrepare(db->conn, row->name, row->sql, row->param_count, NULL) != 1) {
        return false;
    }
    return PQsendQueryPrepared(db->conn, row->name, row->param_count, params, NULL, NULL, 0) == 1 &&
           PQpipelineSync(db->conn) == 1;
}

/* Keeps res as the call's outcome if it is one: the statement's rows, or the first error. Takes
 * over res. */
static void keep_result(PGresult **kept, PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    bool kept_error = *kept != NULL && PQresultStatus(*kept) == PGRES_FATAL_ERROR;

    if (res != NULL && !kept_error && (status == PGRES_TUPLES_OK || status == PGRES_FATAL_ERROR)) {
        PQclear(*kept);
        *kept = res;
    } else {
        PQclear(res);
    }
}

/*
 * Reads results up to the Sync. The transaction commits at the Sync, after the rows have come, so
 * only its arrival says that the call is done; an error of the commit itself comes between them.
 * False when the connection is lost or the deadline has passed.
 */
static bool read_results(struct db *db, enum stmt stmt, int64_t deadline_ms, PGresult **rows)
{
    for (;;) {
        PGresult *res = NULL;
        bool alive = next_result(db, deadline_ms, &res);
        ExecStatusType status = PQresultStatus(res);

        /* Prepared statements outlive the transaction, whatever becomes of it. */
        db->prepared[stmt] = db->prepared[stmt] || status == PGRES_COMMAND_OK;
        keep_result(rows, res);
        if (!alive || status == PGRES_PIPELINE_SYNC) {
            return alive;
        }
    }
}

/* Puts the ring behind a call that needs one. */
static bool queue_ring(struct db *db, int64_t deadline_ms)
{
    db->ring_until_ms = deadline_ms;
    return queue_call(db, STMT_RING, NULL);
}

/* Sends the call and reads its answer. On CALL_DONE *rows is rows or an error of the server. */
static enum call_fate run_call(struct db *db, enum stmt stmt, const char *const *params,
                               PGresult **rows)
{
    int64_t deadline_ms = now_ms() + db->s->statement_timeout_ms + DB_GRACE_MS;

    if (!queue_call(db, stmt, params)) {
        return CALL_NOT_SENT;
    }
    if ((!stmt_table[stmt].rings || queue_ring(db, deadline_ms)) && flush(db, deadline_ms) &&
        read_results(db, stmt, deadline_ms, rows)) {
        return CALL_DONE;
    }
    return now_ms() >= deadline_ms ? CALL_GIVEN_UP : CALL_LOST;
}

/*
 * Reads the answer to the ring behind the last call, if there was one: nobody has waited for it. A
 * ring that failed has cost its events a second, since the daemons look that often in any case.
 * False when the connection is lost, or the ring's deadline, which is the call's, has passed.
 */
static bool settle_ring(struct db *db)
{
    int64_t deadline_ms = db->ring_until_ms;
    PGresult *rang = NULL;

    if (deadline_ms == 0) {
        return true;
    }
    db->ring_until_ms = 0;
    bool alive = read_results(db, STMT_RING, deadline_ms, &rang);

    if (PQresultStatus(rang) != PGRES_TUPLES_OK) {
        const char *sqlstate = PQresultErrorField(rang, PG_DIAG_SQLSTATE);

        log_warnx("db ring_failed sqlstate=%s", sqlstate == NULL ? "-" : sqlstate);
    }
    PQclear(rang);
    return alive;
}

static enum confab_err db_ensure(struct db *db)
{
    return settle_ring(db) && db_is_alive(db) ? CONFAB_OK : db_connect(db);
}

/* What only the log is told: names of ours, no values. */
static void log_unexpected(const struct stmt_row *row, const PGresult *res)
{
    const char *constraint = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
    const char *context = PQresultErrorField(res, PG_DIAG_CONTEXT);
    const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    log_errx("db error stmt=%s sqlstate=%s constraint=%s context=\"%s\"", row->name,
             sqlstate == NULL ? "-" : sqlstate, constraint == NULL ? "-" : constraint,
             log_text(context).text);
}

/* Each line of the detail is "field: complaint" (chat.fail_fields); without one the field is the
 * column, and the message the complaint. */
static void explain_fields(const PGresult *res, struct problem *p)
{
    const char *column = PQresultErrorField(res, PG_DIAG_COLUMN_NAME);
    struct slice rest = slice_of(PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL));
    struct slice line;

    if (rest.n == 0 && column != NULL && column[0] != '\0') {
        problem_add_field(p, slice_of(column), slice_of(p->detail));
    }
    while (rest.n > 0) {
        struct slice field;
        struct slice complaint;

        slice_cut(rest, '\n', &line, &rest);
        slice_cut(line, ':', &field, &complaint);
        problem_add_field(p, field, slice_trim(complaint));
    }
    if (p->field_count > 1) {
        (void)problem_set(p, CONFAB_INVALID, PROBLEM_FIELDS_DETAIL);
    }
}

/* The error of res, and in p what the client may know of it: the texts of class CF alone. */
static enum confab_err explain(const struct stmt_row *row, const PGresult *res, struct problem *p)
{
    const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
    enum confab_err err = err_from_sqlstate(sqlstate);
    int64_t seconds = 0;

    if (sqlstate != NULL && strncmp(sqlstate, "CF", 2) == 0 && message != NULL) {
        problem_set(p, err, message);
        if (err == CONFAB_INVALID) {
            explain_fields(res, p);
        }
        if (err == CONFAB_RATE_LIMITED && str_to_i64(slice_of(hint), 1, INT32_MAX, &seconds)) {
            p->retry_after_s = (int)seconds;
        }
    } else if (err == CONFAB_INTERNAL) {
        log_unexpected(row, res);
    } else {
        log_info("db refused stmt=%s sqlstate=%s", row->name, sqlstate == NULL ? "-" : sqlstate);
    }
    return err;
}

/* One attempt on a connection that seems alive. *again: the call may be made once more, on a new
 * connection; this one is dropped then. */
static enum confab_err attempt(struct db *db, enum stmt stmt, const char *const *params,
                               bool repeatable, struct db_result *out, struct problem *p,
                               bool *again)
{
    PGresult *rows = NULL;
    enum call_fate fate = run_call(db, stmt, params, &rows);
    enum confab_err err = CONFAB_DB_AWAY;

    *again = false;
    if (fate == CALL_DONE && PQresultStatus(rows) == PGRES_TUPLES_OK) {
        out->res = rows;
        return CONFAB_OK;
    }
    if (fate != CALL_DONE) {
        *again = fate == CALL_NOT_SENT || (fate == CALL_LOST && repeatable);
        log_warnx("db lost stmt=%s why=%s again=%d", stmt_table[stmt].name,
                  fate == CALL_GIVEN_UP ? "deadline" : "connection", *again);
    } else {
        err = explain(&stmt_table[stmt], rows, p);
        /* A server that became a standby has rolled the call back; another one will take it. */
        *again = err == CONFAB_DB_AWAY;
    }
    PQclear(rows);
    if (err == CONFAB_DB_AWAY) {
        db_drop(db);
    }
    return err;
}

/* Makes a call, a second time if need be and allowed. */
static enum confab_err call_again(struct db *db, enum stmt stmt, const char *const *params,
                                  bool repeatable, struct db_result *out, struct problem *p)
{
    bool again = true;
    enum confab_err err = CONFAB_OK;

    for (int tries = 0; again && tries < DB_TRIES; tries++) {
        *p = (struct problem){.field_count = 0};
        err = db_ensure(db);
        if (err != CONFAB_OK) {
            return err;
        }
        err = attempt(db, stmt, params, repeatable, out, p, &again);
    }
    return err;
}

enum confab_err db_call(struct db *db, enum stmt stmt, const char *const *params, bool repeatable,
                        struct db_result **out, struct problem *p)
{
    struct db_result *res = calloc(1, sizeof(*res));

    if (res == NULL) {
        return CONFAB_NO_MEMORY;
    }
    enum confab_err err = call_again(db, stmt, params, repeatable, res, p);

    if (err == CONFAB_EPOCH_CHANGED) {
        /* The log belongs to an earlier life of this database: begin it anew, then repeat. */
        err = call_again(db, STMT_EPOCH_BEGIN, NULL, true, res, p);
        log_info("db epoch_begin result=%s", err_code(err));
        if (err == CONFAB_OK) {
            PQclear(res->res);
            res->res = NULL;
            err = call_again(db, stmt, params, repeatable, res, p);
        }
    }
    if (err != CONFAB_OK) {
        db_result_free(res);
        return err;
    }
    *out = res;
    return CONFAB_OK;
}

void db_free(struct db *db)
{
    if (db != NULL) {
        /* A connection that is closed with an answer unread may take the ring along. */
        (void)settle_ring(db);
        db_drop(db);
        free(db->options);
        free(db);
    }
}

void db_result_free(struct db_result *res)
{
    if (res != NULL) {
        PQclear(res->res);
        free(res);
    }
}

int db_rows(const struct db_result *res)
{
    return PQntuples(res->res);
}

const char *db_text(const struct db_result *res, int row, int column)
{
    if (row >= PQntuples(res->res) || column >= PQnfields(res->res) ||
        PQgetisnull(res->res, row, column)) {
        return NULL;
    }
    return PQgetvalue(res->res, row, column);
}

void db_token_param(const struct token_hash *hash, char out[DB_TOKEN_PARAM_BYTES])
{
    out[0] = '\\';
    out[1] = 'x';
    str_hex(hash->bytes, sizeof(hash->bytes), out + 2);
}
