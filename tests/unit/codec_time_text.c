/* time_text: known answers, and the C library's calendar as a second opinion. */
#include "codec/time_text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void test_known(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } table[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {951868799999, "2000-02-29T23:59:59.999Z"},
        {1078012800000, "2004-02-29T00:00:00.000Z"},
        {2147483647000, "2038-01-19T03:14:07.000Z"},
        {2147483648000, "2038-01-19T03:14:08.000Z"},
        {4102444800000, "2100-01-01T00:00:00.000Z"},
        {4107542399999, "2100-02-28T23:59:59.999Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"}, /* 2100 is no leap year */
        {4294967295000, "2106-02-07T06:28:15.000Z"},
        {4294967296000, "2106-02-07T06:28:16.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {-62135596800000, "0001-01-01T00:00:00.000Z"},
        {1795420800123, "2026-11-23T08:00:00.123Z"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[TIME_TEXT];
        int64_t ms = -42;
        time_text(text, table[i].ms);
        assert_string_equal(text, table[i].text);
        assert_true(time_of_text(text, strlen(text), &ms));
        assert_int_equal(ms, table[i].ms);
    }
}

static void test_ends(void **state)
{
    char text[TIME_TEXT];
    time_text(text, INT64_MAX);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    time_text(text, 253402300800000);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    time_text(text, INT64_MIN);
    assert_string_equal(text, "0001-01-01T00:00:00.000Z");
}

/* One moment of every third day of 10,000 years. */
static void test_every_day(void **state)
{
    for (int64_t day = -719162; day <= 2932896; day += 3) {
        int64_t ms = day * 86400000 + (day * 7919 % 86400000 + 86400000) % 86400000, back;
        time_t seconds = (time_t)((ms - ((ms % 1000) + 1000) % 1000) / 1000);
        struct tm tm;
        char expected[64], text[TIME_TEXT];
        assert_non_null(gmtime_r(&seconds, &tm));
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 (int)(((ms % 1000) + 1000) % 1000));
        time_text(text, ms);
        if (strcmp(text, expected) != 0)
            assert_string_equal(text, expected);
        if (!time_of_text(text, strlen(text), &back) || back != ms)
            fail_msg("%s is not read back", text);
    }
}

static void test_forms(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } table[] = {
        {"2026-11-23T16:00:00.123+08:00", 1795420800123},
        {"2026-11-23T08:00:00Z", 1795420800000},
        {"2026-11-23t08:00:00z", 1795420800000},
        {"2026-11-23 08:00:00Z", 1795420800000},
        {"2026-11-23T08:00:00.1Z", 1795420800100},
        {"2026-11-23T08:00:00.1239999999999999999999Z", 1795420800123},
        {"2026-11-22T20:15:00-11:45", 1795420800000},
        {"2026-11-23T08:00:00-00:00", 1795420800000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"2016-12-31T23:59:60.9Z", 1483228800000},
        {"2017-01-01T07:59:60+08:00", 1483228800000},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"0001-01-01T00:00:00Z", -62135596800000},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int64_t ms = -42;
        assert_true(time_of_text(table[i].text, strlen(table[i].text), &ms));
        assert_int_equal(ms, table[i].ms);
    }
}

static void test_refused(void **state)
{
    static const char *const table[] = {
        "",
        "now",
        "2026",
        "2026-11-23",
        "2026-11-23T08:00",
        "2026-11-23T08:00:00",
        "2026-11-23T08:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T08:60:00Z",
        "2026-11-23T08:00:61Z",
        "2026-11-23T08:00:60Z",
        "2026-11-23T08:00:00.Z",
        "2026-11-23T08:00:00,1Z",
        "2026-11-23T08:00:00+8:00",
        "2026-11-23T08:00:00+0800",
        "2026-11-23T08:00:00+24:00",
        "2026-11-23T08:00:00+08:60",
        "2026-11-23T08:00:00Z ",
        " 2026-11-23T08:00:00Z",
        "26-11-23T08:00:00Z",
        "12026-11-23T08:00:00Z",
        "-026-11-23T08:00:00Z",
        "2026-1-23T08:00:00Z",
        "2026-11-23X08:00:00Z",
        "2026/11/23T08:00:00Z",
        "2026-11-23T08:00:00ZZ",
        "2026-11-23T08:00:00+08:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:00-00:01",
        "２０２６-11-23T08:00:00Z",
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int64_t ms = -42;
        if (time_of_text(table[i], strlen(table[i]), &ms))
            fail_msg("taken: %s", table[i]);
        assert_int_equal(ms, -42);
    }
    int64_t ms;
    static const char good[] = "2026-11-23T08:00:00.000Z";
    for (size_t size = 0; size < sizeof good - 1; size++) /* every beginning of a good one */
        assert_false(time_of_text(good, size, &ms));
    assert_false(time_of_text("2026-11-23T08:00:00\0Z", 21, &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known), cmocka_unit_test(test_ends),    cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_forms), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
