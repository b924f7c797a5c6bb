/* house_record.c - a daemon without a record looks again and again whether the journal can be used by now; then, when
 * no alarm would be forgotten by it, it starts anew. For a closed one that an endpoint has still to hear of it waits a
 * while only: meanwhile no press is answered yes. */
#include "codec/event_json.h"
#include "house.h"
#include "io/log.h"
#include "journal/lock.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define LOOK_FIRST_MS 1000
#define LOOK_LAST_MS 30000 /* to read a journal of a million events takes a third of a second */
#define LAST_WORD_MS 120000 /* an endpoint that has not heard by then that an alarm is closed may not hear it for long */

static void look_later(struct house *h);

static bool readable(void *ctx, uint64_t seq, const char *line, size_t size)
{
    struct event e;
    char why[LIMIT_TEXT];
    return event_decode(line, size, &e, why);
}

static void ignore_snapshot(void *ctx, uint64_t seq, const void *bytes, size_t size)
{
}

/* On libuv's pool: all that a start would do with the journal. Nobody else has it open while there is a lock: ours, or one
 * for this look. */
static void look(uv_work_t *work)
{
    struct record_look *l = work->data;
    char error[LIMIT_TEXT];
    int lock = *l->lock_path ? lock_take(l->lock_path, error) : LOCK_NONE;
    l->usable = false;
    if (*l->lock_path && lock < 0)
        return;
    struct store *store = store_sqlite_create(l->path);
    struct journal *j =
        journal_create(&(struct journal_options){.store = store, .origin = l->origin, .secret_key = l->key}, error);
    l->usable = j && journal_replay(j, ignore_snapshot, readable, NULL, error);
    journal_destroy(j);
    store_destroy(store);
    lock_release(lock);
}

static bool owes_anybody(struct board *b)
{
    for (struct alarm *a = NULL; (a = board_next_alarm(b, a));)
        if (alarm_owes_any(a))
            return true;
    return false;
}

/* What a start without what is in memory would forget; NULL: nothing that is worth the wait. */
static const char *still_needed(struct house *h)
{
    struct record_look *l = &h->look;
    struct board *b = engine_board(h->engine);
    if (board_counts(b).alarms_open == 0 && owes_anybody(b)) {
        if (l->owed_since_ms == 0)
            l->owed_since_ms = uv_now(h->loop);
        return uv_now(h->loop) - l->owed_since_ms < LAST_WORD_MS
                   ? "the journal can be used again: recording begins when everybody has been told that the alarm is closed"
                   : NULL;
    }
    l->owed_since_ms = 0;
    return board_counts(b).alarms_open > 0
               ? "the journal can be used again: recording begins when the last open alarm is closed"
               : NULL;
}

static void on_looked(uv_work_t *work, int status)
{
    struct record_look *l = work->data;
    struct house *h = l->house;
    sodium_memzero(l->key, sizeof l->key);
    if (h->stopping)
        return;
    const char *needed = l->usable ? still_needed(h) : NULL;
    if (!l->usable || needed) {
        if (needed && needed != l->said)
            log_line(LOG_LEVEL_WARNING, "", needed);
        l->said = needed;
        look_later(h);
        return;
    }
    log_line(LOG_LEVEL_INFO, "", "the journal can be used again: starting anew, with a record");
    h->start_anew = true;
    house_stop(h);
}

static void on_time(uv_timer_t *timer)
{
    struct house *h = timer->data;
    struct record_look *l = &h->look;
    snprintf(l->path, sizeof l->path, "%s/journal.db", h->conf->daemon.state_dir);
    if (h->lock < 0)
        snprintf(l->lock_path, sizeof l->lock_path, "%s/tocsind.lock", h->conf->daemon.state_dir);
    snprintf(l->origin, sizeof l->origin, "%s", h->conf->daemon.name);
    memcpy(l->key, h->conf->daemon.journal_key, sizeof l->key);
    uv_queue_work(h->loop, &l->work, look, on_looked);
}

static void look_later(struct house *h)
{
    struct record_look *l = &h->look;
    uv_timer_start(&l->timer, on_time, l->wait_ms, 0);
    l->wait_ms = l->wait_ms * 2 < LOOK_LAST_MS ? l->wait_ms * 2 : LOOK_LAST_MS;
}

void house_await_record(struct house *h)
{
    h->look.house = h;
    h->look.work.data = &h->look;
    h->look.wait_ms = LOOK_FIRST_MS;
    look_later(h);
}
