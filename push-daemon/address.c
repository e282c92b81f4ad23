/*
 * address: see address.h.
 */
#include "address.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/ip.h"

#define V4_MARK      (UINT64_C(1) << 32) /* the prefixes of IPv6 in use are all higher */
#define PREFIX_BYTES 8

static uint64_t of_v4(const struct in_addr *v4)
{
    return V4_MARK | ntohl(v4->s_addr);
}

static uint64_t of_v6(const struct in6_addr *v6)
{
    uint64_t prefix = 0;

    if (IN6_IS_ADDR_V4MAPPED(v6)) {
        struct in_addr v4;

        memcpy(&v4, &v6->s6_addr[12], sizeof v4);
        return of_v4(&v4);
    }
    for (int i = 0; i < PREFIX_BYTES; i++) {
        prefix = prefix << 8 | v6->s6_addr[i];
    }
    /* "::1" and its like are in no prefix that anybody has. */
    return prefix != 0 ? prefix : V4_MARK << 1 | 1;
}

/* ADDRESS_UNKNOWN when text is no address. */
static uint64_t of_text(struct slice text)
{
    struct in6_addr address;

    return ip_parse(text, &address) ? of_v6(&address) : ADDRESS_UNKNOWN;
}

static bool is_listed(uint64_t address, struct slice list)
{
    while (list.n > 0) {
        struct slice item;

        slice_cut(list, ' ', &item, &list);
        if (item.n > 0 && of_text(item) == address) {
            return true;
        }
    }
    return false;
}

static struct slice last_hop(struct slice hops)
{
    struct slice hop;

    while (slice_cut(hops, ',', &hop, &hops)) {
    }
    return slice_trim(hop);
}

uint64_t address_of_peer(int fd, struct slice forwarded_for, const char *proxies)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
    } peer = {.any.sa_family = AF_UNSPEC};
    socklen_t n = sizeof peer;
    uint64_t address = ADDRESS_UNKNOWN;

    if (getpeername(fd, &peer.any, &n) != 0) {
        return ADDRESS_UNKNOWN;
    }
    if (peer.any.sa_family == AF_INET) {
        address = of_v4(&peer.v4.sin_addr);
    } else if (peer.any.sa_family == AF_INET6) {
        address = of_v6(&peer.v6.sin6_addr);
    }
    bool is_proxy = address == ADDRESS_UNKNOWN || is_listed(address, slice_of(proxies));

    return is_proxy ? of_text(last_hop(forwarded_for)) : address;
}

void addresses_init(struct addresses *a)
{
    map_init(&a->counts);
}

void addresses_clear(struct addresses *a)
{
    assert(a->counts.count == 0);
    map_clear(&a->counts);
}

bool addresses_add(struct addresses *a, uint64_t address, int64_t max)
{
    size_t *count = map_get(&a->counts, address);

    if (count == NULL) {
        count = calloc(1, sizeof *count);
        if (count == NULL || !map_put(&a->counts, address, count)) {
            free(count);
            return false;
        }
    }
    if (*count >= (size_t)max) {
        return false;
    }
    (*count)++;
    return true;
}

void addresses_remove(struct addresses *a, uint64_t address)
{
    size_t *count = map_get(&a->counts, address);

    assert(count != NULL && *count > 0);
    if (--*count == 0) {
        map_remove(&a->counts, address);
        free(count);
    }
}
