/*
 * pg: see pg.h. Rules of libpq that this follows: the socket is asked for again after each step of
 * connecting; while PQflush has more, both directions are waited for; PQnotifies is asked after
 * each PQconsumeInput and each result. No callback frees what its caller holds: a connection is
 * given up when the stack has unwound.
 */
#include "pg.h"

#include <assert.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "common/log.h"
#include "stmts.h"

enum pg_state {
    PG_DOWN,       /* waits for the next attempt */
    PG_CONNECTING, /* PQconnectPoll */
    PG_PREPARING,  /* its own first batch */
    PG_READY,
};

struct pg_row {
    struct pg *pg;
    const PGresult *result; /* borrowed */
    int number;
};

/* Under which the server and the log know a connection. */
static const char *const application_names[] = {
    [PG_FOR_FEED] = "confab-pushd",
    [PG_FOR_WORK] = "confab-pushd work",
};
static const char *const use_names[] = {[PG_FOR_FEED] = "feed", [PG_FOR_WORK] = "work"};

/* What answers are still to come, in order. Preparing uses it too. */
struct expected {
    enum pg_stmt stmts[PG_BATCH_MAX];
    int first, count;
};

struct pg {
    struct event_base *base;         /* borrowed */
    const struct settings *settings; /* borrowed */
    struct stats *stats;             /* borrowed */
    enum pg_use use;
    struct pg_callbacks callbacks;
    void *ctx; /* borrowed */

    PGconn *conn; /* owned; NULL while down */
    struct event io, timer;
    enum pg_state state;
    int io_fd; /* that io is set up for; -1: none */
    short io_what;
    int64_t retry_ms; /* of the next attempt */

    struct expected expected;
    bool batch_open; /* answers are to come, the one to PQpipelineSync included */
    bool batch_failed;
    int slice_rows; /* handed over since the last turn of the loop */
    size_t slice_bytes;
    bool paused;      /* between slices */
    bool pumping;     /* on the stack */
    const char *drop; /* why the connection is to be given up, when the stack has unwound */
};

static void on_io(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);
static void pump(struct pg *pg);

/* ---- Columns ---- */

bool pg_is_null(const struct pg_row *row, int column)
{
    return PQgetisnull(row->result, row->number, column);
}

struct slice pg_text(const struct pg_row *row, int column)
{
    return (struct slice){PQgetvalue(row->result, row->number, column),
                          (size_t)PQgetlength(row->result, row->number, column)};
}

int64_t pg_i64(const struct pg_row *row, int column)
{
    int64_t value = 0;

    if (!pg_is_null(row, column) &&
        !str_to_i64(pg_text(row, column), INT64_MIN, INT64_MAX, &value)) {
        pg_drop(row->pg, "a column is no number");
    }
    return value;
}

uint64_t pg_u64(const struct pg_row *row, int column)
{
    uint64_t value = 0;

    if (!pg_is_null(row, column) && !str_to_u64(pg_text(row, column), UINT64_MAX, &value)) {
        pg_drop(row->pg, "a column is no number");
    }
    return value;
}

/* ---- Events ---- */

static void set_timer(struct pg *pg, int64_t ms)
{
    struct timeval t = {ms / 1000, (ms % 1000) * 1000};

    event_add(&pg->timer, &t);
}

static void watch(struct pg *pg, short what)
{
    int fd = pg->conn == NULL ? -1 : PQsocket(pg->conn);

    if (fd == pg->io_fd && what == pg->io_what) {
        return;
    }
    if (pg->io_fd >= 0) {
        event_del(&pg->io);
    }
    pg->io_fd = fd;
    pg->io_what = what;
    if (fd >= 0 && what != 0) {
        event_assign(&pg->io, pg->base, fd, (short)(what | EV_PERSIST), on_io, pg);
        event_add(&pg->io, NULL);
    } else {
        pg->io_fd = -1;
    }
}

/* ---- The connection's life ---- */

static void go_down(struct pg *pg, const char *why)
{
    bool was_ready = pg->state == PG_READY;

    log_warnx("database down reason=\"%s\" for=%s retry_ms=%" PRId64, log_text(why).text,
              use_names[pg->use], pg->retry_ms);
    pg->stats->counts[STAT_DB_FAILURES]++;
    watch(pg, 0);
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->state = PG_DOWN;
    pg->drop = NULL;
    pg->paused = pg->batch_open = false;
    pg->expected.count = 0;
    set_timer(pg, pg->retry_ms + clock_jitter(0, pg->retry_ms / 2));
    pg->retry_ms = pg->retry_ms * 2 < PG_RETRY_MAX_MS ? pg->retry_ms * 2 : PG_RETRY_MAX_MS;
    if (was_ready) {
        pg->callbacks.down(pg->ctx);
    }
}

void pg_drop(struct pg *pg, const char *why)
{
    if (pg->state == PG_DOWN || pg->drop != NULL) {
        return;
    }
    pg->drop = why;
    if (!pg->pumping) {
        watch(pg, 0);
        set_timer(pg, 0);
    }
}

/* libpq's own words. Borrowed until the next call to libpq. */
static const char *libpq_error(const struct pg *pg)
{
    const char *text = PQerrorMessage(pg->conn);

    return text[0] != '\0' ? text : "connection lost";
}

static void start_connecting(struct pg *pg)
{
    const struct settings *s = pg->settings;
    const char *conninfo = s->push_database[0] != '\0' ? s->push_database : s->database;
    const char *const names[] = {
        "dbname",          "fallback_application_name", "target_session_attrs",
        "client_encoding", "tcp_user_timeout",          NULL};
    const char *const values[] = {conninfo, application_names[pg->use], "read-write",
                                  "UTF8",   PG_TCP_TIMEOUT_MS,          NULL};

    pg->conn = PQconnectStartParams(names, values, 1);
    if (pg->conn == NULL) {
        set_timer(pg, PG_RETRY_MAX_MS);
        return;
    }
    pg->state = PG_CONNECTING;
    if (PQstatus(pg->conn) == CONNECTION_BAD) {
        go_down(pg, libpq_error(pg));
        return;
    }
    set_timer(pg, pg->settings->db_connect_timeout_s * 1000);
    watch(pg, EV_WRITE);
}

static void on_notice(void *arg, const char *message)
{
    (void)arg;
    log_info("database notice=\"%s\"", log_text(message).text);
}

static void prepare_all(struct pg *pg)
{
    pg->state = PG_PREPARING;
    PQsetNoticeProcessor(pg->conn, on_notice, NULL);
    if (PQsetnonblocking(pg->conn, 1) != 0 || PQenterPipelineMode(pg->conn) != 1) {
        go_down(pg, libpq_error(pg));
        return;
    }
    for (int i = 0; i < PG_STMT_MAX; i++) {
        if (stmts[i].name == NULL || stmts[i].use != pg->use) {
            continue;
        }
        if (PQsendPrepare(pg->conn, stmts[i].name, stmts[i].sql, 0, NULL) != 1) {
            go_down(pg, libpq_error(pg));
            return;
        }
        pg->expected.stmts[pg->expected.count++] = (enum pg_stmt)i;
    }
    pg->batch_failed = false;
    pg_flush(pg);
}

/* libpq may close its socket in a step and open another one, even with the same number: the event
 * is taken off before each. */
static void keep_connecting(struct pg *pg)
{
    watch(pg, 0);
    switch (PQconnectPoll(pg->conn)) {
    case PGRES_POLLING_READING:
        watch(pg, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        watch(pg, EV_WRITE);
        break;
    case PGRES_POLLING_OK:
        prepare_all(pg);
        break;
    case PGRES_POLLING_FAILED:
    default:
        go_down(pg, libpq_error(pg));
        break;
    }
}

static void became_ready(struct pg *pg)
{
    pg->state = PG_READY;
    pg->retry_ms = PG_RETRY_MIN_MS;
    pg->stats->counts[STAT_DB_CONNECTS]++;
    log_info("database up for=%s pid=%d", use_names[pg->use], PQbackendPID(pg->conn));
    pg->callbacks.up(pg->ctx);
}

/* ---- Sending ---- */

void pg_send(struct pg *pg, enum pg_stmt stmt, const char *const *params)
{
    const struct stmt *row = &stmts[stmt];
    struct expected *e = &pg->expected;
    int sent;

    if (pg->state != PG_READY || pg->drop != NULL) {
        return;
    }
    assert(!pg->batch_open && e->count < PG_BATCH_MAX && row->use == pg->use);
    if (row->name != NULL) {
        sent = PQsendQueryPrepared(pg->conn, row->name, row->param_count, params, NULL, NULL, 0);
    } else {
        sent = PQsendQueryParams(pg->conn, row->sql, 0, NULL, NULL, NULL, NULL, 0);
    }
    if (sent != 1) {
        pg_drop(pg, "cannot send");
        return;
    }
    e->stmts[e->count++] = stmt;
}

/* Whether the rows of the statement whose answer comes next are wanted one by one. libpq takes the
 * wish only between two answers. */
static void want_rows(struct pg *pg)
{
    const struct expected *e = &pg->expected;

    if (pg->state == PG_READY && e->first < e->count && stmts[e->stmts[e->first]].by_row) {
        PQsetSingleRowMode(pg->conn);
    }
}

void pg_flush(struct pg *pg)
{
    if (pg->state < PG_PREPARING || pg->drop != NULL) {
        return;
    }
    pg->expected.first = 0;
    pg->batch_open = true;
    pg->batch_failed = false;
    if (PQpipelineSync(pg->conn) != 1) {
        pg_drop(pg, "cannot send");
        return;
    }
    want_rows(pg);
    int more = PQflush(pg->conn);

    if (more < 0) {
        pg_drop(pg, "cannot send");
        return;
    }
    set_timer(pg, PG_DEADLINE_MS);
    watch(pg, (short)(more > 0 ? EV_READ | EV_WRITE : EV_READ));
}

/* ---- Answers ---- */

static void take_notifies(struct pg *pg)
{
    PGnotify *n;

    while ((n = PQnotifies(pg->conn)) != NULL) {
        if (pg->state == PG_READY && pg->callbacks.notified != NULL) {
            pg->callbacks.notified(pg->ctx, n->relname, n->extra);
        }
        PQfreemem(n);
    }
}

static size_t row_bytes(const struct pg_row *row)
{
    size_t bytes = 0;

    for (int column = 0; column < PQnfields(row->result); column++) {
        bytes += (size_t)PQgetlength(row->result, row->number, column);
    }
    return bytes;
}

static void take_rows(struct pg *pg, enum pg_stmt stmt, const PGresult *result)
{
    struct pg_row row = {.pg = pg, .result = result};

    for (int n = PQntuples(result); row.number < n && pg->drop == NULL; row.number++) {
        pg->callbacks.row(pg->ctx, stmt, &row);
        pg->slice_rows++;
        pg->slice_bytes += row_bytes(&row);
    }
}

/* An error after which the server closes the connection. */
static bool ends_connection(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    return severity == NULL || strcmp(severity, "ERROR") != 0;
}

static void log_failure(const char *what, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    log_warnx("query failed stmt=\"%s\" sqlstate=%s error=\"%s\"", what,
              state != NULL ? state : "none", log_text(text).text);
}

static void take_failure(struct pg *pg, enum pg_stmt stmt, const PGresult *result)
{
    pg->batch_failed = true;
    log_failure(stmts[stmt].name != NULL ? stmts[stmt].name : stmts[stmt].sql, result);
    if (ends_connection(result) || pg->state == PG_PREPARING) {
        pg_drop(pg, "query failed");
    } else {
        pg->callbacks.failed(pg->ctx, stmt,
                             err_from_sqlstate(PQresultErrorField(result, PG_DIAG_SQLSTATE)));
    }
}

/* After the last statement has been answered: the batch cannot be committed, or (libpq's own
 * word) the connection is lost. */
static void take_failure_of_sync(struct pg *pg, const PGresult *result)
{
    if (ends_connection(result)) {
        pg_drop(pg, "connection lost");
    } else {
        log_failure(stmts[PG_COMMIT].sql, result);
        pg_drop(pg, "not committed");
    }
}

static void end_batch(struct pg *pg)
{
    pg->batch_open = false;
    pg->expected.first = pg->expected.count = 0;
    event_del(&pg->timer);
    if (pg->state == PG_PREPARING) {
        became_ready(pg);
    } else {
        pg->callbacks.idle(pg->ctx, !pg->batch_failed);
    }
}

static void take_result(struct pg *pg, const PGresult *result)
{
    const struct expected *e = &pg->expected;

    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        end_batch(pg);
        return;
    }
    if (e->first == e->count) {
        take_failure_of_sync(pg, result);
        return;
    }
    enum pg_stmt stmt = e->stmts[e->first];

    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        take_rows(pg, stmt, result);
        break;
    case PGRES_PIPELINE_ABORTED:
        break; /* its cause has been told */
    default:
        take_failure(pg, stmt, result);
        break;
    }
}

/* The NULL that ends the results of one statement. */
static void next_statement(struct pg *pg)
{
    if (pg->expected.first < pg->expected.count) {
        pg->expected.first++;
        want_rows(pg);
    }
}

/* Between slices nothing is read, so the server waits, and the deadline does not run. */
static bool pause_after_slice(struct pg *pg)
{
    if (pg->slice_rows < PG_SLICE_ROWS && pg->slice_bytes < PG_SLICE_BYTES) {
        return false;
    }
    int64_t wait_ms = pg->callbacks.slice == NULL ? 0 : pg->callbacks.slice(pg->ctx);

    if (wait_ms == 0) {
        pg->slice_rows = 0;
        pg->slice_bytes = 0;
    }
    pg->paused = true;
    watch(pg, 0);
    set_timer(pg, wait_ms);
    return true;
}

static void take_results(struct pg *pg)
{
    while (pg->drop == NULL && pg->batch_open && !PQisBusy(pg->conn)) {
        take_notifies(pg); /* what came before the result is told before it */
        if (pause_after_slice(pg)) {
            return;
        }
        PGresult *result = PQgetResult(pg->conn);

        if (result == NULL) {
            next_statement(pg);
        } else {
            take_result(pg, result);
            PQclear(result);
        }
    }
    take_notifies(pg);
}

/* Everything that libpq has by now. */
static void pump(struct pg *pg)
{
    pg->pumping = true;
    take_results(pg);
    pg->pumping = false;
    if (pg->drop != NULL) {
        go_down(pg, pg->drop);
    }
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct pg *pg = arg;

    (void)fd;
    if (pg->state == PG_CONNECTING) {
        keep_connecting(pg);
        return;
    }
    if ((what & EV_READ) && PQconsumeInput(pg->conn) != 1) {
        /* What came before the end still counts. */
        pump(pg);
        if (pg->state != PG_DOWN) {
            go_down(pg, libpq_error(pg));
        }
        return;
    }
    int more = PQflush(pg->conn);

    if (more < 0) {
        go_down(pg, libpq_error(pg));
        return;
    }
    watch(pg, (short)(more > 0 ? EV_READ | EV_WRITE : EV_READ));
    if (pg->batch_open) {
        set_timer(pg, PG_DEADLINE_MS);
    }
    pump(pg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct pg *pg = arg;

    (void)fd;
    (void)what;
    if (pg->drop != NULL) {
        go_down(pg, pg->drop);
    } else if (pg->state == PG_DOWN) {
        start_connecting(pg);
    } else if (pg->paused) {
        pg->paused = false;
        watch(pg, EV_READ);
        set_timer(pg, PG_DEADLINE_MS);
        pump(pg);
    } else {
        go_down(pg, pg->state == PG_CONNECTING ? "no connection in time" : "no answer in time");
    }
}

struct pg *pg_new(struct event_base *base, const struct settings *settings, struct stats *stats,
                  enum pg_use use, const struct pg_callbacks *callbacks, void *ctx)
{
    struct pg *pg = calloc(1, sizeof *pg);

    if (pg == NULL) {
        return NULL;
    }
    *pg = (struct pg){.base = base,
                      .settings = settings,
                      .stats = stats,
                      .use = use,
                      .callbacks = *callbacks,
                      .ctx = ctx,
                      .io_fd = -1,
                      .retry_ms = PG_RETRY_MIN_MS};
    event_assign(&pg->timer, base, -1, 0, on_timer, pg);
    return pg;
}

void pg_free(struct pg *pg)
{
    if (pg == NULL) {
        return;
    }
    watch(pg, 0);
    event_del(&pg->timer);
    PQfinish(pg->conn);
    free(pg);
}

void pg_start(struct pg *pg)
{
    set_timer(pg, 0);
}
