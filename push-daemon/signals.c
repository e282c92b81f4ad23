/*
 * signals: see signals.h.
 */
#include "signals.h"

#include <stdlib.h>

#include "clock.h"
#include "common/log.h"
#include "msg.h"

struct signal {
    struct signal *next; /* owned by the queue */
    struct msg *m;       /* counted */
    int64_t user_id;     /* whom it is about */
    size_t room_count;
    int64_t rooms[];
};

void signals_init(struct signals *s, struct stats *stats)
{
    *s = (struct signals){.stats = stats};
}

/* ---- Queues ---- */

static void append(struct signals_queue *q, struct signal *first, struct signal *last)
{
    if (q->first == NULL) {
        q->first = first;
    } else {
        q->last->next = first;
    }
    q->last = last;
}

static size_t footprint(const struct signal *signal)
{
    return sizeof *signal + signal->room_count * sizeof *signal->rooms + msg_footprint(signal->m);
}

/* Takes the first one out; the caller frees it. NULL: there is none. */
static struct signal *take_first(struct signals *s, struct signals_queue *q)
{
    struct signal *signal = q->first;

    if (signal != NULL) {
        q->first = signal->next;
        s->count--;
        s->bytes -= footprint(signal);
    }
    return signal;
}

static void signal_free(struct signal *signal)
{
    msg_unref(signal->m);
    free(signal);
}

/* Drops what matters least, of that the oldest. False: there is nothing. */
static bool drop_one(struct signals *s)
{
    for (int kind = 0; kind < SIGNAL_KIND_MAX; kind++) {
        bool any_due = s->due[kind].first != NULL;
        struct signal *signal = take_first(s, any_due ? &s->due[kind] : &s->arrived[kind]);

        if (signal != NULL) {
            signal_free(signal);
            return true;
        }
    }
    return false;
}

void signals_clear(struct signals *s)
{
    while (drop_one(s)) {
    }
}

/* ---- Arriving ---- */

/* Reads "1,2,3" into signal. */
static bool read_rooms(struct slice text, struct signal *signal)
{
    bool more = true;

    while (more) {
        struct slice number;

        more = slice_cut(text, ',', &number, &text);
        if (!str_to_i64(number, 1, INT64_MAX, &signal->rooms[signal->room_count++])) {
            return false;
        }
    }
    return true;
}

static struct msg *message_of(const struct signal *signal, struct slice type, struct slice data)
{
    struct msg_event event = {.type = type, .data = data};

    if (signal->room_count == 1) {
        event.room_id = signal->rooms[0];
    }
    return data.n > 0 && data.p[0] == '{' ? msg_from_event(&event) : NULL;
}

/* NULL: not of that form, or out of memory. */
static struct signal *signal_parse(struct slice type, struct slice rest)
{
    struct slice user, rooms, data;
    size_t max = 1;

    slice_cut(rest, ' ', &user, &rest);
    slice_cut(rest, ' ', &rooms, &data);
    for (size_t i = 0; i < rooms.n; i++) {
        max += rooms.p[i] == ',';
    }
    struct signal *signal = calloc(1, sizeof *signal + max * sizeof *signal->rooms);

    if (signal == NULL) {
        return NULL;
    }
    if (str_to_i64(user, 1, INT64_MAX, &signal->user_id) && read_rooms(rooms, signal)) {
        signal->m = message_of(signal, type, data);
    }
    if (signal->m == NULL) {
        free(signal);
        return NULL;
    }
    return signal;
}

void signals_take(struct signals *s, struct slice payload)
{
    struct slice type, rest;

    slice_cut(payload, ' ', &type, &rest);
    struct signal *signal = signal_parse(type, rest);

    s->stats->counts[STAT_SIGNALS]++;
    if (signal == NULL) {
        log_warnx("signal dropped bytes=%zu", payload.n);
        s->stats->counts[STAT_SIGNALS_DROPPED]++;
        return;
    }
    enum signal_kind kind =
        slice_starts(type, SLICE_LITERAL("presence.")) ? SIGNAL_PRESENCE : SIGNAL_FLEETING;

    append(&s->arrived[kind], signal, signal);
    s->count++;
    s->bytes += footprint(signal);
    while (s->count > SIGNALS_MAX || s->bytes > SIGNALS_MAX_BYTES) {
        drop_one(s);
        s->stats->counts[STAT_SIGNALS_DROPPED]++;
    }
}

/* ---- Leaves ---- */

static struct signals_leave *leave_at(struct signals *s, uint64_t number)
{
    return &s->leaves[number % SIGNALS_LEAVES_MAX];
}

void signals_left(struct signals *s, int64_t room_id, int64_t user_id)
{
    int64_t now = clock_ms();

    if (s->next_leave - s->first_leave == SIGNALS_LEAVES_MAX) {
        s->blind_until_ms = leave_at(s, s->first_leave++)->at_ms + SIGNALS_LEAVES_KEPT_MS;
    }
    *leave_at(s, s->next_leave++) = (struct signals_leave){room_id, user_id, now};
}

static struct signals_leave *find_leave(struct signals *s, int64_t room_id, int64_t user_id)
{
    for (uint64_t n = s->first_leave; n < s->next_leave; n++) {
        struct signals_leave *leave = leave_at(s, n);

        if (leave->room_id == room_id && leave->user_id == user_id) {
            return leave;
        }
    }
    return NULL;
}

void signals_joined(struct signals *s, int64_t room_id, int64_t user_id)
{
    struct signals_leave *leave;

    while ((leave = find_leave(s, room_id, user_id)) != NULL) {
        *leave = (struct signals_leave){.at_ms = leave->at_ms};
    }
}

static void forget_old_leaves(struct signals *s, int64_t now_ms)
{
    while (s->first_leave < s->next_leave &&
           now_ms - leave_at(s, s->first_leave)->at_ms > SIGNALS_LEAVES_KEPT_MS) {
        s->first_leave++;
    }
}

/* ---- Telling ---- */

void signals_begin_look(struct signals *s)
{
    for (int kind = 0; kind < SIGNAL_KIND_MAX; kind++) {
        struct signals_queue *arrived = &s->arrived[kind];

        if (arrived->first != NULL) {
            append(&s->due[kind], arrived->first, arrived->last);
            *arrived = (struct signals_queue){NULL, NULL};
        }
    }
}

/* To the rooms that its person has not left. */
static void tell(struct signals *s, struct signal *signal, struct hub *hub)
{
    size_t kept = 0;

    for (size_t i = 0; i < signal->room_count; i++) {
        if (find_leave(s, signal->rooms[i], signal->user_id) == NULL) {
            signal->rooms[kept++] = signal->rooms[i];
        }
    }
    hub_signal(hub, signal->m, signal->user_id, signal->rooms, kept);
}

bool signals_tell(struct signals *s, struct hub *hub)
{
    int64_t now = clock_ms();
    int told = 0;

    forget_old_leaves(s, now);
    for (int kind = SIGNAL_KIND_MAX - 1; kind >= 0; kind--) {
        bool blind = kind == SIGNAL_FLEETING && now < s->blind_until_ms;
        struct signal *signal;

        while (told < SIGNALS_TOLD_MAX && (signal = take_first(s, &s->due[kind])) != NULL) {
            if (!blind) {
                tell(s, signal, hub);
            }
            signal_free(signal);
            told++;
        }
    }
    return told == SIGNALS_TOLD_MAX;
}
