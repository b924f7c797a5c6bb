#include "simulate.h"
#include "core/id.h"
#include <stdlib.h>
#include <string.h>

#define START_CLOCK_MS 1000000 /* any moment but 0, which means "not set" */
#define RESULTS (LIMIT_PLAN_ENDPOINTS * 2)

struct run {
    struct simulation *s;
    struct board *board;
    int64_t now_ms; /* since the first press */
    uint64_t seq;
    char alarm[LIMIT_ALARM_ID]; /* the one that deeds are about */
    struct event results[RESULTS];
    unsigned result_count;
};

static struct simulated *new_item(struct simulation *s, int64_t after_ms, enum event_type type)
{
    if (s->item_count == s->item_capacity)
        return NULL;
    struct simulated *item = &s->items[s->item_count++];
    memset(item, 0, sizeof *item);
    item->after_ms = after_ms;
    item->event.type = type;
    return item;
}

bool simulate_press(struct simulation *s, int64_t after_ms, const struct conf_device *device, enum kind kind)
{
    struct simulated *item = new_item(s, after_ms, device->disabled ? EVENT_PRESS_REFUSED : EVENT_PRESS_RECEIVED);
    if (!item)
        return false;
    struct event_press *p = &item->event.press;
    snprintf(p->site, sizeof p->site, "%s", s->site);
    snprintf(p->device, sizeof p->device, "%s", device->id);
    snprintf(p->zone, sizeof p->zone, "%s", device->zone ? device->zone : "");
    strcpy(p->epoch, "simulated");
    p->n = s->item_count;
    p->has_identity = true;
    p->kind = kind;
    p->mode = s->mode;
    p->battery = -1;
    if (device->disabled)
        p->refusal = REFUSAL_DEVICE_DISABLED;
    return true;
}

bool simulate_event(struct simulation *s, int64_t after_ms, const struct event *e)
{
    struct simulated *item = new_item(s, after_ms, e->type);
    if (item)
        item->event = *e;
    return item != NULL;
}

bool simulate_deed(struct simulation *s, int64_t after_ms, enum event_type type, enum role role,
                   const char *by, const char *endpoint)
{
    struct simulated *item = new_item(s, after_ms, type);
    if (!item)
        return false;
    struct event_deed *d = &item->event.deed;
    snprintf(d->by, sizeof d->by, "%s", by);
    snprintf(d->endpoint, sizeof d->endpoint, "%s", endpoint);
    d->role = role;
    d->disposition = s->mode == MODE_TEST    ? DISPOSITION_TEST
                     : s->mode == MODE_DRILL ? DISPOSITION_DRILL
                                             : DISPOSITION_REAL;
    return true;
}

static void apply(struct run *r, struct event *e)
{
    if (!r->s->recorded)
        e->seq = ++r->seq;
    e->clock_ms = e->at_ms = START_CLOCK_MS + r->now_ms;
    const struct alarm *a = board_alarm(r->board, e->alarm);
    enum alarm_state before = a ? a->state : ALARM_STATE_COUNT;
    bool exhausted = a && a->exhausted;
    board_apply(r->board, e);
    a = board_alarm(r->board, e->alarm);
    r->s->happened(r->s->ctx, r->now_ms, e, a, before, exhausted, board_last_result(r->board));
}

/* A press joins the open case of its place or opens one; of a disabled device it does neither. A deed is about
 * the first case until that is closed. */
static void apply_item(struct run *r, const struct simulated *item)
{
    struct event e = item->event;
    if (r->s->recorded || e.type == EVENT_PRESS_REFUSED) {
        apply(r, &e);
        return;
    }
    if (e.type == EVENT_PRESS_RECEIVED) {
        enum alarm_class class = kind_class(e.press.kind);
        const struct alarm *open = board_open_alarm(r->board, e.press.site, class, e.press.mode), *its = NULL;
        if (e.press.kind == KIND_CANCEL) /* of the case that this button is part of, whatever its class */
            its = board_alarm_of_device(r->board, e.press.site, e.press.device);
        if (its && its->state != ALARM_CLOSED && its->mode == e.press.mode)
            open = its;
        if (open) {
            memcpy(e.alarm, open->id, sizeof e.alarm);
        } else if (e.press.kind != KIND_CANCEL) {
            alarm_id_of(e.alarm, e.press.site, e.press.device, e.press.epoch, e.press.n);
            e.press.plan = r->s->plan;
            const struct alarm *answered = board_alarm(r->board, r->alarm);
            if (!answered || answered->state == ALARM_CLOSED)
                memcpy(r->alarm, e.alarm, sizeof r->alarm);
        } else {
            e.type = EVENT_PRESS_REFUSED;
            e.press.refusal = REFUSAL_NOTHING_TO_CANCEL;
        }
    } else {
        memcpy(e.alarm, r->alarm, sizeof e.alarm);
    }
    apply(r, &e);
}

static void tell(void *ctx, const struct effect *effect)
{
    struct run *r = ctx;
    r->s->told(r->s->ctx, r->now_ms, effect);
    if (r->s->recorded || r->result_count == RESULTS)
        return;
    struct event *e = &r->results[r->result_count++];
    memset(e, 0, sizeof *e);
    e->type = EVENT_DELIVERY_RESULT;
    memcpy(e->alarm, effect->alarm->id, sizeof e->alarm);
    memcpy(e->delivery.endpoint, effect->delivery->endpoint, sizeof e->delivery.endpoint);
    e->delivery.version = effect->delivery->sending_version;
    e->delivery.presses = effect->delivery->sending_presses;
    e->delivery.attempt = 1;
    e->delivery.outcome = OUTCOME_RECEIVED;
    e->delivery.http_status = 200;
    e->delivery.recorded = true;
}

/* Everything that is owed at this moment is told and received. */
static void settle(struct run *r)
{
    do {
        r->result_count = 0;
        board_take_effects(r->board, START_CLOCK_MS + r->now_ms, r->s->gather_ms, tell, r);
        for (unsigned i = 0; i < r->result_count; i++)
            apply(r, &r->results[i]);
    } while (r->result_count > 0);
}

static int by_moment(const void *a, const void *b)
{
    const struct simulated *one = a, *other = b;
    if (one->after_ms != other->after_ms)
        return one->after_ms > other->after_ms ? 1 : -1;
    return (one->event.seq > other->event.seq) - (one->event.seq < other->event.seq);
}

bool simulate(struct simulation *s)
{
    struct run *r = calloc(1, sizeof *r);
    struct board *board = board_create();
    if (!r || !board) {
        free(r);
        board_destroy(board);
        return false;
    }
    r->s = s;
    r->board = board;
    qsort(s->items, s->item_count, sizeof *s->items, by_moment);
    for (unsigned next = 0;;) {
        int64_t due = board_due(board);
        int64_t moment = due == INT64_MAX ? INT64_MAX : due - START_CLOCK_MS;
        if (next < s->item_count && s->items[next].after_ms < moment)
            moment = s->items[next].after_ms;
        if (moment > s->until_ms)
            break;
        r->now_ms = moment > r->now_ms ? moment : r->now_ms;
        struct event e;
        while (board_next_deadline(board, START_CLOCK_MS + r->now_ms, &e))
            if (!s->recorded)
                apply(r, &e);
        while (next < s->item_count && s->items[next].after_ms <= r->now_ms) {
            apply_item(r, &s->items[next++]);
            settle(r);
        }
        settle(r);
    }
    board_destroy(board);
    free(r);
    return true;
}
