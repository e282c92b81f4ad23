/*
 * dead: see dead.h. Tokens are hashed, so their first bytes are as good as any hash function, and
 * what is compared is no secret that a clock could betray.
 */
#include "dead.h"

#include <string.h>

static size_t slot_of(const struct token_hash *token)
{
    return (token->bytes[0] | (size_t)token->bytes[1] << 8) % DEAD_SLOTS;
}

void dead_clear(struct dead *d)
{
    memset(d, 0, sizeof *d);
}

void dead_add(struct dead *d, const struct token_hash *token)
{
    d->slots[slot_of(token)] = *token;
}

bool dead_has(const struct dead *d, const struct token_hash *token)
{
    return memcmp(&d->slots[slot_of(token)], token, sizeof *token) == 0;
}
