/*
 * session: see session.h.
 */
#include "session.h"

#include <assert.h>
#include <stdlib.h>

void sessions_init(struct sessions *all)
{
    map_init(&all->by_id);
    list_init(&all->queue);
}

void sessions_clear(struct sessions *all)
{
    assert(all->by_id.count == 0);
    map_clear(&all->by_id);
}

struct session *sessions_find(const struct sessions *all, int64_t id)
{
    return map_get(&all->by_id, (uint64_t)id);
}

static struct session *session_get(struct sessions *all, int64_t id, int64_t user_id)
{
    struct session *s = sessions_find(all, id);

    if (s != NULL) {
        return s;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    *s = (struct session){.id = id, .user_id = user_id};
    list_init(&s->conns);
    list_init(&s->in_queue);
    if (!map_put(&all->by_id, (uint64_t)id, s)) {
        free(s);
        return NULL;
    }
    list_append(all->queue.next, &s->in_queue);
    return s;
}

struct session *sessions_link(struct sessions *all, int64_t id, int64_t user_id,
                              const struct token_hash *token, struct list *link)
{
    struct session *s = session_get(all, id, user_id);

    if (s != NULL) {
        s->token = *token;
        s->conn_count++;
        list_append(&s->conns, link);
    }
    return s;
}

void sessions_unlink(struct sessions *all, struct session *s, struct list *link)
{
    assert(s->conn_count > 0);
    list_remove(link);
    if (--s->conn_count == 0) {
        list_remove(&s->in_queue);
        map_remove(&all->by_id, (uint64_t)s->id);
        free(s);
    }
}

void sessions_hold(struct sessions *all, struct session *s)
{
    s->held = true;
    list_remove(&s->in_queue);
    list_append(all->queue.next, &s->in_queue); /* before the first */
}

void sessions_checked(struct sessions *all, struct session *s, int64_t now_ms)
{
    s->held = false;
    s->checked_ms = now_ms;
    list_remove(&s->in_queue);
    list_append(&all->queue, &s->in_queue);
}

int sessions_due(const struct sessions *all, int64_t before_ms, int64_t *ids, int max)
{
    int n = 0;

    for (struct list *node = all->queue.next; node != &all->queue && n < max; node = node->next) {
        struct session *s = list_entry(node, struct session, in_queue);

        if (!s->held && s->checked_ms >= before_ms) {
            break;
        }
        ids[n++] = s->id;
    }
    return n;
}

bool sessions_any_held(const struct sessions *all)
{
    return !list_empty(&all->queue) && list_entry(all->queue.next, struct session, in_queue)->held;
}
