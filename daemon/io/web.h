/* web.h - HTTP in: libmicrohttpd on its own poll thread, bridged to the loop.
 *
 * Promises: on_request runs on the loop thread and may answer later; a stalled, slow or hostile client costs
 * a bounded buffer and no processor time; a request that is not read within read_timeout_ms or not answered
 * within answer_timeout_ms is ended (the latter with 503); feeds get a sign of life every ping_ms. A client
 * may go away at any moment, nobody need notice. Every answer carries Cache-Control: no-store and the headers
 * that keep a browser from making more of it than it is, unless it brings its own. Does not: know what is asked for. That is the routes
 * table of io/api.c.
 *
 *     web_request arrives → options.on_request(ctx, r) on the loop → … → web_answer(r, 200,
 * "application/json", NULL, body, size)
 */
#ifndef TOCSIN_WEB_H
#define TOCSIN_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct web;

#define WEB_QUERY 16         /* query parameters of one request; more are a bad request */
#define WEB_BODY (64 * 1024) /* bytes of a request's body; more are 413 */
#define WEB_FEEDS 1280       /* feeds at once, so that requests always find a connection; more are 503 */
#define WEB_ADDRESS 48       /* bytes of a client's address as text */
#define WEB_FEED_BUFFER (256 * 1024) /* bytes a feed may be behind before it is cut off */

struct web_pair {
    const char *name, *value; /* decoded; a parameter without "=" has the value "" */
};

/* The texts are valid during on_request only; the request itself until it is answered. Path and query are
 * decoded and valid UTF-8 without NUL; a path has no "." or ".." in it. */
struct web_request {
    const char *method, *path;
    struct web_pair query[WEB_QUERY];
    size_t query_count;
    const char *authorization; /* the headers: NULL = not there */
    const char *last_event_id, *accept_language, *content_type;
    const char *body; /* NUL-terminated; never NULL */
    size_t body_size;
    void *internal;
};

struct web_options {
    const char *listen; /* "127.0.0.1:8080", "[::1]:8080"; no address = 127.0.0.1; port 0 = any free one */
    const char *tls_certificate_file, *tls_key_file;     /* both or none */
    void (*on_request)(void *ctx, struct web_request *); /* must lead to exactly one web_answer or web_feed */
    void *ctx;
    unsigned ping_ms, read_timeout_ms, answer_timeout_ms; /* 0 = 2,000, 30,000, 15,000 */
};

struct web *web_create(uv_loop_t *, const struct web_options *,
                       char error[256]); /* NULL: error is a sentence */
unsigned web_port(const struct web *);
const char *web_query(const struct web_request *, const char *name); /* NULL = not given */
/* Like the texts: during on_request only. */
const char *web_header(const struct web_request *, const char *name); /* NULL = not given */
const char *web_cookie(const struct web_request *, const char *name); /* NULL = not given */
void web_address(const struct web_request *, char out[WEB_ADDRESS]);  /* who asks: 192.0.2.7, 2001:db8::1 */

/* `body` is copied. `headers`: NULL or "Name: value\n…". */
void web_answer(struct web_request *, unsigned status, const char *content_type, const char *headers,
                const void *body, size_t size);
/* The same, with a malloc'd body that is the web's from now on. */
void web_answer_take(struct web_request *, unsigned status, const char *content_type, const char *headers,
                     char *take_body, size_t size);
/* Turns the request into a server-sent events feed: `backlog` (copied, at most WEB_FEED_BUFFER) is sent
 * first, then what web_publish() sends from now on. The request is gone afterwards. */
void web_feed(struct web_request *, const char *tag, const char *backlog, size_t backlog_size);
/* To every feed whose tag passes `accept` (NULL = all). Copies. A feed that is too slow is cut off: it
 * resumes by id. */
void web_publish(struct web *, const char *text, size_t size, bool (*accept)(void *ctx, const char *tag),
                 void *ctx);
unsigned web_feeds(const struct web *);
/* Looks at the tag of every feed, on the loop; those for which `ends` says true end. */
void web_end_feeds(struct web *, bool (*ends)(void *ctx, const char *tag), void *ctx);

/* Ends feeds, answers what is still open with 503, stops the thread (≤ 0.5 s). The loop must run once more to
 * free it all. A request that was not answered yet may and must still be answered: that only frees it. */
void web_destroy(struct web *);

#endif
