/* How long a thread that was kept waiting sleeps instead of waiting awake (wakeful.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wakeful.h"

#define MS 1000000ull

static void test_begins_short(void **state)
{
    struct wakeful w = {0};
    assert_true(wakeful_may(&w, UINT64_MAX));
    wakeful_given(&w, 100 * MS);
    assert_int_equal(w.not_before_ns, 100 * MS + WAKEFUL_PAUSE_MIN_NS);
}

static void test_doubles_while_busy(void **state)
{
    struct wakeful w = {0};
    uint64_t now_ns = 100 * MS, pause_ns = WAKEFUL_PAUSE_MIN_NS;
    for (int i = 0; i < 20; i++) {
        wakeful_given(&w, now_ns);
        assert_int_equal(w.not_before_ns, now_ns + pause_ns);
        now_ns = w.not_before_ns + MS;
        pause_ns = pause_ns * 2 < WAKEFUL_PAUSE_MAX_NS ? pause_ns * 2 : WAKEFUL_PAUSE_MAX_NS;
    }
    assert_int_equal(pause_ns, WAKEFUL_PAUSE_MAX_NS);
}

static void test_short_again_after_calm(void **state)
{
    struct wakeful w = {0};
    wakeful_given(&w, 100 * MS);
    wakeful_given(&w, w.not_before_ns + MS);
    assert_int_equal(w.pause_ns, 2 * WAKEFUL_PAUSE_MIN_NS);
    uint64_t calm_ns = w.not_before_ns + 4 * w.pause_ns;
    wakeful_given(&w, calm_ns);
    assert_int_equal(w.not_before_ns, calm_ns + WAKEFUL_PAUSE_MIN_NS);
}

static void test_may(void **state)
{
    struct wakeful w = {.not_before_ns = uv_hrtime() + 3600 * 1000 * MS};
    assert_false(wakeful_may(&w, UINT64_MAX));
    w.not_before_ns = 0;
    assert_false(wakeful_may(&w, 0)); /* the time is over */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins_short),
        cmocka_unit_test(test_doubles_while_busy),
        cmocka_unit_test(test_short_again_after_calm),
        cmocka_unit_test(test_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
