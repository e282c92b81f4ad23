/*
 * op: what a client says on a WebSocket, {"op", "ref", …}. Pure: reads it, and makes the answers.
 * docs/protocol.md, section 10, is the text that this follows. Non-goals: doing it.
 */
#ifndef PUSH_OP_H
#define PUSH_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/str.h"

#define OP_REF_MAX_BYTES 64

enum op_kind { OP_PING, OP_TYPING, OP_RECEIPT, OP_KIND_MAX };

struct op {
    enum op_kind kind;
    char ref[OP_REF_MAX_BYTES + 1]; /* as JSON, a string or an integer; empty: none was given */
    int64_t room_id;                /* of typing and receipt */
    int64_t seq;                    /* of receipt */
    bool started;                   /* of typing: start, else stop */
    bool read;                      /* of receipt: read, else delivered */
};

/* CONFAB_OK: *out is filled. CONFAB_BAD_REQUEST: no JSON object; CONFAB_INVALID: not one of ours.
 * Either way out->ref is what could be read of it. */
enum confab_err op_parse(struct slice text, struct op *out) __attribute__((warn_unused_result));

/* {"type":"ack"|"pong","ref"}, what a client gets for an op that was done. */
void op_put_done(const struct op *op, struct buf *b);
/* {"type":"error","ref","code","title"} */
void op_put_error(const struct op *op, enum confab_err err, struct buf *b);

#endif
