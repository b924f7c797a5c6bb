/* An alarm's life over the API: list, story, deeds, closed and forgotten, when the journal is dead. */
#include "api_rig.h"

static size_t alarms_in(struct rig *r, const char *query, const char *who)
{
    char path[200];
    snprintf(path, sizeof path, "/api/v1/alarms%s", query);
    struct answer a = get(r, path, who);
    assert_int_equal(a.status, 200);
    size_t count = json_array_size(json_object_get(a.json, "alarms"));
    answer_free(&a);
    return count;
}

static struct answer story(struct rig *r, const char *alarm, const char *who)
{
    char path[200];
    snprintf(path, sizeof path, "/api/v1/alarms/%s", alarm);
    return get(r, path, who);
}

static unsigned version_of(struct rig *r, const char *alarm)
{
    struct answer a = story(r, alarm, "desk");
    unsigned version = (unsigned)json_integer_value(json_object_get(a.json, "version"));
    answer_free(&a);
    return version;
}

static void test_life(void **state)
{
    struct rig *r = rig_start();
    char alarm[LIMIT_ALARM_ID], same[LIMIT_ALARM_ID], other[LIMIT_ALARM_ID], body[100];
    rig_press(r, "school-1/b1", 1, "panic", alarm);
    rig_press(r, "school-2/b1", 1, "panic", other);
    assert_int_equal(strlen(alarm), 21);
    assert_int_equal(alarms_in(r, "", "desk"), 2);
    assert_int_equal(alarms_in(r, "?site=school-1", "desk"), 1);
    assert_int_equal(alarms_in(r, "?state=all", "desk"), 2);
    assert_int_equal(alarms_in(r, "?state=all&limit=1", "desk"), 1);
    assert_int_equal(alarms_in(r, "?state=closed", "desk"), 0);
    assert_int_equal(alarms_in(r, "", "guard-1"), 1);
    expect(story(r, alarm, "guard-2"), 404, "not-found", NULL);
    expect(post(r, alarm, "acknowledge", "guard-2", NULL), 404, "not-found", NULL);

    struct answer a = story(r, alarm, "guard-1");
    assert_string_equal(text_of(&a, "state"), "open");
    assert_true(json_is_true(json_object_get(a.json, "recorded")));
    json_t *press = json_array_get(json_object_get(a.json, "presses"), 0);
    assert_string_equal(json_string_value(json_object_get(press, "device")), "b1");
    json_t *delivery = json_array_get(json_object_get(a.json, "deliveries"), 0);
    assert_string_equal(json_string_value(json_object_get(delivery, "endpoint")), "police");
    json_t *event = json_array_get(json_object_get(a.json, "events"), 0);
    assert_string_equal(json_string_value(json_object_get(event, "type")), "press_received");
    answer_free(&a);

    a = post(r, alarm, "acknowledge", "desk", "{\"note\":\"on it — 出警\"}");
    assert_int_equal(a.status, 200);
    assert_true(json_integer_value(json_object_get(a.json, "seq")) > 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(a.json, "alarm"), "state")),
                        "acknowledged");
    answer_free(&a);
    a = post(r, alarm, "acknowledge", "desk", NULL);
    assert_string_equal(text_of(&a, "by"), "desk");
    expect(a, 409, "already", NULL);
    expect(post(r, alarm, "coming", "desk", "{}"), 200, NULL, NULL);
    expect(post(r, alarm, "on-scene", "desk", NULL), 200, NULL, NULL);

    unsigned seen = version_of(r, alarm);
    rig_press(r, "school-1/b2", 1, "panic", same);
    assert_string_equal(alarm, same);
    snprintf(body, sizeof body, "{\"disposition\":\"false\",\"seen_version\":%u}", seen);
    a = post(r, alarm, "close", "desk", body);
    assert_int_equal(json_integer_value(json_object_get(a.json, "version")), version_of(r, alarm));
    expect(a, 409, "unseen", NULL);
    expect(post(r, alarm, "notes", "guard-1", "{\"text\":\"a ball hit the button\"}"), 200, NULL, NULL);
    snprintf(body, sizeof body, "{\"disposition\":\"false\",\"seen_version\":%u,\"note\":\"seen\"}",
             version_of(r, alarm));
    expect(post(r, alarm, "close", "guard-1", body), 200, NULL, NULL);
    a = post(r, alarm, "close", "desk", body);
    assert_string_equal(text_of(&a, "by"), "guard-1");
    expect(a, 409, "already", NULL);
    a = post(r, alarm, "acknowledge", "desk", NULL);
    assert_string_equal(text_of(&a, "state"), "closed");
    expect(a, 409, "impossible", NULL);
    assert_int_equal(alarms_in(r, "", "desk"), 1);
    assert_int_equal(alarms_in(r, "?state=closed", "desk"), 1);

    a = story(r, alarm, "desk");
    json_t *notes = json_object_get(a.json, "notes");
    assert_int_equal(json_array_size(notes), 4); /* also of the closing that came too late: it was said */
    assert_string_equal(json_string_value(json_object_get(json_array_get(notes, 0), "text")), "on it — 出警");
    assert_string_equal(text_of(&a, "closed_by"), "guard-1");
    answer_free(&a);
    rig_stop(r);
}

static void test_bad_deeds(void **state)
{
    static char long_note[LIMIT_NOTE + 200];
    static const struct {
        const char *deed, *body, *type;
        long status;
        const char *problem, *field;
    } table[] = {
        {"acknowledge", "{\"note\":1}", NULL, 400, "bad-request", "note"},
        {"acknowledge", "{\"note\":\"\"}", NULL, 422, "unprocessable", "note"},
        {"acknowledge", "{\"note\":\"a\\u0000b\"}", NULL, 400, "bad-request", "body"},
        {"acknowledge", "{\"why\":\"x\"}", NULL, 400, "bad-request", "why"},
        {"acknowledge", "{\"text\":\"x\"}", NULL, 400, "bad-request", "text"},
        {"acknowledge", "{\"note\":\"a\",\"note\":\"b\"}", NULL, 400, "bad-request", "body"},
        {"acknowledge", "[]", NULL, 400, "bad-request", "body"},
        {"acknowledge", "{", NULL, 400, "bad-request", "body"},
        {"acknowledge", "{} {}", NULL, 400, "bad-request", "body"},
        {"acknowledge", "{\"note\":\"\xff\"}", NULL, 400, "bad-request", "body"},
        {"acknowledge", "{\"note\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}", NULL, 400, "bad-request",
         "body"},
        {"acknowledge", "{}", "text/plain", 415, "media-type", NULL},
        {"acknowledge", "{}", "application/jsonx", 415, "media-type", NULL},
        {"acknowledge", "note=x", "application/x-www-form-urlencoded", 415, "media-type", NULL},
        {"close", NULL, NULL, 400, "bad-request", "disposition"},
        {"close", "{\"disposition\":\"real\"}", NULL, 400, "bad-request", "seen_version"},
        {"close", "{\"disposition\":\"reel\",\"seen_version\":1}", NULL, 422, "unprocessable", "disposition"},
        {"close", "{\"disposition\":false,\"seen_version\":1}", NULL, 400, "bad-request", "disposition"},
        {"close", "{\"disposition\":\"real\",\"seen_version\":\"1\"}", NULL, 400, "bad-request",
         "seen_version"},
        {"close", "{\"disposition\":\"real\",\"seen_version\":1.5}", NULL, 400, "bad-request",
         "seen_version"},
        {"close", "{\"disposition\":\"real\",\"seen_version\":0}", NULL, 422, "unprocessable",
         "seen_version"},
        {"close", "{\"disposition\":\"real\",\"seen_version\":4294967297}", NULL, 422, "unprocessable",
         "seen_version"},
        {"notes", "{}", NULL, 400, "bad-request", "text"},
        {"notes", long_note, NULL, 422, "unprocessable", "text"},
        {"acknowledge?x=1", NULL, NULL, 400, "bad-request", "x"},
        {"acknowledge", "{}", "application/json; charset=utf-8", 200, NULL,
         NULL}, /* and none of the above did it */
    };
    strcpy(long_note, "{\"text\":\"");
    memset(long_note + 9, 'x', LIMIT_NOTE + 1);
    strcpy(long_note + 9 + LIMIT_NOTE + 1, "\"}");
    struct rig *r = rig_start();
    char alarm[LIMIT_ALARM_ID], path[200];
    rig_press(r, "school-1/b1", 1, "panic", alarm);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        snprintf(path, sizeof path, "/api/v1/alarms/%s/%s", alarm, table[i].deed);
        struct answer a = rig_ask(r, "POST", path, "desk", table[i].body, table[i].type, NULL, 20000);
        if (a.status != table[i].status)
            fail_msg("%s %s: expected %ld, got %ld %s", table[i].deed, table[i].body, table[i].status,
                     a.status, a.body);
        expect(a, table[i].status, table[i].problem, table[i].field);
    }
    rig_stop(r);
}

/* Many acknowledge at once: one wins, the others are told who. */
#define HANDS 12
struct hand {
    struct rig *r;
    const char *alarm;
    long status;
    char by[LIMIT_ID];
    uv_thread_t thread;
};

static void acknowledge(void *ctx)
{
    struct hand *h = ctx;
    struct answer a = post(h->r, h->alarm, "acknowledge", "desk", NULL);
    h->status = a.status;
    snprintf(h->by, sizeof h->by, "%s", text_of(&a, "by"));
    answer_free(&a);
}

static void test_two_at_once(void **state)
{
    struct rig *r = rig_start();
    char alarm[LIMIT_ALARM_ID];
    rig_press(r, "school-1/b1", 1, "panic", alarm);
    struct hand hands[HANDS];
    for (int i = 0; i < HANDS; i++) {
        hands[i] = (struct hand){.r = r, .alarm = alarm};
        uv_thread_create(&hands[i].thread, acknowledge, &hands[i]);
    }
    unsigned won = 0, told = 0;
    for (int i = 0; i < HANDS; i++) {
        uv_thread_join(&hands[i].thread);
        won += hands[i].status == 200;
        told += hands[i].status == 409 && strcmp(hands[i].by, "desk") == 0;
    }
    assert_int_equal(won, 1);
    assert_int_equal(told, HANDS - 1);
    rig_stop(r);
}

static void move_clock(struct rig *r, void *argument)
{
    r->ahead_ms += (intptr_t)argument;
    engine_tick(r->engine);
}

static void on_board(struct rig *r, void *argument)
{
    const char **alarm = argument;
    if (!board_alarm(engine_board(r->engine), *alarm))
        *alarm = NULL;
}

/* A closed alarm leaves the board after a while; its story is told all the same, from its lines. */
static void test_forgotten(void **state)
{
    struct rig *r = rig_start();
    char alarm[LIMIT_ALARM_ID], other[LIMIT_ALARM_ID], body[100], path[100];
    struct rig_look look = {.place = "school-1/b1"};
    for (unsigned i = 1; i <= 3; i++) {
        rig_press(r, i == 2 ? "school-2/b1" : "school-1/b1", i, "fire", alarm);
        snprintf(body, sizeof body, "{\"disposition\":\"accidental\",\"seen_version\":%u,\"note\":\"n%u\"}",
                 version_of(r, alarm), i);
        expect(post(r, alarm, "close", "desk", body), 200, NULL, NULL);
    }
    rig_call(r, move_clock,
             (void *)(intptr_t)(2 * 3600 * 1000)); /* what the dead endpoint was owed is given up, too */
    rig_settle(r, &look);
    rig_call(r, move_clock, (void *)(intptr_t)(60 * 1000));
    rig_press(r, "school-2/b2", 9, "panic", other);
    const char *there = alarm;
    rig_call(r, on_board, &there);
    assert_null(there);

    struct answer a = story(r, alarm, "desk");
    assert_int_equal(a.status, 200);
    assert_string_equal(text_of(&a, "state"), "closed");
    assert_string_equal(text_of(&a, "disposition"), "accidental");
    assert_string_equal(text_of(&a, "closed_by"), "desk");
    assert_string_equal(json_string_value(json_object_get(json_object_get(a.json, "site"), "name")),
                        "School \"1\"");
    assert_int_equal(json_array_size(json_object_get(a.json, "presses")), 1);
    assert_true(json_array_size(json_object_get(a.json, "events")) >= 2);
    assert_int_equal(json_array_size(json_object_get(a.json, "notes")), 1);
    assert_true(json_is_true(json_object_get(a.json, "recorded")));
    answer_free(&a);
    expect(story(r, alarm, "guard-2"), 404, "not-found", NULL);

    a = post(r, alarm, "close", "bureau", "{\"disposition\":\"real\",\"seen_version\":1}"); /* who comes late */
    assert_string_equal(text_of(&a, "by"), "desk");
    expect(a, 409, "already", NULL);
    a = post(r, alarm, "notes", "bureau", "{\"text\":\"late\"}");
    assert_string_equal(text_of(&a, "state"), "closed");
    expect(a, 409, "impossible", NULL);
    expect(post(r, alarm, "acknowledge", "guard-2", NULL), 404, "not-found", NULL);
    expect(post(r, "aaaaaaaaaaaaaaaaaaaaa", "acknowledge", "desk", NULL), 404, "not-found", NULL);

    assert_int_equal(alarms_in(r, "?state=closed", "desk"), 3);
    assert_int_equal(alarms_in(r, "?state=closed", "guard-2"), 1);
    assert_int_equal(alarms_in(r, "?state=closed&site=school-1", "desk"), 2);
    assert_int_equal(alarms_in(r, "?state=all", "desk"), 4);

    unsigned seen = 0;
    uint64_t before = 0;
    do { /* one by one, the newest first, none twice */
        snprintf(path, sizeof path,
                 before ? "/api/v1/alarms?state=all&limit=1&before=%llu" : "/api/v1/alarms?state=all&limit=1",
                 (unsigned long long)before);
        a = get(r, path, "desk");
        seen += (unsigned)json_array_size(json_object_get(a.json, "alarms"));
        json_t *next = json_object_get(a.json, "next");
        assert_true(!json_is_integer(next) || !before || (uint64_t)json_integer_value(next) < before);
        before = json_is_integer(next) ? (uint64_t)json_integer_value(next) : 0;
        answer_free(&a);
        assert_true(seen <= 4);
    } while (before);
    assert_int_equal(seen, 4);
    rig_stop(r);
}

/* The disk dies: an alarm is shown, a deed is done, and neither is called recorded. */

static void do_look(struct rig *r, void *argument)
{
    struct rig_look *look = argument;
    rig_do_look(r, look);
}

static void test_dead_disk(void **state)
{
    struct rig *r = rig_start();
    struct rig_look look = {.place = "school-1/b1"};
    rig_settle(r, &look);
    rig_call(r, rig_kill_disk, NULL);
    struct rig_press press = {"school-1/b1", 1, "panic"};
    rig_call(r, rig_do_press, &press);
    for (int i = 0; i < 5000 && !look.alarm[0]; i++) {
        rig_call(r, do_look, &look);
        usleep(1000);
    }
    assert_true(look.alarm[0]);
    struct answer a = story(r, look.alarm, "desk");
    assert_int_equal(a.status, 200);
    assert_true(json_is_false(json_object_get(a.json, "recorded")));
    assert_int_equal(json_array_size(json_object_get(a.json, "presses")), 1);
    answer_free(&a);
    assert_int_equal(alarms_in(r, "", "desk"), 1);
    assert_int_equal(alarms_in(r, "?state=all", "desk"), 1);
    expect(post(r, look.alarm, "acknowledge", "desk", NULL), 503, "unrecorded", NULL);
    a = story(r, look.alarm, "desk");
    assert_string_equal(text_of(&a, "state"), "acknowledged"); /* it counts all the same */
    answer_free(&a);
    a = get(r, "/readyz", NULL);
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.body, "journal"));
    answer_free(&a);
    expect(get(r, "/healthz", NULL), 200, NULL, NULL);
    rig_stop(r);
}

/* Nothing more can be kept for the record: what comes now has no place in the journal. */
static void fill_the_backlog(struct rig *r, void *argument)
{
    for (unsigned i = 0; i < LIMIT_BACKLOG; i++)
        engine_trouble(r->engine, TROUBLE_CLOCK, "clock", i % 2 == 0, "test");
}

/* Goes through all pages; how many alarms they have, each of them once. */
static size_t through_pages(struct rig *r, const char *query)
{
    char path[200], ids[8][LIMIT_ALARM_ID];
    size_t count = 0;
    uint64_t before = 0;
    do {
        int size = snprintf(path, sizeof path, "/api/v1/alarms%s", query);
        if (before)
            snprintf(path + size, sizeof path - (size_t)size, "&before=%llu", (unsigned long long)before);
        struct answer a = get(r, path, "desk");
        assert_int_equal(a.status, 200);
        size_t i;
        json_t *alarm, *next = json_object_get(a.json, "next");
        json_array_foreach(json_object_get(a.json, "alarms"), i, alarm)
        {
            const char *id = json_string_value(json_object_get(alarm, "id"));
            for (size_t k = 0; k < count; k++)
                assert_string_not_equal(ids[k], id);
            assert_true(count < 8);
            snprintf(ids[count++], LIMIT_ALARM_ID, "%s", id);
            assert_int_equal(json_is_true(json_object_get(alarm, "recorded")),
                             json_integer_value(json_object_get(alarm, "opened_seq")) > 0);
        }
        assert_true(!json_is_integer(next) || !before || (uint64_t)json_integer_value(next) < before);
        before = json_is_integer(next) ? (uint64_t)json_integer_value(next) : 0;
        answer_free(&a);
    } while (before);
    return count;
}

static void test_never_recorded(void **state)
{
    static const struct rig_press lost[] = {
        {"school-1/b1", 1, "panic"}, {"school-1/b1", 2, "fire"}, {"school-1/b1", 3, "medical"}};
    struct rig *r = rig_start();
    char recorded[LIMIT_ALARM_ID];
    rig_press(r, "school-2/b1", 1, "panic", recorded);
    rig_call(r, rig_kill_disk, NULL);
    rig_call(r, fill_the_backlog, NULL);
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++)
        rig_call(r, rig_do_press, (void *)&lost[i]);
    assert_int_equal(alarms_in(r, "", "desk"), 4);
    assert_int_equal(alarms_in(r, "?state=all", "desk"), 4);
    assert_int_equal(alarms_in(r, "?state=all&site=school-1", "guard-1"), 3);
    assert_int_equal(through_pages(r, "?limit=1"), 4);
    assert_int_equal(through_pages(r, "?limit=2"), 4);
    assert_int_equal(through_pages(r, "?state=all&limit=1"), 4);
    assert_int_equal(through_pages(r, "?state=all&limit=2"), 4);
    rig_stop(r);
}

/* The daemon stops while answers are under way: nobody is left hanging, nothing is used after it is gone. */
static void many_stories(void *ctx)
{
    struct hand *h = ctx;
    for (int i = 0; i < 20; i++) {
        struct answer a = story(h->r, h->alarm, "desk");
        h->status = a.status;
        answer_free(&a);
    }
}

static void test_stop_under_way(void **state)
{
    struct rig *r = rig_start();
    char alarm[LIMIT_ALARM_ID];
    rig_press(r, "school-1/b1", 1, "panic", alarm);
    struct hand hands[HANDS];
    struct rig copy = {.port = r->port};
    for (int i = 0; i < HANDS; i++) {
        hands[i] = (struct hand){.r = &copy, .alarm = alarm};
        uv_thread_create(&hands[i].thread, many_stories, &hands[i]);
    }
    rig_stop(r);
    for (int i = 0; i < HANDS; i++)
        uv_thread_join(&hands[i].thread);
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),        cmocka_unit_test(test_bad_deeds),
        cmocka_unit_test(test_two_at_once), cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_dead_disk),   cmocka_unit_test(test_stop_under_way),
        cmocka_unit_test(test_never_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
