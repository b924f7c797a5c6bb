/* What the journal's tests share: a folder that goes away, lines that look like the real ones, batches for a
 * store. */
#ifndef TOCSIN_JOURNAL_TEST_H
#define TOCSIN_JOURNAL_TEST_H

#include "journal/store.h"
#include "temporary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct test_folder {
    char path[64];
};

static inline void test_folder_make(struct test_folder *f) {
    temporary_folder(f->path, sizeof f->path, "tocsin-journal");
}

static inline void test_folder_remove(struct test_folder *f) {
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", f->path);
    assert_int_equal(system(command), 0);
}

/* "<folder>/<name>", in one of a few buffers in turn. */
static inline const char *test_path(const struct test_folder *f, const char *name) {
    static char paths[8][160];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", f->path, name);
    return path;
}

static inline int test_line(char out[LIMIT_LINE], uint64_t seq) {
    return snprintf(
        out, LIMIT_LINE,
        "{\"seq\":%llu,\"at\":\"2026-11-23T08:00:00.000Z\",\"clock\":%llu,\"type\":\"trouble_raised\","
        "\"code\":\"device_silent\",\"part\":\"school-1/room-%llu\",\"text\":\"no sign of life\"}",
        (unsigned long long)seq, (unsigned long long)seq * 10, (unsigned long long)seq % 1000);
}

/* A head and the batch that leads on from it. */
struct test_batch {
    struct store_head before, after;
    struct store_event *events;
    struct store_subtree *subtrees;
    struct store_batch batch;
};

static inline void test_batch_subtree(void *ctx, unsigned level, uint64_t index,
                                      const unsigned char hash[TREE_HASH]) {
    struct test_batch *b = ctx;
    struct store_subtree *t = &b->subtrees[b->batch.subtree_count++];
    *t = (struct store_subtree){.level = level, .index = index};
    memcpy(t->hash, hash, TREE_HASH);
}

static inline void test_batch_make(struct test_batch *b, const struct store_head *before, size_t count) {
    *b = (struct test_batch){.before = *before, .after = *before};
    b->events = calloc(count, sizeof *b->events);
    b->subtrees = calloc(count * 2 + TREE_LEVELS, sizeof *b->subtrees);
    assert_true(b->events && b->subtrees);
    for (size_t i = 0; i < count; i++) {
        struct store_event *e = &b->events[i];
        char line[LIMIT_LINE];
        e->seq = before->frontier.size + i + 1;
        e->size = (size_t)test_line(line, e->seq);
        e->line = strdup(line);
        e->alarm = e->seq % 3 ? "" : "aabcdefghijklmnopqrst";
        e->found_as = e->seq % 5 ? NULL : "opened";
        e->note = e->seq % 7 ? NULL : "000102030405060708090a0b0c0d0e0fthe caretaker is at the north gate";
        tree_leaf(e->leaf, line, e->size);
        tree_add(&b->after.frontier, e->leaf, test_batch_subtree, b);
    }
    snprintf(b->after.checkpoint, sizeof b->after.checkpoint, "test\n%llu\n",
             (unsigned long long)b->after.frontier.size);
    b->batch.events = b->events;
    b->batch.count = count;
    b->batch.subtrees = b->subtrees;
    b->batch.head = &b->after;
}

static inline void test_batch_free(struct test_batch *b) {
    for (size_t i = 0; i < b->batch.count; i++)
        free((char *)b->events[i].line);
    free(b->events);
    free(b->subtrees);
}

/* Appends `count` lines after `head` and moves it. */
static inline void test_append(struct store *s, struct store_head *head, size_t count) {
    struct test_batch b;
    char error[LIMIT_TEXT] = "";
    test_batch_make(&b, head, count);
    assert_int_equal(s->append(s, head, &b.batch, error), STORE_OK);
    *head = b.after;
    test_batch_free(&b);
}

#endif
