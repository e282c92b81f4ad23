/*
 * resp: answers in CGI's form (RFC 3875), which FastCGI shares.
 */
#include "resp.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"

#define PROBLEM_TYPE_PREFIX "urn:confab:problem:"

struct reason {
    int status;
    const char *phrase;
};

static const struct reason reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

static const char *reason_phrase(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].phrase;
        }
    }
    return "Other";
}

void resp_init(struct resp *r)
{
    *r = (struct resp){.status = 500};
    buf_init(&r->headers, RESP_HEADER_BYTES);
    buf_init(&r->body, RESP_BODY_BYTES);
}

void resp_clear(struct resp *r)
{
    buf_clear(&r->headers);
    buf_clear(&r->body);
}

void resp_header(struct resp *r, const char *name, const char *value)
{
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            return;
        }
    }
    buf_printf(&r->headers, "%s: %s\r\n", name, value);
}

void resp_json(struct resp *r, int status, const char *body)
{
    r->status = status;
    r->content_type = body == NULL ? NULL : "application/json";
    buf_reset(&r->body);
    if (body != NULL) {
        buf_puts(&r->body, body);
    }
}

static json_t *problem_errors(const struct problem *p)
{
    json_t *errors = json_array();

    for (size_t i = 0; i < p->field_count; i++) {
        /* A failure leaves errors NULL or short, which the caller's pack or dump notices. */
        json_array_append_new(errors, json_pack("{s:s, s:s}", "pointer", p->fields[i].pointer,
                                                "detail", p->fields[i].detail));
    }
    return errors;
}

/* The problem as JSON text; NULL when memory is out. Free with free(). */
static char *problem_text(enum confab_err err, const struct problem *p, const char *request_id)
{
    char type[64];
    int n = snprintf(type, sizeof(type), PROBLEM_TYPE_PREFIX "%s", err_code(err));
    json_t *problem = n < 0 ? NULL
                            : json_pack("{s:s, s:s, s:i, s:s, s:s, s:s}", "type", type, "title",
                                        err_title(err), "status", err_http_status(err), "detail",
                                        p->detail[0] != '\0' ? p->detail : err_title(err), "code",
                                        err_code(err), "request_id", request_id);
    char *text = NULL;

    if (problem != NULL &&
        (p->field_count == 0 || json_object_set_new(problem, "errors", problem_errors(p)) == 0)) {
        text = json_dumps(problem, JSON_COMPACT);
    }
    json_decref(problem);
    return text;
}

void resp_problem(struct resp *r, enum confab_err err, const struct problem *p,
                  const char *request_id)
{
    char *text = problem_text(err, p, request_id);
    int retry_after_s = p->retry_after_s > 0 ? p->retry_after_s : err_retry_after_s(err);

    resp_json(r, err_http_status(err), text == NULL ? "{}" : text);
    r->content_type = "application/problem+json";
    free(text);
    if (r->status == 401) {
        resp_header(r, "WWW-Authenticate", "Bearer realm=\"confab\"");
    }
    if (retry_after_s > 0) {
        buf_printf(&r->headers, "Retry-After: %d\r\n", retry_after_s);
    }
}

int resp_send(struct resp *r, const struct req *req, struct gateway *g)
{
    struct buf head;

    if (buf_failed(&r->headers) || buf_failed(&r->body)) {
        buf_reset(&r->headers);
        resp_problem(r, CONFAB_NO_MEMORY, &(struct problem){.field_count = 0}, req->id);
    }
    resp_header(r, "X-Request-Id", req->id);
    resp_header(r, "Cache-Control", "no-store");
    resp_header(r, "Vary", "Origin");
    resp_header(r, "X-Content-Type-Options", "nosniff");

    buf_init(&head, RESP_HEADER_BYTES * 2);
    buf_printf(&head, "Status: %d %s\r\n", r->status, reason_phrase(r->status));
    if (r->content_type != NULL) {
        buf_printf(&head, "Content-Type: %s\r\nContent-Length: %zu\r\n", r->content_type,
                   r->body.len);
    }
    buf_put_slice(&head, buf_slice(&r->headers));
    buf_puts(&head, "\r\n");
    if (buf_failed(&head) || buf_failed(&r->headers) || buf_failed(&r->body)) {
        static const char last_resort[] = "Status: 503 Service Unavailable\r\nRetry-After: 2\r\n"
                                          "Content-Length: 0\r\n\r\n";

        gateway_write(g, last_resort, sizeof(last_resort) - 1);
        r->status = 503;
    } else {
        gateway_write(g, head.data, head.len);
        if (req->method != HTTP_HEAD && r->body.len > 0) {
            gateway_write(g, r->body.data, r->body.len);
        }
    }
    buf_clear(&head);
    return r->status;
}
