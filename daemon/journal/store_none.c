/* The journal that cannot be used: it opens empty and takes nothing, so that the daemon runs without a record, loudly,
 * rather than not at all. */
#include "journal/store.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct none {
    struct store store; /* first: a struct store * is a struct none * */
    char reason[LIMIT_TEXT];
};

static bool none_open(struct store *s, struct store_head *head, char error[LIMIT_TEXT])
{
    memset(head, 0, sizeof *head);
    return true;
}

static void none_close(struct store *s)
{
}

static enum store_answer none_append(struct store *s, const struct store_head *expected, const struct store_batch *b,
                                     char error[LIMIT_TEXT])
{
    memcpy(error, ((struct none *)s)->reason, LIMIT_TEXT);
    return STORE_FAILED;
}

static bool none_read(struct store *s, uint64_t from_seq, store_line_fn *line, void *ctx, char error[LIMIT_TEXT])
{
    return true;
}

static bool none_subtree(void *store, unsigned level, uint64_t index, unsigned char out[TREE_HASH])
{
    return false;
}

static bool none_put_snapshot(struct store *s, const struct store_snapshot *snapshot, char error[LIMIT_TEXT])
{
    return true;
}

static bool none_get_snapshot(struct store *s, uint64_t max_seq, struct store_snapshot *out)
{
    return false;
}

static bool none_erase_note(struct store *s, uint64_t seq, char error[LIMIT_TEXT])
{
    error[0] = '\0';
    return true;
}

static bool none_tidy(struct store *s, bool idle, char error[LIMIT_TEXT])
{
    return true;
}

static const char *none_concern(struct store *s)
{
    return NULL;
}

static void none_destroy(struct store *s)
{
    free(s);
}

struct store *store_none_create(const char *reason)
{
    struct none *n = calloc(1, sizeof *n);
    assert(n);
    n->store = (struct store){.open = none_open,
                              .close = none_close,
                              .append = none_append,
                              .read = none_read,
                              .subtree = none_subtree,
                              .put_snapshot = none_put_snapshot,
                              .get_snapshot = none_get_snapshot,
                              .erase_note = none_erase_note,
                              .tidy = none_tidy,
                              .concern = none_concern,
                              .destroy = none_destroy};
    snprintf(n->reason, sizeof n->reason, "%s", reason);
    return &n->store;
}
