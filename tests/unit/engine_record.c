/* The engine while the disk is dead, and when it is back: the alarm lives on, and whoever waits for the record's word gets it. */
#include "engine_rig.h"

static void try_to_commit(struct lab *l)
{
    journal_commit_now(l->journal);
    engine_progress(l->engine);
}

static void test_a_puback_waits_for_a_disk_that_is_back(void **state)
{
    struct lab *l = *state;
    commit(l);
    disk_dies(l, true);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    try_to_commit(l);
    message(l, "d2", "press", "{\"epoch\":\"e\",\"n\":1}", false, "in vain");
    assert_int_equal(count(l, 'r', "in vain", ""), 1);

    disk_dies(l, false);
    journal_commit_now(l->journal); /* on its thread: the loop has not heard of it */
    message(l, "d2", "press", "{\"epoch\":\"e\",\"n\":2}", false, "recorded soon");
    assert_int_equal(count(l, 'r', "recorded soon", ""), 0);
    commit(l);
    assert_int_equal(count(l, 'r', "recorded soon", ""), 1);
}

static void test_a_closing_is_said_when_the_disk_is_back(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    press(l, "d2", "{\"epoch\":\"f\",\"n\":7}");
    commit(l);
    result_of(l, "police", OUTCOME_RECEIVED);
    result_of(l, "bureau", OUTCOME_RECEIVED);
    commit(l);
    disk_dies(l, true);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":2}");
    try_to_commit(l);
    result_of(l, "police", OUTCOME_RECEIVED);
    result_of(l, "bureau", OUTCOME_RECEIVED);
    deed(l, EVENT_CLOSED, "desk", 0);
    result_of(l, "police", OUTCOME_RECEIVED);
    result_of(l, "bureau", OUTCOME_RECEIVED);
    for (unsigned i = 0; i < 90; i++) {
        forget_said(l);
        pass(l, 1000);
        try_to_commit(l);
        engine_trouble(l->engine, TROUBLE_CLOCK, "clock", i % 2, "test"); /* whatever happens, time goes on */
    }
    assert_null(the_alarm(l));
    assert_int_equal(count(l, 'p', "", "closed"), 0);

    forget_said(l);
    disk_dies(l, false);
    commit(l);
    assert_int_equal(count(l, 'p', "s/d1/receipt", "\"n\":2,\"stage\":\"closed\""), 1);
    assert_int_equal(count(l, 'p', "s/d2/receipt", "\"epoch\":\"f\",\"n\":7,\"stage\":\"closed\""), 1);
    assert_int_equal(count(l, 'p', "s/state", "\"alarms\":[]"), 1);
}

static void test_a_cancel_under_way_turns_no_closing_down(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":2,\"kind\":\"cancel\"}");
    deed(l, EVENT_CLOSED, "desk", the_alarm(l)->version);
    journal_commit_now(l->journal); /* cancel and closing, and nothing else */
    press(l, "d2", "{\"epoch\":\"f\",\"n\":1}");
    engine_progress(l->engine);
    press(l, "d2", "{\"epoch\":\"f\",\"n\":2}");
    commit(l);
    assert_int_equal(l->answer, ENGINE_DONE);
    assert_int_equal(board_counts(engine_board(l->engine)).alarms_open, 1);
}

/* Nothing more can be kept for the record. */
static void fill_the_backlog(struct lab *l)
{
    for (unsigned i = 0; i < LIMIT_BACKLOG; i++) {
        forget_said(l);
        engine_trouble(l->engine, TROUBLE_CLOCK, "clock", i % 2 == 0, "test");
        if (i % 1000 == 0)
            engine_progress(l->engine);
    }
}

static void test_what_the_record_lost_goes_on_and_is_not_called_recorded(void **state)
{
    struct lab *l = *state;
    commit(l);
    disk_dies(l, true);
    engine_trouble(l->engine, TROUBLE_CLOCK, "clock", true, "test");
    try_to_commit(l);
    fill_the_backlog(l);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    assert_int_equal(the_alarm(l)->opened_seq, 0);
    assert_int_equal(count(l, 't', "police", ""), 1);

    disk_dies(l, false);
    commit(l);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    press(l, "d2", "{\"epoch\":\"f\",\"n\":1}");
    commit(l);
    result_of(l, "bureau", OUTCOME_RECEIVED);
    commit(l);
    assert_int_equal(count(l, 'p', "d1/receipt", ""), 0);
    assert_int_equal(count(l, 'p', "d2/receipt", "recorded"), 1);
    assert_int_equal(count(l, 'p', "d2/receipt", "delivered"), 1);

    kill_daemon(l);
    forget_said(l);
    start(l);
    commit(l);
    assert_int_equal(the_alarm(l)->press_count, 2);
    assert_int_equal(count(l, 't', "police", ""), 1); /* it never answered */
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    press(l, "d2", "{\"epoch\":\"f\",\"n\":1}");
    commit(l);
    assert_int_equal(count(l, 'p', "d1/receipt", ""), 0); /* lost is lost, also after a restart */
    assert_true(count(l, 'p', "d2/receipt", "") > 0);
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_puback_waits_for_a_disk_that_is_back),
        TEST(test_a_closing_is_said_when_the_disk_is_back),
        TEST(test_a_cancel_under_way_turns_no_closing_down),
        TEST(test_what_the_record_lost_goes_on_and_is_not_called_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
