/*
 * conf: a table of options read from text and environment. The format is one `key = value` a line;
 * a line that begins with # is a comment; there is no quoting and no continuation, so whatever a
 * value holds (a password with # in a conninfo, say) stands for itself.
 */
#include "conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "str.h"

#define CONF_FILE_BYTES  (64 * 1024)
#define CONF_VALUE_BYTES 4096
#define CONF_ENV_PREFIX  "CONFAB_"
#define CONF_ENV_FILE    "CONF" /* CONFAB_CONF names the file; it is no option */
/* The longest piece of foreign text that a message repeats. */
#define CONF_ECHO_BYTES 60

static void conf_fail(struct conf_error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void conf_fail(struct conf_error *e, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(e->text, sizeof(e->text), fmt, args);

    va_end(args);
    if (len < 0) {
        e->text[0] = '\0';
    }
}

static int conf_echo(struct slice s)
{
    return s.n < CONF_ECHO_BYTES ? (int)s.n : CONF_ECHO_BYTES;
}

static const struct conf_option *conf_find(const struct conf_table *t, struct slice name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (slice_eq(slice_of(t->options[i].name), name)) {
            return &t->options[i];
        }
    }
    return NULL;
}

static char **conf_string_at(void *settings, const struct conf_option *o)
{
    return (char **)(void *)((char *)settings + o->offset);
}

static int64_t *conf_int_at(void *settings, const struct conf_option *o)
{
    return (int64_t *)(void *)((char *)settings + o->offset);
}

/* A value goes back into a file as one line, so it may hold no control byte. */
static bool conf_is_line(struct slice value)
{
    for (size_t i = 0; i < value.n; i++) {
        if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static enum confab_err conf_set_string(const struct conf_option *o, void *settings,
                                       struct slice value, const char **why)
{
    if (value.n > CONF_VALUE_BYTES || !conf_is_line(value) || !str_is_utf8(value)) {
        *why = "is not one line of text";
        return CONFAB_BAD_REQUEST;
    }
    char *copy = strndup(value.n == 0 ? "" : value.p, value.n);

    if (copy == NULL) {
        *why = "out of memory";
        return CONFAB_NO_MEMORY;
    }
    *why = o->check == NULL ? NULL : o->check(copy);
    if (*why != NULL) {
        free(copy);
        return CONFAB_BAD_REQUEST;
    }
    char **member = conf_string_at(settings, o);

    free(*member);
    *member = copy;
    return CONFAB_OK;
}

/* Sets one option from its text. On failure *why is a literal and nothing has changed. */
static enum confab_err conf_set(const struct conf_option *o, void *settings, struct slice value,
                                const char **why)
{
    *why = NULL;
    if (o->type == CONF_STRING) {
        return conf_set_string(o, settings, value, why);
    }
    int64_t number = 0;

    if (!str_to_i64(value, INT64_MIN, INT64_MAX, &number)) {
        *why = "is not a whole number";
        return CONFAB_BAD_REQUEST;
    }
    if (number < o->min || number > o->max) {
        *why = "is out of range";
        return CONFAB_BAD_REQUEST;
    }
    *conf_int_at(settings, o) = number;
    return CONFAB_OK;
}

/* Explains a refused value; numbers with their range. */
static void conf_explain(struct conf_error *e, const char *where, const struct conf_option *o,
                         const char *why)
{
    if (o->type == CONF_INT) {
        conf_fail(e, "%s: %s %s (%" PRId64 " to %" PRId64 ")", where, o->name, why, o->min, o->max);
    } else {
        conf_fail(e, "%s: %s %s", where, o->name, why);
    }
}

enum confab_err conf_defaults(const struct conf_table *t, void *settings)
{
    memset(settings, 0, t->struct_size);
    for (size_t i = 0; i < t->count; i++) {
        const struct conf_option *o = &t->options[i];
        const char *why = NULL;
        enum confab_err err = conf_set(o, settings, slice_of(o->default_text), &why);

        if (err != CONFAB_OK) {
            conf_clear(t, settings);
            return err;
        }
    }
    return CONFAB_OK;
}

/* One line without its newline. seen has a byte for each option: no key may stand twice. */
static enum confab_err conf_read_line(const struct conf_table *t, void *settings, const char *where,
                                      struct slice line, bool *seen, struct conf_error *e)
{
    struct slice key;
    struct slice value;
    const char *why = NULL;

    line = slice_trim(line);
    if (line.n == 0 || line.p[0] == '#') {
        return CONFAB_OK;
    }
    if (!slice_cut(line, '=', &key, &value)) {
        conf_fail(e, "%s: not of the form key = value", where);
        return CONFAB_BAD_REQUEST;
    }
    key = slice_trim(key);
    const struct conf_option *o = conf_find(t, key);

    if (o == NULL) {
        conf_fail(e, "%s: unknown key %.*s", where, conf_echo(key), key.p);
        return CONFAB_BAD_REQUEST;
    }
    if (seen[o - t->options]) {
        conf_fail(e, "%s: %s stands here a second time", where, o->name);
        return CONFAB_BAD_REQUEST;
    }
    seen[o - t->options] = true;
    enum confab_err err = conf_set(o, settings, slice_trim(value), &why);

    if (err != CONFAB_OK) {
        conf_explain(e, where, o, why);
    }
    return err;
}

enum confab_err conf_read_text(const struct conf_table *t, void *settings, const char *name,
                               const char *text, size_t len, struct conf_error *e)
{
    enum confab_err err = CONFAB_OK;
    struct slice rest = {text, len};
    bool *seen = calloc(t->count, sizeof(*seen));

    if (seen == NULL) {
        conf_fail(e, "%s: out of memory", name);
        return CONFAB_NO_MEMORY;
    }
    for (unsigned number = 1; err == CONFAB_OK && rest.n > 0; number++) {
        char where[128];
        struct slice line;

        slice_cut(rest, '\n', &line, &rest);
        if (line.n > 0 && line.p[line.n - 1] == '\r') {
            line.n--;
        }
        int n = snprintf(where, sizeof(where), "%.100s:%u", name, number);

        if (n < 0) {
            where[0] = '\0';
        }
        err = conf_read_line(t, settings, where, line, seen, e);
    }
    free(seen);
    return err;
}

/* The whole file into text, which has the limit. */
static enum confab_err conf_slurp(const char *path, struct buf *text)
{
    char chunk[4096];
    size_t n = 0;
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return CONFAB_IO;
    }
    while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        buf_put(text, chunk, n);
    }
    bool failed = ferror(file) != 0;
    int saved_errno = errno;

    fclose(file);
    errno = saved_errno;
    if (failed) {
        return CONFAB_IO;
    }
    if (buf_failed(text)) {
        errno = EFBIG;
        return CONFAB_IO;
    }
    return CONFAB_OK;
}

enum confab_err conf_read_file(const struct conf_table *t, void *settings, const char *path,
                               struct conf_error *e)
{
    struct buf text;

    buf_init(&text, CONF_FILE_BYTES);
    enum confab_err err = conf_slurp(path, &text);

    if (err == CONFAB_OK) {
        err = conf_read_text(t, settings, path, buf_str(&text), text.len, e);
    } else {
        conf_fail(e, "%.150s: %s", path, strerror(errno));
    }
    buf_clear(&text);
    return err;
}

/* Whether the part of a variable's name after CONFAB_ is the option's name in capitals. */
static bool conf_env_names(struct slice suffix, const char *name)
{
    for (size_t i = 0; i < suffix.n; i++) {
        if (suffix.p[i] >= 'a' && suffix.p[i] <= 'z') {
            return false;
        }
    }
    return slice_eq_nocase(suffix, slice_of(name));
}

/* One NAME=value whose name begins with CONFAB_; suffix is the rest of the name. */
static enum confab_err conf_read_variable(const struct conf_table *t, void *settings,
                                          struct slice suffix, struct slice value,
                                          struct conf_error *e)
{
    if (slice_eq(suffix, SLICE_LITERAL(CONF_ENV_FILE))) {
        return CONFAB_OK;
    }
    for (size_t i = 0; i < t->count; i++) {
        const struct conf_option *o = &t->options[i];
        const char *why = NULL;

        if (!conf_env_names(suffix, o->name)) {
            continue;
        }
        enum confab_err err = conf_set(o, settings, slice_trim(value), &why);

        if (err != CONFAB_OK) {
            conf_explain(e, "environment", o, why);
        }
        return err;
    }
    conf_fail(e, "environment: unknown variable " CONF_ENV_PREFIX "%.*s", conf_echo(suffix),
              suffix.p);
    return CONFAB_BAD_REQUEST;
}

enum confab_err conf_read_env(const struct conf_table *t, void *settings, char *const *env,
                              struct conf_error *e)
{
    const struct slice prefix = SLICE_LITERAL(CONF_ENV_PREFIX);

    for (; *env != NULL; env++) {
        struct slice name;
        struct slice value;

        if (!slice_cut(slice_of(*env), '=', &name, &value) || !slice_starts(name, prefix)) {
            continue;
        }
        struct slice suffix = {name.p + prefix.n, name.n - prefix.n};
        enum confab_err err = conf_read_variable(t, settings, suffix, value, e);

        if (err != CONFAB_OK) {
            return err;
        }
    }
    return CONFAB_OK;
}

void conf_dump(const struct conf_table *t, const void *settings, FILE *out)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct conf_option *o = &t->options[i];
        const char *at = (const char *)settings + o->offset;

        fprintf(out, "# %s\n", o->help);
        if (o->type == CONF_STRING) {
            fprintf(out, "%s = %s\n", o->name, *(char *const *)(const void *)at);
        } else {
            fprintf(out, "%s = %" PRId64 "\n", o->name, *(const int64_t *)(const void *)at);
        }
    }
}

void conf_clear(const struct conf_table *t, void *settings)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->options[i].type == CONF_STRING) {
            char **member = conf_string_at(settings, &t->options[i]);

            free(*member);
            *member = NULL;
        }
    }
}
