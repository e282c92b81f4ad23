/*
 * What a client can put into a REST request: address, headers, body. An input is the address, a
 * header (tried as each of those that are parsed), the Content-Type, a line each, and the body. It
 * is tried with every method. Whatever is accepted must be fit for a statement's parameter.
 */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "fcgi-app/auth.h"
#include "fcgi-app/input.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct settings settings = {
    .path_prefix = "", .origins = "https://a.example", .request_body_bytes = 65536};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    input_start();
    return sodium_init() < 0 ? -1 : 0;
}

static void try_endpoint(struct req *req, const struct route *route)
{
    const struct endpoint *endpoint = route->endpoint;
    struct input input;
    struct problem problem = {.field_count = 0};
    enum confab_err err = input_read(&input, req, route, endpoint->text_body, &problem);

    for (size_t i = 0; err == CONFAB_OK && i < endpoint->field_count; i++) {
        assert(input.values[i] == NULL || str_is_utf8(slice_of(input.values[i])));
        assert(input.values[i] != NULL || !endpoint->fields[i].required ||
               endpoint->fields[i].type == FIELD_USER_OR_ME);
    }
    assert((err == CONFAB_INVALID) == (problem.field_count > 0));
    input_clear(&input);
}

static void try_methods(struct req *req)
{
    struct slice below;

    if (route_below_base(req->path, settings.path_prefix, &below) != CONFAB_OK) {
        return;
    }
    for (int method = 0; method < HTTP_METHOD_MAX; method++) {
        struct route route;

        if (route_find((enum http_method)method, below, &req->arena, &route) == CONFAB_OK) {
            try_endpoint(req, &route);
        }
    }
}

static void try_headers(struct req *req, struct slice header)
{
    req->authorization = req->cookie = req->origin = req->host = header;
    struct auth auth = auth_read(req, &settings);

    assert(auth.kind != AUTH_KIND_NONE || auth.token.n == 0);
    (void)auth_origin_is_good(req, &settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice uri;
    struct slice header;
    struct slice rest;
    struct slice body;
    struct req req;

    req_init(&req, &settings);
    slice_cut((struct slice){(const char *)data, size}, '\n', &uri, &rest);
    slice_cut(rest, '\n', &header, &rest);
    slice_cut(rest, '\n', &req.content_type, &body);
    slice_cut(uri, '?', &req.path, &req.query);
    req.body = (struct slice){arena_copy(&req.arena, body), body.n};
    if (req.body.p != NULL) {
        try_headers(&req, header);
        try_methods(&req);
    }
    req_clear(&req);
    return 0;
}
