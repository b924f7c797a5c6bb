/* store.h - the seam behind the journal: where lines, hashes and the head are kept. One of the two structs of
 * functions in the daemon: memory, SQLite, later PostgreSQL.
 *
 * Promises of every store: append() is one transaction and compare-and-extend: all of the batch and the new
 * head, or nothing, and only when the head is still the expected one. After STORE_OK it survives a power cut
 * (memory: a close). After STORE_FAILED the outcome is unknown: close(), open() and look at the head.
 * append() never retries. Used by one thread at a time.
 *
 *     struct store *s = store_sqlite_create("/var/lib/tocsin/journal.db");
 *     if (!s->open(s, &head, error)) …
 *     enum store_answer a = s->append(s, &head, &batch, error);
 *     s->close(s);  store_destroy(s);
 */
#ifndef TOCSIN_STORE_H
#define TOCSIN_STORE_H

#include "journal/note.h"
#include "journal/tree.h"
#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum store_answer {
    STORE_OK,
    STORE_MOVED, /* the head is not the expected one; nothing was written */
    STORE_FULL,  /* the disk is full; outcome as for FAILED */
    STORE_FAILED
};

/* Everything that seals the record at one moment. */
struct store_head {
    struct tree_frontier frontier;
    char checkpoint[NOTE_TEXT]; /* "" when empty */
};

struct store_event {
    uint64_t seq;
    const char *line;
    size_t size;
    const char *alarm;    /* "" = none */
    const char *found_as; /* NULL = none */
    const char *note;     /* NULL, or salt (32 hex digits) and text */
    unsigned char leaf[TREE_HASH];
};

/* Stores keep the hashes of complete subtrees from this level up, so that a proof over millions reads little.
 */
#define STORE_SUBTREE_LEVEL 8 /* 2^8 = 256 leaves */

struct store_subtree {
    unsigned level;
    uint64_t index;
    unsigned char hash[TREE_HASH];
};

struct store_batch {
    const struct store_event *events;
    size_t count;
    const struct store_subtree *subtrees; /* completed by these events */
    size_t subtree_count;
    const struct store_head *head; /* after the batch */
    /* NULL, or fills head->checkpoint. A store calls it when all else of the batch is put: it may take a while. */
    void (*seal)(void *ctx);
    void *ctx;
};

/* Valid during the call. False ends the reading. `leaf` is what was stored, not what the line gives. */
typedef bool store_line_fn(void *ctx, const struct store_event *);

struct store_snapshot {
    uint64_t seq;
    struct tree_frontier frontier; /* of the first seq leaves */
    unsigned char *bytes;          /* malloc; the caller frees */
    size_t size;
};

struct store {
    bool (*open)(struct store *, struct store_head *, char error[LIMIT_TEXT]);
    void (*close)(struct store *); /* nothing is tried on a store that failed */
    enum store_answer (*append)(struct store *, const struct store_head *expected, const struct store_batch *,
                                char error[LIMIT_TEXT]);
    /* Lines from `from_seq` on, in order. True: all were given, or the callback ended it. */
    bool (*read)(struct store *, uint64_t from_seq, store_line_fn *, void *ctx, char error[LIMIT_TEXT]);
    /* Any complete subtree, also a leaf. Same shape as tree_hash_fn. */
    bool (*subtree)(void *store, unsigned level, uint64_t index, unsigned char out[TREE_HASH]);
    /* Replaces older snapshots but the newest of them. */
    bool (*put_snapshot)(struct store *, const struct store_snapshot *, char error[LIMIT_TEXT]);
    /* The newest whose seq ≤ max_seq and whose bytes are as they were written. False: there is none. */
    bool (*get_snapshot)(struct store *, uint64_t max_seq, struct store_snapshot *out);
    /* True also when there was none. `error` is then "", or says why its words may still be found in the files: tidy() goes on
     * with it, and so does another call. */
    bool (*erase_note)(struct store *, uint64_t seq, char error[LIMIT_TEXT]);
    /* Housekeeping that may wait: `idle` = nothing wants to be committed. Called after each commit and in
     * quiet. False: the store works no more, as after STORE_FAILED. */
    bool (*tidy)(struct store *, bool idle, char error[LIMIT_TEXT]);
    /* NULL, or a sentence on what an administrator must see to although commits work: the disk is full and
     * the reserve in use, the log was removed. The text is the store's, until the next call. */
    const char *(*concern)(struct store *);
    void (*destroy)(struct store *);
};

struct store *store_memory_create(void);
struct store *store_sqlite_create(const char *file);
/* Takes nothing and says why: for running without a record when the journal cannot be used. */
struct store *store_none_create(const char *reason);
void store_destroy(struct store *); /* closed or not; NULL is fine */

#endif
