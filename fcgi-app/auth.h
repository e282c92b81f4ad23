/*
 * auth: who presents which token, and whether a web page of another origin is behind it. Non-goals:
 * whether the token is good: the statement itself finds out.
 */
#ifndef CONFAB_AUTH_H
#define CONFAB_AUTH_H

#include <stdbool.h>

#include "common/settings.h"
#include "req.h"
#include "resp.h"

enum auth_kind { AUTH_KIND_NONE, AUTH_KIND_BEARER, AUTH_KIND_COOKIE };

struct auth {
    enum auth_kind kind;
    struct slice token; /* borrowed from the request's headers */
};

/* The token of a request; a bearer token beats a cookie. */
struct auth auth_read(const struct req *req, const struct settings *s);

/* Whether the page that made this request, if a page did, is ours or a listed one: by Origin, or by
 * Sec-Fetch-Site, which no page can forge. What a cookie authorises must pass this to write. */
bool auth_origin_is_good(const struct req *req, const struct settings *s);

/* Lets the pages of a listed origin read the answer (CORS). */
void auth_cors(struct resp *resp, const struct req *req, const struct settings *s);

/* Sets the session cookie. */
void auth_set_cookie(struct resp *resp, const struct req *req, const struct settings *s,
                     const char *token);
/* Makes the browser forget it. */
void auth_clear_cookie(struct resp *resp, const struct req *req, const struct settings *s);

#endif
