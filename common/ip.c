/*
 * ip: see ip.h.
 */
#include "ip.h"

#include <arpa/inet.h>
#include <string.h>

#define MAPPED_BYTES 12 /* before the IPv4 address */

bool ip_parse(struct slice text, struct in6_addr *out)
{
    char copy[INET6_ADDRSTRLEN];
    struct in_addr v4;

    if (text.n == 0 || text.n >= sizeof copy || memchr(text.p, '\0', text.n) != NULL) {
        return false;
    }
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (inet_pton(AF_INET, copy, &v4) != 1) {
        return inet_pton(AF_INET6, copy, out) == 1;
    }
    *out = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&out->s6_addr[MAPPED_BYTES], &v4, sizeof v4);
    return true;
}
