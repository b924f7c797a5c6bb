/* A store that forgets everything with the process; for tests, simulation and a daemon whose disk is gone. */
#include "journal/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kept {
    char *line, *alarm, *found_as, *note;
    size_t size;
    unsigned char leaf[TREE_HASH];
};

struct memory {
    struct store store; /* first: a struct store * is a struct memory * */
    struct store_head head;
    struct kept *events;
    size_t count, capacity;
    struct store_snapshot snapshots[2]; /* older, newest; seq 0 = none */
};

static bool memory_open(struct store *s, struct store_head *head, char error[LIMIT_TEXT])
{
    *head = ((struct memory *)s)->head;
    return true;
}

static void memory_close(struct store *s)
{
}

static char *copy_or_null(const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    assert(!text || copy);
    return copy;
}

static enum store_answer memory_append(struct store *s, const struct store_head *expected,
                                       const struct store_batch *b, char error[LIMIT_TEXT])
{
    struct memory *m = (struct memory *)s;
    if (!tree_frontier_equal(&m->head.frontier, &expected->frontier))
        return STORE_MOVED;
    if (m->count + b->count > m->capacity) {
        size_t capacity = (m->count + b->count) * 2;
        struct kept *events = realloc(m->events, capacity * sizeof *events);
        if (!events) {
            snprintf(error, LIMIT_TEXT, "there is no memory left for the journal: give the daemon more");
            return STORE_FULL;
        }
        m->events = events;
        m->capacity = capacity;
    }
    for (size_t i = 0; i < b->count; i++) {
        const struct store_event *e = &b->events[i];
        struct kept *k = &m->events[m->count++];
        *k = (struct kept){.line = malloc(e->size + 1),
                           .size = e->size,
                           .alarm = copy_or_null(e->alarm),
                           .found_as = copy_or_null(e->found_as),
                           .note = copy_or_null(e->note)};
        assert(k->line);
        memcpy(k->line, e->line, e->size);
        k->line[e->size] = 0;
        memcpy(k->leaf, e->leaf, TREE_HASH);
    }
    if (b->seal)
        b->seal(b->ctx);
    m->head = *b->head;
    return STORE_OK;
}

static bool memory_read(struct store *s, uint64_t from_seq, store_line_fn *line, void *ctx,
                        char error[LIMIT_TEXT])
{
    struct memory *m = (struct memory *)s;
    for (size_t i = from_seq ? from_seq - 1 : 0; i < m->count; i++) {
        const struct kept *k = &m->events[i];
        struct store_event e = {.seq = i + 1,
                                .line = k->line,
                                .size = k->size,
                                .alarm = k->alarm,
                                .found_as = k->found_as,
                                .note = k->note};
        memcpy(e.leaf, k->leaf, TREE_HASH);
        if (!line(ctx, &e))
            break;
    }
    return true;
}

static bool memory_subtree(void *store, unsigned level, uint64_t index, unsigned char out[TREE_HASH])
{
    struct memory *m = store;
    if (((index + 1) << level) > m->count)
        return false;
    struct tree_frontier f = {0};
    for (uint64_t i = index << level; i < (index + 1) << level; i++)
        tree_add(&f, m->events[i].leaf, NULL, NULL);
    tree_root(&f, out);
    return true;
}

static bool memory_put_snapshot(struct store *s, const struct store_snapshot *snapshot,
                                char error[LIMIT_TEXT])
{
    struct memory *m = (struct memory *)s;
    unsigned char *bytes = malloc(snapshot->size ? snapshot->size : 1);
    if (!bytes)
        return false;
    memcpy(bytes, snapshot->bytes, snapshot->size);
    if (m->snapshots[1].seq != snapshot->seq) {
        free(m->snapshots[0].bytes);
        m->snapshots[0] = m->snapshots[1];
    } else {
        free(m->snapshots[1].bytes);
    }
    m->snapshots[1] = *snapshot;
    m->snapshots[1].bytes = bytes;
    return true;
}

static bool memory_get_snapshot(struct store *s, uint64_t max_seq, struct store_snapshot *out)
{
    struct memory *m = (struct memory *)s;
    for (int i = 1; i >= 0; i--) {
        const struct store_snapshot *have = &m->snapshots[i];
        if (!have->bytes || have->seq > max_seq)
            continue;
        *out = *have;
        out->bytes = malloc(have->size ? have->size : 1);
        if (!out->bytes)
            return false;
        memcpy(out->bytes, have->bytes, have->size);
        return true;
    }
    return false;
}

static bool memory_erase_note(struct store *s, uint64_t seq, char error[LIMIT_TEXT])
{
    struct memory *m = (struct memory *)s;
    error[0] = '\0';
    if (seq >= 1 && seq <= m->count) {
        free(m->events[seq - 1].note);
        m->events[seq - 1].note = NULL;
    }
    return true;
}

static bool memory_tidy(struct store *s, bool idle, char error[LIMIT_TEXT])
{
    return true;
}

static const char *memory_concern(struct store *s)
{
    return NULL;
}

static void memory_destroy(struct store *s)
{
    struct memory *m = (struct memory *)s;
    for (size_t i = 0; i < m->count; i++) {
        free(m->events[i].line);
        free(m->events[i].alarm);
        free(m->events[i].found_as);
        free(m->events[i].note);
    }
    free(m->events);
    free(m->snapshots[0].bytes);
    free(m->snapshots[1].bytes);
    free(m);
}

struct store *store_memory_create(void)
{
    struct memory *m = calloc(1, sizeof *m);
    assert(m);
    m->store = (struct store){
        .open = memory_open,
        .close = memory_close,
        .append = memory_append,
        .read = memory_read,
        .subtree = memory_subtree,
        .put_snapshot = memory_put_snapshot,
        .get_snapshot = memory_get_snapshot,
        .erase_note = memory_erase_note,
        .tidy = memory_tidy,
        .concern = memory_concern,
        .destroy = memory_destroy,
    };
    return &m->store;
}
