/*
 * reason: see reason.h.
 */
#include "reason.h"

#include <assert.h>

struct row {
    const char *word;
    uint16_t close_code;
};

static const struct row rows[] = {
    [REASON_ANSWERED] = {"answered", 1000},
    [REASON_BAD_REQUEST] = {"bad_request", 1002},
    [REASON_PEER] = {"peer", 1000},
    [REASON_ERROR] = {"error", 1011},
    [REASON_HANDSHAKE] = {"handshake", 1008},
    [REASON_UNAVAILABLE] = {"unavailable", 1013},
    [REASON_AUTH] = {"auth", 4401},
    [REASON_SESSION_LIMIT] = {"session_limit", 4429},
    [REASON_ADDRESS_LIMIT] = {"address_limit", 4429},
    [REASON_SLOW] = {"slow", 4408},
    [REASON_AGE] = {"age", 4000},
    [REASON_FLOOD] = {"flood", 1008},
    [REASON_MEMORY] = {"memory", 1013},
    [REASON_SHUTDOWN] = {"shutdown", 1012},
};
static_assert(sizeof rows / sizeof *rows == REASON_MAX, "one row a reason");

static const struct row *row_of(enum reason reason)
{
    assert(reason >= 0 && reason < REASON_MAX);
    return &rows[reason];
}

const char *reason_word(enum reason reason)
{
    return row_of(reason)->word;
}

uint16_t reason_close_code(enum reason reason)
{
    return row_of(reason)->close_code;
}
