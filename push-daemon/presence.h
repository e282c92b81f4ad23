/*
 * presence: tells the database who is connected here, by leases that are renewed in batches as long
 * as a user has a stream, and that run out by themselves when this process is no more. Who is
 * online, and whom that is told, is SQL's. docs/protocol.md, section 9. Non-goals: other daemons.
 */
#ifndef PUSH_PRESENCE_H
#define PUSH_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/map.h"
#include "common/settings.h"
#include "hub.h"
#include "work.h"

#define PRESENCE_BATCH        500  /* users in one statement, … */
#define PRESENCE_PACE_MS      250  /* … after which others have their turn at the database */
#define PRESENCE_SWEEP_MIN_MS 500  /* between two looks for those who went: part of the grace … */
#define PRESENCE_SWEEP_MAX_MS 4000 /* … within these bounds, … */
#define PRESENCE_MORE_MS      500  /* … and when there were more than one look takes */
#define PRESENCE_AGAIN_MS     1000 /* until those who could not be held are tried again */
#define PRESENCE_LINGER_MS    1000 /* until one who went is released: a new stream may follow */
#define PRESENCE_NAME_BYTES   48

/* The list that a user is in. */
enum presence_state {
    PRESENCE_HERE,  /* has streams; by when he was held, the longest ago first */
    PRESENCE_AGAIN, /* has streams, and could not be held */
    PRESENCE_GONE,  /* had streams; by when he went */
    PRESENCE_STATE_MAX
};

struct presence {
    const struct settings *settings; /* borrowed */
    struct work *work;               /* borrowed */
    char name[PRESENCE_NAME_BYTES];  /* the holder of this process's leases: new with each start */
    struct map users;                /* by id; owns struct presence_user, in presence.c */
    struct list states[PRESENCE_STATE_MAX];
    int64_t hold_ms;  /* when to hold more */
    int64_t sent_ms;  /* when those were held whom a statement under way holds */
    int64_t again_ms; /* when those who could not be held are tried again */
    int64_t sweep_ms; /* when to look for those who went */
    bool stopped;
};

/* Registers with work, and watches the hub. */
void presence_init(struct presence *p, const struct settings *settings, struct work *work,
                   struct hub *hub);
void presence_clear(struct presence *p);

/* The process is about to end: clients are coming back, to another one or to its successor, so
 * nobody is released any more. */
void presence_stop(struct presence *p);

#endif
