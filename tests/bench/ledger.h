/*
 * ledger: which messages are under way, and that each reader gets each message of his room once, in
 * one order that is the same for all readers of the room. The first breach ends the program.
 */
#ifndef BENCH_LEDGER_H
#define BENCH_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "hist.h"

/* How a message says its number: two characters and 8 lower-case hex digits, somewhere in its text.
 * Two, since the length of a WebSocket frame can look like any one. */
#define MARK_FIRST  '@'
#define MARK_SECOND '#'
#define MARK_DIGITS 8
#define MARK_BYTES  (2 + MARK_DIGITS)

#define LEDGER_MESSAGES 131072 /* that may be under way, or between the oldest and the newest */

struct ledger_message {
    uint64_t due_ns; /* when it was to be sent; 0: the entry is free */
    uint32_t number;
    uint32_t room;         /* index */
    uint32_t readers_left; /* who have not got it */
    uint32_t answer_left;  /* 1: the server has not answered */
};

struct ledger_room {
    uint32_t
        *order;     /* owned; the messages' numbers in the order in which a reader first got them */
    uint32_t known; /* so many have a place in the order */
    uint32_t whole; /* so many have reached everybody */
    uint32_t begun; /* so many were sent */
    uint32_t readers;
};

struct ledger {
    struct ledger_message *messages; /* owned */
    struct ledger_room *rooms;       /* owned */
    uint32_t room_count, order_size; /* order_size: a power of two */
    uint32_t next;                   /* the next message's number */
    size_t under_way;

    /* Since ledger_clear_figures: */
    uint64_t begun, deliveries;
    struct hist delivery; /* from due to each reader */
    struct hist reached;  /* from due to the last reader */
    struct hist answer;   /* from due to the server's answer */
};

/* `readers` are spread over the rooms: reader i is in room i modulo rooms. */
void ledger_init(struct ledger *l, uint32_t rooms, uint32_t readers);
void ledger_clear(struct ledger *l);
void ledger_clear_figures(struct ledger *l);

/* A message is sent now, and was due at due_ns; its number. */
uint32_t ledger_begin(struct ledger *l, uint32_t room, uint64_t due_ns);
void ledger_answered(struct ledger *l, uint32_t number, uint64_t now_ns);
/* A reader of the room, who has got *position messages before, got this one. */
void ledger_got(struct ledger *l, uint32_t room, uint32_t *position, uint32_t number,
                uint64_t now_ns);

#endif
