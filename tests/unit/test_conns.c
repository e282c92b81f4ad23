/*
 * Connections over real sockets, with a feed that is this test: what is written when, and to whom
 * nothing is. Docs: protocol.md 4.1, 6.3, 8.1, 8.2, 11.2, 11.3.
 */
#include "push-daemon/conns.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients.h"
#include "push.h"

#define ROOM      100
#define BIG_BYTES 20000

static int wakes;

static void wake(void *ctx)
{
    (void)ctx;
    wakes++;
}

static bool healthy(void *ctx)
{
    (void)ctx;
    return true;
}

static int set_up(void **state)
{
    (void)state;
    clients_set_up();
    wakes = 0;
    set.feed = (struct conn_feed){.wake = wake, .healthy = healthy};
    conns_end_look(&set, slice_of("0123abcd-1:1:"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clients_tear_down();
    return 0;
}

/* A client that asks for this, and waits; *c is its connection at our end. */
static int client_wait(struct conn **c, const char *path, const char *more)
{
    int woken = wakes;
    int fd = client_ask(path, 0, more);

    assert_int_equal(wakes, woken + 1);
    *c = list_entry(set.states[CONN_WAITING].prev, struct conn, in_state);
    assert_int_equal((*c)->state, CONN_WAITING);
    return fd;
}

static int client_open(struct conn **c)
{
    return client_wait(c, "/stream", "");
}

/* What a round does with an answer of the database. */
static void attach(struct conn *c, int64_t user_id, int64_t session_id)
{
    struct hub_membership room = {ROOM, 0};
    struct handshake *h = c->handshake;
    struct handshake_answer answer = {
        .session_id = session_id, .user_id = user_id, .rooms = &room, .room_count = 1};

    assert_true(conn_attach(c, &answer));
    c->handshake = NULL;
    handshake_free(h);
}

static int live_client(struct conn **c, int64_t user_id, int64_t session_id)
{
    int fd = client_open(c);

    attach(*c, user_id, session_id);
    turn();
    client_read(fd);
    return fd;
}

/* A long poll to which nothing has come yet. */
static int live_poll(struct conn **c, int64_t user_id, int64_t session_id)
{
    int fd = client_wait(c, "/poll?after=0123abcd-1:1:", "");

    attach(*c, user_id, session_id);
    turn();
    assert_string_equal(client_read(fd), "");
    return fd;
}

static int live_websocket(struct conn **c, int64_t user_id, int64_t session_id)
{
    int fd =
        client_wait(c, "/ws",
                    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Protocol: confab.v1\r\n");

    attach(*c, user_id, session_id);
    turn();
    client_read(fd);
    return fd;
}

static void publish(int64_t id, const char *type, int64_t user_id)
{
    struct msg *m = event_of(id, 1, ROOM, user_id, type);

    conns_begin_look(&set);
    assert_true(hub_publish(&set.hub, m));
    msg_unref(m);
}

static void publish_big(int64_t id)
{
    static char data[BIG_BYTES];

    memset(data, 'x', sizeof data);
    struct msg_event event = {
        .id = id, .xid = 1, .room_id = ROOM, .type = slice_of("e"), .data = {data, sizeof data}};
    struct msg *m = msg_from_event(&event);

    conns_begin_look(&set);
    assert_true(hub_publish(&set.hub, m));
    msg_unref(m);
}

static void test_one_write_for_all_and_the_mark(void **state)
{
    struct conn *c;
    int fd = live_client(&c, 1, 1);
    uint64_t writes = stats.counts[STAT_WRITES];

    (void)state;
    publish(11, "a", 0);
    publish(12, "b", 0);
    publish(13, "c", 0);
    conns_end_look(&set, slice_of("0123abcd-2:2:"));
    turn();
    assert_int_equal(stats.counts[STAT_WRITES], writes + 1);
    assert_string_equal(client_read(fd), "event: a\ndata: {\"eid\":11}\n\n"
                                         "event: b\ndata: {\"eid\":12}\n\n"
                                         "event: c\ndata: {\"eid\":13}\n\n"
                                         "event: mark\nid: 0123abcd-2:2:\ndata: {}\n\n");
    assert_ptr_equal(c->out.items, c->out.few);
    close(fd);
}

static void test_no_mark_inside_a_look(void **state)
{
    struct conn *c;
    int fd = live_client(&c, 1, 1);

    (void)state;
    publish(11, "a", 0);
    turn();
    assert_string_equal(client_read(fd), "event: a\ndata: {\"eid\":11}\n\n");
    publish(12, "b", 0);
    conns_end_look(&set, slice_of("0123abcd-2:2:"));
    turn();
    assert_string_equal(client_read(fd), "event: b\ndata: {\"eid\":12}\n\n"
                                         "event: mark\nid: 0123abcd-2:2:\ndata: {}\n\n");
    conns_begin_look(&set);
    conns_end_look(&set, slice_of("0123abcd-3:3:"));
    turn();
    assert_string_equal(client_read(fd), "");
    close(fd);
}

/* The last word follows the mark of all that was told; inside a look there is none yet. */
static void test_mark_before_bye(void **state)
{
    struct conn *told, *cut;
    int told_fd = live_client(&told, 1, 1);
    int cut_fd = live_client(&cut, 2, 2);

    (void)state;
    publish(11, "a", 0);
    conn_bye(cut, REASON_AGE, 5);
    conns_end_look(&set, slice_of("0123abcd-2:2:"));
    conn_bye(told, REASON_AGE, 5);
    turn();
    assert_string_equal(client_read(cut_fd), "event: a\ndata: {\"eid\":11}\n\n"
                                             "retry: 5\nevent: bye\ndata: {\"retry\":5}\n\n");
    assert_string_equal(client_read(told_fd), "event: a\ndata: {\"eid\":11}\n\n"
                                              "event: mark\nid: 0123abcd-2:2:\ndata: {}\n\n"
                                              "retry: 5\nevent: bye\ndata: {\"retry\":5}\n\n");
    close(told_fd);
    close(cut_fd);
}

/* An end by age waits for the look under way: what it says of a cursor, it says then. */
static void test_end_by_age_after_the_look(void **state)
{
    struct conn *poll, *stream;
    int poll_fd = live_poll(&poll, 1, 1);
    int stream_fd;

    (void)state;
    conns_begin_look(&set);
    conn_due(poll, poll->ends_ms);
    turn();
    assert_string_equal(client_read(poll_fd), "");
    conns_end_look(&set, slice_of("0123abcd-2:2:"));
    conn_due(poll, poll->ends_ms);
    turn();
    assert_non_null(strstr(client_read(poll_fd), "{\"events\":[],\"cursor\":\"0123abcd-2:2:\""));

    stream_fd = live_client(&stream, 2, 2);
    publish(11, "a", 0);
    conn_due(stream, stream->ends_ms);
    turn();
    assert_string_equal(client_read(stream_fd), "event: a\ndata: {\"eid\":11}\n\n");
    conns_end_look(&set, slice_of("0123abcd-3:3:"));
    conn_due(stream, stream->ends_ms);
    turn();
    assert_true(slice_starts(slice_of(client_read(stream_fd)),
                             slice_of("event: mark\nid: 0123abcd-3:3:\ndata: {}\n\n")));
    assert_non_null(strstr(heard, "event: bye\n"));
    close(poll_fd);
    close(stream_fd);
}

/* After a look that broke off there may be none for long: nobody is kept waiting for it. */
static void test_end_by_age_in_a_long_look(void **state)
{
    struct conn *poll, *stream;
    int poll_fd = live_poll(&poll, 1, 1);
    int stream_fd = live_client(&stream, 2, 2);

    (void)state;
    conns_begin_look(&set);
    conn_due(poll, poll->ends_ms + CONN_LOOK_MS);
    turn();
    assert_true(slice_starts(slice_of(client_read(poll_fd)), slice_of("HTTP/1.1 503 ")));
    assert_non_null(strstr(heard, "\r\nRetry-After: 1\r\n"));
    publish(11, "a", 0);
    conn_due(stream, stream->ends_ms + CONN_LOOK_MS);
    turn();
    assert_true(slice_starts(slice_of(client_read(stream_fd)),
                             slice_of("event: a\ndata: {\"eid\":11}\n\n")));
    assert_non_null(strstr(heard, "event: bye\n"));
    assert_null(strstr(heard, "event: mark\n"));
    close(poll_fd);
    close(stream_fd);
}

/* A socket that is full keeps its place in the middle of a message, and goes on there. */
static void test_blocked_goes_on_where_it_was(void **state)
{
    struct conn *c;
    int fd = live_client(&c, 1, 1);
    size_t got = 0;

    (void)state;
    settings.stream_queue_bytes = READ_BYTES;
    for (int i = 0; i < 50; i++) {
        publish_big(11 + i);
    }
    conns_end_look(&set, slice_of("0123abcd-2:2:"));
    turn();
    assert_true(c->blocked);
    assert_true(event_pending(&c->ev, EV_WRITE, NULL) != 0);
    for (int i = 0; i < 50; i++) {
        got += strlen(client_read(fd));
        turn();
    }
    assert_int_equal(got, 50 * (BIG_BYTES + strlen("event: e\ndata: \n\n")) +
                              strlen("event: mark\nid: 0123abcd-2:2:\ndata: {}\n\n"));
    assert_false(c->blocked);
    assert_int_equal(event_pending(&c->ev, EV_WRITE, NULL), 0);
    close(fd);
}

static void test_slow_reader_harms_only_himself(void **state)
{
    struct conn *slow, *fast;
    int slow_fd = live_client(&slow, 1, 1);
    int fast_fd = live_client(&fast, 2, 2);

    (void)state;
    for (int i = 0; i < 50 && slow->state == CONN_LIVE; i++) {
        assert_true(slow->out.bytes <= QUEUE_BYTES);
        publish_big(11 + i);
        conns_flush(&set);
        client_read(fast_fd);
    }
    assert_int_equal(slow->state, CONN_CLOSED);
    assert_int_equal(stats.closed[REASON_SLOW], 1);
    assert_int_equal(fast->state, CONN_LIVE);
    assert_int_equal(set.congested, 0);
    turn();
    assert_true(list_empty(&set.states[CONN_CLOSED]));
    close(slow_fd);
    close(fast_fd);
}

/* More than may wait, but the socket takes it: that is not slow. */
static void test_burst_is_not_slowness(void **state)
{
    struct conn *c;
    int fd = live_client(&c, 1, 1);

    (void)state;
    for (int i = 0; i < 5; i++) {
        publish_big(11 + i);
    }
    assert_int_equal(c->state, CONN_LIVE);
    assert_int_equal(stats.closed[REASON_SLOW], 0);
    close(fd);
}

static void test_held_until_the_session_is_known(void **state)
{
    struct conn *phone, *desk;
    int phone_fd = live_client(&phone, 1, 1);
    int desk_fd = live_client(&desk, 1, 2);

    (void)state;
    publish(11, "session.end", 1);
    conns_hold_user(&set, 1);
    publish(12, "a", 0);
    conns_end_look(&set, slice_of("0123abcd-2:2:"));
    turn();
    assert_string_equal(client_read(phone_fd), "");
    assert_string_equal(client_read(desk_fd), "");
    assert_true(sessions_any_held(&set.sessions));

    conns_session_over(&set, sessions_find(&set.sessions, 1));
    conns_session_alive(&set, sessions_find(&set.sessions, 2));
    turn();
    assert_string_equal(
        client_read(phone_fd),
        "retry: 600000\nevent: reset\ndata: {\"reason\":\"auth\",\"within\":0}\n\n");
    assert_string_equal(client_read(desk_fd), "event: session.end\ndata: {\"eid\":11}\n\n"
                                              "event: a\ndata: {\"eid\":12}\n\n"
                                              "event: mark\nid: 0123abcd-2:2:\ndata: {}\n\n");
    assert_null(sessions_find(&set.sessions, 1));
    assert_int_equal(phone->state, CONN_DRAINING);
    close(phone_fd);
    close(desk_fd);
}

/* A new stream of a held session is proof that it lives, and the others of it go on too. */
static void test_held_is_freed_by_a_new_stream(void **state)
{
    struct conn *first, *second;
    int first_fd = live_client(&first, 1, 1);
    int second_fd = client_open(&second);

    (void)state;
    publish(11, "session.end", 1);
    conns_hold_user(&set, 1);
    conns_end_look(&set, slice_of("0123abcd-2:2:"));
    attach(second, 1, 1);
    turn();
    assert_string_equal(client_read(first_fd), "event: session.end\ndata: {\"eid\":11}\n\n"
                                               "event: mark\nid: 0123abcd-2:2:\ndata: {}\n\n");
    close(first_fd);
    close(second_fd);
}

/* Now there is room for more, but the socket takes nothing any more. */
static void block(const struct conn *c)
{
    settings.stream_queue_bytes = READ_BYTES;
    for (int i = 0; i < 50; i++) {
        publish_big(11 + i);
    }
    turn();
    assert_true(c->blocked);
}

static int blocked_client(struct conn **c)
{
    int fd = live_client(c, 1, 1);

    block(*c);
    return fd;
}

/* What a WebSocket's client asks for is bounded like what it is told. */
static void test_answers_wait_within_the_bound(void **state)
{
    const struct slice asked[] = {SLICE_LITERAL("\x89\x84\0\0\0\0ping"),
                                  SLICE_LITERAL("\x81\x8d\0\0\0\0{\"op\":\"ping\"}")};

    (void)state;
    for (size_t i = 0; i < COUNT(asked); i++) {
        struct conn *c;
        int fd = live_websocket(&c, 1, 1);

        block(c);
        settings.stream_queue_bytes = (int64_t)c->out.bytes + 100;
        for (int n = 0; n < 20 && c->state == CONN_LIVE; n++) {
            assert_true(c->out.bytes <= (size_t)settings.stream_queue_bytes);
            assert_int_equal(write(fd, asked[i].p, asked[i].n), asked[i].n);
            event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        }
        assert_int_equal(stats.closed[REASON_SLOW], i + 1);
        close(fd);
        turn();
    }
}

/* While held, a socket with room again must not wake the loop without end. */
static void test_held_while_blocked_sleeps(void **state)
{
    struct conn *c;
    int fd = blocked_client(&c);

    (void)state;
    conns_hold_user(&set, 1);
    client_read(fd);
    turn();
    assert_int_equal(event_pending(&c->ev, EV_WRITE, NULL), 0);
    conns_session_alive(&set, c->session);
    turn();
    assert_true(strlen(client_read(fd)) > 0);
    close(fd);
}

/* Nor does anything else that may happen to a held stream write what waits. */
static void test_held_is_not_written_at_its_end(void **state)
{
    struct conn *aged, *slow;
    int aged_fd = live_client(&aged, 1, 1);
    int slow_fd = live_client(&slow, 1, 2);

    (void)state;
    publish(11, "session.end", 1);
    conns_hold_user(&set, 1);
    publish(12, "a", 0);
    conn_bye(aged, REASON_AGE, 5);
    for (int i = 0; i < 5; i++) {
        publish_big(13 + i);
    }
    turn();
    assert_string_equal(client_read(aged_fd), "retry: 5\nevent: bye\ndata: {\"retry\":5}\n\n");
    assert_string_equal(client_read(slow_fd), "");
    assert_int_equal(stats.closed[REASON_SLOW], 1);
    close(aged_fd);
    close(slow_fd);
}

/* One that takes nothing any more goes, however little waits for it. */
static void test_stuck(void **state)
{
    struct conn *c;
    int fd = blocked_client(&c);

    (void)state;
    c->ends_ms = INT64_MAX; /* its age is of no interest here */
    conn_due(c, c->wrote_ms + settings.stream_silent_ms);
    assert_int_equal(c->state, CONN_LIVE);
    conn_due(c, c->wrote_ms + settings.stream_silent_ms + 1);
    assert_int_equal(c->state, CONN_CLOSED);
    assert_int_equal(stats.closed[REASON_SLOW], 1);
    close(fd);
}

static void test_resync_says_nothing_until_attached(void **state)
{
    struct conn *c;
    int fd = live_client(&c, 1, 1);

    (void)state;
    conns_resync(&set, "epoch");
    assert_int_equal(c->state, CONN_WAITING);
    assert_int_equal(c->handshake->resume, RESUME_RESET);
    assert_string_equal(c->handshake->reset_reason, "epoch");
    publish(11, "a", 1);
    conns_end_look(&set, slice_of("0123abce-2:2:"));
    turn();
    assert_string_equal(client_read(fd), "");
    attach(c, 1, 1);
    publish(12, "b", 0);
    conns_end_look(&set, slice_of("0123abce-3:3:"));
    turn();
    assert_string_equal(client_read(fd), "event: b\ndata: {\"eid\":12}\n\n"
                                         "event: mark\nid: 0123abce-3:3:\ndata: {}\n\n");
    close(fd);
}

static void test_peer_goes_while_others_are_served(void **state)
{
    struct conn *c[3];
    int fds[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        fds[i] = live_client(&c[i], i + 1, i + 1);
    }
    close(fds[1]);
    publish(11, "a", 0);
    conns_end_look(&set, slice_of("0123abcd-2:2:"));
    turn();
    assert_int_equal(set.count, 2);
    assert_int_equal(stats.closed[REASON_PEER], 1);
    assert_true(strlen(client_read(fds[0])) > 0);
    assert_true(strlen(client_read(fds[2])) > 0);
    assert_int_equal(hub_user_count(&set.hub), 2);
    close(fds[0]);
    close(fds[2]);
}

static void test_stop(void **state)
{
    struct conn *live, *waiting, *late;
    int live_fd = live_client(&live, 1, 1);
    int waiting_fd = client_open(&waiting);
    int silent[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, silent), 0);
    conn_accept(&set, silent[0]);
    conns_stop(&set);
    turn();
    assert_non_null(strstr(client_read(live_fd), "event: bye\ndata: {\"retry\":"));
    assert_non_null(strstr(client_read(waiting_fd), "event: bye\n"));

    int late_fd = client_open(&late);

    conns_stop(&set);
    turn();
    assert_non_null(strstr(client_read(late_fd), "event: bye\n"));
    assert_int_equal(recv(silent[1], heard, READ_BYTES, 0), -1); /* it may still ask */
    list_entry(set.states[CONN_HEAD].next, struct conn, in_state)->opened_ms -= CONNS_STOP_HEAD_MS;
    conns_stop(&set);
    assert_int_equal(recv(silent[1], heard, READ_BYTES, 0), 0);
    close(live_fd);
    close(waiting_fd);
    close(late_fd);
    close(silent[1]);
    turn();
    assert_int_equal(set.count, 0);
}

/* What a look has brought so far has no cursor that a poll could be answered with. */
static void test_stop_in_a_look(void **state)
{
    struct conn *poll;
    int fd = live_poll(&poll, 1, 1);

    (void)state;
    conns_begin_look(&set);
    conns_stop(&set);
    turn();
    assert_true(slice_starts(slice_of(client_read(fd)), slice_of("HTTP/1.1 503 ")));
    assert_int_equal(poll->state, CONN_DRAINING);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_write_for_all_and_the_mark),
        TEST(test_no_mark_inside_a_look),
        TEST(test_mark_before_bye),
        TEST(test_end_by_age_after_the_look),
        TEST(test_end_by_age_in_a_long_look),
        TEST(test_blocked_goes_on_where_it_was),
        TEST(test_slow_reader_harms_only_himself),
        TEST(test_burst_is_not_slowness),
        TEST(test_held_until_the_session_is_known),
        TEST(test_held_is_freed_by_a_new_stream),
        TEST(test_held_while_blocked_sleeps),
        TEST(test_held_is_not_written_at_its_end),
        TEST(test_answers_wait_within_the_bound),
        TEST(test_stuck),
        TEST(test_resync_says_nothing_until_attached),
        TEST(test_peer_goes_while_others_are_served),
        TEST(test_stop),
        TEST(test_stop_in_a_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
