/*
 * http1: see http1.h. Two passes: one looks at each byte once as it arrives, refuses what can be in
 * no head (bare CR or LF, control bytes) and finds the end; the other takes the whole head apart.
 */
#include "http1.h"

#include <assert.h>
#include <string.h>

#define END_MARK_BYTES 4 /* CR LF CR LF */

/* A header whose value is kept. */
struct wanted {
    const char *name;
    size_t offset; /* of the slice in struct http1_head */
    bool repeats;  /* proxies add one more each: the last one counts. Others may be sent once */
};

static const struct wanted wanted_headers[] = {
    {"Host", offsetof(struct http1_head, host), false},
    {"Origin", offsetof(struct http1_head, origin), false},
    {"Authorization", offsetof(struct http1_head, authorization), false},
    {"Cookie", offsetof(struct http1_head, cookie), false},
    {"X-Forwarded-For", offsetof(struct http1_head, forwarded_for), true},
    {"Last-Event-ID", offsetof(struct http1_head, last_event_id), false},
    {"Content-Length", offsetof(struct http1_head, content_length), false},
    {"Transfer-Encoding", offsetof(struct http1_head, transfer_encoding), false},
    {"Sec-WebSocket-Key", offsetof(struct http1_head, websocket_key), false},
    {"Sec-WebSocket-Version", offsetof(struct http1_head, websocket_version), false},
};

/* Those that are lists of tokens, and may be sent more than once. */
static const char *const list_headers[] = {"Connection", "Upgrade", "Sec-WebSocket-Protocol"};

static const char *const method_names[] = {
    [HTTP1_GET] = "GET",
    [HTTP1_HEAD] = "HEAD",
    [HTTP1_OPTIONS] = "OPTIONS",
};
static_assert(sizeof method_names / sizeof *method_names == HTTP1_OTHER, "one name a method");

/* tchar of RFC 9110, section 5.6.2. */
static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_token_char(s.p[i])) {
            return false;
        }
    }
    return s.n > 0;
}

/* Visible ASCII only: what a request target and a Host may be made of. */
static bool is_visible(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool is_host(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!alnum && (c == '\0' || strchr("-._~:[]%", c) == NULL)) {
            return false;
        }
    }
    return true;
}

/* Takes the first element off a list (RFC 9110, section 5.6.1); false when there is none. */
static bool cut_element(struct slice *list, struct slice *element)
{
    while (list->n > 0) {
        slice_cut(*list, ',', element, list);
        *element = slice_trim(*element);
        if (element->n > 0) {
            return true;
        }
    }
    return false;
}

/* Of tokens, each perhaps with a version after a slash, as Upgrade has them. */
static bool is_list(struct slice list)
{
    struct slice element, name, version;

    while (cut_element(&list, &element)) {
        bool versioned = slice_cut(element, '/', &name, &version);

        if (!is_token(name) || (versioned && !is_token(version))) {
            return false;
        }
    }
    return true;
}

/* Looks at what is new. CONFAB_OK: a head ends at *end. */
static enum confab_err find_end(struct slice data, size_t *scanned, size_t *end)
{
    for (size_t i = *scanned; i < data.n; i++) {
        unsigned char c = (unsigned char)data.p[i];
        bool after_cr = i > 0 && data.p[i - 1] == '\r';

        if (after_cr != (c == '\n')) {
            return CONFAB_BAD_REQUEST; /* a CR or an LF without the other */
        }
        if ((c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 0x7f) {
            return CONFAB_BAD_REQUEST;
        }
        if (c == '\n' && i == 1) {
            return CONFAB_BAD_REQUEST; /* an empty line where the request line belongs */
        }
        if (c == '\n' && i + 1 >= END_MARK_BYTES && data.p[i - 2] == '\n') {
            *end = i + 1;
            return CONFAB_OK;
        }
    }
    *scanned = data.n;
    return CONFAB_NEED_MORE;
}

/* Cuts the first line off rest; there is one. */
static struct slice next_line(struct slice *rest)
{
    struct slice line;
    bool found = slice_cut(*rest, '\n', &line, rest);

    assert(found && line.n > 0 && line.p[line.n - 1] == '\r');
    (void)found;
    line.n--;
    return line;
}

static enum http1_method method_of(struct slice name)
{
    for (int m = 0; m < HTTP1_OTHER; m++) {
        if (slice_eq(name, slice_of(method_names[m]))) {
            return (enum http1_method)m;
        }
    }
    return HTTP1_OTHER;
}

/* Takes "http://host[:port]" off an absolute target; false when there is neither that nor a '/'. */
static bool cut_authority(struct slice *target, struct slice *host)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct slice scheme = slice_of(schemes[i]);

        if (!slice_starts(*target, scheme)) {
            continue;
        }
        struct slice rest = {target->p + scheme.n, target->n - scheme.n};
        size_t n = 0;

        while (n < rest.n && rest.p[n] != '/') {
            n++;
        }
        *host = (struct slice){rest.p, n};
        *target = (struct slice){rest.p + n, rest.n - n};
        return n > 0 && is_host(*host) && target->n > 0;
    }
    return false;
}

static enum confab_err parse_request_line(struct slice line, struct http1_head *head)
{
    struct slice method, target, version;

    if (!slice_cut(line, ' ', &method, &line) || !slice_cut(line, ' ', &target, &version)) {
        return CONFAB_BAD_REQUEST;
    }
    if (!is_token(method) || !is_visible(target)) {
        return CONFAB_BAD_REQUEST;
    }
    if (slice_eq(version, SLICE_LITERAL("HTTP/1.1"))) {
        head->minor_version = 1;
    } else if (!slice_eq(version, SLICE_LITERAL("HTTP/1.0"))) {
        return CONFAB_BAD_REQUEST;
    }
    head->method = method_of(method);
    bool asterisk = head->method == HTTP1_OPTIONS && slice_eq(target, SLICE_LITERAL("*"));

    if (!asterisk && !slice_starts(target, SLICE_LITERAL("/")) &&
        !cut_authority(&target, &head->host)) {
        return CONFAB_BAD_REQUEST;
    }
    slice_cut(target, '?', &head->path, &head->query);
    return CONFAB_OK;
}

/* Stores the value of a header that we want; a second one of the same name is refused, unless it is
 * known which one counts, since two readers may pick different ones. */
static enum confab_err keep_header(struct http1_head *head, struct slice name, struct slice value)
{
    for (size_t i = 0; i < sizeof wanted_headers / sizeof *wanted_headers; i++) {
        if (!slice_eq_nocase(name, slice_of(wanted_headers[i].name))) {
            continue;
        }
        struct slice *slot = (struct slice *)(void *)((char *)head + wanted_headers[i].offset);

        if (slot->p != NULL && !wanted_headers[i].repeats) {
            return CONFAB_BAD_REQUEST;
        }
        *slot = value;
        return CONFAB_OK;
    }
    return CONFAB_OK;
}

static enum confab_err check_list(struct slice name, struct slice value)
{
    for (size_t i = 0; i < sizeof list_headers / sizeof *list_headers; i++) {
        if (slice_eq_nocase(name, slice_of(list_headers[i]))) {
            return is_list(value) ? CONFAB_OK : CONFAB_BAD_REQUEST;
        }
    }
    return CONFAB_OK;
}

static enum confab_err parse_header_line(struct slice line, struct http1_head *head)
{
    struct slice name, value;

    /* A name that is no token also catches a folded line and a space before the colon. */
    if (!slice_cut(line, ':', &name, &value) || !is_token(name)) {
        return CONFAB_BAD_REQUEST;
    }
    value = slice_trim(value);
    if (value.p == NULL) {
        value.p = name.p + name.n; /* present, though empty */
    }
    enum confab_err err = keep_header(head, name, value);

    return err == CONFAB_OK ? check_list(name, value) : err;
}

/* What the headers say together. */
static enum confab_err check_framing(struct http1_head *head)
{
    bool has_length = head->content_length.p != NULL;
    bool has_encoding = head->transfer_encoding.p != NULL;
    uint64_t length = 0;

    if (has_length && has_encoding) {
        return CONFAB_BAD_REQUEST;
    }
    if (has_length && !str_to_u64(head->content_length, UINT64_MAX, &length)) {
        return CONFAB_BAD_REQUEST;
    }
    head->has_body = has_encoding || length > 0;
    return CONFAB_OK;
}

static enum confab_err parse_headers(struct slice rest, struct http1_head *head)
{
    struct slice target_host = head->host;

    head->host = (struct slice){NULL, 0};
    for (int lines = 0;; lines++) {
        struct slice line = next_line(&rest);

        if (line.n == 0) {
            break;
        }
        if (lines == HTTP1_HEADERS_MAX) {
            return CONFAB_TOO_BIG;
        }
        enum confab_err err = parse_header_line(line, head);

        if (err != CONFAB_OK) {
            return err;
        }
    }
    if ((head->minor_version >= 1 && head->host.p == NULL) || !is_host(head->host)) {
        return CONFAB_BAD_REQUEST;
    }
    if (target_host.p != NULL) {
        head->host = target_host; /* RFC 9112, section 3.2.2 */
    }
    return check_framing(head);
}

enum confab_err http1_parse(struct slice data, size_t *scanned, struct http1_head *out)
{
    size_t end = 0;
    enum confab_err err = find_end(data, scanned, &end);

    if (err != CONFAB_OK) {
        return err;
    }
    struct http1_head head = {.bytes = end};
    struct slice rest = {data.p, end};

    err = parse_request_line(next_line(&rest), &head);
    if (err == CONFAB_OK) {
        head.lines = rest;
        err = parse_headers(rest, &head);
    }
    if (err == CONFAB_OK) {
        *out = head;
    }
    return err;
}

bool http1_list_has(const struct http1_head *head, const char *name, struct slice element,
                    bool (*same)(struct slice, struct slice))
{
    struct slice rest = head->lines;

    while (rest.n > 0) {
        struct slice line_name, list, found;

        slice_cut(next_line(&rest), ':', &line_name, &list);
        if (!slice_eq_nocase(line_name, slice_of(name))) {
            continue;
        }
        while (cut_element(&list, &found)) {
            if (same(found, element)) {
                return true;
            }
        }
    }
    return false;
}

bool http1_query_find(struct slice query, const char *name, struct slice *value)
{
    while (query.n > 0) {
        struct slice pair, key, text;

        slice_cut(query, '&', &pair, &query);
        slice_cut(pair, '=', &key, &text);
        if (slice_eq(key, slice_of(name))) {
            *value = text;
            return true;
        }
    }
    return false;
}
