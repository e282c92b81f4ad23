/*
 * map: open addressing with linear probing. Removal shifts the following entries back, so there
 * are no tombstones and a map that is filled and emptied for ever does not slow down.
 */
#include "map.h"

#include <assert.h>
#include <stdlib.h>

#define MAP_FIRST_SLOTS 16

struct map_slot {
    uint64_t key;
    void *value; /* borrowed (the caller's); NULL marks a free slot */
};

/* Spreads neighbouring numbers (the finaliser of splitmix64). */
static size_t map_hash(uint64_t key)
{
    key ^= key >> 30;
    key *= 0xbf58476d1ce4e5b9U;
    key ^= key >> 27;
    key *= 0x94d049bb133111ebU;
    key ^= key >> 31;
    return (size_t)key;
}

/* The slot that holds key, or the free one where it would go. cap > 0, never full. */
static size_t map_find(const struct map *m, uint64_t key)
{
    size_t at = map_hash(key) & (m->cap - 1);

    while (m->slots[at].value != NULL && m->slots[at].key != key) {
        at = (at + 1) & (m->cap - 1);
    }
    return at;
}

void map_init(struct map *m)
{
    *m = (struct map){.slots = NULL};
}

void map_clear(struct map *m)
{
    free(m->slots);
    map_init(m);
}

void *map_get(const struct map *m, uint64_t key)
{
    return m->count == 0 ? NULL : m->slots[map_find(m, key)].value;
}

static bool map_grow(struct map *m)
{
    size_t cap = m->cap == 0 ? MAP_FIRST_SLOTS : m->cap * 2;
    struct map bigger = {.slots = calloc(cap, sizeof(*bigger.slots)), .cap = cap};

    if (bigger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].value != NULL) {
            bigger.slots[map_find(&bigger, m->slots[i].key)] = m->slots[i];
            bigger.count++;
        }
    }
    free(m->slots);
    *m = bigger;
    return true;
}

bool map_put(struct map *m, uint64_t key, void *value)
{
    assert(value != NULL);
    if (m->cap > 0) {
        size_t at = map_find(m, key);

        if (m->slots[at].value != NULL) {
            m->slots[at].value = value;
            return true;
        }
    }
    /* At most three quarters full. */
    if (4 * (m->count + 1) > 3 * m->cap && !map_grow(m)) {
        return false;
    }
    m->slots[map_find(m, key)] = (struct map_slot){key, value};
    m->count++;
    return true;
}

void *map_remove(struct map *m, uint64_t key)
{
    if (m->count == 0) {
        return NULL;
    }
    size_t mask = m->cap - 1;
    size_t hole = map_find(m, key);
    void *value = m->slots[hole].value;

    if (value == NULL) {
        return NULL;
    }
    for (size_t at = (hole + 1) & mask; m->slots[at].value != NULL; at = (at + 1) & mask) {
        size_t home = map_hash(m->slots[at].key) & mask;

        /* An entry may move back to the hole unless that would put it before its home. */
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            m->slots[hole] = m->slots[at];
            hole = at;
        }
    }
    m->slots[hole].value = NULL;
    m->count--;
    return value;
}

void *map_next(const struct map *m, size_t *at, uint64_t *key)
{
    while (*at < m->cap) {
        const struct map_slot *slot = &m->slots[(*at)++];

        if (slot->value != NULL) {
            *key = slot->key;
            return slot->value;
        }
    }
    return NULL;
}
