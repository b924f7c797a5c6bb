#include "journal/journal_export.h"
#include "journal/archive.h"
#include "journal/sqlite_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRESS_EVERY 4096 /* entries */

enum { LINES, LEAVES, CHECKPOINT, KEY, FILES };
static const char *const names[FILES] = {"journal.ndjson", "leaves.txt", "checkpoint.txt", "journal.pub"};

struct export
{
    char *folder; /* while it is written; renamed at the end */
    FILE *files[FILES];
    struct store_head head;
    struct tree_frontier frontier;
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
    char *error;
    bool bad;
};

static bool fail(struct export *x, const char *what)
{
    snprintf(x->error, LIMIT_TEXT,
             "%.150s cannot be written (%s): it must not exist, its folder must be writable", what,
             strerror(errno));
    x->bad = true;
    return false;
}

static bool write_entry(void *ctx, const struct store_event *e)
{
    struct export *x = ctx;
    unsigned char leaf[TREE_HASH];
    char hex[2 * TREE_HASH + 1];
    tree_leaf(leaf, e->line, e->size);
    if (e->seq != x->frontier.size + 1 || memcmp(leaf, e->leaf, TREE_HASH) != 0) {
        snprintf(x->error, LIMIT_TEXT,
                 "entry %" PRIu64
                 " is missing, changed or damaged: nothing was exported; tocsin journal verify "
                 "tells more",
                 x->frontier.size + 1);
        x->bad = true;
        return false;
    }
    tree_add(&x->frontier, leaf, NULL, NULL);
    sodium_bin2hex(hex, sizeof hex, leaf, sizeof leaf);
    if (fwrite(e->line, 1, e->size, x->files[LINES]) != e->size || putc('\n', x->files[LINES]) == EOF ||
        fprintf(x->files[LEAVES], "%s\n", hex) < 0)
        return fail(x, names[LINES]);
    if (x->progress && x->frontier.size % PROGRESS_EVERY == 0)
        x->progress(x->ctx, x->frontier.size, x->head.frontier.size);
    return true;
}

static char *path_in(const struct export *x, int file)
{
    char *path;
    int size = asprintf(&path, "%s/%s", x->folder, names[file]);
    assert(size > 0);
    return path;
}

static bool open_files(struct export *x)
{
    for (int i = 0; i < FILES; i++) {
        char *path = path_in(x, i);
        x->files[i] = fopen(path, "wxe");
        if (!x->files[i])
            fail(x, path);
        free(path);
        if (!x->files[i])
            return false;
    }
    return true;
}

static bool close_files(struct export *x)
{
    bool good = true;
    for (int i = 0; i < FILES; i++) {
        if (!x->files[i])
            continue;
        good = fflush(x->files[i]) == 0 && fsync(fileno(x->files[i])) == 0 && good;
        good = fclose(x->files[i]) == 0 && good;
        x->files[i] = NULL;
    }
    return good || x->bad || fail(x, x->folder);
}

static bool write_files(struct export *x, sqlite3 *db, const char *public_key)
{
    if (!open_files(x) || !sqlite_file_scan(db, 1, x->head.frontier.size, write_entry, x, x->error) || x->bad)
        return false;
    if (!tree_frontier_equal(&x->frontier, &x->head.frontier)) {
        snprintf(x->error, LIMIT_TEXT,
                 "the entries do not give the root that was sealed: nothing was exported; "
                 "tocsin journal verify tells more");
        return false;
    }
    int key_size = (int)strcspn(public_key, "\r\n");
    if (fputs(x->head.checkpoint, x->files[CHECKPOINT]) == EOF ||
        fprintf(x->files[KEY], "%.*s\n", key_size, public_key) < 0)
        return fail(x, x->folder);
    return true;
}

static void remove_files(struct export *x)
{
    for (int i = 0; i < FILES; i++) {
        char *path = path_in(x, i);
        unlink(path);
        free(path);
    }
    rmdir(x->folder);
}

/* The head, signed by the key; everything else is measured against it. */
static bool read_seal(sqlite3 *db, const char *public_key, struct store_head *head, char error[LIMIT_TEXT])
{
    struct note_checkpoint note;
    char origin[NOTE_ORIGIN];
    unsigned char key[32], root[TREE_HASH];
    if (!note_key_parse(public_key, origin, key, error) || !sqlite_file_head(db, head, error))
        return false;
    if (head->frontier.size == 0) {
        snprintf(error, LIMIT_TEXT, "the journal is empty: there is nothing to export");
        return false;
    }
    if (!note_verify(head->checkpoint, strlen(head->checkpoint), key, &note, error))
        return false;
    tree_root(&head->frontier, root);
    if (note.size == head->frontier.size && memcmp(root, note.root, sizeof root) == 0)
        return true;
    snprintf(error, LIMIT_TEXT,
             "the journal's head is not the one its checkpoint seals: tocsin journal verify tells more");
    return false;
}

/* Whether the last call failed, and because nothing could be read. */
static bool is_unread(sqlite3 *db)
{
    return sqlite_file_why(db, sqlite3_errcode(db)) != SQLITE_FILE_UNFIT;
}

static void sync_parent(const char *folder)
{
    char *copy = strdup(folder), *slash = copy ? strrchr(copy, '/') : NULL;
    if (slash)
        *slash = 0;
    int fd = open(slash && slash != copy ? copy : slash ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

bool journal_export(const char *database, const char *public_key, const char *folder,
                    void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
                    bool *unread, char error[LIMIT_TEXT])
{
    struct export x = {.progress = progress, .ctx = ctx, .error = error};
    char *wanted = strdup(folder);
    assert(wanted);
    for (size_t size = strlen(wanted); size > 1 && wanted[size - 1] == '/'; size--)
        wanted[size - 1] = 0;
    enum sqlite_file_why why;
    sqlite3 *db = sqlite_file_open(database, SQLITE_FILE_READ, &why, error);
    bool good = db && read_seal(db, public_key, &x.head, error);
    if (good && access(wanted, F_OK) == 0) {
        snprintf(error, LIMIT_TEXT, "%.200s exists already: name a folder that does not", wanted);
        good = false;
    }
    if (good) {
        int size = asprintf(&x.folder, "%s.part-XXXXXX", wanted);
        assert(size > 0);
        if (!mkdtemp(x.folder)) {
            good = fail(&x, wanted);
        } else {
            good = write_files(&x, db, public_key);
            good = close_files(&x) && good;
            if (good && (chmod(x.folder, 0755) != 0 || rename(x.folder, wanted) != 0))
                good = fail(&x, wanted);
            if (good)
                sync_parent(wanted);
            else
                remove_files(&x);
        }
    }
    *unread = !good && (db ? is_unread(db) : why != SQLITE_FILE_UNFIT);
    sqlite3_close(db);
    free(x.folder);
    free(wanted);
    return good;
}

/* The proof */

struct found {
    char *line;
    size_t size;
};

static bool keep_line(void *ctx, const struct store_event *e)
{
    struct found *f = ctx;
    f->line = malloc(e->size + 1);
    assert(f->line);
    memcpy(f->line, e->line, e->size);
    f->line[e->size] = 0;
    f->size = e->size;
    return false;
}

/* Both stand in the script as they are: what no daemon writes could end the place where it stands, and be commands. */
static bool fits_script(const struct found *f, uint64_t seq, const char *checkpoint)
{
    struct note_checkpoint note;
    char start[40], error[LIMIT_TEXT];
    size_t start_size = (size_t)snprintf(start, sizeof start, "{\"seq\":%" PRIu64 ",", seq), size = strlen(checkpoint);
    for (size_t i = 0; i < f->size; i++)
        if ((unsigned char)f->line[i] < ' ')
            return false;
    return strncmp(f->line, start, start_size) == 0 && note_parse(checkpoint, size, &note, error) &&
           checkpoint[size - 1] == '\n' && !strstr(checkpoint, "END_OF_CHECKPOINT");
}

/* One step up per hash of the proof, on the side where it belongs (RFC 9162, 2.1.3.2). */
static void print_path(FILE *out, const struct tree_proof *proof, uint64_t index, uint64_t size)
{
    uint64_t last = size - 1;
    for (size_t i = 0; i < proof->count; i++) {
        char hex[2 * TREE_HASH + 1];
        sodium_bin2hex(hex, sizeof hex, proof->path[i], TREE_HASH);
        bool on_the_left = (index & 1) || index == last;
        fprintf(out, on_the_left ? "hash=$(node %s $hash)\n" : "hash=$(node $hash %s)\n", hex);
        for (; on_the_left && index != 0 && !(index & 1); index >>= 1)
            last >>= 1;
        index >>= 1;
        last >>= 1;
    }
}

static void print_proof(FILE *out, uint64_t seq, const char *line, const struct store_head *head,
                        const struct tree_proof *proof)
{
    const char *checkpoint = head->checkpoint;
    fprintf(out,
            "#!/bin/sh\n"
            "# Proves that the entry below is number %" PRIu64 " of the %" PRIu64
            " that the checkpoint at the end seals.\n"
            "# Run it with sh, or follow it by hand; it uses sha256sum, base64, basenc and tr. That the "
            "checkpoint itself\n"
            "# is signed is checked as the journal's manual shows (proto/journal.md).\n"
            "node() { printf %%s \"01$1$2\" | tr a-f A-F | basenc --base16 -d | sha256sum | cut -c1-64; }\n\n"
            "# The leaf: SHA-256 of a zero byte and the line.\n"
            "hash=$({ printf '\\000'; tr -d '\\n' <<'END_OF_ENTRY'\n%s\nEND_OF_ENTRY\n} | sha256sum | cut "
            "-c1-64)\n"
            "echo \"leaf   $hash\"\n\n"
            "# Up the tree: SHA-256 of a one byte, the hash on the left and the hash on the right.\n",
            seq, head->frontier.size, line);
    print_path(out, proof, seq - 1, head->frontier.size);
    fprintf(out,
            "echo \"root   $hash\"\n\n"
            "# What was sealed: the third line of the checkpoint.\n"
            "sealed=$(sed -n 3p <<'END_OF_CHECKPOINT' | base64 -d | basenc --base16 -w0 | tr A-F "
            "a-f\n%sEND_OF_CHECKPOINT\n)\n"
            "echo \"sealed $sealed\"\n"
            "if [ \"$hash\" = \"$sealed\" ]; then\n"
            "    echo \"good: entry %" PRIu64 " is sealed\"\n"
            "else\n"
            "    echo \"BAD: the checkpoint does not seal this entry\"\n"
            "    exit 1\n"
            "fi\n",
            checkpoint, seq);
}

/* NULL when there is no memory for it: half a proof is none. */
static char *proof_text(uint64_t seq, const char *line, const struct store_head *head,
                        const struct tree_proof *proof)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert(out);
    print_proof(out, seq, line, head, proof);
    bool whole = !ferror(out);
    if (fclose(out) == 0 && whole)
        return text;
    free(text);
    return NULL;
}

static char *prove(sqlite3 *db, struct sqlite_hashes *hashes, uint64_t seq, char error[LIMIT_TEXT])
{
    struct store_head head;
    struct tree_proof proof;
    struct found found = {0};
    if (!sqlite_file_head(db, &head, error))
        return NULL;
    if (seq == 0 || seq > head.frontier.size) {
        snprintf(error, LIMIT_TEXT, "there is no entry %" PRIu64 ": the journal has %" PRIu64, seq,
                 head.frontier.size);
        return NULL;
    }
    if (!sqlite_file_scan(db, seq, seq, keep_line, &found, error))
        return NULL;
    bool provable = found.line && sqlite_hashes_init(hashes, db) &&
                    tree_inclusion(&proof, seq - 1, head.frontier.size, sqlite_hashes_get, hashes);
    bool fits = provable && fits_script(&found, seq, head.checkpoint);
    char *text = fits ? proof_text(seq, found.line, &head, &proof) : NULL;
    if (provable && !fits)
        snprintf(error, LIMIT_TEXT,
                 "entry %" PRIu64 " or the checkpoint is not as a daemon writes it, and could be commands in a script: "
                 "tocsin journal verify tells more", seq);
    else if (provable && !text)
        snprintf(error, LIMIT_TEXT, "there is no memory for the proof of entry %" PRIu64, seq);
    else if (!provable && is_unread(db))
        sqlite_file_error(db, sqlite3_errcode(db), error);
    else if (!provable)
        snprintf(error, LIMIT_TEXT,
                 "entry %" PRIu64 " or a hash its proof needs is missing: tocsin journal verify tells more",
                 seq);
    free(found.line);
    return text;
}

char *journal_prove(const char *database, uint64_t seq, bool *unread, char error[LIMIT_TEXT])
{
    struct sqlite_hashes hashes = {0};
    enum sqlite_file_why why;
    sqlite3 *db = sqlite_file_open(database, SQLITE_FILE_READ, &why, error);
    *unread = !db && why != SQLITE_FILE_UNFIT;
    if (!db)
        return NULL;
    char *text = prove(db, &hashes, seq, error);
    *unread = !text && is_unread(db);
    sqlite_hashes_finish(&hashes);
    sqlite3_close(db);
    return text;
}

/* The note */

static bool has_note(void *ctx, const struct store_event *e)
{
    bool *has = ctx;
    *has = e->note != NULL;
    return false;
}

/* Without a note it is erased all the same: one that was killed in the middle is finished, then it is told. */
static bool erase_note(struct store *s, const char *database, uint64_t seq, char error[LIMIT_TEXT])
{
    struct store_head head;
    bool has = false;
    if (!s->open(s, &head, error))
        return false;
    if (seq == 0 || seq > head.frontier.size) {
        snprintf(error, LIMIT_TEXT, "there is no entry %" PRIu64 ": the journal has %" PRIu64, seq, head.frontier.size);
        return false;
    }
    if (!s->read(s, seq, has_note, &has, error) || !archive_remove(database, error) || !s->erase_note(s, seq, error))
        return false;
    if (error[0])
        return false;
    if (!has)
        snprintf(error, LIMIT_TEXT, "entry %" PRIu64 " has no note (or it is erased already)", seq);
    return has;
}

bool journal_export_erase_note(const char *database, uint64_t seq, char error[LIMIT_TEXT])
{
    if (access(database, F_OK) != 0) { /* opening would make a new one */
        snprintf(error, LIMIT_TEXT, "%.150s: there is no such journal", database);
        return false;
    }
    struct store *s = store_sqlite_create(database);
    bool good = erase_note(s, database, seq, error);
    s->close(s);
    store_destroy(s);
    return good;
}
