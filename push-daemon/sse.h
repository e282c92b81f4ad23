/*
 * sse: the framing of Server-Sent Events (WHATWG HTML, section 9.2). Pure: appends to a buffer.
 * No byte of what it is given can open a field or end a block. Non-goals: parsing; what events
 * mean.
 */
#ifndef PUSH_SSE_H
#define PUSH_SSE_H

#include <stdint.h>

#include "common/buf.h"
#include "common/str.h"

/*
 * One whole event. An empty id is left out; so is a type or id with CR, LF or NUL in it, which no
 * reader could take as one field. Each line of data (ended by CR, LF or CRLF) is a field of its
 * own, so a reader gets the lines joined by LF.
 */
void sse_put_event(struct buf *b, struct slice type, struct slice id, struct slice data);

/* A comment of one or more lines; readers skip it. */
void sse_put_comment(struct buf *b, struct slice text);

/* How long a reader is to wait before it connects again. Part of the event that follows, or a block
 * of its own when an empty line follows. */
void sse_put_retry(struct buf *b, uint64_t ms);

#endif
