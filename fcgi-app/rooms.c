/*
 * rooms: rooms, dialogs, their members, how far each has read, and who is there.
 */
#include "exchange.h"

#define RECEIPTS_MAX 100 /* in one request */

#define ROOM_FIELD                                                                                 \
    {                                                                                              \
        "room", FIELD_PATH, FIELD_INT, true, 1, INT64_MAX                                          \
    }

static const struct field dialog_fields[] = {
    {"user", FIELD_PATH, FIELD_INT, true, 1, INT64_MAX},
};

static const struct field create_fields[] = {
    {"kind", FIELD_BODY, FIELD_RULED, true, 1, 16},
    {"name", FIELD_BODY, FIELD_RULED, true, 1, 80},
    {"topic", FIELD_BODY, FIELD_RULED, false, 0, 300},
    {"history", FIELD_BODY, FIELD_RULED, false, 1, 16},
    {"members", FIELD_BODY, FIELD_INT_LIST, false, 0, 100},
};

static const struct field list_fields[] = {
    {"limit", FIELD_QUERY, FIELD_INT, false, 1, PAGE_LIMIT_MAX},
    {"before", FIELD_QUERY, FIELD_TEXT, false, 1, PAGE_PLACE_CHARS},
};

static const struct field room_fields[] = {ROOM_FIELD};

static const struct field member_list_fields[] = {
    ROOM_FIELD,
    {"limit", FIELD_QUERY, FIELD_INT, false, 1, PAGE_LIMIT_MAX},
    {"after", FIELD_QUERY, FIELD_INT, false, 0, INT64_MAX},
};

static const struct field member_fields[] = {
    ROOM_FIELD,
    {"user", FIELD_PATH, FIELD_USER_OR_ME, true, 1, INT64_MAX},
};

static const struct field receipt_fields[] = {
    ROOM_FIELD,
    {"seq", FIELD_BODY, FIELD_INT, true, 0, INT64_MAX},
};

static const struct field receipts_fields[] = {
    {"items", FIELD_BODY, FIELD_ITEMS, true, 1, RECEIPTS_MAX},
};

/* POST /receipts: marks are absolute, so that it may be repeated when the connection is lost. */
static enum confab_err handle_receipts(struct exchange *x)
{
    return exchange_pass(x, true);
}

static const struct field typing_fields[] = {
    ROOM_FIELD,
    {"state", FIELD_BODY, FIELD_TEXT, true, 1, 5},
};

static const struct endpoint endpoints[] = {
    {HTTP_PUT, "/dialogs/{user}", AUTH_TOKEN, false, STMT_DIALOG_OPEN, FIELDS(dialog_fields), NULL},
    {HTTP_POST, "/rooms", AUTH_TOKEN, false, STMT_ROOM_CREATE, FIELDS(create_fields), NULL},
    {HTTP_GET, "/rooms", AUTH_TOKEN, false, STMT_ROOM_LIST, FIELDS(list_fields), NULL},
    {HTTP_GET, "/rooms/{room}", AUTH_TOKEN, false, STMT_ROOM, FIELDS(room_fields), NULL},
    {HTTP_GET, "/rooms/{room}/members", AUTH_TOKEN, false, STMT_MEMBER_LIST,
     FIELDS(member_list_fields), NULL},
    {HTTP_PUT, "/rooms/{room}/members/{user}", AUTH_TOKEN, false, STMT_MEMBER_PUT,
     FIELDS(member_fields), NULL},
    {HTTP_DELETE, "/rooms/{room}/members/{user}", AUTH_TOKEN, false, STMT_MEMBER_DELETE,
     FIELDS(member_fields), NULL},
    {HTTP_PUT, "/rooms/{room}/read", AUTH_TOKEN, false, STMT_READ, FIELDS(receipt_fields), NULL},
    {HTTP_PUT, "/rooms/{room}/delivered", AUTH_TOKEN, false, STMT_DELIVERED, FIELDS(receipt_fields),
     NULL},
    {HTTP_POST, "/receipts", AUTH_TOKEN, false, STMT_RECEIPTS, FIELDS(receipts_fields),
     handle_receipts},
    {HTTP_PUT, "/rooms/{room}/typing", AUTH_TOKEN, false, STMT_TYPING, FIELDS(typing_fields), NULL},
    {HTTP_GET, "/rooms/{room}/active", AUTH_TOKEN, false, STMT_ROOM_ACTIVE,
     FIELDS(member_list_fields), NULL},
    {HTTP_GET, "/unread", AUTH_TOKEN, false, STMT_UNREAD, NO_FIELDS, NULL},
};

const struct endpoint_table rooms_endpoints = ENDPOINT_TABLE(endpoints);
