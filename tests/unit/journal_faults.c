/* Each call to the disk, and each allocation of SQLite's, fails once, and for good: what the store said yes
 * to is there afterwards, byte for byte, whoever reads it says the truth or a sentence, and it goes on when
 * the fault is over. */
#include "call_faults.h"

#include "journal/archive.h"
#include "journal/history.h"
#include "journal/journal.h"
#include "journal/journal_export.h"
#include "journal/journal_verify.h"
#include "journal/lock.h"
#include "journal_test.h"
#include "wide_awake.h"

#include <sodium.h>

#define LINES 300 /* of one batch: a subtree is completed, and the lookup is due */
#ifdef __SANITIZE_ADDRESS__
#define SAMPLES 10 /* of the calls of one kind and way; fewer calls are all taken */
#else
#define SAMPLES 25
#endif
#define WARM_SAMPLES 5    /* the same, where each opening makes the log warm, 16 MB */
#define LITTLE_ROOM_MB 20 /* on the disk: for neither a warm log nor the reserve */
#define NOTE_SEQ 7        /* has a note, see test_batch_make */
#define ALARMS 100        /* of the journal that is only read */

struct fixture {
    struct test_folder folder;
    char file[160], key[NOTE_KEY_TEXT];
    struct store_head head, perhaps; /* said to be committed; what may have been, too */
};

static void said(const char *error)
{
    if (!error[0])
        fail_msg("call %llu of kind %d failed and nobody says so", (unsigned long long)faults.at,
                 faults.kind);
}

static bool count_line(void *ctx, const struct store_event *e)
{
    char line[LIMIT_LINE];
    int size = test_line(line, e->seq);
    if (e->size != (size_t)size || memcmp(line, e->line, e->size) != 0)
        fail_msg("line %llu is not what was written", (unsigned long long)e->seq);
    ++*(uint64_t *)ctx;
    return true;
}

/* One life of the daemon, as far as the store sees it. */
static void write_a_while(struct fixture *f, struct store *s)
{
    char error[LIMIT_TEXT] = "";
    struct store_head head;
    struct test_batch b;
    uint64_t count = 0;
    f->perhaps = f->head;
    if (!s->open(s, &head, error)) {
        said(error);
        return;
    }
    assert_int_equal(head.frontier.size, f->head.frontier.size);
    test_batch_make(&b, &f->head, LINES);
    f->perhaps = b.after;
    enum store_answer answer = s->append(s, &f->head, &b.batch, error);
    assert_int_not_equal(answer, STORE_MOVED);
    if (answer == STORE_OK)
        f->head = b.after;
    else
        said(error);
    test_batch_free(&b);
    if (answer == STORE_OK) {
        struct store_snapshot found, snapshot = {.seq = f->head.frontier.size,
                                                 .frontier = f->head.frontier,
                                                 .bytes = (unsigned char *)"all of it",
                                                 .size = 9};
        error[0] = '\0';
        if (!s->put_snapshot(s, &snapshot, error))
            said(error);
        else if (s->get_snapshot(s, snapshot.seq, &found)) {
            if (found.seq == snapshot.seq)
                assert_memory_equal(found.bytes, snapshot.bytes, 9);
            free(found.bytes);
        }
        s->tidy(s, false, error);
        error[0] = '\0';
        if (s->read(s, f->head.frontier.size - 9, count_line, &count, error))
            assert_int_equal(count, 10);
        else
            said(error);
        unsigned char hash[TREE_HASH];
        s->subtree(s, STORE_SUBTREE_LEVEL, 0, hash);
        s->erase_note(s, NOTE_SEQ, error);
        s->tidy(s, true, error);
        s->concern(s);
    }
    s->close(s);
}

static bool is_same(const struct store_head *a, const struct store_head *b)
{
    unsigned char packed[2][TREE_FRONTIER_BYTES];
    size_t size = tree_frontier_pack(&a->frontier, packed[0]);
    return a->frontier.size == b->frontier.size && size == tree_frontier_pack(&b->frontier, packed[1]) &&
           memcmp(packed[0], packed[1], size) == 0;
}

/* The fault is over: all that was said to be committed is there, and nothing else but what may have been. */
static void all_is_there(struct fixture *f, struct store *s)
{
    char error[LIMIT_TEXT] = "";
    struct store_head head;
    uint64_t count = 0;
    if (!s->open(s, &head, error))
        fail_msg("it does not start again: %s", error);
    if (!is_same(&head, &f->head) && !is_same(&head, &f->perhaps))
        fail_msg("after call %llu of kind %d the journal ends at %llu", (unsigned long long)faults.at,
                 faults.kind, (unsigned long long)head.frontier.size);
    uint64_t from = head.frontier.size > 2 * LINES ? head.frontier.size - 2 * LINES : 1;
    if (!s->read(s, from, count_line, &count, error))
        fail_msg("it cannot be read again: %s", error);
    assert_int_equal(count, head.frontier.size + 1 - from);
    f->head = head;
    s->close(s);
}

/* A journal that is not there yet: the files of the last one are gone. */
static struct store *new_journal(struct fixture *f)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".ballast"};
    const char *file = test_path(&f->folder, "written.db");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s%s", file, ends[i]);
        unlink(path);
    }
    f->head = f->perhaps = (struct store_head){0};
    return store_sqlite_create(file);
}

static uint64_t use_once(void (*use)(struct fixture *, struct store *), struct fixture *f, struct store *s,
                         enum faults_kind kind, uint64_t at, bool stay)
{
    calls_forget();
    faults_arm(kind, at, stay);
    use(f, s);
    return faults_end();
}

/* Places that call are all taken, of the rest samples. */
static uint64_t stride(enum faults_kind kind, uint64_t count)
{
    return kind < FAULTS_SQLITE ? count / SAMPLES + 1 : 1;
}

static void sweep(void (*use)(struct fixture *, struct store *), struct fixture *f)
{
    for (int way = 0; way < 2 * (FAULTS_KINDS - 1); way++) {
        enum faults_kind kind = (enum faults_kind)(FAULTS_DISK + way / 2);
        uint64_t count = use_once(use, f, NULL, kind, 0, false);
        for (uint64_t at = 1; at <= count; at += stride(kind, count))
            use_once(use, f, NULL, kind, at, way % 2 == 1);
    }
}

static void sweep_writing(struct fixture *f, enum faults_kind kind, bool stay, uint64_t samples)
{
    struct store *s = new_journal(f);
    write_a_while(f, s); /* makes the file and its reserve */
    uint64_t count = use_once(write_a_while, f, s, kind, 0, false);
    for (uint64_t at = 1; at <= count; at += samples ? count / samples + 1 : 1) {
        use_once(write_a_while, f, s, kind, at, stay);
        all_is_there(f, s);
    }
    store_destroy(s);
}

/* Most of the disk's calls, and of the time, are the warming of the log, which needs room on the disk; so it
 * is mostly done without. */
static void test_what_was_said_to_be_committed_is_there(void **state)
{
    for (int way = 0; way < 2 * (FAULTS_KINDS - 1); way++) {
        enum faults_kind kind = (enum faults_kind)(FAULTS_DISK + way / 2);
        bool stay = way % 2 == 1;
        calls.room_mb = kind == FAULTS_SYSTEM ? 0 : LITTLE_ROOM_MB;
        sweep_writing(*state, kind, stay, kind < FAULTS_SQLITE ? SAMPLES : 0);
        calls.room_mb = 0;
        if (kind != FAULTS_SYSTEM)
            sweep_writing(*state, kind, stay, WARM_SAMPLES);
    }
}

static void test_each_call_of_making_a_journal_fails(void **state)
{
    struct fixture *f = *state;
    for (int kind = FAULTS_DISK; kind < FAULTS_KINDS; kind++)
        for (uint64_t at = 1; at <= 200; at += kind == FAULTS_SYSTEM ? 1 : 7) {
            calls.room_mb = kind == FAULTS_SYSTEM || at % 5 == 0 ? 0 : LITTLE_ROOM_MB;
            struct store *s = new_journal(f);
            uint64_t count = use_once(write_a_while, f, s, (enum faults_kind)kind, at, true);
            all_is_there(f, s);
            store_destroy(s);
            calls.room_mb = 0;
            if (count < at)
                break;
        }
}

static int64_t count_rows(const char *file, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return count;
}

/* From one moment on nothing reaches the disk any more, as when the process is killed there: the next start
 * has the whole upgrade before it, or behind it. */
static void test_an_upgrade_that_is_cut_anywhere_is_made_up_for(void **state)
{
    struct fixture *f = *state;
    struct store *s = new_journal(f);
    const char *file = test_path(&f->folder, "written.db");
    char error[LIMIT_TEXT] = "";
    struct store_head head;
    write_a_while(f, s);
    unsigned cut = 0;
    for (uint64_t at = 0, count = 1; at <= count; at += 3) { /* 0 counts */
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "DROP TABLE lookup; DROP TABLE looked_up; PRAGMA user_version=1",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        faults_arm(FAULTS_DISK, at, true);
        bool good = s->open(s, &head, error);
        s->close(s);
        uint64_t made = faults_end();
        count = at ? count : made;
        cut += !good;
        all_is_there(f, s);
        assert_int_equal(count_rows(file, "PRAGMA user_version"), 2);
        assert_int_equal(count_rows(file, "SELECT count(*) FROM lookup WHERE kind = 0"), LINES / 3);
        assert_int_equal(count_rows(file, "SELECT seq FROM looked_up"), LINES);
    }
    assert_true(cut > 5);
    store_destroy(s);
}

static bool holds(const char *path, const char *text)
{
    char command[300];
    snprintf(command, sizeof command, "grep -q '%s' '%s'", text, path);
    return system(command) == 0;
}

/* Notes of this length have a page each, which becomes a free one when the note goes: what stands on it is
 * overwritten only when SQLite was told so. */
static void write_long_notes(struct fixture *f, struct store *s)
{
    static char note[32 + LIMIT_NOTE + 1], other[32 + LIMIT_NOTE + 1];
    char error[LIMIT_TEXT] = "";
    struct store_head head;
    struct test_batch b;
    memset(note, '0', sizeof note - 1);
    memset(other, '1', sizeof other - 1);
    memcpy(note + 32 + LIMIT_NOTE / 2, "the north gate", strlen("the north gate"));
    assert_true(s->open(s, &head, error));
    test_batch_make(&b, &head, 3);
    for (size_t i = 0; i < 3; i++)
        b.events[i].note = i == 1 ? note : other;
    assert_int_equal(s->append(s, &head, &b.batch, error), STORE_OK);
    f->head = f->perhaps = b.after;
    test_batch_free(&b);
    s->tidy(s, true, error);
}

static void test_a_note_that_is_said_to_be_erased_is_nowhere(void **state)
{
    struct fixture *f = *state;
    const char *file = test_path(&f->folder, "written.db");
    char error[LIMIT_TEXT] = "", log[200];
    struct store_head head;
    snprintf(log, sizeof log, "%s-wal", file);
    unsigned refused = 0;
    for (uint64_t at = 0, count = 1; at <= count; at++) { /* 0 counts */
        struct store *s = new_journal(f);
        write_long_notes(f, s);
        calls_forget();
        faults_arm(FAULTS_SQLITE, at, false);
        bool erased = s->erase_note(s, 2, error);
        uint64_t made = faults_end();
        count = at ? count : made;
        if (!erased) {
            said(error);
            refused++;
            s->close(s);
            assert_true(s->open(s, &head, error));
            assert_true(s->erase_note(s, 2, error)); /* as the journal tries again */
        }
        s->tidy(s, true, error);
        if (holds(file, "the north gate") || holds(log, "the north gate"))
            fail_msg("call %llu failed, and the note is still there", (unsigned long long)at);
        s->close(s);
        store_destroy(s);
    }
    assert_true(refused > 3);
}

/* Two want the lock: one of them has it, or there is a sentence; never both. */
static void lock_it(struct fixture *f, struct store *none)
{
    char error[LIMIT_TEXT] = "", other[LIMIT_TEXT] = "";
    const char *path = test_path(&f->folder, "lock");
    int lock = lock_take(path, error), second = lock_take(path, other);
    if (lock < 0)
        said(error);
    if (second < 0)
        said(other);
    assert_true(lock < 0 || second < 0);
    lock_release(lock);
    lock_release(second);
}

static void test_a_lock_is_held_by_one_or_a_sentence_says_why(void **state)
{
    sweep(lock_it, *state);
    faults_arm(FAULTS_NONE, 0, false);
    char error[LIMIT_TEXT];
    int lock = lock_take(test_path(&((struct fixture *)*state)->folder, "lock"), error);
    assert_true(lock >= 0);
    lock_release(lock);
}

static void verify(struct fixture *f, struct store *none)
{
    struct journal_verify_report r;
    struct journal_verify_options options = {.public_key = f->key};
    if (journal_verify_database(f->file, &options, &r))
        assert_int_equal(r.size, LINES);
    else
        said(r.text);
}

static void export_it(struct fixture *f, struct store *none)
{
    char error[LIMIT_TEXT] = "";
    struct journal_verify_report r;
    struct journal_verify_options options = {.public_key = f->key};
    const char *folder = test_path(&f->folder, "evidence");
    bool unread, made = journal_export(f->file, f->key, folder, NULL, NULL, &unread, error);
    enum faults_kind kind = faults.kind;
    faults.kind = FAULTS_NONE; /* what lies there is checked by a verifier that works */
    if (!made) {
        said(error);
        assert_int_not_equal(access(folder, F_OK), 0);
    } else {
        if (!journal_verify_export(folder, &options, &r))
            fail_msg("call %llu of kind %d failed, what was exported is bad: %s",
                     (unsigned long long)faults.at, kind, r.text);
        assert_int_equal(r.size, LINES);
    }
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s' '%s'.part-*", folder, folder);
    assert_int_equal(system(command), 0);
    faults.kind = kind;
}

static void prove(struct fixture *f, struct store *none)
{
    static char *right; /* of the first time, when nothing failed */
    char error[LIMIT_TEXT] = "";
    bool unread;
    char *proof = journal_prove(f->file, NOTE_SEQ, &unread, error);
    if (proof && right)
        assert_string_equal(proof, right);
    else if (!proof)
        said(error);
    if (!right)
        right = proof;
    else
        free(proof);
}

/* As test_line(), of one of the ALARMS. */
static int alarm_line(char out[LIMIT_LINE], uint64_t seq)
{
    char line[LIMIT_LINE];
    test_line(line, seq);
    char *rest = strstr(line, ",\"code\"");
    return snprintf(out, LIMIT_LINE, "%.*s,\"alarm\":\"a%020u\"%s", (int)(rest - line), line,
                    (unsigned)(seq - 1) % ALARMS, rest);
}

struct answers {
    unsigned count;
    size_t rows; /* of the archive */
};

static void on_lines(void *ctx, const struct history_lines *lines)
{
    if (!lines->error)
        for (size_t i = 0; i < lines->count; i++) {
            char line[LIMIT_LINE];
            alarm_line(line, lines->seqs[i]);
            assert_string_equal(lines->lines[i], line);
        }
    else
        said(lines->error);
    ((struct answers *)ctx)->count++;
}

static void on_proof(void *ctx, const struct history_proof *proof)
{
    if (proof->error) {
        said(proof->error);
        assert_null(strstr(proof->error, "is missing")); /* the journal is whole: only the disk or the memory fails */
    }
    ((struct answers *)ctx)->count++;
}

static void on_text(void *ctx, const char *text, size_t size, const char *error)
{
    if (!text)
        said(error);
    ((struct answers *)ctx)->count++;
}

static void ask_history(struct fixture *f, struct store *none)
{
    uv_loop_t loop;
    struct answers answers = {0};
    assert_int_equal(uv_loop_init(&loop), 0);
    struct history *h = history_create(&loop, f->file);
    assert_non_null(h);
    for (unsigned turn = 0; turn < 2; turn++) {
        history_range(h, 1, LINES, on_lines, &answers);
        history_alarm(h, "a00000000000000000007", LINES, on_lines, &answers);
        history_found_as(h, "opened", 0, LINES, on_lines, &answers);
        history_checkpoint(h, on_text, &answers);
        history_inclusion(h, NOTE_SEQ, 0, on_proof, &answers);
        history_consistency(h, 100, 0, on_proof, &answers);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(answers.count, 6 * (turn + 1));
    }
    history_destroy(h);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* The archive, with a maker that takes each alarm for a closed one. */

struct maker {
    char alarm[LIMIT_ALARM_ID];
    unsigned lines;
    uint64_t first;
};

static enum archive_concern maker_concern(void *ctx, const char *line, size_t size)
{
    return ARCHIVE_MAKES;
}

static void maker_begin(void *ctx, const char *alarm)
{
    struct maker *m = ctx;
    *m = (struct maker){0};
    snprintf(m->alarm, sizeof m->alarm, "%s", alarm);
}

static void maker_line(void *ctx, const char *line, size_t size, const char *note)
{
    struct maker *m = ctx;
    if (m->lines++ == 0)
        m->first = strtoull(line + strlen("{\"seq\":"), NULL, 10);
}

static bool maker_end(void *ctx, struct archive_row *out)
{
    struct maker *m = ctx;
    snprintf(out->id, sizeof out->id, "%s", m->alarm);
    snprintf(out->site, sizeof out->site, "school-1");
    snprintf(out->zones[0], sizeof out->zones[0], "room-101");
    out->zone_count = 1;
    out->seq = m->first;
    out->opened_at_ms = (int64_t)m->first * 1000;
    out->closed_at_ms = out->opened_at_ms + 500;
    out->closed_ms = 500;
    out->press_count = m->lines;
    out->press_at_ms = calloc(1, sizeof *out->press_at_ms);
    assert_non_null(out->press_at_ms);
    out->press_at_ms[0] = out->opened_at_ms;
    out->press_at_count = 1;
    archive_add_words(out, "the north gate");
    return true;
}

static void maker_name(void *ctx, struct archive_row *row)
{
    archive_add_words(row, "Room 101");
}

static void on_rows(void *ctx, const struct archive_rows *rows)
{
    if (rows->error)
        said(rows->error);
    for (size_t i = 0; rows->complete && i < rows->count; i++)
        assert_int_equal(rows->rows[i].press_count, LINES / ALARMS);
    struct answers *answers = ctx;
    answers->rows += rows->count;
    if (rows->last && rows->complete && !rows->error)
        assert_int_equal(answers->rows, ALARMS);
    answers->count += rows->last;
}

static void on_sums(void *ctx, const struct archive_sums *sums)
{
    uint64_t alarms = 0;
    for (int i = 0; i < MODE_COUNT; i++)
        alarms += sums->modes[i].alarms;
    if (sums->error)
        said(sums->error);
    else if (sums->complete)
        assert_int_equal(alarms, ALARMS);
    ((struct answers *)ctx)->count += sums->last;
}

static void ask_archive(struct fixture *f, struct store *none)
{
    uv_loop_t loop;
    char error[LIMIT_TEXT] = "";
    struct answers answers = {0};
    struct maker state;
    const struct archive_maker maker = {.ctx = &state,
                                        .concern = maker_concern,
                                        .begin = maker_begin,
                                        .line = maker_line,
                                        .end = maker_end,
                                        .name = maker_name};
    const struct archive_query query = {.to_ms = INT64_MAX,
                                        .kind = -1,
                                        .mode = -1,
                                        .disposition = -1,
                                        .text = "gate",
                                        .limit = LINES,
                                        .year_to_ms = INT64_MAX};
    assert_int_equal(uv_loop_init(&loop), 0);
    enum faults_kind kind = faults.kind;
    faults.kind = FAULTS_NONE; /* at the start of the daemon want of memory ends it */
    struct archive *a = archive_create(&loop, f->file, &maker);
    faults.kind = kind;
    assert_non_null(a);
    archive_kick(a, LINES);
    archive_find(a, &query, LINES, on_rows, &answers);
    archive_sum(a, &query, LINES, on_sums, &answers);
    while (answers.count < 2)
        uv_run(&loop, UV_RUN_ONCE);
    archive_destroy(a);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    if (faults.at % 2) /* every other one finds the archive made already, as far as it came */
        archive_remove(f->file, error);
}

static void test_the_archive_answers_the_truth_or_a_sentence(void **state)
{
    sweep(ask_archive, *state);
    faults_arm(FAULTS_NONE, 0, false);
    ask_archive(*state, NULL);
}

static void test_the_verifier_says_the_truth_or_a_sentence(void **state)
{
    sweep(verify, *state);
}

static void test_an_export_is_whole_or_not_there(void **state)
{
    sweep(export_it, *state);
}

static void test_a_proof_is_right_or_there_is_none(void **state)
{
    prove(*state, NULL);
    sweep(prove, *state);
}

static void test_history_answers_each_question(void **state)
{
    sweep(ask_history, *state);
}

/* A signed journal of LINES lines, for those who only read. */
static void make_journal(struct fixture *f)
{
    unsigned char public_key[32], secret_key[64];
    char error[LIMIT_TEXT];
    static char lines[LINES][LIMIT_LINE], alarms[ALARMS][LIMIT_ALARM_ID];
    for (unsigned i = 0; i < ALARMS; i++)
        snprintf(alarms[i], sizeof alarms[i], "a%020u", i);
    crypto_sign_keypair(public_key, secret_key);
    note_key_text("test.example", public_key, f->key);
    struct store *s = store_sqlite_create(f->file);
    struct journal *j = journal_create(
        &(struct journal_options){.store = s, .origin = "test.example", .secret_key = secret_key}, error);
    assert_non_null(j);
    for (unsigned i = 0; i < LINES; i++) {
        struct journal_entry e = {.seq = i + 1,
                                  .line = lines[i],
                                  .size = (size_t)alarm_line(lines[i], i + 1),
                                  .alarm = alarms[i % ALARMS],
                                  .found_as = i % 5 ? NULL : "opened"};
        assert_true(journal_append(j, &e));
    }
    journal_commit_now(j);
    assert_true(journal_destroy(j));
    store_destroy(s);
}

static int setup(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    test_folder_make(&f.folder);
    snprintf(f.file, sizeof f.file, "%s", test_path(&f.folder, "journal.db"));
    make_journal(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    faults_end();
    test_folder_remove(&f->folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_said_to_be_committed_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_call_of_making_a_journal_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_upgrade_that_is_cut_anywhere_is_made_up_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_note_that_is_said_to_be_erased_is_nowhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lock_is_held_by_one_or_a_sentence_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_verifier_says_the_truth_or_a_sentence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_export_is_whole_or_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_proof_is_right_or_there_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_history_answers_each_question, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_archive_answers_the_truth_or_a_sentence, setup, teardown),
    };
    faults_install();
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
