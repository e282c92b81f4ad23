/*
 * pack: see pack.h.
 */
#include "pack.h"

#include <assert.h>
#include <string.h>

void pack_clear(struct pack *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        msg_unref(p->msgs[i]);
    }
    p->count = 0;
    p->len = 0;
}

static bool holds_all_of(const struct pack *p, const struct queue *q)
{
    if (p->count != q->count || p->form != q->form) {
        return false;
    }
    for (uint32_t i = 0; i < q->count; i++) {
        if (p->msgs[i] != queue_at(q, i)) {
            return false;
        }
    }
    return true;
}

static void fill(struct pack *p, const struct queue *q)
{
    pack_clear(p);
    p->form = q->form;
    while (p->count < q->count && p->count < PACK_MESSAGES_MAX) {
        struct msg *m = queue_at(q, p->count);
        struct slice bytes = m->forms[q->form];

        if (bytes.n > PACK_BYTES_MAX - p->len) {
            break;
        }
        memcpy(p->bytes + p->len, bytes.p, bytes.n);
        p->len += bytes.n;
        p->msgs[p->count++] = msg_ref(m);
    }
}

struct slice pack_take(struct pack *p, const struct queue *q)
{
    struct slice first = queue_first(q);

    if (q->count <= 1 || q->offset > 0 || first.n > PACK_BYTES_MAX) {
        return first;
    }
    if (!holds_all_of(p, q)) {
        fill(p, q);
    }
    return (struct slice){p->bytes, p->len};
}
