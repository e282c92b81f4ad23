/*
 * main: a worker of Confab. Serves REST requests that a web server hands it by FastCGI or CGI, one
 * at a time, until it is told to stop or has served its share.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/settings.h"
#include "common/token.h"
#include "exchange.h"
#include "gateway.h"

#define EXIT_USAGE 2

static volatile sig_atomic_t stop_requested;

struct options {
    const char *file; /* borrowed from argv; NULL: the default */
    bool check;
    bool dump;
};

static void on_stop(int signo)
{
    (void)signo;
    stop_requested = 1;
}

static void usage(FILE *out)
{
    fputs("usage: confab.fcgi [-c FILE] [-n | -T | -h | -V]\n"
          "  -c FILE        read this configuration file\n"
          "  -n             check the configuration and exit\n"
          "  -T             print the effective configuration and exit\n"
          "  -h, --help     print this and exit\n"
          "  -V, --version  print the version and exit\n"
          "Without -n, -T, -h and -V it serves the web server that started it.\n",
          out);
}

static struct options options_read(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    struct options o = {.file = NULL};
    int c = 0;

    while ((c = getopt_long(argc, argv, "c:nThV", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            o.file = optarg;
            break;
        case 'n':
            o.check = true;
            break;
        case 'T':
            o.dump = true;
            break;
        case 'h':
            usage(stdout);
            exit(EXIT_SUCCESS);
        case 'V':
            puts("confab.fcgi " CONFAB_VERSION);
            exit(EXIT_SUCCESS);
        default:
            usage(stderr);
            exit(EXIT_USAGE);
        }
    }
    if (optind < argc) {
        usage(stderr);
        exit(EXIT_USAGE);
    }
    return o;
}

/* SIGTERM, SIGUSR1 and SIGINT end the worker, but never a request: they are blocked, and let in
 * only while it waits for one, with the mask that is returned. */
static sigset_t signals_set(void)
{
    static const int stops[] = {SIGTERM, SIGUSR1, SIGINT};
    const struct sigaction action = {.sa_handler = on_stop};
    sigset_t blocked;
    sigset_t waiting;

    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        sigaddset(&blocked, stops[i]);
        sigaction(stops[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &blocked, &waiting);
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        sigdelset(&waiting, stops[i]);
    }
    return waiting;
}

static void settings_apply(const struct settings *s)
{
    enum log_level level = LOG_LEVEL_INFO;

    if (log_level_parse(s->log_level, &level)) {
        log_set_level(level);
    }
}

/*
 * On shared hosting only the web server's own file can say where the configuration is (SetEnv in
 * .htaccess), and FastCGI hands that on with each request: the first one counts. What is named on
 * the command line or in the environment goes before it. False when it cannot be used.
 */
static bool settings_adopt(struct settings *s, const struct options *o, const struct gateway *g)
{
    const char *file = gateway_variable(g, "CONFAB_CONF");
    struct settings adopted;
    struct conf_error why;

    if (file == NULL || o->file != NULL || getenv("CONFAB_CONF") != NULL) {
        return true;
    }
    if (settings_load(&adopted, file, &why) != CONFAB_OK) {
        log_errx("configuration %s", why.text);
        return false;
    }
    settings_clear(s);
    *s = adopted;
    settings_apply(s);
    return true;
}

/* What needs the final settings. False when there is no database handle (logged). */
static bool app_open(struct app *app)
{
    app->db = db_new(app->settings);
    password_init(&app->password, app->settings);
    return app->db != NULL;
}

static void app_close(struct app *app)
{
    password_clear(&app->password);
    db_free(app->db);
}

/* Why a worker does not serve any more. */
enum served { SERVED_OUT, SERVED_SHARE, SERVED_FAILED };

/* Serves until it is told to stop, has served its share, or cannot go on. */
static enum served serve(struct app *app, struct settings *settings, const struct options *o,
                         const sigset_t *wait_mask)
{
    int64_t served = 0;

    while (!stop_requested && served < settings->worker_requests) {
        switch (gateway_accept(app->gateway, wait_mask)) {
        case GATEWAY_REQUEST:
            if (served == 0 && !(settings_adopt(settings, o, app->gateway) && app_open(app))) {
                return SERVED_FAILED;
            }
            exchange_run(app);
            served++;
            break;
        case GATEWAY_INTERRUPTED:
            break;
        case GATEWAY_END:
            return SERVED_OUT;
        case GATEWAY_FAILED:
            log_err("accept");
            return SERVED_FAILED;
        }
    }
    return stop_requested ? SERVED_OUT : SERVED_SHARE;
}

/*
 * Becomes a fresh worker on the same socket: one that ended would throw away the requests that are
 * waiting there already, and a web server answers those with an error.
 */
static void recycle(char **argv)
{
    log_info("recycle");
    execv("/proc/self/exe", argv);
    log_err("recycle");
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct conf_error why;
    const struct options o = options_read(argc, argv);

    log_init("fcgi", LOG_LEVEL_INFO);
    if (settings_load(&settings, o.file, &why) != CONFAB_OK) {
        fatalx("configuration %s", why.text);
    }
    settings_apply(&settings);
    if (o.dump) {
        conf_dump(&settings_table, &settings, stdout);
    }
    if (o.dump || o.check) {
        settings_clear(&settings);
        return EXIT_SUCCESS;
    }

    if (!gateway_present()) {
        fatalx("start: no web server started this program; see confab.fcgi(8)");
    }
    if (!token_init()) {
        fatalx("start: libsodium does not start");
    }
    input_start();
    struct app app = {.settings = &settings, .gateway = gateway_new(), .password = PASSWORD_CLOSED};

    if (app.gateway == NULL) {
        fatalx("start: libfcgi does not start");
    }
    const sigset_t wait_mask = signals_set();
    enum served served = serve(&app, &settings, &o, &wait_mask);

    app_close(&app);
    gateway_free(app.gateway);
    settings_clear(&settings);
    if (served == SERVED_SHARE) {
        recycle(argv);
    }
    return served == SERVED_FAILED ? EXIT_FAILURE : EXIT_SUCCESS;
}
