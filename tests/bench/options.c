/*
 * options: see options.h.
 */
#include "options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define HEAD_END     "\r\n\r\n"
#define LENGTH_BYTES 24
#define TEXT_MAX     1048576

enum option_kind { OPTION_TEXT, OPTION_U32, OPTION_I64 };

static const struct {
    const char *name;
    enum option_kind kind;
    size_t at;
} table[] = {
    {"readers", OPTION_U32, offsetof(struct options, readers)},
    {"rooms", OPTION_U32, offsetof(struct options, rooms)},
    {"first-reader", OPTION_U32, offsetof(struct options, first_reader)},
    {"first-writer", OPTION_U32, offsetof(struct options, first_writer)},
    {"first-room", OPTION_I64, offsetof(struct options, first_room)},
    {"subscribe", OPTION_TEXT, offsetof(struct options, subscribe)},
    {"head", OPTION_TEXT, offsetof(struct options, head)},
    {"ready", OPTION_TEXT, offsetof(struct options, ready)},
    {"say", OPTION_TEXT, offsetof(struct options, say)},
    {"publish", OPTION_TEXT, offsetof(struct options, publish)},
    {"request", OPTION_TEXT, offsetof(struct options, request)},
    {"database", OPTION_TEXT, offsetof(struct options, database)},
    {"sender", OPTION_I64, offsetof(struct options, sender)},
    {"writers", OPTION_U32, offsetof(struct options, writers)},
};
#define OPTION_COUNT (sizeof table / sizeof *table)

static void set(struct options *o, size_t which, const char *text)
{
    char *place = (char *)o + table[which].at;
    int64_t number = 0;

    if (table[which].kind == OPTION_TEXT) {
        *(const char **)(void *)place = text;
        return;
    }
    if (!str_to_i64(slice_of(text), 0, INT32_MAX, &number)) {
        fatalx("option %s=%s error=\"no number\"", table[which].name, text);
    }
    if (table[which].kind == OPTION_U32) {
        *(uint32_t *)(void *)place = (uint32_t)number;
    } else {
        *(int64_t *)(void *)place = number;
    }
}

void options_parse(struct options *o, int argc, char **argv)
{
    struct option names[OPTION_COUNT + 1] = {{NULL, 0, NULL, 0}};
    int which;

    *o = (struct options){.rooms = 1, .first_room = 1, .writers = 1};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        names[i] = (struct option){table[i].name, required_argument, NULL, (int)i};
    }
    while ((which = getopt_long(argc, argv, "", names, NULL)) >= 0) {
        if ((size_t)which >= OPTION_COUNT) {
            exit(EXIT_FAILURE); /* getopt has said why */
        }
        set(o, (size_t)which, optarg);
    }
    if (o->rooms == 0 || optind != argc || (o->database == NULL) == (o->publish == NULL) ||
        (o->publish != NULL && o->request == NULL) ||
        (o->readers > 0 && (o->subscribe == NULL || o->head == NULL || o->ready == NULL))) {
        fatalx("options error=\"they do not fit together\"");
    }
}

static void put_uuid(struct buf *out)
{
    uint16_t parts[8];

    arc4random_buf(parts, sizeof parts);
    buf_printf(out, "%04x%04x-%04x-4%03x-8%03x-%04x%04x%04x", parts[0], parts[1], parts[2],
               parts[3] & 0xfff, parts[4] & 0xfff, parts[5], parts[6], parts[7]);
}

/* Puts what {name} stands for; false when it is no name of ours. */
static bool put_value(struct buf *out, struct slice name, const struct expansion *with)
{
    if (slice_eq(name, SLICE_LITERAL("token"))) {
        buf_printf(out, "%043" PRIu32, with->number);
    } else if (slice_eq(name, SLICE_LITERAL("room"))) {
        buf_put_i64(out, with->room);
    } else if (slice_eq(name, SLICE_LITERAL("text"))) {
        buf_put_slice(out, with->text);
    } else if (slice_eq(name, SLICE_LITERAL("cursor"))) {
        buf_puts(out, with->cursor);
    } else if (slice_eq(name, SLICE_LITERAL("uuid"))) {
        put_uuid(out);
    } else {
        return false;
    }
    return true;
}

static void put_expanded(struct buf *out, struct slice text, const struct expansion *with)
{
    struct slice before, after, name, rest;

    while (slice_cut(text, '{', &before, &after)) {
        buf_put_slice(out, before);
        if (slice_cut(after, '}', &name, &rest) && put_value(out, name, with)) {
            text = rest;
        } else {
            buf_putc(out, '{');
            text = after;
        }
    }
    buf_put_slice(out, before);
}

void options_expand(struct buf *out, const char *text, const struct expansion *with)
{
    const char *end = strstr(text, HEAD_END);
    const char *length = strstr(text, "{length}");
    struct slice rest = slice_of(text);
    struct buf body;

    buf_init(&body, TEXT_MAX);
    if (end != NULL) {
        rest.n = (size_t)(end - text) + sizeof HEAD_END - 1;
        put_expanded(&body, slice_of(end + sizeof HEAD_END - 1), with);
    }
    if (length != NULL && (size_t)(length - text) < rest.n) {
        put_expanded(out, (struct slice){text, (size_t)(length - text)}, with);
        buf_printf(out, "%zu", body.len);
        rest.n -= (size_t)(length - text) + sizeof "{length}" - 1;
        rest.p = length + sizeof "{length}" - 1;
    }
    put_expanded(out, rest, with);
    buf_put_slice(out, buf_slice(&body));
    if (buf_failed(&body) || buf_failed(out)) {
        fatalx("expand error=\"too long\"");
    }
    buf_clear(&body);
}
