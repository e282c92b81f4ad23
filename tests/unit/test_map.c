/*
 * The map against a plain array of what it should hold.
 */
#include "common/map.h"

#include <stdlib.h>

#include "unit.h"

#define KEYS  500
#define STEPS 200000

static void test_empty(void **state)
{
    (void)state;
    struct map m;
    size_t at = 0;
    uint64_t key = 0;

    map_init(&m);
    assert_null(map_get(&m, 0));
    assert_null(map_remove(&m, 0));
    assert_null(map_next(&m, &at, &key));
    map_clear(&m);
}

/* Keys 0, UINT64_MAX and powers of two are as good as others. */
static void test_keys(void **state)
{
    (void)state;
    struct map m;
    char value;

    map_init(&m);
    assert_true(map_put(&m, 0, &value));
    assert_true(map_put(&m, UINT64_MAX, &value));
    for (int bit = 0; bit < 64; bit++) {
        assert_true(map_put(&m, UINT64_C(1) << bit, &value));
    }
    assert_int_equal(m.count, 66);
    assert_ptr_equal(map_remove(&m, 0), &value);
    assert_null(map_get(&m, 0));
    assert_ptr_equal(map_get(&m, UINT64_MAX), &value);
    map_clear(&m);
    assert_int_equal(m.count, 0);
}

static void test_against_array(void **state)
{
    (void)state;
    static char values[2];
    void *model[KEYS] = {NULL};
    size_t count = 0;
    struct map m;

    map_init(&m);
    srandom(1);
    for (int step = 0; step < STEPS; step++) {
        size_t key = (size_t)random() % KEYS;
        void *value = &values[random() % 2];

        if (random() % 2 == 0) {
            count += model[key] == NULL;
            assert_true(map_put(&m, key << 32, value));
            model[key] = value;
        } else {
            count -= model[key] != NULL;
            assert_ptr_equal(map_remove(&m, key << 32), model[key]);
            model[key] = NULL;
        }
        assert_int_equal(m.count, count);
        key = (size_t)random() % KEYS;
        assert_ptr_equal(map_get(&m, key << 32), model[key]);
    }

    size_t at = 0;
    size_t walked = 0;
    uint64_t key = 0;

    for (void *v = map_next(&m, &at, &key); v != NULL; v = map_next(&m, &at, &key)) {
        assert_ptr_equal(v, model[key >> 32]);
        walked++;
    }
    assert_int_equal(walked, count);
    map_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_against_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
