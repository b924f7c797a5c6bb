/* The board: presses heard before, gathering, deadlines in order, saved and loaded, and many random histories. */
#include "board_rig.h"

static void test_presses_heard_before(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1};
    char alarm[LIMIT_ALARM_ID];
    struct event e = press_of("s", "d", 100, NULL);
    assert_int_equal(board_seen(w.board, "s", "d", "e1", 100, alarm), SEEN_NEVER);
    apply(&w, &e);
    assert_int_equal(board_seen(w.board, "s", "d", "e1", 100, alarm), SEEN_BEFORE);
    assert_string_equal(alarm, e.alarm);
    assert_int_equal(board_seen(w.board, "s", "d", "e1", 99, alarm), SEEN_OVERTAKEN);
    assert_int_equal(board_seen(w.board, "s", "d", "e1", 36, alarm), SEEN_COUNTER_BACK);
    assert_int_equal(board_seen(w.board, "s", "d", "e2", 100, alarm), SEEN_NEVER);
    assert_int_equal(board_seen(w.board, "s", "other", "e1", 100, alarm), SEEN_NEVER);
    struct event late = press_of("s", "d", 99, e.alarm);
    apply(&w, &late);
    assert_int_equal(board_seen(w.board, "s", "d", "e1", 99, alarm), SEEN_BEFORE);
    apply(&w, &late); /* the same press twice in the record */
    assert_int_equal(board_last_result(w.board), STEP_ALREADY);
    assert_int_equal(board_alarm(w.board, e.alarm)->press_count, 2);
    board_destroy(w.board);
}

static void test_first_at_once_followers_gathered(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1000};
    struct event first = press_of("s", "d1", 1, NULL);
    apply(&w, &first);
    struct taken t = take(&w);
    assert_int_equal(t.count, 1);
    assert_string_equal(t.endpoint, "police");
    assert_int_equal(take(&w).count, 0);
    for (unsigned i = 0; i < 3; i++) {
        char device[8];
        snprintf(device, sizeof device, "d%u", i + 2);
        struct event e = press_of("s", device, 1, first.alarm);
        apply(&w, &e);
    }
    assert_int_equal(take(&w).count, 0); /* the first word is still on its way */
    result(&w, first.alarm, "police", OUTCOME_RECEIVED);
    assert_int_equal(take(&w).count, 0); /* they wait for company… */
    assert_int_equal(board_due(w.board), 1100);
    w.clock_ms = 1100;
    t = take(&w);
    assert_int_equal(t.count, 1); /* …for 100 ms, and go together */
    assert_int_equal(t.first_press, 1);
    assert_int_equal(t.presses, 3);
    result(&w, first.alarm, "police", OUTCOME_RECEIVED);
    assert_int_equal(take(&w).count, 0);
    assert_int_equal(board_alarm(w.board, first.alarm)->deliveries[0].state, DELIVERY_RECEIVED);
    board_destroy(w.board);
}

static void test_many_presses_go_in_bodies_of_limited_size(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1000};
    struct event first = press_of("s", "d0", 0, NULL);
    apply(&w, &first);
    assert_int_equal(take(&w).presses, 1);
    for (unsigned i = 1; i < 1000; i++) {
        char device[16];
        snprintf(device, sizeof device, "d%u", i);
        struct event e = press_of("s", device, i, first.alarm);
        apply(&w, &e);
    }
    unsigned told = 1, tellings = 1;
    while (told < 1000) {
        result(&w, first.alarm, "police", OUTCOME_RECEIVED);
        struct taken t = take(&w);
        if (t.count == 0) { /* the rest is company */
            w.clock_ms += 100;
            t = take(&w);
        }
        assert_int_equal(t.count, 1);
        assert_int_equal(t.first_press, told);
        told += t.presses;
        tellings++;
    }
    assert_int_equal(told, 1000);
    assert_int_equal(tellings, 1 + 5);
    board_destroy(w.board);
}

/* Of each case; that the device has pressed in another one since takes nothing away. */
static void test_the_last_press_of_a_device(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1000};
    struct event first = press_of("s", "d", 1, NULL), second = press_of("s", "d", 2, first.alarm),
                 others = press_of("s", "other", 1, first.alarm), elsewhere = press_of("s", "d", 3, NULL);
    elsewhere.press.kind = KIND_MEDICAL;
    apply(&w, &first);
    apply(&w, &second);
    apply(&w, &others);
    const struct alarm *a = board_alarm(w.board, first.alarm);
    const struct press *one = board_press(w.board, a->press_first), *two = board_press(w.board, one->next);
    assert_false(board_is_last_press(w.board, a, one));
    assert_true(board_is_last_press(w.board, a, two));
    apply(&w, &elsewhere);
    assert_string_not_equal(elsewhere.alarm, first.alarm);
    assert_false(board_is_last_press(w.board, a, one));
    assert_true(board_is_last_press(w.board, a, two));
    assert_true(board_is_last_press(w.board, a, board_press(w.board, two->next)));
    board_destroy(w.board);
}

static void test_closed_alarms_are_forgotten(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1000};
    struct event e = press_of("s", "d", 1, NULL), close = {.type = EVENT_CLOSED};
    memcpy(close.alarm, e.alarm, sizeof close.alarm);
    apply(&w, &e);
    take(&w);
    result(&w, e.alarm, "police", OUTCOME_RECEIVED);
    apply(&w, &close);
    assert_null(board_open_alarm(w.board, "s", CLASS_SECURITY, MODE_REAL));
    assert_int_equal(take(&w).count, 1); /* the last word */
    struct event other = {.type = EVENT_DAEMON_STARTED};
    w.clock_ms += 120000;
    apply(&w, &other);
    assert_non_null(board_alarm(w.board, e.alarm)); /* it owes the last word */
    result(&w, e.alarm, "police", OUTCOME_RECEIVED);
    w.clock_ms += 2000;
    apply(&w, &other);
    assert_null(board_alarm(w.board, e.alarm));
    assert_int_equal(board_counts(w.board).presses, 0);
    char alarm[LIMIT_ALARM_ID];
    assert_int_equal(board_seen(w.board, "s", "d", "e1", 1, alarm), SEEN_BEFORE); /* but never its press */
    board_destroy(w.board);
}

static void test_unlinked_press_opens_a_closed_alarm_again(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1000};
    struct event e = press_of("s", "d", 1, NULL), close = {.type = EVENT_CLOSED};
    memcpy(close.alarm, e.alarm, sizeof close.alarm);
    apply(&w, &e);
    apply(&w, &close);
    struct event late = press_of("s", "d2", 1, e.alarm);
    apply(&w, &late);
    assert_ptr_equal(board_open_alarm(w.board, "s", CLASS_SECURITY, MODE_REAL), board_alarm(w.board, e.alarm));
    assert_int_equal(board_counts(w.board).alarms_open, 1);
    assert_int_equal(board_counts(w.board).alarms_kept, 0);
    board_destroy(w.board);
}

/* Random histories. The invariants hold after each event, deadlines come in order and never early, and a board that
 * was saved and loaded in between goes on exactly as the one that was not. */

static uint64_t random_state;

static unsigned roll(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

static void random_event(struct world *w, struct event *e)
{
    char site[8], device[8];
    snprintf(site, sizeof site, "s%u", roll(5));
    snprintf(device, sizeof device, "d%u", roll(6));
    struct alarm *open = board_open_alarm(w->board, site, CLASS_SECURITY, MODE_REAL);
    memset(e, 0, sizeof *e);
    switch (roll(10)) {
    case 0:
    case 1:
    case 2:
        *e = press_of(site, device, roll(300), open ? open->id : NULL);
        return;
    case 3:
    case 4:
        e->type = EVENT_DELIVERY_RESULT;
        e->delivery.outcome = (enum delivery_outcome)roll(OUTCOME_COUNT);
        e->delivery.version = open ? open->version : 1;
        e->delivery.presses = open ? open->press_count : 1;
        strcpy(e->delivery.endpoint, roll(2) ? "police" : "guard");
        break;
    case 5:
        e->type = roll(2) ? EVENT_TROUBLE_RAISED : EVENT_TROUBLE_CLEARED;
        e->trouble.code = (enum trouble_code)roll(TROUBLE_CODE_COUNT);
        snprintf(e->trouble.part, sizeof e->trouble.part, "%s/%s", site, device);
        return;
    default:
        e->type = (enum event_type[]){EVENT_ACKNOWLEDGED, EVENT_COMING, EVENT_ON_SCENE, EVENT_CLOSED}[roll(4)];
        e->deed.role = (enum role)roll(3);
        strcpy(e->deed.by, "desk");
    }
    if (open)
        memcpy(e->alarm, open->id, sizeof e->alarm);
}

static void check(struct world *w)
{
    unsigned open = 0, presses = 0;
    for (struct alarm *a = NULL; (a = board_next_alarm(w->board, a));) {
        unsigned listed = 0;
        for (const struct press *p = board_press(w->board, a->press_first); p; p = board_press(w->board, p->next))
            listed++;
        assert_int_equal(listed, a->press_count);
        presses += listed;
        open += a->state != ALARM_CLOSED;
        if (a->state == ALARM_OPEN) /* never silence: something is always due */
            assert_true(a->due_clock_ms[DEADLINE_ANSWER] != 0);
        for (unsigned i = 0; i < a->delivery_count; i++)
            if (a->deliveries[i].step <= a->step && a->state != ALARM_CLOSED)
                assert_true(a->deliveries[i].state != DELIVERY_WAITING);
    }
    assert_int_equal(open, board_counts(w->board).alarms_open);
    assert_int_equal(presses, board_counts(w->board).presses);
}

static void deadlines(struct world *w)
{
    struct event due;
    for (unsigned turns = 0; board_due(w->board) <= w->clock_ms; turns++) {
        assert_true(turns < 1000);
        while (board_next_deadline(w->board, w->clock_ms, &due)) {
            const struct alarm *a = board_alarm(w->board, due.alarm);
            assert_true(a->due_clock_ms[due.deadline.kind] <= w->clock_ms);
            apply(w, &due);
        }
        take(w);
    }
}

static void same_boards(struct board *a, struct board *b)
{
    for (struct alarm *x = NULL; (x = board_next_alarm(a, x));) {
        const struct alarm *y = board_alarm(b, x->id);
        assert_non_null(y);
        assert_int_equal(x->state, y->state);
        assert_int_equal(x->version, y->version);
        assert_int_equal(x->press_count, y->press_count);
        assert_memory_equal(x->due_clock_ms, y->due_clock_ms, sizeof x->due_clock_ms);
    }
    assert_int_equal(board_counts(a).troubles, board_counts(b).troubles);
    assert_int_equal(board_counts(a).devices, board_counts(b).devices);
}

static struct board *saved_and_loaded(struct board *from)
{
    size_t size = board_save(from, NULL, 0);
    char *bytes = malloc(size);
    assert_int_equal(board_save(from, bytes, size), size);
    struct board *to = board_create();
    bytes[size / 2] ^= 1;
    assert_false(board_load(to, bytes, size)); /* damaged: not used */
    bytes[size / 2] ^= 1;
    assert_false(board_load(to, bytes, size - 1));
    assert_true(board_load(to, bytes, size));
    free(bytes);
    return to;
}

static void test_random_histories(void **unused)
{
    for (unsigned seed = 1; seed <= 60; seed++) {
        random_state = seed;
        struct world w = {.board = board_create(), .clock_ms = 1}, other = {0};
        unsigned save_at = roll(400);
        for (unsigned i = 0; i < 400; i++) {
            struct event e;
            w.clock_ms += roll(4000);
            deadlines(&w);
            if (i == save_at) {
                other = w;
                other.board = saved_and_loaded(w.board);
            }
            random_event(&w, &e);
            if (other.board && i >= save_at) {
                struct event copy = e;
                other.clock_ms = w.clock_ms;
                deadlines(&other);
                apply(&other, &copy);
            }
            apply(&w, &e);
            check(&w);
            struct taken t = take(&w);
            assert_true(t.count <= 2 * 5);
        }
        if (other.board)
            same_boards(w.board, other.board);
        board_destroy(w.board);
        board_destroy(other.board);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presses_heard_before),
        cmocka_unit_test(test_first_at_once_followers_gathered),
        cmocka_unit_test(test_many_presses_go_in_bodies_of_limited_size),
        cmocka_unit_test(test_the_last_press_of_a_device),
        cmocka_unit_test(test_closed_alarms_are_forgotten),
        cmocka_unit_test(test_unlinked_press_opens_a_closed_alarm_again),
        cmocka_unit_test(test_random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
