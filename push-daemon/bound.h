/*
 * bound: a listening socket, and the file that one of the unix kind has. It is opened here, or was
 * opened by somebody else: systemd, or the process that this one replaces. Non-goals: accepting,
 * events, the log.
 */
#ifndef PUSH_BOUND_H
#define PUSH_BOUND_H

#include <stdbool.h>
#include <sys/types.h>

#define BOUND_ERROR_BYTES 128

struct bound {
    int fd; /* owned; -1: closed */
    bool is_tcp;
    bool shared;  /* somebody else has it open too: what waits in it is not lost with us */
    char *path;   /* owned; of the file that goes with us; else NULL */
    dev_t device; /* what was made there: another one's is left alone */
    ino_t inode;
};

struct bound_kind {
    int type; /* SOCK_STREAM … */
    int backlog;
    mode_t mode;     /* of the file */
    bool reuse_port; /* others may listen on the same TCP port */
};

/* Why something could not be opened, for people. */
struct bound_error {
    char text[BOUND_ERROR_BYTES];
};

/* Opens what address names: "unix:PATH" or "HOST:PORT". A file that nobody listens on is left from
 * a process that died, and replaced. False: *b is closed, and e says why. */
bool bound_open(struct bound *b, const char *address, const struct bound_kind *kind,
                struct bound_error *e) __attribute__((warn_unused_result));

/* Takes over a descriptor that others have too. False: it is no listening stream socket, and was
 * closed. */
bool bound_adopt(struct bound *b, int fd) __attribute__((warn_unused_result));

/* Removes the file already, so that nobody new gets in; who waits can still be accepted. Over TCP
 * nothing of that kind can be done. */
void bound_hide(struct bound *b);

/* The file of address, if that has one, is ours from now on, provided that it is still this one.
 * Out of memory it is left behind at the end. */
void bound_own(struct bound *b, const char *address, dev_t device, ino_t inode);
/* The file, if there is one, is somebody else's from now on, and the socket too. */
void bound_disown(struct bound *b);

/* Repeating it is harmless. */
void bound_close(struct bound *b);

#endif
