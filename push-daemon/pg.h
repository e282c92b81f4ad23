/*
 * pg: one of the daemon's connections to PostgreSQL, and the only file that sees libpq. It connects
 * and reconnects by itself, never blocks, and runs batches of the statements in its table: all of a
 * batch go out together, and their rows come back one by one. Many rows come in slices, with a turn
 * of the loop between them.
 */
#ifndef PUSH_PG_H
#define PUSH_PG_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/settings.h"
#include "common/str.h"
#include "stats.h"
#include "stmts.h"

#define PG_SLICE_ROWS     256    /* then the loop has a turn … */
#define PG_SLICE_BYTES    65536  /* … or after so much data */
#define PG_DEADLINE_MS    15000  /* without any answer to a batch: the connection is given up */
#define PG_TCP_TIMEOUT_MS "2000" /* without an acknowledgement: the network is gone */
#define PG_RETRY_MIN_MS   100
#define PG_RETRY_MAX_MS   1000
#define PG_BATCH_MAX      16 /* statements */

struct pg;
struct pg_row; /* one row of a result; borrowed for the callback */

/* Column readers; what they give is borrowed from the row. */
bool pg_is_null(const struct pg_row *row, int column);
struct slice pg_text(const struct pg_row *row, int column); /* empty when null */
/* 0 when null. A column that is no number gives up the connection: the schema is not ours. */
int64_t pg_i64(const struct pg_row *row, int column);
uint64_t pg_u64(const struct pg_row *row, int column);

/* What happens, in the order in which it happens. None may call pg_free. */
struct pg_callbacks {
    void (*up)(void *ctx);   /* connected and prepared; a first batch may be sent */
    void (*down)(void *ctx); /* the connection is gone, with all that was under way */
    void (*notified)(void *ctx, const char *channel, const char *payload); /* or NULL */
    void (*row)(void *ctx, enum pg_stmt stmt, const struct pg_row *row);
    /* The first statement of a batch that failed; what follows it in the batch was not run. */
    void (*failed)(void *ctx, enum pg_stmt stmt, enum confab_err err);
    /* The batch is over; all_done: and committed. */
    void (*idle)(void *ctx, bool all_done);
    /* A slice of rows has come: how long (ms) to wait until asking again; 0: go on. Or NULL. */
    int64_t (*slice)(void *ctx);
};

/* settings, stats and ctx are borrowed and outlive it. NULL: out of memory. */
struct pg *pg_new(struct event_base *base, const struct settings *settings, struct stats *stats,
                  enum pg_use use, const struct pg_callbacks *callbacks, void *ctx);
void pg_free(struct pg *pg);

/* Begins to connect, and goes on for ever. */
void pg_start(struct pg *pg);

/* Adds a statement to the batch; params (borrowed for the call) are texts or NULL, as many as the
 * statement has. Failing means that the connection is being given up; `down` will tell. */
void pg_send(struct pg *pg, enum pg_stmt stmt, const char *const *params);
/* Ends the batch and sends it. One batch at a time: `idle` must have been called. */
void pg_flush(struct pg *pg);

/* Gives up the connection; `down` is called when the stack has unwound. */
void pg_drop(struct pg *pg, const char *why);

#endif
