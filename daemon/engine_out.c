/* What goes out: the board's effects → tellings, receipts, site states. Nothing here changes what is known. */
#include "engine_private.h"
#include "memory.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TROUBLE_GIVE_UP_S 600
#define STATE_LATE_MS 1000 /* and up to SCAN_EVERY_MS more: a lamp need not know at once that an endpoint has the alarm */

static struct journal_head head_of(const struct engine *g)
{
    struct journal_head head = {.size = g->progress.size};
    memcpy(head.root, g->progress.root, sizeof head.root);
    return head;
}

/* Equal content has an equal id, whenever and however often it is sent; another content has another one, also when a
 * change that was told was never recorded and its number went to the next. The first telling needs no more than its press. */
static void telling_id(char *out, size_t capacity, const struct alarm *a, const struct delivery *d)
{
    if (d->sending_version == 1)
        snprintf(out, capacity, "%s_1_%u_%s", a->id, d->sending_presses, d->endpoint);
    else
        snprintf(out, capacity, "%s_%u_%u_%x_%s", a->id, d->sending_version, d->sending_presses,
                 (unsigned)(d->sending_changed_ms & 0xffffff), d->endpoint);
    for (char *c = out; *c; c++)
        if (*c == '.')
            *c = '~'; /* Standard Webhooks: no full stop in an id */
}

static void keep_body(struct engine *g, struct engine_telling *t, size_t size)
{
    t->take_body = malloc(size);
    assert(t->take_body); /* a daemon without memory restarts and resumes */
    memcpy(t->take_body, g->body, size);
    t->body_size = size;
}

static void hand_over(struct engine *g, struct engine_telling *t)
{
    g->counts.tellings++;
    g->ports.tell(g->ports.ctx, t);
}

/* Police and bureau are told the same words at the same moment: they are made once. */
static size_t words(struct engine *g, const struct effect *effect, bool recorded)
{
    const struct engine_words w = {.alarm = effect->alarm,
                                   .first_press = effect->first_press,
                                   .press_count = effect->press_count,
                                   .first = effect->delivery->told_version == 0,
                                   .at_ms = g->ports.wall_ms(g->ports.ctx)};
    if (g->words_size && w.alarm == g->words.alarm && w.first_press == g->words.first_press &&
        w.press_count == g->words.press_count && w.first == g->words.first && w.at_ms == g->words.at_ms)
        return g->words_size;
    struct journal_head head = head_of(g);
    g->words = w;
    g->words_size = webhook_body(g->body, sizeof g->body, g->conf, g->board, effect, &head, recorded, w.at_ms);
    assert(g->words_size > 0); /* all of its parts are bounded */
    return g->words_size;
}

static struct engine_telling make_telling(struct engine *g, const struct effect *effect)
{
    const struct alarm *a = effect->alarm;
    bool recorded = engine_recorded(g, a->last_seq);
    effect->delivery->sending_unrecorded = !recorded;
    size_t size = words(g, effect, recorded);
    struct engine_telling t = {.endpoint = effect->delivery->endpoint,
                               .alarm = a->id,
                               .first = effect->delivery->told_version == 0,
                               .test = a->mode == MODE_TEST};
    telling_id(t.id, sizeof t.id, a, effect->delivery);
    keep_body(g, &t, size);
    return t;
}

static void tell(void *ctx, const struct effect *effect)
{
    struct engine *g = ctx;
    struct engine_telling t = make_telling(g, effect);
    hand_over(g, &t);
}

struct renewal {
    struct engine *engine;
    struct engine_telling *telling;
};

static void renew(void *ctx, const struct effect *effect)
{
    struct renewal *r = ctx;
    *r->telling = make_telling(r->engine, effect);
}

bool engine_renew_telling(struct engine *g, const char *id, const char *endpoint, struct engine_telling *out)
{
    char alarm[LIMIT_ALARM_ID], current[sizeof out->id];
    if (sscanf(id, "%23[a-z0-9]_", alarm) != 1)
        return false;
    struct alarm *a = board_alarm(g->board, alarm);
    struct delivery *d = a ? alarm_delivery(a, endpoint) : NULL;
    if (!d || d->sending_version == 0 || (d->sending_version == a->version && d->sending_presses == a->press_count))
        return false;
    telling_id(current, sizeof current, a, d);
    if (strcmp(current, id) != 0)
        return false;
    g->words_size = 0;
    board_send(a, d, engine_clock(g), renew, &(struct renewal){g, out});
    return true;
}

void engine_effects(struct engine *g)
{
    if (g->in_effects || !g->started)
        return;
    g->in_effects = true;
    g->words_size = 0;
    board_take_effects(g->board, engine_clock(g), g->conf->daemon.gather_ms, tell, g);
    for (struct alarm *a; (a = board_take_changed(g->board));)
        engine_stage(g, a);
    g->in_effects = false;
}

static bool closes(const struct event *e)
{
    return e->type == EVENT_CLOSED || (e->type == EVENT_DEADLINE_PASSED && e->deadline.kind == DEADLINE_TEST);
}

/* What the event replaces by its own telling: nothing, or of each delivery that is still being tried. */
enum replaced { REPLACED_NOTHING, REPLACED_WHAT_SAID_NO, REPLACED_ALL };

static enum replaced replaced_by(const struct event *e, const struct alarm *a)
{
    bool forgets = e->type == EVENT_DEADLINE_PASSED && e->deadline.kind == DEADLINE_FORGET && alarm_is_due(a, e);
    if (e->type == EVENT_PRESS_RECEIVED)
        return alarm_gets_graver(a, e) ? REPLACED_WHAT_SAID_NO : REPLACED_NOTHING;
    if (!(forgets || closes(e)) || (a->state == ALARM_CLOSED) != forgets)
        return REPLACED_NOTHING; /* a second closing closes nothing: what the first one sent goes on */
    if (e->type == EVENT_CLOSED && e->deed.seen_version && e->deed.seen_version < a->joined_version)
        return REPLACED_NOTHING;
    return REPLACED_ALL;
}

void engine_before_apply(struct engine *g, const struct event *e)
{
    struct alarm *a = e->alarm[0] ? board_alarm(g->board, e->alarm) : NULL;
    enum replaced replaced = a ? replaced_by(e, a) : REPLACED_NOTHING;
    for (unsigned i = 0; replaced != REPLACED_NOTHING && i < a->delivery_count; i++) {
        const struct delivery *d = &a->deliveries[i];
        char id[LIMIT_ALARM_ID + LIMIT_ID + 24];
        if (d->sending_version == 0 || (replaced == REPLACED_WHAT_SAID_NO && !alarm_said_no(d)))
            continue;
        telling_id(id, sizeof id, a, d);
        g->ports.cancel(g->ports.ctx, id, d->endpoint);
    }
}

/* Nobody was trying while an endpoint was not configured; it is told by the next engine_effects(), when the dispatcher
 * knows it, too. */
void engine_new_endpoints(struct engine *g, const struct conf *conf)
{
    for (size_t i = 0; i < conf->endpoint_count; i++) {
        const char *endpoint = conf->endpoints[i].id;
        if (conf_endpoint(g->conf, endpoint))
            continue;
        for (struct alarm *a = NULL; (a = board_next_alarm(g->board, a));) {
            const struct delivery *d = alarm_delivery(a, endpoint);
            char id[LIMIT_ALARM_ID + LIMIT_ID + 24];
            if (!d || d->sending_version == 0)
                continue;
            telling_id(id, sizeof id, a, d);
            g->ports.cancel(g->ports.ctx, id, endpoint);
        }
        board_tell_again(g->board, endpoint);
    }
}

void engine_tell_trouble(struct engine *g, const struct event *e)
{
    struct journal_head head = head_of(g);
    for (size_t i = 0; i < g->conf->endpoint_count && g->started; i++) {
        const struct conf_endpoint *to = &g->conf->endpoints[i];
        if (!to->troubles || strcmp(to->id, e->trouble.part) == 0)
            continue;
        size_t size = webhook_trouble_body(g->body, sizeof g->body, g->conf->daemon.name, e, &head);
        struct engine_telling t = {
            .endpoint = to->id, .alarm = "", .trouble = true, .give_up_s = TROUBLE_GIVE_UP_S};
        /* with its moment: a trouble that was never recorded leaves its number to the next */
        snprintf(t.id, sizeof t.id, "trouble-%llu-%x-%s", (unsigned long long)e->seq, (unsigned)(e->at_ms & 0xffffff),
                 to->id);
        for (char *c = t.id; *c; c++)
            if (*c == '.')
                *c = '~';
        if (size == 0)
            continue;
        keep_body(g, &t, size);
        hand_over(g, &t);
    }
}

/* Receipts. */

static void send_receipt(struct engine *g, const char *site, const char *device, const char *epoch, uint64_t n,
                         const char *stage, const char *alarm, int qos)
{
    char topic[2 * LIMIT_ID + 32], body[512];
    snprintf(topic, sizeof topic, "tocsin/v1/%s/%s/receipt", site, device);
    size_t size =
        receipt_body(body, sizeof body, epoch, n, stage, alarm, g->ports.wall_ms(g->ports.ctx));
    if (size == 0)
        return;
    g->counts.receipts++;
    g->ports.publish(g->ports.ctx, topic, body, size, qos, false);
}

/* NULL: the record lost it. */
static const char *stage_of_press(const struct engine *g, const struct pending *p, const struct alarm *a)
{
    if (p->type == EVENT_PRESS_REFUSED)
        return "refused";
    if (p->size > 0 || !a)
        return "recorded";
    const struct press *known = g->has_lost ? board_find_press(g->board, a, p->device, p->epoch, p->n) : NULL;
    if (known && known->seq == 0)
        return NULL;
    return engine_recorded(g, a->last_seq) ? alarm_stage(a) : "recorded"; /* a repetition hears where the case stands now */
}

void engine_receipt(struct engine *g, const struct pending *p)
{
    const struct alarm *a = p->alarm[0] ? board_alarm(g->board, p->alarm) : NULL;
    const char *stage = stage_of_press(g, p, a);
    bool refused = p->type == EVENT_PRESS_REFUSED;
    if (stage)
        send_receipt(g, p->site, p->device, p->epoch, p->n, stage, p->alarm, 0);
    if (p->press_answer)
        p->press_answer(p->answer_ctx,
                        &(struct engine_receipt){
                            .epoch = p->epoch,
                            .n = p->n,
                            .stage = stage,
                            .alarm = p->alarm,
                            .refusal = refused && p->event ? p->event->press.refusal : REFUSAL_NONE});
}

static void publish_state(struct engine *g, const char *site)
{
    char topic[LIMIT_ID + 32];
    snprintf(topic, sizeof topic, "tocsin/v1/%s/state", site);
    size_t size = site_state_body(g->body, sizeof g->body, g->conf, g->board, site, g->ports.wall_ms(g->ports.ctx));
    if (size > 0)
        g->ports.publish(g->ports.ctx, topic, g->body, size, 1, true);
}

static bool shows(const struct alarm *a, const char *stage)
{
    return strncmp(a->published, stage, strlen(stage)) == 0;
}

static void publish_late(struct engine *g, const struct alarm *a)
{
    struct late_state *late = memory_zeroed(1, sizeof *late);
    late->due_boottime_ms = g->ports.boottime_ms(g->ports.ctx) + STATE_LATE_MS;
    memcpy(late->alarm, a->id, sizeof late->alarm);
    STAILQ_INSERT_TAIL(&g->late_states, late, link);
}

void engine_late_states(struct engine *g, int64_t now_boottime_ms)
{
    for (struct late_state *late; (late = STAILQ_FIRST(&g->late_states)) && late->due_boottime_ms <= now_boottime_ms;) {
        const struct alarm *a = board_alarm(g->board, late->alarm);
        if (a && shows(a, "delivered")) /* otherwise there has been other news, and it said this, too */
            publish_state(g, a->site);
        STAILQ_REMOVE_HEAD(&g->late_states, link);
        free(late);
    }
}

void engine_stage(struct engine *g, struct alarm *a)
{
    char now[sizeof a->published];
    const char *stage = alarm_stage(a);
    if (!g->started || !engine_recorded(g, a->last_seq))
        return; /* said when it is on disk: settle() comes back */
    snprintf(now, sizeof now, "%s/%s/%s", stage, alarm_state_str(a->state), kind_str(a->kind));
    if (strcmp(now, a->published) == 0)
        return;
    bool stage_is_news = !shows(a, stage) && strcmp(stage, "recorded") != 0;
    bool can_wait = shows(a, "recorded") && strcmp(stage, "delivered") == 0 &&
                    strcmp(strchr(a->published, '/'), strchr(now, '/')) == 0;
    memcpy(a->published, now, sizeof now);
    if (can_wait)
        publish_late(g, a);
    else
        publish_state(g, a->site);
    if (!stage_is_news)
        return;
    for (const struct press *p = board_press(g->board, a->press_first); p; p = board_press(g->board, p->next))
        if (p->seq != 0 && board_is_last_press(g->board, a, p)) /* 0: the record lost it, so it goes on repeating it */
            send_receipt(g, a->site, p->device, p->epoch, p->n, stage, a->id, 1);
}

struct parting *engine_parting(struct engine *g, const struct event *e)
{
    const struct alarm *a = closes(e) && !engine_recorded(g, e->seq) ? board_alarm(g->board, e->alarm) : NULL;
    if (!a || a->state != ALARM_CLOSED)
        return NULL;
    struct parting *parting = memory_zeroed(1, sizeof *parting + a->press_count * sizeof parting->presses[0]);
    memcpy(parting->site, a->site, sizeof parting->site);
    for (const struct press *p = board_press(g->board, a->press_first); p; p = board_press(g->board, p->next))
        if (p->seq != 0 && board_is_last_press(g->board, a, p))
            parting->presses[parting->count++] = *p;
    return parting;
}

void engine_part(struct engine *g, const char *alarm, const struct parting *parting)
{
    publish_state(g, parting->site);
    for (uint32_t i = 0; i < parting->count; i++) {
        const struct press *p = &parting->presses[i];
        send_receipt(g, parting->site, p->device, p->epoch, p->n, alarm_state_str(ALARM_CLOSED), alarm, 1);
    }
}

/* What lights up when its site has an alarm may have been there before the site was. */
void engine_new_sites(struct engine *g, const struct conf *old)
{
    for (size_t i = 0; i < g->conf->site_count; i++)
        if (!conf_site(old, g->conf->sites[i].id))
            publish_state(g, g->conf->sites[i].id);
}

void engine_broker_back(struct engine *g)
{
    for (size_t i = 0; i < g->conf->site_count; i++)
        publish_state(g, g->conf->sites[i].id);
    for (struct alarm *a = NULL; (a = board_next_alarm(g->board, a));) {
        a->published[0] = '\0';
        engine_stage(g, a);
    }
}
