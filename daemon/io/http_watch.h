/* http_watch.h - the sockets of a libcurl multi handle, watched by the loop.
 *
 *     http_watch_init(&watches, loop, multi);   // `ready` and `closed` set before
 *     http_watch_use(&door, easy);              // for each easy handle
 *     … ready(&watches, socket, mask) → curl_multi_socket_action(…); then http_watch_settle(&watches)
 *     http_watch_keep(&watches, easy);          // after a good answer over a new connection
 *     http_watch_finish(&watches);              // after curl_multi_cleanup(); `closed` for each
 */
#ifndef TOCSIN_HTTP_WATCH_H
#define TOCSIN_HTTP_WATCH_H

#include "conf/conf.h"
#include <curl/curl.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

struct http_watch;

struct http_watches {
    uv_loop_t *loop;
    LIST_HEAD(, http_watch) list;
    unsigned handles;                                              /* of the loop, not yet closed */
    bool renewed;                                                  /* one must be set anew */
    void (*ready)(struct http_watches *, curl_socket_t, int mask); /* CURL_CSELECT_… */
    void (*closed)(struct http_watches *);                         /* the memory of one is given back */
};

/* One easy handle's way out. */
struct http_door {
    struct http_watches *watches;
    enum conf_network network;
    bool stands_in_url;  /* the host of its url is an address */
    const char *refused; /* why the last address was; NULL = none was */
    char address[64];    /* that address */
};

void http_watch_init(struct http_watches *, uv_loop_t *, CURLM *);
void http_watch_use(struct http_door *, CURL *); /* the door outlives the handle */
/* To be called after each curl_multi_socket_action(). */
void http_watch_settle(struct http_watches *);
/* The connection is known to the library as its own: from now on it says when it closes the socket, and
 * watching may go on while the connection is idle, which saves three system calls for each request. */
void http_watch_keep(struct http_watches *, CURL *);
/* To be called before each request: the library (7.88) would take what an idle connection has said unasked for its answer.
 * Such a connection is ended, which the library sees. */
void http_watch_silence(struct http_watches *);
void http_watch_finish(struct http_watches *);

#endif
