/*
 * conn_ws: a WebSocket (RFC 6455, subprotocol confab.v1): the events of a stream as text messages,
 * and the client's operations. docs/protocol.md, section 10, is the text that this follows.
 */
#ifndef PUSH_CONN_WS_H
#define PUSH_CONN_WS_H

#include "common/str.h"
#include "conn.h"
#include "op.h"

/* Answers 101 to an opening handshake with that key. False: closed. */
bool conn_ws_open(struct conn *c, struct slice key);

/* The shared ping; NULL: out of memory. */
struct msg *conn_ws_ping(void);

/* Tells the client what became of its op. */
void conn_ws_answer(struct conn *c, const struct op *op, enum confab_err err);

#endif
