/*
 * load: the load of the benchmarks. One process on one core holds many readers (Server-Sent Events
 * or WebSocket) and some writers, measures from a message's being due to its arrival, and ends with
 * an error when a reader misses a message, gets one twice or in another order than others.
 *
 * It is told what to do by lines on its standard input, each answered by one line of JSON:
 *
 *   connect under_way=N [cursor=TEXT]
 *     All readers connect; answered when they are in, and have got all that is under way.
 *   drop
 *     All readers close.
 *   pong
 *     All readers, being WebSockets, say that they live.
 *   run seconds=N bytes=N [window=N] [rate=N] [rows=N] [random=1] [pace_us=N]
 *     Messages with a text of so many bytes: `window` of them under way, or `rate` a second,
 *     whatever happens; so many rows in one INSERT; into the rooms in turn, or at random.
 *     pace_us: a sleep before each look at the sockets. Who sends to a sleeping reader on his
 *     own machine pays for waking it, the more often the slower he is; far readers cost him
 *     nothing.
 *   send count=N bytes=N [rows=N]
 *     So many messages, answered when the server has them.
 *
 * The options are in options.c; the runner is bench.js.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "readers.h"
#include "writers.h"

#define NS_PER_S      UINT64_C(1000000000)
#define NS_PER_US     UINT64_C(1000)
#define EVENT_MAX     1024
#define LINE_BYTES    16384
#define CURSOR_BYTES  8192
#define STUCK_S       30                  /* without any progress: something is lost */
#define WRITERS_BASE  (UINT64_C(1) << 32) /* what an event's data is above a reader's index */
#define DEFAULT_BYTES 200

struct load {
    struct options o;
    struct ledger ledger;
    struct readers readers;
    struct writers writers;
    int epoll;
    uint64_t pace_ns; /* slept before each look at the sockets */
};

/* What a line of input says. */
struct command {
    char verb[16];
    char cursor[CURSOR_BYTES];
    uint64_t seconds, bytes, window, rate, rows, random, pace_us, count, under_way;
};

/* ---- One turn of the loop ---- */

/* How many events there were. */
static int turn(struct load *l, uint64_t wait_ns)
{
    static struct epoll_event events[EVENT_MAX];
    const struct timespec wait = {(time_t)(wait_ns / NS_PER_S), (long)(wait_ns % NS_PER_S)};
    const struct timespec pace = {0, (long)l->pace_ns};

    if (l->pace_ns > 0) {
        nanosleep(&pace, NULL);
    }
    int n = epoll_pwait2(l->epoll, events, EVENT_MAX, &wait, NULL);

    for (int i = 0; i < n; i++) {
        uint64_t data = events[i].data.u64;

        if (data >= WRITERS_BASE) {
            writers_on_event(&l->writers, data - WRITERS_BASE, events[i].events);
        } else {
            readers_on_event(&l->readers, (uint32_t)data, events[i].events);
        }
    }
    return n;
}

/* Takes what came since the last command: heartbeats, and the ends of connections that lay idle. */
static void settle(struct load *l)
{
    while (turn(l, 0) > 0 || !writers_ready(&l->writers)) {
    }
}

/* What must change while one waits. */
static uint64_t progress(const struct load *l)
{
    return l->ledger.deliveries + l->ledger.answer.count + l->readers.open;
}

static bool all_open(const struct load *l)
{
    return l->readers.open == l->o.readers && writers_ready(&l->writers);
}

static void run_until_whole(struct load *l, uint64_t under_way)
{
    uint64_t seen = progress(l), since = net_now_ns();

    while (!all_open(l) || l->ledger.under_way > 0) {
        readers_connect_more(&l->readers, (uint32_t)under_way);
        turn(l, NS_PER_S);
        if (progress(l) != seen) {
            seen = progress(l);
            since = net_now_ns();
        } else if (net_now_ns() - since > STUCK_S * NS_PER_S) {
            fatalx("wait error=\"lost\" messages=%zu readers=%u", l->ledger.under_way,
                   l->readers.open);
        }
    }
}

/* ---- Commands ---- */

static json_t *times(const struct hist *h)
{
    return json_pack("{s:f,s:f,s:f}", "p50", hist_ms(h, 0.5), "p99", hist_ms(h, 0.99), "max",
                     hist_ms(h, 1));
}

static double seconds_since(uint64_t began_ns)
{
    return (double)(net_now_ns() - began_ns) / (double)NS_PER_S;
}

static json_t *do_connect(struct load *l, const struct command *c)
{
    uint64_t began = net_now_ns();

    ledger_clear_figures(&l->ledger);
    readers_begin_connect(&l->readers, c->cursor);
    run_until_whole(l, c->under_way);
    return json_pack("{s:f,s:o,s:I,s:I}", "seconds", seconds_since(began), "opening",
                     times(&l->readers.opening), "refused", (json_int_t)l->readers.refused,
                     "deliveries", (json_int_t)l->ledger.deliveries);
}

static json_t *do_drop(struct load *l, const struct command *c)
{
    (void)c;
    readers_drop(&l->readers);
    return json_object();
}

static json_t *do_pong(struct load *l, const struct command *c)
{
    (void)c;
    readers_pong(&l->readers);
    return json_object();
}

/* How many messages are due, and since when the first of them. */
static size_t due(const struct load *l, const struct command *c, uint64_t began, uint64_t sent,
                  uint64_t *since)
{
    uint64_t now = net_now_ns();

    if (c->rate > 0) {
        *since = began + sent * NS_PER_S / c->rate;
        return *since > now ? 0 : (size_t)((now - began) * c->rate / NS_PER_S + 1 - sent);
    }
    *since = now;
    return l->ledger.under_way < c->window ? c->window - l->ledger.under_way : 0;
}

static void clear_figures(struct load *l)
{
    ledger_clear_figures(&l->ledger);
    l->readers.bytes = 0;
    l->writers.refused = 0;
}

static json_t *figures(struct load *l, uint64_t began)
{
    return json_pack("{s:f,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "seconds", seconds_since(began),
                     "messages", (json_int_t)l->ledger.begun, "deliveries",
                     (json_int_t)l->ledger.deliveries, "bytes", (json_int_t)l->readers.bytes,
                     "refused", (json_int_t)l->writers.refused, "delivery",
                     times(&l->ledger.delivery), "reached", times(&l->ledger.reached), "answer",
                     times(&l->ledger.answer));
}

static struct writers_load load_of(const struct command *c)
{
    return (struct writers_load){
        .body_bytes = c->bytes, .rows = c->rows, .at_random = c->random != 0};
}

static json_t *do_run(struct load *l, const struct command *c)
{
    const struct writers_load load = load_of(c);
    uint64_t sent = 0, since;

    settle(l);
    uint64_t began = net_now_ns();

    l->pace_ns = c->pace_us * NS_PER_US;
    clear_figures(l);
    while (net_now_ns() - began < c->seconds * NS_PER_S) {
        size_t count = due(l, c, began, sent, &since);
        uint64_t every = c->rate > 0 ? NS_PER_S / c->rate : 0;

        sent += writers_send(&l->writers, &load, count, since, every);
        /* Until the next one is due; when writers are busy, until one is not. */
        uint64_t next = began + (c->rate > 0 ? sent * NS_PER_S / c->rate : c->seconds * NS_PER_S);
        uint64_t now = net_now_ns();

        turn(l, next > now ? next - now : NS_PER_S);
    }
    run_until_whole(l, 0);
    l->pace_ns = 0;
    return figures(l, began);
}

static json_t *do_send(struct load *l, const struct command *c)
{
    const struct writers_load load = load_of(c);
    uint64_t sent = 0;

    settle(l);
    uint64_t began = net_now_ns();

    clear_figures(l);
    while (l->ledger.answer.count < c->count) {
        sent += writers_send(&l->writers, &load, c->count - sent, net_now_ns(), 0);
        turn(l, NS_PER_S);
    }
    return figures(l, began);
}

static void set(struct command *c, const char *name, const char *value)
{
    const struct {
        const char *name;
        uint64_t *place;
    } numbers[] = {
        {"seconds", &c->seconds}, {"bytes", &c->bytes}, {"window", &c->window},
        {"pace_us", &c->pace_us}, {"rate", &c->rate},   {"rows", &c->rows},
        {"random", &c->random},   {"count", &c->count}, {"under_way", &c->under_way},
    };

    if (strcmp(name, "cursor") == 0) {
        snprintf(c->cursor, sizeof c->cursor, "%s", value);
        return;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(name, numbers[i].name) == 0 &&
            str_to_u64(slice_of(value), UINT32_MAX, numbers[i].place)) {
            return;
        }
    }
    fatalx("command %s=%s error=\"not understood\"", name, value);
}

static void parse(struct command *c, char *line)
{
    char *rest = NULL;
    const char *verb = strtok_r(line, " \n", &rest);
    char *pair;

    *c = (struct command){.bytes = DEFAULT_BYTES, .window = 1, .rows = 1, .under_way = 1000};
    snprintf(c->verb, sizeof c->verb, "%s", verb == NULL ? "" : verb);
    while ((pair = strtok_r(NULL, " \n", &rest)) != NULL) {
        char *value = strchr(pair, '=');

        if (value == NULL) {
            fatalx("command %s error=\"not understood\"", pair);
        }
        *value = '\0';
        set(c, pair, value + 1);
    }
    if (c->rows == 0 || c->rows > WRITER_ROWS_MAX) {
        fatalx("command rows=%lu error=\"too many\"", (unsigned long)c->rows);
    }
}

static void obey(struct load *l, const struct command *c)
{
    static const struct {
        const char *verb;
        json_t *(*fn)(struct load *l, const struct command *c);
    } verbs[] = {
        {"connect", do_connect}, {"drop", do_drop}, {"pong", do_pong},
        {"run", do_run},         {"send", do_send},
    };

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(c->verb, verbs[i].verb) == 0) {
            json_t *answer = verbs[i].fn(l, c);

            json_dumpf(answer, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
            json_decref(answer);
            putchar('\n');
            fflush(stdout);
            return;
        }
    }
    fatalx("command %s error=\"not understood\"", c->verb);
}

int main(int argc, char **argv)
{
    static struct load l;
    static struct command command;
    static char line[LINE_BYTES];
    struct rlimit limit;

    log_init("load", LOG_LEVEL_INFO);
    options_parse(&l.o, argc, argv);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    ledger_init(&l.ledger, l.o.rooms, l.o.readers);
    readers_init(&l.readers, &l.o, &l.ledger, l.epoll);
    writers_init(&l.writers, &l.o, &l.ledger, l.epoll, WRITERS_BASE);
    while (fgets(line, sizeof line, stdin) != NULL) {
        parse(&command, line);
        obey(&l, &command);
    }
    readers_clear(&l.readers);
    writers_clear(&l.writers);
    ledger_clear(&l.ledger);
    close(l.epoll);
    return EXIT_SUCCESS;
}
