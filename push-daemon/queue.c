/*
 * queue: see queue.h.
 */
#include "queue.h"

#include <assert.h>
#include <stdlib.h>

#define QUEUE_FIRST_CAP 16 /* on the heap */

void queue_init(struct queue *q)
{
    *q = (struct queue){.items = q->few, .cap = QUEUE_FEW};
}

static struct msg **slot(const struct queue *q, uint32_t i)
{
    return &q->items[(q->head + i) & (q->cap - 1)];
}

static void free_items(struct queue *q)
{
    if (q->items != q->few) {
        free(q->items);
    }
}

/* Of an empty queue. */
static void let_go(struct queue *q)
{
    free_items(q);
    q->items = q->few;
    q->cap = QUEUE_FEW;
    q->head = q->offset = 0;
}

void queue_clear(struct queue *q)
{
    for (uint32_t i = 0; i < q->count; i++) {
        msg_unref(*slot(q, i));
    }
    q->count = 0;
    q->bytes = 0;
    let_go(q);
}

void queue_set_form(struct queue *q, enum msg_form form)
{
    assert(q->count == 0);
    q->form = form;
}

bool queue_empty(const struct queue *q)
{
    return q->count == 0;
}

static struct slice bytes_of(const struct queue *q, const struct msg *m)
{
    return m->forms[q->form];
}

static bool grow(struct queue *q)
{
    uint32_t cap = q->cap == QUEUE_FEW ? QUEUE_FIRST_CAP : q->cap * 2;

    if (cap < q->cap) {
        return false;
    }
    struct msg **items = calloc(cap, sizeof(struct msg *));

    if (items == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < q->count; i++) {
        items[i] = *slot(q, i);
    }
    free_items(q);
    q->items = items;
    q->cap = cap;
    q->head = 0;
    return true;
}

bool queue_push(struct queue *q, struct msg *m)
{
    if (!msg_encode(m, q->form)) {
        return false;
    }
    size_t n = bytes_of(q, m).n;

    if (n == 0) {
        return true;
    }
    if (q->count == q->cap && !grow(q)) {
        return false;
    }
    *slot(q, q->count++) = msg_ref(m);
    q->bytes += n;
    return true;
}

struct msg *queue_at(const struct queue *q, uint32_t i)
{
    assert(i < q->count);
    return *slot(q, i);
}

bool queue_move(struct queue *from, struct queue *to)
{
    assert(from->offset == 0 && from->form == to->form);
    for (uint32_t i = 0; i < from->count; i++) {
        if (!queue_push(to, *slot(from, i))) {
            return false;
        }
    }
    queue_clear(from);
    return true;
}

struct slice queue_first(const struct queue *q)
{
    if (q->count == 0) {
        return (struct slice){NULL, 0};
    }
    struct slice bytes = bytes_of(q, *slot(q, 0));

    return (struct slice){bytes.p + q->offset, bytes.n - q->offset};
}

static void drop_first(struct queue *q)
{
    msg_unref(*slot(q, 0));
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    q->offset = 0;
}

void queue_advance(struct queue *q, size_t bytes)
{
    assert(bytes <= q->bytes);
    q->bytes -= bytes;
    while (bytes > 0) {
        size_t left = bytes_of(q, *slot(q, 0)).n - q->offset;

        if (bytes < left) {
            q->offset += (uint32_t)bytes;
            return;
        }
        bytes -= left;
        drop_first(q);
    }
    if (q->count == 0) {
        let_go(q);
    }
}

void queue_drop_unsent(struct queue *q)
{
    uint32_t keep = q->offset > 0 ? 1 : 0;

    while (q->count > keep) {
        struct msg *m = *slot(q, --q->count);

        q->bytes -= bytes_of(q, m).n;
        msg_unref(m);
    }
    if (q->count == 0) {
        let_go(q);
    }
}
