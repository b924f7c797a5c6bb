/* The broker connection against a real mosquitto. Each test waits for what must happen, never for time to pass. */
#include "io/mqtt.h"
#include "broker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MAX_KEPT 12000

static struct broker broker;

struct kept {
    char topic[64], payload[64];
    bool retained, duplicate;
    struct mqtt_hold *hold;
};

struct bench {
    uv_loop_t loop;
    uv_timer_t limit;
    bool too_late, stopped, auto_release;
    struct mqtt *mqtt;
    struct kept kept[MAX_KEPT];
    size_t count, batches, states[MQTT_LOOPBACK_LOST + 1];
    char text[512];
};

static void on_message(void *ctx, const struct mqtt_message *in)
{
    struct bench *b = ctx;
    assert_true(b->count < MAX_KEPT);
    struct kept *k = &b->kept[b->count++];
    snprintf(k->topic, sizeof k->topic, "%s", in->topic);
    snprintf(k->payload, sizeof k->payload, "%.*s", (int)in->size, (const char *)in->payload);
    k->retained = in->retained;
    k->duplicate = in->duplicate;
    k->hold = in->hold;
    if (in->hold && b->auto_release)
        mqtt_release(b->mqtt, in->hold);
}

static void on_batch_end(void *ctx)
{
    ((struct bench *)ctx)->batches++;
}

static void on_state(void *ctx, enum mqtt_state state, const char *text)
{
    struct bench *b = ctx;
    b->states[state]++;
    snprintf(b->text, sizeof b->text, "%s", text);
    if (getenv("TOCSIN_TEST_TALK"))
        fprintf(stderr, "%lu %d %s\n", now_ms(), state, text);
}

static void on_limit(uv_timer_t *timer)
{
    ((struct bench *)timer->data)->too_late = true;
}

/* Runs the loop until `what` holds; a test that waits longer than `limit_ms` has failed. */
#define run_until(b, what, limit_ms)                                                                                  \
    do {                                                                                                              \
        (b)->too_late = false;                                                                                        \
        uv_update_time(&(b)->loop);                                                                                   \
        uv_timer_start(&(b)->limit, on_limit, (limit_ms), 0);                                                         \
        while (!(what) && !(b)->too_late)                                                                             \
            uv_run(&(b)->loop, UV_RUN_ONCE);                                                                          \
        uv_timer_stop(&(b)->limit);                                                                                   \
        assert_true(what);                                                                                            \
    } while (0)

static struct bench *open_bench(unsigned loopback_s)
{
    struct conf_broker conf = {.address = (char *)"127.0.0.1", .port = broker.port, .client_id = (char *)"tocsind",
                               .keep_alive_s = 10, .loopback_s = loopback_s};
    struct bench *b = calloc(1, sizeof *b);
    struct mqtt_options options = {.broker = &conf, .on_message = on_message, .on_batch_end = on_batch_end,
                                   .on_state = on_state, .ctx = b};
    assert_non_null(b);
    uv_loop_init(&b->loop);
    uv_timer_init(&b->loop, &b->limit);
    b->limit.data = b;
    b->mqtt = mqtt_create(&b->loop, &options);
    assert_non_null(b->mqtt);
    return b;
}

static void on_stopped(void *ctx)
{
    ((struct bench *)ctx)->stopped = true;
}

static void close_bench(struct bench *b)
{
    unsigned long started = now_ms();
    mqtt_stop(b->mqtt, on_stopped, b);
    run_until(b, b->stopped, 5000);
    assert_in_range(now_ms() - started, 0, 1200);
    mqtt_destroy(b->mqtt);
    uv_close((uv_handle_t *)&b->limit, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    free(b);
}

static struct bench *open_connected(unsigned loopback_s)
{
    struct bench *b = open_bench(loopback_s);
    run_until(b, b->states[MQTT_CONNECTED] == 1, 10000);
    return b;
}

static void test_in_and_out(void **state)
{
    char topic[256], payload[1024];
    struct bench *b = open_connected(5);
    int peer = peer_connect(&broker, "button");
    peer_subscribe(peer, "tocsin/v1/s/d/receipt");
    peer_publish(peer, "tocsin/v1/s/d/press", "{\"n\":1}", 1, false);
    run_until(b, b->count == 1, 5000);
    assert_string_equal(b->kept[0].topic, "tocsin/v1/s/d/press");
    assert_string_equal(b->kept[0].payload, "{\"n\":1}");
    assert_false(b->kept[0].retained);
    assert_null(b->kept[0].hold);
    assert_true(b->batches >= 1);
    mqtt_publish(b->mqtt, "tocsin/v1/s/d/receipt", "one", 3, 0, false);
    mqtt_publish(b->mqtt, "tocsin/v1/s/d/receipt", "two", 3, 1, false);
    assert_true(peer_read(peer, topic, payload, 5000));
    assert_string_equal(payload, "one");
    assert_true(peer_read(peer, topic, payload, 5000));
    assert_string_equal(payload, "two");
    close(peer);
    close_bench(b);
}

static void test_heartbeat_and_offline_and_empty(void **state)
{
    struct bench *b = open_connected(5);
    int peer = peer_connect(&broker, "button");
    peer_publish(peer, "tocsin/v1/s/d/heartbeat", "", 0, false);
    peer_publish(peer, "tocsin/v1/s/d/offline", "gone", 1, false);
    peer_publish(peer, "tocsin/v1/s/d/unknown", "not for us", 1, false);
    peer_publish(peer, "tocsin/v1/s/d/press", "", 1, false);
    run_until(b, b->count == 3, 5000);
    assert_string_equal(b->kept[0].topic, "tocsin/v1/s/d/heartbeat");
    assert_string_equal(b->kept[0].payload, "");
    assert_string_equal(b->kept[1].topic, "tocsin/v1/s/d/offline");
    assert_string_equal(b->kept[2].topic, "tocsin/v1/s/d/press");
    close(peer);
    close_bench(b);
}

static int start_broker(void **state)
{
    broker_start(&broker, "");
    return 0;
}

static int stop_broker(void **state)
{
    broker_clean(&broker);
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_and_out, start_broker, stop_broker),
        cmocka_unit_test_setup_teardown(test_heartbeat_and_offline_and_empty, start_broker, stop_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
