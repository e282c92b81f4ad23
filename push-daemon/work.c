/*
 * work: see work.h.
 */
#include "work.h"

#include <assert.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "clock.h"
#include "common/log.h"

static const struct timeval tick_period = {0, WORK_TICK_MS * 1000};

/* What is under way. */
enum work_state {
    WORK_DOWN, /* no connection */
    WORK_SETTING_UP,
    WORK_IDLE,
    WORK_BUSY, /* with a task's statement */
};

struct work_slot {
    const struct work_task *task; /* static */
    void *ctx;                    /* borrowed */
    int64_t not_before_ms;        /* it failed: when it is asked again */
};

struct work {
    struct pg *pg; /* owned */
    struct event tick;
    enum work_state state;
    struct work_slot slots[WORK_TASKS_MAX];
    int count;
    int turn; /* the slot that is asked next; while busy, the one after the task under way */
    struct buf params[WORK_PARAMS_MAX];
};

static struct work_slot *under_way(struct work *work)
{
    return &work->slots[(work->turn + work->count - 1) % work->count];
}

/* The task under way is over, and the state is what follows it. */
static void end_task(struct work *work, enum work_state state, bool done)
{
    struct work_slot *slot = under_way(work);

    work->state = state;
    if (!done) {
        slot->not_before_ms = clock_ms() + WORK_RETRY_MS;
    }
    if (slot->task->over != NULL) {
        slot->task->over(slot->ctx, done);
    }
}

static void send_task(struct work *work, const struct work_task *task)
{
    const char *values[WORK_PARAMS_MAX];
    bool failed = false;

    for (int i = 0; i < stmts[task->stmt].param_count; i++) {
        failed |= buf_failed(&work->params[i]);
        values[i] = buf_str(&work->params[i]);
    }
    work->state = WORK_BUSY;
    if (failed) {
        log_warnx("work stmt=%s error=\"out of memory\"", stmts[task->stmt].name);
        end_task(work, WORK_IDLE, false);
    } else {
        pg_send(work->pg, task->stmt, values);
        pg_flush(work->pg);
    }
}

/* Asks each task once, until one has something to do. */
static void work_next(struct work *work)
{
    int64_t now = clock_ms();

    for (int i = 0; i < work->count && work->state == WORK_IDLE; i++) {
        struct work_slot *slot = &work->slots[work->turn];

        work->turn = (work->turn + 1) % work->count;
        for (int p = 0; p < WORK_PARAMS_MAX; p++) {
            buf_clear(&work->params[p]);
        }
        if (now >= slot->not_before_ms && slot->task->fill(slot->ctx, work->params)) {
            send_task(work, slot->task);
        }
    }
}

/* ---- What the connection tells ---- */

static void on_up(void *ctx)
{
    struct work *work = ctx;

    work->state = WORK_SETTING_UP;
    pg_send(work->pg, PG_WORK_SETTINGS, NULL);
    pg_flush(work->pg);
}

static void on_down(void *ctx)
{
    struct work *work = ctx;

    if (work->state == WORK_BUSY) {
        end_task(work, WORK_DOWN, false);
    }
    work->state = WORK_DOWN;
}

static void on_row(void *ctx, enum pg_stmt stmt, const struct pg_row *row)
{
    struct work *work = ctx;
    const struct work_slot *slot = under_way(work);

    if (work->state == WORK_BUSY && slot->task->stmt == stmt && slot->task->row != NULL) {
        slot->task->row(slot->ctx, row);
    }
}

static void on_failed(void *ctx, enum pg_stmt stmt, enum confab_err err)
{
    struct work *work = ctx;

    (void)err;
    if (stmt == PG_WORK_SETTINGS) {
        pg_drop(work->pg, "settings refused");
    }
}

/* A new connection begins with the first task, and none is held back. */
static void begin(struct work *work)
{
    work->state = WORK_IDLE;
    work->turn = 0;
    for (int i = 0; i < work->count; i++) {
        work->slots[i].not_before_ms = 0;
        if (work->slots[i].task->up != NULL) {
            work->slots[i].task->up(work->slots[i].ctx);
        }
    }
}

static void on_idle(void *ctx, bool all_done)
{
    struct work *work = ctx;

    if (work->state == WORK_BUSY) {
        end_task(work, WORK_IDLE, all_done);
    } else if (all_done) {
        begin(work);
    }
    work_next(work);
}

static const struct pg_callbacks callbacks = {
    .up = on_up,
    .down = on_down,
    .row = on_row,
    .failed = on_failed,
    .idle = on_idle,
};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    work_next(arg);
}

/* ---- Life ---- */

struct work *work_new(struct event_base *base, const struct settings *settings, struct stats *stats)
{
    struct work *work = calloc(1, sizeof *work);

    if (work == NULL) {
        return NULL;
    }
    for (int i = 0; i < WORK_PARAMS_MAX; i++) {
        buf_init(&work->params[i], WORK_PARAM_BYTES);
    }
    event_assign(&work->tick, base, -1, EV_PERSIST, on_tick, work);
    work->pg = pg_new(base, settings, stats, PG_FOR_WORK, &callbacks, work);
    if (work->pg == NULL) {
        work_free(work);
        return NULL;
    }
    return work;
}

void work_free(struct work *work)
{
    if (work == NULL) {
        return;
    }
    pg_free(work->pg);
    event_del(&work->tick);
    for (int i = 0; i < WORK_PARAMS_MAX; i++) {
        buf_clear(&work->params[i]);
    }
    free(work);
}

void work_add(struct work *work, const struct work_task *task, void *ctx)
{
    assert(work->count < WORK_TASKS_MAX && stmts[task->stmt].param_count <= WORK_PARAMS_MAX);
    work->slots[work->count++] = (struct work_slot){.task = task, .ctx = ctx};
}

void work_start(struct work *work)
{
    event_add(&work->tick, &tick_period);
    pg_start(work->pg);
}

void work_wake(struct work *work)
{
    work_next(work);
}
