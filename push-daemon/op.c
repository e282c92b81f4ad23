/*
 * op: see op.h.
 */
#include "op.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A ref is given back as it came. One that is too long, or neither string nor integer, is none. */
static void keep_ref(json_t *ref, struct op *out)
{
    bool kept = json_is_string(ref) || json_is_integer(ref);
    size_t n = kept ? json_dumpb(ref, out->ref, OP_REF_MAX_BYTES, JSON_ENCODE_ANY) : 0;

    out->ref[n <= OP_REF_MAX_BYTES ? n : 0] = '\0';
}

static bool read_id(const json_t *object, const char *key, int64_t *out)
{
    const json_t *value = json_object_get(object, key);

    *out = json_integer_value(value);
    return json_is_integer(value) && *out > 0;
}

/* Which of two words the member is. */
static bool read_choice(const json_t *object, const char *key, const char *yes, const char *no,
                        bool *out)
{
    struct slice word = slice_of(json_string_value(json_object_get(object, key)));

    *out = slice_eq(word, slice_of(yes));
    return *out || slice_eq(word, slice_of(no));
}

static bool read_ping(const json_t *object, struct op *out)
{
    (void)object;
    (void)out;
    return true;
}

static bool read_typing(const json_t *object, struct op *out)
{
    return read_id(object, "room", &out->room_id) &&
           read_choice(object, "state", "start", "stop", &out->started);
}

static bool read_receipt(const json_t *object, struct op *out)
{
    return read_id(object, "room", &out->room_id) && read_id(object, "seq", &out->seq) &&
           read_choice(object, "kind", "read", "delivered", &out->read);
}

struct op_row {
    const char *name;
    bool (*read)(const json_t *object, struct op *out);
    const char *done; /* the type of the answer */
};

static const struct op_row rows[] = {
    [OP_PING] = {"ping", read_ping, "pong"},
    [OP_TYPING] = {"typing", read_typing, "ack"},
    [OP_RECEIPT] = {"receipt", read_receipt, "ack"},
};
static_assert(sizeof rows / sizeof *rows == OP_KIND_MAX, "one row an operation");

static enum confab_err read_op(const json_t *object, struct op *out)
{
    struct slice name = slice_of(json_string_value(json_object_get(object, "op")));

    keep_ref(json_object_get(object, "ref"), out);
    for (int kind = 0; kind < OP_KIND_MAX; kind++) {
        if (slice_eq(name, slice_of(rows[kind].name))) {
            out->kind = (enum op_kind)kind;
            return rows[kind].read(object, out) ? CONFAB_OK : CONFAB_INVALID;
        }
    }
    return CONFAB_INVALID;
}

enum confab_err op_parse(struct slice text, struct op *out)
{
    json_t *object = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    enum confab_err err = CONFAB_BAD_REQUEST;

    *out = (struct op){.kind = OP_KIND_MAX};
    if (json_is_object(object)) {
        err = read_op(object, out);
    }
    json_decref(object);
    return err;
}

static void put_answer(const struct op *op, const char *type, struct buf *b)
{
    buf_printf(b, "{\"type\":\"%s\"", type);
    if (op->ref[0] != '\0') {
        buf_printf(b, ",\"ref\":%s", op->ref);
    }
}

void op_put_done(const struct op *op, struct buf *b)
{
    put_answer(op, rows[op->kind].done, b);
    buf_putc(b, '}');
}

void op_put_error(const struct op *op, enum confab_err err, struct buf *b)
{
    put_answer(op, "error", b);
    buf_printf(b, ",\"code\":\"%s\",\"title\":\"%s\"}", err_code(err), err_title(err));
}
