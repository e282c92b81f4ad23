/*
 * takeover: a new process takes the listening socket over from the one that runs, without a moment
 * in which nobody listens. They talk over a private unix socket in runtime_dir, named after the
 * address that they serve:
 *
 *     the new one                              the old one
 *     take                              ──▶
 *                                       ◀──    here, with the descriptor; it goes on serving
 *     gets ready, begins to accept
 *     serving                           ──▶
 *                                              accepts no more, lets go of all names, hangs up, and
 *                                              drains
 *
 * Whoever sees the other hang up before that goes on as if it had never been. Non-goals: handing
 * over connections or what is known of them; clients resume by their cursors.
 */
#ifndef PUSH_TAKEOVER_H
#define PUSH_TAKEOVER_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "bound.h"
#include "common/settings.h"
#include "listener.h"

#define TAKEOVER_ANSWER_MS 5000 /* for the other process to answer */
#define TAKEOVER_LOOK_MS   20   /* between looks at whether we are ready */

/* What main does about it. */
struct takeover_hooks {
    bool (*ready)(void *ctx); /* whether we could serve */
    void (*serve)(void *ctx); /* it is our turn to accept */
    void (*alone)(void *ctx); /* the process before us has let go of what only one can have */
    void (*leave)(void *ctx); /* a successor serves */
    void *ctx;                /* borrowed */
};

enum takeover_state {
    TAKEOVER_OFF,      /* nothing to take over, and nobody who could */
    TAKEOVER_CLAIMED,  /* we have the descriptor, and get ready; the process before us serves */
    TAKEOVER_SERVING,  /* we have told it that we do */
    TAKEOVER_OFFERED,  /* a successor may come */
    TAKEOVER_PROMISED, /* a successor has the descriptor, and gets ready */
};

/* Whose a listening socket is. */
struct takeover_deed {
    bool shared;            /* still somebody else's too: systemd's */
    uint64_t device, inode; /* of the file that goes with it; inode 0: none */
};

struct takeover {
    struct listener *listener;       /* borrowed */
    const struct settings *settings; /* borrowed */
    struct takeover_hooks hooks;
    uid_t uid;         /* whose processes are trusted: our own user */
    struct bound door; /* where a successor knocks */
    struct event knock, said, look;
    int peer; /* owned; the other process; -1: none */
    pid_t peer_pid;
    struct takeover_deed deed; /* what we get by serving */
    enum takeover_state state;
};

/* False: no event. */
bool takeover_init(struct takeover *t, struct event_base *base, struct listener *listener,
                   const struct settings *settings, const struct takeover_hooks *hooks)
    __attribute__((warn_unused_result));

enum takeover_found {
    TAKEOVER_NOBODY, /* nobody serves that address, as far as can be told */
    TAKEOVER_FOUND,  /* the listener is open; `serve` and `alone` will be called */
    TAKEOVER_FAILED, /* why has been logged */
};
/* Asks the process that runs for its socket. Waits for the answer: only while starting. */
enum takeover_found takeover_claim(struct takeover *t) __attribute__((warn_unused_result));

/* From now on a successor may come. Where that cannot be, a warning is all. */
void takeover_offer(struct takeover *t);

/* No successor any more. One that has the descriptor already keeps it. */
void takeover_end(struct takeover *t);

#endif
