#include "io/api_internal.h"
#include "io/metrics.h"
#include <stdlib.h>
#include <string.h>

#define ITEM_ROOM                                                                                            \
    8192 /* bytes one device, endpoint, trouble or zone may take: names are an administrator's */

static void put_text(struct json_out *o, const char *key, const char *text)
{
    if (text)
        json_text(o, key, text);
}

void api_put_place(struct json_out *o, const char *key, const char *id, const char *name)
{
    json_open(o, key, '{');
    json_text(o, "id", id);
    json_text(o, "name", name);
    json_close(o, '}');
}

/* A site the caller may ask about, from ?site=; false: answered. *site NULL: all. */
static bool asked_site(struct api_call *c, const struct conf_site **site)
{
    const char *id = web_query(c->request, "site");
    *site = id ? api_site(c, id) : NULL;
    return !id || *site;
}

/* --- Sites. */

static unsigned alarms_open(struct board *board, const char *site)
{
    unsigned count = 0;
    for (enum alarm_class class = 0; class < CLASS_COUNT; class ++)
        count += board_open_alarm(board, site, class, MODE_REAL) != NULL; /* at most one of each */
    return count;
}

static void put_site(struct api_out *out, struct board *board, const struct conf_site *site)
{
    struct json_out *o = &out->o;
    api_out_room(out, (site->contact_count * 2 + site->zone_count + 2) * ITEM_ROOM);
    json_open(o, NULL, '{');
    json_text(o, "id", site->id);
    json_text(o, "name", site->name ? site->name : site->id);
    put_text(o, "address", site->address);
    if (site->has_position) {
        json_decimal(o, "latitude", site->latitude, 7);
        json_decimal(o, "longitude", site->longitude, 7);
    }
    json_text(o, "plan", site->plan_id);
    json_open(o, "contacts", '[');
    for (size_t i = 0; i < site->contact_count; i++) {
        json_open(o, NULL, '{');
        put_text(o, "name", site->contacts[i].name);
        put_text(o, "phone", site->contacts[i].phone);
        json_close(o, '}');
    }
    json_close(o, ']');
    json_open(o, "zones", '[');
    for (size_t i = 0; i < site->zone_count; i++)
        api_put_place(o, NULL, site->zones[i].id, site->zones[i].name);
    json_close(o, ']');
    json_unsigned(o, "device_count", site->device_count);
    json_unsigned(o, "alarms_open", alarms_open(board, site->id));
    json_close(o, '}');
}

void api_sites(struct api_call *c)
{
    struct api_out out;
    api_out_begin(&out, ITEM_ROOM);
    json_open(&out.o, NULL, '{');
    json_open(&out.o, "sites", '[');
    for (size_t i = 0; i < c->conf->site_count; i++)
        if (api_sees(c->account, c->conf->sites[i].id))
            put_site(&out, engine_board(c->api->options.engine), &c->conf->sites[i]);
    api_out_room(&out, 16);
    json_close(&out.o, ']');
    json_close(&out.o, '}');
    api_out_answer(&out, c->request);
}

/* --- Devices. */

static void put_device(struct api_out *out, const struct engine *engine, const struct conf_site *site,
                       const struct conf_device *device)
{
    struct json_out *o = &out->o;
    struct engine_device state = {.battery = -1};
    const struct conf_zone *zone = device->zone ? conf_zone(site, device->zone) : NULL;
    engine_device(engine, device->index, &state);
    api_out_room(out, ITEM_ROOM);
    json_open(o, NULL, '{');
    json_text(o, "site", site->id);
    json_text(o, "id", device->id);
    if (zone)
        api_put_place(o, "zone", zone->id, zone->name);
    json_text(o, "kind", kind_str(device->kind));
    json_bool(o, "signed", device->key != NULL);
    json_bool(o, "disabled", device->disabled);
    json_unsigned(o, "silent_after_s", device->silent_after_s);
    json_bool(o, "heard", state.heard);
    json_time(o, "heard_at", state.heard_at_ms);
    if (state.battery >= 0)
        json_number(o, "battery", state.battery);
    else
        json_text(o, "battery", NULL);
    json_bool(o, "silent", state.silent);
    json_bool(o, "offline", state.offline);
    json_close(o, '}');
}

void api_devices(struct api_call *c)
{
    uint64_t limit = 100, after = 0, count = 0;
    const struct conf_site *wanted;
    bool more = false;
    if (!asked_site(c, &wanted) || !api_query_number(c, "limit", 1, 1000, &limit) ||
        !api_query_number(c, "after", 0, UINT32_MAX - 1, &after))
        return;
    uint32_t index = web_query(c->request, "after") ? (uint32_t)after + 1 : 0;
    struct api_out out;
    api_out_begin(&out, ITEM_ROOM);
    json_open(&out.o, NULL, '{');
    json_open(&out.o, "devices", '[');
    for (; index < c->conf->device_count && !more; index++) {
        const struct conf_site *site = conf_device_site(c->conf, index);
        if ((wanted && site != wanted) || !api_sees(c->account, site->id))
            continue;
        more = count == limit;
        if (more)
            break;
        put_device(&out, c->api->options.engine, site, conf_device_at(c->conf, index));
        after = index;
        count++;
    }
    api_out_room(&out, 64);
    json_close(&out.o, ']');
    if (more)
        json_unsigned(&out.o, "next", after);
    else
        json_text(&out.o, "next", NULL);
    json_close(&out.o, '}');
    api_out_answer(&out, c->request);
}

/* --- Endpoints. */

/* Its state among dispatch's; all zero when dispatch does not know it (yet). */
static struct dispatch_endpoint_status endpoint_status(struct dispatch *dispatch, const char *id)
{
    struct dispatch_endpoint_status status = {.up = false};
    if (dispatch)
        dispatch_endpoint_status(dispatch, id, &status);
    return status;
}

void api_endpoints(struct api_call *c)
{
    struct api_out out;
    api_out_begin(&out, ITEM_ROOM);
    struct json_out *o = &out.o;
    json_open(o, NULL, '{');
    json_open(o, "endpoints", '[');
    for (size_t i = 0; i < c->conf->endpoint_count; i++) {
        const struct conf_endpoint *endpoint = &c->conf->endpoints[i];
        struct dispatch_endpoint_status s = endpoint_status(c->api->options.dispatch, endpoint->id);
        api_out_room(&out, ITEM_ROOM);
        json_open(o, NULL, '{');
        json_text(o, "id", endpoint->id);
        json_text(o, "name", endpoint->name ? endpoint->name : endpoint->id);
        json_text(o, "role", role_str(endpoint->role));
        json_text(o, "state", !s.known ? "unknown" : s.up ? "up" : "down");
        json_text(o, "text", s.up || !s.text || !s.text[0] ? NULL : s.text);
        json_unsigned(o, "queued", s.queued);
        json_unsigned(o, "under_way", s.under_way);
        json_unsigned(o, "sent", s.sent);
        json_unsigned(o, "received", s.received);
        json_unsigned(o, "failed", s.failed);
        json_unsigned(o, "last_ms", s.last_ms);
        json_close(o, '}');
    }
    api_out_room(&out, 16);
    json_close(o, ']');
    json_close(o, '}');
    api_out_answer(&out, c->request);
}

/* --- Troubles. */

static bool sees_trouble(struct api_call *c, const struct trouble *t)
{
    struct event e = {.type = EVENT_TROUBLE_RAISED, .trouble.code = t->code};
    char site[LIMIT_ID];
    memcpy(e.trouble.part, t->part, sizeof e.trouble.part);
    return c->account->site_count == 0 || (api_event_site(c->api, &e, site) && api_sees(c->account, site));
}

void api_troubles(struct api_call *c)
{
    struct board *board = engine_board(c->api->options.engine);
    struct api_out out;
    api_out_begin(&out, ITEM_ROOM);
    struct json_out *o = &out.o;
    json_open(o, NULL, '{');
    json_open(o, "troubles", '[');
    for (const struct trouble *t = NULL; (t = board_next_trouble(board, t));) {
        if (!sees_trouble(c, t))
            continue;
        api_out_room(&out, ITEM_ROOM);
        json_open(o, NULL, '{');
        json_text(o, "code", trouble_code_str(t->code));
        json_text(o, "part", t->part);
        json_text(o, "text", t->text);
        json_time(o, "at", t->at_ms);
        json_unsigned(o, "seq", t->seq);
        json_close(o, '}');
    }
    api_out_room(&out, 16);
    json_close(o, ']');
    json_close(o, '}');
    api_out_answer(&out, c->request);
}

/* --- Health. Asked without a token: says what is wrong, never where. */

void api_health(struct api_call *c)
{
    struct api_out out;
    api_out_begin(&out, 256);
    json_open(&out.o, NULL, '{');
    json_text(&out.o, "status", "alive");
    json_text(&out.o, "version", c->api->options.version);
    json_close(&out.o, '}');
    api_out_answer(&out, c->request);
}

static bool nobody_reachable(struct dispatch *dispatch, const struct conf *conf)
{
    for (size_t i = 0; dispatch && i < conf->endpoint_count; i++) {
        struct dispatch_endpoint_status s = endpoint_status(dispatch, conf->endpoints[i].id);
        if (s.reachable || !s.known)
            return false;
    }
    return dispatch && conf->endpoint_count > 0;
}

void api_ready(struct api_call *c)
{
    struct engine *engine = c->api->options.engine;
    enum journal_state journal = engine_journal(engine).state;
    const char *reasons[] = {
        engine_ready(engine) || journal != JOURNAL_OK ? NULL : "the daemon is still starting",
        journal == JOURNAL_SLOW       ? "the journal is slow: alarms go out before they are recorded"
        : journal == JOURNAL_DEGRADED ? "the journal does not record: alarms go out unrecorded"
                                      : NULL,
        NULL, NULL, nobody_reachable(c->api->options.dispatch, c->conf) ? "no endpoint answers" : NULL};
    struct board *board = engine_board(engine);
    bool hears = !c->api->options.mqtt || mqtt_hears(c->api->options.mqtt); /* presses: heartbeats do not decide */
    if (!hears || board_trouble(board, TROUBLE_BROKER, "broker"))
        reasons[2] = "there is no working connection to the broker";
    if (board_trouble(board, TROUBLE_SUBSCRIPTION, "broker"))
        reasons[3] = "the broker does not let us hear the buttons";
    char body[1024];
    struct json_out o;
    bool ready = true;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        ready = ready && !reasons[i];
    json_out_init(&o, body, sizeof body);
    json_open(&o, NULL, '{');
    json_bool(&o, "ready", ready);
    json_open(&o, "reasons", '[');
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i])
            json_text(&o, NULL, reasons[i]);
    json_close(&o, ']');
    json_close(&o, '}');
    json_out_ok(&o);
    web_answer(c->request, ready ? 200 : 503, "application/json", NULL, o.buffer, o.size);
}

void api_metrics(struct api_call *c)
{
    struct metrics_source source = {.engine = c->api->options.engine,
                                    .dispatch = c->api->options.dispatch,
                                    .mqtt = c->api->options.mqtt,
                                    .supervision = c->api->options.supervision,
                                    .feeds = web_feeds(c->api->web),
                                    .version = c->api->options.version};
    size_t size;
    char *text = metrics_text(&source, &size);
    if (text)
        web_answer_take(c->request, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, text, size);
    else
        api_busy(c->request, "There is no memory for this answer; try again later.");
}
