/*
 * confab-pushd: streams the events of PostgreSQL's log to browsers. Start and stop are here; what
 * it does is in feed.c (events come in), hub.c (who gets them) and conn.c (they go out); what it
 * writes is in work.c.
 *
 * Start: settings, signals, connections, feed, work, the socket (ours, the supervisor's, or that of
 * the process before us), then connections are accepted. Stop: the reverse. SIGTERM, SIGINT: bye to
 * all streams, drain, exit 0; a second one: at once. A successor: the same. SIGHUP: settings again,
 * whole or not at all. SIGUSR1: figures to the log.
 */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin.h"
#include "chores.h"
#include "clock.h"
#include "common/log.h"
#include "common/settings.h"
#include "common/start.h"
#include "common/token.h"
#include "conns.h"
#include "feed.h"
#include "listener.h"
#include "metrics.h"
#include "ops.h"
#include "presence.h"
#include "reload.h"
#include "stats.h"
#include "supervisor.h"
#include "takeover.h"
#include "tickets.h"
#include "work.h"

#define STOP_DEADLINE_MS 8000 /* for all connections to take their last bytes */
#define STOP_LOOK_MS     50

static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
#define SIGNAL_COUNT (sizeof signals / sizeof *signals)

enum daemon_state {
    DAEMON_STARTING,
    DAEMON_SERVING,
    DAEMON_STOPPING,
};

struct daemon {
    struct settings settings;
    struct start start;
    struct event_base *base; /* owned */
    struct stats stats;
    struct conns conns;
    struct feed *feed; /* owned */
    struct work *work; /* owned */
    struct presence presence;
    struct tickets tickets;
    struct ops ops;
    struct chores chores;
    struct listener listener;
    struct takeover takeover;
    struct supervisor supervisor;
    struct metrics metrics;
    struct admin admin;
    struct event signal_events[SIGNAL_COUNT];
    struct event stop_timer;
    int64_t stop_by_ms; /* while stopping */
    enum daemon_state state;
};

/* ---- Stopping ---- */

static void on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
    struct daemon *d = arg;
    bool drained = d->conns.count == 0 && d->listener.state == LISTENER_CLOSED;

    (void)fd;
    (void)what;
    if (drained || clock_ms() >= d->stop_by_ms) {
        event_base_loopbreak(d->base);
    } else {
        conns_stop(&d->conns);
    }
}

static void begin_stop(struct daemon *d, const char *reason)
{
    static const struct timeval look = {0, STOP_LOOK_MS * 1000};

    log_info("stop reason=%s connections=%zu", reason, d->conns.count);
    supervisor_tell(&d->supervisor, "STOPPING=1");
    d->state = DAEMON_STOPPING;
    d->stop_by_ms = clock_ms() + STOP_DEADLINE_MS;
    takeover_end(&d->takeover);
    listener_stop(&d->listener);
    presence_stop(&d->presence);
    conns_stop(&d->conns);
    event_add(&d->stop_timer, &look);
}

/* ---- The process before us, and the one after ---- */

static bool is_ready(void *ctx)
{
    const struct daemon *d = ctx;

    return d->conns.feed.healthy(d->conns.feed.ctx);
}

static void serve(void *ctx)
{
    struct daemon *d = ctx;

    listener_begin(&d->listener);
    log_info("listening address=%s connections_max=%zu",
             d->listener.bound.shared ? "inherited" : d->settings.push_listen,
             d->listener.conn_max);
    d->state = DAEMON_SERVING;
    supervisor_tell(&d->supervisor, "READY=1");
}

static void be_alone(void *ctx)
{
    struct daemon *d = ctx;

    takeover_offer(&d->takeover);
    admin_open(&d->admin);
}

static void leave(void *ctx)
{
    struct daemon *d = ctx;

    admin_close(&d->admin);
    begin_stop(d, "takeover");
}

/* ---- Signals ---- */

static void reload(struct daemon *d)
{
    if (reload_settings(&d->settings, d->start.conf_path)) {
        start_log(&d->settings);
        feed_reload(d->feed);
    }
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct daemon *d = arg;

    (void)what;
    if (number == SIGHUP) {
        reload(d);
    } else if (number == SIGUSR1) {
        stats_log(&d->stats);
    } else if (d->state != DAEMON_STOPPING) {
        begin_stop(d, "signal");
    } else {
        event_base_loopbreak(d->base);
    }
}

static bool watch_signals(struct daemon *d)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (event_assign(&d->signal_events[i], d->base, signals[i], EV_SIGNAL | EV_PERSIST,
                         on_signal, d) != 0 ||
            event_add(&d->signal_events[i], NULL) != 0) {
            return false;
        }
    }
    return event_assign(&d->stop_timer, d->base, -1, EV_PERSIST, on_stop_timer, d) == 0;
}

/* ---- Start and stop ---- */

/* What is asked for figures and for how we are, on the private address. */
static const char *status(void *ctx)
{
    const struct daemon *d = ctx;

    switch (d->state) {
    case DAEMON_STARTING:
        return "starting";
    case DAEMON_STOPPING:
        return "stopping";
    case DAEMON_SERVING:
        break;
    }
    if (d->conns.late || !is_ready(ctx)) {
        return "late";
    }
    return d->listener.state == LISTENER_ACCEPTING ? NULL : "full";
}

/* Gets the listening socket from where it is to come from. Whoever is alone accepts at once. */
static bool listen_or_take_over(struct daemon *d)
{
    int fd = -1;
    enum takeover_found found = TAKEOVER_NOBODY;

    if (!supervisor_socket(&fd)) {
        return false;
    }
    if (fd < 0 && d->start.takeover) {
        found = takeover_claim(&d->takeover);
    }
    if (found != TAKEOVER_NOBODY) {
        return found == TAKEOVER_FOUND;
    }
    if (!(fd >= 0 ? listener_adopt(&d->listener, fd) : listener_open(&d->listener, &d->settings))) {
        return false;
    }
    serve(d);
    be_alone(d);
    return true;
}

static void start(struct daemon *d)
{
    const struct takeover_hooks hooks = {
        .ready = is_ready, .serve = serve, .alone = be_alone, .leave = leave, .ctx = d};

    if (!token_init()) {
        fatalx("start error=\"libsodium\"");
    }
    d->base = event_base_new();
    if (d->base == NULL || !watch_signals(d) || !supervisor_init(&d->supervisor, d->base) ||
        !conns_init(&d->conns, d->base, &d->settings, &d->stats)) {
        fatalx("start error=\"out of memory\"");
    }
    d->feed = feed_new(d->base, &d->settings, &d->stats, &d->conns);
    d->work = work_new(d->base, &d->settings, &d->stats);
    metrics_init(&d->metrics, &d->stats, &d->conns, d->feed, &d->listener);
    if (d->feed == NULL || d->work == NULL || !listener_init(&d->listener, d->base, &d->conns) ||
        !takeover_init(&d->takeover, d->base, &d->listener, &d->settings, &hooks) ||
        !admin_init(&d->admin, d->base, &d->settings, &d->metrics, status, d)) {
        fatalx("start error=\"out of memory\"");
    }
    presence_init(&d->presence, &d->settings, d->work, &d->conns.hub);
    tickets_init(&d->tickets, &d->conns, d->work);
    ops_init(&d->ops, d->work);
    chores_init(&d->chores, &d->settings, d->presence.name, d->work);
    d->conns.tickets = &d->tickets;
    d->conns.ops = &d->ops;
    log_info("start version=%s pid=%d", CONFAB_VERSION, (int)getpid());
    if (!listen_or_take_over(d)) {
        exit(EXIT_FAILURE);
    }
    feed_start(d->feed);
    work_start(d->work);
}

static void stop(struct daemon *d)
{
    takeover_end(&d->takeover);
    listener_close(&d->listener);
    admin_close(&d->admin);
    presence_stop(&d->presence);
    conns_clear(&d->conns);
    feed_free(d->feed);
    work_free(d->work);
    ops_clear(&d->ops);
    tickets_clear(&d->tickets);
    presence_clear(&d->presence);
    supervisor_clear(&d->supervisor);
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        event_del(&d->signal_events[i]);
    }
    event_del(&d->stop_timer);
    event_base_free(d->base);
    stats_log(&d->stats);
    log_info("stopped");
    settings_clear(&d->settings);
}

int main(int argc, char **argv)
{
    static const struct program program = {
        .name = "confab-pushd", .component = "push", .note = "", .takeover = true};
    static struct daemon d;

    d.start = start_program(&program, argc, argv, &d.settings);
    start(&d);
    event_base_dispatch(d.base);
    stop(&d);
    return EXIT_SUCCESS;
}
