/* lines.h - journal lines in order, wherever they are: the daemon, a database, an export folder.
 *
 * Promises: reads only, a page at a time, so that a running daemon is not held up.
 *
 *     struct lines *l = lines_of_path("/tmp/evidence");
 *     lines_page(l, 1, 1000, on_line, ctx);
 *     lines_close(l);
 */
#ifndef TOCSIN_CLI_LINES_H
#define TOCSIN_CLI_LINES_H

#include "cli/server.h"

#define LINES_PAGE 1000

struct lines;

struct lines *lines_of_server(struct server *); /* the server stays the caller's */
struct lines *lines_of_path(const char *path);  /* a folder or a database; NULL: complained */
void lines_close(struct lines *);

/* Up to `limit` lines from `from_seq` (from 1) on. `note`: the words beside it, NULL = none, erased or not to
 * be had. False ends the page. */
typedef bool lines_fn(void *ctx, uint64_t seq, const char *line, size_t size, const char *note);
int lines_page(struct lines *, uint64_t from_seq, unsigned limit, lines_fn *, void *ctx);

/* How many there are; RESULT_OK or complained. */
int lines_count(struct lines *, uint64_t *out);

/* The first entry at or after a moment; one past the end when there is none. Wall clocks may step: where they
 * did, the entries just around the step may be missed. */
int lines_from_moment(struct lines *, int64_t at_ms, uint64_t *seq);

#endif
