/*
 * Passwords, and the bound on how many are hashed at once.
 */
#include "fcgi-app/password.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "unit.h"

static char dir[] = "/tmp/confab-test-XXXXXX";
static char runtime_dir[64];
static struct settings settings = {.runtime_dir = runtime_dir,
                                   .workers = 8, /* so two may wait */
                                   .password_hashes_at_once = 2,
                                   .password_memory_kib = 64,
                                   .password_passes = 1};

static int start(void **state)
{
    (void)state;
    if (sodium_init() < 0 || mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(runtime_dir, sizeof(runtime_dir), "%s/run", dir);
    return 0;
}

static int end(void **state)
{
    char path[100];

    (void)state;
    snprintf(path, sizeof(path), "%s/password.lock", runtime_dir);
    return unlink(path) | rmdir(runtime_dir) | rmdir(dir);
}

static void test_hash_and_verify(void **state)
{
    (void)state;
    struct password p;
    char hash[PASSWORD_HASH_BYTES];
    char new_hash[PASSWORD_HASH_BYTES];
    bool renewed = true;

    password_init(&p, &settings); /* makes the directory, too */
    assert_int_equal(password_hash(&p, "correct horse", hash), CONFAB_OK);
    assert_memory_equal(hash, "$argon2id$v=19$m=64,t=1,p=1$", 28);
    assert_int_equal(password_verify(&p, "correct horse", hash, new_hash, &renewed), CONFAB_OK);
    assert_false(renewed);
    assert_int_equal(password_verify(&p, "correct hors", hash, new_hash, &renewed),
                     CONFAB_WRONG_CREDENTIALS);
    /* Where there is no hash, the same work is done: the time tells nobody which logins exist. */
    new_hash[0] = '\0';
    assert_int_equal(password_verify(&p, "correct horse", NULL, new_hash, &renewed),
                     CONFAB_WRONG_CREDENTIALS);
    assert_memory_equal(new_hash, "$argon2id$v=19$m=64,t=1,p=1$", 28);
    assert_false(renewed);
    assert_int_equal(password_verify(&p, "correct horse", "no hash", new_hash, &renewed),
                     CONFAB_WRONG_CREDENTIALS);
    password_clear(&p);
}

static void test_renewed(void **state)
{
    (void)state;
    struct settings dearer = settings;
    struct password p;
    struct password p_dearer;
    char hash[PASSWORD_HASH_BYTES];
    char new_hash[PASSWORD_HASH_BYTES];
    bool renewed = false;

    dearer.password_passes = 2;
    password_init(&p, &settings);
    password_init(&p_dearer, &dearer);
    assert_int_equal(password_hash(&p, "correct horse", hash), CONFAB_OK);
    assert_int_equal(password_verify(&p_dearer, "correct horse", hash, new_hash, &renewed),
                     CONFAB_OK);
    assert_true(renewed);
    assert_int_equal(password_verify(&p_dearer, "correct horse", new_hash, hash, &renewed),
                     CONFAB_OK);
    assert_false(renewed);
    password_clear(&p);
    password_clear(&p_dearer);
}

/* Another process holds a byte of the lock file until it is killed; it fails when the byte is
 * taken. */
static pid_t hold_byte(int64_t at)
{
    char path[100];
    int ready[2];
    char byte = 0;

    snprintf(path, sizeof(path), "%s/password.lock", runtime_dir);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();

    if (pid == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_start = at, .l_len = 1};
        int fd = open(path, O_RDWR);

        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        if (fcntl(fd, F_OFD_SETLK, &lock) != 0 || write(ready[1], "x", 1) != 1) {
            _exit(1);
        }
        pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void end_process(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_bound(void **state)
{
    (void)state;
    struct password p;
    char hash[PASSWORD_HASH_BYTES];
    struct timespec before;
    struct timespec after;

    password_init(&p, &settings);
    pid_t first = hold_byte(0);

    assert_int_equal(password_hash(&p, "correct horse", hash), CONFAB_OK);
    pid_t second = hold_byte(1);

    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(password_hash(&p, "correct horse", hash), CONFAB_OVERLOADED);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_in_range(after.tv_sec - before.tv_sec, 0, 6);

    /* A killed process gives its slot back. */
    end_process(second);
    assert_int_equal(password_hash(&p, "correct horse", hash), CONFAB_OK);
    end_process(first);
    password_clear(&p);
}

/* How often this process slept while it waited for a slot. */
static long sleeps_of(struct password *p, enum confab_err expected)
{
    char hash[PASSWORD_HASH_BYTES];
    struct rusage before;
    struct rusage after;

    getrusage(RUSAGE_SELF, &before);
    assert_int_equal(password_hash(p, "correct horse", hash), expected);
    getrusage(RUSAGE_SELF, &after);
    return after.ru_nvcsw - before.ru_nvcsw;
}

/* Where all slots and all places to wait at are taken, a worker is refused without waiting. */
static void test_waiting_is_bounded(void **state)
{
    (void)state;
    struct password p;
    const pid_t holders[] = {hold_byte(0), hold_byte(1), hold_byte(1024)};

    password_init(&p, &settings);
    assert_true(sleeps_of(&p, CONFAB_OVERLOADED) > 50); /* at the second place */
    /* The place was given back: it is free to be held. */
    const pid_t last = hold_byte(1025);

    assert_true(sleeps_of(&p, CONFAB_OVERLOADED) < 5);
    end_process(last);
    for (size_t i = 0; i < sizeof(holders) / sizeof(holders[0]); i++) {
        end_process(holders[i]);
    }
    assert_true(sleeps_of(&p, CONFAB_OK) < 5);
    password_clear(&p);
}

/* Whatever becomes of it, hashing gives its slot back for others to take. */
static void test_slot_is_given_back(void **state)
{
    (void)state;
    struct settings too_dear = settings;
    struct password p;
    struct password p_too_dear;
    char hash[PASSWORD_HASH_BYTES];
    char new_hash[PASSWORD_HASH_BYTES];
    bool renewed = false;

    too_dear.password_passes = 0; /* libsodium refuses */
    password_init(&p, &settings);
    password_init(&p_too_dear, &too_dear);
    assert_int_equal(password_hash(&p, "correct horse", hash), CONFAB_OK);
    end_process(hold_byte(0));
    assert_int_equal(password_verify(&p, "correct horse", hash, new_hash, &renewed), CONFAB_OK);
    end_process(hold_byte(0));
    assert_int_equal(password_verify(&p, "wrong", hash, new_hash, &renewed),
                     CONFAB_WRONG_CREDENTIALS);
    end_process(hold_byte(0));
    assert_int_equal(password_hash(&p_too_dear, "correct horse", new_hash), CONFAB_NO_MEMORY);
    end_process(hold_byte(0));
    password_clear(&p_too_dear);
    password_clear(&p);
}

static void test_no_runtime_dir(void **state)
{
    (void)state;
    struct settings nowhere = settings;
    struct password p;
    char hash[PASSWORD_HASH_BYTES];

    log_set_level(LOG_LEVEL_ERR);
    nowhere.runtime_dir = "/nonexistent/run";
    password_init(&p, &nowhere);
    assert_int_equal(password_hash(&p, "correct horse", hash), CONFAB_INTERNAL);
    password_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_and_verify),
        cmocka_unit_test(test_renewed),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_waiting_is_bounded),
        cmocka_unit_test(test_slot_is_given_back),
        cmocka_unit_test(test_no_runtime_dir),
    };

    return cmocka_run_group_tests(tests, start, end);
}
