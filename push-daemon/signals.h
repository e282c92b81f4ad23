/*
 * signals: what is told of who comes, goes and types: by a notification, and in no log. A signal
 * waits until a look at the log is over that began after it came, so that it passes no leave.
 * docs/protocol.md, section 9, is the text that this follows. Non-goals: what the JSON means.
 */
#ifndef PUSH_SIGNALS_H
#define PUSH_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"
#include "hub.h"
#include "stats.h"

#define SIGNALS_MAX            4096 /* that wait, … */
#define SIGNALS_MAX_BYTES      (4 * 1024 * 1024)
#define SIGNALS_TOLD_MAX       512 /* … and that are told at the end of one look */
#define SIGNALS_LEAVES_MAX     512
#define SIGNALS_LEAVES_KEPT_MS 5000

enum signal_kind {
    SIGNAL_FLEETING, /* typing, and what else is soon said again: dropped first */
    SIGNAL_PRESENCE,
    SIGNAL_KIND_MAX
};

/* Somebody left a room: a notification may arrive a moment after the look that saw it. */
struct signals_leave {
    int64_t room_id, user_id;
    int64_t at_ms;
};

struct signal; /* in signals.c */

struct signals_queue {
    struct signal *first, *last; /* owned; NULL: it is empty */
};

struct signals {
    struct stats *stats;                           /* borrowed */
    struct signals_queue arrived[SIGNAL_KIND_MAX]; /* since the last look began */
    struct signals_queue due[SIGNAL_KIND_MAX];     /* before: to be told when one is over */
    size_t count, bytes;
    struct signals_leave leaves[SIGNALS_LEAVES_MAX]; /* a circle */
    uint64_t first_leave, next_leave;                /* numbers, never used again */
    int64_t blind_until_ms; /* more have left than are kept: what is fleeting is not told */
};

void signals_init(struct signals *s, struct stats *stats);
void signals_clear(struct signals *s);

/* "TYPE USER ROOM,ROOM… JSON", as chat.signal_send notifies. What is not of that form is dropped.
 */
void signals_take(struct signals *s, struct slice payload);

/* What came before this may be told when the look that begins now is over. */
void signals_begin_look(struct signals *s);
/* That look, or a later one, has been published whole. True: more are due than are told at once;
 * look again. */
bool signals_tell(struct signals *s, struct hub *hub);

/* What the log says of memberships. */
void signals_left(struct signals *s, int64_t room_id, int64_t user_id);
void signals_joined(struct signals *s, int64_t room_id, int64_t user_id);

#endif
