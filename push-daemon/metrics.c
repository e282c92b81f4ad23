/*
 * metrics: see metrics.h.
 */
#include "metrics.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define STATM_BYTES 128

/* By the name of their conn_transport; a connection that has said nothing yet has none. */
static const char *const transports[] = {"none", "sse", "websocket", "poll"};
#define TRANSPORT_COUNT (sizeof transports / sizeof *transports)

/* The figures of one moment. */
struct scrape {
    const struct metrics *of;
    bool ready;
    size_t conns[CONN_CLOSED][TRANSPORT_COUNT];
    size_t queued_bytes;
    struct feed_figures feed;
    uint64_t virtual_bytes, resident_bytes;
};

/* ---- Taking them ---- */

static size_t transport_of(const struct conn *c)
{
    const char *name = c->transport == NULL ? transports[0] : c->transport->name;

    for (size_t i = 0; i < TRANSPORT_COUNT; i++) {
        if (strcmp(name, transports[i]) == 0) {
            return i;
        }
    }
    assert(!"a transport that the table lacks");
    return 0;
}

static void count_conns(struct scrape *s)
{
    for (int state = 0; state < CONN_CLOSED; state++) {
        const struct list *head = &s->of->conns->states[state];

        for (const struct list *node = head->next; node != head; node = node->next) {
            const struct conn *c = list_entry(node, struct conn, in_state);

            s->conns[state][transport_of(c)]++;
            s->queued_bytes += c->out.bytes;
        }
    }
}

/* "SIZE RESIDENT …" in pages. */
static void read_memory(struct scrape *s)
{
    char text[STATM_BYTES];
    uint64_t *const figures[] = {&s->virtual_bytes, &s->resident_bytes};
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
    struct slice rest = {text, n < 0 ? 0 : (size_t)n};

    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        struct slice pages;

        slice_cut(rest, ' ', &pages, &rest);
        if (str_to_u64(pages, UINT64_MAX / page, figures[i])) {
            *figures[i] *= page;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* ---- The simple ones: a name, a value ---- */

static double connections_max(const struct scrape *s)
{
    return (double)s->of->listener->conn_max;
}

static double users(const struct scrape *s)
{
    return (double)hub_user_count(&s->of->conns->hub);
}

static double rooms(const struct scrape *s)
{
    return (double)hub_room_count(&s->of->conns->hub);
}

static double sessions(const struct scrape *s)
{
    return (double)s->of->conns->sessions.by_id.count;
}

static double queued_bytes(const struct scrape *s)
{
    return (double)s->queued_bytes;
}

static double congested(const struct scrape *s)
{
    return (double)s->of->conns->congested;
}

static double ring_bytes(const struct scrape *s)
{
    return (double)s->feed.ring_bytes;
}

static double ring_looks(const struct scrape *s)
{
    return (double)s->feed.ring_looks;
}

static double ring_messages(const struct scrape *s)
{
    return (double)s->feed.ring_messages;
}

static double look_age(const struct scrape *s)
{
    int64_t since_ms = s->feed.looked_ms != 0 ? s->feed.looked_ms : s->of->started_ms;

    return (double)(clock_ms() - since_ms) / 1e3;
}

static double database_up(const struct scrape *s)
{
    return s->feed.database_up;
}

static double ready(const struct scrape *s)
{
    return s->ready;
}

static double cpu_seconds(const struct scrape *s)
{
    struct rusage u = {.ru_nvcsw = 0};

    (void)s;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double resident_memory(const struct scrape *s)
{
    return (double)s->resident_bytes;
}

static double virtual_memory(const struct scrape *s)
{
    return (double)s->virtual_bytes;
}

/* Linux says how many since 6.2, and 0 before; to count them all would hold up the streams. */
static double open_fds(const struct scrape *s)
{
    struct stat st = {.st_size = 0};

    (void)s;
    return stat("/proc/self/fd", &st) == 0 ? (double)st.st_size : 0;
}

static double max_fds(const struct scrape *s)
{
    struct rlimit limit = {0, 0};

    (void)s;
    getrlimit(RLIMIT_NOFILE, &limit);
    return (double)limit.rlim_cur;
}

static double started(const struct scrape *s)
{
    return (double)s->of->started;
}

struct simple {
    const char *name, *type, *help;
    double (*value)(const struct scrape *s);
};

static const struct simple simples[] = {
    {"confab_connections_max", "gauge",
     "Connections that the limit of descriptors leaves room for.", connections_max},
    {"confab_users", "gauge", "People with a live stream.", users},
    {"confab_rooms", "gauge", "Rooms that somebody with a live stream is in.", rooms},
    {"confab_sessions", "gauge", "Sessions with a live stream.", sessions},
    {"confab_queued_bytes", "gauge", "Bytes that wait for all connections together.", queued_bytes},
    {"confab_congested", "gauge", "Streams with half of what may wait for them.", congested},
    {"confab_ring_bytes", "gauge", "Bytes of recent messages kept for streams that resume.",
     ring_bytes},
    {"confab_ring_messages", "gauge", "Recent messages kept.", ring_messages},
    {"confab_ring_looks", "gauge", "Reads of the log that they came by.", ring_looks},
    {"confab_look_age_seconds", "gauge",
     "Time since the last whole read of the event log, or the start.", look_age},
    {"confab_database_up", "gauge", "1 while the database is connected.", database_up},
    {"confab_ready", "gauge", "1 while /ready is answered 200.", ready},
    {"process_cpu_seconds_total", "counter", "Processor time, user and system.", cpu_seconds},
    {"process_resident_memory_bytes", "gauge", "Memory in use.", resident_memory},
    {"process_virtual_memory_bytes", "gauge", "Address space.", virtual_memory},
    {"process_open_fds", "gauge", "Open descriptors; 0 where Linux is older than 6.2.", open_fds},
    {"process_max_fds", "gauge", "Descriptors that may be open.", max_fds},
    {"process_start_time_seconds", "gauge", "When the process began, since the epoch.", started},
};

/* ---- Putting ---- */

static void put_head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_simples(struct buf *b, const struct scrape *s)
{
    for (size_t i = 0; i < sizeof simples / sizeof *simples; i++) {
        const struct simple *m = &simples[i];

        put_head(b, m->name, m->type, m->help);
        buf_printf(b, "%s %.15g\n", m->name, m->value(s));
    }
}

static void put_counters(struct buf *b, const struct stats *stats)
{
    for (int i = 0; i < STAT_MAX; i++) {
        const char *name = stats_name((enum stat_id)i);

        buf_printf(b, "# HELP confab_%s_total %s\n# TYPE confab_%s_total counter\n", name,
                   stats_help((enum stat_id)i), name);
        buf_printf(b, "confab_%s_total %" PRIu64 "\n", name, stats->counts[i]);
    }
    put_head(b, "confab_closed_total", "counter", "Connections that ended, by reason.");
    for (int i = 0; i < REASON_MAX; i++) {
        buf_printf(b, "confab_closed_total{reason=\"%s\"} %" PRIu64 "\n",
                   reason_word((enum reason)i), stats->closed[i]);
    }
}

static void put_connections(struct buf *b, const struct scrape *s)
{
    put_head(b, "confab_connections", "gauge", "Open connections.");
    for (int state = 0; state < CONN_CLOSED; state++) {
        for (size_t i = 0; i < TRANSPORT_COUNT; i++) {
            buf_printf(b, "confab_connections{state=\"%s\",transport=\"%s\"} %zu\n",
                       conn_state_name((enum conn_state)state), transports[i], s->conns[state][i]);
        }
    }
}

static void put_look_times(struct buf *b, const struct stats_times *times)
{
    uint64_t count = 0;

    put_head(b, "confab_look_seconds", "histogram",
             "From asking for a read of the log to its end.");
    for (int i = 0; i < STATS_BUCKETS; i++) {
        count += times->counts[i];
        buf_printf(b, "confab_look_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
                   (double)stats_bounds_us[i] / 1e6, count);
    }
    count += times->counts[STATS_BUCKETS];
    buf_printf(b, "confab_look_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", count);
    buf_printf(b, "confab_look_seconds_sum %.6f\n", (double)times->sum_us / 1e6);
    buf_printf(b, "confab_look_seconds_count %" PRIu64 "\n", count);
}

void metrics_init(struct metrics *m, const struct stats *stats, const struct conns *conns,
                  const struct feed *feed, const struct listener *listener)
{
    *m = (struct metrics){.stats = stats,
                          .conns = conns,
                          .feed = feed,
                          .listener = listener,
                          .started = time(NULL),
                          .started_ms = clock_ms()};
}

void metrics_put(const struct metrics *m, bool is_ready, struct buf *b)
{
    struct scrape s = {.of = m, .ready = is_ready, .feed = feed_figures(m->feed)};

    count_conns(&s);
    read_memory(&s);
    put_head(b, "confab_build_info", "gauge", "1, with the version of the program.");
    buf_printf(b, "confab_build_info{version=\"%s\"} 1\n", CONFAB_VERSION);
    put_counters(b, m->stats);
    put_connections(b, &s);
    put_look_times(b, &m->stats->look_times);
    put_simples(b, &s);
}
