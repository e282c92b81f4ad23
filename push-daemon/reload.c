/*
 * reload: see reload.h.
 */
#include "reload.h"

#include <string.h>

#include "common/log.h"

static char **string_at(struct settings *s, const struct conf_option *o)
{
    return (char **)(void *)((char *)s + o->offset);
}

static int64_t *int_at(struct settings *s, const struct conf_option *o)
{
    return (int64_t *)(void *)((char *)s + o->offset);
}

static bool differs(struct settings *a, struct settings *b, const struct conf_option *o)
{
    return o->type == CONF_STRING ? strcmp(*string_at(a, o), *string_at(b, o)) != 0
                                  : *int_at(a, o) != *int_at(b, o);
}

static void swap(struct settings *a, struct settings *b, const struct conf_option *o)
{
    if (o->type == CONF_STRING) {
        char *kept = *string_at(a, o);

        *string_at(a, o) = *string_at(b, o);
        *string_at(b, o) = kept;
    } else {
        int64_t kept = *int_at(a, o);

        *int_at(a, o) = *int_at(b, o);
        *int_at(b, o) = kept;
    }
}

bool reload_settings(struct settings *s, const char *path)
{
    struct settings fresh;
    struct conf_error e;
    int changed = 0;

    if (settings_load(&fresh, path, &e) != CONFAB_OK) {
        log_warnx("reload error=\"%s\" kept=\"all as before\"", log_text(e.text).text);
        return false;
    }
    for (size_t i = 0; i < settings_table.count; i++) {
        const struct conf_option *o = &settings_table.options[i];

        if (!differs(s, &fresh, o)) {
            continue;
        }
        if (o->reloadable) {
            swap(s, &fresh, o);
            changed++;
        } else {
            log_warnx("reload key=%s kept=\"needs a restart\"", o->name);
        }
    }
    settings_clear(&fresh);
    log_info("reload changed=%d", changed);
    return true;
}
