/* broker_link.h - the program's connection to the broker, over Paho MQTTAsync (MQTT 5).
 *
 * Promises: what Paho's threads see comes out of link_next() on the caller's thread; link_fd() is readable
 * then. The connection is made anew for ever, after 1, 2, 5, 5 … s; what was said to us meanwhile comes with it
 * (for an hour). A subscription that is refused is asked for every 5 s: a press goes out, but no receipt comes. The
 * site's state is heard where the broker lets us: without it nothing else is worse. The broker says …/offline for us when we
 * are gone. Does not: keep messages; publish while there is no connection.
 *
 *     struct link *l = link_open(&options, "tocsin/v1/s/d/receipt", "tocsin/v1/s/state", "tocsin/v1/s/d/offline");
 *     poll(link_fd(l)); while (link_next(l, &event)) …; wait_ms = link_tick(l, now_ms); */
#ifndef TOCSIN_BUTTON_BROKER_LINK_H
#define TOCSIN_BUTTON_BROKER_LINK_H

#include "options.h"

struct link;

enum link_event_type { LINK_EVENT_UP, LINK_EVENT_DOWN, LINK_EVENT_RECEIPT, LINK_EVENT_SITE };

struct link_event {
    enum link_event_type type;
    size_t size;
    char bytes[4096]; /* a message, or why the connection is down or deaf, with NUL */
};

struct link *link_open(const struct button_program_options *, const char *receipt_topic,
                       const char *site_topic, const char *offline_topic);
int link_fd(const struct link *);
bool link_next(struct link *, struct link_event *);
uint64_t link_tick(struct link *, uint64_t now_ms); /* ms until it wants to be called again */
bool link_publish(struct link *, const char *topic, const void *payload, size_t size, int qos);
void link_close(struct link *, unsigned linger_ms); /* the broker says "offline" for us */

#endif
