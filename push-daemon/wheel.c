/*
 * wheel: see wheel.h.
 */
#include "wheel.h"

void wheel_init(struct wheel *w, int64_t now_ms)
{
    for (int i = 0; i < WHEEL_SLOTS; i++) {
        list_init(&w->slots[i]);
    }
    w->tick = now_ms / WHEEL_TICK_MS;
}

void wheel_node_init(struct wheel_node *node)
{
    list_init(&node->link);
    node->due_ms = 0;
}

void wheel_add(struct wheel *w, struct wheel_node *node, int64_t due_ms)
{
    int64_t tick = due_ms / WHEEL_TICK_MS + 1; /* never early */

    if (tick <= w->tick) {
        tick = w->tick + 1;
    }
    if (tick >= w->tick + WHEEL_SLOTS) {
        tick = w->tick + WHEEL_SLOTS - 1;
    }
    node->due_ms = due_ms;
    list_remove(&node->link);
    list_append(&w->slots[tick % WHEEL_SLOTS], &node->link);
}

void wheel_remove(struct wheel_node *node)
{
    list_remove(&node->link);
}

/* Empties one slot. What is added meanwhile goes to other slots, since this tick is over. */
static void run_slot(struct wheel *w, struct list *slot, int64_t now_ms, wheel_due_fn due,
                     void *ctx)
{
    while (!list_empty(slot)) {
        struct wheel_node *node = list_entry(slot->next, struct wheel_node, link);

        list_remove(&node->link);
        if (node->due_ms > now_ms) {
            wheel_add(w, node, node->due_ms);
        } else {
            due(node, ctx);
        }
    }
}

void wheel_run(struct wheel *w, int64_t now_ms, wheel_due_fn due, void *ctx)
{
    int64_t last = now_ms / WHEEL_TICK_MS;

    /* After a long stop every slot is run once, which is all there is. */
    if (last - w->tick > WHEEL_SLOTS) {
        w->tick = last - WHEEL_SLOTS;
    }
    while (w->tick < last) {
        w->tick++;
        run_slot(w, &w->slots[w->tick % WHEEL_SLOTS], now_ms, due, ctx);
    }
}
