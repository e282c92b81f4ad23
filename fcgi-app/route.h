/*
 * route: which endpoint a method and a path name. Endpoints are rows of tables, one table in the
 * file of each resource; a row whose handler is NULL is pure data: its fields, in order, are its
 * statement's parameters.
 */
#ifndef CONFAB_ROUTE_H
#define CONFAB_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "common/err.h"
#include "common/str.h"
#include "req.h"
#include "stmts.h"

#define ROUTE_BASE        "/api/v1" /* below path_prefix; templates begin after it */
#define ROUTE_PARAMS_MAX  2         /* {…} in one template */
#define ROUTE_FIELDS_MAX  8         /* fields of one endpoint */
#define PAGE_LIMIT_MAX    200       /* items of a page */
#define PAGE_PLACE_CHARS  64        /* of an opaque place in a list */
#define ROUTE_ALLOW_BYTES 64        /* room for an Allow header's value */

enum field_where { FIELD_PATH, FIELD_QUERY, FIELD_BODY };

enum field_type {
    FIELD_INT,        /* within min..max */
    FIELD_TEXT,       /* min..max code points */
    FIELD_RULED,      /* text in a body, with a rule in chat.complaint besides its length */
    FIELD_SECRET,     /* text of min..max bytes */
    FIELD_UUID,       /* as RFC 9562 writes one */
    FIELD_BOOL,       /* becomes "true" or "false" */
    FIELD_OBJECT,     /* a JSON object, of at most max bytes when written compactly */
    FIELD_INT_LIST,   /* min..max positive integers; in a query with commas between them */
    FIELD_ITEMS,      /* min..max JSON objects in an array, whose members are SQL's to check */
    FIELD_USER_OR_ME, /* a positive integer, or "me", which becomes null */
    FIELD_TYPE_MAX
};

/* One typed input. Path fields stand in the order of the template's {…}. */
struct field {
    const char *name; /* in query and body; for path fields the template's name */
    enum field_where where;
    enum field_type type;
    bool required;
    int64_t min, max;
};

enum endpoint_auth {
    AUTH_NONE, /* anybody; a token is not even looked at */
    AUTH_TOKEN /* the token's hash is the statement's first parameter */
};

struct exchange;

/* Answers the request of x by x->resp. An error is made into the answer by the caller. */
typedef enum confab_err (*endpoint_handler)(struct exchange *x);

struct endpoint {
    enum http_method method;
    const char *path; /* template: "/rooms/{room}/messages" */
    enum endpoint_auth auth;
    bool text_body; /* with a bearer token a text/plain body is the field named "body" */
    enum stmt stmt;
    const struct field *fields;
    size_t field_count;
    endpoint_handler handle; /* NULL: the statement's answer is the answer */
};

struct endpoint_table {
    const struct endpoint *endpoints;
    size_t count;
};

/* For rows and tables of endpoints. */
#define FIELDS(array) (array), sizeof(array) / sizeof((array)[0])
#define NO_FIELDS     NULL, 0
#define ENDPOINT_TABLE(array)                                                                      \
    {                                                                                              \
        (array), sizeof(array) / sizeof((array)[0])                                                \
    }

/* The tables of all resources; each is defined in the resource's own file. */
extern const struct endpoint_table users_endpoints;
extern const struct endpoint_table session_endpoints;
extern const struct endpoint_table rooms_endpoints;
extern const struct endpoint_table messages_endpoints;
extern const struct endpoint_table snapshot_endpoints;
extern const struct endpoint_table server_endpoints;

struct route {
    const struct endpoint *endpoint;       /* borrowed (static) */
    struct slice params[ROUTE_PARAMS_MAX]; /* of the path, decoded; borrowed from the arena */
    size_t param_count;
    char allow[ROUTE_ALLOW_BYTES]; /* the methods that the path knows, as in Allow */
};

/*
 * Finds the endpoint for path, which is below ROUTE_BASE and still encoded. HEAD finds GET's.
 * CONFAB_NO_ROUTE when no template fits; CONFAB_METHOD_NOT_ALLOWED when one fits but not for this
 * method, then out->allow is filled. CONFAB_OK for OPTIONS, with the endpoint of any method.
 */
enum confab_err route_find(enum http_method method, struct slice path, struct arena *arena,
                           struct route *out) __attribute__((warn_unused_result));

/* Walks all endpoints: start with *at = 0; NULL ends it. */
const struct endpoint *route_next(size_t *at);

/* The part of a request's path below prefix and ROUTE_BASE; CONFAB_NO_ROUTE when it is not there.
 */
enum confab_err route_below_base(struct slice path, const char *prefix, struct slice *below)
    __attribute__((warn_unused_result));

#endif
