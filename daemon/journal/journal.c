#include "journal/chores.h"
#include "journal/journal.h"
#include "journal/replay.h"
#include "journal/seal.h"
#include "wakeful.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#define RING_FIRST 1024        /* entries; doubled up to LIMIT_BACKLOG when needed */
#define EXPECT_US 200          /* an expected entry that is not there by then is not waited for awake */
#define CROWD 8                /* entries of one batch: they come faster than one commit after the other takes them */
#define CROWD_US 3000          /* from the beginning of such a commit to the next one's */
#define RETRY_MS 1000          /* between tries of a store that does not work */
#define QUIET_MS 50            /* without work: time for housekeeping */
#define HOUSEKEEPING_MS 10000  /* and again, as long as it stays quiet */
#define STOP_MS 3000           /* what is gathered is committed within this when stopping */
#define SUBTREES (LIMIT_BATCH / 128 + TREE_LEVELS) /* of level 8 and up that one batch can complete */

struct journal {
    struct store *store;
    char *origin;
    unsigned char *secret_key; /* locked memory */
    bool threaded;
    uint32_t slow_ms;
    void (*wake)(void *ctx);
    void *ctx;

    /* The writer's own; without a thread the caller's. */
    struct store_head head;        /* what the store holds for certain */
    unsigned char root[TREE_HASH]; /* of it */
    bool store_works;              /* open, and its head is ours */
    struct store_event *events;
    struct store_subtree subtrees[SUBTREES];
    struct store_head after;  /* where the batch leads */
    struct seal seal;         /* its signature */
    struct store_batch batch; /* count 0 = none; kept until its outcome is known */
    size_t last_count;        /* entries of the last batch */
    uint64_t gathered_us;     /* when it was taken */
    struct wakeful wakeful;
    struct chores chores; /* with a mutex of its own */

    _Atomic uint64_t committed_seq; /* as in `progress`, for a look without the mutex */

    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t work, stopped;

    /* Under the mutex. */
    struct journal_entry *ring; /* entries not yet in a batch, at seq & (capacity - 1) */
    size_t capacity;
    uint64_t taken_seq, next_seq;
    struct journal_progress progress;
    uint64_t store_call_us;         /* when the writer went into the store; 0 = it is not there */
    bool started, stopping, ended;
    uint64_t early_seq;   /* the entry for which ask_early() asked; 0 = none */
    bool idle, expecting; /* the writer waits for work; it is waited for awake */
};

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

static bool entries_wait(const struct journal *j) /* under the mutex */
{
    return j->next_seq - 1 > j->taken_seq;
}

/* Around every call into the store, so that journal_poll() can see how long one has lasted. */
static void enter_store(struct journal *j)
{
    uv_mutex_lock(&j->mutex);
    j->store_call_us = now_us();
    uv_mutex_unlock(&j->mutex);
}

static void leave_store(struct journal *j)
{
    uv_mutex_lock(&j->mutex);
    j->store_call_us = 0;
    uv_mutex_unlock(&j->mutex);
}

/* The store holds j->head and works: says so. */
static void report_works(struct journal *j, uint32_t commit_us)
{
    const char *concern = j->store->concern(j->store);
    uv_mutex_lock(&j->mutex);
    struct journal_progress *p = &j->progress;
    p->committed_seq = p->size = j->head.frontier.size;
    memcpy(p->root, j->root, sizeof p->root);
    p->state = JOURNAL_OK;
    p->concern = concern != NULL;
    snprintf(p->text, sizeof p->text, "%s", concern ? concern : "");
    if (commit_us)
        p->last_commit_us = commit_us;
    uv_mutex_unlock(&j->mutex);
    atomic_store(&j->committed_seq, j->head.frontier.size);
    if (j->wake)
        j->wake(j->ctx);
}

/* The store failed: nothing more is tried on this connection. */
static void give_up_store(struct journal *j, const char *error)
{
    j->store->close(j->store);
    j->store_works = false;
    uv_mutex_lock(&j->mutex);
    j->progress.state = JOURNAL_DEGRADED;
    j->progress.concern = false;
    snprintf(j->progress.text, sizeof j->progress.text, "%s", error);
    uv_mutex_unlock(&j->mutex);
    if (j->wake)
        j->wake(j->ctx);
}

/* The store has the batch. */
static void batch_over(struct journal *j)
{
    j->head = j->after;
    memcpy(j->root, j->seal.checkpoint.root, sizeof j->root);
    j->batch.count = 0;
    seal_over(&j->seal);
}

/* Opens the store again after a failure and finds out what came of the batch. */
static bool recover_store(struct journal *j)
{
    struct store_head found;
    char error[LIMIT_TEXT] = "";
    enter_store(j);
    bool open = j->store->open(j->store, &found, error);
    leave_store(j);
    uv_mutex_lock(&j->mutex);
    bool waits = entries_wait(j);
    uv_mutex_unlock(&j->mutex);
    bool took_effect = open && j->batch.count && tree_frontier_equal(&found.frontier, &j->after.frontier);
    if (took_effect)
        batch_over(j);
    else if (open && !tree_frontier_equal(&found.frontier, &j->head.frontier)) {
        snprintf(error, sizeof error,
                 "the journal was changed by somebody else: it ends at entry %" PRIu64
                 ", the daemon wrote up to %" PRIu64 "; stop whatever writes there and restart the daemon",
                 found.frontier.size, j->head.frontier.size);
        open = false;
    }
    if (!open) {
        give_up_store(j, error);
        return false;
    }
    j->store_works = true;
    /* Otherwise the commit that follows will tell: opening a full disk's journal works, writing it does not.
     */
    if (!j->batch.count && (took_effect || !waits))
        report_works(j, 0);
    return true;
}

static void keep_subtree(void *ctx, unsigned level, uint64_t index, const unsigned char hash[TREE_HASH])
{
    struct journal *j = ctx;
    if (level < STORE_SUBTREE_LEVEL)
        return;
    assert(j->batch.subtree_count < SUBTREES);
    struct store_subtree *t = &j->subtrees[j->batch.subtree_count++];
    t->level = level;
    t->index = index;
    memcpy(t->hash, hash, TREE_HASH);
}

/* Takes what has gathered. False: nothing has. */
static bool take_entries(struct journal *j)
{
    uv_mutex_lock(&j->mutex);
    uint64_t waiting = j->next_seq - 1 - j->taken_seq;
    size_t count = waiting < LIMIT_BATCH ? (size_t)waiting : LIMIT_BATCH;
    for (size_t i = 0; i < count; i++) {
        const struct journal_entry *e = &j->ring[(j->taken_seq + 1 + i) & (j->capacity - 1)];
        struct store_event *to = &j->events[i];
        to->seq = e->seq;
        to->line = e->line;
        to->size = e->size;
        to->alarm = e->alarm;
        to->found_as = e->found_as;
        to->note = e->note;
    }
    j->taken_seq += count;
    uv_mutex_unlock(&j->mutex);
    j->batch.count = count;
    return count > 0;
}

/* Hashes the batch. It stays as it is until it is known to be in the store, so a second try writes the same. */
static void hash_batch(struct journal *j)
{
    unsigned char root[TREE_HASH];
    j->gathered_us = now_us();
    j->last_count = j->batch.count;
    j->batch.subtree_count = 0;
    j->after.frontier = j->head.frontier;
    for (size_t i = 0; i < j->batch.count; i++) {
        tree_leaf(j->events[i].leaf, j->events[i].line, j->events[i].size);
        tree_add(&j->after.frontier, j->events[i].leaf, keep_subtree, j);
    }
    tree_root(&j->after.frontier, root);
    if (!seal_asked(&j->seal))
        seal_ask(&j->seal, j->after.frontier.size, root);
    assert(j->seal.checkpoint.size == j->after.frontier.size && memcmp(j->seal.checkpoint.root, root, sizeof root) == 0);
}

static void take_seal(void *ctx)
{
    struct journal *j = ctx;
    snprintf(j->after.checkpoint, sizeof j->after.checkpoint, "%s", seal_take(&j->seal));
}

/* One group commit. False: the store does not work. */
static bool commit_once(struct journal *j)
{
    if (!j->store_works && !recover_store(j))
        return false;
    if (!j->batch.count) {
        if (!take_entries(j))
            return true;
        hash_batch(j);
    }
    char error[LIMIT_TEXT] = "";
    enter_store(j);
    enum store_answer answer = j->store->append(j->store, &j->head, &j->batch, error);
    leave_store(j);
    switch (answer) {
    case STORE_OK:
        batch_over(j);
        report_works(j, (uint32_t)(now_us() - j->gathered_us));
        return true;
    case STORE_MOVED:
        snprintf(error, sizeof error, "the journal was changed by somebody else: stop whatever writes there");
        break;
    case STORE_FULL:
    case STORE_FAILED:
        break;
    }
    give_up_store(j, error);
    return false;
}

/* What may wait: emptying the log, snapshots, erasing. `idle`: nothing wants to be committed. */
static void keep_house(struct journal *j, bool idle)
{
    if (!j->store_works)
        return;
    char error[LIMIT_TEXT];
    enter_store(j);
    enum chore chore = j->store->tidy(j->store, idle, error) ? CHORE_DONE : CHORE_FAILED;
    leave_store(j);
    while (chore == CHORE_DONE && chores_wait(&j->chores)) {
        enter_store(j);
        chore = chores_do(&j->chores, j->store, j->head.frontier.size, idle, error);
        leave_store(j);
    }
    if (chore == CHORE_FAILED) {
        give_up_store(j, error);
        return;
    }
    const char *concern = j->store->concern(j->store);
    uv_mutex_lock(&j->mutex);
    bool changed = (concern != NULL) != j->progress.concern;
    uv_mutex_unlock(&j->mutex);
    if (changed)
        report_works(j, 0);
}

/* Under the mutex. What is expected comes within microseconds: falling asleep again would take longer. */
static void await_expected(struct journal *j)
{
    const uint64_t until_ns = uv_hrtime() + EXPECT_US * 1000;
    while (!entries_wait(j) && !j->stopping && wakeful_may(&j->wakeful, until_ns)) {
        uv_mutex_unlock(&j->mutex);
        wakeful_wait(&j->wakeful);
        uv_mutex_lock(&j->mutex);
    }
    j->expecting = false;
}

/* Waits for work, at most this long. False: there was none. Under the mutex. */
static bool await_work(struct journal *j, uint64_t wait_ms, bool despite_entries)
{
    uint64_t until = now_us() + wait_ms * 1000, now;
    while (!j->stopping && (despite_entries || !entries_wait(j)) && (now = now_us()) < until) {
        j->idle = !despite_entries;
        uv_cond_timedwait(&j->work, &j->mutex, (until - now) * 1000);
        j->idle = false;
        if (j->expecting)
            await_expected(j);
    }
    return entries_wait(j);
}

/* In a crowd fewer and larger commits leave more of the processors to everything else, so that its last press is recorded
 * and told sooner. A commit that takes as long anyway, on a slow disk, is followed by the next at once. Under the mutex. */
static void gather_crowd(struct journal *j)
{
    uint64_t until = j->gathered_us + CROWD_US, now;
    while (j->last_count >= CROWD && !j->stopping && (now = now_us()) < until)
        uv_cond_timedwait(&j->work, &j->mutex, (until - now) * 1000);
}

/* The last commits, as far as the store and the time allow. */
static void finish_writing(struct journal *j)
{
    uint64_t until = now_us() + STOP_MS * 1000;
    bool works = true;
    while (works && now_us() < until && (j->batch.count || entries_wait(j))) {
        works = commit_once(j);
        keep_house(j, false);
    }
    if (works)
        keep_house(j, true);
    j->store->close(j->store);
    j->store_works = false;
}

static void writer(void *arg)
{
    struct journal *j = arg;
    uint64_t wait_ms = QUIET_MS;
    bool works = true;
    uv_mutex_lock(&j->mutex);
    while (!j->stopping) {
        bool work = await_work(j, works ? wait_ms : 0, false), worked = j->store_works;
        if (work)
            gather_crowd(j);
        if (j->stopping)
            break;
        uv_mutex_unlock(&j->mutex);
        works = commit_once(j); /* also without work: a store that failed is to be opened again */
        if (works)
            keep_house(j, !work);
        works = j->store_works;
        uv_mutex_lock(&j->mutex);
        wait_ms = work || chores_wait(&j->chores) ? QUIET_MS : HOUSEKEEPING_MS;
        if (!works && !worked) /* the first time it is tried again at once */
            await_work(j, RETRY_MS, true);
    }
    uv_mutex_unlock(&j->mutex);
    finish_writing(j);
    uv_mutex_lock(&j->mutex);
    j->ended = true;
    uv_cond_signal(&j->stopped);
    uv_mutex_unlock(&j->mutex);
}

struct journal *journal_create(const struct journal_options *o, char error[LIMIT_TEXT])
{
    if (!note_origin_valid(o->origin)) {
        snprintf(error, LIMIT_TEXT,
                 "\"%.100s\" cannot name a journal: a name of 1 to %d bytes without spaces and '+' "
                 "is needed, such as tocsin.example.edu",
                 o->origin, NOTE_ORIGIN - 1);
        return NULL;
    }
    struct journal *j = calloc(1, sizeof *j);
    assert(j);
    if (!o->store->open(o->store, &j->head, error)) {
        free(j);
        return NULL;
    }
    j->store = o->store;
    j->store_works = true;
    j->origin = strdup(o->origin);
    j->secret_key = sodium_malloc(crypto_sign_SECRETKEYBYTES);
    j->events = malloc(LIMIT_BATCH * sizeof *j->events); /* touched as far as batches are large */
    j->capacity = RING_FIRST;
    j->ring = malloc(j->capacity * sizeof *j->ring);
    assert(j->origin && j->secret_key && j->events && j->ring);
    memcpy(j->secret_key, o->secret_key, crypto_sign_SECRETKEYBYTES);
    j->threaded = o->threaded;
    j->slow_ms = o->slow_ms;
    j->wake = o->wake;
    j->ctx = o->ctx;
    j->seal.origin = j->origin;
    j->seal.secret_key = j->secret_key;
    j->batch = (struct store_batch){
        .events = j->events, .subtrees = j->subtrees, .head = &j->after, .seal = take_seal, .ctx = j};
    j->taken_seq = j->head.frontier.size;
    j->committed_seq = j->taken_seq;
    j->next_seq = j->taken_seq + 1;
    j->progress.committed_seq = j->progress.size = j->taken_seq;
    tree_root(&j->head.frontier, j->root);
    memcpy(j->progress.root, j->root, sizeof j->root);
    chores_init(&j->chores);
    int code = uv_mutex_init(&j->mutex) | uv_cond_init(&j->work) | uv_cond_init(&j->stopped);
    assert(code == 0);
    return j;
}

static void release(struct journal *j)
{
    uv_mutex_destroy(&j->mutex);
    uv_cond_destroy(&j->work);
    uv_cond_destroy(&j->stopped);
    sodium_free(j->secret_key);
    chores_finish(&j->chores);
    free(j->origin);
    free(j->events);
    free(j->ring);
    free(j);
}

bool journal_destroy(struct journal *j)
{
    if (!j)
        return true;
    if (!j->started) {
        finish_writing(j);
        release(j);
        return true;
    }
    uint64_t until = now_us() + (STOP_MS + 500) * 1000, now;
    uv_mutex_lock(&j->mutex);
    j->stopping = true;
    uv_cond_signal(&j->work);
    while (!j->ended && (now = now_us()) < until)
        uv_cond_timedwait(&j->stopped, &j->mutex, (until - now) * 1000);
    bool ended = j->ended;
    uv_mutex_unlock(&j->mutex);
    if (!ended)
        return false;
    uv_thread_join(&j->thread);
    release(j);
    return true;
}

uint64_t journal_next_seq(const struct journal *j)
{
    return j->next_seq; /* only the caller's thread changes it */
}

/* Under the mutex. */
static bool grow_ring(struct journal *j)
{
    size_t capacity = j->capacity * 2;
    struct journal_entry *ring = capacity <= LIMIT_BACKLOG ? malloc(capacity * sizeof *ring) : NULL;
    if (!ring)
        return false;
    for (uint64_t seq = j->taken_seq + 1; seq < j->next_seq; seq++)
        ring[seq & (capacity - 1)] = j->ring[seq & (j->capacity - 1)];
    free(j->ring);
    j->ring = ring;
    j->capacity = capacity;
    return true;
}

/* Nothing of a commit takes as long as its signature. So when the writer waits for work, it is asked for before the
 * writer has woken up: it will take just this entry. When another one comes before that, it takes both, and asks itself.
 * Under the mutex. */
static void ask_early(struct journal *j, const struct journal_entry *e)
{
    uint64_t waiting = j->next_seq - 1 - j->taken_seq;
    if (waiting == 2 && j->early_seq == e->seq - 1)
        seal_over(&j->seal);
    bool early = waiting == 1 && (j->idle || j->expecting);
    j->early_seq = early ? e->seq : 0;
    if (!early)
        return;
    struct tree_frontier after = j->head.frontier;
    unsigned char leaf[TREE_HASH], root[TREE_HASH];
    tree_leaf(leaf, e->line, e->size);
    tree_add(&after, leaf, NULL, NULL);
    tree_root(&after, root);
    seal_ask(&j->seal, after.size, root);
}

bool journal_append(struct journal *j, const struct journal_entry *e)
{
    assert(e->seq == j->next_seq && e->alarm && e->size <= LIMIT_LINE);
    uv_mutex_lock(&j->mutex);
    bool room = j->next_seq - 1 - j->progress.committed_seq < LIMIT_BACKLOG &&
                (j->next_seq - 1 - j->taken_seq < j->capacity || grow_ring(j));
    if (room) {
        j->ring[j->next_seq++ & (j->capacity - 1)] = *e;
        ask_early(j, e);
    }
    uv_mutex_unlock(&j->mutex);
    return room;
}

/* The writer's thread begins with the first work, so that everything before it, replay above all, has the
 * store alone. */
static void start(struct journal *j)
{
    if (!j->threaded || j->started)
        return;
    int code = uv_thread_create(&j->thread, writer, j);
    assert(code == 0);
    j->started = true;
}

void journal_kick(struct journal *j)
{
    if (!j->threaded)
        return;
    start(j);
    uv_mutex_lock(&j->mutex);
    bool wait = entries_wait(j) && j->idle && !j->expecting;
    uv_mutex_unlock(&j->mutex);
    if (wait) /* without the mutex, which the writer wants first of all */
        uv_cond_signal(&j->work);
}

void journal_expect(struct journal *j)
{
    uv_mutex_lock(&j->mutex);
    bool wake = j->idle && !j->expecting;
    j->expecting = j->expecting || wake;
    uv_mutex_unlock(&j->mutex);
    if (wake)
        uv_cond_signal(&j->work);
}

bool journal_help(struct journal *j)
{
    return seal_help(&j->seal);
}

uint64_t journal_committed_seq(const struct journal *j)
{
    return atomic_load(&j->committed_seq);
}

void journal_commit_now(struct journal *j)
{
    assert(!j->threaded);
    if (commit_once(j))
        keep_house(j, true);
}

struct journal_progress journal_poll(struct journal *j)
{
    uv_mutex_lock(&j->mutex);
    struct journal_progress p = j->progress;
    uint64_t since_us = j->store_call_us;
    uv_mutex_unlock(&j->mutex);
    uint64_t lasted_ms = since_us ? (now_us() - since_us) / 1000 : 0;
    if (p.state == JOURNAL_OK && j->threaded && lasted_ms > j->slow_ms) {
        p.state = JOURNAL_SLOW;
        snprintf(p.text, sizeof p.text, "the disk of the journal has not answered for %.1f s: check the disk",
                 (double)lasted_ms / 1000);
    }
    return p;
}

void journal_put_snapshot(struct journal *j, uint64_t seq, const void *bytes, size_t size)
{
    assert(seq > 0 && seq < j->next_seq);
    chores_snapshot(&j->chores, seq, bytes, size);
    start(j); /* it looks in quiet */
}

void journal_erase_note(struct journal *j, uint64_t seq)
{
    assert(seq > 0 && seq < j->next_seq);
    chores_erase(&j->chores, seq);
    start(j); /* it looks in quiet */
}

bool journal_replay(struct journal *j, journal_snapshot_fn *snapshot, journal_line_fn *line, void *ctx,
                    char error[LIMIT_TEXT])
{
    assert(!j->started && j->next_seq == j->head.frontier.size + 1);
    return replay_run(j->store, &j->head, j->secret_key + 32, snapshot, line, ctx, error);
}
