/*
 * address: where clients come from, as far as limits are counted by it: an IPv4 address, or the /64
 * that an IPv6 address is in, which is one customer's (RFC 6177).
 */
#ifndef PUSH_ADDRESS_H
#define PUSH_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/map.h"
#include "common/str.h"

#define ADDRESS_UNKNOWN 0 /* a proxy of ours does not tell: never limited */

/* What stands for the client behind a socket. Of X-Forwarded-For the last hop counts, and only when
 * a proxy of ours wrote it: whoever comes by a unix socket, or an address of proxies (separated by
 * spaces). */
uint64_t address_of_peer(int fd, struct slice forwarded_for, const char *proxies);

/* How many connections each address has. */
struct addresses {
    struct map counts; /* by address; owns size_t, none of them 0 */
};

void addresses_init(struct addresses *a);
void addresses_clear(struct addresses *a);
/* Counts one more, unless there are max already or memory is short: then false. */
bool addresses_add(struct addresses *a, uint64_t address, int64_t max)
    __attribute__((warn_unused_result));
void addresses_remove(struct addresses *a, uint64_t address);

#endif
