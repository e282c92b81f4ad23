/*
 * ring: the recent messages, bounded in bytes, for readers that come back after a short while. It
 * is kept in looks, as the feed reads them: each begins at a cursor, so whoever has seen that
 * cursor can be given all that follows. When a look is dropped, it is dropped whole.
 */
#ifndef PUSH_RING_H
#define PUSH_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cursor.h"
#include "msg.h"

struct ring_look; /* in ring.c */

struct ring {
    struct msg **msgs; /* owned, a circle of counted references */
    size_t msg_cap;    /* 0 or a power of two */
    uint64_t first;    /* number of the oldest message; numbers are never used again */
    uint64_t next;     /* number that the next message gets */

    struct ring_look *looks; /* owned, a circle; the last is the one being filled */
    size_t look_cap;         /* 0 or a power of two */
    uint64_t first_look, next_look;

    size_t bytes, max_bytes;
    bool overflowed; /* the look being filled is over the bound: nothing can be kept of it */
};

void ring_init(struct ring *r, size_t max_bytes);
void ring_clear(struct ring *r);

/* Forgets everything; from now on the ring begins at cursor. False when out of memory: the ring
 * then serves nobody until the next ring_end_look. */
bool ring_start(struct ring *r, const struct cursor *cursor) __attribute__((warn_unused_result));

/* Adds m (and a reference) to the look being filled. */
void ring_add(struct ring *r, struct msg *m);

/* The look is complete, and has brought its readers to cursor, where the next one begins. */
void ring_end_look(struct ring *r, const struct cursor *cursor);

/*
 * Whether the ring has all that follows c. If so, *from is the number of the first message to
 * consider; some of those up to r->next may still be covered by c.
 */
bool ring_find(const struct ring *r, const struct cursor *c, uint64_t *from)
    __attribute__((warn_unused_result));

/* The message of that number, first <= number < next. Borrowed. */
struct msg *ring_at(const struct ring *r, uint64_t number);

#endif
