/*
 * str: slices of bytes that belong to somebody else, and the strict readers of what comes from
 * outside. Nothing here allocates.
 */
#ifndef CONFAB_STR_H
#define CONFAB_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes, not NUL-terminated. p may be NULL only when n is 0. */
struct slice {
    const char *p;
    size_t n;
};

#define SLICE_LITERAL(s) ((struct slice){(s), sizeof(s) - 1})

struct slice slice_of(const char *s); /* of a C string; NULL gives the empty slice */
bool slice_eq(struct slice a, struct slice b);
bool slice_eq_nocase(struct slice a, struct slice b); /* ASCII case only */
bool slice_starts(struct slice s, struct slice prefix);
struct slice slice_trim(struct slice s); /* without spaces and tabs at both ends (RFC 9110 OWS) */
/* Cuts s at the first sep: *head is what stands before it, *rest what follows (empty when there is
 * no sep). Returns whether there was one. */
bool slice_cut(struct slice s, char sep, struct slice *head, struct slice *rest);

/* Whole-string decimal integer within [min, max], no sign but '-', no spaces, no leading '+'. */
bool str_to_i64(struct slice s, int64_t min, int64_t max, int64_t *out)
    __attribute__((warn_unused_result));
bool str_to_u64(struct slice s, uint64_t max, uint64_t *out) __attribute__((warn_unused_result));

/* Well-formed UTF-8, as utf8.h has it, that ends with a whole character. */
bool str_is_utf8(struct slice s);
/* The number of code points of well-formed UTF-8. */
size_t str_utf8_count(struct slice s);

/* A UUID as RFC 9562 writes it, 36 characters, any case. */
bool str_is_uuid(struct slice s);

/* Lower-case hex of len bytes into out, which has room for 2 * len + 1. */
void str_hex(const unsigned char *bytes, size_t len, char *out);

/* The other way: exactly 2 * len digits of either case into len bytes. False for anything else. */
bool str_unhex(struct slice hex, unsigned char *out, size_t len)
    __attribute__((warn_unused_result));

/* Decodes %XX (and, in a query, '+') of s into out, which has room for s.n + 1; *out_len excludes
 * the NUL that it adds. False for a broken escape or an encoded NUL. */
bool str_percent_decode(struct slice s, bool plus_is_space, char *out, size_t *out_len)
    __attribute__((warn_unused_result));

#endif
