#include "io/http_address.h"
#include "io/http_client.h"
#include "io/http_fault.h"
#include "io/http_watch.h"
#include "io/standstill.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BODY_KEPT 4096 /* bytes of answer buffer a pooled request keeps */
#define KICKS_MAX 16   /* times in a row the library may ask to be called again at once */
#define CONNECTION_IDLE_S                                                                                    \
    20 /* an older kept connection may have been forgotten by a firewall between us and them */
#define CONNECTION_LIFE_S                                                                                    \
    3600          /* so that a revoked or replaced certificate does not live on in an open connection */
#define PLACE 280 /* bytes of host:port */
#define MORE_MS 1000 /* after a standstill; whoever posts has a moment of its own at which it gives up */

struct http_request {
    struct http_client *client;
    struct http_post post;
    CURL *easy;
    CURLU *parts; /* of its URL: taken apart once, and not for each telling */
    bool under_way;
    enum http_excess excess;
    size_t head_size, body_size, body_capacity;
    bool in_head, has_length, has_encoding;
    char *body;
    struct curl_slist *resolve;
    struct http_door door;
    const char *url_set; /* what the handle has */
    char place[PLACE];
    char message[CURL_ERROR_SIZE];
    LIST_ENTRY(http_request) entry;
};
LIST_HEAD(request_list, http_request);

struct http_client {
    uv_loop_t *loop;
    struct http_client_options options;
    CURLM *multi;
    uv_timer_t timer;
    struct http_watches watches;
    struct request_list under_way, pooled;
    int count, running;   /* requests under way: ours, and as the library counts */
    uint64_t timer_at_ms; /* by the loop's clock; 0 = not running */
    bool timer_closed;
    bool kicked; /* the library wants to be called at once */
    bool reap_due, reaping, broken, retired, closing;
};

static void socket_action(struct http_client *, curl_socket_t, int mask);
static void reap(struct http_client *);
static void close_when_idle(struct http_client *);
static void free_when_closed(struct http_client *);

/* ---- driving the library ---- */

static void on_timer(uv_timer_t *timer)
{
    struct http_client *client = timer->data;
    if (!client->closing)
        socket_action(client, CURL_SOCKET_TIMEOUT, 0);
    reap(client);
}

static void reap_soon(struct http_client *client)
{
    client->reap_due = true;
    client->timer_at_ms = 0;
    uv_timer_start(&client->timer, on_timer, 0, 0);
}

/* The library is never called from in here (it may be calling us). */
static int on_curl_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct http_client *client = ctx;
    client->kicked = timeout_ms == 0;
    if (client->closing || client->reap_due)
        return 0;
    client->timer_at_ms = timeout_ms < 0 ? 0 : uv_now(client->loop) + (uint64_t)timeout_ms;
    if (timeout_ms < 0)
        uv_timer_stop(&client->timer);
    else
        uv_timer_start(&client->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static void set_limits(struct http_request *request, unsigned more_ms)
{
    long connect_ms = request->client->options.connect_timeout_ms, whole_ms = request->post.timeout_ms;
    curl_easy_setopt(request->easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms + (long)more_ms);
    curl_easy_setopt(request->easy, CURLOPT_TIMEOUT_MS, whole_ms + (long)more_ms);
}

/* The library looks at its clock before it reads: after a standstill it would throw away answers that have come. Its timer
 * is that of whatever is due first, so nothing is later than it is. */
static void forgive_standstill(struct http_client *client)
{
    uint64_t now_ms = uv_now(client->loop);
    if (client->timer_at_ms == 0 || now_ms <= client->timer_at_ms + STANDSTILL_MS)
        return;
    unsigned more_ms = (unsigned)(now_ms - client->timer_at_ms) + MORE_MS;
    client->timer_at_ms = 0;
    struct http_request *request;
    LIST_FOREACH(request, &client->under_way, entry)
    set_limits(request, more_ms);
}

static void socket_action(struct http_client *client, curl_socket_t socket, int mask)
{
    if (client->broken)
        return;
    forgive_standstill(client);
    client->kicked = false;
    CURLMcode code = curl_multi_socket_action(client->multi, socket, mask, &client->running);
    for (int i = 0; code == CURLM_OK && client->kicked && i < KICKS_MAX; i++) {
        client->kicked = false;
        code = curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &client->running);
    }
    http_watch_settle(&client->watches);
    if (code != CURLM_OK) {
        client->broken = true;
        reap_soon(client);
    } else if (client->running != client->count && !client->reaping)
        reap_soon(client);
}

static void forget_resolve(struct http_request *request)
{
    curl_slist_free_all(request->resolve);
    request->resolve = NULL;
}

static void request_release(struct http_request *request)
{
    struct http_client *client = request->client;
    LIST_REMOVE(request, entry);
    LIST_INSERT_HEAD(&client->pooled, request, entry);
    request->under_way = false;
    client->count--;
    if (request->body_capacity > BODY_KEPT) {
        free(request->body);
        request->body = NULL;
        request->body_capacity = 0;
    }
    forget_resolve(request);
}

static void end(struct http_request *request, CURLcode code)
{
    struct http_client *client = request->client;
    char fault[LIMIT_TEXT] = "the HTTP library failed and is started anew", *ip = NULL, peer[64] = "";
    long status = 0, new_connections = 0;
    curl_off_t retry_after = 0;
    double lookup_s = 0;
    curl_easy_getinfo(request->easy, CURLINFO_NUM_CONNECTS, &new_connections);
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after);
    curl_easy_getinfo(request->easy, CURLINFO_NAMELOOKUP_TIME, &lookup_s);
    if (curl_easy_getinfo(request->easy, CURLINFO_PRIMARY_IP, &ip) == CURLE_OK && ip)
        strncpy(peer, ip, sizeof peer - 1);
    bool whole = code == CURLE_OK && !client->broken;
    if (whole && new_connections > 0)
        http_watch_keep(&client->watches, request->easy);
    if (!whole && !client->broken)
        http_fault_text(fault, &(struct http_fault_facts){.easy = request->easy,
                                                          .code = code,
                                                          .excess = request->excess,
                                                          .refused_address = request->door.address,
                                                          .refused = request->door.refused,
                                                          .place = request->place,
                                                          .message = request->message,
                                                          .options = &client->options,
                                                          .timeout_ms = request->post.timeout_ms});
    struct http_answer answer = {
        .status = whole ? (unsigned)status : 0,
        .fault = whole ? NULL : fault,
        .body = whole ? request->body : NULL,
        .body_size = whole ? request->body_size : 0,
        .retry_after_s = retry_after > 0 ? (unsigned)(retry_after < 86400 ? retry_after : 86400) : 0,
        .unresolved = code == CURLE_COULDNT_RESOLVE_HOST || (code == CURLE_OPERATION_TIMEDOUT && lookup_s <= 0) ||
                      (code == CURLE_COULDNT_CONNECT && request->door.refused),
        .peer_ip = peer,
    };
    /* Out of the library first, but not into the pool: `done` reads the body, and may post anew. */
    curl_multi_remove_handle(client->multi, request->easy);
    request->post.done(request->post.ctx, &answer);
    request_release(request);
}

static void reap(struct http_client *client)
{
    if (client->reaping)
        return;
    bool timer_taken = client->reap_due;
    client->reaping = true;
    client->reap_due = false;
    while (client->broken && !LIST_EMPTY(&client->under_way))
        end(LIST_FIRST(&client->under_way), CURLE_OK);
    CURLMsg *message;
    int left;
    while (!client->broken && (message = curl_multi_info_read(client->multi, &left))) {
        struct http_request *request = NULL;
        CURLcode code = message->data.result; /* the message dies with the handle's removal */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
        end(request, code);
    }
    client->reaping = false;
    long timeout_ms = -1;
    if (timer_taken && !client->broken && curl_multi_timeout(client->multi, &timeout_ms) == CURLM_OK)
        on_curl_timer(client->multi, timeout_ms, client);
    close_when_idle(client);
}

/* ---- what comes back ---- */

static size_t on_body(char *data, size_t unit, size_t size, void *ctx)
{
    struct http_request *request = ctx;
    size *= unit;
    if (request->body_size + size > LIMIT_BODY) {
        request->excess = HTTP_EXCESS_BODY;
        return 0;
    }
    if (request->body_size + size > request->body_capacity) {
        size_t capacity = request->body_size + size < BODY_KEPT ? BODY_KEPT : LIMIT_BODY;
        char *body = realloc(request->body, capacity);
        if (!body)
            return 0;
        request->body = body;
        request->body_capacity = capacity;
    }
    memcpy(request->body + request->body_size, data, size);
    request->body_size += size;
    return size;
}

static bool line_is(const char *line, size_t size, const char *name)
{
    size_t length = strlen(name);
    return size >= length && strncasecmp(line, name, length) == 0;
}

/* The library takes a first line like "HTTP/20 yes" for a head, one without a status.
 * An answer that gives its length in two ways may be cut differently by a proxy in between: RFC 9112, 6.3; and so may one with
 * a line that begins with a CR of its own, where the library ends the head: RFC 9112, 2.2. */
static size_t on_head_line(char *line, size_t unit, size_t size, void *ctx)
{
    struct http_request *request = ctx;
    size *= unit;
    request->head_size += size;
    bool first = !request->in_head;
    request->in_head = !line_is(line, size, "\r") && !line_is(line, size, "\n");
    long status = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    if (first)
        request->has_length = request->has_encoding = false;
    else if (line_is(line, size, "content-length:"))
        request->has_length = true;
    else if (line_is(line, size, "transfer-encoding:"))
        request->has_encoding = true;
    if (status == 0)
        request->excess = HTTP_EXCESS_STATUS;
    else if (request->head_size > LIMIT_BODY)
        request->excess = HTTP_EXCESS_HEAD;
    else if (request->has_length && request->has_encoding)
        request->excess = HTTP_EXCESS_FRAMING;
    else if (line_is(line, size, "\r") && !line_is(line, size, "\r\n"))
        request->excess = HTTP_EXCESS_CR;
    return request->excess == HTTP_EXCESS_NONE ? size : 0;
}

/* ---- requests ---- */

static void option_file(CURL *easy, CURLoption option, const char *file)
{
    if (file[0])
        curl_easy_setopt(easy, option, file);
}

static void set_tls(CURL *easy, const struct http_client_options *options)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (options->ca_file[0])
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* our own authority, and not the system's as well */
    option_file(easy, CURLOPT_CAINFO, options->ca_file);
    option_file(easy, CURLOPT_SSLCERT, options->certificate_file);
    option_file(easy, CURLOPT_SSLKEY, options->key_file);
    option_file(easy, CURLOPT_CRLFILE, options->crl_file);
}

static void set_http(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     (long)CURL_HTTP_VERSION_1_1); /* a stalled HTTP/2 holds all streams */
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "tocsin/" TOCSIN_VERSION);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)CONNECTION_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_LIFE_S);
}

static struct http_request *request_create(struct http_client *client)
{
    struct http_request *request = calloc(1, sizeof *request);
    CURL *easy = request ? curl_easy_init() : NULL;
    if (!easy) {
        free(request);
        return NULL;
    }
    request->client = client;
    request->easy = easy;
    set_http(easy);
    set_tls(easy, &client->options);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->message);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    request->door = (struct http_door){.watches = &client->watches, .network = client->options.network};
    http_watch_use(&request->door, easy);
    LIST_INSERT_HEAD(&client->pooled, request, entry);
    return request;
}

static void request_destroy(struct http_request *request)
{
    LIST_REMOVE(request, entry);
    curl_easy_cleanup(request->easy);
    curl_url_cleanup(request->parts);
    curl_slist_free_all(request->resolve);
    free(request->body);
    free(request);
}

/* NULL: it is no URL, or no memory. */
static CURLU *parts_of(const char *url)
{
    CURLU *parts = curl_url();
    if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK)
        return parts;
    curl_url_cleanup(parts);
    return NULL;
}

static void place_of(CURLU *parts, char *out, size_t capacity)
{
    char *host = NULL, *port = NULL;
    curl_url_get(parts, CURLUPART_HOST, &host, 0);
    curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (host && port)
        snprintf(out, capacity, "%s:%s", host, port);
    else
        snprintf(out, capacity, "?");
    curl_free(host);
    curl_free(port);
}

/* A pooled request that had the same URL before, so that little is to be set. */
static struct http_request *request_take(struct http_client *client, const char *url)
{
    struct http_request *request;
    LIST_FOREACH(request, &client->pooled, entry)
    if (request->url_set == url)
        return request;
    request = request_create(client);
    if (!request)
        return NULL;
    request->parts = parts_of(url);
    place_of(request->parts, request->place, sizeof request->place);
    request->door.stands_in_url = http_address_is_written(request->place);
    if (request->parts)
        curl_easy_setopt(request->easy, CURLOPT_CURLU, request->parts);
    else
        curl_easy_setopt(request->easy, CURLOPT_URL, url); /* the library says what is wrong with it */
    request->url_set = url;
    return request;
}

static void set_post(struct http_request *request, const struct http_post *post)
{
    CURL *easy = request->easy;
    request->post = *post;
    request->excess = HTTP_EXCESS_NONE;
    request->head_size = request->body_size = 0;
    request->in_head = false;
    request->message[0] = '\0';
    request->door.refused = NULL;
    if (post->known_ip) { /* "+": forgotten again like any name that was asked for */
        char line[PLACE + 80];
        snprintf(line, sizeof line, "+%s:%s", request->place, post->known_ip);
        request->resolve = curl_slist_append(NULL, line);
    }
    curl_easy_setopt(easy, CURLOPT_RESOLVE, request->resolve);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post->body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body_size);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers);
    set_limits(request, 0);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)post->fresh);
}

struct http_request *http_client_post(struct http_client *client, const struct http_post *post)
{
    assert(!client->retired);
    struct http_request *request = client->broken ? NULL : request_take(client, post->url);
    if (!request)
        return NULL;
    set_post(request, post);
    http_watch_silence(&client->watches);
    if (curl_multi_add_handle(client->multi, request->easy) != CURLM_OK) {
        forget_resolve(request);
        return NULL;
    }
    LIST_REMOVE(request, entry);
    LIST_INSERT_HEAD(&client->under_way, request, entry);
    request->under_way = true;
    client->count++;
    socket_action(client, CURL_SOCKET_TIMEOUT, 0); /* now, and not on the next turn of the loop */
    return request;
}

void http_client_abort(struct http_request *request)
{
    struct http_client *client = request->client;
    assert(request->under_way);
    curl_multi_remove_handle(client->multi, request->easy);
    request_release(request);
    if (!client->reaping)
        reap_soon(client); /* it may have been the last one of a retired client */
}

/* ---- the client ---- */

static struct http_client *client_of(struct http_watches *watches)
{
    return (struct http_client *)(void *)((char *)watches - offsetof(struct http_client, watches));
}

static void on_ready(struct http_watches *watches, curl_socket_t socket, int mask)
{
    struct http_client *client = client_of(watches);
    socket_action(client, socket, mask);
    reap(client);
}

static void on_watch_closed(struct http_watches *watches)
{
    free_when_closed(client_of(watches));
}

struct http_client *http_client_create(uv_loop_t *loop, const struct http_client_options *options)
{
    struct http_client *client = calloc(1, sizeof *client);
    CURLM *multi = client ? curl_multi_init() : NULL;
    if (!multi) {
        free(client);
        return NULL;
    }
    client->loop = loop;
    client->options = *options;
    client->multi = multi;
    uv_timer_init(loop, &client->timer);
    client->timer.data = client;
    client->watches.ready = on_ready;
    client->watches.closed = on_watch_closed;
    http_watch_init(&client->watches, loop, multi);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)options->connections);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return client;
}

bool http_client_broken(const struct http_client *client)
{
    return client->broken;
}

static void free_when_closed(struct http_client *client)
{
    if (!client->timer_closed || client->watches.handles > 0)
        return;
    void (*closed)(void *) = client->options.closed;
    void *ctx = client->options.ctx;
    free(client);
    if (closed)
        closed(ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http_client *client = handle->data;
    client->timer_closed = true;
    free_when_closed(client);
}

static void close_when_idle(struct http_client *client)
{
    if (!client->retired || client->closing || client->reaping || client->count > 0)
        return;
    client->closing = true;
    while (!LIST_EMPTY(&client->pooled))
        request_destroy(LIST_FIRST(&client->pooled));
    curl_multi_cleanup(client->multi); /* closes the connections: on_close_socket() for each */
    http_watch_finish(&client->watches);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

void http_client_retire(struct http_client *client)
{
    assert(!client->retired);
    client->retired = true;
    close_when_idle(client);
}

void http_client_place(const char *url, char *out, size_t capacity)
{
    CURLU *parts = parts_of(url);
    place_of(parts, out, capacity);
    curl_url_cleanup(parts);
}
