/*
 * utf8: whether bytes that come in pieces are well-formed UTF-8 (RFC 3629: no surrogates, no
 * overlong forms, at most U+10FFFF). Pure.
 */
#ifndef CONFAB_UTF8_H
#define CONFAB_UTF8_H

#include <stdbool.h>

#include "str.h"

/* Where in a sequence the text so far ends. All zero is the start of a text. */
struct utf8 {
    unsigned char missing;   /* bytes that the sequence still needs */
    unsigned char low, high; /* what the next of them may be */
};

/* Looks at what follows. False: no text begins like this, whatever comes; u is then of no use. */
bool utf8_take(struct utf8 *u, struct slice s) __attribute__((warn_unused_result));

/* Whether the text may end here. */
bool utf8_is_whole(const struct utf8 *u);

#endif
