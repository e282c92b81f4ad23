/*
 * problem: filling in of reasons.
 */
#include "problem.h"

#include <string.h>

/* Copies as much of text as fits, never half a UTF-8 character. */
static void text_fit(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);

    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    memcpy(out, text, len);
    out[len] = '\0';
}

enum confab_err problem_set(struct problem *p, enum confab_err err, const char *detail)
{
    text_fit(p->detail, sizeof(p->detail), detail);
    return err;
}

void problem_add_field(struct problem *p, const char *name, const char *detail)
{
    if (p->field_count >= PROBLEM_FIELDS_MAX) {
        return;
    }
    struct problem_field *field = &p->fields[p->field_count++];

    field->pointer[0] = '/';
    text_fit(field->pointer + 1, sizeof(field->pointer) - 1, name);
    text_fit(field->detail, sizeof(field->detail), detail);
}
