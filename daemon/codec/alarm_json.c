#include "codec/alarm_json.h"
#include "codec/text.h"
#include <stdio.h>
#include <string.h>

/* How much is said. The site's texts and the zones' names are an administrator's and of any length; ids are
 * not. */
enum detail { DETAIL_ALL, DETAIL_NO_ZONE_NAMES, DETAIL_IDS, DETAIL_COUNT };

#define CONTACTS_MAX 16 /* people to call that are named in one body */

static void clipped(struct json_out *o, const char *key, const char *text)
{
    if (text)
        json_text_n(o, key, text, text_cut(text, strlen(text), LIMIT_TEXT - 1));
}

static void optional(struct json_out *o, const char *key, const char *text)
{
    if (text[0] != '\0')
        json_text(o, key, text);
}

static void put_contacts(struct json_out *o, const struct conf_site *site)
{
    json_open(o, "contacts", '[');
    for (size_t i = 0; i < site->contact_count && i < CONTACTS_MAX; i++) {
        json_open(o, NULL, '{');
        clipped(o, "name", site->contacts[i].name);
        clipped(o, "phone", site->contacts[i].phone);
        json_close(o, '}');
    }
    json_close(o, ']');
}

static void put_site(struct json_out *o, const struct conf *conf, const char *id, enum detail detail)
{
    const struct conf_site *site = detail < DETAIL_IDS ? conf_site(conf, id) : NULL;
    json_open(o, "site", '{');
    json_text(o, "id", id);
    if (site) {
        clipped(o, "name", site->name);
        clipped(o, "address", site->address);
        if (site->has_position) {
            json_decimal(o, "latitude", site->latitude, 7);
            json_decimal(o, "longitude", site->longitude, 7);
        }
        put_contacts(o, site);
    }
    json_close(o, '}');
}

/* Who did what changed last; "" when it was no person. */
static const char *author(const struct alarm *a)
{
    switch (a->change) {
    case CHANGE_ACKNOWLEDGED:
        return a->acknowledged_by;
    case CHANGE_COMING:
        return a->coming_by;
    case CHANGE_ON_SCENE:
        return a->on_scene_by;
    case CHANGE_CLOSED:
        return a->closed_by;
    case CHANGE_OPENED:
    case CHANGE_JOINED:
    case CHANGE_RAISED:
    case CHANGE_ESCALATED:
    case CHANGE_REOPENED:
    case CHANGE_COUNT:
        break;
    }
    return "";
}

static void put_members(struct json_out *o, const struct conf *conf, const struct alarm *a,
                        enum detail detail)
{
    json_text(o, "id", a->id);
    put_site(o, conf, a->site, detail);
    json_text(o, "class", alarm_class_str(a->class));
    json_text(o, "mode", mode_str(a->mode));
    json_text(o, "kind", kind_str(a->kind));
    json_text(o, "state", alarm_state_str(a->state));
    json_text(o, "stage", alarm_stage(a));
    json_unsigned(o, "version", a->version);
    json_time(o, "opened_at", a->opened_at_ms);
    json_time(o, "changed_at", a->changed_at_ms);
    json_text(o, "plan", a->plan.id);
    json_unsigned(o, "step", a->step + 1u);
    json_unsigned(o, "steps", a->plan.step_count);
    json_unsigned(o, "press_count", a->press_count);
    if (a->cancels > 0)
        json_unsigned(o, "cancels", a->cancels);
    if (a->exhausted)
        json_bool(o, "exhausted", true);
    optional(o, "by", author(a));
    optional(o, "acknowledged_by", a->acknowledged_by);
    optional(o, "coming_by", a->coming_by);
    optional(o, "on_scene_by", a->on_scene_by);
    optional(o, "closed_by", a->closed_by);
    if (a->state == ALARM_CLOSED)
        json_text(o, "disposition", disposition_str(a->disposition));
}

/* Of the roles that the plan needs: who has answered for each since the alarm was opened (again). */
static void put_acks(struct json_out *o, const struct alarm *a)
{
    json_open(o, "acks", '[');
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (!(a->plan.acks_needed & 1u << role))
            continue;
        json_open(o, NULL, '{');
        json_text(o, "role", role_str(role));
        json_text(o, "by", a->acked & 1u << role ? a->acked_by[role] : NULL);
        json_close(o, '}');
    }
    json_close(o, ']');
}

/* How far each role has come: its own deeds are those beyond, whatever the others have done. */
static void put_reached(struct json_out *o, const struct alarm *a)
{
    json_open(o, "reached", '[');
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (a->reached[role] == ALARM_OPEN)
            continue;
        json_open(o, NULL, '{');
        json_text(o, "role", role_str(role));
        json_text(o, "state", alarm_state_str((enum alarm_state)a->reached[role]));
        json_close(o, '}');
    }
    json_close(o, ']');
}

void alarm_json_members(struct json_out *o, const struct conf *conf, const struct alarm *a)
{
    put_members(o, conf, a, DETAIL_ALL);
    put_acks(o, a);
    put_reached(o, a);
}

void alarm_json_deliveries(struct json_out *o, const struct conf *conf, const struct alarm *a)
{
    json_open(o, "deliveries", '[');
    for (unsigned i = 0; i < a->delivery_count; i++) {
        const struct delivery *d = &a->deliveries[i];
        const struct conf_endpoint *endpoint = conf_endpoint(conf, d->endpoint);
        json_open(o, NULL, '{');
        json_text(o, "endpoint", d->endpoint);
        clipped(o, "name", endpoint ? endpoint->name : NULL);
        json_text(o, "role", role_str(d->role));
        json_unsigned(o, "step", d->step + 1u);
        json_text(o, "state", delivery_state_str(d->state));
        json_unsigned(o, "version", d->told_version);
        json_unsigned(o, "presses", d->told_presses);
        json_unsigned(o, "attempts", d->attempts);
        json_time(o, "since", d->since_ms);
        json_unsigned(o, "http_status", d->http_status);
        json_close(o, '}');
    }
    json_close(o, ']');
}

static void put_oddities(struct json_out *o, uint32_t oddities)
{
    json_open(o, "odd", '[');
    for (unsigned bit = 0; bit < ODD_COUNT; bit++)
        if (oddities & 1u << bit)
            json_text(o, NULL, oddity_str(bit));
    json_close(o, ']');
}

static void put_press(struct json_out *o, const struct conf_site *site, const struct press *p,
                      enum detail detail)
{
    json_open(o, NULL, '{');
    json_text(o, "device", p->device); /* device, epoch, n: readers look for them in this order */
    json_text(o, "epoch", p->epoch);
    json_unsigned(o, "n", p->n);
    json_text(o, "kind", kind_str(p->kind));
    if (p->zone[0] != '\0') {
        const struct conf_zone *zone = site && detail == DETAIL_ALL ? conf_zone(site, p->zone) : NULL;
        json_open(o, "zone", '{');
        json_text(o, "id", p->zone);
        clipped(o, "name", zone ? zone->name : NULL);
        json_close(o, '}');
    }
    json_time(o, "at", p->at_ms);
    if (p->oddities && detail == DETAIL_ALL)
        put_oddities(o, p->oddities);
    json_close(o, '}');
}

static void put_presses(struct json_out *o, const struct conf *conf, const struct board *board,
                        const struct alarm *a, uint32_t first, uint32_t count, enum detail detail)
{
    const struct conf_site *site = conf_site(conf, a->site);
    json_open(o, "presses", '[');
    const struct press *p = board_nth_press(board, a, first);
    for (; p && count > 0; count--) {
        put_press(o, site, p, detail);
        p = board_press(board, p->next);
    }
    json_close(o, ']');
}

void alarm_json_presses(struct json_out *o, const struct conf *conf, const struct board *board,
                        const struct alarm *a, uint32_t first, uint32_t count)
{
    put_presses(o, conf, board, a, first, count, DETAIL_ALL);
}

static void put_journal(struct json_out *o, const struct journal_head *head)
{
    json_open(o, "journal", '{');
    json_unsigned(o, "size", head->size);
    json_base64(o, "root", head->root, sizeof head->root);
    json_close(o, '}');
}

static void put_type(struct json_out *o, const char *family, const char *what)
{
    char type[64];
    snprintf(type, sizeof type, "%s.%s", family, what);
    json_text(o, "type", type);
}

size_t webhook_body(char *out, size_t capacity, const struct conf *conf, const struct board *board,
                    const struct effect *effect, const struct journal_head *head, bool recorded,
                    int64_t now_ms)
{
    const struct alarm *a = effect->alarm;
    uint32_t count = effect->press_count < LIMIT_BODY_PRESSES ? effect->press_count : LIMIT_BODY_PRESSES;
    bool first_word = effect->delivery->told_version == 0 && a->state != ALARM_CLOSED;
    for (enum detail detail = DETAIL_ALL; detail < DETAIL_COUNT; detail++) {
        struct json_out o;
        json_out_init(&o, out, capacity);
        json_open(&o, NULL, '{');
        put_type(&o, "alarm", change_str(first_word ? CHANGE_OPENED : a->change));
        json_time(&o, "timestamp", a->changed_at_ms);
        json_open(&o, "data", '{');
        json_bool(&o, "recorded", recorded);
        json_time(&o, "told_at", now_ms);
        json_unsigned(&o, "version", a->version);
        json_open(&o, "alarm", '{');
        put_members(&o, conf, a, detail);
        json_close(&o, '}');
        put_presses(&o, conf, board, a, effect->first_press, count, detail);
        json_close(&o, '}');
        put_journal(&o, head);
        json_close(&o, '}');
        if (json_out_ok(&o))
            return o.size;
    }
    return 0;
}

size_t webhook_trouble_body(char *out, size_t capacity, const char *daemon, const struct event *e,
                            const struct journal_head *head)
{
    struct json_out o;
    json_out_init(&o, out, capacity);
    json_open(&o, NULL, '{');
    put_type(&o, "trouble", e->type == EVENT_TROUBLE_RAISED ? "raised" : "cleared");
    json_time(&o, "timestamp", e->at_ms);
    json_open(&o, "data", '{');
    json_text(&o, "daemon", daemon);
    json_text(&o, "code", trouble_code_str(e->trouble.code));
    json_text(&o, "part", e->trouble.part);
    json_text(&o, "text", e->trouble.text);
    json_close(&o, '}');
    put_journal(&o, head);
    json_close(&o, '}');
    return json_out_ok(&o) ? o.size : 0;
}

size_t receipt_body(char *out, size_t capacity, const char *epoch, uint64_t n, const char *stage,
                    const char *alarm, int64_t now_ms)
{
    struct json_out o;
    json_out_init(&o, out, capacity);
    json_open(&o, NULL, '{');
    json_text(&o, "epoch", epoch);
    json_unsigned(&o, "n", n);
    json_text(&o, "stage", stage);
    optional(&o, "alarm", alarm);
    json_time(&o, "at", now_ms);
    json_close(&o, '}');
    return json_out_ok(&o) ? o.size : 0;
}

static void put_summary(struct json_out *o, const struct alarm *a)
{
    json_open(o, NULL, '{');
    json_text(o, "alarm", a->id);
    json_text(o, "class", alarm_class_str(a->class));
    json_text(o, "kind", kind_str(a->kind));
    json_text(o, "mode", mode_str(a->mode));
    json_text(o, "state", alarm_state_str(a->state));
    json_text(o, "stage", alarm_stage(a));
    json_time(o, "since", a->opened_at_ms);
    json_close(o, '}');
}

size_t site_state_body(char *out, size_t capacity, const struct conf *conf, struct board *board,
                       const char *site, int64_t now_ms)
{
    struct json_out o;
    json_out_init(&o, out, capacity);
    json_open(&o, NULL, '{');
    json_text(&o, "site", site);
    json_time(&o, "at", now_ms);
    json_open(&o, "alarms", '[');
    for (enum mode mode = 0; mode < MODE_COUNT; mode++)
        for (enum alarm_class family = 0; family < CLASS_COUNT; family++) {
            const struct alarm *a = board_open_alarm(board, site, family, mode); /* at most one of each */
            if (a)
                put_summary(&o, a);
        }
    json_close(&o, ']');
    json_close(&o, '}');
    return json_out_ok(&o) ? o.size : 0;
}
