/*
 * stmts: every SQL text of the workers. Only this table and db.c know SQL; a caller names a
 * statement and binds parameters, and cannot compose anything.
 */
#ifndef CONFAB_STMTS_H
#define CONFAB_STMTS_H

#include <stdbool.h>

#define STMT_PARAMS_MAX 10

enum stmt {
    STMT_EPOCH_BEGIN,
    STMT_HEALTH,
    STMT_SERVER,
    STMT_COMPLAINTS,
    STMT_REGISTER,
    STMT_LOGIN_LOOKUP,
    STMT_SESSION_CREATE,
    STMT_SESSION,
    STMT_STREAM_TICKET,
    STMT_LOGOUT,
    STMT_ME,
    STMT_USER_SEARCH,
    STMT_USER,
    STMT_DIALOG_OPEN,
    STMT_ROOM_CREATE,
    STMT_ROOM_LIST,
    STMT_ROOM,
    STMT_MEMBER_LIST,
    STMT_MEMBER_PUT,
    STMT_MEMBER_DELETE,
    STMT_MESSAGE_SEND,
    STMT_MESSAGE_LIST,
    STMT_MESSAGE,
    STMT_READ,
    STMT_DELIVERED,
    STMT_RECEIPTS,
    STMT_TYPING,
    STMT_ROOM_ACTIVE,
    STMT_UNREAD,
    STMT_SNAPSHOT,
    STMT_EVENTS,
    STMT_PRESENCE,
    STMT_PRESENCE_POLL,
    STMT_RING,
    STMT_MAX
};

struct stmt_row {
    const char *name; /* of the prepared statement, and in the log */
    const char *sql;
    int param_count;
    bool rings; /* it may write events, so the doorbell is rung after it */
};

extern const struct stmt_row stmt_table[STMT_MAX];

#endif
