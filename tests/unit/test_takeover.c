/*
 * Taking over, against another end that is this test: what each side does when the other says what
 * it should, something else, or nothing any more. What is on the wire is written out once more
 * here, since the other end may be of another release. With real daemons it is in
 * tests/integration/operation.test.js.
 */
#include "push-daemon/takeover.h"

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/token.h"

#define PATH_BYTES  100
#define WORD_BYTES  24
#define SETTLE      20 /* turns of the loop, enough for anything here */
#define LOOKS_UNTIL 100

struct wire {
    char word[WORD_BYTES];
    uint64_t shared, device, inode;
};

static struct event_base *base;
static struct settings settings;
static struct stats stats;
static struct conns conns;
static struct listener listener;
static struct takeover takeover;
static char dir[] = "/tmp/confab-takeover-XXXXXX";
static char listen_address[PATH_BYTES];
static bool is_ready;
static int served, alone, left; /* how often each hook was called */

static bool ready(void *ctx)
{
    (void)ctx;
    return is_ready;
}

static void serve(void *ctx)
{
    (void)ctx;
    served++;
}

static void be_alone(void *ctx)
{
    (void)ctx;
    alone++;
}

static void leave(void *ctx)
{
    (void)ctx;
    left++;
}

static int set_up(void **state)
{
    static const struct takeover_hooks hooks = {
        .ready = ready, .serve = serve, .alone = be_alone, .leave = leave};

    (void)state;
    log_init("test", LOG_LEVEL_ERR);
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(dir));
    snprintf(listen_address, sizeof listen_address, "unix:%s/push.sock", dir);
    settings = (struct settings){.runtime_dir = dir, .push_listen = listen_address};
    is_ready = false;
    served = alone = left = 0;
    base = event_base_new();
    assert_non_null(base);
    assert_true(token_init());
    conns = (struct conns){.base = base, .settings = &settings, .stats = &stats};
    assert_true(listener_init(&listener, base, &conns));
    assert_true(takeover_init(&takeover, base, &listener, &settings, &hooks));
    return 0;
}

static void remove_files(void)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    char path[2 * PATH_BYTES];

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        snprintf(path, sizeof path, "%s/%.90s", dir, entry->d_name);
        unlink(path);
    }
    closedir(d);
    assert_int_equal(rmdir(dir), 0);
}

static int tear_down(void **state)
{
    (void)state;
    takeover_end(&takeover);
    listener_close(&listener);
    event_base_free(base);
    remove_files();
    return 0;
}

static void turn(void)
{
    for (int i = 0; i < SETTLE; i++) {
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
}

/* ---- The other end ---- */

static struct sockaddr_un door_address(void)
{
    static const struct takeover_hooks none = {.ctx = NULL};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct takeover other;

    if (takeover.door.path != NULL) {
        snprintf(address.sun_path, sizeof address.sun_path, "%s", takeover.door.path);
        return address;
    }
    /* Its name is the module's affair: have it made. */
    assert_true(takeover_init(&other, base, &listener, &settings, &none));
    takeover_offer(&other);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", other.door.path);
    takeover_end(&other);
    return address;
}

static int knock(void)
{
    struct sockaddr_un address = door_address();
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    turn();
    return fd;
}

static void say(int fd, const char *word, const struct wire *more, int passed)
{
    struct wire wire = more == NULL ? (struct wire){.shared = 0} : *more;
    struct iovec iov = {&wire, sizeof wire};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    snprintf(wire.word, sizeof wire.word, "%s", word);
    if (passed >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);

        *head = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof passed)};
        memcpy(CMSG_DATA(head), &passed, sizeof passed);
    }
    assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), sizeof wire);
}

/* What was said to us, with the descriptor that came along. */
static struct wire hear(int fd, int *passed)
{
    struct wire wire;
    struct iovec iov = {&wire, sizeof wire};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};

    assert_int_equal(recvmsg(fd, &message, MSG_CMSG_CLOEXEC), sizeof wire);
    *passed = -1;
    if (CMSG_FIRSTHDR(&message) != NULL) {
        memcpy(passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof *passed);
    }
    return wire;
}

static void assert_hung_up(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

static ino_t inode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* ---- The process that is to go ---- */

static void serve_and_offer(void)
{
    assert_true(listener_open(&listener, &settings));
    takeover_offer(&takeover);
    assert_int_equal(takeover.state, TAKEOVER_OFFERED);
}

static void test_given_and_left(void **state)
{
    int passed, fd;
    struct wire here;

    (void)state;
    serve_and_offer();
    fd = knock();
    say(fd, "confab take 1", NULL, -1);
    turn();
    here = hear(fd, &passed);
    assert_string_equal(here.word, "confab here 1");
    assert_int_equal(here.shared, 0);
    assert_int_equal(here.inode, inode_of(listen_address + sizeof "unix:" - 1));
    assert_int_equal(left, 0);

    say(fd, "confab serving 1", NULL, -1);
    turn();
    assert_int_equal(left, 1);
    assert_hung_up(fd);
    /* Neither its file nor who waits in it is ours to touch any more. */
    assert_true(listener.bound.shared);
    listener_stop(&listener);
    assert_int_equal(listener.state, LISTENER_CLOSED);
    assert_int_equal(inode_of(listen_address + sizeof "unix:" - 1), here.inode);
    close(passed);
}

static void test_only_one_at_a_time(void **state)
{
    int passed, first, second;

    (void)state;
    serve_and_offer();
    first = knock();
    say(first, "confab take 1", NULL, -1);
    turn();
    hear(first, &passed);
    close(passed);
    second = knock();
    assert_hung_up(second);
    close(first);
    turn();
    /* It is gone: all as before. */
    assert_int_equal(takeover.state, TAKEOVER_OFFERED);
    assert_false(listener.bound.shared);
    assert_int_equal(left, 0);
    first = knock();
    say(first, "confab take 1", NULL, -1);
    turn();
    assert_string_equal(hear(first, &passed).word, "confab here 1");
    close(passed);
    close(first);
}

static void test_other_words(void **state)
{
    static const char *const words[] = {"", "take", "confab take 2", "confab serving 1"};
    static const size_t lengths[] = {1, sizeof(struct wire) - 1, sizeof(struct wire) + 1};

    (void)state;
    serve_and_offer();
    for (size_t i = 0; i < COUNT(words); i++) {
        int fd = knock();

        say(fd, words[i], NULL, -1);
        turn();
        assert_hung_up(fd);
    }
    for (size_t i = 0; i < COUNT(lengths); i++) {
        char bytes[sizeof(struct wire) + 1] = "confab take 1";
        int fd = knock();

        assert_int_equal(send(fd, bytes, lengths[i], 0), lengths[i]);
        turn();
        assert_hung_up(fd);
    }
    assert_int_equal(takeover.state, TAKEOVER_OFFERED);
    assert_int_equal(left, 0);
}

static void test_stop_while_promised(void **state)
{
    int passed, fd;

    (void)state;
    serve_and_offer();
    fd = knock();
    say(fd, "confab take 1", NULL, -1);
    turn();
    hear(fd, &passed);
    takeover_end(&takeover);
    assert_hung_up(fd);
    assert_true(listener.bound.shared);
    assert_int_equal(left, 0);
    close(passed);
}

/* To become another user takes a right that tests may not have. That the daemon is another's than
 * the other end, which is this process, looks the same to it. */
static void be_another_user(void)
{
    takeover.uid++;
}

static void test_successor_of_another_user(void **state)
{
    (void)state;
    serve_and_offer();
    be_another_user();
    /* Hung up on before it could ask. */
    assert_hung_up(knock());
    assert_int_equal(takeover.state, TAKEOVER_OFFERED);
}

/* ---- The process that comes ---- */

struct script {
    const char *word; /* NULL: hangs up without an answer */
    struct wire more;
    int passed;
    bool waits; /* for "serving", before it hangs up */
};

/* A process that runs, as far as the one that comes can tell. */
static pid_t begin_other(const struct script *script)
{
    struct sockaddr_un address = door_address();
    int door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(door, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(door, 1), 0);
    pid_t child = fork();

    if (child == 0) {
        int fd = accept(door, NULL, NULL);
        int passed;
        bool good = strcmp(hear(fd, &passed).word, "confab take 1") == 0;

        if (script->word != NULL) {
            say(fd, script->word, &script->more, script->passed);
        }
        if (script->waits) {
            good = good && strcmp(hear(fd, &passed).word, "confab serving 1") == 0;
        }
        _exit(good ? 0 : 1);
    }
    close(door);
    return child;
}

static void assert_went_well(pid_t child)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A socket such as the process that runs would have: *fd, with its file. */
static struct wire running(int *fd)
{
    static const struct bound_kind kind = {.type = SOCK_STREAM, .backlog = 1, .mode = 0600};
    struct bound bound;
    struct bound_error why;

    assert_true(bound_open(&bound, listen_address, &kind, &why));
    *fd = dup(bound.fd);
    struct wire deed = {.device = bound.device, .inode = bound.inode};

    bound_disown(&bound);
    bound_close(&bound);
    return deed;
}

static void wait_until(const int *count)
{
    for (int i = 0; i < LOOKS_UNTIL && *count == 0; i++) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    assert_int_equal(*count, 1);
}

static void test_nobody(void **state)
{
    (void)state;
    assert_int_equal(takeover_claim(&takeover), TAKEOVER_NOBODY);
    struct sockaddr_un address = door_address();
    int door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(door, (struct sockaddr *)&address, sizeof address), 0);
    close(door);
    assert_int_equal(takeover_claim(&takeover), TAKEOVER_NOBODY);
    takeover_offer(&takeover);
    assert_int_equal(takeover.state, TAKEOVER_OFFERED);
}

static void test_holder_of_another_user(void **state)
{
    struct sockaddr_un address = door_address();
    int door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)state;
    assert_int_equal(bind(door, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(door, 1), 0);
    be_another_user();
    assert_int_equal(takeover_claim(&takeover), TAKEOVER_FAILED);
    /* It is asked for nothing. */
    assert_hung_up(accept(door, NULL, NULL));
    close(door);
}

static void test_taken(void **state)
{
    struct script script = {.word = "confab here 1", .waits = true};

    (void)state;
    script.more = running(&script.passed);
    pid_t other = begin_other(&script);

    close(script.passed);
    assert_int_equal(takeover_claim(&takeover), TAKEOVER_FOUND);
    assert_int_equal(listener.state, LISTENER_OPEN);
    turn();
    assert_int_equal(served, 0);
    /* Until then all of it is the other's. */
    assert_true(listener.bound.shared);
    assert_null(listener.bound.path);
    is_ready = true;
    wait_until(&alone);
    assert_went_well(other);
    assert_int_equal(served, 1);
    assert_false(listener.bound.shared);
    listener_close(&listener);
    assert_int_equal(inode_of(listen_address + sizeof "unix:" - 1), 0);
}

static void test_other_gone_before_we_serve(void **state)
{
    struct script script = {.word = "confab here 1", .more = {.shared = 1}};

    (void)state;
    running(&script.passed);
    pid_t other = begin_other(&script);

    close(script.passed);
    assert_int_equal(takeover_claim(&takeover), TAKEOVER_FOUND);
    assert_went_well(other);
    wait_until(&alone);
    assert_int_equal(served, 1);
    /* A supervisor has it too, and its file. */
    assert_true(listener.bound.shared);
    listener_stop(&listener);
    assert_true(inode_of(listen_address + sizeof "unix:" - 1) != 0);
}

static int descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(d);
    while (readdir(d) != NULL) {
        count++;
    }
    closedir(d);
    return count;
}

static void test_other_answers(void **state)
{
    int socket_fd, plain = open(dir, O_RDONLY | O_CLOEXEC);
    struct wire deed = running(&socket_fd);
    const struct script scripts[] = {
        {.word = NULL, .passed = -1},
        {.word = "confab here 2", .more = deed, .passed = socket_fd},
        {.word = "confab here 1", .more = deed, .passed = -1},
        {.word = "confab here 1", .more = deed, .passed = plain},
    };
    int before = descriptors();

    (void)state;
    log_init("test", LOG_LEVEL_ERR);
    for (size_t i = 0; i < COUNT(scripts); i++) {
        pid_t other = begin_other(&scripts[i]);

        assert_int_equal(takeover_claim(&takeover), TAKEOVER_FAILED);
        assert_went_well(other);
        assert_int_equal(listener.state, LISTENER_CLOSED);
        assert_int_equal(descriptors(), before);
    }
    close(plain);
    close(socket_fd);
    assert_int_equal(served + alone, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_given_and_left),
        TEST(test_only_one_at_a_time),
        TEST(test_other_words),
        TEST(test_stop_while_promised),
        TEST(test_successor_of_another_user),
        TEST(test_nobody),
        TEST(test_holder_of_another_user),
        TEST(test_taken),
        TEST(test_other_gone_before_we_serve),
        TEST(test_other_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
