/*
 * The table of failures is whole and consistent.
 */
#include "common/err.h"

#include <string.h>

#include "unit.h"

static void test_every_row(void **state)
{
    (void)state;
    for (int err = CONFAB_OK; err < CONFAB_ERR_MAX; err++) {
        int status = err_http_status((enum confab_err)err);

        assert_true(strlen(err_code((enum confab_err)err)) > 0);
        assert_true(strlen(err_title((enum confab_err)err)) > 0);
        assert_true(err == CONFAB_OK ? status == 200 : status >= 400 && status <= 599);
        /* 503 and 429 always say when to come back. */
        assert_int_equal(err_retry_after_s((enum confab_err)err) > 0,
                         status == 503 || status == 429);
    }
    assert_string_equal(err_code((enum confab_err) - 1), err_code(CONFAB_INTERNAL));
    assert_string_equal(err_code(CONFAB_ERR_MAX), err_code(CONFAB_INTERNAL));
}

static void test_sqlstate(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum confab_err err;
    } rows[] = {
        {NULL, CONFAB_DB_AWAY},
        {"", CONFAB_DB_AWAY},
        {"CF001", CONFAB_UNAUTHENTICATED},
        {"CF002", CONFAB_WRONG_CREDENTIALS},
        {"CF003", CONFAB_FORBIDDEN},
        {"CF004", CONFAB_NOT_FOUND},
        {"CF005", CONFAB_LOGIN_TAKEN},
        {"CF006", CONFAB_CONFLICT},
        {"CF007", CONFAB_INVALID},
        {"CF008", CONFAB_IDEMPOTENCY_MISMATCH},
        {"CF009", CONFAB_RATE_LIMITED},
        {"CF010", CONFAB_EPOCH_CHANGED},
        {"CF011", CONFAB_ROOM_BUSY},
        {"CF012", CONFAB_BAD_REQUEST},
        {"CF999", CONFAB_INTERNAL},
        {"55P03", CONFAB_DB_BUSY},
        {"57014", CONFAB_DB_BUSY},
        {"40P01", CONFAB_DB_BUSY},
        {"40001", CONFAB_DB_BUSY},
        {"53300", CONFAB_DB_BUSY},
        {"57P01", CONFAB_DB_AWAY},
        {"57P03", CONFAB_DB_AWAY},
        {"08006", CONFAB_DB_AWAY},
        {"25006", CONFAB_DB_AWAY},
        {"22021", CONFAB_BAD_REQUEST},
        {"22001", CONFAB_INTERNAL},
        {"23505", CONFAB_INTERNAL},
        {"42501", CONFAB_INTERNAL},
        {"5", CONFAB_INTERNAL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(err_from_sqlstate(rows[i].sqlstate), rows[i].err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_sqlstate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
