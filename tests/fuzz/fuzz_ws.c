/*
 * What a WebSocket's client sends. An input's first byte chooses how long a message may be and how
 * the rest is cut: its low four bits say how many of the next bytes are lengths of pieces, which
 * are used in turn. The pieces must give what the whole gives, and that must be what a slow decoder
 * gives, which follows RFC 6455 line by line and has nothing in common with ours.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "push-daemon/ws.h"

#define SMALL_MAX_BYTES 200
#define BIG_MAX_BYTES   70000
#define TRACE_MAX_BYTES 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void trace(struct buf *out, unsigned opcode, unsigned code, const char *p, size_t n)
{
    buf_printf(out, "%u %u %zu ", opcode, code, n);
    if (n > 0) {
        buf_put(out, p, n);
    }
}

/* ---- Ours ---- */

/* Reads a piece, from a copy that ends where its memory ends. False: the connection failed. */
static bool read_piece(struct ws_reader *r, const uint8_t *data, size_t n, struct buf *out)
{
    char *copy = malloc(n + 1);
    char *at = copy + 1;
    enum confab_err err = CONFAB_OK;

    assert(copy != NULL);
    memcpy(at, data, n);
    while (err == CONFAB_OK) {
        struct ws_message m;

        err = ws_read(r, &at, &n, &m);
        if (err == CONFAB_OK) {
            trace(out, m.opcode, m.code, m.payload.p, m.payload.n);
        } else if (err == CONFAB_BAD_REQUEST) {
            buf_printf(out, "fail %u", m.code);
        } else {
            assert(err == CONFAB_NEED_MORE && n == 0);
        }
    }
    free(copy);
    return err == CONFAB_NEED_MORE;
}

/* Reads all, in pieces whose lengths (and one more) are taken in turn; none: in one. */
static void read_pieces(const uint8_t *data, size_t size, uint32_t max_bytes,
                        const uint8_t *lengths, size_t count, struct buf *out)
{
    struct ws_reader r;
    bool good = true;

    ws_reader_init(&r, max_bytes);
    for (size_t i = 0; good && size > 0; i++) {
        size_t n = count == 0 ? size : lengths[i % count] + 1u;

        if (n > size) {
            n = size;
        }
        good = read_piece(&r, data, n, out);
        data += n;
        size -= n;
    }
    assert(!good || !ws_reader_is_idle(&r) || r.kept.data == NULL);
    ws_reader_clear(&r);
}

/* ---- Theirs ---- */

/* How many bytes the character at p has; 0: it is none; -1: it may become one. */
static int character(const unsigned char *p, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    uint32_t low = len < 2 ? p[0] : p[0] & (0x7fu >> len);
    uint32_t high = low;

    for (int i = 1; i < len; i++) {
        bool there = (size_t)i < n;

        if (there && p[i] >> 6 != 2) {
            return 0;
        }
        low = low << 6 | (there ? p[i] & 0x3fu : 0);
        high = high << 6 | (there ? p[i] & 0x3fu : 0x3fu);
    }
    if (len == 0 || high < least[len] || low > 0x10ffff || (low >= 0xd800 && high <= 0xdfff)) {
        return 0;
    }
    return (size_t)len <= n ? len : -1;
}

static bool is_text(const unsigned char *p, size_t n, bool ended)
{
    while (n > 0) {
        int len = character(p, n);

        if (len <= 0) {
            return len < 0 && !ended;
        }
        p += len;
        n -= (size_t)len;
    }
    return true;
}

/* The message that is under way. */
struct slow {
    unsigned opcode; /* 0: none is */
    unsigned char *bytes;
    size_t n;
    size_t frames; /* that are whole */
};

/* What a frame's first bytes say. */
struct slow_head {
    bool fin, control;
    unsigned opcode;
    size_t bytes;    /* of the head; 0: it is not whole */
    uint64_t length; /* of the payload */
};

/* Returns the code that the connection fails with, or 0. */
static unsigned slow_head(const struct slow *s, const uint8_t *p, size_t n, size_t max_bytes,
                          struct slow_head *h)
{
    *h =
        (struct slow_head){.fin = p[0] >> 7 == 1, .control = (p[0] & 15) >= 8, .opcode = p[0] & 15};
    if ((p[0] & 0x70) != 0 || (h->opcode > 2 && h->opcode < 8) || h->opcode > 10 ||
        (h->control && !h->fin) || (h->opcode == 0 && s->opcode == 0) ||
        (!h->control && h->opcode > 0 && s->opcode > 0)) {
        return 1002;
    }
    if (h->opcode == 0 && s->frames == max_bytes) {
        return 1009;
    }
    if (n >= 2 && (p[1] < 0x80 || (h->control && p[1] > 0x80 + 125))) {
        return 1002;
    }
    size_t bytes = n < 2 ? SIZE_MAX : p[1] == 0xfe ? 8 : p[1] == 0xff ? 14 : 6;

    if (n < bytes) {
        return 0;
    }
    h->length = bytes == 6 ? p[1] & 127 : 0;
    for (size_t i = 2; i < bytes - 4; i++) {
        h->length = h->length * 256 + p[i];
    }
    if (h->length >> 63 == 1 || (bytes == 8 && h->length < 126) ||
        (bytes == 14 && h->length < 65536)) {
        return 1002;
    }
    if (!h->control && h->length + s->n > max_bytes) {
        return 1009;
    }
    h->bytes = bytes;
    return 0;
}

/* A part, or with whole all, of a frame of a message. Returns the code to fail with, or 0. */
static unsigned slow_data(struct slow *s, const struct slow_head *h, const unsigned char *payload,
                          size_t n, bool whole, struct buf *out)
{
    memcpy(s->bytes + s->n, payload, n);
    s->n += n;
    s->frames += whole;
    s->opcode = h->opcode == 0 ? s->opcode : h->opcode;
    if (s->opcode == 1 && !is_text(s->bytes, s->n, whole && h->fin)) {
        return 1007;
    }
    if (whole && h->fin) {
        trace(out, s->opcode, 0, (const char *)s->bytes, s->n);
        *s = (struct slow){.bytes = s->bytes};
    }
    return 0;
}

static unsigned slow_control(unsigned opcode, const unsigned char *payload, size_t n,
                             struct buf *out)
{
    if (opcode != 8 || n == 0) {
        trace(out, opcode, opcode == 8 ? 1005 : 0, (const char *)payload, n);
        return 0;
    }
    unsigned code = n > 1 ? payload[0] * 256u + payload[1] : 0;

    if (!(code >= 1000 && code <= 1003) && !(code >= 1007 && code <= 1014) && code / 1000 != 3 &&
        code / 1000 != 4) {
        return 1002;
    }
    if (!is_text(payload + 2, n - 2, true)) {
        return 1007;
    }
    trace(out, opcode, code, (const char *)payload + 2, n - 2);
    return 0;
}

/* Returns how many bytes the frame at p has; 0: it is not whole, or it failed and *code says why.
 */
static size_t slow_frame(struct slow *s, const uint8_t *p, size_t n, size_t max_bytes,
                         struct buf *out, unsigned *code)
{
    struct slow_head h;

    *code = slow_head(s, p, n, max_bytes, &h);
    if (h.bytes == 0) {
        return 0;
    }
    size_t there = n - h.bytes < h.length ? n - h.bytes : (size_t)h.length;
    unsigned char *payload = malloc(there + 1);

    assert(payload != NULL);
    for (size_t i = 0; i < there; i++) {
        payload[i] = p[h.bytes + i] ^ p[h.bytes - 4 + i % 4];
    }
    bool whole = there == h.length;

    if (!h.control) {
        *code = slow_data(s, &h, payload, there, whole, out);
    } else if (whole) {
        *code = slow_control(h.opcode, payload, there, out);
    }
    free(payload);
    return whole && *code == 0 ? h.bytes + there : 0;
}

static void read_slowly(const uint8_t *data, size_t size, size_t max_bytes, struct buf *out)
{
    struct slow s = {.bytes = malloc(max_bytes + 1)};
    unsigned code = 0;
    bool going = true;

    assert(s.bytes != NULL);
    while (going && size > 0) {
        size_t n = slow_frame(&s, data, size, max_bytes, out, &code);

        data += n;
        size -= n;
        going = n > 0;
    }
    if (code != 0) {
        buf_printf(out, "fail %u", code);
    }
    free(s.bytes);
}

static void assert_same(const struct buf *a, const struct buf *b)
{
    assert(!buf_failed(a) && !buf_failed(b));
    assert(slice_eq(buf_slice(a), buf_slice(b)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole, pieces, slow;

    if (size == 0) {
        return 0;
    }
    uint32_t max_bytes = (data[0] & 0x80) != 0 ? BIG_MAX_BYTES : SMALL_MAX_BYTES;
    size_t count = data[0] & 15;

    data++;
    size--;
    if (count > size) {
        count = size;
    }
    const uint8_t *lengths = data;

    data += count;
    size -= count;
    buf_init(&whole, TRACE_MAX_BYTES);
    buf_init(&pieces, TRACE_MAX_BYTES);
    buf_init(&slow, TRACE_MAX_BYTES);
    read_pieces(data, size, max_bytes, NULL, 0, &whole);
    read_pieces(data, size, max_bytes, lengths, count, &pieces);
    read_slowly(data, size, max_bytes, &slow);
    assert_same(&whole, &pieces);
    assert_same(&whole, &slow);
    buf_clear(&slow);
    buf_clear(&pieces);
    buf_clear(&whole);
    return 0;
}
