/* What today's plan would have done with the presses of an alarm, beside what happened: both told by the
 * daemon's own core (simulate.h), on libuv's pool. */
#include "codec/event_json.h"
#include "io/api_internal.h"
#include "simulate.h"
#include <stdlib.h>
#include <string.h>

#define LONGEST_MS 86400000 /* a day: an alarm that stayed open repeats its last step for ever */
#define TIMELINE_LINES 5000 /* of one course */
#define LINE_ROOM 2048

/* One course on its way to JSON. */
struct course {
    struct simulation s;
    struct api_out *out;
    size_t lines;
    bool cut;
    enum alarm_state state;
};

struct comparison {
    struct api *api;
    struct web_request *request;
    uv_work_t work;
    char alarm[LIMIT_ALARM_ID], site[LIMIT_ID];
    bool answered, cut, failed;
    char **lines;
    size_t count;
    struct course happened, today;
    struct plan plan_then;
    struct api_out out;
};

static void comparison_free(struct comparison *c)
{
    struct api *api = c->api;
    for (size_t i = 0; c->lines && i < c->count; i++)
        free(c->lines[i]);
    free(c->lines);
    free(c->happened.s.items);
    free(c->today.s.items);
    api_out_free(&c->out);
    free(c);
    api_release(api);
}

/* --- One line of a timeline. False: there is no more room for lines. */

static bool line_open(struct course *c, int64_t after_ms, const char *what)
{
    c->cut = c->cut || c->lines == TIMELINE_LINES;
    if (c->cut)
        return false;
    c->lines++;
    api_out_room(c->out, LINE_ROOM);
    json_open(&c->out->o, NULL, '{');
    json_number(&c->out->o, "after_ms", after_ms);
    json_text(&c->out->o, "what", what);
    return true;
}

static void told(void *ctx, int64_t after_ms, const struct effect *effect)
{
    struct course *c = ctx;
    struct json_out *o = &c->out->o;
    const struct delivery *d = effect->delivery;
    if (!line_open(c, after_ms, "told"))
        return;
    json_text(o, "endpoint", d->endpoint);
    json_text(o, "role", role_str(d->role));
    json_unsigned(o, "step", d->step + 1u);
    json_text(o, "change", change_str(d->told_version == 0 ? CHANGE_OPENED : effect->alarm->change));
    json_close(o, '}');
}

static void put_deed(struct json_out *o, const struct event *e)
{
    json_text(o, "by", e->deed.by);
    json_text(o, "role", role_str(e->deed.role));
    if (e->deed.endpoint[0])
        json_text(o, "endpoint", e->deed.endpoint);
    if (e->type == EVENT_CLOSED)
        json_text(o, "disposition", disposition_str(e->deed.disposition));
}

/* The members of one event; what is no part of an alarm's course has none. */
static void put_event(struct json_out *o, const struct event *e)
{
    if (e->type == EVENT_PRESS_RECEIVED) {
        json_text(o, "device", e->press.device);
        if (e->press.zone[0])
            json_text(o, "zone", e->press.zone);
        json_text(o, "kind", kind_str(e->press.kind));
    } else if (e->type == EVENT_DELIVERY_RESULT) {
        json_text(o, "endpoint", e->delivery.endpoint);
        json_text(o, "outcome", delivery_outcome_str(e->delivery.outcome));
        json_unsigned(o, "attempt", e->delivery.attempt);
    } else if (e->type == EVENT_DEADLINE_PASSED) {
        json_text(o, "deadline", deadline_kind_str(e->deadline.kind));
        if (e->deadline.kind == DEADLINE_ANSWER)
            json_unsigned(o, "step", e->deadline.step + 1u);
    } else {
        put_deed(o, e);
    }
}

static void happened(void *ctx, int64_t after_ms, const struct event *e, const struct alarm *alarm,
                     enum alarm_state before, bool exhausted_before, enum step_result result)
{
    struct course *c = ctx;
    bool forgets = e->type == EVENT_DEADLINE_PASSED && e->deadline.kind == DEADLINE_FORGET;
    bool may_be_useless =
        e->type != EVENT_PRESS_RECEIVED && e->type != EVENT_DELIVERY_RESULT && e->type != EVENT_NOTE_ADDED;
    if (forgets || (e->type == EVENT_DELIVERY_RESULT && !c->s.recorded)) /* "told" has said it */
        return;
    if (line_open(c, after_ms, event_type_str(e->type))) {
        if (c->s.recorded)
            json_unsigned(&c->out->o, "seq", e->seq);
        put_event(&c->out->o, e);
        if (may_be_useless && result != STEP_CHANGED)
            json_bool(&c->out->o, "useless", true);
        json_close(&c->out->o, '}');
    }
    if (!alarm)
        return;
    c->state = alarm->state;
    if (before != ALARM_STATE_COUNT && alarm->state != before && line_open(c, after_ms, "state")) {
        json_text(&c->out->o, "state", alarm_state_str(alarm->state));
        json_close(&c->out->o, '}');
    }
    if (alarm->exhausted && !exhausted_before && line_open(c, after_ms, "exhausted"))
        json_close(&c->out->o, '}');
}

/* --- What the courses are made of. */

static bool is_deed(const struct event *e)
{
    return e->type == EVENT_ACKNOWLEDGED || e->type == EVENT_COMING || e->type == EVENT_ON_SCENE ||
           e->type == EVENT_CLOSED;
}

/* All of it happened; the presses, and what people did, are given to today's plan. */
static void add(struct comparison *c, int64_t after_ms, struct event *e)
{
    simulate_event(&c->happened.s, after_ms, e);
    c->happened.s.until_ms = after_ms > c->happened.s.until_ms ? after_ms : c->happened.s.until_ms;
    if (e->type == EVENT_PRESS_RECEIVED) {
        if (c->plan_then.step_count == 0)
            c->plan_then = e->press.plan;
        e->press.plan.step_count = 0;
    } else if (!c->answered || !is_deed(e)) {
        return;
    }
    if (e->type == EVENT_CLOSED)
        e->deed.seen_version = 0; /* it counts other changes there */
    simulate_event(&c->today.s, after_ms, e);
}

/* Both go on until what happened is over and today's plan was gone through, its last step twice. */
static int64_t until(const struct comparison *c)
{
    const struct plan *plan = &c->today.s.plan;
    int64_t plan_ms = plan->step_count ? plan->answer_timeout_s[plan->step_count - 1] * 1000LL : 0;
    for (unsigned i = 0; i < plan->step_count; i++)
        plan_ms += plan->answer_timeout_s[i] * 1000LL;
    int64_t end = c->happened.s.until_ms > plan_ms ? c->happened.s.until_ms : plan_ms;
    return end < LONGEST_MS ? end : LONGEST_MS;
}

static bool put_course(struct comparison *c, const char *key, struct course *course, const char *plan)
{
    struct json_out *o = &c->out.o;
    course->out = &c->out;
    course->s.told = told;
    course->s.happened = happened;
    course->s.ctx = course;
    json_open(o, key, '{');
    json_text(o, "plan", plan);
    json_open(o, "timeline", '[');
    bool good = simulate(&course->s);
    api_out_room(&c->out, LINE_ROOM);
    json_close(o, ']');
    json_text(o, "state", alarm_state_str(course->state));
    json_bool(o, "cut", course->cut || c->cut);
    json_close(o, '}');
    return good;
}

/* On the pool: only core and codec, which touch nothing but what they are given. */
static void compare(uv_work_t *work)
{
    struct comparison *c = work->data;
    int64_t first_ms = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct event e;
        char why[LIMIT_TEXT];
        if (!event_decode(c->lines[i], strlen(c->lines[i]), &e, why))
            continue;
        first_ms = first_ms ? first_ms : e.clock_ms;
        add(c, e.clock_ms - first_ms, &e);
    }
    c->happened.s.until_ms = c->today.s.until_ms = until(c);
    api_out_begin(&c->out, LINE_ROOM);
    json_open(&c->out.o, NULL, '{');
    json_text(&c->out.o, "alarm", c->alarm);
    json_bool(&c->out.o, "answered", c->answered);
    json_number(&c->out.o, "until_ms", c->today.s.until_ms);
    c->failed = !put_course(c, "happened", &c->happened, c->plan_then.id) ||
                !put_course(c, "today", &c->today, c->today.s.plan.id);
    json_close(&c->out.o, '}');
}

static void compared(uv_work_t *work, int status)
{
    struct comparison *c = work->data;
    if (c->failed || c->api->closing) {
        api_busy(c->request, c->failed ? "There is no memory for this answer; try again later."
                                       : "The daemon is stopping.");
    } else {
        api_out_answer(&c->out, c->request);
        c->out = (struct api_out){0};
    }
    comparison_free(c);
}

static bool make_ready(struct comparison *c, const struct conf *conf, const struct conf_site *site,
                       const struct api_story *s)
{
    memcpy(c->alarm, s->alarm->id, sizeof c->alarm);
    memcpy(c->site, s->alarm->site, sizeof c->site);
    c->cut = s->more;
    struct course *courses[] = {&c->happened, &c->today};
    for (int i = 0; i < 2; i++) {
        courses[i]->state = ALARM_OPEN;
        courses[i]->s = (struct simulation){.site = c->site,
                                            .mode = s->alarm->mode,
                                            .gather_ms = conf->daemon.gather_ms,
                                            .recorded = i == 0,
                                            .items = calloc(s->count, sizeof(struct simulated)),
                                            .item_capacity = (unsigned)s->count};
    }
    conf_plan_for(conf, site, s->alarm->mode, &c->today.s.plan);
    c->lines = calloc(s->count, sizeof *c->lines);
    bool good = c->lines && c->happened.s.items && c->today.s.items;
    for (; good && c->count < s->count; c->count++)
        good = (c->lines[c->count] = strdup(s->lines[c->count])) != NULL;
    return good;
}

static void tell(struct api *api, struct web_request *request, const struct api_story *s, bool answered)
{
    const struct conf *conf = engine_conf(api->options.engine);
    const struct conf_site *site = conf_site(conf, s->alarm->site);
    if (s->error || s->count == 0) {
        api_busy(request,
                 s->error ? s->error : "The journal has recorded nothing of this alarm yet; try again.");
        return;
    }
    if (!site) {
        api_problem(request, &(struct api_problem){.type = API_IMPOSSIBLE},
                    "The site %s is no longer configured: it has no plan of today.", s->alarm->site);
        return;
    }
    struct comparison *c = calloc(1, sizeof *c);
    if (!c) {
        api_busy(request, "There is no memory for this answer; try again later.");
        return;
    }
    c->api = api;
    c->request = request;
    c->answered = answered;
    c->work.data = c;
    api_hold(api);
    if (make_ready(c, conf, site, s) && uv_queue_work(api->options.loop, &c->work, compare, compared) == 0)
        return;
    api_busy(request, "There is no memory for this answer; try again later.");
    comparison_free(c);
}

void api_today(struct api_call *c)
{
    const char *answered = web_query(c->request, "answered");
    bool no = answered && strcmp(answered, "no") == 0;
    if (answered && !no && strcmp(answered, "yes") != 0) {
        api_bad_query(c, "answered", "yes or no is needed");
        return;
    }
    api_tell_story(c, tell, !no);
}
