#include "io/mqtt_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SESSION_FOR_EVER 0xFFFFFFFFu /* seconds; MQTT 5, 3.1.2.11.2: the session does not expire */
/* A last will that is older says less than the device's silence. It is also the time after which the broker forgets a
 * supervision connection that is not configured any more. */
#define SESSION_OF_SUPERVISION 3600u
/* Unacknowledged presses the broker may send ahead: more than fit into a round trip, and a bound for what it
 * must deliver again after a crash. Paho acknowledges one by one. */
#define RECEIVE_MAXIMUM 1000
/* Paho's own queue. The outbox gives it far less. */
#define PAHO_BUFFER 4096
#define CONNECT_TIMEOUT_S 5
#define SUBSCRIBE_AGAIN_MS 5000 /* after a refusal: somebody may have mended the access list */
/* mosquitto's own count; another broker may have none, and may not let us hear it. */
#define BROKER_DROPS "$SYS/broker/publish/messages/dropped"

static void say_connected(struct mqtt *m)
{
    char text[LINK_TEXT];
    snprintf(text, sizeof text, "Connected to the broker at %s.", m->login.where);
    inbox_push_state(m, MQTT_CONNECTED, text);
}

/* MQTT 5, 3.2.2.3.5. Once as long as nothing changes. */
static void say_keeps(struct mqtt *m)
{
    enum mqtt_state state = m->retains ? MQTT_KEEPS : MQTT_KEEPS_NOTHING;
    char text[LINK_TEXT];
    if (!(m->options.topics & MQTT_PRESSES) || m->said_keeps == state)
        return;
    m->said_keeps = state;
    snprintf(text, sizeof text,
             m->retains ? "The broker at %s keeps retained messages."
                        : "The broker at %s keeps no retained messages: a siren, lamp or door that connects during an alarm "
                          "hears nothing of it before its next change. Let the broker keep them.",
             m->login.where);
    inbox_push_aside(m, state, text);
}

static void on_connected(void *context, MQTTAsync_successData5 *data)
{
    struct mqtt *m = context;
    unsigned window = 65535; /* MQTT 5, 3.2.2.3.3 */
    if (MQTTProperties_hasProperty(&data->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM))
        window =
            (unsigned)MQTTProperties_getNumericValue(&data->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM);
    bool retains = !MQTTProperties_hasProperty(&data->properties, MQTTPROPERTY_CODE_RETAIN_AVAILABLE) ||
                   MQTTProperties_getNumericValue(&data->properties, MQTTPROPERTY_CODE_RETAIN_AVAILABLE) != 0;
    uv_mutex_lock(&m->lock);
    m->window = window < 100 ? window : 100;
    m->retains = retains;
    say_keeps(m);
    m->session_present = data->alt.connect.sessionPresent;
    m->unproved = m->unproved || link_may_end(m);
    m->link = LINK_UP;
    m->subscription = SUBSCRIPTION_NEEDED;
    m->up_since_ms = m->subscribe_at_ms = m->tick_at_ms = mqtt_now_ms();
    mqtt_socket_take(m);
    uv_cond_signal(&m->changed);
    uv_mutex_unlock(&m->lock);
}

/* What went wrong, in words. Paho gives a reason of the broker, or a number, or a few words of its own. */
static void failure_text(const struct mqtt *m, const MQTTAsync_failureData5 *data, char text[LINK_TEXT])
{
    const char *words = data->message ? data->message : "";
    bool by_broker = strcmp(words, "CONNACK return code") == 0 && data->code > 0;
    if (data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR || by_broker)
        snprintf(text, LINK_TEXT, "it refuses us: %s",
                 MQTTReasonCode_toString(by_broker ? (enum MQTTReasonCodes)data->code : data->reasonCode));
    else if (m->tls_error[0])
        snprintf(text, LINK_TEXT, "no TLS connection: %s", m->tls_error);
    else if (strstr(words, "timeout"))
        snprintf(text, LINK_TEXT, "no answer within %d s", CONNECT_TIMEOUT_S);
    else
        snprintf(text, LINK_TEXT, "nothing answers there; is it running, and is this its address?");
}

static void on_connect_failed(void *context, MQTTAsync_failureData5 *data)
{
    struct mqtt *m = context;
    char text[LINK_TEXT];
    uv_mutex_lock(&m->lock);
    failure_text(m, data, text);
    link_failed(m, text);
    uv_mutex_unlock(&m->lock);
}

static int on_tls_error(const char *text, size_t size, void *context)
{
    struct mqtt *m = context;
    uv_mutex_lock(&m->lock);
    mqtt_tls_reason(text, size, m->tls_error, sizeof m->tls_error);
    uv_mutex_unlock(&m->lock);
    return 1;
}

static void on_lost(void *context, char *cause)
{
    struct mqtt *m = context;
    uv_mutex_lock(&m->lock);
    link_failed(m, cause ? cause : "the connection ended");
    uv_mutex_unlock(&m->lock);
}

/* The broker says why it closes the connection. Paho does not call on_lost then. */
static void on_disconnected(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
    struct mqtt *m = context;
    char text[LINK_TEXT];
    snprintf(text, sizeof text, "it closed the connection: %s", MQTTReasonCode_toString(reason));
    uv_mutex_lock(&m->lock);
    link_failed(m, text);
    uv_mutex_unlock(&m->lock);
}

/* Paho's receive thread, with Paho's mutex held: copy and go. Never returns 0, because Paho then acknowledges
 * all the same and keeps this and every later message in a queue of its own. */
static int on_arrived(void *context, char *topic, int topic_size, MQTTAsync_message *message)
{
    struct mqtt *m = context;
    size_t size = topic_size > 0 ? (size_t)topic_size : strlen(topic);
    bool near = false;
    uv_mutex_lock(&m->lock);
    m->counts.received++;
    if (strlen(topic) != size) {
        m->counts.dropped++;
    } else if (strcmp(topic, m->loopback_topic) == 0) {
        m->looped_back_ms = mqtt_now_ms();
        if (m->unproved && m->subscription == SUBSCRIPTION_DONE && link_lasts(m)) {
            m->unproved = false;
            say_connected(m);
        }
    } else if (strcmp(topic, BROKER_DROPS) == 0) {
        inbox_broker_drops(m, message);
    } else {
        struct inbox_item *item = inbox_item_of(topic, size, message);
        struct mqtt_hold *hold = NULL;
        if (message->qos > 0 && inbox_is_late(m, item->message.topic))
            item->message.hold = hold = hold_create(m);
        bool urgent = !item->heartbeat;
        near = inbox_push(m, item, urgent) && urgent && !hold; /* in a storm nobody sleeps */
        if (hold && !hold_wait(m, hold))
            m->rebuild =
                true; /* so that no acknowledgement left in Paho's queue goes out on the next connection */
    }
    uv_mutex_unlock(&m->lock);
    if (near && m->options.on_near) /* the loop is waking up meanwhile */
        m->options.on_near(m->options.ctx);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static void set_callbacks(struct mqtt *m)
{
    MQTTAsync_setCallbacks(m->client, m, on_lost, on_arrived, NULL);
    MQTTAsync_setDisconnected(m->client, m, on_disconnected);
}

bool paho_create(struct mqtt *m)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
    options.maxBufferedMessages = PAHO_BUFFER;
    if (MQTTAsync_createWithOptions(&m->client, m->login.uri, m->login.client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                    &options) != MQTTASYNC_SUCCESS) {
        m->client = NULL;
        return false;
    }
    set_callbacks(m);
    return true;
}

static void add_number(MQTTProperties *properties, enum MQTTPropertyCodes code, unsigned value)
{
    MQTTProperty property = {.identifier = code};
    if (code == MQTTPROPERTY_CODE_RECEIVE_MAXIMUM)
        property.value.integer2 = (unsigned short)value;
    else
        property.value.integer4 = value;
    MQTTProperties_add(properties, &property);
}

int paho_connect(struct mqtt *m)
{
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    add_number(&properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
               m->options.topics & MQTT_PRESSES ? SESSION_FOR_EVER : SESSION_OF_SUPERVISION);
    add_number(&properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, RECEIVE_MAXIMUM);
    char *password = mqtt_login_password(&m->login);
    options.keepAliveInterval = (int)m->login.keep_alive_s;
    options.connectTimeout = CONNECT_TIMEOUT_S;
    options.cleanstart = 0;
    options.automaticReconnect = 0; /* it would not tell us whether the session was present */
    options.connectProperties = &properties;
    options.username = m->login.username;
    options.password = password;
    options.onSuccess5 = on_connected;
    options.onFailure5 = on_connect_failed;
    options.context = m;
    if (m->login.ca_file) {
        tls.trustStore = m->login.ca_file;
        tls.keyStore = m->login.certificate_file;
        tls.privateKey = m->login.key_file;
        tls.verify = 1; /* the certificate's name, too */
        tls.disableDefaultTrustStore = 1;
        tls.ssl_error_cb = on_tls_error;
        tls.ssl_error_context = m;
        options.ssl = &tls;
    }
    int code = MQTTAsync_connect(m->client, &options);
    MQTTProperties_free(&properties);
    free(password);
    return code;
}

static const struct {
    char *filter;
    int qos;
    unsigned topics;
} subscriptions[] = {{"tocsin/v1/+/+/press", 1, MQTT_PRESSES},
                     {"tocsin/v1/+/+/heartbeat", 0, MQTT_SUPERVISION},
                     {"tocsin/v1/+/+/offline", 1, MQTT_SUPERVISION},
                     {BROKER_DROPS, 0, MQTT_PRESSES}};
#define SUBSCRIPTIONS (sizeof subscriptions / sizeof *subscriptions)

struct filters {
    char *names[SUBSCRIPTIONS + 1];
    int qos[SUBSCRIPTIONS + 1], count;
};

/* What the connection is for, with its loop-back; or what it is not for. */
static struct filters filters_of(const struct mqtt *m, bool ours)
{
    struct filters f = {0};
    for (size_t i = 0; i < SUBSCRIPTIONS; i++)
        if (ours == ((subscriptions[i].topics & m->options.topics) != 0)) {
            f.names[f.count] = subscriptions[i].filter;
            f.qos[f.count++] = subscriptions[i].qos;
        }
    if (ours)
        f.names[f.count++] = m->loopback_topic;
    return f;
}

static void on_subscribed(void *context, MQTTAsync_successData5 *data)
{
    struct mqtt *m = context;
    struct filters filters = filters_of(m, true);
    char text[LINK_TEXT] = "";
    if (data->alt.sub.reasonCodeCount != filters.count)
        snprintf(text, sizeof text, "The broker at %s answered our subscriptions with nonsense.", m->login.where);
    for (int i = 0; i < filters.count && !text[0]; i++)
        if (data->alt.sub.reasonCodes[i] >= MQTTREASONCODE_UNSPECIFIED_ERROR && strcmp(filters.names[i], BROKER_DROPS) != 0)
            snprintf(text, sizeof text,
                     "The broker at %s refuses the subscription to %s: %s; its access list must let "
                     "%s read it.",
                     m->login.where, filters.names[i], MQTTReasonCode_toString(data->alt.sub.reasonCodes[i]),
                     m->login.client_id);
    uv_mutex_lock(&m->lock);
    m->looped_back_ms = mqtt_now_ms();
    m->subscription = text[0] ? SUBSCRIPTION_NEEDED : SUBSCRIPTION_DONE;
    m->subscribe_at_ms = mqtt_now_ms() + SUBSCRIBE_AGAIN_MS;
    if (text[0])
        inbox_push_state(m, MQTT_SUBSCRIBE_FAILED, text);
    else if (!m->unproved)
        say_connected(m);
    uv_cond_signal(&m->changed);
    uv_cond_signal(&m->receipts.changed); /* its turn */
    uv_mutex_unlock(&m->lock);
}

/* Only when the connection ended before the answer: the next connection subscribes again. */
static void on_subscribe_failed(void *context, MQTTAsync_failureData5 *data)
{
    struct mqtt *m = context;
    uv_mutex_lock(&m->lock);
    m->subscription = SUBSCRIPTION_NEEDED;
    m->subscribe_at_ms = mqtt_now_ms() + SUBSCRIBE_AGAIN_MS;
    uv_cond_signal(&m->changed);
    uv_mutex_unlock(&m->lock);
}

/* The session may still have what an earlier configuration subscribed to: heard by two connections, it would come twice.
 * The broker answers in order, so it is given back before we are subscribed. */
int paho_subscribe(struct mqtt *m)
{
    struct filters ours = filters_of(m, true), others = filters_of(m, false);
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    int code = MQTTASYNC_SUCCESS;
    if (others.count > 0)
        code = MQTTAsync_unsubscribeMany(m->client, others.count, others.names, &options);
    if (code != MQTTASYNC_SUCCESS)
        return code;
    options.onSuccess5 = on_subscribed;
    options.onFailure5 = on_subscribe_failed;
    options.context = m;
    return MQTTAsync_subscribeMany(m->client, ours.count, ours.names, ours.qos, &options);
}

static void done(struct outbox_item *item, enum outbox_result result)
{
    struct mqtt *m = item->owner;
    uv_mutex_lock(&m->lock);
    outbox_done(item, result);
    uv_mutex_unlock(&m->lock);
}

static void on_published(void *context, MQTTAsync_successData5 *data)
{
    done(context, OUTBOX_PUBLISHED);
}

/* Paho (1.3.12) frees a QoS 1 publish whose write failed, and keeps it all the same: to send it on the next connection,
 * which the broker then ends, time and again, and to free it once more. */
static void on_publish_failed(void *context, MQTTAsync_failureData5 *data)
{
    const struct outbox_item *item = context;
    if (data->code == MQTTASYNC_FAILURE && item->qos > 0) {
        uv_mutex_lock(&item->owner->lock);
        item->owner->spoiled = true;
        uv_mutex_unlock(&item->owner->lock);
    }
    done(context, data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR ? OUTBOX_REFUSED : OUTBOX_AGAIN);
}

int paho_publish(struct outbox_item *item, bool retain)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onSuccess5 = on_published;
    options.onFailure5 = on_publish_failed;
    options.context = item;
    return MQTTAsync_send(item->owner->client, item->topic, (int)item->size, item->payload, item->qos,
                          retain, &options);
}

int paho_loopback(struct mqtt *m)
{
    return MQTTAsync_send(m->client, m->loopback_topic, 1, "1", 0, 0, NULL);
}

static void on_parted(void *context, MQTTAsync_successData5 *data)
{
    struct mqtt *m = context;
    uv_mutex_lock(&m->lock);
    m->link = LINK_DOWN;
    uv_cond_signal(&m->changed);
    uv_mutex_unlock(&m->lock);
}

void paho_disconnect(struct mqtt *m)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer5;
    options.onSuccess5 = on_parted;
    options.context = m;
    MQTTAsync_disconnect(m->client, &options);
}
