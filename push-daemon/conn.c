/*
 * conn: see conn.h. The socket's events come in here; who they are for and what they say goes out
 * to conn_http.c and the transport.
 */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "clock.h"
#include "common/log.h"
#include "conn_http.h"
#include "conns.h"

#define CONN_IOV_MAX    64 /* messages in one writev */
#define CONN_WRITES_MAX 8  /* in one turn */
#define CONN_READ_BYTES 4096

static const char *const state_names[] = {
    [CONN_HEAD] = "head",         [CONN_WAITING] = "waiting", [CONN_LIVE] = "live",
    [CONN_DRAINING] = "draining", [CONN_CLOSED] = "closed",
};
static_assert(sizeof state_names / sizeof *state_names == CONN_STATE_MAX, "one name a state");

/* The states that may follow each. */
static const unsigned legal[] = {
    [CONN_HEAD] = 1u << CONN_WAITING | 1u << CONN_DRAINING | 1u << CONN_CLOSED,
    [CONN_WAITING] = 1u << CONN_LIVE | 1u << CONN_DRAINING | 1u << CONN_CLOSED,
    [CONN_LIVE] = 1u << CONN_WAITING | 1u << CONN_DRAINING | 1u << CONN_CLOSED,
    [CONN_DRAINING] = 1u << CONN_CLOSED,
    [CONN_CLOSED] = 0,
};
static_assert(sizeof legal / sizeof *legal == CONN_STATE_MAX, "one row a state");
static_assert(sizeof(struct conn) <= CONN_MAX_BYTES, "connections are many");

static void on_event(evutil_socket_t fd, short what, void *arg);

void conn_set_state(struct conn *c, enum conn_state to)
{
    assert((legal[c->state] & 1u << to) != 0);
    log_debug("state conn=%" PRIu64 " from=%s to=%s", c->id, state_names[c->state],
              state_names[to]);
    c->state = to;
    list_remove(&c->in_state);
    list_append(&c->set->states[to], &c->in_state);
}

/* One struct event serves both directions: EV_WRITE is added to it while the socket is full. */
static bool watch(struct conn *c, bool writable)
{
    short what = (short)(EV_READ | EV_PERSIST | (writable ? EV_WRITE : 0));

    event_del(&c->ev);
    c->blocked = writable;
    return event_assign(&c->ev, c->set->base, c->fd, what, on_event, c) == 0 &&
           event_add(&c->ev, NULL) == 0;
}

void conn_accept(struct conns *set, int fd)
{
    struct conn *c = calloc(1, sizeof *c);

    if (c != NULL) {
        c->handshake = handshake_new(c, (size_t)set->settings->stream_head_bytes);
    }
    if (c == NULL || c->handshake == NULL) {
        log_warnx("accept error=\"out of memory\"");
        free(c);
        close(fd);
        return;
    }
    c->set = set;
    c->fd = fd;
    c->id = ++set->last_id;
    c->opened_ms = c->wrote_ms = clock_ms();
    c->ends_ms = c->opened_ms + set->settings->handshake_ms;
    list_init(&c->in_dirty);
    list_init(&c->in_session);
    list_append(&set->states[CONN_HEAD], &c->in_state);
    wheel_node_init(&c->timer);
    wheel_add(&set->wheel, &c->timer, c->ends_ms);
    queue_init(&c->out);
    set->count++;
    set->stats->counts[STAT_ACCEPTED]++;
    if (event_assign(&c->ev, set->base, fd, EV_READ | EV_PERSIST, on_event, c) != 0 ||
        event_add(&c->ev, NULL) != 0) {
        conn_close(c, REASON_MEMORY);
    }
}

/* A reference of one's own to what the set shares, which may be NULL for want of memory. */
static struct msg *shared(struct msg *m)
{
    return m == NULL ? NULL : msg_ref(m);
}

/* ---- Writing ---- */

static bool is_held(const struct conn *c)
{
    return c->state == CONN_LIVE && c->session->held;
}

static void set_congested(struct conn *c, bool congested)
{
    if (c->congested != congested) {
        c->congested = congested;
        c->set->congested += congested ? 1 : (size_t)-1;
    }
}

static void touch(struct conn *c, bool bulk)
{
    if (c->blocked || is_held(c)) {
        return; /* its turn comes when the socket has room, or the session has been looked up */
    }
    if (list_empty(&c->in_dirty)) {
        list_append(&c->set->dirty[bulk], &c->in_dirty);
    } else if (!bulk) {
        list_remove(&c->in_dirty);
        list_append(&c->set->dirty[false], &c->in_dirty);
    }
    conns_schedule_flush(c->set);
}

void conn_touch(struct conn *c)
{
    touch(c, false);
}

bool conn_queue(struct conn *c, struct msg *m)
{
    bool queued = m != NULL && queue_push(&c->out, m);

    msg_unref(m);
    if (!queued) {
        conn_close(c, REASON_MEMORY);
        return false;
    }
    conn_touch(c);
    return true;
}

/* The end of what is to be written: tell the peer, and wait for his end. */
static void end_output(struct conn *c)
{
    if (shutdown(c->fd, SHUT_WR) != 0) {
        conn_close(c, c->reason);
    }
}

/* One writev. False: no more now (the socket is full, or c is closed). */
static bool write_some(struct conn *c)
{
    struct iovec iov[CONN_IOV_MAX];
    int count = queue_iov(&c->out, iov, CONN_IOV_MAX);
    size_t offered = 0;
    ssize_t written = writev(c->fd, iov, count);

    c->set->stats->counts[STAT_WRITES]++;
    if (written < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close(c, errno == EPIPE || errno == ECONNRESET ? REASON_PEER : REASON_ERROR);
        return false;
    }
    for (int i = 0; i < count; i++) {
        offered += iov[i].iov_len;
    }
    if (written > 0) {
        queue_advance(&c->out, (size_t)written);
        c->wrote_ms = clock_ms();
        c->set->stats->counts[STAT_BYTES] += (uint64_t)written;
    }
    if ((written < 0 && errno == EAGAIN) || (written >= 0 && (size_t)written < offered)) {
        if (!c->blocked && !watch(c, true)) {
            conn_close(c, REASON_MEMORY);
        }
        return false;
    }
    return true;
}

/* Writes a bounded part of what is pending; the rest has its turn again. */
static void write_pending(struct conn *c)
{
    for (int i = 0; i < CONN_WRITES_MAX && !queue_empty(&c->out); i++) {
        if (!write_some(c)) {
            break;
        }
    }
    if (c->state == CONN_CLOSED) {
        return;
    }
    set_congested(c, c->state == CONN_LIVE &&
                         c->out.bytes > (size_t)c->set->settings->stream_queue_bytes / 2);
    if (!queue_empty(&c->out)) {
        touch(c, true);
    } else if (c->blocked && !watch(c, false)) {
        conn_close(c, REASON_MEMORY);
    } else if (c->state == CONN_DRAINING) {
        end_output(c);
    }
}

/* Whether another `more` bytes may wait, once the socket has taken what it takes. If not, c is
 * closed. */
static bool make_room(struct conn *c, size_t more)
{
    if (!c->blocked && !is_held(c)) {
        write_pending(c);
    }
    if (c->state == CONN_CLOSED) {
        return false;
    }
    if (c->out.bytes + more > (size_t)c->set->settings->stream_queue_bytes) {
        conn_close(c, REASON_SLOW);
        return false;
    }
    return true;
}

void conn_deliver(struct hub_sub *sub, struct msg *m, bool bulk)
{
    struct conn *c = list_entry(sub, struct conn, sub);
    size_t bound = (size_t)c->set->settings->stream_queue_bytes;

    assert(c->state == CONN_LIVE);
    if (c->out.bytes + m->sse_len > bound && !make_room(c, m->sse_len)) {
        return;
    }
    if (!queue_push(&c->out, m)) {
        conn_close(c, REASON_MEMORY);
        return;
    }
    c->set->stats->counts[STAT_DELIVERIES]++;
    c->mark_due = true;
    set_congested(c, c->out.bytes > bound / 2);
    touch(c, bulk);
}

/* While held, room in the socket is no reason to wake up. */
static void stop_watching_room(struct conn *c)
{
    if (c->blocked && !watch(c, false)) {
        conn_close(c, REASON_MEMORY);
    }
}

void conn_flush(struct conn *c)
{
    list_remove(&c->in_dirty);
    if (c->state == CONN_CLOSED) {
        return;
    }
    if (is_held(c)) {
        stop_watching_room(c);
        return;
    }
    if (c->mark_due && !c->set->looking && c->state == CONN_LIVE) {
        struct msg *mark = conns_mark(c->set);

        if (mark == NULL || !queue_push(&c->out, mark)) {
            conn_close(c, REASON_MEMORY);
            return;
        }
        c->mark_due = false;
    }
    write_pending(c);
}

/* ---- Reading ---- */

/* After the head a client has nothing to say; a little (a pipelined request) is passed over. */
static void take_extra(struct conn *c, size_t n)
{
    c->extra_bytes += (uint32_t)n;
    if (c->extra_bytes > CONN_EXTRA_BYTES) {
        conn_close(c, REASON_FLOOD);
    }
}

static void on_readable(struct conn *c)
{
    char bytes[CONN_READ_BYTES];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);

    if (n == 0) {
        conn_close(c, REASON_PEER);
    } else if (n > 0 && c->state == CONN_HEAD) {
        conn_http_take(c, (struct slice){bytes, (size_t)n});
    } else if (n > 0) {
        take_extra(c, (size_t)n);
    } else if (errno != EAGAIN && errno != EINTR) {
        conn_close(c, errno == ECONNRESET ? REASON_PEER : REASON_ERROR);
    }
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;

    (void)fd;
    if (what & EV_READ) {
        on_readable(c);
    }
    if ((what & EV_WRITE) && c->state != CONN_CLOSED) {
        conn_flush(c);
    }
}

/* ---- Life ---- */

static void unlink_from_all(struct conn *c)
{
    hub_detach(&c->set->hub, &c->sub);
    if (c->session != NULL) {
        sessions_unlink(&c->set->sessions, c->session, &c->in_session);
        c->session = NULL;
    }
    set_congested(c, false);
    c->mark_due = false;
}

/* A session may hold only so many streams. The oldest goes, and not the new one, since behind a
 * proxy a stream whose reader has left stays open until the next heartbeat. */
static void displace_oldest(struct conn *newest)
{
    struct session *s = newest->session;

    if (s->conn_count > (uint32_t)newest->set->settings->streams_per_session) {
        conn_bye(list_entry(s->conns.next, struct conn, in_session), REASON_SESSION_LIMIT,
                 CONNS_MOVED_RETRY_MS);
    }
}

/* How long a stream lives: a random time, but not beyond its session. */
static int64_t life_s(const struct settings *s, int64_t expires_in_s)
{
    int64_t age_s = clock_jitter(s->stream_age_min_s, s->stream_age_max_s);

    return age_s < expires_in_s + 1 ? age_s : expires_in_s + 1;
}

bool conn_attach(struct conn *c, const struct handshake_answer *answer)
{
    const struct settings *settings = c->set->settings;
    struct hub *hub = &c->set->hub;
    int64_t now = clock_ms();

    if (!hub_attach(hub, &c->sub, answer->user_id)) {
        conn_close(c, REASON_MEMORY);
        return false;
    }
    bool known = hub_has_others(&c->sub);
    enum hub_sync sync = hub_set_rooms(hub, answer->user_id, answer->rooms, answer->room_count);

    if (known && sync == HUB_CHANGED) {
        log_warnx("attach conn=%" PRIu64 " error=\"memberships differ from the log\"", c->id);
    }
    c->session = sessions_link(&c->set->sessions, answer->session_id, answer->user_id,
                               &answer->token, &c->in_session);
    if (sync == HUB_NO_MEMORY || c->session == NULL) {
        conn_close(c, REASON_MEMORY);
        return false;
    }
    conns_session_alive(c->set, c->session);
    if (!c->handshake->was_live) {
        c->ends_ms = now + 1000 * life_s(c->set->settings, answer->expires_in_s);
    }
    int64_t beat_ms = now + settings->stream_heartbeat_ms;

    wheel_add(&c->set->wheel, &c->timer, beat_ms < c->ends_ms ? beat_ms : c->ends_ms);
    conn_set_state(c, CONN_LIVE);
    c->set->stats->counts[STAT_STREAMS]++;
    displace_oldest(c);
    return true;
}

void conn_resync(struct conn *c, const char *reason)
{
    struct handshake *h = handshake_new(c, 0);

    if (h == NULL) {
        conn_close(c, REASON_MEMORY);
        return;
    }
    h->token = c->session->token;
    h->was_live = true;
    handshake_reset(h, reason);
    unlink_from_all(c);
    queue_drop_unsent(&c->out);
    c->handshake = h;
    conn_set_state(c, CONN_WAITING);
}

void conn_finish(struct conn *c, enum reason reason)
{
    unlink_from_all(c);
    handshake_orphan(c->handshake);
    c->handshake = NULL;
    c->reason = reason;
    c->ends_ms = clock_ms() + CONN_DRAIN_MS;
    wheel_add(&c->set->wheel, &c->timer, c->ends_ms);
    conn_set_state(c, CONN_DRAINING);
    conn_touch(c);
}

void conn_bye(struct conn *c, enum reason reason, int64_t retry_ms)
{
    if (c->transport == NULL) {
        conn_close(c, reason);
        return;
    }
    if (c->mark_due && !c->set->looking && !is_held(c)) {
        c->mark_due = false;
        if (!conn_queue(c, shared(conns_mark(c->set)))) {
            return;
        }
    }
    if (is_held(c)) {
        queue_drop_unsent(&c->out);
    }
    if (c->transport->bye(c, retry_ms)) {
        conn_finish(c, reason);
    }
}

void conn_close(struct conn *c, enum reason reason)
{
    if (c->state == CONN_CLOSED) {
        return;
    }
    if (c->state == CONN_DRAINING) {
        reason = c->reason;
    }
    log_info("close conn=%" PRIu64 " reason=%s state=%s age_ms=%" PRId64 " pending=%zu", c->id,
             reason_word(reason), state_names[c->state], clock_ms() - c->opened_ms, c->out.bytes);
    c->set->stats->closed[reason]++;
    c->set->count--;
    unlink_from_all(c);
    handshake_orphan(c->handshake);
    c->handshake = NULL;
    list_remove(&c->in_dirty);
    wheel_remove(&c->timer);
    queue_clear(&c->out);
    event_del(&c->ev);
    close(c->fd);
    c->fd = -1;
    conn_set_state(c, CONN_CLOSED);
    conns_schedule_reap(c->set);
}

/* ---- Deadlines ---- */

/* A stream that got nothing lately is told that it is alive: with a mark, so that its cursor does
 * not grow old, unless what it got has none yet. */
static void beat(struct conn *c, int64_t now_ms)
{
    int64_t period = c->set->settings->stream_heartbeat_ms;
    bool due = now_ms - c->wrote_ms >= period;

    if (due && queue_empty(&c->out) && !is_held(c)) {
        bool can_mark = c->state == CONN_LIVE && !c->set->looking;
        struct msg *m = can_mark ? conns_mark(c->set) : c->set->beat;

        if (!conn_queue(c, shared(m))) {
            return;
        }
        c->wrote_ms = now_ms;
    }
    int64_t next = c->wrote_ms + period + clock_jitter(0, period / 3);

    if (next <= now_ms) {
        next = now_ms + WHEEL_TICK_MS;
    }
    wheel_add(&c->set->wheel, &c->timer, next < c->ends_ms ? next : c->ends_ms);
}

static void live_due(struct conn *c, int64_t now_ms)
{
    if (!queue_empty(&c->out) && now_ms - c->wrote_ms > CONN_STUCK_MS) {
        conn_close(c, REASON_SLOW);
    } else if (now_ms >= c->ends_ms) {
        conn_bye(c, REASON_AGE, clock_jitter(0, CONN_RENEW_MS));
    } else {
        beat(c, now_ms);
    }
}

void conn_due(struct conn *c, int64_t now_ms)
{
    switch (c->state) {
    case CONN_HEAD:
        conn_close(c, REASON_HANDSHAKE);
        break;
    case CONN_WAITING:
        if (c->handshake->was_live) {
            live_due(c, now_ms);
        } else {
            conn_bye(c, REASON_UNAVAILABLE, conns_retry_ms(c->set));
        }
        break;
    case CONN_LIVE:
        live_due(c, now_ms);
        break;
    case CONN_DRAINING:
        conn_close(c, c->reason);
        break;
    case CONN_CLOSED:
    case CONN_STATE_MAX:
        break;
    }
}
