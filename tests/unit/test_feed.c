/*
 * The feed against a database and a clock that are this test: what it asks, when, and what it makes
 * of the answers and of none. Against a real PostgreSQL it is in tests/integration; here are the
 * failures and the order of events that a real one shows only by chance. Docs:
 * protocol.md 2.4, 5.2, 5.4, 8.3, 8.4; architecture.md, the doorbell.
 */
#include "push-daemon/feed.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clients.h"
#include "fake_pg.h"
#include "push-daemon/round.h"

#define NUMBER_BYTES 12
#define NOW_MS       1000000000
#define PROBE_MS     5000
#define HOUR_MS      3600000
#define HEADER_BYTES 128
#define BIG_BYTES    10000
#define REST_MS      3
#define CURSOR(xmax) "0123abcd-" #xmax ":" #xmax ":"

/* ---- What it answers ---- */

/* The row that ends the events of a look. */
static void row_cursor(const char *cursor)
{
    const struct pg_row row = {{NULL, NULL, NULL, NULL, NULL, NULL, cursor}};

    assert_non_null(asked(PG_FEED_READ));
    pg.callbacks.row(pg.ctx, PG_FEED_READ, &row);
}

/* An event of that transaction, to be seen by this user alone. */
static void row_event(const char *id, const char *user_id, const char *data)
{
    const struct pg_row row = {{id, id, NULL, user_id, "e", data, NULL}};

    assert_non_null(asked(PG_FEED_READ));
    pg.callbacks.row(pg.ctx, PG_FEED_READ, &row);
}

/* One session of one user, for a handshake or a session that is due. */
static void row_session(const char *ord, const char *id)
{
    const struct pg_row row = {{ord, id, id, "1000", "{}", "{}"}};

    assert_non_null(asked(PG_FEED_SESSIONS));
    pg.callbacks.row(pg.ctx, PG_FEED_SESSIONS, &row);
}

static void look_over(const char *cursor)
{
    row_cursor(cursor);
    batch_over(true);
}

static void arming_over(const char *armed)
{
    const struct pg_row row = {{armed}};

    assert_batch(1, PG_RING_ARM);
    pg.callbacks.row(pg.ctx, PG_RING_ARM, &row);
    batch_over(true);
}

/* The look under way finds nothing: it arms the doorbell, looks once more, and sleeps. */
static void falls_asleep(const char *cursor)
{
    look_over(cursor);
    arming_over("t");
    assert_batch(1, PG_FEED_READ);
    look_over(cursor);
    assert_batch(0);
}

/* ---- The daemon around it ---- */

static struct feed *feed;

static int set_up(void **state)
{
    (void)state;
    now_ms = NOW_MS;
    clients_set_up();
    settings.ring_bytes = 1024 * 1024;
    settings.look_interval_ms = HOUR_MS; /* tick() does not wait for it */
    settings.probe_ms = PROBE_MS;
    settings.replay_events = 1000;
    settings.session_check_s = 60;
    settings.event_keep_hours = 24;
    feed = feed_new(base, &settings, &stats, &set);
    assert_non_null(feed);
    feed_start(feed);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    feed_free(feed);
    clients_tear_down();
    return 0;
}

/* The slow timer runs out. */
static void tick(void)
{
    settings.look_interval_ms = 0;
    feed_reload(feed);
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    settings.look_interval_ms = HOUR_MS;
    feed_reload(feed);
}

/* Connected: it listens, and tests its own doorbell, which rings. */
static void comes_up(void)
{
    pg.callbacks.up(pg.ctx);
    assert_batch(3, PG_LISTEN_EVENT, PG_LISTEN_PROBE, PG_LISTEN_SIGNAL);
    batch_over(true);
    assert_batch(1, PG_PROBE);
    pg.callbacks.notified(pg.ctx, "chat_probe", asked(PG_PROBE));
    batch_over(true);
}

static void ring(void)
{
    pg.callbacks.notified(pg.ctx, "chat_event", "");
}

/* One look after the other: it rests in between, whoever rings. */
static void rests(void)
{
    assert_batch(0);
    ring();
    assert_batch(0);
    now_ms += REST_MS;
    event_base_loop(base, EVLOOP_ONCE);
}

/* A client that asks for a stream, to go on from `from` (NULL: from now on). n makes its token. */
static int client_open(int n, const char *from)
{
    char more[HEADER_BYTES] = "";

    if (from != NULL) {
        snprintf(more, sizeof more, "Last-Event-ID: %s\r\n", from);
    }
    return client_ask("/stream", n, more);
}

/* How many are in "{0,1,2}". */
static int list_length(const char *list)
{
    assert_non_null(list);
    int n = strcmp(list, "{}") != 0;

    for (; *list != '\0'; list++) {
        n += *list == ',';
    }
    return n;
}

/* All that there is to be told by now. */
static const char *client_hears(int fd)
{
    turn();
    return client_read(fd);
}

/* A stream that was there when the feed came up, whose opening was read; the cursor is 11. */
static int live_from_start(void)
{
    int fd = client_open(1, NULL);

    comes_up();
    row_session("0", "7");
    falls_asleep(CURSOR(11));
    client_hears(fd);
    return fd;
}

/* ---- Looks ---- */

static void test_each_look_goes_on_from_the_last(void **state)
{
    (void)state;
    comes_up();
    assert_batch(1, PG_FEED_READ);
    assert_string_equal(asked(PG_FEED_READ), "");
    falls_asleep(CURSOR(10));
    ring();
    assert_batch(1, PG_FEED_READ);
    assert_string_equal(asked(PG_FEED_READ), CURSOR(10));
    ring(); /* in the middle of a look, which may not see it */
    look_over(CURSOR(11));
    assert_batch(1, PG_FEED_READ);
    assert_string_equal(asked(PG_FEED_READ), CURSOR(11));
    look_over(CURSOR(11));
    assert_batch(0);
    tick(); /* nobody rang */
    assert_batch(1, PG_FEED_READ);
    goes_down();
    comes_up();
    assert_string_equal(asked(PG_FEED_READ), CURSOR(11));
}

/* Its transaction is ended before anything else; then it waits for the tick. */
static void test_a_look_that_fails_in_its_transaction(void **state)
{
    int fd = client_open(1, NULL);

    (void)state;
    comes_up();
    assert_batch(4, PG_BEGIN, PG_FEED_READ, PG_FEED_SESSIONS, PG_COMMIT);
    batch_fails(PG_FEED_READ, CONFAB_DB_BUSY);
    assert_batch(1, PG_ROLLBACK);
    batch_over(true);
    assert_batch(0);
    tick();
    assert_batch(4, PG_BEGIN, PG_FEED_READ, PG_FEED_SESSIONS, PG_COMMIT);
    row_session("0", "7");
    look_over(CURSOR(11));
    assert_non_null(strstr(client_hears(fd), "event: connected\nid: " CURSOR(11)));
    close(fd);
}

static void test_epoch(void **state)
{
    int fd = live_from_start();

    (void)state;
    ring();
    assert_string_equal(asked(PG_FEED_READ), CURSOR(11));
    batch_fails(PG_FEED_READ, CONFAB_EPOCH_CHANGED);
    assert_batch(1, PG_EPOCH_BEGIN);
    batch_over(true);
    assert_batch(1, PG_FEED_READ);
    assert_string_equal(asked(PG_FEED_READ), "");
    look_over("0123abce-5:5:");
    row_session("0", "7");
    look_over("0123abce-5:5:");
    assert_string_equal(client_hears(fd),
                        "event: reset\ndata: {\"reason\":\"epoch\",\"within\":0}\n\n"
                        "event: mark\nid: 0123abce-5:5:\ndata: {}\n\n");
    close(fd);
}

/* ---- The doorbell ---- */

/* After a look that found something: it rests and looks again, until one finds nothing. */
static void looks_on(void)
{
    rests();
    assert_batch(1, PG_FEED_READ);
    row_event("12", "7", "{}");
    look_over(CURSOR(13));
    rests();
    assert_batch(1, PG_FEED_READ);
    falls_asleep(CURSOR(13));
}

/* While looks find something nobody is asked to ring, since the next one is sure to come. */
static void test_looks_on_until_nothing_is_new(void **state)
{
    (void)state;
    comes_up();
    row_event("11", "7", "{}");
    look_over(CURSOR(12));
    looks_on();
}

/* One message wakes it for one look: it is armed all the time, so what that look missed rings. */
static void test_one_ring_is_one_look(void **state)
{
    (void)state;
    comes_up();
    falls_asleep(CURSOR(10));
    for (int n = 0; n < 3; n++) {
        ring();
        assert_batch(1, PG_FEED_READ);
        row_event("11", "7", "{}");
        look_over(CURSOR(12));
        assert_batch(0);
    }
}

/* More while a look finds something: it is busy, and rings would tell it nothing. */
static void test_disarms_when_busy(void **state)
{
    (void)state;
    comes_up();
    falls_asleep(CURSOR(10));
    ring();
    row_event("11", "7", "{}");
    ring();
    look_over(CURSOR(12));
    assert_batch(1, PG_RING_DISARM);
    batch_over(true);
    looks_on();
}

/* What was committed before it was armed has rung for nobody. */
static void test_finds_something_when_it_wants_to_sleep(void **state)
{
    (void)state;
    comes_up();
    look_over(CURSOR(10));
    arming_over("t");
    row_event("11", "7", "{}");
    look_over(CURSOR(12));
    assert_batch(0);
    ring();
    assert_batch(1, PG_FEED_READ);
    assert_string_equal(asked(PG_FEED_READ), CURSOR(12));
}

/* Not armed, it must not sleep for long; but whoever holds a key is not asked for it without end.
 */
static void test_a_ringer_is_in_the_way(void **state)
{
    (void)state;
    comes_up();
    look_over(CURSOR(10));
    for (int n = 0; n < 2; n++) {
        arming_over("f");
        assert_batch(0);
        event_base_loop(base, EVLOOP_ONCE);
        assert_batch(1, PG_FEED_READ);
        look_over(CURSOR(10));
    }
    arming_over("t");
    look_over(CURSOR(10));
    assert_batch(0);
}

static void test_a_new_connection_is_not_armed(void **state)
{
    (void)state;
    comes_up();
    falls_asleep(CURSOR(10));
    goes_down();
    comes_up();
    falls_asleep(CURSOR(10));
}

/* ---- Questions that the database cannot answer ---- */

/* Of many, the one that is the cause is found by halves, and that one alone is sent away. */
static void test_a_handshake_that_cannot_be_answered(void **state)
{
    int poisoned = client_open(1, NULL);
    int good = client_open(2, NULL);

    (void)state;
    comes_up();
    assert_int_equal(list_length(asked(PG_FEED_SESSIONS)), 2);
    batch_fails(PG_FEED_SESSIONS, CONFAB_INTERNAL);
    assert_batch(1, PG_ROLLBACK);
    batch_over(true);
    assert_int_equal(list_length(asked(PG_FEED_SESSIONS)), 1);
    batch_fails(PG_FEED_SESSIONS, CONFAB_INTERNAL);
    batch_over(true);
    assert_int_equal(list_length(asked(PG_FEED_SESSIONS)), 1);
    row_session("0", "7");
    look_over(CURSOR(11));
    assert_non_null(strstr(client_hears(poisoned), "event: bye\n"));
    assert_non_null(strstr(client_hears(good), "event: connected\n"));
    close(poisoned);
    close(good);
}

/* Nobody is there to be sent away: it waits for the tick, and does not ask again without end. */
static void test_sessions_that_cannot_be_looked_up(void **state)
{
    int fd = live_from_start();

    (void)state;
    settings.session_check_s = 0;
    now_ms++;
    ring();
    assert_batch(4, PG_BEGIN, PG_FEED_READ, PG_FEED_SESSIONS, PG_COMMIT);
    row_cursor(CURSOR(12));
    batch_fails(PG_FEED_SESSIONS, CONFAB_INTERNAL);
    assert_batch(1, PG_ROLLBACK);
    batch_over(true);
    assert_batch(0);
    tick();
    assert_batch(4, PG_BEGIN, PG_FEED_READ, PG_FEED_SESSIONS, PG_COMMIT);
    row_session("0", "7");
    look_over(CURSOR(13));
    assert_int_equal(set.count, 1);
    close(fd);
}

/* A client goes while it is asked about: the answer finds nobody, and nothing is left behind. */
static void test_gone_before_the_answer(void **state)
{
    int fd = client_open(1, NULL);

    (void)state;
    comes_up();
    assert_non_null(asked(PG_FEED_SESSIONS));
    close(fd);
    turn();
    assert_int_equal(set.count, 0);
    row_session("0", "7");
    look_over(CURSOR(11));
    assert_int_equal(hub_user_count(&set.hub), 0);
}

/* ---- Replays ---- */

/* Everybody who is asked about has a session, the index being ord, session and user. */
static void all_have_sessions(void)
{
    for (int i = 0, n = list_length(asked(PG_FEED_SESSIONS)); i < n; i++) {
        char ord[NUMBER_BYTES], id[NUMBER_BYTES];

        snprintf(ord, sizeof ord, "%d", i);
        snprintf(id, sizeof id, "%d", i + 1);
        row_session(ord, id);
    }
}

static void row_backfill(const char *id, const char *user_id)
{
    const struct pg_row row = {{id, "7", NULL, user_id, "x", "{}"}};

    pg.callbacks.row(pg.ctx, PG_FEED_BACKFILL, &row);
}

/* Many come back from before the ring: the log is read once for all, but for him who was away for
 * longest. */
static void test_many_are_served_by_one_backfill(void **state)
{
    enum { MANY = 3 * BACKFILL_MIN };
    int fds[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        fds[i] = client_open(i, i == 0 ? CURSOR(2) : CURSOR(5));
    }
    comes_up();
    assert_string_equal(asked(PG_FEED_BACKFILL), CURSOR(5));
    assert_int_equal(list_length(asked(PG_FEED_SESSIONS)), MANY);
    assert_int_equal(list_length(asked(PG_FEED_REPLAY)), 1);
    all_have_sessions();
    row_backfill("11", "2");
    row_backfill("12", "3");
    row_backfill(NULL, NULL);
    look_over(CURSOR(13));
    assert_int_equal(stats.counts[STAT_REPLAYS_LOG], 1);
    assert_int_equal(stats.counts[STAT_REPLAYS_RING], MANY - 1);
    for (int i = 0; i < MANY; i++) {
        client_hears(fds[i]);
        assert_int_equal(strstr(heard, "event: x\n") != NULL, i == 1 || i == 2);
        assert_non_null(strstr(heard, "event: mark\nid: " CURSOR(13)));
        close(fds[i]);
    }
}

/* Reading the log for each of many at once would hold up everybody's events: the rest has its turn
 * later. */
static void test_replays_of_one_look_are_bounded(void **state)
{
    enum { MANY = 2 * ROUND_REPLAYS_MAX + 3 };
    int fds[MANY + 1];
    int waiting = MANY;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        fds[i] = client_open(i, CURSOR(5));
    }
    fds[MANY] = client_open(MANY, NULL);
    comes_up();
    assert_non_null(asked(PG_FEED_BACKFILL));
    assert_null(asked(PG_FEED_REPLAY));
    all_have_sessions();
    look_over(CURSOR(11)); /* no row of it: there is too much for one read */
    assert_null(asked(PG_FEED_BACKFILL));
    while (waiting > 0) {
        int replays = list_length(asked(PG_FEED_REPLAY));

        assert_int_equal(replays, waiting < ROUND_REPLAYS_MAX ? waiting : ROUND_REPLAYS_MAX);
        waiting -= replays;
        look_over(CURSOR(11)); /* none of them has a session */
    }
    for (int i = 0; i <= MANY; i++) {
        close(fds[i]);
    }
}

/* What one missed may fill half of what may wait for it; with more it is told to read anew. */
static void test_a_replay_is_bounded_in_bytes(void **state)
{
    static char big[BIG_BYTES + 1];
    static const char *const ids[] = {"11", "12", "13", "14"};

    (void)state;
    memset(big, 'x', BIG_BYTES);
    comes_up();
    falls_asleep(CURSOR(10));
    ring();
    for (size_t i = 0; i < COUNT(ids); i++) {
        row_event(ids[i], "7", big);
    }
    look_over(CURSOR(15));
    static const char *const from[] = {CURSOR(10), CURSOR(13)};

    for (size_t i = 0; i < COUNT(from); i++) {
        int fd = client_open((int)i, from[i]);

        assert_int_equal(list_length(asked(PG_FEED_SESSIONS)), 1);
        assert_null(asked(PG_FEED_REPLAY)); /* since memory has it */
        row_session("0", "7");
        look_over(CURSOR(15));
        client_hears(fd);
        assert_int_equal(strstr(heard, "event: reset\ndata: {\"reason\":\"limit\"") != NULL,
                         i == 0);
        assert_int_equal(strlen(heard) > 2 * BIG_BYTES, i == 1);
        close(fd);
        turn();
    }
}

/* ---- Signals ---- */

/* It wakes, waits for the look that begins then, and is told before no mark. */
static void test_signals(void **state)
{
    int fd = live_from_start(), other = client_open(2, NULL);
    const struct pg_row alice = {{"0", "8", "8", "1000", "{5}", "{0}"}};

    (void)state;
    assert_batch(4, PG_BEGIN, PG_FEED_READ, PG_FEED_SESSIONS, PG_COMMIT);
    pg.callbacks.row(pg.ctx, PG_FEED_SESSIONS, &alice);
    look_over(CURSOR(11));
    client_hears(other);
    ring();
    pg.callbacks.notified(pg.ctx, "chat_signal", "typing.start 9 5 {\"a\":1}");
    look_over(CURSOR(11));
    assert_string_equal(client_hears(other), "");
    assert_batch(1, PG_FEED_READ);
    look_over(CURSOR(11));
    assert_string_equal(client_hears(other), "event: typing.start\ndata: {\"a\":1}\n\n");
    assert_string_equal(client_hears(fd), "");
    assert_batch(0);
    close(fd);
    close(other);
}

/* ---- The doorbell's test ---- */

static void test_its_own_notification_does_not_come(void **state)
{
    (void)state;
    comes_up();
    falls_asleep(CURSOR(10));
    now_ms += PROBE_MS;
    tick();
    assert_batch(1, PG_PROBE);
    batch_over(true);
    look_over(CURSOR(10));
    now_ms += PROBE_MS;
    tick();
    assert_null(pg.dropped);
    look_over(CURSOR(10));
    now_ms++;
    tick();
    assert_non_null(pg.dropped);
    assert_string_equal(pg.dropped, "our own notification did not come");
    goes_down();
    comes_up(); /* with a test of its own, which that connection passes */
    falls_asleep(CURSOR(10));
    now_ms += PROBE_MS - 1;
    tick();
    assert_batch(1, PG_FEED_READ);
    assert_null(pg.dropped);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_look_goes_on_from_the_last),
        TEST(test_a_look_that_fails_in_its_transaction),
        TEST(test_epoch),
        TEST(test_looks_on_until_nothing_is_new),
        TEST(test_one_ring_is_one_look),
        TEST(test_disarms_when_busy),
        TEST(test_finds_something_when_it_wants_to_sleep),
        TEST(test_a_ringer_is_in_the_way),
        TEST(test_a_new_connection_is_not_armed),
        TEST(test_a_handshake_that_cannot_be_answered),
        TEST(test_sessions_that_cannot_be_looked_up),
        TEST(test_gone_before_the_answer),
        TEST(test_many_are_served_by_one_backfill),
        TEST(test_replays_of_one_look_are_bounded),
        TEST(test_a_replay_is_bounded_in_bytes),
        TEST(test_signals),
        TEST(test_its_own_notification_does_not_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
