/*
 * problem: why a request was refused, as the client is told it (RFC 9457). Filled by whoever finds
 * the reason, written by resp.c. It holds only text of ours and of SQL functions, never input.
 */
#ifndef CONFAB_PROBLEM_H
#define CONFAB_PROBLEM_H

#include <stddef.h>

#include "common/err.h"
#include "common/str.h"

#define PROBLEM_FIELDS_MAX    8
#define PROBLEM_DETAIL_BYTES  400
#define PROBLEM_POINTER_BYTES 64

/* One bad field. */
struct problem_field {
    char pointer[PROBLEM_POINTER_BYTES]; /* JSON pointer, "/name" */
    char detail[PROBLEM_DETAIL_BYTES];
};

struct problem {
    char detail[PROBLEM_DETAIL_BYTES]; /* "" when there is no more to say than the title */
    int retry_after_s;                 /* 0: what the error's row says */
    struct problem_field fields[PROBLEM_FIELDS_MAX];
    size_t field_count;
};

/* Sets the detail (cut to fit) and returns err, so that `return problem_set(…)` reads well. */
enum confab_err problem_set(struct problem *p, enum confab_err err, const char *detail);

/* The detail of a CONFAB_INVALID that was found here; SQL functions have their own. */
#define PROBLEM_FIELDS_DETAIL "Some of what was sent is missing or not as it should be: see errors."

/* Adds a bad field; beyond PROBLEM_FIELDS_MAX it is left out. */
void problem_add_field(struct problem *p, struct slice name, struct slice detail);

#endif
