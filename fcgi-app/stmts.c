/*
 * stmts: the statement table. Parameters are sent as text and cast here, so that their types are
 * written down in one place.
 */
#include "stmts.h"

#define CALL "select status, body, link from chat."

const struct stmt_row stmt_table[STMT_MAX] = {
    [STMT_EPOCH_BEGIN] = {"epoch_begin", "select chat.epoch_begin()", 0, false},
    [STMT_HEALTH] = {"health", CALL "api_health()", 0, false},
    [STMT_SERVER] = {"server", CALL "api_server()", 0, false},
    [STMT_COMPLAINTS] = {"complaints", CALL "api_complaints($1::text)", 1, false},
    [STMT_REGISTER] = {"register",
                       CALL "api_register($1::text, $2::text, $3::text, $4::bytea, $5::int, "
                            "$6::text)",
                       6, false},
    [STMT_LOGIN_LOOKUP] = {"login_lookup",
                           "select user_id, password_hash from chat.login_lookup($1::text)", 1,
                           false},
    [STMT_SESSION_CREATE] = {"session_create",
                             CALL "api_session_create($1::bigint, $2::text, $3::text, $4::bytea, "
                                  "$5::int, $6::text)",
                             6, true},
    [STMT_SESSION] = {"session", CALL "api_session($1::bytea)", 1, false},
    [STMT_STREAM_TICKET] = {"stream_ticket", CALL "api_stream_ticket($1::bytea, $2::bytea)", 2,
                            false},
    [STMT_LOGOUT] = {"logout", CALL "api_logout($1::bytea)", 1, true},
    [STMT_ME] = {"me", CALL "api_me($1::bytea)", 1, false},
    [STMT_USER_SEARCH] = {"user_search",
                          CALL "api_user_search($1::bytea, $2::text, $3::int, $4::text)", 4, false},
    [STMT_USER] = {"user", CALL "api_user($1::bytea, $2::bigint)", 2, false},
    [STMT_DIALOG_OPEN] = {"dialog_open", CALL "api_dialog_open($1::bytea, $2::bigint)", 2, true},
    [STMT_ROOM_CREATE] = {"room_create",
                          CALL "api_room_create($1::bytea, $2::text, $3::text, $4::text, "
                               "$5::text, $6::bigint[])",
                          6, true},
    [STMT_ROOM_LIST] = {"room_list", CALL "api_room_list($1::bytea, $2::int, $3::text)", 3, false},
    [STMT_ROOM] = {"room", CALL "api_room($1::bytea, $2::bigint)", 2, false},
    [STMT_MEMBER_LIST] = {"member_list",
                          CALL "api_member_list($1::bytea, $2::bigint, $3::int, $4::bigint)", 4,
                          false},
    [STMT_MEMBER_PUT] = {"member_put", CALL "api_member_put($1::bytea, $2::bigint, $3::bigint)", 3,
                         true},
    [STMT_MEMBER_DELETE] = {"member_delete",
                            CALL "api_member_delete($1::bytea, $2::bigint, $3::bigint)", 3, true},
    [STMT_MESSAGE_SEND] = {"message_send",
                           CALL "api_message_send($1::bytea, $2::bigint, $3::text, $4::text, "
                                "$5::text, $6::uuid, $7::bigint)",
                           7, true},
    [STMT_MESSAGE_LIST] = {"message_list",
                           CALL "api_message_list($1::bytea, $2::bigint, $3::bigint, "
                                "$4::bigint, $5::bigint, $6::int)",
                           6, false},
    [STMT_MESSAGE] = {"message", CALL "api_message($1::bytea, $2::bigint, $3::bigint)", 3, false},
    [STMT_READ] = {"read", CALL "api_read($1::bytea, $2::bigint, $3::bigint)", 3, true},
    [STMT_DELIVERED] = {"delivered", CALL "api_delivered($1::bytea, $2::bigint, $3::bigint)", 3,
                        true},
    [STMT_RECEIPTS] = {"receipts", CALL "api_receipts($1::bytea, $2::text)", 2, true},
    [STMT_TYPING] = {"typing", CALL "api_typing($1::bytea, $2::bigint, $3::text)", 3, false},
    [STMT_ROOM_ACTIVE] = {"room_active",
                          CALL "api_room_active($1::bytea, $2::bigint, $3::int, $4::bigint)", 4,
                          false},
    [STMT_UNREAD] = {"unread", CALL "api_unread($1::bytea)", 1, false},
    [STMT_SNAPSHOT] = {"snapshot", CALL "api_snapshot($1::bytea)", 1, false},
    [STMT_EVENTS] = {"events", CALL "api_events($1::bytea, $2::text, $3::bigint[])", 3, false},
    [STMT_PRESENCE] = {"presence", CALL "api_presence($1::bytea, $2::bigint[])", 2, false},
    [STMT_PRESENCE_POLL] = {"presence_poll", CALL "api_presence_poll($1::bytea, $2::int)", 2,
                            false},
    [STMT_RING] = {"ring", "select chat.ring()", 0, false},
};
