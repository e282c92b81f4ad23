/*
 * admin: see admin.h.
 */
#include "admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "http1.h"

#define SOCKET_MODE 0660
#define BACKLOG     16
#define READ_BYTES  1024
#define HEAD_BYTES  512

enum exchange_state {
    EXCHANGE_READING,
    EXCHANGE_WRITING,
    EXCHANGE_ENDING, /* all is written; the other end is to close, lest it lose something */
};

struct exchange {
    struct list link;
    struct admin *admin; /* borrowed: outlives it */
    struct event io, deadline;
    struct buf in, out;
    size_t scanned; /* of in */
    size_t written; /* of out */
    int fd;
    enum exchange_state state;
};

static const struct timeval deadline_time = {ADMIN_DEADLINE_MS / 1000, 0};
static const struct timeval retry_time = {ADMIN_RETRY_MS / 1000, 0};

/* ---- Answers ---- */

static void put_answer(struct exchange *x, const char *status_line, const char *type,
                       struct slice body, bool with_body)
{
    buf_printf(&x->out,
               "HTTP/1.1 %s\r\nConnection: close\r\nCache-Control: no-store\r\n"
               "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
               status_line, type, body.n);
    if (with_body) {
        buf_put_slice(&x->out, body);
    }
}

/* word: a literal, which needs no escaping. */
static void put_status(struct exchange *x, const char *status_line, const char *word,
                       bool with_body)
{
    struct buf body;

    buf_init(&body, HEAD_BYTES);
    buf_printf(&body, "{\"status\":\"%s\"}", word);
    put_answer(x, status_line, "application/json", buf_slice(&body), with_body);
    buf_clear(&body);
}

static void put_metrics(struct exchange *x, bool with_body)
{
    struct admin *a = x->admin;
    struct buf body;

    buf_init(&body, METRICS_MAX_BYTES);
    metrics_put(a->metrics, a->status(a->ctx) == NULL, &body);
    if (buf_failed(&body)) {
        put_status(x, "503 Service Unavailable", "memory", with_body);
    } else {
        put_answer(x, "200 OK", METRICS_CONTENT_TYPE, buf_slice(&body), with_body);
    }
    buf_clear(&body);
}

static void answer(struct exchange *x, const struct http1_head *head)
{
    const char *why_not = x->admin->status(x->admin->ctx);
    bool with_body = head->method != HTTP1_HEAD;

    if (head->method != HTTP1_GET && head->method != HTTP1_HEAD) {
        put_status(x, "405 Method Not Allowed\r\nAllow: GET, HEAD", "method_not_allowed", true);
    } else if (slice_eq(head->path, SLICE_LITERAL("/metrics"))) {
        put_metrics(x, with_body);
    } else if (slice_eq(head->path, SLICE_LITERAL("/health"))) {
        put_status(x, "200 OK", "ok", with_body);
    } else if (!slice_eq(head->path, SLICE_LITERAL("/ready"))) {
        put_status(x, "404 Not Found", "no_route", with_body);
    } else if (why_not != NULL) {
        put_status(x, "503 Service Unavailable", why_not, with_body);
    } else {
        put_status(x, "200 OK", "ready", with_body);
    }
}

/* ---- One exchange ---- */

static void exchange_end(struct exchange *x)
{
    struct admin *a = x->admin;

    list_remove(&x->link);
    event_del(&x->io);
    event_del(&x->deadline);
    close(x->fd);
    buf_clear(&x->in);
    buf_clear(&x->out);
    free(x);
    if (a->count-- == ADMIN_CONNS_MAX) {
        event_add(&a->io, NULL);
    }
}

static bool watch(struct exchange *x, short what);

/* False: x is gone. */
static bool write_some(struct exchange *x)
{
    ssize_t n = send(x->fd, buf_str(&x->out) + x->written, x->out.len - x->written, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        return false;
    }
    x->written += n < 0 ? 0 : (size_t)n;
    if (x->written < x->out.len) {
        return true;
    }
    x->state = EXCHANGE_ENDING;
    return shutdown(x->fd, SHUT_WR) == 0 && watch(x, EV_READ);
}

/* Reads what has come; once it is a whole head, answers. False: it is to end. */
static bool read_some(struct exchange *x)
{
    char bytes[READ_BYTES];
    struct http1_head head;
    ssize_t n = recv(x->fd, bytes, sizeof bytes, 0);

    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    if (x->state == EXCHANGE_ENDING) {
        return true; /* what follows a request is passed over */
    }
    buf_put(&x->in, bytes, (size_t)n);
    enum confab_err err =
        buf_failed(&x->in) ? CONFAB_TOO_BIG : http1_parse(buf_slice(&x->in), &x->scanned, &head);

    if (err == CONFAB_NEED_MORE) {
        return true;
    }
    if (err == CONFAB_OK) {
        answer(x, &head);
    } else {
        put_status(x, "400 Bad Request", "bad_request", true);
    }
    x->state = EXCHANGE_WRITING;
    return !buf_failed(&x->out) && watch(x, EV_WRITE);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct exchange *x = arg;

    (void)fd;
    if (!(what & EV_WRITE ? write_some(x) : read_some(x))) {
        exchange_end(x);
    }
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    exchange_end(arg);
}

/* what: EV_READ or EV_WRITE. */
static bool watch(struct exchange *x, short what)
{
    event_del(&x->io);
    return event_assign(&x->io, event_get_base(&x->admin->io), x->fd, (short)(what | EV_PERSIST),
                        on_io, x) == 0 &&
           event_add(&x->io, NULL) == 0;
}

static void exchange_begin(struct admin *a, int fd)
{
    struct event_base *base = event_get_base(&a->io);
    struct exchange *x = calloc(1, sizeof *x);

    if (x == NULL) {
        close(fd);
        return;
    }
    x->admin = a;
    x->fd = fd;
    buf_init(&x->in, ADMIN_HEAD_BYTES);
    buf_init(&x->out, METRICS_MAX_BYTES + HEAD_BYTES);
    list_append(&a->exchanges, &x->link);
    a->count++;
    event_assign(&x->io, base, fd, EV_READ | EV_PERSIST, on_io, x);
    event_assign(&x->deadline, base, -1, 0, on_deadline, x);
    if (event_add(&x->io, NULL) != 0 || event_add(&x->deadline, &deadline_time) != 0) {
        exchange_end(x);
    }
}

/* ---- The address ---- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct admin *a = arg;
    int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)what;
    if (peer >= 0) {
        exchange_begin(a, peer);
    }
    bool is_short =
        peer < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);

    if (is_short) {
        event_add(&a->retry, &retry_time);
    }
    if (is_short || a->count == ADMIN_CONNS_MAX) {
        event_del(&a->io); /* who comes waits */
    }
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct admin *a = arg;

    (void)fd;
    (void)what;
    if (a->bound.fd < 0) {
        admin_open(a);
    } else if (a->count < ADMIN_CONNS_MAX) {
        event_add(&a->io, NULL);
    }
}

bool admin_init(struct admin *a, struct event_base *base, const struct settings *settings,
                const struct metrics *metrics, admin_status_fn status, void *ctx)
{
    *a = (struct admin){.settings = settings,
                        .metrics = metrics,
                        .status = status,
                        .ctx = ctx,
                        .bound = {.fd = -1}};
    list_init(&a->exchanges);
    return event_assign(&a->io, base, -1, 0, on_readable, a) == 0 &&
           event_assign(&a->retry, base, -1, 0, on_retry, a) == 0;
}

void admin_open(struct admin *a)
{
    static const struct bound_kind kind = {
        .type = SOCK_STREAM, .backlog = BACKLOG, .mode = SOCKET_MODE};
    const char *address = a->settings->admin_listen;
    struct bound_error why;

    if (address[0] == '\0') {
        return;
    }
    if (!bound_open(&a->bound, address, &kind, &why)) {
        if (!a->warned) {
            log_warnx("admin address=%s error=\"%s\" retry_ms=%d", address, why.text,
                      ADMIN_RETRY_MS);
        }
        a->warned = true;
        event_add(&a->retry, &retry_time);
        return;
    }
    log_info("admin listening address=%s", address);
    event_del(&a->retry);
    event_assign(&a->io, event_get_base(&a->io), a->bound.fd, EV_READ | EV_PERSIST, on_readable, a);
    event_add(&a->io, NULL);
}

void admin_close(struct admin *a)
{
    struct list *node, *tmp;

    list_for_each_safe(node, tmp, &a->exchanges)
    {
        exchange_end(list_entry(node, struct exchange, link));
    }
    event_del(&a->io);
    event_del(&a->retry);
    bound_close(&a->bound);
}
