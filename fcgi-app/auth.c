/*
 * auth: tokens, origins and the session cookie.
 */
#include "auth.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "common/token.h"

#define ORIGIN_BYTES_MAX  300
#define COOKIE_LINE_BYTES 512
#define DAY_S             86400

struct auth auth_read(const struct req *req, const struct settings *s)
{
    const struct cookie_site site = {req->host, s->path_prefix};
    struct auth auth = {.kind = AUTH_KIND_NONE};

    if (token_from_bearer(req->authorization, &auth.token)) {
        auth.kind = AUTH_KIND_BEARER;
    } else if (token_from_cookie(req->cookie, &site, &auth.token)) {
        auth.kind = AUTH_KIND_COOKIE;
    }
    return auth;
}

/* Whether origin is scheme and host of this very request. Browsers leave a default port out of
 * Origin; a proxy may have put it into Host. */
static bool origin_is_own(const struct req *req)
{
    struct slice scheme = req->is_https ? SLICE_LITERAL("https://") : SLICE_LITERAL("http://");
    struct slice default_port = req->is_https ? SLICE_LITERAL(":443") : SLICE_LITERAL(":80");
    struct slice host = req->host;

    if (host.n == 0 || !slice_starts(req->origin, scheme)) {
        return false;
    }
    struct slice origin_host = {req->origin.p + scheme.n, req->origin.n - scheme.n};

    if (slice_eq_nocase(origin_host, host)) {
        return true;
    }
    return host.n == origin_host.n + default_port.n &&
           slice_eq((struct slice){host.p + origin_host.n, default_port.n}, default_port) &&
           slice_eq_nocase((struct slice){host.p, origin_host.n}, origin_host);
}

static bool origin_is_listed(const struct req *req, const struct settings *s)
{
    char origin[ORIGIN_BYTES_MAX + 1];

    if (req->origin.n == 0 || req->origin.n > ORIGIN_BYTES_MAX) {
        return false;
    }
    memcpy(origin, req->origin.p, req->origin.n);
    origin[req->origin.n] = '\0';
    return settings_allow_origin(s, origin);
}

bool auth_origin_is_good(const struct req *req, const struct settings *s)
{
    return origin_is_own(req) || origin_is_listed(req, s) ||
           slice_eq(req->sec_fetch_site, SLICE_LITERAL("same-origin"));
}

void auth_cors(struct resp *resp, const struct req *req, const struct settings *s)
{
    char origin[ORIGIN_BYTES_MAX + 1];

    if (!origin_is_listed(req, s)) {
        return;
    }
    memcpy(origin, req->origin.p, req->origin.n);
    origin[req->origin.n] = '\0';
    resp_header(resp, "Access-Control-Allow-Origin", origin);
    resp_header(resp, "Access-Control-Allow-Credentials", "true");
    resp_header(resp, "Access-Control-Expose-Headers",
                "Idempotent-Replay, Link, Retry-After, X-Request-Id");
}

/* One Set-Cookie line. A name with the __Host- prefix demands Secure and Path=/ (RFC 6265bis). */
static void cookie_header(struct resp *resp, const struct req *req, const struct settings *s,
                          const char *value, int64_t max_age_s)
{
    const struct cookie_site site = {req->host, s->path_prefix};
    const bool secure = req->is_https;
    char name[COOKIE_NAME_BYTES];
    char line[COOKIE_LINE_BYTES];
    const char *path = secure || s->path_prefix[0] == '\0' ? "/" : s->path_prefix;

    cookie_name(&site, secure, name);
    int n = snprintf(line, sizeof(line),
                     "%s=%s; Path=%s; Max-Age=%" PRId64 "; %sHttpOnly; "
                     "SameSite=Lax",
                     name, value, path, max_age_s, secure ? "Secure; " : "");

    if (n > 0 && (size_t)n < sizeof(line)) {
        resp_header(resp, "Set-Cookie", line);
    }
    sodium_memzero(line, sizeof(line));
}

void auth_set_cookie(struct resp *resp, const struct req *req, const struct settings *s,
                     const char *token)
{
    cookie_header(resp, req, s, token, s->session_days * DAY_S);
}

void auth_clear_cookie(struct resp *resp, const struct req *req, const struct settings *s)
{
    cookie_header(resp, req, s, "", 0);
}
