/* One suite, every store: what store.h promises. */
#include "journal_test.h"

#include <sodium.h>

struct fixture {
    const char *name;
    bool sqlite;
    struct test_folder folder;
    struct store *store;
    struct store_head head;
    char error[LIMIT_TEXT];
};

static struct store *make(struct fixture *f) {
    return f->sqlite ? store_sqlite_create(test_path(&f->folder, "journal.db")) : store_memory_create();
}

static int setup(void **state) {
    struct fixture *f = *state;
    test_folder_make(&f->folder);
    f->store = make(f);
    memset(&f->head, 0xff, sizeof f->head);
    assert_true(f->store->open(f->store, &f->head, f->error));
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->store->close(f->store);
    store_destroy(f->store);
    test_folder_remove(&f->folder);
    return 0;
}

static void reopen(struct fixture *f) {
    f->store->close(f->store);
    if (f->sqlite) { /* as after a restart */
        store_destroy(f->store);
        f->store = make(f);
    }
    assert_true(f->store->open(f->store, &f->head, f->error));
}

static void test_empty(void **state) {
    struct fixture *f = *state;
    assert_int_equal(f->head.frontier.size, 0);
    assert_string_equal(f->head.checkpoint, "");
    struct store_snapshot snapshot;
    assert_false(f->store->get_snapshot(f->store, UINT64_MAX / 2, &snapshot));
    assert_null(f->store->concern(f->store));
}

struct reading {
    uint64_t next, stop_after;
    bool same;
};

static bool same_text(const char *a, const char *b) {
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static bool on_line(void *ctx, const struct store_event *e) {
    struct reading *r = ctx;
    struct test_batch b;
    test_batch_make(&b, &(struct store_head){.frontier = {.size = r->next - 1}}, 1);
    const struct store_event *want = b.events;
    r->same = r->same && e->seq == want->seq && e->size == want->size &&
              memcmp(e->line, want->line, e->size) == 0 && same_text(e->alarm, want->alarm) &&
              same_text(e->found_as, want->found_as) && same_text(e->note, want->note) &&
              memcmp(e->leaf, want->leaf, TREE_HASH) == 0;
    test_batch_free(&b);
    r->next++;
    return r->next <= r->stop_after;
}

static void assert_reads(struct fixture *f, uint64_t from, uint64_t last) {
    struct reading r = {.next = from, .stop_after = UINT64_MAX, .same = true};
    assert_true(f->store->read(f->store, from, on_line, &r, f->error));
    assert_true(r.same);
    assert_int_equal(r.next, last + 1);
}

static void test_lines_come_back_as_they_were(void **state) {
    struct fixture *f = *state;
    test_append(f->store, &f->head, 1);
    test_append(f->store, &f->head, 50);
    test_append(f->store, &f->head, 1);
    assert_reads(f, 1, 52);
    assert_reads(f, 30, 52);
    assert_reads(f, 53, 52);
    struct reading r = {.next = 10, .stop_after = 12, .same = true};
    assert_true(f->store->read(f->store, 10, on_line, &r, f->error));
    assert_int_equal(r.next, 13);
    assert_true(r.same);
}

static void test_head_survives_a_restart(void **state) {
    struct fixture *f = *state;
    test_append(f->store, &f->head, 300);
    struct store_head before = f->head;
    reopen(f);
    assert_true(tree_frontier_equal(&before.frontier, &f->head.frontier));
    assert_string_equal(before.checkpoint, f->head.checkpoint);
    assert_reads(f, 1, 300);
    test_append(f->store, &f->head, 5);
    assert_reads(f, 1, 305);
}

static void test_a_moved_head_is_not_extended(void **state) {
    struct fixture *f = *state;
    struct test_batch b;
    struct store_head old = f->head;
    test_append(f->store, &f->head, 10);
    test_batch_make(&b, &old, 3);
    assert_int_equal(f->store->append(f->store, &old, &b.batch, f->error), STORE_MOVED);
    struct store_head forged = f->head; /* right size, another history */
    forged.frontier.hashes[1][0] ^= 1;
    assert_int_equal(f->store->append(f->store, &forged, &b.batch, f->error), STORE_MOVED);
    test_batch_free(&b);
    assert_reads(f, 1, 10);
    test_append(f->store, &f->head, 2); /* and the true head still is */
    assert_reads(f, 1, 12);
}

static void test_subtrees_and_proofs(void **state) {
    struct fixture *f = *state;
    struct tree_frontier at;
    struct tree_proof proof;
    unsigned char root[TREE_HASH], old_root[TREE_HASH], leaf[TREE_HASH];
    for (size_t count = 1; f->head.frontier.size < 1100; count = count * 2 + 1)
        test_append(f->store, &f->head, count);
    uint64_t size = f->head.frontier.size;
    assert_true(tree_frontier_at(&at, size, f->store->subtree, f->store));
    assert_true(tree_frontier_equal(&at, &f->head.frontier));
    tree_root(&f->head.frontier, root);
    static const uint64_t indices[] = {0, 1, 255, 256, 511, 512, 700, 1023, 1024};
    for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
        assert_true(f->store->subtree(f->store, 0, indices[i], leaf));
        assert_true(tree_inclusion(&proof, indices[i], size, f->store->subtree, f->store));
        assert_true(tree_check_inclusion(leaf, indices[i], size, &proof, root));
        assert_true(tree_frontier_at(&at, indices[i] + 1, f->store->subtree, f->store));
        tree_root(&at, old_root);
        assert_true(tree_consistency(&proof, indices[i] + 1, size, f->store->subtree, f->store));
        assert_true(tree_check_consistency(indices[i] + 1, old_root, size, root, &proof));
    }
    assert_false(f->store->subtree(f->store, 0, size, leaf));
    assert_false(f->store->subtree(f->store, 11, 0, leaf)); /* 2048 leaves are not there */
}

static void put_snapshot(struct fixture *f, uint64_t seq, const char *text) {
    struct store_snapshot s = {.seq = seq, .bytes = (unsigned char *)text, .size = strlen(text)};
    assert_true(tree_frontier_at(&s.frontier, seq, f->store->subtree, f->store));
    assert_true(f->store->put_snapshot(f->store, &s, f->error));
}

static void assert_snapshot(struct fixture *f, uint64_t max_seq, uint64_t seq, const char *text) {
    struct store_snapshot s;
    struct tree_frontier at;
    assert_true(f->store->get_snapshot(f->store, max_seq, &s));
    assert_int_equal(s.seq, seq);
    assert_int_equal(s.size, strlen(text));
    assert_memory_equal(s.bytes, text, s.size);
    assert_true(tree_frontier_at(&at, seq, f->store->subtree, f->store));
    assert_true(tree_frontier_equal(&at, &s.frontier));
    free(s.bytes);
}

static void test_the_two_newest_snapshots_are_kept(void **state) {
    struct fixture *f = *state;
    struct store_snapshot s;
    test_append(f->store, &f->head, 40);
    put_snapshot(f, 10, "first");
    assert_snapshot(f, 40, 10, "first");
    put_snapshot(f, 20, "second");
    put_snapshot(f, 30, "third");
    reopen(f);
    assert_snapshot(f, 40, 30, "third");
    assert_snapshot(f, 30, 30, "third");
    assert_snapshot(f, 29, 20, "second");
    assert_false(f->store->get_snapshot(f->store, 19, &s));
    put_snapshot(f, 30, "third again");
    assert_snapshot(f, 40, 30, "third again");
    assert_snapshot(f, 29, 20, "second");
}

static bool has_note(void *ctx, const struct store_event *e) {
    *(const char **)ctx = e->note ? "a note" : NULL;
    return false;
}

static void test_a_note_is_erased_and_the_hash_stays(void **state) {
    struct fixture *f = *state;
    const char *note = NULL;
    unsigned char before[TREE_HASH], after[TREE_HASH];
    test_append(f->store, &f->head, 20); /* 7 and 14 have notes */
    assert_true(f->store->subtree(f->store, 0, 6, before));
    assert_true(f->store->erase_note(f->store, 7, f->error));
    assert_true(f->store->erase_note(f->store, 8, f->error)); /* there was none */
    reopen(f);
    assert_true(f->store->read(f->store, 7, has_note, &note, f->error));
    assert_null(note);
    assert_true(f->store->read(f->store, 14, has_note, &note, f->error));
    assert_non_null(note);
    assert_true(f->store->subtree(f->store, 0, 6, after));
    assert_memory_equal(before, after, TREE_HASH);
}

static void test_tidying_changes_nothing(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 400; i++) {
        test_append(f->store, &f->head, 1);
        assert_true(f->store->tidy(f->store, false, f->error));
    }
    assert_true(f->store->tidy(f->store, true, f->error));
    struct store_head before = f->head;
    assert_reads(f, 1, 400);
    reopen(f);
    assert_true(tree_frontier_equal(&before.frontier, &f->head.frontier));
    assert_reads(f, 1, 400);
}

int main(void) {
    static struct fixture fixtures[] = {{.name = "memory"}, {.name = "sqlite", .sqlite = true}};
    if (sodium_init() < 0)
        return 1;
    int failed = 0;
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f = &fixtures[i];
#define STORE_TEST(function)                                                                                 \
    { #function, function, setup, teardown, f }
        const struct CMUnitTest tests[] = {
            STORE_TEST(test_empty),
            STORE_TEST(test_lines_come_back_as_they_were),
            STORE_TEST(test_head_survives_a_restart),
            STORE_TEST(test_a_moved_head_is_not_extended),
            STORE_TEST(test_subtrees_and_proofs),
            STORE_TEST(test_the_two_newest_snapshots_are_kept),
            STORE_TEST(test_a_note_is_erased_and_the_hash_stays),
            STORE_TEST(test_tidying_changes_nothing),
        };
        failed += cmocka_run_group_tests_name(f->name, tests, NULL, NULL);
    }
    return failed;
}
