/*
 * writers: see writers.h.
 */
#include "writers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/log.h"

#define REQUEST_BYTES 1048576
#define HEAD_END      "\r\n\r\n"
#define STATUS_AT     (sizeof "HTTP/1.1 " - 1)
#define BUSY          "503" /* the same request is made again, at once */
#define FILLER        'x'
#define PARAM_COUNT   3
#define PARAM_BYTES   24

static const char insert[] = "insert into chat.message (room_id, sender_id, body)"
                             " select m.room, $1::bigint, m.text"
                             " from unnest($2::bigint[], $3::text[]) as m (room, text)";

/* ---- Connecting ---- */

static void watch(struct writers *w, size_t index, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = w->event_base + index};

    if (epoll_ctl(w->epoll, operation, w->all[index].fd, &event) != 0) {
        fatal("epoll");
    }
}

static void connect_http(struct writers *w, size_t index)
{
    struct writer *one = &w->all[index];

    one->fd = net_connect(&w->address, 0, (uint32_t)index);
    one->state = WRITER_CONNECTING;
    watch(w, index, EPOLL_CTL_ADD, EPOLLOUT);
}

static void connect_database(struct writers *w, size_t index)
{
    struct writer *one = &w->all[index];

    one->pg = PQconnectdb(w->o->database);
    PGresult *result = PQprepare(one->pg, "insert", insert, PARAM_COUNT, NULL);

    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fatalx("database error=\"%s\"", log_text(PQerrorMessage(one->pg)).text);
    }
    PQclear(result);
    one->fd = PQsocket(one->pg);
    one->state = WRITER_IDLE;
    watch(w, index, EPOLL_CTL_ADD, EPOLLIN);
}

void writers_init(struct writers *w, const struct options *o, struct ledger *ledger, int epoll,
                  uint64_t event_base)
{
    *w = (struct writers){.o = o, .ledger = ledger, .epoll = epoll, .event_base = event_base};
    w->all = calloc(o->writers, sizeof *w->all);
    if (w->all == NULL) {
        fatal("writers");
    }
    buf_init(&w->text, REQUEST_BYTES);
    buf_init(&w->sql_rooms, REQUEST_BYTES);
    buf_init(&w->sql_texts, REQUEST_BYTES);
    if (o->database == NULL) {
        w->address = net_parse(o->publish);
    }
    for (size_t i = 0; i < o->writers; i++) {
        buf_init(&w->all[i].request, REQUEST_BYTES);
        if (o->database == NULL) {
            connect_http(w, i);
        } else {
            connect_database(w, i);
        }
    }
}

void writers_clear(struct writers *w)
{
    for (size_t i = 0; i < w->o->writers; i++) {
        if (w->all[i].pg != NULL) {
            PQfinish(w->all[i].pg);
        } else {
            close(w->all[i].fd);
        }
        buf_clear(&w->all[i].request);
    }
    free(w->all);
    buf_clear(&w->text);
    buf_clear(&w->sql_rooms);
    buf_clear(&w->sql_texts);
}

bool writers_ready(const struct writers *w)
{
    for (size_t i = 0; i < w->o->writers; i++) {
        if (w->all[i].state == WRITER_CONNECTING) {
            return false;
        }
    }
    return true;
}

/* ---- Sending ---- */

/* Makes the next message's text: its mark, and what fills it up. */
static void make_text(struct writers *w, uint32_t number, size_t bytes)
{
    buf_reset(&w->text);
    buf_printf(&w->text, "%c%c%08" PRIx32, MARK_FIRST, MARK_SECOND, number);
    while (w->text.len < bytes) {
        buf_putc(&w->text, FILLER);
    }
}

static uint32_t pick_room(struct writers *w, const struct writers_load *load)
{
    return load->at_random ? arc4random_uniform(w->o->rooms) : w->next_room++ % w->o->rooms;
}

/* The number of a new message for the next room, whose text is then made. */
static uint32_t begin(struct writers *w, struct writer *one, const struct writers_load *load,
                      uint64_t due_ns, uint32_t *room)
{
    *room = pick_room(w, load);
    uint32_t number = ledger_begin(w->ledger, *room, due_ns);

    one->numbers[one->count++] = number;
    make_text(w, number, load->body_bytes);
    return number;
}

static void send_request(const struct writer *one)
{
    const struct buf *b = &one->request;

    if (send(one->fd, b->data, b->len, MSG_NOSIGNAL) != (ssize_t)b->len) {
        fatal("publish");
    }
}

static void send_http(struct writers *w, struct writer *one, const struct writers_load *load,
                      uint64_t due_ns)
{
    uint32_t room;

    begin(w, one, load, due_ns, &room);
    const struct expansion with = {.number = w->o->first_writer + (uint32_t)(one - w->all),
                                   .room = w->o->first_room + room,
                                   .text = buf_slice(&w->text),
                                   .cursor = ""};

    buf_reset(&one->request);
    options_expand(&one->request, w->o->request, &with);
    send_request(one);
}

/* Texts hold nothing that an array would have to quote. */
static void send_sql(struct writers *w, struct writer *one, const struct writers_load *load,
                     size_t count, uint64_t due_ns, uint64_t every_ns)
{
    char sender[PARAM_BYTES];
    uint32_t room;

    buf_reset(&w->sql_rooms);
    buf_reset(&w->sql_texts);
    for (size_t i = 0; i < count; i++) {
        begin(w, one, load, due_ns + i * every_ns, &room);
        buf_putc(&w->sql_rooms, i == 0 ? '{' : ',');
        buf_put_i64(&w->sql_rooms, w->o->first_room + room);
        buf_putc(&w->sql_texts, i == 0 ? '{' : ',');
        buf_put_slice(&w->sql_texts, buf_slice(&w->text));
    }
    buf_putc(&w->sql_rooms, '}');
    buf_putc(&w->sql_texts, '}');
    snprintf(sender, sizeof sender, "%" PRId64, w->o->sender);
    const char *params[PARAM_COUNT] = {sender, buf_str(&w->sql_rooms), buf_str(&w->sql_texts)};

    if (PQsendQueryPrepared(one->pg, "insert", PARAM_COUNT, params, NULL, NULL, 0) != 1) {
        fatalx("publish error=\"%s\"", log_text(PQerrorMessage(one->pg)).text);
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t writers_send(struct writers *w, const struct writers_load *load, size_t count,
                    uint64_t due_ns, uint64_t every_ns)
{
    size_t given = 0;

    for (size_t i = 0; i < w->o->writers && given < count; i++) {
        struct writer *one = &w->all[i];
        size_t rows = one->pg == NULL ? 1 : smaller(count - given, load->rows);

        if (one->state != WRITER_IDLE) {
            continue;
        }
        if (one->pg == NULL) {
            send_http(w, one, load, due_ns + given * every_ns);
        } else {
            send_sql(w, one, load, rows, due_ns + given * every_ns, every_ns);
        }
        one->state = WRITER_WAITING;
        given += rows;
    }
    return given;
}

/* ---- Answers ---- */

static void answered(struct writers *w, struct writer *one)
{
    uint64_t now = net_now_ns();

    for (size_t i = 0; i < one->count; i++) {
        ledger_answered(w->ledger, one->numbers[i], now);
    }
    one->count = 0;
    one->state = WRITER_IDLE;
}

static void on_database(struct writers *w, struct writer *one)
{
    PGresult *result;

    if (PQconsumeInput(one->pg) != 1) {
        fatalx("publish error=\"%s\"", log_text(PQerrorMessage(one->pg)).text);
    }
    while (one->state == WRITER_WAITING && !PQisBusy(one->pg)) {
        result = PQgetResult(one->pg);
        if (result == NULL) {
            answered(w, one);
        } else if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            fatalx("publish error=\"%s\"", log_text(PQresultErrorMessage(result)).text);
        }
        PQclear(result);
    }
}

/* Where the answer ends, or 0 when it is not yet whole. */
static size_t answer_end(const struct writer *one)
{
    const char *end = strstr(one->answer, HEAD_END);
    const char *length = strcasestr(one->answer, "\r\nContent-Length:");
    size_t bytes = 0;

    if (end == NULL) {
        return 0;
    }
    if (length != NULL && length < end) {
        bytes = strtoul(length + sizeof "\r\nContent-Length:" - 1, NULL, 10);
    }
    bytes += (size_t)(end - one->answer) + sizeof HEAD_END - 1;
    return one->answer_bytes >= bytes ? bytes : 0;
}

static void take_answer(struct writers *w, struct writer *one, size_t index)
{
    bool last = strcasestr(one->answer, "\r\nConnection: close\r\n") != NULL;
    const char *status = one->answer + STATUS_AT;

    if (strncmp(status, BUSY, sizeof BUSY - 1) != 0 && status[0] != '2') {
        fatalx("publish answer=\"%s\"", log_text(one->answer).text);
    }
    one->answer_bytes = 0;
    if (status[0] == '2') {
        answered(w, one);
    } else {
        w->refused++;
    }
    if (last) {
        close(one->fd);
        connect_http(w, index);
    } else if (one->count > 0) {
        send_request(one);
    }
}

static void on_http(struct writers *w, struct writer *one, size_t index)
{
    ssize_t n = recv(one->fd, one->answer + one->answer_bytes,
                     sizeof one->answer - 1 - one->answer_bytes, 0);

    if (n <= 0 && one->state == WRITER_WAITING) {
        fatal("publish writer=%zu error=\"the server has closed it\"", index);
    }
    if (n <= 0) {
        close(one->fd);
        connect_http(w, index);
        return;
    }
    one->answer_bytes += (size_t)n;
    one->answer[one->answer_bytes] = '\0';
    if (answer_end(one) != 0) {
        take_answer(w, one, index);
    }
}

void writers_on_event(struct writers *w, size_t index, uint32_t events)
{
    struct writer *one = &w->all[index];

    if (one->pg != NULL) {
        on_database(w, one);
    } else if (one->state == WRITER_CONNECTING && (events & EPOLLOUT) != 0) {
        watch(w, index, EPOLL_CTL_MOD, EPOLLIN);
        one->state = one->count > 0 ? WRITER_WAITING : WRITER_IDLE;
        if (one->count > 0) {
            send_request(one);
        }
    } else {
        on_http(w, one, index);
    }
}
