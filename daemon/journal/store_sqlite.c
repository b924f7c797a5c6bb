/* The journal in one SQLite file.
 *
 * What a commit costs is the number of pages it touches and one fdatasync. So the frontier and the checkpoint
 * share one row, hashes of subtrees are written once in 256 events, where an alarm's events are is noted for
 * many at a time, in quiet, and the write-ahead log is kept warm (sqlite_log.h). */
#include "journal/reserve.h"
#include "journal/sqlite_log.h"

#include <assert.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#define LOG_WORRY_BYTES (64 * MIB)
#define LOOKUP_IDLE_EVENTS 256   /* in quiet the lookup is brought up to date from here on … */
#define LOOKUP_BUSY_EVENTS 4096  /* … and in traffic from here on: so many a reader looks through at most */

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    PUT_HEAD,
    PUT_EVENT,
    PUT_SUBTREE,
    PUT_NOTE,
    PUT_SNAPSHOT,
    DROP_SNAPSHOTS,
    DROP_NOTE,
    LOOKED_UP,
    PUT_LOOKUP,
    PUT_LOOKED_UP,
    READ,
    STATEMENTS
};

static const char *const sql[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [PUT_HEAD] =
        "UPDATE head SET size = ?1, frontier = ?2, checkpoint = ?3 WHERE size = ?4 AND frontier = ?5",
    [PUT_EVENT] = "INSERT INTO event(seq, alarm, found_as, leaf, line) VALUES(?, ?, ?, ?, ?)",
    [PUT_SUBTREE] = "INSERT INTO subtree(level, position, hash) VALUES(?, ?, ?)",
    [PUT_NOTE] = "INSERT INTO note(seq, salt, text) VALUES(?, ?, ?)",
    [PUT_SNAPSHOT] = "INSERT OR REPLACE INTO snapshot(seq, frontier, hash, bytes) VALUES(?, ?, ?, ?)",
    [DROP_SNAPSHOTS] =
        "DELETE FROM snapshot WHERE seq NOT IN (SELECT seq FROM snapshot ORDER BY seq DESC LIMIT 2)",
    [DROP_NOTE] = "DELETE FROM note WHERE seq = ?",
    [LOOKED_UP] = "SELECT seq FROM looked_up",
    [PUT_LOOKUP] =
        "INSERT INTO lookup(kind, word, seq)"
        " SELECT 0, alarm, seq FROM event WHERE seq > ?1 AND seq <= ?2 AND alarm IS NOT NULL UNION ALL"
        " SELECT 1, found_as, seq FROM event WHERE seq > ?1 AND seq <= ?2 AND found_as IS NOT NULL",
    [PUT_LOOKED_UP] = "UPDATE looked_up SET seq = ?1",
    [READ] = SQLITE_FILE_EVENTS "WHERE e.seq >= ? ORDER BY e.seq",
};

struct sqlite {
    struct store store; /* first: a struct store * is a struct sqlite * */
    char *file;
    sqlite3 *db; /* NULL = closed */
    sqlite3_stmt *statements[STATEMENTS];
    struct sqlite_hashes hashes;
    uint64_t committed_seq, looked_up_seq; /* the last event; the last one that stands in the lookup */
    bool failed;                 /* a write's outcome is unknown: nothing more on this connection */
    struct sqlite_log log;
    struct reserve reserve;
    bool scrub; /* an erased note may still be in the log */
    struct sqlite_file_place place; /* of the file as it was opened */
    char failure[LIMIT_TEXT], concern[LIMIT_TEXT];
};

static bool succeeded(int code)
{
    return code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW;
}

/* Steps a statement that gives no rows; clears it for the next time. */
static int run(struct sqlite *k, enum statement which)
{
    sqlite3_step(k->statements[which]);
    return sqlite3_reset(k->statements[which]);
}

/* After a write that did not work: what to say, and room for the next one if that was it. */
static enum store_answer fail(struct sqlite *k, int code, char error[LIMIT_TEXT])
{
    bool full = sqlite_file_why(k->db, code) == SQLITE_FILE_FULL || reserve_free_bytes(k->file) < MIB;
    sqlite_file_error(k->db, full ? SQLITE_FULL : code, error);
    if (full)
        reserve_release(&k->reserve);
    run(k, ROLLBACK);
    if ((code & 0xff) != SQLITE_BUSY) { /* busy is said before anything is written */
        k->failed = true;
        memcpy(k->failure, error, sizeof k->failure);
    }
    if (code == SQLITE_IOERR_FSYNC)
        sqlite_log_disown(&k->log);
    return full ? STORE_FULL : STORE_FAILED;
}

static void sqlite_close(struct store *s)
{
    struct sqlite *k = (struct sqlite *)s;
    if (!k->db)
        return;
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(k->statements[i]);
        k->statements[i] = NULL;
    }
    sqlite_hashes_finish(&k->hashes);
    sqlite3_db_config(k->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, k->failed, NULL);
    int code = sqlite3_close(k->db);
    assert(code == SQLITE_OK);
    k->db = NULL;
}

static bool prepare(struct sqlite *k, char error[LIMIT_TEXT])
{
    int code = SQLITE_OK;
    for (int i = 0; i < STATEMENTS && code == SQLITE_OK; i++)
        code = sqlite3_prepare_v3(k->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &k->statements[i], NULL);
    if (code == SQLITE_OK && sqlite_hashes_init(&k->hashes, k->db))
        return true;
    sqlite_file_error(k->db, code == SQLITE_OK ? sqlite3_errcode(k->db) : code, error);
    return false;
}

/* What was written by a process that was killed is in the kernel's memory only. It is synced, copied into the
 * database and the log begun anew; only then is it believed. */
static bool settle_log(struct sqlite *k, char error[LIMIT_TEXT])
{
    int code;
    if (sqlite_log_copy(&k->log, SQLITE_CHECKPOINT_RESTART, &code) || (code == SQLITE_BUSY && !k->failed))
        return true;
    sqlite_file_error(k->db, code == SQLITE_OK ? SQLITE_BUSY : code, error);
    if (sqlite_file_why(k->db, code) == SQLITE_FILE_FULL)
        reserve_release(&k->reserve);
    return false;
}

static bool read_looked_up(struct sqlite *k, char error[LIMIT_TEXT])
{
    sqlite3_stmt *s = k->statements[LOOKED_UP];
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        k->looked_up_seq = (uint64_t)sqlite3_column_int64(s, 0);
    else
        sqlite_file_error(k->db, code == SQLITE_DONE ? SQLITE_CORRUPT : code, error);
    sqlite3_reset(s);
    return code == SQLITE_ROW;
}

/* What is written to a file that was removed is gone when it is closed. Another one under its name is left alone: the log
 * is not its log. */
static bool in_place(const struct sqlite *k, char error[LIMIT_TEXT])
{
    if (!sqlite_file_left(&k->place, k->file))
        return true;
    snprintf(error, LIMIT_TEXT, "%.120s was removed or replaced under the running daemon: put the same file back, or restart "
             "the daemon", k->file);
    return false;
}

static bool sqlite_open(struct store *s, struct store_head *head, char error[LIMIT_TEXT])
{
    struct sqlite *k = (struct sqlite *)s;
    if (!in_place(k, error))
        return false;
    assert(!k->db);
    if (!sqlite_file_refresh(k->log.file, error))
        return false;
    enum sqlite_file_why why;
    k->db = sqlite_file_open(k->file, SQLITE_FILE_WRITE, &why, error);
    if (!k->db) {
        if (why == SQLITE_FILE_FULL)
            reserve_release(&k->reserve);
        return false;
    }
    if (!sqlite_log_begin(&k->log, k->db, error) || !prepare(k, error) || !sqlite_file_head(k->db, head, error) ||
        !read_looked_up(k, error) || !settle_log(k, error)) {
        k->failed = true;
        sqlite_close(s);
        return false;
    }
    k->failed = false;
    k->committed_seq = head->frontier.size;
    k->place = sqlite_file_place(k->file);
    sqlite_log_keep(&k->log);
    if (!k->reserve.missing)
        reserve_make(&k->reserve, k->file);
    if (!k->reserve.missing)
        sqlite_log_warm(&k->log);
    return true;
}

/* The bytes are the caller's, until the statement has run: SQLite need not find memory for a copy. */
static void bind_frontier(sqlite3_stmt *s, int at, const struct tree_frontier *f,
                          unsigned char bytes[TREE_FRONTIER_BYTES])
{
    size_t size = tree_frontier_pack(f, bytes);
    sqlite3_bind_blob(s, at, bytes, (int)size, SQLITE_STATIC);
}

/* STORE_MOVED without an error code: the head is another one. */
static int put_head(struct sqlite *k, const struct store_head *expected, const struct store_head *head,
                    bool *moved)
{
    sqlite3_stmt *s = k->statements[PUT_HEAD];
    unsigned char to[TREE_FRONTIER_BYTES], from[TREE_FRONTIER_BYTES];
    sqlite3_bind_int64(s, 1, (int64_t)head->frontier.size);
    bind_frontier(s, 2, &head->frontier, to);
    sqlite3_bind_text(s, 3, head->checkpoint, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, (int64_t)expected->frontier.size);
    bind_frontier(s, 5, &expected->frontier, from);
    int code = run(k, PUT_HEAD);
    *moved = code == SQLITE_OK && sqlite3_changes(k->db) == 0;
    return code;
}

static int put_event(struct sqlite *k, const struct store_event *e)
{
    sqlite3_stmt *s = k->statements[PUT_EVENT];
    sqlite3_bind_int64(s, 1, (int64_t)e->seq);
    sqlite3_bind_text(s, 2, e->alarm[0] ? e->alarm : NULL, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, e->found_as, -1, SQLITE_STATIC);
    sqlite3_bind_blob(s, 4, e->leaf, TREE_HASH, SQLITE_STATIC);
    sqlite3_bind_blob(s, 5, e->line, (int)e->size, SQLITE_STATIC);
    int code = run(k, PUT_EVENT);
    if (code != SQLITE_OK || !e->note)
        return code;
    assert(strlen(e->note) >= 32);
    s = k->statements[PUT_NOTE];
    sqlite3_bind_int64(s, 1, (int64_t)e->seq);
    sqlite3_bind_text(s, 2, e->note, 32, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, e->note + 32, -1, SQLITE_STATIC);
    return run(k, PUT_NOTE);
}

static int put_subtree(struct sqlite *k, const struct store_subtree *t)
{
    if (t->level < STORE_SUBTREE_LEVEL)
        return SQLITE_OK;
    sqlite3_stmt *s = k->statements[PUT_SUBTREE];
    sqlite3_bind_int64(s, 1, t->level);
    sqlite3_bind_int64(s, 2, (int64_t)t->index);
    sqlite3_bind_blob(s, 3, t->hash, TREE_HASH, SQLITE_STATIC);
    return run(k, PUT_SUBTREE);
}

/* A commit in a log that was removed survives no kill, in the database it does. Who reads there for long holds it up. */
static int copy_log(struct sqlite *k)
{
    int code;
    sqlite_log_copy(&k->log, SQLITE_CHECKPOINT_FULL, &code);
    return (code & 0xff) == SQLITE_BUSY ? SQLITE_OK : code;
}

static enum store_answer sqlite_append(struct store *s, const struct store_head *expected,
                                       const struct store_batch *b, char error[LIMIT_TEXT])
{
    struct sqlite *k = (struct sqlite *)s;
    if (k->failed) { /* while tidying */
        memcpy(error, k->failure, LIMIT_TEXT);
        return STORE_FAILED;
    }
    bool moved = false;
    int code = run(k, BEGIN);
    for (size_t i = 0; code == SQLITE_OK && i < b->subtree_count; i++)
        code = put_subtree(k, &b->subtrees[i]);
    for (size_t i = 0; code == SQLITE_OK && i < b->count; i++)
        code = put_event(k, &b->events[i]);
    if (code == SQLITE_OK && b->seal)
        b->seal(b->ctx);
    if (code == SQLITE_OK)
        code = put_head(k, expected, b->head, &moved);
    if (moved || code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID) { /* others put such entries */
        run(k, ROLLBACK);
        return STORE_MOVED;
    }
    if (code == SQLITE_OK)
        code = run(k, COMMIT);
    if (code == SQLITE_OK && k->log.left)
        code = copy_log(k);
    if (code != SQLITE_OK)
        return fail(k, code, error);
    k->committed_seq = b->head->frontier.size;
    return STORE_OK;
}

static bool sqlite_read(struct store *s, uint64_t from_seq, store_line_fn *line, void *ctx,
                        char error[LIMIT_TEXT])
{
    struct sqlite *k = (struct sqlite *)s;
    sqlite3_stmt *r = k->statements[READ];
    sqlite3_bind_int64(r, 1, (int64_t)from_seq);
    int code;
    while ((code = sqlite3_step(r)) == SQLITE_ROW) {
        struct store_event e = sqlite_file_event(r);
        if (!line(ctx, &e))
            break;
    }
    if (!succeeded(code))
        sqlite_file_error(k->db, code, error);
    sqlite3_reset(r);
    return succeeded(code);
}

static bool sqlite_subtree(void *store, unsigned level, uint64_t index, unsigned char out[TREE_HASH])
{
    return sqlite_hashes_get(&((struct sqlite *)store)->hashes, level, index, out);
}

static bool sqlite_put_snapshot(struct store *s, const struct store_snapshot *snapshot,
                                char error[LIMIT_TEXT])
{
    struct sqlite *k = (struct sqlite *)s;
    if (k->failed)
        return false;
    unsigned char hash[TREE_HASH], frontier[TREE_FRONTIER_BYTES];
    crypto_hash_sha256(hash, snapshot->bytes, snapshot->size);
    sqlite3_stmt *p = k->statements[PUT_SNAPSHOT];
    sqlite3_bind_int64(p, 1, (int64_t)snapshot->seq);
    bind_frontier(p, 2, &snapshot->frontier, frontier);
    sqlite3_bind_blob(p, 3, hash, TREE_HASH, SQLITE_STATIC);
    sqlite3_bind_blob64(p, 4, snapshot->bytes, snapshot->size, SQLITE_STATIC);
    int code = run(k, BEGIN);
    if (code == SQLITE_OK)
        code = run(k, PUT_SNAPSHOT);
    if (code == SQLITE_OK)
        code = run(k, DROP_SNAPSHOTS);
    if (code == SQLITE_OK)
        code = run(k, COMMIT);
    sqlite3_clear_bindings(p);
    if (code != SQLITE_OK)
        fail(k, code, error);
    return code == SQLITE_OK;
}

static bool sqlite_get_snapshot(struct store *s, uint64_t max_seq, struct store_snapshot *out)
{
    return sqlite_file_snapshot(((struct sqlite *)s)->db, max_seq, out);
}

/* The text also stands in old frames of the log, and the log is kept: it is cut off and made anew. */
static void scrub(struct sqlite *k)
{
    int code;
    if (!sqlite_log_copy(&k->log, SQLITE_CHECKPOINT_TRUNCATE, &code)) {
        if (!succeeded(code) && (code & 0xff) != SQLITE_BUSY)
            fail(k, code, k->failure);
        return; /* a reader: next time */
    }
    k->scrub = false;
    sqlite_log_warm(&k->log);
}

static bool sqlite_erase_note(struct store *s, uint64_t seq, char error[LIMIT_TEXT])
{
    struct sqlite *k = (struct sqlite *)s;
    if (k->failed)
        return false;
    int code = sqlite3_exec(k->db, "PRAGMA secure_delete=ON", NULL, NULL, NULL); /* or its page keeps it */
    sqlite3_bind_int64(k->statements[DROP_NOTE], 1, (int64_t)seq);
    if (code == SQLITE_OK)
        code = run(k, BEGIN);
    if (code == SQLITE_OK)
        code = run(k, DROP_NOTE);
    if (code == SQLITE_OK)
        code = run(k, COMMIT);
    sqlite3_exec(k->db, "PRAGMA secure_delete=FAST", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        fail(k, code, error);
        return false;
    }
    k->scrub = true;
    scrub(k);
    snprintf(error, LIMIT_TEXT, "%s", k->failed ? k->failure : k->scrub ? "a program is reading the journal: end it, and erase "
             "the note again; until then its words stand in the write-ahead log" : "");
    return true;
}

/* Notes where the next events are. */
static int put_lookup(struct sqlite *k)
{
    const uint64_t up_to = k->committed_seq;
    sqlite3_bind_int64(k->statements[PUT_LOOKUP], 1, (int64_t)k->looked_up_seq);
    sqlite3_bind_int64(k->statements[PUT_LOOKUP], 2, (int64_t)up_to);
    sqlite3_bind_int64(k->statements[PUT_LOOKED_UP], 1, (int64_t)up_to);
    static const enum statement steps[] = {BEGIN, PUT_LOOKUP, PUT_LOOKED_UP, COMMIT};
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < sizeof steps / sizeof *steps; i++)
        code = run(k, steps[i]);
    if (code == SQLITE_OK)
        k->looked_up_seq = up_to;
    return code;
}

static bool sqlite_tidy(struct store *s, bool idle, char error[LIMIT_TEXT])
{
    struct sqlite *k = (struct sqlite *)s;
    int code = SQLITE_OK;
    if (idle && !k->failed && !in_place(k, k->failure))
        k->failed = true;
    if (idle)
        sqlite_log_watch(&k->log);
    if (!k->failed && k->scrub && idle)
        scrub(k);
    if (k->failed) {
        memcpy(error, k->failure, LIMIT_TEXT);
        return false;
    }
    if (k->committed_seq - k->looked_up_seq >= (idle ? LOOKUP_IDLE_EVENTS : LOOKUP_BUSY_EVENTS))
        code = put_lookup(k);
    if (succeeded(code) && sqlite_log_is_due(&k->log, idle))
        sqlite_log_copy(&k->log, SQLITE_CHECKPOINT_PASSIVE, &code);
    if (!succeeded(code) && (code & 0xff) != SQLITE_BUSY) {
        fail(k, code, error);
        return false;
    }
    if (idle && k->reserve.missing)
        reserve_make(&k->reserve, k->file);
    return true;
}

static const char *sqlite_concern(struct store *s)
{
    struct sqlite *k = (struct sqlite *)s;
    if (k->reserve.missing)
        snprintf(k->concern, sizeof k->concern,
                 "the disk of %.120s is full, or a quota used up; what is recorded now uses the last reserve: "
                 "free at least %d MB at once",
                 k->file, 2 * RESERVE_BYTES / MIB);
    else if (k->log.left)
        snprintf(k->concern, sizeof k->concern,
                 "%.120s was removed or replaced under the running daemon: restart the daemon", k->log.file);
    else if (sqlite_log_bytes(&k->log) > LOG_WORRY_BYTES)
        snprintf(k->concern, sizeof k->concern,
                 "a program has been reading %.120s for long, its write-ahead log has grown to %d "
                 "MB: end that program",
                 k->file, (int)(sqlite_log_bytes(&k->log) / MIB));
    else
        return NULL;
    return k->concern;
}

static void sqlite_destroy(struct store *s)
{
    struct sqlite *k = (struct sqlite *)s;
    sqlite_close(s);
    free(k->file);
    free(k->log.file);
    free(k->reserve.file);
    free(k);
}

struct store *store_sqlite_create(const char *file)
{
    struct sqlite *k = calloc(1, sizeof *k);
    assert(k);
    k->store = (struct store){
        .open = sqlite_open,
        .close = sqlite_close,
        .append = sqlite_append,
        .read = sqlite_read,
        .subtree = sqlite_subtree,
        .put_snapshot = sqlite_put_snapshot,
        .get_snapshot = sqlite_get_snapshot,
        .erase_note = sqlite_erase_note,
        .tidy = sqlite_tidy,
        .concern = sqlite_concern,
        .destroy = sqlite_destroy,
    };
    k->file = strdup(file);
    assert(k->file && asprintf(&k->log.file, "%s-wal", file) > 0 && asprintf(&k->reserve.file, "%s.ballast", file) > 0);
    return &k->store;
}
