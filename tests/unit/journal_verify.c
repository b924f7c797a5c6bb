/* The verifier names the first bad entry, whatever was done to the record; exports, proofs and the manual's
 * commands hold up against standard tools. */
#include "journal/journal_verify.h"
#include "journal/journal.h"
#include "journal/journal_export.h"
#include "journal_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <sys/stat.h>

#define COUNT 600
#define SALT "000102030405060708090a0b0c0d0e0f"

struct fixture {
    struct test_folder folder;
    char file[160], export[160], key[NOTE_KEY_TEXT], error[LIMIT_TEXT];
    char *text[5]; /* the export's files as they were made */
    size_t size[5];
    unsigned char witness[TREE_HASH]; /* the root of the first 400 */
    struct journal_verify_options options;
    struct journal_verify_report report;
};

static const char *const files[] = {"journal.ndjson", "leaves.txt", "checkpoint.txt", "journal.pub"};

static char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    *size = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    return text;
}

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* Every ninth entry is of one of seven alarms. */
static const char *alarm_of(uint64_t seq)
{
    static const char *const alarms[] = {"alarm-0", "alarm-1", "alarm-2", "alarm-3", "alarm-4", "alarm-5", "alarm-6"};
    return seq % 9 == 1 ? alarms[seq % 7] : "";
}

static int make_line(char out[LIMIT_LINE], uint64_t seq)
{
    if (seq % 9 == 1)
        return snprintf(out, LIMIT_LINE, "{\"seq\":%d,\"type\":\"acknowledged\",\"alarm\":\"%s\",\"by\":\"d'esk\"}", (int)seq,
                        alarm_of(seq));
    if (seq % 9)
        return test_line(out, seq);
    unsigned char hash[32];
    char hex[65];
    static const char note[] = SALT "at the gate";
    crypto_hash_sha256(hash, (const unsigned char *)note, strlen(note));
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    return snprintf(out, LIMIT_LINE,
                    "{\"seq\":%llu,\"type\":\"note_added\",\"by\":\"d'esk\",\"note\":\"%s\"}",
                    (unsigned long long)seq, hex);
}

static void make_journal(struct fixture *f)
{
    unsigned char public_key[32], secret_key[64];
    static char lines[COUNT][220];
    crypto_sign_keypair(public_key, secret_key);
    note_key_text("test.example", public_key, f->key);
    struct store *s = store_sqlite_create(f->file);
    struct journal *j = journal_create(
        &(struct journal_options){.store = s, .origin = "test.example", .secret_key = secret_key}, f->error);
    assert_non_null(j);
    for (unsigned i = 0; i < COUNT; i++) {
        char line[LIMIT_LINE];
        int size = make_line(line, i + 1);
        memcpy(lines[i], line, (size_t)size + 1);
        struct journal_entry e = {.seq = i + 1,
                                  .line = lines[i],
                                  .size = (size_t)size,
                                  .alarm = alarm_of(i + 1),
                                  .note = (i + 1) % 9 ? NULL : SALT "at the gate"};
        assert_true(journal_append(j, &e));
        if (i % 100 == 99)
            journal_commit_now(j);
        if (i == 399)
            memcpy(f->witness, journal_poll(j).root, sizeof f->witness);
    }
    assert_true(journal_destroy(j));
    struct store_head head;
    assert_true(s->open(s, &head, f->error));
    assert_true(s->tidy(s, true, f->error)); /* the lookup is brought up to date */
    s->close(s);
    store_destroy(s);
}

static int setup(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    test_folder_make(&f.folder);
    snprintf(f.file, sizeof f.file, "%s", test_path(&f.folder, "journal.db"));
    snprintf(f.export, sizeof f.export, "%s", test_path(&f.folder, "evidence"));
    make_journal(&f);
    f.options.public_key = f.key;
    *state = &f;
    return 0;
}

static int setup_export(void **state)
{
    setup(state);
    struct fixture *f = *state;
    bool unread;
    assert_true(journal_export(f->file, f->key, f->export, NULL, NULL, &unread, f->error));
    for (int i = 0; i < 4; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s", f->export, files[i]);
        f->text[i] = read_file(path, &f->size[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++)
        free(f->text[i]);
    test_folder_remove(&f->folder);
    return 0;
}

static void put(struct fixture *f, int file, const char *text, size_t size)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", f->export, files[file]);
    write_file(path, text, size);
}

static void restore(struct fixture *f, int file)
{
    put(f, file, f->text[file], f->size[file]);
}

static void tamper(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_good(bool good, struct fixture *f)
{
    if (!good || !f->report.good)
        fail_msg("%s", f->report.text);
    assert_int_equal(f->report.first_bad, 0);
    assert_int_equal(f->report.checked, COUNT);
    assert_int_equal(f->report.size, COUNT);
    assert_string_equal(f->report.origin, "test.example");
}

static void assert_bad(bool good, struct fixture *f, uint64_t seq, const char *because)
{
    assert_false(good);
    assert_false(f->report.good);
    if (f->report.first_bad != seq || !strstr(f->report.text, because))
        fail_msg("%llu: \"%s\", not %llu and \"%s\"", (unsigned long long)f->report.first_bad, f->report.text,
                 (unsigned long long)seq, because);
}

#define DATABASE(f) journal_verify_database((f)->file, &(f)->options, &(f)->report)
#define EXPORT(f) journal_verify_export((f)->export, &(f)->options, &(f)->report)

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    assert_true(done <= total);
    ++*(unsigned *)ctx;
}

static void test_a_good_database(void **state)
{
    struct fixture *f = *state;
    assert_good(DATABASE(f), f);
    assert_true(f->report.signed_by_key);
    f->options.public_key = NULL;
    assert_good(DATABASE(f), f);
    assert_false(f->report.signed_by_key);
    assert_non_null(strstr(f->report.text, "no key was given"));
    tamper(f, "DROP TABLE lookup; DROP TABLE looked_up; PRAGMA user_version=1"); /* of an older Tocsin */
    assert_good(DATABASE(f), f);
}

static void test_each_change_of_a_database(void **state)
{
    static const struct {
        const char *sql;
        uint64_t first_bad;
        const char *because;
    } changes[] = {
        {"UPDATE event SET line = CAST(replace(CAST(line AS TEXT), 'silent', 'sileot') AS BLOB) WHERE seq IN "
         "(301, 305)",
         301, "entry 301 was changed"},
        {"DELETE FROM event WHERE seq = 300", 300, "entry 300 is missing"},
        {"DELETE FROM event WHERE seq > 590", 591, "entry 591 and all after it are missing"},
        {"DELETE FROM event", 1, "entry 1 and all after it are missing"},
        {"UPDATE event SET seq = -77 WHERE seq = 77; UPDATE event SET seq = 77 WHERE seq = 78;"
         "UPDATE event SET seq = 78 WHERE seq = -77",
         77, "entry 78 stands there"},
        {"UPDATE event SET line = CAST('{\"a\":1}' AS BLOB) WHERE seq = 5", 5, "not a line of a journal"},
        {"UPDATE event SET line = replace(CAST(line AS TEXT), '\"seq\":', '\"seq\":0') WHERE seq = 5", 5,
         "not a line of a journal"},
        {"UPDATE event SET line = CAST(line || char(10) || '{\"seq\":6,' AS BLOB) WHERE seq = 5", 5, "not a line of a journal"},
        {"PRAGMA user_version=1", 0, "has the lookup of a later one"},
        {"PRAGMA user_version=-1; DELETE FROM lookup; DROP TABLE looked_up", 0, "has the lookup of a later one"},
        {"INSERT INTO event SELECT 601, alarm, found_as, leaf, line FROM event WHERE seq = 600", 601,
         "behind the sealed end"},
        {"UPDATE note SET text = 'at the harbour' WHERE seq = 18", 18, "the note beside entry 18"},
        {"UPDATE note SET salt = replace(salt, '0001', '0002') WHERE seq = 27", 27,
         "the note beside entry 27"},
        {"UPDATE event SET leaf = zeroblob(32) WHERE seq = 9", 9, "entry 9 was changed"},
        {"DELETE FROM subtree", 1, "the hash kept for the entries 1 to 256 is missing"},
        {"UPDATE event SET alarm = NULL WHERE seq = 91", 91, "entry 91 is not found under its alarm"},
        {"UPDATE event SET alarm = 'alarm-9' WHERE seq = 100", 100, "entry 100 is not found under its alarm"},
        {"UPDATE event SET alarm = 'alarm-1' WHERE seq = 92", 92, "entry 92 is found under an alarm, and is of none"},
        {"DELETE FROM lookup WHERE seq IN (100, 91)", 91, "entry 91 is not found under its alarm"},
        {"UPDATE lookup SET word = 'alarm-9' WHERE seq = 91", 91, "entry 91 is not found under its alarm"},
        {"INSERT INTO lookup VALUES(0, 'alarm-1', 92), (0, 'alarm-2', 92)", 92, "an alarm that is not its own"},
        {"INSERT INTO lookup VALUES(0, 'alarm-9', 91)", 91, "an alarm that is not its own"},
        {"INSERT INTO lookup VALUES(0, 'alarm-1', 601)", 601, "the place of entry 601 lies behind"},
        {"INSERT INTO lookup VALUES(0, 'alarm-1', -1)", 0, "the place of entry -1 lies before"},
        {"UPDATE looked_up SET seq = 700", 700, "the lookup's last entry 700 lies behind"},
        {"DELETE FROM looked_up", 0, "does not say how far its lookup goes"},
        {"INSERT INTO event SELECT 0, alarm, found_as, leaf, line FROM event WHERE seq = 1", 0, "entry 0 lies before"},
        {"INSERT INTO note SELECT 603, salt, text FROM note WHERE seq = 18", 603, "a note beside entry 603"},
        {"INSERT INTO subtree SELECT 8, 2, hash FROM subtree WHERE level = 8 AND position = 1", 768,
         "a hash kept for entry 768"},
    };
    struct fixture *f = *state;
    size_t size;
    char *original = read_file(f->file, &size);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        tamper(f, changes[i].sql);
        assert_bad(DATABASE(f), f, changes[i].first_bad, changes[i].because);
        write_file(f->file, original, size); /* the log is empty: it was checkpointed on close */
        unlink(test_path(&f->folder, "journal.db-wal"));
        unlink(test_path(&f->folder, "journal.db-shm"));
    }
    assert_good(DATABASE(f), f);
    free(original);
}

/* Somebody who knows how leaves are made changes an entry and the hash beside it. */
static void change_with_leaf(struct fixture *f, uint64_t seq)
{
    char line[LIMIT_LINE], hex[65], sql[2 * LIMIT_LINE];
    unsigned char leaf[TREE_HASH];
    int size = make_line(line, seq);
    *strstr(line, "room") = 'b';
    tree_leaf(leaf, line, (size_t)size);
    sodium_bin2hex(hex, sizeof hex, leaf, sizeof leaf);
    snprintf(sql, sizeof sql, "UPDATE event SET line = CAST('%s' AS BLOB), leaf = x'%s' WHERE seq = %d", line,
             hex, (int)seq);
    tamper(f, sql);
}

static void test_a_change_with_its_hash(void **state)
{
    struct fixture *f = *state;
    change_with_leaf(f, 400);
    assert_bad(DATABASE(f), f, 257, "one of the entries 257 to 512 was changed");
}

static void test_a_change_behind_the_last_kept_hash(void **state)
{
    struct fixture *f = *state;
    change_with_leaf(f, 599);
    assert_bad(DATABASE(f), f, 0, "do not give the root that was sealed");
}

static void test_seals(void **state)
{
    struct fixture *f = *state;
    char other[NOTE_KEY_TEXT];
    unsigned char public_key[32], secret_key[64];
    crypto_sign_keypair(public_key, secret_key);
    note_key_text("test.example", public_key, other);
    f->options.public_key = other;
    assert_bad(DATABASE(f), f, 0, "bears no good signature");
    f->options.public_key = "nonsense";
    assert_bad(DATABASE(f), f, 0, "not of the form");
    f->options.public_key = f->key;
    tamper(f, "UPDATE head SET checkpoint = replace(checkpoint, '600', '500')");
    assert_bad(DATABASE(f), f, 0, "bears no good signature");
    f->options.public_key = NULL;
    assert_bad(DATABASE(f), f, 0, "the checkpoint seals 500 entries, the journal has 600");
}

static void test_a_witness(void **state)
{
    struct fixture *f = *state;
    f->options.witness_size = 400;
    memcpy(f->options.witness_root, f->witness, sizeof f->witness);
    assert_good(DATABASE(f), f);
    assert_non_null(strstr(f->report.text, "the witness agrees"));
    f->options.witness_root[3] ^= 8;
    assert_bad(DATABASE(f), f, 0, "the first 400 entries are not those the witness was told of");
    f->options.witness_size = 700; /* the whole database was rolled back */
    assert_bad(DATABASE(f), f, 601, "entry 601 and all after it are missing: the witness was told of 700");
}

static void test_no_database(void **state)
{
    struct fixture *f = *state;
    snprintf(f->file, sizeof f->file, "%s", test_path(&f->folder, "none.db"));
    assert_bad(DATABASE(f), f, 0, "cannot be opened");
}

/* Nothing is recorded yet: good, unless a witness was told of something. */
static void test_an_empty_database(void **state)
{
    struct fixture *f = *state;
    struct store_head head;
    snprintf(f->file, sizeof f->file, "%s", test_path(&f->folder, "empty.db"));
    struct store *s = store_sqlite_create(f->file);
    assert_true(s->open(s, &head, f->error));
    s->close(s);
    store_destroy(s);
    assert_true(DATABASE(f));
    assert_int_equal(f->report.size, 0);
    f->options.witness_size = 5;
    assert_bad(DATABASE(f), f, 1, "the witness was told of 5 entries");
    f->options.witness_size = 0;
}

static void test_a_good_export(void **state)
{
    struct fixture *f = *state;
    unsigned calls = 0;
    assert_good(EXPORT(f), f);
    assert_true(f->report.signed_by_key);
    f->options.public_key = NULL; /* its own, which whoever made it up has made up as well */
    assert_good(EXPORT(f), f);
    assert_false(f->report.signed_by_key);
    assert_non_null(strstr(f->report.text, "who sealed them was not checked"));
    f->options.progress = on_progress;
    f->options.ctx = &calls;
    assert_good(EXPORT(f), f);
    f->options.witness_size = 400;
    memcpy(f->options.witness_root, f->witness, sizeof f->witness);
    assert_good(EXPORT(f), f);
    f->options.witness_root[0] ^= 1;
    assert_bad(EXPORT(f), f, 0, "witness");
}

/* Any bit of any line: its entry is named, also when the bit makes or unmakes a newline or changes the
 * number. */
static void test_every_kind_of_flipped_bit_in_an_export(void **state)
{
    struct fixture *f = *state;
    char *bent = malloc(f->size[0]);
    assert_non_null(bent);
    uint64_t seq = 1;
    size_t from = 0;
    for (size_t at = 0; at < f->size[0]; at++) {
        bool number = at - from < 14, end = f->text[0][at] == '\n';
        if (number || end || at % 97 == 0) {
            if (seq < 30 || seq > COUNT - 3 || seq % 50 == 0) {
                memcpy(bent, f->text[0], f->size[0]);
                bent[at] ^= (char)(1 << (at % 8));
                put(f, 0, bent, f->size[0]);
                if (end && seq == COUNT)
                    assert_bad(EXPORT(f), f, seq, "was changed");
                else
                    assert_bad(EXPORT(f), f, seq, "entry ");
            }
        }
        if (end) {
            seq++;
            from = at + 1;
        }
    }
    free(bent);
}

/* The start of line `seq` in the export's text. */
static char *line_at(struct fixture *f, uint64_t seq)
{
    char *at = f->text[0];
    for (uint64_t i = 1; i < seq; i++)
        at = strchr(at, '\n') + 1;
    return at;
}

static void assemble(struct fixture *f, const char *const parts[], const size_t sizes[], size_t count)
{
    char *text = calloc(1, f->size[0] + 10000);
    size_t used = 0;
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + used, parts[i], sizes[i]);
        used += sizes[i];
    }
    put(f, 0, text, used);
    free(text);
}

static void test_moved_lines_in_an_export(void **state)
{
    struct fixture *f = *state;
    char *start = f->text[0], *l100 = line_at(f, 100), *l101 = line_at(f, 101), *l102 = line_at(f, 102),
         *l103 = line_at(f, 103), *end = start + f->size[0];
#define SPLICE(...)                                                                                          \
    do {                                                                                                     \
        const char *const both[] = {__VA_ARGS__};                                                            \
        const char *parts[8];                                                                                \
        size_t sizes[8], count = sizeof both / sizeof both[0] / 2;                                           \
        for (size_t i = 0; i < count; i++) {                                                                 \
            parts[i] = both[2 * i];                                                                          \
            sizes[i] = (size_t)(both[2 * i + 1] - both[2 * i]);                                              \
        }                                                                                                    \
        assemble(f, parts, sizes, count);                                                                    \
    } while (0)
    static const char foreign[] = "{\"seq\":103,\"type\":\"note_added\"}\n", letter[] = "Dear headmaster,\n";
    SPLICE(start, l100, l101, l102, l100, l101, l102, end);
    assert_bad(EXPORT(f), f, 100, "entry 100 is not in its place: it was swapped with entry 101");
    SPLICE(start, l100, l102, l103, l101, l102, l100, l101, l103, end);
    assert_bad(EXPORT(f), f, 100, "entry 100 ");
    SPLICE(start, l101, l102, end);
    assert_bad(EXPORT(f), f, 101, "entry 101 is missing: after 100 comes 102");
    SPLICE(start, l102);
    assert_bad(EXPORT(f), f, 102, "entry 102 and all after it are missing");
    SPLICE(start, l102, l101, end);
    assert_bad(EXPORT(f), f, 102, "entry 101 stands there again");
    SPLICE(start, end, foreign, foreign + sizeof foreign - 1);
    assert_bad(EXPORT(f), f, 601, "behind the sealed end");
    SPLICE(start, l103, letter, letter + sizeof letter - 1, l103, end);
    assert_bad(EXPORT(f), f, 103, "not of a journal");
    SPLICE(start, l103, foreign, foreign + sizeof foreign - 1, line_at(f, 104), end);
    assert_bad(EXPORT(f), f, 103, "entry 103 was changed");
    put(f, 0, "", 0);
    assert_bad(EXPORT(f), f, 1, "entry 1 and all after it are missing");
    SPLICE(start, end - 1); /* only the last newline is gone: every byte of every entry is there */
    assert_good(EXPORT(f), f);
}

static void test_the_other_files_of_an_export(void **state)
{
    struct fixture *f = *state;
    char *bent = strdup(f->text[1]), path[200];
    bent[65 * 50 + 3] ^= 1; /* the leaf of entry 51 */
    put(f, 1, bent, f->size[1]);
    assert_good(EXPORT(f), f); /* the lines themselves are the sealed ones, and who checks by hand is warned */
    assert_non_null(strstr(f->report.text, "leaves.txt is not theirs"));
    char *line = line_at(f, 200);
    line[30] ^= 1;
    restore(f, 0);
    assert_bad(EXPORT(f), f, 0, "leaves.txt is missing or changed too");
    line[30] ^= 1;
    restore(f, 0);
    restore(f, 1);
    assert_good(EXPORT(f), f);
    assert_null(strstr(f->report.text, "leaves.txt"));
    char *longer = malloc(f->size[1] + 65);
    memcpy(longer, f->text[1], f->size[1]);
    memcpy(longer + f->size[1], f->text[1], 65);
    put(f, 1, longer, f->size[1] + 65);
    assert_good(EXPORT(f), f);
    assert_non_null(strstr(f->report.text, "leaves.txt is not theirs"));
    restore(f, 1);
    free(longer);
    free(bent);
    for (int file = 2; file < 4; file++) {
        for (size_t at = 0; at < f->size[file]; at += 7) {
            if (file == 3 && f->text[file][at] == '\n')
                continue;
            bent = strdup(f->text[file]);
            bent[at] ^= 2;
            put(f, file, bent, f->size[file]);
            f->options.public_key = file == 2 ? f->key : NULL;
            assert_false(EXPORT(f));
            assert_int_equal(f->report.first_bad, 0);
            assert_true(strlen(f->report.text) > 20);
            free(bent);
        }
        restore(f, file);
    }
    assert_good(EXPORT(f), f);
    for (int file = 0; file < 4; file++) {
        if (file == 1)
            continue;
        snprintf(path, sizeof path, "%s/%s", f->export, files[file]);
        unlink(path);
        assert_bad(EXPORT(f), f, 0, files[file]);
        restore(f, file);
    }
}

/* What was put there instead of a line, of the lines, of the hashes. */
static void test_an_export_that_cannot_be_one(void **state)
{
    struct fixture *f = *state;
    char path[200], *grown = malloc(f->size[0] + LIMIT_LINE);
    assert_non_null(grown);
    memset(grown, 'x', LIMIT_LINE);
    memcpy(grown + LIMIT_LINE, f->text[0], f->size[0]);
    put(f, 0, grown, f->size[0] + LIMIT_LINE);
    free(grown);
    assert_bad(EXPORT(f), f, 1, "no entry is longer than");
    restore(f, 0);
    snprintf(path, sizeof path, "%s/%s", f->export, files[1]);
    unlink(path);
    assert_good(EXPORT(f), f); /* the hashes only help to name what was changed */
    char *line = line_at(f, 200);
    line[30] ^= 1;
    restore(f, 0);
    assert_bad(EXPORT(f), f, 0, "leaves.txt is missing or changed too");
    snprintf(path, sizeof path, "%s/%s", f->export, files[0]);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0); /* opens, and cannot be read */
    assert_bad(EXPORT(f), f, 1, "entry 1 cannot be read");
    rmdir(path);
}

static unsigned entries_in(const char *folder)
{
    unsigned count = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static void test_an_export_is_whole_or_not_there(void **state)
{
    struct fixture *f = *state;
    unsigned before = entries_in(f->folder.path);
    unsigned char public_key[32], secret_key[64];
    char other[NOTE_KEY_TEXT];
    bool unread;
    assert_false(journal_export(f->file, f->key, f->export, NULL, NULL, &unread, f->error)); /* it is there already */
    assert_non_null(strstr(f->error, "exists already"));
    crypto_sign_keypair(public_key, secret_key);
    note_key_text("test.example", public_key, other);
    assert_false(journal_export(f->file, other, test_path(&f->folder, "second"), NULL, NULL, &unread, f->error));
    assert_non_null(strstr(f->error, "no good signature"));
    assert_false(journal_export(f->file, f->key, test_path(&f->folder, "no/such"), NULL, NULL, &unread, f->error));
    assert_non_null(strstr(f->error, "cannot be written"));
    tamper(f, "UPDATE event SET line = CAST('{}' AS BLOB) WHERE seq = 444");
    assert_false(journal_export(f->file, f->key, test_path(&f->folder, "second"), NULL, NULL, &unread, f->error));
    assert_non_null(strstr(f->error, "entry 444"));
    assert_false(unread);
    unlink(test_path(&f->folder, "journal.db-wal"));
    unlink(test_path(&f->folder, "journal.db-shm"));
    unsigned after = entries_in(f->folder.path);
    assert_true(after <= before); /* no second, no second.part-… */
    assert_int_equal(access(test_path(&f->folder, "second"), F_OK), -1);
}

static int run(const char *folder, const char *interpreter, const char *script, char out[4096])
{
    char command[600], path[200];
    snprintf(path, sizeof path, "%s.script", folder);
    write_file(path, script, strlen(script));
    snprintf(command, sizeof command, "cd '%s' && %s '%s' 2>&1", folder, interpreter, path);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    size_t size = fread(out, 1, 4095, p);
    out[size] = 0;
    return pclose(p);
}

static void test_proofs_hold_up_against_sha256sum(void **state)
{
    struct fixture *f = *state;
    static const uint64_t seqs[] = {1, 18, 256, 257, 512, 513, COUNT}; /* 18 has an apostrophe in its line */
    char out[4096], line[LIMIT_LINE];
    bool unread;
    for (size_t i = 0; i < sizeof seqs / sizeof seqs[0]; i++) {
        char *proof = journal_prove(f->file, seqs[i], &unread, f->error);
        assert_non_null(proof);
        make_line(line, seqs[i]);
        assert_non_null(strstr(proof, line));
        int code = run(f->folder.path, "sh", proof, out);
        if (code != 0 || !strstr(out, "is sealed"))
            fail_msg("%s", out);
        char *kind = strstr(proof, "\"type\":\"") + 8;
        *kind ^= 1;
        assert_int_not_equal(run(f->folder.path, "sh", proof, out), 0);
        assert_non_null(strstr(out, "BAD"));
        free(proof);
    }
    assert_null(journal_prove(f->file, 0, &unread, f->error));
    assert_null(journal_prove(f->file, COUNT + 1, &unread, f->error));
    assert_non_null(strstr(f->error, "the journal has 600"));
}

/* A script that is run may not have commands of who wrote the database. */
static void test_a_proof_runs_nothing_of_the_database(void **state)
{
    static const char *const changes[] = {
        "UPDATE event SET line = CAST(line || char(10) || 'END_OF_ENTRY' || char(10) || 'touch owned' AS BLOB) WHERE seq = 5",
        "UPDATE event SET line = CAST('END_OF_ENTRY' AS BLOB) WHERE seq = 5",
        "UPDATE event SET line = CAST(replace(CAST(line AS TEXT), 'silent', char(27)) AS BLOB) WHERE seq = 5",
        "UPDATE head SET checkpoint = replace(checkpoint, char(10) || char(10), "
        "char(10) || 'END_OF_CHECKPOINT' || char(10) || 'touch owned' || char(10) || char(10))",
        "UPDATE head SET checkpoint = trim(checkpoint, char(10))",
        "UPDATE head SET checkpoint = ''",
    };
    struct fixture *f = *state;
    bool unread;
    size_t size;
    char *original = read_file(f->file, &size);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        tamper(f, changes[i]);
        assert_null(journal_prove(f->file, 5, &unread, f->error));
        assert_non_null(strstr(f->error, "is not as a daemon writes it"));
        assert_false(unread);
        write_file(f->file, original, size);
        unlink(test_path(&f->folder, "journal.db-wal"));
        unlink(test_path(&f->folder, "journal.db-shm"));
    }
    free(original);
}

/* The commands of proto/journal.md, as they stand there, on this export. */
static void test_the_manuals_commands(void **state)
{
    struct fixture *f = *state;
    char path[400], out[4096], *at;
    size_t size;
    const char *source = getenv("TOCSIN_SOURCE"); /* set by meson; otherwise from the top */
    snprintf(path, sizeof path, "%s/proto/journal.md", source ? source : ".");
    char *manual = read_file(path, &size);
    unsigned blocks = 0;
    for (at = manual; (at = strstr(at, "\n```")); blocks++) {
        bool python = strncmp(at + 4, "python\n", 7) == 0;
        char *script = strchr(at + 4, '\n') + 1, *stop = strstr(script, "\n```\n");
        assert_non_null(stop);
        stop[1] = 0;
        if (run(f->export, python ? "/usr/bin/python3" : "sh -e", script, out) != 0)
            fail_msg("%s", out);
        char *first = strtok(out, "\n"), *second = strtok(NULL, "\n");
        if (blocks == 0)
            assert_string_equal(first, "Signature Verified Successfully");
        else
            assert_string_equal(first, second);
        at = stop + 2;
    }
    assert_int_equal(blocks, 3);
    free(manual);
}

static void test_an_erased_note_leaves_everything_valid(void **state)
{
    struct fixture *f = *state;
    assert_true(journal_export_erase_note(f->file, 18, f->error));
    assert_good(DATABASE(f), f);
    size_t size;
    char *after = read_file(f->file, &size);
    tamper(f, "CREATE TEMP TABLE t AS SELECT 1/(count(*) = 0) FROM note WHERE seq = 18");
    free(after);
    assert_false(journal_export_erase_note(test_path(&f->folder, "none.db"), 18, f->error));
    assert_int_equal(access(test_path(&f->folder, "none.db"), F_OK), -1);
}

static void test_a_note_that_is_not_there_is_not_erased(void **state)
{
    struct fixture *f = *state;
    assert_false(journal_export_erase_note(f->file, 17, f->error));
    assert_string_equal(f->error, "entry 17 has no note (or it is erased already)");
    assert_true(journal_export_erase_note(f->file, 18, f->error));
    assert_false(journal_export_erase_note(f->file, 18, f->error));
    assert_string_equal(f->error, "entry 18 has no note (or it is erased already)");
    assert_false(journal_export_erase_note(f->file, 0, f->error));
    assert_false(journal_export_erase_note(f->file, 100000, f->error));
    assert_non_null(strstr(f->error, "there is no entry 100000: the journal has "));
    assert_good(DATABASE(f), f);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
#define ON_DATABASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
#define ON_EXPORT(function) cmocka_unit_test_setup_teardown(function, setup_export, teardown)
    const struct CMUnitTest tests[] = {
        ON_DATABASE(test_a_good_database),
        ON_DATABASE(test_each_change_of_a_database),
        ON_DATABASE(test_a_change_with_its_hash),
        ON_DATABASE(test_a_change_behind_the_last_kept_hash),
        ON_DATABASE(test_seals),
        ON_DATABASE(test_a_witness),
        ON_DATABASE(test_no_database),
        ON_DATABASE(test_an_empty_database),
        ON_DATABASE(test_proofs_hold_up_against_sha256sum),
        ON_DATABASE(test_a_proof_runs_nothing_of_the_database),
        ON_DATABASE(test_an_erased_note_leaves_everything_valid),
        ON_DATABASE(test_a_note_that_is_not_there_is_not_erased),
        ON_EXPORT(test_a_good_export),
        ON_EXPORT(test_every_kind_of_flipped_bit_in_an_export),
        ON_EXPORT(test_moved_lines_in_an_export),
        ON_EXPORT(test_the_other_files_of_an_export),
        ON_EXPORT(test_an_export_that_cannot_be_one),
        ON_EXPORT(test_an_export_is_whole_or_not_there),
        ON_EXPORT(test_the_manuals_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
