/*
 * listener: see listener.h.
 */
#include "listener.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "common/log.h"

#define SOCKET_MODE       0660
#define SEND_BUFFER_BYTES 131072 /* what the kernel may hold for one slow reader */
#define LEAVE_STEP_MS     10     /* between two lots of those who are accepted last */

static const struct timeval pause_time = {LISTENER_PAUSE_MS / 1000, LISTENER_PAUSE_MS % 1000};
static const struct timeval leave_step = {0, LEAVE_STEP_MS * 1000};

/* ---- Accepting ---- */

enum accepted {
    ACCEPTED_SOME, /* there may be more */
    ACCEPTED_ALL,
    ACCEPTED_TOO_MANY, /* more wait, and there is no descriptor for them */
};

static void set_option(int fd, int level, int option, int value)
{
    /* All of them are wishes: a socket without works too. */
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

static void prepare(const struct listener *l, int fd)
{
    set_option(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES);
    if (l->bound.is_tcp) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)l->conns->settings->stream_silent_ms);
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    }
}

static enum accepted accept_one(struct listener *l)
{
    int fd = accept4(l->bound.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        prepare(l, fd);
        conn_accept(l->conns, fd);
        return ACCEPTED_SOME;
    }
    switch (errno) {
    case ECONNABORTED:
    case EINTR:
        return ACCEPTED_SOME;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return ACCEPTED_TOO_MANY;
    default:
        return ACCEPTED_ALL;
    }
}

static enum accepted accept_some(struct listener *l)
{
    enum accepted result = ACCEPTED_SOME;

    for (int i = 0; i < LISTENER_QUOTA && result == ACCEPTED_SOME; i++) {
        result = l->conns->count < l->conn_max ? accept_one(l) : ACCEPTED_TOO_MANY;
    }
    return result;
}

static void pause_accepting(struct listener *l)
{
    bool reserve = l->conns->count >= l->conn_max;

    log_warnx("accept paused reason=\"%s\" connections=%zu",
              reserve ? "descriptor reserve" : strerror(errno), l->conns->count);
    l->conns->stats->counts[STAT_ACCEPT_PAUSES]++;
    l->state = LISTENER_PAUSED;
    event_del(&l->io);
    event_add(&l->timer, &pause_time);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;

    (void)fd;
    (void)what;
    if (accept_some(l) == ACCEPTED_TOO_MANY) {
        pause_accepting(l);
    }
}

/* ---- The last ones ---- */

static void accept_rest(struct listener *l)
{
    if (accept_some(l) == ACCEPTED_ALL) {
        listener_close(l);
    } else {
        event_add(&l->timer, &leave_step);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;

    (void)fd;
    (void)what;
    if (l->state == LISTENER_LEAVING) {
        accept_rest(l);
    } else {
        listener_begin(l);
    }
}

/* ---- Life ---- */

/* Takes as many descriptors as the system gives, and notes how many connections that allows. */
static void raise_limit(struct listener *l)
{
    struct rlimit limit;

    l->conn_max = LISTENER_FD_RESERVE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_warn("limit what=descriptors");
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_warn("limit what=descriptors");
    }
    if (limit.rlim_cur > 2 * LISTENER_FD_RESERVE) {
        l->conn_max = (size_t)limit.rlim_cur - LISTENER_FD_RESERVE;
    }
}

bool listener_init(struct listener *l, struct event_base *base, struct conns *conns)
{
    *l = (struct listener){.conns = conns, .bound = {.fd = -1}};
    raise_limit(l);
    return event_assign(&l->io, base, -1, 0, on_readable, l) == 0 &&
           event_assign(&l->timer, base, -1, 0, on_timer, l) == 0;
}

/* The socket is open: it can be waited for. */
static bool watch(struct listener *l)
{
    struct event_base *base = event_get_base(&l->io);

    l->state = LISTENER_OPEN;
    return event_assign(&l->io, base, l->bound.fd, EV_READ | EV_PERSIST, on_readable, l) == 0;
}

bool listener_open(struct listener *l, const struct settings *s)
{
    const struct bound_kind kind = {.type = SOCK_STREAM,
                                    .backlog = LISTENER_BACKLOG,
                                    .mode = SOCKET_MODE,
                                    .reuse_port = s->push_reuse_port != 0};
    struct bound_error why;

    if (!bound_open(&l->bound, s->push_listen, &kind, &why)) {
        log_errx("bind address=%s error=\"%s\"", s->push_listen, why.text);
        return false;
    }
    return watch(l);
}

bool listener_adopt(struct listener *l, int fd)
{
    if (!bound_adopt(&l->bound, fd)) {
        log_errx("bind descriptor=%d error=\"is no listening socket\"", fd);
        return false;
    }
    return watch(l);
}

void listener_begin(struct listener *l)
{
    assert(l->state == LISTENER_OPEN || l->state == LISTENER_PAUSED);
    l->state = LISTENER_ACCEPTING;
    event_add(&l->io, NULL);
}

void listener_stop(struct listener *l)
{
    if (l->bound.shared) {
        listener_close(l);
    }
    if (l->state == LISTENER_CLOSED) {
        return;
    }
    event_del(&l->io);
    bound_hide(&l->bound);
    l->state = LISTENER_LEAVING;
    accept_rest(l);
}

void listener_close(struct listener *l)
{
    event_del(&l->io);
    event_del(&l->timer);
    bound_close(&l->bound);
    l->state = LISTENER_CLOSED;
}
