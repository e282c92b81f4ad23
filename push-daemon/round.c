/*
 * round: see round.h.
 */
#include "round.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "common/log.h"

#define PARAM_MAX_BYTES (16 * 1024 * 1024)
#define HASH_HEX_BYTES  (2 * TOKEN_HASH_BYTES + 1)
#define NUMBER_BYTES    24

void round_init(struct round *r)
{
    *r = (struct round){.ask_limit = ROUND_ASKS_MAX};
}

/* ---- Asking ---- */

/* Whether h goes on from the log, since the ring does not reach back to it. */
static bool needs_log(const struct handshake *h, const struct ring *ring)
{
    uint64_t from;

    return h->resume == RESUME_CURSOR && !ring_find(ring, &h->cursor, &from);
}

/* Whether the ring is to be extended for those who are waiting. */
static void collect_backfill(struct round *r, struct conns *set, const struct ring *ring)
{
    struct list *node, *tmp;

    list_for_each_safe(node, tmp, &set->states[CONN_WAITING])
    {
        const struct handshake *h = list_entry(node, struct conn, in_state)->handshake;

        if (needs_log(h, ring)) {
            backfill_note(&r->backfill, h);
        }
    }
    (void)backfill_want(&r->backfill, clock_ms());
}

static void collect_asks(struct round *r, struct conns *set, const struct ring *ring)
{
    int replays = 0;
    struct list *node, *tmp;

    collect_backfill(r, set, ring);
    list_for_each_safe(node, tmp, &set->states[CONN_WAITING])
    {
        struct handshake *h = list_entry(node, struct conn, in_state)->handshake;

        if (r->ask_count == r->ask_limit) {
            break;
        }
        bool from_log = needs_log(h, ring) && !backfill_serves(&r->backfill, &h->cursor);

        if (from_log && replays++ >= ROUND_REPLAYS_MAX) {
            continue;
        }
        h->asked = true;
        h->replay_asked = from_log;
        r->asks[r->ask_count++] = h;
    }
}

bool round_collect(struct round *r, struct conns *set, const struct ring *ring, int64_t before_ms)
{
    assert(r->ask_count == 0);
    collect_asks(r, set, ring);
    r->session_count = sessions_due(&set->sessions, before_ms, r->session_ids, ROUND_SESSIONS_MAX);
    memset(r->session_seen, 0, sizeof r->session_seen);
    return r->ask_count > 0 || r->session_count > 0;
}

/* The parameters of the two statements: arrays in PostgreSQL's text form. */
struct params {
    struct buf ords, tokens, cursors;
};

static void params_init(struct params *p)
{
    buf_init(&p->ords, PARAM_MAX_BYTES);
    buf_init(&p->tokens, PARAM_MAX_BYTES);
    buf_init(&p->cursors, PARAM_MAX_BYTES);
    buf_putc(&p->ords, '{');
    buf_putc(&p->tokens, '{');
    buf_putc(&p->cursors, '{');
}

static void params_clear(struct params *p)
{
    buf_clear(&p->ords);
    buf_clear(&p->tokens);
    buf_clear(&p->cursors);
}

static void params_add(struct params *p, int ord, const struct token_hash *token,
                       const struct cursor *cursor)
{
    char hex[HASH_HEX_BYTES];
    const char *comma = p->ords.len > 1 ? "," : "";

    str_hex(token->bytes, TOKEN_HASH_BYTES, hex);
    buf_printf(&p->ords, "%s%d", comma, ord);
    buf_printf(&p->tokens, "%s\"\\\\x%s\"", comma, hex);
    buf_printf(&p->cursors, "%s\"", comma);
    if (cursor != NULL) {
        cursor_put(cursor, &p->cursors);
    }
    buf_putc(&p->cursors, '"');
}

static bool params_end(struct params *p)
{
    buf_putc(&p->ords, '}');
    buf_putc(&p->tokens, '}');
    buf_putc(&p->cursors, '}');
    return !buf_failed(&p->ords) && !buf_failed(&p->tokens) && !buf_failed(&p->cursors);
}

static void send_sessions(struct pg *pg, const struct params *p)
{
    const char *values[] = {buf_str(&p->ords), buf_str(&p->tokens)};

    pg_send(pg, PG_FEED_SESSIONS, values);
}

static void send_replays(struct pg *pg, const struct params *p, int64_t limit)
{
    char text[NUMBER_BYTES];
    const char *values[] = {buf_str(&p->ords), buf_str(&p->tokens), buf_str(&p->cursors), text};

    snprintf(text, sizeof text, "%" PRId64, limit);
    pg_send(pg, PG_FEED_REPLAY, values);
}

bool round_send(struct round *r, struct pg *pg, const struct conns *set)
{
    struct params sessions, replays;
    bool any_replay = false;

    params_init(&sessions);
    params_init(&replays);
    for (int i = 0; i < r->ask_count; i++) {
        const struct handshake *h = r->asks[i];

        params_add(&sessions, i, &h->token, NULL);
        if (h->replay_asked) {
            params_add(&replays, i, &h->token, &h->cursor);
            any_replay = true;
        }
    }
    for (int i = 0; i < r->session_count; i++) {
        const struct session *s = sessions_find(&set->sessions, r->session_ids[i]);

        params_add(&sessions, r->ask_count + i, &s->token, NULL);
    }
    bool good = params_end(&sessions) && params_end(&replays);

    if (good) {
        send_sessions(pg, &sessions);
    }
    if (good && any_replay) {
        send_replays(pg, &replays, set->settings->replay_events);
    }
    if (good && r->backfill.asked) {
        good = backfill_send(&r->backfill, pg);
    }
    params_clear(&sessions);
    params_clear(&replays);
    return good;
}

/* ---- Answers ---- */

/* Reads two bigint[] of the same length, "{1,2,3}". False: out of memory, or no such arrays. */
static bool read_memberships(struct slice rooms, struct slice sinces,
                             struct handshake_answer *answer)
{
    size_t max = 1;

    for (size_t i = 0; i < rooms.n; i++) {
        max += rooms.p[i] == ',';
    }
    if (rooms.n < 2 || sinces.n < 2) {
        return false;
    }
    answer->rooms = calloc(max, sizeof *answer->rooms);
    if (answer->rooms == NULL) {
        return false;
    }
    rooms = (struct slice){rooms.p + 1, rooms.n - 2};
    sinces = (struct slice){sinces.p + 1, sinces.n - 2};
    while (rooms.n > 0) {
        struct hub_membership *m = &answer->rooms[answer->room_count++];
        struct slice room, since;

        slice_cut(rooms, ',', &room, &rooms);
        slice_cut(sinces, ',', &since, &sinces);
        if (!str_to_i64(room, 1, INT64_MAX, &m->room_id) ||
            !str_to_i64(since, INT64_MIN, INT64_MAX, &m->since)) {
            return false;
        }
    }
    return true;
}

/* The handshake that the row is about, or NULL when its connection is gone. */
static struct handshake *asked_by(const struct round *r, int64_t ord)
{
    struct handshake *h = ord >= 0 && ord < r->ask_count ? r->asks[ord] : NULL;

    return h != NULL && h->conn != NULL ? h : NULL;
}

void round_take_session(struct round *r, const struct pg_row *row)
{
    int64_t ord = pg_i64(row, 0);
    struct handshake *h = asked_by(r, ord);

    if (ord >= r->ask_count && ord < r->ask_count + r->session_count) {
        r->session_seen[ord - r->ask_count] = true;
    }
    if (h == NULL || h->answered) {
        return;
    }
    h->answer = (struct handshake_answer){.session_id = pg_i64(row, 1),
                                          .user_id = pg_i64(row, 2),
                                          .expires_in_s = pg_i64(row, 3),
                                          .token = h->token};
    h->answered = read_memberships(pg_text(row, 4), pg_text(row, 5), &h->answer);
    if (!h->answered) {
        conn_close(h->conn, REASON_MEMORY);
    }
}

/* The protocol's word for a refusal of SQL's. */
static const char *refusal_of(struct slice text)
{
    static const char *const words[] = {"epoch", "limit"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (slice_eq(text, slice_of(words[i]))) {
            return words[i];
        }
    }
    return "expired";
}

/* What was missed may fill half of what may wait; the other half is for what happens meanwhile. */
static bool replay_fits(const struct conns *set, const struct queue *replay, size_t more)
{
    return replay->bytes + more <= (size_t)set->settings->stream_queue_bytes / 2 &&
           replay->count < (uint64_t)set->settings->replay_events;
}

static void add_replay(const struct conns *set, struct handshake *h, struct msg *m)
{
    if (!replay_fits(set, &h->replay, m->forms[MSG_SSE].n)) {
        h->refusal = "limit";
        queue_clear(&h->replay);
    } else if (!queue_push(&h->replay, m)) {
        conn_close(h->conn, REASON_MEMORY);
    }
}

void round_take_replay(struct round *r, const struct conns *set, const struct pg_row *row)
{
    struct handshake *h = asked_by(r, pg_i64(row, 0));

    if (h == NULL || h->refusal != NULL) {
        return;
    }
    if (!pg_is_null(row, 1)) {
        h->refusal = refusal_of(pg_text(row, 1));
        return;
    }
    struct msg_event event = {.id = pg_i64(row, 2),
                              .xid = pg_u64(row, 3),
                              .room_id = pg_i64(row, 4),
                              .user_id = pg_i64(row, 5),
                              .type = pg_text(row, 6),
                              .data = pg_text(row, 7)};
    struct msg *m = msg_from_event(&event);

    if (m == NULL) {
        conn_close(h->conn, REASON_MEMORY);
        return;
    }
    if (filter_passes(h->conn->filter, m, h->answer.user_id)) {
        add_replay(set, h, m);
    }
    msg_unref(m);
}

void round_take_backfill(struct round *r, const struct ring *ring, const struct pg_row *row)
{
    backfill_take(&r->backfill, ring, row);
}

/* ---- Attaching ---- */

/* Takes what was missed from the ring. c is attached already, so the hub knows what it may see. */
static void replay_from_ring(struct conn *c, struct handshake *h, const struct ring *ring,
                             uint64_t from)
{
    for (uint64_t n = from; n < ring->next && h->refusal == NULL && c->state == CONN_LIVE; n++) {
        struct msg *m = ring_at(ring, n);

        if (!cursor_covers(&h->cursor, m->xid) && hub_may_see(&c->sub, m)) {
            add_replay(c->set, h, m);
        }
    }
    c->set->stats->counts[STAT_REPLAYS_RING]++;
}

/* Whether the cursor can have been made by this log up to here; else notes why not. */
static void check_cursor(struct handshake *h, const struct cursor *at)
{
    if (!cursor_same_epoch(at, &h->cursor)) {
        h->refusal = "epoch";
    } else if (!cursor_includes(at, &h->cursor)) {
        h->refusal = "expired"; /* of a future that this database has not seen */
    }
}

/* An id is written only when all that it covers has been: a stream that goes on says where it came
 * from, and one that cannot says nothing of a cursor until the reset is told. */
static bool say_connected(struct conn *c, const struct handshake *h)
{
    struct buf cursor, id;

    buf_init(&cursor, PARAM_MAX_BYTES);
    buf_init(&id, PARAM_MAX_BYTES);
    if (h->resume == RESUME_CURSOR) {
        cursor_put(&h->cursor, &cursor);
    } else if (h->resume == RESUME_NOW) {
        buf_put_slice(&cursor, buf_slice(&c->set->cursor));
    }
    filter_put_cursor(c->filter, buf_slice(&cursor), &id);
    const struct conn_greeting greeting = {.resume = h->resume,
                                           .cursor = buf_slice(&id),
                                           .session_id = h->answer.session_id,
                                           .expires_in_s = h->answer.expires_in_s};
    bool said = c->transport->connected(c, &greeting);

    buf_clear(&cursor);
    buf_clear(&id);
    return said;
}

/* Says all that opens a stream: connected, the reset or the events that were missed, and then (with
 * the next flush) the mark. May close c. */
static void greet(struct conn *c, struct handshake *h)
{
    if (h->refusal != NULL) {
        handshake_reset(h, h->refusal);
    }
    if (!h->was_live && !say_connected(c, h)) {
        return;
    }
    if (h->resume == RESUME_RESET) {
        c->set->stats->counts[STAT_RESETS]++;
        if (!c->transport->reset(c, h->reset_reason, c->set->settings->reset_within_s)) {
            return;
        }
    }
    if (!queue_move(&h->replay, &c->out)) {
        conn_close(c, REASON_MEMORY);
        return;
    }
    c->mark_due = c->mark_due || h->resume != RESUME_NOW;
    conn_touch(c);
}

/* Attaches one that has a session. h stays the round's. */
static void admit(struct conn *c, struct handshake *h, const struct ring *ring,
                  const struct cursor *at)
{
    bool from_ring = false;
    uint64_t from = 0;

    if (h->resume == RESUME_CURSOR && h->refusal == NULL) {
        check_cursor(h, at);
        from_ring = h->refusal == NULL && !h->replay_asked;
    }
    if (from_ring && !ring_find(ring, &h->cursor, &from)) {
        return; /* the ring has lost meanwhile what it had: the next round asks the log */
    }
    if (!conn_attach(c, &h->answer)) {
        return;
    }
    c->handshake = NULL;
    h->conn = NULL;
    if (from_ring) {
        replay_from_ring(c, h, ring, from);
    } else if (h->replay_asked) {
        c->set->stats->counts[STAT_REPLAYS_LOG]++;
    }
    if (c->state == CONN_LIVE) {
        greet(c, h);
    }
}

static void refuse(struct conn *c)
{
    dead_add(&c->set->dead, &c->handshake->token);
    if (c->transport->auth_over(c)) {
        conn_finish(c, REASON_AUTH);
    }
}

/* Lets go of what was asked: what has no connection any more is freed, the rest can be asked again.
 */
static void release_asks(struct round *r)
{
    for (int i = 0; i < r->ask_count; i++) {
        struct handshake *h = r->asks[i];

        if (h->conn == NULL) {
            handshake_free(h);
        } else {
            handshake_unask(h);
        }
    }
    r->ask_count = r->session_count = 0;
}

void round_apply(struct round *r, struct conns *set, struct ring *ring, const struct cursor *at)
{
    backfill_apply(&r->backfill, ring, at, clock_ms());
    for (int i = 0; i < r->session_count; i++) {
        struct session *s = sessions_find(&set->sessions, r->session_ids[i]);

        if (s != NULL && r->session_seen[i]) {
            conns_session_alive(set, s);
        } else if (s != NULL) {
            conns_session_over(set, s);
        }
    }
    for (int i = 0; i < r->ask_count; i++) {
        struct handshake *h = r->asks[i];

        if (h->conn != NULL && h->answered) {
            admit(h->conn, h, ring, at);
        } else if (h->conn != NULL) {
            refuse(h->conn);
        }
    }
    release_asks(r);
    r->ask_limit = r->ask_limit * 2 < ROUND_ASKS_MAX ? r->ask_limit * 2 : ROUND_ASKS_MAX;
}

/* When something that was asked makes the database fail, half as many are asked next time, until
 * it is alone and can be sent away. */
void round_abandon(struct round *r, bool blame)
{
    if (blame && r->ask_count == 1 && r->asks[0]->conn != NULL) {
        log_warnx("handshake conn=%" PRIu64 " error=\"the database cannot answer\"",
                  r->asks[0]->conn->id);
        conn_bye(r->asks[0]->conn, REASON_UNAVAILABLE, conns_retry_ms(r->asks[0]->conn->set));
    } else if (blame && r->ask_count > 1) {
        r->ask_limit = r->ask_count / 2;
    }
    backfill_fail(&r->backfill, clock_ms());
    release_asks(r);
}
