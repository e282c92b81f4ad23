/*
 * said: see said.h.
 */
#include "said.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#define TIME_BYTES sizeof "2026-01-01T00:00:00Z"

/* Takes over data; NULL is want of memory. */
static struct msg *said(const char *type, struct slice cursor, json_t *data)
{
    char *text = data == NULL ? NULL : json_dumps(data, JSON_COMPACT);
    struct msg *m = text == NULL ? NULL : msg_new(slice_of(type), cursor, slice_of(text));

    json_decref(data);
    free(text);
    return m;
}

static struct msg *said_connected(const struct conn_greeting *greeting)
{
    char now[TIME_BYTES];
    time_t seconds = time(NULL);
    struct tm utc;

    gmtime_r(&seconds, &utc);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return said("connected", greeting->cursor,
                json_pack("{s:I,s:s,s:I}", "session", (json_int_t)greeting->session_id, "time", now,
                          "expires_in", (json_int_t)greeting->expires_in_s));
}

struct msg *said_reset(const char *reason, int64_t within_s)
{
    return said("reset", (struct slice){NULL, 0},
                json_pack("{s:s,s:I}", "reason", reason, "within", (json_int_t)within_s));
}

struct msg *said_bye(int64_t retry_ms)
{
    return said("bye", (struct slice){NULL, 0}, json_pack("{s:I}", "retry", (json_int_t)retry_ms));
}

struct msg *said_mark(struct slice cursor, bool late)
{
    return msg_new(SLICE_LITERAL("mark"), cursor,
                   late ? SLICE_LITERAL("{\"late\":true}") : SLICE_LITERAL("{}"));
}

bool said_queue_connected(struct conn *c, const struct conn_greeting *greeting)
{
    return conn_queue(c, said_connected(greeting));
}

bool said_queue_reset(struct conn *c, const char *reason, int64_t within_s)
{
    return conn_queue(c, said_reset(reason, within_s));
}
