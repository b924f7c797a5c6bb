/* mqtt_bench.h - for tests of the broker connection: one against a real mosquitto, and what came over it. Each test waits for
 * what must happen, never for time to pass.
 *
 *     struct bench *b = open_connected(5);         // at `broker`, with a loop-back every 5 s
 *     run_until(b, b->count == 1, 5000);
 *     close_bench(b);                              // within 5 s, as tocsind(8) says */
#ifndef TOCSIN_TEST_MQTT_BENCH_H
#define TOCSIN_TEST_MQTT_BENCH_H

#include "broker.h"
#include "io/mqtt.h"
#include "memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

#define MAX_KEPT 71000

static struct broker broker;

struct kept {
    char topic[64], payload[64];
    bool retained, duplicate;
    struct mqtt_hold *hold;
};

struct bench {
    uv_loop_t loop;
    uv_timer_t limit;
    unsigned long limit_at;
    bool too_late, stopped, presses_only;
    struct mqtt *mqtt;
    struct kept kept[MAX_KEPT];
    atomic_uint near;
    size_t count, batches, states[MQTT_RECEIPTS_NOT_APART + 1];
    char text[512], lost[512]; /* what was said last, and of the last end */
};

/* For LeakSanitizer: what has come, or is half written, when its last client ends Paho forgets; while one lives it frees that. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpaho-mqtt3";
}

static inline void on_message(void *ctx, const struct mqtt_message *in)
{
    struct bench *b = ctx;
    if (b->presses_only && !strstr(in->topic, "/press"))
        return;
    assert_true(b->count < MAX_KEPT);
    struct kept *k = &b->kept[b->count++];
    snprintf(k->topic, sizeof k->topic, "%s", in->topic);
    snprintf(k->payload, sizeof k->payload, "%.*s", (int)in->size, (const char *)in->payload);
    k->retained = in->retained;
    k->duplicate = in->duplicate;
    k->hold = in->hold;
}

/* On a thread of Paho's. */
static inline void on_near(void *ctx)
{
    atomic_fetch_add(&((struct bench *)ctx)->near, 1);
}

static inline void on_batch_end(void *ctx)
{
    ((struct bench *)ctx)->batches++;
}

static inline void on_state(void *ctx, enum mqtt_state state, const char *text)
{
    struct bench *b = ctx;
    b->states[state]++;
    snprintf(b->text, sizeof b->text, "%s", text);
    if (state == MQTT_LOST)
        snprintf(b->lost, sizeof b->lost, "%s", text);
    if (getenv("TOCSIN_TEST_TALK"))
        fprintf(stderr, "%lu %d %s\n", now_ms(), state, text);
}

static inline void on_limit(uv_timer_t *timer)
{
    struct bench *b = timer->data;
    b->too_late = now_ms() >= b->limit_at;
}

/* Runs the loop until `what` holds, which is looked at after each event and every 10 ms; a test that waits longer than
 * `limit_ms` has failed. */
#define run_until(b, what, limit_ms)                                                                         \
    do {                                                                                                     \
        (b)->too_late = false;                                                                               \
        (b)->limit_at = now_ms() + (limit_ms);                                                               \
        uv_update_time(&(b)->loop);                                                                          \
        uv_timer_start(&(b)->limit, on_limit, 10, 10);                                                       \
        while (!(what) && !(b)->too_late)                                                                    \
            uv_run(&(b)->loop, UV_RUN_ONCE);                                                                 \
        uv_timer_stop(&(b)->limit);                                                                          \
        assert_true(what);                                                                                   \
    } while (0)

/* "s/later" and "s/late". */
static inline struct mqtt_late late_devices(void)
{
    struct mqtt_late late = {.names = memory_take(2 * sizeof *late.names), .count = 2};
    late.names[0] = memory_text("s/later");
    late.names[1] = memory_text("s/late");
    return late;
}

static inline struct bench *open_for(const struct conf_broker *conf, unsigned topics)
{
    struct bench *b = calloc(1, sizeof *b);
    struct mqtt_options options = {.broker = conf,
                                   .login = &conf->login,
                                   .receipts = conf->receipts.client_id ? &conf->receipts : NULL,
                                   .topics = topics,
                                   .take_late = late_devices(),
                                   .on_message = on_message,
                                   .on_batch_end = on_batch_end,
                                   .on_near = on_near,
                                   .on_state = on_state,
                                   .ctx = b};
    assert_non_null(b);
    uv_loop_init(&b->loop);
    uv_timer_init(&b->loop, &b->limit);
    b->limit.data = b;
    b->mqtt = mqtt_create(&b->loop, &options);
    assert_non_null(b->mqtt);
    return b;
}

static inline struct bench *open_with(const struct conf_broker *conf)
{
    return open_for(conf, MQTT_PRESSES | MQTT_SUPERVISION);
}

static inline struct conf_broker plain_conf(unsigned loopback_s)
{
    return (struct conf_broker){.address = (char *)"127.0.0.1",
                                .port = broker.port,
                                .login.client_id = (char *)"tocsind",
                                .keep_alive_s = 10,
                                .loopback_s = loopback_s};
}

static inline struct bench *open_bench(unsigned loopback_s)
{
    struct conf_broker conf = plain_conf(loopback_s);
    return open_with(&conf);
}

static inline void on_stopped(void *ctx)
{
    ((struct bench *)ctx)->stopped = true;
}

static inline void close_bench(struct bench *b)
{
    mqtt_stop(b->mqtt, on_stopped, b);
    run_until(b, b->stopped, 5000);
    mqtt_destroy(b->mqtt);
    uv_close((uv_handle_t *)&b->limit, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    free(b);
}

static inline struct bench *open_connected(unsigned loopback_s)
{
    struct bench *b = open_bench(loopback_s);
    run_until(b, b->states[MQTT_CONNECTED] == 1, 10000);
    return b;
}

static inline int start_broker(void **state)
{
    broker_start(&broker, "");
    return 0;
}

static inline int stop_broker(void **state)
{
    broker_clean(&broker);
    return 0;
}

#define with_broker(test) cmocka_unit_test_setup_teardown(test, start_broker, stop_broker)

#endif
