/*
 * options: what load is to do, from its command line; and the texts with {names} in them that say
 * what a reader and a writer send.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdint.h>

#include "common/buf.h"

struct options {
    uint32_t readers;
    uint32_t rooms;
    uint32_t first_reader; /* the numbers of reader 0 and writer 0 among the tokens */
    uint32_t first_writer;
    int64_t first_room;    /* the number of room 0 on the server; the others follow */
    const char *subscribe; /* HOST:PORT or unix:PATH */
    const char *head;      /* a reader's request */
    const char *ready;     /* what the server says when the reader is in */
    const char *say;       /* a WebSocket text to send after the head of the answer; or NULL */
    const char *publish;   /* HOST:PORT or unix:PATH, or NULL: by SQL */
    const char *request;   /* a writer's request, by HTTP */
    const char *database;  /* a connection string, or NULL: by HTTP */
    int64_t sender;        /* who writes, by SQL */
    uint32_t writers;
};
/* All pointers are borrowed from argv. */

/* Exits when they are not usable. */
void options_parse(struct options *o, int argc, char **argv);

/* What stands for the {names} of a text. */
struct expansion {
    uint32_t number;    /* {token}: the reader's or writer's, in 43 digits */
    int64_t room;       /* {room} */
    struct slice text;  /* {text} */
    const char *cursor; /* {cursor} */
};

/* {uuid} is a new one each time, and {length} what follows the first empty line. */
void options_expand(struct buf *out, const char *text, const struct expansion *with);

#endif
