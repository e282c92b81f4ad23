/*
 * conn_http: see conn_http.h. docs/protocol.md, section 1, is the text that this follows.
 */
#include "conn_http.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "common/err.h"
#include "common/token.h"
#include "conn_poll.h"
#include "conn_sse.h"
#include "conn_ws.h"
#include "conns.h"
#include "http1.h"
#include "ws_upgrade.h"

#define CORS_MAX_BYTES      1024
#define ORIGIN_MAX_BYTES    256
#define STATUS_HEAD_TOO_BIG 431 /* RFC 6585 */

enum credential {
    CREDENTIAL_NONE,
    CREDENTIAL_BAD,   /* shown, but of no form that we give out */
    CREDENTIAL_TOKEN, /* of a session */
    CREDENTIAL_TICKET /* for one, single-use */
};

/* One request; all slices are borrowed from the handshake's buffer. */
struct request {
    struct conn *c; /* borrowed for the call */
    struct http1_head head;
    struct buf cors; /* header lines for web pages of other origins */
    enum credential credential;
};

/* ---- Plain answers ---- */

/* What every answer to this request has. */
static struct answer answer_of(const struct request *r, const char *extra)
{
    return (struct answer){
        .extra = extra, .cors = buf_slice(&r->cors), .head_only = r->head.method == HTTP1_HEAD};
}

/* Ends the connection after an answer that was queued. */
static void end(struct request *r, bool queued, enum reason reason)
{
    if (queued) {
        conn_finish(r->c, reason);
    }
}

static void answer(struct request *r, int status, const char *title, const char *extra,
                   const char *type, const char *body)
{
    struct answer a = answer_of(r, extra);

    a.status = status;
    a.title = title;
    a.type = type;
    a.body = slice_of(body);
    end(r, answer_queue(r->c, &a), REASON_ANSWERED);
}

static void answer_err(struct request *r, int status, enum confab_err err, const char *extra)
{
    struct answer a = answer_of(r, extra);
    bool queued = answer_problem(r->c, &a, status, err);

    end(r, queued, a.status / 100 == 4 ? REASON_BAD_REQUEST : REASON_ANSWERED);
}

static void answer_health(struct request *r)
{
    const struct conn_feed *feed = &r->c->set->feed;
    bool healthy = feed->healthy(feed->ctx);

    answer(r, healthy ? 200 : 503, healthy ? "OK" : "Service unavailable", NULL, "application/json",
           healthy ? "{\"status\":\"ok\"}" : "{\"status\":\"unavailable\"}");
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
static void take_resume(struct request *r, struct slice id)
{
    struct handshake *h = r->c->handshake;
    struct slice cursor;

    if (id.n == 0) {
        h->resume = RESUME_NOW;
    } else if (!filter_cut_cursor(r->c->filter, id, &cursor)) {
        handshake_reset(h, "filter");
    } else if (cursor_parse(cursor, &h->cursor) == CONFAB_OK) {
        h->resume = RESUME_CURSOR;
    } else {
        handshake_reset(h, "expired");
    }
}

/* The parameter of that name, decoded, into *out, whose data the caller frees. NULL when it is
 * absent; broken escapes are told by *good. False: out of memory. */
static bool find_parameter(struct slice query, const char *name, struct slice *out, bool *good)
{
    struct slice encoded;
    size_t len = 0;

    *out = (struct slice){NULL, 0};
    *good = true;
    if (!http1_query_find(query, name, &encoded)) {
        return true;
    }
    char *text = malloc(encoded.n + 1);

    if (text == NULL) {
        return false;
    }
    *good = str_percent_decode(encoded, true, text, &len);
    *out = (struct slice){text, *good ? len : 0};
    return true;
}

/* The header wins: a browser repeats the address of its first request for ever, and adds to it what
 * it has seen since. False: c is closed. */
static bool take_cursor(struct request *r, const char *parameter)
{
    struct slice id;
    bool good;

    if (r->head.last_event_id.n > 0) {
        take_resume(r, r->head.last_event_id);
        return true;
    }
    if (!find_parameter(r->head.query, parameter, &id, &good)) {
        conn_close(r->c, REASON_MEMORY);
        return false;
    }
    if (good) {
        take_resume(r, id);
    } else {
        handshake_reset(r->c->handshake, "expired");
    }
    free((char *)id.p);
    return true;
}

/* The rooms that the stream is narrowed to. False: answered, or closed. */
static bool take_filter(struct request *r)
{
    struct slice rooms;
    bool good;
    enum confab_err err = CONFAB_OK;

    if (!find_parameter(r->head.query, "rooms", &rooms, &good)) {
        conn_close(r->c, REASON_MEMORY);
        return false;
    }
    if (rooms.p != NULL) {
        err = good ? filter_parse(rooms, &r->c->filter) : CONFAB_BAD_REQUEST;
    }
    free((char *)rooms.p);
    if (err != CONFAB_OK) {
        answer_err(r, 0, err, NULL);
    }
    return err == CONFAB_OK;
}

/* Counts the stream to where it comes from. False: there are as many as may be. */
static bool take_address(struct request *r)
{
    struct conns *set = r->c->set;
    uint64_t address =
        address_of_peer(r->c->fd, r->head.forwarded_for, set->settings->push_proxies);

    if (address == ADDRESS_UNKNOWN) {
        return true;
    }
    if (!addresses_add(&set->addresses, address, set->settings->streams_per_address)) {
        return false;
    }
    r->c->address = address;
    return true;
}

/* A kind of stream, by its path below path_prefix. */
struct stream_kind {
    const char *path;
    const char *cursor_parameter;
    const char *type; /* of the answer to HEAD; NULL: only GET is understood */
    /* Says what opens such a stream. False: answered otherwise, or closed. */
    bool (*open)(struct request *r);
    bool stops_for_good;      /* 204 makes its clients give up */
    bool cookie_needs_origin; /* pages of any site can open one with our cookie, and read it */
};

static bool open_sse(struct request *r)
{
    return conn_sse_open(r->c, buf_slice(&r->cors));
}

static bool open_poll(struct request *r)
{
    return conn_poll_open(r->c, buf_slice(&r->cors));
}

/* Without an Origin the cookie was not looked at: a credential must be shown that no browser adds
 * by itself. */
static bool may_open_ws(const struct request *r)
{
    return r->head.origin.p != NULL || r->credential != CREDENTIAL_NONE;
}

static bool open_ws(struct request *r)
{
    enum confab_err err = CONFAB_UPGRADE_REQUIRED;
    const char *extra = "Upgrade: websocket\r\nSec-WebSocket-Version: " WS_UPGRADE_VERSION "\r\n";

    switch (ws_upgrade_check(&r->head)) {
    case WS_UPGRADE_NONE:
    case WS_UPGRADE_OTHER_VERSION:
        break;
    case WS_UPGRADE_BAD:
        err = CONFAB_BAD_REQUEST;
        break;
    case WS_UPGRADE_GOOD:
        err = may_open_ws(r) ? CONFAB_OK : CONFAB_BAD_ORIGIN;
        break;
    }
    /* A client is to wait for the answer before it sends frames. */
    if (err == CONFAB_OK && r->head.bytes < r->c->handshake->head.len) {
        err = CONFAB_BAD_REQUEST;
    }
    if (err != CONFAB_OK) {
        answer_err(r, 0, err, err == CONFAB_UPGRADE_REQUIRED ? extra : NULL);
        return false;
    }
    return conn_ws_open(r->c, r->head.websocket_key);
}

static const struct stream_kind stream_kinds[] = {
    {"/stream", "last_event_id", "text/event-stream; charset=utf-8", open_sse, true, false},
    {"/ws", "last_event_id", NULL, open_ws, false, true},
    {"/poll", "after", "application/json", open_poll, false, false},
};

/* Reads who the client claims to be. An Origin that is there is one of ours. */
static enum credential take_credential(struct request *r, const struct stream_kind *kind)
{
    const struct cookie_site site = {r->head.host, r->c->set->settings->path_prefix};
    struct handshake *h = r->c->handshake;
    bool takes_cookie = !kind->cookie_needs_origin || r->head.origin.p != NULL;
    struct slice token;

    if (token_from_bearer(r->head.authorization, &token) ||
        (takes_cookie && token_from_cookie(r->head.cookie, &site, &token))) {
        return token_hash(token, &h->token) ? CREDENTIAL_TOKEN : CREDENTIAL_BAD;
    }
    /* No character of a token has to be escaped in a query. */
    if (http1_query_find(r->head.query, "ticket", &token)) {
        return token_hash(token, &h->token) ? CREDENTIAL_TICKET : CREDENTIAL_BAD;
    }
    return CREDENTIAL_NONE;
}

static void open_stream(struct request *r, const struct stream_kind *kind)
{
    struct conn *c = r->c;

    r->credential = take_credential(r, kind);
    if (r->credential == CREDENTIAL_TOKEN && kind->stops_for_good &&
        dead_has(&c->set->dead, &c->handshake->token)) {
        answer(r, 204, "No Content", NULL, NULL, NULL);
        return;
    }
    if (!take_filter(r) || !take_cursor(r, kind->cursor_parameter) || !kind->open(r)) {
        return;
    }
    if (!take_address(r)) {
        conn_bye(c, REASON_ADDRESS_LIMIT, CONNS_LIMIT_RETRY_MS);
    } else if (r->credential == CREDENTIAL_TOKEN) {
        conn_wait(c, CONN_WAITING);
    } else if (r->credential == CREDENTIAL_TICKET) {
        conn_wait(c, CONN_REDEEMING);
    } else if (c->transport->auth_over(c)) {
        conn_finish(c, REASON_AUTH);
    }
}

static void answer_stream(struct request *r, const struct stream_kind *kind)
{
    if (!check_origin(r)) {
        answer_err(r, 0, CONFAB_BAD_ORIGIN, NULL);
        return;
    }
    if (kind->type == NULL && r->head.method != HTTP1_GET) {
        answer_err(r, 0, CONFAB_METHOD_NOT_ALLOWED, "Allow: GET\r\n");
        return;
    }
    switch (r->head.method) {
    case HTTP1_GET:
        if (r->head.has_body) {
            answer_err(r, 0, CONFAB_BAD_REQUEST, NULL);
        } else {
            open_stream(r, kind);
        }
        break;
    case HTTP1_HEAD:
        answer(r, 200, "OK", NULL, kind->type, NULL);
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
        answer_err(r, 0, CONFAB_METHOD_NOT_ALLOWED, "Allow: GET, HEAD, OPTIONS\r\n");
        break;
    }
}

/* ---- Requests ---- */

/* The kind of stream that lives at the request's path, or NULL. */
static const struct stream_kind *find_stream(const struct request *r)
{
    struct slice prefix = slice_of(r->c->set->settings->path_prefix);
    struct slice path = r->head.path;

    if (!slice_starts(path, prefix)) {
        return NULL;
    }
    struct slice rest = {path.p + prefix.n, path.n - prefix.n};

    for (size_t i = 0; i < sizeof stream_kinds / sizeof *stream_kinds; i++) {
        if (slice_eq(rest, slice_of(stream_kinds[i].path))) {
            return &stream_kinds[i];
        }
    }
    return NULL;
}

static void answer_request(struct request *r)
{
    const struct stream_kind *kind = find_stream(r);

    if (kind != NULL) {
        answer_stream(r, kind);
    } else if (!slice_eq(r->head.path, SLICE_LITERAL("/health"))) {
        answer_err(r, 0, CONFAB_NO_ROUTE, NULL);
    } else if (r->head.method == HTTP1_GET || r->head.method == HTTP1_HEAD) {
        answer_health(r);
    } else {
        answer_err(r, 0, CONFAB_METHOD_NOT_ALLOWED, "Allow: GET, HEAD\r\n");
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
        answer_err(&r, err == CONFAB_TOO_BIG ? STATUS_HEAD_TOO_BIG : 400, err, NULL);
    }
    buf_clear(&r.cors);
}
