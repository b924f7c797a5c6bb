/* sqlite_log.h - the write-ahead log of the journal's database, as its writer keeps it: warm, that is as long as it will
 * ever be from the start, and written over again and again, because an fdatasync that also has to make new blocks known
 * costs more than twice as much; copied back into the database when nothing waits; and known as far as it is certain, so
 * that a commit whose sync failed can be taken back. Used by store_sqlite.c alone, on its one connection.
 *
 *     if (!sqlite_log_begin(&log, db, error)) …         // of a connection just opened
 *     if (code == SQLITE_IOERR_FSYNC) sqlite_log_disown(&log);
 *     if (sqlite_log_is_due(&log, idle)) sqlite_log_copy(&log, SQLITE_CHECKPOINT_PASSIVE, &code);
 */
#ifndef TOCSIN_SQLITE_LOG_H
#define TOCSIN_SQLITE_LOG_H

#include "journal/sqlite_file.h"

struct sqlite_log {
    char *file;
    sqlite3 *db;
    int frame_bytes;                /* a page and what stands before it */
    int frames;                     /* in it after the last commit */
    int synced;                     /* frames that are certain, in the database or not; -1 = not known */
    unsigned char salt[8];          /* of the log that has them */
    bool salt_known;                /* false: the next commit may begin the log anew */
    int64_t copy_at_bytes;          /* from where on even a busy writer empties it */
    struct sqlite_file_place place; /* of the file as it was opened */
    bool left;                      /* it was removed or replaced */
};

/* False: `error` says why. */
bool sqlite_log_begin(struct sqlite_log *, sqlite3 *, char error[LIMIT_TEXT]);
/* The connection is good and the log's file is the one that stands there now. */
void sqlite_log_keep(struct sqlite_log *);
/* Looks whether it still stands there. */
void sqlite_log_watch(struct sqlite_log *);
int64_t sqlite_log_bytes(const struct sqlite_log *);
bool sqlite_log_is_due(const struct sqlite_log *, bool idle);
/* True when all of the log has gone back into the database. */
bool sqlite_log_copy(struct sqlite_log *, int mode, int *code);
/* After a sync that failed: the commit is taken back. */
void sqlite_log_disown(struct sqlite_log *);
/* Makes its file as long as it will be, when there is room. */
void sqlite_log_warm(struct sqlite_log *);

#endif
