/*
 * wheel: deadlines of many objects, to the nearest quarter of a second. Adding and removing cost
 * the same however many there are. A deadline that moves on need not be moved here: its owner looks
 * when the old one is over and adds itself again.
 */
#ifndef PUSH_WHEEL_H
#define PUSH_WHEEL_H

#include <stdint.h>

#include "common/list.h"

#define WHEEL_TICK_MS 250
#define WHEEL_SLOTS   128 /* later deadlines wait in the last slot and are added again */

struct wheel_node {
    struct list link;
    int64_t due_ms;
};

struct wheel {
    struct list slots[WHEEL_SLOTS]; /* struct wheel_node */
    int64_t tick;                   /* the last one that has been run */
};

/* Called with a node that is in no slot any more; may add it again, and free it or others. */
typedef void (*wheel_due_fn)(struct wheel_node *node, void *ctx);

void wheel_init(struct wheel *w, int64_t now_ms);
void wheel_node_init(struct wheel_node *node);
/* Sets or moves the deadline. */
void wheel_add(struct wheel *w, struct wheel_node *node, int64_t due_ms);
void wheel_remove(struct wheel_node *node);
/* Calls due for all whose deadline is over. */
void wheel_run(struct wheel *w, int64_t now_ms, wheel_due_fn due, void *ctx);

#endif
