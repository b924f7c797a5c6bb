#include "journal/archive_file.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION 0x546f6368 /* "Toch" */
#define FORMAT 1               /* another one is made anew: raise it whenever a row would look different */
#define WALK_PAGES                                                                                           \
    8192 /* a larger file is not walked when it is opened: what is damaged shows when it is met */
#define CHECK_EVERY_OPS 1000 /* of SQLite's virtual machine, between looks at the clock */
#define PAUSE_US 2000        /* between looks whether it is calm again */

static const char schema[] =
    "BEGIN;"
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), position INTEGER NOT NULL, leaf BLOB NOT "
    "NULL,"
    " notes INTEGER NOT NULL, note_sum INTEGER NOT NULL);"
    "INSERT INTO state VALUES(1, 0, x'', 0, 0);"
    "CREATE TABLE alarm(seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, site TEXT NOT NULL, kind TEXT NOT "
    "NULL,"
    " mode TEXT NOT NULL, disposition TEXT NOT NULL, opened_at INTEGER NOT NULL, closed_at INTEGER NOT NULL,"
    " closed_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL, acknowledged_ms INTEGER NOT NULL, coming_ms "
    "INTEGER NOT NULL,"
    " on_scene_ms INTEGER NOT NULL, acknowledged_by TEXT NOT NULL, coming_by TEXT NOT NULL, on_scene_by TEXT "
    "NOT NULL,"
    " closed_by TEXT NOT NULL, press_count INTEGER NOT NULL, zones TEXT NOT NULL, words BLOB NOT NULL, "
    "press_at BLOB NOT NULL);"
    "CREATE INDEX alarm_site ON alarm(site, opened_at, mode, disposition, press_count);"
    "CREATE INDEX alarm_opened ON alarm(opened_at);"
    "PRAGMA application_id=1416586088;" /* APPLICATION */
    "PRAGMA user_version=1;"            /* FORMAT */
    "COMMIT;";

static int interrupt_when_late(void *ctx)
{
    struct archive_file *f = ctx;
    for (uint64_t now; f->pause_ns && (now = uv_hrtime()) < atomic_load(&f->calm_ns) && !atomic_load(&f->stopping);) {
        usleep(PAUSE_US);
        uint64_t lasted = uv_hrtime() - now;
        f->pause_ns -= lasted < f->pause_ns ? lasted : f->pause_ns;
    }
    return (f->deadline_ns && uv_hrtime() > f->deadline_ns) || atomic_load(&f->stopping);
}

static bool run(struct archive_file *f, const char *sql, char error[LIMIT_TEXT])
{
    int code = sqlite3_exec(f->db, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        sqlite_file_error(f->db, code, error);
    return code == SQLITE_OK;
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

/* Whether the line at which the archive stands is the journal's, and each note that it has seen is still
 * there. */
static bool of_this_journal(struct archive_file *f)
{
    sqlite3_stmt *own = NULL, *theirs = NULL;
    bool same = sqlite3_prepare_v2(f->db, "SELECT position, leaf, notes, note_sum FROM state", -1, &own,
                                   NULL) == SQLITE_OK &&
                sqlite3_step(own) == SQLITE_ROW;
    f->position = same ? (uint64_t)sqlite3_column_int64(own, 0) : 0;
    same = same &&
           sqlite3_prepare_v2(f->journal,
                              "SELECT (SELECT count(*) FROM event WHERE seq = ?1 AND leaf = ?2),"
                              " count(*), total(seq) FROM note WHERE seq <= ?1",
                              -1, &theirs, NULL) == SQLITE_OK &&
           sqlite3_bind_int64(theirs, 1, (int64_t)f->position) == SQLITE_OK &&
           sqlite3_bind_value(theirs, 2, sqlite3_column_value(own, 1)) == SQLITE_OK &&
           sqlite3_step(theirs) == SQLITE_ROW;
    same = same && (f->position == 0 || sqlite3_column_int64(theirs, 0) == 1) &&
           sqlite3_column_int64(theirs, 1) == sqlite3_column_int64(own, 2) &&
           sqlite3_column_int64(theirs, 2) == sqlite3_column_int64(own, 3);
    sqlite3_finalize(own);
    sqlite3_finalize(theirs);
    return same;
}

static bool sound(sqlite3 *db)
{
    if (number(db, "PRAGMA page_count") > WALK_PAGES)
        return true;
    sqlite3_stmt *s = NULL;
    bool good = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL) == SQLITE_OK &&
                sqlite3_step(s) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0;
    sqlite3_finalize(s);
    return good;
}

static void close_db(struct archive_file *f)
{
    sqlite3_close(f->db);
    f->db = NULL;
    f->position = 0;
}

/* synchronous=NORMAL: after a power cut it is whole, perhaps behind, and nothing is synced but now and then.
 */
static bool open_db(struct archive_file *f, char error[LIMIT_TEXT])
{
    int code = sqlite3_open_v2(f->file, &f->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        sqlite_file_error(f->db, code, error);
        return false;
    }
    sqlite3_extended_result_codes(f->db, 1);
    sqlite3_busy_timeout(f->db, SQLITE_FILE_BUSY_MS);
    sqlite3_db_config(f->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(f->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_progress_handler(f->db, CHECK_EVERY_OPS, interrupt_when_late, f);
    return run(f,
               "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
               "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
               error);
}

static bool fits(struct archive_file *f)
{
    return number(f->db, "PRAGMA application_id") == APPLICATION &&
           number(f->db, "PRAGMA user_version") == FORMAT && sound(f->db) && of_this_journal(f);
}

/* Nobody else may read it, whatever the umask; SQLite gives its log the same mode. */
static void create_private(const char *file)
{
    int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static bool remove_files(const char *file, char error[LIMIT_TEXT])
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    bool good = true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char name[4096];
        bool fits = (size_t)snprintf(name, sizeof name, "%s%s", file, ends[i]) < sizeof name;
        if (fits && (unlink(name) == 0 || access(name, F_OK) != 0))
            continue;
        snprintf(error, LIMIT_TEXT, "%.180s cannot be removed: its folder must be writable", name);
        good = false;
    }
    return good;
}

/* One that was not made to its end, or does not fit, is not asked what is the matter with it. */
static bool ready_db(struct archive_file *f, char error[LIMIT_TEXT])
{
    char why[LIMIT_TEXT];
    if (f->db || (access(f->file, F_OK) == 0 && open_db(f, why) && fits(f)))
        return true;
    close_db(f);
    if (atomic_load(&f->stopping)) {
        snprintf(error, LIMIT_TEXT, "the daemon is stopping");
        return false;
    }
    if (!remove_files(f->file, error))
        return false;
    create_private(f->file);
    bool good = open_db(f, error) && run(f, schema, error);
    if (!good)
        close_db(f);
    return good;
}

bool archive_file_ready(struct archive_file *f, char error[LIMIT_TEXT])
{
    if (!f->journal)
        f->journal = sqlite_file_open(f->journal_file, SQLITE_FILE_READ, NULL, error);
    return f->journal && ready_db(f, error);
}

void archive_file_close(struct archive_file *f)
{
    sqlite3_close(f->journal);
    f->journal = NULL;
    close_db(f);
}

void archive_file_failed(struct archive_file *f)
{
    char error[LIMIT_TEXT];
    int code = f->db ? sqlite3_errcode(f->db) & 0xff : SQLITE_OK;
    if (code == SQLITE_INTERRUPT)
        return;
    archive_file_close(f);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        remove_files(f->file, error);
}

bool archive_remove(const char *journal_file, char error[LIMIT_TEXT])
{
    char file[4000];
    snprintf(file, sizeof file, "%.3900s" ARCHIVE_SUFFIX, journal_file);
    return remove_files(file, error);
}

/* --- Reading the journal. */

void archive_step_finish(struct archive_step *step)
{
    for (size_t i = 0; i < step->row_count; i++) {
        free(step->rows[i].words);
        free(step->rows[i].press_at_ms);
    }
    memset(step, 0, sizeof *step);
}

void archive_add_words(struct archive_row *row, const char *text)
{
    size_t size = strlen(text);
    if (size == 0 || row->words_size + size + 1 > ARCHIVE_WORDS)
        return;
    row->words = realloc(row->words, row->words_size + size + 1);
    assert(row->words);
    for (size_t i = 0; i < size; i++)
        row->words[row->words_size + i] =
            (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
    row->words_size += size;
    row->words[row->words_size++] = '\n';
}

/* Whether there is a row that the line changes. */
static bool changes(struct archive_file *f, const char *alarm, enum archive_concern concern)
{
    sqlite3_stmt *s = NULL;
    bool found = sqlite3_prepare_v2(f->db, "SELECT 1 FROM alarm WHERE id = ? AND (received_ms < 0 OR ?)", -1,
                                    &s, NULL) == SQLITE_OK &&
                 sqlite3_bind_text(s, 1, alarm, -1, SQLITE_STATIC) == SQLITE_OK &&
                 sqlite3_bind_int(s, 2, concern == ARCHIVE_CHANGES) == SQLITE_OK &&
                 sqlite3_step(s) == SQLITE_ROW;
    sqlite3_finalize(s);
    return found;
}

/* One alarm from its lines: a row, or none. */
static bool make_row(struct archive_file *f, const struct archive_maker *maker, struct archive_step *step,
                     const char *alarm, char error[LIMIT_TEXT])
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(f->journal, SQLITE_FILE_ALARM, -1, &s, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_text(s, 1, alarm, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 3, -1); /* no limit */
        maker->begin(maker->ctx, alarm);
        while ((code = sqlite3_step(s)) == SQLITE_ROW && !atomic_load(&f->stopping)) {
            const char *line = (const char *)sqlite3_column_text(s, 1);
            maker->line(maker->ctx, line ? line : "", (size_t)sqlite3_column_bytes(s, 1),
                        (const char *)sqlite3_column_text(s, 2));
        }
        struct archive_row *row = &step->rows[step->row_count];
        *row = (struct archive_row){0};
        if (maker->end(maker->ctx, row))
            step->row_count++;
        else
            snprintf(step->gone[step->gone_count++], LIMIT_ALARM_ID, "%s", alarm);
    }
    if (code != SQLITE_DONE)
        sqlite_file_error(f->journal, code, error);
    sqlite3_finalize(s);
    return code == SQLITE_DONE;
}

struct page {
    size_t count;
    char alarms[ARCHIVE_STEP_LINES][LIMIT_ALARM_ID];
};

static void page_add(struct page *page, const char *alarm)
{
    for (size_t i = 0; i < page->count; i++)
        if (strcmp(page->alarms[i], alarm) == 0)
            return;
    snprintf(page->alarms[page->count++], LIMIT_ALARM_ID, "%s", alarm);
}

/* The next lines; which alarms are to be made from them. */
static bool read_page(struct archive_file *f, const struct archive_maker *maker, struct archive_step *step,
                      struct page *page, char error[LIMIT_TEXT])
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(f->journal, SQLITE_FILE_EVENTS "WHERE e.seq > ? ORDER BY e.seq LIMIT ?", -1,
                                  &s, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_int64(s, 1, (int64_t)f->position);
        sqlite3_bind_int64(s, 2, ARCHIVE_STEP_LINES);
    }
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(s);
        if (code != SQLITE_ROW)
            break;
        struct store_event e = sqlite_file_event(s);
        step->position = e.seq;
        memcpy(step->leaf, e.leaf, sizeof step->leaf);
        step->notes += e.note != NULL;
        step->note_sum += e.note ? e.seq : 0;
        if (!e.alarm[0] || strlen(e.alarm) >= LIMIT_ALARM_ID)
            continue;
        enum archive_concern concern = maker->concern(maker->ctx, e.line, e.size);
        if (concern == ARCHIVE_MAKES || (concern != ARCHIVE_NOTHING && changes(f, e.alarm, concern)))
            page_add(page, e.alarm);
    }
    if (code != SQLITE_DONE)
        sqlite_file_error(f->journal, code, error);
    sqlite3_finalize(s);
    return code == SQLITE_DONE;
}

bool archive_file_read(struct archive_file *f, const struct archive_maker *maker, struct archive_step *step,
                       char error[LIMIT_TEXT])
{
    struct page page = {0};
    bool good = read_page(f, maker, step, &page, error);
    for (size_t i = 0; good && i < page.count; i++)
        good = make_row(f, maker, step, page.alarms[i], error);
    return good;
}

/* --- Writing what was read, all of it or nothing. */

static void bind_row(sqlite3_stmt *s, const struct archive_row *row)
{
    char zones[ARCHIVE_ZONES * LIMIT_ID] = "";
    size_t size = 0;
    for (unsigned i = 0; i < row->zone_count; i++)
        size += (size_t)snprintf(zones + size, sizeof zones - size, "%s%s", i ? " " : "", row->zones[i]);
    const char *texts[] = {row->id, row->site, kind_str(row->kind), mode_str(row->mode),
                           disposition_str(row->disposition)};
    int64_t numbers[] = {row->opened_at_ms,
                         row->closed_at_ms,
                         row->closed_ms,
                         row->moment_ms[ARCHIVE_RECEIVED],
                         row->moment_ms[ARCHIVE_ACKNOWLEDGED],
                         row->moment_ms[ARCHIVE_COMING],
                         row->moment_ms[ARCHIVE_ON_SCENE]};
    const char *people[] = {row->acknowledged_by, row->coming_by, row->on_scene_by, row->closed_by};
    int column = 1;
    sqlite3_bind_int64(s, column++, (int64_t)row->seq);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        sqlite3_bind_text(s, column++, texts[i], -1, SQLITE_TRANSIENT);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sqlite3_bind_int64(s, column++, numbers[i]);
    for (size_t i = 0; i < sizeof people / sizeof *people; i++)
        sqlite3_bind_text(s, column++, people[i], -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(s, column++, row->press_count);
    sqlite3_bind_text(s, column++, zones, -1, SQLITE_TRANSIENT);
    sqlite3_bind_blob(s, column++, row->words ? row->words : "", (int)row->words_size, SQLITE_STATIC);
    sqlite3_bind_blob(s, column++, row->press_at_ms ? (void *)row->press_at_ms : "",
                      (int)(row->press_at_count * sizeof(int64_t)), SQLITE_STATIC);
}

static bool step_once(sqlite3_stmt *s)
{
    bool good = sqlite3_step(s) == SQLITE_DONE;
    sqlite3_reset(s);
    return good;
}

static bool put_rows(struct archive_file *f, const struct archive_step *step)
{
    sqlite3_stmt *put = NULL, *drop = NULL, *state = NULL;
    bool good =
        sqlite3_prepare_v2(f->db,
                           "INSERT OR REPLACE INTO alarm VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                           -1, &put, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(f->db, "DELETE FROM alarm WHERE id = ?", -1, &drop, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(
            f->db, "UPDATE state SET position = ?, leaf = ?, notes = notes + ?, note_sum = note_sum + ?", -1,
            &state, NULL) == SQLITE_OK;
    for (size_t i = 0; good && i < step->row_count; i++) {
        bind_row(put, &step->rows[i]);
        good = step_once(put);
    }
    for (size_t i = 0; good && i < step->gone_count; i++) {
        sqlite3_bind_text(drop, 1, step->gone[i], -1, SQLITE_STATIC);
        good = step_once(drop);
    }
    if (good) {
        sqlite3_bind_int64(state, 1, (int64_t)step->position);
        sqlite3_bind_blob(state, 2, step->leaf, sizeof step->leaf, SQLITE_STATIC);
        sqlite3_bind_int64(state, 3, (int64_t)step->notes);
        sqlite3_bind_int64(state, 4, (int64_t)step->note_sum);
        good = step_once(state);
    }
    sqlite3_finalize(put);
    sqlite3_finalize(drop);
    sqlite3_finalize(state);
    return good;
}

bool archive_file_write(struct archive_file *f, const struct archive_step *step, char error[LIMIT_TEXT])
{
    if (step->position == 0)
        return true;
    bool good = run(f, "BEGIN", error);
    if (good && !put_rows(f, step)) {
        sqlite_file_error(f->db, sqlite3_errcode(f->db), error);
        good = false;
    }
    good = good && run(f, "COMMIT", error);
    if (good)
        f->position = step->position;
    else if (f->db && !sqlite3_get_autocommit(f->db))
        sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
    return good;
}
