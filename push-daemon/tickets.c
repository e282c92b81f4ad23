/*
 * tickets: see tickets.h.
 */
#include "tickets.h"

#include <string.h>

#define HASH_HEX_BYTES (2 * TOKEN_HASH_BYTES + 1)

/* Of bytea in PostgreSQL's text form. */
static const struct slice bytea_prefix = {"\\x", 2};

static void put_ticket(struct buf *params, int ord, const struct token_hash *ticket)
{
    char hex[HASH_HEX_BYTES];
    const char *comma = ord > 0 ? "," : "";

    str_hex(ticket->bytes, TOKEN_HASH_BYTES, hex);
    buf_printf(&params[0], "%s%d", comma, ord);
    buf_printf(&params[1], "%s\"\\\\x%s\"", comma, hex);
}

static bool fill(void *ctx, struct buf *params)
{
    struct tickets *t = ctx;
    struct list *node, *tmp;

    buf_putc(&params[0], '{');
    buf_putc(&params[1], '{');
    list_for_each_safe(node, tmp, &t->conns->states[CONN_REDEEMING])
    {
        struct handshake *h = list_entry(node, struct conn, in_state)->handshake;

        if (t->count == TICKETS_MAX) {
            break;
        }
        put_ticket(params, t->count, &h->token);
        h->asked = true;
        t->good[t->count] = false;
        t->asks[t->count++] = h;
    }
    buf_putc(&params[0], '}');
    buf_putc(&params[1], '}');
    return t->count > 0;
}

static void take_row(void *ctx, const struct pg_row *row)
{
    struct tickets *t = ctx;
    int64_t ord = pg_i64(row, 0);
    struct slice hex = pg_text(row, 1);

    if (ord >= 0 && ord < t->count && slice_starts(hex, bytea_prefix)) {
        hex = (struct slice){hex.p + bytea_prefix.n, hex.n - bytea_prefix.n};
        t->good[ord] = str_unhex(hex, t->tokens[ord].bytes, TOKEN_HASH_BYTES);
    }
}

/* The feed asks about those that were good; the others are sent away. Without an answer the same
 * tickets are shown again, which is in vain for those that were spent: their clients get new ones.
 */
static void settle(struct handshake *h, const struct token_hash *token, bool done)
{
    struct conn *c = h->conn;

    if (c == NULL) {
        handshake_free(h);
        return;
    }
    h->asked = false;
    if (done && token != NULL) {
        h->token = *token;
        conn_redeemed(c);
    } else if (done && c->transport->auth_over(c)) {
        conn_finish(c, REASON_AUTH);
    }
}

static void over(void *ctx, bool done)
{
    struct tickets *t = ctx;
    int count = t->count;

    t->count = 0;
    for (int i = 0; i < count; i++) {
        settle(t->asks[i], t->good[i] ? &t->tokens[i] : NULL, done);
    }
}

static const struct work_task task = {
    .stmt = PG_TICKETS, .fill = fill, .row = take_row, .over = over};

void tickets_init(struct tickets *tickets, struct conns *conns, struct work *work)
{
    *tickets = (struct tickets){.conns = conns, .work = work};
    work_add(work, &task, tickets);
}

void tickets_wake(struct tickets *tickets)
{
    work_wake(tickets->work);
}

void tickets_clear(struct tickets *tickets)
{
    for (int i = 0; i < tickets->count; i++) {
        if (tickets->asks[i]->conn == NULL) {
            handshake_free(tickets->asks[i]);
        }
    }
    tickets->count = 0;
}
