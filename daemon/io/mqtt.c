#include "io/mqtt_internal.h"
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAZY_MS 20          /* heartbeats are collected this long: a press never waits, it takes them along */
#define BATCH_MAX 4096      /* messages handed over before the loop may look at something else */
#define STOP_PUBLISH_MS 500 /* after this what is queued is left, and holds end */
#define STOP_ABANDON_MS 900 /* after this the thread is left alone with what it hangs on */

uint64_t mqtt_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void hand_over(struct mqtt *m, struct inbox_item *item)
{
    if (item->is_state) {
        if (item->state <= MQTT_LOOPBACK_LOST)
            m->hears = item->state == MQTT_CONNECTED;
        m->options.on_state(m->options.ctx, item->state, item->data);
    } else {
        m->options.on_message(m->options.ctx, &item->message);
    }
    free(item);
}

static void on_lazy(uv_timer_t *timer);

/* Takes what is there. While messages come, a timer looks again every LAZY_MS, so that heartbeats need no
 * wake-up. */
static void drain(struct mqtt *m, bool by_timer)
{
    if (!m->ready) {
        uv_mutex_lock(&m->lock);
        m->ready = inbox_take(m);
        m->lazy_armed = m->ready || (m->lazy_armed && !by_timer);
        bool armed = m->lazy_armed;
        uv_mutex_unlock(&m->lock);
        if (!armed)
            uv_timer_stop(&m->lazy);
        else if (!uv_is_active((uv_handle_t *)&m->lazy))
            uv_timer_start(&m->lazy, on_lazy, LAZY_MS, LAZY_MS);
    }
    if (!m->ready)
        return;
    for (unsigned i = 0; m->ready && i < BATCH_MAX; i++) {
        struct inbox_item *item = m->ready;
        m->ready = item->next;
        hand_over(m, item);
    }
    if (m->options.on_batch_end)
        m->options.on_batch_end(m->options.ctx);
    if (m->ready)
        uv_async_send(&m->wake);
}

static void on_lazy(uv_timer_t *timer)
{
    drain(timer->data, true);
}

static void on_closed(uv_handle_t *handle)
{
    struct mqtt *m = handle->data;
    if (--m->open_handles == 0)
        m->stopped(m->stopped_ctx);
}

static void close_handles(struct mqtt *m)
{
    uv_close((uv_handle_t *)&m->wake, on_closed);
    uv_close((uv_handle_t *)&m->lazy, on_closed);
    uv_close((uv_handle_t *)&m->stop_timer, on_closed);
}

/* The thread is done, and what it left in the inbox was acknowledged to the broker: hand it over, all of it.
 */
static void finish(struct mqtt *m)
{
    uv_thread_join(&m->thread);
    do
        drain(m, false);
    while (m->ready || m->inbox);
    uv_mutex_lock(&m->lock);
    m->deaf = true;
    uv_mutex_unlock(&m->lock);
    close_handles(m);
}

static void on_wake(uv_async_t *wake)
{
    struct mqtt *m = wake->data;
    drain(m, false);
    uv_mutex_lock(&m->lock);
    bool finished = m->finished && m->stopped && !m->deaf;
    uv_mutex_unlock(&m->lock);
    if (finished && !uv_is_closing((uv_handle_t *)wake))
        finish(m);
}

/* Whatever holds the thread (a name server, a broker that stands still, a hold without a socket) does not
 * hold us. */
static void on_abandon(uv_timer_t *timer)
{
    struct mqtt *m = timer->data;
    uv_mutex_lock(&m->lock);
    m->deaf = !m->finished;
    bool abandoned = m->deaf;
    uv_mutex_unlock(&m->lock);
    if (!abandoned) {
        finish(m);
        return;
    }
    pthread_detach(m->thread);
    socket_turn_give(&m->receipts);
    socket_turn_give(m); /* the daemon may be started anew in this process */
    close_handles(m);
}

static void on_publish_time_over(uv_timer_t *timer)
{
    struct mqtt *m = timer->data;
    uv_mutex_lock(&m->lock);
    m->end_holds = true;
    receipts_shut(m);
    uv_cond_broadcast(&m->released);
    uv_mutex_unlock(&m->lock);
    uv_timer_start(timer, on_abandon, STOP_ABANDON_MS - STOP_PUBLISH_MS, 0);
}

void mqtt_stop(struct mqtt *m, void (*stopped)(void *ctx), void *ctx)
{
    assert(!m->stopped);
    m->stopped = stopped;
    m->stopped_ctx = ctx;
    uv_mutex_lock(&m->lock);
    m->stopping = true;
    m->stop_at_ms = mqtt_now_ms() + STOP_PUBLISH_MS;
    receipts_end(m);
    uv_cond_signal(&m->changed);
    uv_async_send(&m->wake); /* the thread may have ended by itself */
    uv_mutex_unlock(&m->lock);
    uv_update_time(m->loop);
    uv_timer_start(&m->stop_timer, on_publish_time_over, STOP_PUBLISH_MS, 0);
}

bool mqtt_hears(const struct mqtt *m)
{
    return m->hears;
}

struct mqtt_counts mqtt_counts(struct mqtt *m)
{
    uv_mutex_lock(&m->lock);
    struct mqtt_counts counts = m->counts;
    counts.receipts_apart = m->receipts.up;
    uv_mutex_unlock(&m->lock);
    return counts;
}

static void free_items(struct inbox_item *item)
{
    while (item) {
        struct inbox_item *next = item->next;
        free(item);
        item = next;
    }
}

static void free_memory(struct mqtt *m)
{
    mqtt_login_finish(&m->login);
    free(m->loopback_topic);
    outbox_finish(m);
    receipts_finish(m);
    inbox_free_late(m);
    free_items(m->inbox);
    free_items(m->ready);
    while (!LIST_EMPTY(&m->holds)) {
        struct mqtt_hold *hold = LIST_FIRST(&m->holds);
        LIST_REMOVE(hold, link);
        free(hold);
    }
    uv_cond_destroy(&m->changed);
    uv_cond_destroy(&m->released);
    uv_mutex_destroy(&m->lock);
    free(m);
}

/* The loop and our threads own it together: after an abandoned stop a thread may outlive
 * mqtt_destroy(). */
void mqtt_drop(struct mqtt *m)
{
    uv_mutex_lock(&m->lock);
    bool last = --m->owners == 0;
    uv_mutex_unlock(&m->lock);
    if (last)
        free_memory(m);
}

void mqtt_destroy(struct mqtt *m)
{
    if (m)
        mqtt_drop(m);
}

static bool copy_broker(struct mqtt *m, const struct mqtt_options *options)
{
    if (asprintf(&m->loopback_topic, "tocsin/v1/daemon/%s/loopback", options->login->client_id) < 0)
        m->loopback_topic = NULL;
    return m->loopback_topic && mqtt_login_copy(&m->login, options->broker, options->login);
}

static void start(struct mqtt *m, uv_loop_t *loop)
{
    m->loop = loop;
    m->wake.data = m->lazy.data = m->stop_timer.data = m;
    int code = uv_async_init(loop, &m->wake, on_wake);
    assert(code == 0);
    uv_timer_init(loop, &m->lazy);
    uv_timer_init(loop, &m->stop_timer);
    m->open_handles = 3;
    m->owners = 2;
    receipts_start(m);
    code = uv_thread_create(&m->thread, link_thread, m);
    assert(code == 0);
}

struct mqtt *mqtt_create(uv_loop_t *loop, const struct mqtt_options *options)
{
    struct mqtt *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->options = *options;
    m->options.broker = NULL;
    m->options.login = m->options.receipts = NULL;
    m->options.take_late = (struct mqtt_late){0};
    m->inbox_tail = &m->inbox;
    m->socket = -1;
    TAILQ_INIT(&m->waiting);
    TAILQ_INIT(&m->given);
    uv_mutex_init(&m->lock);
    uv_cond_init(&m->changed);
    uv_cond_init(&m->released);
    mqtt_set_late_devices(m, options->take_late);
    bool copied = receipts_init(m, options->broker, options->receipts) && copy_broker(m, options);
    if (!copied) {
        free_memory(m);
        return NULL;
    }
    start(m, loop);
    return m;
}
