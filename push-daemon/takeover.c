/*
 * takeover: see takeover.h.
 */
#include "takeover.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/str.h"

#define DOOR_MODE    0600
#define DOOR_BACKLOG 4
#define NAME_BYTES   4 /* of the digest, that name the control socket */
#define WORD_BYTES   24
#define UNIX_PREFIX  "unix:"
/* An address whose path fits where the kernel wants it. */
#define ADDRESS_BYTES (sizeof UNIX_PREFIX - 1 + sizeof((struct sockaddr_un *)NULL)->sun_path)

static const struct timeval answer_time = {TAKEOVER_ANSWER_MS / 1000,
                                           TAKEOVER_ANSWER_MS % 1000 * 1000};
static const struct timeval look_time = {0, TAKEOVER_LOOK_MS * 1000};

/* ---- What is said ---- */

/* One packet. A release that means something else by it takes other words. */
struct packet {
    char word[WORD_BYTES];
    uint64_t shared, device, inode;
};

static const struct packet take = {.word = "confab take 1"};
static const struct packet serving = {.word = "confab serving 1"};
static const char here_word[WORD_BYTES] = "confab here 1";

static bool says(const struct packet *p, const char word[WORD_BYTES])
{
    return memcmp(p->word, word, WORD_BYTES) == 0;
}

/* Room for one descriptor beside a packet. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

/* fd: goes along, and stays ours too; -1: none. */
static bool packet_send(int peer, const struct packet *p, int fd)
{
    struct packet copy = *p;
    struct iovec iov = {&copy, sizeof copy};
    union control control = {.bytes = {0}};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);

        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    return sendmsg(peer, &message, MSG_NOSIGNAL) == (ssize_t)sizeof copy;
}

/* Closes a descriptor that came and that nobody asked for (fd NULL); else *fd is the caller's, or
 * -1. False: the other end is gone, or talks of something else. */
static bool packet_receive(int peer, struct packet *p, int *fd)
{
    struct iovec iov = {p, sizeof *p};
    union control control;
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(peer, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *head = n < 0 ? NULL : CMSG_FIRSTHDR(&message);
    int came = -1;

    if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
        head->cmsg_len == CMSG_LEN(sizeof came)) {
        memcpy(&came, CMSG_DATA(head), sizeof came);
    }
    if (fd != NULL) {
        *fd = came;
    } else if (came >= 0) {
        close(came);
    }
    return n == (ssize_t)sizeof *p && (message.msg_flags & MSG_TRUNC) == 0;
}

/* ---- Who says it ---- */

/* Only processes of our own user: more than the file's mode, since root is let in by any. */
static bool is_trusted(struct takeover *t)
{
    struct ucred who;
    socklen_t len = sizeof who;

    if (getsockopt(t->peer, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0) {
        return false;
    }
    t->peer_pid = who.pid;
    if (who.uid != t->uid) {
        log_warnx("takeover refused pid=%d uid=%ju", (int)who.pid, (uintmax_t)who.uid);
        return false;
    }
    return true;
}

static void drop_peer(struct takeover *t)
{
    event_del(&t->said);
    if (t->peer >= 0) {
        close(t->peer);
        t->peer = -1;
    }
}

static void close_door(struct takeover *t)
{
    event_del(&t->knock);
    bound_close(&t->door);
}

static void on_said(evutil_socket_t fd, short what, void *arg);

static bool listen_to_peer(struct takeover *t, const struct timeval *deadline)
{
    event_del(&t->said);
    return event_assign(&t->said, event_get_base(&t->look), t->peer, EV_READ | EV_PERSIST, on_said,
                        t) == 0 &&
           event_add(&t->said, deadline) == 0;
}

/* ---- As the process that is to go ---- */

static void on_knock(evutil_socket_t fd, short what, void *arg)
{
    struct takeover *t = arg;
    int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)what;
    if (peer < 0) {
        return;
    }
    if (t->peer >= 0) {
        close(peer); /* one successor at a time */
        return;
    }
    t->peer = peer;
    if (!is_trusted(t) || !listen_to_peer(t, &answer_time)) {
        drop_peer(t);
    }
}

static void give(struct takeover *t)
{
    const struct bound *b = &t->listener->bound;
    struct packet here = {.shared = b->shared,
                          .device = b->path == NULL ? 0 : b->device,
                          .inode = b->path == NULL ? 0 : b->inode};

    memcpy(here.word, here_word, sizeof here.word);
    if (!packet_send(t->peer, &here, b->fd) || !listen_to_peer(t, NULL)) {
        drop_peer(t);
        return;
    }
    t->state = TAKEOVER_PROMISED;
    log_info("takeover begun pid=%d", (int)t->peer_pid);
}

static void leave(struct takeover *t)
{
    log_info("takeover done pid=%d", (int)t->peer_pid);
    t->hooks.leave(t->hooks.ctx);
    takeover_end(t);
}

/* The successor is gone before it served. */
static void keep(struct takeover *t)
{
    if (t->state == TAKEOVER_PROMISED) {
        log_warnx("takeover abandoned pid=%d", (int)t->peer_pid);
        t->state = TAKEOVER_OFFERED;
    }
    drop_peer(t);
}

/* The address of the control socket. */
static bool name_door(const struct settings *s, char address[ADDRESS_BYTES])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char name[2 * NAME_BYTES + 1];

    crypto_hash_sha256(digest, (const unsigned char *)s->push_listen, strlen(s->push_listen));
    str_hex(digest, NAME_BYTES, name);
    int len =
        snprintf(address, ADDRESS_BYTES, UNIX_PREFIX "%s/pushd-%s.control", s->runtime_dir, name);

    return len > 0 && (size_t)len < ADDRESS_BYTES;
}

void takeover_offer(struct takeover *t)
{
    static const struct bound_kind kind = {
        .type = SOCK_SEQPACKET, .backlog = DOOR_BACKLOG, .mode = DOOR_MODE};
    char address[ADDRESS_BYTES];
    struct bound_error why = {"the path is too long for a socket"};

    assert(t->state == TAKEOVER_OFF);
    if (!name_door(t->settings, address) || !bound_open(&t->door, address, &kind, &why)) {
        log_warnx("takeover unavailable runtime_dir=%s error=\"%s\"", t->settings->runtime_dir,
                  why.text);
        return;
    }
    event_assign(&t->knock, event_get_base(&t->look), t->door.fd, EV_READ | EV_PERSIST, on_knock,
                 t);
    event_add(&t->knock, NULL);
    t->state = TAKEOVER_OFFERED;
}

/* ---- As the process that comes ---- */

/* It is ours alone from now on, if it was its former holder's. */
static void serve(struct takeover *t)
{
    struct bound *b = &t->listener->bound;

    event_del(&t->look);
    b->shared = t->deed.shared;
    if (t->deed.inode != 0) {
        bound_own(b, t->settings->push_listen, t->deed.device, t->deed.inode);
    }
    t->state = TAKEOVER_SERVING;
    log_info("takeover serving pid=%d", (int)t->peer_pid);
    t->hooks.serve(t->hooks.ctx);
}

/* The process before us has let go, or is gone. */
static void be_alone(struct takeover *t)
{
    drop_peer(t);
    if (t->state == TAKEOVER_CLAIMED) {
        serve(t);
    }
    t->state = TAKEOVER_OFF;
    t->hooks.alone(t->hooks.ctx);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct takeover *t = arg;

    (void)fd;
    (void)what;
    if (t->hooks.ready(t->hooks.ctx)) {
        serve(t);
        (void)packet_send(t->peer, &serving, -1);
    }
}

/* Connects to the door of the process that runs. TAKEOVER_FOUND: t->peer is it. */
static enum takeover_found knock(struct takeover *t)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[ADDRESS_BYTES];

    if (!name_door(t->settings, name)) {
        return TAKEOVER_NOBODY;
    }
    memcpy(address.sun_path, name + sizeof UNIX_PREFIX - 1, sizeof address.sun_path);
    t->peer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (t->peer >= 0 && connect(t->peer, (struct sockaddr *)&address, sizeof address) == 0) {
        return TAKEOVER_FOUND;
    }
    if (t->peer >= 0 && (errno == ENOENT || errno == ECONNREFUSED)) {
        return TAKEOVER_NOBODY;
    }
    log_err("takeover path=%s", address.sun_path);
    return TAKEOVER_FAILED;
}

/* Asks for the descriptor, and gives it to the listener. */
static bool ask(struct takeover *t)
{
    struct packet answer = {.word = ""};
    const char *why = "no answer; it may be handing over to another";
    int fd = -1;

    if (setsockopt(t->peer, SOL_SOCKET, SO_RCVTIMEO, &answer_time, sizeof answer_time) == 0 &&
        setsockopt(t->peer, SOL_SOCKET, SO_SNDTIMEO, &answer_time, sizeof answer_time) == 0 &&
        packet_send(t->peer, &take, -1) && packet_receive(t->peer, &answer, &fd)) {
        if (says(&answer, here_word) && fd >= 0) {
            t->deed = (struct takeover_deed){answer.shared != 0, answer.device, answer.inode};
            return listener_adopt(t->listener, fd);
        }
        why = "the answer is not understood";
    }
    log_errx("takeover pid=%d error=\"%s\"", (int)t->peer_pid, why);
    if (fd >= 0) {
        close(fd);
    }
    return false;
}

enum takeover_found takeover_claim(struct takeover *t)
{
    enum takeover_found found = knock(t);

    if (found == TAKEOVER_FOUND &&
        (!is_trusted(t) || !ask(t) || evutil_make_socket_nonblocking(t->peer) != 0 ||
         !listen_to_peer(t, NULL) || event_add(&t->look, &look_time) != 0)) {
        found = TAKEOVER_FAILED;
    }
    if (found != TAKEOVER_FOUND) {
        drop_peer(t);
        return found;
    }
    t->state = TAKEOVER_CLAIMED;
    log_info("takeover claimed pid=%d", (int)t->peer_pid);
    return TAKEOVER_FOUND;
}

/* ---- Both ---- */

static void on_said(evutil_socket_t fd, short what, void *arg)
{
    struct takeover *t = arg;
    struct packet p = {.word = ""};
    bool came = (what & EV_READ) && packet_receive(fd, &p, NULL);

    switch (t->state) {
    case TAKEOVER_CLAIMED:
    case TAKEOVER_SERVING:
        be_alone(t);
        break;
    case TAKEOVER_OFFERED:
        if (came && says(&p, take.word)) {
            give(t);
        } else {
            keep(t);
        }
        break;
    case TAKEOVER_PROMISED:
        if (came && says(&p, serving.word)) {
            leave(t);
        } else {
            keep(t);
        }
        break;
    case TAKEOVER_OFF:
        drop_peer(t);
        break;
    }
}

bool takeover_init(struct takeover *t, struct event_base *base, struct listener *listener,
                   const struct settings *settings, const struct takeover_hooks *hooks)
{
    *t = (struct takeover){.listener = listener,
                           .settings = settings,
                           .hooks = *hooks,
                           .uid = geteuid(),
                           .door = {.fd = -1},
                           .peer = -1};
    return event_assign(&t->look, base, -1, EV_PERSIST, on_look, t) == 0 &&
           event_assign(&t->knock, base, -1, 0, on_knock, t) == 0 &&
           event_assign(&t->said, base, -1, 0, on_said, t) == 0;
}

void takeover_end(struct takeover *t)
{
    if (t->state == TAKEOVER_PROMISED) {
        bound_disown(&t->listener->bound);
    }
    event_del(&t->look);
    close_door(t);
    drop_peer(t); /* the last of all, since it tells that nothing is held any more */
    t->state = TAKEOVER_OFF;
}
