#include "journal/journal_verify.h"
#include "journal/sqlite_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_EVERY 4096 /* entries */
#define NO_NUMBER INT64_MIN

/* One verification under way, of a database or of an export. */
struct check {
    const struct journal_verify_options *options;
    struct journal_verify_report *report;
    struct tree_frontier frontier; /* of the entries read so far */
    bool witness_denied;           /* the first witness_size entries give another root */

    struct sqlite_hashes hashes; /* database only */
    bool has_hashes;
    sqlite3_stmt *found;       /* whether an entry is in the lookup; NULL = format 1 has none */
    uint64_t looked_up, count; /* how far the lookup goes; how many entries of alarms it has to have */

    FILE *leaves;       /* export only; NULL = there are none to be trusted */
    bool leaves_denied; /* there are some, which are not those of the record */
};

/* Ends the check with a finding about one entry; 0 = about none. */
__attribute__((format(printf, 3, 4))) static bool bad(struct check *c, uint64_t seq, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->report->text, sizeof c->report->text, format, arguments);
    va_end(arguments);
    c->report->good = false;
    c->report->first_bad = seq;
    return false;
}

/* The same after a call of SQLite that failed; NULL: with its sentence. */
static bool unread(struct check *c, uint64_t seq, sqlite3 *db, const char *why)
{
    char error[LIMIT_TEXT];
    int code = sqlite3_errcode(db);
    if (!why)
        sqlite_file_error(db, code, error);
    c->report->unread = sqlite_file_why(db, code) != SQLITE_FILE_UNFIT;
    return seq ? bad(c, seq, "entry %" PRIu64 " cannot be read: %.180s", seq, why ? why : error)
               : bad(c, 0, "%s", why ? why : error);
}

/* The number a line gives itself; 0 when it does not begin as every journal line does: JSON has no 01. */
static uint64_t own_seq(const char *line, size_t size)
{
    static const char start[] = "{\"seq\":";
    const size_t skip = sizeof start - 1;
    if (size <= skip || memcmp(line, start, skip) != 0 || line[skip] == '0')
        return 0;
    uint64_t seq = 0;
    size_t i = skip;
    for (; i < size && i < skip + 19 && line[i] >= '0' && line[i] <= '9'; i++)
        seq = seq * 10 + (uint64_t)(line[i] - '0');
    return i < size && line[i] == ',' ? seq : 0;
}

/* The alarm a line names, not terminated; of size 0 when it names none. In a text the quotes would be escaped, and no
 * member inside another is called so. */
static const char *own_alarm(const char *line, size_t size, size_t *alarm_size)
{
    static const char key[] = ",\"alarm\":\"";
    const char *alarm = memmem(line, size, key, sizeof key - 1), *end = NULL;
    if (alarm) {
        alarm += sizeof key - 1;
        end = memchr(alarm, '"', (size_t)(line + size - alarm));
    }
    *alarm_size = end ? (size_t)(end - alarm) : 0;
    return end ? alarm : line;
}

static void on_complete(void *ctx, unsigned level, uint64_t index, const unsigned char hash[TREE_HASH])
{
    struct check *c = ctx;
    unsigned char stored[TREE_HASH];
    if (!c->has_hashes || level < STORE_SUBTREE_LEVEL || c->report->first_bad)
        return;
    uint64_t first = (index << level) + 1, last = (index + 1) << level;
    bool there = sqlite_hashes_get(&c->hashes, level, index, stored);
    sqlite3 *db = sqlite3_db_handle(c->hashes.subtree);
    int code = sqlite3_errcode(db);
    if (!there && code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        unread(c, first, db, NULL);
    else if (!there)
        bad(c, first, "the hash kept for the entries %" PRIu64 " to %" PRIu64 " is missing", first, last);
    else if (memcmp(hash, stored, TREE_HASH) != 0)
        bad(c, first,
            "one of the entries %" PRIu64 " to %" PRIu64
            " was changed together with the hash beside it: they do not give "
            "the hash kept for them all",
            first, last);
}

/* Counts an entry that is good by itself. False: a finding. */
static bool add_leaf(struct check *c, const unsigned char leaf[TREE_HASH])
{
    const struct journal_verify_options *o = c->options;
    tree_add(&c->frontier, leaf, on_complete, c);
    c->report->checked = c->frontier.size;
    if (c->frontier.size == o->witness_size) {
        unsigned char root[TREE_HASH];
        tree_root(&c->frontier, root);
        c->witness_denied = memcmp(root, o->witness_root, TREE_HASH) != 0;
    }
    if (o->progress && c->frontier.size % PROGRESS_EVERY == 0)
        o->progress(o->ctx, c->frontier.size, c->report->size);
    return c->report->first_bad == 0;
}

/* What the checkpoint says, and whether the key has signed it. False: a finding. */
static bool check_checkpoint(struct check *c, const char *text, size_t size, const char *key)
{
    struct journal_verify_report *r = c->report;
    struct note_checkpoint note = {0};
    char error[LIMIT_TEXT], origin[NOTE_ORIGIN];
    unsigned char public_key[32];
    if (key && !note_key_parse(key, origin, public_key, error))
        return bad(c, 0, "%s", error);
    bool good =
        key ? note_verify(text, size, public_key, &note, error) : note_parse(text, size, &note, error);
    r->size = note.size;
    memcpy(r->root, note.root, sizeof r->root);
    memcpy(r->origin, note.origin, sizeof r->origin);
    r->signed_by_key = good && c->options->public_key;
    return good || bad(c, 0, "%s", error);
}

/* All entries were read and each was good by itself: do they add up? */
static void conclude(struct check *c)
{
    struct journal_verify_report *r = c->report;
    const struct journal_verify_options *o = c->options;
    unsigned char root[TREE_HASH];
    tree_root(&c->frontier, root);
    if (memcmp(root, r->root, TREE_HASH) != 0)
        bad(c, 0,
            "the %" PRIu64
            " entries do not give the root that was sealed: some were changed together with every hash "
            "beside them; compare with an older export to find which",
            r->size);
    else if (o->witness_size > r->size)
        bad(c, r->size + 1,
            "entry %" PRIu64 " and all after it are missing: the witness was told of %" PRIu64 " entries",
            r->size + 1, o->witness_size);
    else if (c->witness_denied)
        bad(c, 0,
            "the first %" PRIu64
            " entries are not those the witness was told of: the record was changed after that and "
            "sealed anew",
            o->witness_size);
    else
        r->good = true;
    if (!r->good)
        return;
    snprintf(r->text, sizeof r->text, "all %" PRIu64 " entries are as they were sealed%s%s%s", r->size,
             r->signed_by_key ? "" : "; who sealed them was not checked, no key was given",
             o->witness_size ? ", and the witness agrees" : "",
             c->leaves_denied ? "; leaves.txt is not theirs, it was changed: do not check by it" : "");
}

/* The database */

static bool note_is_recorded(const struct store_event *e)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1];
    crypto_hash_sha256(hash, (const unsigned char *)e->note, strlen(e->note));
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    return memmem(e->line, e->size, hex, sizeof hex - 1) != NULL;
}

/* One number, asked for in one read, so that a daemon that commits meanwhile is not accused; NO_NUMBER when there is none.
 * False: a finding. */
static bool ask(struct check *c, sqlite3 *db, const char *sql, uint64_t up_to, int64_t *out)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_int64(s, 1, (int64_t)up_to); /* not every question has it */
        code = sqlite3_step(s);
    }
    bool there = code == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL;
    *out = there ? sqlite3_column_int64(s, 0) : NO_NUMBER;
    bool good = (code == SQLITE_ROW || code == SQLITE_DONE) || unread(c, 0, db, NULL);
    sqlite3_finalize(s);
    return good;
}

static bool open_lookup(struct check *c, sqlite3 *db, uint64_t size)
{
    int64_t format, tables, looked_up;
    if (!ask(c, db, "SELECT user_version FROM pragma_user_version", 0, &format) ||
        !ask(c, db, "SELECT count(*) FROM sqlite_schema WHERE lower(name) IN ('lookup', 'looked_up')", 0, &tables))
        return false;
    if (format < 2 && tables == 0)
        return true;
    if (format < 2)
        return bad(c, 0, "the journal is said to be of format %" PRId64 ", but has the lookup of a later one: somebody else "
                   "changed that, and no daemon will open it", format);
    if (!ask(c, db, "SELECT seq FROM looked_up", 0, &looked_up))
        return false;
    if (looked_up < 0)
        return bad(c, 0, "the journal does not say how far its lookup goes: later entries are not found under their alarms");
    c->looked_up = (uint64_t)looked_up < size ? (uint64_t)looked_up : size;
    int code = sqlite3_prepare_v2(db, "SELECT 1 FROM lookup WHERE kind = 0 AND word = ? AND seq = ?", -1, &c->found, NULL);
    return code == SQLITE_OK || unread(c, 0, db, NULL);
}

/* Whoever asks for the alarm that the line names has to be shown this entry, and nobody else. */
static bool check_found(struct check *c, const struct store_event *e)
{
    size_t size;
    const char *own = own_alarm(e->line, e->size, &size);
    if (strlen(e->alarm) != size || memcmp(e->alarm, own, size) != 0)
        return bad(c, e->seq, size ? "entry %" PRIu64 " is not found under its alarm"
                                   : "entry %" PRIu64 " is found under an alarm, and is of none", e->seq);
    if (size == 0 || e->seq > c->looked_up)
        return true;
    c->count++;
    sqlite3_bind_text(c->found, 1, e->alarm, -1, SQLITE_STATIC);
    sqlite3_bind_int64(c->found, 2, (int64_t)e->seq);
    int code = sqlite3_step(c->found);
    bool found = code == SQLITE_ROW ||
                 (code == SQLITE_DONE ? bad(c, e->seq, "entry %" PRIu64 " is not found under its alarm", e->seq)
                                      : unread(c, e->seq, sqlite3_db_handle(c->found), NULL));
    sqlite3_reset(c->found);
    return found;
}

static bool check_event(void *ctx, const struct store_event *e)
{
    struct check *c = ctx;
    uint64_t expected = c->frontier.size + 1, own = own_seq(e->line, e->size);
    if (e->seq != expected)
        return bad(c, expected, "entry %" PRIu64 " is missing: after %" PRIu64 " comes %" PRIu64, expected,
                   expected - 1, e->seq);
    if (own == 0 || memchr(e->line, '\n', e->size) || e->size > LIMIT_LINE)
        return bad(c, expected, "entry %" PRIu64 " is not a line of a journal", expected);
    if (own != expected)
        return bad(c, expected, "entry %" PRIu64 " is not in its place: entry %" PRIu64 " stands there",
                   expected, own);
    unsigned char leaf[TREE_HASH];
    tree_leaf(leaf, e->line, e->size);
    if (memcmp(leaf, e->leaf, TREE_HASH) != 0)
        return bad(c, expected, "entry %" PRIu64 " was changed: it does not give the hash kept beside it",
                   expected);
    if (e->note && !note_is_recorded(e))
        return bad(c, expected, "the note beside entry %" PRIu64 " is not the one that was recorded",
                   expected);
    return check_found(c, e) && add_leaf(c, leaf);
}

/* The lookup has every entry it has to have; has it more? */
static bool check_lookup(struct check *c, sqlite3 *db)
{
    int64_t rows, foreign;
    if (!c->found)
        return true;
    if (!ask(c, db, "SELECT count(*) FROM lookup WHERE kind = 0 AND seq BETWEEN 1 AND ?", c->looked_up, &rows))
        return false;
    if ((uint64_t)rows == c->count)
        return true;
    return ask(c, db,
               "SELECT min(seq) FROM lookup l WHERE kind = 0 AND seq BETWEEN 1 AND ?"
               " AND NOT EXISTS(SELECT 1 FROM event e WHERE e.seq = l.seq AND e.alarm = l.word)",
               c->looked_up, &foreign) &&
           bad(c, (uint64_t)foreign, "entry %" PRId64 " is found under an alarm that is not its own", foreign);
}

/* Rows before the first entry and behind the head: a daemon would stumble over them. */
static bool check_end(struct check *c, sqlite3 *db)
{
    static const struct {
        const char *what, *sql;
        bool of_lookup;
    } ends[] = {
        {"entry", "SELECT seq FROM event WHERE seq < 1 UNION ALL SELECT seq FROM event, head WHERE seq > size LIMIT 1", false},
        {"a note beside entry",
         "SELECT seq FROM note WHERE seq < 1 UNION ALL SELECT seq FROM note, head WHERE seq > size LIMIT 1", false},
        {"a hash kept for entry",
         "SELECT min((position + 1) << level) FROM subtree, head WHERE position < 0 OR position >= size >> level", false},
        {"the lookup's last entry", "SELECT l.seq FROM looked_up l, head WHERE l.seq > size", true},
        {"the place of entry",
         "SELECT min(l.seq) FROM lookup l, looked_up u WHERE l.seq < 1 OR l.seq > u.seq", true},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int64_t foreign;
        if (ends[i].of_lookup && !c->found)
            continue;
        if (!ask(c, db, ends[i].sql, 0, &foreign))
            return false;
        if (foreign > 0)
            return bad(c, (uint64_t)foreign,
                       "%s %" PRId64 " lies behind the sealed end: it was put there by somebody else", ends[i].what, foreign);
        if (foreign != NO_NUMBER)
            return bad(c, 0, "%s %" PRId64 " lies before the first: it was put there by somebody else", ends[i].what, foreign);
    }
    return true;
}

static void check_database(struct check *c, sqlite3 *db)
{
    struct journal_verify_report *r = c->report;
    struct store_head head;
    char error[LIMIT_TEXT];
    if (!sqlite_file_head(db, &head, error)) {
        unread(c, 0, db, error);
        return;
    }
    uint64_t size = head.frontier.size;
    r->size = size;
    c->has_hashes = sqlite_hashes_init(&c->hashes, db);
    if (!open_lookup(c, db, size))
        return;
    if (!sqlite_file_scan(db, 1, size, check_event, c, error)) {
        unread(c, c->frontier.size + 1, db, error);
        return;
    }
    if (r->first_bad)
        return;
    if (c->frontier.size < size) {
        bad(c, c->frontier.size + 1,
            "entry %" PRIu64 " and all after it are missing: the journal had %" PRIu64, c->frontier.size + 1,
            size);
        return;
    }
    if (!check_lookup(c, db) || !check_end(c, db))
        return;
    if (size == 0) {
        tree_root(&c->frontier, r->root);
        conclude(c);
        return;
    }
    if (!check_checkpoint(c, head.checkpoint, strlen(head.checkpoint), c->options->public_key))
        return;
    if (r->size != size)
        bad(c, 0,
            "the checkpoint seals %" PRIu64 " entries, the journal has %" PRIu64 ": one of them was replaced",
            r->size, size);
    else
        conclude(c);
}

bool journal_verify_database(const char *file, const struct journal_verify_options *o,
                             struct journal_verify_report *r)
{
    *r = (struct journal_verify_report){0};
    struct check c = {.options = o, .report = r};
    enum sqlite_file_why why;
    sqlite3 *db = sqlite_file_open(file, SQLITE_FILE_READ, &why, r->text);
    r->unread = !db && why != SQLITE_FILE_UNFIT;
    if (!db)
        return false;
    check_database(&c, db);
    sqlite_hashes_finish(&c.hashes);
    sqlite3_finalize(c.found);
    sqlite3_close(db);
    return r->good;
}

/* The export */

static FILE *open_in(const char *folder, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return NULL;
    FILE *f = fopen(path, "re");
    free(path);
    return f;
}

/* A file of the export could not be had: it may lack it, which is a finding about the export. */
static bool lacks(struct check *c, const char *folder, const char *name, const char *what)
{
    c->report->unread = errno != ENOENT;
    return bad(c, 0, "%.150s/%s cannot be read (%s): it %s", folder, name, strerror(errno), what);
}

/* A small file, whole, NUL-terminated. False: a finding. */
static bool read_small(struct check *c, const char *folder, const char *name, char *out, size_t capacity,
                       size_t *size)
{
    FILE *f = open_in(folder, name);
    if (!f)
        return lacks(c, folder, name, "belongs to the export");
    *size = fread(out, 1, capacity - 1, f);
    out[*size] = 0;
    bool good = !ferror(f) || lacks(c, folder, name, "belongs to the export");
    fclose(f);
    return good;
}

/* A line without its newline, at most `capacity` bytes of it; `*size` may exceed that. False: the file has
 * ended. */
static bool read_line(FILE *f, char *out, size_t capacity, size_t *size)
{
    int byte;
    *size = 0;
    while ((byte = getc_unlocked(f)) != EOF && byte != '\n') {
        if (*size < capacity)
            out[*size] = (char)byte;
        ++*size;
    }
    return byte != EOF || *size > 0;
}

static bool read_leaf(FILE *f, unsigned char out[TREE_HASH])
{
    char hex[2 * TREE_HASH];
    size_t size, decoded = 0;
    return read_line(f, hex, sizeof hex, &size) && size == sizeof hex &&
           sodium_hex2bin(out, TREE_HASH, hex, size, NULL, &decoded, NULL) == 0 && decoded == TREE_HASH;
}

/* The hashes of leaves.txt may accuse a line only if they themselves give the sealed root. */
static void trust_leaves(struct check *c, const char *folder)
{
    struct tree_frontier f = {0};
    unsigned char leaf[TREE_HASH], root[TREE_HASH];
    FILE *leaves = open_in(folder, "leaves.txt");
    if (!leaves)
        return;
    while (f.size < c->report->size && read_leaf(leaves, leaf))
        tree_add(&f, leaf, NULL, NULL);
    tree_root(&f, root);
    bool theirs = f.size == c->report->size && memcmp(root, c->report->root, TREE_HASH) == 0 && getc(leaves) == EOF;
    c->leaves_denied = !theirs && !ferror(leaves);
    if (theirs) {
        rewind(leaves);
        c->leaves = leaves;
    } else {
        fclose(leaves);
    }
}

/* A line gives itself another number than its place. What happened shows in the line behind it. */
static bool misplaced(struct check *c, FILE *lines, uint64_t expected, uint64_t own)
{
    char next[LIMIT_LINE];
    size_t size;
    uint64_t behind =
        read_line(lines, next, sizeof next, &size) && size <= sizeof next ? own_seq(next, size) : 0;
    if (own == 0)
        return bad(c, expected,
                   "entry %" PRIu64 " is not there: a line stands in its place that is not of a journal",
                   expected);
    if (own > expected && behind == expected)
        return bad(c, expected, "entry %" PRIu64 " is not in its place: it was swapped with entry %" PRIu64,
                   expected, own);
    if (own > expected)
        return bad(c, expected, "entry %" PRIu64 " is missing: after %" PRIu64 " comes %" PRIu64, expected,
                   expected - 1, own);
    return bad(c, expected, "entry %" PRIu64 " is not in its place: entry %" PRIu64 " stands there again",
               expected, own);
}

/* False: a finding, or the end. */
static bool check_export_line(struct check *c, FILE *lines)
{
    char line[LIMIT_LINE];
    size_t size;
    if (!read_line(lines, line, sizeof line, &size))
        return false;
    uint64_t expected = c->frontier.size + 1;
    if (expected > c->report->size)
        return bad(c, expected,
                   "entry %" PRIu64 " lies behind the sealed end: the checkpoint seals %" PRIu64 " entries",
                   expected, c->report->size);
    if (size > sizeof line)
        return bad(c, expected, "entry %" PRIu64 " was changed: no entry is longer than %d bytes", expected,
                   LIMIT_LINE);
    unsigned char leaf[TREE_HASH], sealed[TREE_HASH];
    tree_leaf(leaf, line, size);
    uint64_t own = own_seq(line, size);
    bool differs = c->leaves && read_leaf(c->leaves, sealed) && memcmp(leaf, sealed, TREE_HASH) != 0;
    /* A flipped bit in the number itself is a change and not a move: the rest of the line would tell, but a
     * person sees it at once; both name the same entry. */
    if (own != expected)
        return misplaced(c, lines, expected, own);
    if (differs)
        return bad(c, expected,
                   "entry %" PRIu64 " was changed: it does not give the hash that was sealed for it",
                   expected);
    return add_leaf(c, leaf);
}

static void check_lines(struct check *c, FILE *lines)
{
    struct journal_verify_report *r = c->report;
    while (check_export_line(c, lines))
        ;
    if (r->first_bad)
        return;
    r->unread = ferror(lines);
    if (r->unread)
        bad(c, c->frontier.size + 1, "entry %" PRIu64 " cannot be read: the disk fails",
            c->frontier.size + 1);
    else if (c->frontier.size < r->size)
        bad(c, c->frontier.size + 1,
            "entry %" PRIu64 " and all after it are missing: the checkpoint seals %" PRIu64,
            c->frontier.size + 1, r->size);
    else
        conclude(c);
    if (!r->good && !r->first_bad && !c->leaves)
        snprintf(r->text, sizeof r->text,
                 "the %" PRIu64
                 " entries do not give the root that was sealed; which one was changed cannot be told, "
                 "because leaves.txt is missing or changed too",
                 r->size);
}

bool journal_verify_export(const char *folder, const struct journal_verify_options *o,
                           struct journal_verify_report *r)
{
    *r = (struct journal_verify_report){0};
    struct check c = {.options = o, .report = r};
    char checkpoint[8 * NOTE_TEXT], own_key[2 * NOTE_KEY_TEXT]; /* witnesses may have added their lines */
    size_t size = 0, key_size = 0;
    const char *key = o->public_key;
    if (!read_small(&c, folder, "checkpoint.txt", checkpoint, sizeof checkpoint, &size) ||
        (!key && !read_small(&c, folder, "journal.pub", own_key, sizeof own_key, &key_size)) ||
        !check_checkpoint(&c, checkpoint, size, key ? key : own_key))
        return false;
    FILE *lines = open_in(folder, "journal.ndjson");
    if (!lines)
        return lacks(&c, folder, "journal.ndjson", "is the record itself");
    trust_leaves(&c, folder);
    check_lines(&c, lines);
    if (c.leaves)
        fclose(c.leaves);
    fclose(lines);
    return r->good;
}
