/*
 * fake_pg: a database and a clock that are the test. The module under test is linked with it in
 * place of pg.c and clock.c; the database keeps what it is asked, and answers when the test says
 * so.
 */
#ifndef CONFAB_TESTS_FAKE_PG_H
#define CONFAB_TESTS_FAKE_PG_H

#include "unit.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "push-daemon/pg.h"

#define COLUMNS_MAX 8
#define PARAMS_MAX  4
#define PARAM_BYTES 4096

struct pg_row {
    const char *columns[COLUMNS_MAX]; /* NULL: null */
};

struct pg {
    struct pg_callbacks callbacks;
    void *ctx;
    enum pg_stmt batch[PG_BATCH_MAX];
    char params[PG_BATCH_MAX][PARAMS_MAX][PARAM_BYTES];
    int count;
    bool sent; /* the batch is whole, and waits for its answers */
    const char *dropped;
};

extern struct pg pg;   /* the one that pg_new gave out last */
extern int64_t now_ms; /* what clock_ms says; clock_jitter is as long as it may be */

/* The first parameter of a statement of the batch that waits, cut to its room; NULL: it is not in
 * it. */
const char *asked(enum pg_stmt stmt);
/* The same for another one. */
const char *asked_param(enum pg_stmt stmt, int param);

/* What waits for answers is exactly these statements. */
void assert_batch(int count, ...);
void batch_over(bool all_done);
void batch_fails(enum pg_stmt stmt, enum confab_err err);
/* The connection is lost. */
void goes_down(void);

#endif
