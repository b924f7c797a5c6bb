/* simulate.h - what a press would set off, in simulated time: the daemon's own core, nobody else's logic.
 *
 * Promises: no file, socket or clock is touched; equal questions give equal answers. Every telling is
 * received at once. Or, with `recorded`, a journal's lines told again with the tellings that were owed at each of
 * them: then nothing is added to the lines.
 *
 *     struct simulated items[8];
 *     struct simulation s = {.site = "school-1", .plan = plan, .until_ms = 1800000, .items = items, .item_capacity = 8,
 *                            .told = …, .happened = …};
 *     simulate_press(&s, 0, device, KIND_PANIC);
 *     simulate(&s);
 */
#ifndef TOCSIN_SIMULATE_H
#define TOCSIN_SIMULATE_H

#include "conf/conf.h"
#include "core/board.h"

/* A press (EVENT_PRESS_RECEIVED; EVENT_PRESS_REFUSED when its device is disabled) or a deed at a moment; with `recorded`
 * any event of the alarm. */
struct simulated {
    int64_t after_ms;
    struct event event;
};

struct simulation {
    const char *site;
    enum mode mode;
    struct plan plan; /* of an alarm that a press opens */
    int64_t gather_ms, until_ms;
    bool recorded;
    struct simulated *items; /* in any order; the first press is one of them */
    unsigned item_count, item_capacity;

    /* An endpoint is told; the effect is valid during the call. */
    void (*told)(void *ctx, int64_t after_ms, const struct effect *);
    /* An event was applied. `before`: the alarm's state until then, ALARM_STATE_COUNT = there was none.
     * `alarm`: NULL = it opened none, or is forgotten. */
    void (*happened)(void *ctx, int64_t after_ms, const struct event *, const struct alarm *,
                     enum alarm_state before, bool exhausted_before, enum step_result);
    void *ctx;
};

/* False: there is not enough memory. */
bool simulate(struct simulation *);

/* A press of a device, a deed, or an event as it is; false when the simulation is full. */
bool simulate_press(struct simulation *, int64_t after_ms, const struct conf_device *, enum kind);
bool simulate_event(struct simulation *, int64_t after_ms, const struct event *);
bool simulate_deed(struct simulation *, int64_t after_ms, enum event_type, enum role, const char *by,
                   const char *endpoint);

#endif
