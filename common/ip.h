/*
 * ip: how addresses are written.
 */
#ifndef CONFAB_IP_H
#define CONFAB_IP_H

#include <netinet/in.h>
#include <stdbool.h>

#include "str.h"

/* Reads one whole address, IPv4 (then *out is it mapped into IPv6, RFC 4291, 2.5.5.2) or IPv6: no
 * name, no port, no prefix length. */
bool ip_parse(struct slice text, struct in6_addr *out) __attribute__((warn_unused_result));

#endif
