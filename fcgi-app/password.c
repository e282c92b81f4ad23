/*
 * password: argon2id through libsodium. The bound is one lock per slot on a byte of a file: the
 * kernel frees it with the descriptor, however a worker ends.
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

#define PASSWORD_WAIT_MS                                                                           \
    900 /* for a slot; then the site is overloaded, and says so within a second */
#define PASSWORD_LOOK_MS   10 /* between looks at the slots */
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

/* Locks or unlocks the byte of one slot for this open file, without waiting. */
static bool slot_set(const struct password *p, int64_t slot, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = slot, .l_len = 1};

    return fcntl(p->lock_fd, F_OFD_SETLK, &lock) == 0;
}

static enum confab_err slot_take(struct password *p, int64_t *slot)
{
    const struct timespec pause = {.tv_nsec = PASSWORD_LOOK_MS * 1000000L};

    if (!lock_file_open(p)) {
        return CONFAB_INTERNAL;
    }
    for (int waited_ms = 0; waited_ms <= PASSWORD_WAIT_MS; waited_ms += PASSWORD_LOOK_MS) {
        for (*slot = 0; *slot < p->s->password_hashes_at_once; (*slot)++) {
            if (slot_set(p, *slot, F_WRLCK)) {
                return CONFAB_OK;
            }
            if (errno != EAGAIN && errno != EACCES) {
                log_err("password lock");
                return CONFAB_INTERNAL;
            }
        }
        nanosleep(&pause, NULL);
    }
    return CONFAB_OVERLOADED;
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
        (void)slot_set(p, slot, F_UNLCK);
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
        (void)slot_set(p, slot, F_UNLCK);
    }
    return err;
}
