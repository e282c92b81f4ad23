/*
 * main: a worker of Confab. Serves REST requests that a web server hands it by FastCGI or CGI, one
 * at a time, until it is told to stop or has served its share.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/settings.h"
#include "common/start.h"
#include "common/token.h"
#include "exchange.h"
#include "gateway.h"

static volatile sig_atomic_t stop_requested;

static void on_stop(int signo)
{
    (void)signo;
    stop_requested = 1;
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

/*
 * On shared hosting only the web server's own file can say where the configuration is (SetEnv in
 * .htaccess), and FastCGI hands that on with each request: the first one counts. What is named on
 * the command line or in the environment goes before it. False when it cannot be used.
 */
static bool settings_adopt(struct settings *s, const char *conf_path, const struct gateway *g)
{
    const char *file = gateway_variable(g, "CONFAB_CONF");
    struct settings adopted;
    struct conf_error why;

    if (file == NULL || conf_path != NULL || getenv("CONFAB_CONF") != NULL) {
        return true;
    }
    if (settings_load(&adopted, file, &why) != CONFAB_OK) {
        log_errx("configuration %s", why.text);
        return false;
    }
    settings_clear(s);
    *s = adopted;
    start_log(s);
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
static enum served serve(struct app *app, struct settings *settings, const char *conf_path,
                         const sigset_t *wait_mask)
{
    int64_t served = 0;

    while (!stop_requested && served < settings->worker_requests) {
        switch (gateway_accept(app->gateway, wait_mask)) {
        case GATEWAY_REQUEST:
            if (served == 0 &&
                !(settings_adopt(settings, conf_path, app->gateway) && app_open(app))) {
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
    static const struct program program = {
        .name = "confab.fcgi",
        .component = "fcgi",
        .note = "Without -n, -T, -h and -V it serves the web server that started it.\n"};
    struct settings settings;
    const char *conf_path = start_program(&program, argc, argv, &settings).conf_path;

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
    enum served served = serve(&app, &settings, conf_path, &wait_mask);

    app_close(&app);
    gateway_free(app.gateway);
    settings_clear(&settings);
    if (served == SERVED_SHARE) {
        recycle(argv);
    }
    return served == SERVED_FAILED ? EXIT_FAILURE : EXIT_SUCCESS;
}
