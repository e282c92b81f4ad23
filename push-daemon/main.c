/*
 * confab-pushd: streams the events of PostgreSQL's log to browsers. Start and stop are here; what
 * it does is in feed.c (events come in), hub.c (who gets them) and conn.c (they go out).
 *
 * Start: settings, signals, connections, feed, listener. Stop: the reverse.
 * SIGTERM, SIGINT: bye to all streams, drain, exit 0; a second one: at once.
 * SIGHUP: settings again, whole or not at all. SIGUSR1: figures to the log.
 */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "common/log.h"
#include "common/settings.h"
#include "common/start.h"
#include "common/token.h"
#include "conns.h"
#include "feed.h"
#include "listener.h"
#include "reload.h"
#include "stats.h"

#define STOP_DEADLINE_MS 8000 /* for all connections to take their last bytes */
#define STOP_LOOK_MS     50

static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
#define SIGNAL_COUNT (sizeof signals / sizeof *signals)

struct daemon {
    struct settings settings;
    const char *conf_path;   /* borrowed from argv; NULL: the default */
    struct event_base *base; /* owned */
    struct stats stats;
    struct conns conns;
    struct feed *feed; /* owned */
    struct listener listener;
    struct event signal_events[SIGNAL_COUNT];
    struct event stop_timer;
    int64_t stop_by_ms; /* 0: running */
};

/* ---- Running ---- */

static void on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
    struct daemon *d = arg;

    (void)fd;
    (void)what;
    if (d->conns.count == 0 || clock_ms() >= d->stop_by_ms) {
        event_base_loopbreak(d->base);
    }
}

static void begin_stop(struct daemon *d)
{
    static const struct timeval look = {0, STOP_LOOK_MS * 1000};

    log_info("stop connections=%zu", d->conns.count);
    d->stop_by_ms = clock_ms() + STOP_DEADLINE_MS;
    listener_stop(&d->listener);
    conns_stop(&d->conns);
    event_add(&d->stop_timer, &look);
}

static void reload(struct daemon *d)
{
    if (reload_settings(&d->settings, d->conf_path)) {
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
    } else if (d->stop_by_ms == 0) {
        begin_stop(d);
    } else {
        event_base_loopbreak(d->base);
    }
}

static void watch_signals(struct daemon *d)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (event_assign(&d->signal_events[i], d->base, signals[i], EV_SIGNAL | EV_PERSIST,
                         on_signal, d) != 0 ||
            event_add(&d->signal_events[i], NULL) != 0) {
            fatalx("start error=\"cannot watch signals\"");
        }
    }
    event_assign(&d->stop_timer, d->base, -1, EV_PERSIST, on_stop_timer, d);
}

static void start(struct daemon *d)
{
    if (!token_init()) {
        fatalx("start error=\"libsodium\"");
    }
    d->base = event_base_new();
    if (d->base == NULL) {
        fatalx("start error=\"no event base\"");
    }
    watch_signals(d);
    if (!conns_init(&d->conns, d->base, &d->settings, &d->stats)) {
        fatalx("start error=\"out of memory\"");
    }
    d->feed = feed_new(d->base, &d->settings, &d->stats, &d->conns);
    if (d->feed == NULL) {
        fatalx("start error=\"out of memory\"");
    }
    if (!listener_open(&d->listener, d->base, &d->conns, d->settings.push_listen)) {
        exit(EXIT_FAILURE);
    }
    feed_start(d->feed);
    log_info("start version=%s", CONFAB_VERSION);
}

static void stop(struct daemon *d)
{
    listener_close(&d->listener);
    conns_clear(&d->conns);
    feed_free(d->feed);
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
    static const struct program program = {"confab-pushd", "push", ""};
    static struct daemon d;

    d.conf_path = start_program(&program, argc, argv, &d.settings);
    start(&d);
    event_base_dispatch(d.base);
    stop(&d);
    return EXIT_SUCCESS;
}
