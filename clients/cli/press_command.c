/* press: a button on the command line, over MQTT. A test unless told otherwise. */
#include "cli/configuration.h"
#include "cli/member.h"
#include "cli/press.h"
#include "cli/terminal.h"
#include "conf/secrets.h"
#include "core/id.h"
#include <MQTTClient.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One fixed epoch and a counter that is the time: the daemon remembers few epochs of a device, and those of
 * the real button are not to be pushed out by tests. */
#define EPOCH "tocsin-tool"
#define QUALITY 1

struct button {
    const struct invocation *inv;
    const char *site, *device, *wanted_stage;
    const struct conf_broker *broker; /* of the configuration; NULL = none given */
    const char *username;
    char *password, *uri;
    unsigned char key[SECRET_DEVICE_KEY];
    bool is_signed;
    struct press_words press;
    char press_topic[LIMIT_ID * 2 + 32], receipt_topic[LIMIT_ID * 2 + 32];
    char *payload;
    int64_t wait_ms;
    MQTTClient client;
    char alarm[LIMIT_ALARM_ID];
};

static int64_t milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int missing(const struct invocation *inv, const char *name)
{
    complain_about(TEXT_USAGE_MISSING, {"name", name});
    remark_about(TEXT_USAGE_HINT, {"command", inv->command->name});
    return RESULT_USAGE;
}

static bool choose_mode(struct button *b)
{
    bool test = invocation_given(b->inv, "test"), drill = invocation_given(b->inv, "drill");
    bool real = invocation_given(b->inv, "real");
    b->press.mode = real ? MODE_REAL : drill ? MODE_DRILL : MODE_TEST;
    if (test + drill + real <= 1)
        return true;
    complain("%s", text(TEXT_USAGE_ONE_MODE));
    return false;
}

/* A secret file's first line, malloc'd; NULL: complained. */
static char *read_secret(const char *file)
{
    struct secret secret;
    char error[LIMIT_TEXT];
    if (!secret_file_read(file, 4096, &secret, error)) {
        complain("%s: %s", file, error);
        return NULL;
    }
    char *line = strndup(secret.text, strcspn(secret.text, "\r\n"));
    secret_finish(&secret);
    return line;
}

static int read_device_key(struct button *b, const char *file)
{
    char *line = read_secret(file);
    if (!line)
        return RESULT_UNREACHABLE;
    const char *space = strrchr(line, ' '); /* "DEVICE KEY", as in a site's keys file, or the key alone */
    const char *key = space ? space + 1 : line;
    b->is_signed = secret_base64(key, strlen(key), b->key, sizeof b->key);
    if (!b->is_signed)
        complain_about(TEXT_USAGE_KEY, {"file", file});
    free(line);
    return b->is_signed ? RESULT_OK : RESULT_USAGE;
}

/* Whoever names an authority or a certificate means TLS, at whatever address: nothing goes out in the clear then. */
static bool is_tls(const struct button *b)
{
    return invocation_given(b->inv, "broker-ca-file") || invocation_given(b->inv, "certificate-file") ||
           (b->broker && b->broker->ca_file);
}

static bool choose_broker(struct button *b)
{
    const char *given = invocation_value(b->inv, "broker");
    bool tls = is_tls(b);
    char address[300] = "";
    if (given && strchr(given, ':') && strlen(given) < sizeof address)
        strcpy(address, given);
    else if (!given && b->broker)
        snprintf(address, sizeof address, strchr(b->broker->address, ':') ? "[%s]:%u" : "%s:%u",
                 b->broker->address, b->broker->port);
    if (*address)
        return asprintf(&b->uri, "%s://%s", tls ? "ssl" : "tcp", address) > 0;
    complain_about(TEXT_USAGE_BROKER, {"value", given ? given : ""});
    return false;
}

/* Who we are for the broker and how we sign. Never the daemon's user name or certificate: where a broker
 * takes the user for the client id, we would push the daemon off. */
static int choose_identity(struct button *b, const struct conf_device *device)
{
    const char *password_file = invocation_value(b->inv, "password-file");
    const char *key_file = invocation_value(b->inv, "device-key-file");
    b->username = invocation_value(b->inv, "username");
    if (password_file && !(b->password = read_secret(password_file)))
        return RESULT_UNREACHABLE;
    if (key_file)
        return read_device_key(b, key_file);
    b->is_signed = device && device->key;
    if (b->is_signed)
        memcpy(b->key, device->key, sizeof b->key);
    return RESULT_OK;
}

static int set_up(struct button *b, const struct conf *conf)
{
    int64_t wait_s;
    const struct conf_site *site;
    const char *until = invocation_value(b->inv, "until");
    b->wanted_stage = until ? until : "recorded";
    b->broker = conf ? &conf->broker : NULL;
    if (!invocation_number(b->inv, "wait", 1, 86400, 30, &wait_s) || !choose_mode(b))
        return RESULT_USAGE;
    const struct conf_device *device = conf ? configuration_device(b->inv, conf, &site) : NULL;
    if ((conf && !device) || !choose_broker(b))
        return RESULT_USAGE;
    int result = choose_identity(b, device);
    if (result != RESULT_OK)
        return result;
    if (!id_valid(b->site) || !id_valid(b->device)) {
        complain_about(TEXT_USAGE_ID, {"value", id_valid(b->site) ? b->device : b->site});
        return RESULT_USAGE;
    }
    b->wait_ms = wait_s * 1000;
    snprintf(b->press_topic, sizeof b->press_topic, "tocsin/v1/%s/%s/press", b->site, b->device);
    snprintf(b->receipt_topic, sizeof b->receipt_topic, "tocsin/v1/%s/%s/receipt", b->site, b->device);
    b->press.site = b->site;
    b->press.device = b->device;
    b->press.epoch = EPOCH;
    b->press.at_ms = milliseconds(CLOCK_REALTIME);
    b->press.n = (uint64_t)b->press.at_ms;
    b->press.kind = invocation_value(b->inv, "kind");
    b->press.key = b->is_signed ? b->key : NULL;
    b->payload = press_payload(&b->press);
    return b->payload ? RESULT_OK : RESULT_UNREACHABLE;
}

/* Connects and subscribes; a code of Paho's or the broker's. */
static int connect_broker(struct button *b)
{
    const struct conf_broker *conf = b->broker;
    const char *ca = invocation_value(b->inv, "broker-ca-file"),
               *cert = invocation_value(b->inv, "certificate-file");
    const char *key = invocation_value(b->inv, "private-key-file");
    MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
    MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
    tls.trustStore = ca ? ca : conf ? conf->ca_file : NULL;
    tls.keyStore = cert;
    tls.privateKey = key;
    tls.verify = 1;
    options.keepAliveInterval = 10;
    options.cleansession = 1;
    options.connectTimeout = 5;
    options.MQTTVersion = MQTTVERSION_3_1_1;
    options.username = b->username;
    options.password = b->password;
    options.ssl = strncmp(b->uri, "ssl", 3) == 0 ? &tls : NULL;
    int code = MQTTClient_connect(b->client, &options);
    if (code == MQTTCLIENT_SUCCESS)
        code = MQTTClient_subscribe(b->client, b->receipt_topic, QUALITY);
    return code == QUALITY ? MQTTCLIENT_SUCCESS : code; /* some versions answer the granted quality */
}

static const char *reason(int code)
{
    switch (code) { /* CONNACK codes of MQTT 3.1.1, section 3.2.2.3 */
    case 1:
        return "it does not speak MQTT 3.1.1";
    case 2:
        return "it does not accept our client id";
    case 3:
        return "it is not ready";
    case 4:
        return "user name or password is wrong";
    case 5:
        return "it does not authorize us";
    case 0x80:
        return "it does not let us subscribe to the receipts";
    default:
        return MQTTClient_strerror(code) ? MQTTClient_strerror(code) : "no connection";
    }
}

static int no_broker(const struct button *b, int code)
{
    complain_about(TEXT_PRESS_NO_BROKER, {"broker", b->uri}, {"why", reason(code)});
    return code == 4 || code == 5 || code == 0x80 ? RESULT_REFUSED : RESULT_UNREACHABLE;
}

static void publish(struct button *b)
{
    /* The receipt is what counts; without one it is sent again. */
    (void)MQTTClient_publish(b->client, b->press_topic, (int)strlen(b->payload), b->payload, QUALITY, 0,
                             NULL);
}

/* True: the wanted stage, or a refusal, was reached; `result` says which. */
static bool take_receipt(struct button *b, const MQTTClient_message *m, int *result)
{
    struct receipt r;
    if (!receipt_read(m->payload, (size_t)m->payloadlen, b->press.epoch, b->press.n, b->alarm, &r))
        return false;
    bool refused = strcmp(r.stage, "refused") == 0;
    memcpy(b->alarm, r.alarm, sizeof b->alarm);
    if (b->inv->json)
        say_json(m->payload, (size_t)m->payloadlen);
    else if (refused)
        say_text(TONE_BAD, text(TEXT_PRESS_STAGE_REFUSED));
    else
        say_about(TONE_GOOD, TEXT_PRESS_STAGE, {"stage", text_word("stage", r.stage)}, {"alarm", r.alarm});
    (void)terminal_flush();
    *result = refused ? RESULT_NOT_SO : RESULT_OK;
    return refused || stage_rank(r.stage) >= stage_rank(b->wanted_stage);
}

static bool receive(struct button *b, int64_t timeout_ms, int *result)
{
    char *topic = NULL;
    int topic_size = 0;
    MQTTClient_message *message = NULL;
    bool done = false;
    MQTTClient_receive(b->client, &topic, &topic_size, &message, (unsigned long)timeout_ms);
    if (message) {
        done = take_receipt(b, message, result);
        MQTTClient_freeMessage(&message);
        MQTTClient_free(topic);
    }
    return done;
}

/* Publishes, and repeats after 1, 2, 4, 8, 10, 10 … s until something has come back (proto/mqtt.md). */
static int press_and_wait(struct button *b)
{
    int result = RESULT_NOT_SO;
    int64_t start_ms = milliseconds(CLOCK_MONOTONIC), pause_ms = 1000, again_ms = start_ms + pause_ms;
    unsigned repeats = 0;
    char count[16], seconds[24];
    publish(b);
    for (int64_t now_ms; (now_ms = milliseconds(CLOCK_MONOTONIC)) < start_ms + b->wait_ms;) {
        int64_t left_ms = start_ms + b->wait_ms - now_ms;
        if (receive(b, left_ms < 250 ? left_ms : 250, &result))
            return result;
        if (!MQTTClient_isConnected(b->client)) {
            remark("%s", text(TEXT_PRESS_LOST_BROKER));
            if (connect_broker(b) != MQTTCLIENT_SUCCESS)
                usleep(500000);
        }
        if (*b->alarm || milliseconds(CLOCK_MONOTONIC) < again_ms)
            continue;
        pause_ms = pause_ms * 2 < 10000 ? pause_ms * 2 : 10000;
        again_ms += pause_ms;
        snprintf(count, sizeof count, "%u", ++repeats);
        remark_about(TEXT_PRESS_REPEATED, {"count", count});
        publish(b);
    }
    snprintf(seconds, sizeof seconds, "%lld", (long long)(b->wait_ms / 1000));
    complain_about(*b->alarm ? TEXT_PRESS_NO_STAGE : TEXT_PRESS_NO_RECEIPT, {"stage", b->wanted_stage},
                   {"seconds", seconds}, {"topic", b->press_topic});
    return RESULT_NOT_SO;
}

static void say_sent(const struct button *b)
{
    char n[24];
    snprintf(n, sizeof n, "%llu", (unsigned long long)b->press.n);
    if (b->press.mode != MODE_REAL)
        remark("%s", text(TEXT_PRESS_TEST_HINT));
    else
        remark("%s", text(TEXT_PRESS_REAL_HINT));
    if (b->inv->json)
        say_json(b->payload, strlen(b->payload));
    else
        say_about(TONE_STRONG, TEXT_PRESS_SENT, {"site", b->site}, {"device", b->device},
                  {"epoch", b->press.epoch}, {"n", n});
    (void)terminal_flush();
}

static int run(struct button *b)
{
    char client_id[64];
    snprintf(client_id, sizeof client_id, "tocsin-press-%d-%08x", (int)getpid(), randombytes_random());
    int code = MQTTClient_create(&b->client, b->uri, client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL);
    if (code != MQTTCLIENT_SUCCESS)
        return no_broker(b, code);
    code = connect_broker(b);
    int result = code == MQTTCLIENT_SUCCESS ? RESULT_OK : no_broker(b, code);
    if (result == RESULT_OK) {
        say_sent(b);
        result = press_and_wait(b);
    }
    MQTTClient_disconnect(b->client, 1000);
    MQTTClient_destroy(&b->client);
    return result;
}

int command_press(const struct invocation *inv)
{
    struct button b = {
        .inv = inv, .site = invocation_value(inv, "site"), .device = invocation_value(inv, "device")};
    const char *config = invocation_value(inv, "config");
    if (!b.site || !b.device)
        return missing(inv, b.site ? "device" : "site");
    struct conf *conf = config ? configuration_load(config) : NULL;
    int result = config && !conf ? RESULT_NOT_SO : set_up(&b, conf);
    if (result == RESULT_OK)
        result = run(&b);
    sodium_memzero(b.key, sizeof b.key);
    if (b.password)
        sodium_memzero(b.password, strlen(b.password));
    free(b.password);
    free(b.payload);
    free(b.uri);
    conf_destroy(conf);
    return result;
}
