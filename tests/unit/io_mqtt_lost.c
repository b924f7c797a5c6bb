/* What is said of a connection that is lost: one trouble with one text, however it comes and goes. */
#include "mqtt_bench.h"

static int listen_as_broker(struct conf_broker *conf)
{
    conf->port = broker_free_port();
    struct sockaddr_in address = broker_address(conf->port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

/* Refuses one connection, if one waits: MQTT 5, 3.2. */
static bool refuse_one(int listening, unsigned char reason)
{
    unsigned char in[1024];
    const unsigned char connack[] = {0x20, 3, 0, reason, 0};
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return false;
    assert_true(read(fd, in, sizeof in) > 0);
    assert_int_equal(write(fd, connack, sizeof connack), sizeof connack);
    close(fd);
    return true;
}

/* A broker that cannot make up its mind is one trouble; a reason that stays is told. */
static void test_reasons_that_change(void **state)
{
    enum { SERVER_UNAVAILABLE = 0x88, NOT_AUTHORIZED = 0x87 };
    struct conf_broker conf = plain_conf(5);
    int listening = listen_as_broker(&conf);
    struct bench *b = open_with(&conf);
    unsigned attempts = 0;
    run_until(b, (attempts += refuse_one(listening, attempts % 2 ? SERVER_UNAVAILABLE : NOT_AUTHORIZED)) == 5, 60000);
    assert_int_equal(b->states[MQTT_LOST], 1);
    assert_non_null(strstr(b->lost, "Not authorized"));
    run_until(b, (refuse_one(listening, SERVER_UNAVAILABLE), b->states[MQTT_LOST] == 2), 60000);
    assert_non_null(strstr(b->lost, "Server unavailable"));
    close(listening);
    close_bench(b);
}

/* Somebody else has our client id, and does not give up either: that is one trouble, until a connection lasts. Presses come
 * through meanwhile. */
static void test_connections_that_do_not_last(void **state)
{
    struct bench *b = open_connected(5);
    int button = peer_connect(&broker, "button"), thief = -1;
    for (unsigned i = 1; i <= 5; i++) {
        close(thief);
        thief = peer_connect(&broker, "tocsind");
        run_until(b, mqtt_counts(b->mqtt).reconnects == i, 60000);
        run_until(b, b->count > 0 || (peer_publish(button, "tocsin/v1/s/d/press", "heard", 1, false), false), 60000);
        b->count = 0;
    }
    assert_non_null(strstr(b->lost, "time and again: perhaps somebody else comes as tocsind, too."));
    assert_in_range(b->states[MQTT_CONNECTED], 1, 2);
    assert_false(mqtt_hears(b->mqtt));
    size_t before = b->states[MQTT_CONNECTED];
    run_until(b, b->states[MQTT_CONNECTED] == before + 1, 60000);
    assert_true(mqtt_hears(b->mqtt));
    close(thief);
    close(button);
    close_bench(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons_that_change),
        with_broker(test_connections_that_do_not_last),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
