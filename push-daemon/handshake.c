/*
 * handshake: see handshake.h.
 */
#include "handshake.h"

#include <stdlib.h>

struct handshake *handshake_new(struct conn *c, size_t head_max_bytes)
{
    struct handshake *h = calloc(1, sizeof *h);

    if (h == NULL) {
        return NULL;
    }
    h->conn = c;
    buf_init(&h->head, head_max_bytes);
    cursor_init(&h->cursor);
    queue_init(&h->replay);
    return h;
}

void handshake_free(struct handshake *h)
{
    if (h == NULL) {
        return;
    }
    buf_clear(&h->head);
    cursor_clear(&h->cursor);
    free(h->answer.rooms);
    queue_clear(&h->replay);
    free(h);
}

void handshake_orphan(struct handshake *h)
{
    if (h == NULL) {
        return;
    }
    h->conn = NULL;
    if (!h->asked) {
        handshake_free(h);
    }
}

void handshake_reset(struct handshake *h, const char *reason)
{
    cursor_clear(&h->cursor);
    queue_clear(&h->replay);
    h->resume = RESUME_RESET;
    h->reset_reason = reason;
}

void handshake_unask(struct handshake *h)
{
    free(h->answer.rooms);
    h->answer = (struct handshake_answer){.rooms = NULL};
    queue_clear(&h->replay);
    h->asked = h->answered = h->replay_asked = false;
    h->refusal = NULL;
}
