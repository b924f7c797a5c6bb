#include "io/web_internal.h"
#include <assert.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 2048        /* well below the files a process may open */
#define CONNECTIONS_PER_IP 256  /* a city's desks may share one address */
#define IDLE_TIMEOUT_S 15       /* of a connection on which nothing moves */
#define WRITE_TIMEOUT_MS 120000 /* a client may take this long to read an answer */
#define MEMORY (64 * 1024)      /* bytes of one request's line and headers */
#define DISCARD_MAX                                                                                          \
    (1 << 20) /* bytes of a too large body that are read to be polite before the connection is cut */
#define STOP_WAIT_NS 500000000 /* how long a stop waits for last words to be read */

uint64_t web_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* --- Exchanges. */

static void exchange_release(struct web_exchange *x)
{
    if (atomic_fetch_sub(&x->holders, 1) > 1)
        return;
    if (x->feed)
        feed_free(x->feed);
    if (x->body)
        sodium_memzero(x->body, x->request.body_size); /* perhaps a password */
    free(x->body);
    free(x->content_type);
    free(x->headers);
    free(x->answer);
    free(x);
}

static void set_answer(struct web_exchange *x, unsigned status, const char *type, const char *headers,
                       char *take_body, size_t size)
{
    x->status = status;
    x->content_type = type ? strdup(type) : NULL;
    x->headers = headers ? strdup(headers) : NULL;
    x->answer = take_body;
    x->answer_size = size;
}

/* The few problems that are found before anybody knows what is asked for. `type`, `title` and `detail` are
 * ours: no escaping. */
static void set_problem(struct web_exchange *x, unsigned status, const char *type, const char *title,
                        const char *detail)
{
    char *body = NULL;
    int size =
        asprintf(&body, "{\"type\":\"urn:tocsin:%s\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\"}", type,
                 title, status, detail);
    set_answer(x, status, "application/problem+json", NULL, size > 0 ? body : NULL,
               size > 0 ? (size_t)size : 0);
}

static void link_state(struct web_exchange *x, enum link_state state)
{
    if (!x->link)
        return;
    uv_mutex_lock(&x->web->mutex);
    x->link->state = state;
    x->link->since_ms = web_now_ms();
    uv_mutex_unlock(&x->web->mutex);
}

/* Headers of every answer that does not bring its own: nothing is cached, guessed, run or framed. */
static const char *const default_headers[][2] = {
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Frame-Options", "DENY"},
};

static void add_headers(struct MHD_Response *response, const struct web_exchange *x)
{
    if (x->content_type)
        MHD_add_response_header(response, "Content-Type", x->content_type);
    char *rest = x->headers;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *value = strstr(line, ": ");
        if (!value)
            continue;
        *value = 0;
        MHD_add_response_header(response, line, value + 2);
    }
    for (size_t i = 0; i < sizeof default_headers / sizeof default_headers[0]; i++)
        if (!MHD_get_response_header(response, default_headers[i][0]))
            MHD_add_response_header(response, default_headers[i][0], default_headers[i][1]);
}

static enum MHD_Result respond(struct web_exchange *x)
{
    struct MHD_Response *response;
    if (x->feed) {
        response = feed_response(x->feed);
    } else {
        char *body = x->answer;
        x->answer = NULL;
        response = MHD_create_response_from_buffer(body ? x->answer_size : 0, body, MHD_RESPMEM_MUST_FREE);
        if (!response)
            free(body);
    }
    if (!response)
        return MHD_NO;
    add_headers(response, x);
    link_state(x, x->feed ? LINK_FEEDING : LINK_WRITING);
    enum MHD_Result result = MHD_queue_response(x->connection, x->status, response);
    MHD_destroy_response(response);
    return result;
}

/* --- libmicrohttpd's thread: reading a request. */

/* With the raw URI, before anything is decoded. What is returned becomes the request's context. */
static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
    struct web *web = ctx;
    struct web_exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->web = web;
    x->connection = connection;
    x->request.internal = x;
    atomic_init(&x->holders, 1);
    x->bad_uri = strstr(uri, "%00") != NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    x->link = info ? info->socket_context : NULL;
    uv_mutex_lock(&web->mutex);
    web->exchanges++;
    uv_mutex_unlock(&web->mutex);
    return x;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct web *web = ctx;
    struct web_exchange *x = *context;
    if (!x)
        return;
    *context = NULL;
    link_state(x, LINK_READING);
    uv_mutex_lock(&web->mutex);
    if (x->feed)
        feed_unlink(x->feed);
    if (--web->exchanges == 0)
        uv_cond_signal(&web->idle);
    uv_mutex_unlock(&web->mutex);
    exchange_release(x);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct web *web = ctx;
    struct web_link *link = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        link = info ? calloc(1, sizeof *link) : NULL;
        if (!link)
            return;
        *context = link;
        link->fd = info->connect_fd;
        link->since_ms = web_now_ms();
        uv_mutex_lock(&web->mutex);
        link->next = web->links;
        if (link->next)
            link->next->previous = link;
        web->links = link;
        uv_mutex_unlock(&web->mutex);
    } else if (link) {
        uv_mutex_lock(&web->mutex);
        *(link->previous ? &link->previous->next : &web->links) = link->next;
        if (link->next)
            link->next->previous = link->previous;
        uv_mutex_unlock(&web->mutex);
        *context = NULL;
        free(link);
    }
}

static bool text_ok(const char *text)
{
    json_t *value = json_string(text); /* NULL when it is no UTF-8 */
    json_decref(value);
    return value != NULL;
}

/* True when a part of the path is "." or "..". There are no files behind paths: who asks so, tries. */
static bool path_climbs(const char *path)
{
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        size_t size = strcspn(part, "/");
        if ((size == 1 && part[0] == '.') || (size == 2 && part[0] == '.' && part[1] == '.'))
            return true;
    }
    return false;
}

static enum MHD_Result on_query(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct web_exchange *x = ctx;
    struct web_request *r = &x->request;
    if (r->query_count == WEB_QUERY || !text_ok(name) || (value && !text_ok(value))) {
        x->bad_uri = true;
        return MHD_NO;
    }
    r->query[r->query_count++] = (struct web_pair){.name = name, .value = value ? value : ""};
    return MHD_YES;
}

static enum MHD_Result read_headers(struct web_exchange *x, const char *url, const char *method)
{
    x->stage = EXCHANGE_BODY;
    x->request.method = method;
    x->request.path = url;
    if (!x->bad_uri)
        MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, on_query, x);
    if (x->bad_uri || !text_ok(url) || path_climbs(url)) {
        set_problem(
            x, 400, "bad-request", "Bad request",
            "The address is not a valid one: UTF-8 without NUL or dot segments, and at most 16 parameters.");
        return respond(x);
    }
    const char *length = web_header(&x->request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    unsigned long long size = length ? strtoull(length, NULL, 10) : 0;
    if (size <= DISCARD_MAX)
        return MHD_YES;
    set_problem(x, 413, "too-large", "Too large", "The body is larger than 65536 bytes.");
    return respond(x);
}

static enum MHD_Result read_body(struct web_exchange *x, const char *data, size_t *size)
{
    size_t taken = *size;
    *size = 0;
    if (x->too_large || taken > WEB_BODY - x->request.body_size) {
        x->too_large = true;
        x->body_discarded += taken;
        return x->body_discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
    }
    if (!x->body && !(x->body = malloc(WEB_BODY + 1)))
        return MHD_NO;
    memcpy(x->body + x->request.body_size, data, taken);
    x->request.body_size += taken;
    return MHD_YES;
}

/* The request is complete: suspend its connection and give it to the loop. */
static enum MHD_Result hand_over(struct web_exchange *x)
{
    struct web *web = x->web;
    struct web_request *r = &x->request;
    if (x->too_large) {
        set_problem(x, 413, "too-large", "Too large", "The body is larger than 65536 bytes.");
        return respond(x);
    }
    if (x->body)
        x->body[r->body_size] = 0;
    r->body = x->body ? x->body : "";
    r->authorization = web_header(r, MHD_HTTP_HEADER_AUTHORIZATION);
    r->accept_language = web_header(r, MHD_HTTP_HEADER_ACCEPT_LANGUAGE);
    r->content_type = web_header(r, MHD_HTTP_HEADER_CONTENT_TYPE);
    r->last_event_id = web_header(r, "Last-Event-ID");
    x->stage = EXCHANGE_WAITING;
    link_state(x, LINK_WAITING);
    uv_mutex_lock(&web->mutex);
    bool stopping = web->stopping;
    if (!stopping) {
        atomic_fetch_add(&x->holders, 1);
        MHD_suspend_connection(x->connection);
        *(web->arrived_last ? &web->arrived_last->next : &web->arrived) = x;
        web->arrived_last = x;
        uv_async_send(&web->arrival);
    }
    uv_mutex_unlock(&web->mutex);
    if (!stopping)
        return MHD_YES;
    set_problem(x, 503, "unavailable", "Stopping", "The daemon is stopping.");
    return respond(x);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *data, size_t *data_size,
                                 void **context)
{
    struct web_exchange *x = *context;
    if (!x)
        return MHD_NO;
    switch (x->stage) {
    case EXCHANGE_HEADERS:
        return read_headers(x, url, method);
    case EXCHANGE_BODY:
        return *data_size > 0 ? read_body(x, data, data_size) : hand_over(x);
    case EXCHANGE_WAITING: /* resumed: the loop has answered */
        return respond(x);
    }
    return MHD_NO;
}

/* --- The loop. */

static void give_back(struct web_exchange *x)
{
    struct web *web = x->web;
    uv_mutex_lock(&web->mutex);
    *(x->previous ? &x->previous->next : &web->waiting) = x->next;
    if (x->next)
        x->next->previous = x->previous;
    uv_mutex_unlock(&web->mutex);
    MHD_resume_connection(x->connection);
}

static void abandon(struct web_exchange *x, const char *title, const char *detail)
{
    x->abandoned = true;
    set_problem(x, 503, "unavailable", title, detail);
    give_back(x);
}

static struct web_exchange *next_arrival(struct web *web)
{
    uv_mutex_lock(&web->mutex);
    struct web_exchange *x = web->arrived;
    if (x) {
        web->arrived = x->next;
        if (!web->arrived)
            web->arrived_last = NULL;
        x->previous = NULL;
        x->next = web->waiting;
        if (x->next)
            x->next->previous = x;
        web->waiting = x;
        x->arrived_ms = web_now_ms();
    }
    uv_mutex_unlock(&web->mutex);
    return x;
}

static void on_arrival(uv_async_t *handle)
{
    struct web *web = handle->data;
    for (struct web_exchange *x; (x = next_arrival(web));)
        web->options.on_request(web->options.ctx, &x->request);
}

void web_answer_take(struct web_request *r, unsigned status, const char *content_type, const char *headers,
                     char *take_body, size_t size)
{
    struct web_exchange *x = r->internal;
    if (x->abandoned) {
        free(take_body);
    } else {
        set_answer(x, status, content_type, headers, take_body, size);
        give_back(x);
    }
    exchange_release(x);
}

void web_answer(struct web_request *r, unsigned status, const char *content_type, const char *headers,
                const void *body, size_t size)
{
    char *copy = size ? malloc(size) : NULL;
    if (copy)
        memcpy(copy, body, size);
    else if (size)
        status = 503;
    web_answer_take(r, status, content_type, headers, copy, copy ? size : 0);
}

void web_feed(struct web_request *r, const char *tag, const char *backlog, size_t backlog_size)
{
    struct web_exchange *x = r->internal;
    if (!x->abandoned) {
        x->feed = feed_create(x, tag, backlog, backlog_size);
        if (x->feed)
            set_answer(x, 200, "text/event-stream", NULL, NULL, 0);
        else
            set_problem(x, 503, "unavailable", "Too many feeds",
                        "There are too many feeds already; try again later.");
        give_back(x);
    }
    exchange_release(x);
}

void web_publish(struct web *web, const char *text, size_t size, bool (*accept)(void *ctx, const char *tag),
                 void *ctx)
{
    uv_mutex_lock(&web->mutex);
    feeds_append(web, text, size, accept, ctx);
    uv_mutex_unlock(&web->mutex);
}

void web_end_feeds(struct web *web, bool (*ends)(void *ctx, const char *tag), void *ctx)
{
    uv_mutex_lock(&web->mutex);
    feeds_end(web, ends, ctx);
    uv_mutex_unlock(&web->mutex);
}

unsigned web_feeds(const struct web *web)
{
    struct web *w = (struct web *)web;
    uv_mutex_lock(&w->mutex);
    unsigned count = w->feed_count;
    uv_mutex_unlock(&w->mutex);
    return count;
}

unsigned web_port(const struct web *web)
{
    return web->port;
}

/* Ends connections that take too long. shutdown() only: closing the file is libmicrohttpd's, which will
 * notice. */
static void cut_slow_links(struct web *web, uint64_t now_ms)
{
    uv_mutex_lock(&web->mutex);
    for (struct web_link *link = web->links; link; link = link->next) {
        uint64_t age_ms = now_ms - link->since_ms;
        if ((link->state == LINK_READING && age_ms > web->options.read_timeout_ms) ||
            (link->state == LINK_WRITING && age_ms > WRITE_TIMEOUT_MS))
            shutdown(link->fd, SHUT_RDWR);
    }
    uv_mutex_unlock(&web->mutex);
}

static void on_tick(uv_timer_t *timer)
{
    struct web *web = timer->data;
    uint64_t now_ms = web_now_ms();
    for (struct web_exchange *x = web->waiting, *next; x; x = next) {
        next = x->next;
        if (now_ms - x->arrived_ms > web->options.answer_timeout_ms)
            abandon(x, "No answer", "The daemon did not find an answer in time; try again.");
    }
    cut_slow_links(web, now_ms);
    if (now_ms - web->pinged_ms >= web->options.ping_ms) {
        web->pinged_ms = now_ms;
        web_publish(web, ": ping\n\n", 8, NULL, NULL);
    }
}

/* --- Life. */

static void web_free(struct web *web)
{
    if (web->key)
        sodium_memzero(web->key, strlen(web->key));
    free(web->key);
    free(web->certificate);
    uv_cond_destroy(&web->idle);
    uv_mutex_destroy(&web->mutex);
    free(web);
}

static void on_closed(uv_handle_t *handle)
{
    struct web *web = handle->data;
    if (--web->handles_open == 0)
        web_free(web);
}

static struct MHD_Daemon *daemon_start(struct web *web, int fd)
{
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | (web->key ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, web->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, web->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, web, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_PER_IP,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, on_uri, web,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, web, MHD_OPTION_NOTIFY_CONNECTION, on_connection, web,
        MHD_OPTION_ARRAY, web->key ? tls : tls + 3, MHD_OPTION_END);
}

static bool start(struct web *web, char error[256])
{
    const struct web_options *o = &web->options;
    if (o->tls_key_file && (!(web->certificate = web_read_file(o->tls_certificate_file, error)) ||
                            !(web->key = web_read_file(o->tls_key_file, error))))
        return false;
    int fd = web_listen(o->listen, &web->port, error);
    if (fd < 0)
        return false;
    web->daemon = daemon_start(web, fd);
    if (web->daemon)
        return true;
    close(fd);
    snprintf(error, 256, "cannot serve HTTP on %s%s%s", o->listen,
             web->key ? ": perhaps the TLS key does not belong to the certificate, see " : "",
             web->key ? o->tls_certificate_file : "");
    return false;
}

struct web *web_create(uv_loop_t *loop, const struct web_options *options, char error[256])
{
    assert(options->listen && options->on_request);
    assert(!options->tls_certificate_file == !options->tls_key_file);
    struct web *web = calloc(1, sizeof *web);
    if (!web) {
        snprintf(error, 256, "out of memory");
        return NULL;
    }
    web->loop = loop;
    web->options = *options;
    web->options.ping_ms = options->ping_ms ? options->ping_ms : 2000;
    web->options.read_timeout_ms = options->read_timeout_ms ? options->read_timeout_ms : 30000;
    web->options.answer_timeout_ms = options->answer_timeout_ms ? options->answer_timeout_ms : 15000;
    web->pinged_ms = web_now_ms();
    uv_mutex_init(&web->mutex);
    uv_cond_init(&web->idle);
    uv_async_init(loop, &web->arrival, on_arrival);
    uv_timer_init(loop, &web->tick);
    web->arrival.data = web->tick.data = web;
    web->handles_open = 2;
    if (!start(web, error)) {
        uv_close((uv_handle_t *)&web->arrival, on_closed);
        uv_close((uv_handle_t *)&web->tick, on_closed);
        return NULL;
    }
    unsigned tick_ms = web->options.ping_ms < 1000 ? web->options.ping_ms : 1000;
    uv_timer_start(&web->tick, on_tick, tick_ms, tick_ms);
    return web;
}

static void wait_for_last_words(struct web *web)
{
    uint64_t deadline = uv_hrtime() + STOP_WAIT_NS;
    uv_mutex_lock(&web->mutex);
    for (uint64_t now; web->exchanges > 0 && (now = uv_hrtime()) < deadline;)
        uv_cond_timedwait(&web->idle, &web->mutex, deadline - now);
    uv_mutex_unlock(&web->mutex);
}

void web_destroy(struct web *web)
{
    int fd = MHD_quiesce_daemon(web->daemon);
    uv_mutex_lock(&web->mutex);
    web->stopping = true;
    feeds_end(web, NULL, NULL);
    uv_mutex_unlock(&web->mutex);
    for (struct web_exchange *x; (x = next_arrival(web));)
        exchange_release(x); /* nobody on the loop has seen it: abandoned below like the others */
    while (web->waiting)
        abandon(web->waiting, "Stopping", "The daemon is stopping.");
    wait_for_last_words(web);
    MHD_stop_daemon(web->daemon);
    if (fd >= 0)
        close(fd);
    uv_close((uv_handle_t *)&web->arrival, on_closed);
    uv_close((uv_handle_t *)&web->tick, on_closed);
}
