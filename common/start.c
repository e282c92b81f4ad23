/*
 * start: see start.h.
 */
#include "start.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"

#define EXIT_USAGE 2

struct options {
    const char *file; /* borrowed from argv; NULL: the default */
    bool check;
    bool dump;
};

static void usage(const struct program *program, FILE *out)
{
    fprintf(out,
            "usage: %s [-c FILE] [-n | -T | -h | -V]\n"
            "  -c FILE        read this configuration (else $CONFAB_CONF, else the default)\n"
            "  -n             check the configuration and exit\n"
            "  -T             print the effective configuration and exit\n"
            "  -h, --help     print this and exit\n"
            "  -V, --version  print the version and exit\n"
            "%s",
            program->name, program->note);
}

static struct options options_read(const struct program *program, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    struct options o = {.file = NULL};
    int c = 0;

    while ((c = getopt_long(argc, argv, "c:nThV", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            o.file = optarg;
            break;
        case 'n':
            o.check = true;
            break;
        case 'T':
            o.dump = true;
            break;
        case 'h':
            usage(program, stdout);
            exit(EXIT_SUCCESS);
        case 'V':
            printf("%s " CONFAB_VERSION "\n", program->name);
            exit(EXIT_SUCCESS);
        default:
            usage(program, stderr);
            exit(EXIT_USAGE);
        }
    }
    if (optind < argc) {
        usage(program, stderr);
        exit(EXIT_USAGE);
    }
    return o;
}

void start_log(const struct settings *s)
{
    enum log_level level = LOG_LEVEL_INFO;

    if (log_level_parse(s->log_level, &level)) {
        log_set_level(level);
    }
}

const char *start_program(const struct program *program, int argc, char **argv, struct settings *s)
{
    const struct options o = options_read(program, argc, argv);
    struct conf_error why;

    log_init(program->component, LOG_LEVEL_INFO);
    if (settings_load(s, o.file, &why) != CONFAB_OK) {
        fatalx("configuration %s", why.text);
    }
    start_log(s);
    if (o.dump) {
        conf_dump(&settings_table, s, stdout);
    }
    if (o.dump || o.check) {
        settings_clear(s);
        exit(EXIT_SUCCESS);
    }
    return o.file;
}
