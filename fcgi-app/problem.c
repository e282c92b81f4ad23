/*
 * problem: filling in of reasons.
 */
#include "problem.h"

#include <string.h>

/* Copies as much of text as fits, never half a UTF-8 character. */
static void text_fit(char *out, size_t size, struct slice text)
{
    if (text.n >= size) {
        text.n = size - 1;
        while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xc0) == 0x80) {
            text.n--;
        }
    }
    if (text.n > 0) {
        memcpy(out, text.p, text.n);
    }
    out[text.n] = '\0';
}

enum confab_err problem_set(struct problem *p, enum confab_err err, const char *detail)
{
    text_fit(p->detail, sizeof(p->detail), slice_of(detail));
    return err;
}

void problem_add_field(struct problem *p, struct slice name, struct slice detail)
{
    if (p->field_count >= PROBLEM_FIELDS_MAX) {
        return;
    }
    struct problem_field *field = &p->fields[p->field_count++];

    field->pointer[0] = '/';
    text_fit(field->pointer + 1, sizeof(field->pointer) - 1, name);
    text_fit(field->detail, sizeof(field->detail), detail);
}
