#include "core/table.h"
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
    if (qos > 0 || retain || !receipts_push(m, item))
        outbox_push(m, item);
    uv_mutex_unlock(&m->lock);
}

static size_t *given_of(struct mqtt *m, const struct outbox_item *item)
{
    return item->qos == 0 ? &m->given_qos0 : &m->given_qos1;
}

static size_t room_for(const struct mqtt *m, const struct outbox_item *item)
{
    return item->qos == 0 ? OUTBOX_GIVEN_QOS0 : m->window;
}

static bool has_room(struct mqtt *m, const struct outbox_item *item)
{
    return *given_of(m, item) < room_for(m, item);
}

static struct outbox_bucket *bucket_of(struct mqtt *m, const char *topic)
{
    return &m->retained[table_hash(topic, NULL) % OUTBOX_BUCKETS];
}

/* The retained message that waits for this topic. */
static struct outbox_item *retained_of(struct mqtt *m, const char *topic)
{
    struct outbox_item *item;
    LIST_FOREACH(item, bucket_of(m, topic), bucket)
    if (strcmp(item->topic, topic) == 0)
        break;
    return item;
}

/* Before the other, or at the end. */
static void enter(struct mqtt *m, struct outbox_item *item, struct outbox_item *before)
{
    if (before)
        TAILQ_INSERT_BEFORE(before, item, link);
    else
        TAILQ_INSERT_TAIL(&m->waiting, item, link);
    if (item->retain)
        LIST_INSERT_HEAD(bucket_of(m, item->topic), item, bucket);
    m->waiting_count++;
}

static void leave(struct mqtt *m, struct outbox_item *item)
{
    TAILQ_REMOVE(&m->waiting, item, link);
    if (item->retain)
        LIST_REMOVE(item, bucket);
    m->waiting_count--;
}

static void drop(struct mqtt *m, struct outbox_item *item)
{
    leave(m, item);
    free(item);
}

/* Of a retained topic only the last message counts: it takes the place of the one that still waits. */
void outbox_push(struct mqtt *m, struct outbox_item *item)
{
    struct outbox_item *older = item->retain ? retained_of(m, item->topic) : NULL;
    item->owner = m;
    item->order = older ? older->order : m->order++;
    enter(m, item, older);
    if (older) {
        drop(m, older);
    } else if (m->waiting_count > OUTBOX_WAITING) {
        drop(m, TAILQ_FIRST(&m->waiting));
        m->counts.publish_failed++;
    }
    if (m->link == LINK_UP && has_room(m, TAILQ_FIRST(&m->waiting)))
        uv_cond_signal(&m->changed);
}

struct outbox_item *outbox_next(struct mqtt *m)
{
    struct outbox_item *item = TAILQ_FIRST(&m->waiting);
    if (!item || !has_room(m, item))
        return NULL;
    ++*given_of(m, item);
    leave(m, item);
    TAILQ_INSERT_TAIL(&m->given, item, link);
    return item;
}

/* Back where it was: behind the ones that are older. Few are, so this is short. */
static void put_back(struct mqtt *m, struct outbox_item *item)
{
    if (item->retain && retained_of(m, item->topic)) { /* the newer one is enough */
        free(item);
        return;
    }
    struct outbox_item *next;
    TAILQ_FOREACH(next, &m->waiting, link)
    if (next->order > item->order)
        break;
    enter(m, item, next);
}

void outbox_done(struct outbox_item *item, enum outbox_result result)
{
    struct mqtt *m = item->owner;
    bool half = --*given_of(m, item) == room_for(m, item) / 2; /* one wake-up for many */
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
    if (half || m->stopping)
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
