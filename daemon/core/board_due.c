/* What is due and what is owed: a heap of alarms by their next moment. */
#include "core/board_private.h"
#include <assert.h>
#include <string.h>

static int64_t key(const struct board *b, uint32_t place)
{
    return b->alarms[b->heap[place]].next_due_clock_ms;
}

static void put(struct board *b, uint32_t place, uint32_t number)
{
    b->heap[place] = number;
    b->alarms[number].heap_place = place + 1;
}

static void sift(struct board *b, uint32_t place)
{
    uint32_t number = b->heap[place];
    int64_t due = b->alarms[number].next_due_clock_ms;
    while (place > 0 && key(b, (place - 1) / 2) > due) {
        put(b, place, b->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= b->heap_size)
            break;
        if (child + 1 < b->heap_size && key(b, child + 1) < key(b, child))
            child++;
        if (key(b, child) >= due)
            break;
        put(b, place, b->heap[child]);
        place = child;
    }
    put(b, place, number);
}

void board_due_remove(struct board *b, struct alarm *a)
{
    if (a->heap_place == 0)
        return;
    uint32_t place = a->heap_place - 1;
    a->heap_place = 0;
    uint32_t last = b->heap[--b->heap_size];
    if (place == b->heap_size)
        return;
    put(b, place, last);
    sift(b, place);
}

void board_due_update(struct board *b, struct alarm *a)
{
    int64_t due = a->gather_due_clock_ms ? a->gather_due_clock_ms : INT64_MAX;
    for (unsigned k = 0; k < DEADLINE_COUNT; k++)
        if (a->due_clock_ms[k] != 0 && !(a->deadline_posted & 1u << k) && a->due_clock_ms[k] < due)
            due = a->due_clock_ms[k];
    a->next_due_clock_ms = due;
    if (due == INT64_MAX) {
        board_due_remove(b, a);
        return;
    }
    if (a->heap_place == 0) {
        assert(b->heap_size < LIMIT_ALARMS);
        put(b, b->heap_size++, board_number(b, a));
    }
    sift(b, a->heap_place - 1);
}

int64_t board_due(const struct board *b)
{
    return b->heap_size ? key(b, 0) : INT64_MAX;
}

bool board_next_deadline(struct board *b, int64_t clock_ms, struct event *out)
{
    if (b->heap_size == 0 || key(b, 0) > clock_ms)
        return false;
    struct alarm *a = &b->alarms[b->heap[0]];
    for (unsigned k = 0; k < DEADLINE_COUNT; k++) {
        if (a->due_clock_ms[k] == 0 || a->deadline_posted & 1u << k || a->due_clock_ms[k] > clock_ms)
            continue;
        a->deadline_posted |= (uint8_t)(1u << k);
        board_due_update(b, a);
        memset(out, 0, sizeof *out);
        out->type = EVENT_DEADLINE_PASSED;
        memcpy(out->alarm, a->id, sizeof out->alarm);
        out->deadline.kind = (enum deadline_kind)k;
        out->deadline.step = a->step;
        return true;
    }
    return false; /* only a gathered delivery is due: board_take_effects() sees to it */
}

/* Everything goes at once, but for one thing: presses that follow closely upon the last telling gather for a while. */
static int64_t send_moment(const struct alarm *a, const struct delivery *d, int64_t gather_ms)
{
    bool company = d->told_version > 0 && a->change == CHANGE_JOINED &&
                   a->press_count - d->told_presses < LIMIT_BODY_PRESSES;
    return company ? d->sent_clock_ms + gather_ms : 0;
}

void board_send(struct alarm *a, struct delivery *d, int64_t clock_ms, board_effect_fn *emit, void *ctx)
{
    uint32_t news = a->press_count - d->told_presses;
    if (news > LIMIT_BODY_PRESSES)
        news = LIMIT_BODY_PRESSES;
    d->sending_version = a->version;
    d->sending_changed_ms = a->changed_at_ms;
    d->sending_presses = d->told_presses + news;
    d->sent_clock_ms = clock_ms;
    if (d->state == DELIVERY_PENDING)
        d->state = DELIVERY_SENT;
    struct effect effect = {.alarm = a, .delivery = d, .first_press = d->told_presses, .press_count = news};
    emit(ctx, &effect);
}

static void take(struct board *b, struct alarm *a, int64_t clock_ms, int64_t gather_ms, board_effect_fn *emit,
                 void *ctx)
{
    a->gather_due_clock_ms = 0;
    for (unsigned i = 0; i < a->delivery_count; i++) {
        struct delivery *d = &a->deliveries[i];
        if (d->sending_version != 0 || !alarm_owes(a, d))
            continue;
        int64_t moment = send_moment(a, d, gather_ms);
        if (moment <= clock_ms)
            board_send(a, d, clock_ms, emit, ctx);
        else if (a->gather_due_clock_ms == 0 || moment < a->gather_due_clock_ms)
            a->gather_due_clock_ms = moment;
    }
    board_due_update(b, a);
}

void board_take_effects(struct board *b, int64_t clock_ms, int64_t gather_ms, board_effect_fn *emit, void *ctx)
{
    for (uint32_t i = 0; i < b->fresh_count; i++) {
        struct alarm *a = &b->alarms[b->fresh[i]];
        a->fresh = false;
        take(b, a, clock_ms, gather_ms, emit, ctx);
    }
    b->fresh_count = 0;
    while (b->heap_size > 0 && key(b, 0) <= clock_ms) {
        struct alarm *a = &b->alarms[b->heap[0]];
        if (a->gather_due_clock_ms == 0 || a->gather_due_clock_ms > clock_ms)
            break; /* a deadline comes first: board_next_deadline() */
        take(b, a, clock_ms, gather_ms, emit, ctx);
    }
}

struct alarm *board_take_changed(struct board *b)
{
    if (b->changed_count == 0)
        return NULL;
    struct alarm *a = &b->alarms[b->changed[--b->changed_count]];
    a->changed = false;
    return a;
}
