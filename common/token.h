/*
 * token: session tokens and the cookie that carries them. A token is 32 random bytes in base64url;
 * only its SHA-256 is ever stored or compared.
 */
#ifndef CONFAB_TOKEN_H
#define CONFAB_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

#define TOKEN_TEXT_BYTES   43 /* without the NUL */
#define TOKEN_HASH_BYTES   32
#define TOKEN_PRINT_DIGITS 16
#define COOKIE_NAME_BYTES  32 /* room for the longest cookie name and its NUL */

struct token_hash {
    unsigned char bytes[TOKEN_HASH_BYTES];
};

/* libsodium's start; once, before anything else here. False when it fails. */
bool token_init(void) __attribute__((warn_unused_result));
/* A fresh token, NUL-terminated. */
void token_make(char out[TOKEN_TEXT_BYTES + 1]);
/* The hash of what a client presented. False when it cannot be a token (length, alphabet). */
bool token_hash(struct slice presented, struct token_hash *out) __attribute__((warn_unused_result));

/* Whether presented is the fingerprint of that session: the first TOKEN_PRINT_DIGITS hex digits of
 * its token's hash, which tells nothing about the token. */
bool token_has_print(const struct token_hash *hash, struct slice presented)
    __attribute__((warn_unused_result));

/* The site that a request is for, as far as cookies must be told apart. */
struct cookie_site {
    struct slice host;       /* the Host header; empty for none */
    const char *path_prefix; /* borrowed */
};

/* The cookie's name: "confab-" and 8 hex digits of SHA-256(path_prefix, and ":PORT" of the host
 * unless it is 80 or 443), so that two installations on one host do not overwrite each other's:
 * ports do not part cookies (RFC 6265 section 8.5). "__Host-" before it when secure (RFC 6265bis).
 */
void cookie_name(const struct cookie_site *site, bool secure, char out[COOKIE_NAME_BYTES]);
/* Finds a cookie's value in a Cookie header (RFC 6265 section 5.4); borrowed from header. */
bool cookie_find(struct slice header, const char *name, struct slice *value)
    __attribute__((warn_unused_result));
/* Where a request may carry a token; `Authorization: Bearer` beats the cookie. Borrowed from the
 * header; empty slices for absent ones. False when it carries none there. */
bool token_from_bearer(struct slice authorization, struct slice *token)
    __attribute__((warn_unused_result));
/* The __Host- name beats the plain one. */
bool token_from_cookie(struct slice cookie, const struct cookie_site *site, struct slice *token)
    __attribute__((warn_unused_result));

#endif
