/* house - the daemon's parts, as main.c builds them; house_broker.c connects them with the broker, house_reload.c
 * exchanges their configuration, house_last_good.c keeps a copy of it, house_record.c gets back the record, house_api.c
 * serves the desks. */
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

/* Of a daemon without a record, at the journal. */
struct record_look {
    struct house *house;
    uv_timer_t timer;
    uv_work_t work;
    uint64_t wait_ms;
    char path[4096], origin[LIMIT_TEXT];
    char lock_path[4096]; /* "" = the house has the lock */
    unsigned char key[64];
    bool usable;
    const char *said;       /* what is waited for, as the log has it; NULL = nothing */
    uint64_t owed_since_ms; /* nothing is open and something owed; 0 = not so. The loop's time */
};

struct house {
    const char *conf_file;
    const char *last_good_file; /* NULL = no copy is kept */
    struct conf *conf;
    struct conf_copy *to_keep; /* NULL = what is kept is what we run on, or nothing is */
    char *conf_fault;          /* why we run on what is kept; NULL = we run on the file */
    uv_loop_t *loop;           /* outlives a life, and has the signals */
    uv_async_t committed;
    uv_timer_t wake, drain, session_trouble, drops_trouble, api_again;
    struct vigil vigil;
    struct record_look look;
    int64_t wake_boottime_ms, wake_due_boottime_ms; /* as asked for; when the timer is to ring */
    bool reading; /* what is late waits for it: io/standstill.h */
    int lock; /* LOCK_NONE = no lock can be had, and so no record */
    struct store *store;
    struct journal *journal;
    _Atomic(struct journal *) expecting; /* the same, once it runs: for foreign threads */
    struct history *history;
    struct engine *engine;
    struct mqtt *mqtt, *supervision; /* supervision: where heartbeats come; NULL = with the presses */
    struct dispatch *dispatch;
    struct api *api; /* NULL = its address cannot be listened on yet */
    struct health *health;
    struct service *service;
    int64_t drain_until_boottime_ms;
    unsigned parts_running;
    bool stopping, reloading, reload_again, keeping;
    bool start_anew; /* all is to be built again once this life has ended */
};

/* Stops in order: what is under way is recorded, the connections end, then the loop does. */
void house_stop(struct house *h);

/* The daemon has no record, because the journal could not be used: `start_anew` follows as soon as it can be used and
 * no alarm is open that would be forgotten by it. */
void house_await_record(struct house *h);

/* Begins to serve desks and tools, or says why not and tries it again. */
void house_open_api(struct house *h);

/* The configuration of a start: the file's, or the last good one where the file is bad. Problems go to standard error.
 * False: there is none. */
bool house_load_conf(struct house *h);
/* Tells the desk which of the two it is, and keeps the copy: this configuration is good enough to have started with. */
void house_say_conf(struct house *h);
/* The same of one that was exchanged later. */
void house_configured(struct house *h, struct conf_copy *take, const char *text);

/* Reads the configuration again, beside the loop, and exchanges it on the loop; a bad one is refused, and the desk is
 * told why. Called while one is being read: it is read once more afterwards; while the daemon stops: in its next life. */
void house_reload(struct house *h);

/* Presses over one connection; heartbeats and receipts each over another where one is configured. False: no memory. */
bool house_open_broker(struct house *h);

/* Which devices have their PUBACK only after the commit. */
struct mqtt_late house_late_devices(const struct conf *);

#endif
