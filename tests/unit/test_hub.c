/* Tests of hub: who gets what, in the order of the log, also while subscribers go. */
#include "push-daemon/hub.h"

#include "unit.h"

#include "push.h"

#define SUBS     8
#define GOT_MAX  32
#define ROOM     100
#define ROOM_TWO 200

/* A subscriber that notes what it gets, and does something on the way. */
struct screen {
    struct hub_sub sub;
    int64_t got[GOT_MAX];
    int count;
    bool bulk;
    bool closes; /* when it gets the next message */
};

static struct hub hub;
static struct screen screens[SUBS];

static void note(struct hub_sub *sub, struct msg *m, bool bulk)
{
    struct screen *s = list_entry(sub, struct screen, sub);

    assert_true(s->count < GOT_MAX);
    s->got[s->count++] = m->id;
    s->bulk = bulk;
    if (s->closes) {
        hub_detach(&hub, &s->sub);
    }
}

static int set_up(void **state)
{
    (void)state;
    hub_init(&hub, note);
    memset(screens, 0, sizeof screens);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < SUBS; i++) {
        hub_detach(&hub, &screens[i].sub);
    }
    hub_clear(&hub);
    return 0;
}

/* Screen i becomes one of user's, who is in the rooms given (0: none). */
static void attach(int i, int64_t user_id, int64_t room_a, int64_t since_a, int64_t room_b)
{
    struct hub_membership rooms[] = {{room_a, since_a}, {room_b, 0}};
    size_t count = (size_t)(room_a != 0) + (size_t)(room_b != 0);

    assert_true(hub_attach(&hub, &screens[i].sub, user_id));
    assert_int_not_equal(hub_set_rooms(&hub, user_id, rooms, count), HUB_NO_MEMORY);
}

static void publish(int64_t id, int64_t room_id, int64_t user_id, const char *type)
{
    struct msg *m = event_of(id, 1, room_id, user_id, type);

    assert_true(hub_publish(&hub, m));
    assert_int_equal(m->refs, 1);
    msg_unref(m);
}

static void assert_got(int i, int count, ...)
{
    va_list ids;

    va_start(ids, count);
    assert_int_equal(screens[i].count, count);
    for (int n = 0; n < count; n++) {
        assert_int_equal(screens[i].got[n], va_arg(ids, int));
    }
    va_end(ids);
}

static void test_rooms_and_users(void **state)
{
    (void)state;
    attach(0, 1, ROOM, 0, ROOM_TWO);
    attach(1, 1, ROOM, 0, ROOM_TWO);
    attach(2, 2, ROOM, 0, 0);
    attach(3, 3, 0, 0, 0);
    publish(11, ROOM, 0, "message.new");
    publish(12, ROOM_TWO, 0, "message.new");
    publish(13, ROOM, 2, "room.new");
    publish(14, 999, 0, "message.new");
    publish(15, ROOM, 999, "room.new");
    assert_got(0, 2, 11, 12);
    assert_got(1, 2, 11, 12);
    assert_got(2, 2, 11, 13);
    assert_got(3, 0);
    assert_int_equal(hub_user_count(&hub), 3);
    assert_int_equal(hub_room_count(&hub), 2);
}

/* A room's event that also has a user is for both, once each. */
static void test_once_to_each(void **state)
{
    (void)state;
    attach(0, 1, ROOM, 0, 0);
    attach(1, 2, ROOM, 0, 0);
    publish(11, ROOM, 1, "receipt.read");
    publish(12, ROOM, 2, "receipt.read");
    publish(13, 999, 2, "receipt.read");
    assert_got(0, 2, 11, 12);
    assert_got(1, 2, 11, 12);
}

static void test_join_and_leave_in_order(void **state)
{
    (void)state;
    attach(0, 1, ROOM, 0, 0);
    attach(1, 2, 0, 0, 0);
    publish(11, ROOM, 0, "message.new");
    publish(12, ROOM, 2, "member.join");
    publish(13, ROOM, 0, "message.new");
    publish(14, ROOM, 2, "member.leave");
    publish(15, ROOM, 0, "message.new");
    publish(16, ROOM, 1, "member.leave");
    publish(17, ROOM, 0, "message.new");
    assert_got(0, 6, 11, 12, 13, 14, 15, 16);
    assert_got(1, 3, 12, 13, 14);
    assert_int_equal(hub_room_count(&hub), 0);
}

/* All of a person's screens follow his membership, also one opened later. */
static void test_all_screens_of_a_member(void **state)
{
    (void)state;
    attach(0, 1, 0, 0, 0);
    publish(11, ROOM, 1, "member.join");
    assert_false(hub_has_others(&screens[0].sub));
    assert_true(hub_attach(&hub, &screens[1].sub, 1));
    assert_true(hub_has_others(&screens[1].sub));
    publish(12, ROOM, 0, "message.new");
    publish(13, ROOM, 1, "member.leave");
    publish(14, ROOM, 0, "message.new");
    assert_got(0, 3, 11, 12, 13);
    assert_got(1, 2, 12, 13);
}

static void test_since(void **state)
{
    (void)state;
    attach(0, 1, ROOM, 20, 0);
    publish(19, ROOM, 0, "message.new");
    publish(20, ROOM, 1, "member.join");
    publish(21, ROOM, 0, "message.new");
    assert_got(0, 2, 20, 21);
}

static void test_may_see(void **state)
{
    static const struct {
        int64_t id, room_id, user_id;
        const char *type;
        bool may;
    } cases[] = {
        {21, ROOM, 0, "x", true},
        {19, ROOM, 0, "x", false}, /* of before the join */
        {20, ROOM, 1, "member.join", true},
        {19, ROOM, 1, "member.join", false}, /* an earlier one */
        {21, ROOM_TWO, 0, "x", false},
        {21, ROOM_TWO, 1, "x", false}, /* his own, about a room he is not in */
        {21, ROOM_TWO, 1, "room.new", false},
        {21, ROOM_TWO, 1, "member.leave", true},
        {21, 0, 1, "x", true},
        {21, 0, 2, "x", false},
        {21, ROOM, 2, "x", true},
        {21, ROOM, 1, "room.new", true},
        {21, ROOM, 2, "room.new", false}, /* for the other newcomer alone */
    };

    (void)state;
    attach(0, 1, ROOM, 20, 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct msg *m = event_of(cases[i].id, 1, cases[i].room_id, cases[i].user_id, cases[i].type);

        assert_int_equal(hub_may_see(&screens[0].sub, m), cases[i].may);
        msg_unref(m);
    }
}

static void test_set_rooms(void **state)
{
    const struct hub_membership same[] = {{ROOM, 0}, {ROOM_TWO, 0}};

    (void)state;
    attach(0, 1, ROOM, 0, ROOM_TWO);
    assert_int_equal(hub_set_rooms(&hub, 1, same, 2), HUB_SAME);
    assert_int_equal(hub_set_rooms(&hub, 1, same, 1), HUB_CHANGED);
    assert_int_equal(hub_room_count(&hub), 1);
    publish(11, ROOM_TWO, 0, "message.new");
    assert_got(0, 0);
}

/* Who closes while he is served goes, and perhaps his user with him; nobody else is missed out. */
static void test_detach_while_publishing(void **state)
{
    (void)state;
    for (int i = 0; i < SUBS; i++) {
        attach(i, 1 + i / 2, ROOM, 0, 0);
    }
    screens[0].closes = screens[3].closes = screens[4].closes = screens[5].closes = true;
    publish(11, ROOM, 0, "message.new");
    for (int i = 0; i < SUBS; i++) {
        assert_int_equal(screens[i].count, 1);
    }
    assert_int_equal(hub_user_count(&hub), 3);
    publish(12, ROOM, 0, "message.new");
    for (int i = 0; i < SUBS; i++) {
        assert_int_equal(screens[i].count, screens[i].closes ? 1 : 2);
    }
}

/* The last of a room goes while it is being served. */
static void test_everybody_leaves_while_publishing(void **state)
{
    (void)state;
    attach(0, 1, ROOM, 0, 0);
    attach(1, 2, ROOM, 0, 0);
    screens[0].closes = screens[1].closes = true;
    publish(11, ROOM, 1, "member.leave");
    assert_int_equal(hub_user_count(&hub), 0);
    assert_int_equal(hub_room_count(&hub), 0);
}

/* ---- Many rooms ---- */

#define MANY_USERS 3
#define MANY_ROOMS 150
#define MANY_STEPS 3000

/* What memberships there should be, by user and room, both from 1; 0: none. */
static int64_t sinces[MANY_USERS + 1][MANY_ROOMS + 1];

/* Puts the user into each room with the same chance, as SQL tells it. */
static void set_rooms_at_random(int64_t user_id, int64_t id)
{
    struct hub_membership rooms[MANY_ROOMS];
    size_t count = 0;
    long chance = random() % 101;

    for (int64_t room = 1; room <= MANY_ROOMS; room++) {
        bool is_in = random() % 100 < chance;

        sinces[user_id][room] = is_in ? id : 0;
        if (is_in) {
            rooms[count++] = (struct hub_membership){room, id};
        }
    }
    /* First none: the same rooms would stay as they were. */
    assert_int_not_equal(hub_set_rooms(&hub, user_id, NULL, 0), HUB_NO_MEMORY);
    assert_int_not_equal(hub_set_rooms(&hub, user_id, rooms, count), HUB_NO_MEMORY);
}

static void join_or_leave_at_random(int64_t user_id, int64_t id)
{
    int64_t room = 1 + random() % MANY_ROOMS;
    bool joins = random() % 2 == 0;

    publish(id, room, user_id, joins ? "member.join" : "member.leave");
    if (!joins) {
        sinces[user_id][room] = 0;
    } else if (sinces[user_id][room] == 0) {
        sinces[user_id][room] = id;
    }
}

static bool may_see(int i, struct msg *m, int64_t id, int64_t room_id)
{
    m->id = id;
    m->room_id = room_id;
    return hub_may_see(&screens[i].sub, m);
}

static void check_many(struct msg *m)
{
    size_t rooms = 0;

    for (int64_t room = 1; room <= MANY_ROOMS; room++) {
        bool has_members = false;

        for (int user = 1; user <= MANY_USERS; user++) {
            int64_t since = sinces[user][room];

            assert_int_equal(may_see(user, m, INT64_MAX, room), since != 0);
            if (since != 0) {
                assert_true(may_see(user, m, since, room));
                assert_false(may_see(user, m, since - 1, room));
                has_members = true;
            }
        }
        rooms += has_members;
    }
    assert_int_equal(hub_room_count(&hub), rooms);
}

/* In whatever order they are entered and left, against a table. */
static void test_many_rooms(void **state)
{
    struct msg *m = event_of(1, 1, 0, 0, "x");

    (void)state;
    srandom(1);
    memset(sinces, 0, sizeof sinces);
    for (int user = 1; user <= MANY_USERS; user++) {
        attach(user, user, 0, 0, 0);
    }
    for (int64_t id = 1; id <= MANY_STEPS; id++) {
        int64_t user_id = 1 + random() % MANY_USERS;

        if (random() % 200 == 0) {
            set_rooms_at_random(user_id, id);
        } else {
            join_or_leave_at_random(user_id, id);
        }
        for (int i = 0; i < SUBS; i++) {
            screens[i].count = 0;
        }
        check_many(m);
    }
    msg_unref(m);
}

static void detach_one(struct hub_sub *sub)
{
    hub_detach(&hub, sub);
}

static void test_each_sub(void **state)
{
    (void)state;
    attach(0, 1, ROOM, 0, 0);
    attach(1, 1, ROOM, 0, 0);
    attach(2, 2, ROOM, 0, 0);
    hub_each_sub(&hub, 1, detach_one);
    hub_each_sub(&hub, 999, detach_one);
    assert_int_equal(hub_user_count(&hub), 1);
    publish(11, ROOM, 0, "message.new");
    assert_got(0, 0);
    assert_got(2, 1, 11);
}

static void test_bulk(void **state)
{
    struct screen *crowd = calloc(HUB_BULK_MEMBERS, sizeof *crowd);
    const struct hub_membership room = {ROOM, 0};

    (void)state;
    assert_non_null(crowd);
    attach(0, 1, ROOM, 0, 0);
    publish(11, ROOM, 0, "message.new");
    assert_false(screens[0].bulk);
    for (int i = 0; i < HUB_BULK_MEMBERS; i++) {
        assert_true(hub_attach(&hub, &crowd[i].sub, 1000 + i));
        assert_int_equal(hub_set_rooms(&hub, 1000 + i, &room, 1), HUB_CHANGED);
    }
    publish(12, ROOM, 0, "message.new");
    assert_true(screens[0].bulk);
    publish(13, ROOM, 1, "room.new");
    assert_false(screens[0].bulk);
    for (int i = 0; i < HUB_BULK_MEMBERS; i++) {
        hub_detach(&hub, &crowd[i].sub);
    }
    free(crowd);
}

/* ---- Signals, and who watches ---- */

/* Once to each, however many rooms are shared; nothing to the one whom it is about. */
static void test_signals(void **state)
{
    const int64_t rooms[] = {ROOM, 999, ROOM_TWO};
    struct msg *m = event_of(0, 0, 0, 0, "presence.online");

    (void)state;
    attach(0, 1, ROOM, 0, ROOM_TWO);
    attach(1, 1, ROOM, 0, ROOM_TWO);
    attach(2, 2, ROOM, 0, ROOM_TWO);
    attach(3, 3, ROOM_TWO, 0, 0);
    attach(4, 4, 300, 0, 0);
    screens[0].closes = true;
    hub_signal(&hub, m, 2, rooms, COUNT(rooms));
    hub_signal(&hub, m, 4, rooms, 0);
    assert_got(0, 1, 0);
    assert_got(1, 1, 0);
    assert_got(2, 0);
    assert_got(3, 1, 0);
    assert_got(4, 0);
    publish(11, ROOM, 2, "member.leave");
    hub_signal(&hub, m, 1, rooms, COUNT(rooms));
    assert_got(1, 2, 0, 11);
    assert_got(2, 2, 11, 0); /* by the other room */
    assert_got(3, 2, 0, 0);
    assert_int_equal(m->refs, 1);
    msg_unref(m);
}

static char watched[64];

static void came(void *ctx, int64_t user_id)
{
    size_t n = strlen(watched);

    assert_ptr_equal(ctx, watched);
    snprintf(watched + n, sizeof watched - n, " +%d", (int)user_id);
}

static void left(void *ctx, int64_t user_id)
{
    size_t n = strlen(watched);

    assert_ptr_equal(ctx, watched);
    snprintf(watched + n, sizeof watched - n, " -%d", (int)user_id);
}

static void test_first_and_last_are_told(void **state)
{
    (void)state;
    watched[0] = '\0';
    hub.watch = (struct hub_watch){.came = came, .left = left, .ctx = watched};
    attach(0, 1, ROOM, 0, 0);
    attach(1, 1, ROOM, 0, 0);
    attach(2, 2, ROOM, 0, 0);
    hub_detach(&hub, &screens[0].sub);
    hub_detach(&hub, &screens[0].sub);
    screens[1].closes = true;
    publish(11, ROOM, 0, "message.new");
    attach(1, 1, ROOM, 0, 0);
    assert_string_equal(watched, " +1 +2 -1 +1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rooms_and_users),
        TEST(test_once_to_each),
        TEST(test_join_and_leave_in_order),
        TEST(test_all_screens_of_a_member),
        TEST(test_since),
        TEST(test_may_see),
        TEST(test_set_rooms),
        TEST(test_detach_while_publishing),
        TEST(test_everybody_leaves_while_publishing),
        TEST(test_many_rooms),
        TEST(test_each_sub),
        TEST(test_bulk),
        TEST(test_signals),
        TEST(test_first_and_last_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
