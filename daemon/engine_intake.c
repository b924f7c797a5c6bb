/* What comes in: messages, deeds, results → events. Nothing here changes the board. */
#include "core/id.h"
#include "engine_private.h"
#include <stdio.h>
#include <string.h>

#define CLOCK_SKEW_MS 300000    /* a device's clock may differ by this before it is odd */
#define IDENTITY_WINDOW_MS 1000 /* two windows of it: the same payload within 1 to 2 s is the same press */
#define REFUSED_PER_S 50        /* refused presses recorded each second; a flood of forgeries must not fill the disk */

struct topic {
    char site[LIMIT_ID], device[LIMIT_ID], verb[16];
};

/* Copy what may stand in an id; a hostile name is shown, not obeyed: cut off, it may be no other device's. */
static const char *copy_part(char *to, size_t capacity, const char *from)
{
    size_t size = 0;
    for (; *from && *from != '/'; from++)
        if (size + 1 < capacity)
            to[size++] = id_valid_char(*from) ? *from : '?';
        else
            to[size - 1] = '?';
    to[size] = '\0';
    return *from == '/' ? from + 1 : NULL;
}

static bool split_topic(const char *text, struct topic *t)
{
    static const char prefix[] = "tocsin/v1/";
    if (strncmp(text, prefix, sizeof prefix - 1) != 0)
        return false;
    const char *rest = copy_part(t->site, sizeof t->site, text + sizeof prefix - 1);
    rest = rest ? copy_part(t->device, sizeof t->device, rest) : NULL;
    rest = rest ? copy_part(t->verb, sizeof t->verb, rest) : NULL;
    return rest == NULL && t->verb[0] != '\0' && t->site[0] != '\0' && t->device[0] != '\0';
}

static void release(struct engine *g, void *hold)
{
    if (hold)
        g->ports.release(g->ports.ctx, hold);
}

/* Nobody took it. */
static void answer_nothing(const struct engine_message *m)
{
    if (m->answer)
        m->answer(m->ctx, &(struct engine_receipt){.epoch = "-", .alarm = ""});
}

/* Presses. */

struct arrival { /* one press on its way to an event */
    struct topic topic;
    const struct conf_device *device; /* NULL: not configured */
    const struct conf_site *site;
    struct press_fields fields;
    const struct engine_message *message;
    int64_t now_ms;
    char known_alarm[LIMIT_ALARM_ID];
};

static enum kind kind_of_press(const struct arrival *a)
{
    return a->fields.has_kind || !a->device ? a->fields.kind : a->device->kind;
}

static void fill(const struct arrival *a, struct event *e)
{
    struct event_press *p = &e->press;
    const struct press_fields *f = &a->fields;
    memcpy(p->site, a->topic.site, sizeof p->site);
    memcpy(p->device, a->topic.device, sizeof p->device);
    if (a->device && a->device->zone)
        snprintf(p->zone, sizeof p->zone, "%s", a->device->zone);
    memcpy(p->epoch, f->epoch, sizeof p->epoch);
    p->n = f->n;
    p->has_identity = f->has_identity;
    p->kind = kind_of_press(a);
    p->mode = f->mode;
    p->oddities = f->oddities;
    p->claimed_ms = f->claimed_ms;
    p->battery = f->battery;
    memcpy(p->raw, f->raw, sizeof p->raw);
}

static void refuse(struct engine *g, struct arrival *a, enum refusal refusal)
{
    int64_t now = g->ports.boottime_ms(g->ports.ctx);
    g->counts.refused++;
    if (a->device && refusal != REFUSAL_NOTHING_TO_CANCEL)
        supervision_suspect(&g->supervision, a->device->index, now);
    if (now - g->refused_window_boottime_ms >= 1000) {
        if (g->refused_in_window > REFUSED_PER_S)
            engine_say(g, LOG_WARNING, "", "%u refused presses within a second were counted and not recorded",
                       g->refused_in_window - REFUSED_PER_S);
        g->refused_window_boottime_ms = now;
        g->refused_in_window = 0;
    }
    if (++g->refused_in_window > REFUSED_PER_S) {
        release(g, a->message->hold);
        answer_nothing(a->message);
        return;
    }
    struct event e = {.type = EVENT_PRESS_REFUSED};
    fill(a, &e);
    e.press.refusal = refusal;
    engine_submit(g, &(struct submission){
                         .event = &e, .receipt = a->device != NULL, .message = a->message, .found_as = "refused"});
}

/* The same press again: its receipt may have been lost, so it is said again, once everything so far is on disk. */
static void repeat(struct engine *g, struct arrival *a)
{
    g->counts.duplicates++;
    const struct engine_message *m = a->message;
    struct pending like = {.receipt = !m->retained,
                           .hold = m->hold,
                           .n = a->fields.n,
                           .press_answer = m->answer,
                           .answer_ctx = m->ctx};
    memcpy(like.alarm, a->known_alarm, sizeof like.alarm);
    memcpy(like.site, a->topic.site, sizeof like.site);
    memcpy(like.device, a->topic.device, sizeof like.device);
    memcpy(like.epoch, a->fields.epoch, sizeof like.epoch);
    engine_wait(g, &like);
}

static bool joins(struct engine *g, const struct arrival *a)
{
    return engine_case(g, a->topic.site, kind_class(kind_of_press(a)), a->fields.mode) != NULL;
}

/* Repetitions that waited at the broker come together: the first may still be on its way into the journal. */
static bool under_way(struct engine *g, struct arrival *a)
{
    const struct pending *p =
        engine_press_under_way(g, a->topic.site, a->topic.device, a->fields.epoch, a->fields.n);
    if (p)
        memcpy(a->known_alarm, p->alarm, sizeof a->known_alarm);
    return p != NULL;
}

/* Has a press of this device for that alarm not got into the journal yet? */
static bool is_pressing(const struct engine *g, const struct event_press *of, const char *alarm)
{
    for (const struct pending *p = g->first_unapplied; p; p = p->next)
        if (!p->applied && p->type == EVENT_PRESS_RECEIVED && strcmp(p->alarm, alarm) == 0 &&
            strcmp(p->device, of->device) == 0 && strcmp(p->site, of->site) == 0)
            return true;
    return false;
}

static enum seen look_up(struct engine *g, struct arrival *a)
{
    const struct press_fields *f = &a->fields;
    enum seen seen = board_seen(g->board, a->topic.site, a->topic.device, f->epoch, f->n, a->known_alarm);
    return seen != SEEN_BEFORE && under_way(g, a) ? SEEN_BEFORE : seen;
}

/* Identity, signature, freshness. REFUSAL_NONE: the press counts. A signed press that was overtaken by a later one may
 * have been held back by somebody: without a fresh time it can join an open case, and open none. */
static enum refusal judge(struct engine *g, struct arrival *a, enum seen *seen, const void *payload, size_t size)
{
    struct press_fields *f = &a->fields;
    int64_t window = engine_clock(g) / IDENTITY_WINDOW_MS * IDENTITY_WINDOW_MS;
    if (!f->has_identity) /* of those that are refused, too: they are recorded, and answered, under it */
        press_identity_of_payload(payload, size, window, f);
    if (!a->device)
        return REFUSAL_UNKNOWN_DEVICE;
    if (a->device->disabled)
        return REFUSAL_DEVICE_DISABLED;
    if (a->device->key && !f->has_signature)
        return REFUSAL_NO_SIGNATURE;
    if (a->device->key && !press_signature_ok(a->device->key, a->topic.site, a->topic.device, f))
        return REFUSAL_BAD_SIGNATURE;
    if (f->has_identity) {
        *seen = look_up(g, a);
    } else {
        for (int i = 1; i >= 0 && *seen != SEEN_BEFORE; i--) {
            press_identity_of_payload(payload, size, window - i * IDENTITY_WINDOW_MS, f);
            *seen = look_up(g, a);
        }
    }
    if (*seen == SEEN_BEFORE)
        return REFUSAL_NONE;
    int64_t age_ms = a->now_ms - f->claimed_ms;
    bool fresh = f->claimed_ms != 0 && age_ms <= (int64_t)g->conf->daemon.stale_press_s * 1000;
    if (a->device->key && (*seen == SEEN_COUNTER_BACK || (*seen == SEEN_OVERTAKEN && !fresh && !joins(g, a))))
        return REFUSAL_REPLAYED;
    if (*seen == SEEN_COUNTER_BACK)
        f->oddities |= ODD_COUNTER_BACK;
    if (a->message->retained && !fresh)
        return REFUSAL_STALE_RETAINED;
    if (f->claimed_ms != 0 && (age_ms > CLOCK_SKEW_MS || age_ms < -CLOCK_SKEW_MS))
        f->oddities |= ODD_CLOCK_SKEW;
    return REFUSAL_NONE;
}

/* The device's own case, or the place's; both may still be on their way into the journal. */
static const char *case_to_cancel(struct engine *g, const struct event_press *p)
{
    const struct alarm *own = board_alarm_of_device(g->board, p->site, p->device);
    const char *alarm = own && own->state != ALARM_CLOSED && own->mode == p->mode ? own->id : NULL;
    for (enum alarm_class class = 0; !alarm && class < CLASS_COUNT; class++) {
        const char *open = engine_case(g, p->site, class, p->mode);
        if (open && (class == kind_class(p->kind) || is_pressing(g, p, open)))
            alarm = open;
    }
    return alarm;
}

static void accept_press(struct engine *g, struct arrival *a)
{
    struct event e = {.type = EVENT_PRESS_RECEIVED};
    fill(a, &e);
    struct event_press *p = &e.press;
    enum alarm_class class = kind_class(p->kind);
    const char *found_as = NULL;
    if (p->kind == KIND_CANCEL) {
        const char *wanted = case_to_cancel(g, p);
        if (!wanted) {
            refuse(g, a, REFUSAL_NOTHING_TO_CANCEL);
            return;
        }
        snprintf(e.alarm, sizeof e.alarm, "%s", wanted);
    } else {
        const char *joins = engine_case(g, p->site, class, p->mode);
        if (joins) {
            snprintf(e.alarm, sizeof e.alarm, "%s", joins);
        } else {
            alarm_id_of(e.alarm, p->site, p->device, p->epoch, p->n);
            conf_plan_for(g->conf, a->site, p->mode, &p->plan);
            engine_intend(g, engine_place(p->site, class, p->mode), true, e.alarm);
            found_as = "opened";
        }
    }
    g->counts.presses++;
    engine_submit(g, &(struct submission){.event = &e, .receipt = true, .message = a->message, .found_as = found_as});
}

static void on_press(struct engine *g, struct arrival *a)
{
    const struct engine_message *m = a->message;
    enum seen seen = SEEN_NEVER;
    press_decode(m->payload, m->size, &a->fields);
    a->now_ms = g->ports.wall_ms(g->ports.ctx);
    if (m->retained)
        a->fields.oddities |= ODD_RETAINED;
    if (m->qos == 0)
        a->fields.oddities |= ODD_QOS0;
    if (a->device && !m->retained)
        supervision_heard(&g->supervision, a->device->index, g->ports.boottime_ms(g->ports.ctx), a->now_ms,
                          a->fields.battery);
    enum refusal refusal = judge(g, a, &seen, m->payload, m->size);
    if (seen == SEEN_BEFORE)
        repeat(g, a);
    else if (refusal != REFUSAL_NONE)
        refuse(g, a, refusal);
    else
        accept_press(g, a);
}

void engine_message(struct engine *g, const struct engine_message *m)
{
    struct arrival a = {.message = m};
    if (!g->started) { /* stopping: what is not answered comes again */
        answer_nothing(m);
        return;
    }
    bool known = split_topic(m->topic, &a.topic);
    if (known) {
        a.device = conf_device(g->conf, a.topic.site, a.topic.device);
        a.site = a.device ? conf_device_site(g->conf, a.device->index) : NULL;
    }
    if (known && strcmp(a.topic.verb, "press") == 0) {
        journal_expect(g->journal); /* its writer wakes up while the press is looked at */
        on_press(g, &a);
        return;
    }
    if (known && a.device && strcmp(a.topic.verb, "heartbeat") == 0) {
        g->counts.heartbeats++;
        if (!m->retained) /* the broker says that one, whatever has become of the device */
            supervision_heard(&g->supervision, a.device->index, g->ports.boottime_ms(g->ports.ctx),
                              g->ports.wall_ms(g->ports.ctx), heartbeat_battery(m->payload, m->size));
    } else if (known && a.device && strcmp(a.topic.verb, "offline") == 0) {
        if (!m->retained)
            supervision_offline(&g->supervision, a.device->index);
    } else {
        g->counts.unknown_topics++;
    }
    release(g, m->hold);
}

/* Deeds of people. */

/* Also of the presses that are on their way into the journal. */
static bool seen_all(const struct engine *g, const struct alarm *a, uint32_t version)
{
    for (const struct pending *p = g->first_unapplied; p; p = p->next)
        if (!p->applied && p->type == EVENT_PRESS_RECEIVED && !p->cancels && strcmp(p->alarm, a->id) == 0)
            return false;
    return version >= a->joined_version;
}

/* A closing that a press has overtaken will be turned down, and one of an old case says nothing about a newer one of the
 * place: then the presses that follow go on to join. */
static bool will_close(struct engine *g, const struct alarm *a, uint32_t seen_version)
{
    const char *open = engine_case(g, a->site, a->class, a->mode);
    if (!open || strcmp(open, a->id) != 0)
        return false;
    return seen_version == 0 || seen_all(g, a, seen_version);
}

void engine_deed(struct engine *g, const struct engine_deed *deed)
{
    struct alarm *a = board_alarm(g->board, deed->alarm);
    if (!a) {
        if (deed->answer)
            deed->answer(deed->ctx, ENGINE_UNKNOWN, "", 0);
        return;
    }
    struct event e = {.type = deed->type,
                      .deed = {.role = deed->role,
                               .disposition = deed->disposition,
                               .seen_version = deed->seen_version}};
    memcpy(e.alarm, a->id, sizeof e.alarm);
    snprintf(e.deed.by, sizeof e.deed.by, "%s", deed->by);
    snprintf(e.deed.endpoint, sizeof e.deed.endpoint, "%s", deed->endpoint);
    if (deed->type == EVENT_CLOSED && will_close(g, a, deed->seen_version))
        engine_intend(g, engine_place(a->site, a->class, a->mode), false, a->id);
    engine_say(g, LOG_INFO, a->id, "%s: %s by %s", event_type_str(deed->type), role_str(deed->role), deed->by);
    engine_submit(g, &(struct submission){.event = &e, .deed = deed});
    engine_batch_end(g);
}

void engine_access(struct engine *g, enum event_type type, const struct event_access *access)
{
    struct event e = {.type = type, .access = *access};
    engine_say(g, type == EVENT_SIGNED_IN || type == EVENT_SIGNED_OUT ? LOG_INFO : LOG_WARNING, "", "%s: %s from %s %s%s%s",
               event_type_str(type), access->by[0] ? access->by : "-", access->address, access->action,
               access->action[0] ? ": " : "", type == EVENT_SIGNED_IN ? "" : access_reason_str(access->reason));
    engine_submit(g, &(struct submission){.event = &e});
    engine_batch_end(g);
}

/* Results of deliveries. */

static void acknowledged_by_endpoint(struct engine *g, const struct alarm *a, const struct engine_result *r)
{
    struct engine_deed deed = {.type = EVENT_ACKNOWLEDGED, .role = ROLE_VIEWER};
    memcpy(deed.alarm, a->id, sizeof deed.alarm);
    snprintf(deed.by, sizeof deed.by, "%s", r->acknowledged_by);
    snprintf(deed.endpoint, sizeof deed.endpoint, "%s", r->endpoint);
    for (unsigned i = 0; i < a->delivery_count; i++)
        if (strcmp(a->deliveries[i].endpoint, r->endpoint) == 0)
            deed.role = a->deliveries[i].role;
    if (!(a->acked & 1u << deed.role) && a->state != ALARM_CLOSED)
        engine_deed(g, &deed);
}

void engine_result(struct engine *g, const struct engine_result *r)
{
    char id[LIMIT_ALARM_ID];
    unsigned version, presses;
    if (sscanf(r->id, "%23[a-z0-9]_%u_%u_", id, &version, &presses) != 3)
        return; /* a trouble: nothing of it is owed */
    struct alarm *a = board_alarm(g->board, id);
    if (!a)
        return;
    struct delivery *d = alarm_delivery(a, r->endpoint);
    struct event e = {.type = EVENT_DELIVERY_RESULT,
                      .delivery = {.version = version,
                                   .presses = presses,
                                   .attempt = r->attempt,
                                   .outcome = r->outcome,
                                   .http_status = r->http_status,
                                   .duration_ms = r->duration_ms,
                                   .recorded = !(d && d->sending_unrecorded)}};
    memcpy(e.alarm, a->id, sizeof e.alarm);
    snprintf(e.delivery.endpoint, sizeof e.delivery.endpoint, "%s", r->endpoint);
    bool overtaken = r->acknowledged_by && !seen_all(g, a, version);
    snprintf(e.delivery.text, sizeof e.delivery.text, "%s%s", r->text ? r->text : "",
             overtaken ? "; a press has come since, so it is asked again" : "");
    if (r->outcome != OUTCOME_RECEIVED)
        engine_say(g, LOG_WARNING, a->id, "%s", e.delivery.text);
    engine_submit(g, &(struct submission){.event = &e});
    if (r->final && r->outcome != OUTCOME_RECEIVED && d)
        d->sending_version = d->sending_presses = 0; /* nobody tries any more: the next change does */
    bool odd = r->outcome == OUTCOME_UNCONFIRMED || r->outcome == OUTCOME_REFUSED;
    if ((odd || r->outcome == OUTCOME_RECEIVED) && conf_endpoint(g->conf, r->endpoint))
        engine_trouble(g, TROUBLE_ENDPOINT_ANSWER, r->endpoint, odd,
                       "it answers, but does not confirm what it is told or refuses it: it may not be what it should be");
    if (r->acknowledged_by && !overtaken)
        acknowledged_by_endpoint(g, a, r);
    engine_batch_end(g);
}
