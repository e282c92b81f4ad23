/*
 * answer: see answer.h.
 */
#include "answer.h"

#include <jansson.h>
#include <stdlib.h>

#define HEAD_BYTES 4096

bool answer_queue(struct conn *c, const struct answer *a)
{
    struct buf b;

    buf_init(&b, HEAD_BYTES + a->body.n);
    buf_printf(&b,
               "HTTP/1.1 %d %s\r\nConnection: close\r\nCache-Control: no-store\r\n"
               "X-Content-Type-Options: nosniff\r\n",
               a->status, a->title);
    buf_puts(&b, a->extra != NULL ? a->extra : "");
    buf_put_slice(&b, a->cors);
    if (a->type != NULL) {
        buf_printf(&b, "Content-Type: %s\r\nContent-Length: %zu\r\n", a->type, a->body.n);
    }
    buf_puts(&b, "\r\n");
    if (a->type != NULL && !a->head_only) {
        buf_put_slice(&b, a->body);
    }
    return conn_queue_buf(c, &b);
}

bool answer_problem(struct conn *c, struct answer *a, int status, enum confab_err err)
{
    a->status = status != 0 ? status : err_http_status(err);
    a->title = err_title(err);
    a->type = "application/problem+json";

    json_t *problem = json_pack("{s:s,s:s,s:i,s:s,s:o}", "type", "about:blank", "title", a->title,
                                "status", a->status, "code", err_code(err), "request_id",
                                json_sprintf("push-%llu", (unsigned long long)c->id));
    char *body = problem == NULL ? NULL : json_dumps(problem, JSON_COMPACT);

    json_decref(problem);
    if (body == NULL) {
        conn_close(c, REASON_MEMORY);
        return false;
    }
    a->body = slice_of(body);
    bool queued = answer_queue(c, a);

    free(body);
    return queued;
}
