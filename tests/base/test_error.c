#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void test_error__fail_sets_everything(void **state)
{
    (void)state;
    struct pond_error err;
    memset(&err, 0x5A, sizeof(err));
    assert_int_equal(pond_fail(&err, POND_ECORRUPT, "page at %d: %s", 7, "bad"), POND_ECORRUPT);
    assert_int_equal(err.code, POND_ECORRUPT);
    assert_string_equal(err.message, "page at 7: bad");
    assert_string_equal(err.path, "");

    assert_int_equal(pond_fail_path(&err, POND_ELIMIT, "/a/b", "/a/b: %u over", 9u), POND_ELIMIT);
    assert_int_equal(err.code, POND_ELIMIT);
    assert_string_equal(err.message, "/a/b: 9 over");
    assert_string_equal(err.path, "/a/b");

    assert_int_equal(pond_fail(&err, POND_EIO, "again"), POND_EIO);
    assert_string_equal(err.path, "");
}

static void test_error__null_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(pond_fail(NULL, POND_EIO, "x"), POND_EIO);
    assert_int_equal(pond_fail_path(NULL, POND_EIO, "p", "x"), POND_EIO);
    assert_int_equal(pond_fail_errno(NULL, ENOENT, "p", "open"), POND_ENOTFOUND);
    assert_int_equal(pond_fail_nomem(NULL), POND_ENOMEM);
}

static void test_error__long_texts_are_cut(void **state)
{
    (void)state;
    struct pond_error err;
    char text[3000];
    memset(text, 'm', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(pond_fail_path(&err, POND_EIO, text, "%s", text), POND_EIO);
    assert_int_equal(strlen(err.message), POND_ERROR_MESSAGE_SIZE - 1);
    assert_int_equal(strlen(err.path), POND_ERROR_PATH_SIZE - 1);
}

static void test_error__errno_maps(void **state)
{
    (void)state;
    static const struct {
        int errno_value;
        int code;
    } map[] = {{ENOENT, POND_ENOTFOUND}, {EACCES, POND_EDENIED}, {EPERM, POND_EDENIED}, {EROFS, POND_EDENIED},
               {EEXIST, POND_EEXISTS},   {ENOMEM, POND_ENOMEM},  {ENOSPC, POND_EIO},    {EIO, POND_EIO}};
    struct pond_error err;
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        assert_int_equal(pond_fail_errno(&err, map[i].errno_value, "p", "open"), map[i].code);
    assert_int_equal(pond_fail_errno(&err, ENOENT, "/x/y", "open"), POND_ENOTFOUND);
    assert_string_equal(err.message, "/x/y: cannot open: No such file or directory");
    assert_string_equal(err.path, "/x/y");
}

static void test_error__code_names(void **state)
{
    (void)state;
    assert_string_equal(pond_code_name(POND_OK), "ok");
    assert_string_equal(pond_code_name(POND_EIO), "io");
    assert_string_equal(pond_code_name(POND_ECORRUPT), "corrupt");
    assert_string_equal(pond_code_name(POND_ENOTFOUND), "not_found");
    assert_string_equal(pond_code_name(POND_EUSAGE), "usage");
    assert_string_equal(pond_code_name(POND_ENOPOND), "no_pond");
    assert_string_equal(pond_code_name(POND_ELOCKED), "locked");
    assert_string_equal(pond_code_name(POND_EDENIED), "denied");
    assert_string_equal(pond_code_name(POND_EDIVERGED), "diverged");
    assert_string_equal(pond_code_name(POND_EINTERRUPTED), "interrupted");
    assert_string_equal(pond_code_name(POND_EFAILED), "failed");
    assert_string_equal(pond_code_name(1), "failed");
    assert_string_equal(pond_code_name(-1000), "failed");
}

static void test_error__version_has_three_numbers(void **state)
{
    (void)state;
    const char *p = pond_version();
    int dots = 0;
    for (; *p != '\0'; p++) {
        assert_true(*p == '.' || (*p >= '0' && *p <= '9'));
        dots += *p == '.';
    }
    assert_int_equal(dots, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error__fail_sets_everything), cmocka_unit_test(test_error__null_is_allowed),
        cmocka_unit_test(test_error__long_texts_are_cut),   cmocka_unit_test(test_error__errno_maps),
        cmocka_unit_test(test_error__code_names),           cmocka_unit_test(test_error__version_has_three_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
