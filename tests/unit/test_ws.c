/*
 * Tests of ws: RFC 6455, sections 5 to 8, from the server's side. Every input is also read byte by
 * byte and cut at every byte, always from memory that ends with it.
 */
#include "push-daemon/ws.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"

#define MAX_BYTES     1000
#define BIG_MAX_BYTES 70000
#define FRAMES_MAX    8
#define TRACE_BYTES   (4 * BIG_MAX_BYTES)

/* A frame as a client could send it. */
struct frame {
    unsigned char first; /* byte */
    const char *payload; /* NULL: no frame */
    size_t n;
    enum { SHORTEST, IN_16_BITS, IN_64_BITS } length;
    bool unmasked;
};

#define FRAME(byte, text, ...)                                                                     \
    {                                                                                              \
        .first = (byte), .payload = (text), .n = sizeof(text) - 1, ##__VA_ARGS__                   \
    }
#define TEXT(payload)          FRAME(0x81, payload)
#define TEXT_BEGINS(payload)   FRAME(0x01, payload)
#define BINARY(payload)        FRAME(0x82, payload)
#define BINARY_BEGINS(payload) FRAME(0x02, payload)
#define GOES_ON(payload)       FRAME(0x00, payload)
#define ENDS(payload)          FRAME(0x80, payload)
#define CLOSE(payload)         FRAME(0x88, payload)
#define PING(payload)          FRAME(0x89, payload)
#define PONG(payload)          FRAME(0x8a, payload)

#define TEN      "0123456789"
#define FIFTY    TEN TEN TEN TEN TEN
#define LEN_123  FIFTY FIFTY TEN TEN "123"
#define LEN_125  LEN_123 "45"
#define LEN_126  LEN_125 "6"
#define LEN_1000 LEN_125 LEN_125 LEN_125 LEN_125 LEN_125 LEN_125 LEN_125 LEN_125

static const unsigned char masks[][4] = {
    {0x37, 0xfa, 0x21, 0x3d}, {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0x80, 0x01, 0x00, 0x7f}};

static void put_number(struct buf *b, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        buf_putc(b, (char)(value >> (8 * i)));
    }
}

static void put_head(struct buf *b, const struct frame *f, uint64_t length)
{
    char masked = (char)(f->unmasked ? 0 : 0x80);

    buf_putc(b, (char)f->first);
    if (f->length == IN_64_BITS || (f->length == SHORTEST && length > UINT16_MAX)) {
        buf_putc(b, (char)(masked | 127));
        put_number(b, length, 8);
    } else if (f->length == IN_16_BITS || length > 125) {
        buf_putc(b, (char)(masked | 126));
        put_number(b, length, 2);
    } else {
        buf_putc(b, (char)(masked | (char)length));
    }
}

static void put_frame(struct buf *b, const struct frame *f, const unsigned char mask[4])
{
    put_head(b, f, f->n);
    if (!f->unmasked) {
        buf_put(b, mask, 4);
    }
    for (size_t i = 0; i < f->n; i++) {
        buf_putc(b, (char)(f->payload[i] ^ (f->unmasked ? 0 : mask[i % 4])));
    }
}

static const char *opcode_word(enum ws_opcode opcode)
{
    switch (opcode) {
    case WS_TEXT:
        return "text";
    case WS_BINARY:
        return "binary";
    case WS_CLOSE:
        return "close";
    case WS_PING:
        return "ping";
    case WS_PONG:
        return "pong";
    case WS_CONTINUATION:
        break;
    }
    fail_msg("given: opcode %d", (int)opcode);
    return NULL;
}

/* Lets r read a chunk; what it gives goes to the trace, "WORD PAYLOAD|" each. False: it failed. */
static bool feed(struct ws_reader *r, const char *bytes, size_t n, struct buf *trace)
{
    char *at = guarded(bytes, n);
    size_t left = n;

    for (;;) {
        struct ws_message m;
        enum confab_err err = ws_read(r, &at, &left, &m);

        if (err == CONFAB_NEED_MORE) {
            assert_int_equal(left, 0);
            return true;
        }
        if (err == CONFAB_BAD_REQUEST) {
            assert_int_equal(m.opcode, WS_CLOSE);
            assert_in_range(m.payload.n, 1, WS_REASON_MAX_BYTES);
            buf_printf(trace, "fail %u|", m.code);
            return false;
        }
        assert_int_equal(err, CONFAB_OK);
        buf_puts(trace, opcode_word(m.opcode));
        if (m.opcode == WS_CLOSE) {
            buf_printf(trace, " %u", m.code);
        }
        buf_putc(trace, ' ');
        buf_put_slice(trace, m.payload);
        buf_putc(trace, '|');
    }
}

/* What a new reader makes of bytes that come in chunks: the first up to cut, then of step each. */
static void trace_chunks(struct slice bytes, uint32_t max_bytes, size_t cut, size_t step,
                         struct buf *trace)
{
    struct ws_reader r;
    size_t done = 0;
    bool going = true;

    buf_reset(trace);
    ws_reader_init(&r, max_bytes);
    while (going && done < bytes.n) {
        size_t n = done == 0 ? cut : step;

        if (n > bytes.n - done) {
            n = bytes.n - done;
        }
        going = feed(&r, bytes.p + done, n, trace);
        done += n;
        assert_true(r.kept.len <= (size_t)max_bytes + WS_CONTROL_MAX_BYTES);
    }
    ws_reader_clear(&r);
}

static void assert_trace(const struct buf *trace, const char *expected, const char *name,
                         size_t cut)
{
    if (trace->len != strlen(expected) || memcmp(buf_str(trace), expected, trace->len) != 0) {
        fail_msg("%s, cut at %zu: %.200s instead of %.200s", name, cut, buf_str(trace), expected);
    }
}

/* stride: of the cuts that are tried, beside those near both ends. */
static void assert_reads(struct slice bytes, uint32_t max_bytes, const char *expected,
                         const char *name, size_t stride)
{
    struct buf trace;

    buf_init(&trace, TRACE_BYTES);
    for (size_t cut = 1; cut <= bytes.n; cut++) {
        bool near_an_end = cut < 40 || bytes.n - cut < 40;

        if (near_an_end || cut % stride == 0) {
            trace_chunks(bytes, max_bytes, cut, bytes.n, &trace);
            assert_trace(&trace, expected, name, cut);
        }
    }
    trace_chunks(bytes, max_bytes, 1, 1, &trace);
    assert_trace(&trace, expected, name, 1);
    buf_clear(&trace);
}

struct row {
    const char *name;
    struct frame frames[FRAMES_MAX];
    const char *expected;
};

static void check_rows(const struct row *rows, size_t count)
{
    struct buf bytes;

    buf_init(&bytes, TRACE_BYTES);
    for (size_t i = 0; i < count; i++) {
        for (size_t m = 0; m < COUNT(masks); m++) {
            buf_reset(&bytes);
            for (const struct frame *f = rows[i].frames;
                 f < rows[i].frames + FRAMES_MAX && f->payload != NULL; f++) {
                put_frame(&bytes, f, masks[m]);
            }
            assert_reads(buf_slice(&bytes), MAX_BYTES, rows[i].expected, rows[i].name, 1);
        }
    }
    buf_clear(&bytes);
}

/* ---- What is right ---- */

static void test_reads_the_examples_of_the_rfc(void **state)
{
    static const char hello[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    static const char ping[] = "\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

    (void)state;
    assert_reads(SLICE_LITERAL(hello), MAX_BYTES, "text Hello|", "text", 1);
    assert_reads(SLICE_LITERAL(ping), MAX_BYTES, "ping Hello|", "ping", 1);
}

static void test_reads_messages(void **state)
{
    static const struct row rows[] = {
        {"empty", {TEXT(""), BINARY(""), PING(""), PONG("")}, "text |binary |ping |pong |"},
        {"in a row", {TEXT("a"), TEXT("b"), BINARY("\xff")}, "text a|text b|binary \xff|"},
        {"125", {TEXT(LEN_125)}, "text " LEN_125 "|"},
        {"126", {TEXT(LEN_126)}, "text " LEN_126 "|"},
        {"as long as may be", {TEXT(LEN_1000)}, "text " LEN_1000 "|"},
        {"two fragments", {TEXT_BEGINS("Hel"), ENDS("lo")}, "text Hello|"},
        {"many fragments",
         {BINARY_BEGINS("H"), GOES_ON("e"), GOES_ON("l"), GOES_ON("l"), ENDS("o")},
         "binary Hello|"},
        {"empty fragments",
         {TEXT_BEGINS(""), GOES_ON(""), GOES_ON("a"), GOES_ON(""), ENDS("")},
         "text a|"},
        {"nothing but empty fragments", {TEXT_BEGINS(""), GOES_ON(""), ENDS("")}, "text |"},
        {"as long as may be, in fragments",
         {TEXT_BEGINS(LEN_126), GOES_ON(LEN_125 LEN_125 LEN_125 LEN_125 LEN_125 LEN_125 LEN_123),
          ENDS("5"), TEXT("next")},
         "text " LEN_126 LEN_125 LEN_125 LEN_125 LEN_125 LEN_125 LEN_125 LEN_123 "5|text next|"},
        {"a fragmented one after another",
         {TEXT_BEGINS("a"), ENDS("b"), BINARY_BEGINS("\xc3"), ENDS("d"), TEXT("e")},
         "text ab|binary \xc3"
         "d|text e|"},
    };

    (void)state;
    check_rows(rows, COUNT(rows));
}

static void test_reads_control_frames_between_fragments(void **state)
{
    static const struct row rows[] = {
        {"ping", {TEXT_BEGINS("Hel"), PING("x"), ENDS("lo")}, "ping x|text Hello|"},
        {"as long as may be",
         {TEXT_BEGINS("a"), PING(LEN_125), PONG(LEN_125), GOES_ON("b"), PING(LEN_125), ENDS("c")},
         "ping " LEN_125 "|pong " LEN_125 "|ping " LEN_125 "|text abc|"},
        {"beside as much as may be kept",
         {TEXT_BEGINS(LEN_1000), PING(LEN_125), ENDS(""), TEXT("next")},
         "ping " LEN_125 "|text " LEN_1000 "|text next|"},
        {"before anything is kept",
         {TEXT_BEGINS(""), PING("x"), GOES_ON(""), PING(""), ENDS("a")},
         "ping x|ping |text a|"},
        {"amid a character",
         {TEXT_BEGINS("\xe2\x82"), PING("\xff\xfe"), ENDS("\xac")},
         "ping \xff\xfe|text \xe2\x82\xac|"},
        {"close", {TEXT_BEGINS("Hel"), CLOSE("\x03\xe8")}, "close 1000 |"},
    };

    (void)state;
    check_rows(rows, COUNT(rows));
}

static void test_reads_closes(void **state)
{
    static const struct row rows[] = {
        {"without code", {CLOSE("")}, "close 1005 |"},
        {"with code", {CLOSE("\x03\xe9")}, "close 1001 |"},
        {"with reason",
         {CLOSE("\x03\xe8"
                "bye")},
         "close 1000 bye|"},
        {"with the longest reason", {CLOSE("\x0f\xa0" LEN_123)}, "close 4000 " LEN_123 "|"},
        {"with a reason in Greek",
         {CLOSE("\x03\xe8"
                "\xce\xba\xe1\xbd\xb9")},
         "close 1000 \xce\xba\xe1\xbd\xb9|"},
        {"half a code", {CLOSE("\x03")}, "fail 1002|"},
        {"reason: half a character",
         {CLOSE("\x03\xe8"
                "a\xc3")},
         "fail 1007|"},
        {"reason: a surrogate",
         {CLOSE("\x03\xe8"
                "\xed\xa0\x80")},
         "fail 1007|"},
        {"reason and code are bad",
         {CLOSE("\x00\x00"
                "\xff")},
         "fail 1002|"},
    };

    (void)state;
    check_rows(rows, COUNT(rows));
}

/* Every code there can be (section 7.4, and what IANA has registered since). */
static void test_knows_close_codes(void **state)
{
    struct ws_reader r;
    struct buf trace;

    (void)state;
    buf_init(&trace, TRACE_BYTES);
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        bool good =
            (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
            (code >= 3000 && code <= 4999);
        const char bytes[] = {(char)0x88, (char)0x82, 0, 0, 0, 0, (char)(code >> 8), (char)code};
        char expected[32];

        snprintf(expected, sizeof expected, good ? "close %u |" : "fail 1002|", code);
        buf_reset(&trace);
        ws_reader_init(&r, MAX_BYTES);
        feed(&r, bytes, sizeof bytes, &trace);
        ws_reader_clear(&r);
        assert_trace(&trace, expected, "close code", code);
    }
    buf_clear(&trace);
}

/* Where the length changes its form. */
static void test_reads_long_messages(void **state)
{
    static const size_t lengths[] = {125, 126, 127, 256, 65535, 65536, BIG_MAX_BYTES};
    struct buf bytes, expected;
    char *payload = malloc(BIG_MAX_BYTES);

    (void)state;
    assert_non_null(payload);
    for (size_t i = 0; i < BIG_MAX_BYTES; i++) {
        payload[i] = (char)('a' + i % 26);
    }
    buf_init(&bytes, TRACE_BYTES);
    buf_init(&expected, TRACE_BYTES);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        const struct frame f = {.first = 0x82, .payload = payload, .n = lengths[i]};

        buf_reset(&bytes);
        put_frame(&bytes, &f, masks[0]);
        buf_reset(&expected);
        buf_puts(&expected, "binary ");
        buf_put(&expected, payload, lengths[i]);
        buf_putc(&expected, '|');
        assert_reads(buf_slice(&bytes), BIG_MAX_BYTES, buf_str(&expected), "long", 9973);
    }
    buf_clear(&expected);
    buf_clear(&bytes);
    free(payload);
}

/* ---- What is wrong ---- */

static void test_fails_by_the_rules(void **state)
{
    static const struct row rows[] = {
        {"RSV1", {TEXT("a"), FRAME(0xc1, "b")}, "text a|fail 1002|"},
        {"RSV2", {FRAME(0xa1, "b")}, "fail 1002|"},
        {"RSV3", {FRAME(0x91, "b")}, "fail 1002|"},
        {"RSV1 of a control frame", {FRAME(0xc9, "")}, "fail 1002|"},
        {"RSV1 of a fragment", {TEXT_BEGINS("a"), FRAME(0xc0, "b")}, "fail 1002|"},
        {"opcode 3", {FRAME(0x83, "b")}, "fail 1002|"},
        {"opcode 4", {FRAME(0x84, "b")}, "fail 1002|"},
        {"opcode 5", {FRAME(0x85, "b")}, "fail 1002|"},
        {"opcode 6", {FRAME(0x86, "b")}, "fail 1002|"},
        {"opcode 7", {FRAME(0x87, "b")}, "fail 1002|"},
        {"opcode 11", {FRAME(0x8b, "b")}, "fail 1002|"},
        {"opcode 12", {FRAME(0x8c, "b")}, "fail 1002|"},
        {"opcode 13", {FRAME(0x8d, "b")}, "fail 1002|"},
        {"opcode 14", {FRAME(0x8e, "b")}, "fail 1002|"},
        {"opcode 15", {FRAME(0x8f, "b")}, "fail 1002|"},
        {"opcode 3 amid a message", {TEXT_BEGINS("a"), FRAME(0x83, "b")}, "fail 1002|"},
        {"no mask", {FRAME(0x81, "b", .unmasked = true)}, "fail 1002|"},
        {"no mask, empty", {FRAME(0x89, "", .unmasked = true)}, "fail 1002|"},
        {"a part of a ping", {FRAME(0x09, "b")}, "fail 1002|"},
        {"a part of a pong", {FRAME(0x0a, "")}, "fail 1002|"},
        {"a part of a close", {FRAME(0x08, "\x03\xe8")}, "fail 1002|"},
        {"a ping of 126", {PING(LEN_126)}, "fail 1002|"},
        {"a close of 126", {CLOSE(LEN_126)}, "fail 1002|"},
        {"a short ping in the long form", {FRAME(0x89, "a", .length = IN_16_BITS)}, "fail 1002|"},
        {"nothing to go on with", {GOES_ON("a")}, "fail 1002|"},
        {"nothing to end", {TEXT("a"), ENDS("b")}, "text a|fail 1002|"},
        {"nothing left to end", {TEXT_BEGINS("a"), ENDS("b"), ENDS("c")}, "text ab|fail 1002|"},
        {"a text in a text", {TEXT_BEGINS("a"), TEXT("b")}, "fail 1002|"},
        {"a binary in a text", {TEXT_BEGINS("a"), BINARY("b")}, "fail 1002|"},
        {"a beginning in a text", {TEXT_BEGINS("a"), TEXT_BEGINS("b")}, "fail 1002|"},
        {"a text in an empty text", {TEXT_BEGINS(""), TEXT("b")}, "fail 1002|"},
        {"125 in 16 bits", {FRAME(0x81, LEN_125, .length = IN_16_BITS)}, "fail 1002|"},
        {"0 in 16 bits", {FRAME(0x81, "", .length = IN_16_BITS)}, "fail 1002|"},
        {"126 in 64 bits", {FRAME(0x81, LEN_126, .length = IN_64_BITS)}, "fail 1002|"},
        {"0 in 64 bits", {FRAME(0x81, "", .length = IN_64_BITS)}, "fail 1002|"},
        {"too long by one", {TEXT(LEN_1000 "+")}, "fail 1009|"},
        {"too long by one, in fragments", {TEXT_BEGINS(LEN_1000), ENDS("+")}, "fail 1009|"},
        {"too long in its middle", {TEXT_BEGINS("a"), GOES_ON(LEN_1000), ENDS("")}, "fail 1009|"},
    };

    (void)state;
    check_rows(rows, COUNT(rows));
}

/* Lengths that no payload follows. */
static void test_fails_for_the_length_alone(void **state)
{
    static const struct {
        uint64_t length;
        const char *expected;
    } rows[] = {
        {MAX_BYTES, ""},
        {MAX_BYTES + 1, "fail 1009|"},
        {UINT16_MAX, "fail 1009|"},
        {UINT16_MAX + 1, "fail 1009|"},
        {UINT32_MAX, "fail 1009|"},
        {(uint64_t)UINT32_MAX + 1, "fail 1009|"},
        {INT64_MAX, "fail 1009|"},
        {(uint64_t)INT64_MAX + 1, "fail 1002|"},
        {UINT64_MAX, "fail 1002|"},
    };
    struct buf bytes;

    (void)state;
    buf_init(&bytes, TRACE_BYTES);
    for (size_t i = 0; i < COUNT(rows); i++) {
        buf_reset(&bytes);
        put_head(&bytes, &(struct frame){.first = 0x81}, rows[i].length);
        buf_put(&bytes, masks[0], 4);
        assert_reads(buf_slice(&bytes), MAX_BYTES, rows[i].expected, "length", 1);
    }
    buf_clear(&bytes);
}

/* A message in so many frames, of nothing but their heads, each with a ping before it. */
static void put_fragments(struct buf *b, int frames)
{
    for (int i = 0; i < frames; i++) {
        bool last = i == frames - 1;
        const struct frame f = {.first = (unsigned char)((i == 0) | (last ? 0x80 : 0))};

        put_frame(b, &(struct frame)PING(""), masks[0]);
        put_frame(b, &f, masks[0]);
    }
}

/* As many as it may have bytes. */
static void test_fails_for_too_many_fragments(void **state)
{
    enum { MAX_FRAMES = 3 };
    struct buf bytes;

    (void)state;
    buf_init(&bytes, TRACE_BYTES);
    put_fragments(&bytes, MAX_FRAMES);
    put_fragments(&bytes, MAX_FRAMES);
    assert_reads(buf_slice(&bytes), MAX_FRAMES, "ping |ping |ping |text |ping |ping |ping |text |",
                 "as many as may be", 1);
    put_fragments(&bytes, MAX_FRAMES + 1);
    assert_reads(
        buf_slice(&bytes), MAX_FRAMES,
        "ping |ping |ping |text |ping |ping |ping |text |ping |ping |ping |ping |fail 1009|",
        "one more", 1);
    buf_clear(&bytes);
}

/* ---- UTF-8 (section 8.1) ---- */

static const struct {
    const char *bytes;
    size_t bad; /* the first byte that no text can have there; the length: only the end is wrong */
} not_utf8[] = {
    {"\x80", 0},                         /* a continuation of nothing */
    {"ab\xbf", 2},                       /* the same */
    {"\xc0\x80", 0},                     /* overlong NUL */
    {"a\xc1\xbf", 1},                    /* overlong */
    {"\xe0\x9f\xbf", 1},                 /* overlong */
    {"\xf0\x8f\xbf\xbf", 1},             /* overlong */
    {"a\xed\xa0\x80", 2},                /* the first surrogate */
    {"\xed\xbf\xbf", 1},                 /* the last */
    {"\xf4\x90\x80\x80", 1},             /* above U+10FFFF */
    {"\xf5\x80\x80\x80", 0},             /* the same */
    {"\xf8\x88\x80\x80\x80", 0},         /* five bytes */
    {"\xfe", 0},                         /* never in UTF-8 */
    {"\xce\xba\xe1\xbd\xb9\xff\x61", 5}, /* the same, after characters */
    {"\xc3\x28", 1},                     /* cut short */
    {"\xe2\x82\x28", 2},                 /* the same */
    {"\xf0\x9f\x98\x28", 3},             /* the same */
    {"\xf0\x9f\xf0\x9f\x98\x80", 2},     /* begun anew */
    {"\xc3", 1},                         /* ends too early */
    {"a\xe2\x82", 3},                    /* the same */
    {"\xf0\x9f\x98", 3},                 /* the same */
};

/* The index of the byte at which a new reader fails, when they come one by one. */
static size_t fails_at(struct slice bytes)
{
    struct ws_reader r;
    struct buf trace;
    size_t i = 0;

    buf_init(&trace, TRACE_BYTES);
    ws_reader_init(&r, MAX_BYTES);
    while (i < bytes.n && feed(&r, bytes.p + i, 1, &trace)) {
        i++;
    }
    assert_string_equal(buf_str(&trace), "fail 1007|");
    ws_reader_clear(&r);
    buf_clear(&trace);
    return i;
}

/* At the first byte that is wrong; at the end where only that is. */
static void test_fails_at_once_for_what_is_not_utf8(void **state)
{
    struct buf bytes;

    (void)state;
    buf_init(&bytes, TRACE_BYTES);
    for (size_t i = 0; i < COUNT(not_utf8); i++) {
        const struct frame f = {
            .first = 0x81, .payload = not_utf8[i].bytes, .n = strlen(not_utf8[i].bytes)};
        size_t bad = not_utf8[i].bad < f.n ? not_utf8[i].bad : f.n - 1;

        buf_reset(&bytes);
        put_frame(&bytes, &f, masks[0]);
        assert_int_equal(fails_at(buf_slice(&bytes)), 2 + 4 + bad);
        assert_reads(buf_slice(&bytes), MAX_BYTES, "fail 1007|", "not UTF-8", 1);
    }
    buf_clear(&bytes);
}

/* The same in two fragments, cut at every byte, and with a ping between them. */
static void test_looks_across_fragments(void **state)
{
    struct buf bytes;

    (void)state;
    buf_init(&bytes, TRACE_BYTES);
    for (size_t i = 0; i < COUNT(not_utf8); i++) {
        size_t n = strlen(not_utf8[i].bytes);

        for (size_t cut = 0; cut <= n; cut++) {
            const struct frame begins = {.first = 0x01, .payload = not_utf8[i].bytes, .n = cut};
            const struct frame ping = PING("\xff");
            const struct frame ends = {
                .first = 0x80, .payload = not_utf8[i].bytes + cut, .n = n - cut};

            buf_reset(&bytes);
            put_frame(&bytes, &begins, masks[0]);
            put_frame(&bytes, &ping, masks[1]);
            put_frame(&bytes, &ends, masks[2]);
            assert_reads(buf_slice(&bytes), MAX_BYTES,
                         not_utf8[i].bad < cut ? "fail 1007|" : "ping \xff|fail 1007|", "not UTF-8",
                         1);
        }
    }
    buf_clear(&bytes);
}

static void test_takes_utf8_cut_anywhere(void **state)
{
    static const char text[] = "a\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
                               "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
    static const char expected[] =
        "ping \xff|text a\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
        "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf|text b|";
    struct buf bytes;

    (void)state;
    buf_init(&bytes, TRACE_BYTES);
    for (size_t cut = 0; cut < sizeof text; cut++) {
        const struct frame begins = {.first = 0x01, .payload = text, .n = cut};
        const struct frame ping = PING("\xff");
        const struct frame ends = {
            .first = 0x80, .payload = text + cut, .n = sizeof text - 1 - cut};
        const struct frame next = TEXT("b");

        buf_reset(&bytes);
        put_frame(&bytes, &begins, masks[0]);
        put_frame(&bytes, &ping, masks[1]);
        put_frame(&bytes, &ends, masks[2]);
        put_frame(&bytes, &next, masks[3]);
        assert_reads(buf_slice(&bytes), MAX_BYTES, expected, "UTF-8", 1);
    }
    buf_clear(&bytes);
}

/* ---- Memory ---- */

static void test_is_idle_between_messages_and_then_holds_nothing(void **state)
{
    static const struct frame frames[] = {TEXT_BEGINS("abc"), PING("def"), ENDS("ghi"), PONG("")};
    struct ws_reader r;
    struct buf bytes, trace;

    (void)state;
    buf_init(&bytes, TRACE_BYTES);
    buf_init(&trace, TRACE_BYTES);
    ws_reader_init(&r, MAX_BYTES);
    assert_true(ws_reader_is_idle(&r));
    for (size_t f = 0; f < COUNT(frames); f++) {
        bool amid_a_message = f < 2;

        buf_reset(&bytes);
        put_frame(&bytes, &frames[f], masks[0]);
        for (size_t i = 0; i < bytes.len; i++) {
            assert_true(feed(&r, bytes.data + i, 1, &trace));
            assert_int_equal(ws_reader_is_idle(&r), i + 1 == bytes.len && !amid_a_message);
        }
        assert_int_equal(r.kept.data == NULL, !amid_a_message);
    }
    assert_string_equal(buf_str(&trace), "ping def|text abcghi|pong |");
    ws_reader_clear(&r);
    buf_clear(&trace);
    buf_clear(&bytes);
}

/* What lies whole in the caller's bytes is given from there. */
static void test_copies_nothing_that_came_whole(void **state)
{
    static const struct frame frame = TEXT("Hello");
    struct ws_reader r;
    struct ws_message m;
    struct buf bytes;

    (void)state;
    buf_init(&bytes, TRACE_BYTES);
    put_frame(&bytes, &frame, masks[0]);
    char *at = bytes.data;
    size_t left = bytes.len;

    ws_reader_init(&r, MAX_BYTES);
    assert_int_equal(ws_read(&r, &at, &left, &m), CONFAB_OK);
    assert_ptr_equal(m.payload.p, bytes.data + 6);
    assert_ptr_equal(at, bytes.data + bytes.len);
    assert_int_equal(left, 0);
    assert_null(r.kept.data);
    ws_reader_clear(&r);
    buf_clear(&bytes);
}

/* ---- Writing ---- */

static void assert_written(const struct buf *b, struct slice expected)
{
    assert_false(buf_failed(b));
    assert_int_equal(b->len, expected.n);
    assert_memory_equal(b->data, expected.p, expected.n);
}

static void test_writes_heads(void **state)
{
    static const struct {
        enum ws_opcode opcode;
        size_t n;
        struct slice head;
    } rows[] = {
        {WS_TEXT, 0, {"\x81\x00", 2}},
        {WS_PING, 125, {"\x89\x7d", 2}},
        {WS_BINARY, 126, {"\x82\x7e\x00\x7e", 4}},
        {WS_TEXT, 256, {"\x81\x7e\x01\x00", 4}},
        {WS_TEXT, 65535, {"\x81\x7e\xff\xff", 4}},
        {WS_TEXT, 65536, {"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;

        buf_init(&b, MAX_BYTES);
        ws_put_head(&b, rows[i].opcode, rows[i].n);
        assert_written(&b, rows[i].head);
        buf_clear(&b);
    }
}

static void test_writes_frames_and_closes(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, MAX_BYTES);
    ws_put_frame(&b, WS_TEXT, SLICE_LITERAL("Hello"));
    ws_put_frame(&b, WS_PONG, (struct slice){NULL, 0});
    assert_written(&b, SLICE_LITERAL("\x81\x05Hello\x8a\x00"));
    buf_reset(&b);
    ws_put_close(&b, WS_CODE_NONE, (struct slice){NULL, 0});
    ws_put_close(&b, 1000, (struct slice){NULL, 0});
    ws_put_close(&b, WS_CODE_PROTOCOL, SLICE_LITERAL("no"));
    assert_written(&b, SLICE_LITERAL("\x88\x00\x88\x02\x03\xe8\x88\x04\x03\xeano"));
    buf_reset(&b);
    ws_put_close(&b, 4000, SLICE_LITERAL(LEN_123));
    assert_written(&b, SLICE_LITERAL("\x88\x7d\x0f\xa0" LEN_123));
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_the_examples_of_the_rfc),
        cmocka_unit_test(test_reads_messages),
        cmocka_unit_test(test_reads_control_frames_between_fragments),
        cmocka_unit_test(test_reads_closes),
        cmocka_unit_test(test_knows_close_codes),
        cmocka_unit_test(test_reads_long_messages),
        cmocka_unit_test(test_fails_by_the_rules),
        cmocka_unit_test(test_fails_for_the_length_alone),
        cmocka_unit_test(test_fails_for_too_many_fragments),
        cmocka_unit_test(test_fails_at_once_for_what_is_not_utf8),
        cmocka_unit_test(test_looks_across_fragments),
        cmocka_unit_test(test_takes_utf8_cut_anywhere),
        cmocka_unit_test(test_is_idle_between_messages_and_then_holds_nothing),
        cmocka_unit_test(test_copies_nothing_that_came_whole),
        cmocka_unit_test(test_writes_heads),
        cmocka_unit_test(test_writes_frames_and_closes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
