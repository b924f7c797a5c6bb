#include "journal/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct replay {
    const struct store_head *head;
    struct tree_frontier frontier; /* of what was read so far */
    journal_line_fn *line;
    void *ctx;
    char *error;
    bool bad;
};

static bool check_seal(const struct store_head *head, const unsigned char public_key[32],
                       char error[LIMIT_TEXT])
{
    struct note_checkpoint c;
    char why[LIMIT_TEXT];
    unsigned char root[TREE_HASH];
    if (!note_verify(head->checkpoint, strlen(head->checkpoint), public_key, &c, why)) {
        snprintf(error, LIMIT_TEXT,
                 "the journal is not sealed by our key: put back the key file it was written with, or move "
                 "journal.db* away (%.110s)",
                 why);
        return false;
    }
    tree_root(&head->frontier, root);
    if (c.size == head->frontier.size && memcmp(c.root, root, TREE_HASH) == 0)
        return true;
    snprintf(error, LIMIT_TEXT,
             "the journal's head (%" PRIu64 " entries) is not the one its checkpoint seals (%" PRIu64
             " entries): it was changed or damaged; restore a backup",
             head->frontier.size, c.size);
    return false;
}

static bool complain(struct replay *r, uint64_t seq, const char *what)
{
    snprintf(r->error, LIMIT_TEXT, "journal entry %" PRIu64 " %s; restore a backup, or move the journal away",
             seq, what);
    r->bad = true;
    return false;
}

static bool on_line(void *ctx, const struct store_event *e)
{
    struct replay *r = ctx;
    uint64_t expected = r->frontier.size + 1;
    if (expected > r->head->frontier.size)
        return complain(r, e->seq, "lies behind the sealed end of the journal");
    if (e->seq != expected)
        return complain(r, expected, "is missing");
    unsigned char leaf[TREE_HASH];
    tree_leaf(leaf, e->line, e->size);
    if (memcmp(leaf, e->leaf, TREE_HASH) != 0)
        return complain(r, e->seq, "was changed or damaged: its line does not give its hash");
    tree_add(&r->frontier, leaf, NULL, NULL);
    if (r->line(r->ctx, e->seq, e->line, e->size))
        return true;
    return complain(r, e->seq, "cannot be understood");
}

/* The newest snapshot that belongs to this history. */
static bool find_snapshot(struct store *s, uint64_t size, struct store_snapshot *out)
{
    while (s->get_snapshot(s, size, out)) {
        struct tree_frontier f;
        if (out->seq > 0 && tree_frontier_at(&f, out->seq, s->subtree, s) &&
            tree_frontier_equal(&f, &out->frontier))
            return true;
        free(out->bytes);
        if (out->seq == 0)
            return false;
        size = out->seq - 1;
    }
    return false;
}

bool replay_run(struct store *s, const struct store_head *head, const unsigned char public_key[32],
                journal_snapshot_fn *on_snapshot, journal_line_fn *line, void *ctx, char error[LIMIT_TEXT])
{
    struct replay r = {.head = head, .line = line, .ctx = ctx, .error = error};
    uint64_t size = head->frontier.size, from = 1;
    struct store_snapshot snapshot;
    if (size > 0 && !check_seal(head, public_key, error))
        return false;
    if (size > 0 && find_snapshot(s, size, &snapshot)) {
        r.frontier = snapshot.frontier;
        from = snapshot.seq + 1;
        on_snapshot(ctx, snapshot.seq, snapshot.bytes, snapshot.size);
        free(snapshot.bytes);
    } else {
        on_snapshot(ctx, 0, NULL, 0);
    }
    if (!s->read(s, from, on_line, &r, error) || r.bad)
        return false;
    if (r.frontier.size < size)
        return complain(&r, r.frontier.size + 1, "and all after it are missing");
    if (tree_frontier_equal(&r.frontier, &head->frontier))
        return true;
    snprintf(error, LIMIT_TEXT,
             "the journal's entries %" PRIu64 " to %" PRIu64 " are not the sealed ones: they were "
             "changed; restore a backup, or move the journal away",
             from, size);
    return false;
}
