/* The button's library and the site's retained state: it ends and corrects what receipts did not, and spoils no press. */
#include "button_rig.h"

#define BEFORE "2026-11-23T08:00:00.209Z"
#define SAME "2026-11-23T08:00:00.210Z" /* as rig_answer() says */
#define AFTER "2026-11-23T08:00:00.211Z"
#define LATER "2026-11-23T09:00:00.000Z"

static void hear_site(struct rig *r, const char *at, const char *alarms)
{
    char text[1024];
    snprintf(text, sizeof text, "{\"site\":\"school-1\",\"at\":\"%s\",\"alarms\":[%s]}", at, alarms);
    button_receive_site(&r->button, text, strlen(text), r->now_ms);
}

static const char *listed(const char *alarm, const char *stage)
{
    static char text[256];
    snprintf(text, sizeof text,
             "{\"alarm\":\"a0\",\"class\":\"fire\",\"kind\":\"fire\",\"mode\":\"real\",\"state\":\"open\",\"stage\":\"recorded\","
             "\"since\":\"" BEFORE "\"},{\"alarm\":\"%s\",\"stage\":\"%s\"}",
             alarm, stage);
    return text;
}

static struct rig *coming(void)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    rig_answer(r, n, "recorded", "a1");
    rig_answer(r, n, "coming", "a1");
    assert_int_equal(r->state, BUTTON_COMING);
    return r;
}

static void test_topic(void **state)
{
    struct rig *r = rig_new();
    char topic[BUTTON_TOPIC];
    button_site_topic(&r->button, topic);
    assert_string_equal(topic, "tocsin/v1/school-1/state");
    free(r);
}

/* Nobody says "closed" any more: the daemon was started anew when the alarm had left the board. */
static void test_an_alarm_that_is_not_listed_is_over(void **state)
{
    struct rig *r = coming();
    size_t receipts = r->receipts;
    hear_site(r, AFTER, listed("a1", "coming"));
    assert_int_equal(r->state, BUTTON_COMING);
    assert_int_equal(r->receipts, receipts); /* no news */
    hear_site(r, LATER, listed("a2", "recorded"));
    assert_int_equal(r->state, BUTTON_IDLE);
    assert_int_equal(r->receipts, receipts + 1);
    rig_answer(r, 1, "coming", "a1"); /* what the broker kept for us comes late */
    assert_int_equal(r->state, BUTTON_IDLE);
    free(r);
}

/* The broker gives what it has in any order: a state that was made before our press was taken does not know it. */
static void test_an_older_state_ends_nothing(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    hear_site(r, LATER, "");
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    hear_site(r, LATER, "");
    assert_int_equal(r->state, BUTTON_SENDING);
    assert_int_equal(button_waiting(&r->button), 1);
    rig_answer(r, n, "recorded", "a1");
    hear_site(r, BEFORE, "");
    hear_site(r, SAME, "");
    assert_int_equal(r->state, BUTTON_RECEIVED);
    hear_site(r, AFTER, "");
    assert_int_equal(r->state, BUTTON_IDLE);
    free(r);
}

/* A press that joins its alarm again is not ended by what was said before it joined; one that waits is not ended at all. */
static void test_a_further_press_is_not_ended(void **state)
{
    struct rig *r = coming();
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    hear_site(r, AFTER, "");
    assert_int_equal(r->state, BUTTON_SENDING);
    assert_int_equal(button_waiting(&r->button), 1);
    char text[256];
    snprintf(text, sizeof text, "{\"epoch\":\"%s\",\"n\":%llu,\"stage\":\"recorded\",\"alarm\":\"a1\",\"at\":\"%s\"}",
             r->button.epoch, (unsigned long long)n, LATER);
    rig_hear(r, text);
    assert_int_equal(r->state, BUTTON_RECEIVED); /* opened again */
    hear_site(r, AFTER, "");
    assert_int_equal(r->state, BUTTON_RECEIVED);
    free(r);
}

/* The daemon's clock went back: a state of before was taken for a younger one. The next one lights the lamp again. */
static void test_an_alarm_that_is_listed_is_open(void **state)
{
    struct rig *r = coming();
    hear_site(r, AFTER, "");
    assert_int_equal(r->state, BUTTON_IDLE);
    hear_site(r, LATER, listed("a1", "acknowledged"));
    assert_int_equal(r->state, BUTTON_RECEIVED);
    hear_site(r, "2026-11-23T09:00:00.001Z", listed("a1", "on_scene"));
    assert_int_equal(r->state, BUTTON_COMING);
    hear_site(r, "2026-11-23T09:00:00.002Z", listed("a1", "a_later_version")); /* as far as we knew */
    assert_int_equal(r->state, BUTTON_COMING);
    free(r);
}

static void test_a_test_that_is_over_ends_no_alarm(void **state)
{
    struct rig *r = coming();
    rig_answer(r, rig_press(r, "panic", BUTTON_TEST), "recorded", "t1");
    hear_site(r, AFTER, listed("a1", "coming"));
    assert_int_equal(r->state, BUTTON_COMING);
    assert_int_equal(r->button.follow[BUTTON_TEST].stage, BUTTON_STAGE_CLOSED);
    free(r);
}

/* What is not a whole state with its time ends nothing. */
static void test_broken_states(void **state)
{
    static const char *const broken[] = {
        "", "{", "{}", "[]", "null", "{\"at\":\"" LATER "\"}", "{\"alarms\":[]}", "{\"at\":\"" LATER "\",\"alarms\":null}",
        "{\"at\":\"" LATER "\",\"alarms\":{}}", "{\"at\":\"" LATER "\",\"alarms\":[}", "{\"at\":\"" LATER "\",\"alarms\":[]",
        "{\"at\":\"" LATER "\",\"alarms\":[{]}", "{\"at\":\"" LATER "\",\"alarms\":[1]}", "{\"at\":9,\"alarms\":[]}",
        "{\"at\":\"9\",\"alarms\":[]}", "{\"at\":\"2026-11-23T10:00:00+01:00\",\"alarms\":[]}",
        "{\"x\":{\"alarms\":[]},\"at\":\"" LATER "\"}"};
    struct rig *r = coming();
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        button_receive_site(&r->button, broken[i], strlen(broken[i]), r->now_ms);
        assert_int_equal(r->state, BUTTON_COMING);
    }
    const char *odd = " { \"x\" : [ { } ] , \"alarms\" : [ ] , \"at\" : \"" LATER "\" } ";
    button_receive_site(&r->button, odd, strlen(odd), r->now_ms);
    assert_int_equal(r->state, BUTTON_IDLE);
    free(r);
}

/* Any prefix and any changed byte: no crash, no read beyond it (the sanitizer looks). A part of a state ends nothing. */
static void test_mangled_states(void **state)
{
    struct rig *r = coming();
    const char *text = "{\"site\":\"s\",\"at\":\"" LATER "\",\"alarms\":[{\"alarm\":\"a1\",\"stage\":\"coming\"},{\"alarm\":\"x\"}]}";
    size_t size = strlen(text);
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut + 1);
        memcpy(copy, text, cut);
        button_receive_site(&r->button, copy, cut, r->now_ms);
        assert_int_equal(r->state, BUTTON_COMING);
        free(copy);
    }
    for (size_t at = 0; at < size; at++)
        for (int value = 0; value < 256; value++) {
            char *copy = malloc(size);
            memcpy(copy, text, size);
            copy[at] = (char)value;
            button_receive_site(&r->button, copy, size, r->now_ms);
            free(copy);
        }
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topic),
        cmocka_unit_test(test_an_alarm_that_is_not_listed_is_over),
        cmocka_unit_test(test_an_older_state_ends_nothing),
        cmocka_unit_test(test_a_further_press_is_not_ended),
        cmocka_unit_test(test_an_alarm_that_is_listed_is_open),
        cmocka_unit_test(test_a_test_that_is_over_ends_no_alarm),
        cmocka_unit_test(test_broken_states),
        cmocka_unit_test(test_mangled_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
