/*
 * push: what tests of the push daemon's modules share.
 */
#ifndef CONFAB_TESTS_PUSH_H
#define CONFAB_TESTS_PUSH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "push-daemon/cursor.h"
#include "push-daemon/msg.h"

#define EVENT_DATA_BYTES 64

/* An event with {"eid":ID} as data. */
static inline struct msg *event_of(int64_t id, uint64_t xid, int64_t room_id, int64_t user_id,
                                   const char *type)
{
    char data[EVENT_DATA_BYTES];
    int n = snprintf(data, sizeof data, "{\"eid\":%lld}", (long long)id);
    struct msg_event event = {.id = id,
                              .xid = xid,
                              .room_id = room_id,
                              .user_id = user_id,
                              .type = slice_of(type),
                              .data = {data, (size_t)n}};
    struct msg *m = msg_from_event(&event);

    assert_non_null(m);
    return m;
}

static inline struct cursor cursor_of(const char *text)
{
    struct cursor c;

    if (cursor_parse(slice_of(text), &c) != CONFAB_OK) {
        fail_msg("not taken: %s", text);
    }
    return c;
}

#endif
