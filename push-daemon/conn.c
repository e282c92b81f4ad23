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
#include <unistd.h>

#include "clock.h"
#include "common/log.h"
#include "conn_http.h"
#include "conns.h"
#include "tickets.h"

#define CONN_WRITES_MAX  8 /* in one turn */
#define CONN_READ_BYTES  4096
#define CONN_EXTRA_BYTES 16384

static const char *const state_names[] = {
    [CONN_HEAD] = "head", [CONN_REDEEMING] = "redeeming", [CONN_WAITING] = "waiting",
    [CONN_LIVE] = "live", [CONN_DRAINING] = "draining",   [CONN_CLOSED] = "closed",
};
static_assert(sizeof state_names / sizeof *state_names == CONN_STATE_MAX, "one name a state");

/* The states that may follow each. */
static const unsigned legal[] = {
    [CONN_HEAD] =
        1u << CONN_REDEEMING | 1u << CONN_WAITING | 1u << CONN_DRAINING | 1u << CONN_CLOSED,
    [CONN_REDEEMING] = 1u << CONN_WAITING | 1u << CONN_DRAINING | 1u << CONN_CLOSED,
    [CONN_WAITING] = 1u << CONN_LIVE | 1u << CONN_DRAINING | 1u << CONN_CLOSED,
    [CONN_LIVE] = 1u << CONN_WAITING | 1u << CONN_DRAINING | 1u << CONN_CLOSED,
    [CONN_DRAINING] = 1u << CONN_CLOSED,
    [CONN_CLOSED] = 0,
};
static_assert(sizeof legal / sizeof *legal == CONN_STATE_MAX, "one row a state");
static_assert(sizeof(struct conn) <= CONN_MAX_BYTES, "connections are many");

static void on_event(evutil_socket_t fd, short what, void *arg);

const char *conn_state_name(enum conn_state state)
{
    return state_names[state];
}

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

/* ---- Writing ---- */

static bool is_held(const struct conn *c)
{
    return c->state == CONN_LIVE && c->session->held;
}

static bool may_write(const struct conn *c)
{
    return c->state != CONN_LIVE || !(c->session->held || c->transport->waits_for_mark);
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

bool conn_push(struct conn *c, struct msg *m)
{
    if (m == NULL || !queue_push(&c->out, m)) {
        conn_close(c, REASON_MEMORY);
        return false;
    }
    return true;
}

bool conn_queue(struct conn *c, struct msg *m)
{
    bool queued = conn_push(c, m);

    msg_unref(m);
    if (queued) {
        conn_touch(c);
    }
    return queued;
}

bool conn_queue_buf(struct conn *c, struct buf *b)
{
    struct msg *m = msg_from_buf(b);

    buf_clear(b);
    return conn_queue(c, m);
}

/* The end of what is to be written: tell the peer, and wait for his end. */
static void end_output(struct conn *c)
{
    if (shutdown(c->fd, SHUT_WR) != 0) {
        conn_close(c, c->reason);
    }
}

/* Why a socket failed: mostly its peer has closed it, or is not there any more. */
static enum reason reason_of(int error)
{
    switch (error) {
    case EPIPE:
    case ECONNRESET:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return REASON_PEER;
    default:
        return REASON_ERROR;
    }
}

/* One send. False: no more now (the socket is full, or c is closed). */
static bool write_some(struct conn *c)
{
    struct slice bytes = pack_take(&c->set->pack, &c->out);
    ssize_t written = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

    c->set->stats->counts[STAT_WRITES]++;
    if (written < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close(c, reason_of(errno));
        return false;
    }
    if (written > 0) {
        queue_advance(&c->out, (size_t)written);
        c->wrote_ms = clock_ms();
        c->set->stats->counts[STAT_BYTES] += (uint64_t)written;
    }
    if ((written < 0 && errno == EAGAIN) || (written >= 0 && (size_t)written < bytes.n)) {
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

bool conn_make_room(struct conn *c, size_t more)
{
    size_t bound = (size_t)c->set->settings->stream_queue_bytes;

    if (c->out.bytes + more <= bound) {
        return true;
    }
    if (!c->blocked && may_write(c)) {
        write_pending(c);
    }
    if (c->state == CONN_CLOSED) {
        return false;
    }
    if (c->out.bytes + more > bound) {
        conn_close(c, REASON_SLOW);
        return false;
    }
    return true;
}

void conn_deliver(struct hub_sub *sub, struct msg *m, bool bulk)
{
    struct conn *c = list_entry(sub, struct conn, sub);

    assert(c->state == CONN_LIVE);
    /* A frame has about as many bytes. */
    if (!conn_make_room(c, m->forms[MSG_SSE].n) || !conn_push(c, m)) {
        return;
    }
    c->set->stats->counts[STAT_DELIVERIES]++;
    /* No mark covers a signal, but some streams write nothing without one. */
    if (m->id != 0 || c->transport->waits_for_mark) {
        c->mark_due = true;
    }
    set_congested(c, c->out.bytes > (size_t)c->set->settings->stream_queue_bytes / 2);
    touch(c, bulk);
}

/* While held, room in the socket is no reason to wake up. */
static void stop_watching_room(struct conn *c)
{
    if (c->blocked && !watch(c, false)) {
        conn_close(c, REASON_MEMORY);
    }
}

/* Only outside of looks. False: closed, or finished. */
static bool put_mark(struct conn *c)
{
    struct msg *mark = conns_mark(c->set, c->filter);

    c->mark_due = false;
    if (mark == NULL) {
        conn_close(c, REASON_MEMORY);
        return false;
    }
    bool more = c->transport->mark(c, mark);

    msg_unref(mark);
    return more;
}

void conn_flush(struct conn *c)
{
    bool can_mark = c->state == CONN_LIVE && !c->set->looking;

    list_remove(&c->in_dirty);
    if (c->state == CONN_CLOSED) {
        return;
    }
    if (is_held(c)) {
        stop_watching_room(c);
        return;
    }
    if (c->mark_due && can_mark && !put_mark(c)) {
        return;
    }
    if (may_write(c)) {
        write_pending(c);
    }
}

/* ---- Reading ---- */

void conn_take_extra(struct conn *c, char *bytes, size_t n)
{
    (void)bytes;
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
    } else if (n > 0 && c->transport != NULL) {
        c->transport->take(c, bytes, (size_t)n);
    } else if (n > 0) {
        conn_take_extra(c, bytes, (size_t)n);
    } else if (errno != EAGAIN && errno != EINTR) {
        conn_close(c, reason_of(errno));
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

void conn_set_transport(struct conn *c, const struct conn_transport *transport)
{
    assert(c->transport == NULL);
    c->transport = transport;
    queue_set_form(&c->out, transport->form);
    queue_set_form(&c->handshake->replay, transport->form);
}

void conn_wait(struct conn *c, enum conn_state how)
{
    struct conns *set = c->set;

    c->ends_ms = clock_ms() + set->settings->handshake_ms;
    wheel_add(&set->wheel, &c->timer, c->ends_ms);
    conn_set_state(c, how);
    buf_clear(&c->handshake->head); /* its work is done */
    if (how == CONN_REDEEMING) {
        tickets_wake(set->tickets);
    } else {
        set->feed.wake(set->feed.ctx);
    }
}

void conn_redeemed(struct conn *c)
{
    conn_set_state(c, CONN_WAITING);
    c->set->feed.wake(c->set->feed.ctx);
}

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
                 CONNS_LIMIT_RETRY_MS);
    }
}

/* How long a stream lives: a random time, but not beyond its session. */
static int64_t life_s(const struct settings *s, int64_t expires_in_s)
{
    int64_t age_s = clock_jitter(s->stream_age_min_s, s->stream_age_max_s);

    return age_s < expires_in_s + 1 ? age_s : expires_in_s + 1;
}

/* It is to be looked at then, or at its end. */
static void set_timer(struct conn *c, int64_t at_ms)
{
    wheel_add(&c->set->wheel, &c->timer, at_ms < c->ends_ms ? at_ms : c->ends_ms);
}

void conn_set_end(struct conn *c, int64_t ends_ms)
{
    c->ends_ms = ends_ms;
    set_timer(c, clock_ms() + c->set->settings->stream_heartbeat_ms);
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
    c->sub.filter = c->filter;
    if (c->handshake->was_live) {
        set_timer(c, now + settings->stream_heartbeat_ms);
    } else {
        conn_set_end(c, now + 1000 * life_s(settings, answer->expires_in_s));
    }
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
    queue_set_form(&h->replay, c->transport->form);
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
    if (c->mark_due && !c->set->looking && !is_held(c) && !put_mark(c)) {
        return;
    }
    if (is_held(c)) {
        queue_drop_unsent(&c->out);
    }
    if (c->transport->bye(c, reason, retry_ms)) {
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
    if (c->address != ADDRESS_UNKNOWN) {
        addresses_remove(&c->set->addresses, c->address);
    }
    free(c->filter);
    c->filter = NULL;
    queue_clear(&c->out);
    if (c->transport != NULL && c->transport->closed != NULL) {
        c->transport->closed(c);
    }
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

        if (can_mark && !put_mark(c)) {
            return;
        }
        if ((!can_mark || c->transport->beats_always) && !c->transport->beat(c)) {
            return;
        }
        conn_touch(c);
        c->wrote_ms = now_ms;
    }
    int64_t next = c->wrote_ms + period + clock_jitter(0, period / 3);

    if (next <= now_ms) {
        next = now_ms + WHEEL_TICK_MS;
    }
    set_timer(c, next);
}

/* Whether there is something to be said at its end that cannot be said before the look under way is
 * over. After one that broke off the next may be long in coming: that is not waited for. */
static bool waits_for_look(const struct conn *c, int64_t now_ms)
{
    return c->set->looking && (c->mark_due || c->transport->waits_for_mark) &&
           now_ms < c->ends_ms + CONN_LOOK_MS;
}

static void live_due(struct conn *c, int64_t now_ms)
{
    if (!queue_empty(&c->out) && now_ms - c->wrote_ms > c->set->settings->stream_silent_ms) {
        conn_close(c, REASON_SLOW);
    } else if (now_ms >= c->ends_ms && waits_for_look(c, now_ms)) {
        wheel_add(&c->set->wheel, &c->timer, now_ms + WHEEL_TICK_MS);
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
    case CONN_REDEEMING:
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
