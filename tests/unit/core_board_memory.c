/* What the board remembers beside its alarms: presses heard before, whose press was the last, troubles. */
#include "board_rig.h"

static enum seen seen(struct world *w, uint64_t n, char *alarm)
{
    return board_seen(w->board, "s", "d", "e1", n, alarm);
}

/* A counter that is far behind is one that was set back, unless its press is still on the board. */
static void test_a_press_far_behind_is_known_while_its_case_is_open(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    char alarm[LIMIT_ALARM_ID];
    struct event old = press_of("s", "d", 7, NULL), other = press_of("s", "d2", 7, old.alarm);
    struct event later = press_of("s", "d", 500, old.alarm), elsewhere = press_of("t", "d", 7, NULL);
    struct event close = close_of(&old), close_elsewhere = close_of(&elsewhere);
    apply(&w, &elsewhere);
    apply(&w, &other);
    apply(&w, &close_elsewhere);
    take(&w);
    result(&w, elsewhere.alarm, "police", OUTCOME_RECEIVED);
    w.clock_ms += 120000; /* it is forgotten */
    apply(&w, &old);
    apply(&w, &later);
    assert_int_equal(seen(&w, 7, alarm), SEEN_BEFORE);
    assert_string_equal(alarm, old.alarm);
    assert_int_equal(seen(&w, 8, alarm), SEEN_COUNTER_BACK);
    assert_string_equal(alarm, "");
    apply(&w, &close);
    assert_int_equal(seen(&w, 7, alarm), SEEN_COUNTER_BACK); /* a closed case silences nobody */
    board_destroy(w.board);
}

static void test_an_epoch_of_another_does_not_hide_a_press(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    char alarm[LIMIT_ALARM_ID];
    struct event old = press_of("s", "d", 7, NULL), later = press_of("s", "d", 500, old.alarm);
    strcpy(old.press.epoch, "e0");
    apply(&w, &old);
    apply(&w, &later);
    assert_int_equal(seen(&w, 7, alarm), SEEN_COUNTER_BACK); /* 7 of e0 is another press */
    board_destroy(w.board);
}

/* What was heard in an epoch is forgotten after some others, not that it is over: or a press of it, captured, were new. */
static void test_an_epoch_that_was_left_is_not_a_new_one(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    char alarm[LIMIT_ALARM_ID], epoch[LIMIT_EPOCH], first[LIMIT_ALARM_ID] = "";
    for (unsigned i = 0; i < LIMIT_EPOCHS + LIMIT_EPOCHS_LEFT; i++) {
        struct event e = press_of("s", "d", 7, first[0] ? first : NULL);
        snprintf(e.press.epoch, sizeof e.press.epoch, "e%u", i);
        assert_int_equal(board_seen(w.board, "s", "d", e.press.epoch, 7, alarm), SEEN_NEVER);
        apply(&w, &e);
        memcpy(first, e.alarm, sizeof first);
    }
    struct event close = press_of("s", "d", 7, first);
    close = close_of(&close);
    for (unsigned closed = 0; closed < 2; closed++) {
        for (unsigned i = 0; i < LIMIT_EPOCHS_LEFT; i++) {
            snprintf(epoch, sizeof epoch, "e%u", i);
            enum seen listed = board_find_press(w.board, board_alarm(w.board, first), "d", epoch, 7) && !closed
                                   ? SEEN_BEFORE : SEEN_OVERTAKEN;
            assert_int_equal(board_seen(w.board, "s", "d", epoch, 7, alarm), listed);
            assert_int_equal(board_seen(w.board, "s", "d", epoch, 8, alarm), SEEN_OVERTAKEN);
        }
        apply(&w, &close);
    }
    assert_int_equal(board_seen(w.board, "s", "d", "another", 7, alarm), SEEN_NEVER);
    assert_int_equal(board_seen(w.board, "s", "other", "e0", 7, alarm), SEEN_NEVER);
    board_destroy(w.board);
}

static struct event press_without_identity(uint64_t hash, const char *alarm)
{
    struct event e = press_of("s", "d", hash, alarm);
    strcpy(e.press.epoch, "-");
    e.press.has_identity = false;
    return e;
}

static void test_presses_without_identity(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    char alarm[LIMIT_ALARM_ID];
    const uint64_t hashes[] = {9000, 20, 700};
    struct event first = press_without_identity(hashes[0], NULL);
    apply(&w, &first);
    for (unsigned i = 1; i < 3; i++) {
        struct event e = press_without_identity(hashes[i], first.alarm);
        assert_int_equal(board_seen(w.board, "s", "d", "-", hashes[i], alarm),
                         SEEN_NEVER); /* a hash is no counter */
        apply(&w, &e);
    }
    assert_int_equal(board_seen(w.board, "s", "d", "-", hashes[2], alarm), SEEN_BEFORE);
    assert_string_equal(alarm, first.alarm);
    assert_int_equal(board_seen(w.board, "s", "d", "-", hashes[1], alarm), SEEN_BEFORE);
    assert_int_equal(board_seen(w.board, "s", "d", "-", hashes[0], alarm), SEEN_NEVER);
    board_destroy(w.board);
}

static void test_which_press_is_the_last(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    struct event first = press_of("s", "d", 1, NULL), again = press_of("s", "d", 2, first.alarm);
    struct event reset = press_of("s", "d", 2, first.alarm);
    strcpy(reset.press.epoch, "e2");
    apply(&w, &first);
    const struct alarm *a = board_alarm(w.board, first.alarm);
    assert_true(board_is_last_press(w.board, a, board_nth_press(w.board, a, 0)));
    apply(&w, &again);
    assert_false(board_is_last_press(w.board, a, board_nth_press(w.board, a, 0)));
    assert_true(board_is_last_press(w.board, a, board_nth_press(w.board, a, 1)));
    apply(&w, &reset);
    assert_false(
        board_is_last_press(w.board, a, board_nth_press(w.board, a, 1))); /* the same n of another epoch */
    assert_null(board_nth_press(w.board, a, 3));
    board_destroy(w.board);
}

static void test_the_alarm_of_a_device(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    struct event press = press_of("s", "d", 1, NULL), close = close_of(&press),
                 started = {.type = EVENT_DAEMON_STARTED};
    struct event lone_cancel = press_of("s", "d9", 1, "");
    lone_cancel.press.kind = KIND_CANCEL;
    apply(&w, &press);
    apply(&w, &lone_cancel);
    assert_int_equal(board_last_result(w.board), STEP_IMPOSSIBLE);
    assert_ptr_equal(board_alarm_of_device(w.board, "s", "d"), board_alarm(w.board, press.alarm));
    assert_null(board_alarm_of_device(w.board, "s", "d2"));
    assert_null(board_alarm_of_device(w.board, "s", "d9")); /* it spoke, about no alarm */
    apply(&w, &close);
    take(&w);
    result(&w, press.alarm, "police", OUTCOME_RECEIVED);
    w.clock_ms += 120000;
    apply(&w, &started);
    assert_null(board_alarm_of_device(w.board, "s", "d")); /* forgotten */
    board_destroy(w.board);
}

static void test_a_cancel_of_a_closed_alarm_is_not_linked(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    struct event press = press_of("s", "d", 1, NULL), cancel = press_of("s", "d", 2, press.alarm);
    struct event close = close_of(&press), late = press_of("s", "d", 3, press.alarm);
    cancel.press.kind = late.press.kind = KIND_CANCEL;
    apply(&w, &press);
    apply(&w, &cancel);
    assert_int_equal(board_alarm(w.board, press.alarm)->press_count, 2);
    apply(&w, &close);
    apply(&w, &late);
    assert_int_equal(board_last_result(w.board), STEP_UNCHANGED);
    assert_int_equal(board_alarm(w.board, press.alarm)->press_count, 2);
    assert_int_equal(board_alarm(w.board, press.alarm)->state, ALARM_CLOSED);
    board_destroy(w.board);
}

static void test_events_about_nothing_on_the_board(void **unused)
{
    static const struct {
        enum event_type type;
        enum step_result result;
    } rows[] = {{EVENT_ACKNOWLEDGED, STEP_IMPOSSIBLE},    {EVENT_CLOSED, STEP_IMPOSSIBLE},
                {EVENT_DELIVERY_RESULT, STEP_IMPOSSIBLE}, {EVENT_NOTE_ADDED, STEP_IMPOSSIBLE},
                {EVENT_PRESS_REFUSED, STEP_UNCHANGED},    {EVENT_DAEMON_STARTED, STEP_UNCHANGED},
                {EVENT_DAEMON_STOPPED, STEP_UNCHANGED},   {EVENT_CONF_LOADED, STEP_UNCHANGED},
                {EVENT_JOURNAL_GAP, STEP_UNCHANGED},      {EVENT_TYPE_COUNT, STEP_UNCHANGED}};
    struct world w = {.board = board_create(), .clock_ms = 1};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct event e = {.type = rows[i].type, .alarm = "anone"};
        apply(&w, &e);
        assert_int_equal(board_last_result(w.board), rows[i].result);
    }
    assert_null(board_next_alarm(w.board, NULL));
    board_destroy(w.board);
    board_destroy(NULL);
}

static void trouble(struct world *w, enum event_type type, enum trouble_code code, const char *part,
                    const char *text, enum step_result expected)
{
    struct event e = {.type = type, .trouble = {.code = code}};
    strcpy(e.trouble.part, part);
    strcpy(e.trouble.text, text);
    apply(w, &e);
    assert_int_equal(board_last_result(w->board), expected);
}

static void test_troubles(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    assert_null(board_next_trouble(w.board, NULL));
    trouble(&w, EVENT_TROUBLE_CLEARED, TROUBLE_DISK, "journal", "", STEP_UNCHANGED);
    trouble(&w, EVENT_TROUBLE_RAISED, TROUBLE_DISK, "journal", "nearly full", STEP_CHANGED);
    trouble(&w, EVENT_TROUBLE_RAISED, TROUBLE_ENDPOINT, "police", "no answer", STEP_CHANGED);
    trouble(&w, EVENT_TROUBLE_RAISED, TROUBLE_BROKER, "broker", "gone", STEP_CHANGED);
    trouble(&w, EVENT_TROUBLE_RAISED, TROUBLE_ENDPOINT, "police", "refused",
            STEP_CHANGED); /* the same, with news */
    assert_int_equal(board_counts(w.board).troubles, 3);
    assert_string_equal(board_trouble(w.board, TROUBLE_ENDPOINT, "police")->text, "refused");
    assert_null(board_trouble(w.board, TROUBLE_ENDPOINT_ANSWER, "police"));
    assert_null(board_trouble(w.board, TROUBLE_ENDPOINT, "bureau"));
    trouble(&w, EVENT_TROUBLE_CLEARED, TROUBLE_ENDPOINT, "police", "", STEP_CHANGED);
    const struct trouble *t = board_next_trouble(w.board, NULL);
    assert_int_equal(t->code, TROUBLE_DISK);
    t = board_next_trouble(w.board, t);
    assert_int_equal(t->code, TROUBLE_BROKER);
    assert_null(board_next_trouble(w.board, t));
    board_destroy(w.board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_press_far_behind_is_known_while_its_case_is_open),
        cmocka_unit_test(test_an_epoch_of_another_does_not_hide_a_press),
        cmocka_unit_test(test_an_epoch_that_was_left_is_not_a_new_one),
        cmocka_unit_test(test_presses_without_identity),
        cmocka_unit_test(test_which_press_is_the_last),
        cmocka_unit_test(test_the_alarm_of_a_device),
        cmocka_unit_test(test_a_cancel_of_a_closed_alarm_is_not_linked),
        cmocka_unit_test(test_events_about_nothing_on_the_board),
        cmocka_unit_test(test_troubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
