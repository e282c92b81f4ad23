/*
 * req: one HTTP request as data, whichever gateway it came by. Non-goals: what its path and fields
 * mean (route.c, input.c), who sent it (auth.c).
 */
#ifndef CONFAB_REQ_H
#define CONFAB_REQ_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "common/err.h"
#include "common/settings.h"
#include "common/str.h"

struct gateway;

#define REQ_ID_BYTES 16 /* hex digits of a request's id, without the NUL */
/* Besides the body, a request may take this much memory. */
#define REQ_MEMORY_BYTES (512 * 1024)
/* Of a body over its limit this much is read and forgotten, so that the web server, which is still
 * sending it, takes the 413. */
#define REQ_DRAIN_BYTES (1024 * 1024)

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER,
    HTTP_METHOD_MAX
};

struct req {
    struct arena arena; /* owns what req_read and later steps make for this request */
    char id[REQ_ID_BYTES + 1];
    enum http_method method;
    bool is_https;
    /* Borrowed from the gateway's variables; empty slices for what was not sent. */
    struct slice path;  /* of REQUEST_URI, still encoded, path_prefix included */
    struct slice query; /* without the question mark */
    struct slice host;
    struct slice origin;
    struct slice sec_fetch_site;
    struct slice authorization;
    struct slice cookie;
    struct slice session; /* the fingerprint of the one that the client means */
    struct slice content_type;
    struct slice idempotency_key;
    struct slice user_agent;
    struct slice body; /* borrowed from the arena, NUL-terminated */
};

/* A request without content, with a fresh id. Free with req_clear. */
void req_init(struct req *r, const struct settings *s);
void req_clear(struct req *r);

/*
 * Fills r, which is fresh, from the request that g holds. When it fails r still has method, path
 * and headers: CONFAB_BAD_REQUEST for a body that is shorter than promised or a length that is no
 * number, CONFAB_TOO_BIG, CONFAB_LENGTH_REQUIRED, CONFAB_NO_MEMORY.
 */
enum confab_err req_read(struct req *r, struct gateway *g, const struct settings *s)
    __attribute__((warn_unused_result));

const char *http_method_name(enum http_method method); /* "OTHER" for HTTP_OTHER */
/* Whether a request with it may change something. */
bool http_method_writes(enum http_method method);

#endif
