/*
 * resp: one HTTP answer, collected in memory and written at once. Non-goals: what to answer.
 */
#ifndef CONFAB_RESP_H
#define CONFAB_RESP_H

#include "common/buf.h"
#include "common/err.h"
#include "problem.h"
#include "req.h"

struct gateway;

/* Limits on what an answer may hold; the largest body is a snapshot of many rooms. */
#define RESP_HEADER_BYTES (16 * 1024)
#define RESP_BODY_BYTES   (64 * 1024 * 1024)

struct resp {
    int status;
    const char *content_type; /* borrowed (a literal); NULL: no body */
    struct buf headers;       /* whole lines, each with its CR LF */
    struct buf body;
};

void resp_init(struct resp *r);
void resp_clear(struct resp *r);

/* Adds a header. A value with a control byte is left out: nothing from outside can end a line. */
void resp_header(struct resp *r, const char *name, const char *value);

/* Sets status and JSON body (copied). Body NULL: no body at all. */
void resp_json(struct resp *r, int status, const char *body);

/* Makes the answer application/problem+json for err; headers added before stay. */
void resp_problem(struct resp *r, enum confab_err err, const struct problem *p,
                  const char *request_id);

/* Writes it: head, and body unless the request was HEAD. When memory ran out while it was collected
 * a short 503 goes out instead. Returns the status that was written. */
int resp_send(struct resp *r, const struct req *req, struct gateway *g);

#endif
