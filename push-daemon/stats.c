/*
 * stats: see stats.h.
 */
#include "stats.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/log.h"

#define STATS_LINE_BYTES 2048

static const char *const names[] = {
    [STAT_ACCEPTED] = "accepted",
    [STAT_STREAMS] = "streams",
    [STAT_LOOKS] = "looks",
    [STAT_EVENTS] = "events",
    [STAT_DELIVERIES] = "deliveries",
    [STAT_WRITES] = "writes",
    [STAT_BYTES] = "bytes",
    [STAT_REPLAYS_RING] = "replays_ring",
    [STAT_REPLAYS_LOG] = "replays_log",
    [STAT_RESETS] = "resets",
    [STAT_RINGS] = "rings",
    [STAT_DB_CONNECTS] = "db_connects",
    [STAT_DB_FAILURES] = "db_failures",
    [STAT_ACCEPT_PAUSES] = "accept_pauses",
};
static_assert(sizeof names / sizeof *names == STAT_MAX, "one name a figure");

void stats_log(const struct stats *s)
{
    struct buf line;

    buf_init(&line, STATS_LINE_BYTES);
    for (int i = 0; i < STAT_MAX; i++) {
        if (s->counts[i] > 0) {
            buf_printf(&line, " %s=%" PRIu64, names[i], s->counts[i]);
        }
    }
    for (int i = 0; i < REASON_MAX; i++) {
        if (s->closed[i] > 0) {
            buf_printf(&line, " closed_%s=%" PRIu64, reason_word((enum reason)i), s->closed[i]);
        }
    }
    if (!buf_failed(&line)) {
        log_info("stats%s", buf_str(&line));
    }
    buf_clear(&line);
}
