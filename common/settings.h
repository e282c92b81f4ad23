/*
 * settings: the one configuration of Confab, read alike by both programs. The table in settings.c
 * is the reference; docs/confab.conf.5 is checked against it. Units are in the names.
 */
#ifndef CONFAB_SETTINGS_H
#define CONFAB_SETTINGS_H

#include "conf.h"

struct settings {
    /* both */
    char *database;      /* libpq conninfo of the workers */
    char *push_database; /* libpq conninfo of the daemon; empty: database */
    char *path_prefix;   /* "" or "/chat" */
    char *origins;       /* space-separated web origins besides our own */
    char *runtime_dir;
    char *log_level;
    int64_t db_connect_timeout_s;
    int64_t presence_lease_s;
    /* confab.fcgi */
    int64_t workers;
    int64_t worker_requests;
    int64_t request_body_bytes;
    int64_t password_hashes_at_once;
    int64_t password_memory_kib;
    int64_t password_passes;
    int64_t session_days;
    int64_t lock_timeout_ms;
    int64_t statement_timeout_ms;
    int64_t poll_interval_ms;
    /* confab-pushd */
    char *push_proxies; /* addresses, separated by spaces */
    char *push_listen;  /* "unix:PATH" or "HOST:PORT" */
    int64_t push_reuse_port;
    char *admin_listen; /* the same; or empty */
    int64_t stream_queue_bytes;
    int64_t ring_bytes;
    int64_t stream_heartbeat_ms;
    int64_t stream_silent_ms;
    int64_t stream_age_min_s;
    int64_t stream_age_max_s;
    int64_t stream_retry_min_ms;
    int64_t stream_retry_max_ms;
    int64_t streams_per_session;
    int64_t streams_per_address;
    int64_t stream_head_bytes;
    int64_t handshake_ms;
    int64_t poll_wait_ms;
    int64_t look_interval_ms;
    int64_t probe_ms;
    int64_t replay_events;
    int64_t reset_within_s;
    int64_t session_check_s;
    int64_t presence_grace_s;
    int64_t event_keep_hours;
};

extern const struct conf_table settings_table;

/*
 * Builds the settings from defaults, the file (path, else $CONFAB_CONF, else
 * /etc/confab/confab.conf if that exists) and the environment, and checks them as a whole
 * (e.g. min <= max). On failure *s is untouched and e says why. Free with settings_clear.
 */
enum confab_err settings_load(struct settings *s, const char *path, struct conf_error *e)
    __attribute__((warn_unused_result));
void settings_clear(struct settings *s);

/* Whether origin (a whole "scheme://host[:port]") is in the configured list. */
bool settings_allow_origin(const struct settings *s, const char *origin);

#endif
