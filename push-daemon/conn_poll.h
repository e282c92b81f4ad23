/*
 * conn_poll: a long poll, one answer of plain JSON, {"events", "cursor", "interval_ms"}, as the
 * workers' GET /events gives it. docs/protocol.md, section 11, is the text that this follows.
 */
#ifndef PUSH_CONN_POLL_H
#define PUSH_CONN_POLL_H

#include "common/str.h"
#include "conn.h"

/* Answers later: when there are events after the request's cursor, or after poll_wait_ms. cors:
 * header lines of their own, or empty. False: closed. */
bool conn_poll_open(struct conn *c, struct slice cors);

#endif
