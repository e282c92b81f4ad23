/* Tests of sse and msg: docs/protocol.md, paragraphs 2.1 and 3.1. */
#include "push-daemon/sse.h"

#include "unit.h"

#include <string.h>

#include "push-daemon/msg.h"

#define MAX_BYTES 4096

static const struct slice none = {NULL, 0};

static void assert_event(struct slice type, struct slice id, struct slice data,
                         const char *expected)
{
    struct buf b;

    buf_init(&b, MAX_BYTES);
    sse_put_event(&b, type, id, data);
    assert_false(buf_failed(&b));
    assert_string_equal(buf_str(&b), expected);
    buf_clear(&b);
}

static void test_frames_events(void **state)
{
    (void)state;
    assert_event(slice_of("message.new"), none, slice_of("{\"eid\":1}"),
                 "event: message.new\ndata: {\"eid\":1}\n\n");
    assert_event(slice_of("mark"), slice_of("0123abcd-1:2:"), slice_of("{}"),
                 "event: mark\nid: 0123abcd-1:2:\ndata: {}\n\n");
    assert_event(none, none, slice_of("x"), "data: x\n\n");
    assert_event(slice_of("e"), none, none, "event: e\ndata: \n\n");
}

/* Whatever the data, its lines stay data. */
static void test_splits_data_at_every_kind_of_line_end(void **state)
{
    (void)state;
    assert_event(none, none, slice_of("a\nid: 9\r\n\r\nevent: x\rretry: 1"),
                 "data: a\ndata: id: 9\ndata: \ndata: event: x\ndata: retry: 1\n\n");
    assert_event(none, none, slice_of("\n"), "data: \ndata: \n\n");
    assert_event(none, none, slice_of("a\r"), "data: a\ndata: \n\n");
}

static void test_leaves_out_fields_that_would_inject(void **state)
{
    (void)state;
    assert_event(slice_of("a\nid: 1"), slice_of("1\r2"), slice_of("x"), "data: x\n\n");
    assert_event(slice_of("t"), (struct slice){"1\0002", 3}, slice_of("x"),
                 "event: t\ndata: x\n\n");
}

static void test_puts_comments_and_retry(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, MAX_BYTES);
    sse_put_comment(&b, slice_of("a\nb"));
    sse_put_retry(&b, 2500);
    assert_string_equal(buf_str(&b), ": a\n: b\n\nretry: 2500\n");
    buf_clear(&b);
}

static void test_messages_are_counted_and_keep_what_they_are(void **state)
{
    static const struct {
        const char *type;
        enum msg_kind kind;
    } kinds[] = {{"message.new", MSG_OTHER},
                 {"member.join", MSG_JOIN},
                 {"member.leave", MSG_LEAVE},
                 {"member.leaver", MSG_OTHER},
                 {"session.end", MSG_SESSION_END}};

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct msg_event event = {.id = 7,
                                  .xid = 8,
                                  .room_id = 9,
                                  .user_id = 10,
                                  .type = slice_of(kinds[i].type),
                                  .data = slice_of("{}")};
        struct msg *m = msg_from_event(&event);

        assert_non_null(m);
        assert_int_equal(m->kind, kinds[i].kind);
        assert_int_equal(m->id, 7);
        assert_int_equal(m->xid, 8);
        assert_int_equal(m->room_id, 9);
        assert_int_equal(m->user_id, 10);
        assert_int_equal(m->refs, 1);
        assert_ptr_equal(msg_ref(m), m);
        msg_unref(m);
        assert_memory_equal(m->bytes, "event: ", 7);
        msg_unref(m);
    }
    msg_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_events),
        cmocka_unit_test(test_splits_data_at_every_kind_of_line_end),
        cmocka_unit_test(test_leaves_out_fields_that_would_inject),
        cmocka_unit_test(test_puts_comments_and_retry),
        cmocka_unit_test(test_messages_are_counted_and_keep_what_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
