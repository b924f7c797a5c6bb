/* What is due and what is owed: deadlines handed out once, company awaited, tellings made anew; and the board
 * as bytes. */
#include "board_rig.h"
#include <sodium.h>

static void test_each_deadline_is_handed_out_once(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1000};
    struct event press = press_of("s", "d", 1, NULL), acked = {.type = EVENT_ACKNOWLEDGED}, due;
    press.press.mode = MODE_TEST; /* a test that was acknowledged waits for two things */
    press.press.plan.coming_timeout_s = 5;
    memcpy(acked.alarm, press.alarm, sizeof acked.alarm);
    assert_false(board_next_deadline(w.board, INT64_MAX, &due));
    assert_int_equal(board_due(w.board), INT64_MAX);
    apply(&w, &press);
    apply(&w, &acked);
    take(&w);
    assert_int_equal(board_due(w.board), 1000 + 5000);
    assert_false(board_next_deadline(w.board, 5999, &due));
    w.clock_ms = 6000;
    assert_int_equal(take(&w).count, 0);
    assert_true(board_next_deadline(w.board, 6000, &due));
    assert_int_equal(due.deadline.kind, DEADLINE_COMING);
    assert_string_equal(due.alarm, press.alarm);
    assert_int_equal(board_due(w.board), 1000 + 10000); /* the one that is on its way is not due again */
    assert_false(board_next_deadline(w.board, 6000, &due));
    assert_true(board_next_deadline(w.board, 70000, &due));
    assert_int_equal(due.deadline.kind, DEADLINE_TEST);
    assert_int_equal(board_due(w.board), INT64_MAX);
    board_destroy(w.board);
}

static void test_deadlines_of_many_come_in_order(void **unused)
{
    struct world w = {.board = board_create()};
    const int64_t moments[] = {500, 100, 900, 300, 700, 200, 800, 400, 600};
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        char site[8];
        snprintf(site, sizeof site, "s%zu", i);
        struct event e = press_of(site, "d", 1, NULL);
        w.clock_ms = moments[i];
        apply(&w, &e);
    }
    struct event due;
    for (int64_t expected = 10100; expected <= 10900; expected += 100) {
        assert_int_equal(board_due(w.board), expected);
        assert_true(board_next_deadline(w.board, expected, &due));
        assert_int_equal(board_alarm(w.board, due.alarm)->due_clock_ms[DEADLINE_ANSWER], expected);
    }
    board_destroy(w.board);
}

static struct event press_with_two_on_a_step(const char *device, const char *alarm)
{
    struct event e = press_of("s", device, 1, alarm);
    e.press.plan.endpoints[1] = (struct plan_endpoint){"bureau", ROLE_BUREAU, 0};
    return e;
}

static void company_awaited(const char *told_first, const char *told_later)
{
    struct world w = {.board = board_create(), .clock_ms = 1000};
    struct event first = press_with_two_on_a_step("d1", NULL), due;
    struct event second = press_with_two_on_a_step("d2", first.alarm);
    apply(&w, &first);
    assert_int_equal(take(&w).count, 2);
    result(&w, first.alarm, told_first, OUTCOME_RECEIVED);
    w.clock_ms = 1050;
    board_tell_again(w.board, told_later);
    assert_string_equal(take(&w).endpoint, told_later);
    result(&w, first.alarm, told_later, OUTCOME_RECEIVED);
    apply(&w, &second);
    assert_int_equal(take(&w).count, 0);
    assert_int_equal(board_due(w.board), 1100);
    assert_false(board_next_deadline(w.board, 1100, &due)); /* it is no deadline */
    w.clock_ms = 1100;
    struct taken t = take(&w);
    assert_int_equal(t.count, 1);
    assert_string_equal(t.endpoint, told_first);
    assert_int_equal(board_due(w.board), 1150);
    w.clock_ms = 1150;
    assert_string_equal(take(&w).endpoint, told_later);
    board_destroy(w.board);
}

static void test_company_is_awaited_by_each_endpoint_for_itself(void **unused)
{
    company_awaited("police", "bureau");
    company_awaited("bureau", "police");
}

static void test_a_deadline_goes_before_company(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1000};
    struct event first = press_of("s", "d1", 1, NULL), second = press_of("s", "d2", 1, first.alarm), due;
    apply(&w, &first);
    take(&w);
    w.clock_ms = 10950;
    board_tell_again(w.board, "police");
    take(&w);
    result(&w, first.alarm, "police", OUTCOME_RECEIVED);
    apply(&w, &second);
    take(&w); /* waits until 11050; nobody answered by 11000 */
    w.clock_ms = 11000;
    assert_int_equal(take(&w).count, 0);
    assert_true(board_next_deadline(w.board, 11000, &due));
    assert_int_equal(due.deadline.kind, DEADLINE_ANSWER);
    board_destroy(w.board);
}

static void test_told_again_when_nothing_is_on_its_way_any_more(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1000};
    struct event press = press_of("s", "d", 1, NULL), other = press_of("t", "d", 1, NULL);
    apply(&w, &press);
    apply(&w, &other);
    assert_int_equal(take(&w).count, 2);
    result(&w, other.alarm, "police", OUTCOME_RECEIVED);
    board_tell_again(w.board, "bureau"); /* of no plan */
    board_tell_again(w.board, "guard");  /* its step has not come */
    assert_int_equal(take(&w).count, 0);
    board_tell_again(w.board, "police");
    struct taken t = take(&w);
    assert_int_equal(t.count, 1); /* only what is still owed */
    assert_string_equal(t.endpoint, "police");
    board_destroy(w.board);
}

static void test_changed_alarms_are_reported_once(void **unused)
{
    struct world w = {.board = board_create(), .clock_ms = 1000};
    struct event press = press_of("s", "d", 1, NULL), close = close_of(&press),
                 started = {.type = EVENT_DAEMON_STARTED};
    assert_null(board_take_changed(w.board));
    apply(&w, &press);
    assert_ptr_equal(board_take_changed(w.board), board_alarm(w.board, press.alarm));
    assert_null(board_take_changed(w.board));
    apply(&w, &close);
    take(&w);
    result(&w, press.alarm, "police", OUTCOME_RECEIVED);
    assert_non_null(board_take_changed(w.board));
    take(&w);
    w.clock_ms += 120000;
    apply(&w, &started); /* forgotten, and in no queue any more */
    assert_null(board_alarm(w.board, press.alarm));
    assert_null(board_take_changed(w.board));
    assert_int_equal(take(&w).count, 0);
    board_destroy(w.board);
}

/* As bytes. */

static struct world with_a_hole(void)
{
    struct world w = {.board = board_create(), .clock_ms = 1000};
    struct event gone = press_of("s", "d", 1, NULL), close = close_of(&gone),
                 stays = press_of("t", "d", 1, NULL);
    struct event raised = {.type = EVENT_TROUBLE_RAISED,
                           .trouble = {.code = TROUBLE_DISK, .part = "journal"}};
    struct event passed = {.type = EVENT_TROUBLE_RAISED, .trouble = {.code = TROUBLE_CONF, .part = "conf"}};
    apply(&w, &passed);
    apply(&w, &raised);
    passed.type = EVENT_TROUBLE_CLEARED;
    apply(&w, &passed);
    apply(&w, &gone);
    apply(&w, &stays);
    apply(&w, &close);
    take(&w);
    result(&w, gone.alarm, "police", OUTCOME_RECEIVED);
    w.clock_ms += 120000;
    apply(&w, &raised);
    assert_null(board_alarm(w.board, gone.alarm));
    take(&w);
    return w;
}

static void test_saved_with_holes(void **unused)
{
    struct world w = with_a_hole(), loaded = {.board = board_create(), .clock_ms = w.clock_ms};
    size_t size = board_save(w.board, NULL, 0);
    char *bytes = calloc(1, size);
    assert_int_equal(board_save(w.board, bytes, size - 1), size);
    assert_int_equal(bytes[0], 0); /* too small: nothing is written */
    assert_int_equal(board_save(w.board, bytes, size), size);
    assert_true(board_load(loaded.board, bytes, size));
    struct event stays = press_of("t", "d", 1, NULL);
    struct alarm *a = board_next_alarm(loaded.board, NULL);
    assert_string_equal(a->id, stays.alarm);
    assert_null(board_next_alarm(loaded.board, a));
    assert_int_equal(a->deliveries[0].state, DELIVERY_PENDING); /* what was on its way is owed again */
    assert_int_equal(take(&loaded).count, 1);
    assert_int_equal(board_counts(loaded.board).troubles, 1);
    assert_non_null(board_trouble(loaded.board, TROUBLE_DISK, "journal"));
    assert_null(board_trouble(loaded.board, TROUBLE_CONF, "conf"));
    free(bytes);
    board_destroy(loaded.board);
    board_destroy(w.board);
}

static void hash_of(crypto_hash_sha256_state *hash, const char *header)
{
    char path[4096], bytes[4096];
    size_t size;
    snprintf(path, sizeof path, "%s/daemon/%s", getenv("TOCSIN_SOURCE"), header);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while ((size = fread(bytes, 1, sizeof bytes, file)) > 0)
        crypto_hash_sha256_update(hash, (const unsigned char *)bytes, size);
    fclose(file);
}

/* Two kinds may change places, and every size stays: the words that say what a byte means are part of what is saved. */
static void test_what_the_bytes_mean_is_saved_with_them(void **unused)
{
    static const char *const headers[] = {"limits.h", "core/kind.h", "core/plan.h", "core/event.h", "core/alarm.h",
                                          "core/table.h", "core/board.h", "core/board_private.h"};
    crypto_hash_sha256_state state;
    unsigned char hash[crypto_hash_sha256_BYTES];
    uint64_t layout = 0;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        hash_of(&state, headers[i]);
    crypto_hash_sha256_final(&state, hash);
    struct board *b = board_create();
    size_t size = board_save(b, NULL, 0);
    unsigned char *bytes = malloc(size);
    board_save(b, bytes, size);
    for (size_t i = 0; i < sizeof layout; i++)
        layout = layout << 8 | hash[i];
    assert_memory_equal(bytes + 16, &layout, sizeof layout);
    free(bytes);
    board_destroy(b);
}

static void test_bytes_of_another_build_leave_the_board_empty(void **unused)
{
    enum { MAGIC = 0, LAYOUT = 16, SIZES = 24, COUNTS = 40 };
    static const size_t changed[] = {MAGIC, LAYOUT, LAYOUT + 7, SIZES, SIZES + 4, SIZES + 12, COUNTS + 3, COUNTS + 15, 200};
    struct world w = with_a_hole();
    struct board *to = board_create();
    size_t empty = board_save(to, NULL, 0), size = board_save(w.board, NULL, 0);
    char *bytes = malloc(size);
    board_save(w.board, bytes, size);
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        bytes[changed[i]] ^= 0x40;
        assert_false(board_load(to, bytes, size));
        assert_int_equal(board_save(to, NULL, 0), empty);
        bytes[changed[i]] ^= 0x40;
    }
    assert_false(board_load(to, bytes, 0));
    assert_false(board_load(to, bytes, size - 1));
    assert_int_equal(board_save(to, NULL, 0), empty);
    assert_true(board_load(to, bytes, size));
    free(bytes);
    board_destroy(to);
    board_destroy(w.board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_deadline_is_handed_out_once),
        cmocka_unit_test(test_deadlines_of_many_come_in_order),
        cmocka_unit_test(test_company_is_awaited_by_each_endpoint_for_itself),
        cmocka_unit_test(test_a_deadline_goes_before_company),
        cmocka_unit_test(test_told_again_when_nothing_is_on_its_way_any_more),
        cmocka_unit_test(test_changed_alarms_are_reported_once),
        cmocka_unit_test(test_saved_with_holes),
        cmocka_unit_test(test_what_the_bytes_mean_is_saved_with_them),
        cmocka_unit_test(test_bytes_of_another_build_leave_the_board_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
