/* A board whose limits are reached goes on with less detail and says so; one without memory is not made. */
#include "board_rig.h"

/* calloc, as the linker wraps it: the n-th from now has no memory. */
static unsigned fail_at, allocations;
void *__real_calloc(size_t items, size_t size);
void *__wrap_calloc(size_t items, size_t size);
void *__wrap_calloc(size_t items, size_t size)
{
    return ++allocations == fail_at ? NULL : __real_calloc(items, size);
}

static void test_without_memory(void **unused)
{
    fail_at = allocations = 0;
    board_destroy(board_create());
    const unsigned needed = allocations;
    assert_in_range(needed, 10, 100);
    for (unsigned n = 1; n <= needed; n++) {
        allocations = 0;
        fail_at = n;
        assert_null(board_create());
    }
    fail_at = 0;
}

static void press_number(struct world *w, unsigned number, const char *alarm)
{
    char device[16];
    snprintf(device, sizeof device, "d%u", number % LIMIT_DEVICES);
    struct event e = press_of("s", device, number / LIMIT_DEVICES, alarm);
    apply(w, &e);
    assert_int_equal(board_last_result(w->board), STEP_CHANGED);
}

static void test_more_presses_than_places(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    struct event first = press_of("s", "d0", 0, NULL);
    apply(&w, &first);
    for (unsigned i = 1; i < LIMIT_PRESSES; i++)
        press_number(&w, i, first.alarm);
    const struct alarm *a = board_alarm(w.board, first.alarm);
    assert_int_equal(board_counts(w.board).presses, LIMIT_PRESSES);
    assert_int_equal(board_counts(w.board).devices, LIMIT_DEVICES);
    assert_int_equal(board_counts(w.board).capacity_lost, 0);
    board_make_ready(w.board); /* there is no place to be touched, and none is lost by looking */
    assert_int_equal(board_counts(w.board).capacity_lost, 0);
    assert_int_equal(a->press_count, LIMIT_PRESSES);

    uint32_t version = a->version;
    press_number(&w, LIMIT_PRESSES, first.alarm);
    assert_int_equal(a->press_count, LIMIT_PRESSES);
    assert_int_equal(a->presses_unlisted, 1);
    assert_true(a->version > version); /* not kept, and still told */
    assert_int_equal(board_counts(w.board).capacity_lost, 1);

    /* An alarm whose own press has no place is an alarm: it is told, and it goes when it is over. */
    struct event other = press_of("t", "d0", 1, NULL), started = {.type = EVENT_DAEMON_STARTED};
    take(&w);
    apply(&w, &other);
    assert_int_equal(board_alarm(w.board, other.alarm)->press_count, 0);
    assert_null(board_press(w.board, board_alarm(w.board, other.alarm)->press_first));
    assert_string_equal(take(&w).endpoint, "police");
    result(&w, other.alarm, "police", OUTCOME_RECEIVED);
    struct event close = close_of(&other);
    apply(&w, &close);
    take(&w);
    result(&w, other.alarm, "police", OUTCOME_RECEIVED);
    w.clock_ms += 120000;
    apply(&w, &started);
    assert_null(board_alarm(w.board, other.alarm));
    assert_non_null(board_alarm(w.board, first.alarm));
    board_destroy(w.board);
}

static void test_more_devices_than_are_remembered(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    char id[LIMIT_ALARM_ID];
    struct event first = press_of("s", "d0", 0, NULL), stranger = press_of("t", "stranger", 1, NULL);
    apply(&w, &first);
    for (unsigned i = 1; i < LIMIT_DEVICES; i++)
        press_number(&w, i, first.alarm);
    apply(&w, &stranger);
    const struct alarm *a = board_alarm(w.board, stranger.alarm);
    assert_non_null(a); /* its press counts; only a repetition is not known as one by the device's memory */
    assert_int_equal(board_counts(w.board).capacity_lost, 1);
    assert_int_equal(board_seen(w.board, "t", "stranger", "e1", 1, id), SEEN_NEVER);
    assert_null(board_alarm_of_device(w.board, "t", "stranger"));
    assert_true(board_is_last_press(w.board, a, board_press(w.board, a->press_first)));
    board_destroy(w.board);
}

static struct event school_press(unsigned number)
{
    static const enum kind kinds[] = {KIND_PANIC, KIND_FIRE, KIND_MEDICAL};
    char site[16];
    snprintf(site, sizeof site, "s%u", number);
    struct event e = press_of(site, "d", 1, NULL);
    e.press.kind = kinds[number % 3];
    e.press.mode = (enum mode)(number / 3 % MODE_COUNT);
    return e;
}

static void test_more_alarms_than_places(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    for (unsigned i = 0; i < LIMIT_ALARMS; i++) {
        struct event e = school_press(i);
        apply(&w, &e);
    }
    for (unsigned i = 0; i < LIMIT_ALARMS; i++) {
        struct event e = school_press(i);
        struct alarm *a = board_open_alarm(w.board, e.press.site, kind_class(e.press.kind), e.press.mode);
        assert_ptr_equal(a, board_alarm(w.board, e.alarm));
        assert_ptr_equal(a, board_alarm_of_device(w.board, e.press.site, "d"));
        assert_null(board_open_alarm(w.board, e.press.site, kind_class(e.press.kind),
                                     (e.press.mode + 1) % MODE_COUNT));
        assert_null(board_open_alarm(w.board, e.press.site, (kind_class(e.press.kind) + 1) % CLASS_COUNT,
                                     e.press.mode));
    }
    struct event over = school_press(LIMIT_ALARMS);
    apply(&w, &over);
    assert_int_equal(board_last_result(w.board), STEP_IMPOSSIBLE);
    assert_int_equal(board_counts(w.board).capacity_lost, 1);
    assert_null(board_alarm(w.board, over.alarm));

    /* What is closed and owes nothing makes room at once, whatever its age; what is owed stays. */
    struct event settled = school_press(7), owing = school_press(8);
    struct event close_settled = close_of(&settled), close_owing = close_of(&owing);
    take(&w);
    result(&w, settled.alarm, "police", OUTCOME_RECEIVED);
    apply(&w, &close_settled);
    apply(&w, &close_owing);
    take(&w);
    result(&w, settled.alarm, "police", OUTCOME_RECEIVED);
    over = school_press(LIMIT_ALARMS + 1);
    apply(&w, &over);
    assert_int_equal(board_last_result(w.board), STEP_CHANGED);
    assert_null(board_alarm(w.board, settled.alarm));
    assert_non_null(board_alarm(w.board, owing.alarm));
    assert_non_null(board_alarm(w.board, over.alarm));
    board_destroy(w.board);
}

static struct event trouble_number(enum event_type type, enum trouble_code code, unsigned number)
{
    struct event e = {.type = type, .trouble = {.code = code, .text = "not as it should be"}};
    snprintf(e.trouble.part, sizeof e.trouble.part, "s/d%u", number);
    return e;
}

/* Until there is no more place for one of this code; gives how many there are then. */
static unsigned fill_with(struct world *w, enum trouble_code code)
{
    struct event e;
    do {
        e = trouble_number(EVENT_TROUBLE_RAISED, code, board_counts(w->board).troubles);
        apply(w, &e);
    } while (board_last_result(w->board) == STEP_CHANGED);
    assert_int_equal(board_last_result(w->board), STEP_IMPOSSIBLE);
    assert_null(board_trouble(w->board, code, e.trouble.part));
    return board_counts(w->board).troubles;
}

/* However many devices fall silent, the house's own troubles are seen, and that a limit is reached. */
static void test_more_troubles_than_places(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    assert_true(board_has_room(w.board));
    assert_int_equal(fill_with(&w, TROUBLE_DEVICE_SILENT), LIMIT_TROUBLES - LIMIT_TROUBLES_HOUSE);
    assert_int_equal(board_counts(w.board).capacity_lost, 1);
    assert_false(board_has_room(w.board));
    assert_int_equal(fill_with(&w, TROUBLE_ENDPOINT), LIMIT_TROUBLES - 1);
    struct event full = trouble_number(EVENT_TROUBLE_RAISED, TROUBLE_CAPACITY, 0);
    apply(&w, &full);
    assert_non_null(board_trouble(w.board, TROUBLE_CAPACITY, "s/d0"));
    assert_int_equal(fill_with(&w, TROUBLE_CAPACITY), LIMIT_TROUBLES);

    for (unsigned i = 0; !board_has_room(w.board); i++) {
        struct event cleared = trouble_number(EVENT_TROUBLE_CLEARED, i % 2 ? TROUBLE_ENDPOINT : TROUBLE_DEVICE_SILENT, i);
        apply(&w, &cleared);
    }
    struct event one_more = trouble_number(EVENT_TROUBLE_RAISED, TROUBLE_DEVICE_SILENT, LIMIT_TROUBLES);
    apply(&w, &one_more);
    assert_int_equal(board_last_result(w.board), STEP_CHANGED);
    board_destroy(w.board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_more_presses_than_places),
        cmocka_unit_test(test_more_devices_than_are_remembered),
        cmocka_unit_test(test_more_alarms_than_places),
        cmocka_unit_test(test_more_troubles_than_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
