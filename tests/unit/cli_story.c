/* Every event of the journal as a sentence, from the very lines the journal keeps, in both languages. */
#include "cli/story.h"
#include "cli/texts.h"
#include "codec/event_json.h"
#include "core/alarm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALARM "aaaaaaaaaaaaaaaaaaaaa"
#define CLOCK_MS 5000
#define DAY_MS 86400000ll

static struct story *teller(void)
{
    struct story *s = story_create();
    assert_non_null(s);
    story_name(s, "site", "school-1", "Example School");
    story_name(s, "endpoint", "police", "Police Desk");
    story_zone(s, "school-1", "204", "Room 204");
    return s;
}

static struct event about(enum event_type type)
{
    struct event e = {.seq = 7, .at_ms = 1795420800123, .clock_ms = CLOCK_MS, .type = type, .alarm = ALARM};
    return e;
}

static struct event pressed(enum kind kind, bool opens)
{
    struct event e = about(EVENT_PRESS_RECEIVED);
    e.press = (struct event_press){.site = "school-1",
                                   .device = "room-204",
                                   .zone = "204",
                                   .epoch = "b3f1",
                                   .n = 17,
                                   .has_identity = true,
                                   .kind = kind,
                                   .battery = -1};
    if (opens)
        e.press.plan = (struct plan){.id = "default",
                                     .step_count = 2,
                                     .endpoint_count = 1,
                                     .acks_needed = 1,
                                     .answer_timeout_s = {30, 60},
                                     .coming_timeout_s = 300,
                                     .endpoints = {{.id = "police"}}};
    return e;
}

static struct event deadline(enum deadline_kind kind, uint32_t step)
{
    struct event e = about(EVENT_DEADLINE_PASSED);
    e.clock_ms += (step + 1) * DAY_MS; /* it is due */
    e.deadline = (struct event_deadline){.kind = kind, .step = step};
    return e;
}

static struct event delivery(enum delivery_outcome outcome, const char *text, bool recorded)
{
    struct event e = about(EVENT_DELIVERY_RESULT);
    e.delivery = (struct event_delivery){.endpoint = "police",
                                         .version = 1,
                                         .presses = 1,
                                         .attempt = 2,
                                         .outcome = outcome,
                                         .http_status = 200,
                                         .duration_ms = 31,
                                         .recorded = recorded};
    snprintf(e.delivery.text, sizeof e.delivery.text, "%s", text);
    return e;
}

static struct event deed(enum event_type type, const char *endpoint, const char *note_hash)
{
    struct event e = about(type);
    e.deed = (struct event_deed){.by = "desk-3", .role = ROLE_POLICE, .disposition = DISPOSITION_FALSE};
    snprintf(e.deed.endpoint, sizeof e.deed.endpoint, "%s", endpoint);
    snprintf(e.deed.note_hash, sizeof e.deed.note_hash, "%s", note_hash);
    return e;
}

static struct event trouble(enum event_type type)
{
    struct event e = {.seq = 9, .at_ms = 1, .clock_ms = 1, .type = type};
    e.trouble = (struct event_trouble){
        .code = TROUBLE_DEVICE_SILENT, .part = "school-1/room-204", .text = "silent for 20 s"};
    return e;
}

static struct event daemon_event(enum event_type type)
{
    struct event e = {.seq = 9, .at_ms = 1, .clock_ms = 1, .type = type};
    e.daemon = (struct event_daemon){.boot_id = "b", .boottime_ms = 1, .version = "0.1.0"};
    return e;
}

static struct event odd_press(void)
{
    struct event e = pressed(KIND_GENERIC, false);
    e.press.oddities = ODD_UNKNOWN_KIND | ODD_QOS0;
    e.press.battery = 9;
    e.press.mode = MODE_DRILL;
    return e;
}

static struct event garbage_press(void)
{
    struct event e = pressed(KIND_GENERIC, false);
    e.press.oddities = ODD_NOT_JSON;
    strcpy(e.press.raw, "help!");
    return e;
}

static struct event clock_trouble(void)
{
    struct event e = trouble(EVENT_TROUBLE_RAISED);
    e.trouble = (struct event_trouble){.code = TROUBLE_CLOCK, .part = "clock", .text = "not synchronised"};
    return e;
}

static struct event skewed_press(void)
{
    struct event e = pressed(KIND_PANIC, false);
    e.press.oddities = ODD_CLOCK_SKEW;
    e.press.claimed_ms = 1767225600000;
    e.press.zone[0] = '\0';
    return e;
}

static struct event refused_press(void)
{
    struct event e = pressed(KIND_PANIC, false);
    e.type = EVENT_PRESS_REFUSED;
    e.alarm[0] = '\0';
    e.press.refusal = REFUSAL_BAD_SIGNATURE;
    return e;
}

static struct event gap(void)
{
    struct event e = {.seq = 9, .at_ms = 1, .clock_ms = 1, .type = EVENT_JOURNAL_GAP};
    e.gap.lost = 12;
    return e;
}

static struct event access_of(enum event_type type, const char *by, enum access_reason reason, unsigned count)
{
    struct event e = {.seq = 9, .at_ms = 1, .clock_ms = 1, .type = type};
    snprintf(e.access.by, sizeof e.access.by, "%s", by);
    strcpy(e.access.address, "10.0.0.7");
    strcpy(e.access.action, "POST /api/v1/alarms/a/close");
    e.access.reason = reason;
    e.access.count = count;
    return e;
}

struct sentence {
    struct event event;
    const char *note, *english, *chinese;
};

static struct sentence *sentences(size_t *count)
{
    const struct sentence list[] = {
        {pressed(KIND_ATTACK, false), NULL,
         "attack pressed: Room 204 of Example School (button room-204); joins the alarm",
         "Example School Room 204（按钮 room-204）按下暴力袭击按钮，并入本警情"},
        {odd_press(), NULL,
         "generic alarm pressed: Room 204 of Example School (button room-204); joins the alarm [DRILL]"
         " (odd: its kind is not known, sent without confirmation (QoS 0)) (battery 9 %)",
         NULL},
        {skewed_press(), NULL,
         "panic pressed: button room-204 of Example School; joins the alarm (odd: its clock is wrong)"
         " (the button's own clock said 2026-01-01 00:00:00.000 UTC)",
         NULL},
        {pressed(KIND_CANCEL, false), NULL,
         "the button asks to cancel: Room 204 of Example School (button room-204); only a person can close "
         "the alarm",
         NULL},
        {refused_press(), NULL,
         "not taken for an alarm: Room 204 of Example School (button room-204): its signature is wrong;"
         " the desk is to look at it",
         "未作为警情处理：Example School Room 204（按钮 room-204）：签名错误；请值班台核查"},
        {deadline(DEADLINE_ANSWER, 0), NULL,
         "nobody acknowledged step 1 within 30 s: step 2 of 2 is told, too",
         "第 1 级在 30 秒内无人签收：升级，同时通知第 2 级（共 2 级）"},
        {deadline(DEADLINE_COMING, 0), NULL,
         "acknowledged, but nobody said within 300 s that they are coming: the alarm is open again"
         " - this changed nothing: the alarm's state did not allow it any more",
         NULL},
        {deadline(DEADLINE_TEST, 0), NULL,
         "the test has had its time and closes itself - this changed nothing: the alarm's state did not "
         "allow it any more",
         NULL},
        {deadline(DEADLINE_FORGET, 0), NULL, "the last word about the closed alarm was tried long enough",
         NULL},
        {delivery(OUTCOME_RECEIVED, "", true), NULL, "Police Desk received it (attempt 2, 31 ms)",
         "Police Desk 已收到（第 2 次，31 毫秒）"},
        {delivery(OUTCOME_RECEIVED, "", false), NULL,
         "Police Desk received it (attempt 2, 31 ms) (sent before the journal had it)", NULL},
        {delivery(OUTCOME_UNCONFIRMED, "no echo", true), NULL,
         "Police Desk answered, but did not confirm the alarm (attempt 2): no echo", NULL},
        {delivery(OUTCOME_REFUSED, "not our district", true), NULL,
         "Police Desk refuses it (attempt 2): not our district", NULL},
        {delivery(OUTCOME_FAILED, "503", true), NULL, "Police Desk could not be told (attempt 2): 503", NULL},
        {deed(EVENT_ACKNOWLEDGED, "", ""), NULL, "desk-3 (police) acknowledged", "公安 desk-3 已签收"},
        {deed(EVENT_ACKNOWLEDGED, "police", ""), NULL, "desk-3 (police, through Police Desk) acknowledged",
         NULL},
        {deed(EVENT_COMING, "", ""), NULL, "desk-3 (police): help is coming", NULL},
        {deed(EVENT_ON_SCENE, "", ""), NULL, "desk-3 (police): help is on the scene", NULL},
        {deed(EVENT_CLOSED, "", ""), NULL, "desk-3 (police) closed the alarm: false alarm",
         "公安 desk-3 结案：误报"},
        {deed(EVENT_NOTE_ADDED, "", "00"), "a {who} ball", "desk-3 (police) added a note: \"a {who} ball\"",
         NULL},
        {deed(EVENT_NOTE_ADDED, "", "00"), NULL,
         "desk-3 (police) added a note (with a note that is not shown here or was erased)", NULL},
        {garbage_press(), NULL,
         "generic alarm pressed: Room 204 of Example School (button room-204); joins the alarm"
         " (odd: its message is not JSON) (its message: help!)",
         NULL},
        {clock_trouble(), NULL, "trouble: clock: not synchronised", "故障：时钟：not synchronised"},
        {trouble(EVENT_TROUBLE_RAISED), NULL, "trouble: device silent school-1/room-204: silent for 20 s",
         NULL},
        {trouble(EVENT_TROUBLE_CLEARED), NULL, "over: device silent school-1/room-204: silent for 20 s",
         NULL},
        {daemon_event(EVENT_DAEMON_STARTED), NULL, "the daemon started (version 0.1.0)",
         "警钟服务启动（版本 0.1.0）"},
        {daemon_event(EVENT_DAEMON_STOPPED), NULL, "the daemon stopped", NULL},
        {daemon_event(EVENT_CONF_LOADED), NULL, "the configuration was loaded", NULL},
        {access_of(EVENT_SIGNED_IN, "desk-3", 0, 1), NULL, "desk-3 signed in from 10.0.0.7", "desk-3 自 10.0.0.7 登录"},
        {access_of(EVENT_SIGNED_OUT, "desk-3", ACCESS_EXPIRED, 1), NULL, "desk-3 signed out: its time was over",
         "desk-3 退出登录：会话到期"},
        {access_of(EVENT_SIGN_IN_REFUSED, "", ACCESS_WRONG, 12), NULL,
         "sign-in as ? from 10.0.0.7 refused: wrong account or password (12)", NULL},
        {access_of(EVENT_ACTION_REFUSED, "guard-2", ACCESS_SITE, 1), NULL,
         "guard-2 from 10.0.0.7 may not POST /api/v1/alarms/a/close: another site's", NULL},
        {gap(), NULL, "12 events happened while the journal was dead and are not recorded", NULL},
    };
    struct sentence *copy = malloc(sizeof list);
    assert_non_null(copy);
    memcpy(copy, list, sizeof list);
    *count = sizeof list / sizeof *list;
    return copy;
}

/* As show, watch and replay do it: from the line. The alarm was opened 2 s before. */
static void tell(struct story *s, const struct sentence *one, struct story_line *out)
{
    struct event opening = pressed(KIND_PANIC, true);
    char line[LIMIT_LINE + 1];
    opening.clock_ms -= 2000;
    story_tell(s, &opening, NULL, out);
    size_t size = event_encode(&one->event, line, sizeof line);
    assert_true(size > 0);
    story_tell_line(s, line, size, one->note, out);
}

static void every_event_has_its_sentence(void **state)
{
    size_t count;
    struct sentence *list = sentences(&count);
    bool seen[EVENT_TYPE_COUNT] = {false};
    for (size_t i = 0; i < count; i++) {
        struct story *s = teller();
        struct story_line line;
        text_choose("en");
        tell(s, &list[i], &line);
        assert_string_equal(line.text, list[i].english);
        assert_int_equal(line.after_ms, list[i].event.alarm[0] ? list[i].event.clock_ms - CLOCK_MS + 2000 : -1);
        assert_int_equal(line.at_ms, list[i].event.at_ms);
        seen[list[i].event.type] = true;
        story_destroy(s);
        s = teller();
        text_choose("zh");
        tell(s, &list[i], &line);
        assert_string_not_equal(line.text, list[i].english);
        if (list[i].chinese)
            assert_string_equal(line.text, list[i].chinese);
        story_destroy(s);
    }
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        if (!seen[type])
            fail_msg("%s is not in the table of this test", event_type_str((enum event_type)type));
    text_choose("en");
    free(list);
}

static void the_first_press_opens(void **state)
{
    struct story *s = teller();
    struct story_line line;
    struct event e = pressed(KIND_PANIC, true);
    text_choose("en");
    story_tell(s, &e, NULL, &line);
    assert_string_equal(
        line.text,
        "panic pressed: Room 204 of Example School (button room-204); opens the alarm, plan default");
    assert_int_equal(line.after_ms, 0);
    assert_int_equal(line.tone, TONE_ALARM);
    story_tell(s, &e, NULL, &line); /* two presses may carry a plan: only the first opens */
    assert_non_null(strstr(line.text, "joins the alarm"));
    story_destroy(s);
}

/* The record keeps deeds that came too late; the story says that they did nothing, because the core says so.
 */
static void what_came_too_late_is_said_to_be_so(void **state)
{
    static const struct {
        enum event_type type;
        enum deadline_kind deadline;
        const char *ends;
    } course[] = {
        {EVENT_DEADLINE_PASSED, DEADLINE_ANSWER, "step 2 of 2 is told, too"},
        {EVENT_ACKNOWLEDGED, 0, "desk-3 (police) acknowledged"},
        {EVENT_ACKNOWLEDGED, 0, "this changed nothing: somebody was first"},
        {EVENT_DEADLINE_PASSED, DEADLINE_COMING, "the alarm is open again"},
        {EVENT_ACKNOWLEDGED, 0, "desk-3 (police) acknowledged"},
        {EVENT_COMING, 0, "help is coming"},
        {EVENT_DEADLINE_PASSED, DEADLINE_COMING,
         "this changed nothing: the alarm's state did not allow it any more"},
        {EVENT_CLOSED, 0, "closed the alarm: false alarm"},
        {EVENT_CLOSED, 0, "this changed nothing: somebody was first"},
        {EVENT_ON_SCENE, 0, "this changed nothing: the alarm's state did not allow it any more"},
    };
    struct story *s = teller();
    struct story_line line;
    struct event e = pressed(KIND_PANIC, true);
    text_choose("en");
    story_tell(s, &e, NULL, &line);
    for (size_t i = 0; i < sizeof course / sizeof *course; i++) {
        e = course[i].type == EVENT_DEADLINE_PASSED ? deadline(course[i].deadline, 0)
                                                    : deed(course[i].type, "", "");
        story_tell(s, &e, NULL, &line);
        size_t size = strlen(line.text), ends = strlen(course[i].ends);
        if (size < ends || strcmp(line.text + size - ends, course[i].ends) != 0)
            fail_msg("%zu: \"%s\" does not end with \"%s\"", i, line.text, course[i].ends);
        assert_int_equal(line.useless, strncmp(course[i].ends, "this changed nothing", 20) == 0);
    }
    story_destroy(s);
}

static void the_end_of_the_plan_is_told_as_such(void **state)
{
    struct story *s = teller();
    struct story_line line;
    struct event e = pressed(KIND_PANIC, true);
    text_choose("en");
    story_tell(s, &e, NULL, &line);
    for (uint32_t step = 0; step < 2; step++) {
        e = deadline(DEADLINE_ANSWER, step);
        story_tell(s, &e, NULL, &line);
    }
    assert_string_equal(
        line.text,
        "nobody acknowledged within 60 s and the plan has no further step: everybody is told again");
    story_destroy(s);
}

static void nothing_is_guessed_about_an_alarm_that_was_not_told(void **state)
{
    struct story *s = teller();
    struct story_line line;
    struct event e = deadline(DEADLINE_ANSWER, 0);
    text_choose("en");
    story_tell(s, &e, NULL, &line);
    assert_string_equal(line.text, "nobody acknowledged step 1 in time: told again and further");
    assert_int_equal(line.after_ms, -1);
    story_destroy(s);
}

static void an_alarm_is_remembered_over_many_others(void **state)
{
    struct story *s = teller();
    struct story_line line;
    for (int i = 0; i < 1000; i++) { /* more than are remembered: the oldest are forgotten, nothing breaks */
        struct event e = pressed(KIND_PANIC, true);
        snprintf(e.alarm, sizeof e.alarm, "a%020d", i);
        story_tell(s, &e, NULL, &line);
        assert_int_equal(line.after_ms, 0);
    }
    story_destroy(s);
}

static void a_line_of_another_time_is_told_as_it_is(void **state)
{
    static const char *const lines[] = {
        "", "{}", "not json",
        "{\"seq\":1,\"at\":\"2026-11-23T08:00:00.000Z\",\"clock\":1,\"type\":\"patrol_missed\"}"};
    struct story *s = teller();
    struct story_line line;
    text_choose("en");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char expected[300];
        snprintf(expected, sizeof expected, "an event this tool does not know: %s", lines[i]);
        story_tell_line(s, lines[i], strlen(lines[i]), NULL, &line);
        assert_string_equal(line.text, expected);
        assert_int_equal(line.after_ms, -1);
    }
    story_destroy(s);
}

/* Any length of names and reasons ends within the sentence. */
static void long_texts_are_cut(void **state)
{
    struct story *s = story_create();
    struct story_line line;
    char *note = malloc(LIMIT_NOTE + 1), *name = malloc(20000);
    memset(note, 'x', LIMIT_NOTE);
    memset(name, 'n', 19999);
    note[LIMIT_NOTE] = name[19999] = '\0';
    struct event e = deed(EVENT_CLOSED, "police", "00");
    story_name(s, "endpoint", "police", name);
    story_tell(s, &e, note, &line);
    assert_true(strlen(line.text) < STORY_TEXT);
    free(note);
    free(name);
    story_destroy(s);
}

static void seconds_line_up(void **state)
{
    static const struct {
        int64_t after_ms;
        const char *expected;
    } cases[] = {{0, "      +0.000 s"},
                 {1, "      +0.001 s"},
                 {30000, "     +30.000 s"},
                 {3661042, "   +3661.042 s"},
                 {-1, "              "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[STORY_AFTER];
        story_after(out, cases[i].after_ms);
        assert_string_equal(out, cases[i].expected);
    }
}

int main(void)
{
    terminal_init(true);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_has_its_sentence),
        cmocka_unit_test(the_first_press_opens),
        cmocka_unit_test(what_came_too_late_is_said_to_be_so),
        cmocka_unit_test(the_end_of_the_plan_is_told_as_such),
        cmocka_unit_test(nothing_is_guessed_about_an_alarm_that_was_not_told),
        cmocka_unit_test(an_alarm_is_remembered_over_many_others),
        cmocka_unit_test(a_line_of_another_time_is_told_as_it_is),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(seconds_line_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
