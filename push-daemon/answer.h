/*
 * answer: whole HTTP answers, as opposed to streams. They are queued; the caller ends the
 * connection. False: out of memory, and it is closed.
 */
#ifndef PUSH_ANSWER_H
#define PUSH_ANSWER_H

#include <stdbool.h>

#include "common/err.h"
#include "common/str.h"
#include "conn.h"

struct answer {
    int status;
    const char *title;
    const char *extra; /* header lines, each with its CR LF; NULL: none */
    struct slice cors; /* header lines for web pages of other origins */
    const char *type;  /* NULL: no body */
    struct slice body;
    bool head_only; /* the request was HEAD */
};

bool answer_queue(struct conn *c, const struct answer *a) __attribute__((warn_unused_result));

/* Fills in what a failure is told as: problem+json (RFC 9457). status 0: err's own. */
bool answer_problem(struct conn *c, struct answer *a, int status, enum confab_err err)
    __attribute__((warn_unused_result));

#endif
