/* The software button: who may press, what counts, and that yes means committed. */
#include "api_rig.h"

#define PRESSES "/api/v1/presses"

static struct answer press_as(struct rig *r, const char *who, const char *body)
{
    return rig_ask(r, "POST", PRESSES, who, body, NULL, NULL, 20000);
}

/* The journal's newest line of a type, as an object. */
static json_t *last_line(struct rig *r, const char *type)
{
    struct rig_look look = {.place = "school-2/phone"};
    rig_settle(r, &look);
    struct answer a = get(r, "/api/v1/journal?limit=10000", "desk");
    json_t *found = NULL;
    for (char *line, *rest = a.body; (line = strsep(&rest, "\n"));) {
        json_t *event = json_loads(line, 0, NULL);
        if (event && strcmp(json_string_value(json_object_get(event, "type")), type) == 0) {
            json_decref(found);
            found = json_incref(event);
        }
        json_decref(event);
    }
    answer_free(&a);
    return found;
}

static unsigned presses_of(struct rig *r, const char *alarm)
{
    char path[100];
    snprintf(path, sizeof path, "/api/v1/alarms/%s", alarm);
    struct answer a = get(r, path, "teacher");
    assert_int_equal(a.status, 200);
    unsigned count = (unsigned)json_integer_value(json_object_get(a.json, "press_count"));
    answer_free(&a);
    return count;
}

static void test_a_press_opens_an_alarm_and_its_repetition_is_the_same(void **state)
{
    static const char body[] = "{\"epoch\":\"p1\",\"n\":7,\"kind\":\"attack\"}";
    char alarm[LIMIT_ALARM_ID];
    struct rig *r = rig_start();
    struct answer a = press_as(r, "teacher", body);
    assert_int_equal(a.status, 200);
    assert_string_equal(text_of(&a, "stage"), "recorded");
    assert_string_equal(text_of(&a, "epoch"), "p1");
    assert_int_equal(json_integer_value(json_object_get(a.json, "n")), 7);
    snprintf(alarm, sizeof alarm, "%s", text_of(&a, "alarm"));
    answer_free(&a);
    json_t *line = last_line(r, "press_received");
    assert_string_equal(json_string_value(json_object_get(line, "device")), "phone");
    assert_string_equal(json_string_value(json_object_get(line, "kind")), "attack");
    assert_null(json_object_get(line, "odd"));
    json_decref(line);

    expect(post(r, alarm, "acknowledge", "desk", NULL), 200, NULL, NULL);
    a = press_as(r, "teacher", body);
    assert_int_equal(a.status, 200);
    assert_string_equal(text_of(&a, "alarm"), alarm);
    assert_string_equal(text_of(&a, "stage"), "acknowledged"); /* where the case stands now */
    answer_free(&a);
    assert_int_equal(presses_of(r, alarm), 1);
    rig_stop(r);
}

/* What is odd never turns a press away: it is recorded with it. */
static void test_odd_presses_count(void **state)
{
    static const struct {
        const char *body, *odd;
    } table[] = {{"", "no_identity"},
                 {"not json", "not_json"},
                 {"{\"epoch\":\"o1\",\"n\":\"1\",\"kind\":5,\"more\":1}", "bad_field"},
                 {"{\"epoch\":\"o1\",\"n\":3,\"kind\":\"earthquake\"}", "unknown_kind"}};
    struct rig *r = rig_start();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct answer a = press_as(r, "teacher", table[i].body);
        assert_int_equal(a.status, 200);
        assert_string_equal(text_of(&a, "stage"), "recorded");
        answer_free(&a);
        json_t *line = last_line(r, "press_received");
        char *text = json_dumps(json_object_get(line, "odd"), 0);
        assert_non_null(text);
        assert_non_null(strstr(text, table[i].odd));
        free(text);
        json_decref(line);
    }
    rig_stop(r);
}

static void test_who_may_not(void **state)
{
    struct rig *r = rig_start();
    expect(press_as(r, NULL, "{}"), 401, "unauthorized", NULL);
    expect(press_as(r, "viewer", "{}"), 403, "forbidden", NULL);
    json_t *line = last_line(r, "action_refused");
    assert_string_equal(json_string_value(json_object_get(line, "by")), "viewer");
    assert_string_equal(json_string_value(json_object_get(line, "action")), "POST " PRESSES);
    assert_string_equal(json_string_value(json_object_get(line, "reason")), "role");
    json_decref(line);
    expect(rig_ask(r, "GET", PRESSES, "teacher", NULL, NULL, NULL, 20000), 405, "method", NULL);
    expect(rig_ask(r, "POST", PRESSES "?site=school-1", "teacher", "{}", NULL, NULL, 20000), 400,
           "bad-request", "site");
    line = last_line(r, "press_received");
    assert_null(line);
    struct answer a = press_as(r, "teacher", "{\"epoch\":\"c\",\"n\":1,\"kind\":\"cancel\"}");
    assert_string_equal(text_of(&a, "refusal"), "nothing_to_cancel");
    expect(a, 409, "refused", NULL);
    a = get(r, "/api/v1/me", "viewer");
    assert_true(json_is_null(json_object_get(a.json, "presses_as")));
    answer_free(&a);
    a = get(r, "/api/v1/me", "teacher");
    json_t *as = json_object_get(a.json, "presses_as");
    assert_string_equal(json_string_value(json_object_get(as, "id")), "phone");
    assert_string_equal(json_string_value(json_object_get(json_object_get(as, "site"), "id")), "school-2");
    answer_free(&a);
    rig_stop(r);
}

/* Between presses a phone says nothing. */
static void test_a_phone_is_never_silent(void **state)
{
    struct rig *r = rig_start();
    struct answer a = get(r, "/api/v1/devices", "teacher");
    json_t *phone = json_array_get(json_object_get(a.json, "devices"), 2);
    assert_string_equal(json_string_value(json_object_get(phone, "id")), "phone");
    assert_int_equal(json_integer_value(json_object_get(phone, "silent_after_s")), 0);
    answer_free(&a);
    rig_stop(r);
}

/* The alarm goes out, the answer says that it is not recorded, and a repetition opens no second one. */
static void test_dead_disk(void **state)
{
    static const char body[] = "{\"epoch\":\"d\",\"n\":1}";
    char alarm[LIMIT_ALARM_ID];
    struct rig *r = rig_start();
    struct rig_look look = {.place = "school-2/phone"};
    rig_settle(r, &look);
    rig_call(r, rig_kill_disk, NULL);
    struct answer a = press_as(r, "teacher", body);
    snprintf(alarm, sizeof alarm, "%s", text_of(&a, "alarm"));
    assert_int_equal(strlen(alarm), LIMIT_ALARM_ID - 3);
    expect(a, 503, "unrecorded", NULL);
    assert_int_equal(presses_of(r, alarm), 1);
    a = press_as(r, "teacher", body);
    assert_string_equal(text_of(&a, "alarm"), alarm);
    expect(a, 503, "unrecorded", NULL);
    assert_int_equal(presses_of(r, alarm), 1);
    rig_stop(r);
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_press_opens_an_alarm_and_its_repetition_is_the_same),
        cmocka_unit_test(test_odd_presses_count),
        cmocka_unit_test(test_who_may_not),
        cmocka_unit_test(test_a_phone_is_never_silent),
        cmocka_unit_test(test_dead_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
