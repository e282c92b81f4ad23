/*
 * arena: a list of blocks, the newest of which is filled from its beginning.
 */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_BYTES (16 * 1024)

struct arena_block {
    struct arena_block *next; /* owned */
    size_t size;              /* of bytes */
    size_t filled;
    _Alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){.max = max_bytes};
}

void arena_clear(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *block = a->blocks;

        a->blocks = block->next;
        explicit_bzero(block->bytes, block->filled);
        free(block);
    }
    arena_init(a, a->max);
}

/* A new first block with room for size bytes. */
static bool arena_grow(struct arena *a, size_t size)
{
    size_t room = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;

    if (room > a->max - a->used) {
        room = size;
    }
    if (room > a->max - a->used) {
        return false;
    }
    struct arena_block *block = malloc(sizeof(*block) + room);

    if (block == NULL) {
        return false;
    }
    *block = (struct arena_block){.next = a->blocks, .size = room};
    a->blocks = block;
    a->used += room;
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = _Alignof(max_align_t);

    if (size > a->max) {
        return NULL;
    }
    size = (size + align - 1) / align * align;
    if ((a->blocks == NULL || size > a->blocks->size - a->blocks->filled) && !arena_grow(a, size)) {
        return NULL;
    }
    void *at = a->blocks->bytes + a->blocks->filled;

    a->blocks->filled += size;
    memset(at, 0, size);
    return at;
}

char *arena_copy(struct arena *a, struct slice s)
{
    char *copy = s.n < a->max ? arena_alloc(a, s.n + 1) : NULL;

    if (copy != NULL && s.n > 0) {
        memcpy(copy, s.p, s.n);
    }
    return copy;
}
