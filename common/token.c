/*
 * token: making, hashing and finding of session tokens. Non-goals: who may do what (SQL), and
 * setting the cookie (fcgi-app).
 */
#include "token.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_RANDOM_BYTES  32
#define COOKIE_DIGEST_BYTES 4

bool token_init(void)
{
    return sodium_init() >= 0;
}

void token_make(char out[TOKEN_TEXT_BYTES + 1])
{
    unsigned char random[TOKEN_RANDOM_BYTES];

    randombytes_buf(random, sizeof(random));
    sodium_bin2base64(out, TOKEN_TEXT_BYTES + 1, random, sizeof(random),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof(random));
}

static bool token_is_text(struct slice s)
{
    if (s.n != TOKEN_TEXT_BYTES) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_';

        if (!good) {
            return false;
        }
    }
    return true;
}

bool token_hash(struct slice presented, struct token_hash *out)
{
    static_assert(TOKEN_HASH_BYTES == crypto_hash_sha256_BYTES, "a token hash is a SHA-256");

    if (!token_is_text(presented)) {
        return false;
    }
    crypto_hash_sha256(out->bytes, (const unsigned char *)presented.p, presented.n);
    return true;
}

void cookie_name(const char *path_prefix, bool secure, char out[COOKIE_NAME_BYTES])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char hex[2 * COOKIE_DIGEST_BYTES + 1];

    crypto_hash_sha256(digest, (const unsigned char *)path_prefix, strlen(path_prefix));
    str_hex(digest, COOKIE_DIGEST_BYTES, hex);
    int len = snprintf(out, COOKIE_NAME_BYTES, "%sconfab-%s", secure ? "__Host-" : "", hex);

    assert(len > 0 && len < COOKIE_NAME_BYTES);
    (void)len;
}

bool cookie_find(struct slice header, const char *name, struct slice *value)
{
    struct slice wanted = slice_of(name);
    struct slice rest = header;

    while (rest.n > 0) {
        struct slice pair;
        struct slice pair_name;
        struct slice pair_value;

        slice_cut(rest, ';', &pair, &rest);
        if (slice_cut(pair, '=', &pair_name, &pair_value) &&
            slice_eq(slice_trim(pair_name), wanted)) {
            *value = slice_trim(pair_value);
            return true;
        }
    }
    return false;
}

/* The credentials of `Bearer CREDENTIALS`; the scheme's case does not matter (RFC 9110 11.1). */
static bool token_from_bearer(struct slice authorization, struct slice *token)
{
    struct slice scheme;
    struct slice credentials;

    if (!slice_cut(slice_trim(authorization), ' ', &scheme, &credentials) ||
        !slice_eq_nocase(scheme, SLICE_LITERAL("Bearer"))) {
        return false;
    }
    *token = slice_trim(credentials);
    return true;
}

bool token_from_headers(struct slice authorization, struct slice cookie, const char *path_prefix,
                        struct slice *token)
{
    char name[COOKIE_NAME_BYTES];

    if (token_from_bearer(authorization, token)) {
        return true;
    }
    cookie_name(path_prefix, true, name);
    if (cookie_find(cookie, name, token)) {
        return true;
    }
    cookie_name(path_prefix, false, name);
    return cookie_find(cookie, name, token);
}
