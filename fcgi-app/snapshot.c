/*
 * snapshot: all that a client needs to begin, and polling from there on. Pure data.
 */
#include "exchange.h"

/* A cursor grows with the transactions that are open; SQL has its own limit below this. */
#define CURSOR_CHARS_MAX 8000
#define FILTER_ROOMS_MAX 100

static const struct field events_fields[] = {
    {"after", FIELD_QUERY, FIELD_TEXT, false, 1, CURSOR_CHARS_MAX},
    {"rooms", FIELD_QUERY, FIELD_INT_LIST, false, 1, FILTER_ROOMS_MAX},
};

static const struct endpoint endpoints[] = {
    {HTTP_GET, "/snapshot", AUTH_TOKEN, false, STMT_SNAPSHOT, NO_FIELDS, NULL},
    {HTTP_GET, "/events", AUTH_TOKEN, false, STMT_EVENTS, FIELDS(events_fields), NULL},
};

const struct endpoint_table snapshot_endpoints = ENDPOINT_TABLE(endpoints);
