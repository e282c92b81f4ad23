/*
 * http1: a parser of HTTP/1 request heads. Pure: no allocation, no sockets; the results are slices
 * of the caller's buffer. It is as strict as the proxies in front of it ought to be: whatever two
 * readers could understand differently is refused. Non-goals: bodies, chunking, keep-alive.
 */
#ifndef PUSH_HTTP1_H
#define PUSH_HTTP1_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/str.h"

#define HTTP1_HEADERS_MAX 100

enum http1_method {
    HTTP1_GET,
    HTTP1_HEAD,
    HTTP1_OPTIONS,
    HTTP1_OTHER, /* well-formed, but nothing that we serve */
    HTTP1_METHOD_MAX
};

/* A request head. All slices are borrowed from the buffer that was parsed; those of headers that
 * were not sent are empty with a NULL pointer. */
struct http1_head {
    enum http1_method method;
    struct slice path;  /* raw, begins with '/'; or "*" with OPTIONS */
    struct slice query; /* raw, what follows the first '?' */
    struct slice host;  /* of the request target when that is absolute, else of the Host header */
    struct slice origin;
    struct slice authorization;
    struct slice cookie;
    struct slice forwarded_for;
    struct slice last_event_id;
    struct slice content_length;
    struct slice transfer_encoding;
    struct slice websocket_key;
    struct slice websocket_version;
    struct slice lines; /* all of the headers, raw: for http1_list_has */
    int minor_version;  /* 0 or 1 */
    bool has_body;      /* one is announced */
    size_t bytes;       /* length of the head, its empty line included */
};

/*
 * Parses the head at the start of data. *scanned is the caller's note of how far earlier calls have
 * looked (0 at first; data may only have grown since), so that bytes that trickle in cost linear
 * time.
 * CONFAB_OK: *out is filled. CONFAB_NEED_MORE: no end yet. CONFAB_BAD_REQUEST: never valid, however
 * much follows. CONFAB_TOO_BIG: more than HTTP1_HEADERS_MAX header lines.
 */
enum confab_err http1_parse(struct slice data, size_t *scanned, struct http1_head *out)
    __attribute__((warn_unused_result));

/*
 * Whether one of the list headers of a parsed head has that element. Such a header may be sent more
 * than once (RFC 9110, section 5.3); http1_parse knows Connection, Upgrade and
 * Sec-WebSocket-Protocol, and has refused what is no list of tokens. same compares: slice_eq or
 * slice_eq_nocase.
 */
bool http1_list_has(const struct http1_head *head, const char *name, struct slice element,
                    bool (*same)(struct slice, struct slice)) __attribute__((warn_unused_result));

/*
 * Finds a parameter of a query; *value is still percent-encoded. False when it is not there.
 * Of a repeated parameter the first counts.
 */
bool http1_query_find(struct slice query, const char *name, struct slice *value)
    __attribute__((warn_unused_result));

#endif
