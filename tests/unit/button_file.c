/* The button's file under power loss. write, fsync and rename are ours here: they count, and at a chosen step
 * the power goes, taking with it whatever was not synced. */
#include "button/button_file.h"
#include "button_rig.h"
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[32], path[64];
static int step, lost_at = -1; /* step at which the power goes; -1 = never */
static bool half;              /* the step is half done when it goes */
static char order[64];

static void power_loss(int unsynced_fd)
{
    if (unsynced_fd >= 0 && ftruncate(unsynced_fd, 7) != 0)
        _exit(2);
    _exit(9);
}

static void note(char what)
{
    size_t used = strlen(order);
    if (used + 1 < sizeof order)
        order[used] = what;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    if (fd <= 2)
        return syscall(SYS_write, fd, bytes, size);
    note('w');
    if (step++ == lost_at) {
        if (half)
            syscall(SYS_write, fd, bytes, size / 2);
        power_loss(fd);
    }
    return syscall(SYS_write, fd, bytes, size);
}

int fsync(int fd)
{
    struct stat status;
    fstat(fd, &status);
    bool is_folder = S_ISDIR(status.st_mode);
    note(is_folder ? 'd' : 's');
    if (step++ == lost_at) {
        if (half)
            syscall(SYS_fsync, fd);
        power_loss(half || is_folder ? -1 : fd);
    }
    return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    note('r');
    if (step++ == lost_at) {
        if (half)
            syscall(SYS_renameat, -100, from, -100, to);
        power_loss(-1);
    }
    return (int)syscall(SYS_renameat, -100, from, -100, to);
}

static bool file_save(void *ctx, const void *bytes, size_t size)
{
    struct button_file f = {.path = path};
    return button_file_save(&f, bytes, size);
}

static bool file_load(void *ctx, void *bytes, size_t max, size_t *size)
{
    struct button_file f = {.path = path};
    return button_file_load(&f, bytes, max, size);
}

static void start(struct rig *r)
{
    struct button_options options = rig_options(r);
    options.save = file_save;
    options.load = file_load;
    button_init(&r->button, &options, r->now_ms);
    rig_link(r, true);
}

static int make_folder(void **state)
{
    strcpy(folder, "/tmp/tocsin-button-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/record", folder);
    return 0;
}

static int remove_folder(void **state)
{
    char beside[80];
    snprintf(beside, sizeof beside, "%s.new", path);
    unlink(path);
    unlink(beside);
    rmdir(folder);
    return 0;
}

static struct rig *rig_alone(void)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->now_ms = 1000;
    r->random = 7;
    return r;
}

static void test_order_of_steps(void **state)
{
    struct button_file f = {.path = path};
    memset(order, 0, sizeof order);
    assert_true(button_file_save(&f, "abc", 3));
    assert_string_equal(order, "wsrd"); /* write, sync, rename, sync the folder */
}

static void test_round_trip_and_errors(void **state)
{
    char bytes[8];
    size_t size;
    struct button_file f = {.path = path}, nowhere = {.path = "/nonexistent/record"};
    assert_false(button_file_load(&f, bytes, sizeof bytes, &size));
    assert_true(button_file_save(&f, "abc", 3));
    assert_true(button_file_load(&f, bytes, sizeof bytes, &size));
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "abc", 3);
    assert_false(button_file_save(&nowhere, "abc", 3));
    assert_int_not_equal(nowhere.error, 0);
}

/* A child presses "fire" while the power goes at `at`; a press that its button_press() returned from must be
 * kept, an earlier one always, and the next press has an identity of its own. */
static void one_power_loss(int at, bool half_done, bool *over)
{
    struct rig *r = rig_alone();
    start(r);
    uint64_t first = rig_press(r, "panic", BUTTON_REAL);
    char epoch[BUTTON_EPOCH];
    strcpy(epoch, r->button.epoch);
    pid_t child = fork();
    if (child == 0) {
        step = 0;
        lost_at = at;
        half = half_done;
        rig_press(r, "fire", BUTTON_REAL);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0));
    *over = WEXITSTATUS(status) == 0;
    free(r);
    r = rig_alone();
    start(r);
    assert_string_equal(r->button.epoch, epoch);
    unsigned kept = button_waiting(&r->button);
    assert_true(kept >= 1);
    assert_int_equal(r->button.waiting[0].n, first);
    if (*over)
        assert_int_equal(kept, 2);
    if (kept == 2)
        assert_string_equal(r->button.waiting[1].kind, "fire");
    assert_true(rig_press(r, "medical", BUTTON_REAL) >
                first + 1); /* "fire" was sent as first + 1, kept or not */
    free(r);
}

static void test_power_loss_at_each_step(void **state)
{
    for (int half_done = 0; half_done < 2; half_done++) {
        bool over = false;
        int at = 0;
        for (; !over; at++) {
            one_power_loss(at, half_done, &over);
            remove_folder(NULL);
            make_folder(NULL);
        }
        assert_int_equal(at, 5); /* four steps, and the one that went well */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_of_steps, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_round_trip_and_errors, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_power_loss_at_each_step, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
