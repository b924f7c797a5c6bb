/* History reads what the writer wrote, in order and in pages, beside it and never after it was told to stop.
 */
#include "journal/history.h"
#include "journal/journal.h"
#include "journal_test.h"

#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <sys/stat.h>

#define COUNT 600
#define FEW 100 /* the last ones do not yet stand in the lookup */

struct fixture {
    struct test_folder folder;
    char file[160], error[LIMIT_TEXT];
    unsigned char public_key[32], secret_key[64];
    struct store *store;
    struct journal *journal;
    struct history *history;
    uv_loop_t loop;
    char lines[COUNT + 400][220];
    /* The last answer. */
    unsigned answers;
    size_t count;
    uint64_t seqs[COUNT + 1];
    char text[NOTE_TEXT], first_line[300], note[100];
    bool more, has_note, order_good;
    struct tree_proof proof;
    uint64_t index, size;
    unsigned char leaf[TREE_HASH];
};

static void append(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t seq = journal_next_seq(f->journal);
        char line[LIMIT_LINE];
        int size = test_line(line, seq);
        memcpy(f->lines[seq - 1], line, (size_t)size + 1);
        struct journal_entry e = {.seq = seq,
                                  .line = f->lines[seq - 1],
                                  .size = (size_t)size,
                                  .alarm = seq % 3   ? ""
                                           : seq % 2 ? "aodd"
                                                     : "aeven",
                                  .found_as = seq % 5 ? NULL : "opened",
                                  .note = seq % 9 ? NULL : "000102030405060708090a0b0c0d0e0fat the gate"};
        assert_true(journal_append(f->journal, &e));
    }
    journal_commit_now(f->journal);
}

static void open_journal(struct fixture *f)
{
    f->journal = journal_create(
        &(struct journal_options){.store = f->store, .origin = "test.example", .secret_key = f->secret_key},
        f->error);
    assert_non_null(f->journal);
}

static int setup(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    test_folder_make(&f.folder);
    snprintf(f.file, sizeof f.file, "%s", test_path(&f.folder, "journal.db"));
    crypto_sign_keypair(f.public_key, f.secret_key);
    f.store = store_sqlite_create(f.file);
    open_journal(&f);
    uv_loop_init(&f.loop);
    append(&f, COUNT - FEW);
    append(&f, FEW);
    f.history = history_create(&f.loop, f.file);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    history_destroy(f->history);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    assert_true(journal_destroy(f->journal));
    store_destroy(f->store);
    test_folder_remove(&f->folder);
    return 0;
}

static void on_lines(void *ctx, const struct history_lines *l)
{
    struct fixture *f = ctx;
    f->answers++;
    f->count = l->count;
    f->more = l->more;
    snprintf(f->error, sizeof f->error, "%s", l->error ? l->error : "");
    f->order_good = true;
    for (size_t i = 0; i < l->count; i++) {
        char expected[LIMIT_LINE];
        test_line(expected, l->seqs[i]);
        f->order_good = f->order_good && strcmp(expected, l->lines[i]) == 0;
        f->seqs[i] = l->seqs[i];
    }
    f->has_note = l->count && l->notes[0];
    snprintf(f->note, sizeof f->note, "%s", f->has_note ? l->notes[0] : "");
}

static void on_proof(void *ctx, const struct history_proof *p)
{
    struct fixture *f = ctx;
    f->answers++;
    snprintf(f->error, sizeof f->error, "%s", p->error ? p->error : "");
    f->index = p->index;
    f->size = p->size;
    f->proof.count = p->path_count;
    memcpy(f->proof.path, p->path, p->path_count * TREE_HASH);
    memcpy(f->leaf, p->leaf, TREE_HASH);
}

static void on_text(void *ctx, const char *text, size_t size, const char *error)
{
    struct fixture *f = ctx;
    f->answers++;
    snprintf(f->error, sizeof f->error, "%s", error ? error : "");
    snprintf(f->text, sizeof f->text, "%s", text ? text : "");
}

/* Runs until what was asked is answered. */
static void answered(struct fixture *f, unsigned answers)
{
    assert_int_equal(f->answers, 0); /* never from within the call */
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->answers, answers);
    f->answers = 0;
}

static void test_range(void **state)
{
    struct fixture *f = *state;
    history_range(f->history, 10, 5, on_lines, f);
    answered(f, 1);
    assert_string_equal(f->error, "");
    assert_int_equal(f->count, 5);
    assert_int_equal(f->seqs[0], 10);
    assert_int_equal(f->seqs[4], 14);
    assert_true(f->order_good && f->more);
    history_range(f->history, COUNT - 4, 5, on_lines, f);
    answered(f, 1);
    assert_int_equal(f->count, 5);
    assert_false(f->more);
    history_range(f->history, UINT64_MAX, 5, on_lines, f);
    answered(f, 1);
    assert_int_equal(f->count, 0);
    assert_string_equal(f->error, "");
}

static void test_notes_come_without_salt_and_go_when_erased(void **state)
{
    struct fixture *f = *state;
    history_range(f->history, 9, 1, on_lines, f);
    answered(f, 1);
    assert_string_equal(f->note, "at the gate");
    journal_erase_note(f->journal, 9);
    journal_commit_now(f->journal);
    history_range(f->history, 9, 1, on_lines, f);
    answered(f, 1);
    assert_int_equal(f->count, 1);
    assert_false(f->has_note);
    history_range(f->history, 10, 1, on_lines, f);
    answered(f, 1);
    assert_false(f->has_note);
}

static void test_every_event_of_an_alarm(void **state)
{
    struct fixture *f = *state;
    history_alarm(f->history, "aeven", 1000, on_lines, f);
    answered(f, 1);
    assert_int_equal(f->count, COUNT / 6);
    assert_true(f->order_good);
    assert_false(f->more);
    for (size_t i = 0; i < f->count; i++)
        assert_int_equal(f->seqs[i], 6 * (i + 1));
    history_alarm(f->history, "aunknown", 1000, on_lines, f);
    answered(f, 1);
    assert_int_equal(f->count, 0);
    history_alarm(f->history, "' OR 1=1 --", 1000, on_lines, f);
    answered(f, 1);
    assert_int_equal(f->count, 0);
}

static void test_found_as_newest_first_in_pages(void **state)
{
    struct fixture *f = *state;
    uint64_t before = 0, expected = COUNT;
    do {
        history_found_as(f->history, "opened", before, 50, on_lines, f);
        answered(f, 1);
        assert_true(f->order_good);
        for (size_t i = 0; i < f->count; i++, expected -= 5)
            assert_int_equal(f->seqs[i], expected);
        before = f->seqs[f->count - 1];
    } while (f->more);
    assert_int_equal(expected, 0);
    history_found_as(f->history, "refused", 0, 50, on_lines, f);
    answered(f, 1);
    assert_int_equal(f->count, 0);
}

static int64_t number(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t result = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return result;
}

/* The other tests of this file read across this border. */
static void test_the_lookup_is_behind_and_catches_up(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(number(f, "SELECT seq FROM looked_up"), COUNT - FEW);
    append(f, 300);
    assert_int_equal(number(f, "SELECT seq FROM looked_up"), COUNT + 300);
    assert_int_equal(number(f, "SELECT count(*) FROM lookup WHERE kind = 0"), (COUNT + 300) / 3);
    assert_int_equal(number(f, "SELECT count(*) FROM lookup WHERE kind = 1"), (COUNT + 300) / 5);
}

static void test_format_1_is_upgraded(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db;
    history_destroy(f->history);
    assert_true(journal_destroy(f->journal));
    assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "DROP TABLE lookup; DROP TABLE looked_up; PRAGMA user_version=1;"
                                  "CREATE INDEX event_alarm ON event(alarm) WHERE alarm IS NOT NULL;"
                                  "CREATE INDEX event_found ON event(found_as) WHERE found_as IS NOT NULL;",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    open_journal(f);
    f->history = history_create(&f->loop, f->file);
    assert_int_equal(number(f, "PRAGMA user_version"), 2);
    assert_int_equal(
        number(f, "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name GLOB 'event*'"), 0);
    test_every_event_of_an_alarm(state);
    test_found_as_newest_first_in_pages(state);
}

static void test_checkpoint_and_proofs(void **state)
{
    struct fixture *f = *state;
    struct note_checkpoint c;
    unsigned char old_root[TREE_HASH];
    struct tree_frontier at;
    history_checkpoint(f->history, on_text, f);
    answered(f, 1);
    assert_true(note_verify(f->text, strlen(f->text), f->public_key, &c, f->error));
    assert_int_equal(c.size, COUNT);
    static const uint64_t seqs[] = {1, 2, 256, 257, 511, COUNT};
    for (size_t i = 0; i < sizeof seqs / sizeof seqs[0]; i++) {
        history_inclusion(f->history, seqs[i], 0, on_proof, f);
        answered(f, 1);
        assert_string_equal(f->error, "");
        assert_int_equal(f->index, seqs[i] - 1);
        assert_int_equal(f->size, COUNT);
        unsigned char leaf[TREE_HASH];
        tree_leaf(leaf, f->lines[seqs[i] - 1], strlen(f->lines[seqs[i] - 1]));
        assert_memory_equal(leaf, f->leaf, TREE_HASH);
        assert_true(tree_check_inclusion(f->leaf, f->index, f->size, &f->proof, c.root));
        history_consistency(f->history, seqs[i], COUNT, on_proof, f);
        answered(f, 1);
        assert_true(tree_frontier_at(&at, seqs[i], f->store->subtree, f->store));
        tree_root(&at, old_root);
        assert_true(tree_check_consistency(seqs[i], old_root, COUNT, c.root, &f->proof));
    }
    history_inclusion(f->history, 17, 20, on_proof, f); /* in an older tree */
    answered(f, 1);
    assert_true(tree_frontier_at(&at, 20, f->store->subtree, f->store));
    tree_root(&at, old_root);
    assert_true(tree_check_inclusion(f->leaf, 16, 20, &f->proof, old_root));
}

static void test_impossible_proofs_are_refused_with_a_sentence(void **state)
{
    struct fixture *f = *state;
    static const struct {
        bool inclusion;
        uint64_t a, b;
    } bad[] = {{true, 0, 0},          {true, COUNT + 1, 0},           {true, 5, 4},
               {true, 5, COUNT + 1},  {true, UINT64_MAX, UINT64_MAX}, {false, 5, 4},
               {false, 5, COUNT + 1}, {false, UINT64_MAX, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (bad[i].inclusion)
            history_inclusion(f->history, bad[i].a, bad[i].b, on_proof, f);
        else
            history_consistency(f->history, bad[i].a, bad[i].b, on_proof, f);
        answered(f, 1);
        assert_true(strlen(f->error) > 20);
    }
}

static void test_many_at_once_beside_the_writer(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 100; i++) {
        history_range(f->history, i + 1, 50, on_lines, f);
        append(f, 1);
    }
    answered(f, 100);
    assert_int_equal(f->count, 50);
    history_range(f->history, COUNT + 90, 50, on_lines, f);
    answered(f, 1);
    assert_int_equal(f->count, 11); /* what was committed meanwhile is there */
}

static void test_a_missing_database_is_said(void **state)
{
    struct fixture *f = *state;
    struct history *h = history_create(&f->loop, test_path(&f->folder, "none.db"));
    history_range(h, 1, 1, on_lines, f);
    history_checkpoint(h, on_text, f);
    answered(f, 2);
    assert_non_null(strstr(f->error, "none.db cannot be opened"));
    history_destroy(h);
}

static void test_destroy_answers_everybody(void **state)
{
    struct fixture *f = *state;
    struct history *h = history_create(&f->loop, f->file);
    for (unsigned i = 0; i < 20; i++)
        history_range(h, 1, 500, on_lines, f);
    history_destroy(h);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->answers, 20);
    assert_string_equal(f->error, "the daemon is stopping");
}

/* Opening a pipe takes until somebody has its other end: as long as a disk that does not answer. */
static void test_destroy_waits_for_no_disk(void **state)
{
    struct fixture *f = *state;
    const char *pipe = test_path(&f->folder, "pipe.db");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    struct history *h = history_create(&f->loop, pipe);
    for (unsigned i = 0; i < 5; i++)
        history_range(h, 1, 1, on_lines, f);
    history_checkpoint(f->history, on_text, f); /* of another one, in the same pool: it has begun */
    while (f->answers == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    history_destroy(h);
    assert_int_equal(f->answers, 1 + 3);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(f->answers, 1 + 3);
    assert_true(uv_loop_alive(&f->loop)); /* so it is known that something is still under way */
    int end = open(pipe, O_RDWR | O_CLOEXEC);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    close(end);
    assert_int_equal(f->answers, 1 + 5);
    assert_string_equal(f->error, "the daemon is stopping");
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
#define HISTORY_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        HISTORY_TEST(test_range),
        HISTORY_TEST(test_notes_come_without_salt_and_go_when_erased),
        HISTORY_TEST(test_every_event_of_an_alarm),
        HISTORY_TEST(test_found_as_newest_first_in_pages),
        HISTORY_TEST(test_the_lookup_is_behind_and_catches_up),
        HISTORY_TEST(test_format_1_is_upgraded),
        HISTORY_TEST(test_checkpoint_and_proofs),
        HISTORY_TEST(test_impossible_proofs_are_refused_with_a_sentence),
        HISTORY_TEST(test_many_at_once_beside_the_writer),
        HISTORY_TEST(test_a_missing_database_is_said),
        HISTORY_TEST(test_destroy_answers_everybody),
        HISTORY_TEST(test_destroy_waits_for_no_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
