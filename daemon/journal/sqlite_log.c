#include "journal/sqlite_log.h"
#include "journal/reserve.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#define LOG_HEADER 32        /* bytes; sqlite.org/fileformat2.html, section 4.1 */
#define LOG_SALT 16          /* where in it: a log that is begun anew has another */
#define FRAME_HEADER 24      /* bytes before each page */
#define LOG_BYTES (16 * MIB) /* the warm log */
#define LOG_FULL_BYTES (LOG_BYTES - MIB / 4) /* the next commit may be a large one */
#define LOG_LIMIT_BYTES (48 * MIB)           /* a burst needs more than the warm part; the rest is cut off */
#define LOG_IDLE_BYTES MIB                   /* in quiet it is emptied from here on */
#define LOG_STEP_BYTES (4 * MIB)             /* a reader held it: try again after so many more */

/* SQLite's own handle of the write-ahead log; NULL when there is none. */
static sqlite3_file *log_file(const struct sqlite_log *l)
{
    sqlite3_file *log = NULL;
    int code = sqlite3_file_control(l->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    return code == SQLITE_OK && log && log->pMethods ? log : NULL;
}

/* What is certain of the log, so that it is known where a commit began. */
static void remember_log(struct sqlite_log *l, int frames)
{
    sqlite3_file *log = log_file(l);
    if (!l->salt_known)
        l->salt_known = log && log->pMethods->xRead(log, l->salt, sizeof l->salt, LOG_SALT) == SQLITE_OK;
    l->synced = l->salt_known || frames == 0 ? frames : -1;
}

/* After a sync that failed the kernel calls the commit's frames clean: whoever opens the log sees them, but
 * the next sync says success and does not write them. Copied into the database from such a log they would be
 * mixed with an older one by a power cut. So the first of them is spoilt: the log ends where it was last
 * synced, and the commit is written again. */
void sqlite_log_disown(struct sqlite_log *l)
{
    static const unsigned char nothing[FRAME_HEADER];
    sqlite3_file *log = log_file(l);
    unsigned char header[LOG_HEADER];
    if (!log || l->synced < 0 || log->pMethods->xRead(log, header, sizeof header, 0) != SQLITE_OK)
        return;
    bool same = memcmp(header + LOG_SALT, l->salt, sizeof l->salt) == 0; /* or it was begun anew */
    sqlite3_int64 frames = same ? l->synced : 0;
    log->pMethods->xWrite(log, nothing, sizeof nothing, LOG_HEADER + frames * l->frame_bytes);
}

static int on_commit(void *ctx, sqlite3 *db, const char *name, int frames)
{
    struct sqlite_log *l = ctx;
    l->frames = frames;
    remember_log(l, frames);
    return SQLITE_OK;
}

bool sqlite_log_begin(struct sqlite_log *l, sqlite3 *db, char error[LIMIT_TEXT])
{
    char limit[60];
    int page_bytes;
    l->db = db;
    l->synced = -1;
    l->salt_known = false;
    sqlite3_wal_hook(db, on_commit, l);
    snprintf(limit, sizeof limit, "PRAGMA journal_size_limit=%d", LOG_LIMIT_BYTES);
    sqlite3_exec(db, limit, NULL, NULL, NULL);
    bool good = sqlite_file_page(db, &page_bytes, error);
    l->frame_bytes = FRAME_HEADER + page_bytes;
    return good;
}

void sqlite_log_keep(struct sqlite_log *l)
{
    l->place = sqlite_file_place(l->file);
    l->left = false;
}

void sqlite_log_watch(struct sqlite_log *l)
{
    l->left = sqlite_file_left(&l->place, l->file);
}

int64_t sqlite_log_bytes(const struct sqlite_log *l)
{
    return (int64_t)l->frames * l->frame_bytes;
}

bool sqlite_log_copy(struct sqlite_log *l, int mode, int *code)
{
    int frames = 0, done = 0;
    *code = sqlite3_wal_checkpoint_v2(l->db, NULL, mode, &frames, &done);
    bool whole = *code == SQLITE_OK && frames == done;
    if (whole || *code == SQLITE_BUSY)
        remember_log(l, frames);
    l->salt_known = l->salt_known && !whole;
    l->frames = whole ? 0 : frames;
    l->copy_at_bytes = whole ? LOG_FULL_BYTES : sqlite_log_bytes(l) + LOG_STEP_BYTES;
    return whole;
}

bool sqlite_log_is_due(const struct sqlite_log *l, bool idle)
{
    return sqlite_log_bytes(l) >= l->copy_at_bytes || (idle && sqlite_log_bytes(l) >= LOG_IDLE_BYTES) ||
           (l->left && sqlite_log_bytes(l) > 0);
}

/* A frame covers parts of blocks: the kernel would read them while a press waits for its commit. */
static void read_ahead(const struct sqlite_log *l)
{
    int fd = open(l->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    readahead(fd, 0, LOG_BYTES);
    close(fd);
}

/* Makes the log's file as long as it will be, with written blocks, through SQLite's own handle of it. What
 * lies behind the last valid frame means nothing to SQLite. If it was cut off, that has to be durable first:
 * otherwise zeros could come to lie in the middle of old frames, and those before them would count again. */
void sqlite_log_warm(struct sqlite_log *l)
{
    static const char zeros[64 * 1024];
    sqlite3_file *log = log_file(l);
    sqlite3_int64 size = 0;
    read_ahead(l);
    if (!log || reserve_free_bytes(l->file) < 8 * (uint64_t)LOG_BYTES)
        return;
    if (log->pMethods->xFileSize(log, &size) != SQLITE_OK || size >= LOG_BYTES ||
        log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        return;
    while (size < LOG_BYTES && log->pMethods->xWrite(log, zeros, sizeof zeros, size) == SQLITE_OK)
        size += sizeof zeros;
    log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
}
