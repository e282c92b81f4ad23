/*
 * conn_sse: what a Server-Sent Events stream says, and when it opens. docs/protocol.md, sections
 * 2 to 4, is the text that this follows.
 */
#ifndef PUSH_CONN_SSE_H
#define PUSH_CONN_SSE_H

#include "common/buf.h"
#include "common/str.h"
#include "conn.h"
#include "msg.h"

/* Answers 200 and opens the stream (the handshake's questions go to the feed). cors: header lines
 * of their own, or empty. */
void conn_sse_open(struct conn *c, struct slice cors);

/* A stream that is over before it began: 200, `reset` for want of a session, and the end. */
void conn_sse_refuse(struct conn *c, struct slice cors);

/* The shared messages; NULL: out of memory. */
struct msg *conn_sse_mark(struct slice cursor, bool late);
struct msg *conn_sse_padding(void); /* long enough to break through small proxy buffers */
struct msg *conn_sse_beat(void);    /* a comment */

#endif
