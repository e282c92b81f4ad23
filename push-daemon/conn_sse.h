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

/* Answers 200 and begins the stream. cors: header lines of their own, or empty. False: closed. */
bool conn_sse_open(struct conn *c, struct slice cors);

/* The shared messages; NULL: out of memory. */
struct msg *conn_sse_padding(void); /* long enough to break through small proxy buffers */
struct msg *conn_sse_beat(void);    /* a comment */

#endif
