/*
 * Listening sockets: what is opened, what is left alone, and who still gets in at the end.
 */
#include "push-daemon/bound.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ADDRESS_BYTES 100

static const struct bound_kind kind = {.type = SOCK_STREAM, .backlog = 16, .mode = 0660};
static char dir[] = "/tmp/confab-bound-XXXXXX";
static char address[ADDRESS_BYTES];
static const char *path = address + sizeof "unix:" - 1;
static struct bound bound;
static struct bound_error why;

static int set_up(void **state)
{
    (void)state;
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(dir));
    snprintf(address, sizeof address, "unix:%s/a.sock", dir);
    bound = (struct bound){.fd = -1};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bound_close(&bound);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
    return 0;
}

static bool connects(int *fd)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    memcpy(to.sun_path, path, strlen(path));
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(*fd >= 0);
    return connect(*fd, (struct sockaddr *)&to, sizeof to) == 0;
}

static bool is_waiting(void)
{
    int fd = accept4(bound.fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static void test_hidden(void **state)
{
    int first, second;

    (void)state;
    assert_true(bound_open(&bound, address, &kind, &why));
    assert_true(connects(&first));
    bound_hide(&bound);
    assert_false(connects(&second));
    assert_int_equal(errno, ENOENT);
    assert_true(is_waiting());
    assert_false(is_waiting());
    close(first);
    close(second);
}

static void test_file(void **state)
{
    struct bound other;
    struct stat st;

    (void)state;
    assert_true(bound_open(&bound, address, &kind, &why));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_false(bound_open(&other, address, &kind, &why));
    assert_string_equal(why.text, "another process listens there");
    assert_int_equal(other.fd, -1);
    bound_close(&bound);
    assert_int_equal(stat(path, &st), -1);

    /* Left by somebody who died, or somebody's, or gone to another one. */
    assert_true(bound_open(&other, address, &kind, &why));
    close(other.fd);
    free(other.path);
    assert_true(bound_open(&bound, address, &kind, &why));
    assert_int_equal(unlink(path), 0);
    assert_true(bound_open(&other, address, &kind, &why));
    bound_close(&bound);
    assert_int_equal(stat(path, &st), 0);
    bound_disown(&other);
    bound_close(&other);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(unlink(path), 0);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_false(bound_open(&bound, address, &kind, &why));
    assert_string_equal(why.text, "exists and is no socket");
}

static void test_own(void **state)
{
    struct bound other;
    struct stat st;

    (void)state;
    assert_true(bound_open(&other, address, &kind, &why));
    assert_true(bound_adopt(&bound, dup(other.fd)));
    bound_own(&bound, address, other.device, other.inode);
    bound_disown(&other);
    bound_close(&other);
    assert_int_equal(stat(path, &st), 0);
    bound_close(&bound);
    assert_int_equal(stat(path, &st), -1);
}

static void test_adopt_what_is_none(void **state)
{
    const int fds[] = {
        open(dir, O_RDONLY | O_CLOEXEC),
        socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(fds); i++) {
        assert_false(bound_adopt(&bound, fds[i]));
        assert_int_equal(bound.fd, -1);
        assert_int_equal(fcntl(fds[i], F_GETFD), -1);
    }
}

static void test_addresses(void **state)
{
    static const struct {
        const char *address, *why;
    } cases[] = {
        {"here", "neither unix:PATH nor HOST:PORT"},
        {"127.0.0.1:", "neither unix:PATH nor HOST:PORT"},
        {"127.0.0.1:0", "neither unix:PATH nor HOST:PORT"},
        {"127.0.0.1:70000", "neither unix:PATH nor HOST:PORT"},
        {"unix:/nonexistent/a", "No such file or directory"},
        {"unix:/1234567890123456789012345678901234567890123456789012345678901234567890123456789"
         "01234567890123456789012345678901234567890",
         "the path is too long for a socket"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_false(bound_open(&bound, cases[i].address, &kind, &why));
        assert_string_equal(why.text, cases[i].why);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hidden),    TEST(test_file), TEST(test_own), TEST(test_adopt_what_is_none),
        TEST(test_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
