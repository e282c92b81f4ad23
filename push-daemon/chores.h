/*
 * chores: what has to be done now and then, whoever is connected: pruning the log, and the jobs of
 * housekeeping. Each daemon asks for it; the database sees to it that one does each.
 */
#ifndef PUSH_CHORES_H
#define PUSH_CHORES_H

#include <stdint.h>

#include "common/settings.h"
#include "work.h"

struct chores {
    const struct settings *settings; /* borrowed */
    const char *name;                /* borrowed; of this process, in the table of jobs */
    int64_t prune_ms;                /* when to prune next */
    int64_t housekeep_ms;
};

/* Registers them with work. */
void chores_init(struct chores *chores, const struct settings *settings, const char *name,
                 struct work *work);

#endif
