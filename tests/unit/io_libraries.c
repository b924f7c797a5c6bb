/* The libraries that we find at the start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/libraries.h"
#include <curl/curl.h>
#include <jansson.h>
#include <sqlite3.h>
#include <string.h>

static const char *old; /* the library that is older than it should be */

static bool is_old(const char *name)
{
    return old && strcmp(old, name) == 0;
}

int __wrap_sqlite3_libversion_number(void);
int __wrap_sqlite3_libversion_number(void)
{
    return is_old("libsqlite3-0") ? SQLITE_VERSION_NUMBER - 1 : SQLITE_VERSION_NUMBER;
}

curl_version_info_data *__wrap_curl_version_info(CURLversion);
curl_version_info_data *__wrap_curl_version_info(CURLversion age)
{
    static curl_version_info_data data = {.version = "7.1.0"};
    data.version_num = is_old("libcurl4") ? LIBCURL_VERSION_NUM - 1 : LIBCURL_VERSION_NUM;
    return &data;
}

int __wrap_jansson_version_cmp(int, int, int);
int __wrap_jansson_version_cmp(int major, int minor, int micro)
{
    return is_old("libjansson4") ? -1 : 0;
}

static void test_those_that_it_was_built_with_fit(void **state)
{
    char error[LIMIT_TEXT] = "";
    old = NULL;
    assert_true(libraries_fit(error));
    assert_string_equal(error, "");
}

static void test_an_older_one_is_named(void **state)
{
    static const char *const packages[] = {"libsqlite3-0", "libcurl4", "libjansson4"};
    for (size_t i = 0; i < sizeof packages / sizeof *packages; i++) {
        char error[LIMIT_TEXT] = "";
        old = packages[i];
        assert_false(libraries_fit(error));
        assert_non_null(strstr(error, packages[i]));
        assert_non_null(strstr(error, "older than"));
        assert_non_null(strstr(error, "update it"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_those_that_it_was_built_with_fit),
        cmocka_unit_test(test_an_older_one_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
