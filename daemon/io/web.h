/* web.h - HTTP in: libmicrohttpd on its own poll thread, bridged to the loop.
 *
 * Promises: handlers run on the loop thread and may answer later; a stalled, slow or hostile client costs a bounded
 * buffer and no processor time; every answer but a feed ends within the connection's timeout.
 * Does not: know what is asked for. That is the routes table of io/api.c.
 *
 *     web_request arrives → options.on_request(ctx, r) on the loop → … → web_answer(r, 200, "application/json", body, size)
 */
#ifndef TOCSIN_WEB_H
#define TOCSIN_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct web;

struct web_request {
    const char *method, *path; /* path is decoded; NUL and invalid UTF-8 were refused before */
    const char *authorization; /* NULL = no such header */
    const char *last_event_id, *accept_language;
    const char *body;
    size_t body_size;
    void *internal;
};

struct web_options {
    const char *listen; /* "127.0.0.1:8080" */
    const char *tls_certificate_file, *tls_key_file;
    void (*on_request)(void *ctx, struct web_request *); /* must lead to exactly one web_answer or web_feed */
    void *ctx;
};

struct web *web_create(uv_loop_t *, const struct web_options *, char error[256]);
unsigned web_port(const struct web *);
const char *web_query(const struct web_request *, const char *name); /* NULL = not given */
/* `body` is copied. `headers`: NULL or "Name: value\n…". */
void web_answer(struct web_request *, unsigned status, const char *content_type, const char *headers, const void *body,
                size_t size);
/* Turns the request into a server-sent events feed; the request is gone afterwards. `from`: the feed gets what
 * web_publish() sends from now on; `backlog` (copied) is sent first. */
void web_feed(struct web_request *, const char *tag, const char *backlog, size_t backlog_size);
/* To every feed whose tag passes `accept` (NULL = all). Copies. A feed that is too slow is closed: it resumes by id. */
void web_publish(struct web *, const char *text, size_t size, bool (*accept)(void *ctx, const char *tag), void *ctx);
unsigned web_feeds(const struct web *);
void web_destroy(struct web *); /* ends feeds and requests, stops the thread */

#endif
