#include "io/mqtt_internal.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

/* Publishes that wait for the broker; beyond this the oldest goes. A button that misses a receipt asks again.
 */
#define OUTBOX_WAITING 65536
/* QoS 0 publishes given to Paho and not yet written: enough to keep its thread busy, few enough to search. */
#define OUTBOX_GIVEN_QOS0 256

void mqtt_publish(struct mqtt *m, const char *topic, const void *payload, size_t size, int qos, bool retain)
{
    size_t topic_size = strlen(topic) + 1;
    struct outbox_item *item = memory_take(sizeof *item + topic_size + size);
    memcpy(item->topic, topic, topic_size);
    item->payload = item->topic + topic_size;
    if (size)
        memcpy(item->payload, payload, size);
    item->size = size;
    item->qos = qos;
    item->retain = retain;
    uv_mutex_lock(&m->lock);
    outbox_push(m, item);
    uv_mutex_unlock(&m->lock);
}

void outbox_push(struct mqtt *m, struct outbox_item *item)
{
    item->owner = m;
    item->order = m->order++;
    TAILQ_INSERT_TAIL(&m->waiting, item, link);
    if (++m->waiting_count > OUTBOX_WAITING) {
        struct outbox_item *oldest = TAILQ_FIRST(&m->waiting);
        TAILQ_REMOVE(&m->waiting, oldest, link);
        m->waiting_count--;
        m->counts.publish_failed++;
        free(oldest);
    }
    if (m->link == LINK_UP)
        uv_cond_signal(&m->changed);
}

struct outbox_item *outbox_next(struct mqtt *m)
{
    struct outbox_item *item = TAILQ_FIRST(&m->waiting);
    if (!item)
        return NULL;
    size_t *given = item->qos == 0 ? &m->given_qos0 : &m->given_qos1;
    if (*given >= (item->qos == 0 ? OUTBOX_GIVEN_QOS0 : m->window))
        return NULL;
    ++*given;
    TAILQ_REMOVE(&m->waiting, item, link);
    m->waiting_count--;
    TAILQ_INSERT_TAIL(&m->given, item, link);
    return item;
}

/* Back where it was: behind the ones that are older. Few are, so this is short. */
static void put_back(struct mqtt *m, struct outbox_item *item)
{
    struct outbox_item *next;
    TAILQ_FOREACH(next, &m->waiting, link)
    if (next->order > item->order)
        break;
    if (next)
        TAILQ_INSERT_BEFORE(next, item, link);
    else
        TAILQ_INSERT_TAIL(&m->waiting, item, link);
    m->waiting_count++;
}

void outbox_done(struct outbox_item *item, enum outbox_result result)
{
    struct mqtt *m = item->owner;
    size_t *given = item->qos == 0 ? &m->given_qos0 : &m->given_qos1;
    bool was_full = *given >= (item->qos == 0 ? OUTBOX_GIVEN_QOS0 : m->window);
    --*given;
    TAILQ_REMOVE(&m->given, item, link);
    switch (result) {
    case OUTBOX_PUBLISHED:
        m->counts.published++;
        free(item);
        break;
    case OUTBOX_REFUSED:
        m->counts.publish_failed++;
        free(item);
        break;
    case OUTBOX_AGAIN:
        put_back(m, item);
        break;
    }
    m->nudge_ms = 0; /* it moves */
    if (was_full || m->stopping)
        uv_cond_signal(&m->changed);
}

void outbox_take_back(struct mqtt *m)
{
    while (!TAILQ_EMPTY(&m->given))
        outbox_done(TAILQ_FIRST(&m->given), OUTBOX_AGAIN);
}

void outbox_finish(struct mqtt *m)
{
    struct outbox_list *lists[] = {&m->waiting, &m->given};
    for (size_t i = 0; i < 2; i++)
        while (!TAILQ_EMPTY(lists[i])) {
            struct outbox_item *item = TAILQ_FIRST(lists[i]);
            TAILQ_REMOVE(lists[i], item, link);
            m->counts.publish_failed++;
            free(item);
        }
}
