/* The engine and its troubles: of the devices it supervises, and of all other parts. */
#include "engine_rig.h"

static void test_devices_are_supervised(void **state)
{
    struct lab *l = *state;
    commit(l);
    pass(l, 20500);
    commit(l);
    assert_non_null(board_trouble(engine_board(l->engine), TROUBLE_DEVICE_SILENT, "s/d2"));
    assert_null(board_trouble(engine_board(l->engine), TROUBLE_DEVICE_SILENT, "s/d1")); /* not supervised */
    assert_int_equal(count(l, 't', "bureau", "trouble.raised"), 1);
    message(l, "d2", "heartbeat", "{\"battery\":5}", false, NULL);
    pass(l, 1000);
    commit(l);
    assert_null(board_trouble(engine_board(l->engine), TROUBLE_DEVICE_SILENT, "s/d2"));
    assert_non_null(board_trouble(engine_board(l->engine), TROUBLE_BATTERY, "s/d2"));
    message(l, "d2", "offline", "", false, NULL);
    pass(l, 1000);
    commit(l);
    assert_non_null(board_trouble(engine_board(l->engine), TROUBLE_DEVICE_OFFLINE, "s/d2"));
    struct engine_device device;
    assert_true(engine_device(l->engine, conf_device(l->conf, "s", "d2")->index, &device));
    assert_true(device.offline && device.battery == 5);
}

static void test_no_device_is_silent_while_the_daemon_stands_still(void **state)
{
    struct lab *l = *state;
    const struct board *b = engine_board(l->engine);
    commit(l);
    pass(l, 10000);
    l->boottime_ms += 30000;
    engine_stood_still(l->engine, 30000);
    pass(l, 9000);
    commit(l);
    assert_null(board_trouble(b, TROUBLE_DEVICE_SILENT, "s/d2"));
    pass(l, 2000);
    commit(l);
    assert_non_null(board_trouble(b, TROUBLE_DEVICE_SILENT, "s/d2"));
}

/* It is one trouble, the broker's. What was silent before stays so until it is heard; all others have their time anew. */
static void test_no_device_is_silent_while_nothing_is_heard(void **state)
{
    struct lab *l = *state;
    const struct board *b = engine_board(l->engine);
    message(l, "d2", "heartbeat", "", false, NULL);
    engine_hears(l->engine, false);
    pass(l, 60000);
    commit(l);
    assert_null(board_trouble(b, TROUBLE_DEVICE_SILENT, "s/d2"));
    engine_hears(l->engine, true);
    pass(l, 19000);
    commit(l);
    assert_null(board_trouble(b, TROUBLE_DEVICE_SILENT, "s/d2"));
    pass(l, 2000);
    commit(l);
    assert_non_null(board_trouble(b, TROUBLE_DEVICE_SILENT, "s/d2"));
    for (int hears = 0; hears < 2; hears++) {
        engine_hears(l->engine, hears);
        pass(l, 5000);
        commit(l);
        assert_non_null(board_trouble(b, TROUBLE_DEVICE_SILENT, "s/d2"));
    }
    message(l, "d2", "heartbeat", "", false, NULL);
    pass(l, 1000);
    commit(l);
    assert_null(board_trouble(b, TROUBLE_DEVICE_SILENT, "s/d2"));
}

/* The broker keeps what was published with "retain", and says it at each connection. */
static void test_what_is_retained_is_no_sign_of_life(void **state)
{
    struct lab *l = *state;
    pass(l, 20500);
    commit(l);
    message(l, "d2", "heartbeat", "{\"battery\":5}", true, NULL);
    message(l, "d2", "press", "{\"epoch\":\"e\",\"n\":1,\"battery\":5}", true, NULL);
    pass(l, 1000);
    commit(l);
    assert_non_null(board_trouble(engine_board(l->engine), TROUBLE_DEVICE_SILENT, "s/d2"));
    assert_null(board_trouble(engine_board(l->engine), TROUBLE_BATTERY, "s/d2"));
}

/* What is wrong with a device that says nothing is wrong with it after a start, too. */
static void test_a_start_makes_no_device_well(void **state)
{
    struct lab *l = *state;
    message(l, "d1", "heartbeat", "{\"battery\":5}", false, NULL);
    message(l, "d1", "offline", "", false, NULL);
    pass(l, 25000);
    commit(l);
    kill_daemon(l);
    start(l);
    for (int i = 0; i < 60; i++) {
        commit(l);
        pass(l, 1000);
    }
    commit(l);
    const struct board *b = engine_board(l->engine);
    assert_non_null(board_trouble(b, TROUBLE_DEVICE_OFFLINE, "s/d1"));
    assert_non_null(board_trouble(b, TROUBLE_BATTERY, "s/d1"));
    assert_non_null(board_trouble(b, TROUBLE_DEVICE_SILENT, "s/d2"));
    message(l, "d1", "heartbeat", "{\"battery\":90}", false, NULL);
    message(l, "d2", "heartbeat", "", false, NULL);
    pass(l, 2000);
    commit(l);
    assert_null(board_trouble(b, TROUBLE_DEVICE_OFFLINE, "s/d1"));
    assert_null(board_trouble(b, TROUBLE_BATTERY, "s/d1"));
    assert_null(board_trouble(b, TROUBLE_DEVICE_SILENT, "s/d2"));
}

/* What comes back before its end is recorded is not taken for what is known already; nor is anything said twice. */
static void test_a_trouble_that_comes_and_goes_within_a_commit(void **state)
{
    struct lab *l = *state;
    const struct board *board = engine_board(l->engine);
    commit(l);
    engine_trouble(l->engine, TROUBLE_ENDPOINT, "police", true, "it does not answer");
    commit(l);
    forget_said(l);
    engine_trouble(l->engine, TROUBLE_ENDPOINT, "police", false, "it answers");
    engine_trouble(l->engine, TROUBLE_ENDPOINT, "police", true, "it does not answer");
    engine_trouble(l->engine, TROUBLE_ENDPOINT, "police", true, "it does not answer");
    engine_trouble(l->engine, TROUBLE_ENDPOINT, "guard", true, "it does not answer");
    engine_trouble(l->engine, TROUBLE_ENDPOINT, "guard", false, "it answers");
    commit(l);
    assert_non_null(board_trouble(board, TROUBLE_ENDPOINT, "police"));
    assert_null(board_trouble(board, TROUBLE_ENDPOINT, "guard"));
    assert_int_equal(count(l, 't', "bureau", "trouble.raised"), 2);
    assert_int_equal(count(l, 't', "bureau", "trouble.cleared"), 2);
}

/* A text that is too long, or not UTF-8, is the same text when it is read back. */
static void test_a_trouble_with_an_odd_text_is_said_once(void **state)
{
    struct lab *l = *state;
    char text[3 * LIMIT_TEXT] = "\xff";
    while (strlen(text) < 2 * LIMIT_TEXT)
        strcat(text, "警钟");
    commit(l);
    forget_said(l);
    for (int i = 0; i < 3; i++) {
        engine_trouble(l->engine, TROUBLE_DISK, "disk", true, text);
        commit(l);
    }
    assert_int_equal(count(l, 't', "bureau", "trouble.raised"), 1);
    const char *known = board_trouble(engine_board(l->engine), TROUBLE_DISK, "disk")->text;
    assert_memory_equal(known, "\xEF\xBF\xBD警钟", 9);
    assert_string_equal(known + strlen(known) - 3, strlen(known) % 6 == 3 ? "钟" : "警"); /* a whole letter */
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_devices_are_supervised),
        TEST(test_no_device_is_silent_while_the_daemon_stands_still),
        TEST(test_no_device_is_silent_while_nothing_is_heard),
        TEST(test_what_is_retained_is_no_sign_of_life),
        TEST(test_a_start_makes_no_device_well),
        TEST(test_a_trouble_that_comes_and_goes_within_a_commit),
        TEST(test_a_trouble_with_an_odd_text_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
