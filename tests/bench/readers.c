/*
 * readers: see readers.h. What a server sends is not parsed: a reader is in when the server has
 * said the agreed words, and a message is its mark. Both may be cut anywhere between two reads.
 */
#include "readers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/log.h"

#define READ_BYTES     1048576
#define REQUEST_BYTES  8192
#define HEAD_END       "\r\n\r\n"
#define WS_TEXT        0x81
#define WS_PONG        0x8a
#define WS_MASKED      0x80
#define WS_SHORT_BYTES 125

void readers_init(struct readers *r, const struct options *o, struct ledger *ledger, int epoll)
{
    *r = (struct readers){.o = o, .ledger = ledger, .epoll = epoll};
    r->all = calloc(o->readers, sizeof *r->all);
    if (o->readers > 0) {
        r->address = net_parse(o->subscribe);
        if (r->all == NULL || strlen(o->ready) > READER_TAIL_BYTES) {
            fatalx("readers error=\"too many, or too much to wait for\"");
        }
    }
}

void readers_clear(struct readers *r)
{
    readers_drop(r);
    free(r->all);
}

/* ---- Connecting ---- */

static void watch(const struct readers *r, uint32_t index, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = index};

    if (epoll_ctl(r->epoll, operation, r->all[index].fd, &event) != 0) {
        fatal("epoll");
    }
}

void readers_begin_connect(struct readers *r, const char *cursor)
{
    r->cursor = cursor;
    r->generation++;
    r->begun = r->open = 0;
    r->refused = 0;
    hist_clear(&r->opening);
}

static void begin(struct readers *r, uint32_t index)
{
    struct reader *one = &r->all[index];

    one->fd = net_connect(&r->address, r->generation, index);
    one->state = READER_CONNECTING;
    one->tail_bytes = 0;
    one->began_ns = net_now_ns();
    watch(r, index, EPOLL_CTL_ADD, EPOLLOUT);
}

void readers_connect_more(struct readers *r, uint32_t under_way)
{
    while (r->begun < r->o->readers && r->begun - r->open < under_way) {
        begin(r, r->begun++);
    }
}

void readers_drop(struct readers *r)
{
    for (uint32_t i = 0; i < r->begun; i++) {
        close(r->all[i].fd);
        r->all[i].state = READER_CLOSED;
    }
    r->begun = r->open = 0;
}

static void send_all(const struct reader *one, const struct buf *b)
{
    if (send(one->fd, b->data, b->len, MSG_NOSIGNAL) != (ssize_t)b->len) {
        fatal("send");
    }
}

static void send_head(struct readers *r, uint32_t index)
{
    uint32_t room = index % r->o->rooms;
    const struct expansion with = {
        .number = r->o->first_reader + index, .room = r->o->first_room + room, .cursor = r->cursor};
    struct buf b;

    buf_init(&b, REQUEST_BYTES);
    options_expand(&b, r->o->head, &with);
    send_all(&r->all[index], &b);
    buf_clear(&b);
    watch(r, index, EPOLL_CTL_MOD, EPOLLIN);
}

/* A WebSocket frame, masked with zeros. */
static void send_frame(const struct reader *one, int kind, const char *payload)
{
    size_t n = strlen(payload);
    const char head[] = {(char)kind, (char)(WS_MASKED | n), 0, 0, 0, 0};
    struct buf b;

    buf_init(&b, REQUEST_BYTES);
    buf_put(&b, head, sizeof head);
    buf_puts(&b, payload);
    if (n > WS_SHORT_BYTES) {
        fatalx("say error=\"too long\"");
    }
    send_all(one, &b);
    buf_clear(&b);
}

void readers_pong(struct readers *r)
{
    for (uint32_t i = 0; i < r->begun; i++) {
        send_frame(&r->all[i], WS_PONG, "");
    }
}

/* ---- Reading ---- */

/* A mark's digits. */
static uint32_t read_number(const char *p)
{
    uint32_t number = 0;

    for (int i = 0; i < MARK_DIGITS; i++) {
        unsigned digit = (unsigned char)p[i];

        number = number << 4 | (digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return number;
}

static void keep_tail(struct reader *one, const char *from, const char *end)
{
    one->tail_bytes = (uint8_t)(end - from);
    memmove(one->tail, from, one->tail_bytes);
}

static void scan(struct readers *r, uint32_t index, const char *p, const char *end)
{
    struct reader *one = &r->all[index];
    uint32_t room = index % r->o->rooms;
    uint64_t now = net_now_ns();

    one->tail_bytes = 0;
    while ((p = memchr(p, MARK_FIRST, (size_t)(end - p))) != NULL) {
        if (end - p < MARK_BYTES) {
            keep_tail(one, p, end);
            return;
        }
        if (p[1] != MARK_SECOND) {
            p++;
            continue;
        }
        ledger_got(r->ledger, room, &one->position, read_number(p + 2), now);
        p += MARK_BYTES;
    }
}

/* What follows the word, or NULL when it is not yet there. */
static const char *await(struct reader *one, const char *word, const char *p, const char *end)
{
    size_t n = strlen(word), there = (size_t)(end - p);
    const char *found = memmem(p, there, word, n);

    if (found == NULL) {
        keep_tail(one, there < n ? p : end - (n - 1), end);
        return NULL;
    }
    return found + n;
}

static void take(struct readers *r, uint32_t index, const char *p, const char *end)
{
    struct reader *one = &r->all[index];

    if (one->state == READER_CONNECTING) {
        p = await(one, r->o->say != NULL ? HEAD_END : r->o->ready, p, end);
        if (p == NULL) {
            return;
        }
        one->state = READER_ANSWERED;
        if (r->o->say != NULL) {
            send_frame(one, WS_TEXT, r->o->say);
            one->tail_bytes = 0;
        }
    }
    if (one->state == READER_ANSWERED) {
        if (r->o->say != NULL && (p = await(one, r->o->ready, p, end)) == NULL) {
            return;
        }
        one->state = READER_OPEN;
        r->open++;
        hist_add(&r->opening, net_now_ns() - one->began_ns);
    }
    scan(r, index, p, end);
}

static void on_readable(struct readers *r, uint32_t index)
{
    static char bytes[READER_TAIL_BYTES + READ_BYTES];
    struct reader *one = &r->all[index];
    char *fresh = bytes + READER_TAIL_BYTES;
    ssize_t n = recv(one->fd, fresh, READ_BYTES, 0);

    if (n <= 0 && one->state == READER_OPEN) {
        fatalx("read reader=%" PRIu32 " error=\"the server has closed it\"", index);
    }
    if (n <= 0) {
        close(one->fd); /* the server could not take it yet */
        r->refused++;
        begin(r, index);
        return;
    }
    r->bytes += (uint64_t)n;
    memcpy(fresh - one->tail_bytes, one->tail, one->tail_bytes);
    take(r, index, fresh - one->tail_bytes, fresh + n);
}

void readers_on_event(struct readers *r, uint32_t index, uint32_t events)
{
    if (events & EPOLLOUT) {
        send_head(r, index);
    } else {
        on_readable(r, index);
    }
}
