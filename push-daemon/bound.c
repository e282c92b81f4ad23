/*
 * bound: see bound.h.
 */
#include "bound.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/str.h"

#define HOST_MAX_BYTES    256
#define UNIX_PREFIX       "unix:"
#define UNIX_PREFIX_BYTES (sizeof UNIX_PREFIX - 1)

static const struct bound closed = {.fd = -1};

static bool fail(struct bound_error *e, const char *why)
{
    snprintf(e->text, sizeof e->text, "%s", why);
    return false;
}

static bool fail_errno(struct bound_error *e)
{
    return fail(e, strerror(errno));
}

/* ---- Unix sockets ---- */

static bool nobody_listens(const struct sockaddr_un *address, int type)
{
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                   errno == ECONNREFUSED;

    if (fd >= 0) {
        close(fd);
    }
    return refused;
}

static bool remove_stale(const struct sockaddr_un *address, int type, struct bound_error *e)
{
    struct stat st;

    if (lstat(address->sun_path, &st) != 0) {
        return errno == ENOENT || fail_errno(e);
    }
    if (!S_ISSOCK(st.st_mode)) {
        return fail(e, "exists and is no socket");
    }
    if (!nobody_listens(address, type)) {
        return fail(e, "another process listens there");
    }
    return unlink(address->sun_path) == 0 || fail_errno(e);
}

/* Notes which file is ours, so that only that one is removed at the end. */
static void own_file(struct bound *b, const char *path, dev_t device, ino_t inode)
{
    b->path = strdup(path);
    b->device = device;
    b->inode = inode;
}

static bool make_file(struct bound *b, const char *path, mode_t mode)
{
    struct stat st;

    if (chmod(path, mode) != 0 || stat(path, &st) != 0) {
        return false;
    }
    own_file(b, path, st.st_dev, st.st_ino);
    return b->path != NULL;
}

static bool open_unix(struct bound *b, const char *path, const struct bound_kind *kind,
                      struct bound_error *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path) {
        return fail(e, "the path is too long for a socket");
    }
    memcpy(address.sun_path, path, strlen(path));
    if (!remove_stale(&address, kind->type, e)) {
        return false;
    }
    b->fd = socket(AF_UNIX, kind->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (b->fd < 0 || bind(b->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        !make_file(b, path, kind->mode) || listen(b->fd, kind->backlog) != 0) {
        return fail_errno(e);
    }
    return true;
}

/* ---- TCP ---- */

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

static bool listen_at(struct bound *b, const struct addrinfo *at, const struct bound_kind *kind)
{
    const int on = 1;

    b->fd = socket(at->ai_family, kind->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return b->fd >= 0 && setsockopt(b->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           (!kind->reuse_port ||
            setsockopt(b->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
           bind(b->fd, at->ai_addr, at->ai_addrlen) == 0 && listen(b->fd, kind->backlog) == 0;
}

static bool open_tcp(struct bound *b, const char *address, const struct bound_kind *kind,
                     struct bound_error *e)
{
    char host[HOST_MAX_BYTES];
    const char *port;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};

    if (!cut_host_port(address, host, &port)) {
        return fail(e, "neither unix:PATH nor HOST:PORT");
    }
    int failed = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);

    if (failed != 0) {
        return fail(e, gai_strerror(failed));
    }
    b->is_tcp = true;
    bool good = listen_at(b, found, kind) || fail_errno(e);

    freeaddrinfo(found);
    return good;
}

/* ---- Both ---- */

static bool is_unix(const char *address)
{
    return strncmp(address, UNIX_PREFIX, UNIX_PREFIX_BYTES) == 0;
}

bool bound_open(struct bound *b, const char *address, const struct bound_kind *kind,
                struct bound_error *e)
{
    *b = closed;
    bool open = is_unix(address) ? open_unix(b, address + UNIX_PREFIX_BYTES, kind, e)
                                 : open_tcp(b, address, kind, e);

    if (!open) {
        bound_close(b);
    }
    return open;
}

static int option(int fd, int name)
{
    int value = 0;
    socklen_t len = sizeof value;

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

bool bound_adopt(struct bound *b, int fd)
{
    int flags = fcntl(fd, F_GETFL);

    *b = (struct bound){.fd = fd, .is_tcp = option(fd, SO_DOMAIN) != AF_UNIX, .shared = true};
    if (option(fd, SO_ACCEPTCONN) != 1 || option(fd, SO_TYPE) != SOCK_STREAM || flags < 0 ||
        fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        bound_close(b);
        return false;
    }
    return true;
}

static void remove_file(struct bound *b)
{
    struct stat st;

    if (b->path != NULL && stat(b->path, &st) == 0 && st.st_dev == b->device &&
        st.st_ino == b->inode) {
        unlink(b->path);
    }
    free(b->path);
    b->path = NULL;
}

void bound_hide(struct bound *b)
{
    remove_file(b);
}

void bound_own(struct bound *b, const char *address, dev_t device, ino_t inode)
{
    if (is_unix(address)) {
        own_file(b, address + UNIX_PREFIX_BYTES, device, inode);
    }
}

void bound_disown(struct bound *b)
{
    free(b->path);
    b->path = NULL;
    b->shared = true;
}

void bound_close(struct bound *b)
{
    if (b->fd >= 0) {
        close(b->fd);
        b->fd = -1;
    }
    remove_file(b);
}
