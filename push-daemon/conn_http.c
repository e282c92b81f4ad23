/*
 * conn_http: see conn_http.h. docs/protocol.md, section 1, is the text that this follows.
 */
#include "conn_http.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/token.h"
#include "conn_sse.h"
#include "conns.h"
#include "http1.h"

#define ANSWER_MAX_BYTES    4096
#define CORS_MAX_BYTES      1024
#define ORIGIN_MAX_BYTES    256
#define STATUS_HEAD_TOO_BIG 431 /* RFC 6585 */

static const char allowed_methods[] = "Allow: GET, HEAD, OPTIONS\r\n";

/* One request; all slices are borrowed from the handshake's buffer. */
struct request {
    struct conn *c; /* borrowed for the call */
    struct http1_head head;
    struct buf cors; /* header lines for web pages of other origins */
};

/* ---- Plain answers ---- */

/* Queues a whole answer and ends the connection. extra: header lines; type NULL: no body. */
static void answer(struct request *r, int status, const char *title, const char *extra,
                   const char *type, const char *body)
{
    struct buf b;

    buf_init(&b, ANSWER_MAX_BYTES);
    buf_printf(&b, "HTTP/1.1 %d %s\r\n", status, title);
    buf_puts(&b, "Connection: close\r\nCache-Control: no-store\r\n"
                 "X-Content-Type-Options: nosniff\r\n");
    buf_puts(&b, extra);
    buf_put_slice(&b, buf_slice(&r->cors));
    if (type != NULL) {
        buf_printf(&b, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, strlen(body));
    }
    buf_puts(&b, "\r\n");
    if (type != NULL && r->head.method != HTTP1_HEAD) {
        buf_puts(&b, body);
    }
    struct msg *m = msg_from_buf(&b);

    buf_clear(&b);
    if (conn_queue(r->c, m)) {
        conn_finish(r->c, status / 100 == 4 ? REASON_BAD_REQUEST : REASON_ANSWERED);
    }
}

/* Answers with a JSON object, which is taken over; NULL (no memory) closes. */
static void answer_json(struct request *r, int status, const char *title, const char *extra,
                        const char *type, json_t *object)
{
    char *body = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);

    json_decref(object);
    if (body == NULL) {
        conn_close(r->c, REASON_MEMORY);
        return;
    }
    answer(r, status, title, extra, type, body);
    free(body);
}

static void answer_problem(struct request *r, int status, enum confab_err err, const char *extra)
{
    const char *title = err_title(err);

    answer_json(r, status, title, extra, "application/problem+json",
                json_pack("{s:s,s:s,s:i,s:s,s:o}", "type", "about:blank", "title", title, "status",
                          status, "code", err_code(err), "request_id",
                          json_sprintf("push-%llu", (unsigned long long)r->c->id)));
}

static void answer_err(struct request *r, enum confab_err err, const char *extra)
{
    answer_problem(r, err_http_status(err), err, extra);
}

static void answer_health(struct request *r)
{
    const struct conn_feed *feed = &r->c->set->feed;
    bool healthy = feed->healthy(feed->ctx);

    answer_json(r, healthy ? 200 : 503, healthy ? "OK" : "Service unavailable", "",
                "application/json", json_pack("{s:s}", "status", healthy ? "ok" : "unavailable"));
}

/* ---- Origins ---- */

/* "http://HOST" or "https://HOST": whether a proxy took TLS off cannot be seen from here. */
static bool is_own_origin(const struct http1_head *head)
{
    static const char *const schemes[] = {"https://", "http://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct slice scheme = slice_of(schemes[i]);

        if (slice_starts(head->origin, scheme)) {
            struct slice rest = {head->origin.p + scheme.n, head->origin.n - scheme.n};

            return rest.n > 0 && slice_eq_nocase(rest, head->host);
        }
    }
    return false;
}

static bool is_listed_origin(const struct settings *settings, struct slice origin)
{
    char text[ORIGIN_MAX_BYTES];

    if (origin.n >= sizeof text) {
        return false;
    }
    memcpy(text, origin.p, origin.n);
    text[origin.n] = '\0';
    return settings_allow_origin(settings, text);
}

/* Whether the page that asks may; if it is of another origin, the answer must say so to browsers.
 */
static bool check_origin(struct request *r)
{
    buf_puts(&r->cors, "Vary: Origin\r\n");
    if (r->head.origin.p == NULL || is_own_origin(&r->head)) {
        return true;
    }
    if (!is_listed_origin(r->c->set->settings, r->head.origin)) {
        return false;
    }
    buf_puts(&r->cors, "Access-Control-Allow-Origin: ");
    buf_put_slice(&r->cors, r->head.origin);
    buf_puts(&r->cors, "\r\nAccess-Control-Allow-Credentials: true\r\n");
    return true;
}

/* ---- Streams ---- */

/* Where the client wants to go on. What is no cursor cannot be continued from, and that is told. */
static void take_resume(struct handshake *h, struct slice id)
{
    if (id.n == 0) {
        h->resume = RESUME_NOW;
    } else if (cursor_parse(id, &h->cursor) == CONFAB_OK) {
        h->resume = RESUME_CURSOR;
    } else {
        handshake_reset(h, "expired");
    }
}

/* The header wins: a browser repeats the address of its first request for ever, and adds to it what
 * it has seen since. False: out of memory. */
static bool take_last_event_id(struct handshake *h, const struct http1_head *head)
{
    struct slice encoded;

    if (head->last_event_id.n > 0) {
        take_resume(h, head->last_event_id);
        return true;
    }
    if (!http1_query_find(head->query, "last_event_id", &encoded)) {
        return true;
    }
    char *id = malloc(encoded.n + 1);
    size_t len = 0;

    if (id == NULL) {
        return false;
    }
    if (str_percent_decode(encoded, true, id, &len)) {
        take_resume(h, (struct slice){id, len});
    } else {
        handshake_reset(h, "expired");
    }
    free(id);
    return true;
}

static void open_stream(struct request *r)
{
    struct conn *c = r->c;
    struct handshake *h = c->handshake;
    struct slice cors = buf_slice(&r->cors);
    const struct cookie_site site = {r->head.host, c->set->settings->path_prefix};
    struct slice token;

    if (!token_from_headers(r->head.authorization, r->head.cookie, &site, &token) ||
        !token_hash(token, &h->token)) {
        conn_sse_refuse(c, cors);
        return;
    }
    if (dead_has(&c->set->dead, &h->token)) {
        answer(r, 204, "No Content", "", NULL, NULL);
        return;
    }
    if (!take_last_event_id(h, &r->head)) {
        conn_close(c, REASON_MEMORY);
        return;
    }
    conn_sse_open(c, cors);
}

static void answer_stream(struct request *r)
{
    if (!check_origin(r)) {
        answer_err(r, CONFAB_BAD_ORIGIN, "");
        return;
    }
    switch (r->head.method) {
    case HTTP1_GET:
        if (r->head.has_body) {
            answer_err(r, CONFAB_BAD_REQUEST, "");
        } else {
            open_stream(r);
        }
        break;
    case HTTP1_HEAD:
        answer(r, 200, "OK", "", "text/event-stream; charset=utf-8", "");
        break;
    case HTTP1_OPTIONS:
        answer(r, 204, "No Content",
               "Allow: GET, HEAD, OPTIONS\r\n"
               "Access-Control-Allow-Methods: GET\r\n"
               "Access-Control-Allow-Headers: Authorization, Last-Event-ID\r\n"
               "Access-Control-Max-Age: 600\r\n",
               NULL, NULL);
        break;
    case HTTP1_OTHER:
    case HTTP1_METHOD_MAX:
        answer_err(r, CONFAB_METHOD_NOT_ALLOWED, allowed_methods);
        break;
    }
}

/* ---- Requests ---- */

static bool is_stream_path(const struct request *r)
{
    struct slice prefix = slice_of(r->c->set->settings->path_prefix);
    struct slice path = r->head.path;

    if (!slice_starts(path, prefix)) {
        return false;
    }
    struct slice rest = {path.p + prefix.n, path.n - prefix.n};

    return slice_eq(rest, SLICE_LITERAL("/stream"));
}

static void answer_request(struct request *r)
{
    if (is_stream_path(r)) {
        answer_stream(r);
    } else if (!slice_eq(r->head.path, SLICE_LITERAL("/health"))) {
        answer_err(r, CONFAB_NO_ROUTE, "");
    } else if (r->head.method == HTTP1_GET || r->head.method == HTTP1_HEAD) {
        answer_health(r);
    } else {
        answer_err(r, CONFAB_METHOD_NOT_ALLOWED, "Allow: GET, HEAD\r\n");
    }
}

void conn_http_take(struct conn *c, struct slice bytes)
{
    struct handshake *h = c->handshake;
    struct request r = {.c = c};
    enum confab_err err = CONFAB_TOO_BIG;

    buf_put_slice(&h->head, bytes);
    if (!buf_failed(&h->head)) {
        err = http1_parse(buf_slice(&h->head), &h->scanned, &r.head);
    }
    if (err == CONFAB_NEED_MORE) {
        return;
    }
    buf_init(&r.cors, CORS_MAX_BYTES);
    if (err == CONFAB_OK) {
        answer_request(&r);
    } else {
        answer_problem(&r, err == CONFAB_TOO_BIG ? STATUS_HEAD_TOO_BIG : 400, err, "");
    }
    buf_clear(&r.cors);
}
