/*
 * pack: what waits for a connection in one piece, to be sent by one call. Of many connections that
 * are served one after the other most wait for the very same messages, so the piece that was made
 * last is kept: a big room's batch is copied together once.
 */
#ifndef PUSH_PACK_H
#define PUSH_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "common/str.h"
#include "msg.h"
#include "queue.h"

#define PACK_MESSAGES_MAX 256
#define PACK_BYTES_MAX    65536

struct pack {
    struct msg *msgs[PACK_MESSAGES_MAX]; /* counted: so that none of them can be another one */
    uint32_t count;
    enum msg_form form;
    size_t len;
    char bytes[PACK_BYTES_MAX];
};

/* All zero is an empty pack. Lets go of what it keeps. */
void pack_clear(struct pack *p);

/* The first bytes of what waits, as many as fit; at least one when anything waits. Borrowed from p
 * or from the queue, until either changes. */
struct slice pack_take(struct pack *p, const struct queue *q);

#endif
