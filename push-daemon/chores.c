/*
 * chores: see chores.h.
 */
#include "chores.h"

#include <inttypes.h>

#include "clock.h"

#define PRUNE_MIN_MS 60000 /* between two prunings */
#define PRUNE_MAX_MS 120000

static bool fill_prune(void *ctx, struct buf *params)
{
    struct chores *chores = ctx;
    int64_t now = clock_ms();

    if (now < chores->prune_ms) {
        return false;
    }
    chores->prune_ms = now + clock_jitter(PRUNE_MIN_MS, PRUNE_MAX_MS);
    buf_printf(&params[0], "%" PRId64 " hours", chores->settings->event_keep_hours);
    return true;
}

static const struct work_task prune = {.stmt = PG_EVENT_PRUNE, .fill = fill_prune};

void chores_init(struct chores *chores, const struct settings *settings, struct work *work)
{
    *chores = (struct chores){.settings = settings,
                              .prune_ms = clock_ms() + clock_jitter(0, PRUNE_MIN_MS)};
    work_add(work, &prune, chores);
}
