/*
 * Log lines: one event is one line, whatever it holds.
 */
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static int saved_stderr = -1;
static FILE *captured; /* owned; what stderr is during a test */

static int capture(void **state)
{
    (void)state;
    fflush(stderr);
    captured = tmpfile();
    saved_stderr = dup(STDERR_FILENO);
    return captured == NULL || dup2(fileno(captured), STDERR_FILENO) < 0 ? -1 : 0;
}

static int restore(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    return fclose(captured);
}

/* All that was logged since the last call. */
static const char *logged(void)
{
    static char text[64 * 1024];

    rewind(captured);
    size_t len = fread(text, 1, sizeof(text) - 1, captured);

    text[len] = '\0';
    rewind(captured);
    assert_int_equal(ftruncate(fileno(captured), 0), 0);
    return text;
}

static void test_levels(void **state)
{
    (void)state;
    log_init("test", LOG_LEVEL_WARN);
    log_info("hidden");
    log_debug("hidden");
    log_warnx("seen n=%d", 1);
    log_errx("seen n=%d", 2);
    assert_string_equal(logged(), "test warn seen n=1\ntest err seen n=2\n");
    log_set_level(LOG_LEVEL_DEBUG);
    assert_true(log_enabled(LOG_LEVEL_DEBUG));
    log_info("a");
    log_debug("b");
    assert_string_equal(logged(), "test a\ntest debug b\n");
}

static void test_errno(void **state)
{
    (void)state;
    log_init("test", LOG_LEVEL_INFO);
    errno = ENOENT;
    log_err("open path=%s", "/x");
    assert_int_equal(errno, ENOENT);
    assert_string_equal(logged(), "test err open path=/x error=\"No such file or directory\"\n");
}

static void test_no_forged_line(void **state)
{
    (void)state;
    char text[9000];

    log_init("test", LOG_LEVEL_INFO);
    log_info("name=%s", "a\nb\r\x1b[1m\x7f\xc3\xa4");
    assert_string_equal(logged(), "test name=a\\x0ab\\x0d\\x1b[1m\\x7f\xc3\xa4\n");
    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_info("%s", text);
    const char *line = logged();

    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void test_foreign_text(void **state)
{
    (void)state;
    char text[LOG_FOREIGN_BYTES * 2];

    assert_string_equal(log_text("no \"x\"\nHINT: y\n").text, "no 'x'");
    assert_string_equal(log_text(NULL).text, "");
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(strlen(log_text(text).text), LOG_FOREIGN_BYTES - 1);
}

static void test_level_names(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_MAX;

    assert_true(log_level_parse("err", &level));
    assert_int_equal(level, LOG_LEVEL_ERR);
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_false(log_level_parse("Debug", &level));
    assert_false(log_level_parse("", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, capture, restore),
        cmocka_unit_test_setup_teardown(test_errno, capture, restore),
        cmocka_unit_test_setup_teardown(test_no_forged_line, capture, restore),
        cmocka_unit_test(test_foreign_text),
        cmocka_unit_test(test_level_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
