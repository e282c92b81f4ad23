/*
 * cursor: see cursor.h.
 */
#include "cursor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void cursor_init(struct cursor *c)
{
    *c = (struct cursor){.xmin = 0, .xmax = 0};
}

void cursor_clear(struct cursor *c)
{
    free(c->xip);
    cursor_init(c);
}

static bool parse_epoch(struct slice text, char out[CURSOR_EPOCH_BYTES + 1])
{
    if (text.n != CURSOR_EPOCH_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        out[i] = c;
    }
    out[CURSOR_EPOCH_BYTES] = '\0';
    return true;
}

/* Reads "XIP,XIP…" into c->xip, which has room for all that the commas announce. */
static bool parse_xip(struct slice text, struct cursor *c)
{
    uint64_t previous = 0;

    while (text.n > 0) {
        struct slice number;
        uint64_t xid;
        bool more = slice_cut(text, ',', &number, &text);

        if (!str_to_u64(number, UINT64_MAX, &xid) || (more && text.n == 0)) {
            return false;
        }
        if (xid < c->xmin || xid >= c->xmax || (c->xip_count > 0 && xid <= previous)) {
            return false;
        }
        c->xip[c->xip_count++] = previous = xid;
    }
    return true;
}

static size_t count_numbers(struct slice list)
{
    size_t count = list.n > 0;

    for (size_t i = 0; i < list.n; i++) {
        count += list.p[i] == ',';
    }
    return count;
}

enum confab_err cursor_parse(struct slice text, struct cursor *out)
{
    struct slice epoch, xmin, xmax, xip;
    struct cursor c;

    cursor_init(&c);
    if (!slice_cut(text, '-', &epoch, &text) || !slice_cut(text, ':', &xmin, &text) ||
        !slice_cut(text, ':', &xmax, &xip)) {
        return CONFAB_BAD_REQUEST;
    }
    if (!parse_epoch(epoch, c.epoch) || !str_to_u64(xmin, UINT64_MAX, &c.xmin) ||
        !str_to_u64(xmax, UINT64_MAX, &c.xmax) || c.xmin == 0 || c.xmin > c.xmax) {
        return CONFAB_BAD_REQUEST;
    }
    size_t count = count_numbers(xip);

    if (count > CURSOR_XIP_MAX) {
        return CONFAB_TOO_BIG;
    }
    if (count > 0) {
        c.xip = calloc(count, sizeof *c.xip);
        if (c.xip == NULL) {
            return CONFAB_NO_MEMORY;
        }
    }
    if (!parse_xip(xip, &c)) {
        cursor_clear(&c);
        return CONFAB_BAD_REQUEST;
    }
    *out = c;
    return CONFAB_OK;
}

enum confab_err cursor_copy(const struct cursor *from, struct cursor *out)
{
    struct cursor c = *from;

    if (c.xip_count > 0) {
        c.xip = calloc(c.xip_count, sizeof *c.xip);
        if (c.xip == NULL) {
            return CONFAB_NO_MEMORY;
        }
        memcpy(c.xip, from->xip, c.xip_count * sizeof *c.xip);
    } else {
        c.xip = NULL;
    }
    *out = c;
    return CONFAB_OK;
}

void cursor_put(const struct cursor *c, struct buf *b)
{
    buf_puts(b, c->epoch);
    buf_putc(b, '-');
    buf_put_u64(b, c->xmin);
    buf_putc(b, ':');
    buf_put_u64(b, c->xmax);
    buf_putc(b, ':');
    for (size_t i = 0; i < c->xip_count; i++) {
        if (i > 0) {
            buf_putc(b, ',');
        }
        buf_put_u64(b, c->xip[i]);
    }
}

/* The index of the first of c->xip that is not below xid. */
static size_t xip_lower_bound(const struct cursor *c, uint64_t xid)
{
    size_t low = 0, high = c->xip_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (c->xip[middle] < xid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool cursor_covers(const struct cursor *c, uint64_t xid)
{
    if (xid < c->xmin) {
        return true;
    }
    if (xid >= c->xmax) {
        return false;
    }
    size_t at = xip_lower_bound(c, xid);

    return at == c->xip_count || c->xip[at] != xid;
}

bool cursor_same_epoch(const struct cursor *a, const struct cursor *b)
{
    return strcmp(a->epoch, b->epoch) == 0;
}

/*
 * a includes b when b covers nothing that a does not: neither one of a's transactions in progress,
 * nor one from a's xmax on. b's own xip can punch out the latter only one by one, so between a.xmax
 * and b.xmax all must be in it.
 */
bool cursor_includes(const struct cursor *a, const struct cursor *b)
{
    if (!cursor_same_epoch(a, b)) {
        return false;
    }
    if (a->xmax < b->xmax) {
        size_t open_above = b->xip_count - xip_lower_bound(b, a->xmax);

        if (open_above != b->xmax - a->xmax) {
            return false;
        }
    }
    for (size_t i = 0; i < a->xip_count; i++) {
        if (cursor_covers(b, a->xip[i])) {
            return false;
        }
    }
    return true;
}
