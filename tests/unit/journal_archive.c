/* The archive's file alone, and its end: rows that are not ours, alarms that are not closed any more, files
 * that do not fit, and a daemon that stops while it is being filled. */
#include "journal/archive_file.h"
#include "journal_test.h"
#include "wide_awake.h"

#include <semaphore.h>
#include <sodium.h>
#include <sys/stat.h>

#define LINES 30
#define DAY_MS 86400000LL
#define LONG_ALARM "an-alarm-whose-name-is-longer-than-any-of-ours-can-be"

struct fixture {
    struct test_folder folder;
    char journal[160], error[LIMIT_TEXT];
    struct archive_file file;
};

/* A journal of one batch: each third line is of one alarm, the seventh has a note. */
static int setup(void **state)
{
    static struct fixture f;
    struct store_head head;
    memset(&f, 0, sizeof f);
    test_folder_make(&f.folder);
    snprintf(f.journal, sizeof f.journal, "%s", test_path(&f.folder, "journal.db"));
    struct store *s = store_sqlite_create(f.journal);
    assert_true(s->open(s, &head, f.error));
    test_append(s, &head, LINES);
    s->close(s);
    store_destroy(s);
    f.file.journal_file = f.journal;
    f.file.file = sqlite3_mprintf("%s" ARCHIVE_SUFFIX, f.journal);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    archive_file_close(&f->file);
    sqlite3_free(f->file.file);
    test_folder_remove(&f->folder);
    return 0;
}

static void tamper(const char *file, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void ready(struct fixture *f)
{
    if (!archive_file_ready(&f->file, f->error))
        fail_msg("%s", f->error);
}

/* Alarm `number`, of the n-th day after 1970. */
static void put(struct fixture *f, unsigned number, unsigned zones, const char *words)
{
    static struct archive_step step;
    char line[LIMIT_LINE];
    step = (struct archive_step){.position = LINES, .row_count = 1};
    tree_leaf(step.leaf, line, (size_t)test_line(line, LINES));
    if (f->file.position == 0) { /* those of test_batch_make */
        step.notes = 4;
        step.note_sum = 7 + 14 + 21 + 28;
    }
    struct archive_row *row = &step.rows[0];
    snprintf(row->id, sizeof row->id, "a%020u", number);
    snprintf(row->site, sizeof row->site, "school-1");
    row->seq = number;
    row->opened_at_ms = number * DAY_MS;
    row->press_count = 1;
    row->moment_ms[ARCHIVE_RECEIVED] = DAY_MS; /* later than any limit */
    row->zone_count = zones;
    for (unsigned i = 0; i < zones; i++)
        snprintf(row->zones[i], LIMIT_ID, "room-%u", i);
    if (words)
        archive_add_words(row, words);
    if (!archive_file_write(&f->file, &step, f->error))
        fail_msg("%s", f->error);
    archive_step_finish(&step);
}

static const struct archive_query everything = {.from_ms = INT64_MIN,
                                                .to_ms = INT64_MAX,
                                                .kind = -1,
                                                .mode = -1,
                                                .disposition = -1,
                                                .limit = 10,
                                                .before = UINT64_MAX,
                                                .year_to_ms = INT64_MAX};

/* The numbers of those that are found, as text. */
static const char *found(struct fixture *f, const struct archive_query *query)
{
    static char text[100];
    struct archive_row *rows;
    size_t count, size = 0;
    bool more;
    text[0] = '\0';
    if (!archive_file_find(&f->file, query, &rows, &count, &more, f->error))
        fail_msg("%s", f->error);
    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%d", i ? " " : "", (int)rows[i].seq);
    free(rows);
    return text;
}

static void test_rows_that_are_not_ours_are_passed_over(void **state)
{
    struct fixture *f = *state;
    ready(f);
    for (unsigned i = 1; i <= 4; i++)
        put(f, i, 1, NULL);
    assert_string_equal(found(f, &everything), "4 3 2 1");
    archive_file_close(&f->file);
    tamper(f->file.file, "UPDATE alarm SET kind = 'earthquake' WHERE seq = 1");
    tamper(f->file.file, "UPDATE alarm SET mode = 'dream' WHERE seq = 2");
    tamper(f->file.file, "UPDATE alarm SET disposition = 'eaten' WHERE seq = 3");
    ready(f);
    assert_string_equal(found(f, &everything), "4");
    struct archive_sums sums = {0};
    assert_true(archive_file_sum(&f->file, &everything, &sums, f->error));
    assert_int_equal(sums.modes[MODE_REAL].alarms, 3); /* that its mode is none of ours is seen in number 2 */
    assert_int_equal(sums.modes[MODE_REAL].counts[SPREAD_RECEIVED][ARCHIVE_LIMITS], 3);
    free(sums.sites);
}

static void test_as_many_zones_and_words_as_there_is_room_for(void **state)
{
    struct fixture *f = *state;
    ready(f);
    put(f, 1, ARCHIVE_ZONES, "The North Gate");
    put(f, 2, 0, NULL);
    static char many[ARCHIVE_WORDS + 1];
    memset(many, 'x', ARCHIVE_WORDS);
    put(f, 3, 1, many); /* with the end of the line it does not fit */
    struct archive_query query = everything;
    strcpy(query.text, "gate north");
    assert_string_equal(found(f, &query), "1");
    strcpy(query.text, "x");
    assert_string_equal(found(f, &query), "");
    struct archive_row *rows;
    size_t count;
    bool more;
    assert_true(archive_file_find(&f->file, &everything, &rows, &count, &more, f->error));
    assert_int_equal(count, 3);
    assert_int_equal(rows[2].zone_count, ARCHIVE_ZONES);
    assert_string_equal(rows[2].zones[ARCHIVE_ZONES - 1], "room-15");
    assert_int_equal(rows[1].zone_count, 0);
    free(rows);
    tamper(f->file.file, "UPDATE alarm SET zones = zones || ' room-16'");
    assert_string_equal(found(f, &everything), "3 2 1");
}

/* Presses of before 1970, where the hour of the day is a remainder below zero. */
static void test_hours_of_a_clock_that_was_never_set(void **state)
{
    struct fixture *f = *state;
    ready(f);
    put(f, 1, 1, NULL);
    tamper(f->file.file, "UPDATE alarm SET press_at = x'ffffffffffffffff'"); /* 1 ms before midnight */
    struct archive_sums sums = {0};
    assert_true(archive_file_sum(&f->file, &everything, &sums, f->error));
    assert_int_equal(sums.modes[MODE_REAL].by_hour[0] + sums.modes[MODE_REAL].by_hour[23], 1);
    free(sums.sites);
    struct archive_query query = everything;
    query.offset_min = -90;
    sums = (struct archive_sums){0};
    assert_true(archive_file_sum(&f->file, &query, &sums, f->error));
    assert_int_equal(sums.modes[MODE_REAL].by_hour[23], 1);
    free(sums.sites);
}

static void test_one_that_knows_of_other_notes_is_made_anew(void **state)
{
    struct fixture *f = *state;
    static const char *const changes[] = {
        "UPDATE state SET note_sum = note_sum + 1", "UPDATE state SET notes = notes + 1",
        "UPDATE state SET leaf = x'00', position = 1", "DELETE FROM state", "PRAGMA user_version=99"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        ready(f);
        put(f, 1, 1, NULL);
        archive_file_close(&f->file);
        ready(f);
        assert_string_equal(found(f, &everything), "1");
        archive_file_close(&f->file);
        tamper(f->file.file, changes[i]);
        ready(f);
        assert_string_equal(found(f, &everything), "");
        assert_int_equal(f->file.position, 0);
    }
}

/* Damage in its middle is not looked for at the start, when presses may be waiting. */
static void test_a_large_one_is_not_walked(void **state)
{
    struct fixture *f = *state;
    ready(f);
    put(f, 1, 1, NULL);
    archive_file_close(&f->file);
    tamper(f->file.file, "PRAGMA synchronous=OFF; CREATE TABLE ballast(x);"
                         "INSERT INTO ballast VALUES(zeroblob(34000000))");
    FILE *file = fopen(f->file.file, "r+");
    char garbage[4096];
    memset(garbage, 0x5a, sizeof garbage);
    assert_non_null(file);
    assert_int_equal(fseek(file, 4096 * 4096L, SEEK_SET), 0);
    assert_int_equal(fwrite(garbage, 1, sizeof garbage, file), sizeof garbage);
    assert_int_equal(fclose(file), 0);
    ready(f);
    assert_string_equal(found(f, &everything), "1");
}

static void test_a_place_that_is_taken_is_said(void **state)
{
    struct fixture *f = *state;
    char inside[200];
    assert_int_equal(mkdir(f->file.file, 0700), 0);
    snprintf(inside, sizeof inside, "%s/kept", f->file.file);
    assert_int_equal(mkdir(inside, 0700), 0);
    assert_false(archive_file_ready(&f->file, f->error));
    assert_non_null(strstr(f->error, "cannot be removed"));
    assert_int_equal(access(inside, F_OK), 0);
}

/* Makers. */

static enum archive_concern makes(void *ctx, const char *line, size_t size)
{
    return ARCHIVE_MAKES;
}

static enum archive_concern receives(void *ctx, const char *line, size_t size)
{
    return ARCHIVE_RECEIVES;
}

static void ignore_begin(void *ctx, const char *alarm)
{
}

static void ignore_line(void *ctx, const char *line, size_t size, const char *note)
{
}

static bool is_closed(void *ctx, struct archive_row *out)
{
    snprintf(out->id, sizeof out->id, "aabcdefghijklmnopqrst");
    out->seq = 3;
    out->moment_ms[ARCHIVE_RECEIVED] = ARCHIVE_NEVER;
    return true;
}

static bool is_open(void *ctx, struct archive_row *out)
{
    return false;
}

static void ignore_name(void *ctx, struct archive_row *row)
{
}

static struct archive_maker maker = {
    .concern = makes, .begin = ignore_begin, .line = ignore_line, .end = is_closed, .name = ignore_name};

/* All lines once more, from the first. */
static void fill(struct fixture *f, size_t rows, size_t gone)
{
    static struct archive_step step;
    memset(&step, 0, sizeof step);
    f->file.position = 0;
    if (!archive_file_read(&f->file, &maker, &step, f->error))
        fail_msg("%s", f->error);
    assert_int_equal(step.row_count, rows);
    assert_int_equal(step.gone_count, gone);
    if (!archive_file_write(&f->file, &step, f->error))
        fail_msg("%s", f->error);
    archive_step_finish(&step);
}

static void test_an_alarm_that_is_not_closed_any_more_goes(void **state)
{
    struct fixture *f = *state;
    tamper(f->journal, "UPDATE event SET alarm = '" LONG_ALARM "' WHERE seq = 6"); /* never a row */
    ready(f);
    maker.concern = receives; /* no row is there that it could change */
    fill(f, 0, 0);
    maker.concern = makes;
    fill(f, 1, 0);
    assert_string_equal(found(f, &everything), "3");
    maker.concern = receives;
    maker.end = is_open;
    fill(f, 0, 1);
    assert_string_equal(found(f, &everything), "");
    maker.concern = makes;
    maker.end = is_closed;
}

/* It stops. */

static bool finished;

static sem_t reached, stopping;

static void line_that_waits(void *ctx, const char *line, size_t size, const char *note)
{
    if ((*(unsigned *)ctx)++ == 0) {
        sem_post(&reached);
        sem_wait(&stopping);
    }
}

static void on_rows(void *ctx, const struct archive_rows *rows)
{
    assert_int_equal(rows->count, 0);
    assert_string_equal(rows->error, "the daemon is stopping");
    ++*(unsigned *)ctx;
}

static void on_sums(void *ctx, const struct archive_sums *sums)
{
    assert_string_equal(sums->error, "the daemon is stopping");
    ++*(unsigned *)ctx;
}

static void on_finish(void *ctx)
{
    finished = true;
}

static void test_it_stops_in_the_middle_of_a_step_and_answers_everybody(void **state)
{
    struct fixture *f = *state;
    uv_loop_t loop;
    unsigned lines = 0, answers = 0;
    struct archive_maker slow = maker;
    slow.ctx = &lines;
    slow.line = line_that_waits;
    slow.finish = on_finish;
    finished = false;
    assert_int_equal(uv_loop_init(&loop), 0);
    sem_init(&reached, 0, 0);
    sem_init(&stopping, 0, 0);
    struct archive *a = archive_create(&loop, f->journal, &slow);
    archive_find(a, &everything, LINES, on_rows, &answers);
    archive_sum(a, &everything, LINES, on_sums, &answers);
    sem_wait(&reached);
    archive_destroy(a); /* nothing waits for the line */
    archive_destroy(NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(uv_loop_alive(&loop));
    assert_false(finished);
    sem_post(&stopping);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answers, 2);
    assert_int_equal(lines, 1); /* of ten */
    assert_true(finished);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_that_are_not_ours_are_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_as_many_zones_and_words_as_there_is_room_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hours_of_a_clock_that_was_never_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_knows_of_other_notes_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_large_one_is_not_walked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_place_that_is_taken_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_alarm_that_is_not_closed_any_more_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_stops_in_the_middle_of_a_step_and_answers_everybody, setup,
                                        teardown),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
