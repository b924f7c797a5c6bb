/* The broker's side of the house: what comes in over its connections, and what is said of them. */
#include "house.h"
#include "io/http_address.h"
#include "io/log.h"
#include <stdio.h>
#include <string.h>

#define HAPPENED_MS 60000 /* what happened at the broker, and is over, is shown this long */

static void on_message(void *ctx, const struct mqtt_message *m)
{
    struct house *h = ctx;
    engine_message(h->engine, &(struct engine_message){.topic = m->topic,
                                                       .payload = m->payload,
                                                       .size = m->size,
                                                       .qos = m->qos,
                                                       .retained = m->retained,
                                                       .hold = m->hold});
}

static void on_near(void *ctx)
{
    struct house *h = ctx;
    struct journal *journal = atomic_load(&h->expecting);
    if (journal)
        journal_expect(journal);
}

static void on_batch_end(void *ctx)
{
    struct house *h = ctx;
    engine_batch_end(h->engine);
    if (engine_awaits_commit(h->engine))
        vigil_begin(&h->vigil);
}

static void on_drops_told(uv_timer_t *timer)
{
    struct house *h = timer->data;
    engine_trouble(h->engine, TROUBLE_BROKER_DROPS, "broker", false, "the broker has thrown away nothing more");
}

static void on_session_told(uv_timer_t *timer)
{
    struct house *h = timer->data;
    engine_trouble(h->engine, TROUBLE_BROKER_SESSION, "broker", false, "the broker keeps our session again");
    engine_trouble(h->engine, TROUBLE_BROKER_SESSION, "supervision", false, "the broker keeps our session again");
}

/* Over which of the connections do heartbeats come? */
static void tell_hearing(struct house *h, const struct mqtt *over, enum mqtt_state state)
{
    bool about_it = state <= MQTT_LOOPBACK_LOST && over == (h->supervision ? h->supervision : h->mqtt);
    if (about_it)
        engine_hears(h->engine, mqtt_hears(over));
}

static void tell_connection(struct house *h, const char *part, enum mqtt_state state, const char *text)
{
    switch (state) {
    case MQTT_CONNECTED:
        engine_trouble(h->engine, TROUBLE_BROKER, part, false, text);
        engine_trouble(h->engine, TROUBLE_SUBSCRIPTION, part, false, text);
        break;
    case MQTT_LOST:
    case MQTT_LOOPBACK_LOST:
        engine_trouble(h->engine, TROUBLE_BROKER, part, true, text);
        break;
    case MQTT_SESSION_LOST:
        engine_trouble(h->engine, TROUBLE_BROKER_SESSION, part, true, text);
        uv_timer_start(&h->session_trouble, on_session_told, HAPPENED_MS, 0);
        break;
    case MQTT_BROKER_DROPS:
        engine_trouble(h->engine, TROUBLE_BROKER_DROPS, part, true, text);
        uv_timer_start(&h->drops_trouble, on_drops_told, HAPPENED_MS, 0);
        break;
    case MQTT_SUBSCRIBE_FAILED:
        engine_trouble(h->engine, TROUBLE_SUBSCRIPTION, part, true, text);
        break;
    case MQTT_KEEPS:
    case MQTT_KEEPS_NOTHING:
        engine_trouble(h->engine, TROUBLE_BROKER, "retained", state == MQTT_KEEPS_NOTHING, text);
        break;
    case MQTT_RECEIPTS_APART:
    case MQTT_RECEIPTS_NOT_APART:
        engine_trouble(h->engine, TROUBLE_BROKER, "receipts", state == MQTT_RECEIPTS_NOT_APART, text);
        break;
    }
}

static void on_broker(void *ctx, enum mqtt_state state, const char *text)
{
    struct house *h = ctx;
    if (h->stopping)
        return;
    tell_connection(h, "broker", state, text);
    tell_hearing(h, h->mqtt, state);
    if (state == MQTT_CONNECTED)
        engine_broker_back(h->engine);
}

static void on_supervision(void *ctx, enum mqtt_state state, const char *text)
{
    struct house *h = ctx;
    char sentence[LIMIT_TEXT];
    bool deaf = state != MQTT_CONNECTED && state != MQTT_SESSION_LOST;
    if (h->stopping)
        return;
    snprintf(sentence, sizeof sentence, "%s%s",
             deaf ? "Heartbeats do not come through; presses have a connection of their own. " : "", text);
    tell_connection(h, "supervision", state, sentence);
    tell_hearing(h, h->supervision, state);
}

/* An IPv6 address stands there without brackets. */
static void warn_of_name(const char *broker)
{
    if (!strchr(broker, ':') && !http_address_is_written(broker))
        log_format(LOG_LEVEL_WARNING,
                   "broker.address is the name %s: while its name server fails, a connection that was lost cannot be made again; "
                   "a numeric address cannot fail so",
                   broker);
}

bool house_open_broker(struct house *h)
{
    const struct conf_broker *broker = &h->conf->broker;
    bool apart = broker->supervision.client_id != NULL;
    struct mqtt_options options = {.broker = broker,
                                   .login = &broker->login,
                                   .receipts = broker->receipts.client_id ? &broker->receipts : NULL,
                                   .take_late = house_late_devices(h->conf),
                                   .topics = apart ? MQTT_PRESSES : MQTT_PRESSES | MQTT_SUPERVISION,
                                   .on_message = on_message,
                                   .on_batch_end = on_batch_end,
                                   .on_near = on_near,
                                   .on_state = on_broker,
                                   .ctx = h};
    warn_of_name(broker->address);
    h->mqtt = mqtt_create(h->loop, &options);
    if (!apart)
        return h->mqtt;
    options.login = &broker->supervision;
    options.receipts = NULL;
    options.take_late = (struct mqtt_late){0};
    options.topics = MQTT_SUPERVISION;
    options.on_state = on_supervision;
    h->supervision = mqtt_create(h->loop, &options);
    return h->mqtt && h->supervision;
}
