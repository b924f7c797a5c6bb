#include "core/alarm.h"
#include "core/names.h"
#include <assert.h>
#include <string.h>

#define FORGET_AFTER_MS (3600 * 1000) /* how long the last word about a closed alarm is tried */

static const char *const state_names[] = {[ALARM_OPEN] = "open",
                                          [ALARM_ACKNOWLEDGED] = "acknowledged",
                                          [ALARM_COMING] = "coming",
                                          [ALARM_ON_SCENE] = "on_scene",
                                          [ALARM_CLOSED] = "closed"};
static const char *const delivery_names[] = {
    [DELIVERY_WAITING] = "waiting",         [DELIVERY_PENDING] = "pending", [DELIVERY_SENT] = "sent",
    [DELIVERY_RECEIVED] = "received",       [DELIVERY_UNCONFIRMED] = "unconfirmed",
    [DELIVERY_REFUSED] = "refused",         [DELIVERY_FAILING] = "failing",
};
static const char *const change_names[] = {
    [CHANGE_OPENED] = "opened",       [CHANGE_JOINED] = "joined",     [CHANGE_RAISED] = "raised",
    [CHANGE_ESCALATED] = "escalated", [CHANGE_REOPENED] = "reopened", [CHANGE_ACKNOWLEDGED] = "acknowledged",
    [CHANGE_COMING] = "coming",       [CHANGE_ON_SCENE] = "on_scene", [CHANGE_CLOSED] = "closed",
};
NAMES_DEFINE(alarm_state, enum alarm_state, state_names, ALARM_STATE_COUNT)
NAMES_DEFINE(delivery_state, enum delivery_state, delivery_names, DELIVERY_STATE_COUNT)
NAMES_DEFINE(change, enum change, change_names, CHANGE_COUNT)

static void copy_id(char to[LIMIT_ID], const char *from)
{
    size_t n = strnlen(from, LIMIT_ID - 1);
    memmove(to, from, n);
    to[n] = '\0';
}

static void set_delivery_state(struct delivery *d, enum delivery_state state, const struct event *e)
{
    if (d->state == state)
        return;
    d->state = state;
    d->since_ms = e->at_ms;
}

static void want(struct alarm *a, struct delivery *d, const struct event *e)
{
    d->wanted_version = a->version;
    if (d->state == DELIVERY_WAITING || d->state == DELIVERY_RECEIVED)
        set_delivery_state(d, DELIVERY_PENDING, e);
}

/* Something happened that endpoints shall hear of. Whoever acknowledged is told of deeds and presses, but not
 * pestered with the escalation that goes on for the others. */
static void note_change(struct alarm *a, enum change change, const struct event *e)
{
    a->version++;
    a->change = change;
    a->changed_at_ms = e->at_ms;
    for (unsigned i = 0; i < a->delivery_count; i++) {
        struct delivery *d = &a->deliveries[i];
        bool pesters = change == CHANGE_ESCALATED && a->acked & 1u << d->role && d->wanted_version > 0;
        if (d->step <= a->step && !pesters)
            want(a, d, e);
    }
}

/* The one place where the state is set. */
static void enter(struct alarm *a, enum alarm_state state, const struct event *e)
{
    assert(state < ALARM_STATE_COUNT);
    a->state = state;
    memset(a->due_clock_ms, 0, sizeof a->due_clock_ms);
    if (state != ALARM_OPEN)
        a->exhausted = false;
    switch (state) {
    case ALARM_OPEN:
        if (a->mode == MODE_TEST)
            a->due_clock_ms[DEADLINE_TEST] = a->opened_clock_ms + (int64_t)a->plan.answer_timeout_s[0] * 1000;
        else
            a->due_clock_ms[DEADLINE_ANSWER] = e->clock_ms + (int64_t)a->plan.answer_timeout_s[a->step] * 1000;
        break;
    case ALARM_ACKNOWLEDGED:
        if (a->plan.coming_timeout_s > 0)
            a->due_clock_ms[DEADLINE_COMING] = e->clock_ms + (int64_t)a->plan.coming_timeout_s * 1000;
        break;
    case ALARM_CLOSED:
        a->closed_clock_ms = e->clock_ms;
        a->due_clock_ms[DEADLINE_FORGET] = e->clock_ms + FORGET_AFTER_MS;
        break;
    case ALARM_COMING:
    case ALARM_ON_SCENE:
    case ALARM_STATE_COUNT:
        break;
    }
    if (a->mode == MODE_TEST && state != ALARM_OPEN && state != ALARM_CLOSED)
        a->due_clock_ms[DEADLINE_TEST] = a->opened_clock_ms + (int64_t)a->plan.answer_timeout_s[0] * 1000;
}

void alarm_open(struct alarm *a, const struct event *e)
{
    const struct event_press *p = &e->press;
    memcpy(a->id, e->alarm, sizeof a->id);
    copy_id(a->site, p->site);
    a->class = kind_class(p->kind);
    a->mode = p->mode;
    a->kind = p->kind;
    a->version = a->joined_version = 1;
    a->change = CHANGE_OPENED;
    a->plan = p->plan;
    if (a->plan.step_count == 0) { /* only a damaged record gets here; the alarm still shows on every screen */
        a->plan.step_count = 1;
        a->plan.answer_timeout_s[0] = 60;
    }
    a->opened_at_ms = a->changed_at_ms = e->at_ms;
    a->opened_clock_ms = e->clock_ms;
    a->opened_seq = a->last_seq = e->seq;
    for (unsigned i = 0; i < a->plan.endpoint_count && i < LIMIT_PLAN_ENDPOINTS; i++) {
        struct delivery *d = &a->deliveries[a->delivery_count++];
        copy_id(d->endpoint, a->plan.endpoints[i].id);
        d->role = a->plan.endpoints[i].role;
        d->step = a->plan.endpoints[i].step;
        d->since_ms = e->at_ms;
        if (d->step == 0)
            want(a, d, e);
    }
    enter(a, ALARM_OPEN, e);
}

static enum step_result escalate(struct alarm *a, const struct event *e)
{
    if (a->step + 1 < a->plan.step_count) {
        a->step++;
    } else {
        a->rounds++;
        a->exhausted = true;
    }
    note_change(a, CHANGE_ESCALATED, e);
    enter(a, ALARM_OPEN, e);
    return STEP_CHANGED;
}

static void forget_answers(struct alarm *a)
{
    a->acked = 0;
    memset(a->reached, ALARM_OPEN, sizeof a->reached);
    memset(a->acked_by, 0, sizeof a->acked_by);
    memset(a->reached_by, 0, sizeof a->reached_by);
    a->acknowledged_by[0] = a->coming_by[0] = a->on_scene_by[0] = a->closed_by[0] = '\0';
}

static enum step_result reopen(struct alarm *a, const struct event *e)
{
    forget_answers(a);
    note_change(a, CHANGE_REOPENED, e);
    enter(a, ALARM_OPEN, e);
    return STEP_CHANGED;
}

bool alarm_gets_graver(const struct alarm *a, const struct event *press)
{
    return press->press.kind != KIND_CANCEL && press->press.kind > a->kind;
}

bool alarm_said_no(const struct delivery *d)
{
    return d->state == DELIVERY_REFUSED || d->state == DELIVERY_UNCONFIRMED;
}

/* A further press. `reopens`: in this state any press asks for an answer again, not only a graver one. */
static enum step_result join(struct alarm *a, const struct event *e, bool reopens)
{
    if (e->press.kind == KIND_CANCEL) {
        a->cancels += a->cancels < UINT8_MAX;
        note_change(a, CHANGE_JOINED, e);
        return STEP_CHANGED;
    }
    bool graver = alarm_gets_graver(a, e);
    for (unsigned i = 0; graver && i < a->delivery_count; i++)
        if (alarm_said_no(&a->deliveries[i])) /* the engine has cancelled it */
            a->deliveries[i].sending_version = a->deliveries[i].sending_presses = 0;
    if (graver)
        a->kind = e->press.kind;
    if (a->state != ALARM_OPEN && (reopens || graver)) {
        reopen(a, e);
    } else {
        if (graver)
            forget_answers(a); /* who answered the lesser one has not answered this */
        note_change(a, graver ? CHANGE_RAISED : CHANGE_JOINED, e);
    }
    a->joined_version = a->version;
    return STEP_CHANGED;
}

/* What came of one attempt. All of a step's endpoints refusing is an answer too: the next step need not wait. */
static enum step_result delivered(struct alarm *a, const struct event *e)
{
    static const enum delivery_state state_of[OUTCOME_COUNT] = {[OUTCOME_RECEIVED] = DELIVERY_RECEIVED,
                                                                [OUTCOME_UNCONFIRMED] = DELIVERY_UNCONFIRMED,
                                                                [OUTCOME_REFUSED] = DELIVERY_REFUSED,
                                                                [OUTCOME_FAILED] = DELIVERY_FAILING};
    const struct event_delivery *r = &e->delivery;
    struct delivery *d = alarm_delivery(a, r->endpoint);
    if (!d)
        return STEP_UNCHANGED;
    d->http_status = r->http_status;
    d->attempts = r->attempt;
    set_delivery_state(d, state_of[r->outcome], e);
    if (r->outcome == OUTCOME_RECEIVED) {
        if (r->version > d->told_version)
            d->told_version = r->version;
        if (r->presses > d->told_presses)
            d->told_presses = r->presses;
        if (d->sending_version == r->version)
            d->sending_version = d->sending_presses = 0;
        d->attempts = 0;
        if (alarm_owes(a, d))
            set_delivery_state(d, DELIVERY_PENDING, e);
        return STEP_CHANGED;
    }
    if (r->outcome != OUTCOME_REFUSED || a->state != ALARM_OPEN || a->step + 1 >= a->plan.step_count)
        return STEP_CHANGED;
    for (unsigned i = 0; i < a->delivery_count; i++)
        if (a->deliveries[i].step == a->step && a->deliveries[i].state != DELIVERY_REFUSED)
            return STEP_CHANGED;
    return escalate(a, e);
}

/* As far as any role has come. */
static enum alarm_state furthest(const struct alarm *a)
{
    enum alarm_state state = ALARM_OPEN;
    for (unsigned role = 0; role < ROLE_COUNT; role++)
        if (a->reached[role] > state)
            state = (enum alarm_state)a->reached[role];
    return state;
}

/* A person's deed towards `target`. It counts as that role's acknowledgement; the state follows once every role that
 * is needed has answered. Until then the escalation goes on for the others. */
static enum step_result take(struct alarm *a, const struct event *e, enum alarm_state target, enum change change,
                             char by[LIMIT_ID])
{
    const unsigned bit = 1u << e->deed.role;
    if (a->reached[e->deed.role] >= target)
        return STEP_ALREADY;
    a->reached[e->deed.role] = (uint8_t)target;
    copy_id(a->reached_by[e->deed.role], e->deed.by);
    if (!(a->acked & bit))
        copy_id(a->acked_by[e->deed.role], e->deed.by);
    a->acked |= bit;
    copy_id(by, e->deed.by);
    if (a->acknowledged_by[0] == '\0')
        copy_id(a->acknowledged_by, e->deed.by);
    note_change(a, change, e);
    enum alarm_state reached = furthest(a);
    if (a->state < reached && (a->acked & a->plan.acks_needed) == a->plan.acks_needed)
        enter(a, reached, e);
    return STEP_CHANGED;
}

static enum step_result deed(struct alarm *a, const struct event *e)
{
    if (e->type == EVENT_ACKNOWLEDGED)
        return take(a, e, ALARM_ACKNOWLEDGED, CHANGE_ACKNOWLEDGED, a->acknowledged_by);
    if (e->type == EVENT_COMING)
        return take(a, e, ALARM_COMING, CHANGE_COMING, a->coming_by);
    return take(a, e, ALARM_ON_SCENE, CHANGE_ON_SCENE, a->on_scene_by);
}

/* Everybody whose step had come hears that it is over, also who has not answered yet: it may have been received. */
static enum step_result finish(struct alarm *a, const struct event *e, const char *by, enum disposition disposition)
{
    copy_id(a->closed_by, by);
    a->disposition = disposition;
    a->version++;
    a->change = CHANGE_CLOSED;
    a->changed_at_ms = e->at_ms;
    for (unsigned i = 0; i < a->delivery_count; i++) {
        struct delivery *d = &a->deliveries[i];
        if (d->wanted_version > 0)
            want(a, d, e);
        d->sending_version = d->sending_presses = 0; /* the engine has cancelled it: the last word replaces it */
    }
    enter(a, ALARM_CLOSED, e);
    return STEP_CHANGED;
}

static enum step_result close_alarm(struct alarm *a, const struct event *e)
{
    if (e->deed.seen_version != 0 && e->deed.seen_version < a->joined_version)
        return STEP_IMPOSSIBLE;
    return finish(a, e, e->deed.by, e->deed.disposition);
}

bool alarm_is_due(const struct alarm *a, const struct event *deadline)
{
    enum deadline_kind kind = deadline->deadline.kind;
    int64_t due_clock_ms = kind < DEADLINE_COUNT ? a->due_clock_ms[kind] : 0;
    return due_clock_ms != 0 && deadline->clock_ms >= due_clock_ms;
}

/* What is due is set only where it means something: enter(). */
static enum step_result deadline_open(struct alarm *a, const struct event *e)
{
    const enum deadline_kind kind = e->deadline.kind;
    if (!alarm_is_due(a, e) || (kind == DEADLINE_ANSWER && e->deadline.step != a->step))
        return STEP_UNCHANGED;
    if (kind == DEADLINE_ANSWER)
        return escalate(a, e);
    return kind == DEADLINE_COMING ? reopen(a, e) : finish(a, e, "tocsind", DISPOSITION_TEST);
}

/* What every state but closed has in common; `reopens` is what a further press means there. */
static enum step_result step_alive(struct alarm *a, const struct event *e, bool reopens)
{
    switch (e->type) {
    case EVENT_PRESS_RECEIVED:
        return join(a, e, reopens);
    case EVENT_DEADLINE_PASSED:
        return deadline_open(a, e);
    case EVENT_DELIVERY_RESULT:
        return delivered(a, e);
    case EVENT_ACKNOWLEDGED:
    case EVENT_COMING:
    case EVENT_ON_SCENE:
        return deed(a, e);
    case EVENT_CLOSED:
        return close_alarm(a, e);
    case EVENT_NOTE_ADDED:
        return STEP_CHANGED;
    case EVENT_DAEMON_STARTED:
    case EVENT_DAEMON_STOPPED:
    case EVENT_PRESS_REFUSED:
    case EVENT_TROUBLE_RAISED:
    case EVENT_TROUBLE_CLEARED:
    case EVENT_CONF_LOADED:
    case EVENT_JOURNAL_GAP:
    case EVENT_SIGNED_IN:
    case EVENT_SIGNED_OUT:
    case EVENT_SIGN_IN_REFUSED:
    case EVENT_ACTION_REFUSED:
    case EVENT_TYPE_COUNT:
        break;
    }
    return STEP_UNCHANGED;
}

static enum step_result step_open(struct alarm *a, const struct event *e)
{
    return step_alive(a, e, false);
}

static enum step_result step_acknowledged(struct alarm *a, const struct event *e)
{
    return step_alive(a, e, true);
}

static enum step_result step_coming(struct alarm *a, const struct event *e)
{
    return step_alive(a, e, false);
}

static enum step_result step_on_scene(struct alarm *a, const struct event *e)
{
    return step_alive(a, e, false);
}

static enum step_result step_closed(struct alarm *a, const struct event *e)
{
    switch (e->type) {
    case EVENT_PRESS_RECEIVED: /* it joined while somebody was closing: nobody has seen it, so it is open again */
        if (e->press.kind == KIND_CANCEL)
            return STEP_UNCHANGED;
        return join(a, e, true);
    case EVENT_DEADLINE_PASSED:
        if (e->deadline.kind == DEADLINE_FORGET && alarm_is_due(a, e)) {
            for (unsigned i = 0; i < a->delivery_count; i++)
                a->deliveries[i].wanted_version = a->deliveries[i].sending_version = 0;
            memset(a->due_clock_ms, 0, sizeof a->due_clock_ms);
        }
        return STEP_UNCHANGED;
    case EVENT_DELIVERY_RESULT:
        return delivered(a, e);
    case EVENT_ACKNOWLEDGED:
    case EVENT_COMING:
    case EVENT_ON_SCENE:
        return STEP_IMPOSSIBLE;
    case EVENT_CLOSED:
        return STEP_ALREADY;
    case EVENT_NOTE_ADDED:
        return STEP_CHANGED;
    case EVENT_DAEMON_STARTED:
    case EVENT_DAEMON_STOPPED:
    case EVENT_PRESS_REFUSED:
    case EVENT_TROUBLE_RAISED:
    case EVENT_TROUBLE_CLEARED:
    case EVENT_CONF_LOADED:
    case EVENT_JOURNAL_GAP:
    case EVENT_SIGNED_IN:
    case EVENT_SIGNED_OUT:
    case EVENT_SIGN_IN_REFUSED:
    case EVENT_ACTION_REFUSED:
    case EVENT_TYPE_COUNT:
        break;
    }
    return STEP_UNCHANGED;
}

enum step_result alarm_step(struct alarm *a, const struct event *e)
{
    static enum step_result (*const step[ALARM_STATE_COUNT])(struct alarm *, const struct event *) = {
        [ALARM_OPEN] = step_open,         [ALARM_ACKNOWLEDGED] = step_acknowledged, [ALARM_COMING] = step_coming,
        [ALARM_ON_SCENE] = step_on_scene, [ALARM_CLOSED] = step_closed,
    };
    if (e->seq > a->last_seq)
        a->last_seq = e->seq;
    return step[a->state](a, e);
}

bool alarm_owes(const struct alarm *a, const struct delivery *d)
{
    return d->wanted_version > 0 && (d->wanted_version > d->told_version || d->told_presses < a->press_count);
}

bool alarm_owes_any(const struct alarm *a)
{
    for (unsigned i = 0; i < a->delivery_count; i++)
        if (alarm_owes(a, &a->deliveries[i]))
            return true;
    return false;
}

struct delivery *alarm_delivery(struct alarm *a, const char *endpoint)
{
    for (unsigned i = 0; i < a->delivery_count; i++)
        if (strcmp(a->deliveries[i].endpoint, endpoint) == 0)
            return &a->deliveries[i];
    return NULL;
}

const char *alarm_stage(const struct alarm *a)
{
    if (a->state != ALARM_OPEN)
        return alarm_state_str(a->state);
    for (unsigned i = 0; i < a->delivery_count; i++)
        if (a->deliveries[i].told_version > 0)
            return "delivered";
    return "recorded";
}
