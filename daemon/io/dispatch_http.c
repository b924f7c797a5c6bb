#include "io/dispatch_http.h"
#include "codec/text.h"
#include "core/table.h"
#include "io/dispatch_parts.h"
#include "memory.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_S 30            /* the last of the schedule, and the pace of what a person must mend */
#define JITTER_MS 3000        /* more or less, so that many tellings do not come at one moment */
#define RETRY_AFTER_ALARM_S 5 /* no endpoint makes a real alarm wait longer */
#define RETRY_AFTER_OTHER_S 300
#define PACE_AFTER 8      /* failures in a row after which an endpoint is tried at a measured pace … */
#define PACE_MS 100       /* … so that a dead one does not take loop and disk from the living: each try is a line of the record */
#define ROTATION_MS 60000 /* how often certificate files are looked at */
#define STOP_MS 2000
#define NO_MEMORY_MS 500

/* When the n-th attempt is made, counted from the telling. */
static const unsigned schedule_s[] = {0, 1, 2, 5, 10, 20, 30};
#define SCHEDULE_COUNT (sizeof schedule_s / sizeof schedule_s[0])

/* ---- the table of tellings ---- */

static size_t bucket_of(const char *id)
{
    return table_hash(id, NULL) % DISPATCH_BUCKETS; /* ids are our own, nobody outside chooses them */
}

static void telling_free(struct telling *telling)
{
    free(telling->told.take_body);
    free(telling);
}

/* During an outage, and after it, hundreds are tried again: no new alarm stands behind them. And they not for ever behind new
 * ones, each of which goes first only once. */
static struct telling_queue *queue_of(struct telling *telling)
{
    return &telling->endpoint->queues[2 * telling->told.priority + (telling->attempts > 0)];
}

static void leave_queue(struct telling *telling)
{
    struct endpoint *endpoint = telling->endpoint;
    switch (telling->state) {
    case TELLING_QUEUED:
        TAILQ_REMOVE(queue_of(telling), telling, queue);
        endpoint->queued--;
        break;
    case TELLING_WAITING:
        TAILQ_REMOVE(&endpoint->waiting, telling, queue);
        endpoint->waiting_count--;
        due_clear(&endpoint->dispatch->dues, &telling->due);
        break;
    case TELLING_UNDER_WAY:
        break;
    }
}

static void enqueue(struct telling *telling)
{
    struct endpoint *endpoint = telling->endpoint;
    telling->state = TELLING_QUEUED;
    TAILQ_INSERT_TAIL(queue_of(telling), telling, queue);
    endpoint->queued++;
}

static struct telling *queue_first(struct endpoint *endpoint)
{
    for (int i = 0; i < DISPATCH_LANES; i++)
        if (!TAILQ_EMPTY(&endpoint->queues[i]))
            return TAILQ_FIRST(&endpoint->queues[i]);
    return NULL;
}

/* ---- under way ---- */

static bool paced(struct endpoint *endpoint)
{
    if (endpoint->failures_in_row < PACE_AFTER || due_now_ms() >= endpoint->started_ms + PACE_MS)
        return false;
    due_set(&endpoint->dispatch->dues, &endpoint->pace, endpoint->started_ms + PACE_MS);
    return true;
}

static void on_pace(struct due *due)
{
    endpoint_start(DISPATCH_OWNER(due, struct endpoint, pace));
}

static void on_again(struct due *due)
{
    struct telling *telling = DISPATCH_OWNER(due, struct telling, due);
    leave_queue(telling);
    enqueue(telling);
    endpoint_start(telling->endpoint);
}

static void wait_for_again(struct telling *telling, uint64_t wait)
{
    struct endpoint *endpoint = telling->endpoint;
    telling->state = TELLING_WAITING;
    TAILQ_INSERT_TAIL(&endpoint->waiting, telling, queue);
    endpoint->waiting_count++;
    due_set(&endpoint->dispatch->dues, &telling->due, due_now_ms() + wait);
}

static void leaving(struct telling *telling)
{
    struct dispatch *dispatch = telling->endpoint->dispatch;
    if (!telling->untaken || !dispatch->options.on_leaving)
        return;
    telling->untaken = false;
    LIST_REMOVE(telling, by_id);
    dispatch->options.on_leaving(dispatch->options.ctx, &telling->told);
    LIST_INSERT_HEAD(&dispatch->by_id[bucket_of(telling->told.id)], telling, by_id);
}

/* All connections may hang on updates, and on what is tried again: one more is for the first word of an alarm alone. */
static bool has_connection(const struct endpoint *endpoint, const struct telling *telling)
{
    bool first_word = telling->told.priority == DISPATCH_FIRST && telling->attempts == 0;
    unsigned spare = first_word ? DISPATCH_SPARE : 0;
    return endpoint->under_way < endpoint->target->settings.connections + spare;
}

void endpoint_start(struct endpoint *endpoint)
{
    struct telling *telling;
    while (!endpoint->dispatch->stopping && (telling = queue_first(endpoint)) && has_connection(endpoint, telling) &&
           !paced(endpoint)) {
        leave_queue(telling);
        leaving(telling);
        telling->state = TELLING_UNDER_WAY;
        telling->attempts++;
        endpoint->started_ms = due_now_ms();
        endpoint->under_way++;
        endpoint->sent++;
        if (!round_start(endpoint->target, telling, NULL)) {
            endpoint->under_way--;
            wait_for_again(telling, NO_MEMORY_MS);
            return;
        }
    }
}

/* ---- what comes after a round ---- */

static unsigned jittered_ms(const struct telling *telling)
{
    size_t spread = bucket_of(telling->told.id) + 7919u * telling->attempts;
    return AGAIN_S * 1000 - JITTER_MS + (unsigned)(spread % (2 * JITTER_MS));
}

/* How long until the next attempt. */
static uint64_t wait_ms(const struct telling *telling, const struct dispatch_judgement *judgement)
{
    uint64_t spent_ms = due_now_ms() - telling->told_ms, wait = jittered_ms(telling);
    if (judgement->pace == PACE_SCHEDULE && telling->attempts < SCHEDULE_COUNT) {
        uint64_t at_ms = schedule_s[telling->attempts] * 1000u;
        wait = at_ms > spent_ms ? at_ms - spent_ms : 0;
    }
    bool alarm = telling->told.priority == DISPATCH_FIRST || telling->told.priority == DISPATCH_UPDATE;
    uint64_t asked_s = judgement->retry_after_s, cap_s = alarm ? RETRY_AFTER_ALARM_S : RETRY_AFTER_OTHER_S;
    if (asked_s > cap_s)
        asked_s = cap_s;
    return wait > asked_s * 1000 ? wait : asked_s * 1000;
}

void endpoint_recovered(struct endpoint *endpoint)
{
    struct telling *telling;
    endpoint->failures_in_row = 0;
    while ((telling = TAILQ_FIRST(&endpoint->waiting))) {
        leave_queue(telling);
        enqueue(telling);
    }
    endpoint_start(endpoint);
}

static void say_next(char *out, size_t capacity, bool received, bool final, uint64_t wait)
{
    if (received)
        out[0] = '\0';
    else if (final)
        snprintf(out, capacity, "; given up");
    else if (wait < 500)
        snprintf(out, capacity, "; trying again at once");
    else
        snprintf(out, capacity, "; trying again in %u s", (unsigned)((wait + 500) / 1000));
}

static void count(struct endpoint *endpoint, const struct dispatch_judgement *judgement, uint32_t duration_ms)
{
    if (judgement->outcome == OUTCOME_RECEIVED) {
        endpoint->received++;
        endpoint->last_ms = duration_ms;
    } else
        endpoint->failed++;
    endpoint->failures_in_row = judgement->outcome == OUTCOME_FAILED ? endpoint->failures_in_row + 1 : 0;
}

static bool said_no(const struct dispatch_judgement *judgement)
{
    return judgement->outcome == OUTCOME_REFUSED || judgement->outcome == OUTCOME_UNCONFIRMED || judgement->pace == PACE_SLOW;
}

void telling_ended(struct telling *telling, const struct dispatch_judgement *judgement, uint32_t duration_ms, bool outdated)
{
    struct endpoint *endpoint = telling->endpoint;
    struct dispatch *dispatch = endpoint->dispatch;
    bool received = judgement->outcome == OUTCOME_RECEIVED;
    uint64_t wait = received || outdated ? 0 : wait_ms(telling, judgement);
    uint64_t next_ms = due_now_ms() + wait - telling->told_ms;
    bool final = received || (telling->told.give_up_s > 0 && next_ms > telling->told.give_up_s * 1000ull);
    bool cancelled = telling->cancelled;
    char id[DISPATCH_ID], text[LIMIT_TEXT], next[40];
    memcpy(id, telling->told.id, sizeof id);
    say_next(next, sizeof next, received, final, wait);
    int size = snprintf(text, sizeof text - sizeof next, "%s: %s", endpoint->id, judgement->text);
    if (size >= (int)(sizeof text - sizeof next))
        text[text_cut(text, strlen(text), sizeof text - sizeof next - 1)] = '\0';
    strcat(text, next);
    struct dispatch_result result = {
        .id = id,
        .endpoint = endpoint->id,
        .cookie = telling->told.cookie,
        .attempt = telling->attempts,
        .outcome = judgement->outcome,
        .final = final,
        .http_status = judgement->http_status,
        .duration_ms = duration_ms,
        .text = text,
        .acknowledged_by = judgement->acknowledged_by[0] ? judgement->acknowledged_by : NULL,
    };
    endpoint->under_way--;
    count(endpoint, judgement, duration_ms);
    if (final || cancelled || dispatch->stopping) {
        if (!cancelled)
            LIST_REMOVE(telling, by_id);
        telling_free(telling);
    } else {
        telling->untaken = said_no(judgement);
        wait_for_again(telling, wait);
    }
    endpoint_start(endpoint);
    if (!cancelled)
        dispatch->options.on_result(dispatch->options.ctx, &result);
}

/* ---- endpoints ---- */

static struct endpoint_bucket *endpoint_bucket_of(struct dispatch *dispatch, const char *id)
{
    return &dispatch->endpoints_by_id[table_hash(id, NULL) % DISPATCH_ENDPOINT_BUCKETS];
}

static struct endpoint *endpoint_find(struct dispatch *dispatch, const char *id)
{
    struct endpoint *endpoint;
    LIST_FOREACH(endpoint, endpoint_bucket_of(dispatch, id), by_id)
    if (strcmp(endpoint->id, id) == 0)
        return endpoint;
    return NULL;
}

static struct endpoint *endpoint_create(struct dispatch *dispatch, const char *id)
{
    struct endpoint *endpoint = memory_zeroed(1, sizeof *endpoint);
    endpoint->dispatch = dispatch;
    snprintf(endpoint->id, sizeof endpoint->id, "%s", id);
    for (int i = 0; i < DISPATCH_LANES; i++)
        TAILQ_INIT(&endpoint->queues[i]);
    TAILQ_INIT(&endpoint->waiting);
    endpoint->pace.ring = on_pace;
    TAILQ_INSERT_TAIL(&dispatch->endpoints, endpoint, entry);
    LIST_INSERT_HEAD(endpoint_bucket_of(dispatch, id), endpoint, by_id);
    return endpoint;
}

static void endpoint_destroy(struct endpoint *endpoint)
{
    assert(endpoint->under_way == 0 && endpoint->queued == 0 && endpoint->waiting_count == 0);
    due_clear(&endpoint->dispatch->dues, &endpoint->pace);
    TAILQ_REMOVE(&endpoint->dispatch->endpoints, endpoint, entry);
    LIST_REMOVE(endpoint, by_id);
    if (endpoint->target) {
        probe_stop(endpoint->target);
        target_release(endpoint->target);
    }
    free(endpoint);
}

/* Rounds that are under way keep the target they began with; the next ones begin with the new one. What waits does so
 * because of what has just been mended, perhaps: it is tried at once. */
static void endpoint_use(struct endpoint *endpoint, const struct settings *settings)
{
    struct target *before = endpoint->target, *target = target_create(endpoint, settings);
    if (before) {
        probe_stop(before);
        target_inherit(target, before);
        target_release(before);
    }
    endpoint->target = target;
    probe_begin(target);
    endpoint_recovered(endpoint);
}

static void endpoint_configure(struct dispatch *dispatch, const struct conf_endpoint *conf)
{
    struct settings *settings = memory_take(sizeof *settings);
    struct endpoint *endpoint = endpoint_find(dispatch, conf->id);
    if (!endpoint)
        endpoint = endpoint_create(dispatch, conf->id);
    settings_take(settings, conf);
    bool same = endpoint->target && memcmp(settings, &endpoint->target->settings, sizeof *settings) == 0;
    if (!same)
        endpoint_use(endpoint, settings);
    else if (endpoint->removed)
        probe_begin(endpoint->target);
    endpoint->removed = false;
    settings_free(settings);
    endpoint_start(endpoint);
}

static void endpoint_rotate(struct endpoint *endpoint)
{
    struct settings *settings = memory_take(sizeof *settings);
    *settings = endpoint->target->settings;
    settings_look_at_files(settings);
    if (memcmp(settings->file_marks, endpoint->target->settings.file_marks, sizeof settings->file_marks) != 0)
        endpoint_use(endpoint, settings);
    settings_free(settings);
}

static void sweep(struct dispatch *dispatch)
{
    struct endpoint *endpoint = TAILQ_FIRST(&dispatch->endpoints), *next;
    for (; endpoint; endpoint = next) {
        next = TAILQ_NEXT(endpoint, entry);
        if (endpoint->removed && endpoint->queued + endpoint->waiting_count + endpoint->under_way == 0)
            endpoint_destroy(endpoint);
    }
}

static void on_minute(struct due *due)
{
    struct dispatch *dispatch = DISPATCH_OWNER(due, struct dispatch, minute);
    struct endpoint *endpoint;
    sweep(dispatch);
    TAILQ_FOREACH(endpoint, &dispatch->endpoints, entry)
    if (!endpoint->removed)
        endpoint_rotate(endpoint);
    due_set(&dispatch->dues, due, due_now_ms() + ROTATION_MS);
}

/* ---- the public functions ---- */

struct dispatch *dispatch_create(uv_loop_t *loop, const struct dispatch_options *options)
{
    struct dispatch *dispatch = calloc(1, sizeof *dispatch);
    if (!dispatch || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(dispatch);
        return NULL;
    }
    dispatch->loop = loop;
    dispatch->options = *options;
    due_init(&dispatch->dues, loop);
    TAILQ_INIT(&dispatch->endpoints);
    dispatch->minute.ring = on_minute;
    due_set(&dispatch->dues, &dispatch->minute, due_now_ms() + ROTATION_MS);
    return dispatch;
}

static bool configured(const struct conf *conf, const char *id)
{
    for (size_t i = 0; i < conf->endpoint_count; i++)
        if (strcmp(conf->endpoints[i].id, id) == 0)
            return true;
    return false;
}

void dispatch_configure(struct dispatch *dispatch, const struct conf *conf)
{
    if (dispatch->stopping)
        return;
    struct endpoint *endpoint;
    TAILQ_FOREACH(endpoint, &dispatch->endpoints, entry)
    if (!endpoint->removed && !configured(conf, endpoint->id)) {
        endpoint->removed = true;
        endpoint->standing = STANDING_UNKNOWN; /* should it come back, what it is then is news */
        probe_stop(endpoint->target);
    }
    for (size_t i = 0; i < conf->endpoint_count; i++)
        endpoint_configure(dispatch, &conf->endpoints[i]);
    sweep(dispatch);
}

bool dispatch_tell(struct dispatch *dispatch, struct dispatch_telling *told)
{
    struct endpoint *endpoint = endpoint_find(dispatch, told->endpoint);
    if (!endpoint || endpoint->removed) {
        free(told->take_body);
        told->take_body = NULL;
        return false;
    }
    struct telling *telling = memory_zeroed(1, sizeof *telling);
    telling->told = *told;
    told->take_body = NULL;
    telling->endpoint = endpoint;
    telling->told_ms = due_now_ms();
    telling->due.ring = on_again;
    if (dispatch->stopping) { /* nothing begins any more; whoever is told next time will hear of it */
        telling_free(telling);
        return true;
    }
    LIST_INSERT_HEAD(&dispatch->by_id[bucket_of(telling->told.id)], telling, by_id);
    enqueue(telling);
    endpoint_start(endpoint);
    telling->untaken = telling->attempts == 0;
    return true;
}

void dispatch_cancel(struct dispatch *dispatch, const char *id, const char *endpoint)
{
    struct telling *telling = LIST_FIRST(&dispatch->by_id[bucket_of(id)]), *next;
    for (; telling; telling = next) {
        next = LIST_NEXT(telling, by_id);
        if (strcmp(telling->told.id, id) != 0 || strcmp(telling->told.endpoint, endpoint) != 0)
            continue;
        LIST_REMOVE(telling, by_id);
        leave_queue(telling);
        telling->cancelled = true;
        if (telling->state != TELLING_UNDER_WAY)
            telling_free(telling);
    }
}

bool dispatch_endpoint_status(struct dispatch *dispatch, const char *id, struct dispatch_endpoint_status *out)
{
    struct endpoint *endpoint = endpoint_find(dispatch, id);
    if (!endpoint)
        return false;
    *out = (struct dispatch_endpoint_status){
        .up = endpoint->standing == STANDING_GOOD,
        .known = endpoint->standing != STANDING_UNKNOWN,
        .reachable = endpoint->standing == STANDING_GOOD || endpoint->standing == STANDING_PARTLY,
        .text = endpoint->text,
        .queued = endpoint->queued + endpoint->waiting_count,
        .under_way = endpoint->under_way,
        .sent = endpoint->sent,
        .received = endpoint->received,
        .failed = endpoint->failed,
        .last_ms = endpoint->last_ms,
    };
    return true;
}

/* ---- the end ---- */

static void on_dues_closed(struct dues *dues)
{
    struct dispatch *dispatch = DISPATCH_OWNER(dues, struct dispatch, dues);
    dispatch->stopped = true;
    if (dispatch->on_stopped)
        dispatch->on_stopped(dispatch->stopped_ctx);
}

static void close_if_done(struct dispatch *dispatch)
{
    if (!dispatch->stopping || dispatch->closing || !LIST_EMPTY(&dispatch->rounds) ||
        !TAILQ_EMPTY(&dispatch->endpoints) || dispatch->clients > 0)
        return;
    dispatch->closing = true;
    due_close(&dispatch->dues, on_dues_closed);
}

void dispatch_closed_client(void *ctx)
{
    struct dispatch *dispatch = ctx;
    dispatch->clients--;
    close_if_done(dispatch);
}

void dispatch_ended_round(struct dispatch *dispatch)
{
    if (!dispatch->stopping || !LIST_EMPTY(&dispatch->rounds))
        return;
    while (!TAILQ_EMPTY(&dispatch->endpoints))
        endpoint_destroy(TAILQ_FIRST(&dispatch->endpoints));
    close_if_done(dispatch);
}

static void drop_tellings(struct telling_queue *queue)
{
    struct telling *telling;
    while ((telling = TAILQ_FIRST(queue))) {
        LIST_REMOVE(telling, by_id);
        leave_queue(telling);
        telling_free(telling);
    }
}

static void on_stop_due(struct due *due)
{
    struct dispatch *dispatch = DISPATCH_OWNER(due, struct dispatch, stop_due);
    while (!LIST_EMPTY(&dispatch->rounds)) {
        struct round *round = LIST_FIRST(&dispatch->rounds);
        struct telling *telling = round->telling;
        if (telling) {
            telling->endpoint->under_way--;
            if (!telling->cancelled)
                LIST_REMOVE(telling, by_id);
            round->telling = NULL;
        }
        round_abort(round);
        if (telling)
            telling_free(telling);
    }
}

void dispatch_stop(struct dispatch *dispatch, void (*stopped)(void *ctx), void *ctx)
{
    assert(!dispatch->stopping);
    struct endpoint *endpoint;
    dispatch->on_stopped = stopped;
    dispatch->stopped_ctx = ctx;
    TAILQ_FOREACH(endpoint, &dispatch->endpoints, entry)
    {
        probe_stop(endpoint->target);
        drop_tellings(&endpoint->waiting);
        for (int i = 0; i < DISPATCH_LANES; i++)
            drop_tellings(&endpoint->queues[i]);
    }
    dispatch->stopping = true;
    dispatch->stop_due.ring = on_stop_due;
    due_set(&dispatch->dues, &dispatch->stop_due, due_now_ms() + STOP_MS);
    dispatch_ended_round(dispatch);
}

void dispatch_destroy(struct dispatch *dispatch)
{
    assert(dispatch->stopped);
    while (!LIST_EMPTY(&dispatch->spare_rounds)) {
        struct round *round = LIST_FIRST(&dispatch->spare_rounds);
        LIST_REMOVE(round, entry);
        free(round);
    }
    free(dispatch);
    curl_global_cleanup();
}
