/*
 * Configuration text, environment, the table of settings and its dump.
 */
#include "common/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static void load_defaults(struct settings *s)
{
    assert_int_equal(conf_defaults(&settings_table, s), CONFAB_OK);
}

static enum confab_err read_text(struct settings *s, const char *text, struct conf_error *e)
{
    e->text[0] = '\0';
    return conf_read_text(&settings_table, s, "test.conf", text, strlen(text), e);
}

static void test_good_text(void **state)
{
    (void)state;
    struct settings s;
    struct conf_error e;

    load_defaults(&s);
    assert_int_equal(read_text(&s,
                               "# a comment\n\n"
                               "database = host=/x dbname=y password=a#b = c\n"
                               "  workers=3  \r\n"
                               "\tpath_prefix =\t/chat/room\n"
                               "push_proxies = 192.0.2.1  2001:db8::1 ::ffff:192.0.2.2\n"
                               "log_level = debug",
                               &e),
                     CONFAB_OK);
    assert_string_equal(s.database, "host=/x dbname=y password=a#b = c");
    assert_int_equal(s.workers, 3);
    assert_string_equal(s.path_prefix, "/chat/room");
    assert_string_equal(s.push_proxies, "192.0.2.1  2001:db8::1 ::ffff:192.0.2.2");
    assert_string_equal(s.log_level, "debug");
    assert_int_equal(s.worker_requests, 10000);
    conf_clear(&settings_table, &s);
}

static void test_bad_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"nonsense\n", "test.conf:1: not of the form key = value"},
        {"\n\nworker = 3\n", "test.conf:3: unknown key worker"},
        {"workers = 3\nworkers = 3\n", "test.conf:2: workers stands here a second time"},
        {"workers = many\n", "test.conf:1: workers is not a whole number (1 to 1000)"},
        {"workers = 0\n", "test.conf:1: workers is out of range (1 to 1000)"},
        {"workers =\n", "test.conf:1: workers is not a whole number (1 to 1000)"},
        {"database = a\x01z\n", "test.conf:1: database is not one line of text"},
        {"database = \xff\n", "test.conf:1: database is not one line of text"},
        {"path_prefix = chat\n",
         "test.conf:1: path_prefix must be empty or begin, and not end, with /"},
        {"path_prefix = /\n",
         "test.conf:1: path_prefix must be empty or begin, and not end, with /"},
        {"path_prefix = /a//b\n", "test.conf:1: path_prefix must not hold //"},
        {"path_prefix = /a;b\n",
         "test.conf:1: path_prefix may hold only letters, digits and -._~/"},
        {"origins = *\n",
         "test.conf:1: origins must be a list of http[s]://host[:port] in lower case"},
        {"origins = https://a.example/\n",
         "test.conf:1: origins must be a list of http[s]://host[:port] in lower case"},
        {"log_level = loud\n", "test.conf:1: log_level must be err, warn, info or debug"},
        {"runtime_dir = run\n", "test.conf:1: runtime_dir must be an absolute path"},
        {"push_proxies = foo\n",
         "test.conf:1: push_proxies must be a list of IP addresses, without networks or names"},
        {"push_proxies = 10.0.0.0/8\n",
         "test.conf:1: push_proxies must be a list of IP addresses, without networks or names"},
        {"push_proxies = 127.0.0.1 fe80::/10\n",
         "test.conf:1: push_proxies must be a list of IP addresses, without networks or names"},
        {"push_proxies = 127.0.0.1,::1\n",
         "test.conf:1: push_proxies must be a list of IP addresses, without networks or names"},
        {"push_proxies = 127.0.0.1:80\n",
         "test.conf:1: push_proxies must be a list of IP addresses, without networks or names"},
        {"push_proxies = 10.1\n",
         "test.conf:1: push_proxies must be a list of IP addresses, without networks or names"},
        {"push_proxies = [::1]\n",
         "test.conf:1: push_proxies must be a list of IP addresses, without networks or names"},
        {"push_listen = unix:x\n",
         "test.conf:1: push_listen must name the socket by an absolute path"},
        {"push_listen = localhost\n", "test.conf:1: push_listen must be unix:PATH or HOST:PORT"},
        {"push_listen = localhost:99999\n",
         "test.conf:1: push_listen must be unix:PATH or HOST:PORT"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct settings s;
        struct conf_error e;

        load_defaults(&s);
        assert_int_equal(read_text(&s, rows[i].text, &e), CONFAB_BAD_REQUEST);
        assert_string_equal(e.text, rows[i].error);
        conf_clear(&settings_table, &s);
    }
}

/* A long foreign key is cut, not run over, in the message. */
static void test_long_echo(void **state)
{
    (void)state;
    char text[5000];
    struct settings s;
    struct conf_error e;

    memset(text, 'k', sizeof(text));
    text[sizeof(text) - 3] = '=';
    text[sizeof(text) - 1] = '\0';
    load_defaults(&s);
    assert_int_equal(read_text(&s, text, &e), CONFAB_BAD_REQUEST);
    assert_true(strlen(e.text) < sizeof(e.text));
    conf_clear(&settings_table, &s);
}

static void test_environment(void **state)
{
    (void)state;
    static char *const good[] = {"PATH=/bin", "CONFAB_CONF=/nowhere", "CONFAB_WORKERS=5",
                                 "CONFAB_DATABASE=host=/x", NULL};
    static const struct {
        char *const env[2];
        const char *error;
    } bad[] = {
        {{"CONFAB_WORKER=5", NULL}, "environment: unknown variable CONFAB_WORKER"},
        {{"CONFAB_workers=5", NULL}, "environment: unknown variable CONFAB_workers"},
        {{"CONFAB_=5", NULL}, "environment: unknown variable CONFAB_"},
        {{"CONFAB_WORKERS=x", NULL}, "environment: workers is not a whole number (1 to 1000)"},
    };
    struct settings s;
    struct conf_error e;

    load_defaults(&s);
    assert_int_equal(conf_read_env(&settings_table, &s, good, &e), CONFAB_OK);
    assert_int_equal(s.workers, 5);
    assert_string_equal(s.database, "host=/x");
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(conf_read_env(&settings_table, &s, bad[i].env, &e), CONFAB_BAD_REQUEST);
        assert_string_equal(e.text, bad[i].error);
    }
    conf_clear(&settings_table, &s);
}

/* What is dumped reads back to the same values. */
static void test_dump(void **state)
{
    (void)state;
    struct settings s;
    struct settings back;
    struct conf_error e;
    char *text = NULL;
    char *again = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    load_defaults(&s);
    assert_int_equal(read_text(&s, "database = # = x\nworkers = 77\norigins = https://a.b", &e),
                     CONFAB_OK);
    conf_dump(&settings_table, &s, out);
    fclose(out);

    load_defaults(&back);
    assert_int_equal(read_text(&back, text, &e), CONFAB_OK);
    out = open_memstream(&again, &len);
    conf_dump(&settings_table, &back, out);
    fclose(out);
    assert_string_equal(text, again);
    assert_string_equal(back.database, "# = x");

    free(text);
    free(again);
    conf_clear(&settings_table, &s);
    conf_clear(&settings_table, &back);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_load(void **state)
{
    (void)state;
    char path[] = "/tmp/confab-test-XXXXXX";
    int fd = mkstemp(path);
    struct settings s = {.workers = 4711};
    struct conf_error e;

    assert_true(fd >= 0);
    close(fd);
    write_file(path, "workers = 9\nstream_age_min_s = 5\nstream_age_max_s = 5\n");
    assert_int_equal(setenv("CONFAB_SESSION_DAYS", "3", 1), 0);
    assert_int_equal(settings_load(&s, path, &e), CONFAB_OK);
    assert_int_equal(s.workers, 9);
    assert_int_equal(s.session_days, 3);
    settings_clear(&s);
    settings_clear(&s);

    /* The environment beats the file, and a file that is named beats the environment's. */
    assert_int_equal(setenv("CONFAB_WORKERS", "8", 1), 0);
    assert_int_equal(setenv("CONFAB_CONF", "/nonexistent", 1), 0);
    assert_int_equal(settings_load(&s, path, &e), CONFAB_OK);
    assert_int_equal(s.workers, 8);
    assert_int_equal(s.stream_age_max_s, 5);
    settings_clear(&s);
    assert_int_equal(settings_load(&s, NULL, &e), CONFAB_IO);
    assert_int_equal(setenv("CONFAB_CONF", path, 1), 0);
    assert_int_equal(settings_load(&s, NULL, &e), CONFAB_OK);
    assert_int_equal(s.stream_age_max_s, 5);
    settings_clear(&s);
    assert_int_equal(unsetenv("CONFAB_CONF"), 0);
    assert_int_equal(unsetenv("CONFAB_WORKERS"), 0);

    s.workers = 4711;
    write_file(path, "stream_age_min_s = 6\nstream_age_max_s = 5\n");
    assert_int_equal(settings_load(&s, path, &e), CONFAB_BAD_REQUEST);
    assert_string_equal(e.text, "stream_age_min_s is above stream_age_max_s");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(settings_load(&s, path, &e), CONFAB_IO);
    assert_non_null(strstr(e.text, "No such file"));
    assert_int_equal(s.workers, 4711);
}

/* What one option alone cannot know; equal is good but for the timeouts. */
static void test_together(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error; /* NULL: good */
    } rows[] = {
        {"stream_age_min_s = 7\nstream_age_max_s = 7", NULL},
        {"stream_retry_min_ms = 70\nstream_retry_max_ms = 70", NULL},
        {"stream_retry_min_ms = 71\nstream_retry_max_ms = 70",
         "stream_retry_min_ms is above stream_retry_max_ms"},
        {"lock_timeout_ms = 699\nstatement_timeout_ms = 700", NULL},
        {"lock_timeout_ms = 700\nstatement_timeout_ms = 700",
         "lock_timeout_ms must be below statement_timeout_ms"},
    };
    char path[] = "/tmp/confab-test-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct settings s;
        struct conf_error e = {.text = ""};

        write_file(path, rows[i].text);
        if (rows[i].error == NULL) {
            assert_int_equal(settings_load(&s, path, &e), CONFAB_OK);
            settings_clear(&s);
        } else {
            assert_int_equal(settings_load(&s, path, &e), CONFAB_BAD_REQUEST);
            assert_string_equal(e.text, rows[i].error);
        }
    }
    assert_int_equal(unlink(path), 0);
}

static void test_origins(void **state)
{
    (void)state;
    struct settings s = {.origins = "https://a.example  http://b.example:81"};

    assert_true(settings_allow_origin(&s, "https://a.example"));
    assert_true(settings_allow_origin(&s, "http://b.example:81"));
    assert_false(settings_allow_origin(&s, "http://b.example"));
    assert_false(settings_allow_origin(&s, "https://a.example."));
    assert_false(settings_allow_origin(&s, ""));
    assert_false(settings_allow_origin(&s, "null"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_text), cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_long_echo), cmocka_unit_test(test_environment),
        cmocka_unit_test(test_dump),      cmocka_unit_test(test_load),
        cmocka_unit_test(test_together),  cmocka_unit_test(test_origins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
