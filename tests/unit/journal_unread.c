/* What cannot be read was not changed: a medium that takes nothing, a file that is not there, a disk that fails. */
#include "journal/journal.h"
#include "journal/journal_export.h"
#include "journal/journal_verify.h"
#include "journal_test.h"

#include <fcntl.h>
#include <sched.h>
#include <sodium.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct fixture {
    struct test_folder folder;
    char file[160], key[NOTE_KEY_TEXT], error[LIMIT_TEXT];
    unsigned char secret_key[64];
    struct journal_verify_options options;
    struct journal_verify_report report;
};

static int setup(void **state)
{
    static struct fixture f;
    unsigned char public_key[32];
    memset(&f, 0, sizeof f);
    test_folder_make(&f.folder);
    snprintf(f.file, sizeof f.file, "%s", test_path(&f.folder, "journal.db"));
    crypto_sign_keypair(public_key, f.secret_key);
    note_key_text("test.example", public_key, f.key);
    f.options.public_key = f.key;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    test_folder_remove(&((struct fixture *)*state)->folder);
    return 0;
}

/* `killed`: what was committed last stays in the log. */
static void make_journal(struct fixture *f, bool killed)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *s = store_sqlite_create(f->file);
        struct journal *j = journal_create(
            &(struct journal_options){.store = s, .origin = "test.example", .secret_key = f->secret_key}, f->error);
        for (int i = 0; i < 5; i++) {
            char line[LIMIT_LINE];
            int size = test_line(line, journal_next_seq(j));
            struct journal_entry e = {
                .seq = journal_next_seq(j), .line = strdup(line), .size = (size_t)size, .alarm = ""};
            journal_append(j, &e);
            journal_commit_now(j);
        }
        if (!killed)
            journal_destroy(j);
        _exit(0);
    }
    int status;
    assert_true(waitpid(child, &status, 0) == child && status == 0);
}

static bool verify(struct fixture *f)
{
    return journal_verify_database(f->file, &f->options, &f->report);
}

static void assert_unread(bool good, struct fixture *f, const char *because)
{
    assert_false(good || f->report.good);
    if (!f->report.unread || !strstr(f->report.text, because))
        fail_msg("%d, %s", f->report.unread, f->report.text);
}

static void assert_gives_nothing(struct fixture *f, bool for_it_is_unread)
{
    bool unread = !for_it_is_unread;
    assert_false(journal_export(f->file, f->key, test_path(&f->folder, "evidence"), NULL, NULL, &unread, f->error));
    assert_int_equal(unread, for_it_is_unread);
    unread = !for_it_is_unread;
    assert_null(journal_prove(f->file, 1, &unread, f->error));
    assert_int_equal(unread, for_it_is_unread);
}

static void test_what_is_not_there(void **state)
{
    struct fixture *f = *state;
    assert_unread(verify(f), f, "must exist");
    assert_gives_nothing(f, true);
    make_journal(f, false);
    assert_true(verify(f));
    assert_false(f->report.unread);
    assert_int_equal(truncate(f->file, 3000), 0); /* that is something else */
    assert_false(verify(f));
    assert_false(f->report.unread);
    assert_gives_nothing(f, false);
}

/* A folder can be opened as a file is, and not read: so does a disk that fails. */
static void test_an_export_on_a_disk_that_fails(void **state)
{
    static const char *const names[] = {"checkpoint.txt", "journal.ndjson", "journal.pub", "leaves.txt"};
    struct fixture *f = *state;
    char folder[160], path[200], away[220];
    bool unread;
    make_journal(f, false);
    snprintf(folder, sizeof folder, "%s", test_path(&f->folder, "evidence"));
    assert_true(journal_export(f->file, f->key, folder, NULL, NULL, &unread, f->error));
    assert_false(unread);
    f->options.public_key = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        snprintf(away, sizeof away, "%s.away", path);
        assert_int_equal(rename(path, away), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        bool good = journal_verify_export(folder, &f->options, &f->report);
        if (i < 3)
            assert_unread(good, f, "cannot be read");
        else
            assert_true(good && !strstr(f->report.text, "leaves.txt")); /* it is not needed */
        rmdir(path);
        if (i < 2) {
            assert_false(journal_verify_export(folder, &f->options, &f->report));
            assert_false(f->report.unread); /* an export that lacks it is none */
        }
        assert_int_equal(rename(away, path), 0);
    }
    assert_true(journal_verify_export(folder, &f->options, &f->report));
}

/* Runs it in a process of its own, which has a disk of its own in the folder. */
static void on_own_disk(struct fixture *f, void live(struct fixture *))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool alone = unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
                     mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                     mount("none", f->folder.path, "tmpfs", 0, "size=128m") == 0;
        if (!alone)
            _exit(77);
        live(f);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* neither root nor allowed a name space of its own */
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, f->report.text);                      \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

static void make_read_only(struct fixture *f)
{
    CHECK(mount("none", f->folder.path, "tmpfs", MS_REMOUNT | MS_RDONLY, "") == 0);
}

static void closed(struct fixture *f)
{
    make_journal(f, false);
    make_read_only(f);
    CHECK(verify(f) && f->report.size == 5);
}

static void killed(struct fixture *f)
{
    make_journal(f, true);
    make_read_only(f);
    CHECK(verify(f) && f->report.size == 5); /* with the log and its index all is there */
}

static void killed_without_index(struct fixture *f)
{
    make_journal(f, true);
    unlink(test_path(&f->folder, "journal.db-shm")); /* as in a copy of the two files */
    make_read_only(f);
    CHECK(!verify(f) && f->report.unread && strstr(f->report.text, "copy both files"));
    bool unread = false;
    CHECK(!journal_prove(f->file, 1, &unread, f->error) && unread);
    CHECK(mount("none", f->folder.path, "tmpfs", MS_REMOUNT, "") == 0);
    CHECK(verify(f) && f->report.size == 5);
}

static void test_a_medium_that_takes_nothing(void **state)
{
    on_own_disk(*state, closed);
    on_own_disk(*state, killed);
    on_own_disk(*state, killed_without_index);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_export_on_a_disk_that_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_medium_that_takes_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
