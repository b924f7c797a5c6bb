#include "io/mqtt_internal.h"
#include "memory.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Heartbeats beyond this are dropped: each is outdated by the next one. Presses never are. About 40 MB. */
#define INBOX_HEARTBEATS 200000
/* Bytes of a payload that are handed over: far above LIMIT_PAYLOAD, so that a long one is seen to be long. */
#define INBOX_PAYLOAD LIMIT_BODY
/* A hold blocks every message of every device. Beyond this the connection is given up and the broker delivers
 * again. */
#define HOLD_MAX_MS 15000

static bool ends_with(const char *text, size_t size, const char *end)
{
    size_t end_size = strlen(end);
    return size > end_size && memcmp(text + size - end_size, end, end_size) == 0;
}

struct inbox_item *inbox_item_of(const char *topic, size_t topic_size, const MQTTAsync_message *in)
{
    size_t size = in->payloadlen > 0 ? (size_t)in->payloadlen : 0;
    if (size > INBOX_PAYLOAD)
        size = INBOX_PAYLOAD;
    struct inbox_item *item = memory_take(sizeof *item + topic_size + 1 + size); /* it will be acknowledged */
    memcpy(item->data, topic, topic_size);
    item->data[topic_size] = '\0';
    if (size)
        memcpy(item->data + topic_size + 1, in->payload, size);
    item->is_state = false;
    item->heartbeat = ends_with(topic, topic_size, "/heartbeat");
    item->message = (struct mqtt_message){
        .topic = item->data,
        .payload = (unsigned char *)item->data + topic_size + 1,
        .size = size,
        .qos = in->qos,
        .retained = in->retained,
        .duplicate = in->dup,
    };
    return item;
}

bool inbox_push(struct mqtt *m, struct inbox_item *item, bool urgent)
{
    if (m->deaf || (item->heartbeat && m->inbox_heartbeats >= INBOX_HEARTBEATS)) {
        m->counts.dropped++;
        free(item);
        return false;
    }
    m->inbox_heartbeats += item->heartbeat;
    item->next = NULL;
    *m->inbox_tail = item;
    m->inbox_tail = &item->next;
    bool ring = !m->woken && (urgent || !m->lazy_armed);
    if (ring) {
        m->woken = true;
        uv_async_send(&m->wake);
    }
    return ring;
}

void inbox_push_aside(struct mqtt *m, enum mqtt_state state, const char *text)
{
    size_t size = strnlen(text, LINK_TEXT - 1);
    struct inbox_item *item = memory_zeroed(1, sizeof *item + size + 1);
    memcpy(item->data, text, size);
    item->is_state = true;
    item->state = state;
    inbox_push(m, item, true);
}

void inbox_push_state(struct mqtt *m, enum mqtt_state state, const char *text)
{
    if (m->said == state && strcmp(m->said_text, text) == 0)
        return;
    m->said = state;
    snprintf(m->said_text, sizeof m->said_text, "%s", text);
    inbox_push_aside(m, state, text);
}

/* It counts from 0 again after its own start; after ours all of it is news. */
void inbox_broker_drops(struct mqtt *m, const MQTTAsync_message *in)
{
    char digits[24], text[LINK_TEXT];
    snprintf(digits, sizeof digits, "%.*s", in->payloadlen, in->payloadlen > 0 ? (const char *)in->payload : "");
    uint64_t count = strtoull(digits, NULL, 10), before = m->broker_drops, news = count - (count < before ? 0 : before);
    m->broker_drops = count;
    if (news == 0)
        return;
    snprintf(text, sizeof text,
             "The broker at %s has thrown away %llu messages because a queue was full; presses may be among them. Find out "
             "who does not take what he subscribed to, or raise its limits.",
             m->login.where, (unsigned long long)news);
    inbox_push_aside(m, MQTT_BROKER_DROPS, text);
}

struct inbox_item *inbox_take(struct mqtt *m)
{
    struct inbox_item *first = m->inbox;
    m->inbox = NULL;
    m->inbox_tail = &m->inbox;
    m->inbox_heartbeats = 0;
    m->woken = false;
    return first;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "tocsin/v1/{site}/{device}/press" of a device that waits for the commit. */
bool inbox_is_late(const struct mqtt *m, const char *topic)
{
    static const char head[] = "tocsin/v1/";
    size_t size = strlen(topic);
    char name[2 * LIMIT_ID];
    if (m->late.count == 0 || !ends_with(topic, size, "/press") || strncmp(topic, head, sizeof head - 1) != 0)
        return false;
    size_t name_size = size - (sizeof head - 1) - strlen("/press");
    if (name_size >= sizeof name)
        return false;
    memcpy(name, topic + sizeof head - 1, name_size);
    name[name_size] = '\0';
    const char *key = name;
    return bsearch(&key, m->late.names, m->late.count, sizeof *m->late.names, compare_names);
}

static void free_late(struct mqtt_late *late)
{
    for (size_t i = 0; i < late->count; i++)
        free(late->names[i]);
    free(late->names);
}

void mqtt_set_late_devices(struct mqtt *m, struct mqtt_late take)
{
    if (take.count)
        qsort(take.names, take.count, sizeof *take.names, compare_names);
    uv_mutex_lock(&m->lock);
    struct mqtt_late old = m->late;
    m->late = take;
    uv_mutex_unlock(&m->lock);
    free_late(&old);
}

void inbox_free_late(struct mqtt *m)
{
    free_late(&m->late);
}

struct mqtt_hold *hold_create(struct mqtt *m)
{
    struct mqtt_hold *hold = memory_zeroed(1, sizeof *hold);
    LIST_INSERT_HEAD(&m->holds, hold, link);
    return hold;
}

void hold_free_if_over(struct mqtt_hold *hold)
{
    if (!hold->released || !hold->left)
        return;
    LIST_REMOVE(hold, link);
    free(hold);
}

/* Paho sends the PUBACK as soon as its callback returns, whatever it returns. So a hold that ends without a
 * release first shuts the socket down: the PUBACK then has no way out, and the broker delivers the press
 * again. Without a socket that we know there is only one safe thing: not to return. */
bool hold_wait(struct mqtt *m, struct mqtt_hold *hold)
{
    uint64_t deadline_ms = mqtt_now_ms() + HOLD_MAX_MS;
    m->holding = true;
    while (!hold->released && !m->socket_shut) {
        uint64_t now_ms = mqtt_now_ms();
        bool over = m->end_holds || now_ms >= deadline_ms;
        if (over)
            mqtt_socket_shut(m);
        if (!m->socket_shut)
            uv_cond_timedwait(&m->released, &m->lock, (over ? 1000 : deadline_ms - now_ms) * 1000000);
    }
    m->holding = false;
    bool released = hold->released && !m->socket_shut;
    if (m->stopping)
        uv_cond_signal(&m->changed);
    hold->left = true;
    hold_free_if_over(hold);
    return released;
}

void mqtt_release(struct mqtt *m, struct mqtt_hold *hold)
{
    uv_mutex_lock(&m->lock);
    assert(!hold->released);
    hold->released = true;
    uv_cond_broadcast(&m->released);
    hold_free_if_over(hold);
    uv_mutex_unlock(&m->lock);
}
