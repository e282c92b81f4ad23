/*
 * net: addresses, connecting and the clock.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdint.h>
#include <sys/socket.h>

struct net_address {
    struct sockaddr_storage address;
    socklen_t bytes;
};

uint64_t net_now_ns(void);

/* Of HOST:PORT (a numeric IPv4 host) or unix:PATH; exits when it is neither. */
struct net_address net_parse(const char *text);

/* Begins to connect, without waiting. Of TCP connections 100 come from one address of the loopback
 * network, as from many clients, and each generation from other addresses, so that no port in
 * TIME_WAIT is in the way. */
int net_connect(const struct net_address *to, unsigned generation, uint32_t index);

#endif
