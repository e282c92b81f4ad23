/*
 * hub: who is to get what. Rooms have members, members are users, users have subscribers (their
 * open streams): membership is held once a user, so five tabs cost one. The hub knows no transport,
 * no socket and no database; a message leaves it through one function.
 *
 * Membership follows the event log: publishing a member.join attaches its user before the event is
 * delivered, publishing a member.leave detaches him after it. So in the order of the log nobody
 * gets what came after his leave.
 */
#ifndef PUSH_HUB_H
#define PUSH_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/map.h"
#include "filter.h"
#include "msg.h"

/* A room with more members is served behind the others (see hub_deliver_fn). */
#define HUB_BULK_MEMBERS 200

/* One place to deliver to; embedded in a connection. */
struct hub_sub {
    struct list in_user;   /* among the subscribers of user */
    struct hub_user *user; /* borrowed: lives as long as it has subscribers; NULL: not attached */
    const struct filter *filter; /* borrowed: outlives the attachment; NULL: all rooms */
};

/* Told when a user gets his first subscriber, and when he has lost his last one. */
struct hub_watch {
    void (*came)(void *ctx, int64_t user_id); /* NULL: nobody asks */
    void (*left)(void *ctx, int64_t user_id);
    void *ctx; /* borrowed: outlives the hub */
};

/*
 * Takes m for sub (the reference is the hub's: take one of your own to keep it). bulk: m goes to so
 * many that others may go first. May detach sub, but no other one, and must not publish.
 */
typedef void (*hub_deliver_fn)(struct hub_sub *sub, struct msg *m, bool bulk);

struct hub {
    struct map users;         /* by user id; owns struct hub_user */
    struct map rooms;         /* by room id; owns struct hub_room */
    struct list unused_users; /* became empty while publishing */
    struct list unused_rooms;
    bool publishing;
    uint64_t signals; /* told so far */
    hub_deliver_fn deliver;
    struct hub_watch watch; /* set before the first subscriber */
};

/* A membership as SQL tells it. */
struct hub_membership {
    int64_t room_id;
    int64_t since; /* events up to this id are not for the member */
};

void hub_init(struct hub *h, hub_deliver_fn deliver);
/* All subscribers must have been detached. */
void hub_clear(struct hub *h);

/* Makes sub one of the user's. False when out of memory. */
bool hub_attach(struct hub *h, struct hub_sub *sub, int64_t user_id)
    __attribute__((warn_unused_result));
/* Repeating it is harmless. The last subscriber's user is forgotten with his memberships. */
void hub_detach(struct hub *h, struct hub_sub *sub);

enum hub_sync { HUB_SAME, HUB_CHANGED, HUB_NO_MEMORY };
/* Makes the memberships of an attached user exactly these. */
enum hub_sync hub_set_rooms(struct hub *h, int64_t user_id, const struct hub_membership *rooms,
                            size_t count) __attribute__((warn_unused_result));

/* Delivers m to the members of its room and to its user, once to each subscriber, and applies it
 * when it is a join or a leave. False when, for want of memory, the user did not join. */
bool hub_publish(struct hub *h, struct msg *m) __attribute__((warn_unused_result));

/* Delivers a signal (no event: it is in no log, and no mark covers it) about that user to the
 * members of these rooms, once to each subscriber, but not to his own. */
void hub_signal(struct hub *h, struct msg *m, int64_t user_id, const int64_t *rooms, size_t count);

/* Whether an old event is for this subscriber's user, by his memberships of now. */
bool hub_may_see(const struct hub_sub *sub, const struct msg *m);

/* Whether the user of this subscriber has others too, so that his memberships are known. */
bool hub_has_others(const struct hub_sub *sub);
size_t hub_user_count(const struct hub *h);
size_t hub_room_count(const struct hub *h);

/* Calls fn for each subscriber of the user; fn may detach the one it is given. */
void hub_each_sub(struct hub *h, int64_t user_id, void (*fn)(struct hub_sub *sub));

#endif
