/* alarm_json: what endpoints, buttons and sirens are told, compared with proto/examples, which are the
 * contract. */
#include "codec/alarm_json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 1795420800000 /* 2026-11-23T08:00:00Z */
#define ALARM "aqwsxedcrfvtgbyhnujmi"

/* ---- a configuration by hand ---- */

static struct conf_zone zones[] = {{.id = "204", .name = "教学楼 204 室"}, {.id = "gate", .name = "东门岗"}};
static struct conf_contact contacts[] = {{"值班室", "+86 21 5555 0100"}, {"Guard post", NULL}};
static struct conf_site school = {.id = "school-1",
                                  .name = "第一中学 \"No. 1\"",
                                  .address = "示范路 1 号",
                                  .latitude = 31.2304161,
                                  .longitude = 121.47,
                                  .has_position = true,
                                  .contacts = contacts,
                                  .contact_count = 2,
                                  .zones = zones,
                                  .zone_count = 2};
static struct conf_endpoint police = {.id = "police", .name = "区公安分局 110"};

const struct conf_site *conf_site(const struct conf *conf, const char *id)
{
    return strcmp(id, school.id) == 0 ? &school : NULL;
}

const struct conf_zone *conf_zone(const struct conf_site *site, const char *id)
{
    for (size_t i = 0; i < site->zone_count; i++)
        if (strcmp(site->zones[i].id, id) == 0)
            return &site->zones[i];
    return NULL;
}

const struct conf_endpoint *conf_endpoint(const struct conf *conf, const char *id)
{
    return strcmp(id, police.id) == 0 ? &police : NULL;
}

/* ---- an alarm, told step by step ---- */

static const struct journal_head head = {.size = 4711, .root = {0xde, 0xad, 0xbe, 0xef}};

struct world {
    struct board *board;
    uint64_t seq;
    char body[LIMIT_BODY]; /* the last telling to the police */
    size_t size;
    uint32_t version, presses, next_press;
};

static void *world_create(void)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->board = board_create();
    assert_non_null(w->board);
    return w;
}

static void world_destroy(struct world *w)
{
    board_destroy(w->board);
    free(w);
}

static void write_body(void *ctx, const struct effect *effect)
{
    struct world *w = ctx;
    if (strcmp(effect->delivery->endpoint, "police") != 0)
        return;
    w->size = webhook_body(w->body, sizeof w->body, NULL, w->board, effect, &head, true,
                           T0 + 210 + (int64_t)w->seq * 1000);
    w->version = effect->alarm->version;
    w->next_press = effect->first_press + effect->press_count;
    w->presses = effect->press_count;
    if (w->presses > LIMIT_BODY_PRESSES)
        w->next_press = effect->first_press + LIMIT_BODY_PRESSES;
}

static void apply(struct world *w, struct event *e)
{
    e->seq = ++w->seq;
    if (e->at_ms == 0)
        e->at_ms = T0 + (int64_t)(w->seq - 1) * 1000;
    e->clock_ms = 1000000 + e->at_ms - T0;
    if (e->type == EVENT_DEADLINE_PASSED)
        e->clock_ms += (int64_t)w->seq * 3600000; /* it is due */
    snprintf(e->alarm, sizeof e->alarm, "%s", ALARM);
    board_apply(w->board, e);
}

static struct event press_of(const char *device, const char *zone, uint64_t n, enum kind kind)
{
    struct event e = {.type = EVENT_PRESS_RECEIVED};
    e.press = (struct event_press){
        .site = "school-1",
        .epoch = "b3f1",
        .n = n,
        .has_identity = true,
        .kind = kind,
        .battery = -1,
        .plan = {
            .id = "school",
            .step_count = 2,
            .endpoint_count = 3,
            .acks_needed = 1u << ROLE_POLICE,
            .answer_timeout_s = {60, 30},
            .coming_timeout_s = 300,
            .endpoints = {{"police", ROLE_POLICE, 0}, {"bureau", ROLE_BUREAU, 0}, {"guard", ROLE_GUARD, 1}}}};
    snprintf(e.press.device, sizeof e.press.device, "%s", device);
    snprintf(e.press.zone, sizeof e.press.zone, "%s", zone);
    return e;
}

static void press(struct world *w, const char *device, const char *zone, uint64_t n, enum kind kind)
{
    struct event e = press_of(device, zone, n, kind);
    apply(w, &e);
}

static void deed(struct world *w, enum event_type type, const char *by)
{
    struct event e = {.type = type};
    snprintf(e.deed.by, sizeof e.deed.by, "%s", by);
    e.deed.disposition = DISPOSITION_ACCIDENTAL;
    apply(w, &e);
}

/* The police receives what it is told now. */
static const char *telling(struct world *w)
{
    w->size = 0;
    board_take_effects(w->board, 1000000 + (int64_t)w->seq * 1000 + 600000, 0, write_body, w);
    assert_true(w->size > 0);
    struct event e = {.type = EVENT_DELIVERY_RESULT};
    e.delivery = (struct event_delivery){.endpoint = "police",
                                         .version = w->version,
                                         .presses = w->next_press,
                                         .attempt = 1,
                                         .outcome = OUTCOME_RECEIVED,
                                         .http_status = 200};
    apply(w, &e);
    return w->body;
}

static unsigned differences;

static void is_example(const char *file, const char *body)
{
    char path[512], expected[8192];
    const char *source = getenv("TOCSIN_SOURCE");
    snprintf(path, sizeof path, "%s/proto/examples/%s", source ? source : ".", file);
    FILE *f = fopen(path, "r");
    size_t size = f ? fread(expected, 1, sizeof expected - 1, f) : 0;
    if (f)
        fclose(f);
    expected[size] = '\0';
    expected[strcspn(expected, "\n")] = '\0';
    if (strcmp(expected, body) != 0) {
        print_message("%s should be\n%s\n", file, body);
        differences++;
    }
}

static void test_story(void **state)
{
    struct world *w = world_create();
    press(w, "room-204", "204", 17, KIND_PANIC);
    is_example("webhook/opened.json", telling(w));
    press(w, "room-101", "", 3, KIND_PANIC);
    is_example("webhook/joined.json", telling(w));
    press(w, "gate-1", "gate", 9, KIND_ATTACK);
    is_example("webhook/raised.json", telling(w));
    press(w, "room-204", "204", 18, KIND_CANCEL);
    struct event e = {.type = EVENT_DEADLINE_PASSED, .deadline = {DEADLINE_ANSWER, 0}};
    apply(w, &e);
    is_example("webhook/escalated.json", telling(w));
    deed(w, EVENT_ACKNOWLEDGED, "desk-3");
    is_example("webhook/acknowledged.json", telling(w));
    e = (struct event){.type = EVENT_DEADLINE_PASSED, .deadline = {DEADLINE_COMING, 0}};
    apply(w, &e);
    is_example("webhook/reopened.json", telling(w));
    deed(w, EVENT_ACKNOWLEDGED, "desk-4");
    deed(w, EVENT_COMING, "patrol-7");
    is_example("webhook/coming.json", telling(w));
    deed(w, EVENT_ON_SCENE, "patrol-7");
    is_example("webhook/on_scene.json", telling(w));

    char state_body[1024];
    assert_true(site_state_body(state_body, sizeof state_body, NULL, w->board, "school-1", T0 + 60000) > 0);
    is_example("state/alarm.json", state_body);

    deed(w, EVENT_CLOSED, "desk-3");
    is_example("webhook/closed.json", telling(w));

    assert_true(site_state_body(state_body, sizeof state_body, NULL, w->board, "school-1", T0 + 60000) > 0);
    is_example("state/quiet.json", state_body);
    world_destroy(w);
    assert_int_equal(differences, 0);
}

static void test_troubles_and_receipts(void **state)
{
    char body[1024];
    struct event e = {.type = EVENT_TROUBLE_RAISED,
                      .at_ms = T0,
                      .trouble = {.code = TROUBLE_DEVICE_SILENT,
                                  .part = "school-1/room-204",
                                  .text = "room-204 of 第一中学 has not been heard for 20 s"}};
    assert_true(webhook_trouble_body(body, sizeof body, "tocsin.example.edu", &e, &head) > 0);
    is_example("webhook/trouble_raised.json", body);
    e.type = EVENT_TROUBLE_CLEARED;
    assert_true(webhook_trouble_body(body, sizeof body, "tocsin.example.edu", &e, &head) > 0);
    is_example("webhook/trouble_cleared.json", body);
    assert_int_equal(webhook_trouble_body(body, 40, "tocsin.example.edu", &e, &head), 0);

    assert_true(receipt_body(body, sizeof body, "b3f1", 17, "recorded", ALARM, T0 + 210) > 0);
    is_example("receipt/recorded.json", body);
    assert_true(receipt_body(body, sizeof body, "b3f1", 9007199254740991, "refused", "", T0 + 210) > 0);
    is_example("receipt/refused.json", body);
    assert_int_equal(receipt_body(body, 20, "b3f1", 17, "recorded", ALARM, T0), 0);
    assert_int_equal(differences, 0);
}

/* Sirens and doors see each of the worlds that never join. */
static void test_state_of_several(void **state)
{
    struct board *b = board_create();
    unsigned count = 0;
    static const enum kind kinds[] = {KIND_PANIC, KIND_FIRE, KIND_MEDICAL};
    for (enum mode mode = 0; mode < MODE_COUNT; mode++)
        for (unsigned k = 0; k < 3; k++) {
            struct event e = press_of("room-204", "204", count, kinds[k]);
            e.seq = ++count;
            e.at_ms = T0 + (int64_t)count;
            e.clock_ms = count;
            e.press.mode = mode;
            snprintf(e.alarm, sizeof e.alarm, "a%u", count);
            board_apply(b, &e);
        }
    char body[4096], again[4096];
    size_t size = site_state_body(body, sizeof body, NULL, b, "school-1", T0);
    json_t *object = json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(json_object_get(object, "alarms")), 9);
    json_decref(object);
    assert_int_equal(site_state_body(again, sizeof again, NULL, b, "school-1", T0), size);
    assert_string_equal(body, again);
    assert_true(site_state_body(body, sizeof body, NULL, b, "school-2", T0) > 0);
    assert_string_equal(body, "{\"site\":\"school-2\",\"at\":\"2026-11-23T08:00:00.000Z\",\"alarms\":[]}");
    board_destroy(b);
}

/* Whatever happened before it: an endpoint's first word about an alarm is that it was opened. */
static void test_first_word(void **state)
{
    struct world *w = world_create();
    press(w, "room-204", "204", 17, KIND_PANIC);
    press(w, "gate-1", "gate", 9, KIND_ATTACK);
    const char *body = telling(w);
    assert_ptr_equal(strstr(body, "{\"type\":\"alarm.opened\","), body);
    assert_non_null(strstr(body, "\"kind\":\"attack\",\"state\":\"open\""));
    assert_non_null(strstr(body, "{\"device\":\"room-204\",\"epoch\":\"b3f1\",\"n\":17,"));
    assert_non_null(strstr(body, "{\"device\":\"gate-1\",\"epoch\":\"b3f1\",\"n\":9,"));
    world_destroy(w);
}

static void test_what_is_no_longer_configured(void **state)
{
    struct world *w = world_create();
    struct event e = press_of("room-204", "204", 17, KIND_PANIC);
    snprintf(e.press.site, sizeof e.press.site, "gone");
    apply(w, &e);
    const char *body = telling(w);
    assert_non_null(strstr(body, "\"site\":{\"id\":\"gone\"},"));
    assert_non_null(strstr(body, "\"zone\":{\"id\":\"204\"},"));
    char out[4096];
    struct json_out o;
    json_out_init(&o, out, sizeof out);
    json_open(&o, NULL, '{');
    alarm_json_deliveries(&o, NULL, board_alarm(w->board, ALARM));
    json_close(&o, '}');
    assert_true(json_out_ok(&o));
    assert_string_equal(
        out, "{\"deliveries\":["
             "{\"endpoint\":\"police\",\"name\":\"区公安分局 "
             "110\",\"role\":\"police\",\"step\":1,\"state\":\"received\",\"version\":1,"
             "\"presses\":1,\"attempts\":0,\"since\":\"2026-11-23T08:00:01.000Z\",\"http_status\":200},"
             "{\"endpoint\":\"bureau\",\"role\":\"bureau\",\"step\":1,\"state\":\"sent\",\"version\":0,"
             "\"presses\":0,\"attempts\":0,\"since\":\"2026-11-23T08:00:00.000Z\",\"http_status\":0},"
             "{\"endpoint\":\"guard\",\"role\":\"guard\",\"step\":2,\"state\":\"waiting\",\"version\":0,"
             "\"presses\":0,\"attempts\":0,\"since\":\"2026-11-23T08:00:00.000Z\",\"http_status\":0}]}");
    world_destroy(w);
}

static struct json_out o;
static char members[4096];

static const char *members_of(struct world *w)
{
    json_out_init(&o, members, sizeof members);
    json_open(&o, NULL, '{');
    alarm_json_members(&o, NULL, board_alarm(w->board, ALARM));
    json_close(&o, '}');
    assert_true(json_out_ok(&o));
    return members;
}

static void test_what_a_desk_is_told_besides(void **state)
{
    struct world *w = world_create();
    school.has_position = false;
    press(w, "room-204", "204", 17, KIND_PANIC);
    assert_null(strstr(members_of(w), "latitude")); /* a place that nobody measured is not at 0, 0 */
    assert_null(strstr(members_of(w), "cancels"));
    press(w, "room-204", "204", 18, KIND_CANCEL);
    assert_non_null(strstr(members_of(w), "\"press_count\":2,\"cancels\":1,\"acks\":["));
    for (unsigned step = 0; step < 2; step++) {
        struct event e = {.type = EVENT_DEADLINE_PASSED, .deadline = {DEADLINE_ANSWER, step}};
        assert_null(strstr(members_of(w), "exhausted"));
        apply(w, &e);
    }
    assert_non_null(strstr(members_of(w), "\"exhausted\":true"));
    world_destroy(w);
    school.has_position = true;
}

static void deed_of(struct world *w, enum event_type type, enum role role, const char *by)
{
    struct event e = {.type = type, .deed.role = role};
    snprintf(e.deed.by, sizeof e.deed.by, "%s", by);
    apply(w, &e);
}

/* Which of the roles that are needed have answered, and which are waited for. */
static void test_who_has_answered(void **state)
{
    struct world *w = world_create();
    struct event opening = press_of("room-204", "204", 17, KIND_INTRUSION);
    opening.press.plan.acks_needed = 1u << ROLE_POLICE | 1u << ROLE_BUREAU;
    apply(w, &opening);
    assert_non_null(strstr(members_of(w), "\"acks\":[{\"role\":\"police\",\"by\":null},"
                                          "{\"role\":\"bureau\",\"by\":null}],\"reached\":[]}"));
    deed_of(w, EVENT_ACKNOWLEDGED, ROLE_GUARD, "guard-1"); /* not needed: not listed */
    deed_of(w, EVENT_COMING, ROLE_BUREAU, "bureau-1");
    assert_non_null(strstr(members_of(w), "\"state\":\"open\""));
    assert_non_null(strstr(members_of(w), "\"acks\":[{\"role\":\"police\",\"by\":null},"
                                          "{\"role\":\"bureau\",\"by\":\"bureau-1\"}],"
                                          "\"reached\":[{\"role\":\"bureau\",\"state\":\"coming\"},"
                                          "{\"role\":\"guard\",\"state\":\"acknowledged\"}]}"));
    deed_of(w, EVENT_ACKNOWLEDGED, ROLE_POLICE, "duty-1");
    deed_of(w, EVENT_ACKNOWLEDGED, ROLE_POLICE, "duty-2"); /* was not the first */
    assert_non_null(strstr(members_of(w), "\"state\":\"coming\"")); /* as the bureau has said */
    assert_non_null(strstr(members_of(w), "\"acks\":[{\"role\":\"police\",\"by\":\"duty-1\"},"
                                          "{\"role\":\"bureau\",\"by\":\"bureau-1\"}],"
                                          "\"reached\":[{\"role\":\"police\",\"state\":\"acknowledged\"},"));
    press(w, "gate-1", "gate", 9, KIND_ATTACK); /* asks all of them again */
    assert_non_null(strstr(members_of(w), "\"acks\":[{\"role\":\"police\",\"by\":null},"
                                          "{\"role\":\"bureau\",\"by\":null}],\"reached\":[]}"));
    const char *told = telling(w);
    assert_null(strstr(told, "\"acks\""));
    assert_null(strstr(told, "\"reached\"")); /* the webhook's contract does not know it */
    world_destroy(w);
}

static void test_presses_of_an_alarm_in_parts(void **state)
{
    struct world *w = world_create();
    for (unsigned n = 1; n <= 5; n++) {
        struct event e = press_of("room-204", "204", n, KIND_PANIC);
        e.press.oddities = n == 3 ? ODD_RETAINED | ODD_EMPTY : 0;
        apply(w, &e);
    }
    json_out_init(&o, members, sizeof members);
    json_open(&o, NULL, '{');
    alarm_json_presses(&o, NULL, w->board, board_alarm(w->board, ALARM), 2, 2);
    json_close(&o, '}');
    json_t *object = json_loadb(members, o.size, JSON_REJECT_DUPLICATES, NULL);
    json_t *list = json_object_get(object, "presses"), *first = json_array_get(list, 0);
    assert_int_equal(json_array_size(list), 2);
    assert_int_equal(json_integer_value(json_object_get(first, "n")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 1), "n")), 4);
    json_t *odd = json_object_get(first, "odd");
    assert_int_equal(json_array_size(odd), 2);
    assert_string_equal(json_string_value(json_array_get(odd, 0)), "empty");
    assert_string_equal(json_string_value(json_array_get(odd, 1)), "retained");
    json_decref(object);
    world_destroy(w);
}

static void test_what_does_not_fit_is_no_body(void **state)
{
    struct world *w = world_create();
    char body[40];
    press(w, "room-204", "204", 17, KIND_PANIC);
    assert_int_equal(site_state_body(body, sizeof body, NULL, w->board, "school-1", T0), 0);
    world_destroy(w);
}

#define N47 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

/* Whatever an administrator wrote and however long the names are: 200 presses fit, and none is left out. */
static void test_largest_body_fits(void **state)
{
    static char endless[20000];
    memset(endless, '\x01', sizeof endless - 1); /* six bytes each */
    struct conf_zone zone = {.id = N47, .name = endless};
    struct conf_contact many[40];
    for (unsigned i = 0; i < 40; i++)
        many[i] = (struct conf_contact){endless, endless};
    struct conf_site before = school;
    school.name = school.address = endless;
    school.contacts = many;
    school.contact_count = 40;
    school.zones = &zone;
    school.zone_count = 1;

    struct world *w = world_create();
    for (unsigned i = 0; i < 201; i++) {
        struct event e = press_of(N47, N47, 9007199254740991 - i, KIND_INTRUSION);
        snprintf(e.press.epoch, sizeof e.press.epoch, "eeeeeeeeeeeeeeeeeeeeeee");
        e.press.oddities = (1u << ODD_COUNT) - 1;
        apply(w, &e);
    }
    telling(w);
    assert_in_range(w->size, 40000, LIMIT_BODY - 1);
    json_t *object = json_loadb(w->body, w->size, JSON_REJECT_DUPLICATES, NULL);
    json_t *presses = json_object_get(json_object_get(object, "data"), "presses");
    assert_int_equal(json_array_size(presses), LIMIT_BODY_PRESSES);
    for (unsigned i = 0; i < LIMIT_BODY_PRESSES; i++) {
        json_t *n = json_object_get(json_array_get(presses, i), "n");
        assert_int_equal(json_integer_value(n), 9007199254740991 - i);
    }
    json_decref(object);
    telling(w); /* the rest follows */
    assert_non_null(strstr(w->body, "\"n\":9007199254740791,"));
    world_destroy(w);
    school = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_troubles_and_receipts),
        cmocka_unit_test(test_state_of_several),
        cmocka_unit_test(test_first_word),
        cmocka_unit_test(test_what_is_no_longer_configured),
        cmocka_unit_test(test_what_a_desk_is_told_besides),
        cmocka_unit_test(test_who_has_answered),
        cmocka_unit_test(test_presses_of_an_alarm_in_parts),
        cmocka_unit_test(test_what_does_not_fit_is_no_body),
        cmocka_unit_test(test_largest_body_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
