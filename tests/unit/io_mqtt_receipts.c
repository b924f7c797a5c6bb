/* Receipts over a connection of their own, against a real mosquitto. Its access lists show which way one went. */
#include "mqtt_bench.h"
#include <sys/stat.h>

#define RECEIPT "tocsin/v1/s/d/receipt"

static const char main_rights[] = "user main\ntopic read tocsin/#\ntopic write tocsin/v1/daemon/+/loopback\n",
                  receipts_rights[] = "user receipts\ntopic write tocsin/v1/+/+/receipt\n"
                                      "topic read tocsin/v1/daemon/tocsin-receipts/receipt\n",
                  may_send_receipts[] = "topic write tocsin/v1/+/+/receipt\n";

/* Whoever has no name may do everything; our two connections what these lines say. */
static void start_with_rights(const char *one, const char *two, const char *three)
{
    char file[64], extra[128];
    broker_prepare(&broker);
    snprintf(file, sizeof file, "%s/access", broker.dir);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fprintf(f, "topic readwrite #\n\n%s%s\n%s", one, two, three);
    fclose(f);
    snprintf(extra, sizeof extra, "acl_file %s\n", file);
    broker_start(&broker, extra);
}

static int clean(void **state)
{
    char file[64];
    snprintf(file, sizeof file, "%s/access", broker.dir);
    unlink(file);
    broker_clean(&broker);
    return 0;
}

static struct conf_broker apart_conf(unsigned loopback_s)
{
    struct conf_broker conf = plain_conf(loopback_s);
    conf.login.username = (char *)"main";
    conf.receipts.client_id = (char *)"tocsin-receipts";
    conf.receipts.username = (char *)"receipts";
    return conf;
}

static struct bench *open_apart(void)
{
    struct conf_broker conf = apart_conf(1);
    return open_with(&conf);
}

static int button(void)
{
    int peer = peer_connect(&broker, "button");
    peer_subscribe(peer, RECEIPT);
    return peer;
}

static void send_receipts(struct bench *b, unsigned from, unsigned count, size_t size)
{
    char *payload = calloc(1, size + 1);
    memset(payload, '.', size);
    for (unsigned i = from; i < from + count; i++) {
        int digits = snprintf(payload, size, "%u", i);
        payload[digits] = '.';
        mqtt_publish(b->mqtt, RECEIPT, payload, size, 0, false);
    }
    free(payload);
}

static void expect_receipts(int peer, unsigned from, unsigned count)
{
    char topic[256], payload[1024];
    for (unsigned i = from; i < from + count; i++) {
        assert_true(peer_read(peer, topic, payload, 10000));
        assert_string_equal(topic, RECEIPT);
        assert_int_equal(strtoul(payload, NULL, 10), i);
    }
}

static void test_they_go_apart_in_order(void **state)
{
    start_with_rights(main_rights, "", receipts_rights); /* the connection of the presses could not send them */
    struct bench *b = open_apart();
    run_until(b, b->states[MQTT_RECEIPTS_APART] == 1, 10000);
    assert_true(mqtt_counts(b->mqtt).receipts_apart);
    int peer = button();
    send_receipts(b, 0, 5000, 100);
    expect_receipts(peer, 0, 5000);
    assert_int_equal(b->states[MQTT_RECEIPTS_NOT_APART], 0);
    close(peer);
    close_bench(b);
}

static void test_without_rights_they_go_with_the_presses(void **state)
{
    start_with_rights(main_rights, may_send_receipts, "user receipts\ntopic read tocsin/#\n");
    struct bench *b = open_apart();
    run_until(b, b->states[MQTT_RECEIPTS_NOT_APART] == 1, 10000);
    assert_non_null(strstr(b->text, "the access list must let tocsin-receipts write tocsin/v1/+/+/receipt, and read "
                                    "tocsin/v1/daemon/tocsin-receipts/receipt"));
    int peer = button();
    send_receipts(b, 0, 100, 100);
    expect_receipts(peer, 0, 100);
    assert_false(mqtt_counts(b->mqtt).receipts_apart);
    close(peer);
    broker_end(&broker, SIGTERM);
    start_with_rights(main_rights, "", receipts_rights);
    run_until(b, b->states[MQTT_RECEIPTS_APART] == 1, 20000);
    close_bench(b);
}

static void test_refused_they_go_with_the_presses(void **state)
{
    broker_start(&broker, "clientid_prefixes tocsind\n"); /* the broker refuses every other client id */
    struct bench *b = open_apart();
    run_until(b, b->states[MQTT_RECEIPTS_NOT_APART] == 1, 10000);
    assert_non_null(strstr(b->text, "receipts go out over the connection of the presses, as their own fails: it refuses us"));
    assert_int_equal(b->states[MQTT_LOST], 0);
    close_bench(b);
}

/* Somebody takes its client id, so that the broker ends it: presses and receipts go on, and it comes back. */
static void test_it_ends_and_comes_back(void **state)
{
    start_with_rights(main_rights, may_send_receipts, receipts_rights);
    struct bench *b = open_apart();
    run_until(b, b->states[MQTT_RECEIPTS_APART] == 1, 10000);
    int peer = button(), thief = peer_connect(&broker, "tocsin-receipts");
    run_until(b, !mqtt_counts(b->mqtt).receipts_apart, 5000);
    send_receipts(b, 0, 10, 100);
    expect_receipts(peer, 0, 10);
    run_until(b, mqtt_counts(b->mqtt).receipts_apart, 20000);
    send_receipts(b, 10, 10, 100);
    expect_receipts(peer, 10, 10);
    assert_int_equal(b->states[MQTT_LOST], 0);
    close(thief);
    close(peer);
    close_bench(b);
}

static void test_the_broker_restarts(void **state)
{
    start_with_rights(main_rights, "", receipts_rights);
    struct bench *b = open_apart();
    run_until(b, b->states[MQTT_RECEIPTS_APART] == 1, 10000);
    broker_end(&broker, SIGKILL);
    run_until(b, b->states[MQTT_LOST] && !mqtt_counts(b->mqtt).receipts_apart, 10000);
    start_with_rights(main_rights, "", receipts_rights);
    run_until(b, mqtt_counts(b->mqtt).receipts_apart, 20000);
    int peer = button();
    send_receipts(b, 0, 10, 100);
    expect_receipts(peer, 0, 10);
    assert_int_equal(b->states[MQTT_RECEIPTS_NOT_APART], 0); /* the connection of the presses has said it */
    close(peer);
    close_bench(b);
}

/* Each at least once, in any order: one that was half written when a connection ended goes over the other, too. */
static void expect_all(int peer, unsigned count)
{
    char topic[256], payload[1024];
    bool *there = calloc(count, sizeof *there);
    for (unsigned missing = count; missing > 0;) {
        assert_true(peer_read(peer, topic, payload, 60000));
        unsigned long i = strtoul(payload, NULL, 10);
        assert_in_range(i, 0, count - 1);
        missing -= !there[i];
        there[i] = true;
    }
    free(there);
}

/* Of a connection that was given up some may be lost when the broker still reads from it after all patience (no QoS; buttons
 * ask again). */
static void expect_the_last(int peer, unsigned count)
{
    char topic[256], payload[1024] = "";
    while (strtoul(payload, NULL, 10) != count - 1)
        assert_true(peer_read(peer, topic, payload, 60000));
}

/* More than the sockets hold: the thread stands in the middle of a write. On a busy machine that is too long for it. */
static void test_the_broker_stands_still(void **state)
{
    start_with_rights(main_rights, may_send_receipts, receipts_rights);
    struct conf_broker conf = apart_conf(60); /* nobody misses his loop-back, however busy the machine */
    struct bench *b = open_with(&conf);
    run_until(b, b->states[MQTT_RECEIPTS_APART] == 1, 10000);
    int peer = button();
    kill(broker.pid, SIGSTOP);
    send_receipts(b, 0, 20000, 1000);
    kill(broker.pid, SIGCONT);
    expect_the_last(peer, 20000);
    kill(broker.pid, SIGSTOP);
    send_receipts(b, 0, 20000, 1000);
    close_bench(b); /* asserts the time it takes */
    kill(broker.pid, SIGCONT);
    close(peer);
}

/* Longer than anybody waits: what was not written leaves it, and goes with the presses when the broker is back. */
static void test_it_stands_in_a_write_for_long(void **state)
{
    start_with_rights(main_rights, may_send_receipts, receipts_rights);
    struct conf_broker conf = apart_conf(60); /* nobody misses his loop-back */
    struct bench *b = open_with(&conf);
    run_until(b, b->states[MQTT_RECEIPTS_APART] == 1, 10000);
    int peer = button();
    kill(broker.pid, SIGSTOP);
    send_receipts(b, 0, 20000, 1000);
    run_until(b, !mqtt_counts(b->mqtt).receipts_apart, 10000);
    kill(broker.pid, SIGCONT);
    expect_all(peer, 20000);
    run_until(b, mqtt_counts(b->mqtt).receipts_apart, 20000);
    assert_int_equal(b->states[MQTT_LOST], 0);
    close(peer);
    close_bench(b);
}

/* As long as the next connection would have come meanwhile, and at the broker taken the place of the one that it still
 * reads. */
static void test_the_next_one_waits_until_all_is_read(void **state)
{
    start_with_rights(main_rights, may_send_receipts, receipts_rights);
    struct conf_broker conf = apart_conf(60);
    struct bench *b = open_with(&conf);
    run_until(b, b->states[MQTT_RECEIPTS_APART] == 1, 60000);
    int peer = button();
    unsigned long next_at = now_ms() + 7000; /* it would come 5 s after this one, and has 2 s for itself */
    kill(broker.pid, SIGSTOP);
    send_receipts(b, 0, 20000, 1000);
    run_until(b, !mqtt_counts(b->mqtt).receipts_apart && now_ms() >= next_at, 60000);
    kill(broker.pid, SIGCONT);
    expect_all(peer, 20000);
    run_until(b, mqtt_counts(b->mqtt).receipts_apart, 60000);
    close(peer);
    close_bench(b);
}

static void test_silent_as_a_grave_it_is_given_up(void **state)
{
    start_with_rights(main_rights, may_send_receipts, receipts_rights);
    struct bench *b = open_apart();
    run_until(b, b->states[MQTT_RECEIPTS_APART] == 1, 10000);
    kill(broker.pid, SIGSTOP);
    run_until(b, !mqtt_counts(b->mqtt).receipts_apart, 10000);
    kill(broker.pid, SIGCONT);
    run_until(b, mqtt_counts(b->mqtt).receipts_apart, 20000);
    close_bench(b);
}

/* A socket that is closed while something in it was not read takes back what its peer has not: here the broker stands still
 * meanwhile, with more under way to it than it has room for. */
static void test_a_stop_takes_nothing_back(void **state)
{
    start_with_rights(main_rights, may_send_receipts, receipts_rights);
    struct conf_broker conf = apart_conf(60);
    struct bench *b = open_with(&conf);
    run_until(b, b->states[MQTT_RECEIPTS_APART] == 1, 10000);
    int peer = button();
    peer_publish(peer, "tocsin/v1/daemon/tocsin-receipts/receipt", "2", 0, false);
    peer_publish(peer, "tocsin/v1/s/d/press", "{}", 0, false);
    run_until(b, b->count == 1, 5000); /* and so the one before it has gone out, too */
    kill(broker.pid, SIGSTOP);
    send_receipts(b, 0, 500, 1000);
    run_until(b, mqtt_counts(b->mqtt).published == 500, 5000);
    close_bench(b);
    kill(broker.pid, SIGCONT);
    expect_all(peer, 500);
    close(peer);
}

static void test_stop_sends_the_rest(void **state)
{
    start_with_rights(main_rights, may_send_receipts, receipts_rights);
    struct bench *b = open_apart();
    run_until(b, b->states[MQTT_RECEIPTS_APART] == 1, 10000);
    int peer = button();
    send_receipts(b, 0, 100, 100);
    close_bench(b);
    expect_all(peer, 100);
    close(peer);
}

int main(void)
{
#define and_clean(test) cmocka_unit_test_teardown(test, clean)
    setvbuf(stdout, NULL, _IOLBF, 0);
    const struct CMUnitTest tests[] = {
        and_clean(test_they_go_apart_in_order),
        and_clean(test_without_rights_they_go_with_the_presses),
        and_clean(test_refused_they_go_with_the_presses),
        and_clean(test_it_ends_and_comes_back),
        and_clean(test_the_broker_restarts),
        and_clean(test_the_broker_stands_still),
        and_clean(test_it_stands_in_a_write_for_long),
        and_clean(test_the_next_one_waits_until_all_is_read),
        and_clean(test_silent_as_a_grave_it_is_given_up),
        and_clean(test_a_stop_takes_nothing_back),
        and_clean(test_stop_sends_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
