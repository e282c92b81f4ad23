/*
 * supervisor: see supervisor.h.
 */
#include "supervisor.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/str.h"

#define FIRST_FD 3 /* as the protocol has it */

static bool number_of(const char *variable, int64_t max, int64_t *out)
{
    const char *text = getenv(variable);

    return text != NULL && str_to_i64(slice_of(text), 0, max, out);
}

bool supervisor_socket(int *fd)
{
    int64_t pid = 0;
    int64_t count = 0;
    bool ours = number_of("LISTEN_PID", INT32_MAX, &pid) && pid == getpid() &&
                number_of("LISTEN_FDS", INT32_MAX, &count);

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    *fd = ours && count == 1 ? FIRST_FD : -1;
    if (ours && count > 1) {
        log_errx("bind error=\"more than one socket was handed over\"");
        return false;
    }
    return true;
}

/* "/path", or "@name" for a socket without a file. */
static void find_listener(struct supervisor *s)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t len = name == NULL ? 0 : strlen(name);

    if (len < 2 || len > sizeof s->address.sun_path || (name[0] != '/' && name[0] != '@')) {
        return;
    }
    s->address.sun_family = AF_UNIX;
    memcpy(s->address.sun_path, name, len);
    if (name[0] == '@') {
        s->address.sun_path[0] = '\0';
    }
    s->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    supervisor_tell(arg, "WATCHDOG=1");
}

bool supervisor_init(struct supervisor *s, struct event_base *base)
{
    int64_t pid = getpid();
    int64_t period_us = 0;

    *s = (struct supervisor){.fd = -1};
    find_listener(s);
    if (event_assign(&s->watchdog, base, -1, EV_PERSIST, on_watchdog, s) != 0) {
        return false;
    }
    if (getenv("WATCHDOG_PID") != NULL && !number_of("WATCHDOG_PID", INT32_MAX, &pid)) {
        return true;
    }
    if (s->fd >= 0 && pid == getpid() && number_of("WATCHDOG_USEC", INT64_MAX, &period_us) &&
        period_us > 1) {
        period_us /= 2; /* as its manual says */
        const struct timeval period = {period_us / 1000000, period_us % 1000000};

        return event_add(&s->watchdog, &period) == 0;
    }
    return true;
}

void supervisor_clear(struct supervisor *s)
{
    event_del(&s->watchdog);
    if (s->fd >= 0) {
        close(s->fd);
        s->fd = -1;
    }
}

void supervisor_tell(const struct supervisor *s, const char *state)
{
    if (s->fd >= 0) {
        /* It is not waited for: who does not take it is told again, or knows by our end. */
        (void)sendto(s->fd, state, strlen(state), MSG_NOSIGNAL,
                     (const struct sockaddr *)&s->address, s->address_len);
    }
}
