/*
 * arena: the memory of one request. Everything is freed, and wiped (passwords pass through), at
 * once at the request's end. Non-goals: freeing one piece, threads.
 */
#ifndef CONFAB_ARENA_H
#define CONFAB_ARENA_H

#include <stddef.h>

#include "common/str.h"

struct arena {
    struct arena_block *blocks; /* owned; the newest first */
    size_t used;                /* bytes of all blocks together */
    size_t max;                 /* limit on used */
};

void arena_init(struct arena *a, size_t max_bytes);
/* Wipes and frees all; a is then as after arena_init with the same limit. */
void arena_clear(struct arena *a);

/* size bytes, zeroed, aligned for any type, that live as long as the arena. NULL when the limit is
 * reached or memory is out. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((warn_unused_result));
/* A NUL-terminated copy; NULL as above. */
char *arena_copy(struct arena *a, struct slice s) __attribute__((warn_unused_result));

#endif
