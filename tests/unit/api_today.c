/* What today's plan would have done, beside what happened: by the same core, so the same plan gives the same course. */
#include "api_rig.h"

static struct answer today(struct rig *r, const char *alarm, const char *query, const char *who)
{
    char path[100];
    snprintf(path, sizeof path, "/api/v1/alarms/%s/today%s", alarm, query);
    return get(r, path, who);
}

/* Lines of a course: "told", or "told" of one endpoint. */
static unsigned count(const struct answer *a, const char *course, const char *what)
{
    const json_t *line;
    size_t i;
    unsigned found = 0;
    json_array_foreach(json_object_get(json_object_get(a->json, course), "timeline"), i, line)
        found += strcmp(json_string_value(json_object_get(line, "what")), what) == 0;
    return found;
}

static const char *course_text(const struct answer *a, const char *course, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(a->json, course), key));
    return text ? text : "";
}

static void test_the_same_plan_gives_the_same_course(void **state)
{
    struct rig *r = rig_start();
    char alarm[LIMIT_ALARM_ID];
    rig_press(r, "school-1/b1", 1, "panic", alarm);
    expect(post(r, alarm, "acknowledge", "desk", NULL), 200, NULL, NULL);
    struct answer a = today(r, alarm, "", "guard-1");
    assert_int_equal(a.status, 200);
    assert_string_equal(course_text(&a, "happened", "plan"), "default");
    static const char *const same[] = {"press_received", "acknowledged", "state", "deadline_passed"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_int_equal(count(&a, "happened", same[i]), count(&a, "today", same[i]));
    assert_int_equal(count(&a, "happened", "told"), 1); /* nobody is there who could receive the second */
    assert_int_equal(count(&a, "today", "told"), 2);
    assert_string_equal(course_text(&a, "happened", "state"), "acknowledged");
    assert_string_equal(course_text(&a, "today", "state"), "acknowledged");
    answer_free(&a);
    a = today(r, alarm, "?answered=no", "desk");
    assert_int_equal(count(&a, "happened", "acknowledged"), 1);
    assert_int_equal(count(&a, "today", "acknowledged"), 0);
    assert_true(count(&a, "today", "deadline_passed") > 0); /* nobody answers: the plan goes on, and it is trouble */
    assert_int_equal(count(&a, "today", "exhausted"), 1);
    assert_string_equal(course_text(&a, "today", "state"), "open");
    answer_free(&a);
    rig_stop(r);
}

static void test_who_may_not_and_what_is_wrong(void **state)
{
    struct rig *r = rig_start();
    char alarm[LIMIT_ALARM_ID];
    rig_press(r, "school-1/b1", 1, "panic", alarm);
    expect(today(r, alarm, "", NULL), 401, "unauthorized", NULL);
    expect(today(r, alarm, "", "guard-2"), 404, "not-found", NULL);
    expect(today(r, "a2222222222222222222a", "", "desk"), 404, "not-found", NULL);
    expect(today(r, alarm, "?answered=maybe", "desk"), 400, "bad-request", "answered");
    expect(today(r, alarm, "?answerd=no", "desk"), 400, "bad-request", "answerd");
    rig_stop(r);
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_plan_gives_the_same_course),
        cmocka_unit_test(test_who_may_not_and_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
