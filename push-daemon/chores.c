/*
 * chores: see chores.h.
 */
#include "chores.h"

#include <inttypes.h>

#include "clock.h"

#define PRUNE_MIN_MS     60000 /* between two prunings */
#define PRUNE_MAX_MS     120000
#define HOUSEKEEP_MIN_MS 30000
#define HOUSEKEEP_MAX_MS 60000

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

static bool fill_housekeep(void *ctx, struct buf *params)
{
    struct chores *chores = ctx;
    int64_t now = clock_ms();

    if (now < chores->housekeep_ms) {
        return false;
    }
    chores->housekeep_ms = now + clock_jitter(HOUSEKEEP_MIN_MS, HOUSEKEEP_MAX_MS);
    buf_puts(&params[0], chores->name);
    return true;
}

static const struct work_task prune = {.stmt = PG_EVENT_PRUNE, .fill = fill_prune};
static const struct work_task housekeep = {.stmt = PG_HOUSEKEEP, .fill = fill_housekeep};

void chores_init(struct chores *chores, const struct settings *settings, const char *name,
                 struct work *work)
{
    int64_t now = clock_ms();

    *chores = (struct chores){.settings = settings,
                              .name = name,
                              .prune_ms = now + clock_jitter(0, PRUNE_MIN_MS),
                              .housekeep_ms = now + clock_jitter(0, HOUSEKEEP_MIN_MS)};
    work_add(work, &prune, chores);
    work_add(work, &housekeep, chores);
}
