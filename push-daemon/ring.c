/*
 * ring: see ring.h.
 */
#include "ring.h"

#include <assert.h>
#include <stdlib.h>

#define RING_FIRST_CAP 64

struct ring_look {
    struct cursor before; /* what a reader has seen who has seen nothing of this look */
    uint64_t first;       /* number of its first message */
};

void ring_init(struct ring *r, size_t max_bytes)
{
    *r = (struct ring){.max_bytes = max_bytes};
}

static struct ring_look *look_at(const struct ring *r, uint64_t number)
{
    return &r->looks[number & (r->look_cap - 1)];
}

struct msg *ring_at(const struct ring *r, uint64_t number)
{
    assert(number >= r->first && number < r->next);
    return r->msgs[number & (r->msg_cap - 1)];
}

static size_t look_footprint(const struct ring_look *look)
{
    return sizeof *look + look->before.xip_count * sizeof *look->before.xip;
}

static void drop_msgs_below(struct ring *r, uint64_t number)
{
    for (; r->first < number; r->first++) {
        struct msg *m = ring_at(r, r->first);

        r->bytes -= msg_footprint(m);
        msg_unref(m);
    }
}

static void drop_oldest_look(struct ring *r)
{
    struct ring_look *look = look_at(r, r->first_look++);
    bool was_last = r->first_look == r->next_look;

    r->bytes -= look_footprint(look);
    cursor_clear(&look->before);
    drop_msgs_below(r, was_last ? r->next : look_at(r, r->first_look)->first);
}

static void drop_all(struct ring *r)
{
    while (r->first_look < r->next_look) {
        drop_oldest_look(r);
    }
    drop_msgs_below(r, r->next);
}

void ring_clear(struct ring *r)
{
    drop_all(r);
    free(r->msgs);
    free(r->looks);
    ring_init(r, r->max_bytes);
}

/* Makes room for one more look. The circle keeps each element at its number modulo the size, so
 * that growing moves all of them. */
static bool reserve_look(struct ring *r)
{
    if (r->next_look - r->first_look < r->look_cap) {
        return true;
    }
    size_t cap = r->look_cap == 0 ? RING_FIRST_CAP : r->look_cap * 2;
    struct ring_look *looks = calloc(cap, sizeof *looks);

    if (looks == NULL) {
        return false;
    }
    for (uint64_t i = r->first_look; i < r->next_look; i++) {
        looks[i & (cap - 1)] = *look_at(r, i);
    }
    free(r->looks);
    r->looks = looks;
    r->look_cap = cap;
    return true;
}

static bool reserve_msg(struct ring *r)
{
    if (r->next - r->first < r->msg_cap) {
        return true;
    }
    size_t cap = r->msg_cap == 0 ? RING_FIRST_CAP : r->msg_cap * 2;
    struct msg **msgs = calloc(cap, sizeof(struct msg *));

    if (msgs == NULL) {
        return false;
    }
    for (uint64_t i = r->first; i < r->next; i++) {
        msgs[i & (cap - 1)] = ring_at(r, i);
    }
    free(r->msgs);
    r->msgs = msgs;
    r->msg_cap = cap;
    return true;
}

static bool open_look(struct ring *r, const struct cursor *cursor)
{
    struct ring_look look = {.first = r->next};

    if (!reserve_look(r) || cursor_copy(cursor, &look.before) != CONFAB_OK) {
        return false;
    }
    *look_at(r, r->next_look++) = look;
    r->bytes += look_footprint(&look);
    return true;
}

bool ring_start(struct ring *r, const struct cursor *cursor)
{
    drop_all(r);
    r->overflowed = false;
    return open_look(r, cursor);
}

/* Drops old looks until the bound holds. The look being filled has no cursor after it yet, so when
 * it alone is too much, all that can be done is to start afresh at its end. */
static void keep_bound(struct ring *r)
{
    while (r->bytes > r->max_bytes && r->next_look - r->first_look > 1) {
        drop_oldest_look(r);
    }
    if (r->bytes > r->max_bytes) {
        drop_all(r);
        r->overflowed = true;
    }
}

void ring_add(struct ring *r, struct msg *m)
{
    if (r->overflowed || r->first_look == r->next_look) {
        return;
    }
    if (!reserve_msg(r)) {
        drop_all(r);
        r->overflowed = true;
        return;
    }
    r->msgs[r->next & (r->msg_cap - 1)] = msg_ref(m);
    r->next++;
    r->bytes += msg_footprint(m);
    keep_bound(r);
}

/* A look without messages is forgotten: the next one begins where it ended. */
static void drop_empty_look(struct ring *r)
{
    struct ring_look *look = look_at(r, r->next_look - 1);

    if (look->first < r->next) {
        return;
    }
    r->next_look--;
    r->bytes -= look_footprint(look);
    cursor_clear(&look->before);
}

void ring_end_look(struct ring *r, const struct cursor *cursor)
{
    if (r->overflowed || r->first_look == r->next_look) {
        r->overflowed = !ring_start(r, cursor);
        return;
    }
    drop_empty_look(r);
    if (!open_look(r, cursor)) {
        drop_all(r);
        r->overflowed = true;
        return;
    }
    keep_bound(r);
}

/* Each look begins where more has been seen than at the one before, so that a binary search finds
 * the last whose beginning c includes. */
bool ring_find(const struct ring *r, const struct cursor *c, uint64_t *from)
{
    uint64_t low = r->first_look, high = r->next_look;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (cursor_includes(c, &look_at(r, middle)->before)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == r->first_look) {
        return false;
    }
    *from = look_at(r, low - 1)->first;
    return true;
}
