/*
 * dead: tokens that lately turned out to belong to no session, so that whoever tries the same again
 * is told to stop without asking the database. A small table that forgets: one entry displaces
 * another.
 */
#ifndef PUSH_DEAD_H
#define PUSH_DEAD_H

#include <stdbool.h>

#include "common/token.h"

#define DEAD_SLOTS 2048

struct dead {
    struct token_hash slots[DEAD_SLOTS]; /* all zero: empty */
};

void dead_clear(struct dead *d);
void dead_add(struct dead *d, const struct token_hash *token);
bool dead_has(const struct dead *d, const struct token_hash *token);

#endif
