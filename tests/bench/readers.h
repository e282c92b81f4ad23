/*
 * readers: many connections that subscribe and count what they get.
 */
#ifndef BENCH_READERS_H
#define BENCH_READERS_H

#include <stdbool.h>

#include "ledger.h"
#include "net.h"
#include "options.h"

enum reader_state { READER_CLOSED, READER_CONNECTING, READER_ANSWERED, READER_OPEN };

#define READER_TAIL_BYTES 39

struct reader {
    int fd;
    uint32_t position; /* how many messages it has got */
    uint8_t state;     /* enum reader_state */
    uint8_t tail_bytes;
    char tail[READER_TAIL_BYTES]; /* of what was read, the end that may be the begin of a word */
    uint64_t began_ns;            /* when it connected; only while it is not open */
};

struct readers {
    const struct options *o; /* borrowed from main */
    struct ledger *ledger;   /* borrowed from main */
    struct reader *all;      /* owned; as many as options say */
    struct net_address address;
    int epoll;
    uint32_t begun; /* the first so many have begun to connect */
    uint32_t open;
    uint64_t refused; /* connections that ended before they were open, and were made again */
    unsigned generation;
    const char *cursor; /* borrowed for readers_connect: where to go on */
    uint64_t bytes;     /* read */
    struct hist opening;
};

/* Events of a reader come with its index as their data. */
void readers_init(struct readers *r, const struct options *o, struct ledger *ledger, int epoll);
void readers_clear(struct readers *r);

/* All are to connect, under_way of them at the same time; readers_connect_more goes on with it. */
void readers_begin_connect(struct readers *r, const char *cursor);
void readers_connect_more(struct readers *r, uint32_t under_way);
/* Closes all. */
void readers_drop(struct readers *r);
/* WebSockets all say that they live, unasked: pings are not looked for. */
void readers_pong(struct readers *r);

void readers_on_event(struct readers *r, uint32_t index, uint32_t events);

#endif
