#include "journal/chores.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT_WAIT_MS 10000 /* a snapshot waits for quiet this long */

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

void chores_init(struct chores *c)
{
    *c = (struct chores){0};
    int code = uv_mutex_init(&c->mutex);
    assert(code == 0);
}

void chores_finish(struct chores *c)
{
    uv_mutex_destroy(&c->mutex);
    free(c->snapshot.bytes);
    free(c->erase);
}

void chores_snapshot(struct chores *c, uint64_t seq, const void *bytes, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    if (!copy)
        return;
    memcpy(copy, bytes, size);
    uv_mutex_lock(&c->mutex);
    free(c->snapshot.bytes);
    c->snapshot = (struct store_snapshot){.seq = seq, .bytes = copy, .size = size};
    c->snapshot_since_us = now_us();
    uv_mutex_unlock(&c->mutex);
}

void chores_erase(struct chores *c, uint64_t seq)
{
    uv_mutex_lock(&c->mutex);
    uint64_t *erase = realloc(c->erase, (c->erase_count + 1) * sizeof *erase);
    assert(erase);
    c->erase = erase;
    c->erase[c->erase_count++] = seq;
    uv_mutex_unlock(&c->mutex);
}

bool chores_wait(struct chores *c)
{
    uv_mutex_lock(&c->mutex);
    bool some = c->snapshot.bytes || c->erase_count;
    uv_mutex_unlock(&c->mutex);
    return some;
}

/* Takes the waiting snapshot when its moment has come. */
static bool take_snapshot(struct chores *c, uint64_t committed_seq, bool idle, struct store_snapshot *out)
{
    uv_mutex_lock(&c->mutex);
    bool due = idle || now_us() - c->snapshot_since_us > SNAPSHOT_WAIT_MS * 1000;
    bool taken = due && c->snapshot.bytes && c->snapshot.seq <= committed_seq;
    if (taken) {
        *out = c->snapshot;
        c->snapshot.bytes = NULL;
    }
    uv_mutex_unlock(&c->mutex);
    return taken;
}

static bool keep_snapshot(struct store *store, struct store_snapshot *s, char error[LIMIT_TEXT])
{
    snprintf(error, LIMIT_TEXT, "the store did not keep a snapshot");
    bool good =
        tree_frontier_at(&s->frontier, s->seq, store->subtree, store) && store->put_snapshot(store, s, error);
    free(s->bytes);
    return good;
}

/* The last one, when it is committed; 0 = none. */
static uint64_t next_to_erase(struct chores *c, uint64_t committed_seq)
{
    uv_mutex_lock(&c->mutex);
    uint64_t seq = c->erase_count ? c->erase[c->erase_count - 1] : 0;
    uv_mutex_unlock(&c->mutex);
    return seq <= committed_seq ? seq : 0;
}

static void erased(struct chores *c, uint64_t seq)
{
    uv_mutex_lock(&c->mutex);
    for (size_t i = 0; i < c->erase_count; i++) /* others may have come behind it */
        if (c->erase[i] == seq)
            c->erase[i--] = c->erase[--c->erase_count];
    uv_mutex_unlock(&c->mutex);
}

enum chore chores_do(struct chores *c, struct store *store, uint64_t committed_seq, bool idle, char error[LIMIT_TEXT])
{
    struct store_snapshot snapshot;
    if (take_snapshot(c, committed_seq, idle, &snapshot))
        return keep_snapshot(store, &snapshot, error) ? CHORE_DONE : CHORE_FAILED;
    uint64_t seq = idle ? next_to_erase(c, committed_seq) : 0;
    if (seq == 0)
        return CHORE_NONE;
    if (!store->erase_note(store, seq, error))
        return CHORE_FAILED;
    erased(c, seq);
    return CHORE_DONE;
}
