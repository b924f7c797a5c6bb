/* http_client.h - many HTTP POSTs at once over one libcurl multi handle, on the loop.
 *
 * Promises: a request starts on the wire inside http_client_post() when a kept connection or a numeric
 * address allows it; every request ends in exactly one `done`, unless http_client_abort() was called first;
 * `done` never runs inside http_client_post(). What a peer sends costs at most LIMIT_BODY bytes of head and
 * of body. No proxy, cookie, netrc, redirect, or decompression, whatever the environment says.
 * Does not: retry, judge an answer, know an endpoint. The process ignores SIGPIPE.
 *
 *     struct http_client *c = http_client_create(loop, &options);
 *     struct http_request *r = http_client_post(c, &post);   // → post.done(post.ctx, &answer)
 *     http_client_retire(c);                                 // frees itself when its last request has ended
 */
#ifndef TOCSIN_HTTP_CLIENT_H
#define TOCSIN_HTTP_CLIENT_H

#include "conf/conf.h"
#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct http_client;
struct http_request;
struct curl_slist;

struct http_client_options {
    const char *ca_file, *certificate_file, *key_file, *crl_file; /* "" = none; kept by reference */
    enum conf_network network; /* where names may lead */
    unsigned connect_timeout_ms;
    unsigned connections;      /* how many are kept open */
    void (*closed)(void *ctx); /* the client is gone; NULL = nobody wants to know */
    void *ctx;
};

struct http_answer {
    unsigned status;   /* 0: no whole answer came, and `fault` says why */
    const char *fault; /* "connection refused at 127.0.0.1:9000"; NULL = answered */
    const char *body;
    size_t body_size;
    unsigned retry_after_s; /* 0 = not said */
    bool unresolved;        /* the name had no address, or not in time, or one where it may not lead */
    const char *peer_ip;    /* "" = never connected */
};

struct http_post {
    const char *url; /* this, headers and body are kept by reference until the end */
    struct curl_slist *headers;
    const char *body;
    size_t body_size;
    unsigned timeout_ms;  /* longer by a standstill of the loop: the answer may have come meanwhile */
    bool fresh;           /* do not use a kept connection */
    const char *known_ip; /* connect there instead of asking for the name; NULL = ask */
    /* The answer is valid during the call; may post, abort, retire. */
    void (*done)(void *ctx, const struct http_answer *);
    void *ctx;
};

struct http_client *http_client_create(uv_loop_t *, const struct http_client_options *); /* NULL: no memory */
struct http_request *http_client_post(struct http_client *, const struct http_post *);   /* NULL: no memory */
void http_client_abort(struct http_request *);       /* closes its connection; `done` is not called */
bool http_client_broken(const struct http_client *); /* the library lost its way: retire it, make a new one */
void http_client_retire(struct http_client *);

/* "host:port" of a URL, without user, path and secrets; "?" for what is no URL. */
void http_client_place(const char *url, char *out, size_t capacity);

#endif
