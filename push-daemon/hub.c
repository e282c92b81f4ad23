/*
 * hub: see hub.h. While a message is being published, deliver may close connections, and with the
 * last one its user goes: users and rooms that become empty then are only put aside and freed when
 * publishing is over, so the lists being walked stay whole.
 */
#include "hub.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROOMS_FIRST_CAP 2 /* of a user: most are in few */

struct hub_room {
    int64_t id;
    struct list members; /* struct hub_member, linked by in_room */
    size_t member_count;
    struct list in_unused;
};

struct hub_user {
    int64_t id;
    struct list subs;            /* struct hub_sub */
    struct hub_member **members; /* owned, array and members; by room id, ascending */
    size_t member_count, member_cap;
    uint64_t room_sum; /* of the ids of his rooms: a cheap way to tell a difference */
    uint64_t signal;   /* the number of the last one that he got */
    struct list in_unused;
};

/* One user in one room: freed by member_remove alone. */
struct hub_member {
    struct list in_room;
    struct hub_room *room; /* borrowed: lives as long as it has members */
    struct hub_user *user; /* borrowed: outlives his memberships */
    int64_t since;
};

void hub_init(struct hub *h, hub_deliver_fn deliver)
{
    *h = (struct hub){.deliver = deliver};
    map_init(&h->users);
    map_init(&h->rooms);
    list_init(&h->unused_users);
    list_init(&h->unused_rooms);
}

static struct hub_user *user_find(const struct hub *h, int64_t id)
{
    return map_get(&h->users, (uint64_t)id);
}

static struct hub_room *room_find(const struct hub *h, int64_t id)
{
    return map_get(&h->rooms, (uint64_t)id);
}

static struct hub_user *user_get(struct hub *h, int64_t id)
{
    struct hub_user *user = user_find(h, id);

    if (user != NULL) {
        return user;
    }
    user = calloc(1, sizeof *user);
    if (user == NULL) {
        return NULL;
    }
    user->id = id;
    list_init(&user->subs);
    list_init(&user->in_unused);
    if (!map_put(&h->users, (uint64_t)id, user)) {
        free(user);
        return NULL;
    }
    return user;
}

static struct hub_room *room_get(struct hub *h, int64_t id)
{
    struct hub_room *room = room_find(h, id);

    if (room != NULL) {
        return room;
    }
    room = calloc(1, sizeof *room);
    if (room == NULL) {
        return NULL;
    }
    room->id = id;
    list_init(&room->members);
    list_init(&room->in_unused);
    if (!map_put(&h->rooms, (uint64_t)id, room)) {
        free(room);
        return NULL;
    }
    return room;
}

/* Frees a room without members, now or, if somebody may be walking it, later. */
static void room_release(struct hub *h, struct hub_room *room)
{
    if (!list_empty(&room->members)) {
        return;
    }
    list_remove(&room->in_unused);
    if (h->publishing) {
        list_append(&h->unused_rooms, &room->in_unused);
        return;
    }
    map_remove(&h->rooms, (uint64_t)room->id);
    free(room);
}

/* The place that the user's membership of a room has, or would have, among his. */
static size_t member_place(const struct hub_user *user, int64_t room_id)
{
    size_t low = 0, high = user->member_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (user->members[middle]->room->id < room_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_member_at(const struct hub_user *user, size_t place, int64_t room_id)
{
    return place < user->member_count && user->members[place]->room->id == room_id;
}

static struct hub_member *member_find(const struct hub_user *user, int64_t room_id)
{
    size_t place = member_place(user, room_id);

    return is_member_at(user, place, room_id) ? user->members[place] : NULL;
}

/* Makes sure of a place for one more. */
static bool members_grow(struct hub_user *user)
{
    if (user->member_count < user->member_cap) {
        return true;
    }
    size_t cap = user->member_cap == 0 ? ROOMS_FIRST_CAP : user->member_cap * 2;
    struct hub_member **members = realloc(user->members, cap * sizeof(struct hub_member *));

    if (members == NULL) {
        return false;
    }
    user->members = members;
    user->member_cap = cap;
    return true;
}

/* Of a room that the user is not in. */
static bool member_add(struct hub *h, struct hub_user *user, int64_t room_id, int64_t since)
{
    size_t place = member_place(user, room_id);
    struct hub_member *member = members_grow(user) ? calloc(1, sizeof *member) : NULL;
    struct hub_room *room = member == NULL ? NULL : room_get(h, room_id);

    if (room == NULL) {
        free(member);
        return false;
    }
    *member = (struct hub_member){.room = room, .user = user, .since = since};
    list_append(&room->members, &member->in_room);
    room->member_count++;
    memmove(&user->members[place + 1], &user->members[place],
            (user->member_count - place) * sizeof(struct hub_member *));
    user->members[place] = member;
    user->member_count++;
    user->room_sum += (uint64_t)room_id;
    return true;
}

static void member_remove(struct hub *h, struct hub_user *user, size_t place)
{
    struct hub_member *member = user->members[place];
    struct hub_room *room = member->room;

    list_remove(&member->in_room);
    room->member_count--;
    user->member_count--;
    memmove(&user->members[place], &user->members[place + 1],
            (user->member_count - place) * sizeof(struct hub_member *));
    user->room_sum -= (uint64_t)room->id;
    free(member);
    room_release(h, room);
}

static void user_drop_rooms(struct hub *h, struct hub_user *user)
{
    while (user->member_count > 0) {
        member_remove(h, user, user->member_count - 1);
    }
}

/* The same for a user without subscribers; his memberships go with him. */
static void user_release(struct hub *h, struct hub_user *user)
{
    if (!list_empty(&user->subs)) {
        return;
    }
    list_remove(&user->in_unused);
    if (h->publishing) {
        list_append(&h->unused_users, &user->in_unused);
        return;
    }
    user_drop_rooms(h, user);
    map_remove(&h->users, (uint64_t)user->id);
    free(user->members);
    free(user);
}

void hub_clear(struct hub *h)
{
    assert(h->users.count == 0 && h->rooms.count == 0);
    map_clear(&h->users);
    map_clear(&h->rooms);
}

bool hub_attach(struct hub *h, struct hub_sub *sub, int64_t user_id)
{
    struct hub_user *user = user_get(h, user_id);

    if (user == NULL) {
        return false;
    }
    assert(sub->user == NULL);
    bool first = list_empty(&user->subs);

    sub->user = user;
    list_append(&user->subs, &sub->in_user);
    if (first && h->watch.came != NULL) {
        h->watch.came(h->watch.ctx, user_id);
    }
    return true;
}

void hub_detach(struct hub *h, struct hub_sub *sub)
{
    struct hub_user *user = sub->user;

    if (user == NULL) {
        return;
    }
    list_remove(&sub->in_user);
    sub->user = NULL;
    if (list_empty(&user->subs) && h->watch.left != NULL) {
        h->watch.left(h->watch.ctx, user->id);
    }
    user_release(h, user);
}

enum hub_sync hub_set_rooms(struct hub *h, int64_t user_id, const struct hub_membership *rooms,
                            size_t count)
{
    struct hub_user *user = user_find(h, user_id);
    uint64_t sum = 0;

    assert(user != NULL && !h->publishing);
    for (size_t i = 0; i < count; i++) {
        sum += (uint64_t)rooms[i].room_id;
    }
    if (user->member_count == count && user->room_sum == sum) {
        return HUB_SAME;
    }
    user_drop_rooms(h, user);
    for (size_t i = 0; i < count; i++) {
        if (!member_add(h, user, rooms[i].room_id, rooms[i].since)) {
            return HUB_NO_MEMORY;
        }
    }
    return HUB_CHANGED;
}

static void deliver_to_user(struct hub *h, struct hub_user *user, struct msg *m, bool bulk)
{
    struct list *node, *tmp;

    list_for_each_safe(node, tmp, &user->subs)
    {
        struct hub_sub *sub = list_entry(node, struct hub_sub, in_user);

        if (filter_passes(sub->filter, m, user->id)) {
            h->deliver(sub, m, bulk);
        }
    }
}

/* Whether m is for the user by his memberships of now: what is said in a room he is in, from his
 * join on; and what is said to him alone, unless it is about a room that he is not in. */
static bool user_may_see(const struct hub_user *user, const struct msg *m)
{
    bool own = m->user_id == user->id;

    if (own && (m->room_id == 0 || m->kind == MSG_LEAVE)) {
        return true;
    }
    const struct hub_member *member = m->room_id == 0 ? NULL : member_find(user, m->room_id);

    /* Only the join itself has the very id that the membership begins at. */
    return member != NULL && m->id >= member->since && (own || m->kind != MSG_ROOM_NEW);
}

/* To all members but the one whom m is about, who has it already. */
static void deliver_to_room(struct hub *h, struct hub_room *room, struct msg *m)
{
    bool bulk = room->member_count > HUB_BULK_MEMBERS;
    struct list *node, *tmp;

    list_for_each_safe(node, tmp, &room->members)
    {
        struct hub_member *member = list_entry(node, struct hub_member, in_room);

        if (m->id > member->since && m->user_id != member->user->id) {
            deliver_to_user(h, member->user, m, bulk);
        }
    }
}

static void end_publishing(struct hub *h)
{
    h->publishing = false;
    while (!list_empty(&h->unused_users)) {
        struct hub_user *user = list_entry(h->unused_users.next, struct hub_user, in_unused);

        list_remove(&user->in_unused);
        user_release(h, user);
    }
    while (!list_empty(&h->unused_rooms)) {
        struct hub_room *room = list_entry(h->unused_rooms.next, struct hub_room, in_unused);

        list_remove(&room->in_unused);
        room_release(h, room);
    }
}

/* A join that is known already (its user's streams were attached by a later snapshot, or the feed
 * repeats itself after a reconnect) changes nothing. */
static bool apply_join(struct hub *h, const struct msg *m)
{
    struct hub_user *user = user_find(h, m->user_id);

    if (user == NULL || list_empty(&user->subs) || member_find(user, m->room_id) != NULL) {
        return true;
    }
    return member_add(h, user, m->room_id, m->id);
}

static void apply_leave(struct hub *h, const struct msg *m)
{
    struct hub_user *user = user_find(h, m->user_id);
    size_t place = user == NULL ? 0 : member_place(user, m->room_id);

    if (user != NULL && is_member_at(user, place, m->room_id)) {
        member_remove(h, user, place);
    }
}

bool hub_publish(struct hub *h, struct msg *m)
{
    bool whole = m->kind != MSG_JOIN || apply_join(h, m);
    struct hub_room *room = m->room_id == 0 ? NULL : room_find(h, m->room_id);
    struct hub_user *user = m->user_id == 0 ? NULL : user_find(h, m->user_id);

    assert(!h->publishing);
    h->publishing = true;
    if (user != NULL && user_may_see(user, m)) {
        deliver_to_user(h, user, m, false);
    }
    if (room != NULL && m->kind != MSG_ROOM_NEW) {
        deliver_to_room(h, room, m);
    }
    end_publishing(h);
    if (m->kind == MSG_LEAVE) {
        apply_leave(h, m);
    }
    return whole;
}

/* To all members but the one whom it is about and those who got it by another room. */
static void signal_room(struct hub *h, struct hub_room *room, struct msg *m, int64_t user_id)
{
    bool bulk = room->member_count > HUB_BULK_MEMBERS;
    struct list *node, *tmp;

    list_for_each_safe(node, tmp, &room->members)
    {
        struct hub_user *user = list_entry(node, struct hub_member, in_room)->user;

        if (user->id != user_id && user->signal != h->signals) {
            user->signal = h->signals;
            deliver_to_user(h, user, m, bulk);
        }
    }
}

void hub_signal(struct hub *h, struct msg *m, int64_t user_id, const int64_t *rooms, size_t count)
{
    assert(!h->publishing);
    h->publishing = true;
    h->signals++;
    for (size_t i = 0; i < count; i++) {
        struct hub_room *room = room_find(h, rooms[i]);

        if (room != NULL) {
            signal_room(h, room, m, user_id);
        }
    }
    end_publishing(h);
}

bool hub_may_see(const struct hub_sub *sub, const struct msg *m)
{
    return user_may_see(sub->user, m) && filter_passes(sub->filter, m, sub->user->id);
}

bool hub_has_others(const struct hub_sub *sub)
{
    return sub->user->subs.next != sub->user->subs.prev;
}

size_t hub_user_count(const struct hub *h)
{
    return h->users.count;
}

size_t hub_room_count(const struct hub *h)
{
    return h->rooms.count;
}

void hub_each_sub(struct hub *h, int64_t user_id, void (*fn)(struct hub_sub *sub))
{
    struct hub_user *user = user_find(h, user_id);
    struct list *node, *tmp;

    if (user == NULL) {
        return;
    }
    h->publishing = true; /* the user must outlive the walk */
    list_for_each_safe(node, tmp, &user->subs)
    {
        fn(list_entry(node, struct hub_sub, in_user));
    }
    end_publishing(h);
}
