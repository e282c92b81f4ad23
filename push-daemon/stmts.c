/*
 * stmts: see stmts.h.
 */
#include "stmts.h"

#include <stddef.h>

const struct stmt stmts[PG_STMT_MAX] = {
    [PG_LISTEN_EVENT] = {PG_FOR_FEED, NULL, "listen chat_event", 0, false},
    [PG_LISTEN_PROBE] = {PG_FOR_FEED, NULL, "listen chat_probe", 0, false},
    [PG_LISTEN_SIGNAL] = {PG_FOR_FEED, NULL, "listen chat_signal", 0, false},
    [PG_PROBE] = {PG_FOR_FEED, "probe", "select pg_notify('chat_probe', $1)", 1, false},
    [PG_BEGIN] = {PG_FOR_FEED, NULL, "begin isolation level repeatable read read only", 0, false},
    [PG_COMMIT] = {PG_FOR_FEED, NULL, "commit", 0, false},
    [PG_ROLLBACK] = {PG_FOR_FEED, NULL, "rollback", 0, false},
    [PG_FEED_READ] = {PG_FOR_FEED, "feed_read",
                      "select id, xid, room_id, user_id, type, data, cursor"
                      " from chat.feed_read($1)",
                      1, true},
    [PG_FEED_SESSIONS] = {PG_FOR_FEED, "feed_sessions",
                          "select ord, session_id, user_id, expires_in, rooms, sinces"
                          " from chat.feed_sessions($1::int[], $2::bytea[])",
                          2, true},
    [PG_FEED_REPLAY] = {PG_FOR_FEED, "feed_replay",
                        "select ord, reset, id, xid, room_id, user_id, type, data"
                        " from chat.feed_replay($1::int[], $2::bytea[], $3::text[], $4::int)",
                        4, true},
    [PG_FEED_BACKFILL] = {PG_FOR_FEED, "feed_backfill",
                          "select id, xid, room_id, user_id, type, data"
                          " from chat.feed_backfill($1, $2::int)",
                          2, true},
    [PG_EPOCH_BEGIN] = {PG_FOR_FEED, "epoch_begin", "select chat.epoch_begin()", 0, false},
    [PG_RING_ARM] = {PG_FOR_FEED, "ring_arm", "select chat.ring_arm()", 0, false},
    [PG_RING_DISARM] = {PG_FOR_FEED, "ring_disarm", "select chat.ring_disarm()", 0, false},
    [PG_WORK_SETTINGS] = {PG_FOR_WORK, NULL,
                          "select set_config('lock_timeout', '500ms', false), "
                          "set_config('statement_timeout', '10s', false)",
                          0, false},
    [PG_PRESENCE_SWEEP] = {PG_FOR_WORK, "presence_sweep",
                           "select chat.feed_presence_sweep($1::int)", 1, false},
    [PG_PRESENCE_HOLD] =
        {PG_FOR_WORK, "presence_hold",
         "select user_id from chat.feed_presence_hold($1, $2::bigint[], $3::int) user_id", 3,
         false},
    [PG_PRESENCE_RELEASE] = {PG_FOR_WORK, "presence_release",
                             "select chat.feed_presence_release($1, $2::bigint[], $3::int)", 3,
                             false},
    [PG_TICKETS] = {PG_FOR_WORK, "tickets",
                    "select ord, token_hash from chat.feed_tickets($1::int[], $2::bytea[])", 2,
                    false},
    [PG_TYPING] = {PG_FOR_WORK, "typing",
                   "select ord, code"
                   " from chat.feed_typing($1::int[], $2::bigint[], $3::bigint[], $4::text[])",
                   4, false},
    [PG_RECEIPTS] = {PG_FOR_WORK, "receipts",
                     "select ord, code from chat.feed_receipts($1::int[], $2::bigint[],"
                     " $3::bigint[], $4::text[], $5::bigint[])",
                     5, false},
    [PG_HOUSEKEEP] = {PG_FOR_WORK, "housekeep", "select chat.housekeep($1)", 1, false},
    [PG_EVENT_PRUNE] = {PG_FOR_WORK, "event_prune", "select chat.event_prune($1::interval)", 1,
                        false},
};
