/* The journal without a store: nothing is ever said to be kept, the reason is shown, and the end comes all the same. */
#include "journal/journal.h"
#include "journal_test.h"
#include <sodium.h>

#define REASON "journal.db: this is no database; mended, it records again once no alarm is open"

static struct journal *without_a_record(struct store *store, bool threaded)
{
    static unsigned char public_key[32], secret_key[64];
    char error[LIMIT_TEXT];
    crypto_sign_keypair(public_key, secret_key);
    struct journal *j = journal_create(&(struct journal_options){.store = store,
                                                                 .origin = "tocsin.test",
                                                                 .secret_key = secret_key,
                                                                 .threaded = threaded,
                                                                 .slow_ms = 2000},
                                       error);
    assert_non_null(j);
    return j;
}

static void append(struct journal *j, char line[LIMIT_LINE])
{
    struct journal_entry e = {.seq = journal_next_seq(j), .line = line, .alarm = ""};
    e.size = (size_t)test_line(line, e.seq);
    assert_true(journal_append(j, &e));
}

static bool no_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
    fail_msg("there is a line %llu", (unsigned long long)seq);
    return false;
}

static void no_snapshot(void *ctx, uint64_t seq, const void *bytes, size_t size)
{
    assert_null(bytes);
}

static void test_nothing_is_kept_and_the_reason_is_shown(void **state)
{
    static char lines[3][LIMIT_LINE];
    char error[LIMIT_TEXT] = "";
    struct store *store = store_none_create(REASON);
    struct journal *j = without_a_record(store, false);
    assert_true(journal_replay(j, no_snapshot, no_line, NULL, error));
    assert_int_equal(journal_next_seq(j), 1);
    for (unsigned round = 0; round < 3; round++) {
        append(j, lines[round]);
        journal_put_snapshot(j, round + 1, "board", 5);
        journal_erase_note(j, round + 1);
        journal_commit_now(j);
        struct journal_progress p = journal_poll(j);
        assert_int_equal(p.state, JOURNAL_DEGRADED);
        assert_string_equal(p.text, REASON);
        assert_int_equal(p.committed_seq, 0);
    }
    assert_true(journal_destroy(j));
    store_destroy(store);
}

static void test_its_writer_ends_in_time(void **state)
{
    static char line[LIMIT_LINE];
    struct store *store = store_none_create(REASON);
    struct journal *j = without_a_record(store, true);
    append(j, line);
    journal_kick(j);
    while (journal_poll(j).state != JOURNAL_DEGRADED)
        usleep(1000);
    assert_int_equal(journal_poll(j).committed_seq, 0);
    assert_true(journal_destroy(j));
    store_destroy(store);
}

static void test_the_store_itself_has_nothing(void **state)
{
    char error[LIMIT_TEXT] = "";
    struct store_head head;
    struct store_snapshot snapshot = {.seq = 1}, found;
    unsigned char hash[TREE_HASH];
    memset(&head, 0xff, sizeof head);
    struct store *s = store_none_create(REASON);
    assert_true(s->open(s, &head, error));
    assert_int_equal(head.frontier.size, 0);
    assert_string_equal(head.checkpoint, "");
    assert_true(s->put_snapshot(s, &snapshot, error));
    assert_false(s->get_snapshot(s, 1, &found));
    assert_false(s->subtree(s, 0, 0, hash));
    assert_true(s->erase_note(s, 1, error));
    assert_true(s->tidy(s, true, error));
    assert_null(s->concern(s)); /* the state says it already */
    s->close(s);
    store_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_kept_and_the_reason_is_shown),
        cmocka_unit_test(test_its_writer_ends_in_time),
        cmocka_unit_test(test_the_store_itself_has_nothing),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
