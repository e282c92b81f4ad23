/*
 * ops: see ops.h.
 */
#include "ops.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "conn_ws.h"

struct ops_item {
    struct list link;    /* in a queue's due */
    struct list in_conn; /* in the connection's items */
    struct conn *conn;   /* borrowed; NULL: gone */
    int64_t session_id;
    struct op op;
    enum confab_err said; /* by the item's row, which counts once it is committed */
};

/* ---- Life ---- */

static void part(struct ops_item *item)
{
    if (item->conn != NULL) {
        list_remove(&item->in_conn);
        item->conn->ws.ops.count--;
        item->conn = NULL;
    }
}

void ops_forget(struct conn_ops *of)
{
    while (!list_empty(&of->items)) {
        part(list_entry(of->items.next, struct ops_item, in_conn));
    }
}

static void item_free(struct ops_item *item)
{
    part(item);
    list_remove(&item->link);
    free(item);
}

static void queue_clear_all(struct ops_queue *q)
{
    struct list *node, *tmp;

    list_for_each_safe(node, tmp, &q->due)
    {
        item_free(list_entry(node, struct ops_item, link));
    }
    for (int i = 0; i < q->asked_count; i++) {
        item_free(q->asked[i]);
    }
    q->asked_count = 0;
}

void ops_clear(struct ops *ops)
{
    queue_clear_all(&ops->typing);
    queue_clear_all(&ops->receipts);
}

enum confab_err ops_submit(struct ops *ops, struct conn *c, const struct op *op)
{
    struct ops_queue *q = op->kind == OP_TYPING ? &ops->typing : &ops->receipts;

    assert(c->state == CONN_LIVE && op->kind != OP_PING);
    if (c->ws.ops.count == OPS_PER_CONN_MAX) {
        return CONFAB_OVERLOADED;
    }
    struct ops_item *item = calloc(1, sizeof *item);

    if (item == NULL) {
        return CONFAB_NO_MEMORY;
    }
    *item = (struct ops_item){
        .conn = c, .session_id = c->session->id, .op = *op, .said = CONFAB_DB_AWAY};
    list_init(&item->link);
    list_append(&q->due, &item->link);
    list_append(&c->ws.ops.items, &item->in_conn);
    c->ws.ops.count++;
    work_wake(ops->work);
    return CONFAB_OK;
}

/* ---- Answers ---- */

static void take_row(struct ops_queue *q, const struct pg_row *row)
{
    int64_t ord = pg_i64(row, 0);
    struct slice code = pg_text(row, 1);

    if (ord >= 0 && ord < q->asked_count) {
        q->asked[ord]->said = pg_is_null(row, 1) ? CONFAB_OK : err_from_code(code.p, code.n);
    }
}

/* What is not committed for sure was not done, as far as is known; it may be said again. */
static void answer_all(struct ops_queue *q, bool done)
{
    for (int i = 0; i < q->asked_count; i++) {
        struct ops_item *item = q->asked[i];

        if (item->conn != NULL) {
            conn_ws_answer(item->conn, &item->op, done ? item->said : CONFAB_DB_AWAY);
        }
        item_free(item);
    }
    q->asked_count = 0;
}

/* ---- Statements ---- */

static void put_number(struct buf *b, bool first, int64_t n)
{
    buf_puts(b, first ? "" : ",");
    buf_put_i64(b, n);
}

static void put_word(struct buf *b, bool first, const char *word)
{
    buf_puts(b, first ? "" : ",");
    buf_puts(b, word);
}

/* Moves what is due to asked, and its parameters, as PostgreSQL's arrays, to params: ords, sessions
 * and rooms, and what `put` adds. False: nothing is due. */
static bool fill(struct ops_queue *q, struct buf *params, int param_count,
                 void (*put)(struct buf *params, bool first, const struct op *op))
{
    int ord = 0;

    assert(q->asked_count == 0);
    for (int i = 0; i < param_count; i++) {
        buf_putc(&params[i], '{');
    }
    while (ord < OPS_BATCH && !list_empty(&q->due)) {
        struct ops_item *item = list_entry(q->due.next, struct ops_item, link);

        put_number(&params[0], ord == 0, ord);
        put_number(&params[1], ord == 0, item->session_id);
        put_number(&params[2], ord == 0, item->op.room_id);
        put(params, ord == 0, &item->op);
        list_remove(&item->link);
        q->asked[ord++] = item;
    }
    q->asked_count = ord;
    for (int i = 0; i < param_count; i++) {
        buf_putc(&params[i], '}');
    }
    return ord > 0;
}

static void put_typing(struct buf *params, bool first, const struct op *op)
{
    put_word(&params[3], first, op->started ? "start" : "stop");
}

static bool fill_typing(void *ctx, struct buf *params)
{
    struct ops *ops = ctx;

    return fill(&ops->typing, params, 4, put_typing);
}

static void typing_row(void *ctx, const struct pg_row *row)
{
    struct ops *ops = ctx;

    take_row(&ops->typing, row);
}

static void typing_over(void *ctx, bool done)
{
    struct ops *ops = ctx;

    answer_all(&ops->typing, done);
}

static void put_receipt(struct buf *params, bool first, const struct op *op)
{
    put_word(&params[3], first, op->read ? "read" : "delivered");
    put_number(&params[4], first, op->seq);
}

static bool fill_receipts(void *ctx, struct buf *params)
{
    struct ops *ops = ctx;

    return fill(&ops->receipts, params, 5, put_receipt);
}

static void receipts_row(void *ctx, const struct pg_row *row)
{
    struct ops *ops = ctx;

    take_row(&ops->receipts, row);
}

static void receipts_over(void *ctx, bool done)
{
    struct ops *ops = ctx;

    answer_all(&ops->receipts, done);
}

static const struct work_task typing_task = {
    .stmt = PG_TYPING, .fill = fill_typing, .row = typing_row, .over = typing_over};
static const struct work_task receipts_task = {
    .stmt = PG_RECEIPTS, .fill = fill_receipts, .row = receipts_row, .over = receipts_over};

void ops_init(struct ops *ops, struct work *work)
{
    ops->work = work;
    list_init(&ops->typing.due);
    list_init(&ops->receipts.due);
    work_add(work, &typing_task, ops);
    work_add(work, &receipts_task, ops);
}
