/* house - the daemon's parts, as main.c builds them and house_reload.c exchanges their configuration. */
#ifndef TOCSIN_HOUSE_H
#define TOCSIN_HOUSE_H

#include "engine.h"
#include "io/api.h"
#include "io/dispatch_http.h"
#include "io/health.h"
#include "io/mqtt.h"
#include "io/service.h"
#include "io/vigil.h"
#include "journal/history.h"
#include "journal/journal.h"
#include <stdatomic.h>

struct house {
    const char *conf_file;
    struct conf *conf;
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_async_t committed;
    uv_timer_t wake, drain, session_trouble;
    struct vigil vigil;
    int64_t wake_boottime_ms;
    int lock;
    struct store *store;
    struct journal *journal;
    _Atomic(struct journal *) expecting; /* the same, once it runs: for foreign threads */
    struct history *history;
    struct engine *engine;
    struct mqtt *mqtt;
    struct dispatch *dispatch;
    struct api *api;
    struct health *health;
    struct service *service;
    int64_t drain_until_boottime_ms;
    unsigned parts_running;
    bool stopping, reloading, reload_again;
};

/* Reads the configuration again, beside the loop, and exchanges it on the loop; a bad one is refused, and the desk is
 * told why. Called while one is being read: it is read once more afterwards. */
void house_reload(struct house *h);

/* Tells the broker's client which devices have their PUBACK only after the commit. */
void house_late_devices(struct house *h);

#endif
