/* A store before the real one that can fail, hang and count. */
#ifndef TOCSIN_JOURNAL_FAULTY_H
#define TOCSIN_JOURNAL_FAULTY_H

#include "journal/store.h"

#include <stdio.h>
#include <uv.h>

struct faulty {
    struct store store;
    struct store *inner;
    uv_mutex_t mutex;
    uv_cond_t changed;
    bool hang, hanging; /* append waits until hang is false */
    int fail_before, fail_after, fail_open, moved, fail_snapshot, fail_erase; /* how many times still */
    unsigned appends, opens, closes;
    const char *concern;
};

static inline bool faulty_used(int *times)
{
    return *times > 0 && (*times)--;
}

static inline bool faulty_open(struct store *s, struct store_head *head, char error[LIMIT_TEXT])
{
    struct faulty *f = (struct faulty *)s;
    f->opens++;
    if (faulty_used(&f->fail_open)) {
        snprintf(error, LIMIT_TEXT, "the disk is gone");
        return false;
    }
    return f->inner->open(f->inner, head, error);
}

static inline void faulty_close(struct store *s)
{
    struct faulty *f = (struct faulty *)s;
    f->closes++;
    f->inner->close(f->inner);
}

static inline enum store_answer faulty_append(struct store *s, const struct store_head *expected,
                                              const struct store_batch *b, char error[LIMIT_TEXT])
{
    struct faulty *f = (struct faulty *)s;
    uv_mutex_lock(&f->mutex);
    f->appends++;
    f->hanging = f->hang;
    uv_cond_signal(&f->changed);
    while (f->hang)
        uv_cond_wait(&f->changed, &f->mutex);
    f->hanging = false;
    uv_mutex_unlock(&f->mutex);
    snprintf(error, LIMIT_TEXT, "the disk failed");
    if (faulty_used(&f->fail_before))
        return STORE_FAILED;
    if (faulty_used(&f->moved))
        return STORE_MOVED;
    enum store_answer answer = f->inner->append(f->inner, expected, b, error);
    return faulty_used(&f->fail_after) ? STORE_FAILED : answer;
}

static inline bool faulty_read(struct store *s, uint64_t from, store_line_fn *fn, void *ctx,
                               char error[LIMIT_TEXT])
{
    struct store *inner = ((struct faulty *)s)->inner;
    return inner->read(inner, from, fn, ctx, error);
}

static inline bool faulty_subtree(void *s, unsigned level, uint64_t index, unsigned char out[TREE_HASH])
{
    struct store *inner = ((struct faulty *)s)->inner;
    return inner->subtree(inner, level, index, out);
}

static inline bool faulty_put_snapshot(struct store *s, const struct store_snapshot *snapshot,
                                       char error[LIMIT_TEXT])
{
    struct faulty *f = (struct faulty *)s;
    if (faulty_used(&f->fail_snapshot)) {
        snprintf(error, LIMIT_TEXT, "the snapshot is not kept");
        return false;
    }
    return f->inner->put_snapshot(f->inner, snapshot, error);
}

static inline bool faulty_get_snapshot(struct store *s, uint64_t max_seq, struct store_snapshot *out)
{
    struct store *inner = ((struct faulty *)s)->inner;
    return inner->get_snapshot(inner, max_seq, out);
}

static inline bool faulty_erase_note(struct store *s, uint64_t seq, char error[LIMIT_TEXT])
{
    struct faulty *f = (struct faulty *)s;
    if (faulty_used(&f->fail_erase)) {
        snprintf(error, LIMIT_TEXT, "the note is not erased");
        return false;
    }
    return f->inner->erase_note(f->inner, seq, error);
}

static inline bool faulty_tidy(struct store *s, bool idle, char error[LIMIT_TEXT])
{
    struct store *inner = ((struct faulty *)s)->inner;
    return inner->tidy(inner, idle, error);
}

static inline const char *faulty_concern(struct store *s)
{
    return ((struct faulty *)s)->concern;
}

static inline void faulty_make(struct faulty *f, struct store *take_inner)
{
    *f = (struct faulty){.inner = take_inner};
    f->store = (struct store){.open = faulty_open,
                              .close = faulty_close,
                              .append = faulty_append,
                              .read = faulty_read,
                              .subtree = faulty_subtree,
                              .put_snapshot = faulty_put_snapshot,
                              .get_snapshot = faulty_get_snapshot,
                              .erase_note = faulty_erase_note,
                              .tidy = faulty_tidy,
                              .concern = faulty_concern};
    uv_mutex_init(&f->mutex);
    uv_cond_init(&f->changed);
}

static inline void faulty_finish(struct faulty *f)
{
    store_destroy(f->inner);
    uv_mutex_destroy(&f->mutex);
    uv_cond_destroy(&f->changed);
}

#endif
