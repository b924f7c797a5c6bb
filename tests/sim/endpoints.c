/* The dispatcher after the contract of daemon/io/dispatch_http.h, and the endpoints behind it: good, slow,
 * dead, reset after they have read it, answering nonsense, refusing, acknowledging, a different thing each
 * time. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 30000
#define WAITS_MS 400 /* for one of the endpoint's connections */
#define RESULT_MS 200 /* a last result reaches the board within record_wait_ms and a turn of the loop */

enum mood {
    MOOD_GOOD,
    MOOD_SLOW,
    MOOD_DEAD,
    MOOD_RESET,
    MOOD_LYING,
    MOOD_REFUSING,
    MOOD_ACKNOWLEDGING,
    MOOD_FLAPPING,
    MOOD_COUNT
};

struct endpoint {
    enum mood mood;
};

static const struct conf_endpoint *configured(const struct world *w, int number)
{
    return conf_endpoint(w->confs[w->conf], endpoint_names[number]);
}

/* One attempt. */

struct answer {
    bool arrives;
    enum delivery_outcome outcome;
    int64_t in_ms;
    const char *acknowledged_by;
};

static struct answer answer_of(struct world *w, int number)
{
    enum mood mood = w->endpoints[number].mood;
    const struct conf_endpoint *c = configured(w, number);
    bool echo = c && c->confirm == CONF_CONFIRM_ECHO;
    struct answer a = {.arrives = true, .outcome = OUTCOME_RECEIVED, .in_ms = dice_between(&w->dice, 2, 60)};
    while (mood == MOOD_FLAPPING)
        mood = (enum mood)dice_below(&w->dice, MOOD_COUNT);
    switch (mood) {
    case MOOD_SLOW:
        a.in_ms = dice_between(&w->dice, 500, 5400);
        break;
    case MOOD_DEAD:
        a = (struct answer){.outcome = OUTCOME_FAILED, .in_ms = dice_chance(&w->dice, 5000) ? 5500 : 3};
        break;
    case MOOD_RESET:
        a.outcome = OUTCOME_FAILED;
        break;
    case MOOD_LYING:
        a.outcome = echo ? OUTCOME_UNCONFIRMED : OUTCOME_RECEIVED;
        break;
    case MOOD_REFUSING:
        a.outcome = OUTCOME_REFUSED;
        break;
    case MOOD_ACKNOWLEDGING:
        a.acknowledged_by = "somebody-there";
        break;
    case MOOD_GOOD:
    case MOOD_FLAPPING:
    case MOOD_COUNT:
        break;
    }
    return a;
}

static void attempt(struct world *, const struct happening *);

/* When the next one is: 0, 1, 2, 5, 10, 20, 30 s after the telling, then every 30 s; a refusal waits 30 s. */
static int64_t next_in_ms(struct world *w, const struct telling *t, enum delivery_outcome outcome)
{
    static const int64_t schedule_ms[] = {0, 1000, 2000, 5000, 10000, 20000, 30000};
    if (outcome == OUTCOME_REFUSED || t->attempts >= sizeof schedule_ms / sizeof *schedule_ms)
        return AGAIN_MS + dice_between(&w->dice, -1500, 1500);
    int64_t in_ms = t->told_ms + schedule_ms[t->attempts] - w->now_ms;
    return in_ms > 0 ? in_ms : 0;
}

struct outcome {
    struct telling *telling;
    struct answer answer;
};

static void ended(struct world *w, const struct happening *h)
{
    const struct outcome *o = h->thing;
    struct telling *t = o->telling;
    const char *name = endpoint_names[t->endpoint];
    if (t->cancelled) {
        t->done = true;
        return;
    }
    int64_t in_ms = next_in_ms(w, t, o->answer.outcome);
    bool received = o->answer.outcome == OUTCOME_RECEIVED;
    bool final = received || (t->give_up_s && w->now_ms + in_ms - t->told_ms > (int64_t)t->give_up_s * 1000);
    t->done = final;
    t->ended_ms = w->now_ms;
    if (!final)
        plan_in(w, in_ms, attempt, w->life, 0, t);
    if (o->answer.outcome == OUTCOME_REFUSED)
        model_refused(w, t->alarm);
    if (o->answer.acknowledged_by && t->alarm[0]) {
        mark(w, MARK_acknowledged_by_endpoint);
        model_deed(w, t->alarm, EVENT_ACKNOWLEDGED, false);
    }
    say(w, "endpoint  %s: %s: %s", name, t->id, delivery_outcome_str(o->answer.outcome));
    engine_result(w->engine, &(struct engine_result){.id = t->id,
                                                     .endpoint = name,
                                                     .attempt = t->attempts,
                                                     .outcome = o->answer.outcome,
                                                     .final = final,
                                                     .http_status = o->answer.arrives ? 200 : 0,
                                                     .duration_ms = (uint32_t)o->answer.in_ms,
                                                     .text = "simulated",
                                                     .acknowledged_by = o->answer.acknowledged_by});
}

/* It waited for a connection: what has happened since goes along. */
static bool renew(struct world *w, struct telling *t)
{
    struct engine_telling fresh;
    if (!engine_renew_telling(w->engine, t->id, endpoint_names[t->endpoint], &fresh))
        return false;
    mark(w, MARK_telling_renewed);
    say(w, "daemon    tells %s: %s in the place of %s", endpoint_names[t->endpoint], fresh.id, t->id);
    snprintf(t->id, sizeof t->id, "%s", fresh.id);
    t->body = world_copy(w, fresh.take_body, fresh.body_size);
    t->size = fresh.body_size;
    free(fresh.take_body);
    return true;
}

static void attempt(struct world *w, const struct happening *h)
{
    struct telling *t = h->thing;
    if (t->cancelled || t->done) {
        t->done = true;
        return;
    }
    bool waited = h->a != 0, just_made = t->attempts == 0 && (!waited || renew(w, t));
    struct outcome *o = world_take(w, sizeof *o);
    *o = (struct outcome){.telling = t, .answer = answer_of(w, t->endpoint)};
    t->attempts++;
    if (t->alarm[0])
        model_told(w, t->endpoint, t->id, t->body, t->size, just_made, o->answer.arrives);
    plan_in(w, o->answer.in_ms, ended, w->life, 0, o);
}

/* What the engine asks for. */

void endpoints_tell(struct world *w, struct engine_telling *e)
{
    int number = endpoint_number(e->endpoint);
    struct telling *t = world_take(w, sizeof *t);
    snprintf(t->id, sizeof t->id, "%s", e->id);
    snprintf(t->alarm, sizeof t->alarm, "%s", e->alarm);
    t->endpoint = number;
    t->body = world_copy(w, e->take_body, e->body_size);
    t->size = e->body_size;
    t->give_up_s = e->give_up_s;
    t->told_ms = w->now_ms;
    free(e->take_body);
    e->take_body = NULL;
    if (number < 0)
        fail(w, "an endpoint that never was is told: %s", e->endpoint);
    if (!configured(w, number)) { /* as main.c does it */
        mark(w, MARK_endpoint_gone);
        engine_result(w->engine,
                      &(struct engine_result){.id = t->id,
                                              .endpoint = endpoint_names[number],
                                              .attempt = 1,
                                              .outcome = OUTCOME_FAILED,
                                              .text = "this endpoint is not in the configuration any more"});
        return;
    }
    say(w, "daemon    tells %s: %s", endpoint_names[number], t->id);
    t->next = w->tellings;
    w->tellings = t;
    bool waits = dice_chance(&w->dice, 3000);
    plan_in(w, waits ? dice_between(&w->dice, 1, WAITS_MS) : 0, attempt, w->life, waits, t);
}

void endpoints_cancel(struct world *w, const char *id, const char *endpoint)
{
    for (struct telling *t = w->tellings; t; t = t->next)
        if (strcmp(t->id, id) == 0 && strcmp(endpoint_names[t->endpoint], endpoint) == 0)
            t->cancelled = true;
}

void endpoints_forget(struct world *w)
{
    w->tellings = NULL;
}

/* True when the dispatcher has something of this alarm for this endpoint, under way or waiting for its next
 * attempt, or has just reported its end. */
bool endpoints_trying(struct world *w, const char *alarm, int endpoint)
{
    struct telling **link = &w->tellings;
    while (*link) {
        const struct telling *t = *link;
        if (t->cancelled || (t->done && w->now_ms - t->ended_ms > RESULT_MS)) {
            *link = t->next;
            continue;
        }
        if (t->endpoint == endpoint && strcmp(t->alarm, alarm) == 0)
            return true;
        link = &(*link)->next;
    }
    return false;
}

/* Moods. */

static void change_mood(struct world *w, const struct happening *h)
{
    static const char *const names[] = {"good",  "slow",     "dead",          "reset",
                                        "lying", "refusing", "acknowledging", "flapping"};
    struct endpoint *e = &w->endpoints[h->a];
    if (w->calm)
        return;
    bool was_dead = e->mood == MOOD_DEAD;
    enum mood mood = (enum mood)dice_below(&w->dice, MOOD_COUNT);
    e->mood = faulty(w, FAULT_ENDPOINT, 6000) ? mood : MOOD_GOOD;
    say(w, "endpoint  %s is %s now", endpoint_names[h->a], names[e->mood]);
    plan_in(w, dice_between(&w->dice, 2000, 60000), change_mood, 0, h->a, NULL);
    if (w->up && !w->stopping && configured(w, h->a) && was_dead != (e->mood == MOOD_DEAD))
        engine_trouble(w->engine, TROUBLE_ENDPOINT, endpoint_names[h->a], !was_dead,
                       "the endpoint does not answer");
}

void endpoints_init(struct world *w)
{
    w->endpoints = world_take(w, ENDPOINTS * sizeof *w->endpoints);
    for (int i = 0; i < ENDPOINTS; i++)
        plan_in(w, dice_between(&w->dice, 0, 30000), change_mood, 0, i, NULL);
}

void endpoints_calm(struct world *w)
{
    for (int i = 0; i < ENDPOINTS; i++)
        w->endpoints[i].mood = MOOD_GOOD;
}
