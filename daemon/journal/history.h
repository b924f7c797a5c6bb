/* history.h - reads the record without disturbing the writer: own read-only connections, short transactions,
 * on libuv's thread pool; answers on the loop.
 *
 *     history_alarm(h, "a3k5…", done, ctx);     // done(ctx, &lines) on the loop
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
    const char **notes; /* the note beside the line, or NULL (none, or erased) */
    bool more;          /* the limit cut it */
    const char *error;  /* NULL, or a sentence */
};
typedef void history_lines_fn(void *ctx, const struct history_lines *); /* valid during the call */

struct history_proof {
    uint64_t index, size;
    unsigned char leaf[32];
    unsigned char (*path)[32];
    size_t path_count;
    const char *error;
};
typedef void history_proof_fn(void *ctx, const struct history_proof *);
typedef void history_text_fn(void *ctx, const char *text, size_t size, const char *error);

struct history *history_create(uv_loop_t *, const char *database_file);
void history_destroy(struct history *);
void history_range(struct history *, uint64_t from_seq, unsigned limit, history_lines_fn *, void *ctx);
void history_alarm(struct history *, const char *alarm, unsigned limit, history_lines_fn *,
                   void *ctx); /* every event of one alarm */
/* The lines kept under a word (journal_entry.found_as: "opened", "refused"), newest first, below `before_seq`
 * (0 = newest). */
void history_found_as(struct history *, const char *word, uint64_t before_seq, unsigned limit,
                      history_lines_fn *, void *ctx);
void history_checkpoint(struct history *, history_text_fn *, void *ctx); /* the newest signed note */
void history_inclusion(struct history *, uint64_t seq, uint64_t size, history_proof_fn *, void *ctx);
void history_consistency(struct history *, uint64_t old_size, uint64_t new_size, history_proof_fn *,
                         void *ctx);

#endif
