/* Between devices and the daemon: messages are lost, doubled, late and in another order; the broker forgets.
 */
#include "sim.h"
#include <string.h>

/* Towards the daemon. */

static void hand_over(struct world *w, struct letter *l)
{
    if (w->now_ms - (l->truth >= 0 ? w->truths[l->truth].made_ms : w->now_ms) > 60000)
        mark(w, MARK_press_late);
    if (l->wants_hold && w->held_count < 64)
        w->held[w->held_count++] = l;
    if (l->retained && w->truths[l->truth].seq)
        mark(w, MARK_press_retained_seen);
    if (l->truth >= 0)
        model_taken(w, l->truth);
    engine_message(w->engine, &(struct engine_message){.topic = l->topic,
                                                       .payload = l->payload,
                                                       .size = l->size,
                                                       .qos = l->qos,
                                                       .retained = l->retained,
                                                       .hold = l->wants_hold ? l : NULL});
    engine_batch_end(w->engine);
}

static void arrive(struct world *w, const struct happening *h)
{
    struct letter *l = h->thing;
    if (w->up && !w->stopping && w->broker_up)
        hand_over(w, l);
    else if (l->qos > 0 && !l->retained && w->queue_count < (int)(sizeof w->queue / sizeof *w->queue))
        w->queue[w->queue_count++] = l;
}

/* However late a message is, it comes before the calm is judged. */
static int64_t not_too_late(const struct world *w, int64_t in_ms)
{
    int64_t most_ms = w->storm_ms + 1000 - w->now_ms;
    return in_ms > most_ms && in_ms > 60 ? (most_ms > 60 ? most_ms : 60) : in_ms;
}

void broker_from_device(struct world *w, const struct letter *given)
{
    struct letter *l = world_take(w, sizeof *l);
    *l = *given;
    if (!w->broker_up)
        return;
    if (faulty(w, FAULT_MESSAGE, w->rates.lose)) {
        if (l->truth >= 0)
            say(w, "broker    loses a press of %s", l->topic);
        mark(w, MARK_broker_lost_press);
        return;
    }
    int64_t in_ms = dice_between(&w->dice, 1, 30);
    if (faulty(w, FAULT_MESSAGE, w->rates.late))
        in_ms = dice_between(&w->dice, 100, dice_chance(&w->dice, 2000) ? 90000 : 5000);
    plan_in(w, not_too_late(w, in_ms), arrive, 0, 0, l);
    if (faulty(w, FAULT_MESSAGE, w->rates.twice))
        plan_in(w,
                not_too_late(w, in_ms) + dice_between(&w->dice, 0, dice_chance(&w->dice, 3000) ? 20000 : 30),
                arrive, 0, 0, l);
}

/* The daemon subscribes anew: what the broker kept, what was retained, and what was never acknowledged. */
void broker_daemon_connects(struct world *w)
{
    for (int i = 0; i < w->held_count; i++)
        if (w->queue_count < (int)(sizeof w->queue / sizeof *w->queue)) {
            mark(w, MARK_puback_lost);
            w->queue[w->queue_count++] = w->held[i];
        }
    w->held_count = 0;
    for (int i = 0; i < w->queue_count; i++)
        plan_in(w, dice_between(&w->dice, 1, 60), arrive, 0, 0, w->queue[i]);
    w->queue_count = 0;
    for (int i = 0; i < w->kept_count; i++)
        plan_in(w, dice_between(&w->dice, 1, 60), arrive, 0, 0, w->kept[i]);
    engine_trouble(w->engine, TROUBLE_BROKER, "broker", false, "the broker is there");
    engine_broker_back(w->engine);
}

/* The PUBACK: from now on the broker will not send it again, so it must be on disk; or the disk takes nothing, and then the
 * next press must not wait behind it. */
void broker_release(struct world *w, struct letter *l)
{
    const struct truth *t = l->truth >= 0 ? &w->truths[l->truth] : NULL;
    bool recorded = !t || t->seq || t->refused_seq;
    if (!recorded && journal_poll(w->journal).state != JOURNAL_OK)
        mark(w, MARK_puback_unrecorded);
    else if (!recorded)
        fail(w, "the PUBACK of %s %llu was sent before it was recorded", l->topic, (unsigned long long)t->n);
    if (t)
        mark(w, MARK_puback_waited);
    for (int i = 0; i < w->held_count; i++)
        if (w->held[i] == l) {
            w->held[i] = w->held[--w->held_count];
            return;
        }
}

/* Towards the devices. */

struct note {
    char topic[128];
    size_t size;
    char body[];
};

static void deliver(struct world *w, const struct happening *h)
{
    struct note *n = h->thing;
    if (w->broker_up)
        devices_receive(w, n->topic, n->body, n->size);
}

void broker_from_daemon(struct world *w, const char *topic, const char *body, size_t size, bool retain)
{
    if (!w->broker_up || retain)
        return;
    if (faulty(w, FAULT_MESSAGE, w->rates.lose)) {
        mark(w, MARK_receipt_lost);
        return;
    }
    struct note *n = world_take(w, sizeof *n + size + 1);
    snprintf(n->topic, sizeof n->topic, "%s", topic);
    n->size = size;
    memcpy(n->body, body, size);
    int64_t in_ms = dice_between(&w->dice, 1, faulty(w, FAULT_MESSAGE, w->rates.late) ? 3000 : 30);
    plan_in(w, in_ms, deliver, 0, 0, n);
    if (faulty(w, FAULT_MESSAGE, w->rates.twice))
        plan_in(w, in_ms + 10, deliver, 0, 0, n);
}

/* Restarts. */

static void broker_back(struct world *w, const struct happening *h)
{
    w->broker_up = true;
    say(w, "broker    is back");
    devices_link(w, true);
    if (w->up && !w->stopping)
        broker_daemon_connects(w);
}

static void broker_goes(struct world *w, const struct happening *h)
{
    if (w->calm)
        return;
    plan_in(w, dice_between(&w->dice, 20000, 100000), broker_goes, 0, 0, NULL);
    if (!w->broker_up || !faulty(w, FAULT_BROKER, 8000))
        return;
    bool forgets = dice_chance(&w->dice, 5000);
    say(w, "broker    goes away%s", forgets ? " and forgets everything" : "");
    w->broker_up = false;
    if (forgets) {
        w->queue_count = w->held_count = 0;
        w->kept_count = 0;
    }
    devices_link(w, false);
    plan_in(w, dice_between(&w->dice, 200, 15000), broker_back, 0, 0, NULL);
    if (w->up && !w->stopping)
        engine_trouble(w->engine, TROUBLE_BROKER, "broker", true, "the broker is gone");
}

void broker_faults(struct world *w)
{
    plan_in(w, dice_between(&w->dice, 10000, 100000), broker_goes, 0, 0, NULL);
}
