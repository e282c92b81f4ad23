/*
 * password: hashing and verifying (argon2id), with a bound on how many are at work at the same
 * time in all workers of the site. Non-goals: where hashes are kept.
 */
#ifndef CONFAB_PASSWORD_H
#define CONFAB_PASSWORD_H

#include <sodium.h>
#include <stdbool.h>

#include "common/err.h"
#include "common/settings.h"

#define PASSWORD_BYTES_MIN  8
#define PASSWORD_BYTES_MAX  1024
#define PASSWORD_HASH_BYTES crypto_pwhash_STRBYTES /* with the NUL */

struct password {
    const struct settings *s; /* borrowed, lives longer */
    int lock_fd;              /* owned; -1 while the lock file cannot be had */
};

/* For a struct password that may be cleared without having been initialised. */
#define PASSWORD_CLOSED                                                                            \
    {                                                                                              \
        .lock_fd = -1                                                                              \
    }

/* Opens the lock file in runtime_dir, which is made if only it is missing. A failure is logged, and
 * tried again when a password is to be hashed. */
void password_init(struct password *p, const struct settings *s);
void password_clear(struct password *p);

/*
 * Both wait a bounded time for their turn. CONFAB_OVERLOADED when it does not come,
 * CONFAB_INTERNAL when the lock file cannot be had (logged), CONFAB_NO_MEMORY.
 */
enum confab_err password_hash(struct password *p, const char *secret, char out[PASSWORD_HASH_BYTES])
    __attribute__((warn_unused_result));

/*
 * CONFAB_OK when secret belongs to hash, else CONFAB_WRONG_CREDENTIALS. hash NULL (no such login)
 * takes as long and is wrong. When the hash was made with other costs than are configured now,
 * *renewed becomes true and new_hash its successor.
 */
enum confab_err password_verify(struct password *p, const char *secret, const char *hash,
                                char new_hash[PASSWORD_HASH_BYTES], bool *renewed)
    __attribute__((warn_unused_result));

#endif
