/*
 * writers: those who send the messages, each one request at a time: by HTTP on a connection that is
 * kept, or by a plain INSERT on a connection to PostgreSQL.
 */
#ifndef BENCH_WRITERS_H
#define BENCH_WRITERS_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "ledger.h"
#include "net.h"
#include "options.h"

#define WRITER_ROWS_MAX     256
#define WRITER_ANSWER_BYTES 4096

enum writer_state { WRITER_CONNECTING, WRITER_IDLE, WRITER_WAITING };

struct writer {
    PGconn *pg; /* owned; NULL: by HTTP */
    int fd;     /* of pg, or its own */
    enum writer_state state;
    uint32_t numbers[WRITER_ROWS_MAX]; /* of the messages that wait for the answer */
    size_t count;
    struct buf request;
    char answer[WRITER_ANSWER_BYTES];
    size_t answer_bytes;
};

/* What is sent next. */
struct writers_load {
    size_t body_bytes; /* of each message's text */
    size_t rows;       /* at most so many in one INSERT */
    bool at_random;    /* the rooms; else in turn */
};

struct writers {
    const struct options *o; /* borrowed from main */
    struct ledger *ledger;   /* borrowed from main */
    struct writer *all;      /* owned; as many as options say */
    struct net_address address;
    int epoll;
    uint64_t event_base; /* writer i's events have this + i as their data */
    struct buf text, sql_rooms, sql_texts;
    uint32_t next_room;
    uint64_t refused; /* requests that a busy server did not take, and that were made again */
};

void writers_init(struct writers *w, const struct options *o, struct ledger *ledger, int epoll,
                  uint64_t event_base);
void writers_clear(struct writers *w);
/* Whether all can be given something to do. */
bool writers_ready(const struct writers *w);

/* Gives idle writers `count` messages, the i-th of which was due at due_ns + i × every_ns; how many
 * it could give. */
size_t writers_send(struct writers *w, const struct writers_load *load, size_t count,
                    uint64_t due_ns, uint64_t every_ns);

void writers_on_event(struct writers *w, size_t index, uint32_t events);

#endif
