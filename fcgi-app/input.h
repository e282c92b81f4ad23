/*
 * input: the fields of a request, typed and validated by the endpoint's table, as texts that can
 * be bound to a statement. All bad fields are found at once. Non-goals: the rules of the chat
 * (which logins are good, who may write where): those are SQL's.
 */
#ifndef CONFAB_INPUT_H
#define CONFAB_INPUT_H

#include <jansson.h>
#include <stdbool.h>

#include "problem.h"
#include "req.h"
#include "route.h"

#define INPUT_DEPTH_MAX 32 /* of arrays and objects within each other */

struct input {
    /* By the index of the field; NULL when it was not given. Borrowed: from the arena, the route or
     * the body. */
    const char *values[ROUTE_FIELDS_MAX];
    json_t *body; /* owned; NULL when the endpoint takes no body or the body is plain text */
};

/* Gives jansson its memory functions. Once, before anything here or of jansson. */
void input_start(void);

/*
 * Reads the endpoint's fields. may_be_text: the request may have a text/plain body (endpoint and
 * authentication allow it). On failure p says why:
 * CONFAB_NOT_FOUND         a path parameter that can be no id
 * CONFAB_UNSUPPORTED_MEDIA_TYPE
 * CONFAB_BAD_REQUEST       the body is not JSON, or not an object, or nested too deeply
 * CONFAB_INVALID           bad fields, each with its pointer
 * CONFAB_NO_MEMORY
 * Free with input_clear, also after a failure.
 */
enum confab_err input_read(struct input *in, struct req *req, const struct route *route,
                           bool may_be_text, struct problem *p) __attribute__((warn_unused_result));
void input_clear(struct input *in);

#endif
