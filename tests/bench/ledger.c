/*
 * ledger: see ledger.h.
 */
#include "ledger.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/log.h"

#define ORDER_FEW_ROOMS 16
#define ORDER_LONG      65536 /* of few rooms */
#define ORDER_SHORT     1024

void ledger_init(struct ledger *l, uint32_t rooms, uint32_t readers)
{
    *l = (struct ledger){.room_count = rooms,
                         .order_size = rooms > ORDER_FEW_ROOMS ? ORDER_SHORT : ORDER_LONG,
                         .messages = calloc(LEDGER_MESSAGES, sizeof *l->messages),
                         .rooms = calloc(rooms, sizeof *l->rooms)};
    if (l->messages == NULL || l->rooms == NULL) {
        fatal("ledger");
    }
    for (uint32_t i = 0; i < rooms; i++) {
        l->rooms[i].readers = readers / rooms + (i < readers % rooms);
        l->rooms[i].order = calloc(l->order_size, sizeof *l->rooms[i].order);
        if (l->rooms[i].order == NULL) {
            fatal("ledger");
        }
    }
}

void ledger_clear(struct ledger *l)
{
    for (uint32_t i = 0; i < l->room_count; i++) {
        free(l->rooms[i].order);
    }
    free(l->rooms);
    free(l->messages);
}

void ledger_clear_figures(struct ledger *l)
{
    l->begun = l->deliveries = 0;
    hist_clear(&l->delivery);
    hist_clear(&l->reached);
    hist_clear(&l->answer);
}

static struct ledger_message *message(struct ledger *l, uint32_t number)
{
    return &l->messages[number % LEDGER_MESSAGES];
}

static void end_if_whole(struct ledger *l, struct ledger_message *m)
{
    if (m->readers_left == 0 && m->answer_left == 0) {
        l->rooms[m->room].whole++;
        l->under_way--;
        *m = (struct ledger_message){0};
    }
}

uint32_t ledger_begin(struct ledger *l, uint32_t room, uint64_t due_ns)
{
    uint32_t number = l->next++;
    struct ledger_message *m = message(l, number);
    struct ledger_room *r = &l->rooms[room];

    if (m->due_ns != 0 || r->begun - r->whole >= l->order_size) {
        fatalx("send error=\"too many are under way\" messages=%zu", l->under_way);
    }
    *m = (struct ledger_message){.due_ns = due_ns,
                                 .number = number,
                                 .room = room,
                                 .readers_left = r->readers,
                                 .answer_left = 1};
    r->begun++;
    l->begun++;
    l->under_way++;
    return number;
}

void ledger_answered(struct ledger *l, uint32_t number, uint64_t now_ns)
{
    struct ledger_message *m = message(l, number);

    hist_add(&l->answer, now_ns - m->due_ns);
    m->answer_left = 0;
    end_if_whole(l, m);
}

void ledger_got(struct ledger *l, uint32_t room, uint32_t *position, uint32_t number,
                uint64_t now_ns)
{
    struct ledger_room *r = &l->rooms[room];
    struct ledger_message *m = message(l, number);
    uint32_t *place = &r->order[*position % l->order_size];

    if (m->due_ns == 0 || m->number != number || m->room != room) {
        fatalx("got message=%" PRIu32 " error=\"not, or no longer, for room %" PRIu32 "\"", number,
               room);
    }
    if (*position == r->known) {
        *place = number;
        r->known++;
    } else if (*place != number) {
        fatalx("got message=%" PRIu32 " error=\"others had %" PRIu32 " in its place\"", number,
               *place);
    }
    ++*position;
    l->deliveries++;
    hist_add(&l->delivery, now_ns - m->due_ns);
    if (--m->readers_left == 0) {
        hist_add(&l->reached, now_ns - m->due_ns);
        end_if_whole(l, m);
    }
}
