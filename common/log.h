/*
 * log: one event a line on stderr, `component event key=value …`. Whoever starts the program adds
 * time and program name (systemd, the web server, tools/site); log_init can add the time itself.
 * Never logged: tokens, message bodies, raw SQL parameters.
 */
#ifndef CONFAB_LOG_H
#define CONFAB_LOG_H

#include <stdbool.h>

#define LOG_FOREIGN_BYTES 512

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_MAX };

/* The component ("push", "fcgi") opens each line; borrowed for ever (a literal). */
void log_init(const char *component, enum log_level level);
void log_set_level(enum log_level level);
/* Tested by callers whose arguments are dear to compute. */
bool log_enabled(enum log_level level);
bool log_level_parse(const char *name, enum log_level *out) __attribute__((warn_unused_result));

/* The plain forms add `error="strerror(errno)"` and keep errno; the x forms do not. Control bytes
 * in the formatted text are escaped, so that input cannot forge a line. */
void log_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_errx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The first line of a text that others wrote (libpq's end in a newline), fit to stand between
 * double quotes: its own become single ones. NULL is no text. Lives as long as the call that it is
 * an argument of: log_warnx("… why=\"%s\"", log_text(message).text). */
struct log_text {
    char text[LOG_FOREIGN_BYTES]; /* longer ones are cut */
};
struct log_text log_text(const char *message);

/* Logs as log_err/log_errx and exits 1: only while starting, or on a broken invariant. */
void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void fatalx(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
