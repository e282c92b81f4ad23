/*
 * server: what anybody may ask about this server. Pure data.
 */
#include "exchange.h"

static const struct endpoint endpoints[] = {
    {HTTP_GET, "/health", AUTH_NONE, false, STMT_HEALTH, NO_FIELDS, NULL},
    {HTTP_GET, "/server", AUTH_NONE, false, STMT_SERVER, NO_FIELDS, NULL},
};

const struct endpoint_table server_endpoints = ENDPOINT_TABLE(endpoints);
