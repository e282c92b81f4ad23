/*
 * clients: see clients.h.
 */
#include "clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/token.h"

#define REQUEST_BYTES 512
#define SETTLE        20 /* turns of the loop, enough for anything here */

struct event_base *base;
struct settings settings;
struct stats stats;
struct conns set;
char *heard;

void clients_set_up(void)
{
    settings = (struct settings){.path_prefix = (char *)"",
                                 .origins = (char *)"",
                                 .stream_queue_bytes = QUEUE_BYTES,
                                 .stream_heartbeat_ms = 15000,
                                 .stream_silent_ms = 60000,
                                 .stream_age_min_s = 600,
                                 .stream_age_max_s = 600,
                                 .stream_retry_min_ms = 10,
                                 .stream_retry_max_ms = 20,
                                 .streams_per_session = 2,
                                 .stream_head_bytes = 4096,
                                 .handshake_ms = 10000};
    memset(&stats, 0, sizeof stats);
    log_init("test", LOG_LEVEL_ERR);
    heard = malloc(READ_BYTES);
    base = event_base_new();
    assert_non_null(heard);
    assert_non_null(base);
    assert_true(token_init());
    assert_true(conns_init(&set, base, &settings, &stats));
}

void clients_tear_down(void)
{
    conns_clear(&set);
    event_base_free(base);
    free(heard);
}

void turn(void)
{
    for (int i = 0; i < SETTLE; i++) {
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
}

int client_ask(const char *path, int n, const char *more)
{
    char request[REQUEST_BYTES];
    int fds[2];
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %043d\r\n%s\r\n", path,
                       n, more);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    conn_accept(&set, fds[0]);
    assert_int_equal(write(fds[1], request, (size_t)len), len);
    turn();
    return fds[1];
}

const char *client_read(int fd)
{
    size_t len = 0;
    ssize_t n;

    while (len < READ_BYTES - 1 && (n = recv(fd, heard + len, READ_BYTES - 1 - len, 0)) > 0) {
        len += (size_t)n;
    }
    heard[len] = '\0';
    return heard;
}
