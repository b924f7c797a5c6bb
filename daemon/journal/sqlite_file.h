/* sqlite_file.h - what the writer, history and the verifier have in common: how a journal's database is
 * opened, how its errors become sentences, and how hashes are read from it. Nothing outside journal/ includes
 * this.
 *
 * Tables (format 2):
 *   head      one row: size, frontier (tree.h), the newest checkpoint
 *   event     seq, alarm, found_as, leaf (hash of the line), line (the record itself)
 *   lookup    kind (0: of an alarm, 1: under a word), word, seq: where history finds events
 *   looked_up one row: the events up to here stand in lookup, those after it have to be looked through
 *   subtree   hashes of complete subtrees from STORE_SUBTREE_LEVEL up
 *   note      seq, salt, text: erasable, only their hash is in the line
 *   snapshot  seq, frontier, hash of the bytes, bytes
 */
#ifndef TOCSIN_SQLITE_FILE_H
#define TOCSIN_SQLITE_FILE_H

#include "journal/store.h"
#include <sqlite3.h>
#include <sys/types.h>

#define SQLITE_FILE_APPLICATION 0x546f6373 /* "Tocs" */
#define SQLITE_FILE_FORMAT 2
#define SQLITE_FILE_BUSY_MS 250 /* how long a lock held by another program is waited for */

enum sqlite_file_mode {
    SQLITE_FILE_WRITE, /* creates it when missing; WAL, synchronous=FULL, both read back */
    SQLITE_FILE_READ
};

/* What the kernel shows of a file may be better than what the disk has: once a sync has failed, whoever's it was, the pages
 * that were not written count as clean, and the next sync says success. So the file is synced and let go of: what is read
 * from here on comes from the disk. Not for a file that SQLite locks (closing it would unlock it): the log is none.
 * False: the sync failed; do it again. True, too, when there is no such file. */
bool sqlite_file_refresh(const char *file, char error[LIMIT_TEXT]);

/* Which file stands under a name, so that it is noticed when that is another one, or none: an open file that was removed
 * takes everything, until it is closed. */
struct sqlite_file_place {
    dev_t device;
    ino_t inode;
    bool known;
};
struct sqlite_file_place sqlite_file_place(const char *file);
/* False, too, when it cannot be told. */
bool sqlite_file_left(const struct sqlite_file_place *, const char *file);

/* What a failure says of the file. */
enum sqlite_file_why {
    SQLITE_FILE_UNFIT,  /* what it holds is not what it should be */
    SQLITE_FILE_UNREAD, /* nothing: it was not to be opened, read or written */
    SQLITE_FILE_FULL    /* no room; also a quota that is used up, and a disk that says so only at the sync, which SQLite
                           calls a disk that fails */
};
enum sqlite_file_why sqlite_file_why(sqlite3 *, int code);

/* NULL: `error` says why and what would be right, and `why`, unless that is NULL. One thread at a time. */
sqlite3 *sqlite_file_open(const char *file, enum sqlite_file_mode, enum sqlite_file_why *why, char error[LIMIT_TEXT]);
/* How long its pages are. */
bool sqlite_file_page(sqlite3 *, int *bytes, char error[LIMIT_TEXT]);
/* Writes the sentence for a result code of SQLite. */
void sqlite_file_error(sqlite3 *, int code, char error[LIMIT_TEXT]);
bool sqlite_file_head(sqlite3 *, struct store_head *out, char error[LIMIT_TEXT]);
/* The newest usable snapshot with seq ≤ max_seq. */
bool sqlite_file_snapshot(sqlite3 *, uint64_t max_seq, struct store_snapshot *out);

/* The events first … last, as store.h's read(), but in many short read transactions: for reading beside a
 * daemon. False: an error; ending early by the callback is none. */
bool sqlite_file_scan(sqlite3 *, uint64_t first, uint64_t last, store_line_fn *, void *ctx,
                      char error[LIMIT_TEXT]);

/* One row of "seq, line, alarm, found_as, leaf, salt || text"; what it points to is SQLite's until the next
 * step. */
#define SQLITE_FILE_EVENTS                                                                                   \
    "SELECT e.seq, e.line, e.alarm, e.found_as, e.leaf, n.salt || n.text FROM event e LEFT JOIN note n ON "  \
    "n.seq = e.seq "
struct store_event sqlite_file_event(sqlite3_stmt *);

/* Rows of "seq, line, text". Those found have what the lookup has, and what came after it was brought up to date; both are in
 * order and merged, not sorted. ?1 is the word, ?3 how many at most (-1 = all). */
#define SQLITE_FILE_LINES "SELECT e.seq, e.line, n.text FROM event e LEFT JOIN note n ON n.seq = e.seq "
#define SQLITE_FILE_FOUND(kind, column, range, order)                                                        \
    "SELECT e.seq, e.line, n.text FROM (SELECT seq FROM lookup WHERE kind = " kind                           \
    " AND word = ?1 AND " range                                                                              \
    " UNION ALL SELECT seq FROM event WHERE seq > (SELECT seq FROM looked_up) AND " column                   \
    " = ?1 AND " range " ORDER BY seq " order " LIMIT ?3) f"                                                 \
    " JOIN event e ON e.seq = f.seq LEFT JOIN note n ON n.seq = e.seq ORDER BY f.seq " order
/* Every event of the alarm ?1. */
#define SQLITE_FILE_ALARM SQLITE_FILE_FOUND("0", "alarm", "seq > 0", "ASC")

struct sqlite_hashes {
    sqlite3_stmt *leaves, *subtree;
};
bool sqlite_hashes_init(struct sqlite_hashes *, sqlite3 *);
void sqlite_hashes_finish(struct sqlite_hashes *);
bool sqlite_hashes_get(void *hashes, unsigned level, uint64_t index,
                       unsigned char out[TREE_HASH]); /* tree_hash_fn */

#endif
