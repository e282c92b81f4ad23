/* Tests of queue and pack: what waits is written once, in order, wherever a write stops. */
#include "push-daemon/pack.h"

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

static struct pack pack;

/* Writes up to `step` bytes at a time into out: of one message, or of as many as there are. */
static size_t drain(struct queue *q, bool packed, size_t step, char out[BYTES])
{
    size_t len = 0;

    while (!queue_empty(q)) {
        struct slice bytes = packed ? pack_take(&pack, q) : queue_first(q);
        size_t written = bytes.n < step ? bytes.n : step;

        assert_true(written > 0);
        memcpy(out + len, bytes.p, written);
        queue_advance(q, written);
        len += written;
    }
    return len;
}

static void test_any_partial_write(void **state)
{
    (void)state;
    for (size_t i = 2; i < 400; i++) {
        size_t step = i / 2;
        struct queue q;
        struct msg *messages[MESSAGES];
        char expected[BYTES], out[BYTES];

        queue_init(&q);
        size_t len = fill(&q, messages, expected);

        assert_int_equal(drain(&q, i % 2 == 0, step, out), len);
        assert_memory_equal(out, expected, len);
        assert_ptr_equal(q.items, q.few);
        assert_int_equal(q.bytes, 0);
        pack_clear(&pack);
        let_go(messages);
    }
}

/* Two connections that wait for the same are given the same piece; another one is not. */
static void test_pack_is_shared(void **state)
{
    struct queue one, two;
    struct msg *messages[MESSAGES];
    char expected[BYTES];

    (void)state;
    queue_init(&one);
    queue_init(&two);
    size_t len = fill(&one, messages, expected);

    for (int i = 0; i < MESSAGES; i++) {
        assert_true(queue_push(&two, messages[i]));
    }
    struct slice first = pack_take(&pack, &one);

    assert_int_equal(first.n, len);
    assert_memory_equal(first.p, expected, len);
    assert_int_equal(messages[0]->refs, 4);
    assert_ptr_equal(pack_take(&pack, &two).p, first.p);
    assert_int_equal(messages[0]->refs, 4);

    struct msg *other = event_of(1, 1, 1, 0, "another.one");

    assert_true(queue_push(&two, other));
    struct slice second = pack_take(&pack, &two);

    assert_int_equal(second.n, len + other->forms[MSG_SSE].n);
    assert_memory_equal(second.p + len, other->bytes, other->forms[MSG_SSE].n);
    queue_advance(&one, 1);
    assert_int_equal(pack_take(&pack, &one).n, messages[0]->forms[MSG_SSE].n - 1);
    queue_clear(&one);
    queue_clear(&two);
    pack_clear(&pack);
    msg_unref(other);
    let_go(messages);
}

/* What is too much for one piece comes in several, and what is too big for any by itself. */
static void test_pack_is_bounded(void **state)
{
    static char big[PACK_BYTES_MAX + 1];
    const struct msg_event sizes[] = {
        {.type = slice_of("x"), .data = {big, PACK_BYTES_MAX / 2}},
        {.type = slice_of("x"), .data = {big, PACK_BYTES_MAX / 3}},
        {.type = slice_of("x"), .data = {big, PACK_BYTES_MAX / 3}},
        {.type = slice_of("x"), .data = {big, sizeof big}},
        {.type = slice_of("x"), .data = {big, 1}},
    };
    const uint32_t left[] = {3, 2, 1, 0};
    struct queue q;

    (void)state;
    memset(big, '1', sizeof big);
    queue_init(&q);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct msg *m = msg_from_event(&sizes[i]);

        assert_true(queue_push(&q, m));
        msg_unref(m);
    }
    for (size_t i = 0; i < COUNT(left); i++) {
        queue_advance(&q, pack_take(&pack, &q).n);
        assert_int_equal(q.count, left[i]);
    }
    pack_clear(&pack);
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
    assert_true(q.cap <= 16);
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
    assert_ptr_equal(q.items, q.few);
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
    assert_int_equal(drain(&to, false, BYTES, out), len);
    assert_memory_equal(out, expected, len);
    let_go(messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_partial_write),
        cmocka_unit_test(test_pack_is_shared),
        cmocka_unit_test(test_pack_is_bounded),
        cmocka_unit_test(test_push_while_writing),
        cmocka_unit_test(test_drop_unsent),
        cmocka_unit_test(test_drop_unsent_between_messages),
        cmocka_unit_test(test_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
