/*
 * ideal: the yardstick of the fan-out benchmarks. It does nothing but send prepared bytes: GET
 * /sub/ROOM joins a room, and the body of POST /pub/ROOM is written as it is to everybody in the
 * room, by one send() for each connection and message. With -c, what came in one turn of the loop
 * leaves by one send() for each connection.
 *
 * Non-goals: everything else. A request must come in one piece, as load sends it, and a reader who
 * does not read stops everybody.
 *
 * usage: ideal [-c] PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/str.h"

#define ROOM_MAX      65536
#define CONN_MAX      65536
#define REQUEST_BYTES 65536
#define PENDING_BYTES 4194304
#define EVENT_MAX     512
#define BACKLOG       4096

struct room {
    int *fds; /* owned */
    size_t count, cap;
    char *pending; /* owned; with -c: what this turn has brought */
    size_t pending_bytes;
};

static struct {
    struct room *room; /* borrowed from rooms; NULL: a writer, or nothing said yet */
    size_t place;      /* in room->fds */
} conns[CONN_MAX];

static struct room rooms[ROOM_MAX];
static struct room *dirty[ROOM_MAX];
static size_t dirty_count;
static bool coalesce;

static void send_all(int fd, const char *bytes, size_t n)
{
    ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

    if (sent >= 0 && (size_t)sent != n) {
        fatalx("send fd=%d error=\"cut short\"", fd);
    }
}

static void tell(const struct room *room, const char *bytes, size_t n)
{
    for (size_t i = 0; i < room->count; i++) {
        send_all(room->fds[i], bytes, n);
    }
}

static void publish(struct room *room, struct slice body)
{
    if (!coalesce) {
        tell(room, body.p, body.n);
        return;
    }
    if (room->pending == NULL && (room->pending = malloc(PENDING_BYTES)) == NULL) {
        fatal("publish");
    }
    if (room->pending_bytes + body.n > PENDING_BYTES) {
        fatalx("publish error=\"too much in one turn\"");
    }
    if (room->pending_bytes == 0) {
        dirty[dirty_count++] = room;
    }
    memcpy(room->pending + room->pending_bytes, body.p, body.n);
    room->pending_bytes += body.n;
}

static void end_turn(void)
{
    for (size_t i = 0; i < dirty_count; i++) {
        tell(dirty[i], dirty[i]->pending, dirty[i]->pending_bytes);
        dirty[i]->pending_bytes = 0;
    }
    dirty_count = 0;
}

static void join(int fd, struct room *room)
{
    if (room->count == room->cap) {
        room->cap = room->cap == 0 ? 16 : room->cap * 2;
        room->fds = reallocarray(room->fds, room->cap, sizeof *room->fds);
        if (room->fds == NULL) {
            fatal("join");
        }
    }
    conns[fd].room = room;
    conns[fd].place = room->count;
    room->fds[room->count++] = fd;
}

static void hang_up(int fd)
{
    struct room *room = conns[fd].room;

    if (room != NULL) {
        int last = room->fds[--room->count];

        room->fds[conns[fd].place] = last;
        conns[last].place = conns[fd].place;
        conns[fd].room = NULL;
    }
    close(fd);
}

static struct room *room_of(struct slice path)
{
    int64_t number;

    if (!str_to_i64(path, 0, ROOM_MAX - 1, &number)) {
        fatalx("request error=\"no such room\"");
    }
    return &rooms[number];
}

static void on_request(int fd)
{
    static const char joined[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hi\n\n";
    static const char taken[] = "HTTP/1.1 204 No Content\r\n\r\n";
    static char bytes[REQUEST_BYTES];
    ssize_t n = recv(fd, bytes, sizeof bytes - 1, MSG_DONTWAIT);
    struct slice head, verb, path, rest;

    if (n <= 0) {
        hang_up(fd);
        return;
    }
    bytes[n] = '\0';
    const char *body = strstr(bytes, "\r\n\r\n");

    slice_cut((struct slice){bytes, (size_t)n}, '\r', &head, &rest);
    slice_cut(head, ' ', &verb, &rest);
    slice_cut(rest, ' ', &path, &rest);
    if (body == NULL || path.n <= sizeof "/sub/" - 1) {
        fatalx("request error=\"not in one piece\"");
    }
    path.p += sizeof "/sub/" - 1;
    path.n -= sizeof "/sub/" - 1;
    if (slice_eq(verb, SLICE_LITERAL("GET"))) {
        join(fd, room_of(path));
        send_all(fd, joined, sizeof joined - 1);
    } else {
        body += 4;
        send_all(fd, taken, sizeof taken - 1);
        publish(room_of(path), (struct slice){body, (size_t)(bytes + n - body)});
    }
}

static void on_connections(int epoll, int listener)
{
    static const int on = 1;
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

        if (fd >= CONN_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            fatal("accept");
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

static int open_listener(const char *port)
{
    static const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int64_t number = 0;

    if (!str_to_i64(slice_of(port), 1, 65535, &number)) {
        fatalx("usage: ideal [-c] PORT");
    }
    address.sin_port = htons((uint16_t)number);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, BACKLOG) != 0) {
        fatal("listen port=%s", port);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENT_MAX];
    struct rlimit limit;

    log_init("ideal", LOG_LEVEL_INFO);
    coalesce = argc == 3 && strcmp(argv[1], "-c") == 0;
    if (argc != (coalesce ? 3 : 2)) {
        fatalx("usage: ideal [-c] PORT");
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    int epoll = epoll_create1(EPOLL_CLOEXEC), listener = open_listener(argv[argc - 1]);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};

    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENT_MAX, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener) {
                on_connections(epoll, listener);
            } else {
                on_request(events[i].data.fd);
            }
        }
        end_turn();
    }
}
