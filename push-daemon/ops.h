/*
 * ops: does what clients say on their WebSockets: typing and receipts. What comes while a statement
 * is under way goes out together with the next one. Each is answered once, unless its connection is
 * gone by then.
 */
#ifndef PUSH_OPS_H
#define PUSH_OPS_H

#include <stdbool.h>

#include "common/list.h"
#include "conn.h"
#include "op.h"
#include "work.h"

#define OPS_BATCH        500 /* in one statement */
#define OPS_PER_CONN_MAX 64  /* unanswered */

/* The ops of one kind. */
struct ops_queue {
    struct list due;                   /* owns struct ops_item, in ops.c */
    struct ops_item *asked[OPS_BATCH]; /* owned; in the statement under way, by ord */
    int asked_count;
};

struct ops {
    struct work *work; /* borrowed */
    struct ops_queue typing, receipts;
};

/* Registers with work. */
void ops_init(struct ops *ops, struct work *work);
void ops_clear(struct ops *ops);

/* The connection goes: nobody is to be told. */
void ops_forget(struct conn_ops *of);

/* Takes over an op of a live WebSocket, which conn_ws_answer will be called for.
 * CONFAB_OVERLOADED: it has too many already. CONFAB_NO_MEMORY. */
enum confab_err ops_submit(struct ops *ops, struct conn *c, const struct op *op)
    __attribute__((warn_unused_result));

#endif
