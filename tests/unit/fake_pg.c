/*
 * fake_pg: see fake_pg.h.
 */
#include "fake_pg.h"

#include <stdio.h>

#include "push-daemon/clock.h"

int64_t now_ms;
struct pg pg;

int64_t clock_ms(void)
{
    return now_ms;
}

int64_t clock_us(void)
{
    return now_ms * 1000;
}

int64_t clock_jitter(int64_t min, int64_t max)
{
    (void)min;
    return max;
}

bool pg_is_null(const struct pg_row *row, int column)
{
    return row->columns[column] == NULL;
}

struct slice pg_text(const struct pg_row *row, int column)
{
    return slice_of(row->columns[column]);
}

int64_t pg_i64(const struct pg_row *row, int column)
{
    int64_t value = 0;

    assert_true(pg_is_null(row, column) ||
                str_to_i64(pg_text(row, column), INT64_MIN, INT64_MAX, &value));
    return value;
}

uint64_t pg_u64(const struct pg_row *row, int column)
{
    uint64_t value = 0;

    assert_true(pg_is_null(row, column) || str_to_u64(pg_text(row, column), UINT64_MAX, &value));
    return value;
}

struct pg *pg_new(struct event_base *base, const struct settings *settings, struct stats *stats,
                  enum pg_use use, const struct pg_callbacks *callbacks, void *ctx)
{
    (void)base;
    (void)settings;
    (void)stats;
    (void)use;
    pg = (struct pg){.callbacks = *callbacks, .ctx = ctx};
    return &pg;
}

void pg_free(struct pg *p)
{
    (void)p;
}

void pg_start(struct pg *p)
{
    (void)p;
}

void pg_send(struct pg *p, enum pg_stmt stmt, const char *const *params)
{
    assert_false(p->sent);
    assert_true(p->count < PG_BATCH_MAX);
    for (int i = 0; i < PARAMS_MAX; i++) {
        snprintf(p->params[p->count][i], PARAM_BYTES, "%s",
                 i < stmts[stmt].param_count && params[i] != NULL ? params[i] : "");
    }
    p->batch[p->count++] = stmt;
}

void pg_flush(struct pg *p)
{
    p->sent = true;
}

void pg_drop(struct pg *p, const char *why)
{
    p->dropped = why;
}

const char *asked_param(enum pg_stmt stmt, int param)
{
    for (int i = 0; pg.sent && i < pg.count; i++) {
        if (pg.batch[i] == stmt) {
            return pg.params[i][param];
        }
    }
    return NULL;
}

const char *asked(enum pg_stmt stmt)
{
    return asked_param(stmt, 0);
}

void assert_batch(int count, ...)
{
    va_list expected;

    va_start(expected, count);
    assert_int_equal(pg.sent ? pg.count : 0, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(pg.batch[i], va_arg(expected, int));
    }
    va_end(expected);
}

void batch_over(bool all_done)
{
    assert_true(pg.sent);
    pg.sent = false;
    pg.count = 0;
    pg.callbacks.idle(pg.ctx, all_done);
}

void batch_fails(enum pg_stmt stmt, enum confab_err err)
{
    assert_non_null(asked(stmt));
    pg.callbacks.failed(pg.ctx, stmt, err);
    batch_over(false);
}

void goes_down(void)
{
    pg.sent = false;
    pg.count = 0;
    pg.dropped = NULL;
    pg.callbacks.down(pg.ctx);
}
