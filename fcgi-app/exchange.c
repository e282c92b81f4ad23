/*
 * exchange: route, authenticate, read the input, call, answer. Every error on the way becomes
 * problem+json in one place.
 */
#include "exchange.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "gateway.h"

#define AGENT_BYTES_MAX   800 /* more than SQL keeps, whatever the characters */
#define PREFLIGHT_MAX_AGE "600"

/* ---- What handlers use ---- */

/* "; rel=next" for the same address with the query of the next page. The path is written anew from
 * the template: nothing of the request is echoed but ids that were read as numbers. */
static void link_header(struct exchange *x, const char *query)
{
    struct buf value;
    const char *at = x->route.endpoint->path;
    size_t param = 0;

    buf_init(&value, RESP_HEADER_BYTES);
    buf_printf(&value, "<%s%s", x->app->settings->path_prefix, ROUTE_BASE);
    while (*at != '\0') {
        if (*at == '{') {
            buf_put_slice(&value, x->route.params[param++]);
            at = strchr(at, '}') + 1;
        } else {
            buf_putc(&value, *at++);
        }
    }
    buf_printf(&value, "%s>; rel=\"next\"", query);
    if (!buf_failed(&value)) {
        resp_header(&x->resp, "Link", value.data);
    }
    buf_clear(&value);
}

enum confab_err exchange_call(struct exchange *x, enum stmt stmt, const char *const *params,
                              bool repeatable)
{
    struct db_result *res = NULL;
    int64_t status = 0;
    enum confab_err err = db_call(x->app->db, stmt, params, repeatable, &res, &x->problem);

    if (err != CONFAB_OK) {
        return err;
    }
    const char *link = db_text(res, 0, 2);

    if (str_to_i64(slice_of(db_text(res, 0, 0)), 200, 299, &status)) {
        resp_json(&x->resp, (int)status, db_text(res, 0, 1));
        if (link != NULL) {
            link_header(x, link);
        }
    } else {
        log_errx("request id=%s stmt=%s bad_answer", x->req.id, stmt_table[stmt].name);
        err = CONFAB_INTERNAL;
    }
    db_result_free(res);
    return err;
}

enum confab_err exchange_pass(struct exchange *x, bool repeatable)
{
    const struct endpoint *endpoint = x->route.endpoint;
    const char *params[ROUTE_FIELDS_MAX + 1];
    size_t count = 0;

    if (endpoint->auth == AUTH_TOKEN) {
        params[count++] = x->token_param;
    }
    for (size_t i = 0; i < endpoint->field_count; i++) {
        params[count++] = x->input.values[i];
    }
    return exchange_call(x, endpoint->stmt, params, repeatable);
}

void exchange_make_token(const struct exchange *x, struct fresh_token *out)
{
    struct token_hash hash;

    token_make(out->text);
    bool is_token = token_hash(slice_of(out->text), &hash);

    assert(is_token);
    (void)is_token;
    db_token_param(&hash, out->param);
    snprintf(out->days, sizeof(out->days), "%" PRId64, x->app->settings->session_days);
}

enum confab_err exchange_add_member(struct exchange *x, const char *name, const char *text)
{
    enum confab_err err = CONFAB_NO_MEMORY;
    json_t *answer = json_loads(buf_str(&x->resp.body), 0, NULL);
    char *body = NULL;

    if (json_object_set_new(answer, name, json_string(text)) == 0) {
        body = json_dumps(answer, JSON_COMPACT);
    }
    if (body != NULL) {
        resp_json(&x->resp, x->resp.status, body);
        err = CONFAB_OK;
    }
    free(body);
    json_decref(answer);
    return err;
}

enum confab_err exchange_give_token(struct exchange *x, const struct fresh_token *token,
                                    bool as_member)
{
    if (as_member) {
        return exchange_add_member(x, "token", token->text);
    }
    auth_set_cookie(&x->resp, &x->req, x->app->settings, token->text);
    return CONFAB_OK;
}

enum confab_err exchange_check_origin(struct exchange *x)
{
    if (auth_origin_is_good(&x->req, x->app->settings)) {
        return CONFAB_OK;
    }
    return problem_set(&x->problem, CONFAB_BAD_ORIGIN,
                       "With a cookie this needs an Origin of this site, or a listed one.");
}

const char *exchange_agent(struct exchange *x)
{
    struct slice agent = x->req.user_agent;

    if (agent.n == 0 || agent.n > AGENT_BYTES_MAX || !str_is_utf8(agent)) {
        return NULL;
    }
    return agent.p; /* a variable of the gateway ends with NUL */
}

/* ---- The life of a request ---- */

static enum confab_err authenticate(struct exchange *x)
{
    struct token_hash hash;

    x->auth = auth_read(&x->req, x->app->settings);
    if (x->route.endpoint->auth == AUTH_NONE) {
        return CONFAB_OK;
    }
    if (x->auth.kind == AUTH_KIND_NONE) {
        return problem_set(&x->problem, CONFAB_UNAUTHENTICATED, "Log in first.");
    }
    if (!token_hash(x->auth.token, &hash)) {
        return problem_set(&x->problem, CONFAB_UNAUTHENTICATED, "This is no token of ours.");
    }
    /* The cookie is the whole browser's: another tab may have logged in as somebody else. */
    if (x->req.session.n > 0 && !token_has_print(&hash, x->req.session)) {
        return problem_set(&x->problem, CONFAB_UNAUTHENTICATED,
                           "Another session has taken the place of the one that was meant.");
    }
    db_token_param(&hash, x->token_param);
    if (x->auth.kind == AUTH_KIND_COOKIE && http_method_writes(x->req.method)) {
        return exchange_check_origin(x);
    }
    return CONFAB_OK;
}

/* The answer to a browser that asks whether a page of another origin may send what it wants to. */
static enum confab_err preflight(struct exchange *x)
{
    resp_header(&x->resp, "Allow", x->route.allow);
    resp_header(&x->resp, "Access-Control-Allow-Methods", x->route.allow);
    resp_header(&x->resp, "Access-Control-Allow-Headers",
                "Authorization, Content-Type, Idempotency-Key, Confab-Session");
    resp_header(&x->resp, "Access-Control-Max-Age", PREFLIGHT_MAX_AGE);
    resp_json(&x->resp, 204, NULL);
    return CONFAB_OK;
}

static enum confab_err find_route(struct exchange *x)
{
    struct slice below;
    enum confab_err err = route_below_base(x->req.path, x->app->settings->path_prefix, &below);

    if (err == CONFAB_OK) {
        err = route_find(x->req.method, below, &x->req.arena, &x->route);
    }
    if (err == CONFAB_METHOD_NOT_ALLOWED) {
        resp_header(&x->resp, "Allow", x->route.allow);
    }
    return err;
}

/* The good texts of the body, {"name": "text"}; NULL when there are none, or no memory. Free with
 * free(). */
static char *texts_of(const struct exchange *x)
{
    const struct endpoint *endpoint = x->route.endpoint;
    json_t *texts = json_object();

    for (size_t i = 0; i < endpoint->field_count; i++) {
        const struct field *f = &endpoint->fields[i];

        if (f->type == FIELD_RULED && x->input.values[i] != NULL) {
            json_object_set_new(texts, f->name, json_string(x->input.values[i]));
        }
    }
    char *text = json_object_size(texts) > 0 ? json_dumps(texts, JSON_COMPACT) : NULL;

    json_decref(texts);
    return text;
}

/* A request that is refused for some fields is told what is wrong with the others, too. The rules
 * for their contents are SQL's; whether it can be asked does not matter. */
static void add_complaints(struct exchange *x)
{
    char *texts = texts_of(x);
    const char *const params[] = {texts};
    struct problem more = {.field_count = 0};
    struct db_result *res = NULL;

    if (texts != NULL &&
        db_call(x->app->db, STMT_COMPLAINTS, params, true, &res, &more) == CONFAB_INVALID) {
        for (size_t i = 0; i < more.field_count; i++) {
            problem_add_field(&x->problem, slice_of(more.fields[i].pointer + 1),
                              slice_of(more.fields[i].detail));
        }
    }
    db_result_free(res);
    free(texts);
}

static enum confab_err run(struct exchange *x)
{
    enum confab_err read_err = req_read(&x->req, x->app->gateway, x->app->settings);

    auth_cors(&x->resp, &x->req, x->app->settings);
    enum confab_err err = find_route(x);

    if (err == CONFAB_OK) {
        err = read_err;
    }
    if (err == CONFAB_OK && x->req.method == HTTP_OPTIONS) {
        return preflight(x);
    }
    if (err == CONFAB_OK) {
        err = authenticate(x);
    }
    if (err != CONFAB_OK) {
        return err;
    }
    const struct endpoint *endpoint = x->route.endpoint;
    bool may_be_text = endpoint->text_body && x->auth.kind == AUTH_KIND_BEARER;

    err = input_read(&x->input, &x->req, &x->route, may_be_text, &x->problem);
    if (err == CONFAB_INVALID) {
        add_complaints(x);
    }
    if (err != CONFAB_OK) {
        return err;
    }
    return endpoint->handle != NULL ? endpoint->handle(x)
                                    : exchange_pass(x, endpoint->method != HTTP_POST);
}

static int64_t ms_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

void exchange_run(struct app *app)
{
    struct exchange x = {.app = app};
    struct timespec start;

    clock_gettime(CLOCK_MONOTONIC, &start);
    req_init(&x.req, app->settings);
    resp_init(&x.resp);

    enum confab_err err = run(&x);

    if (err != CONFAB_OK) {
        resp_problem(&x.resp, err, &x.problem, x.req.id);
    }
    int status = resp_send(&x.resp, &x.req, app->gateway);

    /* The route's template, never the address: queries and ids are nobody's business here. */
    log_info("request id=%s method=%s route=%s status=%d ms=%" PRId64, x.req.id,
             http_method_name(x.req.method),
             x.route.endpoint == NULL ? "-" : x.route.endpoint->path, status, ms_since(&start));

    input_clear(&x.input);
    resp_clear(&x.resp);
    req_clear(&x.req);
    sodium_memzero(x.token_param, sizeof(x.token_param));
    gateway_finish(app->gateway);
}
