/*
 * settings: the table of options, and what they must satisfy together.
 */
#include "settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ip.h"
#include "log.h"
#include "str.h"

#define SETTINGS_DEFAULT_FILE "/etc/confab/confab.conf"
#define PORT_MAX              65535
#define PATH_PREFIX_BYTES     200
/* sun_path less its NUL, and less room for a suffix that a web server adds. */
#define SOCKET_PATH_BYTES 100

static const char *check_path_prefix(const char *value)
{
    size_t len = strlen(value);

    if (len == 0) {
        return NULL;
    }
    if (value[0] != '/' || value[len - 1] == '/' || len > PATH_PREFIX_BYTES) {
        return "must be empty or begin, and not end, with /";
    }
    for (size_t i = 0; i < len; i++) {
        /* Unreserved characters (RFC 3986) stand for themselves in an URL and in a cookie. */
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/",
                   value[i]) == NULL) {
            return "may hold only letters, digits and -._~/";
        }
    }
    return strstr(value, "//") != NULL ? "must not hold //" : NULL;
}

/* "http://HOST" or "https://HOST", perhaps with a port, and nothing after it. */
static bool origin_is_whole(struct slice origin)
{
    struct slice host = origin;

    if (slice_starts(host, SLICE_LITERAL("https://"))) {
        host.p += sizeof("https://") - 1;
        host.n -= sizeof("https://") - 1;
    } else if (slice_starts(host, SLICE_LITERAL("http://"))) {
        host.p += sizeof("http://") - 1;
        host.n -= sizeof("http://") - 1;
    } else {
        return false;
    }
    for (size_t i = 0; i < host.n; i++) {
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-.:[]", host.p[i]) == NULL) {
            return false;
        }
    }
    return host.n > 0;
}

/* Of a list with spaces between. */
static bool all_are(const char *list, bool (*is_good)(struct slice item))
{
    struct slice rest = slice_of(list);

    while (rest.n > 0) {
        struct slice item;

        slice_cut(rest, ' ', &item, &rest);
        if (item.n > 0 && !is_good(item)) {
            return false;
        }
    }
    return true;
}

static const char *check_origins(const char *value)
{
    return all_are(value, origin_is_whole)
               ? NULL
               : "must be a list of http[s]://host[:port] in lower case";
}

static bool is_ip(struct slice text)
{
    struct in6_addr address;

    return ip_parse(text, &address);
}

static const char *check_proxies(const char *value)
{
    return all_are(value, is_ip) ? NULL
                                 : "must be a list of IP addresses, without networks or names";
}

static const char *check_runtime_dir(const char *value)
{
    return value[0] == '/' ? NULL : "must be an absolute path";
}

static const char *check_log_level(const char *value)
{
    enum log_level level;

    return log_level_parse(value, &level) ? NULL : "must be err, warn, info or debug";
}

static bool is_unix_address(const char *value)
{
    return slice_starts(slice_of(value), SLICE_LITERAL("unix:"));
}

static const char *check_listen(const char *value)
{
    const size_t scheme_bytes = sizeof("unix:") - 1;
    int64_t port = 0;

    if (is_unix_address(value)) {
        if (value[scheme_bytes] != '/') {
            return "must name the socket by an absolute path";
        }
        return strlen(value) - scheme_bytes > SOCKET_PATH_BYTES ? "names too long a socket path"
                                                                : NULL;
    }
    const char *colon = strrchr(value, ':');

    if (colon == NULL || colon == value || !str_to_i64(slice_of(colon + 1), 0, PORT_MAX, &port)) {
        return "must be unix:PATH or HOST:PORT";
    }
    return NULL;
}

static const char *check_admin_listen(const char *value)
{
    return value[0] == '\0' ? NULL : check_listen(value);
}

#define TEXT(member, default_text, check, reloadable, help)                                        \
    {                                                                                              \
#member, CONF_STRING, offsetof(struct settings, member), default_text, 0, 0, reloadable,   \
            help, check                                                                            \
    }
#define NUMBER(member, default_text, min, max, reloadable, help)                                   \
    {                                                                                              \
#member, CONF_INT, offsetof(struct settings, member), default_text, min, max, reloadable,  \
            help, NULL                                                                             \
    }

static const struct conf_option options[] = {
    TEXT(database, "", NULL, false, "libpq connection string of the workers"),
    TEXT(push_database, "", NULL, false,
         "libpq connection string of the daemon; empty: the same as database"),
    TEXT(path_prefix, "", check_path_prefix, false, "path below which the site lives, as /chat"),
    TEXT(origins, "", check_origins, true,
         "other web origins, separated by spaces, that may use API and streams"),
    TEXT(runtime_dir, "/run/confab", check_runtime_dir, false,
         "directory of lock files, and of the socket by which a daemon is replaced"),
    TEXT(log_level, "info", check_log_level, true, "err, warn, info or debug"),
    NUMBER(db_connect_timeout_s, "3", 2, 60, false,
           "seconds after which a connection attempt to the database is given up"),
    NUMBER(presence_lease_s, "60", 1, 3600, false,
           "seconds after which who was connected is offline, if nobody says otherwise"),

    NUMBER(workers, "16", 1, 1000, false,
           "number of FastCGI workers; at most half of them wait for one room"),
    NUMBER(worker_requests, "10000", 1, 1000000000, false,
           "requests after which a worker begins anew, with fresh memory"),
    NUMBER(request_body_bytes, "65536", 1024, 16777216, false, "longest request body"),
    NUMBER(password_hashes_at_once, "2", 1, 64, false,
           "passwords hashed at the same time, by all workers together"),
    NUMBER(password_memory_kib, "19456", 8, 4194304, false, "argon2id: KiB of memory for one hash"),
    NUMBER(password_passes, "2", 1, 64, false, "argon2id: passes over that memory"),
    NUMBER(session_days, "30", 1, 3650, false, "days after which a session ends by itself"),
    NUMBER(lock_timeout_ms, "800", 10, 60000, false,
           "milliseconds to wait for a lock in the database"),
    NUMBER(statement_timeout_ms, "5000", 100, 600000, false,
           "milliseconds that one call of the database may take"),
    NUMBER(poll_interval_ms, "3000", 100, 600000, false,
           "milliseconds between polls, as told to polling clients"),

    TEXT(push_listen, "unix:/run/confab/push.sock", check_listen, false,
         "where the daemon listens: unix:PATH or HOST:PORT"),
    TEXT(push_proxies, "127.0.0.1 ::1", check_proxies, true,
         "addresses of proxies whose X-Forwarded-For is believed, separated by spaces"),
    NUMBER(push_reuse_port, "0", 0, 1, false,
           "1: several daemons may listen on the same HOST:PORT"),
    TEXT(admin_listen, "unix:/run/confab/admin.sock", check_admin_listen, false,
         "private address of the daemon's health and metrics, as push_listen; empty: none"),
    NUMBER(stream_queue_bytes, "1048576", 4096, 1073741824, true,
           "bytes that may wait for one stream; beyond them it is closed"),
    NUMBER(ring_bytes, "16777216", 65536, 17179869184, false,
           "bytes of recent messages kept for streams that reconnect"),
    NUMBER(stream_heartbeat_ms, "15000", 100, 600000, true, "milliseconds between heartbeats"),
    NUMBER(stream_silent_ms, "60000", 1000, 3600000, true,
           "milliseconds without a sign of life after which a client is taken for gone"),
    NUMBER(stream_age_min_s, "600", 1, 86400, true, "shortest life of a stream, in seconds"),
    NUMBER(stream_age_max_s, "1800", 1, 86400, true, "longest life of a stream, in seconds"),
    NUMBER(stream_retry_min_ms, "2000", 10, 600000, true,
           "shortest time until a client reconnects, in milliseconds"),
    NUMBER(stream_retry_max_ms, "6000", 10, 600000, true,
           "longest time until a client reconnects, in milliseconds"),
    NUMBER(streams_per_session, "20", 1, 10000, true, "streams that one session may hold"),
    NUMBER(streams_per_address, "200", 1, 1000000, true,
           "streams that may come from one address (IPv6: one /64)"),
    NUMBER(stream_head_bytes, "16384", 1024, 1048576, true, "longest request head of a stream"),
    NUMBER(handshake_ms, "10000", 100, 600000, true,
           "milliseconds within which a stream must be open"),
    NUMBER(poll_wait_ms, "25000", 100, 600000, true,
           "milliseconds that a long poll waits for events"),
    NUMBER(look_interval_ms, "1000", 10, 60000, true,
           "milliseconds after which the daemon reads the event log without being woken"),
    NUMBER(probe_ms, "5000", 100, 600000, true,
           "milliseconds between, and granted to, the daemon's tests of its wake-up path"),
    NUMBER(replay_events, "1000", 1, 1000000, true,
           "events a client may have missed and still have replayed"),
    NUMBER(reset_within_s, "5", 0, 3600, true, "seconds over which clients spread a refetch"),
    NUMBER(session_check_s, "60", 1, 86400, true, "seconds between checks of a stream's session"),
    NUMBER(presence_grace_s, "30", 0, 3600, true,
           "seconds within which who has closed his last stream may come back"),
    NUMBER(event_keep_hours, "24", 1, 8760, true, "hours that the event log is kept"),
};

const struct conf_table settings_table = {
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
    .struct_size = sizeof(struct settings),
};

/* What no single option can know. */
static enum confab_err settings_check(const struct settings *s, struct conf_error *e)
{
    const char *why = NULL;

    if (s->stream_age_min_s > s->stream_age_max_s) {
        why = "stream_age_min_s is above stream_age_max_s";
    } else if (s->stream_retry_min_ms > s->stream_retry_max_ms) {
        why = "stream_retry_min_ms is above stream_retry_max_ms";
    } else if (s->lock_timeout_ms >= s->statement_timeout_ms) {
        why = "lock_timeout_ms must be below statement_timeout_ms";
    } else if (s->push_reuse_port != 0 && is_unix_address(s->push_listen)) {
        why = "push_reuse_port needs a push_listen of HOST:PORT";
    } else {
        return CONFAB_OK;
    }
    snprintf(e->text, sizeof(e->text), "%s", why);
    return CONFAB_BAD_REQUEST;
}

/* The file to read, or NULL for none. */
static const char *settings_file(const char *path)
{
    if (path == NULL) {
        path = getenv("CONFAB_CONF");
    }
    if (path == NULL && access(SETTINGS_DEFAULT_FILE, F_OK) == 0) {
        path = SETTINGS_DEFAULT_FILE;
    }
    return path;
}

enum confab_err settings_load(struct settings *s, const char *path, struct conf_error *e)
{
    struct settings fresh;
    const char *file = settings_file(path);
    enum confab_err err = conf_defaults(&settings_table, &fresh);

    if (err != CONFAB_OK) {
        snprintf(e->text, sizeof(e->text), "out of memory");
        return err;
    }
    if (file != NULL) {
        err = conf_read_file(&settings_table, &fresh, file, e);
    }
    if (err == CONFAB_OK) {
        err = conf_read_env(&settings_table, &fresh, environ, e);
    }
    if (err == CONFAB_OK) {
        err = settings_check(&fresh, e);
    }
    if (err != CONFAB_OK) {
        settings_clear(&fresh);
        return err;
    }
    *s = fresh;
    return CONFAB_OK;
}

void settings_clear(struct settings *s)
{
    conf_clear(&settings_table, s);
}

bool settings_allow_origin(const struct settings *s, const char *origin)
{
    struct slice wanted = slice_of(origin);
    struct slice rest = slice_of(s->origins);

    while (rest.n > 0) {
        struct slice listed;

        slice_cut(rest, ' ', &listed, &rest);
        if (listed.n > 0 && slice_eq(listed, wanted)) {
            return true;
        }
    }
    return false;
}
