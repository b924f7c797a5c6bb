#include "journal/history.h"
#include "journal/sqlite_file.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READERS 2              /* requests under way at once: the pool is not ours alone */
#define READ_MS 1000           /* of one request: a longer read keeps the log from being emptied */
#define CHECK_EVERY_OPS 1000   /* of SQLite's virtual machine, between looks at the clock */
#define RESULT_BYTES (8 << 20) /* of lines in one answer */

enum query { RANGE, ALARM, FOUND_AS, CHECKPOINT, INCLUSION, CONSISTENCY };
#define LINE_QUERIES 3

static const char *const sql[LINE_QUERIES] = {
    [RANGE] = SQLITE_FILE_LINES "WHERE e.seq >= ?2 ORDER BY e.seq LIMIT ?3",
    [ALARM] = SQLITE_FILE_ALARM,
    [FOUND_AS] = SQLITE_FILE_FOUND("1", "found_as", "seq < ?2", "DESC"),
};

/* One connection, used by one request at a time. */
struct reader {
    struct request *request; /* NULL = free */
    sqlite3 *db;             /* NULL = to be opened */
    sqlite3_stmt *statements[LINE_QUERIES];
    struct sqlite_hashes hashes;
    uint64_t deadline_ns;
    atomic_bool *stopping;
};

struct history {
    uv_loop_t *loop;
    char *file;
    struct reader readers[READERS];
    struct request *first, **last; /* waiting for a reader */
    unsigned under_way;            /* given to the pool, not yet back on the loop */
    atomic_bool stopping;
};

struct request {
    uv_work_t work;
    struct request *next;
    struct history *history;
    struct reader *reader;
    enum query query;
    char word[LIMIT_ID];
    uint64_t a, b;
    unsigned limit;
    union {
        history_lines_fn *lines;
        history_proof_fn *proof;
        history_text_fn *text;
    } answer;
    void *ctx;

    /* The result. */
    char error[LIMIT_TEXT]; /* "" = none */
    char **lines, **notes;
    uint64_t *seqs;
    size_t count, capacity, bytes;
    bool more;
    struct store_head head;
    struct tree_proof proof;
    unsigned char leaf[TREE_HASH];
};

static void reader_close(struct reader *r)
{
    for (int i = 0; i < LINE_QUERIES; i++) {
        sqlite3_finalize(r->statements[i]);
        r->statements[i] = NULL;
    }
    sqlite_hashes_finish(&r->hashes);
    sqlite3_close(r->db);
    r->db = NULL;
}

static int interrupt_when_late(void *ctx)
{
    struct reader *r = ctx;
    return uv_hrtime() > r->deadline_ns || atomic_load(r->stopping);
}

static bool reader_open(struct reader *r, const char *file, char error[LIMIT_TEXT])
{
    if (r->db)
        return true;
    r->db = sqlite_file_open(file, SQLITE_FILE_READ, NULL, error);
    if (!r->db)
        return false;
    bool good = sqlite_hashes_init(&r->hashes, r->db);
    for (int i = 0; good && i < LINE_QUERIES; i++)
        good = sqlite3_prepare_v3(r->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &r->statements[i], NULL) ==
               SQLITE_OK;
    if (!good) {
        sqlite_file_error(r->db, sqlite3_errcode(r->db), error);
        reader_close(r);
        return false;
    }
    sqlite3_progress_handler(r->db, CHECK_EVERY_OPS, interrupt_when_late, r);
    return true;
}

static char *copy_column(sqlite3_stmt *s, int column, size_t *bytes)
{
    const void *from = sqlite3_column_blob(s, column);
    size_t size = (size_t)sqlite3_column_bytes(s, column);
    char *copy = malloc(size + 1);
    assert(copy);
    if (size)
        memcpy(copy, from, size);
    copy[size] = 0;
    *bytes += size;
    return copy;
}

static void keep_row(struct request *q, sqlite3_stmt *s)
{
    if (q->count == q->capacity) {
        q->capacity = q->capacity ? q->capacity * 2 : 64;
        q->lines = realloc(q->lines, q->capacity * sizeof *q->lines);
        q->notes = realloc(q->notes, q->capacity * sizeof *q->notes);
        q->seqs = realloc(q->seqs, q->capacity * sizeof *q->seqs);
        assert(q->lines && q->notes && q->seqs);
    }
    q->seqs[q->count] = (uint64_t)sqlite3_column_int64(s, 0);
    q->lines[q->count] = copy_column(s, 1, &q->bytes);
    q->notes[q->count] = sqlite3_column_type(s, 2) == SQLITE_NULL ? NULL : copy_column(s, 2, &q->bytes);
    q->count++;
}

static void read_lines(struct request *q)
{
    sqlite3_stmt *s = q->reader->statements[q->query];
    sqlite3_bind_text(s, 1, q->word, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, q->a < INT64_MAX ? (int64_t)q->a : INT64_MAX);
    sqlite3_bind_int64(s, 3, (int64_t)q->limit + 1); /* one more tells whether there is more */
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW && !q->more) {
        q->more = q->count == q->limit || q->bytes >= RESULT_BYTES;
        if (!q->more)
            keep_row(q, s);
    }
    sqlite3_reset(s);
    if (code == SQLITE_INTERRUPT && q->count > 0)
        q->more = true;
    else if (code == SQLITE_INTERRUPT)
        snprintf(q->error, sizeof q->error, "the journal could not be read within a second: try again");
    else if (code != SQLITE_DONE && code != SQLITE_ROW) {
        sqlite_file_error(q->reader->db, code, q->error);
        reader_close(q->reader); /* whatever it was, the next request begins afresh */
    }
}

/* A hash that could not be read is not one that is missing: nobody shall doubt the record because the disk is slow. */
static void say_no_proof(struct request *q)
{
    int code = sqlite3_errcode(q->reader->db);
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) {
        snprintf(q->error, sizeof q->error,
                 "a hash that the proof needs is missing from the journal: check it with tocsin journal verify");
    } else if (code == SQLITE_INTERRUPT) {
        snprintf(q->error, sizeof q->error, "the journal could not be read within a second: try again");
    } else {
        sqlite_file_error(q->reader->db, code, q->error);
        reader_close(q->reader);
    }
}

static void read_proof(struct request *q)
{
    uint64_t size = q->head.frontier.size;
    if (q->b == 0)
        q->b = size;
    bool inclusion = q->query == INCLUSION;
    if (q->b > size)
        snprintf(q->error, sizeof q->error,
                 "the journal has %" PRIu64 " entries, fewer than the size %" PRIu64, size, q->b);
    else if (inclusion && (q->a == 0 || q->a > q->b))
        snprintf(q->error, sizeof q->error, "entry %" PRIu64 " is not among the first %" PRIu64, q->a, q->b);
    else if (!inclusion && q->a > q->b)
        snprintf(q->error, sizeof q->error,
                 "the older size %" PRIu64 " is larger than the newer one, %" PRIu64, q->a, q->b);
    if (q->error[0])
        return;
    struct sqlite_hashes *h = &q->reader->hashes;
    bool good = inclusion ? sqlite_hashes_get(h, 0, q->a - 1, q->leaf) &&
                                tree_inclusion(&q->proof, q->a - 1, q->b, sqlite_hashes_get, h)
                          : tree_consistency(&q->proof, q->a, q->b, sqlite_hashes_get, h);
    if (!good)
        say_no_proof(q);
}

/* In the pool. */
static void work(uv_work_t *w)
{
    struct request *q = (struct request *)w;
    struct history *h = q->history;
    struct reader *r = q->reader;
    r->deadline_ns = uv_hrtime() + READ_MS * 1000000ULL;
    if (!atomic_load(&h->stopping) && reader_open(r, h->file, q->error)) {
        switch (q->query) {
        case RANGE:
        case ALARM:
        case FOUND_AS:
            read_lines(q);
            break;
        case CHECKPOINT:
            if (!sqlite_file_head(r->db, &q->head, q->error))
                reader_close(r);
            break;
        case INCLUSION:
        case CONSISTENCY:
            if (sqlite_file_head(r->db, &q->head, q->error))
                read_proof(q);
            break;
        }
    }
}

static void answer(struct request *q)
{
    const char *error = q->error[0] ? q->error : NULL;
    switch (q->query) {
    case RANGE:
    case ALARM:
    case FOUND_AS:
        q->answer.lines(q->ctx, &(struct history_lines){.count = q->count,
                                                        .lines = (const char **)q->lines,
                                                        .seqs = q->seqs,
                                                        .notes = (const char **)q->notes,
                                                        .more = q->more,
                                                        .error = error});
        return;
    case CHECKPOINT:
        q->answer.text(q->ctx, error ? NULL : q->head.checkpoint, error ? 0 : strlen(q->head.checkpoint),
                       error);
        return;
    case INCLUSION:
    case CONSISTENCY:
        break;
    }
    struct history_proof p = {.index = q->query == INCLUSION ? q->a - 1 : q->a,
                              .size = q->b,
                              .path = q->proof.path,
                              .path_count = q->proof.count,
                              .error = error};
    memcpy(p.leaf, q->leaf, sizeof p.leaf);
    q->answer.proof(q->ctx, &p);
}

static void request_free(struct request *q)
{
    for (size_t i = 0; i < q->count; i++) {
        free(q->lines[i]);
        free(q->notes[i]);
    }
    free(q->lines);
    free(q->notes);
    free(q->seqs);
    free(q);
}

static void history_free(struct history *h)
{
    for (int i = 0; i < READERS; i++)
        reader_close(&h->readers[i]);
    free(h->file);
    free(h);
}

static void answer_stopping(struct request *q)
{
    snprintf(q->error, sizeof q->error, "the daemon is stopping");
    answer(q);
    request_free(q);
}

static void give_work(struct history *h);

/* Back on the loop. */
static void after_work(uv_work_t *w, int status)
{
    struct request *q = (struct request *)w;
    struct history *h = q->history;
    h->under_way--;
    if (atomic_load(&h->stopping)) {
        answer_stopping(q);
        if (h->under_way == 0)
            history_free(h);
        return;
    }
    q->reader->request = NULL;
    answer(q);
    request_free(q);
    give_work(h);
}

static void give_work(struct history *h)
{
    for (int i = 0; i < READERS && h->first && !atomic_load(&h->stopping); i++) {
        struct reader *r = &h->readers[i];
        if (r->request)
            continue;
        struct request *q = h->first;
        h->first = q->next;
        if (!h->first)
            h->last = &h->first;
        r->request = q;
        q->reader = r;
        h->under_way++;
        int code = uv_queue_work(h->loop, &q->work, work, after_work);
        assert(code == 0);
    }
}

static struct request *request_create(struct history *h, enum query query, uint64_t a, uint64_t b, void *ctx)
{
    struct request *q = calloc(1, sizeof *q);
    assert(q && !atomic_load(&h->stopping));
    q->history = h;
    q->query = query;
    q->a = a;
    q->b = b;
    q->ctx = ctx;
    return q;
}

static void submit(struct request *q)
{
    struct history *h = q->history;
    *h->last = q;
    h->last = &q->next;
    give_work(h);
}

struct history *history_create(uv_loop_t *loop, const char *database_file)
{
    struct history *h = calloc(1, sizeof *h);
    assert(h);
    h->loop = loop;
    h->file = strdup(database_file);
    assert(h->file);
    h->last = &h->first;
    for (int i = 0; i < READERS; i++)
        h->readers[i].stopping = &h->stopping;
    return h;
}

void history_destroy(struct history *h)
{
    if (!h)
        return;
    atomic_store(&h->stopping, true); /* the progress handlers see it */
    while (h->first) {
        struct request *q = h->first;
        h->first = q->next;
        answer_stopping(q);
    }
    if (h->under_way == 0)
        history_free(h);
}

void history_range(struct history *h, uint64_t from_seq, unsigned limit, history_lines_fn *fn, void *ctx)
{
    struct request *q = request_create(h, RANGE, from_seq, 0, ctx);
    q->limit = limit;
    q->answer.lines = fn;
    submit(q);
}

void history_alarm(struct history *h, const char *alarm, unsigned limit, history_lines_fn *fn, void *ctx)
{
    struct request *q = request_create(h, ALARM, 0, 0, ctx);
    snprintf(q->word, sizeof q->word, "%s", alarm); /* longer than any id: finds nothing */
    q->limit = limit;
    q->answer.lines = fn;
    submit(q);
}

void history_found_as(struct history *h, const char *word, uint64_t before_seq, unsigned limit,
                      history_lines_fn *fn, void *ctx)
{
    struct request *q = request_create(h, FOUND_AS, before_seq ? before_seq : INT64_MAX, 0, ctx);
    snprintf(q->word, sizeof q->word, "%s", word);
    q->limit = limit;
    q->answer.lines = fn;
    submit(q);
}

void history_checkpoint(struct history *h, history_text_fn *fn, void *ctx)
{
    struct request *q = request_create(h, CHECKPOINT, 0, 0, ctx);
    q->answer.text = fn;
    submit(q);
}

void history_inclusion(struct history *h, uint64_t seq, uint64_t size, history_proof_fn *fn, void *ctx)
{
    struct request *q = request_create(h, INCLUSION, seq, size, ctx);
    q->answer.proof = fn;
    submit(q);
}

void history_consistency(struct history *h, uint64_t old_size, uint64_t new_size, history_proof_fn *fn,
                         void *ctx)
{
    struct request *q = request_create(h, CONSISTENCY, old_size, new_size, ctx);
    q->answer.proof = fn;
    submit(q);
}
