/*
 * chores: what has to be done now and then, whoever is connected: pruning the log. Each daemon does
 * it; the database sees to it that they do not get into each other's way.
 */
#ifndef PUSH_CHORES_H
#define PUSH_CHORES_H

#include <stdint.h>

#include "common/settings.h"
#include "work.h"

struct chores {
    const struct settings *settings; /* borrowed */
    int64_t prune_ms;                /* when to prune next */
};

/* Registers them with work. */
void chores_init(struct chores *chores, const struct settings *settings, struct work *work);

#endif
