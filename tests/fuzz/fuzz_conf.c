/*
 * Configuration files. What is accepted can be written and read again, to the same effect.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The settings as a file; free with free(). */
static char *dump(const struct settings *s, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    assert(out != NULL);
    conf_dump(&settings_table, s, out);
    fclose(out);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings s;
    struct settings again;
    struct conf_error e = {.text = ""};
    enum confab_err err = conf_defaults(&settings_table, &s);

    assert(err == CONFAB_OK);
    err = conf_read_text(&settings_table, &s, "fuzz", (const char *)data, size, &e);
    assert((err == CONFAB_OK) == (e.text[0] == '\0'));
    if (err == CONFAB_OK) {
        size_t len = 0;
        size_t len_again = 0;
        char *text = dump(&s, &len);

        assert(conf_defaults(&settings_table, &again) == CONFAB_OK);
        assert(conf_read_text(&settings_table, &again, "dump", text, len, &e) == CONFAB_OK);
        char *text_again = dump(&again, &len_again);

        assert(len == len_again && memcmp(text, text_again, len) == 0);
        free(text);
        free(text_again);
        conf_clear(&settings_table, &again);
    }
    conf_clear(&settings_table, &s);
    return 0;
}
