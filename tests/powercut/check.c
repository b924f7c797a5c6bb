#include "check.h"
#include "journal/journal_verify.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_FOUND_BY 16 /* bytes of its salt */

struct check {
    struct world *world;
    bool may_fail;
    uint64_t next, snapshot; /* what the next line's seq must be; of the snapshot that was used */
    char *why;
};

__attribute__((format(printf, 2, 3))) static bool bad(struct check *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->why, LIMIT_TEXT, format, arguments);
    va_end(arguments);
    return false;
}

static bool check_line(struct check *c, uint64_t seq, const char *line, size_t size)
{
    const struct line *l = &c->world->lines.all[seq - 1];
    if (seq != c->next)
        return bad(c, "entry %" PRIu64 " comes where %" PRIu64 " should", seq, c->next);
    c->next++;
    if (seq > c->world->truth.submitted)
        return bad(c, "entry %" PRIu64 " was never written", seq);
    if (size != l->size || memcmp(line, l->text, size) != 0)
        return bad(c, "entry %" PRIu64 " is not the one that was written", seq);
    return true;
}

/* Starting, as the engine does */

static void on_snapshot(void *ctx, uint64_t seq, const void *bytes, size_t size)
{
    struct check *c = ctx;
    const struct truth *t = &c->world->truth;
    unsigned char hash[32];
    c->next = seq + 1;
    c->snapshot = seq;
    if (seq == 0)
        return;
    crypto_hash_sha256(hash, bytes, size);
    for (size_t i = 0; i < t->snapshot_count; i++)
        if (t->snapshots[i].seq == seq && t->snapshots[i].size == size &&
            memcmp(t->snapshots[i].hash, hash, 32) == 0)
            return;
    bad(c, "the snapshot at %" PRIu64 " is none that was written", seq);
}

static bool on_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
    return check_line(ctx, seq, line, size);
}

static bool start(struct check *c)
{
    struct world *w = c->world;
    char error[LIMIT_TEXT] = "";
    bool open = world_open(w, error) || (c->may_fail && world_open(w, error));
    if (!open)
        return bad(c, "the journal does not open: %.200s", error);
    struct journal_progress p = journal_poll(w->journal);
    if (p.committed_seq < w->truth.committed)
        return bad(c, "it ends at entry %" PRIu64 ", but %" PRIu64 " were committed", p.committed_seq,
                   w->truth.committed);
    if (p.committed_seq > w->truth.submitted)
        return bad(c, "it ends at entry %" PRIu64 ", but only %" PRIu64 " were written", p.committed_seq,
                   w->truth.submitted);
    c->why[0] = 0;
    if (!journal_replay(w->journal, on_snapshot, on_line, c, error))
        return c->why[0] ? false : bad(c, "replay: %.220s", error);
    if (c->why[0])
        return false;
    if (c->next != p.committed_seq + 1)
        return bad(c, "replay ended at entry %" PRIu64 " of %" PRIu64, c->next - 1, p.committed_seq);
    if (c->snapshot < w->truth.snapshot_sure)
        return bad(c, "the snapshot at %" PRIu64 " was kept, the newest found is that at %" PRIu64,
                   w->truth.snapshot_sure, c->snapshot);
    return true;
}

/* All of it, with what stands beside the lines */

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool on_event(void *ctx, const struct store_event *e)
{
    struct check *c = ctx;
    if (!check_line(c, e->seq, e->line, e->size))
        return false;
    const struct line *l = &c->world->lines.all[e->seq - 1];
    enum note_state note = c->world->truth.notes[e->seq - 1];
    if (!same_text(e->alarm, l->alarm) || !same_text(e->found_as, l->found_as))
        return bad(c, "entry %" PRIu64 " is found under \"%.30s\" and \"%.30s\"", e->seq, e->alarm,
                   e->found_as ? e->found_as : "");
    if (e->note ? note >= NOTE_ERASED || !same_text(e->note, l->note) : l->note && note == NOTE_KEPT)
        return bad(c, "the note beside entry %" PRIu64 " is %s", e->seq,
                   !e->note              ? "gone"
                   : note >= NOTE_ERASED ? "there again"
                                         : "another");
    return true;
}

static bool read_all(struct check *c)
{
    struct world *w = c->world;
    char error[LIMIT_TEXT] = "";
    unsigned char root[32];
    c->next = 1;
    if (!w->witness.inner->read(w->witness.inner, 1, on_event, c, error))
        return bad(c, "reading: %.220s", error);
    if (c->why[0])
        return false;
    struct journal_progress p = journal_poll(w->journal);
    world_root(w, p.committed_seq, root);
    if (c->next != p.committed_seq + 1 || memcmp(root, p.root, 32) != 0)
        return bad(c, "%" PRIu64 " entries are there, the head speaks of %" PRIu64 "%s", c->next - 1,
                   p.committed_seq, c->next == p.committed_seq + 1 ? " and of another root" : "");
    return true;
}

/* What was said to be nowhere stands in none of the files. */
static bool find_erased(struct check *c)
{
    struct world *w = c->world;
    for (size_t i = 0; i < w->lines.count; i++)
        for (size_t n = 0; n < DISK_NAMES && w->truth.notes[i] == NOTE_NOWHERE; n++) {
            const struct disk_file *f = w->disk.names[n].file;
            if (f && memmem(f->bytes, f->zero_from, w->lines.all[i].note, NOTE_FOUND_BY))
                return bad(c, "the erased note of entry %zu stands in %s", i + 1,
                           strrchr(w->disk.names[n].path, '/') + 1);
        }
    return true;
}

/* Going on */

static bool go_on(struct check *c)
{
    struct world *w = c->world;
    static const unsigned counts[] = {1, 3, 40};
    static const unsigned char snapshot[5000] = "a new one";
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (journal_next_seq(w->journal) + counts[i] > w->lines.count)
            return bad(c, "the scenario uses more lines than there are");
        if (i == 1 && journal_next_seq(w->journal) > 1)
            journal_put_snapshot(w->journal, journal_next_seq(w->journal) - 1, snapshot, sizeof snapshot);
        world_append(w, counts[i]);
        for (int tries = 0; tries < (c->may_fail ? 3 : 1); tries++)
            journal_commit_now(w->journal);
        struct journal_progress p = journal_poll(w->journal);
        if (p.state != JOURNAL_OK || p.committed_seq + 1 != journal_next_seq(w->journal))
            return bad(c, "it does not go on: %.220s", p.text);
        world_committed(w);
    }
    return true;
}

static bool verify(struct check *c)
{
    struct world *w = c->world;
    struct journal_verify_report r;
    if (!journal_verify_database(w->file, &(struct journal_verify_options){.public_key = w->key_text}, &r))
        return bad(c, "verify: %.220s", r.text);
    return r.size == world_committed(w) || bad(c, "verify saw %" PRIu64 " entries", r.size);
}

bool check_world(struct world *w, bool may_fail, char why[LIMIT_TEXT])
{
    struct check c = {.world = w, .may_fail = may_fail, .why = why};
    why[0] = 0;
    if (!find_erased(&c) || !start(&c) || !read_all(&c) || !go_on(&c) || !verify(&c))
        return false;
    world_close(w);
    bool good = start(&c);
    if (good)
        world_close(w);
    return good;
}
