#include "journal/archive_file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE 10        /* of the thread: a tenth of a processor that somebody else uses */
#define KICK_MS 300    /* from a new line until it is taken in, when nobody asks: others will follow it */
#define PAUSE_FACTOR 1 /* a step is followed by a pause of so many times its duration */
#define PAUSE_MIN_MS 5
#define CALM_MS 100        /* after something was recorded more will follow, and a question stands back */
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
    size_t given;           /* of the rows or sites */
    char error[LIMIT_TEXT]; /* "" = none */
};

enum job { JOB_NONE, JOB_READ, JOB_WRITE, JOB_ANSWER };

struct archive {
    uv_loop_t *loop;
    uv_thread_t thread;
    int bell;       /* rung by the thread. Not an uv_async_t: the loop would spin while the thread, which gives way to it, is
                     * inside uv_async_send() */
    uv_poll_t done; /* watches the bell */
    uv_sem_t given; /* a job, or the end; a semaphore, so that the loop never waits for the thread */
    uv_timer_t timer;
    struct archive_maker maker;
    struct archive_file file; /* the thread's while a job is under way */
    enum job job;
    struct question *first, **last;
    struct archive_step *step;
    char error[LIMIT_TEXT]; /* of the step under way */
    uint64_t committed, position, step_began_ns;
    uint64_t window_from, window_ms; /* what was committed when the present window began */
    bool storm;                      /* in the window before it */
    bool due, failed, closing;
    atomic_bool ended; /* the thread is done with everything */
    unsigned open_handles;
};

/* --- On the archive's thread. */

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

static void work(struct archive *a)
{
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
}

/* Behind what wakes up to work on an alarm, and not so far behind that on a busy machine nobody is answered: SCHED_IDLE
 * is. A thread that may not step back works all the same. */
static void run(void *ctx)
{
    struct archive *a = ctx;
    setpriority(PRIO_PROCESS, 0, NICE); /* of this thread alone, in Linux */
    for (;;) {
        uv_sem_wait(&a->given);
        if (atomic_load(&a->file.stopping))
            break;
        work(a);
        eventfd_write(a->bell, 1);
    }
    archive_file_close(&a->file);
    atomic_store(&a->ended, true);
    eventfd_write(a->bell, 1);
}

/* --- On the loop. */

static void next(struct archive *a);

static void on_closed(uv_handle_t *handle)
{
    struct archive *a = handle->data;
    if (--a->open_handles > 0)
        return;
    uv_sem_destroy(&a->given);
    close(a->bell);
    free(a->file.journal_file);
    sqlite3_free(a->file.file);
    free(a->step);
    free(a);
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
    if (committed > a->committed)
        atomic_store(&a->file.calm_ns, uv_hrtime() + CALM_MS * 1000000ull);
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

/* The next portion; false: it was the last. */
static bool give_portion(struct archive *a, struct question *q)
{
    const char *error = q->error[0] ? q->error : NULL;
    size_t all = q->found ? q->count : q->sums.site_count, from = error ? all : q->given;
    size_t count = all - from < ARCHIVE_PORTION ? all - from : ARCHIVE_PORTION;
    bool complete = a->position >= q->until, last = from + count == all;
    q->given = from + count;
    if (q->found) {
        q->found(q->ctx, &(struct archive_rows){.count = count,
                                                .rows = count ? q->rows + from : NULL,
                                                .last = last,
                                                .more = q->more,
                                                .complete = complete,
                                                .error = error});
    } else {
        struct archive_sums sums = q->sums;
        sums.sites = count ? sums.sites + from : NULL;
        sums.site_count = count;
        sums.last = last;
        sums.complete = complete;
        sums.error = error;
        q->summed(q->ctx, &sums);
    }
    return !last;
}

/* False: its last portion is still to come. */
static bool answer_first(struct archive *a)
{
    struct question *q = a->first;
    if (give_portion(a, q))
        return false;
    a->first = q->next;
    if (!a->first)
        a->last = &a->first;
    free(q->rows);
    free(q->sums.sites);
    free(q->query.sites);
    free(q);
    return true;
}

static void step_end(struct archive *a)
{
    archive_step_finish(a->step);
    a->failed = a->error[0] != '\0';
    uint64_t took_ms = (uv_hrtime() - a->step_began_ns) / 1000000 * PAUSE_FACTOR;
    if (a->failed)
        later(a, RETRY_MS);
    else if (a->position < a->committed)
        later(a, took_ms > PAUSE_MIN_MS ? took_ms : PAUSE_MIN_MS);
}

static void give(struct archive *a, enum job job);

/* The thread has ended. */
static void finish(struct archive *a)
{
    uv_thread_join(&a->thread);
    archive_step_finish(a->step);
    while (a->first) {
        snprintf(a->first->error, sizeof a->first->error, "the daemon is stopping");
        answer_first(a);
    }
    if (a->maker.finish)
        a->maker.finish(a->maker.ctx);
    uv_close((uv_handle_t *)&a->timer, on_closed);
    uv_close((uv_handle_t *)&a->done, on_closed);
}

static void on_done(uv_poll_t *done, int status, int events)
{
    struct archive *a = done->data;
    eventfd_t rings;
    if (eventfd_read(a->bell, &rings) != 0)
        return;
    if (a->closing) {
        if (atomic_load(&a->ended))
            finish(a);
        return;
    }
    enum job job = a->job;
    a->job = JOB_NONE;
    a->position = a->file.position; /* it may have been thrown away */
    if (job == JOB_ANSWER && !answer_first(a)) {
        a->job = JOB_ANSWER;
        eventfd_write(a->bell, 1);
        return;
    }
    if (job == JOB_READ && !a->error[0]) {
        for (size_t i = 0; i < a->step->row_count; i++)
            a->maker.name(a->maker.ctx, &a->step->rows[i]);
        give(a, JOB_WRITE);
        return;
    }
    if (job == JOB_ANSWER) {
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
    uv_sem_post(&a->given);
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
    a->done.data = a->timer.data = a;
    a->last = &a->first;
    a->step_began_ns = uv_hrtime();
    a->step = calloc(1, sizeof *a->step);
    a->file.journal_file = strdup(journal_file);
    a->file.file = sqlite3_mprintf("%s" ARCHIVE_SUFFIX, journal_file);
    assert(a->step && a->file.journal_file && a->file.file);
    uv_timer_init(loop, &a->timer);
    a->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = uv_sem_init(&a->given, 0) || uv_poll_init(loop, &a->done, a->bell) ||
               uv_poll_start(&a->done, UV_READABLE, on_done) || uv_thread_create(&a->thread, run, a);
    assert(code == 0);
    a->open_handles = 2;
    return a;
}

void archive_destroy(struct archive *a)
{
    if (!a)
        return;
    a->closing = true;
    atomic_store(&a->file.stopping, true);
    uv_sem_post(&a->given);
    uv_timer_stop(&a->timer);
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
