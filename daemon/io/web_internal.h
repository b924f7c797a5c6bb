/* web_internal.h - what web.c, web_feed.c and web_listen.c share.
 *
 * Who may touch what: a connection belongs to libmicrohttpd's thread, except while it is suspended: then its
 * exchange belongs to the loop, which gives it back by MHD_resume_connection(). Lists and feeds' buffers are
 * under the mutex. Locks are taken in this order only: the mutex, then libmicrohttpd's own. */
#ifndef TOCSIN_WEB_INTERNAL_H
#define TOCSIN_WEB_INTERNAL_H

#include "io/web.h"
#include <microhttpd.h>
#include <stdatomic.h>

enum link_state { LINK_READING, LINK_WAITING, LINK_WRITING, LINK_FEEDING };

/* One connection, watched by the tick so that no client holds it by being slow. Under the mutex. */
struct web_link {
    int fd;
    enum link_state state;
    uint64_t since_ms;
    struct web_link *previous, *next;
};

enum exchange_stage { EXCHANGE_HEADERS, EXCHANGE_BODY, EXCHANGE_WAITING };

/* One request and its answer. Freed when both libmicrohttpd and the loop have let go of it. */
struct web_exchange {
    struct web_request request;
    struct web *web;
    struct web_link *link;
    struct MHD_Connection *connection;
    enum exchange_stage stage;
    atomic_int holders;
    bool bad_uri, too_large; /* found out while reading */
    size_t body_discarded;
    char *body;

    struct web_exchange *previous, *next; /* in web.arrived or web.waiting */
    uint64_t arrived_ms;
    bool abandoned; /* the loop's: answered for whoever should have */

    unsigned status;
    char *content_type, *headers, *answer;
    size_t answer_size;
    struct web_feed *feed;
};

struct web {
    uv_loop_t *loop;
    struct web_options options;
    struct MHD_Daemon *daemon;
    unsigned port;
    char *certificate, *key;
    uv_async_t arrival;
    uv_timer_t tick;
    uint64_t pinged_ms;
    int handles_open;

    uv_mutex_t mutex;
    uv_cond_t idle;
    bool stopping;
    unsigned exchanges, feed_count;
    struct web_exchange *arrived, *arrived_last; /* from libmicrohttpd's thread to the loop */
    struct web_exchange *waiting;                /* with the loop */
    struct web_feed *feeds;
    struct web_link *links;
};

uint64_t web_now_ms(void);

/* web_listen.c */
int web_listen(const char *text, unsigned *port, char error[256]); /* -1: error is a sentence */
char *web_read_file(const char *path, char error[256]);            /* malloc'd, NUL-terminated; NULL: error */

/* web_feed.c; the mutex is held by the caller except for feed_create and feed_response */
struct web_feed *feed_create(struct web_exchange *, const char *tag, const char *backlog, size_t size);
struct MHD_Response *feed_response(struct web_feed *);
void feed_append(struct web_feed *, const char *text, size_t size);
void feeds_append(struct web *, const char *text, size_t size, bool (*accept)(void *ctx, const char *tag),
                  void *ctx);
void feeds_end(struct web *, bool (*ends)(void *ctx, const char *tag), void *ctx); /* NULL = all */
void feed_unlink(struct web_feed *);
void feed_free(struct web_feed *);

#endif
