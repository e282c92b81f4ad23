/*
 * reason: see reason.h.
 */
#include "reason.h"

#include <assert.h>

static const char *const words[] = {
    [REASON_ANSWERED] = "answered",   [REASON_BAD_REQUEST] = "bad_request",
    [REASON_PEER] = "peer",           [REASON_ERROR] = "error",
    [REASON_HANDSHAKE] = "handshake", [REASON_UNAVAILABLE] = "unavailable",
    [REASON_AUTH] = "auth",           [REASON_SESSION_LIMIT] = "session_limit",
    [REASON_SLOW] = "slow",           [REASON_AGE] = "age",
    [REASON_FLOOD] = "flood",         [REASON_MEMORY] = "memory",
    [REASON_SHUTDOWN] = "shutdown",
};
static_assert(sizeof words / sizeof *words == REASON_MAX, "one word a reason");

const char *reason_word(enum reason reason)
{
    assert(reason >= 0 && reason < REASON_MAX);
    return words[reason];
}
