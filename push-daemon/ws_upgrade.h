/*
 * ws_upgrade: what makes a request the opening handshake of a WebSocket (RFC 6455, section 4.2),
 * and the proof that it was understood. Pure. Non-goals: who asks, and from which page (conn_http
 * does that for every kind of stream); extensions, of which none is ever agreed on.
 */
#ifndef PUSH_WS_UPGRADE_H
#define PUSH_WS_UPGRADE_H

#include <stdbool.h>

#include "common/str.h"
#include "http1.h"

#define WS_UPGRADE_SUBPROTOCOL  "confab.v1"
#define WS_UPGRADE_VERSION      "13"
#define WS_UPGRADE_ACCEPT_BYTES 28

enum ws_upgrade {
    WS_UPGRADE_GOOD,
    WS_UPGRADE_NONE,          /* a plain request: answered 426, with Upgrade */
    WS_UPGRADE_OTHER_VERSION, /* answered 426, with Sec-WebSocket-Version (section 4.4) */
    WS_UPGRADE_BAD            /* one, but not by the rules, or not for our subprotocol */
};

enum ws_upgrade ws_upgrade_check(const struct http1_head *head);

/* The Sec-WebSocket-Accept for a good request's key. False when SHA-1 cannot be had. */
bool ws_upgrade_accept(struct slice key, char out[WS_UPGRADE_ACCEPT_BYTES + 1])
    __attribute__((warn_unused_result));

#endif
