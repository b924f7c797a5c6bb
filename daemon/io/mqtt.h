/* mqtt.h - a connection to the broker: presses and heartbeats in, receipts and site states out, over Paho MQTTAsync
 * (MQTT 5).
 *
 * One struct is one connection, and hears what it is for: two of them, one for presses and one for supervision, keep a
 * press from standing behind heartbeats, at the broker and in the socket (Paho's one receive thread takes the ready
 * sockets in turns). What an earlier configuration of the same client id had subscribed to, and this one is not for, is
 * given back. With `receipts` what is published with QoS 0 goes out over a second connection, as long as that is good
 * (mqtt_receipts.c; one struct of a process may have it). Connections of one process come about one after the other.
 *
 * Promises: on_message runs on the loop thread, in arrival order. The connection is kept or rebuilt for ever:
 * fixed client id, session expiry on every connect, resubscribed on every connect, a loop-back message every
 * loopback_s (three lost → the client is torn down and rebuilt, and is called connected again only when a message has
 * come back). After several connections that ended within 10 s each the next one is called connected only when it has
 * lasted for so long: a connection that comes and goes is one trouble. Presses of late devices, from the first one on, are
 * acknowledged to the broker (PUBACK) only after mqtt_release(); all others when they are handed over. A hold that ends
 * otherwise (stop, a broken connection, 15 s) ends unacknowledged: the socket is shut before Paho can answer, and the
 * broker delivers the press again. Heartbeats may come LAZY_MS (20 ms) late and are dropped beyond 200,000 waiting; presses
 * are neither late nor dropped. Does not: know what a press is; block the loop: no Paho call happens on the loop thread; remember a session over a restart of the daemon: whether the broker kept ours is only known
 * from the second connection on. Mind: while a hold waits, no message of any device comes through, and no QoS 1
 * publish goes out (Paho has one receive thread and one mutex). Release within milliseconds, committed or not.
 *
 *     struct mqtt *m = mqtt_create(loop, &options);   // .topics = MQTT_PRESSES | MQTT_SUPERVISION: all over one
 *     mqtt_publish(m, "tocsin/v1/s/d/receipt", body, size, 1, false);
 *     mqtt_stop(m, stopped, ctx);   // then mqtt_destroy in the callback
 */
#ifndef TOCSIN_MQTT_H
#define TOCSIN_MQTT_H

#include "conf/conf.h"
#include <uv.h>

struct mqtt;
struct mqtt_hold; /* a PUBACK that waits */

struct mqtt_message {
    const char *topic; /* NUL-terminated; one with a NUL inside was already counted as unknown */
    const unsigned char *payload;
    size_t size;
    int qos;
    bool retained, duplicate;
    struct mqtt_hold
        *hold; /* not NULL: call mqtt_release() once, when the press is committed or needs no commit */
};

enum mqtt_state {
    MQTT_CONNECTED,
    MQTT_LOST,             /* no connection */
    MQTT_SESSION_LOST,     /* connected, but the broker had no session of ours where one was expected;
                              MQTT_CONNECTED follows when we are subscribed anew */
    MQTT_SUBSCRIBE_FAILED, /* connected, but deaf */
    MQTT_LOOPBACK_LOST,    /* connected, but nothing comes through; being rebuilt, until something does */
    /* Beside the others: */
    MQTT_BROKER_DROPS,      /* the broker has thrown away more messages, of whomsoever, since the last time. mosquitto
                               counts them; only said over the connection of the presses */
    MQTT_KEEPS,             /* the broker keeps retained messages. Only said over the connection of the presses, as is: */
    MQTT_KEEPS_NOTHING,     /* it keeps none: who connects later does not see the state of its site */
    MQTT_RECEIPTS_APART,    /* receipts go out over a connection of their own */
    MQTT_RECEIPTS_NOT_APART /* they cannot, and go out over this one */
};

struct mqtt_counts {
    uint64_t received, published, publish_failed, dropped, reconnects;
    bool receipts_apart; /* now */
};

enum mqtt_topics { /* bits */
    MQTT_PRESSES = 1,
    MQTT_SUPERVISION = 2 /* heartbeats, and last wills that say "offline" */
};

/* Devices ("site/device") whose presses wait for mqtt_release(); all of it from malloc(). */
struct mqtt_late {
    char **names;
    size_t count;
};

struct mqtt_options {
    const struct conf_broker *broker; /* copied */
    const struct conf_login *login;   /* copied: one of the broker's */
    const struct conf_login *receipts; /* copied: as whom receipts go out apart; NULL = they go out over this one */
    unsigned topics;                  /* what it hears */
    struct mqtt_late take_late;
    void (*on_message)(void *ctx, const struct mqtt_message *); /* valid during the call; until `stopped` */
    void (*on_batch_end)(void *ctx);                            /* after the messages that were there */
    void (*on_near)(void *ctx); /* or NULL; from a foreign thread: something more than a heartbeat woke the loop */
    void (*on_state)(void *ctx, enum mqtt_state, const char *text); /* text: a sentence */
    void *ctx;
};

struct mqtt *
mqtt_create(uv_loop_t *,
            const struct mqtt_options *); /* connects in the background; NULL only without memory */
void mqtt_set_late_devices(struct mqtt *, struct mqtt_late take); /* replaces the earlier set */
void mqtt_publish(struct mqtt *, const char *topic, const void *payload, size_t size, int qos,
                  bool retain); /* copies; a retained one replaces the same topic's that has not gone out yet */
void mqtt_release(struct mqtt *, struct mqtt_hold *);
bool mqtt_hears(const struct mqtt *); /* connected and subscribed, as on_state said last */
struct mqtt_counts mqtt_counts(struct mqtt *);
void mqtt_stop(struct mqtt *, void (*stopped)(void *ctx),
               void *ctx);        /* publishes what is queued, ≤ 1 s; holds end unacknowledged */
void mqtt_destroy(struct mqtt *); /* after stopped */

#endif
