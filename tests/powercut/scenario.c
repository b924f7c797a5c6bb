#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct play {
    struct world *world;
    struct dice *dice;
    char *why;
};

#define KIB 1024

static bool fails(struct play *p, const char *what)
{
    snprintf(p->why, LIMIT_TEXT, "%s", what);
    return false;
}

/* One group commit of so many lines, which must succeed. */
static bool commit(struct play *p, unsigned count)
{
    struct world *w = p->world;
    world_append(w, count);
    journal_commit_now(w->journal);
    struct journal_progress now = journal_poll(w->journal);
    if (now.state == JOURNAL_OK && world_committed(w) + 1 == journal_next_seq(w->journal))
        return true;
    return fails(p, now.text[0] ? now.text : "a commit came to nothing");
}

static bool commit_some(struct play *p, unsigned times, unsigned most)
{
    for (unsigned i = 0; i < times; i++)
        if (!commit(p, 1 + dice_below(p->dice, most)))
            return false;
    return true;
}

static bool open_journal(struct play *p)
{
    return world_open(p->world, p->why);
}

/* Bytes that depend on nothing but the seed; taken with the next commit. */
static void put_snapshot(struct play *p, size_t size)
{
    unsigned char *bytes = malloc(size);
    for (size_t i = 0; bytes && i < size; i++)
        bytes[i] = (unsigned char)dice_throw(p->dice);
    uint64_t seq = world_committed(p->world) - dice_below(p->dice, 5);
    if (bytes)
        journal_put_snapshot(p->world->journal, seq, bytes, size);
    free(bytes);
}

static void erase_note(struct play *p)
{
    struct world *w = p->world;
    uint64_t committed = world_committed(w), from = dice_below(p->dice, (uint32_t)committed);
    for (uint64_t i = 0; i < committed; i++) {
        uint64_t seq = (from + i) % committed + 1;
        if (w->lines.all[seq - 1].note && w->truth.notes[seq - 1] == NOTE_KEPT) {
            journal_erase_note(w->journal, seq);
            return;
        }
    }
}

static void erased_is_nowhere(struct world *w)
{
    for (size_t i = 0; i < w->lines.count; i++)
        if (w->truth.notes[i] == NOTE_ERASED)
            w->truth.notes[i] = NOTE_NOWHERE;
}

static bool begin_reading(struct play *p)
{
    sqlite3 **db = &p->world->reader;
    return (sqlite3_open_v2(p->world->file, db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
            sqlite3_exec(*db, "BEGIN; SELECT size FROM head", NULL, NULL, NULL) == SQLITE_OK) ||
           fails(p, sqlite3_errmsg(*db));
}

static void end_reading(struct play *p)
{
    sqlite3_close(p->world->reader);
    p->world->reader = NULL;
}

/* The chapters */

static bool play_commits(struct play *p)
{
    return commit_some(p, 25, 1) && commit_some(p, 15, 6);
}

static bool play_batches(struct play *p) /* subtrees are completed */
{
    return commit(p, 30 + dice_below(p->dice, 40)) && commit_some(p, 2, 3) &&
           commit(p, 300 + dice_below(p->dice, 300));
}

/* Nothing is emptied while it is busy; then there is quiet, and the log begins anew. */
static bool play_busy(struct play *p)
{
    p->world->witness.busy = true;
    bool good = commit_some(p, 45, 8);
    p->world->witness.busy = false;
    return good && commit_some(p, 6, 4);
}

static bool play_snapshots(struct play *p)
{
    static const size_t sizes[] = {600, 60 * KIB, 5 * KIB, 90 * KIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        put_snapshot(p, sizes[i] + dice_below(p->dice, 3000));
        if (!commit_some(p, 3, 4))
            return false;
    }
    return true;
}

static bool play_erasing(struct play *p)
{
    for (int i = 0; i < 3; i++) {
        erase_note(p);
        if (!commit_some(p, 1, 3))
            return false;
        erased_is_nowhere(p->world);
        if (!commit_some(p, 2, 3))
            return false;
    }
    return true;
}

/* It holds the log: nothing can be emptied, an erased note is scrubbed later. */
static bool play_reader(struct play *p)
{
    bool good = begin_reading(p) && commit_some(p, 4, 4);
    erase_note(p);
    put_snapshot(p, 3 * KIB);
    good = good && commit_some(p, 4, 40);
    end_reading(p);
    good = good && commit_some(p, 2, 4);
    erased_is_nowhere(p->world);
    return good && commit_some(p, 2, 4);
}

static bool play_closing(struct play *p)
{
    put_snapshot(p, 2 * KIB);
    world_close(p->world);
    if (!open_journal(p) || !commit_some(p, 3, 4))
        return false;
    world_close(p->world); /* with nothing in the log */
    return open_journal(p) && commit_some(p, 2, 4);
}

static bool play_death(struct play *p)
{
    world_died(p->world);
    if (!open_journal(p) || !commit_some(p, 3, 4))
        return false;
    world_died(p->world);
    return open_journal(p) && commit_some(p, 2, 4);
}

/* The disk fails once; the journal closes the store, opens it again and goes on. */
static bool play_fault(struct play *p, int kind, const char *suffix, unsigned after, bool busy)
{
    struct world *w = p->world;
    w->disk.fault.kind = kind;
    w->disk.fault.suffix = suffix;
    w->disk.fault.after = after;
    w->witness.busy = busy;
    for (int i = 0; i < 30 && w->disk.fault.kind != FAULT_NONE; i++) {
        world_append(w, 1 + dice_below(p->dice, 4));
        journal_commit_now(w->journal);
    }
    w->witness.busy = false;
    if (w->disk.fault.kind != FAULT_NONE)
        return fails(p, "the armed fault never came");
    world_append(w, 1); /* a checkpoint that failed shows with the next commit */
    for (int i = 0; i < 3 && world_committed(w) + 1 < journal_next_seq(w->journal); i++)
        journal_commit_now(w->journal);
    return commit_some(p, 4, 4);
}

static bool play_faults(struct play *p)
{
    return play_fault(p, FAULT_SYNC, "-wal", 0, true) && play_fault(p, FAULT_SYNC, "-wal", 2, true) &&
           play_fault(p, FAULT_WRITE, "-wal", dice_below(p->dice, 12), true) &&
           play_fault(p, FAULT_WRITE, "-wal", dice_below(p->dice, 12), false);
}

/* The same with the database itself, which is written when a note is erased. */
static bool play_faulty_database(struct play *p)
{
    static const int kinds[] = {FAULT_SYNC, FAULT_WRITE, FAULT_SYNC};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        erase_note(p);
        if (!play_fault(p, kinds[i], ".db", i == 1 ? dice_below(p->dice, 4) : 0, false))
            return false;
        erased_is_nowhere(p->world);
    }
    return commit_some(p, 2, 4);
}

/* And when the log has become long in traffic, and it is quiet again. */
static bool play_faulty_checkpoint(struct play *p)
{
    p->world->witness.busy = true;
    put_snapshot(p, 1200 * KIB);
    return commit(p, 2) && play_fault(p, FAULT_SYNC, ".db", 0, false);
}

/* So busy that the warm part is full: emptied all the same, begun anew. A large commit goes past its end. */
static bool play_wrapping(struct play *p)
{
    p->world->witness.busy = true;
    for (int i = 0; i < 5; i++) {
        put_snapshot(p, 4000 * KIB);
        if (!commit_some(p, 1, 6))
            return false;
    }
    p->world->witness.busy = false;
    return commit_some(p, 3, 6);
}

/* Longer than it may stay: the next beginning cuts it. */
static bool play_bursting(struct play *p)
{
    if (!begin_reading(p))
        return false;
    for (int i = 0; i < 3; i++) {
        put_snapshot(p, 17000 * KIB);
        if (!commit_some(p, 1, 6))
            return false;
    }
    end_reading(p);
    return commit_some(p, 3, 6);
}

static bool play_end(struct play *p)
{
    world_close(p->world);
    if (!open_journal(p))
        return false;
    world_close(p->world);
    return true;
}

bool scenario_play(struct world *w, struct dice *dice, scenario_chapter_fn *chapter, void *ctx,
                   char why[LIMIT_TEXT])
{
    static const struct {
        const char *name;
        bool (*play)(struct play *);
    } chapters[] = {
        {"an empty folder", open_journal},
        {"commits", play_commits},
        {"erasing", play_erasing},
        {"busy, then quiet", play_busy},
        {"snapshots", play_snapshots},
        {"a reader", play_reader},
        {"closing", play_closing},
        {"death", play_death},
        {"the log fails", play_faults},
        {"batches", play_batches},
        {"the database fails", play_faulty_database},
        {SCENARIO_HEAVY, play_faulty_checkpoint},
        {"the log wraps", play_wrapping},
        {"the log bursts", play_bursting},
        {"the end", play_end},
    };
    struct play p = {w, dice, why};
    for (size_t i = 0; i < sizeof chapters / sizeof *chapters; i++) {
        if (!chapter(ctx, chapters[i].name))
            return true;
        if (!chapters[i].play(&p))
            return false;
    }
    return true;
}
