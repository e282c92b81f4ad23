/*
 * work: what the daemon writes. It has a connection of its own, so that a lock or a slow disk never
 * holds up the feed. Whoever has something to write registers a task: a statement whose parameters
 * are arrays. Work asks the tasks in turn what is due and sends one statement at a time; what falls
 * due meanwhile is gathered by its task, and goes out together with the next one.
 */
#ifndef PUSH_WORK_H
#define PUSH_WORK_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/buf.h"
#include "common/settings.h"
#include "pg.h"
#include "stats.h"

#define WORK_TASKS_MAX   16
#define WORK_PARAMS_MAX  8
#define WORK_PARAM_BYTES (1024 * 1024)
#define WORK_TICK_MS     250  /* how often tasks are asked though nobody has called */
#define WORK_RETRY_MS    1000 /* until a task whose statement failed is asked again */

struct work;

/*
 * One kind of writing. Answers for single items are rows: let the statement take an array of ords
 * and return a row for each. Between fill and over no other fill is called, of any task.
 */
struct work_task {
    enum pg_stmt stmt;
    /* Puts what is due into params, one for each parameter of the statement. False: nothing is. */
    bool (*fill)(void *ctx, struct buf *params);
    /* NULL: the answers are of no interest. */
    void (*row)(void *ctx, const struct pg_row *row);
    /* What fill took is committed, and the rows were true; or else not for sure, and no more will
     * come. NULL: it does not matter. */
    void (*over)(void *ctx, bool done);
    /* The connection is new: the database may have been away. NULL: it does not matter. */
    void (*up)(void *ctx);
};

/* All are borrowed and outlive it. NULL: out of memory. */
struct work *work_new(struct event_base *base, const struct settings *settings,
                      struct stats *stats);
void work_free(struct work *work);

/* Registers a task, which is static; ctx is borrowed and outlives work. On a new connection tasks
 * are asked in the order in which they were added. */
void work_add(struct work *work, const struct work_task *task, void *ctx);

/* Begins to connect to the database, and never gives up. */
void work_start(struct work *work);

/* Something is due now. */
void work_wake(struct work *work);

#endif
