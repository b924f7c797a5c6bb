/* dispatch_rate.c - what a telling costs: the dispatcher beside plain curl_easy_perform(), against a sink in
 * a thread of this process on loopback.
 *
 *     dispatch_rate [tellings, default 20000] [endpoints, default 2] [body bytes, default 700]
 *
 * Prints one JSON object: tellings per second in a burst, processor time of the loop's thread per telling,
 * and the time from dispatch_tell() until the sink has the whole request, one telling at a time. */
#include "io/dispatch_http.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ENDPOINTS_MAX 64
#define SINGLES 2000
#define BUFFER 65536

struct sink_connection {
    int fd;
    size_t size;
    char buffer[BUFFER];
};

static _Atomic uint64_t sink_arrived_ns, sink_requests;

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the sink: answers 204 to every whole request ---- */

static bool sink_serve(struct sink_connection *c)
{
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    for (;;) {
        char *head_end = memmem(c->buffer, c->size, "\r\n\r\n", 4);
        char *length =
            head_end ? memmem(c->buffer, (size_t)(head_end - c->buffer), "Content-Length: ", 16) : NULL;
        size_t whole =
            length ? (size_t)(head_end + 4 - c->buffer) + strtoul(length + 16, NULL, 10) : SIZE_MAX;
        if (whole > c->size)
            return true;
        atomic_store(&sink_arrived_ns, clock_ns(CLOCK_MONOTONIC));
        atomic_fetch_add(&sink_requests, 1);
        if (send(c->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
            return false;
        memmove(c->buffer, c->buffer + whole, c->size - whole);
        c->size -= whole;
    }
}

static void sink_read(struct sink_connection *c)
{
    ssize_t n = recv(c->fd, c->buffer + c->size, BUFFER - c->size, 0);
    if (n > 0) {
        c->size += (size_t)n;
        if (sink_serve(c))
            return;
    }
    close(c->fd);
    free(c);
}

static void *sink_run(void *ctx)
{
    int listener = *(int *)ctx, poll = epoll_create1(EPOLL_CLOEXEC), one = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(poll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr) {
                sink_read(events[i].data.ptr);
                continue;
            }
            struct sink_connection *c = calloc(1, sizeof *c);
            c->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            event.data.ptr = c;
            epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
        }
    }
    return NULL;
}

static unsigned sink_start(void)
{
    static int listener;
    static pthread_t thread;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1024) != 0)
        abort();
    getsockname(listener, (struct sockaddr *)&address, &size);
    pthread_create(&thread, NULL, sink_run, &listener);
    return ntohs(address.sin_port);
}

/* ---- plain libcurl ---- */

static double floor_us(unsigned port, unsigned count, const char *body, size_t body_size, double *cpu_us)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/floor", port);
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)body_size);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_perform(easy);
    uint64_t start = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < count; i++)
        curl_easy_perform(easy);
    *cpu_us = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu) / 1e3 / count;
    double us = (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e3 / count;
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    return us;
}

/* ---- the dispatcher ---- */

static struct {
    uv_loop_t loop;
    struct dispatch *dispatch;
    struct conf_endpoint endpoints[ENDPOINTS_MAX];
    unsigned endpoint_count, expected, received, failed, told;
    const char *body;
    size_t body_size;
    uint64_t told_ns;
    double wire_us[SINGLES];
} run;

static void tell(unsigned endpoint)
{
    struct dispatch_telling telling = {.priority = DISPATCH_FIRST, .body_size = run.body_size};
    snprintf(telling.id, sizeof telling.id, "bench-%u", run.told++);
    snprintf(telling.endpoint, sizeof telling.endpoint, "%s", run.endpoints[endpoint].id);
    telling.take_body = malloc(run.body_size);
    memcpy(telling.take_body, run.body, run.body_size);
    dispatch_tell(run.dispatch, &telling);
}

static void on_result(void *ctx, const struct dispatch_result *result)
{
    if (result->outcome == OUTCOME_RECEIVED)
        run.received++;
    else
        run.failed++;
    if (run.received >= run.expected)
        uv_stop(&run.loop);
}

static void on_endpoint(void *ctx, const char *endpoint, bool up, const char *text)
{
    uv_stop(&run.loop);
}

static void on_single(uv_timer_t *timer)
{
    run.told_ns = clock_ns(CLOCK_MONOTONIC);
    tell(0);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One at a time, with a millisecond of rest in between, so that the loop has to be woken. */
static void singles(void)
{
    uv_timer_t timer;
    uv_timer_init(&run.loop, &timer);
    for (unsigned i = 0; i < SINGLES; i++) {
        run.expected = run.received + 1;
        uv_timer_start(&timer, on_single, 1, 0);
        uv_run(&run.loop, UV_RUN_DEFAULT);
        run.wire_us[i] = (double)(atomic_load(&sink_arrived_ns) - run.told_ns) / 1e3;
    }
    uv_close((uv_handle_t *)&timer, NULL);
    qsort(run.wire_us, SINGLES, sizeof run.wire_us[0], compare);
}

static double burst_us(unsigned count, double *cpu_us)
{
    run.expected = run.received + count * run.endpoint_count;
    uint64_t start = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < run.endpoint_count; k++)
            tell(k);
    uv_run(&run.loop, UV_RUN_DEFAULT);
    *cpu_us = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu) / 1e3 / (count * run.endpoint_count);
    return (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e3 / (count * run.endpoint_count);
}

static void configure(unsigned port)
{
    static unsigned char secret[1][64] = {"an example of a secret"};
    static size_t secret_size = 32;
    for (unsigned i = 0; i < run.endpoint_count; i++) {
        char *urls[1], id[32];
        snprintf(id, sizeof id, "endpoint-%u", i);
        urls[0] = malloc(64);
        snprintf(urls[0], 64, "http://127.0.0.1:%u/%s", port, id);
        run.endpoints[i] = (struct conf_endpoint){.id = strdup(id),
                                                  .url_count = 1,
                                                  .urls = memcpy(malloc(sizeof urls), urls, sizeof urls),
                                                  .secrets = secret,
                                                  .secret_sizes = &secret_size,
                                                  .secret_count = 1,
                                                  .connect_timeout_ms = 2000,
                                                  .attempt_timeout_ms = 5000,
                                                  .probe_s = 10,
                                                  .connections = 4};
    }
    struct conf conf = {.endpoints = run.endpoints, .endpoint_count = run.endpoint_count};
    dispatch_configure(run.dispatch, &conf);
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 20000;
    run.endpoint_count = argc > 2 ? (unsigned)atoi(argv[2]) : 2;
    run.body_size = argc > 3 ? (size_t)atoi(argv[3]) : 700;
    if (count == 0 || run.endpoint_count == 0 || run.endpoint_count > ENDPOINTS_MAX ||
        run.body_size > BUFFER / 2) {
        fprintf(stderr, "usage: dispatch_rate [tellings] [endpoints, 1..%d] [body bytes]\n", ENDPOINTS_MAX);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    char *body = malloc(run.body_size);
    memset(body, 'x', run.body_size);
    run.body = body;
    unsigned port = sink_start();
    uv_loop_init(&run.loop);
    run.dispatch = dispatch_create(
        &run.loop, &(struct dispatch_options){.on_result = on_result, .on_endpoint = on_endpoint});
    configure(port);
    uv_run(&run.loop, UV_RUN_DEFAULT); /* until the first endpoint is up: one connection is warm */
    double cpu_us, floor_cpu_us;
    double floor = floor_us(port, count, body, run.body_size, &floor_cpu_us);
    singles();
    double burst = burst_us(count / run.endpoint_count, &cpu_us);
    printf("{\"tellings_per_s\":%.0f,\"us_per_telling\":%.1f,\"cpu_us_per_telling\":%.1f,\"easy_us\":%.1f,"
           "\"easy_cpu_us\":%.1f,\"ratio\":%.2f,\"tell_to_sink_p50_us\":%.1f,\"tell_to_sink_p99_us\":%.1f,"
           "\"failed\":%u}\n",
           1e6 / burst, burst, cpu_us, floor, floor_cpu_us, burst / floor, run.wire_us[SINGLES / 2],
           run.wire_us[SINGLES * 99 / 100], run.failed);
    return run.failed ? 1 : 0;
}
