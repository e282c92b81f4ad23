/*
 * map: from a 64-bit number to a pointer, open addressing. It owns its table, not the values.
 */
#ifndef CONFAB_MAP_H
#define CONFAB_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map {
    struct map_slot *slots; /* owned */
    size_t cap;             /* 0 or a power of two */
    size_t count;
};

void map_init(struct map *m);
void map_clear(struct map *m);
void *map_get(const struct map *m, uint64_t key); /* NULL when absent */
/* value is not NULL; replaces. False when out of memory (the map is unchanged). */
bool map_put(struct map *m, uint64_t key, void *value) __attribute__((warn_unused_result));
void *map_remove(struct map *m, uint64_t key); /* what stood there, or NULL */
/* Walks all values: start with *at = 0; NULL ends it. Removing the current key is not safe. */
void *map_next(const struct map *m, size_t *at, uint64_t *key);

#endif
