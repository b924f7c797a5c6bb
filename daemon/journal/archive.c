#include "journal/archive_file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KICK_MS 300    /* from a new line until it is taken in, when nobody asks: others will follow it */
#define PAUSE_FACTOR 1 /* a step is followed by a pause of so many times its duration */
#define PAUSE_MIN_MS 5
#define WINDOW_MS 1000     /* while the journal has grown by more than */
#define CALM_LINES 20      /* these lines in this time it is a storm, and the archive waits … */
#define AT_LATEST_MS 30000 /* … but not for longer than this from step to step */
#define RETRY_MS 10000     /* after an error: a full disk, a journal that cannot be read */
#define STEPS_FOR_ONE                                                                                        \
    16 /* steps that a question waits for: what was recorded just now shall be in the answer */

struct question {
    struct question *next;
    struct archive_query query;
    uint64_t until; /* what was committed when it was asked */
    unsigned steps; /* that it may still wait for */
    archive_rows_fn *found;
    archive_sums_fn *summed;
    void *ctx;
    struct archive_row *rows;
    size_t count;
    bool more;
    struct archive_sums sums;
    char error[LIMIT_TEXT]; /* "" = none */
};

enum job { JOB_NONE, JOB_READ, JOB_WRITE, JOB_ANSWER };

struct archive {
    uv_loop_t *loop;
    uv_work_t work;
    uv_timer_t timer;
    struct archive_maker maker;
    struct archive_file file; /* the pool's while a job is under way */
    enum job job;
    struct question *first, **last;
    struct archive_step *step;
    char error[LIMIT_TEXT]; /* of the step under way */
    uint64_t committed, position, step_began_ns;
    uint64_t window_from, window_ms; /* what was committed when the present window began */
    bool storm;                      /* in the window before it */
    bool due, failed, closing, timer_closed;
    uv_mutex_t mutex;
    uv_cond_t done;
    bool in_pool; /* under the mutex */
};

/* --- In the pool. */

static bool step_read(struct archive *a)
{
    return archive_file_ready(&a->file, a->error) &&
           archive_file_read(&a->file, &a->maker, a->step, a->error);
}

static bool ask(struct archive *a, struct question *q)
{
    if (!archive_file_ready(&a->file, q->error))
        return false;
    return q->found ? archive_file_find(&a->file, &q->query, &q->rows, &q->count, &q->more, q->error)
                    : archive_file_sum(&a->file, &q->query, &q->sums, q->error);
}

static void work(uv_work_t *w)
{
    struct archive *a = w->data;
    bool good = true;
    switch (a->job) {
    case JOB_READ:
        good = step_read(a);
        break;
    case JOB_WRITE:
        good = archive_file_write(&a->file, a->step, a->error);
        break;
    case JOB_ANSWER:
        good = ask(a, a->first);
        break;
    case JOB_NONE:
        break;
    }
    if (!good)
        archive_file_failed(&a->file);
    uv_mutex_lock(&a->mutex);
    a->in_pool = false;
    uv_cond_signal(&a->done);
    uv_mutex_unlock(&a->mutex);
}

/* --- On the loop. */

static void next(struct archive *a);

static void archive_free(struct archive *a)
{
    if (!a->timer_closed || a->job != JOB_NONE)
        return;
    uv_mutex_destroy(&a->mutex);
    uv_cond_destroy(&a->done);
    free(a->file.journal_file);
    sqlite3_free(a->file.file);
    free(a->step);
    free(a);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct archive *a = handle->data;
    a->timer_closed = true;
    archive_free(a);
}

static void on_timer(uv_timer_t *timer);

static void later(struct archive *a, uint64_t ms)
{
    if (!uv_is_active((uv_handle_t *)&a->timer))
        uv_timer_start(&a->timer, on_timer, ms, 0);
}

static void look_at_growth(struct archive *a, uint64_t committed)
{
    uint64_t now_ms = uv_now(a->loop), lasted_ms = now_ms - a->window_ms;
    if (lasted_ms > WINDOW_MS) {
        a->storm = lasted_ms < 2 * WINDOW_MS && a->committed - a->window_from > CALM_LINES;
        a->window_from = a->committed;
        a->window_ms = now_ms;
    }
    a->committed = committed;
}

static bool in_storm(struct archive *a)
{
    look_at_growth(a, a->committed);
    return a->storm || a->committed - a->window_from > CALM_LINES;
}

/* Presses come first: a step reads the disk and takes a processor. */
static void on_timer(uv_timer_t *timer)
{
    struct archive *a = timer->data;
    if (in_storm(a) && uv_hrtime() - a->step_began_ns < AT_LATEST_MS * 1000000ull) {
        later(a, WINDOW_MS);
        return;
    }
    a->due = true;
    next(a);
}

static void answer(struct archive *a, struct question *q)
{
    const char *error = q->error[0] ? q->error : NULL;
    bool complete = a->position >= q->until;
    if (q->found)
        q->found(q->ctx, &(struct archive_rows){.count = error ? 0 : q->count,
                                                .rows = q->rows,
                                                .more = q->more,
                                                .complete = complete,
                                                .error = error});
    q->sums.complete = complete;
    q->sums.error = error;
    if (q->summed)
        q->summed(q->ctx, &q->sums);
    free(q->rows);
    free(q->sums.sites);
    free(q->query.sites);
    free(q);
}

static void answer_first(struct archive *a)
{
    struct question *q = a->first;
    a->first = q->next;
    if (!a->first)
        a->last = &a->first;
    answer(a, q);
}

static void step_end(struct archive *a)
{
    archive_step_finish(a->step);
    a->failed = a->error[0] != '\0';
    a->position = a->file.position;
    uint64_t took_ms = (uv_hrtime() - a->step_began_ns) / 1000000 * PAUSE_FACTOR;
    if (a->failed)
        later(a, RETRY_MS);
    else if (a->position < a->committed)
        later(a, took_ms > PAUSE_MIN_MS ? took_ms : PAUSE_MIN_MS);
}

static void give(struct archive *a, enum job job);

static void after_work(uv_work_t *w, int status)
{
    struct archive *a = w->data;
    enum job job = a->job;
    a->job = JOB_NONE;
    if (a->closing) {
        archive_free(a);
        return;
    }
    if (job == JOB_READ && !a->error[0]) {
        for (size_t i = 0; i < a->step->row_count; i++)
            a->maker.name(a->maker.ctx, &a->step->rows[i]);
        give(a, JOB_WRITE);
        return;
    }
    if (job == JOB_ANSWER) {
        a->position = a->file.position; /* it may have been thrown away */
        answer_first(a);
        if (a->position < a->committed)
            later(a, KICK_MS);
    } else {
        step_end(a);
    }
    next(a);
}

static void give(struct archive *a, enum job job)
{
    a->job = job;
    a->in_pool = true;
    int code = uv_queue_work(a->loop, &a->work, work, after_work);
    assert(code == 0);
}

static void step_begin(struct archive *a)
{
    a->due = false;
    a->error[0] = '\0';
    a->step_began_ns = uv_hrtime();
    give(a, JOB_READ);
}

/* What is done now: the step that the first question waits for, the question, or the step whose time has
 * come. */
static void next(struct archive *a)
{
    if (a->job != JOB_NONE || a->closing)
        return;
    struct question *q = a->first;
    bool behind = a->position < a->committed;
    bool near = q && (a->position == 0 || q->until - a->position <= STEPS_FOR_ONE * ARCHIVE_STEP_LINES);
    if (near && a->position < q->until && q->steps > 0 && !a->failed) {
        q->steps--;
        step_begin(a);
    } else if (q) {
        give(a, JOB_ANSWER);
    } else if (a->due && behind) {
        step_begin(a);
    }
}

struct archive *archive_create(uv_loop_t *loop, const char *journal_file, const struct archive_maker *maker)
{
    struct archive *a = calloc(1, sizeof *a);
    assert(a);
    a->loop = loop;
    a->maker = *maker;
    a->work.data = a->timer.data = a;
    a->last = &a->first;
    a->step_began_ns = uv_hrtime();
    a->step = calloc(1, sizeof *a->step);
    a->file.journal_file = strdup(journal_file);
    a->file.file = sqlite3_mprintf("%s" ARCHIVE_SUFFIX, journal_file);
    assert(a->step && a->file.journal_file && a->file.file);
    uv_timer_init(loop, &a->timer);
    int code = uv_mutex_init(&a->mutex) || uv_cond_init(&a->done);
    assert(code == 0);
    return a;
}

void archive_destroy(struct archive *a)
{
    if (!a)
        return;
    a->closing = true;
    atomic_store(&a->file.stopping, true);
    uv_mutex_lock(&a->mutex);
    while (a->in_pool)
        uv_cond_wait(&a->done, &a->mutex);
    uv_mutex_unlock(&a->mutex);
    archive_file_close(&a->file);
    archive_step_finish(a->step);
    while (a->first) {
        snprintf(a->first->error, sizeof a->first->error, "the daemon is stopping");
        answer_first(a);
    }
    uv_close((uv_handle_t *)&a->timer, on_timer_closed);
}

void archive_kick(struct archive *a, uint64_t committed_seq)
{
    look_at_growth(a, committed_seq);
    if (a->position < a->committed)
        later(a, KICK_MS);
}

static void submit(struct archive *a, const struct archive_query *query, uint64_t committed_seq,
                   archive_rows_fn *found, archive_sums_fn *summed, void *ctx)
{
    struct question *q = calloc(1, sizeof *q);
    assert(q && !a->closing);
    q->query = *query;
    q->until = committed_seq;
    q->steps = STEPS_FOR_ONE;
    q->found = found;
    q->summed = summed;
    q->ctx = ctx;
    for (char *c = q->query.text; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    *a->last = q;
    a->last = &q->next;
    archive_kick(a, committed_seq);
    next(a);
}

void archive_find(struct archive *a, const struct archive_query *query, uint64_t committed_seq,
                  archive_rows_fn *fn, void *ctx)
{
    submit(a, query, committed_seq, fn, NULL, ctx);
}

void archive_sum(struct archive *a, const struct archive_query *query, uint64_t committed_seq,
                 archive_sums_fn *fn, void *ctx)
{
    submit(a, query, committed_seq, NULL, fn, ctx);
}
