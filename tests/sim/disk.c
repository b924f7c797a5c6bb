/* A store around the one in memory that fails as disks do: a commit may be there although it failed, a crash
 * may come before or after it, the newest snapshot may be gone. What it says OK to stays for ever. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

static bool disk_open(struct store *s, struct store_head *head, char error[LIMIT_TEXT])
{
    struct disk *d = (struct disk *)s;
    struct world *w = d->world;
    if (d->dead || d->mood == DISK_GONE || (d->mood == DISK_FAILING && faulty(w, FAULT_DISK, 5000))) {
        snprintf(error, LIMIT_TEXT, "the disk does not answer");
        return false;
    }
    return d->memory->open(d->memory, head, error);
}

static void disk_close(struct store *s)
{
}

static bool fails(struct disk *d)
{
    static const uint32_t extra[] = {
        [DISK_GOOD] = 0, [DISK_FAILING] = 6000, [DISK_FULL] = 10000, [DISK_SLOW] = 0, [DISK_GONE] = 10000};
    return faulty(d->world, FAULT_DISK, d->world->rates.commit_fails + extra[d->mood]);
}

static enum store_answer disk_append(struct store *s, const struct store_head *expected,
                                     const struct store_batch *b, char error[LIMIT_TEXT])
{
    struct disk *d = (struct disk *)s;
    struct world *w = d->world;
    snprintf(error, LIMIT_TEXT, d->mood == DISK_FULL ? "the disk is full" : "the disk does not answer");
    if (d->dead)
        return STORE_FAILED;
    bool failed = fails(d);
    bool kept = !failed || (d->mood != DISK_GONE && dice_chance(&w->dice, d->mood == DISK_FULL ? 500 : 4000));
    daemon_perhaps_die(w, MARK_die_before_commit);
    if (kept) {
        enum store_answer answer = d->memory->append(d->memory, expected, b, error);
        if (answer != STORE_OK)
            return answer;
        for (size_t i = 0; i < b->count; i++)
            ledger_keep(w, b->events[i].seq, b->events[i].line, b->events[i].size);
        ledger_commit(w, b->head);
    }
    daemon_perhaps_die(w, MARK_die_after_commit);
    if (!failed)
        return STORE_OK;
    say(w, "disk      %s; the commit of %zu is %s", error, b->count, kept ? "there all the same" : "lost");
    mark(w, kept ? MARK_commit_failed_kept : MARK_commit_failed_lost);
    if (d->mood == DISK_FULL)
        mark(w, MARK_disk_full);
    return d->mood == DISK_FULL ? STORE_FULL : STORE_FAILED;
}

static bool disk_read(struct store *s, uint64_t from_seq, store_line_fn *line, void *ctx,
                      char error[LIMIT_TEXT])
{
    struct disk *d = (struct disk *)s;
    return d->memory->read(d->memory, from_seq, line, ctx, error);
}

static bool disk_subtree(void *store, unsigned level, uint64_t index, unsigned char out[TREE_HASH])
{
    struct disk *d = store;
    return d->memory->subtree(d->memory, level, index, out);
}

static bool disk_put_snapshot(struct store *s, const struct store_snapshot *snapshot, char error[LIMIT_TEXT])
{
    struct disk *d = (struct disk *)s;
    if (d->dead || faulty(d->world, FAULT_DISK, 500))
        return false;
    return d->memory->put_snapshot(d->memory, snapshot, error);
}

static bool disk_get_snapshot(struct store *s, uint64_t max_seq, struct store_snapshot *out)
{
    struct disk *d = (struct disk *)s;
    bool have = d->memory->get_snapshot(d->memory, max_seq, out);
    if (have && faulty(d->world, FAULT_DISK, 2000)) { /* it was never synced: the one before it has to do */
        mark(d->world, MARK_snapshot_lost);
        free(out->bytes);
        return out->seq > 0 && d->memory->get_snapshot(d->memory, out->seq - 1, out);
    }
    if (have)
        mark(d->world, MARK_started_from_snapshot);
    return have;
}

static bool disk_erase_note(struct store *s, uint64_t seq, char error[LIMIT_TEXT])
{
    struct disk *d = (struct disk *)s;
    return !d->dead && d->memory->erase_note(d->memory, seq, error);
}

static bool disk_tidy(struct store *s, bool idle, char error[LIMIT_TEXT])
{
    return true;
}

static const char *disk_concern(struct store *s)
{
    return NULL;
}

void disk_init(struct world *w)
{
    w->disk = (struct disk){.store = {.open = disk_open,
                                      .close = disk_close,
                                      .append = disk_append,
                                      .read = disk_read,
                                      .subtree = disk_subtree,
                                      .put_snapshot = disk_put_snapshot,
                                      .get_snapshot = disk_get_snapshot,
                                      .erase_note = disk_erase_note,
                                      .tidy = disk_tidy,
                                      .concern = disk_concern},
                            .memory = store_memory_create(),
                            .world = w};
}

void disk_finish(struct world *w)
{
    store_destroy(w->disk.memory);
}
