/* Starting again: from the newest good snapshot to the head, and no further than what checks out. */
#include "journal/journal.h"
#include "journal_test.h"

#include <sodium.h>
#include <sqlite3.h>

#define COUNT 700

struct fixture {
    struct test_folder folder;
    char file[160], error[LIMIT_TEXT];
    unsigned char public_key[32], secret_key[64];
    struct store *store;
    struct journal *journal;
    /* What replay told. */
    uint64_t snapshot_seq, first, last, count, refuse_seq;
    char snapshot[40];
    bool any_line; /* lines need not be the written ones */
};

static void begin(struct fixture *f)
{
    f->store = store_sqlite_create(f->file);
    f->journal = journal_create(
        &(struct journal_options){.store = f->store, .origin = "test.example", .secret_key = f->secret_key},
        f->error);
    assert_non_null(f->journal);
}

static void end(struct fixture *f)
{
    assert_true(journal_destroy(f->journal));
    store_destroy(f->store);
}

/* 700 lines in a few commits, snapshots after 300 and 600. */
static int setup(void **state)
{
    static struct fixture f;
    static char lines[COUNT][220];
    memset(&f, 0, sizeof f);
    test_folder_make(&f.folder);
    snprintf(f.file, sizeof f.file, "%s", test_path(&f.folder, "journal.db"));
    crypto_sign_keypair(f.public_key, f.secret_key);
    begin(&f);
    for (unsigned i = 0; i < COUNT; i++) {
        char line[LIMIT_LINE];
        int size = test_line(line, i + 1);
        memcpy(lines[i], line, (size_t)size + 1);
        struct journal_entry e = {.seq = i + 1, .line = lines[i], .size = (size_t)size, .alarm = ""};
        assert_true(journal_append(f.journal, &e));
        if (i % 100 == 99)
            journal_commit_now(f.journal);
        if (i == 299)
            journal_put_snapshot(f.journal, 300, "state at 300", 12);
        if (i == 599)
            journal_put_snapshot(f.journal, 600, "state at 600", 12);
    }
    end(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    test_folder_remove(&((struct fixture *)*state)->folder);
    return 0;
}

static void on_snapshot(void *ctx, uint64_t seq, const void *bytes, size_t size)
{
    struct fixture *f = ctx;
    f->snapshot_seq = seq;
    snprintf(f->snapshot, sizeof f->snapshot, "%.*s", (int)size, bytes ? (const char *)bytes : "");
}

static bool on_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
    struct fixture *f = ctx;
    char expected[LIMIT_LINE];
    if (!f->any_line) {
        assert_int_equal(size, test_line(expected, seq));
        assert_memory_equal(line, expected, size);
    }
    assert_true(f->last == 0 || seq == f->last + 1);
    f->first = f->first ? f->first : seq;
    f->last = seq;
    f->count++;
    return seq != f->refuse_seq;
}

static bool replay(struct fixture *f)
{
    f->error[0] = 0;
    begin(f);
    bool good = journal_replay(f->journal, on_snapshot, on_line, f, f->error);
    end(f);
    return good;
}

static void tamper(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_said(struct fixture *f, const char *text)
{
    if (!strstr(f->error, text))
        fail_msg("\"%s\" does not say \"%s\"", f->error, text);
}

static void test_from_the_newest_snapshot(void **state)
{
    struct fixture *f = *state;
    assert_true(replay(f));
    assert_int_equal(f->snapshot_seq, 600);
    assert_string_equal(f->snapshot, "state at 600");
    assert_int_equal(f->first, 601);
    assert_int_equal(f->last, COUNT);
}

static void test_without_a_snapshot_everything(void **state)
{
    struct fixture *f = *state;
    tamper(f, "DELETE FROM snapshot");
    f->snapshot_seq = 99;
    assert_true(replay(f));
    assert_int_equal(f->snapshot_seq, 0);
    assert_string_equal(f->snapshot, "");
    assert_int_equal(f->count, COUNT);
}

static void test_a_snapshot_of_another_history_is_passed_over(void **state)
{
    struct fixture *f = *state;
    tamper(f, "UPDATE snapshot SET frontier = zeroblob(length(frontier)) WHERE seq = 600");
    assert_true(replay(f));
    assert_int_equal(f->snapshot_seq, 300);
    assert_int_equal(f->count, COUNT - 300);
}

static void test_an_empty_journal(void **state)
{
    struct fixture *f = *state;
    snprintf(f->file, sizeof f->file, "%s", test_path(&f->folder, "new.db"));
    f->snapshot_seq = 99;
    assert_true(replay(f));
    assert_int_equal(f->snapshot_seq, 0);
    assert_int_equal(f->count, 0);
}

static void test_goes_on_where_it_ended(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_true(journal_replay(f->journal, on_snapshot, on_line, f, f->error));
    assert_int_equal(journal_next_seq(f->journal), COUNT + 1);
    assert_int_equal(journal_poll(f->journal).committed_seq, COUNT);
    char line[LIMIT_LINE];
    struct journal_entry e = {
        .seq = COUNT + 1, .line = line, .size = (size_t)test_line(line, COUNT + 1), .alarm = ""};
    assert_true(journal_append(f->journal, &e));
    journal_commit_now(f->journal);
    assert_int_equal(journal_poll(f->journal).committed_seq, COUNT + 1);
    end(f);
    f->last = 0;
    assert_true(replay(f));
    assert_int_equal(f->last, COUNT + 1);
}

static void test_a_flipped_bit_is_named(void **state)
{
    struct fixture *f = *state;
    tamper(f, "UPDATE event SET line = CAST(replace(CAST(line AS TEXT), 'silent', 'sileot') AS BLOB) WHERE "
              "seq = 655");
    assert_false(replay(f));
    assert_said(f, "entry 655 was changed");
    assert_int_equal(f->last, 654); /* nothing bad was handed out */
}

static void test_a_gap_is_named(void **state)
{
    struct fixture *f = *state;
    tamper(f, "DELETE FROM event WHERE seq = 650");
    assert_false(replay(f));
    assert_said(f, "entry 650 is missing");
}

static void test_a_missing_tail_is_named(void **state)
{
    struct fixture *f = *state;
    tamper(f, "DELETE FROM event WHERE seq > 690");
    assert_false(replay(f));
    assert_said(f, "entry 691 and all after it are missing");
}

static void test_a_foreign_tail_is_named(void **state)
{
    struct fixture *f = *state;
    tamper(f, "INSERT INTO event SELECT 701, alarm, found_as, leaf, line FROM event WHERE seq = 700");
    assert_false(replay(f));
    assert_said(f, "entry 701 lies behind the sealed end");
}

static void test_a_change_with_its_hash_does_not_give_the_root(void **state)
{
    struct fixture *f = *state;
    tamper(f, "UPDATE event SET line = (SELECT line FROM event WHERE seq = 620),"
              " leaf = (SELECT leaf FROM event WHERE seq = 620) WHERE seq = 630");
    f->any_line = true;
    assert_false(replay(f));
    assert_int_equal(f->last, COUNT);
    assert_said(f, "entries 601 to 700 are not the sealed ones");
}

static void test_a_line_that_cannot_be_applied_is_named(void **state)
{
    struct fixture *f = *state;
    f->refuse_seq = 620;
    assert_false(replay(f));
    assert_said(f, "entry 620 cannot be understood");
}

static void test_a_rolled_back_head_is_not_the_sealed_one(void **state)
{
    struct fixture *f = *state;
    tamper(f, "UPDATE head SET checkpoint = replace(checkpoint, '700', '600')");
    assert_false(replay(f));
    assert_said(f, "not sealed by our key");
}

/* An older seal of the same key beside a newer head: somebody recorded more and could not seal it. */
static void test_a_head_that_is_ahead_of_its_seal_is_refused(void **state)
{
    struct fixture *f = *state;
    char line[LIMIT_LINE];
    struct journal_entry e = {
        .seq = COUNT + 1, .line = line, .size = (size_t)test_line(line, COUNT + 1), .alarm = ""};
    tamper(f, "CREATE TABLE kept AS SELECT checkpoint FROM head");
    begin(f);
    assert_true(journal_append(f->journal, &e));
    journal_commit_now(f->journal);
    end(f);
    tamper(f, "UPDATE head SET checkpoint = (SELECT checkpoint FROM kept); DROP TABLE kept");
    assert_false(replay(f));
    assert_said(f, "head (701 entries) is not the one its checkpoint seals (700 entries)");
}

static void test_another_key_is_refused(void **state)
{
    struct fixture *f = *state;
    crypto_sign_keypair(f->public_key, f->secret_key);
    assert_false(replay(f));
    assert_said(f, "put back the key file");
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
#define REPLAY_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        REPLAY_TEST(test_from_the_newest_snapshot),
        REPLAY_TEST(test_without_a_snapshot_everything),
        REPLAY_TEST(test_a_snapshot_of_another_history_is_passed_over),
        REPLAY_TEST(test_an_empty_journal),
        REPLAY_TEST(test_goes_on_where_it_ended),
        REPLAY_TEST(test_a_flipped_bit_is_named),
        REPLAY_TEST(test_a_gap_is_named),
        REPLAY_TEST(test_a_missing_tail_is_named),
        REPLAY_TEST(test_a_foreign_tail_is_named),
        REPLAY_TEST(test_a_change_with_its_hash_does_not_give_the_root),
        REPLAY_TEST(test_a_line_that_cannot_be_applied_is_named),
        REPLAY_TEST(test_a_rolled_back_head_is_not_the_sealed_one),
        REPLAY_TEST(test_a_head_that_is_ahead_of_its_seal_is_refused),
        REPLAY_TEST(test_another_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
