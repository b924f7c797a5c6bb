/* board_rig.h - a board that events are applied to as the engine does: numbered, and stamped with a clock of
 * the test. */
#ifndef TOCSIN_BOARD_RIG_H
#define TOCSIN_BOARD_RIG_H

#include "core/board.h"
#include "core/id.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct board *board;
    uint64_t seq;
    int64_t clock_ms;
};

static inline void apply(struct world *w, struct event *e)
{
    e->seq = ++w->seq;
    e->clock_ms = w->clock_ms;
    e->at_ms = 1700000000000 + w->clock_ms;
    board_apply(w->board, e);
}

static inline struct event press_of(const char *site, const char *device, uint64_t n, const char *alarm)
{
    struct event e = {.type = EVENT_PRESS_RECEIVED};
    snprintf(e.press.site, LIMIT_ID, "%s", site);
    snprintf(e.press.device, LIMIT_ID, "%s", device);
    strcpy(e.press.epoch, "e1");
    e.press.n = n;
    e.press.has_identity = true;
    e.press.kind = KIND_PANIC;
    e.press.plan = (struct plan){.id = "p",
                                 .step_count = 2,
                                 .endpoint_count = 2,
                                 .acks_needed = 1u << ROLE_POLICE,
                                 .answer_timeout_s = {10, 10},
                                 .coming_timeout_s = 60,
                                 .endpoints = {{"police", ROLE_POLICE, 0}, {"guard", ROLE_GUARD, 1}}};
    if (alarm)
        snprintf(e.alarm, LIMIT_ALARM_ID, "%s", alarm);
    else
        alarm_id_of(e.alarm, site, device, "e1", n);
    return e;
}

struct taken {
    unsigned count, first_press, presses;
    char endpoint[LIMIT_ID];
};

static inline void note_effect(void *ctx, const struct effect *effect)
{
    struct taken *t = ctx;
    t->count++;
    t->first_press = effect->first_press;
    t->presses = effect->press_count;
    snprintf(t->endpoint, LIMIT_ID, "%s", effect->delivery->endpoint);
}

static inline struct taken take(struct world *w)
{
    struct taken t = {0};
    board_take_effects(w->board, w->clock_ms, 100, note_effect, &t);
    return t;
}

static inline void result(struct world *w, const char *alarm, const char *endpoint,
                          enum delivery_outcome outcome)
{
    const struct delivery *d = alarm_delivery(board_alarm(w->board, alarm), endpoint);
    struct event e = {
        .type = EVENT_DELIVERY_RESULT,
        .delivery = {.version = d->sending_version, .presses = d->sending_presses, .outcome = outcome}};
    snprintf(e.alarm, LIMIT_ALARM_ID, "%s", alarm);
    snprintf(e.delivery.endpoint, LIMIT_ID, "%s", endpoint);
    apply(w, &e);
}

static inline struct event close_of(const struct event *press)
{
    struct event e = {.type = EVENT_CLOSED};
    memcpy(e.alarm, press->alarm, sizeof e.alarm);
    strcpy(e.deed.by, "desk");
    return e;
}

#endif
