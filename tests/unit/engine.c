/* The engine, event by event. */
#include "engine_rig.h"

static void test_yes_only_after_the_commit(void **state)
{
    struct lab *l = *state;
    message(l, "d1", "press", "{\"epoch\":\"e\",\"n\":1,\"kind\":\"panic\"}", false, "hold-1");
    assert_int_equal(count(l, 'p', "receipt", ""), 0);
    assert_int_equal(count(l, 'r', "", ""), 0);
    assert_int_equal(count(l, 't', "", ""), 0);
    commit(l);
    assert_int_equal(count(l, 'p', "s/d1/receipt", "\"stage\":\"recorded\""), 1);
    assert_int_equal(count(l, 'r', "hold-1", ""), 1);
    assert_int_equal(count(l, 't', "police", "\"recorded\":true"), 1);
    assert_int_equal(count(l, 't', "bureau", "\"type\":\"alarm.opened\""), 1);
    assert_int_equal(count(l, 't', "guard", ""), 0);
    result_of(l, "police", OUTCOME_RECEIVED);
    assert_int_equal(count(l, 'p', "receipt", "delivered"), 0);
    commit(l);
    assert_int_equal(count(l, 'p', "s/d1/receipt", "\"stage\":\"delivered\""), 1);
}

/* A lamp is lit at once; that an endpoint has the alarm is said to the site when there is time, unless there was other news. */
static void test_a_site_hears_late_of_the_delivery(void **state)
{
    struct lab *l = *state;
    const char *const topic = "tocsin/v1/s/state", *const delivered = "\"stage\":\"delivered\"";
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    assert_int_equal(count(l, 'p', topic, "\"stage\":\"recorded\""), 1);
    result_of(l, "police", OUTCOME_RECEIVED);
    commit(l);
    assert_int_equal(count(l, 'p', topic, delivered), 0);
    pass(l, 2000);
    assert_int_equal(count(l, 'p', topic, delivered), 1);
    press(l, "d2", "{\"epoch\":\"e\",\"n\":1,\"kind\":\"attack\"}"); /* graver: that cannot wait */
    commit(l);
    assert_int_equal(count(l, 'p', topic, "\"kind\":\"attack\""), 1);
    pass(l, 10000);
    assert_int_equal(count(l, 'p', topic, delivered), 2);
}

static void test_news_takes_along_what_waits(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    result_of(l, "police", OUTCOME_RECEIVED);
    commit(l);
    deed(l, EVENT_ACKNOWLEDGED, "desk-1", 0);
    commit(l);
    pass(l, 10000);
    assert_int_equal(count(l, 'p', "tocsin/v1/s/state", "\"stage\":\"acknowledged\""), 1);
    assert_int_equal(count(l, 'p', "tocsin/v1/s/state", "\"stage\":\"delivered\""), 0);
}

/* The loop was busy and the moment of record_wait_ms comes before it hears of the commit. */
static void test_what_is_committed_is_not_late(void **state)
{
    struct lab *l = *state;
    commit(l);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    journal_commit_now(l->journal);
    pass(l, 500);
    assert_int_equal(count(l, 't', "police", "\"recorded\":true"), 1);
    assert_int_equal(engine_counts(l->engine).unrecorded, 0);
}

static unsigned first_of(const struct lab *l, char kind, const char *to)
{
    for (unsigned i = 0; i < l->said_count; i++)
        if (l->said[i].kind == kind && strstr(l->said[i].to, to))
            return i;
    fail_msg("nothing of kind %c to %s", kind, to);
    return 0;
}

/* First who helps, then who pressed, then who looks on; also when the disk does not answer. */
static void test_onlookers_come_last(void **state)
{
    struct lab *l = *state;
    commit(l);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    assert_true(first_of(l, 't', "police") < first_of(l, 'p', "d1/receipt"));
    assert_true(first_of(l, 't', "bureau") < first_of(l, 'p', "d1/receipt"));
    assert_true(first_of(l, 'p', "d1/receipt") < first_of(l, 'a', ""));
    forget_said(l);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":2,\"kind\":\"fire\"}");
    pass(l, 50);
    assert_true(first_of(l, 't', "police") < first_of(l, 'a', ""));
    commit(l);
    assert_int_equal(count(l, 'a', "", ""), 1); /* once */
    assert_int_equal(count(l, 'p', "d1/receipt", "\"n\":2"), 1);
}

static void test_the_alarm_does_not_wait_for_the_disk(void **state)
{
    struct lab *l = *state;
    commit(l);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    pass(l, 49);
    assert_int_equal(count(l, 't', "", ""), 0);
    pass(l, 1);
    assert_int_equal(count(l, 't', "police", "\"recorded\":false"), 1);
    assert_int_equal(count(l, 'p', "receipt", ""), 0);
    char id[128];
    snprintf(id, sizeof id, "%s", l->said[0].to);
    commit(l);
    assert_int_equal(count(l, 'p', "receipt", "recorded"), 1);
    assert_int_equal(count(l, 't', "police", ""), 1); /* not told twice */

    kill_daemon(l); /* the same press to a daemon that never recorded it is the same alarm under the same id */
    new_disk(l);
    start(l);
    forget_said(l);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    assert_int_equal(count(l, 't', id, ""), 1);
}

static void test_one_press_once(void **state)
{
    struct lab *l = *state;
    const char *text = "{\"epoch\":\"e\",\"n\":1}";
    press(l, "d1", text);
    press(l, "d1", text); /* before the first is on the board */
    commit(l);
    assert_int_equal(engine_counts(l->engine).presses, 1); /* and recorded once */
    press(l, "d1", text);
    commit(l);
    assert_int_equal(the_alarm(l)->press_count, 1);
    assert_int_equal(count(l, 't', "police", ""), 1);
    assert_true(count(l, 'p', "receipt", "recorded") >= 2);
    press(l, "d1", ""); /* without identity: the payload within two seconds */
    press(l, "d1", "");
    commit(l);
    assert_int_equal(the_alarm(l)->press_count, 2);
    pass(l, 2500);
    press(l, "d1", "");
    commit(l);
    assert_int_equal(the_alarm(l)->press_count, 3);
}

static void test_two_presses_at_one_moment_are_one_case(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    press(l, "d2", "{\"epoch\":\"e\",\"n\":1,\"kind\":\"attack\"}");
    press(l, "d2", "{\"epoch\":\"e\",\"n\":2,\"kind\":\"fire\"}"); /* another class: another case */
    commit(l);
    assert_int_equal(board_counts(engine_board(l->engine)).alarms_open, 2);
    struct alarm *a = board_open_alarm(engine_board(l->engine), "s", CLASS_SECURITY, MODE_REAL);
    assert_int_equal(a->press_count, 2);
    assert_int_equal(a->kind, KIND_ATTACK);
}

/* A storm: the endpoint's connections are taken, and before the first telling leaves more presses have joined. */
static void test_a_telling_that_waited_takes_the_news_along(void **state)
{
    struct lab *l = *state;
    struct engine_telling t;
    press(l, "d1", "{\"epoch\":\"first\",\"n\":1}");
    commit(l);
    const char *id = last_telling(l, "police");
    assert_false(engine_renew_telling(l->engine, id, "police", &t)); /* no news */
    press(l, "d2", "{\"epoch\":\"second\",\"n\":1}");
    assert_false(engine_renew_telling(l->engine, id, "police", &t)); /* not recorded yet */
    commit(l);
    assert_false(engine_renew_telling(l->engine, id, "guard", &t));
    assert_false(engine_renew_telling(l->engine, "trouble-1-a-police", "police", &t));
    assert_false(engine_renew_telling(l->engine, "a1234567890123456789_1_1_police", "police", &t));
    assert_true(engine_renew_telling(l->engine, id, "police", &t));
    assert_string_not_equal(t.id, id);
    assert_true(memmem(t.take_body, t.body_size, "\"first\"", 7) != NULL);
    assert_true(memmem(t.take_body, t.body_size, "\"second\"", 8) != NULL);
    assert_true(memmem(t.take_body, t.body_size, "alarm.opened", 12) != NULL);
    free(t.take_body);
    struct engine_telling again;
    assert_false(engine_renew_telling(l->engine, id, "police", &again)); /* that one is not on its way any more */
    assert_false(engine_renew_telling(l->engine, t.id, "police", &again));
    forget_said(l);
    result(l, t.id, "police", OUTCOME_RECEIVED, true);
    commit(l);
    pass(l, 20000);
    commit(l);
    assert_int_equal(count(l, 't', "police", ""), 0); /* nothing is owed any more */
    assert_false(alarm_owes(the_alarm(l), alarm_delivery(the_alarm(l), "police")));
}

/* Two that are told at one moment are told the same only when they know the same. */
static void test_each_is_told_what_it_lacks(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"first\",\"n\":1}");
    commit(l);
    assert_string_equal(l->said[0].kind == 't' ? l->said[0].text : "", l->said[1].kind == 't' ? l->said[1].text : "?");
    char bureau[128];
    snprintf(bureau, sizeof bureau, "%s", last_telling(l, "bureau"));
    result_of(l, "police", OUTCOME_RECEIVED);
    commit(l);
    pass(l, 20000);
    forget_said(l);
    press(l, "d2", "{\"epoch\":\"second\",\"n\":1}");
    result(l, bureau, "bureau", OUTCOME_FAILED, true);
    commit(l);
    assert_int_equal(count(l, 't', "police", "\"type\":\"alarm.joined\""), 1);
    assert_int_equal(count(l, 't', "police", "\"epoch\":\"second\""), 1);
    assert_int_equal(count(l, 't', "police", "\"epoch\":\"first\""), 0);
    assert_int_equal(count(l, 't', "bureau", "\"type\":\"alarm.opened\""), 1);
    assert_int_equal(count(l, 't', "bureau", "\"epoch\":\"first\""), 1);
    assert_int_equal(count(l, 't', "bureau", "\"epoch\":\"second\""), 1);
}

static void test_nobody_is_falsely_alarmed(void **state)
{
    struct lab *l = *state;
    char text[256], fresh[64];
    message(l, "nobody", "press", "{\"epoch\":\"e\",\"n\":1}", false, NULL);
    message(l, "lost", "press", "{\"epoch\":\"e\",\"n\":1}", false, NULL);
    message(l, "signed", "press", "{\"epoch\":\"e\",\"n\":1}", false, NULL);
    message(l, "d1", "press", "{\"epoch\":\"e\",\"n\":1}", true, NULL); /* retained, of unknown age */
    message(l, "d1", "press", "{\"epoch\":\"e\",\"n\":9,\"kind\":\"cancel\"}", false, NULL);
    commit(l);
    assert_null(the_alarm(l));
    assert_int_equal(count(l, 't', "police", ""), 0);
    assert_int_equal(count(l, 'p', "d1/receipt", "refused"), 2);
    assert_int_equal(engine_counts(l->engine).refused, 5);

    unsigned char signature[32];
    press_sign(l->device_key, "s", "signed", "e", 5, "panic", MODE_REAL, NULL, signature);
    sodium_bin2base64(fresh, sizeof fresh, signature, 32, sodium_base64_VARIANT_ORIGINAL);
    snprintf(text, sizeof text, "{\"epoch\":\"e\",\"n\":6,\"kind\":\"panic\",\"sig\":\"%s\"}", fresh);
    press(l, "signed", text); /* signed for another n */
    commit(l);
    assert_null(the_alarm(l));
    snprintf(text, sizeof text, "{\"epoch\":\"e\",\"n\":5,\"kind\":\"panic\",\"sig\":\"%s\"}", fresh);
    press(l, "signed", text);
    commit(l);
    assert_int_equal(the_alarm(l)->press_count, 1);
    press(l, "signed", text); /* again: the same press, no second one */
    commit(l);
    assert_int_equal(the_alarm(l)->press_count, 1);
    snprintf(text, sizeof text, "{\"epoch\":\"e\",\"n\":77,\"at\":\"2027-01-15T07:59:59Z\"}"); /* fresh by its own clock */
    l->wall_ms = 1800000000000;
    message(l, "d1", "press", text, true, NULL);
    commit(l);
    assert_int_equal(the_alarm(l)->press_count, 2);
}

static void test_tests_and_drills_stay_apart(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1,\"test\":true}");
    press(l, "d1", "{\"epoch\":\"e\",\"n\":2,\"drill\":true}");
    commit(l);
    assert_int_equal(count(l, 't', "police", ""), 0);
    assert_int_equal(count(l, 't', "bureau", "\"mode\":\"test\""), 1);
    assert_int_equal(count(l, 't', "bureau", "\"mode\":\"drill\""), 1);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":3}");
    commit(l);
    assert_int_equal(count(l, 't', "police", "\"mode\":\"real\""), 1);
    pass(l, 60000);
    commit(l);
    assert_null(board_open_alarm(engine_board(l->engine), "s", CLASS_SECURITY, MODE_TEST));
    assert_non_null(board_open_alarm(engine_board(l->engine), "s", CLASS_SECURITY, MODE_DRILL));
    assert_non_null(board_open_alarm(engine_board(l->engine), "s", CLASS_SECURITY, MODE_REAL));
}

static void test_one_wins_the_other_is_told_who(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    deed(l, EVENT_ACKNOWLEDGED, "desk-1", 0);
    deed(l, EVENT_ACKNOWLEDGED, "desk-2", 0);
    assert_int_equal(l->answers, 0); /* not before the commit */
    commit(l);
    assert_int_equal(l->answers, 2);
    assert_int_equal(l->answer, ENGINE_ALREADY);
    assert_string_equal(l->who, "desk-1");
    assert_int_equal(count(l, 'p', "d1/receipt", "\"stage\":\"acknowledged\""), 1);
}

/* Of the same role: the guard does not stand in the way of the police. */
static void test_who_was_first_is_of_the_same_role(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    deed(l, EVENT_COMING, "desk-1", 0);
    deed_of(l, ROLE_GUARD, EVENT_COMING, "guard-1", 0);
    commit(l);
    assert_int_equal(l->answer, ENGINE_DONE);
    deed(l, EVENT_COMING, "desk-2", 0);
    commit(l);
    assert_int_equal(l->answer, ENGINE_ALREADY);
    assert_string_equal(l->who, "desk-1");
    deed_of(l, ROLE_GUARD, EVENT_ON_SCENE, "guard-2", 0);
    deed_of(l, ROLE_GUARD, EVENT_COMING, "guard-3", 0);
    commit(l);
    assert_string_equal(l->who, "guard-2");
    deed(l, EVENT_ON_SCENE, "desk-3", 0);
    deed(l, EVENT_ON_SCENE, "desk-4", 0);
    commit(l);
    assert_string_equal(l->who, "desk-3");
}

static void test_a_no_needs_no_record(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    uint32_t seen = the_alarm(l)->version;
    press(l, "d2", "{\"epoch\":\"e\",\"n\":1}");
    deed(l, EVENT_ACKNOWLEDGED, "desk-1", 0); /* from here on the journal does not answer */
    pass(l, 2000);
    assert_int_equal(l->answer, ENGINE_UNRECORDED);
    deed(l, EVENT_ACKNOWLEDGED, "desk-2", 0);
    pass(l, 2000);
    assert_int_equal(l->answer, ENGINE_ALREADY);
    assert_string_equal(l->who, "desk-1");
    deed(l, EVENT_CLOSED, "desk-2", seen); /* a press has joined since */
    pass(l, 2000);
    assert_int_equal(l->answer, ENGINE_IMPOSSIBLE);
    assert_int_equal(the_alarm(l)->state, ALARM_ACKNOWLEDGED);
    assert_int_equal(l->answers, 3);
    commit(l);
    assert_int_equal(l->answers, 3);
}

static void test_closing_meets_a_press(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    uint32_t seen = the_alarm(l)->version;
    press(l, "d2", "{\"epoch\":\"e\",\"n\":1}");
    deed(l, EVENT_CLOSED, "desk", seen); /* the press is on its way to the journal: nobody has seen it */
    commit(l);
    assert_int_equal(l->answer, ENGINE_IMPOSSIBLE);
    assert_int_equal(the_alarm(l)->state, ALARM_OPEN);
    deed(l, EVENT_CLOSED, "desk", the_alarm(l)->version);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":2}"); /* the closing is on its way: a case of its own */
    commit(l);
    assert_int_equal(l->answer, ENGINE_DONE);
    assert_int_equal(board_counts(engine_board(l->engine)).alarms_open, 1);
    assert_int_equal(board_counts(engine_board(l->engine)).alarms_kept, 1);
    assert_true(count(l, 'c', "", "police") >= 1); /* what was still being tried gives way to the last word */
    assert_int_equal(count(l, 't', "police", "alarm.closed"), 1);
}

static void test_restart_is_resume(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    result_of(l, "police", OUTCOME_RECEIVED);
    commit(l);
    pass(l, 20000);
    kill_daemon(l);
    forget_said(l);
    l->wall_ms += 3600000 * 5 + 2000; /* the wall clock steps, the boot's clock does not */
    l->boottime_ms += 2000;
    start(l);
    commit(l);
    assert_int_equal(count(l, 't', "police", ""), 0);
    assert_int_equal(count(l, 't', "bureau", "alarm.opened"), 1); /* still owed, under the same id */
    assert_int_equal(count(l, 't', "guard", ""), 0);
    pass(l, 7900);
    commit(l);
    assert_int_equal(count(l, 't', "guard", ""), 0);
    pass(l, 200); /* 30 s after the press */
    commit(l);
    assert_int_equal(count(l, 't', "guard", "alarm.opened"), 1);

    kill_daemon(l);
    strcpy(l->boot, "boot-2"); /* a reboot, and the wall clock was set back: it counts as no time at all */
    l->boottime_ms = 500;
    l->wall_ms -= 3600000;
    start(l);
    commit(l);
    assert_int_equal(the_alarm(l)->rounds, 0);
    pass(l, 30100);
    commit(l);
    assert_int_equal(the_alarm(l)->rounds, 1);
    assert_true(the_alarm(l)->exhausted);
    assert_non_null(board_trouble(engine_board(l->engine), TROUBLE_PLAN_EXHAUSTED, the_alarm(l)->id));
}

static void test_stop_and_start_from_the_snapshot(void **state)
{
    struct lab *l = *state;
    for (unsigned i = 0; i < 50; i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"epoch\":\"e\",\"n\":%u}", i);
        press(l, i % 2 ? "d1" : "d2", text);
    }
    commit(l);
    engine_stop(l->engine);
    journal_commit_now(l->journal);
    kill_daemon(l);
    start(l);
    commit(l);
    assert_int_equal(the_alarm(l)->press_count, 50);
    assert_int_equal(count(l, 't', "police", ""), 2); /* once before, once now: it never answered */
}

static void test_unknown_topics_are_counted(void **state)
{
    struct lab *l = *state;
    static const char *const topics[] = {"", "tocsin", "tocsin/v1/", "tocsin/v1/s", "tocsin/v1/s/d1/", "tocsin/v1/s/d1/x/y",
                                         "tocsin/v2/s/d1/press", "tocsin/v1//d1/press", "tocsin/v1/s/d1/nonsense"};
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        engine_message(l->engine, &(struct engine_message){.topic = topics[i], .payload = "", .qos = 1});
    assert_int_equal(engine_counts(l->engine).unknown_topics, sizeof topics / sizeof *topics);
    commit(l);
    assert_null(the_alarm(l));
}

/* A name that is longer than any is not the one that it begins with. */
static void test_a_name_that_is_too_long_is_nobody(void **state)
{
    struct lab *l = *state;
    press(l, LONG_NAME "-2", "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    assert_null(the_alarm(l));
    assert_int_equal(engine_counts(l->engine).refused, 1);
    press(l, LONG_NAME, "{\"epoch\":\"e\",\"n\":1}");
    commit(l);
    assert_non_null(the_alarm(l));
}

static void test_a_cancel_finds_the_press_that_is_not_recorded_yet(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1,\"kind\":\"fire\"}");
    press(l, "d2", "{\"epoch\":\"e\",\"n\":1,\"kind\":\"cancel\"}"); /* neither its own, nor of its class */
    press(l, "d1", "{\"epoch\":\"e\",\"n\":2,\"kind\":\"cancel\"}");
    commit(l);
    assert_int_equal(the_alarm(l)->cancels, 1);
    assert_int_equal(count(l, 'p', "d1/receipt", "refused"), 0);
    assert_int_equal(count(l, 'p', "d2/receipt", "refused"), 1);
}

/* A test, or a case of another class, takes no news of the first one away. */
static void test_a_device_hears_of_each_of_its_cases(void **state)
{
    struct lab *l = *state;
    press(l, "d1", "{\"epoch\":\"e\",\"n\":1,\"kind\":\"panic\"}");
    press(l, "d1", "{\"epoch\":\"e\",\"n\":2,\"kind\":\"panic\"}");
    commit(l);
    press(l, "d1", "{\"epoch\":\"e\",\"n\":3,\"kind\":\"panic\",\"test\":true}");
    press(l, "d1", "{\"epoch\":\"e\",\"n\":4,\"kind\":\"medical\"}");
    commit(l);
    deed(l, EVENT_COMING, "desk-1", 0);
    commit(l);
    assert_int_equal(count(l, 'p', "d1/receipt", "\"stage\":\"coming\""), 1);
    assert_int_equal(count(l, 'p', "d1/receipt", "\"n\":2,\"stage\":\"coming\""), 1);
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_yes_only_after_the_commit),
        TEST(test_a_cancel_finds_the_press_that_is_not_recorded_yet),
        TEST(test_a_device_hears_of_each_of_its_cases),
        TEST(test_a_site_hears_late_of_the_delivery),
        TEST(test_news_takes_along_what_waits),
        TEST(test_what_is_committed_is_not_late),
        TEST(test_onlookers_come_last),
        TEST(test_the_alarm_does_not_wait_for_the_disk),
        TEST(test_one_press_once),
        TEST(test_two_presses_at_one_moment_are_one_case),
        TEST(test_a_telling_that_waited_takes_the_news_along),
        TEST(test_each_is_told_what_it_lacks),
        TEST(test_nobody_is_falsely_alarmed),
        TEST(test_tests_and_drills_stay_apart),
        TEST(test_one_wins_the_other_is_told_who),
        TEST(test_who_was_first_is_of_the_same_role),
        TEST(test_a_no_needs_no_record),
        TEST(test_closing_meets_a_press),
        TEST(test_restart_is_resume),
        TEST(test_stop_and_start_from_the_snapshot),
        TEST(test_a_name_that_is_too_long_is_nobody),
        TEST(test_unknown_topics_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
