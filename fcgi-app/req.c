/*
 * req: reads a request out of a gateway. REQUEST_URI alone tells the address, since it is the only
 * variable of its kind that is the same under every web server and rewrite rule.
 */
#include "req.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "common/buf.h"
#include "gateway.h"

#define REQ_CHUNK_BYTES (16 * 1024)

static const char *const method_names[] = {
    [HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",     [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
    [HTTP_OTHER] = "OTHER",
};
static_assert(sizeof(method_names) / sizeof(method_names[0]) == HTTP_METHOD_MAX,
              "every method has its name");

const char *http_method_name(enum http_method method)
{
    assert(method < HTTP_METHOD_MAX);
    return method_names[method];
}

bool http_method_writes(enum http_method method)
{
    return method != HTTP_GET && method != HTTP_HEAD && method != HTTP_OPTIONS;
}

static enum http_method method_parse(struct slice name)
{
    for (int method = 0; method < HTTP_OTHER; method++) {
        if (slice_eq(name, slice_of(method_names[method]))) {
            return (enum http_method)method;
        }
    }
    return HTTP_OTHER;
}

void req_init(struct req *r, const struct settings *s)
{
    unsigned char id[REQ_ID_BYTES / 2];

    *r = (struct req){.method = HTTP_OTHER};
    arena_init(&r->arena, (size_t)s->request_body_bytes + REQ_MEMORY_BYTES);
    randombytes_buf(id, sizeof(id));
    str_hex(id, sizeof(id), r->id);
}

void req_clear(struct req *r)
{
    arena_clear(&r->arena);
    r->body = (struct slice){NULL, 0};
}

static struct slice variable(const struct gateway *g, const char *name)
{
    return slice_of(gateway_variable(g, name));
}

/* What a rewrite by the web server renames to REDIRECT_… is still found. */
static struct slice variable_redirected(const struct gateway *g, const char *name,
                                        const char *redirected)
{
    struct slice value = variable(g, name);

    return value.n > 0 ? value : variable(g, redirected);
}

/* The address after scheme and host of `GET http://host/path`, which a client may send too. */
static struct slice uri_below_host(struct slice uri)
{
    struct slice rest = uri;

    if (uri.n > 0 && uri.p[0] == '/') {
        return uri;
    }
    if (slice_starts(uri, SLICE_LITERAL("http://"))) {
        rest.p += sizeof("http://") - 1;
        rest.n -= sizeof("http://") - 1;
    } else if (slice_starts(uri, SLICE_LITERAL("https://"))) {
        rest.p += sizeof("https://") - 1;
        rest.n -= sizeof("https://") - 1;
    } else {
        return uri;
    }
    const char *path = memchr(rest.p, '/', rest.n);

    return path == NULL ? uri : (struct slice){path, rest.n - (size_t)(path - rest.p)};
}

static void req_read_head(struct req *r, const struct gateway *g)
{
    struct slice https = variable(g, "HTTPS");

    r->method = method_parse(variable(g, "REQUEST_METHOD"));
    r->is_https = slice_eq_nocase(https, SLICE_LITERAL("on")) ||
                  slice_eq(https, SLICE_LITERAL("1")) ||
                  slice_eq_nocase(variable(g, "REQUEST_SCHEME"), SLICE_LITERAL("https"));
    slice_cut(uri_below_host(variable(g, "REQUEST_URI")), '?', &r->path, &r->query);
    r->host = variable(g, "HTTP_HOST");
    r->origin = variable(g, "HTTP_ORIGIN");
    r->sec_fetch_site = variable(g, "HTTP_SEC_FETCH_SITE");
    r->authorization = variable_redirected(g, "HTTP_AUTHORIZATION", "REDIRECT_HTTP_AUTHORIZATION");
    r->cookie = variable(g, "HTTP_COOKIE");
    r->session = variable(g, "HTTP_CONFAB_SESSION");
    r->content_type = variable(g, "CONTENT_TYPE");
    r->idempotency_key = variable(g, "HTTP_IDEMPOTENCY_KEY");
    r->user_agent = variable(g, "HTTP_USER_AGENT");
}

static void body_drain(struct gateway *g)
{
    unsigned char chunk[REQ_CHUNK_BYTES];
    size_t drained = 0;
    size_t n = 0;

    do {
        n = gateway_read(g, chunk, sizeof(chunk));
        drained += n;
    } while (n == sizeof(chunk) && drained < REQ_DRAIN_BYTES);
}

/* A body of known length: exactly so many bytes, or the client went away in the middle. */
static enum confab_err body_read_sized(struct req *r, struct gateway *g, size_t length)
{
    char *bytes = arena_alloc(&r->arena, length + 1);

    if (bytes == NULL) {
        return CONFAB_NO_MEMORY;
    }
    size_t n = gateway_read(g, bytes, length);

    if (n != length || gateway_read_failed(g)) {
        return CONFAB_BAD_REQUEST;
    }
    r->body = (struct slice){bytes, length};
    return CONFAB_OK;
}

/* A body of unknown length (mod_proxy_fcgi passes large chunked ones on so): to its end. */
static enum confab_err body_read_all(struct req *r, struct gateway *g, size_t max)
{
    char chunk[REQ_CHUNK_BYTES];
    struct buf bytes;
    size_t n = 0;
    enum confab_err err = CONFAB_OK;

    buf_init(&bytes, max);
    do {
        n = gateway_read(g, chunk, sizeof(chunk));
        buf_put(&bytes, chunk, n);
    } while (n == sizeof(chunk) && !buf_failed(&bytes));
    explicit_bzero(chunk, sizeof(chunk));

    if (buf_failed(&bytes)) {
        err = bytes.len + n > max ? CONFAB_TOO_BIG : CONFAB_NO_MEMORY;
        body_drain(g);
    } else if (gateway_read_failed(g)) {
        err = CONFAB_BAD_REQUEST;
    } else {
        char *copy = arena_copy(&r->arena, buf_slice(&bytes));

        err = copy == NULL ? CONFAB_NO_MEMORY : CONFAB_OK;
        r->body = (struct slice){copy, copy == NULL ? 0 : bytes.len};
    }
    if (bytes.data != NULL) {
        explicit_bzero(bytes.data, bytes.len);
    }
    buf_clear(&bytes);
    return err;
}

static enum confab_err req_read_body(struct req *r, struct gateway *g, size_t max)
{
    struct slice length_text = variable(g, "CONTENT_LENGTH");
    uint64_t length = 0;

    if (length_text.n == 0) {
        if (gateway_body_ends(g)) {
            return body_read_all(r, g, max);
        }
        /* CGI has no end of input but the length; a chunked body would be lost silently. */
        return variable(g, "HTTP_TRANSFER_ENCODING").n > 0 ? CONFAB_LENGTH_REQUIRED : CONFAB_OK;
    }
    if (!str_to_u64(length_text, UINT64_MAX, &length)) {
        return CONFAB_BAD_REQUEST;
    }
    if (length > max) {
        body_drain(g);
        return CONFAB_TOO_BIG;
    }
    return body_read_sized(r, g, (size_t)length);
}

enum confab_err req_read(struct req *r, struct gateway *g, const struct settings *s)
{
    req_read_head(r, g);
    enum confab_err err = req_read_body(r, g, (size_t)s->request_body_bytes);

    gateway_settle(g);
    return err;
}
