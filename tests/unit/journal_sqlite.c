/* What only the SQLite store promises: settings, refusals with a sentence, the reserve, one lock. */
#include "journal/journal.h"
#include "journal/journal_export.h"
#include "journal/journal_verify.h"
#include "journal/lock.h"
#include "journal/sqlite_file.h"
#include "journal_test.h"

#include <fcntl.h>
#include <sched.h>
#include <sodium.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct fixture {
    struct test_folder folder;
    char file[160];
    char error[LIMIT_TEXT];
    struct store_head head;
};

static int setup(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    test_folder_make(&f.folder);
    snprintf(f.file, sizeof f.file, "%s", test_path(&f.folder, "journal.db"));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    test_folder_remove(&((struct fixture *)*state)->folder);
    return 0;
}

static struct store *open_store(struct fixture *f)
{
    struct store *s = store_sqlite_create(f->file);
    assert_true(s->open(s, &f->head, f->error));
    return s;
}

static void close_store(struct store *s)
{
    s->close(s);
    store_destroy(s);
}

/* Runs SQL as any other program would. */
static void tamper(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void make_journal(struct fixture *f, size_t count)
{
    struct store *s = open_store(f);
    test_append(s, &f->head, count);
    close_store(s);
}

static void assert_refused(struct fixture *f, const char *because)
{
    struct store *s = store_sqlite_create(f->file);
    f->error[0] = 0;
    assert_false(s->open(s, &f->head, f->error));
    if (!strstr(f->error, because))
        fail_msg("\"%s\" does not say \"%s\"", f->error, because);
    assert_non_null(strstr(f->error, "/")); /* it names the file */
    store_destroy(s);
}

static void write_bytes(const char *path, const char *bytes, size_t size, off_t at)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, at), size);
    close(fd);
}

static off_t file_size(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 ? s.st_size : -1;
}

static void test_only_the_owner_can_read_it(void **state)
{
    struct fixture *f = *state;
    mode_t before = umask(0);
    struct store *s = open_store(f);
    test_append(s, &f->head, 1);
    umask(before);
    static const char *const names[] = {"journal.db", "journal.db-wal", "journal.db-shm",
                                        "journal.db.ballast"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct stat st;
        assert_int_equal(stat(test_path(&f->folder, names[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    close_store(s);
}

static void test_the_log_is_warm_and_does_not_grow(void **state)
{
    struct fixture *f = *state;
    const char *log = test_path(&f->folder, "journal.db-wal");
    struct store *s = open_store(f);
    off_t warm = file_size(log);
    assert_true(warm >= 16 * 1024 * 1024);
    for (int i = 0; i < 3000; i++) { /* more pages than the log holds */
        test_append(s, &f->head, 1);
        assert_true(s->tidy(s, false, f->error));
    }
    assert_int_equal(file_size(log), warm);
    assert_true(s->tidy(s, true, f->error));
    close_store(s);
}

static void test_newer_format_is_refused(void **state)
{
    struct fixture *f = *state;
    make_journal(f, 3);
    tamper(f, "PRAGMA user_version=3");
    assert_refused(f, "newer Tocsin (format 3, this one reads up to 2)");
}

static void test_a_format_that_it_has_not_is_refused(void **state)
{
    static const char *const changes[] = {"PRAGMA user_version=1", "PRAGMA user_version=0", "PRAGMA user_version=-7",
                                          "PRAGMA user_version=2; DROP TABLE looked_up", "DROP TABLE event"};
    struct fixture *f = *state;
    make_journal(f, 5);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        tamper(f, changes[i]);
        assert_refused(f, "restore a backup");
    }
}

static void test_another_database_is_refused(void **state)
{
    struct fixture *f = *state;
    tamper(f, "CREATE TABLE accounts(name TEXT)");
    assert_refused(f, "not a journal of Tocsin");
}

static void test_no_database_is_refused(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++)
        write_bytes(f->file, "This is a letter to the headmaster and not a database.\n", 55, i * 55);
    assert_refused(f, "not an SQLite database");
}

static void test_a_missing_folder_is_said(void **state)
{
    struct fixture *f = *state;
    snprintf(f->file, sizeof f->file, "%s", test_path(&f->folder, "no/such/journal.db"));
    assert_refused(f, "No such file or directory");
}

static void test_damaged_pages_are_found(void **state)
{
    struct fixture *f = *state;
    make_journal(f, 500);
    char garbage[4096];
    memset(garbage, 0x5a, sizeof garbage);
    off_t size = file_size(f->file);
    for (off_t at = 4096; at + 4096 <= size; at += 3 * 4096)
        write_bytes(f->file, garbage, sizeof garbage, at);
    assert_refused(f, "damaged");
}

static void test_each_failure_has_its_sentence(void **state)
{
    static const struct {
        int code;
        const char *sentence;
    } cases[] = {{SQLITE_NOTADB, "not an SQLite database"},
                 {SQLITE_CORRUPT_INDEX, "is damaged"},
                 {SQLITE_FULL, "free some space"},
                 {SQLITE_BUSY_SNAPSHOT, "end it"},
                 {SQLITE_LOCKED, "end it"},
                 {SQLITE_READONLY_DBMOVED, "read-only"},
                 {SQLITE_CANTOPEN_ISDIR, "must exist"},
                 {SQLITE_IOERR_FSYNC, "check the disk"},
                 {SQLITE_NOMEM, "out of memory"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[LIMIT_TEXT] = "";
        sqlite_file_error(NULL, cases[i].code, error); /* as when not even a handle could be had */
        assert_non_null(strstr(error, cases[i].sentence));
    }
}

/* It is not walked at the start, when a press may be waiting: but what the start needs is looked at. */
static void test_of_a_large_one_the_head_and_the_notes_are_checked(void **state)
{
    struct fixture *f = *state;
    make_journal(f, 5);
    tamper(f, "PRAGMA synchronous=OFF; INSERT INTO snapshot VALUES(5, x'', x'', zeroblob(34000000))");
    struct store *s = open_store(f);
    assert_int_equal(f->head.frontier.size, 5);
    struct store_snapshot found;
    assert_false(s->get_snapshot(s, 5, &found)); /* it is none: its hash is not its own */
    close_store(s);
    sqlite3 *db = NULL;
    sqlite3_stmt *page = NULL;
    assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT (rootpage - 1) * page_size, page_size FROM sqlite_schema, pragma_page_size "
                           "WHERE name = 'note'", -1, &page, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(page), SQLITE_ROW);
    off_t at = sqlite3_column_int(page, 0);
    size_t bytes = (size_t)sqlite3_column_int(page, 1);
    sqlite3_finalize(page);
    sqlite3_close(db);
    char garbage[4096];
    assert_true(bytes <= sizeof garbage);
    memset(garbage, 0x5a, sizeof garbage);
    write_bytes(f->file, garbage, bytes, at);
    assert_refused(f, "damaged");
}

/* The leaf of a line that is damaged, or an empty line, is nobody's: read, and told as it is. */
static void test_lines_and_leaves_of_another_size(void **state)
{
    struct fixture *f = *state;
    make_journal(f, 5);
    tamper(f, "UPDATE event SET leaf = x'00', line = '' WHERE seq = 2");
    char error[LIMIT_TEXT] = "";
    bool unread;
    struct journal_verify_report r;
    assert_false(journal_verify_database(f->file, &(struct journal_verify_options){0}, &r));
    assert_null(journal_prove(f->file, 1, &unread, error));
    assert_non_null(strstr(error, "missing"));
    assert_false(unread);
    tamper(f, "UPDATE head SET checkpoint = zeroblob(5000)");
    assert_null(journal_prove(f->file, 1, &unread, error));
    char checkpoint[3 * 1024];
    snprintf(checkpoint, sizeof checkpoint, "UPDATE head SET checkpoint = '%02000d'", 1);
    tamper(f, checkpoint);
    assert_refused(f, "its head cannot be read");
}

static void test_an_older_journal_keeps_its_pages(void **state)
{
    struct fixture *f = *state;
    tamper(f, "PRAGMA page_size=4096; CREATE TABLE t(a); DROP TABLE t");
    static const char *const names[] = {"older.db", "journal.db"};
    rename(f->file, test_path(&f->folder, "older.db"));
    for (int i = 0; i < 2; i++) {
        snprintf(f->file, sizeof f->file, "%s", test_path(&f->folder, names[i]));
        make_journal(f, 300);
        make_journal(f, 300);
        struct store *s = open_store(f);
        assert_int_equal(f->head.frontier.size, 600);
        sqlite3 *db = sqlite_file_open(f->file, SQLITE_FILE_READ, NULL, f->error);
        int bytes;
        assert_true(sqlite_file_page(db, &bytes, f->error));
        assert_int_equal(bytes, i == 0 ? 4096 : 2048);
        sqlite3_close(db);
        close_store(s);
    }
}

static void test_a_damaged_head_is_found(void **state)
{
    struct fixture *f = *state;
    make_journal(f, 5);
    tamper(f, "UPDATE head SET frontier = x'00'");
    assert_refused(f, "its head cannot be read");
}

/* Another program holds the write lock: said within half a second, nothing written, and good again
 * afterwards. */
static void test_a_locked_database_is_said(void **state)
{
    struct fixture *f = *state;
    struct store *s = open_store(f);
    test_append(s, &f->head, 1);
    sqlite3 *other;
    assert_int_equal(sqlite3_open(f->file, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct test_batch b;
    test_batch_make(&b, &f->head, 2);
    assert_int_equal(s->append(s, &f->head, &b.batch, f->error), STORE_FAILED);
    assert_non_null(strstr(f->error, "another program holds"));
    s->close(s);
    struct store_head head;
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_true(s->open(s, &head, f->error));
    assert_true(tree_frontier_equal(&head.frontier, &f->head.frontier));
    assert_int_equal(s->append(s, &head, &b.batch, f->error), STORE_OK);
    test_batch_free(&b);
    close_store(s);
}

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, p.text);                              \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

static void fill_disk(const char *path)
{
    static const char block[64 * 1024];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (size_t size = sizeof block; size > 0; size /= 2)
        while (write(fd, block, size) == (ssize_t)size)
            ;
    close(fd);
}

static void append_and_commit(struct journal *j, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char line[LIMIT_LINE];
        int size = test_line(line, journal_next_seq(j));
        struct journal_entry e = {
            .seq = journal_next_seq(j), .line = strdup(line), .size = (size_t)size, .alarm = ""};
        journal_append(j, &e);
    }
    journal_commit_now(j);
}

/* On a disk of its own in a process of its own: full, the reserve is given up, and nothing is lost. */
static void live_through_a_full_disk(const char *folder)
{
    unsigned char public_key[32], secret_key[64];
    char file[200], reserve[220], filler[200], error[LIMIT_TEXT];
    snprintf(file, sizeof file, "%s/journal.db", folder);
    snprintf(reserve, sizeof reserve, "%s.ballast", file);
    snprintf(filler, sizeof filler, "%s/filler", folder);
    crypto_sign_keypair(public_key, secret_key);
    struct store *s = store_sqlite_create(file);
    struct journal *j = journal_create(
        &(struct journal_options){.store = s, .origin = "test.example", .secret_key = secret_key}, error);
    struct journal_progress p = {0};
    CHECK(j);
    append_and_commit(j, 1);
    p = journal_poll(j);
    CHECK(p.committed_seq == 1 && !p.concern && file_size(reserve) == 16 * 1024 * 1024);
    fill_disk(filler);
    append_and_commit(j, 2000);
    p = journal_poll(j);
    CHECK(p.committed_seq == 1 && p.state == JOURNAL_DEGRADED && strstr(p.text, "is full: free some space"));
    CHECK(file_size(reserve) == -1);
    append_and_commit(j, 1); /* opened again, now with the reserve's room */
    p = journal_poll(j);
    CHECK(p.committed_seq == 2001 && p.state == JOURNAL_OK && p.concern && strstr(p.text, "last reserve"));
    journal_commit_now(j);
    CHECK(journal_poll(j).committed_seq == 2002);
    unlink(filler);
    journal_commit_now(j);
    p = journal_poll(j);
    CHECK(p.state == JOURNAL_OK && !p.concern && file_size(reserve) == 16 * 1024 * 1024);
    journal_destroy(j);
    store_destroy(s);
    _exit(0);
}

static void test_a_full_disk_costs_the_reserve_and_no_event(void **state)
{
    struct fixture *f = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool alone = unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
                     mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                     mount("none", f->folder.path, "tmpfs", 0, "size=64m") == 0;
        if (!alone)
            _exit(77);
        live_through_a_full_disk(f->folder.path);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* neither root nor allowed a name space of its own */
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_a_damaged_snapshot_gives_way_to_the_older(void **state)
{
    struct fixture *f = *state;
    struct store *s = open_store(f);
    test_append(s, &f->head, 20);
    for (uint64_t seq = 10; seq <= 20; seq += 10) {
        struct store_snapshot put = {.seq = seq, .bytes = (unsigned char *)"0123456789", .size = 10};
        assert_true(tree_frontier_at(&put.frontier, seq, s->subtree, s));
        assert_true(s->put_snapshot(s, &put, f->error));
    }
    close_store(s);
    tamper(f, "UPDATE snapshot SET bytes = x'30313233' WHERE seq = 20");
    s = open_store(f);
    struct store_snapshot got;
    assert_true(s->get_snapshot(s, 20, &got));
    assert_int_equal(got.seq, 10);
    free(got.bytes);
    close_store(s);
}

static bool holds(const char *path, const char *text)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    static char bytes[64 * 1024 * 1024];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

static void test_an_erased_note_is_nowhere_in_the_files(void **state)
{
    struct fixture *f = *state;
    const char *log = test_path(&f->folder, "journal.db-wal"), *text = "the caretaker is at the north gate";
    struct store *s = open_store(f);
    test_append(s, &f->head, 7);
    assert_true(s->tidy(s, true, f->error));
    assert_true(holds(f->file, text) || holds(log, text));
    assert_true(s->erase_note(s, 7, f->error));
    assert_true(s->tidy(s, true, f->error));
    assert_false(holds(f->file, text));
    assert_false(holds(log, text));
    close_store(s);
}

/* What is in it now: nothing of a copy made before is left. */
static void copy_file(const char *from, const char *to)
{
    static char bytes[1024 * 1024];
    char log[200];
    snprintf(log, sizeof log, "%s-wal", to);
    unlink(to);
    unlink(log);
    FILE *in = fopen(from, "r");
    assert_non_null(in);
    size_t size = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    assert_true(size < sizeof bytes);
    write_bytes(to, bytes, size, 0);
}

static uint64_t head_of(const char *file)
{
    char error[LIMIT_TEXT] = "";
    struct store_head head;
    struct store *s = store_sqlite_create(file);
    assert_true(s->open(s, &head, error));
    close_store(s);
    return head.frontier.size;
}

static void test_a_note_that_a_reader_keeps_in_the_log_is_not_called_erased(void **state)
{
    struct fixture *f = *state;
    const char *log = test_path(&f->folder, "journal.db-wal"), *text = "the caretaker is at the north gate";
    make_journal(f, 7);
    struct store *s = open_store(f);
    test_append(s, &f->head, 7);
    sqlite3 *reader;
    assert_int_equal(sqlite3_open(f->file, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM event", NULL, NULL, NULL), SQLITE_OK);
    close_store(s);
    assert_true(holds(log, text));
    assert_false(journal_export_erase_note(f->file, 14, f->error));
    assert_true(holds(log, text));
    assert_non_null(strstr(f->error, "end it"));
    assert_int_equal(sqlite3_close(reader), SQLITE_OK);
    assert_false(journal_export_erase_note(f->file, 14, f->error));
    assert_non_null(strstr(f->error, "erased already"));
    assert_false(holds(log, text));
}

/* An open file goes on taking everything when it is removed, until it is closed. */
static void test_a_removed_database_is_noticed_in_quiet(void **state)
{
    struct fixture *f = *state;
    const char *away = test_path(&f->folder, "away.db");
    struct store *s = open_store(f);
    test_append(s, &f->head, 3);
    assert_true(s->tidy(s, true, f->error));
    assert_int_equal(rename(f->file, away), 0);
    assert_false(s->tidy(s, true, f->error));
    assert_non_null(strstr(f->error, "journal.db was removed or replaced"));
    s->close(s);
    struct store_head head;
    assert_false(s->open(s, &head, f->error)); /* and no other one is made, which would take its log for its own */
    assert_int_equal(access(f->file, F_OK), -1);
    write_bytes(f->file, "another", 7, 0);
    assert_false(s->open(s, &head, f->error));
    assert_int_equal(rename(away, f->file), 0);
    assert_true(s->open(s, &head, f->error));
    assert_int_equal(head.frontier.size, 3);
    test_append(s, &f->head, 1);
    assert_true(s->tidy(s, true, f->error));
    assert_null(s->concern(s));
    close_store(s);
}

static void test_without_its_log_a_commit_goes_into_the_database(void **state)
{
    struct fixture *f = *state;
    const char *copy = test_path(&f->folder, "copy.db");
    struct store *s = open_store(f);
    test_append(s, &f->head, 2);
    assert_int_equal(unlink(test_path(&f->folder, "journal.db-wal")), 0);
    assert_true(s->tidy(s, true, f->error));
    assert_non_null(strstr(s->concern(s), "journal.db-wal was removed or replaced"));
    copy_file(f->file, copy);
    assert_int_equal(head_of(copy), 2);
    test_append(s, &f->head, 1);
    copy_file(f->file, copy);
    assert_int_equal(head_of(copy), 3);
    close_store(s);
    assert_int_equal(head_of(f->file), 3);
}

static void test_the_lock_names_its_holder(void **state)
{
    struct fixture *f = *state;
    const char *path = test_path(&f->folder, "tocsind.lock");
    int to_parent[2], to_child[2];
    char byte;
    assert_int_equal(pipe(to_parent) | pipe(to_child), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int lock = lock_take(path, f->error);
        if (write(to_parent[1], "x", 1) != 1 || read(to_child[0], &byte, 1) != 1)
            _exit(2);
        lock_release(lock);
        _exit(lock < 0);
    }
    assert_int_equal(read(to_parent[0], &byte, 1), 1);
    assert_int_equal(lock_take(path, f->error), LOCK_HELD);
    char named[40];
    snprintf(named, sizeof named, "process %ld already", (long)child);
    assert_non_null(strstr(f->error, named));
    assert_int_equal(write(to_child[1], "x", 1), 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    int lock = lock_take(path, f->error); /* gone with the holder, the file stays */
    assert_true(lock >= 0);
    assert_int_equal(lock_take(path, f->error), LOCK_HELD); /* not twice in one process either */
    lock_release(lock);
    for (int i = 0; i < 2; i++) {
        close(to_parent[i]);
        close(to_child[i]);
    }
    assert_int_equal(lock_take(test_path(&f->folder, "none/tocsind.lock"), f->error), LOCK_NONE);
    assert_non_null(strstr(f->error, "cannot be opened"));
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
#define SQLITE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(test_only_the_owner_can_read_it),
        SQLITE_TEST(test_the_log_is_warm_and_does_not_grow),
        SQLITE_TEST(test_newer_format_is_refused),
        SQLITE_TEST(test_a_format_that_it_has_not_is_refused),
        SQLITE_TEST(test_another_database_is_refused),
        SQLITE_TEST(test_no_database_is_refused),
        SQLITE_TEST(test_a_missing_folder_is_said),
        SQLITE_TEST(test_damaged_pages_are_found),
        SQLITE_TEST(test_each_failure_has_its_sentence),
        SQLITE_TEST(test_of_a_large_one_the_head_and_the_notes_are_checked),
        SQLITE_TEST(test_lines_and_leaves_of_another_size),
        SQLITE_TEST(test_an_older_journal_keeps_its_pages),
        SQLITE_TEST(test_a_damaged_head_is_found),
        SQLITE_TEST(test_a_locked_database_is_said),
        SQLITE_TEST(test_a_full_disk_costs_the_reserve_and_no_event),
        SQLITE_TEST(test_a_damaged_snapshot_gives_way_to_the_older),
        SQLITE_TEST(test_an_erased_note_is_nowhere_in_the_files),
        SQLITE_TEST(test_a_note_that_a_reader_keeps_in_the_log_is_not_called_erased),
        SQLITE_TEST(test_a_removed_database_is_noticed_in_quiet),
        SQLITE_TEST(test_without_its_log_a_commit_goes_into_the_database),
        SQLITE_TEST(test_the_lock_names_its_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
