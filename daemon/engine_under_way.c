/* What is on its way into the journal, and what the board will say once all of it has been applied. */
#include "core/table.h"
#include "engine_private.h"
#include <string.h>

/* Cases: which one a press of a place will join. */

uint64_t engine_place(const char *site, enum alarm_class class, enum mode mode)
{
    return table_hash(site, alarm_class_str(class), mode_str(mode), NULL);
}

void engine_intend(struct engine *g, uint64_t place, bool opens, const char *alarm)
{
    if (g->intent_count == INTENTS) {
        g->intent_first = (g->intent_first + 1) % INTENTS;
        g->intent_count--;
    }
    struct intent *i = &g->intents[(g->intent_first + g->intent_count++) % INTENTS];
    *i = (struct intent){.place = place, .seq = g->submitted_seq + 1, .opens = opens};
    memcpy(i->alarm, alarm, strnlen(alarm, LIMIT_ALARM_ID - 1));
}

static void forget_intents(struct engine *g, uint64_t seq)
{
    while (g->intent_count > 0 && g->intents[g->intent_first].seq <= seq) {
        g->intent_first = (g->intent_first + 1) % INTENTS;
        g->intent_count--;
    }
}

const char *engine_case(struct engine *g, const char *site, enum alarm_class class, enum mode mode)
{
    uint64_t place = engine_place(site, class, mode);
    for (uint32_t k = g->intent_count; k > 0; k--) {
        const struct intent *i = &g->intents[(g->intent_first + k - 1) % INTENTS];
        if (i->place == place)
            return i->opens ? i->alarm : NULL;
    }
    const struct alarm *a = board_open_alarm(g->board, site, class, mode);
    return a ? a->id : NULL;
}

/* Presses and troubles, by identity: a storm of them costs each no more. */

static struct pending_bucket *bucket_of_press(struct engine *g, const char *site, const char *device, const char *epoch,
                                              uint64_t n)
{
    return &g->under_way[(table_hash(site, device, epoch, NULL) ^ n) % UNDER_WAY];
}

static bool is_trouble(enum event_type type)
{
    return type == EVENT_TROUBLE_RAISED || type == EVENT_TROUBLE_CLEARED;
}

static uint64_t trouble_hash(enum trouble_code code, const char *part)
{
    return table_hash(trouble_code_str(code), part, NULL);
}

void engine_comes(struct engine *g, struct pending *p, const struct event *e)
{
    if (is_trouble(e->type)) {
        p->n = trouble_hash(e->trouble.code, e->trouble.part);
        LIST_INSERT_HEAD(&g->under_way[p->n % UNDER_WAY], p, same);
    } else if (e->type == EVENT_PRESS_RECEIVED) {
        LIST_INSERT_HEAD(bucket_of_press(g, p->site, p->device, p->epoch, p->n), p, same);
    }
}

void engine_came(struct engine *g, struct pending *p)
{
    if (is_trouble(p->type) || p->type == EVENT_PRESS_RECEIVED)
        LIST_REMOVE(p, same);
    forget_intents(g, p->seq);
}

const struct pending *engine_press_under_way(struct engine *g, const char *site, const char *device, const char *epoch,
                                             uint64_t n)
{
    const struct pending *p;
    LIST_FOREACH(p, bucket_of_press(g, site, device, epoch, n), same)
    if (p->n == n && strcmp(p->epoch, epoch) == 0 && strcmp(p->device, device) == 0 && strcmp(p->site, site) == 0)
        return p;
    return NULL;
}

const struct event *engine_trouble_under_way(struct engine *g, enum trouble_code code, const char *part)
{
    const uint64_t hash = trouble_hash(code, part);
    struct pending *p;
    LIST_FOREACH(p, &g->under_way[hash % UNDER_WAY], same)
    if (is_trouble(p->type) && p->n == hash) { /* the latest comes first */
        engine_read(g, p);
        if (p->event->trouble.code == code && strcmp(p->event->trouble.part, part) == 0)
            return p->event;
    }
    return NULL;
}
