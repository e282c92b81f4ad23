/*
 * guard: bytes that end where memory ends, so that one step too far is a fault.
 */
#ifndef CONFAB_TESTS_GUARD_H
#define CONFAB_TESTS_GUARD_H

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD_MAX_BYTES 131072

/* A copy that lives until the next one is made. */
static inline char *guarded(const char *bytes, size_t n)
{
    static char *end;

    if (end == NULL) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        char *memory = mmap(NULL, GUARD_MAX_BYTES + page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        assert_true(memory != MAP_FAILED);
        end = memory + GUARD_MAX_BYTES;
        assert_int_equal(mprotect(end, page, PROT_NONE), 0);
    }
    assert_true(n <= GUARD_MAX_BYTES);
    return memcpy(end - n, bytes, n);
}

#endif
