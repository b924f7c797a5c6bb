/* A quota that is used up is a disk that is full: the reserve is given up, and what is recorded then is kept. */
#include "journal/journal.h"
#include "journal/reserve.h"
#include "journal_test.h"

#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct fixture {
    struct test_folder folder;
    char file[160], reserve[160], error[LIMIT_TEXT];
    struct store_head head;
};

/* The disk's own figures do not show it. What it allows is used up, but for what the reserve takes. */
static const char *quota_left_in; /* NULL = there is no quota */

static bool quota_refuses(off_t bytes)
{
    return quota_left_in && bytes > (access(quota_left_in, F_OK) == 0 ? 0 : RESERVE_BYTES);
}

static ssize_t quota_pwrite(int fd, const void *from, size_t size, off_t at)
{
    if (!quota_refuses((off_t)size))
        return pwrite(fd, from, size, at);
    errno = EDQUOT;
    return -1;
}

int __real_posix_fallocate64(int fd, off_t at, off_t size);
int __wrap_posix_fallocate64(int fd, off_t at, off_t size);
int __wrap_posix_fallocate64(int fd, off_t at, off_t size)
{
    return quota_refuses(at + size) ? EDQUOT : __real_posix_fallocate64(fd, at, size);
}

static off_t size_of(const char *file)
{
    struct stat s;
    return stat(file, &s) == 0 ? s.st_size : -1;
}

static int setup(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    test_folder_make(&f.folder);
    snprintf(f.file, sizeof f.file, "%s", test_path(&f.folder, "journal.db"));
    snprintf(f.reserve, sizeof f.reserve, "%s", test_path(&f.folder, "journal.db.ballast"));
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    static const char *const names[] = {"pwrite", "pwrite64"}; /* which of them it uses is the build's */
    for (int i = 0; i < 2; i++)
        vfs->xSetSystemCall(vfs, names[i], (sqlite3_syscall_ptr)quota_pwrite);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    quota_left_in = NULL;
    test_folder_remove(&((struct fixture *)*state)->folder);
    return 0;
}

static void append_and_commit(struct journal *j)
{
    static char lines[8][LIMIT_LINE]; /* the journal keeps where it is */
    uint64_t seq = journal_next_seq(j);
    int size = test_line(lines[seq % 8], seq);
    struct journal_entry e = {.seq = seq, .line = lines[seq % 8], .size = (size_t)size, .alarm = ""};
    assert_true(journal_append(j, &e));
    journal_commit_now(j);
}

static void test_it_costs_the_reserve_and_no_event(void **state)
{
    struct fixture *f = *state;
    unsigned char public_key[32], secret_key[64];
    crypto_sign_keypair(public_key, secret_key);
    struct store *s = store_sqlite_create(f->file);
    struct journal *j = journal_create(
        &(struct journal_options){.store = s, .origin = "test.example", .secret_key = secret_key}, f->error);
    assert_non_null(j);
    append_and_commit(j);
    assert_int_equal(size_of(f->reserve), RESERVE_BYTES);
    quota_left_in = f->reserve;
    append_and_commit(j);
    struct journal_progress p = journal_poll(j);
    assert_int_equal(p.state, JOURNAL_DEGRADED);
    assert_non_null(strstr(p.text, "the quota"));
    append_and_commit(j);
    for (int i = 0; i < 3; i++) { /* in quiet it is not made of the room that it has just given up */
        journal_commit_now(j);
        p = journal_poll(j);
        assert_true(p.state == JOURNAL_OK && p.committed_seq == 3 && p.concern);
        assert_non_null(strstr(p.text, "last reserve"));
        assert_int_equal(size_of(f->reserve), -1);
    }
    quota_left_in = NULL; /* somebody raised it */
    journal_commit_now(j);
    p = journal_poll(j);
    assert_true(p.state == JOURNAL_OK && !p.concern);
    assert_int_equal(size_of(f->reserve), RESERVE_BYTES);
    assert_true(journal_destroy(j));
    store_destroy(s);
}

/* What a daemon that was killed left in the log is to go into the database first of all, and there is no room. */
static void test_at_the_start_it_costs_no_record(void **state)
{
    struct fixture *f = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *s = store_sqlite_create(f->file);
        if (!s->open(s, &f->head, f->error))
            _exit(1);
        test_append(s, &f->head, 10);
        _exit(0); /* without a word to the store */
    }
    int status;
    assert_true(waitpid(child, &status, 0) == child && status == 0);
    quota_left_in = f->reserve;
    struct store *s = store_sqlite_create(f->file);
    assert_false(s->open(s, &f->head, f->error));
    assert_non_null(strstr(f->error, "the quota"));
    assert_true(s->open(s, &f->head, f->error));
    assert_int_equal(f->head.frontier.size, 10);
    test_append(s, &f->head, 5);
    assert_non_null(strstr(s->concern(s), "last reserve"));
    s->close(s);
    store_destroy(s);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_costs_the_reserve_and_no_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_at_the_start_it_costs_no_record, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
