#include "journal/sqlite_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A larger file is not walked at start: a press may be waiting. Its tail is checked by replay, its whole by
 * `tocsin journal verify`. */
#define WALK_BYTES (32 * 1024 * 1024)

/* Of a new journal. A commit writes each page that it touched, so they are small; an older journal keeps its 4096. That a
 * write spoils nothing beside it when the power fails (sqlite.org/psow.html) is what the log's frames rely on as well. */
#define PAGE_BYTES "2048"

#define SCAN_ROWS 1000 /* of one read transaction: a few milliseconds */

#define LOOKUP_TABLES                                                                                        \
    "CREATE TABLE lookup(kind INTEGER NOT NULL, word TEXT NOT NULL, seq INTEGER NOT NULL,"                   \
    " PRIMARY KEY(kind, word, seq)) WITHOUT ROWID;"                                                          \
    "CREATE TABLE looked_up(one INTEGER PRIMARY KEY CHECK(one = 1), seq INTEGER NOT NULL);"                  \
    "INSERT INTO looked_up VALUES(1, 0);"

static const char schema[] =
    "BEGIN EXCLUSIVE;"
    "CREATE TABLE head(one INTEGER PRIMARY KEY CHECK(one = 1), size INTEGER NOT NULL, frontier BLOB NOT NULL,"
    " checkpoint TEXT NOT NULL);"
    "INSERT INTO head VALUES(1, 0, x'', '');"
    "CREATE TABLE event(seq INTEGER PRIMARY KEY, alarm TEXT, found_as TEXT, leaf BLOB NOT NULL, line BLOB "
    "NOT NULL);"
    "CREATE TABLE subtree(level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,"
    " PRIMARY KEY(level, position)) WITHOUT ROWID;"
    "CREATE TABLE note(seq INTEGER PRIMARY KEY, salt TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE TABLE snapshot(seq INTEGER PRIMARY KEY, frontier BLOB NOT NULL, hash BLOB NOT NULL, bytes BLOB "
    "NOT NULL);" LOOKUP_TABLES "PRAGMA application_id=1416586099;" /* SQLITE_FILE_APPLICATION */
    "PRAGMA user_version=2;"                                       /* SQLITE_FILE_FORMAT */
    "COMMIT;";

/* Format 1 had indexes of `event` in place of the lookup. */
static const char upgrade[] =
    "BEGIN EXCLUSIVE;"
    "DROP INDEX IF EXISTS event_alarm;"
    "DROP INDEX IF EXISTS event_found;" LOOKUP_TABLES
    "INSERT INTO lookup SELECT 0, alarm, seq FROM event WHERE alarm IS NOT NULL ORDER BY alarm, seq;"
    "INSERT INTO lookup SELECT 1, found_as, seq FROM event WHERE found_as IS NOT NULL ORDER BY found_as, seq;"
    "UPDATE looked_up SET seq = (SELECT size FROM head);"
    "PRAGMA user_version=2;"
    "COMMIT;";

/* Why the system refused the last call for the database or its log; 0 = it did not, or it is not known. */
static int refusal(sqlite3 *db)
{
    static const int files[] = {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER};
    int number = 0;
    for (size_t i = 0; db && number == 0 && i < sizeof files / sizeof *files; i++) {
        sqlite3_file *file = NULL;
        sqlite3_file_control(db, "main", files[i], &file);
        if (file && file->pMethods)
            file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number);
    }
    return db && number == 0 ? sqlite3_system_errno(db) : number; /* of the log's index it is known nowhere else */
}

enum sqlite_file_why sqlite_file_why(sqlite3 *db, int code)
{
    int number = 0;
    switch (code & 0xff) {
    case SQLITE_FULL:
        return SQLITE_FILE_FULL;
    case SQLITE_IOERR:
        number = refusal(db);
        return number == EDQUOT || number == ENOSPC ? SQLITE_FILE_FULL : SQLITE_FILE_UNREAD;
    case SQLITE_CANTOPEN:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_PROTOCOL:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
        return SQLITE_FILE_UNREAD;
    default:
        return SQLITE_FILE_UNFIT;
    }
}

void sqlite_file_error(sqlite3 *db, int code, char error[LIMIT_TEXT])
{
    const char *file = db ? sqlite3_db_filename(db, "main") : "";
    int number = db ? sqlite3_system_errno(db) : 0;
    const char *system = number ? strerror(number) : sqlite3_errstr(code);
    switch (sqlite_file_why(db, code) == SQLITE_FILE_FULL ? SQLITE_FULL : code & 0xff) {
    case SQLITE_NOTADB:
        snprintf(error, LIMIT_TEXT,
                 "%.120s is not a journal (not an SQLite database): move it away, or restore a backup", file);
        return;
    case SQLITE_CORRUPT:
        snprintf(error, LIMIT_TEXT,
                 "%.120s is damaged (%.60s): move it away together with its -wal file and restore a backup",
                 file, db ? sqlite3_errmsg(db) : "");
        return;
    case SQLITE_FULL:
        snprintf(error, LIMIT_TEXT,
                 refusal(db) == EDQUOT ? "the quota for %.120s is used up: raise it, or free some space"
                                       : "the disk of %.120s is full: free some space", file);
        return;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        snprintf(error, LIMIT_TEXT,
                 "another program holds %.120s locked: end it, nothing but the daemon may write there", file);
        return;
    case SQLITE_READONLY:
        snprintf(error, LIMIT_TEXT, "%.120s cannot be written: the file, its folder or the disk is read-only",
                 file);
        return;
    case SQLITE_CANTOPEN:
        snprintf(error, LIMIT_TEXT,
                 "%.120s cannot be opened (%.60s): it and its folder must exist, readable and writable for "
                 "the daemon's user",
                 file, system);
        return;
    case SQLITE_IOERR:
        snprintf(error, LIMIT_TEXT, "the disk of %.120s fails (%.60s): check the disk", file, system);
        return;
    default:
        snprintf(error, LIMIT_TEXT, "%.120s: %.100s", file, db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
    }
}

/* One integer of one row; false leaves the sentence in `error`. */
static bool query_integer(sqlite3 *db, const char *sql, int64_t *out, char error[LIMIT_TEXT])
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    else
        sqlite_file_error(db, code, error);
    sqlite3_finalize(s);
    return code == SQLITE_ROW;
}

bool sqlite_file_page(sqlite3 *db, int *bytes, char error[LIMIT_TEXT])
{
    int64_t number = 0;
    bool good = query_integer(db, "PRAGMA page_size", &number, error);
    *bytes = (int)number;
    return good;
}

/* One text of one row must be this one, otherwise `error` gets `complaint` with the text found. */
static bool require_text(sqlite3 *db, const char *sql, const char *wanted, const char *complaint,
                         char error[LIMIT_TEXT])
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(s);
    const char *found = code == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    bool good = found && strcmp(found, wanted) == 0;
    if (code != SQLITE_ROW)
        sqlite_file_error(db, code, error);
    else if (!good)
        snprintf(error, LIMIT_TEXT, "%.100s %s: %.80s", sqlite3_db_filename(db, "main"), complaint,
                 found ? found : "nothing");
    sqlite3_finalize(s);
    return good;
}

static bool execute(sqlite3 *db, const char *sql, char error[LIMIT_TEXT])
{
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        sqlite_file_error(db, code, error);
    return code == SQLITE_OK;
}

/* What would be written to must be what its number says: a number that is not ours would be met by SQLite's words about a
 * table. */
static bool has_its_tables(sqlite3 *db, int64_t format, char error[LIMIT_TEXT])
{
    int64_t found;
    if (!query_integer(db,
                       "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN"
                       " ('head', 'event', 'subtree', 'note', 'snapshot', 'lookup', 'looked_up')",
                       &found, error))
        return false;
    if (format >= 1 && found == (format == 1 ? 5 : 7)) /* format 1 had no lookup */
        return true;
    snprintf(error, LIMIT_TEXT,
             "%.100s says it is of format %d, and has not its tables: another program changed it; move it away with its "
             "-wal file and restore a backup", sqlite3_db_filename(db, "main"), (int)format);
    return false;
}

static bool check_format(sqlite3 *db, enum sqlite_file_mode mode, char error[LIMIT_TEXT])
{
    int64_t application, format, tables;
    if (!query_integer(db, "PRAGMA application_id", &application, error) ||
        !query_integer(db, "PRAGMA user_version", &format, error) ||
        !query_integer(db, "SELECT count(*) FROM sqlite_schema", &tables, error))
        return false;
    const char *file = sqlite3_db_filename(db, "main");
    if (mode == SQLITE_FILE_WRITE && application == 0 && format == 0 && tables == 0)
        return execute(db, schema, error);
    if (application != SQLITE_FILE_APPLICATION) {
        snprintf(error, LIMIT_TEXT, "%.120s is a database, but not a journal of Tocsin: name another file",
                 file);
        return false;
    }
    if (format > SQLITE_FILE_FORMAT) {
        snprintf(
            error, LIMIT_TEXT,
            "%.100s was written by a newer Tocsin (format %d, this one reads up to %d): install the newer "
            "version again",
            file, (int)format, SQLITE_FILE_FORMAT);
        return false;
    }
    if (mode == SQLITE_FILE_READ)
        return true;
    return has_its_tables(db, format, error) && (format == SQLITE_FILE_FORMAT || execute(db, upgrade, error));
}

static bool walk(sqlite3 *db, char error[LIMIT_TEXT])
{
    int64_t pages;
    int page_bytes;
    if (!query_integer(db, "PRAGMA page_count", &pages, error) || !sqlite_file_page(db, &page_bytes, error))
        return false;
    bool is_small = pages * page_bytes <= WALK_BYTES;
    static const char *const parts[] = {"PRAGMA quick_check(head)", "PRAGMA quick_check(note)"};
    static const char *const whole[] = {"PRAGMA quick_check"};
    const char *const *checks = is_small ? whole : parts;
    size_t count = is_small ? 1 : 2;
    for (size_t i = 0; i < count; i++)
        if (!require_text(db, checks[i], "ok",
                          "is damaged, move it away with its -wal file and restore a backup", error))
            return false;
    return true;
}

bool sqlite_file_refresh(const char *file, char error[LIMIT_TEXT])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true; /* SQLite says it better, if it matters */
    bool good = fdatasync(fd) == 0;
    if (good)
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    else
        snprintf(error, LIMIT_TEXT, "%.120s cannot be written to the disk (%.50s): check the disk", file, strerror(errno));
    close(fd);
    return good;
}

struct sqlite_file_place sqlite_file_place(const char *file)
{
    struct stat s;
    if (stat(file, &s) != 0)
        return (struct sqlite_file_place){.known = false};
    return (struct sqlite_file_place){.device = s.st_dev, .inode = s.st_ino, .known = true};
}

bool sqlite_file_left(const struct sqlite_file_place *then, const char *file)
{
    struct stat now;
    if (!then->known)
        return false;
    if (stat(file, &now) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return now.st_dev != then->device || now.st_ino != then->inode;
}

/* A new file is made here and not by SQLite, so that nobody else can read it whatever the umask; the -wal and
 * -shm files inherit its mode. */
static void create_private(const char *file)
{
    int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static bool settle(sqlite3 *db, enum sqlite_file_mode mode, char error[LIMIT_TEXT])
{
    sqlite3_busy_timeout(db, SQLITE_FILE_BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* secure_delete: a row that moves to another page leaves no copy behind; else a note could not be erased.
     */
    if (!execute(db,
                 "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA wal_autocheckpoint=0; PRAGMA "
                 "temp_store=MEMORY;"
                 "PRAGMA secure_delete=FAST",
                 error))
        return false;
    if (mode == SQLITE_FILE_READ)
        return execute(db, "PRAGMA query_only=ON", error) && check_format(db, mode, error);
    int keep = 1; /* see store_sqlite.c on the warm write-ahead log */
    sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    return execute(db, "PRAGMA page_size=" PAGE_BYTES "; PRAGMA synchronous=FULL", error) &&
           require_text(db, "PRAGMA synchronous", "2", "does not take synchronous=FULL, it says", error) &&
           require_text(db, "PRAGMA journal_mode=WAL", "wal", "does not take a write-ahead log, its mode is",
                        error) &&
           check_format(db, mode, error) && walk(db, error);
}

/* A closed journal on a read-only medium has no place for the files a write-ahead log needs. Only when there
 * is nothing in the log may it be passed over. */
static int open_immutable(const char *file, sqlite3 **db, char error[LIMIT_TEXT])
{
    char *uri = sqlite3_mprintf("%s-wal", file);
    struct stat wal;
    bool unfinished = stat(uri, &wal) == 0 && wal.st_size > 0;
    sqlite3_free(uri);
    if (unfinished) {
        snprintf(error, LIMIT_TEXT,
                 "%.100s cannot be read there: its newest entries are in its -wal file, and nothing can be written beside "
                 "it; copy both files to a folder of your own", file);
        return SQLITE_CANTOPEN;
    }
    uri = sqlite3_mprintf("file:%s?immutable=1", file);
    int code = sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    sqlite3_free(uri);
    return code;
}

sqlite3 *sqlite_file_open(const char *file, enum sqlite_file_mode mode, enum sqlite_file_why *why, char error[LIMIT_TEXT])
{
    if (mode == SQLITE_FILE_WRITE)
        create_private(file);
    int flags =
        SQLITE_OPEN_NOMUTEX | (mode == SQLITE_FILE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(file, &db, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(db, 1);
        if (settle(db, mode, error))
            return db;
        code = sqlite3_errcode(db);
    } else {
        int number = db ? sqlite3_system_errno(db) : errno;
        snprintf(error, LIMIT_TEXT,
                 "%.120s cannot be opened (%.50s): it and its folder must exist and be readable%s", file,
                 number ? strerror(number) : sqlite3_errstr(code),
                 mode == SQLITE_FILE_WRITE ? " and writable" : "");
    }
    if (mode == SQLITE_FILE_READ && (code & 0xff) == SQLITE_CANTOPEN && access(file, R_OK) == 0) {
        sqlite3_close(db);
        db = NULL;
        code = open_immutable(file, &db, error);
        if (code == SQLITE_OK && settle(db, mode, error))
            return db;
        if (code == SQLITE_OK)
            code = sqlite3_errcode(db);
    }
    if (why)
        *why = sqlite_file_why(db, code);
    sqlite3_close(db);
    return NULL;
}

bool sqlite_file_head(sqlite3 *db, struct store_head *out, char error[LIMIT_TEXT])
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, "SELECT size, frontier, checkpoint FROM head", -1, &s, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(s);
    bool good = false;
    *out = (struct store_head){0};
    if (code == SQLITE_ROW) {
        const char *checkpoint = (const char *)sqlite3_column_text(s, 2);
        good = tree_frontier_unpack(&out->frontier, (uint64_t)sqlite3_column_int64(s, 0),
                                    sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1)) &&
               checkpoint && strlen(checkpoint) < sizeof out->checkpoint;
        if (good)
            strcpy(out->checkpoint, checkpoint);
    }
    if (!good && (code == SQLITE_ROW || code == SQLITE_DONE))
        snprintf(error, LIMIT_TEXT,
                 "%.120s is damaged: its head cannot be read; move it away and restore a backup",
                 sqlite3_db_filename(db, "main"));
    else if (!good)
        sqlite_file_error(db, code, error);
    sqlite3_finalize(s);
    return good;
}

bool sqlite_file_snapshot(sqlite3 *db, uint64_t max_seq, struct store_snapshot *out)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db,
                           "SELECT seq, frontier, hash, bytes FROM snapshot WHERE seq <= ? ORDER BY seq DESC",
                           -1, &s, NULL) != SQLITE_OK)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)max_seq);
    bool found = false;
    while (!found && sqlite3_step(s) == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(s, 3);
        size_t size = (size_t)sqlite3_column_bytes(s, 3);
        unsigned char hash[TREE_HASH];
        crypto_hash_sha256(hash, bytes, size);
        out->seq = (uint64_t)sqlite3_column_int64(s, 0);
        if (sqlite3_column_bytes(s, 2) != TREE_HASH ||
            memcmp(hash, sqlite3_column_blob(s, 2), TREE_HASH) != 0 ||
            !tree_frontier_unpack(&out->frontier, out->seq, sqlite3_column_blob(s, 1),
                                  (size_t)sqlite3_column_bytes(s, 1)))
            continue; /* a cache that does not check out is not used: an older one, or none, will do */
        out->bytes = malloc(size ? size : 1);
        if (!out->bytes)
            break;
        if (size)
            memcpy(out->bytes, bytes, size);
        out->size = size;
        found = true;
    }
    sqlite3_finalize(s);
    return found;
}

struct store_event sqlite_file_event(sqlite3_stmt *s)
{
    const char *alarm = (const char *)sqlite3_column_text(s, 2);
    struct store_event e = {
        .seq = (uint64_t)sqlite3_column_int64(s, 0),
        .line = sqlite3_column_blob(s, 1),
        .size = (size_t)sqlite3_column_bytes(s, 1),
        .alarm = alarm ? alarm : "",
        .found_as = (const char *)sqlite3_column_text(s, 3),
        .note = (const char *)sqlite3_column_text(s, 5),
    };
    if (!e.line)
        e.line = "";
    if (sqlite3_column_bytes(s, 4) == TREE_HASH)
        memcpy(e.leaf, sqlite3_column_blob(s, 4), TREE_HASH);
    return e;
}

bool sqlite_file_scan(sqlite3 *db, uint64_t first, uint64_t last, store_line_fn *line, void *ctx,
                      char error[LIMIT_TEXT])
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, SQLITE_FILE_EVENTS "WHERE e.seq BETWEEN ? AND ? ORDER BY e.seq LIMIT ?",
                                  -1, &s, NULL);
    bool more = code == SQLITE_OK && first <= last;
    while (more) {
        uint64_t rows = 0;
        sqlite3_bind_int64(s, 1, (int64_t)first);
        sqlite3_bind_int64(s, 2, (int64_t)last);
        sqlite3_bind_int64(s, 3, SCAN_ROWS);
        while (more && (code = sqlite3_step(s)) == SQLITE_ROW) {
            struct store_event e = sqlite_file_event(s);
            first = e.seq + 1;
            rows++;
            more = line(ctx, &e);
        }
        more = more && code == SQLITE_DONE && rows == SCAN_ROWS;
        sqlite3_reset(s); /* ends the read transaction */
    }
    bool good = code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW;
    if (!good)
        sqlite_file_error(db, code, error);
    sqlite3_finalize(s);
    return good;
}

bool sqlite_hashes_init(struct sqlite_hashes *h, sqlite3 *db)
{
    *h = (struct sqlite_hashes){0};
    return sqlite3_prepare_v2(db, "SELECT leaf FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq", -1,
                              &h->leaves, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(db, "SELECT hash FROM subtree WHERE level = ? AND position = ?", -1,
                              &h->subtree, NULL) == SQLITE_OK;
}

void sqlite_hashes_finish(struct sqlite_hashes *h)
{
    sqlite3_finalize(h->leaves);
    sqlite3_finalize(h->subtree);
    *h = (struct sqlite_hashes){0};
}

bool sqlite_hashes_get(void *hashes, unsigned level, uint64_t index, unsigned char out[TREE_HASH])
{
    struct sqlite_hashes *h = hashes;
    bool stored = level >= STORE_SUBTREE_LEVEL;
    sqlite3_stmt *s = stored ? h->subtree : h->leaves;
    uint64_t first = (index << level) + 1, last = (index + 1) << level; /* leaf i is event i+1 */
    sqlite3_bind_int64(s, 1, stored ? (int64_t)level : (int64_t)first);
    sqlite3_bind_int64(s, 2, stored ? (int64_t)index : (int64_t)last);
    struct tree_frontier f = {0};
    uint64_t wanted = stored ? 1 : last - first + 1;
    while (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_bytes(s, 0) == TREE_HASH)
        tree_add(&f, sqlite3_column_blob(s, 0), NULL, NULL);
    sqlite3_reset(s);
    if (f.size != wanted)
        return false;
    tree_root(&f, out);
    return true;
}
