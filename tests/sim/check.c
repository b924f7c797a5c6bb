/* What must hold after each step, looked at from inside; and that the record alone gives the board that
 * lives. */
#include "codec/event_json.h"
#include "sim.h"
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LATE_MS 1000

/* Alarms. */

static void check_deadline(struct world *w, const struct alarm *a)
{
    const int64_t *due = a->due_clock_ms;
    bool has = true;
    switch (a->state) {
    case ALARM_OPEN:
        has = a->mode == MODE_TEST ? due[DEADLINE_TEST] : due[DEADLINE_ANSWER];
        break;
    case ALARM_ACKNOWLEDGED:
        has =
            a->mode == MODE_TEST ? due[DEADLINE_TEST] : due[DEADLINE_COMING] || a->plan.coming_timeout_s == 0;
        break;
    case ALARM_COMING:
    case ALARM_ON_SCENE:
        has = a->mode != MODE_TEST || due[DEADLINE_TEST];
        break;
    case ALARM_CLOSED:
        has = due[DEADLINE_FORGET] || !alarm_owes_any(a);
        break;
    case ALARM_STATE_COUNT:
        fail(w, "%s has no state", a->id);
    }
    if (!has)
        fail(w, "%s is %s and nothing will ever come due", a->id, alarm_state_str(a->state));
    int64_t clock_ms = w->now_ms + w->clock_now_ms;
    for (unsigned k = 0; w->clock_known && k < DEADLINE_COUNT; k++)
        if (due[k] && clock_ms - due[k] > LATE_MS && w->now_ms - w->up_since_ms > LATE_MS)
            fail(w, "%s: %s was due %lld ms ago", a->id, deadline_kind_str((enum deadline_kind)k),
                 (long long)(clock_ms - due[k]));
}

/* Nothing is silently undelivered. */
static void check_deliveries(struct world *w, const struct alarm *a)
{
    for (unsigned i = 0; i < a->delivery_count; i++) {
        const struct delivery *d = &a->deliveries[i];
        int number = endpoint_number(d->endpoint);
        bool owes = alarm_owes(a, d), there = conf_endpoint(w->confs[w->conf], d->endpoint) != NULL;
        if (d->state >= DELIVERY_STATE_COUNT)
            fail(w, "%s: %s is in no state", a->id, d->endpoint);
        if (owes && d->state == DELIVERY_RECEIVED)
            fail(w, "%s: %s is shown as told, but is owed version %u and %u presses", a->id, d->endpoint,
                 d->wanted_version, a->press_count);
        if (d->step <= a->step && d->wanted_version == 0 && a->state != ALARM_CLOSED)
            fail(w, "%s: %s was never asked for, its step has come", a->id, d->endpoint);
        if (owes && d->sending_version && there && !endpoints_trying(w, a->id, number))
            fail(w, "%s: %s is thought to be on its way to %s, but nobody tries", a->id, d->endpoint,
                 d->endpoint);
        bool gathers = a->gather_due_clock_ms && a->gather_due_clock_ms >= w->now_ms + w->clock_now_ms - 10;
        if (owes && !d->sending_version && there && !gathers && !a->fresh && w->clock_known)
            fail(w, "%s: %s is owed something, and nothing will bring it", a->id, d->endpoint);
    }
}

/* One identity is one press on the board; it is of the alarm's place. */
static void check_presses(struct world *w, const struct alarm *a)
{
    uint32_t count = 0;
    for (const struct press *p = board_press(engine_board(w->engine), a->press_first); p;
         p = board_press(engine_board(w->engine), p->next)) {
        count++;
        if (strcmp(p->epoch, "-") == 0)
            continue;
        int number = truth_find(w, a->site, p->device, p->epoch, p->n);
        if (number < 0)
            fail(w, "%s holds a press of %s that was not made in %s", a->id, p->device, a->site);
        const struct truth *t = &w->truths[number];
        if (p->kind != KIND_CANCEL && (kind_class(t->kind) != a->class || t->mode != a->mode))
            fail(w, "%s holds a press of another class or mode", a->id);
        for (const struct press *q = board_press(engine_board(w->engine), p->next); q;
             q = board_press(engine_board(w->engine), q->next))
            if (p->n == q->n && strcmp(p->device, q->device) == 0 && strcmp(p->epoch, q->epoch) == 0)
                fail(w, "%s holds the press %s %s %llu twice", a->id, p->device, p->epoch,
                     (unsigned long long)p->n);
    }
    if (count != a->press_count)
        fail(w, "%s says %u presses and lists %u", a->id, a->press_count, count);
}

/* One place has one case. */
static void check_alone(struct world *w, const struct alarm *a)
{
    for (struct alarm *b = NULL; (b = board_next_alarm(engine_board(w->engine), b));)
        if (b != a && a->state != ALARM_CLOSED && b->state != ALARM_CLOSED && a->class == b->class &&
            a->mode == b->mode && strcmp(a->site, b->site) == 0)
            fail(w, "%s and %s are one case", a->id, b->id);
}

/* A machine's receipt is no acknowledgement: where the state says that a person took it, a person did. */
static void check_person(struct world *w, const struct alarm *a)
{
    if (a->state == ALARM_OPEN || (a->state == ALARM_CLOSED && a->mode == MODE_TEST))
        return;
    for (const struct worry *y = w->worries; y; y = y->next)
        if (strcmp(y->id, a->id) == 0 && !y->touched)
            fail(w, "%s is %s, but no person did anything", a->id, alarm_state_str(a->state));
}

/* A lamp goes out: when all is recorded, no site's state shows an alarm that the board has let go of. */
static void check_shown(struct world *w)
{
    if (engine_journal(w->engine).committed_seq + 1 != journal_next_seq(w->journal))
        return;
    for (int i = 0; i < SITES; i++)
        for (size_t k = 0; k < SHOWN && w->shown[i][k][0]; k++)
            if (!board_alarm(engine_board(w->engine), w->shown[i][k]))
                fail(w, "the state of s%d shows %s, which is over", i + 1, w->shown[i][k]);
}

void check_step(struct world *w)
{
    if (w->up && !w->stopping) {
        bool whole = w->happened % 16 == 0;
        unsigned open = 0;
        for (struct alarm *a = NULL; (a = board_next_alarm(engine_board(w->engine), a));) {
            open += a->state != ALARM_CLOSED;
            check_deadline(w, a);
            check_deliveries(w, a);
            if (!whole)
                continue;
            check_person(w, a);
            check_alone(w, a);
            check_presses(w, a);
        }
        if (open != board_counts(engine_board(w->engine)).alarms_open)
            fail(w, "the board counts %u open alarms and has %u",
                 board_counts(engine_board(w->engine)).alarms_open, open);
        uint32_t kept = board_counts(engine_board(w->engine)).alarms_kept;
        if (kept < w->kept_before)
            mark(w, MARK_forgotten);
        w->kept_before = kept;
        if (whole)
            check_shown(w);
        model_watch(w);
    }
}

/* Receipts: yes means committed. */

static bool stage_recorded(const struct world *w, const char *alarm, const char *stage)
{
    static const struct {
        const char *stage;
        enum event_type types[4];
    } needs[] = {{"delivered", {EVENT_DELIVERY_RESULT}},
                 {"acknowledged", {EVENT_ACKNOWLEDGED, EVENT_COMING, EVENT_ON_SCENE}},
                 {"coming", {EVENT_COMING}},
                 {"on_scene", {EVENT_ON_SCENE}},
                 {"closed", {EVENT_CLOSED, EVENT_DEADLINE_PASSED}}};
    for (size_t k = 0; k < sizeof needs / sizeof *needs; k++) {
        if (strcmp(needs[k].stage, stage) != 0)
            continue;
        for (uint64_t s = w->disk.count; s > 0; s--)
            for (int i = 0; i < 4 && strcmp(w->facts[s - 1].alarm, alarm) == 0; i++)
                if (needs[k].types[i] && w->facts[s - 1].type == needs[k].types[i])
                    return true;
        return false;
    }
    return true;
}

static void check_device_receipt(struct world *w, const char *site, const char *device, json_t *root)
{
    const char *epoch = json_string_value(json_object_get(root, "epoch"));
    const char *stage = json_string_value(json_object_get(root, "stage"));
    const char *alarm = json_string_value(json_object_get(root, "alarm"));
    uint64_t n = (uint64_t)json_integer_value(json_object_get(root, "n"));
    int number = truth_find(w, site, device, epoch, n);
    if (number < 0)
        return;
    const struct truth *t = &w->truths[number];
    if (strcmp(stage, "refused") == 0 ? t->refused_seq == 0 : t->seq == 0)
        fail(w, "%s/%s was answered \"%s\" for %s %llu, which the journal does not have so", site, device,
             stage, epoch, (unsigned long long)n);
    if (alarm && !stage_recorded(w, alarm, stage))
        fail(w, "%s/%s was told \"%s\" about %s, which the journal does not have", site, device, stage,
             alarm);
}

static void check_site_state(struct world *w, json_t *root)
{
    json_t *alarms = json_object_get(root, "alarms");
    int number = atoi(json_string_value(json_object_get(root, "site")) + 1) - 1;
    assert(number >= 0 && number < SITES);
    memset(w->shown[number], 0, sizeof w->shown[number]);
    for (size_t i = 0; i < json_array_size(alarms); i++) {
        const char *alarm = json_string_value(json_object_get(json_array_get(alarms, i), "alarm"));
        const char *site = json_string_value(json_object_get(root, "site"));
        if (i < SHOWN)
            snprintf(w->shown[number][i], LIMIT_ALARM_ID, "%s", alarm);
        for (const struct worry *y = w->worries; y; y = y->next)
            if (strcmp(y->id, alarm) == 0 && strcmp(y->site, site) != 0)
                fail(w, "the state of %s shows an alarm of %s", site, y->site);
    }
}

void check_receipt(struct world *w, const char *topic, const char *body, size_t size)
{
    char site[LIMIT_ID], device[LIMIT_ID];
    json_t *root = json_loadb(body, size, 0, NULL);
    if (!root)
        fail(w, "no JSON on %s", topic);
    say(w, "daemon    says on %s: %.*s", topic, (int)size, body);
    if (sscanf(topic, "tocsin/v1/%47[^/]/%47[^/]/receipt", site, device) == 2)
        check_device_receipt(w, site, device, root);
    else
        check_site_state(w, root);
    json_decref(root);
}

/* The record alone gives the board that lives. */

struct text {
    char *bytes;
    size_t size, capacity;
};

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (t->capacity - t->size < 1024)
        t->bytes = realloc(t->bytes, t->capacity = t->capacity * 2 + 4096);
    t->size += (size_t)vsnprintf(t->bytes + t->size, t->capacity - t->size, format, arguments);
    va_end(arguments);
}

static void describe_alarm(struct text *t, struct board *b, const struct alarm *a)
{
    put(t, "%s %s %d %d %s %s v%u j%u s%u r%u a%x x%d c%u ", a->id, a->site, a->class, a->mode,
        kind_str(a->kind), alarm_state_str(a->state), a->version, a->joined_version, a->step, a->rounds,
        a->acked, a->exhausted, a->cancels);
    for (unsigned k = 0; k < DEADLINE_COUNT; k++)
        put(t, "%lld ", (long long)a->due_clock_ms[k]);
    put(t, "%s %s %s %s %s %lld %llu\n", change_str(a->change), a->acknowledged_by, a->coming_by,
        a->on_scene_by, a->closed_by, (long long)a->opened_at_ms, (unsigned long long)a->last_seq);
    for (unsigned i = 0; i < a->delivery_count; i++) {
        const struct delivery *d = &a->deliveries[i];
        enum delivery_state state = d->state == DELIVERY_SENT ? DELIVERY_PENDING : d->state;
        put(t, "  %s %d w%u t%u/%u %s %u\n", d->endpoint, d->step, d->wanted_version, d->told_version,
            d->told_presses, delivery_state_str(state), d->attempts);
    }
    for (const struct press *p = board_press(b, a->press_first); p; p = board_press(b, p->next))
        put(t, "  %s %s %llu %s %x %llu\n", p->device, p->epoch, (unsigned long long)p->n, kind_str(p->kind),
            p->oddities, (unsigned long long)p->seq);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Alarms and troubles in an order that does not depend on the places they lie at. */
static char *describe(struct board *b)
{
    char *parts[512];
    size_t count = 0;
    for (struct alarm *a = NULL; (a = board_next_alarm(b, a)) && count < 500;) {
        struct text t = {0};
        describe_alarm(&t, b, a);
        parts[count++] = t.bytes;
    }
    for (const struct trouble *r = NULL; (r = board_next_trouble(b, r)) && count < 512;) {
        struct text t = {0};
        put(&t, "trouble %s %s %llu\n", trouble_code_str(r->code), r->part, (unsigned long long)r->seq);
        parts[count++] = t.bytes;
    }
    qsort(parts, count, sizeof *parts, by_text);
    struct text all = {0};
    put(&all, "%u open, %u kept\n", board_counts(b).alarms_open, board_counts(b).alarms_kept);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(parts[i]);
        if (all.capacity - all.size < size + 1)
            all.bytes = realloc(all.bytes, all.capacity = all.capacity * 2 + size + 1);
        memcpy(all.bytes + all.size, parts[i], size + 1);
        all.size += size;
        free(parts[i]);
    }
    return all.bytes;
}

static bool apply(void *ctx, const struct store_event *e)
{
    struct event event;
    char why[LIMIT_TEXT];
    if (event_decode(e->line, e->size, &event, why))
        board_apply(ctx, &event);
    return true;
}

void check_board(struct world *w, const char *when)
{
    char error[LIMIT_TEXT];
    struct board *mirror = board_create();
    w->disk.memory->read(w->disk.memory, 1, apply, mirror, error);
    char *live = describe(engine_board(w->engine)), *replayed = describe(mirror);
    board_destroy(mirror);
    bool same = strcmp(live, replayed) == 0;
    if (!same && w->trace)
        printf("---- the board that lives:\n%s---- the board of the record:\n%s----\n", live, replayed);
    free(live);
    free(replayed);
    if (!same)
        fail(w, "%s the board is not the one that the record gives", when);
}

/* A trouble ends: none is shown of a part that is no more. */
static void check_troubles(struct world *w)
{
    struct board *b = engine_board(w->engine);
    for (const struct trouble *t = NULL; (t = board_next_trouble(b, t));) {
        bool endpoint = t->code == TROUBLE_ENDPOINT || t->code == TROUBLE_ENDPOINT_ANSWER;
        const struct alarm *a = t->code == TROUBLE_PLAN_EXHAUSTED ? board_alarm(b, t->part) : NULL;
        if ((endpoint && !conf_endpoint(w->confs[w->conf], t->part)) || t->code == TROUBLE_JOURNAL ||
            (t->code == TROUBLE_PLAN_EXHAUSTED && !(a && a->exhausted)))
            fail(w, "the trouble %s of %s is shown for ever", trouble_code_str(t->code), t->part);
    }
}

/* Faults have ended long ago: everything must be done. */
void check_settled(struct world *w, bool after_closing)
{
    if (!w->up)
        fail(w, "the daemon does not come up");
    if (journal_next_seq(w->journal) != w->disk.count + 1 && w->degraded)
        fail(w, "the journal does not recover");
    for (struct alarm *a = NULL; (a = board_next_alarm(engine_board(w->engine), a));) {
        bool old = w->now_ms - (a->changed_at_ms - w->wall_offset_ms) > 36000;
        for (unsigned i = 0; i < a->delivery_count; i++) {
            const struct delivery *d = &a->deliveries[i];
            if (old && alarm_owes(a, d) && conf_endpoint(w->confs[w->conf], d->endpoint))
                fail(w, "%s is still owed to %s (%s)", a->id, d->endpoint, delivery_state_str(d->state));
        }
        if (after_closing && a->state != ALARM_CLOSED)
            fail(w, "%s was closed and is %s", a->id, alarm_state_str(a->state));
    }
    check_troubles(w);
    devices_settled(w);
    model_settled(w);
    if (w->deeds_waiting)
        fail(w, "%d people still wait for an answer", w->deeds_waiting);
    if (after_closing)
        check_board(w, "at the end");
}
