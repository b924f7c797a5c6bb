/* Group commit, and what happens when the store fails at the worst moment: nothing lost, nothing doubled. */
#include "journal/journal.h"
#include "journal_faulty.h"
#include "journal_test.h"

#include <sodium.h>
#include <uv.h>

struct fixture {
    bool sqlite;
    struct test_folder folder;
    struct faulty store;
    unsigned char public_key[32], secret_key[64];
    struct journal *journal;
    char **lines; /* 1 … */
    uint64_t count;
    uv_mutex_t mutex;
    uv_cond_t woken;
    unsigned wakes, degraded; /* degraded: how often a wake found it so */
    char degraded_text[LIMIT_TEXT];
};

static void on_wake(void *ctx)
{
    struct fixture *f = ctx;
    struct journal_progress p = journal_poll(f->journal);
    uv_mutex_lock(&f->mutex);
    f->wakes++;
    if (p.state == JOURNAL_DEGRADED) {
        f->degraded++;
        memcpy(f->degraded_text, p.text, sizeof f->degraded_text);
    }
    uv_cond_signal(&f->woken);
    uv_mutex_unlock(&f->mutex);
}

static struct store *make_inner(struct fixture *f)
{
    return f->sqlite ? store_sqlite_create(test_path(&f->folder, "journal.db")) : store_memory_create();
}

static int setup(void **state)
{
    struct fixture *f = *state;
    bool sqlite = f->sqlite;
    *f = (struct fixture){.sqlite = sqlite};
    test_folder_make(&f->folder);
    faulty_make(&f->store, make_inner(f));
    crypto_sign_keypair(f->public_key, f->secret_key);
    uv_mutex_init(&f->mutex);
    uv_cond_init(&f->woken);
    return 0;
}

static void begin(struct fixture *f, bool threaded, uint32_t slow_ms)
{
    char error[LIMIT_TEXT];
    f->journal = journal_create(&(struct journal_options){.store = &f->store.store,
                                                          .origin = "test.example",
                                                          .secret_key = f->secret_key,
                                                          .threaded = threaded,
                                                          .slow_ms = slow_ms,
                                                          .wake = on_wake,
                                                          .ctx = f},
                                error);
    assert_non_null(f->journal);
}

static void append(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char line[LIMIT_LINE];
        uint64_t seq = journal_next_seq(f->journal);
        if ((f->count & (f->count + 1)) == 0) {
            f->lines = realloc(f->lines, (f->count + 1) * 2 * sizeof *f->lines);
            assert_non_null(f->lines);
        }
        int size = test_line(line, seq);
        f->lines[f->count++] = strdup(line);
        struct journal_entry e = {.seq = seq,
                                  .line = f->lines[f->count - 1],
                                  .size = (size_t)size,
                                  .alarm = "",
                                  .note = seq % 7 ? NULL : "000102030405060708090a0b0c0d0e0fgate"};
        assert_true(journal_append(f->journal, &e));
    }
}

static struct journal_progress await_committed(struct fixture *f, uint64_t seq)
{
    struct journal_progress p;
    uv_mutex_lock(&f->mutex);
    while ((p = journal_poll(f->journal)).committed_seq < seq)
        uv_cond_wait(&f->woken, &f->mutex);
    uv_mutex_unlock(&f->mutex);
    return p;
}

static struct journal_progress await_state(struct fixture *f, enum journal_state state)
{
    struct journal_progress p;
    uv_mutex_lock(&f->mutex);
    while ((p = journal_poll(f->journal)).state != state)
        uv_cond_timedwait(&f->woken, &f->mutex, 1000000);
    uv_mutex_unlock(&f->mutex);
    return p;
}

struct comparison {
    struct fixture *f;
    uint64_t next;
    struct tree_frontier frontier;
};

static bool compare_line(void *ctx, const struct store_event *e)
{
    struct comparison *c = ctx;
    assert_int_equal(e->seq, c->next);
    assert_true(c->next <= c->f->count);
    assert_int_equal(e->size, strlen(c->f->lines[c->next - 1]));
    assert_memory_equal(e->line, c->f->lines[c->next - 1], e->size);
    tree_add(&c->frontier, e->leaf, NULL, NULL);
    c->next++;
    return true;
}

/* Ends the journal and reads the store afresh: all lines once, in order, sealed. */
static void end(struct fixture *f)
{
    struct store_head head;
    char error[LIMIT_TEXT];
    struct note_checkpoint checkpoint;
    unsigned char root[TREE_HASH];
    assert_true(journal_destroy(f->journal));
    struct store *s = f->store.inner;
    assert_true(s->open(s, &head, error));
    struct comparison c = {.f = f, .next = 1};
    assert_true(s->read(s, 1, compare_line, &c, error));
    assert_int_equal(c.next, f->count + 1);
    assert_true(tree_frontier_equal(&c.frontier, &head.frontier));
    assert_true(note_verify(head.checkpoint, strlen(head.checkpoint), f->public_key, &checkpoint, error));
    tree_root(&head.frontier, root);
    assert_int_equal(checkpoint.size, f->count);
    assert_memory_equal(checkpoint.root, root, TREE_HASH);
    s->close(s);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    faulty_finish(&f->store);
    for (uint64_t i = 0; i < f->count; i++)
        free(f->lines[i]);
    free(f->lines);
    uv_mutex_destroy(&f->mutex);
    uv_cond_destroy(&f->woken);
    test_folder_remove(&f->folder);
    return 0;
}

static void test_inline_commits_only_when_told(void **state)
{
    struct fixture *f = *state;
    begin(f, false, 2000);
    assert_int_equal(journal_next_seq(f->journal), 1);
    append(f, 5);
    journal_kick(f->journal);
    assert_int_equal(journal_poll(f->journal).committed_seq, 0);
    journal_commit_now(f->journal);
    struct journal_progress p = journal_poll(f->journal);
    assert_int_equal(p.committed_seq, 5);
    assert_int_equal(p.size, 5);
    assert_int_equal(p.state, JOURNAL_OK);
    assert_string_equal(p.text, "");
    assert_int_equal(f->store.appends, 1);
    end(f);
}

static void test_group_commit_while_the_last_one_syncs(void **state)
{
    struct fixture *f = *state;
    begin(f, true, 60000);
    f->store.hang = true;
    append(f, 1);
    journal_kick(f->journal);
    uv_mutex_lock(&f->store.mutex);
    while (!f->store.hanging)
        uv_cond_wait(&f->store.changed, &f->store.mutex);
    uv_mutex_unlock(&f->store.mutex);
    append(f, LIMIT_BATCH + 1000); /* gathers behind the one that hangs */
    journal_kick(f->journal);
    assert_int_equal(journal_poll(f->journal).committed_seq, 0);
    uv_mutex_lock(&f->store.mutex);
    f->store.hang = false;
    uv_cond_signal(&f->store.changed);
    uv_mutex_unlock(&f->store.mutex);
    await_committed(f, f->count);
    assert_int_equal(f->store.appends, 3);
    end(f);
}

/* Entries that come faster than one commit after the other takes them: no commit begins sooner than 3 ms after the last one. */
static void test_a_crowd_is_committed_together(void **state)
{
    struct fixture *f = *state;
    begin(f, true, 60000);
    append(f, 20);
    journal_kick(f->journal);
    await_committed(f, 20);
    uint64_t from_ns = uv_hrtime();
    for (int i = 0; i < 100; i++) {
        append(f, 10);
        journal_kick(f->journal);
        usleep(200); /* a commit to memory is over long before */
    }
    uint64_t most = (uv_hrtime() - from_ns) / 3000000 + 1;
    uv_mutex_lock(&f->store.mutex);
    unsigned commits = f->store.appends;
    uv_mutex_unlock(&f->store.mutex);
    assert_in_range(commits, 2, 2 * most); /* twice: a batch taken early is small, and no crowd */
    end(f);
}

static void test_many_small_commits(void **state)
{
    struct fixture *f = *state;
    begin(f, true, 60000);
    for (int i = 0; i < 200; i++) {
        append(f, 1 + (unsigned)i % 3);
        journal_kick(f->journal);
        if (i % 10 == 0)
            await_committed(f, f->count);
    }
    struct journal_progress p = await_committed(f, f->count);
    assert_true(p.last_commit_us > 0);
    end(f);
}

/* Expected and there, there without being expected, expected in vain: whatever comes is committed. */
static void test_expected_entries_come_through(void **state)
{
    struct fixture *f = *state;
    begin(f, true, 2000);
    for (unsigned i = 0; i < 300; i++) {
        if (i % 3 != 1)
            journal_expect(f->journal);
        if (i % 3 == 2)
            continue;
        append(f, 1);
        journal_kick(f->journal);
        await_committed(f, f->count);
    }
    assert_int_equal(f->count, 200);
    end(f);
}

/* While the writer sleeps: one entry, several, and some that it takes in between. */
static void test_the_signature_is_asked_for_early(void **state)
{
    struct fixture *f = *state;
    begin(f, true, 60000);
    bool early = false;
    while (!early) { /* as soon as the writer, once begun, waits for work */
        append(f, 1);
        early = journal_help(f->journal);
        journal_kick(f->journal);
        await_committed(f, f->count);
    }
    for (unsigned i = 0; i < 200; i++) {
        for (unsigned k = 0; k < 1 + i % 7; k++) {
            append(f, 1);
            if (k == i % 3)
                journal_help(f->journal);
            if (k == i % 5)
                journal_kick(f->journal);
        }
        journal_kick(f->journal);
        await_committed(f, f->count);
    }
    end(f);
}

static void test_destroy_commits_what_is_gathered(void **state)
{
    struct fixture *f = *state;
    begin(f, true, 60000);
    append(f, 3 * LIMIT_BATCH + 7);
    journal_kick(f->journal);
    end(f);
}

static void test_never_kicked_is_committed_too(void **state)
{
    struct fixture *f = *state;
    begin(f, true, 60000);
    append(f, 10);
    end(f);
}

/* The faults, each before or after the commit took effect, alone and in a row, on the thread and inline. */
static void fail_and_recover(struct fixture *f, bool threaded, int *fault, int times)
{
    begin(f, threaded, 60000);
    append(f, 20);
    if (threaded) {
        journal_kick(f->journal);
        await_committed(f, 20);
    } else {
        journal_commit_now(f->journal);
    }
    *fault = times;
    append(f, 300);
    if (threaded) {
        journal_kick(f->journal);
        uv_mutex_lock(&f->mutex);
        while (!f->degraded)
            uv_cond_wait(&f->woken, &f->mutex);
        assert_string_equal(f->degraded_text, "the disk failed");
        uv_mutex_unlock(&f->mutex);
        append(f, 5); /* goes on gathering */
        journal_kick(f->journal);
        struct journal_progress p = await_committed(f, f->count);
        assert_int_equal(p.state, JOURNAL_OK);
        assert_string_equal(p.text, "");
    } else {
        for (int i = 0; i < times; i++) {
            journal_commit_now(f->journal);
            assert_int_equal(journal_poll(f->journal).state, JOURNAL_DEGRADED);
        }
        append(f, 5);
        journal_commit_now(f->journal);
        journal_commit_now(f->journal);
        struct journal_progress p = journal_poll(f->journal);
        assert_int_equal(p.committed_seq, f->count);
        assert_int_equal(p.state, JOURNAL_OK);
    }
    assert_int_equal(f->store.opens, f->store.closes + 1); /* never retried on the same connection */
    assert_true(f->store.opens > 1);
    end(f);
}

static void test_failed_before_it_took_effect(void **state)
{
    struct fixture *f = *state;
    fail_and_recover(f, true, &f->store.fail_before, 1);
}

static void test_failed_after_it_took_effect(void **state)
{
    struct fixture *f = *state;
    fail_and_recover(f, true, &f->store.fail_after, 1);
}

static void test_failed_twice_is_tried_again_within_seconds(void **state)
{
    struct fixture *f = *state;
    uint64_t started_ns = uv_hrtime();
    fail_and_recover(f, true, &f->store.fail_before, 2);
    assert_true(uv_hrtime() - started_ns < 8000000000ULL); /* one second is meant */
}

static void test_failed_before_three_times_inline(void **state)
{
    struct fixture *f = *state;
    fail_and_recover(f, false, &f->store.fail_before, 3);
}

static void test_failed_after_inline(void **state)
{
    struct fixture *f = *state;
    fail_and_recover(f, false, &f->store.fail_after, 1);
}

static void test_cannot_be_opened_for_a_while(void **state)
{
    struct fixture *f = *state;
    begin(f, false, 60000);
    append(f, 3);
    f->store.fail_before = 1;
    f->store.fail_open = 2;
    journal_commit_now(f->journal);
    for (int i = 0; i < 2; i++) {
        journal_commit_now(f->journal);
        struct journal_progress p = journal_poll(f->journal);
        assert_int_equal(p.state, JOURNAL_DEGRADED);
        assert_string_equal(p.text, "the disk is gone");
        assert_int_equal(p.committed_seq, 0);
    }
    journal_commit_now(f->journal);
    assert_int_equal(journal_poll(f->journal).committed_seq, 3);
    end(f);
}

/* A store that opens but never takes a batch must not look well in between. */
static void test_degraded_does_not_flap(void **state)
{
    struct fixture *f = *state;
    begin(f, false, 60000);
    append(f, 3);
    f->store.fail_before = 10;
    for (int i = 0; i < 10; i++) {
        f->wakes = 0;
        journal_commit_now(f->journal);
        assert_int_equal(journal_poll(f->journal).state, JOURNAL_DEGRADED);
        assert_int_equal(f->wakes, 1); /* the failure's only */
    }
    journal_commit_now(f->journal);
    assert_int_equal(journal_poll(f->journal).state, JOURNAL_OK);
    end(f);
}

static void test_somebody_else_moved_the_head(void **state)
{
    struct fixture *f = *state;
    begin(f, false, 60000);
    append(f, 4);
    journal_commit_now(f->journal);
    struct store *other = f->sqlite ? make_inner(f) : f->store.inner;
    struct store_head head;
    char error[LIMIT_TEXT];
    assert_true(other->open(other, &head, error));
    test_append(other, &head, 2);
    other->close(other);
    append(f, 1);
    for (int i = 0; i < 3; i++) {
        journal_commit_now(f->journal);
        struct journal_progress p = journal_poll(f->journal);
        assert_int_equal(p.state, JOURNAL_DEGRADED);
        assert_non_null(strstr(p.text, "changed by somebody else"));
        assert_int_equal(p.committed_seq, 4);
    }
    assert_true(journal_destroy(f->journal));
    if (f->sqlite)
        store_destroy(other);
}

static void test_slow_is_seen_while_the_writer_is_stuck(void **state)
{
    struct fixture *f = *state;
    begin(f, true, 5);
    f->store.hang = true;
    append(f, 1);
    journal_kick(f->journal);
    struct journal_progress p = await_state(f, JOURNAL_SLOW);
    assert_non_null(strstr(p.text, "has not answered"));
    assert_int_equal(p.committed_seq, 0);
    uv_mutex_lock(&f->store.mutex);
    f->store.hang = false;
    uv_cond_signal(&f->store.changed);
    uv_mutex_unlock(&f->store.mutex);
    await_committed(f, 1);
    await_state(f, JOURNAL_OK);
    end(f);
}

static void test_backlog_is_bounded_and_comes_through(void **state)
{
    struct fixture *f = *state;
    begin(f, false, 60000);
    append(f, LIMIT_BACKLOG);
    struct journal_entry e = {.seq = journal_next_seq(f->journal), .line = "{}", .size = 2, .alarm = ""};
    assert_false(journal_append(f->journal, &e));
    assert_int_equal(journal_next_seq(f->journal), LIMIT_BACKLOG + 1);
    journal_commit_now(f->journal);
    append(f, LIMIT_BATCH); /* there is room again for just what was committed */
    assert_int_equal(journal_poll(f->journal).committed_seq, LIMIT_BATCH);
    e.seq = journal_next_seq(f->journal);
    assert_false(journal_append(f->journal, &e));
    for (int i = 0; i < LIMIT_BACKLOG / LIMIT_BATCH; i++)
        journal_commit_now(f->journal);
    assert_int_equal(journal_poll(f->journal).committed_seq, f->count);
    end(f);
}

static void test_a_concern_is_passed_on_and_goes(void **state)
{
    struct fixture *f = *state;
    begin(f, false, 60000);
    f->store.concern = "the disk is nearly full";
    append(f, 1);
    journal_commit_now(f->journal);
    struct journal_progress p = journal_poll(f->journal);
    assert_int_equal(p.state, JOURNAL_OK);
    assert_true(p.concern);
    assert_string_equal(p.text, "the disk is nearly full");
    f->store.concern = NULL;
    journal_commit_now(f->journal);
    p = journal_poll(f->journal);
    assert_false(p.concern);
    assert_string_equal(p.text, "");
    end(f);
}

static bool no_note(void *ctx, const struct store_event *e)
{
    *(bool *)ctx = e->note == NULL;
    return false;
}

static void test_snapshot_and_erasure_through_the_writer(void **state)
{
    struct fixture *f = *state;
    begin(f, true, 60000);
    append(f, 30);
    journal_put_snapshot(f->journal, 25, "old state", 9); /* waits for its seq */
    journal_kick(f->journal);
    await_committed(f, 30);
    journal_put_snapshot(f->journal, 30, "state", 5);
    journal_erase_note(f->journal, 7);
    journal_erase_note(f->journal, 8);
    end(f); /* both are done at the latest now */
    struct store *s = f->store.inner;
    struct store_head head;
    struct store_snapshot snapshot;
    char error[LIMIT_TEXT];
    bool gone = false, gone_too = true;
    assert_true(s->open(s, &head, error));
    assert_true(s->get_snapshot(s, 30, &snapshot));
    assert_int_equal(snapshot.seq, 30);
    assert_memory_equal(snapshot.bytes, "state", 5);
    free(snapshot.bytes);
    assert_true(s->read(s, 7, no_note, &gone, error));
    assert_true(s->read(s, 14, no_note, &gone_too, error));
    assert_true(gone);
    assert_false(gone_too);
    s->close(s);
}

/* Each failure is said, and costs neither a note that is to go nor what is recorded meanwhile. */
static void test_what_could_not_be_erased_is_erased_when_the_store_works(void **state)
{
    struct fixture *f = *state;
    begin(f, false, 60000);
    append(f, 14);
    journal_commit_now(f->journal);
    f->store.fail_snapshot = 1;
    f->store.fail_erase = 2;
    journal_put_snapshot(f->journal, 14, "state", 5);
    journal_erase_note(f->journal, 7);
    journal_erase_note(f->journal, 14);
    journal_erase_note(f->journal, 7);
    static const char *const texts[] = {"the snapshot is not kept", "the note is not erased",
                                        "the note is not erased", ""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        append(f, 1);
        journal_commit_now(f->journal);
        struct journal_progress p = journal_poll(f->journal);
        assert_string_equal(p.text, texts[i]);
        assert_int_equal(p.state, texts[i][0] ? JOURNAL_DEGRADED : JOURNAL_OK);
        assert_int_equal(p.committed_seq, 15 + i);
    }
    struct store *s = f->store.inner;
    char error[LIMIT_TEXT];
    for (uint64_t seq = 7; seq <= 14; seq += 7) {
        bool gone = false;
        assert_true(s->read(s, seq, no_note, &gone, error));
        assert_true(gone);
    }
    end(f);
}

/* The stop is bounded though the disk hangs; when it answers after all, nothing is lost. */
static void test_a_stop_does_not_wait_for_a_disk_that_hangs(void **state)
{
    struct fixture *f = *state;
    begin(f, true, 60000);
    append(f, 3);
    f->store.hang = true;
    journal_kick(f->journal);
    uv_mutex_lock(&f->store.mutex);
    while (!f->store.hanging)
        uv_cond_wait(&f->store.changed, &f->store.mutex);
    uv_mutex_unlock(&f->store.mutex);
    uint64_t since = uv_hrtime();
    assert_false(journal_destroy(f->journal));
    assert_in_range((uv_hrtime() - since) / 1000000, 3000, 10000);
    uv_mutex_lock(&f->store.mutex);
    f->store.hang = false;
    uv_cond_signal(&f->store.changed);
    uv_mutex_unlock(&f->store.mutex);
    end(f);
}

static void test_a_store_that_cannot_be_opened_is_no_journal(void **state)
{
    struct fixture *f = *state;
    char error[LIMIT_TEXT] = "";
    struct journal_options o = {
        .store = &f->store.store, .origin = "test.example", .secret_key = f->secret_key};
    f->store.fail_open = 1;
    assert_null(journal_create(&o, error));
    assert_string_equal(error, "the disk is gone");
    assert_true(journal_destroy(NULL));
}

static void test_a_bad_origin_is_refused(void **state)
{
    struct fixture *f = *state;
    char error[LIMIT_TEXT] = "";
    struct journal_options o = {.store = &f->store.store, .origin = "two words", .secret_key = f->secret_key};
    assert_null(journal_create(&o, error));
    assert_non_null(strstr(error, "cannot name a journal"));
}

int main(void)
{
    static struct fixture fixtures[] = {{.sqlite = false}, {.sqlite = true}};
    if (sodium_init() < 0)
        return 1;
    int failed = 0;
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f = &fixtures[i];
#define COMMIT_TEST(function)                                                                                \
    {                                                                                                        \
#function, function, setup, teardown, f                                                              \
    }
        const struct CMUnitTest tests[] = {
            COMMIT_TEST(test_inline_commits_only_when_told),
            COMMIT_TEST(test_group_commit_while_the_last_one_syncs),
            COMMIT_TEST(test_a_crowd_is_committed_together),
            COMMIT_TEST(test_many_small_commits),
            COMMIT_TEST(test_expected_entries_come_through),
            COMMIT_TEST(test_the_signature_is_asked_for_early),
            COMMIT_TEST(test_destroy_commits_what_is_gathered),
            COMMIT_TEST(test_never_kicked_is_committed_too),
            COMMIT_TEST(test_failed_before_it_took_effect),
            COMMIT_TEST(test_failed_after_it_took_effect),
            COMMIT_TEST(test_failed_twice_is_tried_again_within_seconds),
            COMMIT_TEST(test_failed_before_three_times_inline),
            COMMIT_TEST(test_failed_after_inline),
            COMMIT_TEST(test_cannot_be_opened_for_a_while),
            COMMIT_TEST(test_degraded_does_not_flap),
            COMMIT_TEST(test_somebody_else_moved_the_head),
            COMMIT_TEST(test_slow_is_seen_while_the_writer_is_stuck),
            COMMIT_TEST(test_backlog_is_bounded_and_comes_through),
            COMMIT_TEST(test_a_concern_is_passed_on_and_goes),
            COMMIT_TEST(test_snapshot_and_erasure_through_the_writer),
            COMMIT_TEST(test_what_could_not_be_erased_is_erased_when_the_store_works),
            COMMIT_TEST(test_a_stop_does_not_wait_for_a_disk_that_hangs),
            COMMIT_TEST(test_a_store_that_cannot_be_opened_is_no_journal),
            COMMIT_TEST(test_a_bad_origin_is_refused),
        };
        failed += cmocka_run_group_tests_name(f->sqlite ? "sqlite" : "memory", tests, NULL, NULL);
    }
    return failed;
}
