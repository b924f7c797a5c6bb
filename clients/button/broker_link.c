#include "broker_link.h"
#include <MQTTAsync.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define KEEP_ALIVE_S 10
#define CONNECT_TIMEOUT_S 5
#define SESSION_S 3600 /* receipts wait for us so long */
#define EVENTS 64      /* more than a button ever has unread */
#define MESSAGES 56    /* of them: a flood of receipts leaves room for what is said of the connection, or it is never made anew */
#define DEAF_MS 5000   /* after a refused subscription: somebody may have mended the access list */
#define STUCK_MS 30000 /* Paho's own limits hang on the wall clock; this one does not */

struct link {
    const struct button_program_options *options;
    char uri[192], client_id[128], receipt_topic[BUTTON_TOPIC], site_topic[BUTTON_TOPIC], offline_topic[BUTTON_TOPIC];
    char password[256];
    MQTTAsync client;
    int fd;
    bool connecting, up;
    unsigned failures;
    uint64_t connect_at_ms, subscribe_at_ms;
    bool down; /* seen by link_next, acted on by link_tick */

    pthread_mutex_t lock; /* guards all below */
    struct link_event *events[EVENTS];
    unsigned count;
    bool spoiled; /* the client holds memory that it has freed: it is given up as it is */
    bool deaf;    /* the broker refuses our subscription */
};

static void push(struct link *l, enum link_event_type type, const void *bytes, size_t size)
{
    struct link_event *event = malloc(sizeof *event);
    if (!event)
        return; /* a receipt that is lost is sent again */
    event->type = type;
    event->size = size < sizeof event->bytes ? size : sizeof event->bytes - 1;
    memcpy(event->bytes, bytes, event->size);
    event->bytes[event->size] = '\0';
    pthread_mutex_lock(&l->lock);
    bool kept = l->count < (type == LINK_EVENT_UP || type == LINK_EVENT_DOWN ? EVENTS : MESSAGES);
    if (kept)
        l->events[l->count++] = event;
    pthread_mutex_unlock(&l->lock);
    if (!kept)
        free(event);
    eventfd_write(l->fd, 1);
}

static void push_down(struct link *l, const char *why)
{
    push(l, LINK_EVENT_DOWN, why, strlen(why));
}

static int on_arrived(void *context, char *topic, int topic_size, MQTTAsync_message *message)
{
    (void)topic_size;
    struct link *l = context;
    enum link_event_type type = strcmp(topic, l->site_topic) == 0 ? LINK_EVENT_SITE : LINK_EVENT_RECEIPT;
    push(l, type, message->payload, (size_t)message->payloadlen);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static bool is_set(struct link *l, const bool *what)
{
    pthread_mutex_lock(&l->lock);
    bool set = *what;
    pthread_mutex_unlock(&l->lock);
    return set;
}

static bool set(struct link *l, bool *what, bool to)
{
    pthread_mutex_lock(&l->lock);
    bool before = *what;
    *what = to;
    pthread_mutex_unlock(&l->lock);
    return before;
}

/* Deaf, but a press goes out. */
static void answered(struct link *l, enum MQTTReasonCodes code)
{
    char text[256] = "";
    bool refused = code >= MQTTREASONCODE_UNSPECIFIED_ERROR;
    bool known = set(l, &l->deaf, refused) && refused;
    if (refused)
        snprintf(text, sizeof text, "the broker does not let us hear our receipts: %s", MQTTReasonCode_toString(code));
    if (!known)
        push(l, LINK_EVENT_UP, text, strlen(text));
}

static void on_subscribed(void *context, MQTTAsync_successData5 *data)
{
    answered(context, data->reasonCode);
}

/* Otherwise the connection ended first. */
static void on_subscribe_failed(void *context, MQTTAsync_failureData5 *data)
{
    if (data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR)
        answered(context, data->reasonCode);
}

static void subscribe(struct link *l)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onSuccess5 = on_subscribed;
    options.onFailure5 = on_subscribe_failed;
    options.context = l;
    MQTTAsync_subscribe(l->client, l->receipt_topic, 1, &options);
    options = (MQTTAsync_responseOptions)MQTTAsync_responseOptions_initializer;
    MQTTAsync_subscribe(l->client, l->site_topic, 0, &options); /* it is retained: none need wait for us */
}

static void on_connected(void *context, MQTTAsync_successData5 *data)
{
    (void)data;
    struct link *l = context;
    set(l, &l->deaf, false);
    subscribe(l);
}

static void on_connect_failed(void *context, MQTTAsync_failureData5 *data)
{
    char text[256];
    if (data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR)
        snprintf(text, sizeof text, "the broker refuses us: %s", MQTTReasonCode_toString(data->reasonCode));
    else if (data->code > 0)
        snprintf(text, sizeof text, "the broker refuses us: %s",
                 MQTTReasonCode_toString((enum MQTTReasonCodes)data->code));
    else
        snprintf(text, sizeof text, "%s", data->message ? data->message : "no connection to the broker");
    push_down(context, text);
}

static void on_lost(void *context, char *cause)
{
    push_down(context, cause ? cause : "the connection to the broker ended");
}

static void on_disconnected(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
    (void)properties;
    char text[256];
    snprintf(text, sizeof text, "the broker closed the connection: %s", MQTTReasonCode_toString(reason));
    push_down(context, text);
}

static void connect_now(struct link *l)
{
    const struct button_program_options *o = l->options;
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
                           .value.integer4 = SESSION_S};
    MQTTProperties_add(&properties, &expiry);
    will.topicName = l->offline_topic;
    will.message = "{\"lost\":true}";
    will.qos = 1;
    options.will = &will;
    options.cleanstart = 0; /* what was said while we were away is said now */
    options.keepAliveInterval = KEEP_ALIVE_S;
    options.connectTimeout = CONNECT_TIMEOUT_S;
    options.connectProperties = &properties;
    options.username = o->username;
    options.password = o->password_file ? l->password : NULL;
    options.onSuccess5 = on_connected;
    options.onFailure5 = on_connect_failed;
    options.context = l;
    if (o->ca_file) {
        tls.trustStore = o->ca_file;
        tls.keyStore = o->certificate_file;
        tls.privateKey = o->key_file;
        tls.verify = 1;
        tls.disableDefaultTrustStore = 1;
        options.ssl = &tls;
    }
    l->connecting = true;
    int code = MQTTAsync_connect(l->client, &options);
    MQTTProperties_free(&properties);
    if (code != MQTTASYNC_SUCCESS)
        push_down(l, MQTTAsync_strerror(code));
}

static bool read_password(struct link *l, const char *file)
{
    FILE *f = fopen(file, "r");
    if (!f || !fgets(l->password, sizeof l->password, f)) {
        fprintf(stderr, "tocsin-button: %s: cannot read the password\n", file);
        if (f)
            fclose(f);
        return false;
    }
    fclose(f);
    l->password[strcspn(l->password, "\r\n")] = '\0';
    return true;
}

static bool create_client(struct link *l)
{
    unsetenv("http_proxy"); /* Paho would speak to the broker through them */
    unsetenv("https_proxy");
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
    if (MQTTAsync_createWithOptions(&l->client, l->uri, l->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                    &options) != MQTTASYNC_SUCCESS)
        return false;
    MQTTAsync_setCallbacks(l->client, l, on_lost, on_arrived, NULL);
    MQTTAsync_setDisconnected(l->client, l, on_disconnected);
    return true;
}

/* A spoiled one stays where it is, unconnected and a few kilobytes lost. */
static bool renew_client(struct link *l)
{
    if (!is_set(l, &l->spoiled))
        MQTTAsync_destroy(&l->client);
    l->client = NULL;
    l->spoiled = false;
    return create_client(l);
}

struct link *link_open(const struct button_program_options *o, const char *receipt_topic,
                       const char *site_topic, const char *offline_topic)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l || (o->password_file && !read_password(l, o->password_file))) {
        free(l);
        return NULL;
    }
    l->options = o;
    l->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&l->lock, NULL);
    snprintf(l->receipt_topic, sizeof l->receipt_topic, "%s", receipt_topic);
    snprintf(l->site_topic, sizeof l->site_topic, "%s", site_topic);
    snprintf(l->offline_topic, sizeof l->offline_topic, "%s", offline_topic);
    snprintf(l->uri, sizeof l->uri, strchr(o->host, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
             o->ca_file ? "ssl" : "tcp", o->host, o->port);
    if (o->client_id || o->username)
        snprintf(l->client_id, sizeof l->client_id, "%s", o->client_id ? o->client_id : o->username);
    else
        snprintf(l->client_id, sizeof l->client_id, "%s/%s", o->site, o->device);
    if (l->fd < 0 || !create_client(l)) {
        fprintf(stderr, "tocsin-button: %s: not a usable broker address\n", l->uri);
        free(l);
        return NULL;
    }
    return l;
}

int link_fd(const struct link *l)
{
    return l->fd;
}

bool link_next(struct link *l, struct link_event *out)
{
    eventfd_t ignored;
    eventfd_read(l->fd, &ignored);
    pthread_mutex_lock(&l->lock);
    struct link_event *event = l->count ? l->events[0] : NULL;
    if (event)
        memmove(l->events, l->events + 1, --l->count * sizeof *l->events);
    pthread_mutex_unlock(&l->lock);
    if (!event)
        return false;
    *out = *event;
    free(event);
    l->up = out->type == LINK_EVENT_UP || (l->up && out->type != LINK_EVENT_DOWN);
    l->failures = l->up ? 0 : l->failures;
    l->down = l->down || out->type == LINK_EVENT_DOWN;
    return true;
}

uint64_t link_tick(struct link *l, uint64_t now_ms)
{
    static const unsigned waits_ms[] = {1000, 2000, 5000};
    if (l->connecting && !l->up && now_ms - l->connect_at_ms >= STUCK_MS)
        l->down = renew_client(l);
    if (l->down) {
        l->down = l->connecting = false;
        l->connect_at_ms = now_ms + waits_ms[l->failures < 2 ? l->failures : 2];
        l->failures++;
    }
    if (!l->connecting && now_ms >= l->connect_at_ms) {
        l->connect_at_ms = now_ms;
        if (is_set(l, &l->spoiled))
            renew_client(l);
        connect_now(l);
    }
    if (l->up && is_set(l, &l->deaf)) {
        if (now_ms >= l->subscribe_at_ms) {
            l->subscribe_at_ms = now_ms + DEAF_MS;
            subscribe(l);
        }
        return l->subscribe_at_ms - now_ms;
    }
    return l->connecting ? STUCK_MS : l->connect_at_ms - now_ms;
}

/* Paho (1.3.12) frees a QoS 1 publish whose write failed, and keeps it all the same: to send it on the next connection,
 * and to free it once more. */
static void on_publish_failed(void *context, MQTTAsync_failureData5 *data)
{
    struct link *l = context;
    pthread_mutex_lock(&l->lock);
    l->spoiled = l->spoiled || data->code == MQTTASYNC_FAILURE;
    pthread_mutex_unlock(&l->lock);
}

bool link_publish(struct link *l, const char *topic, const void *payload, size_t size, int qos)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onFailure5 = on_publish_failed;
    options.context = l;
    return MQTTAsync_send(l->client, topic, (int)size, payload, qos, 0, qos > 0 ? &options : NULL) == MQTTASYNC_SUCCESS;
}

void link_close(struct link *l, unsigned linger_ms)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer5;
    options.reasonCode = MQTTREASONCODE_DISCONNECT_WITH_WILL_MESSAGE;
    options.timeout = (int)linger_ms;
    MQTTAsync_disconnect(l->client, &options);
    for (unsigned waited_ms = 0; waited_ms < linger_ms && MQTTAsync_isConnected(l->client); waited_ms += 10)
        usleep(10000);
    if (is_set(l, &l->spoiled))
        return; /* it may still call */
    MQTTAsync_destroy(&l->client);
    while (l->count)
        free(l->events[--l->count]);
    close(l->fd);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
