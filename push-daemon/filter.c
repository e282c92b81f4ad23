/*
 * filter: see filter.h.
 */
#include "filter.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES 21 /* an id and a comma */

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Sorts, drops what comes twice, and returns how many are left. */
static size_t put_in_order(int64_t *ids, size_t count)
{
    size_t kept = 0;

    qsort(ids, count, sizeof *ids, compare_ids);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || ids[kept - 1] != ids[i]) {
            ids[kept++] = ids[i];
        }
    }
    return kept;
}

/* Reads up to FILTER_ROOMS_MAX ids; false when text is no such list. */
static bool read_ids(struct slice text, int64_t *ids, size_t *count)
{
    bool more = true;

    *count = 0;
    while (more) {
        struct slice number;

        more = slice_cut(text, ',', &number, &text);
        if (*count == FILTER_ROOMS_MAX || !str_to_i64(number, 1, INT64_MAX, &ids[(*count)++])) {
            return false;
        }
    }
    return true;
}

static bool make_digest(struct filter *f)
{
    struct buf ids;
    unsigned char hash[crypto_hash_sha256_BYTES];

    buf_init(&ids, FILTER_ROOMS_MAX * NUMBER_BYTES);
    for (size_t i = 0; i < f->count; i++) {
        buf_puts(&ids, i > 0 ? "," : "");
        buf_put_i64(&ids, f->rooms[i]);
    }
    bool good = !buf_failed(&ids);

    if (good) {
        crypto_hash_sha256(hash, (const unsigned char *)buf_str(&ids), ids.len);
        str_hex(hash, FILTER_DIGEST_BYTES / 2, f->digest);
    }
    buf_clear(&ids);
    return good;
}

enum confab_err filter_parse(struct slice text, struct filter **out)
{
    int64_t ids[FILTER_ROOMS_MAX];
    size_t count;

    if (!read_ids(text, ids, &count)) {
        return CONFAB_BAD_REQUEST;
    }
    count = put_in_order(ids, count);
    struct filter *f = calloc(1, sizeof *f + count * sizeof *f->rooms);

    if (f == NULL) {
        return CONFAB_NO_MEMORY;
    }
    f->count = count;
    memcpy(f->rooms, ids, count * sizeof *ids);
    if (!make_digest(f)) {
        free(f);
        return CONFAB_NO_MEMORY;
    }
    *out = f;
    return CONFAB_OK;
}

bool filter_passes(const struct filter *f, const struct msg *m, int64_t user_id)
{
    return f == NULL || m->room_id == 0 || m->user_id == user_id ||
           bsearch(&m->room_id, f->rooms, f->count, sizeof *f->rooms, compare_ids) != NULL;
}

bool filter_cut_cursor(const struct filter *f, struct slice text, struct slice *cursor)
{
    struct slice digest;

    slice_cut(text, '~', cursor, &digest);
    return slice_eq(digest, slice_of(f != NULL ? f->digest : ""));
}

void filter_put_cursor(const struct filter *f, struct slice cursor, struct buf *b)
{
    buf_put_slice(b, cursor);
    if (f != NULL && cursor.n > 0) {
        buf_putc(b, '~');
        buf_puts(b, f->digest);
    }
}
