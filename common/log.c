/*
 * log: lines on stderr. A line is one write(2), so that lines of several processes on one pipe do
 * not mix. Non-goals: files, rotation, syslog: whoever starts the program does that.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_TEXT_BYTES 2048 /* of one event before escaping; longer ones are cut */
#define LOG_LINE_BYTES (LOG_TEXT_BYTES * 4 + 64)

static const char *const level_names[LOG_LEVEL_MAX] = {
    [LOG_LEVEL_ERR] = "err",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

static const char *log_component = "confab"; /* borrowed for ever */
static enum log_level log_threshold = LOG_LEVEL_INFO;

void log_init(const char *component, enum log_level level)
{
    log_component = component;
    log_threshold = level;
}

void log_set_level(enum log_level level)
{
    log_threshold = level;
}

bool log_enabled(enum log_level level)
{
    return level <= log_threshold;
}

bool log_level_parse(const char *name, enum log_level *out)
{
    for (int level = 0; level < LOG_LEVEL_MAX; level++) {
        if (strcmp(name, level_names[level]) == 0) {
            *out = (enum log_level)level;
            return true;
        }
    }
    return false;
}

/* Appends text to line (at *len of LOG_LINE_BYTES), control bytes as \xHH. */
static void log_escape(char *line, size_t *len, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        /* Four bytes for an escape, one for the newline. */
        if (*len + 5 > LOG_LINE_BYTES) {
            return;
        }
        if (*p < 0x20 || *p == 0x7f) {
            static const char digits[] = "0123456789abcdef";

            line[(*len)++] = '\\';
            line[(*len)++] = 'x';
            line[(*len)++] = digits[*p >> 4];
            line[(*len)++] = digits[*p & 0x0f];
        } else {
            line[(*len)++] = (char)*p;
        }
    }
}

/* Writes it all, in one call when the descriptor allows. A log that cannot be written is no reason
 * to stop. */
static void log_write(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);

        if (n < 0 && errno != EINTR) {
            return;
        }
        if (n > 0) {
            line += n;
            len -= (size_t)n;
        }
    }
}

static void log_line(enum log_level level, int error, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

/* error is an errno to explain, or 0. */
static void log_line(enum log_level level, int error, const char *fmt, va_list args)
{
    int saved_errno = errno;
    char text[LOG_TEXT_BYTES];
    char line[LOG_LINE_BYTES];
    size_t len = 0;

    if (vsnprintf(text, sizeof(text), fmt, args) < 0) {
        text[0] = '\0';
    }
    log_escape(line, &len, log_component);
    log_escape(line, &len, " ");
    if (level != LOG_LEVEL_INFO) {
        log_escape(line, &len, level_names[level]);
        log_escape(line, &len, " ");
    }
    log_escape(line, &len, text);
    if (error != 0) {
        log_escape(line, &len, " error=\"");
        log_escape(line, &len, strerror(error));
        log_escape(line, &len, "\"");
    }
    line[len++] = '\n';
    log_write(line, len);
    errno = saved_errno;
}

#define LOG_VERB(verb, level, error)                                                               \
    void verb(const char *fmt, ...)                                                                \
    {                                                                                              \
        if (log_enabled(level)) {                                                                  \
            va_list args;                                                                          \
            va_start(args, fmt);                                                                   \
            log_line((level), (error), fmt, args);                                                 \
            va_end(args);                                                                          \
        }                                                                                          \
    }

LOG_VERB(log_err, LOG_LEVEL_ERR, errno)
LOG_VERB(log_errx, LOG_LEVEL_ERR, 0)
LOG_VERB(log_warn, LOG_LEVEL_WARN, errno)
LOG_VERB(log_warnx, LOG_LEVEL_WARN, 0)
LOG_VERB(log_info, LOG_LEVEL_INFO, 0)
LOG_VERB(log_debug, LOG_LEVEL_DEBUG, 0)

struct log_text log_text(const char *message)
{
    struct log_text out = {""};
    size_t len = message == NULL ? 0 : strcspn(message, "\n");

    for (size_t i = 0; i < len && i + 1 < sizeof(out.text); i++) {
        out.text[i] = message[i];
        if (message[i] == '"') {
            out.text[i] = '\'';
        }
    }
    return out;
}

void fatal(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_line(LOG_LEVEL_ERR, errno, fmt, args);
    va_end(args);
    exit(EXIT_FAILURE);
}

void fatalx(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_line(LOG_LEVEL_ERR, 0, fmt, args);
    va_end(args);
    exit(EXIT_FAILURE);
}
