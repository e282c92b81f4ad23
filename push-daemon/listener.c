/*
 * listener: see listener.h.
 */
#include "listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/str.h"

#define SOCKET_MODE       0660
#define SEND_BUFFER_BYTES 131072 /* what the kernel may hold for one slow reader */
#define TCP_GIVE_UP_MS    60000  /* unacknowledged for longer: the peer is gone */
#define HOST_MAX_BYTES    256
#define UNIX_PREFIX       "unix:"
#define UNIX_PREFIX_BYTES (sizeof UNIX_PREFIX - 1)

static const struct timeval pause_time = {LISTENER_PAUSE_MS / 1000, LISTENER_PAUSE_MS % 1000};

/* ---- Accepting ---- */

static void set_option(int fd, int level, int option, int value)
{
    /* All of them are wishes: a socket without works too. */
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

static void prepare(const struct listener *l, int fd)
{
    set_option(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES);
    if (l->is_tcp) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_GIVE_UP_MS);
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    }
}

static void pause_accepting(struct listener *l, const char *why)
{
    log_warnx("accept paused reason=\"%s\" connections=%zu", why, l->conns->count);
    l->conns->stats->counts[STAT_ACCEPT_PAUSES]++;
    event_del(&l->io);
    event_add(&l->pause, &pause_time);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;

    (void)fd;
    (void)what;
    event_add(&l->io, NULL);
}

/* Accepts one; false when there is none now. */
static bool accept_one(struct listener *l)
{
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        prepare(l, fd);
        conn_accept(l->conns, fd);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause_accepting(l, strerror(errno));
    }
    return errno == ECONNABORTED || errno == EINTR;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;

    (void)fd;
    (void)what;
    for (int i = 0; i < LISTENER_QUOTA; i++) {
        if (l->conns->count >= l->conn_max) {
            pause_accepting(l, "descriptor reserve");
            return;
        }
        if (!accept_one(l)) {
            return;
        }
    }
}

/* ---- Opening ---- */

/* A socket file that nobody listens on is left from a process that died. */
static bool remove_stale(const struct sockaddr_un *address)
{
    struct stat st;

    if (lstat(address->sun_path, &st) != 0) {
        return errno == ENOENT;
    }
    if (!S_ISSOCK(st.st_mode)) {
        log_errx("bind path=%s error=\"exists and is no socket\"", address->sun_path);
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        log_err("bind path=%s", address->sun_path);
        return false;
    }
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                   errno == ECONNREFUSED;

    close(fd);
    if (!refused) {
        log_errx("bind path=%s error=\"another process listens there\"", address->sun_path);
        return false;
    }
    return unlink(address->sun_path) == 0;
}

/* Notes which file is ours, so that only that one is removed at the end. */
static bool remember_path(struct listener *l, const char *path)
{
    struct stat st;

    if (chmod(path, SOCKET_MODE) != 0 || stat(path, &st) != 0) {
        return false;
    }
    l->path_dev = st.st_dev;
    l->path_ino = st.st_ino;
    l->path = strdup(path);
    return l->path != NULL;
}

static bool open_unix(struct listener *l, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path) {
        log_errx("bind path=%s error=\"longer than %zu bytes\"", path, sizeof address.sun_path - 1);
        return false;
    }
    memcpy(address.sun_path, path, strlen(path));
    if (!remove_stale(&address)) {
        return false;
    }
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        !remember_path(l, path) || listen(l->fd, LISTENER_BACKLOG) != 0) {
        log_err("bind path=%s", path);
        return false;
    }
    return true;
}

/* Cuts "HOST:PORT" or "[HOST]:PORT" into C strings; host is empty for all addresses. */
static bool cut_host_port(const char *address, char host[HOST_MAX_BYTES], const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t n = colon == NULL ? 0 : (size_t)(colon - address);
    int64_t number;

    if (colon == NULL || n >= HOST_MAX_BYTES ||
        !str_to_i64(slice_of(colon + 1), 1, 65535, &number)) {
        return false;
    }
    if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    }
    memcpy(host, address, n);
    host[n] = '\0';
    *port = colon + 1;
    return true;
}

static bool open_tcp(struct listener *l, const char *address)
{
    char host[HOST_MAX_BYTES];
    const char *port;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};

    if (!cut_host_port(address, host, &port)) {
        log_errx("bind address=%s error=\"neither unix:PATH nor HOST:PORT\"", address);
        return false;
    }
    int failed = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);

    if (failed != 0) {
        log_errx("bind address=%s error=\"%s\"", address, gai_strerror(failed));
        return false;
    }
    l->is_tcp = true;
    l->fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd >= 0) {
        set_option(l->fd, SOL_SOCKET, SO_REUSEADDR, 1);
    }
    bool good = l->fd >= 0 && bind(l->fd, found->ai_addr, found->ai_addrlen) == 0 &&
                listen(l->fd, LISTENER_BACKLOG) == 0;

    if (!good) {
        log_err("bind address=%s", address);
    }
    freeaddrinfo(found);
    return good;
}

/* Takes as many descriptors as the system gives, and notes how many connections that allows. */
static void raise_limit(struct listener *l)
{
    struct rlimit limit;

    l->conn_max = LISTENER_FD_RESERVE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_warn("limit of descriptors");
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_warn("limit of descriptors");
    }
    if (limit.rlim_cur > 2 * LISTENER_FD_RESERVE) {
        l->conn_max = (size_t)limit.rlim_cur - LISTENER_FD_RESERVE;
    }
}

static bool is_unix(const char *address)
{
    return strncmp(address, UNIX_PREFIX, UNIX_PREFIX_BYTES) == 0;
}

bool listener_open(struct listener *l, struct event_base *base, struct conns *conns,
                   const char *address)
{
    *l = (struct listener){.conns = conns, .fd = -1};
    raise_limit(l);
    bool open = is_unix(address) ? open_unix(l, address + UNIX_PREFIX_BYTES) : open_tcp(l, address);

    if (!open) {
        return false;
    }
    log_info("listening address=%s connections_max=%zu", address, l->conn_max);
    return event_assign(&l->io, base, l->fd, EV_READ | EV_PERSIST, on_readable, l) == 0 &&
           event_assign(&l->pause, base, -1, 0, on_pause_over, l) == 0 &&
           event_add(&l->io, NULL) == 0;
}

void listener_stop(struct listener *l)
{
    event_del(&l->io);
    event_del(&l->pause);
}

void listener_close(struct listener *l)
{
    struct stat st;

    if (l->fd >= 0) {
        close(l->fd);
        l->fd = -1;
    }
    if (l->path != NULL && stat(l->path, &st) == 0 && st.st_dev == l->path_dev &&
        st.st_ino == l->path_ino) {
        unlink(l->path);
    }
    free(l->path);
    l->path = NULL;
}
