/* dispatch_bench.h - for tests: a dispatcher on a loop of its own, and everything it has ever said. */
#ifndef TOCSIN_TEST_DISPATCH_BENCH_H
#define TOCSIN_TEST_DISPATCH_BENCH_H

#include "hell.h"
#include "io/dispatch_http.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>

#define BENCH_ENDPOINTS 96
#define BENCH_RESULTS 20000
#define BENCH_ALARM "aabcdefghij234567abcd"

struct bench_result {
    char id[DISPATCH_ID], endpoint[LIMIT_ID], text[LIMIT_TEXT], by[LIMIT_ID];
    uint64_t cookie, at_ms;
    uint32_t attempt, duration_ms;
    enum delivery_outcome outcome;
    bool final;
    uint16_t status;
};

struct bench {
    uv_loop_t loop;
    uv_timer_t limit;
    bool late, stopped;
    struct dispatch *dispatch;
    struct conf_endpoint endpoints[BENCH_ENDPOINTS];
    char *urls[BENCH_ENDPOINTS][4], ids[BENCH_ENDPOINTS][LIMIT_ID], url_texts[BENCH_ENDPOINTS][4][HELL_URL];
    size_t endpoint_count;
    struct bench_result *results;
    size_t count;
    unsigned ups, downs;
    char said[LIMIT_TEXT];                                             /* last of on_endpoint */
    void (*on_result)(struct bench *, const struct dispatch_result *); /* NULL = only kept */
    void (*on_leaving)(struct bench *, struct dispatch_telling *);
    unsigned told, files;
};

static inline uint64_t bench_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static inline unsigned bench_open_files(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static inline void bench_on_result(void *ctx, const struct dispatch_result *in)
{
    struct bench *b = ctx;
    assert_false(b->stopped);
    assert_true(b->count < BENCH_RESULTS);
    struct bench_result *r = &b->results[b->count++];
    *r = (struct bench_result){.cookie = in->cookie,
                               .attempt = in->attempt,
                               .duration_ms = in->duration_ms,
                               .outcome = in->outcome,
                               .final = in->final,
                               .status = in->http_status,
                               .at_ms = bench_now_ms()};
    snprintf(r->id, sizeof r->id, "%s", in->id);
    snprintf(r->endpoint, sizeof r->endpoint, "%s", in->endpoint);
    snprintf(r->text, sizeof r->text, "%s", in->text);
    snprintf(r->by, sizeof r->by, "%s", in->acknowledged_by ? in->acknowledged_by : "");
    if (getenv("TOCSIN_TEST_TALK"))
        fprintf(stderr, "%s #%u %s\n", in->id, in->attempt, in->text);
    if (b->on_result)
        b->on_result(b, in);
}

static inline void bench_on_endpoint(void *ctx, const char *endpoint, bool up, const char *text)
{
    struct bench *b = ctx;
    assert_false(b->stopped);
    *(up ? &b->ups : &b->downs) += 1;
    snprintf(b->said, sizeof b->said, "%s", text);
    if (getenv("TOCSIN_TEST_TALK"))
        fprintf(stderr, "%s: %s\n", up ? "up" : "down", text);
}

static inline void bench_on_leaving(void *ctx, struct dispatch_telling *t)
{
    struct bench *b = ctx;
    if (b->on_leaving)
        b->on_leaving(b, t);
}

static inline void bench_open(struct bench *b)
{
    memset(b, 0, sizeof *b);
    uv_loop_init(&b->loop); /* the first loop of a process opens a pipe for signals, for ever */
    uv_loop_close(&b->loop);
    b->files = bench_open_files();
    b->results = calloc(BENCH_RESULTS, sizeof *b->results);
    uv_loop_init(&b->loop);
    uv_timer_init(&b->loop, &b->limit);
    b->limit.data = b;
    b->dispatch = dispatch_create(&b->loop, &(struct dispatch_options){.on_result = bench_on_result,
                                                                       .on_endpoint = bench_on_endpoint,
                                                                       .on_leaving = bench_on_leaving,
                                                                       .ctx = b});
    assert_non_null(b->dispatch);
}

/* Attempts of 1200 ms, connections within 400 ms, no probes; change what is to be different. */
static inline struct conf_endpoint *bench_add(struct bench *b, const struct hell *hell, const char *id,
                                              const char *path)
{
    size_t i = b->endpoint_count++;
    assert_true(i < BENCH_ENDPOINTS);
    snprintf(b->ids[i], LIMIT_ID, "%s", id);
    hell_url(hell, b->url_texts[i][0], path);
    for (size_t k = 0; k < 4; k++)
        b->urls[i][k] = b->url_texts[i][k];
    b->endpoints[i] = (struct conf_endpoint){.id = b->ids[i],
                                             .urls = b->urls[i],
                                             .url_count = 1,
                                             .connect_timeout_ms = 400,
                                             .attempt_timeout_ms = 1200,
                                             .connections = 4};
    return &b->endpoints[i];
}

static inline void bench_alternate(struct bench *b, const struct hell *hell, const char *path)
{
    size_t i = b->endpoint_count - 1;
    hell_url(hell, b->url_texts[i][b->endpoints[i].url_count++], path);
}

static inline void bench_configure(struct bench *b)
{
    struct conf conf = {.endpoints = b->endpoints, .endpoint_count = b->endpoint_count};
    dispatch_configure(b->dispatch, &conf);
}

static inline bool bench_tell_with(struct bench *b, const char *id, const char *endpoint,
                                   enum dispatch_priority priority, unsigned give_up_s)
{
    struct dispatch_telling t = {.priority = priority, .give_up_s = give_up_s, .cookie = b->told++};
    char body[256];
    snprintf(t.id, sizeof t.id, "%s", id);
    snprintf(t.endpoint, sizeof t.endpoint, "%s", endpoint);
    snprintf(t.echo, sizeof t.echo, "%s", BENCH_ALARM);
    t.body_size = (size_t)snprintf(body, sizeof body,
                                   "{\"type\":\"alarm.opened\",\"data\":{\"alarm\":{\"id\":\"%s\"},"
                                   "\"telling\":\"%s\"}}",
                                   BENCH_ALARM, id);
    t.take_body = strdup(body);
    return dispatch_tell(b->dispatch, &t);
}

static inline bool bench_tell(struct bench *b, const char *id, const char *endpoint)
{
    return bench_tell_with(b, id, endpoint, DISPATCH_FIRST, 0);
}

static inline void bench_on_limit(uv_timer_t *timer)
{
    ((struct bench *)timer->data)->late = true;
}

/* Runs the loop until `condition`; fails the test when it has not come true in time. */
#define BENCH_UNTIL(b, ms, condition)                                                                        \
    do {                                                                                                     \
        (b)->late = false;                                                                                   \
        uv_update_time(&(b)->loop);                                                                          \
        uv_timer_start(&(b)->limit, bench_on_limit, (ms), 0);                                                \
        while (!(condition) && !(b)->late)                                                                   \
            uv_run(&(b)->loop, UV_RUN_ONCE);                                                                 \
        uv_timer_stop(&(b)->limit);                                                                          \
        assert_true(condition);                                                                              \
    } while (0)

/* Lets time pass in which something must not happen. */
static inline void bench_rest(struct bench *b, unsigned ms)
{
    b->late = false;
    uv_update_time(&b->loop);
    uv_timer_start(&b->limit, bench_on_limit, ms, 0);
    while (!b->late)
        uv_run(&b->loop, UV_RUN_ONCE);
}

static inline const struct bench_result *bench_result(const struct bench *b, const char *id, size_t n)
{
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->results[i].id, id) == 0 && n-- == 0)
            return &b->results[i];
    return NULL;
}

/* A name server that does not answer keeps a thread of libcurl's busy for some seconds, with a socket of its own. */
static inline void bench_check_files(const struct bench *b)
{
    for (int i = 0; i < 2000 && bench_open_files() != b->files; i++)
        uv_sleep(10);
    assert_int_equal(bench_open_files(), b->files);
}

static inline void bench_on_stopped(void *ctx)
{
    ((struct bench *)ctx)->stopped = true;
}

/* Stops within what is promised, leaves no handle on the loop and no file open. */
static inline void bench_close(struct bench *b)
{
    uint64_t start_ms = bench_now_ms();
    dispatch_stop(b->dispatch, bench_on_stopped, b);
    BENCH_UNTIL(b, 2500, b->stopped);
    assert_true(bench_now_ms() - start_ms < 2500);
    dispatch_destroy(b->dispatch);
    uv_close((uv_handle_t *)&b->limit, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    bench_check_files(b);
    free(b->results);
}

#endif
