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
    struct start start;
    bool check;
    bool dump;
};

static void usage(const struct program *program, FILE *out)
{
    fprintf(out,
            "usage: %s [-c FILE] [%s-n | -T | -h | -V]\n"
            "  -c FILE        read this configuration (else $CONFAB_CONF, else the default)\n",
            program->name, program->takeover ? "-t | " : "");
    if (program->takeover) {
        fputs("  -t             take over from the process that serves this address, if one does\n",
              out);
    }
    fprintf(out,
            "  -n             check the configuration and exit\n"
            "  -T             print the effective configuration and exit\n"
            "  -h, --help     print this and exit\n"
            "  -V, --version  print the version and exit\n"
            "%s",
            program->note);
}

/* Half a configuration, written to a full disk, is not to pass for the whole. */
static void __attribute__((noreturn)) exit_told(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fatal("output");
    }
    exit(EXIT_SUCCESS);
}

static struct options options_read(const struct program *program, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    const char *letters = program->takeover ? "c:tnThV" : "c:nThV";
    struct options o = {.check = false};
    int c = 0;

    while ((c = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            o.start.conf_path = optarg;
            break;
        case 't':
            o.start.takeover = true;
            break;
        case 'n':
            o.check = true;
            break;
        case 'T':
            o.dump = true;
            break;
        case 'h':
            usage(program, stdout);
            exit_told();
        case 'V':
            printf("%s " CONFAB_VERSION "\n", program->name);
            exit_told();
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

struct start start_program(const struct program *program, int argc, char **argv, struct settings *s)
{
    const struct options o = options_read(program, argc, argv);
    struct conf_error why;

    log_init(program->component, LOG_LEVEL_INFO);
    if (settings_load(s, o.start.conf_path, &why) != CONFAB_OK) {
        fatalx("configuration %s", why.text);
    }
    start_log(s);
    if (o.dump) {
        conf_dump(&settings_table, s, stdout);
    }
    if (o.dump || o.check) {
        settings_clear(s);
        exit_told();
    }
    return o.start;
}
