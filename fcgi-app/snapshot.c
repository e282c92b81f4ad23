/*
 * snapshot: all that a client needs to begin, polling from there on, and who is online.
 */
#include <inttypes.h>
#include <stdio.h>

#include "exchange.h"

/* A cursor grows with the transactions that are open; SQL has its own limit below this. */
#define CURSOR_CHARS_MAX   8000
#define FILTER_ROOMS_MAX   100
#define PRESENCE_USERS_MAX 200
#define PRESENCE_POLLS     3 /* who polls seldom is there for so many intervals */
#define MS_PER_S           1000

static const struct field events_fields[] = {
    {"after", FIELD_QUERY, FIELD_TEXT, false, 1, CURSOR_CHARS_MAX},
    {"rooms", FIELD_QUERY, FIELD_INT_LIST, false, 1, FILTER_ROOMS_MAX},
};

/*
 * GET /events. Who polls is online, which is written after the events were read: that may not
 * write. The answer stands whatever becomes of it.
 */
static enum confab_err handle_events(struct exchange *x)
{
    const struct settings *s = x->app->settings;
    enum confab_err err = exchange_pass(x, true);
    int64_t polls_s = PRESENCE_POLLS * s->poll_interval_ms / MS_PER_S + 1;
    char seconds[EXCHANGE_NUMBER_BYTES];
    const char *const params[] = {x->token_param, seconds};
    struct db_result *res = NULL;
    struct problem ignored;

    if (err == CONFAB_OK) {
        snprintf(seconds, sizeof(seconds), "%" PRId64,
                 polls_s > s->presence_lease_s ? polls_s : s->presence_lease_s);
        if (db_call(x->app->db, STMT_PRESENCE_POLL, params, true, &res, &ignored) == CONFAB_OK) {
            db_result_free(res);
        }
    }
    return err;
}

static const struct field presence_fields[] = {
    {"users", FIELD_QUERY, FIELD_INT_LIST, true, 1, PRESENCE_USERS_MAX},
};

static const struct endpoint endpoints[] = {
    {HTTP_GET, "/snapshot", AUTH_TOKEN, false, STMT_SNAPSHOT, NO_FIELDS, NULL},
    {HTTP_GET, "/events", AUTH_TOKEN, false, STMT_EVENTS, FIELDS(events_fields), handle_events},
    {HTTP_GET, "/presence", AUTH_TOKEN, false, STMT_PRESENCE, FIELDS(presence_fields), NULL},
};

const struct endpoint_table snapshot_endpoints = ENDPOINT_TABLE(endpoints);
