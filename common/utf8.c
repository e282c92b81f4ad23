/*
 * utf8: see utf8.h.
 */
#include "utf8.h"

#include <stddef.h>

#define CONTINUATION_LOW  0x80
#define CONTINUATION_HIGH 0xbf

/* Begins the sequence whose first byte is c; false when none begins so. */
static bool begin(struct utf8 *u, unsigned char c)
{
    *u = (struct utf8){0, CONTINUATION_LOW, CONTINUATION_HIGH};
    if (c < 0x80) {
        return true;
    }
    if (c >= 0xc2 && c <= 0xdf) {
        u->missing = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        u->missing = 2;
        u->low = c == 0xe0 ? 0xa0 : u->low;   /* overlong */
        u->high = c == 0xed ? 0x9f : u->high; /* surrogates */
    } else if (c >= 0xf0 && c <= 0xf4) {
        u->missing = 3;
        u->low = c == 0xf0 ? 0x90 : u->low;   /* overlong */
        u->high = c == 0xf4 ? 0x8f : u->high; /* above U+10FFFF */
    }
    return u->missing > 0;
}

bool utf8_take(struct utf8 *u, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (u->missing == 0) {
            if (!begin(u, c)) {
                return false;
            }
        } else if (c < u->low || c > u->high) {
            return false;
        } else {
            *u = (struct utf8){u->missing - 1, CONTINUATION_LOW, CONTINUATION_HIGH};
        }
    }
    return true;
}

bool utf8_is_whole(const struct utf8 *u)
{
    return u->missing == 0;
}
