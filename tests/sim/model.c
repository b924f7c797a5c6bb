/* Who must have been told of which press by when: a second description, written without looking at the
 * core's. It knows what people pressed, what people answered, the plans, and what arrived at the endpoints;
 * it never asks the daemon.
 *
 *  - a press that reaches the daemon is sent to every endpoint of its plan's first step within a second,
 * unless that endpoint still owes its answer to an earlier telling of the alarm;
 *  - while nobody answers, the endpoints of each further step are told within a second of their moment, not
 * before;
 *  - a press is only told to endpoints of its plan that want its mode, as a press of its own site, class and
 * mode;
 *  - one webhook-id is one content;
 *  - in the end every endpoint that was due has received every press. */
#include "core/id.h"
#include "sim.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PROMPT_MS 150     /* for a case's first press: record_wait_ms, and some turns of the loop */
#define GATHER_MS 1200    /* for those that follow */
#define FORGET_MS 3500000 /* the last word about a closed alarm is tried for an hour */
#define LATE_MS 1100      /* an escalation may be late by a second and a turn of the loop */

struct content { /* of a webhook-id */
    struct content *next;
    char id[LIMIT_ALARM_ID + LIMIT_ID + 24];
    char type[32];
    uint64_t presses; /* hash */
};

static bool wants(const struct conf_endpoint *e, enum mode mode)
{
    return e && (mode == MODE_REAL || (mode == MODE_TEST ? e->tests : e->drills));
}

static struct worry *worry_of(struct world *w, const char *alarm)
{
    for (struct worry *y = w->worries; y; y = y->next)
        if (strcmp(y->id, alarm) == 0)
            return y;
    return NULL;
}

/* The steps of the plan for a mode: tests have one. -1: not told at all. */
static int step_of(const struct worry *y, int endpoint)
{
    for (unsigned i = 0; i < y->plan.endpoint_count; i++)
        if (strcmp(y->plan.endpoints[i].id, endpoint_names[endpoint]) == 0)
            return y->mode == MODE_TEST ? 0 : y->plan.endpoints[i].step;
    return -1;
}

/* A press. */

static void open_worry(struct world *w, int truth, const char *id)
{
    const struct truth *t = &w->truths[truth];
    const struct conf_site *site = conf_site(w->confs[w->conf], t->site);
    struct worry *y = world_take(w, sizeof *y);
    snprintf(y->id, sizeof y->id, "%s", id);
    memcpy(y->site, t->site, sizeof y->site);
    y->class = kind_class(t->kind);
    y->mode = t->mode;
    y->opener = truth;
    y->opened_ms = w->now_ms;
    y->plan.id[0] = '\0';
    y->plan.step_count = y->mode == MODE_TEST ? 1 : site->plan.step_count;
    memcpy(y->plan.answer_timeout_s, site->plan.answer_timeout_s, sizeof y->plan.answer_timeout_s);
    for (unsigned i = 0; i < site->plan.endpoint_count; i++)
        if (wants(conf_endpoint(w->confs[w->conf], site->plan.endpoints[i].id), y->mode))
            y->plan.endpoints[y->plan.endpoint_count++] = site->plan.endpoints[i];
    y->next = w->worries;
    w->worries = y;
}

/* The open case that a press of this place joins; `certain` is false while somebody is closing one. */
static struct worry *open_case(struct world *w, const struct truth *t, bool *certain)
{
    struct worry *found = NULL;
    *certain = true;
    for (struct worry *y = w->worries; y; y = y->next) {
        if (y->closed || strcmp(y->site, t->site) != 0 || y->class != kind_class(t->kind) ||
            y->mode != t->mode)
            continue;
        if (y->closing || y->mode == MODE_TEST)
            *certain = false;
        found = y;
    }
    return found;
}

static int site_number(const char *site)
{
    return site[1] - '1';
}

static bool nameless_place(const struct world *w, const struct truth *t)
{
    return w->nameless[site_number(t->site)] & 1u << kind_class(t->kind);
}

/* A press came whose identity, or whose right to alarm, only the daemon knows. */
void model_nameless(struct world *w, const char *site, enum alarm_class class)
{
    w->nameless[site_number(site)] |= 1u << class;
}

static void check_prompt(struct world *w, const struct happening *h)
{
    const struct truth *t = &w->truths[h->a];
    const struct worry *y = h->thing;
    if (t->seq || t->told_alarm[0])
        y = worry_of(w, t->seq ? t->alarm : t->told_alarm);
    if (!y || (!t->seq && !t->told_alarm[0] && nameless_place(w, t)))
        return; /* a press that the model cannot name may have opened this case */
    for (int e = 0; e < ENDPOINTS; e++) {
        if (y->closing || step_of(y, e) != 0 || t->attempted & 1u << e || t->heard & 1u << e)
            continue;
        if (!conf_endpoint(w->confs[w->conf], endpoint_names[e]) || endpoints_trying(w, y->id, e))
            continue;
        if (w->now_ms < w->conf_since_ms + PROMPT_MS) { /* it may have just come back to the configuration */
            plan_in(w, PROMPT_MS, check_prompt, w->life, h->a, h->thing);
            return;
        }
        fail(w, "%s was not told within %lld ms of the press %s/%s %s %llu", endpoint_names[e],
             (long long)(w->now_ms - t->taken_ms), t->site, t->device, t->epoch, (unsigned long long)t->n);
    }
}

/* Handed to the daemon. */
void model_taken(struct world *w, int truth)
{
    struct truth *t = &w->truths[truth];
    char id[LIMIT_ALARM_ID];
    bool certain;
    if (t->taken_ms || t->refused_seq) {
        mark(w, t->seq || t->refused_seq ? MARK_press_repeated : MARK_press_repeated_unrecorded);
        return;
    }
    bool may_refuse = t->may_refuse || truth_overtaken(w, t);
    if (t->alarms && may_refuse)
        model_nameless(w, t->site, kind_class(t->kind));
    t->taken_ms = w->now_ms;
    if (!t->alarms || may_refuse)
        return;
    struct worry *y = open_case(w, t, &certain);
    if (!y && certain) {
        alarm_id_of(id, t->site, t->device, t->epoch, t->n);
        open_worry(w, truth, id);
        y = w->worries;
    }
    if (!certain)
        model_nameless(w, t->site,
                       kind_class(t->kind)); /* it joins, or opens a case that the model does not know */
    if (y && certain)
        plan_in(w, y->opener == truth ? PROMPT_MS : GATHER_MS, check_prompt, w->life, truth, y);
}

/* What people do. */

void model_deed(struct world *w, const char *alarm, enum event_type type, bool done)
{
    struct worry *y = worry_of(w, alarm);
    if (!y || type == EVENT_NOTE_ADDED)
        return;
    y->touched = true;
    if (type == EVENT_CLOSED) {
        y->closing = true;
        y->closed = y->closed || done;
    }
}

void model_refused(struct world *w, const char *alarm)
{
    struct worry *y = worry_of(w, alarm);
    if (y)
        y->refused = true;
}

static unsigned steps_recorded(const struct world *w, const struct worry *y)
{
    unsigned count = 0;
    for (uint64_t s = 0; s < w->disk.count; s++)
        count += w->facts[s].type == EVENT_DEADLINE_PASSED && strcmp(w->facts[s].alarm, y->id) == 0;
    return count;
}

/* A death forgets what was not recorded. */
void model_died(struct world *w)
{
    for (struct worry *y = w->worries; y; y = y->next)
        for (unsigned k = steps_recorded(w, y) + 1; k < LIMIT_STEPS; k++)
            y->told_ms[k] = 0;
    for (struct worry **link = &w->worries; *link;) {
        if (!w->truths[(*link)->opener].seq)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
}

void model_restarted(struct world *w, int64_t early_ms, int64_t late_ms)
{
    for (struct worry *y = w->worries; y; y = y->next) {
        y->may_be_early_ms += early_ms;
        y->may_be_late_ms += late_ms;
    }
}

/* What endpoints are told. */

static uint64_t check_presses(struct world *w, int endpoint, const char *alarm, const char *site,
                              enum alarm_class class, enum mode mode, json_t *presses, bool recorded,
                              bool arrives, bool *news)
{
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < json_array_size(presses); i++) {
        json_t *p = json_array_get(presses, i);
        const char *device = json_string_value(json_object_get(p, "device"));
        const char *epoch = json_string_value(json_object_get(p, "epoch"));
        uint64_t n = (uint64_t)json_integer_value(json_object_get(p, "n"));
        for (const char *c = device; *c; c++)
            hash = (hash ^ (unsigned char)*c) * 1099511628211u;
        hash = (hash ^ n) * 1099511628211u;
        if (strcmp(epoch, "-") == 0)
            continue;
        int number = truth_find(w, site, device, epoch, n);
        if (number < 0)
            fail(w, "%s is told of a press of %s/%s that nobody made", endpoint_names[endpoint], site,
                 device);
        struct truth *t = &w->truths[number];
        if (t->mode != mode || kind_class(t->kind) != class || (!t->alarms && t->kind != KIND_CANCEL))
            fail(w, "%s is told of a %s %s press as of a %s one", endpoint_names[endpoint], mode_str(t->mode),
                 t->alarms ? "genuine" : "false", mode_str(mode));
        if (recorded && !t->seq)
            fail(w, "%s is told that a press is recorded which is not", endpoint_names[endpoint]);
        if (!recorded && !t->seq)
            mark(w, MARK_told_unrecorded);
        t->attempted |= 1u << endpoint;
        snprintf(t->told_alarm, sizeof t->told_alarm, "%s", alarm);
        *news |= !(t->heard & 1u << endpoint);
        if (arrives && t->heard & 1u << endpoint)
            mark(w, MARK_answered_twice);
        if (arrives)
            t->heard |= 1u << endpoint;
    }
    if (json_array_size(presses) > 1)
        mark(w, MARK_gathered);
    return hash;
}

static void check_head(struct world *w, json_t *journal)
{
    uint64_t size = (uint64_t)json_integer_value(json_object_get(journal, "size"));
    if (size > w->disk.count)
        fail(w, "an endpoint is shown a journal of %llu entries, it has %llu", (unsigned long long)size,
             (unsigned long long)w->disk.count);
    if (size < w->judged_head)
        fail(w, "an endpoint is shown a journal that is shorter than before");
    w->judged_head = size;
}

/* Whoever takes equal ids for equal contents misses nothing. `news`: it names a press that this endpoint has
 * never received. */
static void check_same(struct world *w, const char *id, const char *type, uint64_t presses, bool news)
{
    for (struct content *c = w->contents; c; c = c->next)
        if (strcmp(c->id, id) == 0) {
            bool renamed =
                strcmp(c->type, type) != 0 && strcmp(type, "alarm.opened") != 0 &&
                strcmp(c->type, "alarm.opened") != 0; /* that it had been told was never recorded */
            if (renamed || (c->presses != presses && news))
                fail(w, "the webhook-id %s had another content before (%s, now %s)", id, c->type, type);
            return;
        }
    struct content *c = world_take(w, sizeof *c);
    snprintf(c->id, sizeof c->id, "%s", id);
    snprintf(c->type, sizeof c->type, "%s", type);
    c->presses = presses;
    c->next = w->contents;
    w->contents = c;
}

/* The first word about an alarm to this endpoint: not before its step's moment. */
static void check_step_moment(struct world *w, struct worry *y, int endpoint)
{
    int step = step_of(y, endpoint);
    if (step < 0)
        fail(w, "%s is told of %s, but is not in its plan", endpoint_names[endpoint], y->id);
    int64_t due_ms = y->opened_ms - y->may_be_early_ms;
    for (int k = 0; k < step; k++)
        due_ms += (int64_t)y->plan.answer_timeout_s[k] * 1000;
    if (w->now_ms < due_ms && !y->refused)
        fail(w, "%s is told of %s %lld ms before its step", endpoint_names[endpoint], y->id,
             (long long)(due_ms - w->now_ms));
    if (y->told_ms[step] == 0)
        y->told_ms[step] = w->now_ms;
}

void model_told(struct world *w, int endpoint, const char *id, const char *body, size_t size, bool just_made,
                bool arrives)
{
    json_error_t error;
    json_t *root = json_loadb(body, size, 0, &error);
    if (!root)
        fail(w, "%s is told something that is no JSON", endpoint_names[endpoint]);
    json_t *data = json_object_get(root, "data"), *alarm = json_object_get(data, "alarm");
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *site = json_string_value(json_object_get(json_object_get(alarm, "site"), "id"));
    enum mode mode = MODE_COUNT;
    enum alarm_class class = CLASS_COUNT;
    mode_of(json_string_value(json_object_get(alarm, "mode")), &mode);
    alarm_class_of(json_string_value(json_object_get(alarm, "class")), &class);
    if (!wants(conf_endpoint(w->confs[0], endpoint_names[endpoint]), mode))
        fail(w, "%s is told of a %s", endpoint_names[endpoint], mode_str(mode));
    bool news = false;
    const char *id_of_alarm = json_string_value(json_object_get(alarm, "id"));
    uint64_t presses =
        check_presses(w, endpoint, id_of_alarm, site, class, mode, json_object_get(data, "presses"),
                      json_is_true(json_object_get(data, "recorded")), arrives, &news);
    if (arrives)
        check_same(w, id, type, presses, news);
    if (just_made)
        check_head(w, json_object_get(root, "journal"));
    struct worry *y = worry_of(w, id_of_alarm);
    if (y) {
        check_step_moment(w, y, endpoint);
        if (strcmp(type, "alarm.closed") == 0 && !(y->heard & 1u << endpoint))
            mark(w, MARK_closed_told_late);
        y->heard |= arrives ? 1u << endpoint : 0;
    }
    json_decref(root);
}

/* While nobody answers, the plan goes on. */

static void watch(struct world *w, struct worry *y)
{
    int64_t due_ms = y->opened_ms;
    for (unsigned k = 0; k + 1 < y->plan.step_count; k++) {
        if (y->told_ms[k])
            due_ms = y->told_ms[k];
        due_ms += (int64_t)y->plan.answer_timeout_s[k] * 1000;
        bool somebody = false;
        for (int e = 0; e < ENDPOINTS; e++)
            somebody |= step_of(y, e) == (int)k + 1 && conf_endpoint(w->confs[w->conf], endpoint_names[e]);
        int64_t must_ms = due_ms + y->may_be_late_ms;
        if (must_ms < w->up_since_ms)
            must_ms = w->up_since_ms;
        if (must_ms < w->conf_since_ms)
            must_ms = w->conf_since_ms; /* the endpoint may have just come back to the configuration */
        if (somebody && !y->told_ms[k + 1] && w->now_ms > must_ms + LATE_MS)
            fail(w, "step %u of %s was due %lld ms ago and nobody was told", k + 2, y->id,
                 (long long)(w->now_ms - must_ms));
        if (!y->told_ms[k + 1])
            return;
    }
}

void model_watch(struct world *w)
{
    if (!w->up || w->stopping)
        return;
    for (struct worry *y = w->worries; y; y = y->next)
        if (!y->touched && !y->refused && y->mode != MODE_TEST &&
            (y->told_ms[0] || strcmp(w->truths[y->opener].alarm, y->id) == 0))
            watch(w, y);
}

void model_settled(struct world *w)
{
    for (int i = 0; i < w->truth_count; i++) {
        const struct truth *t = &w->truths[i];
        if (!t->alarms)
            continue;
        if (t->by_button && !t->seq && !t->refused_seq)
            fail(w, "the press %s/%s %s %llu never reached the journal", t->site, t->device, t->epoch,
                 (unsigned long long)t->n);
        const struct worry *y = t->seq ? worry_of(w, t->alarm) : NULL;
        if (y && (y->closing || y->mode == MODE_TEST) && y->may_be_early_ms > FORGET_MS)
            continue; /* after a reboot with a wrong clock the last word about it was given up too soon */
        for (int e = 0; y && e < ENDPOINTS; e++)
            if (step_of(y, e) == 0 && !(t->heard & 1u << e) &&
                conf_endpoint(w->confs[w->conf], endpoint_names[e]))
                fail(w, "%s never received the press %s/%s %s %llu", endpoint_names[e], t->site, t->device,
                     t->epoch, (unsigned long long)t->n);
    }
}
