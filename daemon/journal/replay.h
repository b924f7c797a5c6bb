/* replay.h - reads a store back from its newest usable snapshot to its head, and believes nothing unchecked.
 *
 * Checked: the head's checkpoint is signed by the key and seals the head's root; the snapshot's frontier is
 * that of the stored hashes; each line gives its stored hash and none is missing; together they lead to the
 * head's root. Does not: look at lines before the snapshot (journal_verify.h does).
 */
#ifndef TOCSIN_REPLAY_H
#define TOCSIN_REPLAY_H

#include "journal/journal.h"

bool replay_run(struct store *, const struct store_head *, const unsigned char public_key[32],
                journal_snapshot_fn *, journal_line_fn *, void *ctx, char error[LIMIT_TEXT]);

#endif
