/*
 * password: argon2id through libsodium. The bounds are locks on single bytes of a file, one for
 * each slot to hash in and for each place to wait at: the kernel frees them with the descriptor,
 * however a worker ends.
 */
#include "password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

/* For a slot; then the site is overloaded, and says so within a second. */
#define PASSWORD_WAIT_MS 900
/* Between looks at the slots. */
#define PASSWORD_LOOK_MS 10
/* Of the lock file: the first place to wait at, after all slots. */
#define PASSWORD_PLACES_AT 1024

#define PASSWORD_LOCK_NAME "password.lock"
#define PASSWORD_PATH_SIZE 4096

static unsigned long long passes(const struct password *p)
{
    return (unsigned long long)p->s->password_passes;
}

static size_t memory_bytes(const struct password *p)
{
    return (size_t)p->s->password_memory_kib * 1024;
}

static bool lock_file_open(struct password *p)
{
    char path[PASSWORD_PATH_SIZE];
    int n = snprintf(path, sizeof(path), "%s/" PASSWORD_LOCK_NAME, p->s->runtime_dir);

    if (p->lock_fd >= 0) {
        return true;
    }
    if (n < 0 || (size_t)n >= sizeof(path)) {
        log_errx("password runtime_dir_too_long");
        return false;
    }
    /* Where nobody else makes it (no systemd, no root), we do; it fails when it exists. */
    (void)mkdir(p->s->runtime_dir, 0700);
    p->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (p->lock_fd < 0) {
        log_err("password lock_file path=%s", path);
    }
    return p->lock_fd >= 0;
}

void password_init(struct password *p, const struct settings *s)
{
    *p = (struct password){.s = s, .lock_fd = -1};
    (void)lock_file_open(p);
}

void password_clear(struct password *p)
{
    if (p->lock_fd >= 0) {
        close(p->lock_fd);
        p->lock_fd = -1;
    }
}

/* Locks or unlocks one byte for this open file, without waiting. */
static bool byte_set(const struct password *p, int64_t at, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

    return fcntl(p->lock_fd, F_OFD_SETLK, &lock) == 0;
}

/* Locks the first free one of count bytes; OVERLOADED when there is none. */
static enum confab_err byte_take(const struct password *p, int64_t from, int64_t count, int64_t *at)
{
    for (*at = from; *at < from + count; (*at)++) {
        if (byte_set(p, *at, F_WRLCK)) {
            return CONFAB_OK;
        }
        if (errno != EAGAIN && errno != EACCES) {
            log_err("password lock");
            return CONFAB_INTERNAL;
        }
    }
    return CONFAB_OVERLOADED;
}

/* With those who hash, half of the workers: the others serve the rest of the site. In a small pool
 * one may wait all the same. */
static int64_t place_count(const struct settings *s)
{
    int64_t count = s->workers / 2 - s->password_hashes_at_once;

    return count > 1 ? count : 1;
}

static enum confab_err slot_take(struct password *p, int64_t *slot)
{
    const struct timespec pause = {.tv_nsec = PASSWORD_LOOK_MS * 1000000L};
    int64_t place = 0;

    if (!lock_file_open(p)) {
        return CONFAB_INTERNAL;
    }
    enum confab_err err = byte_take(p, 0, p->s->password_hashes_at_once, slot);

    if (err != CONFAB_OVERLOADED ||
        byte_take(p, PASSWORD_PLACES_AT, place_count(p->s), &place) != CONFAB_OK) {
        return err;
    }
    for (int waited_ms = 0; waited_ms < PASSWORD_WAIT_MS && err == CONFAB_OVERLOADED;
         waited_ms += PASSWORD_LOOK_MS) {
        nanosleep(&pause, NULL);
        err = byte_take(p, 0, p->s->password_hashes_at_once, slot);
    }
    (void)byte_set(p, place, F_UNLCK);
    return err;
}

static void slot_release(const struct password *p, int64_t slot)
{
    (void)byte_set(p, slot, F_UNLCK);
}

static enum confab_err hash_now(const struct password *p, const char *secret,
                                char out[PASSWORD_HASH_BYTES])
{
    int failed = crypto_pwhash_str_alg(out, secret, strlen(secret), passes(p), memory_bytes(p),
                                       crypto_pwhash_ALG_ARGON2ID13);

    return failed ? CONFAB_NO_MEMORY : CONFAB_OK;
}

enum confab_err password_hash(struct password *p, const char *secret, char out[PASSWORD_HASH_BYTES])
{
    int64_t slot = 0;
    enum confab_err err = slot_take(p, &slot);

    if (err == CONFAB_OK) {
        err = hash_now(p, secret, out);
        slot_release(p, slot);
    }
    return err;
}

static enum confab_err verify_now(const struct password *p, const char *secret, const char *hash,
                                  char new_hash[PASSWORD_HASH_BYTES], bool *renewed)
{
    *renewed = false;
    if (hash == NULL) {
        /* As much work as a real one, so that the time does not tell which logins exist. */
        enum confab_err err = hash_now(p, secret, new_hash);

        return err == CONFAB_OK ? CONFAB_WRONG_CREDENTIALS : err;
    }
    if (crypto_pwhash_str_verify(hash, secret, strlen(secret)) != 0) {
        return CONFAB_WRONG_CREDENTIALS;
    }
    if (crypto_pwhash_str_needs_rehash(hash, passes(p), memory_bytes(p)) == 0) {
        return CONFAB_OK;
    }
    enum confab_err err = hash_now(p, secret, new_hash);

    *renewed = err == CONFAB_OK;
    return err;
}

enum confab_err password_verify(struct password *p, const char *secret, const char *hash,
                                char new_hash[PASSWORD_HASH_BYTES], bool *renewed)
{
    int64_t slot = 0;
    enum confab_err err = slot_take(p, &slot);

    if (err == CONFAB_OK) {
        err = verify_now(p, secret, hash, new_hash, renewed);
        slot_release(p, slot);
    }
    return err;
}
