/* The connection over which receipts go out: those of QoS 0, in the order in which they come.
 *
 * Over the connection of the presses a receipt would wait in Paho's queue for a thread that shares one lock with the thread
 * that takes presses in, and gets no turn while they come without a pause: a storm's first receipt would leave when its last
 * press is in. Here a thread of ours writes each to a socket of its own, by Paho's other client (MQTTClient, in a library
 * that shares nothing with MQTTAsync's). It speaks MQTT 3.1.1: functions for properties exist in both libraries, and
 * the one must not free what the other took.
 *
 * It is used while it is known to be good: what it sends to itself comes back, at its beginning and then every loopback_s
 * (two that are lost end it: with the attempt that follows, its trouble is told within 20 s). What it could not write goes
 * out over the connection of the presses, and so does everything while it is away. What it did write the broker has time to
 * read: a next connection of the same client id, or a socket that is closed with something unread, would take it back. */
#include "io/mqtt_internal.h"
#include <MQTTClient.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_S 2 /* the connection of the presses may be waiting for its turn */
#define PROOF_MS 2000       /* in this time the first message to itself comes back */
#define RETRY_MS 5000
#define SETTLED_MS 200 /* supervision comes about before, while there is something to read (mqtt_link.c) */
#define LOOK_MS 1000   /* between looks at what came back */
#define TURN_MS 20     /* another connection is coming about: look again */
#define AT_ONCE 64     /* receipts written without a look at the lock */
#define STUCK_MS 2000  /* a call of Paho's that takes longer stands still: the broker takes nothing more */
#define READ_MS 15000  /* so long after the last proof the broker may still read what was written; then the next attempt */
#define ALIVE_MS 1500  /* the connection of the presses, whose own message comes back more often, has proved good within this */

/* Once as long as nothing changes. `why` it fails; NULL = it is good. */
static void say(struct mqtt *m, const char *why)
{
    struct mqtt_receipts *r = &m->receipts;
    enum mqtt_state state = why ? MQTT_RECEIPTS_NOT_APART : MQTT_RECEIPTS_APART;
    char text[LINK_TEXT + sizeof r->login.where + 128];
    if (r->said == state)
        return;
    r->said = state;
    if (why)
        snprintf(text, sizeof text,
                 "The broker at %s: receipts go out over the connection of the presses, as their own fails: %s.",
                 r->login.where, why);
    else
        snprintf(text, sizeof text, "The broker at %s: receipts go out over a connection of their own.", r->login.where);
    text[LINK_TEXT - 1] = '\0';
    inbox_push_aside(m, state, text);
}

bool receipts_push(struct mqtt *m, struct outbox_item *item)
{
    struct mqtt_receipts *r = &m->receipts;
    if (!r->up)
        return false;
    if (TAILQ_EMPTY(&r->waiting))
        uv_cond_signal(&r->changed);
    TAILQ_INSERT_TAIL(&r->waiting, item, link);
    return true;
}

static void give_back(struct mqtt *m, struct outbox_list *items)
{
    struct outbox_item *item;
    while ((item = TAILQ_FIRST(items))) {
        TAILQ_REMOVE(items, item, link);
        outbox_push(m, item);
    }
}

void receipts_end(struct mqtt *m)
{
    struct mqtt_receipts *r = &m->receipts;
    r->up = false;
    give_back(m, &r->waiting);
    uv_cond_signal(&r->changed);
}

void receipts_watch(struct mqtt *m, uint64_t now_ms)
{
    struct mqtt_receipts *r = &m->receipts;
    if (!r->up || !r->calling_since_ms || now_ms < r->calling_since_ms + STUCK_MS)
        return;
    receipts_end(m);
    if (r->socket >= 0)
        shutdown(r->socket, SHUT_WR); /* the call ends; what was written before goes on */
}

void receipts_shut(struct mqtt *m)
{
    if (m->receipts.socket >= 0)
        shutdown(m->receipts.socket, SHUT_RDWR);
}

static int on_tls_error(const char *text, size_t size, void *context)
{
    struct mqtt_receipts *r = context;
    mqtt_tls_reason(text, size, r->tls_error, sizeof r->tls_error);
    return 1;
}

/* MQTT 3.1.1, 3.2.2.3 */
static const char *refusal_str(int code)
{
    static const char *const reasons[] = {[1] = "it does not speak MQTT 3.1.1",
                                          [2] = "it refuses the client id",
                                          [3] = "it says that it is not available",
                                          [4] = "it refuses user name or password",
                                          [5] = "it refuses us: not authorized"};
    return code > 0 && (size_t)code < sizeof reasons / sizeof *reasons ? reasons[code] : NULL;
}

/* A connected client, or NULL and why not. */
static MQTTClient connect_client(struct mqtt_receipts *r, char why[LINK_TEXT])
{
    MQTTClient client;
    MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
    MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
    if (MQTTClient_create(&client, r->login.uri, r->login.client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL) !=
        MQTTCLIENT_SUCCESS) {
        snprintf(why, LINK_TEXT, "its address is not usable");
        return NULL;
    }
    char *password = mqtt_login_password(&r->login);
    options.MQTTVersion = MQTTVERSION_3_1_1;
    options.keepAliveInterval = (int)r->login.keep_alive_s;
    options.connectTimeout = CONNECT_TIMEOUT_S;
    options.cleansession = 1;
    options.username = r->login.username;
    options.password = password;
    if (r->login.ca_file) {
        tls.trustStore = r->login.ca_file;
        tls.keyStore = r->login.certificate_file;
        tls.privateKey = r->login.key_file;
        tls.verify = 1; /* the certificate's name, too */
        tls.disableDefaultTrustStore = 1;
        tls.ssl_error_cb = on_tls_error;
        tls.ssl_error_context = r;
        options.ssl = &tls;
    }
    r->tls_error[0] = '\0';
    int code = MQTTClient_connect(client, &options);
    free(password);
    if (code == MQTTCLIENT_SUCCESS)
        return client;
    if (r->tls_error[0])
        snprintf(why, LINK_TEXT, "no TLS connection: %s", r->tls_error);
    else if (refusal_str(code))
        snprintf(why, LINK_TEXT, "%s", refusal_str(code));
    else
        snprintf(why, LINK_TEXT, "it ended the connection or did not answer%s",
                 r->login.ca_file ? "; is our certificate one that it knows?" : "");
    MQTTClient_destroy(&client);
    return NULL;
}

static bool send_to_itself(struct mqtt_receipts *r)
{
    return MQTTClient_publish(r->client, r->topic, 1, "1", 0, 0, NULL) == MQTTCLIENT_SUCCESS;
}

/* Waits for it at most this long. */
static bool came_back(struct mqtt_receipts *r, unsigned within_ms)
{
    char *topic = NULL;
    int topic_size;
    MQTTClient_message *message = NULL;
    MQTTClient_receive(r->client, &topic, &topic_size, &message, within_ms);
    if (!message)
        return false;
    MQTTClient_freeMessage(&message);
    MQTTClient_free(topic);
    return true;
}

static bool proves_good(struct mqtt_receipts *r)
{
    uint64_t until_ms = mqtt_now_ms() + PROOF_MS;
    bool back = false;
    bool sent = MQTTClient_subscribe(r->client, r->topic, 0) == MQTTCLIENT_SUCCESS && send_to_itself(r);
    while (sent && !back && mqtt_now_ms() < until_ms && MQTTClient_isConnected(r->client))
        back = came_back(r, 50); /* from 100 on it would sleep */
    return back;
}

static bool may_connect(const struct mqtt *m)
{
    return m->link == LINK_UP && m->subscription == SUBSCRIPTION_DONE && !m->stopping;
}

/* Without lock. True: it is connected and good. */
static bool open_client(struct mqtt_receipts *r, int *its_socket, char why[LINK_TEXT])
{
    r->client = connect_client(r, why);
    *its_socket = r->client ? socket_find(r->login.port) : -1;
    socket_turn_give(r);
    if (!r->client || proves_good(r))
        return r->client;
    snprintf(why, LINK_TEXT,
             "a receipt of ours to ourselves does not come back; the access list must let %s write tocsin/v1/+/+/receipt, "
             "and read %s",
             r->login.client_id, r->topic);
    return false;
}

static void connect_now(struct mqtt *m)
{
    struct mqtt_receipts *r = &m->receipts;
    char why[LINK_TEXT];
    int its_socket;
    uv_mutex_unlock(&m->lock);
    bool good = open_client(r, &its_socket, why);
    uv_mutex_lock(&m->lock);
    r->socket = its_socket;
    uint64_t now_ms = mqtt_now_ms();
    r->look_at_ms = now_ms + LOOK_MS;
    r->send_at_ms = now_ms + r->login.loopback_ms;
    r->back_ms = now_ms;
    r->connect_at_ms = now_ms + RETRY_MS;
    r->up = good && !m->stopping;
    bool alone = may_connect(m) && now_ms < m->looped_back_ms + ALIVE_MS; /* otherwise the other one has its own to say */
    if (good || alone)
        say(m, good ? NULL : why);
}

/* With the lock, which it gives away meanwhile. */
static void close_client(struct mqtt *m)
{
    struct mqtt_receipts *r = &m->receipts;
    uv_mutex_unlock(&m->lock);
    MQTTClient_disconnect(r->client, 0);
    MQTTClient_destroy(&r->client);
    uv_mutex_lock(&m->lock);
    socket_linger(m, r->socket, m->stopping ? m->stop_at_ms : r->back_ms + READ_MS);
    if (r->socket >= 0)
        close(r->socket);
    r->socket = -1;
}

/* What comes between is done without the lock, and may stand still. */
static void begin_call(struct mqtt *m)
{
    m->receipts.calling_since_ms = mqtt_now_ms();
    uv_mutex_unlock(&m->lock);
}

static void end_call(struct mqtt *m)
{
    uv_mutex_lock(&m->lock);
    m->receipts.calling_since_ms = 0;
}

/* Paho calls the one written in which the connection ended. So all that were written together with it go out once more: a
 * button may hear a receipt twice. */
static void write_waiting(struct mqtt *m)
{
    struct mqtt_receipts *r = &m->receipts;
    struct outbox_list items = TAILQ_HEAD_INITIALIZER(items);
    struct outbox_item *item;
    unsigned written = 0;
    bool good = true;
    for (unsigned i = 0; i < AT_ONCE && (item = TAILQ_FIRST(&r->waiting)); i++) {
        TAILQ_REMOVE(&r->waiting, item, link);
        TAILQ_INSERT_TAIL(&items, item, link);
    }
    begin_call(m);
    for (item = TAILQ_FIRST(&items); good && item; item = TAILQ_NEXT(item, link), written++)
        good = MQTTClient_publish(r->client, item->topic, (int)item->size, item->payload, 0, 0, NULL) == MQTTCLIENT_SUCCESS;
    end_call(m);
    if (!good || !r->up) {
        give_back(m, &items);
        receipts_end(m);
        return;
    }
    m->counts.published += written;
    while ((item = TAILQ_FIRST(&items))) {
        TAILQ_REMOVE(&items, item, link);
        free(item);
    }
}

static void look(struct mqtt *m)
{
    struct mqtt_receipts *r = &m->receipts;
    bool due = mqtt_now_ms() >= r->send_at_ms;
    begin_call(m);
    bool back = came_back(r, 0);
    bool connected = MQTTClient_isConnected(r->client) && (!due || send_to_itself(r));
    end_call(m);
    uint64_t now_ms = mqtt_now_ms();
    r->look_at_ms = now_ms + LOOK_MS;
    if (due)
        r->send_at_ms = now_ms + r->login.loopback_ms;
    if (back)
        r->back_ms = now_ms;
    if (!connected || now_ms >= r->back_ms + 2 * (uint64_t)r->login.loopback_ms)
        receipts_end(m);
}

/* One look at everything; gives the moment of the next one. */
static uint64_t step(struct mqtt *m)
{
    struct mqtt_receipts *r = &m->receipts;
    uint64_t now_ms = mqtt_now_ms();
    if (r->up) {
        if (!TAILQ_EMPTY(&r->waiting))
            write_waiting(m);
        if (r->up && mqtt_now_ms() >= r->look_at_ms)
            look(m);
        return r->up ? r->look_at_ms : now_ms;
    }
    if (r->client)
        close_client(m);
    if (!may_connect(m))
        return now_ms + LOOK_MS;
    if (r->connect_at_ms < m->up_since_ms + SETTLED_MS)
        r->connect_at_ms = m->up_since_ms + SETTLED_MS;
    if (now_ms < r->connect_at_ms)
        return r->connect_at_ms;
    if (!socket_turn_take(r))
        return now_ms + TURN_MS;
    connect_now(m);
    return now_ms;
}

static void run(void *argument)
{
    struct mqtt *m = argument;
    struct mqtt_receipts *r = &m->receipts;
    pthread_detach(pthread_self()); /* the link thread waits for its end, and mqtt_stop() for that one, within limits */
    uv_mutex_lock(&m->lock);
    while (!m->stopping) {
        uint64_t due_ms = step(m), now_ms = mqtt_now_ms();
        if (!m->stopping && TAILQ_EMPTY(&r->waiting) && due_ms > now_ms)
            uv_cond_timedwait(&r->changed, &m->lock, (due_ms - now_ms) * 1000000);
    }
    receipts_end(m);
    if (r->client)
        close_client(m);
    r->finished = true;
    uv_cond_signal(&m->changed);
    uv_mutex_unlock(&m->lock);
    mqtt_drop(m);
}

bool receipts_init(struct mqtt *m, const struct conf_broker *broker, const struct conf_login *login)
{
    struct mqtt_receipts *r = &m->receipts;
    TAILQ_INIT(&r->waiting);
    uv_cond_init(&r->changed);
    r->socket = -1;
    r->finished = !login;
    if (login && asprintf(&r->topic, "tocsin/v1/daemon/%s/receipt", login->client_id) < 0)
        r->topic = NULL;
    return !login || (r->topic && mqtt_login_copy(&r->login, broker, login));
}

void receipts_start(struct mqtt *m)
{
    uv_thread_t thread;
    if (m->receipts.finished)
        return;
    m->owners++;
    if (uv_thread_create(&thread, run, m) == 0)
        return;
    m->owners--; /* they go out with the presses */
    m->receipts.finished = true;
}

void receipts_finish(struct mqtt *m)
{
    mqtt_login_finish(&m->receipts.login);
    free(m->receipts.topic);
    uv_cond_destroy(&m->receipts.changed);
}
