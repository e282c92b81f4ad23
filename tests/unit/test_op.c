/* Tests of op: what a WebSocket's client says, and what it is answered. */
#include "push-daemon/op.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_BYTES 512

static const struct {
    const char *text;
    struct op op;
} good[] = {
    {"{\"op\":\"ping\"}", {.kind = OP_PING}},
    {"{\"op\":\"ping\",\"ref\":\"a\"}", {.kind = OP_PING, .ref = "\"a\""}},
    {"{\"op\":\"ping\",\"ref\":-7}", {.kind = OP_PING, .ref = "-7"}},
    {"{\"op\":\"ping\",\"ref\":\"\\\"\\n\"}", {.kind = OP_PING, .ref = "\"\\\"\\n\""}},
    {" { \"op\" : \"ping\", \"more\" : [1] } ", {.kind = OP_PING}},
    {"{\"op\":\"ping\",\"ref\":1.5}", {.kind = OP_PING}},
    {"{\"op\":\"ping\",\"ref\":{\"a\":1}}", {.kind = OP_PING}},
    {"{\"op\":\"typing\",\"room\":3,\"state\":\"start\"}",
     {.kind = OP_TYPING, .room_id = 3, .started = true}},
    {"{\"op\":\"typing\",\"room\":3,\"state\":\"stop\"}", {.kind = OP_TYPING, .room_id = 3}},
    {"{\"op\":\"receipt\",\"ref\":1,\"room\":3,\"seq\":9,\"kind\":\"read\"}",
     {.kind = OP_RECEIPT, .ref = "1", .room_id = 3, .seq = 9, .read = true}},
    {"{\"op\":\"receipt\",\"room\":9223372036854775807,\"seq\":1,\"kind\":\"delivered\"}",
     {.kind = OP_RECEIPT, .room_id = INT64_MAX, .seq = 1}},
};

static const struct {
    const char *text;
    enum confab_err err;
    const char *ref;
} bad[] = {
    {"", CONFAB_BAD_REQUEST, ""},
    {"ping", CONFAB_BAD_REQUEST, ""},
    {"[]", CONFAB_BAD_REQUEST, ""},
    {"\"ping\"", CONFAB_BAD_REQUEST, ""},
    {"{\"op\":\"ping\"} {}", CONFAB_BAD_REQUEST, ""},
    {"{\"op\":\"ping\",\"op\":\"ping\"}", CONFAB_BAD_REQUEST, ""},
    {"{\"op\":\"ping\",\"ref\":99999999999999999999}", CONFAB_BAD_REQUEST, ""},
    {"{}", CONFAB_INVALID, ""},
    {"{\"ref\":5}", CONFAB_INVALID, "5"},
    {"{\"op\":1,\"ref\":5}", CONFAB_INVALID, "5"},
    {"{\"op\":\"Ping\",\"ref\":5}", CONFAB_INVALID, "5"},
    {"{\"op\":\"typing\",\"ref\":5}", CONFAB_INVALID, "5"},
    {"{\"op\":\"typing\",\"room\":3}", CONFAB_INVALID, ""},
    {"{\"op\":\"typing\",\"room\":3,\"state\":\"on\"}", CONFAB_INVALID, ""},
    {"{\"op\":\"typing\",\"room\":\"3\",\"state\":\"start\"}", CONFAB_INVALID, ""},
    {"{\"op\":\"typing\",\"room\":0,\"state\":\"start\"}", CONFAB_INVALID, ""},
    {"{\"op\":\"typing\",\"room\":-1,\"state\":\"start\"}", CONFAB_INVALID, ""},
    {"{\"op\":\"typing\",\"room\":1.0,\"state\":\"start\"}", CONFAB_INVALID, ""},
    {"{\"op\":\"receipt\",\"room\":3,\"kind\":\"read\"}", CONFAB_INVALID, ""},
    {"{\"op\":\"receipt\",\"room\":3,\"seq\":1}", CONFAB_INVALID, ""},
    {"{\"op\":\"receipt\",\"seq\":1,\"kind\":\"read\"}", CONFAB_INVALID, ""},
};

static void test_reads_what_it_knows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct op op;

        if (op_parse(slice_of(good[i].text), &op) != CONFAB_OK) {
            fail_msg("refused: %s", good[i].text);
        }
        assert_int_equal(op.kind, good[i].op.kind);
        assert_string_equal(op.ref, good[i].op.ref);
        assert_int_equal(op.room_id, good[i].op.room_id);
        assert_int_equal(op.seq, good[i].op.seq);
        assert_int_equal(op.started, good[i].op.started);
        assert_int_equal(op.read, good[i].op.read);
    }
}

static void test_refuses_the_rest_with_its_ref(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct op op;

        if (op_parse(slice_of(bad[i].text), &op) != bad[i].err) {
            fail_msg("not refused as it should: %s", bad[i].text);
        }
        assert_string_equal(op.ref, bad[i].ref);
    }
}

static void test_a_long_ref_is_none(void **state)
{
    char text[256];
    struct op op;

    (void)state;
    for (int n = OP_REF_MAX_BYTES - 4; n < OP_REF_MAX_BYTES + 4; n++) {
        snprintf(text, sizeof text, "{\"op\":\"ping\",\"ref\":\"%0*d\"}", n, 0);
        assert_int_equal(op_parse(slice_of(text), &op), CONFAB_OK);
        /* With its quotes. */
        assert_int_equal(strlen(op.ref), n + 2 <= OP_REF_MAX_BYTES ? n + 2 : 0);
    }
}

static void test_answers(void **state)
{
    static const struct op ping = {.kind = OP_PING, .ref = "\"x\""};
    static const struct op typing = {.kind = OP_TYPING};
    struct buf b;

    (void)state;
    buf_init(&b, ANSWER_BYTES);
    op_put_done(&ping, &b);
    assert_string_equal(buf_str(&b), "{\"type\":\"pong\",\"ref\":\"x\"}");
    buf_reset(&b);
    op_put_done(&typing, &b);
    assert_string_equal(buf_str(&b), "{\"type\":\"ack\"}");
    buf_reset(&b);
    op_put_error(&ping, CONFAB_NOT_FOUND, &b);
    assert_string_equal(
        buf_str(&b),
        "{\"type\":\"error\",\"ref\":\"x\",\"code\":\"not_found\",\"title\":\"Not found\"}");
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_it_knows),
        cmocka_unit_test(test_refuses_the_rest_with_its_ref),
        cmocka_unit_test(test_a_long_ref_is_none),
        cmocka_unit_test(test_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
