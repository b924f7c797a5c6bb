#include "io/mqtt_internal.h"
#include <stdio.h>
#include <string.h>

#define RETRY_MIN_MS                                                                                         \
    200 /* doubles up to the maximum. Paho itself takes up to 1 s to see that it is connected */
#define RETRY_MAX_MS 5000
#define GOOD_MS 10000 /* a connection that was good for so long begins with the minimum again */
#define SHORT_LIVED 2 /* so many in a row that were not: the next one is to show it first. One may be a broker's restart */
#define STAYED_MS 6000 /* longer than RETRY_MAX_MS: it is the reason of the next attempt, too */
#define CONNECT_MAX_MS                                                                                       \
    12000 /* Paho's own limit is looked at every 3 s and hangs on the wall clock; this is ours */
#define DISCONNECT_MS 200 /* how long we wait for a polite end */
#define TURN_MS 20        /* another connection is coming about: look again */
/* Paho's receive thread sleeps 100 ms after each second without a message, and a press that comes then waits.
 * A loop-back message more often than that keeps it awake. */
#define TICK_MS 700
/* And Paho looks at a socket that is coming about when another one has something to read, or after 1 s. So the connection
 * of the presses comes first. */
#define HEAD_START_MS 20
/* Paho's send thread can miss its wake-up, as it waits without a predicate, and then sleeps for 1 s. What was
 * not written after this time gets another message behind it, which wakes the thread. Doubles up to the tick.
 */
#define NUDGE_MS 2

static void say(struct mqtt *m, enum mqtt_state state, const char *why)
{
    char text[LINK_TEXT + 160];
    snprintf(text, sizeof text, "The broker at %s: %s.", m->login.where, why);
    text[LINK_TEXT - 1] = '\0';
    inbox_push_state(m, state, text);
}

static void connect_after(struct mqtt *m, uint64_t wait_ms)
{
    m->connect_at_ms = mqtt_now_ms() + wait_ms + (m->options.topics & MQTT_PRESSES ? 0 : HEAD_START_MS);
}

bool link_may_end(const struct mqtt *m)
{
    return m->short_lived >= SHORT_LIVED;
}

bool link_lasts(const struct mqtt *m)
{
    return !link_may_end(m) || mqtt_now_ms() - m->up_since_ms >= GOOD_MS;
}

/* A broker that crashes at each start fails now so, now otherwise: one trouble. Another reason is news when it has stayed. */
static void say_lost(struct mqtt *m, const char *reason, bool again)
{
    char text[LINK_TEXT] = "";
    snprintf(text, sizeof text, "%s%s%s%s", reason, again ? ", time and again: perhaps somebody else comes as " : "",
             again ? m->login.client_id : "", again ? ", too" : "");
    if (strcmp(m->lost_text, text) != 0) {
        memcpy(m->lost_text, text, sizeof m->lost_text);
        m->lost_since_ms = mqtt_now_ms();
    }
    if (m->said != MQTT_LOST || mqtt_now_ms() >= m->lost_since_ms + STAYED_MS)
        say(m, MQTT_LOST, text);
}

void link_failed(struct mqtt *m, const char *reason)
{
    if (m->link == LINK_DOWN)
        return; /* Paho may say it twice */
    uint64_t now_ms = mqtt_now_ms();
    bool was_up = m->link == LINK_UP, was_good = was_up && now_ms - m->up_since_ms >= GOOD_MS;
    m->short_lived = was_good ? 0 : m->short_lived + was_up;
    m->retry_ms = was_good || !m->retry_ms ? RETRY_MIN_MS : m->retry_ms * 2;
    if (m->retry_ms > RETRY_MAX_MS)
        m->retry_ms = RETRY_MAX_MS;
    connect_after(m, m->retry_ms);
    m->link = LINK_DOWN;
    mqtt_socket_forget(m);
    say_lost(m, reason, was_up && link_may_end(m));
    uv_cond_signal(&m->changed);
}

/* A new client before the old one goes: with its last client Paho ends its threads, which takes time. A spoiled one stays
 * where it is, unconnected and a few kilobytes lost. */
static void rebuild(struct mqtt *m)
{
    mqtt_socket_shut(m);
    mqtt_socket_forget(m);
    MQTTAsync old = m->client;
    bool spoiled = m->spoiled;
    uv_mutex_unlock(&m->lock);
    bool made = paho_create(m);
    if (!made)
        m->client = old;
    else if (!spoiled)
        MQTTAsync_destroy(&old);
    uv_mutex_lock(&m->lock);
    if (made && spoiled) {
        outbox_take_back(m);
        m->spoiled = false;
    }
    m->rebuild = !made;
    m->link = LINK_DOWN;
    connect_after(m, m->retry_ms ? m->retry_ms : RETRY_MIN_MS);
}

static void connect_now(struct mqtt *m)
{
    m->link = LINK_CONNECTING;
    m->deadline_ms = mqtt_now_ms() + CONNECT_MAX_MS;
    m->tls_error[0] = '\0';
    uv_mutex_unlock(&m->lock);
    int code = paho_connect(m);
    uv_mutex_lock(&m->lock);
    if (code != MQTTASYNC_SUCCESS && m->link == LINK_CONNECTING)
        link_failed(m, MQTTAsync_strerror(code));
}

static void subscribe_now(struct mqtt *m)
{
    if (!m->session_present && m->was_connected)
        say(m, MQTT_SESSION_LOST,
            m->options.topics & MQTT_PRESSES
                ? "connected, but it has forgotten us: presses sent while we were away may be missing"
                : "connected, but it has forgotten us: what went off line while we were away is seen by its silence only");
    m->counts.reconnects += m->was_connected;
    m->was_connected = m->session_present = true;
    m->subscription = SUBSCRIPTION_ASKED;
    uv_mutex_unlock(&m->lock);
    int code = paho_subscribe(m);
    uv_mutex_lock(&m->lock);
    if (code != MQTTASYNC_SUCCESS) {
        m->subscription = SUBSCRIPTION_NEEDED;
        m->subscribe_at_ms = mqtt_now_ms() + RETRY_MAX_MS;
    }
}

static void tick(struct mqtt *m)
{
    uv_mutex_unlock(&m->lock);
    paho_loopback(m);
    uv_mutex_lock(&m->lock);
}

static void publish_waiting(struct mqtt *m)
{
    struct outbox_item *item;
    while (m->link == LINK_UP && (item = outbox_next(m))) {
        bool retain = item->retain && m->retains;
        uv_mutex_unlock(&m->lock);
        int code = paho_publish(item, retain);
        uv_mutex_lock(&m->lock);
        if (code == MQTTASYNC_BAD_UTF8_STRING) {
            outbox_done(item, OUTBOX_REFUSED);
        } else if (code != MQTTASYNC_SUCCESS) {
            outbox_done(item, OUTBOX_AGAIN);
            break;
        }
    }
}

static void earlier(uint64_t *due_ms, uint64_t at_ms)
{
    if (at_ms < *due_ms)
        *due_ms = at_ms;
}

static void nudge(struct mqtt *m, uint64_t now_ms, uint64_t *due_ms)
{
    if (TAILQ_EMPTY(&m->given)) {
        m->nudge_ms = 0;
        return;
    }
    if (m->nudge_ms && now_ms >= m->nudge_at_ms)
        tick(m);
    if (!m->nudge_ms || now_ms >= m->nudge_at_ms) {
        m->nudge_ms = m->nudge_ms ? m->nudge_ms * 2 : NUDGE_MS;
        if (m->nudge_ms > TICK_MS)
            m->nudge_ms = TICK_MS;
        m->nudge_at_ms = now_ms + m->nudge_ms;
    }
    earlier(due_ms, m->nudge_at_ms);
}

static void up(struct mqtt *m, uint64_t now_ms, uint64_t *due_ms)
{
    uint64_t lost_at_ms = m->looped_back_ms + 3 * (uint64_t)m->login.loopback_ms;
    if (m->subscription == SUBSCRIPTION_DONE && now_ms >= lost_at_ms) {
        say(m, MQTT_LOOPBACK_LOST,
            "connected, but our own messages do not come back through it; connecting anew");
        m->rebuild = m->unproved = true;
        return;
    }
    if (m->subscription == SUBSCRIPTION_NEEDED && now_ms >= m->subscribe_at_ms)
        subscribe_now(m);
    if (now_ms >= m->tick_at_ms) {
        m->tick_at_ms = now_ms + TICK_MS;
        tick(m);
    }
    receipts_watch(m, now_ms);
    publish_waiting(m);
    nudge(m, now_ms, due_ms);
    earlier(due_ms, m->tick_at_ms);
    if (m->subscription == SUBSCRIPTION_NEEDED)
        earlier(due_ms, m->subscribe_at_ms);
    if (m->subscription == SUBSCRIPTION_DONE)
        earlier(due_ms, lost_at_ms);
}

/* One look at everything; gives the moment of the next one. */
static uint64_t step(struct mqtt *m)
{
    uint64_t now_ms = mqtt_now_ms(), due_ms = now_ms + 1000;
    if (m->spoiled && m->link != LINK_DOWN) {
        mqtt_socket_shut(m); /* Paho is about to say that it is down, and nothing more after that */
        return due_ms;
    }
    if (m->rebuild || m->spoiled) {
        rebuild(m);
        return now_ms;
    }
    if (m->link != LINK_CONNECTING)
        socket_turn_give(m);
    switch (m->link) {
    case LINK_DOWN:
        if (now_ms < m->connect_at_ms)
            earlier(&due_ms, m->connect_at_ms);
        else if (socket_turn_take(m))
            connect_now(m);
        else
            earlier(&due_ms, now_ms + TURN_MS);
        break;
    case LINK_CONNECTING:
        if (now_ms >= m->deadline_ms) {
            link_failed(m, "no answer");
            m->rebuild = true;
        }
        earlier(&due_ms, m->deadline_ms);
        break;
    case LINK_UP:
        up(m, now_ms, &due_ms);
        break;
    }
    return due_ms;
}

static bool may_stop(struct mqtt *m)
{
    if (!m->stopping)
        return false;
    bool empty = TAILQ_EMPTY(&m->waiting) && TAILQ_EMPTY(&m->given) && !m->holding && m->receipts.finished;
    return m->link != LINK_UP || empty || mqtt_now_ms() >= m->stop_at_ms;
}

static void wait_until(struct mqtt *m, uint64_t due_ms)
{
    uint64_t now_ms = mqtt_now_ms();
    if (due_ms > now_ms)
        uv_cond_timedwait(&m->changed, &m->lock, (due_ms - now_ms) * 1000000);
}

/* Says goodbye, then takes the socket away: Paho's receive thread would otherwise sit in its poll for up to 1
 * s. */
static void leave(struct mqtt *m)
{
    if (m->link == LINK_UP) {
        uint64_t until_ms = mqtt_now_ms() + DISCONNECT_MS;
        uv_mutex_unlock(&m->lock);
        paho_disconnect(m);
        uv_mutex_lock(&m->lock);
        while (m->link == LINK_UP && mqtt_now_ms() < until_ms)
            wait_until(m, until_ms);
        socket_linger(m, m->socket, until_ms);
    }
    if (m->link == LINK_CONNECTING)
        mqtt_socket_take(m);
    mqtt_socket_shut(m);
    mqtt_socket_forget(m);
    socket_turn_give(m); /* before Paho, which may hang */
    if (m->spoiled) {
        m->owners++; /* for ever: the client may still call */
        return;
    }
    uv_mutex_unlock(&m->lock);
    MQTTAsync_destroy(&m->client);
    uv_mutex_lock(&m->lock);
}

void link_thread(void *argument)
{
    struct mqtt *m = argument;
    bool made = paho_create(m);
    uv_mutex_lock(&m->lock);
    connect_after(m, 0);
    if (!made)
        say(m, MQTT_LOST, "the address is not usable");
    while (made && !may_stop(m)) {
        uint64_t due_ms = step(m);
        if (!may_stop(m))
            wait_until(m, due_ms);
    }
    if (made)
        leave(m);
    while (!m->receipts.finished && mqtt_now_ms() < m->stop_at_ms)
        wait_until(m, m->stop_at_ms);
    m->finished = true;
    if (!m->deaf)
        uv_async_send(&m->wake);
    uv_mutex_unlock(&m->lock);
    mqtt_drop(m);
}
