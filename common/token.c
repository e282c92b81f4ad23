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

bool token_has_print(const struct token_hash *hash, struct slice presented)
{
    char print[TOKEN_PRINT_DIGITS + 1];

    str_hex(hash->bytes, TOKEN_PRINT_DIGITS / 2, print);
    return slice_eq(presented, slice_of(print));
}

/* ":PORT" of a Host header (RFC 9110 7.2); empty when it has none, or the scheme's own. */
static struct slice port_of(struct slice host)
{
    const char *colon = host.n == 0 ? NULL : memrchr(host.p, ':', host.n);
    struct slice port = {NULL, 0};

    if (colon != NULL) {
        port = (struct slice){colon, host.n - (size_t)(colon - host.p)};
    }
    for (size_t i = 1; i < port.n; i++) {
        if (port.p[i] < '0' || port.p[i] > '9') {
            return (struct slice){NULL, 0}; /* inside of an IPv6 address */
        }
    }
    if (slice_eq(port, SLICE_LITERAL(":80")) || slice_eq(port, SLICE_LITERAL(":443"))) {
        return (struct slice){NULL, 0};
    }
    return port;
}

void cookie_name(const struct cookie_site *site, bool secure, char out[COOKIE_NAME_BYTES])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char hex[2 * COOKIE_DIGEST_BYTES + 1];
    struct slice port = port_of(site->host);
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)site->path_prefix,
                              strlen(site->path_prefix));
    crypto_hash_sha256_update(&state, (const unsigned char *)port.p, port.n);
    crypto_hash_sha256_final(&state, digest);
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

/* The scheme's case does not matter (RFC 9110 11.1). */
bool token_from_bearer(struct slice authorization, struct slice *token)
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

bool token_from_cookie(struct slice cookie, const struct cookie_site *site, struct slice *token)
{
    char name[COOKIE_NAME_BYTES];

    cookie_name(site, true, name);
    if (cookie_find(cookie, name, token)) {
        return true;
    }
    cookie_name(site, false, name);
    return cookie_find(cookie, name, token);
}
