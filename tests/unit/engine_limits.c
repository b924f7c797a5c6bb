/* The engine when a limit of the board is reached, and when there is room again. */
#include "engine_rig.h"

/* Behind the engine's back: what a city's worth of devices would do to the board. */
static void others_in_trouble(struct lab *l, bool raised)
{
    struct event e = {.type = raised ? EVENT_TROUBLE_RAISED : EVENT_TROUBLE_CLEARED,
                      .trouble = {.code = TROUBLE_DEVICE_SILENT}};
    for (unsigned i = 0; i < LIMIT_TROUBLES - LIMIT_TROUBLES_HOUSE; i++) {
        snprintf(e.trouble.part, sizeof e.trouble.part, "t/d%u", i);
        board_apply(engine_board(l->engine), &e);
    }
}

/* Nothing more than this many events follow. */
static void commit_few(struct lab *l, uint64_t most)
{
    const uint64_t end = journal_next_seq(l->journal) + most;
    while (engine_journal(l->engine).committed_seq + 1 < journal_next_seq(l->journal)) {
        assert_true(journal_next_seq(l->journal) <= end);
        journal_commit_now(l->journal);
        engine_progress(l->engine);
    }
}

static void test_a_full_board_says_so_until_there_is_room(void **state)
{
    struct lab *l = *state;
    struct board *b = engine_board(l->engine);
    commit(l);
    pass(l, 1000); /* what is not configured is no trouble: looked at once */
    others_in_trouble(l, true);
    uint64_t lost = board_counts(b).capacity_lost;
    pass(l, 21000); /* d2 says nothing, and there is no place for that */
    commit_few(l, 4);
    assert_null(board_trouble(b, TROUBLE_DEVICE_SILENT, "s/d2"));
    assert_non_null(board_trouble(b, TROUBLE_CAPACITY, "board"));
    assert_true(board_counts(b).capacity_lost > lost);
    engine_trouble(l->engine, TROUBLE_ENDPOINT, "police", true, "it does not answer");
    commit_few(l, 4);
    assert_non_null(board_trouble(b, TROUBLE_ENDPOINT, "police")); /* the house's own have their places */

    pass(l, 61000);
    commit_few(l, 4);
    assert_non_null(board_trouble(b, TROUBLE_CAPACITY, "board")); /* it is as full as it was */
    others_in_trouble(l, false);
    pass(l, 1000);
    commit_few(l, 4);
    assert_null(board_trouble(b, TROUBLE_CAPACITY, "board"));
    assert_non_null(board_trouble(b, TROUBLE_DEVICE_SILENT, "s/d2")); /* who had no place is seen now */
}

static void test_a_start_with_room_ends_it(void **state)
{
    struct lab *l = *state;
    engine_trouble(l->engine, TROUBLE_CAPACITY, "board", true, "a limit of the board is reached");
    commit(l);
    kill_daemon(l);
    start(l);
    commit(l);
    pass(l, 1000);
    commit(l);
    assert_null(board_trouble(engine_board(l->engine), TROUBLE_CAPACITY, "board"));
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_full_board_says_so_until_there_is_room),
        TEST(test_a_start_with_room_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
