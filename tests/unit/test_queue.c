/* Tests of queue: what waits is written once, in order, wherever a write stops. */
#include "push-daemon/queue.h"

#include "unit.h"

#include "push.h"

#define MESSAGES 37
#define BYTES    8192

/* Fills q with numbered messages, and all their bytes into expected. */
static size_t fill(struct queue *q, struct msg *messages[MESSAGES], char expected[BYTES])
{
    size_t len = 0;

    for (int i = 0; i < MESSAGES; i++) {
        messages[i] = event_of(i + 1, 1, 1, 0, "message.new");
        assert_true(queue_push(q, messages[i]));
        memcpy(expected + len, messages[i]->forms[MSG_SSE].p, messages[i]->forms[MSG_SSE].n);
        len += messages[i]->forms[MSG_SSE].n;
    }
    assert_int_equal(q->bytes, len);
    return len;
}

static void let_go(struct msg *messages[MESSAGES])
{
    for (int i = 0; i < MESSAGES; i++) {
        assert_int_equal(messages[i]->refs, 1);
        msg_unref(messages[i]);
    }
}

/* Writes up to `step` bytes at a time into out. */
static size_t drain(struct queue *q, size_t step, char out[BYTES])
{
    size_t len = 0;
    struct iovec iov[3];

    while (!queue_empty(q)) {
        int n = queue_iov(q, iov, COUNT(iov));
        size_t written = 0;

        for (int i = 0; i < n && written < step; i++) {
            size_t take = iov[i].iov_len < step - written ? iov[i].iov_len : step - written;

            memcpy(out + len + written, iov[i].iov_base, take);
            written += take;
        }
        queue_advance(q, written);
        len += written;
    }
    return len;
}

static void test_any_partial_write(void **state)
{
    (void)state;
    for (size_t step = 1; step < 200; step++) {
        struct queue q;
        struct msg *messages[MESSAGES];
        char expected[BYTES], out[BYTES];

        queue_init(&q);
        size_t len = fill(&q, messages, expected);

        assert_int_equal(drain(&q, step, out), len);
        assert_memory_equal(out, expected, len);
        assert_null(q.items);
        assert_int_equal(q.bytes, 0);
        let_go(messages);
    }
}

/* The circle turns: pushes and writes in turn, never more than a few waiting. */
static void test_push_while_writing(void **state)
{
    struct queue q;
    size_t in = 0, out = 0;

    (void)state;
    queue_init(&q);
    for (int i = 0; i < 1000; i++) {
        struct msg *m = event_of(i, 1, 1, 0, "x");

        in += m->forms[MSG_SSE].n;
        assert_true(queue_push(&q, m));
        msg_unref(m);
        size_t some = q.bytes > 100 ? q.bytes - 100 + (size_t)i % 7 : 0;

        queue_advance(&q, some);
        out += some;
        assert_int_equal(q.bytes, in - out);
    }
    assert_true(q.cap <= 8);
    queue_clear(&q);
}

static void test_drop_unsent(void **state)
{
    struct queue q;
    struct msg *messages[MESSAGES];
    char expected[BYTES];

    (void)state;
    queue_init(&q);
    fill(&q, messages, expected);
    queue_advance(&q, messages[0]->forms[MSG_SSE].n + 3);
    queue_drop_unsent(&q);
    assert_int_equal(q.count, 1);
    assert_int_equal(q.bytes, messages[1]->forms[MSG_SSE].n - 3);
    queue_advance(&q, q.bytes);
    queue_drop_unsent(&q);
    assert_true(queue_empty(&q));
    let_go(messages);
}

static void test_drop_unsent_between_messages(void **state)
{
    struct queue q;
    struct msg *messages[MESSAGES];
    char expected[BYTES];

    (void)state;
    queue_init(&q);
    fill(&q, messages, expected);
    queue_advance(&q, messages[0]->forms[MSG_SSE].n);
    queue_drop_unsent(&q);
    assert_true(queue_empty(&q));
    assert_null(q.items);
    let_go(messages);
}

static void test_move(void **state)
{
    struct queue from, to;
    struct msg *messages[MESSAGES];
    char expected[BYTES], out[BYTES];

    (void)state;
    queue_init(&from);
    queue_init(&to);
    size_t len = fill(&from, messages, expected);

    assert_true(queue_move(&from, &to));
    assert_true(queue_empty(&from));
    assert_int_equal(drain(&to, BYTES, out), len);
    assert_memory_equal(out, expected, len);
    let_go(messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_partial_write),
        cmocka_unit_test(test_push_while_writing),
        cmocka_unit_test(test_drop_unsent),
        cmocka_unit_test(test_drop_unsent_between_messages),
        cmocka_unit_test(test_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
