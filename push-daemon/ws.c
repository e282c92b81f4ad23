/*
 * ws: see ws.h. Whatever is wrong is told at the first byte that shows it, and at the same byte
 * however the bytes were cut.
 */
#include "ws.h"

#include <assert.h>

#define FIN         0x80
#define RESERVED    0x70 /* for extensions, of which there are none */
#define OPCODE      0x0f
#define CONTROL     0x08 /* the bit of an opcode that makes a control frame */
#define MASKED      0x80
#define LENGTH      0x7f
#define LENGTH_16   126 /* the length is in the next two bytes */
#define LENGTH_64   127 /* in the next eight */
#define MASK_BYTES  4
#define CODE_BYTES  2
#define FIRST_BYTES 2 /* of a head: they tell how long it is */

void ws_reader_init(struct ws_reader *r, uint32_t max_bytes)
{
    *r = (struct ws_reader){.state = WS_READER_HEAD, .message = WS_CONTINUATION};
    buf_init(&r->kept, (size_t)max_bytes + WS_CONTROL_MAX_BYTES);
}

void ws_reader_clear(struct ws_reader *r)
{
    buf_clear(&r->kept);
}

bool ws_reader_is_idle(const struct ws_reader *r)
{
    return r->state == WS_READER_HEAD && r->head_bytes == 0 && r->message == WS_CONTINUATION;
}

/* The connection has failed: out is how to close it. */
static enum confab_err refuse(struct ws_message *out, enum ws_code code, const char *reason)
{
    *out = (struct ws_message){.opcode = WS_CLOSE, .code = code, .payload = slice_of(reason)};
    return CONFAB_BAD_REQUEST;
}

/* ---- Heads ---- */

static enum ws_opcode frame_opcode(const struct ws_reader *r)
{
    return (enum ws_opcode)(r->head[0] & OPCODE);
}

static bool frame_is_control(const struct ws_reader *r)
{
    return (r->head[0] & CONTROL) != 0;
}

static bool frame_is_last(const struct ws_reader *r)
{
    return (r->head[0] & FIN) != 0;
}

/* Of a message: in bytes, and in frames, which could else go on for ever with nothing in them. */
static size_t message_max(const struct ws_reader *r)
{
    return r->kept.max - WS_CONTROL_MAX_BYTES;
}

static enum confab_err check_continuation(const struct ws_reader *r, struct ws_message *out)
{
    if (r->message == WS_CONTINUATION) {
        return refuse(out, WS_CODE_PROTOCOL, "nothing to be continued");
    }
    return r->message_frames < message_max(r)
               ? CONFAB_OK
               : refuse(out, WS_CODE_TOO_BIG, "a message of too many fragments");
}

static enum confab_err check_first_byte(const struct ws_reader *r, struct ws_message *out)
{
    if ((r->head[0] & RESERVED) != 0) {
        return refuse(out, WS_CODE_PROTOCOL, "a reserved bit is set");
    }
    switch (frame_opcode(r)) {
    case WS_CONTINUATION:
        return check_continuation(r, out);
    case WS_TEXT:
    case WS_BINARY:
        return r->message == WS_CONTINUATION
                   ? CONFAB_OK
                   : refuse(out, WS_CODE_PROTOCOL, "the message before has not ended");
    case WS_CLOSE:
    case WS_PING:
    case WS_PONG:
        return frame_is_last(r) ? CONFAB_OK
                                : refuse(out, WS_CODE_PROTOCOL, "a fragment of a control frame");
    }
    return refuse(out, WS_CODE_PROTOCOL, "a reserved opcode");
}

static enum confab_err check_second_byte(const struct ws_reader *r, struct ws_message *out)
{
    if ((r->head[1] & MASKED) == 0) {
        return refuse(out, WS_CODE_PROTOCOL, "a frame without a mask");
    }
    if (frame_is_control(r) && (r->head[1] & LENGTH) > WS_CONTROL_MAX_BYTES) {
        return refuse(out, WS_CODE_PROTOCOL, "a control frame that is too long");
    }
    return CONFAB_OK;
}

/* How many bytes of the head tell the length, beside the second one. */
static size_t length_bytes(const struct ws_reader *r)
{
    switch (r->head[1] & LENGTH) {
    case LENGTH_16:
        return 2;
    case LENGTH_64:
        return 8;
    default:
        return 0;
    }
}

static bool has_whole_head(const struct ws_reader *r)
{
    return r->head_bytes >= FIRST_BYTES &&
           r->head_bytes == FIRST_BYTES + length_bytes(r) + MASK_BYTES;
}

/* What the head says of the payload's length, into r. */
static enum confab_err read_length(struct ws_reader *r, struct ws_message *out)
{
    size_t extended = length_bytes(r);
    uint64_t length = extended == 0 ? r->head[1] & LENGTH : 0;
    uint64_t shorter = extended == 8 ? UINT16_MAX : LENGTH_16 - 1; /* what needs fewer bytes */

    for (size_t i = 0; i < extended; i++) {
        length = length << 8 | r->head[FIRST_BYTES + i];
    }
    if (length > INT64_MAX) {
        return refuse(out, WS_CODE_PROTOCOL, "the length's highest bit is set");
    }
    if (extended > 0 && length <= shorter) {
        return refuse(out, WS_CODE_PROTOCOL, "a length in more bytes than it needs");
    }
    if (!frame_is_control(r) && length > message_max(r) - r->message_bytes) {
        return refuse(out, WS_CODE_TOO_BIG, "a message that is too long");
    }
    r->frame_bytes = (uint32_t)length;
    r->frame_taken = 0;
    return CONFAB_OK;
}

static enum confab_err take_head(struct ws_reader *r, char **bytes, size_t *n,
                                 struct ws_message *out)
{
    enum confab_err err = CONFAB_OK;

    while (!has_whole_head(r)) {
        if (*n == 0) {
            return CONFAB_NEED_MORE;
        }
        r->head[r->head_bytes++] = (unsigned char)**bytes;
        ++*bytes;
        --*n;
        if (r->head_bytes == 1) {
            err = check_first_byte(r, out);
        } else if (r->head_bytes == FIRST_BYTES) {
            err = check_second_byte(r, out);
        }
        if (err != CONFAB_OK) {
            return err;
        }
    }
    err = read_length(r, out);
    if (err == CONFAB_OK && !frame_is_control(r) && frame_opcode(r) != WS_CONTINUATION) {
        r->message = frame_opcode(r);
    }
    return err;
}

/* ---- Payloads ---- */

/* Takes what is there of the frame's payload. */
static struct slice take_payload(struct ws_reader *r, char **bytes, size_t *n)
{
    const unsigned char *mask = r->head + r->head_bytes - MASK_BYTES;
    uint32_t left = r->frame_bytes - r->frame_taken;
    struct slice part = {*bytes, *n < left ? *n : left};

    for (size_t i = 0; i < part.n; i++) {
        (*bytes)[i] = (char)((*bytes)[i] ^ mask[(r->frame_taken + i) % MASK_BYTES]);
    }
    r->frame_taken += (uint32_t)part.n;
    *bytes += part.n;
    *n -= part.n;
    return part;
}

/* Whether text of a message may go on like this. */
static bool is_good_text(struct ws_reader *r, struct slice part)
{
    if (frame_is_control(r) || r->message != WS_TEXT) {
        return true;
    }
    return utf8_take(&r->text, part) &&
           (r->frame_taken < r->frame_bytes || !frame_is_last(r) || utf8_is_whole(&r->text));
}

static enum confab_err keep(struct ws_reader *r, struct slice part)
{
    buf_put_slice(&r->kept, part);
    return buf_failed(&r->kept) ? CONFAB_NO_MEMORY : CONFAB_OK;
}

/* Drops what was kept of the message that was given last. */
static void forget_given(struct ws_reader *r)
{
    if (r->message_bytes > 0) {
        buf_cut(&r->kept, r->message_bytes);
    } else {
        buf_clear(&r->kept);
    }
}

static void begin_frame(struct ws_reader *r)
{
    r->state = WS_READER_HEAD;
    r->head_bytes = 0;
}

/* Those that may stand in a frame (section 7.4), with all that IANA has registered. */
static bool is_good_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static enum confab_err read_close(struct ws_message *out)
{
    const unsigned char *p = (const unsigned char *)out->payload.p;

    if (out->payload.n == 0) {
        out->code = WS_CODE_NONE;
        return CONFAB_OK;
    }
    if (out->payload.n < CODE_BYTES) {
        return refuse(out, WS_CODE_PROTOCOL, "half a close code");
    }
    out->code = (unsigned)p[0] << 8 | p[1];
    out->payload.p += CODE_BYTES;
    out->payload.n -= CODE_BYTES;
    if (!is_good_code(out->code)) {
        return refuse(out, WS_CODE_PROTOCOL, "no such close code");
    }
    if (!str_is_utf8(out->payload)) {
        return refuse(out, WS_CODE_NOT_UTF8, "a reason that is not UTF-8");
    }
    return CONFAB_OK;
}

/* The last part of a message or control frame is there: gives it, from where it lies if that is
 * all of it. */
static enum confab_err give(struct ws_reader *r, struct slice part, struct ws_message *out)
{
    bool control = frame_is_control(r);
    size_t start = control ? r->message_bytes : 0;

    if (r->kept.len > start) {
        if (keep(r, part) != CONFAB_OK) {
            return CONFAB_NO_MEMORY;
        }
        part = (struct slice){r->kept.data + start, r->kept.len - start};
    }
    *out = (struct ws_message){.opcode = control ? frame_opcode(r) : r->message, .payload = part};
    if (!control) {
        r->message = WS_CONTINUATION;
        r->message_bytes = 0;
        r->message_frames = 0;
    }
    r->state = WS_READER_GIVEN;
    return out->opcode == WS_CLOSE ? read_close(out) : CONFAB_OK;
}

enum confab_err ws_read(struct ws_reader *r, char **bytes, size_t *n, struct ws_message *out)
{
    if (r->state == WS_READER_GIVEN) {
        forget_given(r);
        begin_frame(r);
    }
    for (;;) {
        if (r->state == WS_READER_HEAD) {
            enum confab_err err = take_head(r, bytes, n, out);

            if (err != CONFAB_OK) {
                return err;
            }
            r->state = WS_READER_PAYLOAD;
        }
        struct slice part = take_payload(r, bytes, n);
        bool whole = r->frame_taken == r->frame_bytes;

        if (!is_good_text(r, part)) {
            return refuse(out, WS_CODE_NOT_UTF8, "a text that is not UTF-8");
        }
        if (whole && frame_is_last(r)) {
            return give(r, part, out);
        }
        if (keep(r, part) != CONFAB_OK) {
            return CONFAB_NO_MEMORY;
        }
        if (!whole) {
            return CONFAB_NEED_MORE;
        }
        r->message_bytes = (uint32_t)r->kept.len;
        r->message_frames++;
        begin_frame(r);
    }
}

/* ---- Writing ---- */

static void put_number(struct buf *b, uint64_t value, size_t bytes)
{
    while (bytes-- > 0) {
        buf_putc(b, (char)(value >> (8 * bytes)));
    }
}

void ws_put_head(struct buf *b, enum ws_opcode opcode, size_t n)
{
    put_number(b, FIN | (unsigned)opcode, 1);
    if (n < LENGTH_16) {
        put_number(b, n, 1);
    } else if (n <= UINT16_MAX) {
        put_number(b, LENGTH_16, 1);
        put_number(b, n, 2);
    } else {
        put_number(b, LENGTH_64, 1);
        put_number(b, n, 8);
    }
}

void ws_put_frame(struct buf *b, enum ws_opcode opcode, struct slice payload)
{
    ws_put_head(b, opcode, payload.n);
    buf_put_slice(b, payload);
}

void ws_put_close(struct buf *b, unsigned code, struct slice reason)
{
    if (code == WS_CODE_NONE) {
        ws_put_head(b, WS_CLOSE, 0);
        return;
    }
    assert(is_good_code(code) && reason.n <= WS_REASON_MAX_BYTES);
    ws_put_head(b, WS_CLOSE, CODE_BYTES + reason.n);
    put_number(b, code, CODE_BYTES);
    buf_put_slice(b, reason);
}
