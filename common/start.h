/*
 * start: what both programs do first, and alike: the command line, the settings, the log.
 */
#ifndef CONFAB_START_H
#define CONFAB_START_H

#include <stdbool.h>

#include "settings.h"

struct program {
    const char *name;      /* as it is called */
    const char *component; /* that opens its log lines */
    const char *note;      /* a closing line of the usage, or "" */
    bool takeover;         /* whether there is -t */
};

struct start {
    const char *conf_path; /* that -c names, borrowed from argv; NULL: the default */
    bool takeover;         /* -t */
};

/*
 * Reads the command line, then the settings into *s (which the caller clears), and starts the log.
 * Exits where the command line asks for no more than that (-n, -T, -h, -V), and where it or the
 * settings cannot be used. Returns the rest of what the command line said.
 */
struct start start_program(const struct program *program, int argc, char **argv,
                           struct settings *s);

/* Has the log heed the settings, which may be newer than those it was started with. */
void start_log(const struct settings *s);

#endif
