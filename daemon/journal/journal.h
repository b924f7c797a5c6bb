/* journal.h - the record: lines in order, group-committed on a thread of its own, sealed by signed
 * checkpoints.
 *
 * Promises: a line reported by journal_poll() as committed is synced to disk, is a leaf of the RFC 6962 tree
 * and is covered by a signed checkpoint in the same commit. While one batch syncs, the next gathers; when many lines come
 * together, commits begin at most every 3 ms, so that there are fewer and larger ones. A failed
 * write or sync is never retried on the same connection: the store is closed and reopened, the head re-read
 * and compared, and only then what is missing is written again; until that works the journal is degraded, and
 * says so. Does not: know what a line means (alarm and found_as are only index columns), decide anything.
 *
 * Lines stay the caller's memory until journal_poll() has reported them committed.
 *
 *     struct journal *j = journal_create(&options, error);
 *     struct journal_entry e = {.seq = journal_next_seq(j), .line = …};
 *     journal_append(j, &e);  journal_kick(j);       // on the loop
 *     … wake(ctx) is called from the writer thread; then, on the loop:
 *     struct journal_progress p = journal_poll(j);   // p.committed_seq went up
 */
#ifndef TOCSIN_JOURNAL_H
#define TOCSIN_JOURNAL_H

#include "journal/store.h"
#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

enum journal_state {
    JOURNAL_OK,
    JOURNAL_SLOW,    /* a commit has been under way for more than slow_ms */
    JOURNAL_DEGRADED /* the store does not work; entries wait in memory */
};

struct journal_entry {
    uint64_t seq;
    const char *line; /* one JSON object, no newline; not copied */
    size_t size;
    const char *alarm;    /* "" or the alarm id, not copied; for the index */
    const char *found_as; /* NULL, or a static word under which history finds the line: "opened", "refused" */
    const char *note; /* NULL, or salt (32 hex digits) followed by the note's text: stored beside, erasable;
                         not copied */
};

struct journal_progress {
    uint64_t committed_seq;
    enum journal_state state;
    bool concern; /* commits work, but `text` says what an administrator must see to: the disk is full and the
                     reserve is in use, a reader holds the write-ahead log. May be set in any state. */
    char text[LIMIT_TEXT]; /* why it is not OK, or the concern; "" when neither */
    uint64_t size;         /* = committed_seq */
    unsigned char root[32];
    uint32_t last_commit_us;
};

struct journal_options {
    struct store *store;             /* opened by journal_create; stays the caller's to destroy */
    const char *origin;              /* the checkpoint's origin line and key name */
    const unsigned char *secret_key; /* Ed25519, 64 bytes (libsodium), copied to locked memory */
    bool threaded;           /* false: nothing happens until journal_commit_now(), for tests and simulation */
    uint32_t slow_ms;        /* 2000 */
    void (*wake)(void *ctx); /* from the writer's thread */
    void *ctx;
};

struct journal *journal_create(const struct journal_options *,
                               char error[LIMIT_TEXT]); /* NULL: error says why */
/* Commits what is gathered and stops the thread, within 3 s. False: a call into the store hangs (a disk that
 * does not answer); journal and store must then be left alone, but for another try, and the process should
 * end. NULL is fine. */
bool journal_destroy(struct journal *);

uint64_t journal_next_seq(const struct journal *);
/* Entries must come in sequence. False: the backlog (LIMIT_BACKLOG) is full; the entry was not taken. */
bool journal_append(struct journal *, const struct journal_entry *);
void journal_kick(struct journal *);
/* An entry will probably be appended in a moment: the writer wakes up now and waits for it, EXPECT_US at
 * most. From any thread. */
void journal_expect(struct journal *);
/* For the thread that appends, when it waits awake for the commit: makes the batch's signature when that is wanted. True:
 * nothing is left to be done for the batch under way. */
bool journal_help(struct journal *);
/* What journal_poll() will say: for the same thread, which looks again and again. */
uint64_t journal_committed_seq(const struct journal *);
void journal_commit_now(struct journal *); /* not threaded: one group commit, in the caller's thread */
struct journal_progress journal_poll(struct journal *);
/* A rebuildable cache of everything up to `seq`; copied. Stored by the writer in the next quiet moment once
 * `seq` is committed, at the latest after ten seconds of traffic or in journal_destroy(); a newer one
 * replaces a waiting one. */
void journal_put_snapshot(struct journal *, uint64_t seq, const void *bytes, size_t size);
/* Removes the text and salt kept beside entry `seq`, soon and for good; hashes and proofs stay valid. */
void journal_erase_note(struct journal *, uint64_t seq);

/* At start, before the first append. Calls `entry` for each line after the newest usable snapshot, in order;
 * the snapshot first (NULL when there is none). False: `error` names the first bad entry. */
typedef void journal_snapshot_fn(void *ctx, uint64_t seq, const void *bytes, size_t size);
typedef bool journal_line_fn(void *ctx, uint64_t seq, const char *line, size_t size);
bool journal_replay(struct journal *, journal_snapshot_fn *, journal_line_fn *, void *ctx,
                    char error[LIMIT_TEXT]);

#endif
