/*
 * Cursors that clients present: an input is up to three, a line each. What is taken is written in
 * one form, which is read as the same; and "has seen all that the other has" is what its definition
 * says, transaction by transaction.
 */
#include <assert.h>
#include <string.h>

#include "push-daemon/cursor.h"

#define CURSORS   3
#define MAX_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct cursor *c)
{
    struct cursor again;
    struct buf text, text_again;

    buf_init(&text, MAX_BYTES);
    buf_init(&text_again, MAX_BYTES);
    cursor_put(c, &text);
    assert(!buf_failed(&text));
    assert(cursor_parse(buf_slice(&text), &again) == CONFAB_OK);
    cursor_put(&again, &text_again);
    assert(slice_eq(buf_slice(&text), buf_slice(&text_again)));
    assert(cursor_includes(c, &again) && cursor_includes(&again, c));
    cursor_clear(&again);
    buf_clear(&text_again);
    buf_clear(&text);
}

/* Whether a covers what b covers of xid and its neighbours. */
static bool includes_near(const struct cursor *a, const struct cursor *b, uint64_t xid)
{
    for (int i = -1; i <= 1; i++) {
        uint64_t near = xid + (uint64_t)i;

        if (cursor_covers(b, near) && !cursor_covers(a, near)) {
            return false;
        }
    }
    return true;
}

/* What a cursor covers changes nowhere but at its own numbers. */
static bool includes_by_definition(const struct cursor *a, const struct cursor *b)
{
    const struct cursor *both[] = {a, b};

    for (size_t c = 0; c < 2; c++) {
        if (!includes_near(a, b, both[c]->xmin) || !includes_near(a, b, both[c]->xmax)) {
            return false;
        }
        for (size_t i = 0; i < both[c]->xip_count; i++) {
            if (!includes_near(a, b, both[c]->xip[i])) {
                return false;
            }
        }
    }
    return true;
}

static void check_order(const struct cursor *cursors, size_t count)
{
    bool includes[CURSORS][CURSORS];

    for (size_t a = 0; a < count; a++) {
        for (size_t b = 0; b < count; b++) {
            includes[a][b] = cursor_includes(&cursors[a], &cursors[b]);
            assert(includes[a][b] == (cursor_same_epoch(&cursors[a], &cursors[b]) &&
                                      includes_by_definition(&cursors[a], &cursors[b])));
        }
        assert(includes[a][a]);
    }
    for (size_t a = 0; a < count; a++) {
        for (size_t b = 0; b < count; b++) {
            for (size_t c = 0; c < count; c++) {
                assert(!includes[a][b] || !includes[b][c] || includes[a][c]);
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {(const char *)data, size};
    struct cursor cursors[CURSORS];
    size_t count = 0;

    for (int i = 0; i < CURSORS; i++) {
        struct slice line;

        slice_cut(rest, '\n', &line, &rest);
        if (cursor_parse(line, &cursors[count]) == CONFAB_OK) {
            check_text(&cursors[count++]);
        }
    }
    check_order(cursors, count);
    for (size_t i = 1; i < count; i++) {
        memcpy(cursors[i].epoch, cursors[0].epoch, sizeof cursors[i].epoch);
    }
    check_order(cursors, count);
    for (size_t i = 0; i < count; i++) {
        cursor_clear(&cursors[i]);
    }
    return 0;
}
