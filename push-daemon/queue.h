/*
 * queue: the messages that wait to be written to one connection, and how far the first has got.
 * Allocates only while more waits than a batch of one and its mark. Non-goals: sockets, limits (the
 * caller looks at bytes).
 */
#ifndef PUSH_QUEUE_H
#define PUSH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg.h"

#define QUEUE_FEW 2

struct queue {
    struct msg *few[QUEUE_FEW];
    struct msg **items; /* owned, unless it is few: a circle of counted references */
    uint32_t cap;       /* a power of two */
    uint32_t head;      /* index of the first */
    uint32_t count;
    uint32_t offset;    /* bytes of the first that are written */
    size_t bytes;       /* still to be written */
    enum msg_form form; /* in which all of it is written */
};

void queue_init(struct queue *q);
void queue_clear(struct queue *q);
bool queue_empty(const struct queue *q);

/* In which form to write; of an empty queue only. */
void queue_set_form(struct queue *q, enum msg_form form);

/* Appends m and takes a reference of its own. False when out of memory; nothing is changed then. */
bool queue_push(struct queue *q, struct msg *m) __attribute__((warn_unused_result));

/* Appends all of from, which is then empty. False when out of memory; part may have been moved. */
bool queue_move(struct queue *from, struct queue *to) __attribute__((warn_unused_result));

/* The message at place i < q->count, 0 being the next to be written. Borrowed. */
struct msg *queue_at(const struct queue *q, uint32_t i);

/* What is to be written of the first message; empty when nothing waits. */
struct slice queue_first(const struct queue *q);

/* Notes that the first `bytes` have been written, and lets go of what is done. */
void queue_advance(struct queue *q, size_t bytes);

/* Drops all but a message that is half written, which must be ended for the rest to make sense. */
void queue_drop_unsent(struct queue *q);

#endif
