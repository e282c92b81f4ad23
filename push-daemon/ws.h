/*
 * ws: the frames of WebSocket (RFC 6455, section 5), from the server's side. Pure: no sockets. The
 * reader takes what a client sent, however it was cut, and gives whole messages; a message that
 * lies whole in the caller's bytes is given from there, and only of one that does not is anything
 * kept. The writer appends frames to a buffer. Non-goals: the opening handshake (ws_upgrade.h),
 * extensions, what messages mean, and when to close.
 */
#ifndef PUSH_WS_H
#define PUSH_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/str.h"
#include "common/utf8.h"

#define WS_CONTROL_MAX_BYTES 125
#define WS_REASON_MAX_BYTES  123 /* of a close: what its code leaves */
#define WS_HEAD_MAX_BYTES    14  /* of a frame: two, eight of length, four of mask */

enum ws_opcode {
    WS_CONTINUATION = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xa
};

/* The close codes that are the codec's business (section 7.4.1). */
enum ws_code {
    WS_CODE_PROTOCOL = 1002,
    WS_CODE_NONE = 1005, /* a close without a code: stands in no frame */
    WS_CODE_NOT_UTF8 = 1007,
    WS_CODE_TOO_BIG = 1009
};

/* A whole message, or a control frame. */
struct ws_message {
    enum ws_opcode opcode; /* all but WS_CONTINUATION */
    unsigned code;         /* of a close */
    struct slice payload;  /* of a close the reason; well-formed UTF-8 there and in a text */
};

enum ws_reader_state {
    WS_READER_HEAD,    /* of a frame */
    WS_READER_PAYLOAD, /* of the frame whose head is there */
    WS_READER_GIVEN    /* what was kept of the last message is the caller's until he asks again */
};

struct ws_reader {
    enum ws_reader_state state;
    enum ws_opcode message; /* that has begun and not ended; WS_CONTINUATION: none has */
    struct buf kept;        /* of that message, and after it of a control frame that is not whole */
    uint32_t message_bytes; /* kept of the message's earlier frames */
    uint32_t message_frames; /* that came before */
    uint32_t frame_bytes;    /* of payload, as the frame's head says */
    uint32_t frame_taken;    /* of those */
    struct utf8 text;        /* where the message, if it is a text, stands */
    unsigned char head_bytes;
    unsigned char head[WS_HEAD_MAX_BYTES]; /* what has come of the frame's head */
};

/* Messages may have at most max_bytes, and as many frames. Allocates nothing. */
void ws_reader_init(struct ws_reader *r, uint32_t max_bytes);
void ws_reader_clear(struct ws_reader *r);

/* Whether nothing has begun that has not ended: such a reader holds no memory and says no more than
 * a new one does. */
bool ws_reader_is_idle(const struct ws_reader *r);

/*
 * Takes bytes of the client, which it unmasks where they are, up to the end of the next message;
 * moves *bytes and *n past what it took.
 * CONFAB_OK: *out is a message. Its payload is borrowed from those bytes or from r, until the next
 * call. CONFAB_NEED_MORE: all was taken, and no message ends there. CONFAB_BAD_REQUEST: the
 * connection has failed (section 7.1.7), and *out is the close to answer with. CONFAB_NO_MEMORY.
 * After the last two r is good for ws_reader_clear alone.
 */
enum confab_err ws_read(struct ws_reader *r, char **bytes, size_t *n, struct ws_message *out)
    __attribute__((warn_unused_result));

/* The head of an unfragmented frame with n bytes of payload, which are to follow. */
void ws_put_head(struct buf *b, enum ws_opcode opcode, size_t n);
void ws_put_frame(struct buf *b, enum ws_opcode opcode, struct slice payload);
/* With WS_CODE_NONE without a payload; else the reason has at most WS_REASON_MAX_BYTES. */
void ws_put_close(struct buf *b, unsigned code, struct slice reason);

#endif
