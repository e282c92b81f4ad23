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

struct row {
    const char *name;
    const char *help;
};

static const struct row rows[] = {
    [STAT_ACCEPTED] = {"accepted", "Connections accepted."},
    [STAT_STREAMS] = {"streams", "Streams that went live."},
    [STAT_LOOKS] = {"looks", "Reads of the event log."},
    [STAT_EVENTS] = {"events", "Events read from it."},
    [STAT_DELIVERIES] = {"deliveries", "Events put before connections."},
    [STAT_WRITES] = {"writes", "Calls of send."},
    [STAT_BYTES] = {"bytes", "Bytes written to sockets."},
    [STAT_REPLAYS_RING] = {"replays_ring", "Streams resumed from memory."},
    [STAT_REPLAYS_LOG] = {"replays_log", "Streams resumed from the database."},
    [STAT_RESETS] = {"resets", "Gaps that were announced."},
    [STAT_RINGS] = {"rings", "Doorbells heard."},
    [STAT_SIGNALS] = {"signals", "Notifications of who comes, goes or types."},
    [STAT_SIGNALS_DROPPED] = {"signals_dropped", "Those that were malformed, or too many at once."},
    [STAT_DB_CONNECTS] = {"db_connects", "Connections made to the database."},
    [STAT_DB_FAILURES] = {"db_failures", "Connections to the database lost or refused."},
    [STAT_ACCEPT_PAUSES] = {"accept_pauses", "Times that no descriptor was left for a connection."},
};
static_assert(sizeof rows / sizeof *rows == STAT_MAX, "one row a figure");

const int64_t stats_bounds_us[STATS_BUCKETS] = {500,   1000,   2500,   5000,   10000,   25000,
                                                50000, 100000, 250000, 500000, 1000000, 5000000};

const char *stats_name(enum stat_id id)
{
    assert(id >= 0 && id < STAT_MAX);
    return rows[id].name;
}

const char *stats_help(enum stat_id id)
{
    assert(id >= 0 && id < STAT_MAX);
    return rows[id].help;
}

void stats_time(struct stats_times *times, int64_t us)
{
    int i = 0;

    while (i < STATS_BUCKETS && us > stats_bounds_us[i]) {
        i++;
    }
    times->counts[i]++;
    times->sum_us += (uint64_t)us;
}

void stats_log(const struct stats *s)
{
    struct buf line;

    buf_init(&line, STATS_LINE_BYTES);
    for (int i = 0; i < STAT_MAX; i++) {
        if (s->counts[i] > 0) {
            buf_printf(&line, " %s=%" PRIu64, rows[i].name, s->counts[i]);
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
