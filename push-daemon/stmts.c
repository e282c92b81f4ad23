/*
 * stmts: see stmts.h.
 */
#include "stmts.h"

#include <stddef.h>

const struct stmt stmts[PG_STMT_MAX] = {
    [PG_LISTEN_EVENT] = {NULL, "listen chat_event", 0, false},
    [PG_LISTEN_PROBE] = {NULL, "listen chat_probe", 0, false},
    [PG_PROBE] = {"probe", "select pg_notify('chat_probe', $1)", 1, false},
    [PG_BEGIN] = {NULL, "begin isolation level repeatable read read only", 0, false},
    [PG_COMMIT] = {NULL, "commit", 0, false},
    [PG_ROLLBACK] = {NULL, "rollback", 0, false},
    [PG_FEED_READ] = {"feed_read",
                      "select id, xid, room_id, user_id, type, data, cursor"
                      " from chat.feed_read($1)",
                      1, true},
    [PG_FEED_SESSIONS] = {"feed_sessions",
                          "select ord, session_id, user_id, expires_in, rooms, sinces"
                          " from chat.feed_sessions($1::int[], $2::bytea[])",
                          2, true},
    [PG_FEED_REPLAY] = {"feed_replay",
                        "select ord, reset, id, xid, room_id, user_id, type, data"
                        " from chat.feed_replay($1::int[], $2::bytea[], $3::text[], $4::int)",
                        4, true},
    [PG_FEED_BACKFILL] = {"feed_backfill",
                          "select id, xid, room_id, user_id, type, data"
                          " from chat.feed_backfill($1, $2::int)",
                          2, true},
    [PG_EVENT_PRUNE] = {"event_prune", "select chat.event_prune($1::interval)", 1, false},
    [PG_EPOCH_BEGIN] = {"epoch_begin", "select chat.epoch_begin()", 0, false},
    [PG_RING_ARM] = {"ring_arm", "select chat.ring_arm()", 0, false},
    [PG_RING_DISARM] = {"ring_disarm", "select chat.ring_disarm()", 0, false},
};
