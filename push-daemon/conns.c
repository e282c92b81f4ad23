/*
 * conns: see conns.h.
 */
#include "conns.h"

#include <assert.h>
#include <stdlib.h>

#include "clock.h"
#include "common/log.h"
#include "conn_sse.h"
#include "conn_ws.h"
#include "said.h"

#define CURSOR_TEXT_MAX_BYTES 32768

/* Two events at a zero timeout: they run once the callbacks of this turn are done, and after a look
 * at the sockets, so that whoever adds one again holds nobody up. */
static const struct timeval at_once = {0, 0};
static const struct timeval tick_period = {0, WHEEL_TICK_MS * 1000};

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    conns_flush(arg);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
    struct conns *set = arg;
    struct list *node, *tmp;

    (void)fd;
    (void)what;
    list_for_each_safe(node, tmp, &set->states[CONN_CLOSED])
    {
        list_remove(node);
        free(list_entry(node, struct conn, in_state));
    }
}

static void on_due(struct wheel_node *node, void *ctx)
{
    conn_due(list_entry(node, struct conn, timer), *(int64_t *)ctx);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct conns *set = arg;
    int64_t now = clock_ms();

    (void)fd;
    (void)what;
    wheel_run(&set->wheel, now, on_due, &now);
}

bool conns_init(struct conns *set, struct event_base *base, const struct settings *settings,
                struct stats *stats)
{
    *set = (struct conns){.base = base, .settings = settings, .stats = stats};
    hub_init(&set->hub, conn_deliver);
    sessions_init(&set->sessions);
    addresses_init(&set->addresses);
    dead_clear(&set->dead);
    for (int i = 0; i < CONN_STATE_MAX; i++) {
        list_init(&set->states[i]);
    }
    list_init(&set->dirty[0]);
    list_init(&set->dirty[1]);
    wheel_init(&set->wheel, clock_ms());
    buf_init(&set->cursor, CURSOR_TEXT_MAX_BYTES);
    set->padding = conn_sse_padding();
    set->beat = conn_sse_beat();
    set->ping = conn_ws_ping();
    return set->padding != NULL && set->beat != NULL && set->ping != NULL &&
           event_assign(&set->tick, base, -1, EV_PERSIST, on_tick, set) == 0 &&
           event_assign(&set->flush, base, -1, 0, on_flush, set) == 0 &&
           event_assign(&set->reap, base, -1, 0, on_reap, set) == 0 &&
           event_add(&set->tick, &tick_period) == 0;
}

void conns_clear(struct conns *set)
{
    for (int state = 0; state < CONN_CLOSED; state++) {
        while (!list_empty(&set->states[state])) {
            conn_close(list_entry(set->states[state].next, struct conn, in_state), REASON_SHUTDOWN);
        }
    }
    on_reap(-1, 0, set);
    event_del(&set->tick);
    event_del(&set->flush);
    event_del(&set->reap);
    hub_clear(&set->hub);
    sessions_clear(&set->sessions);
    addresses_clear(&set->addresses);
    buf_clear(&set->cursor);
    pack_clear(&set->pack);
    msg_unref(set->mark);
    msg_unref(set->padding);
    msg_unref(set->beat);
    msg_unref(set->ping);
}

void conns_schedule_flush(struct conns *set)
{
    if (!evtimer_pending(&set->flush, NULL)) {
        event_add(&set->flush, &at_once);
    }
}

void conns_schedule_reap(struct conns *set)
{
    if (!evtimer_pending(&set->reap, NULL)) {
        event_add(&set->reap, &at_once);
    }
}

int64_t conns_retry_ms(const struct conns *set)
{
    return clock_jitter(set->settings->stream_retry_min_ms, set->settings->stream_retry_max_ms);
}

void conns_stop(struct conns *set)
{
    static const enum conn_state streams[] = {CONN_LIVE, CONN_WAITING, CONN_REDEEMING};
    /* One more millisecond a stream, so that a big crowd does not come back as one. */
    int64_t latest = set->settings->stream_retry_max_ms + (int64_t)set->count;
    int64_t latest_head = clock_ms() - CONNS_STOP_HEAD_MS;
    struct list *node, *tmp;

    list_for_each_safe(node, tmp, &set->states[CONN_HEAD])
    {
        struct conn *c = list_entry(node, struct conn, in_state);

        if (c->opened_ms <= latest_head) {
            conn_close(c, REASON_SHUTDOWN);
        }
    }
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        list_for_each_safe(node, tmp, &set->states[streams[i]])
        {
            conn_bye(list_entry(node, struct conn, in_state), REASON_SHUTDOWN,
                     clock_jitter(set->settings->stream_retry_min_ms, latest));
        }
    }
}

/* ---- The loop's turn ---- */

static void flush_some(struct list *dirty, int max)
{
    while (max-- > 0 && !list_empty(dirty)) {
        conn_flush(list_entry(dirty->next, struct conn, in_dirty));
    }
}

void conns_flush(struct conns *set)
{
    flush_some(&set->dirty[false], CONNS_FLUSH_MAX);
    flush_some(&set->dirty[true], CONNS_FLUSH_BULK_MAX);
    if (conns_behind(set)) {
        conns_schedule_flush(set);
    }
}

bool conns_behind(const struct conns *set)
{
    return !list_empty(&set->dirty[false]) || !list_empty(&set->dirty[true]);
}

/* ---- Looks and marks ---- */

void conns_begin_look(struct conns *set)
{
    set->looking = true;
}

static void drop_mark(struct conns *set)
{
    msg_unref(set->mark);
    set->mark = NULL;
}

void conns_end_look(struct conns *set, struct slice cursor)
{
    set->looking = false;
    if (!slice_eq(buf_slice(&set->cursor), cursor)) {
        buf_reset(&set->cursor);
        buf_put_slice(&set->cursor, cursor);
        drop_mark(set);
    }
}

void conns_set_late(struct conns *set, bool late)
{
    struct list *node, *tmp;

    assert(!set->looking);
    if (late == set->late) {
        return;
    }
    log_info("streams late=%d count=%zu", late, set->count);
    set->late = late;
    drop_mark(set);
    list_for_each_safe(node, tmp, &set->states[CONN_LIVE])
    {
        struct conn *c = list_entry(node, struct conn, in_state);

        c->mark_due = true;
        conn_touch(c);
    }
}

static struct msg *filtered_mark(const struct conns *set, const struct filter *filter)
{
    struct buf cursor;

    buf_init(&cursor, CURSOR_TEXT_MAX_BYTES);
    filter_put_cursor(filter, buf_slice(&set->cursor), &cursor);
    struct msg *m = buf_failed(&cursor) ? NULL : said_mark(buf_slice(&cursor), set->late);

    buf_clear(&cursor);
    return m;
}

struct msg *conns_mark(struct conns *set, const struct filter *filter)
{
    assert(!set->looking);
    if (buf_failed(&set->cursor)) {
        return NULL;
    }
    if (filter != NULL) {
        return filtered_mark(set, filter);
    }
    if (set->mark == NULL) {
        set->mark = said_mark(buf_slice(&set->cursor), set->late);
    }
    return set->mark == NULL ? NULL : msg_ref(set->mark);
}

/* ---- Sessions ---- */

static void hold_one(struct hub_sub *sub)
{
    struct conn *c = list_entry(sub, struct conn, sub);

    sessions_hold(&c->set->sessions, c->session);
    list_remove(&c->in_dirty);
}

void conns_hold_user(struct conns *set, int64_t user_id)
{
    hub_each_sub(&set->hub, user_id, hold_one);
}

static void drop_one(struct hub_sub *sub)
{
    conn_close(list_entry(sub, struct conn, sub), REASON_MEMORY);
}

void conns_drop_user(struct conns *set, int64_t user_id)
{
    hub_each_sub(&set->hub, user_id, drop_one);
}

void conns_session_alive(struct conns *set, struct session *s)
{
    struct list *node, *tmp;

    sessions_checked(&set->sessions, s, clock_ms());
    list_for_each_safe(node, tmp, &s->conns)
    {
        struct conn *c = list_entry(node, struct conn, in_session);

        if (c->mark_due || !queue_empty(&c->out)) {
            conn_touch(c);
        }
    }
}

void conns_session_over(struct conns *set, struct session *s)
{
    int64_t id = s->id;

    dead_add(&set->dead, &s->token);
    /* The last of its connections takes the session along. */
    while ((s = sessions_find(&set->sessions, id)) != NULL) {
        struct conn *c = list_entry(s->conns.next, struct conn, in_session);

        queue_drop_unsent(&c->out);
        if (c->transport->auth_over(c)) {
            conn_finish(c, REASON_AUTH);
        }
    }
}

void conns_resync(struct conns *set, const char *reason)
{
    struct list *node, *tmp;

    list_for_each_safe(node, tmp, &set->states[CONN_LIVE])
    {
        conn_resync(list_entry(node, struct conn, in_state), reason);
    }
}
