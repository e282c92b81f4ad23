/*
 * reload: takes over a changed configuration while running, whole or not at all.
 */
#ifndef PUSH_RELOAD_H
#define PUSH_RELOAD_H

#include <stdbool.h>

#include "common/settings.h"

/*
 * Reads the configuration again (path as at the start). When all of it is valid, *s gets the new
 * values of the options that may change; the others keep theirs, and each that differs is logged.
 * False: *s is as before, and why has been logged. Strings of *s are then other ones: nobody may
 * keep pointers to them.
 */
bool reload_settings(struct settings *s, const char *path);

#endif
