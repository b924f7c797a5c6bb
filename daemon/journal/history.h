/* history.h - reads the record without disturbing the writer: own read-only connections, read transactions of
 * at most a second, on libuv's thread pool; answers on the loop.
 *
 * Promises: each call is answered exactly once, never from within the call; two run at a time, others wait in
 * turn. What could not be read within a second is cut, and `more` says so.
 *
 *     history_alarm(h, "a3k5…", 1000, done, ctx);     // done(ctx, &lines) on the loop
 */
#ifndef TOCSIN_HISTORY_H
#define TOCSIN_HISTORY_H

#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct history;

struct history_lines {
    size_t count;
    const char **lines; /* NUL-terminated journal lines, in order */
    const uint64_t *seqs;
    const char **notes; /* the text of the note beside the line, or NULL (none, or erased) */
    bool more;          /* the limit, 8 MB or a second of reading cut it */
    const char *error;  /* NULL, or a sentence */
};
typedef void history_lines_fn(void *ctx, const struct history_lines *); /* valid during the call */

struct history_proof {
    uint64_t index, size;
    unsigned char leaf[32]; /* inclusion only */
    unsigned char (*path)[32];
    size_t path_count;
    const char *error;
};
typedef void history_proof_fn(void *ctx, const struct history_proof *);
typedef void history_text_fn(void *ctx, const char *text, size_t size,
                             const char *error); /* NULL text on error */

struct history *history_create(uv_loop_t *, const char *database_file); /* opened when first asked */
/* Whatever was not answered yet is answered with an error: what waits for its turn at once, a read under way (it is
 * interrupted) when it ends. Nothing here waits for it, a disk may hold it for good: the loop runs on until then, and who
 * stops the loop earlier must end the process without touching what the reads use. The contexts that were given live as
 * long. NULL is fine. */
void history_destroy(struct history *);

void history_range(struct history *, uint64_t from_seq, unsigned limit, history_lines_fn *, void *ctx);
/* Every event of one alarm. */
void history_alarm(struct history *, const char *alarm, unsigned limit, history_lines_fn *, void *ctx);
/* The lines kept under a word (journal_entry.found_as: "opened", "refused"), newest first, below `before_seq`
 * (0 = newest). */
void history_found_as(struct history *, const char *word, uint64_t before_seq, unsigned limit,
                      history_lines_fn *, void *ctx);
void history_checkpoint(struct history *, history_text_fn *,
                        void *ctx); /* the newest signed note, "" when empty */
/* `size` 0 = the newest. proof.index = seq - 1. */
void history_inclusion(struct history *, uint64_t seq, uint64_t size, history_proof_fn *, void *ctx);
/* `new_size` 0 = the newest. proof.index = old_size. */
void history_consistency(struct history *, uint64_t old_size, uint64_t new_size, history_proof_fn *,
                         void *ctx);

#endif
