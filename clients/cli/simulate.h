/* simulate.h - what a press would set off, in simulated time: the daemon's own core, nobody else's logic.
 *
 * Promises: no file, socket or clock is touched; equal questions give equal answers. Every telling is
 * received at once.
 *
 *     struct simulation s = {.conf = conf, .site = site, .until_ms = 1800000, .told = …, .happened = …};
 *     simulate(&s);
 */
#ifndef TOCSIN_CLI_SIMULATE_H
#define TOCSIN_CLI_SIMULATE_H

#include "conf/conf.h"
#include "core/board.h"

#define SIMULATION_ITEMS 64

/* A press (EVENT_PRESS_RECEIVED) or a deed at a moment. */
struct simulated {
    int64_t after_ms;
    struct event event;
};

struct simulation {
    const struct conf *conf;
    const struct conf_site *site;
    enum mode mode;
    int64_t until_ms;
    struct simulated items[SIMULATION_ITEMS]; /* in any order; the first press is one of them */
    unsigned item_count;

    /* An endpoint is told; the effect is valid during the call. */
    void (*told)(void *ctx, int64_t after_ms, const struct effect *);
    /* An event was applied. `before`: the alarm's state until then, ALARM_STATE_COUNT = there was none.
     * `alarm`: NULL = it opened none. */
    void (*happened)(void *ctx, int64_t after_ms, const struct event *, const struct alarm *,
                     enum alarm_state before, bool exhausted_before);
    void *ctx;
};

/* False: there is not enough memory. */
bool simulate(struct simulation *);

/* A press of a device, or a deed; false when the simulation is full. */
bool simulate_press(struct simulation *, int64_t after_ms, const struct conf_device *, enum kind);
bool simulate_deed(struct simulation *, int64_t after_ms, enum event_type, enum role, const char *by,
                   const char *endpoint);

#endif
