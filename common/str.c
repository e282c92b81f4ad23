/*
 * str: slices and strict readers. Pure: no allocation, no locale, no errno.
 */
#include "str.h"

#include <string.h>

#include "utf8.h"

#define UUID_BYTES 36

static bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The value of a hexadecimal digit, or -1. */
static int hex_value(char c)
{
    if (ascii_is_digit(c)) {
        return c - '0';
    }
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct slice slice_of(const char *s)
{
    return s == NULL ? (struct slice){NULL, 0} : (struct slice){s, strlen(s)};
}

bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && slice_eq((struct slice){s.p, prefix.n}, prefix);
}

struct slice slice_trim(struct slice s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) {
        s.n--;
    }
    return s;
}

bool slice_cut(struct slice s, char sep, struct slice *head, struct slice *rest)
{
    const char *at = s.n == 0 ? NULL : memchr(s.p, sep, s.n);

    if (at == NULL) {
        *head = s;
        *rest = (struct slice){NULL, 0};
        return false;
    }
    size_t head_len = (size_t)(at - s.p);

    *head = (struct slice){s.p, head_len};
    *rest = (struct slice){at + 1, s.n - head_len - 1};
    return true;
}

bool str_to_u64(struct slice s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (s.n == 0) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit(s.p[i])) {
            return false;
        }
        unsigned digit = (unsigned)(s.p[i] - '0');

        if (digit > max || value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

bool str_to_i64(struct slice s, int64_t min, int64_t max, int64_t *out)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    uint64_t magnitude = 0;

    if (negative) {
        s.p++;
        s.n--;
    }
    if (!str_to_u64(s, limit, &magnitude)) {
        return false;
    }
    /* Two's complement by unsigned arithmetic, since -INT64_MIN is no int64_t. */
    int64_t value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;

    if (value < min || value > max) {
        return false;
    }
    *out = value;
    return true;
}

bool str_is_utf8(struct slice s)
{
    struct utf8 u = {0};

    return utf8_take(&u, s) && utf8_is_whole(&u);
}

size_t str_utf8_count(struct slice s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (((unsigned char)s.p[i] & 0xc0) != 0x80) {
            count++;
        }
    }
    return count;
}

bool str_is_uuid(struct slice s)
{
    if (s.n != UUID_BYTES) {
        return false;
    }
    for (size_t i = 0; i < UUID_BYTES; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? s.p[i] != '-' : hex_value(s.p[i]) < 0) {
            return false;
        }
    }
    return true;
}

void str_hex(const unsigned char *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 0x0f];
    }
    out[2 * len] = '\0';
}

bool str_unhex(struct slice hex, unsigned char *out, size_t len)
{
    if (hex.n != 2 * len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(hex.p[2 * i]), low = hex_value(hex.p[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

bool str_percent_decode(struct slice s, bool plus_is_space, char *out, size_t *out_len)
{
    size_t len = 0;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
            int low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;

            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                return false;
            }
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[len++] = c;
    }
    out[len] = '\0';
    *out_len = len;
    return true;
}
