#include "codec/webhook.h"
#include "codec/time_text.h"
#include "io/dispatch_parts.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SILENCE_MS 1000 /* or half of the attempt's time, if that is less */
#define GRACE_MS 500    /* the library's own time limit comes first; then ours */
#define SEEN_MS 20000   /* a dead endpoint is seen within this time */

/* ---- what is sent ---- */

static void set_headers(struct round *round, const char *id)
{
    const struct settings *settings = &round->target->settings;
    int64_t now_s = (int64_t)time(NULL);
    snprintf(round->id, sizeof round->id, "webhook-id: %s", id);
    snprintf(round->timestamp, sizeof round->timestamp, "webhook-timestamp: %lld", (long long)now_s);
    size_t size = (size_t)snprintf(round->signature, sizeof round->signature, "webhook-signature:");
    for (size_t i = 0; i < settings->secret_count; i++) {
        char signature[WEBHOOK_SIGNATURE];
        webhook_signature(signature, settings->secrets[i], settings->secret_sizes[i], id, now_s, round->body,
                          round->body_size);
        size += (size_t)snprintf(round->signature + size, sizeof round->signature - size, " %s", signature);
    }
    char *lines[] = {"Content-Type: application/json", "Expect:", round->id, round->timestamp,
                     settings->secret_count ? round->signature : NULL};
    static_assert(sizeof lines / sizeof lines[0] == sizeof round->headers / sizeof round->headers[0],
                  "a node each");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        round->headers[i].data = lines[i];
        round->headers[i].next =
            i + 1 < sizeof lines / sizeof lines[0] && lines[i + 1] ? &round->headers[i + 1] : NULL;
    }
}

static void set_probe_body(struct round *round)
{
    struct timespec now;
    char at[TIME_TEXT];
    clock_gettime(CLOCK_REALTIME, &now);
    time_text(at, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    int size = snprintf(round->probe_body, sizeof round->probe_body,
                        "{\"type\":\"probe\",\"timestamp\":\"%s\",\"data\":{}}", at);
    round->body = round->probe_body;
    round->body_size = (size_t)size;
}

/* Nothing waits for an address that is known to be dead. Nor does the first word of an alarm for one that left the last telling
 * without an answer, though it may answer probes; what comes later asks it again. */
static bool comes_last(const struct round *round, const struct address *address)
{
    const struct telling *telling = round->telling;
    bool first_word = telling->told.priority == DISPATCH_FIRST && telling->attempts == 1;
    return address->health == HEALTH_SILENT || (first_word && address->hangs);
}

static void set_order(struct round *round)
{
    round->order_count = 0;
    if (round->probed) {
        round->order[round->order_count++] = round->probed;
        return;
    }
    for (int last = 0; last <= 1; last++)
        for (size_t i = 0; i < round->target->settings.url_count; i++)
            if (comes_last(round, &round->target->addresses[i]) == last)
                round->order[round->order_count++] = &round->target->addresses[i];
}

/* ---- tries ---- */

static void on_done(void *ctx, const struct http_answer *);

static unsigned elapsed_ms(const struct round *round)
{
    return (unsigned)(due_now_ms() - round->started_ms);
}

/* How long it may take. A probe has what is left of the time to see a dead endpoint when it begins, if that is less. */
static unsigned limit_of_ms(const struct round *round)
{
    const struct settings *settings = &round->target->settings;
    unsigned attempt_ms = settings->attempt_timeout_ms, probe_ms = SEEN_MS - GRACE_MS - settings->probe_s * 1000;
    return round->probed && probe_ms < attempt_ms ? probe_ms : attempt_ms;
}

static bool try_address(struct round *round, struct address *address, bool by_known_ip)
{
    unsigned limit_ms = limit_of_ms(round), spent_ms = elapsed_ms(round);
    assert(round->try_count < sizeof round->tries / sizeof round->tries[0]);
    struct http_client *client = spent_ms < limit_ms ? target_client(round->target) : NULL;
    if (!client)
        return false;
    struct trial *trial = &round->tries[round->try_count];
    *trial = (struct trial){
        .round = round, .address = address, .by_known_ip = by_known_ip, .started_ms = round->started_ms + spent_ms};
    struct http_post post = {
        .url = address->url,
        .headers = round->headers,
        .body = round->body,
        .body_size = round->body_size,
        .timeout_ms = limit_ms - spent_ms,
        .fresh = round->telling && round->telling->attempts > 1, /* the kept connection may be what failed */
        .known_ip = by_known_ip ? address->known_ip : NULL,
        .done = on_done,
        .ctx = trial,
    };
    trial->request = http_client_post(client, &post);
    if (!trial->request)
        return false;
    round->try_count++;
    round->running++;
    return true;
}

/* Nobody else is asked then; who is being asked may still receive it. */
static bool refused(const struct round *round)
{
    return round->judged && round->judgement.outcome == OUTCOME_REFUSED;
}

/* Without an answer for that long, the next address is tried as well. */
static unsigned silence_of_ms(const struct round *round)
{
    unsigned half_ms = limit_of_ms(round) / 2;
    return SILENCE_MS < half_ms ? SILENCE_MS : half_ms;
}

static void set_due(struct round *round)
{
    uint64_t end_ms = round->started_ms + limit_of_ms(round) + GRACE_MS, next_ms = due_now_ms() + silence_of_ms(round);
    struct dues *dues = &round->target->endpoint->dispatch->dues;
    bool more = round->next < round->order_count && !refused(round);
    due_set(dues, &round->due, more && next_ms < end_ms ? next_ms : end_ms);
}

static bool try_next(struct round *round)
{
    bool tried = false;
    while (!tried && !refused(round) && round->next < round->order_count)
        tried = try_address(round, round->order[round->next++], false);
    set_due(round);
    return tried;
}

/* ---- the end ---- */

static void round_free(struct round *round)
{
    struct target *target = round->target;
    struct dispatch *dispatch = target->endpoint->dispatch;
    for (unsigned i = 0; i < round->try_count; i++)
        if (round->tries[i].request)
            http_client_abort(round->tries[i].request);
    due_clear(&dispatch->dues, &round->due);
    if (round->probed && round->probed->probe == round)
        round->probed->probe = NULL;
    LIST_REMOVE(round, entry);
    LIST_INSERT_HEAD(&dispatch->spare_rounds, round, entry);
    target_release(target);
}

void round_abort(struct round *round)
{
    struct dispatch *dispatch = round->target->endpoint->dispatch;
    round_free(round);
    dispatch_ended_round(dispatch);
}

static void finish(struct round *round)
{
    struct dispatch *dispatch = round->target->endpoint->dispatch;
    struct telling *telling = round->telling;
    struct dispatch_judgement judgement = round->judgement;
    unsigned duration_ms = elapsed_ms(round);
    bool outdated = round->target != round->target->endpoint->target;
    if (round->probed)
        probe_ended(round);
    round_free(round);
    if (telling)
        telling_ended(telling, &judgement, duration_ms, outdated);
    dispatch_ended_round(dispatch);
}

/* Of several tries the best counts; what the others said is told as well. */
static void note(struct round *round, const struct address *address,
                 const struct dispatch_judgement *judgement)
{
    static const int rank[OUTCOME_COUNT] = {
        [OUTCOME_RECEIVED] = 3, [OUTCOME_REFUSED] = 2, [OUTCOME_UNCONFIRMED] = 1};
    struct dispatch_judgement *best = &round->judgement;
    char text[LIMIT_TEXT], place[sizeof address->place + 1] = "";
    if (!judgement->silent && round->target->settings.url_count > 1)
        snprintf(place, sizeof place, "%s ", address->place);
    bool only = !round->judged || judgement->outcome == OUTCOME_RECEIVED;
    int size = snprintf(text, sizeof text, "%s%s%s%s", only ? "" : best->text, only ? "" : "; ", place,
                        judgement->text);
    if (size >= (int)sizeof text)
        text[sizeof text - 1] = '\0';
    bool scheduled = round->judged && best->pace == PACE_SCHEDULE;
    unsigned retry_after_s = round->judged ? best->retry_after_s : 0;
    if (!round->judged || rank[judgement->outcome] > rank[best->outcome])
        *best = *judgement;
    if (scheduled || judgement->pace == PACE_SCHEDULE)
        best->pace = PACE_SCHEDULE;
    if (retry_after_s > best->retry_after_s)
        best->retry_after_s = retry_after_s;
    memcpy(best->text, text, sizeof text);
    round->judged = true;
}

/* Another address has taken it: who was asked before that, and said nothing all the while, has left it. */
static void note_left(const struct round *round)
{
    for (unsigned i = 0; i < round->try_count; i++)
        if (round->tries[i].request && due_now_ms() >= round->tries[i].started_ms + silence_of_ms(round))
            round->tries[i].address->hangs = true;
}

/* A name that cannot be resolved now was somewhere a moment ago: try there. */
static bool try_known_ip(struct trial *trial, const struct http_answer *answer)
{
    return answer->unresolved && !trial->by_known_ip && trial->address->known_ip[0] &&
           try_address(trial->round, trial->address, true);
}

static void on_done(void *ctx, const struct http_answer *answer)
{
    struct trial *trial = ctx;
    struct round *round = trial->round;
    struct address *address = trial->address;
    struct dispatch_judgement judgement;
    trial->request = NULL;
    round->running--;
    if (try_known_ip(trial, answer))
        return;
    dispatch_judge(answer, round->confirm, round->echo, &judgement);
    if (judgement.outcome == OUTCOME_RECEIVED && answer->peer_ip[0])
        snprintf(address->known_ip, sizeof address->known_ip, "%s", answer->peer_ip);
    note(round, address, &judgement);
    probe_note(address, round->probed != NULL, &judgement);
    if (judgement.outcome == OUTCOME_RECEIVED)
        note_left(round);
    if (judgement.outcome == OUTCOME_RECEIVED || (!try_next(round) && round->running == 0))
        finish(round);
}

static void time_is_over(struct round *round)
{
    struct dispatch_judgement judgement = {.outcome = OUTCOME_FAILED, .pace = PACE_SCHEDULE, .silent = true};
    for (unsigned i = 0; i < round->try_count; i++) {
        if (!round->tries[i].request)
            continue;
        snprintf(judgement.text, sizeof judgement.text, "no answer from %s in time",
                 round->tries[i].address->place);
        note(round, round->tries[i].address, &judgement);
        probe_note(round->tries[i].address, round->probed != NULL, &judgement);
    }
    if (!round->judged) {
        snprintf(judgement.text, sizeof judgement.text, "no memory for a request");
        note(round, round->order[0], &judgement);
    }
    finish(round);
}

static void on_due(struct due *due)
{
    struct round *round = DISPATCH_OWNER(due, struct round, due);
    if (elapsed_ms(round) >= limit_of_ms(round) + GRACE_MS ||
        (!try_next(round) && round->running == 0))
        time_is_over(round);
}

/* ---- the start ---- */

static struct round *round_take(struct dispatch *dispatch)
{
    struct round *round = LIST_FIRST(&dispatch->spare_rounds);
    if (round)
        LIST_REMOVE(round, entry);
    else
        round = malloc(sizeof *round);
    return round;
}

bool round_start(struct target *target, struct telling *telling, struct address *probed)
{
    struct dispatch *dispatch = target->endpoint->dispatch;
    struct round *round = round_take(dispatch);
    if (!round)
        return false;
    round->target = target_hold(target);
    round->telling = telling;
    round->probed = probed;
    round->due = (struct due){.ring = on_due};
    round->started_ms = due_now_ms();
    round->try_count = round->running = round->next = 0;
    round->judged = false;
    LIST_INSERT_HEAD(&dispatch->rounds, round, entry);
    char id[48];
    if (telling) {
        round->body = telling->told.take_body;
        round->body_size = telling->told.body_size;
        round->echo = telling->told.echo;
        round->confirm = target->settings.confirm;
    } else {
        snprintf(id, sizeof id, "probe-%llx-%llu", (unsigned long long)time(NULL),
                 (unsigned long long)++dispatch->probes);
        set_probe_body(round);
        round->echo = "";
        round->confirm = CONF_CONFIRM_STATUS;
        probed->probe = round;
    }
    set_headers(round, telling ? telling->told.id : id);
    set_order(round);
    try_next(round); /* none started: the due moment says so */
    return true;
}
