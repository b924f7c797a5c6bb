/* The state machine against its table in proto/alarm.md, and the rules around it. */
#include "core/alarm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct event press_event(enum kind kind)
{
    struct event e = {.seq = 1, .at_ms = 1000000, .clock_ms = 5000, .type = EVENT_PRESS_RECEIVED};
    strcpy(e.alarm, "aaaa");
    strcpy(e.press.site, "school-1");
    strcpy(e.press.device, "room-1");
    e.press.kind = kind;
    e.press.plan = (struct plan){.id = "p", .step_count = 2, .endpoint_count = 3, .acks_needed = 1u << ROLE_POLICE,
                                 .answer_timeout_s = {30, 60}, .coming_timeout_s = 120,
                                 .endpoints = {{"police", ROLE_POLICE, 0}, {"bureau", ROLE_BUREAU, 0},
                                               {"guard", ROLE_GUARD, 1}}};
    return e;
}

static struct event deed_event(enum event_type type, enum role role)
{
    struct event e = {.seq = 2, .at_ms = 1001000, .clock_ms = 6000, .type = type};
    strcpy(e.alarm, "aaaa");
    strcpy(e.deed.by, "desk-1");
    e.deed.role = role;
    return e;
}

#define LONG_AFTER_MS (2 * 3600 * 1000) /* each deadline of the plan is over then */

static struct event deadline_event(enum deadline_kind kind, unsigned step)
{
    struct event e = {.seq = 2, .at_ms = 1001000, .clock_ms = LONG_AFTER_MS, .type = EVENT_DEADLINE_PASSED,
                      .deadline = {kind, step}};
    strcpy(e.alarm, "aaaa");
    return e;
}

static struct event result_event(const char *endpoint, enum delivery_outcome outcome, unsigned version)
{
    struct event e = {.seq = 3, .at_ms = 1002000, .clock_ms = 7000, .type = EVENT_DELIVERY_RESULT,
                      .delivery = {.version = version, .presses = 1, .attempt = 1, .outcome = outcome}};
    strcpy(e.alarm, "aaaa");
    strcpy(e.delivery.endpoint, endpoint);
    return e;
}

static void in_state(struct alarm *a, enum alarm_state state)
{
    static const enum event_type way[] = {EVENT_ACKNOWLEDGED, EVENT_COMING, EVENT_ON_SCENE, EVENT_CLOSED};
    memset(a, 0, sizeof *a);
    struct event e = press_event(KIND_INTRUSION);
    alarm_open(a, &e);
    a->press_count = 1;
    for (unsigned i = 0; i < (unsigned)state; i++) {
        e = deed_event(way[i], ROLE_POLICE);
        assert_int_equal(alarm_step(a, &e), STEP_CHANGED);
    }
    assert_int_equal(a->state, state);
}

static struct event column_event(unsigned column)
{
    switch (column) {
    case 0:
        return press_event(KIND_INTRUSION);
    case 1:
        return press_event(KIND_ATTACK);
    case 2:
        return press_event(KIND_CANCEL);
    case 3:
        return deed_event(EVENT_ACKNOWLEDGED, ROLE_POLICE);
    case 4:
        return deed_event(EVENT_COMING, ROLE_POLICE);
    case 5:
        return deed_event(EVENT_ON_SCENE, ROLE_POLICE);
    case 6:
        return deed_event(EVENT_CLOSED, ROLE_POLICE);
    case 7:
        return deadline_event(DEADLINE_ANSWER, 0);
    default:
        return deadline_event(DEADLINE_COMING, 0);
    }
}

static void check_cell(enum alarm_state state, unsigned column, const char *cell)
{
    struct alarm a;
    in_state(&a, state);
    struct event e = column_event(column);
    uint32_t version = a.version;
    enum step_result result = alarm_step(&a, &e);
    enum alarm_state expected = state;
    if (strcmp(cell, "=") == 0) {
        assert_int_equal(result, STEP_UNCHANGED);
        assert_int_equal(a.version, version);
    } else if (strcmp(cell, "already") == 0) {
        assert_int_equal(result, STEP_ALREADY);
    } else if (strcmp(cell, "impossible") == 0) {
        assert_int_equal(result, STEP_IMPOSSIBLE);
    } else {
        assert_true(alarm_state_of(cell, &expected));
        assert_int_equal(result, STEP_CHANGED);
        assert_true(a.version > version);
    }
    if (a.state != expected)
        fail_msg("state %s, column %u: is %s, the table says %s", alarm_state_str(state), column,
                 alarm_state_str(a.state), cell);
}

static void test_table_of_the_manual(void **unused)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/proto/alarm.md", getenv("TOCSIN_SOURCE"));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[512];
    unsigned cells = 0;
    while (fgets(line, sizeof line, file)) {
        char *rest = line, *word = strtok_r(line, "|", &rest);
        enum alarm_state state;
        char name[32];
        if (!word || sscanf(word, " %31s", name) != 1 || !alarm_state_of(name, &state))
            continue;
        for (unsigned column = 0; column < 9; column++, cells++) {
            word = strtok_r(NULL, "|", &rest);
            assert_non_null(word);
            assert_int_equal(sscanf(word, " %31s", name), 1);
            check_cell(state, column, name);
        }
    }
    fclose(file);
    assert_int_equal(cells, 5 * 9);
}

static void test_escalation_tells_the_next_and_spares_who_answered(void **unused)
{
    struct alarm a;
    in_state(&a, ALARM_OPEN);
    struct event bureau = deed_event(EVENT_ACKNOWLEDGED, ROLE_BUREAU);
    assert_int_equal(alarm_step(&a, &bureau), STEP_CHANGED);
    assert_int_equal(a.state, ALARM_OPEN); /* the plan needs the police */
    struct event police = result_event("police", OUTCOME_RECEIVED, 2), office = result_event("bureau", OUTCOME_RECEIVED, 2);
    alarm_step(&a, &police);
    alarm_step(&a, &office);
    assert_false(alarm_owes_any(&a));

    struct event due = deadline_event(DEADLINE_ANSWER, 0);
    assert_int_equal(alarm_step(&a, &due), STEP_CHANGED);
    assert_int_equal(a.step, 1);
    assert_int_equal(a.due_clock_ms[DEADLINE_ANSWER], due.clock_ms + 60000);
    assert_true(alarm_owes(&a, alarm_delivery(&a, "police")));
    assert_false(alarm_owes(&a, alarm_delivery(&a, "bureau")));
    assert_true(alarm_owes(&a, alarm_delivery(&a, "guard")));
    assert_int_equal(alarm_step(&a, &due), STEP_UNCHANGED); /* of a step that is over */

    due = deadline_event(DEADLINE_ANSWER, 1);
    due.clock_ms += 60000;
    assert_int_equal(alarm_step(&a, &due), STEP_CHANGED);
    assert_true(a.exhausted);
    assert_int_equal(a.rounds, 1);
    assert_true(a.due_clock_ms[DEADLINE_ANSWER] > 0); /* never silence */
}

/* What a deadline says was overtaken on its way into the journal: what is due now has all of its time. */
static void test_an_overtaken_deadline_changes_nothing(void **unused)
{
    struct alarm a;
    in_state(&a, ALARM_ACKNOWLEDGED); /* at 6 s: somebody is to come within 120 s */
    struct event overtaken = deadline_event(DEADLINE_COMING, 0), press = press_event(KIND_ATTACK),
                 ack = deed_event(EVENT_ACKNOWLEDGED, ROLE_POLICE);
    overtaken.clock_ms = 126000;
    press.clock_ms = 126010; /* asks anew, so the acknowledgement at 126.02 s is another one */
    assert_int_equal(alarm_step(&a, &press), STEP_CHANGED);
    ack.clock_ms = 126020;
    assert_int_equal(alarm_step(&a, &ack), STEP_CHANGED);
    assert_int_equal(alarm_step(&a, &overtaken), STEP_UNCHANGED);
    assert_int_equal(a.state, ALARM_ACKNOWLEDGED);

    press.press.kind = KIND_ATTACK; /* as grave as it is: after `acknowledged` it asks anew, and step 0 has its 30 s again */
    assert_int_equal(alarm_step(&a, &press), STEP_CHANGED);
    assert_int_equal(a.state, ALARM_OPEN);
    overtaken = deadline_event(DEADLINE_ANSWER, 0);
    overtaken.clock_ms = a.due_clock_ms[DEADLINE_ANSWER] - 1;
    assert_int_equal(alarm_step(&a, &overtaken), STEP_UNCHANGED);
    assert_int_equal(a.step, 0);
    overtaken.clock_ms++;
    assert_int_equal(alarm_step(&a, &overtaken), STEP_CHANGED);
    assert_int_equal(a.step, 1);
}

/* Closed, opened by a press, closed again: the last word about the second closing has its hour. */
static void test_an_overtaken_end_of_the_last_word(void **unused)
{
    struct alarm a;
    in_state(&a, ALARM_CLOSED);
    struct event press = press_event(KIND_PANIC), close = deed_event(EVENT_CLOSED, ROLE_POLICE),
                 forget = deadline_event(DEADLINE_FORGET, 0);
    forget.clock_ms = a.due_clock_ms[DEADLINE_FORGET];
    alarm_step(&a, &press);
    close.clock_ms = forget.clock_ms;
    alarm_step(&a, &close);
    alarm_step(&a, &forget);
    assert_true(alarm_owes(&a, alarm_delivery(&a, "police")));
    forget.clock_ms = a.due_clock_ms[DEADLINE_FORGET];
    alarm_step(&a, &forget);
    assert_false(alarm_owes_any(&a));
}

/* In whatever order they answer; a deed that is done again is told nobody; and a graver press asks all of them anew. */
static void test_two_roles_are_needed(void **unused)
{
    struct alarm a = {0};
    struct event press = press_event(KIND_INTRUSION), coming = deed_event(EVENT_COMING, ROLE_POLICE),
                 ack = deed_event(EVENT_ACKNOWLEDGED, ROLE_BUREAU), graver = press_event(KIND_ATTACK);
    press.press.plan.acks_needed = 1u << ROLE_POLICE | 1u << ROLE_BUREAU;
    alarm_open(&a, &press);
    assert_int_equal(alarm_step(&a, &coming), STEP_CHANGED);
    assert_int_equal(a.state, ALARM_OPEN);
    assert_int_equal(alarm_step(&a, &coming), STEP_ALREADY);
    assert_int_equal(alarm_step(&a, &ack), STEP_CHANGED);
    assert_int_equal(a.state, ALARM_COMING);
    assert_int_equal(alarm_step(&a, &graver), STEP_CHANGED);
    assert_int_equal(a.state, ALARM_OPEN);
    assert_int_equal(alarm_step(&a, &ack), STEP_CHANGED);
    assert_int_equal(a.state, ALARM_OPEN);
    assert_int_equal(alarm_step(&a, &coming), STEP_CHANGED);
    assert_int_equal(a.state, ALARM_COMING);

    memset(&a, 0, sizeof a);
    alarm_open(&a, &press);
    assert_int_equal(alarm_step(&a, &coming), STEP_CHANGED);
    assert_int_equal(alarm_step(&a, &graver), STEP_CHANGED);
    assert_int_equal(alarm_step(&a, &ack), STEP_CHANGED);
    assert_int_equal(a.state, ALARM_OPEN); /* the police have not answered the attack */
}

/* The police acknowledge, the guard is on the way: help is coming, whichever was said first; and the police may come,
 * too. */
static void test_the_order_of_answers_does_not_matter(void **unused)
{
    for (unsigned guard_first = 0; guard_first < 2; guard_first++) {
        struct alarm a;
        in_state(&a, ALARM_OPEN);
        struct event ack = deed_event(EVENT_ACKNOWLEDGED, ROLE_POLICE), guard = deed_event(EVENT_COMING, ROLE_GUARD),
                     police = deed_event(EVENT_COMING, ROLE_POLICE);
        strcpy(police.deed.by, "desk-2");
        assert_int_equal(alarm_step(&a, guard_first ? &guard : &ack), STEP_CHANGED);
        assert_int_equal(a.state, guard_first ? ALARM_OPEN : ALARM_ACKNOWLEDGED); /* the plan needs the police */
        assert_int_equal(alarm_step(&a, guard_first ? &ack : &guard), STEP_CHANGED);
        assert_int_equal(a.state, ALARM_COMING);
        assert_int_equal(a.due_clock_ms[DEADLINE_COMING], 0);
        const uint32_t version = a.version;
        assert_int_equal(alarm_step(&a, &police), STEP_CHANGED);
        assert_true(a.version > version);
        assert_string_equal(a.coming_by, "desk-2");
        assert_int_equal(alarm_step(&a, &police), STEP_ALREADY);
        assert_int_equal(alarm_step(&a, &guard), STEP_ALREADY);
        assert_int_equal(a.state, ALARM_COMING);
    }
}

static void test_refused_by_all_goes_on_at_once(void **unused)
{
    struct alarm a;
    in_state(&a, ALARM_OPEN);
    struct event first = result_event("police", OUTCOME_REFUSED, 1), second = result_event("bureau", OUTCOME_REFUSED, 1);
    alarm_step(&a, &first);
    assert_int_equal(a.step, 0);
    alarm_step(&a, &second);
    assert_int_equal(a.step, 1);
}

static void test_closing_what_was_not_seen(void **unused)
{
    struct alarm a;
    in_state(&a, ALARM_OPEN);
    struct event close = deed_event(EVENT_CLOSED, ROLE_POLICE), press = press_event(KIND_INTRUSION);
    close.deed.seen_version = a.version;
    alarm_step(&a, &press);
    assert_int_equal(alarm_step(&a, &close), STEP_IMPOSSIBLE);
    close.deed.seen_version = a.version;
    assert_int_equal(alarm_step(&a, &close), STEP_CHANGED);
    assert_string_equal(a.closed_by, "desk-1");
}

static void test_delivery_states(void **unused)
{
    static const struct {
        enum delivery_outcome outcome;
        enum delivery_state state;
    } rows[] = {{OUTCOME_FAILED, DELIVERY_FAILING},
                {OUTCOME_UNCONFIRMED, DELIVERY_UNCONFIRMED},
                {OUTCOME_REFUSED, DELIVERY_REFUSED},
                {OUTCOME_RECEIVED, DELIVERY_RECEIVED}};
    struct alarm a;
    in_state(&a, ALARM_OPEN);
    const struct delivery *d = alarm_delivery(&a, "police");
    assert_int_equal(d->state, DELIVERY_PENDING);
    assert_int_equal(alarm_delivery(&a, "guard")->state, DELIVERY_WAITING);
    for (unsigned i = 0; i < 4; i++) {
        struct event e = result_event("police", rows[i].outcome, 1);
        alarm_step(&a, &e);
        assert_int_equal(d->state, rows[i].state);
        assert_int_equal(alarm_owes(&a, d), rows[i].outcome != OUTCOME_RECEIVED);
    }
    assert_string_equal(alarm_stage(&a), "delivered");
    assert_null(alarm_delivery(&a, "nobody"));
}

/* What was answered with a no is told anew when it gets graver, also while it is tried again; what may yet be received is not. */
static void test_what_said_no_is_replaced_by_what_is_graver(void **unused)
{
    static const struct {
        enum delivery_outcome outcome;
        bool replaced;
    } rows[] = {{OUTCOME_FAILED, false}, {OUTCOME_UNCONFIRMED, true}, {OUTCOME_REFUSED, true}};
    for (unsigned i = 0; i < 3; i++) {
        struct alarm a;
        in_state(&a, ALARM_OPEN);
        struct delivery *d = alarm_delivery(&a, "police");
        d->sending_version = d->sending_presses = 1;
        struct event no = result_event("police", rows[i].outcome, 1), same = press_event(KIND_INTRUSION),
                     cancel = press_event(KIND_CANCEL), graver = press_event(KIND_ATTACK);
        alarm_step(&a, &no);
        alarm_step(&a, &same);
        alarm_step(&a, &cancel);
        assert_false(alarm_gets_graver(&a, &cancel));
        assert_int_equal(d->sending_version, 1);
        assert_true(alarm_gets_graver(&a, &graver));
        alarm_step(&a, &graver);
        assert_int_equal(d->sending_version, rows[i].replaced ? 0 : 1);
    }
}

static void test_only_a_test_closes_itself(void **unused)
{
    struct alarm a = {0};
    struct event e = press_event(KIND_PANIC);
    e.press.mode = MODE_TEST;
    alarm_open(&a, &e);
    assert_int_equal(a.due_clock_ms[DEADLINE_TEST], 5000 + 30000);
    assert_int_equal(a.due_clock_ms[DEADLINE_ANSWER], 0);
    e = deadline_event(DEADLINE_TEST, 0);
    assert_int_equal(alarm_step(&a, &e), STEP_CHANGED);
    assert_int_equal(a.state, ALARM_CLOSED);
    assert_int_equal(a.disposition, DISPOSITION_TEST);

    in_state(&a, ALARM_OPEN);
    assert_int_equal(alarm_step(&a, &e), STEP_UNCHANGED);
}

static void test_last_word_ends(void **unused)
{
    struct alarm a;
    in_state(&a, ALARM_OPEN);
    struct event failed = result_event("police", OUTCOME_FAILED, 1);
    alarm_step(&a, &failed);
    struct event close = deed_event(EVENT_CLOSED, ROLE_POLICE);
    alarm_step(&a, &close);
    assert_true(alarm_owes(&a, alarm_delivery(&a, "police"))); /* it may have received the first word */
    assert_false(alarm_owes(&a, alarm_delivery(&a, "guard")));
    struct event forget = deadline_event(DEADLINE_FORGET, 0);
    alarm_step(&a, &forget);
    assert_false(alarm_owes_any(&a));
}

static void test_a_test_that_was_acknowledged_still_closes_itself(void **unused)
{
    struct alarm a = {0};
    struct event e = press_event(KIND_PANIC), acked = deed_event(EVENT_ACKNOWLEDGED, ROLE_POLICE);
    e.press.mode = MODE_TEST;
    alarm_open(&a, &e);
    struct event answer = deadline_event(DEADLINE_ANSWER, 0);
    assert_int_equal(alarm_step(&a, &answer), STEP_UNCHANGED); /* a test is not escalated */
    assert_int_equal(alarm_step(&a, &acked), STEP_CHANGED);
    assert_int_equal(a.due_clock_ms[DEADLINE_TEST], 5000 + 30000);
    e = deadline_event(DEADLINE_TEST, 0);
    assert_int_equal(alarm_step(&a, &e), STEP_CHANGED);
    assert_int_equal(a.state, ALARM_CLOSED);
}

static void test_a_plan_may_ask_nobody_to_come(void **unused)
{
    struct alarm a = {0};
    struct event e = press_event(KIND_PANIC), acked = deed_event(EVENT_ACKNOWLEDGED, ROLE_POLICE);
    e.press.plan.coming_timeout_s = 0;
    alarm_open(&a, &e);
    alarm_step(&a, &acked);
    assert_int_equal(a.state, ALARM_ACKNOWLEDGED);
    for (unsigned kind = 0; kind < DEADLINE_COUNT; kind++)
        assert_int_equal(a.due_clock_ms[kind], 0);
}

/* Only a damaged record says so: the alarm still opens, is due, and stays within its bounds. */
static void test_a_damaged_plan_is_an_alarm_still(void **unused)
{
    struct alarm none = {0}, many = {0};
    struct event e = press_event(KIND_PANIC);
    e.press.plan.step_count = 0;
    alarm_open(&none, &e);
    assert_int_equal(none.due_clock_ms[DEADLINE_ANSWER], 5000 + 60000);
    e = press_event(KIND_PANIC);
    e.press.plan.endpoint_count = UINT8_MAX;
    alarm_open(&many, &e);
    assert_int_equal(many.delivery_count, LIMIT_PLAN_ENDPOINTS);
}

static void test_what_does_not_concern_an_alarm_changes_nothing(void **unused)
{
    static const enum event_type others[] = {EVENT_DAEMON_STARTED, EVENT_DAEMON_STOPPED,  EVENT_PRESS_REFUSED,
                                             EVENT_TROUBLE_RAISED, EVENT_TROUBLE_CLEARED, EVENT_CONF_LOADED,
                                             EVENT_JOURNAL_GAP,    EVENT_TYPE_COUNT};
    struct alarm a;
    for (unsigned state = 0; state < ALARM_STATE_COUNT; state++) {
        in_state(&a, (enum alarm_state)state);
        const uint32_t version = a.version;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            struct event e = deed_event(others[i], ROLE_POLICE);
            assert_int_equal(alarm_step(&a, &e), STEP_UNCHANGED);
        }
        struct event stranger = result_event("nobody", OUTCOME_RECEIVED, 1);
        assert_int_equal(alarm_step(&a, &stranger), STEP_UNCHANGED);
        struct event forget = deadline_event(DEADLINE_FORGET, 0), none = deadline_event(DEADLINE_COUNT, 0);
        assert_int_equal(alarm_step(&a, &forget), STEP_UNCHANGED);
        assert_int_equal(alarm_step(&a, &none), STEP_UNCHANGED);
        struct event note = deed_event(EVENT_NOTE_ADDED, ROLE_POLICE);
        assert_int_equal(alarm_step(&a, &note), STEP_CHANGED); /* it is shown, and nobody is told for it */
        assert_int_equal(a.version, version);
        assert_int_equal(a.state, state);
    }
}

static void test_stage_shown_to_a_button(void **unused)
{
    static const char *const stages[] = {"recorded", "acknowledged", "coming", "on_scene", "closed"};
    struct alarm a;
    for (unsigned state = 0; state < ALARM_STATE_COUNT; state++) {
        in_state(&a, (enum alarm_state)state);
        assert_string_equal(alarm_stage(&a), stages[state]);
    }
    in_state(&a, ALARM_OPEN);
    struct event bureau = result_event("bureau", OUTCOME_RECEIVED, 1);
    alarm_step(&a, &bureau); /* the second of the plan: one is enough */
    assert_string_equal(alarm_stage(&a), "delivered");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_of_the_manual),
        cmocka_unit_test(test_escalation_tells_the_next_and_spares_who_answered),
        cmocka_unit_test(test_two_roles_are_needed),
        cmocka_unit_test(test_the_order_of_answers_does_not_matter),
        cmocka_unit_test(test_refused_by_all_goes_on_at_once),
        cmocka_unit_test(test_closing_what_was_not_seen),
        cmocka_unit_test(test_delivery_states),
        cmocka_unit_test(test_what_said_no_is_replaced_by_what_is_graver),
        cmocka_unit_test(test_an_overtaken_deadline_changes_nothing),
        cmocka_unit_test(test_an_overtaken_end_of_the_last_word),
        cmocka_unit_test(test_only_a_test_closes_itself),
        cmocka_unit_test(test_last_word_ends),
        cmocka_unit_test(test_a_test_that_was_acknowledged_still_closes_itself),
        cmocka_unit_test(test_a_plan_may_ask_nobody_to_come),
        cmocka_unit_test(test_a_damaged_plan_is_an_alarm_still),
        cmocka_unit_test(test_what_does_not_concern_an_alarm_changes_nothing),
        cmocka_unit_test(test_stage_shown_to_a_button),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
