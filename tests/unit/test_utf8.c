/*
 * UTF-8 that comes in pieces. What texts are made of is tested in test_str.c, too.
 */
#include "common/utf8.h"

#include <stdint.h>
#include <string.h>

#include "unit.h"

#define SEQUENCE_MAX_BYTES 4

/* By the definition: the shortest form of a number that is no surrogate and at most 10FFFF. */
static bool is_character(const unsigned char *p, unsigned n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t value = p[0] & (0x7fu >> n);

    if (n == 1) {
        return p[0] < 0x80;
    }
    if ((unsigned)p[0] >> (7 - n) != (2u << n) - 2) {
        return false;
    }
    for (unsigned i = 1; i < n; i++) {
        if (p[i] >> 6 != 2) {
            return false;
        }
        value = value << 6 | (p[i] & 0x3f);
    }
    return value >= least[n] && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
}

/* Whether it is taken, byte by byte, and ends a character at its end and not before. */
static bool is_taken(const unsigned char *p, unsigned n)
{
    struct utf8 u = {0};

    for (unsigned i = 0; i < n; i++) {
        if ((i > 0 && utf8_is_whole(&u)) ||
            !utf8_take(&u, (struct slice){(const char *)p + i, 1})) {
            return false;
        }
    }
    return utf8_is_whole(&u);
}

/* All first and second bytes; of the others, which are all alike, those at the borders. */
static void test_takes_characters_and_nothing_else(void **state)
{
    static const unsigned char others[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    unsigned char p[SEQUENCE_MAX_BYTES];

    (void)state;
    for (unsigned i = 0; i < 256 * 256 * COUNT(others) * COUNT(others); i++) {
        p[0] = (unsigned char)i;
        p[1] = (unsigned char)(i >> 8);
        p[2] = others[(i >> 16) % COUNT(others)];
        p[3] = others[(i >> 16) / COUNT(others)];
        for (unsigned n = 1; n <= SEQUENCE_MAX_BYTES; n++) {
            if (is_taken(p, n) != is_character(p, n)) {
                fail_msg("%02x %02x %02x %02x: the first %u", p[0], p[1], p[2], p[3], n);
            }
        }
    }
}

static void test_is_the_same_in_pieces(void **state)
{
    static const char text[] = "a\xd0\x9f\xe2\x82\xac\xf0\x9f\x98\x80z\xed\xa0\x80";
    size_t good = sizeof text - 3; /* up to the second byte of a surrogate */

    (void)state;
    for (size_t cut = 0; cut < good; cut++) {
        struct utf8 u = {0};

        assert_true(utf8_take(&u, (struct slice){text, cut}));
        assert_int_equal(utf8_is_whole(&u), ((unsigned char)text[cut] & 0xc0) != 0x80);
        assert_true(utf8_take(&u, (struct slice){text + cut, good - cut}));
        assert_false(utf8_is_whole(&u));
        assert_false(utf8_take(&u, (struct slice){text + good, 1}));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_characters_and_nothing_else),
        cmocka_unit_test(test_is_the_same_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
