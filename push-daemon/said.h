/*
 * said: what a stream says of itself, whatever its transport: the events that are not of the log
 * (docs/protocol.md). Each is a new message with one reference, or NULL when out of memory.
 */
#ifndef PUSH_SAID_H
#define PUSH_SAID_H

#include "conn.h"
#include "msg.h"

/* reason: a literal of the protocol. */
struct msg *said_reset(const char *reason, int64_t within_s);
struct msg *said_bye(int64_t retry_ms);
/* late: the log cannot be read at present. */
struct msg *said_mark(struct slice cursor, bool late);

/* How a transport that adds nothing says these: queued as by conn_queue. */
bool said_queue_connected(struct conn *c, const struct conn_greeting *greeting)
    __attribute__((warn_unused_result));
bool said_queue_reset(struct conn *c, const char *reason, int64_t within_s)
    __attribute__((warn_unused_result));

#endif
