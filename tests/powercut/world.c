#include "world.h"
#include "vfs.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The witness */

static struct store *inner(struct store *s)
{
    return ((struct witness *)s)->inner;
}

static bool witness_open(struct store *s, struct store_head *head, char error[LIMIT_TEXT])
{
    return inner(s)->open(inner(s), head, error);
}

static void witness_close(struct store *s)
{
    inner(s)->close(inner(s));
}

static enum store_answer witness_append(struct store *s, const struct store_head *expected,
                                        const struct store_batch *b, char error[LIMIT_TEXT])
{
    struct truth *t = ((struct witness *)s)->truth;
    uint64_t last = b->events[b->count - 1].seq;
    t->submitted = last > t->submitted ? last : t->submitted;
    return inner(s)->append(inner(s), expected, b, error);
}

static bool witness_read(struct store *s, uint64_t from_seq, store_line_fn *line, void *ctx,
                         char error[LIMIT_TEXT])
{
    return inner(s)->read(inner(s), from_seq, line, ctx, error);
}

static bool witness_subtree(void *s, unsigned level, uint64_t index, unsigned char out[TREE_HASH])
{
    return inner(s)->subtree(inner(s), level, index, out);
}

static bool witness_put_snapshot(struct store *s, const struct store_snapshot *snapshot,
                                 char error[LIMIT_TEXT])
{
    struct truth *t = ((struct witness *)s)->truth;
    assert(t->snapshot_count < sizeof t->snapshots / sizeof *t->snapshots);
    struct kept_snapshot *k = &t->snapshots[t->snapshot_count++];
    k->seq = snapshot->seq;
    k->size = snapshot->size;
    crypto_hash_sha256(k->hash, snapshot->bytes, snapshot->size);
    if (!inner(s)->put_snapshot(inner(s), snapshot, error))
        return false;
    t->snapshot_sure = snapshot->seq;
    return true;
}

static bool witness_get_snapshot(struct store *s, uint64_t max_seq, struct store_snapshot *out)
{
    return inner(s)->get_snapshot(inner(s), max_seq, out);
}

static bool witness_erase_note(struct store *s, uint64_t seq, char error[LIMIT_TEXT])
{
    enum note_state *state = &((struct witness *)s)->truth->notes[seq - 1];
    *state = NOTE_GOING;
    if (!inner(s)->erase_note(inner(s), seq, error))
        return false;
    *state = NOTE_ERASED;
    return true;
}

static bool witness_tidy(struct store *s, bool idle, char error[LIMIT_TEXT])
{
    return inner(s)->tidy(inner(s), idle && !((struct witness *)s)->busy, error);
}

static const char *witness_concern(struct store *s)
{
    return inner(s)->concern(inner(s));
}

static const struct store witness_store = {
    .open = witness_open,
    .close = witness_close,
    .append = witness_append,
    .read = witness_read,
    .subtree = witness_subtree,
    .put_snapshot = witness_put_snapshot,
    .get_snapshot = witness_get_snapshot,
    .erase_note = witness_erase_note,
    .tidy = witness_tidy,
    .concern = witness_concern,
};

/* The world */

static void hash_leaves(struct world *w)
{
    w->leaves = calloc(w->lines.count, sizeof *w->leaves);
    assert(w->leaves);
    for (size_t i = 0; i < w->lines.count; i++) {
        const struct line *l = &w->lines.all[i];
        unsigned char zero = 0;
        crypto_hash_sha256_state state;
        crypto_hash_sha256_init(&state);
        crypto_hash_sha256_update(&state, &zero, 1);
        crypto_hash_sha256_update(&state, (const unsigned char *)l->text, l->size);
        crypto_hash_sha256_final(&state, w->leaves[i]);
    }
}

/* RFC 6962 section 2.1, as it stands there. */
static void merkle_root(unsigned char (*leaves)[32], size_t count, unsigned char out[32])
{
    unsigned char node[65] = {1};
    size_t split = 1;
    if (count == 1) {
        memcpy(out, leaves[0], 32);
        return;
    }
    while (split * 2 < count)
        split *= 2;
    merkle_root(leaves, split, node + 1);
    merkle_root(leaves + split, count - split, node + 33);
    crypto_hash_sha256(out, node, sizeof node);
}

void world_root(const struct world *w, size_t size, unsigned char out[32])
{
    if (size > 0)
        merkle_root(w->leaves, size, out);
    else
        crypto_hash_sha256(out, NULL, 0);
}

void world_make(struct world *w, size_t line_count)
{
    *w = (struct world){.folder = "/tmp/tocsin-powercut-XXXXXX", .witness = {.truth = &w->truth}};
    unsigned char seed[32] = {1}; /* every run seals the same bytes */
    bool made = mkdtemp(w->folder) != NULL;
    assert(made);
    snprintf(w->file, sizeof w->file, "%s/journal.db", w->folder);
    crypto_sign_seed_keypair(w->public_key, w->secret_key, seed);
    note_key_text("powercut", w->public_key, w->key_text);
    lines_make(&w->lines, line_count, w->folder);
    hash_leaves(w);
    w->truth.notes = calloc(w->lines.count, sizeof *w->truth.notes);
    assert(w->truth.notes);
    vfs_install(&w->disk);
}

void world_finish(struct world *w)
{
    static const char *const names[] = {"journal.db", "journal.db.ballast", "journal.key", "journal.key.pub",
                                        "tocsin.yaml"};
    char path[200];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", w->folder, names[i]);
        unlink(path);
    }
    rmdir(w->folder);
    lines_finish(&w->lines);
    disk_finish(&w->disk);
    free(w->leaves);
    free(w->truth.notes);
}

bool world_open(struct world *w, char error[LIMIT_TEXT])
{
    assert(!w->journal);
    struct store *store = store_sqlite_create(w->file);
    w->witness.store = witness_store;
    w->witness.inner = store;
    w->journal = journal_create(&(struct journal_options){.store = &w->witness.store,
                                                          .origin = "powercut",
                                                          .secret_key = w->secret_key},
                                error);
    if (w->journal)
        return true;
    store_destroy(store);
    return false;
}

void world_close(struct world *w)
{
    world_committed(w);
    journal_destroy(w->journal);
    store_destroy(w->witness.inner);
    w->journal = NULL;
}

void world_died(struct world *w)
{
    world_committed(w);
    vfs_forget_connections();
    disk_forget_shm(&w->disk);
    w->journal = NULL; /* its memory is lost, as it should be */
    w->reader = NULL;
}

uint64_t world_committed(struct world *w)
{
    uint64_t reported = w->journal ? journal_poll(w->journal).committed_seq : 0;
    if (reported > w->truth.committed)
        w->truth.committed = reported;
    return w->truth.committed;
}

void world_append(struct world *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t seq = journal_next_seq(w->journal);
        assert(seq <= w->lines.count);
        const struct line *l = &w->lines.all[seq - 1];
        bool taken = journal_append(w->journal, &(struct journal_entry){.seq = seq,
                                                                        .line = l->text,
                                                                        .size = l->size,
                                                                        .alarm = l->alarm,
                                                                        .found_as = l->found_as,
                                                                        .note = l->note});
        assert(taken);
    }
}
