/* mqtt_internal.h - what the files of the broker connection share. Not for others: mqtt.h is the manual.
 *
 *   mqtt.c         the loop's side: hands messages and states over, takes publishes, stops
 *   mqtt_inbox.c   broker → loop: messages and states in arrival order, and the holds (PUBACKs that wait)
 *   mqtt_outbox.c  loop → broker: publishes that wait, and those Paho has
 *   mqtt_link.c    the thread that calls Paho: connects, subscribes, publishes, watches the loop-back
 *   mqtt_paho.c    Paho's callbacks and options
 *   mqtt_receipts.c  the connection of the receipts, with a thread of its own
 *   mqtt_login.c   where the broker is and as whom we come
 *   mqtt_socket.c  the socket below Paho, and whose turn it is to connect one
 *
 * Threads: loop, link and receipts (ours), Paho's send and receive threads. `lock` guards everything marked so. Paho calls
 * back with its own mutex held, and the callbacks take `lock`: so nobody calls Paho while holding `lock`. */
#ifndef TOCSIN_MQTT_INTERNAL_H
#define TOCSIN_MQTT_INTERNAL_H

#include "io/mqtt.h"
#include "io/mqtt_login.h"
#include "limits.h"
#include <MQTTAsync.h>
#include <sys/queue.h>

#define LINK_TEXT 320

/* One thing for the loop: a message or a state, with its text behind it. */
struct inbox_item {
    struct inbox_item *next;
    bool is_state, heartbeat;
    enum mqtt_state state;
    struct mqtt_message message; /* points into data */
    char data[];
};

/* Lives until the callback has left and mqtt_release() came (or the end of the connection's owner). */
struct mqtt_hold {
    LIST_ENTRY(mqtt_hold) link;
    bool released, left;
};

struct outbox_item {
    TAILQ_ENTRY(outbox_item) link;
    LIST_ENTRY(outbox_item) bucket; /* of a retained one that waits */
    struct mqtt *owner;
    uint64_t order;
    char *payload; /* in data, behind the topic */
    size_t size;
    int qos;
    bool retain;
    char topic[];
};

TAILQ_HEAD(outbox_list, outbox_item);
LIST_HEAD(outbox_bucket, outbox_item);
#define OUTBOX_BUCKETS 256

enum outbox_result { OUTBOX_PUBLISHED, OUTBOX_REFUSED, OUTBOX_AGAIN };

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_UP };
enum link_subscription { SUBSCRIPTION_NEEDED, SUBSCRIPTION_ASKED, SUBSCRIPTION_DONE };

/* Where receipts go out apart from the rest. */
struct mqtt_receipts {
    /* Set once. */
    struct mqtt_login login;
    char *topic; /* of its receipts to itself */

    /* Guarded by the connection's lock. */
    uv_cond_t changed; /* its thread waits here */
    struct outbox_list waiting;
    bool up, finished; /* finished: there is no thread, or none any more */
    int socket; /* a duplicate of its client's descriptor, -1 = none */
    uint64_t calling_since_ms; /* it writes; 0 = it does not */

    /* Its thread's own. */
    void *client; /* a MQTTClient */
    enum mqtt_state said;
    uint64_t connect_at_ms, look_at_ms, send_at_ms, back_ms;
    char tls_error[LINK_TEXT / 2];
};

struct mqtt {
    /* Set once. */
    struct mqtt_options options;
    struct mqtt_login login;
    char *loopback_topic;

    /* The loop's own. */
    uv_loop_t *loop;
    uv_async_t wake;
    uv_timer_t lazy, stop_timer;
    unsigned open_handles;
    struct inbox_item *ready; /* taken from the inbox, not handed over yet */
    void (*stopped)(void *ctx);
    void *stopped_ctx;
    uv_thread_t thread;

    uv_mutex_t lock;    /* guards all below */
    uv_cond_t changed;  /* the link thread waits here */
    uv_cond_t released; /* holds wait here */

    struct inbox_item *inbox, **inbox_tail;
    size_t inbox_heartbeats;
    bool woken, lazy_armed, deaf; /* deaf: the loop's handles are closing */
    LIST_HEAD(, mqtt_hold) holds;
    bool end_holds, holding; /* a callback waits */
    struct mqtt_late late;   /* sorted */

    struct outbox_list waiting, given;
    struct outbox_bucket retained[OUTBOX_BUCKETS]; /* of `waiting`, by topic: one of each */
    size_t waiting_count, given_qos0, given_qos1;
    unsigned window; /* QoS 1 publishes the broker takes unacknowledged */
    bool retains;    /* the broker keeps messages; one that does not ends a connection that asks it to */
    enum mqtt_state said_keeps; /* which of the two */
    uint64_t order;
    struct mqtt_counts counts;
    struct mqtt_receipts receipts;

    enum link_state link;
    enum link_subscription subscription;
    bool was_connected, session_present, rebuild;
    bool spoiled; /* the client holds memory that it has freed: it is given up as it is */
    bool stopping, finished;
    unsigned owners;
    int socket;       /* a duplicate of Paho's descriptor, -1 = none */
    bool socket_shut; /* nothing more goes out on this connection */
    uint64_t connect_at_ms, deadline_ms, stop_at_ms, subscribe_at_ms, tick_at_ms, nudge_at_ms, up_since_ms;
    uint64_t looped_back_ms; /* when the last loop-back message came back */
    bool unproved; /* the last connection forwarded nothing, or several ended soon: this one is good only when a message has
                      come back and it has lasted */
    unsigned short_lived; /* connections in a row that ended soon */
    uint64_t broker_drops;   /* as the broker counted them last */
    unsigned retry_ms, nudge_ms;
    bool hears; /* the loop's own */
    enum mqtt_state said;
    char said_text[LINK_TEXT];
    char lost_text[LINK_TEXT]; /* why the last connection, or attempt, failed; since when none failed otherwise */
    uint64_t lost_since_ms;
    char tls_error[LINK_TEXT / 2];

    MQTTAsync client; /* the link thread's own */
};

uint64_t mqtt_now_ms(void);
void mqtt_drop(struct mqtt *); /* one of the owners lets go: the loop, the link thread, the receipts thread */

/* mqtt_inbox.c; all with `lock` held */
struct inbox_item *inbox_item_of(const char *topic, size_t topic_size, const MQTTAsync_message *);
bool inbox_push(struct mqtt *, struct inbox_item *take, bool urgent);    /* true: the loop was rung for it */
void inbox_push_state(struct mqtt *, enum mqtt_state, const char *text); /* once as long as nothing changes */
void inbox_push_aside(struct mqtt *, enum mqtt_state, const char *text); /* of a state beside the others */
void inbox_broker_drops(struct mqtt *, const MQTTAsync_message *); /* the broker's count: what is new is pushed */
struct inbox_item *inbox_take(struct mqtt *);
void inbox_free_late(struct mqtt *);
bool inbox_is_late(const struct mqtt *, const char *topic);
struct mqtt_hold *hold_create(struct mqtt *);
bool hold_wait(struct mqtt *,
               struct mqtt_hold *); /* false: ended unacknowledged, and the socket is shut down */
void hold_free_if_over(struct mqtt_hold *);

/* mqtt_outbox.c; all with `lock` held */
void outbox_push(struct mqtt *, struct outbox_item *take);
struct outbox_item *outbox_next(struct mqtt *); /* the next one that Paho may have now; NULL = none */
void outbox_done(struct outbox_item *, enum outbox_result); /* frees it, or puts it back in its order */
void outbox_take_back(struct mqtt *); /* what was given to a client that will never answer */
void outbox_finish(struct mqtt *);

/* mqtt_receipts.c */
/* login NULL = no such connection; false: no memory */
bool receipts_init(struct mqtt *, const struct conf_broker *, const struct conf_login *);
void receipts_start(struct mqtt *); /* its thread, which owns the struct, too */
void receipts_finish(struct mqtt *);
bool receipts_push(struct mqtt *, struct outbox_item *take); /* with lock held; false: not taken */
void receipts_end(struct mqtt *); /* with lock held: what waits goes to the outbox */
void receipts_watch(struct mqtt *, uint64_t now_ms); /* with lock held, now and then: ends what stands still */
void receipts_shut(struct mqtt *); /* with lock held: a write or an end that stands still ends */

/* mqtt_paho.c */
bool paho_create(struct mqtt *); /* link thread, without lock */
int paho_connect(struct mqtt *);
int paho_subscribe(struct mqtt *);
int paho_publish(struct outbox_item *, bool retain);
int paho_loopback(struct mqtt *);
void paho_disconnect(struct mqtt *);

/* mqtt_link.c */
void link_thread(void *mqtt);
bool link_may_end(const struct mqtt *); /* with lock held: several in a row ended soon, so this one may, too */
bool link_lasts(const struct mqtt *);   /* with lock held: it may not, or has outlasted them */
void link_failed(struct mqtt *,
                 const char *reason); /* with lock held: the connection is gone or did not come about */

/* mqtt_socket.c */

/* Which connection of the process is coming about: one at a time, so that it is known whose the new socket is. */
bool socket_turn_take(const void *owner);
void socket_turn_give(const void *owner); /* it is not coming about, or nobody waits for it any more; always allowed */

/* A duplicate of the socket that Paho has just connected to this port, without delay from now on; -1 = none. */
int socket_find(unsigned port);

/* All with `lock` held. */
/* Gives the lock away meanwhile. Returns when the broker has ended its side, having taken all that was written, or when the
 * time is over. A socket that is closed with something unread takes back what its peer has not received
 * (RFC 1122, 4.2.2.13). */
void socket_linger(struct mqtt *, int socket, uint64_t until_ms);
void mqtt_socket_take(struct mqtt *);   /* keeps a duplicate of the socket that Paho has just connected */
void mqtt_socket_shut(struct mqtt *);   /* nothing more goes out or comes in; a hold ends */
void mqtt_socket_forget(struct mqtt *); /* closes the duplicate */

#endif
