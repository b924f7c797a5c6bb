/* chores.h - what the journal's writer does when nothing wants to be committed: keep a snapshot, erase notes.
 *
 *     chores_snapshot(&c, seq, bytes, size);      // any thread, at any time
 *     chores_erase(&c, seq);
 *     while (chores_do(&c, store, committed_seq, idle, error) == CHORE_DONE)  // the writer, the store open
 *         ;
 */
#ifndef TOCSIN_CHORES_H
#define TOCSIN_CHORES_H

#include "journal/store.h"
#include <uv.h>

struct chores {
    uv_mutex_t mutex; /* guards all below */
    struct store_snapshot snapshot; /* waiting; bytes NULL = none */
    uint64_t snapshot_since_us;
    uint64_t *erase; /* seqs whose note is to go */
    size_t erase_count;
};

enum chore { CHORE_NONE, CHORE_DONE, CHORE_FAILED };

void chores_init(struct chores *);
void chores_finish(struct chores *);
/* The state after entry `seq`; copied. It replaces one that still waits. */
void chores_snapshot(struct chores *, uint64_t seq, const void *bytes, size_t size);
void chores_erase(struct chores *, uint64_t seq);
bool chores_wait(struct chores *); /* there are some, due or not */
/* Does one that is due: its entry is committed, and the writer is idle or the snapshot has waited for too long. A note that
 * could not be erased stays to be erased; a snapshot is a cache, the next one will do. FAILED: `error` says why. */
enum chore chores_do(struct chores *, struct store *, uint64_t committed_seq, bool idle, char error[LIMIT_TEXT]);

#endif
