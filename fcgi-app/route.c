/*
 * route: a linear look through a few dozen rows; a request costs a round trip to the database, so
 * anything cleverer would not show.
 */
#include "route.h"

#include <string.h>

static const struct endpoint_table *const tables[] = {
    &users_endpoints,    &session_endpoints,  &rooms_endpoints,
    &messages_endpoints, &snapshot_endpoints, &server_endpoints,
};

const struct endpoint *route_next(size_t *at)
{
    size_t index = (*at)++;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (index < tables[i]->count) {
            return &tables[i]->endpoints[index];
        }
        index -= tables[i]->count;
    }
    return NULL;
}

enum confab_err route_below_base(struct slice path, const char *prefix, struct slice *below)
{
    const struct slice parts[] = {slice_of(prefix), SLICE_LITERAL(ROUTE_BASE)};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!slice_starts(path, parts[i])) {
            return CONFAB_NO_ROUTE;
        }
        path.p += parts[i].n;
        path.n -= parts[i].n;
    }
    if (path.n == 0 || path.p[0] != '/') {
        return CONFAB_NO_ROUTE;
    }
    *below = path;
    return CONFAB_OK;
}

/* Whether one segment of a path fits its piece of a template; a {…} takes anything but "". */
static bool segment_fits(struct slice piece, struct slice segment, struct route *found)
{
    if (piece.n == 0 || piece.p[0] != '{') {
        return slice_eq(piece, segment);
    }
    if (segment.n == 0) {
        return false;
    }
    found->params[found->param_count++] = segment;
    return true;
}

/* Both begin with a slash. Fills the parameters of found, still encoded. */
static bool template_fits(const char *template, struct slice path, struct route *found)
{
    struct slice pieces = slice_of(template);
    struct slice segments = path;
    bool more_pieces = true;
    bool more_segments = true;

    found->param_count = 0;
    while (more_pieces && more_segments) {
        struct slice piece;
        struct slice segment;

        more_pieces = slice_cut(pieces, '/', &piece, &pieces);
        more_segments = slice_cut(segments, '/', &segment, &segments);
        if (!segment_fits(piece, segment, found)) {
            return false;
        }
    }
    return more_pieces == more_segments;
}

/* Decodes the parameters into the arena. A path that cannot be decoded names nothing. */
static enum confab_err params_decode(struct route *found, struct arena *arena)
{
    for (size_t i = 0; i < found->param_count; i++) {
        char *decoded = arena_alloc(arena, found->params[i].n + 1);
        size_t len = 0;

        if (decoded == NULL) {
            return CONFAB_NO_MEMORY;
        }
        if (!str_percent_decode(found->params[i], false, decoded, &len)) {
            return CONFAB_NO_ROUTE;
        }
        found->params[i] = (struct slice){decoded, len};
    }
    return CONFAB_OK;
}

/* The value of Allow for a set of methods (bits by enum http_method). */
static void allow_write(unsigned methods, char out[ROUTE_ALLOW_BYTES])
{
    size_t len = 0;

    for (int method = 0; method < HTTP_OTHER; method++) {
        const char *name = http_method_name((enum http_method)method);

        if ((methods & (1U << method)) != 0 && len + strlen(name) + 3 < ROUTE_ALLOW_BYTES) {
            if (len > 0) {
                out[len++] = ',';
                out[len++] = ' ';
            }
            memcpy(out + len, name, strlen(name));
            len += strlen(name);
        }
    }
    out[len] = '\0';
}

enum confab_err route_find(enum http_method method, struct slice path, struct arena *arena,
                           struct route *out)
{
    const enum http_method wanted = method == HTTP_HEAD ? HTTP_GET : method;
    const struct endpoint *endpoint = NULL;
    struct route found = {.endpoint = NULL};
    unsigned methods = 0;
    size_t at = 0;

    while ((endpoint = route_next(&at)) != NULL) {
        struct route candidate = {.endpoint = endpoint};

        if (template_fits(endpoint->path, path, &candidate)) {
            methods |= 1U << endpoint->method;
            if (endpoint->method == wanted || wanted == HTTP_OPTIONS) {
                found = candidate;
            }
        }
    }
    if (methods == 0) {
        return CONFAB_NO_ROUTE;
    }
    methods |= 1U << HTTP_OPTIONS | ((methods & 1U << HTTP_GET) != 0 ? 1U << HTTP_HEAD : 0);
    *out = found;
    allow_write(methods, out->allow);
    return found.endpoint == NULL ? CONFAB_METHOD_NOT_ALLOWED : params_decode(out, arena);
}
