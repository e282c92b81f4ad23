/*
 * The memory of one request.
 */
#include "fcgi-app/arena.h"

#include <string.h>

#include "unit.h"

static void test_allocations(void **state)
{
    (void)state;
    struct arena a;
    char *previous = NULL;

    arena_init(&a, 1 << 20);
    for (size_t size = 1; size < 2000; size += 7) {
        char *p = arena_alloc(&a, size);

        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(p[i], 0);
        }
        memset(p, 0x55, size);
        assert_ptr_not_equal(p, previous);
        previous = p;
    }
    arena_clear(&a);
    assert_int_equal(a.used, 0);
}

/* What does not fit is refused; what still fits is not. */
static void test_limit(void **state)
{
    (void)state;
    struct arena a;

    arena_init(&a, 100000);
    assert_null(arena_alloc(&a, 100001));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_copy(&a, (struct slice){"", SIZE_MAX}));
    assert_non_null(arena_alloc(&a, 60000));
    assert_null(arena_alloc(&a, 60000));
    assert_non_null(arena_alloc(&a, 30000));
    assert_true(a.used <= a.max);
    arena_clear(&a);
    assert_non_null(arena_alloc(&a, 60000));
    arena_clear(&a);
}

static void test_copy(void **state)
{
    (void)state;
    struct arena a;

    arena_init(&a, 1000);
    assert_string_equal(arena_copy(&a, slice_of("text")), "text");
    assert_string_equal(arena_copy(&a, slice_of(NULL)), "");
    assert_memory_equal(arena_copy(&a, (struct slice){"a\0b", 3}), "a\0b", 4);
    arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
