/*
 * conf: reads `key = value` text and the environment into a struct, by a table of options.
 * It knows nothing of any particular option: settings.c has the table.
 */
#ifndef CONFAB_CONF_H
#define CONFAB_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "err.h"

enum conf_type {
    CONF_STRING, /* member is char *, owned by the struct */
    CONF_INT,    /* member is int64_t, min..max */
    CONF_TYPE_MAX
};

struct conf_option {
    const char *name;
    enum conf_type type;
    size_t offset;            /* of the member in the settings struct */
    const char *default_text; /* as it would stand in the file */
    int64_t min, max;         /* CONF_INT */
    bool reloadable;          /* SIGHUP may change it */
    const char *help;         /* one line, with the unit */
    /* Further check of a value, or NULL; returns NULL when good, else what is wrong (a literal). */
    const char *(*check)(const char *value);
};

struct conf_table {
    const struct conf_option *options;
    size_t count;
    size_t struct_size;
};

/* Where and why a configuration was refused. */
struct conf_error {
    char text[256];
};

/* Sets every member to its default. Frees nothing: settings is uninitialised memory. */
enum confab_err conf_defaults(const struct conf_table *t, void *settings)
    __attribute__((warn_unused_result));
/* Reads a file over what is there. Unknown key, bad value, repeated key: CONFAB_BAD_REQUEST with
 * "FILE:LINE: why" in e. CONFAB_IO when it cannot be read. */
enum confab_err conf_read_file(const struct conf_table *t, void *settings, const char *path,
                               struct conf_error *e) __attribute__((warn_unused_result));
/* The same for text in memory; name stands for the file in messages. Pure: the fuzzer calls it. */
enum confab_err conf_read_text(const struct conf_table *t, void *settings, const char *name,
                               const char *text, size_t len, struct conf_error *e)
    __attribute__((warn_unused_result));
/* CONFAB_<NAME> variables over what is there; an unknown CONFAB_ variable is an error that names it
 * (CONFAB_CONF, which names the file, is known). */
enum confab_err conf_read_env(const struct conf_table *t, void *settings, char *const *env,
                              struct conf_error *e) __attribute__((warn_unused_result));
/* Writes the effective settings as a file that conf_read_file reads back to the same values. */
void conf_dump(const struct conf_table *t, const void *settings, FILE *out);
/* Frees the strings. */
void conf_clear(const struct conf_table *t, void *settings);

#endif
