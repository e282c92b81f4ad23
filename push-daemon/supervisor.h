/*
 * supervisor: what systemd, or whoever speaks its protocols, hands over and wants to hear: a
 * listening socket (sd_listen_fds(3)), and how the daemon is (sd_notify(3)). Without one nothing
 * happens here.
 */
#ifndef PUSH_SUPERVISOR_H
#define PUSH_SUPERVISOR_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct supervisor {
    int fd; /* owned; -1: nobody wants to hear anything */
    struct sockaddr_un address;
    socklen_t address_len;
    struct event watchdog; /* while the loop turns, it says so */
};

/* The descriptor of the listening socket that was handed over, or -1 for none. Says so once: the
 * variables that tell of it are removed. False: more than one was, and that has been logged. */
bool supervisor_socket(int *fd) __attribute__((warn_unused_result));

/* Finds out whether anybody wants to hear, and how often. False: no event. */
bool supervisor_init(struct supervisor *s, struct event_base *base)
    __attribute__((warn_unused_result));
void supervisor_clear(struct supervisor *s);

/* state: "READY=1" … */
void supervisor_tell(const struct supervisor *s, const char *state);

#endif
