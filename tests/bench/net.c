/*
 * net: see net.h.
 */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "common/log.h"
#include "common/str.h"

#define NS_PER_S    UINT64_C(1000000000)
#define UNIX_PREFIX "unix:"
#define HOST_BYTES  32
#define SOURCE_NET  0x7f010001u /* 127.1.0.1; a generation has the next 65,536 */
#define GENERATIONS 250
#define PER_ADDRESS 100

uint64_t net_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static struct net_address parse_unix(const char *path)
{
    struct net_address to = {.bytes = sizeof(struct sockaddr_un)};
    struct sockaddr_un *un = (struct sockaddr_un *)&to.address;

    if (strlen(path) >= sizeof un->sun_path) {
        fatalx("address path=%s error=\"too long\"", path);
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, strlen(path));
    return to;
}

struct net_address net_parse(const char *text)
{
    struct net_address to = {.bytes = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (struct sockaddr_in *)&to.address;
    char host[HOST_BYTES] = "";
    const char *colon = strrchr(text, ':');
    int64_t port = 0;

    if (strncmp(text, UNIX_PREFIX, sizeof UNIX_PREFIX - 1) == 0) {
        return parse_unix(text + sizeof UNIX_PREFIX - 1);
    }
    if (colon != NULL && (size_t)(colon - text) < sizeof host) {
        memcpy(host, text, (size_t)(colon - text));
    }
    in->sin_family = AF_INET;
    if (colon == NULL || !str_to_i64(slice_of(colon + 1), 1, 65535, &port) ||
        inet_pton(AF_INET, host, &in->sin_addr) != 1) {
        fatalx("address=%s error=\"neither unix:PATH nor HOST:PORT\"", text);
    }
    in->sin_port = htons((uint16_t)port);
    return to;
}

/* An address of ours to connect from. */
static struct sockaddr_in source(unsigned generation, uint32_t index)
{
    uint32_t host = SOURCE_NET + (generation % GENERATIONS << 16) + index / PER_ADDRESS;

    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
}

int net_connect(const struct net_address *to, unsigned generation, uint32_t index)
{
    static const int on = 1;
    const struct sockaddr_in from = source(generation, index);
    int fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        fatal("socket");
    }
    if (to->address.ss_family == AF_INET) {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (bind(fd, (const struct sockaddr *)&from, sizeof from) != 0) {
            fatal("bind");
        }
    }
    if (connect(fd, (const struct sockaddr *)&to->address, to->bytes) != 0 &&
        errno != EINPROGRESS) {
        fatal("connect");
    }
    return fd;
}
