/* The broker connection against a real mosquitto. */
#include "mqtt_bench.h"
#include <sys/stat.h>

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

static void test_a_press_is_near(void **state)
{
    struct bench *b = open_connected(5);
    int peer = peer_connect(&broker, "button");
    peer_publish(peer, "tocsin/v1/s/d/heartbeat", "", 0, false);
    run_until(b, b->count == 1, 5000);
    peer_publish(peer, "tocsin/v1/s/d/press", "", 1, false);
    for (int i = 0; i < 5000 && atomic_load(&b->near) == 0; i++)
        uv_sleep(1); /* it comes on the receive thread, which had the heartbeat before */
    assert_int_equal(atomic_load(&b->near), 1);
    run_until(b, b->count == 2, 5000);
    close(peer);
    close_bench(b);
}

static void test_broker_comes_later(void **state)
{
    broker_end(&broker, SIGTERM);
    struct bench *b = open_bench(5);
    run_until(b, b->states[MQTT_LOST] == 1, 10000);
    assert_non_null(strstr(b->text, "127.0.0.1:"));
    assert_int_equal(b->states[MQTT_CONNECTED], 0);
    mqtt_publish(b->mqtt, "tocsin/v1/s/state", "quiet", 5, 1, true);
    broker_start(&broker, "");
    run_until(b, b->states[MQTT_CONNECTED] == 1, 15000);
    assert_int_equal(b->states[MQTT_SESSION_LOST], 0);
    int peer = peer_connect(&broker, "button");
    char topic[256], payload[1024];
    peer_subscribe(peer, "tocsin/v1/s/state");
    assert_true(peer_read(peer, topic, payload, 5000));
    assert_string_equal(payload, "quiet");
    close(peer);
    close_bench(b);
}

static void test_retained(void **state)
{
    int peer = peer_connect(&broker, "button");
    peer_publish(peer, "tocsin/v1/s/d/press", "left behind", 1, true);
    struct bench *b = open_connected(5);
    run_until(b, b->count == 1, 5000);
    assert_true(b->kept[0].retained);
    peer_publish(peer, "tocsin/v1/s/d/press", "live", 1, true);
    run_until(b, b->count == 2, 5000);
    assert_false(b->kept[1].retained); /* nobody left it behind: it is happening now */
    close(peer);
    close_bench(b);
}

static void test_session_is_kept(void **state)
{
    close_bench(open_connected(5));
    int peer = peer_connect(&broker, "button");
    peer_publish(peer, "tocsin/v1/s/d/press", "while away", 1, false);
    struct bench *b = open_connected(5);
    run_until(b, b->count == 1, 5000);
    assert_string_equal(b->kept[0].payload, "while away");
    assert_int_equal(b->states[MQTT_SESSION_LOST], 0);
    close(peer);
    close_bench(b);
}

static struct bench *open_supervision(void)
{
    struct conf_broker conf = plain_conf(5);
    conf.login.client_id = (char *)"tocsin-supervision";
    return open_for(&conf, MQTT_SUPERVISION);
}

static struct bench *open_presses(void)
{
    struct conf_broker conf = plain_conf(5);
    return open_for(&conf, MQTT_PRESSES);
}

static void expect_topics(struct bench *b, size_t count, const char *const *words)
{
    run_until(b, b->count == count, 5000);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(strrchr(b->kept[i].topic, '/') + 1, words[i]);
    b->count = 0;
}

/* From one connection, so that the broker hands them on in this order. */
static void say_all(int peer)
{
    peer_publish(peer, "tocsin/v1/s/d/heartbeat", "", 0, false);
    peer_publish(peer, "tocsin/v1/s/d/offline", "", 1, false);
    peer_publish(peer, "tocsin/v1/s/d/press", "", 1, false);
    peer_publish(peer, "tocsin/v1/s/d/heartbeat", "", 0, false);
}

/* The session that had everything hears its part only when there are two connections, and everything again after that. */
static void test_two_connections_divide_the_topics(void **state)
{
    static const char *const presses[] = {"press"}, *const signs[] = {"heartbeat", "offline", "heartbeat"},
                             *const all[] = {"heartbeat", "offline", "press", "heartbeat"};
    close_bench(open_connected(5));
    struct bench *main = open_presses(), *supervision = open_supervision();
    run_until(main, main->states[MQTT_CONNECTED] == 1, 10000);
    run_until(supervision, supervision->states[MQTT_CONNECTED] == 1, 10000);
    int peer = peer_connect(&broker, "button"); /* last: a socket of this process, as ours are */
    say_all(peer);
    expect_topics(main, 1, presses);
    expect_topics(supervision, 3, signs);
    close_bench(supervision);
    close_bench(main);
    close(peer);
    main = open_connected(5);
    peer = peer_connect(&broker, "button");
    say_all(peer);
    expect_topics(main, 4, all);
    close(peer);
    close_bench(main);
}

/* A connection that comes to the listener; -1 = none in time. */
static int visitor(int listener, int within_ms)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    return poll(&p, 1, within_ms) > 0 ? accept(listener, NULL, NULL) : -1;
}

/* Answers its CONNECT, and sees that it goes on from there. */
static void let_in(int fd)
{
    static const unsigned char welcome[3] = {0};
    unsigned char body[1024];
    size_t size;
    assert_int_equal(peer_packet(fd, body, sizeof body, &size, 5000), 0x10);
    peer_send(fd, 0x20, welcome, sizeof welcome);
    assert_int_equal(peer_packet(fd, body, sizeof body, &size, 5000), 0xA2);
}

/* The later connection has a lower descriptor, and no answer yet when the first one gets its own. Ending the first shuts the
 * first's socket, not the other's. */
static void test_each_connection_knows_its_socket(void **state)
{
    struct sockaddr_in address = broker_address(broker.port = broker_free_port());
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), holes[32];
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 5), 0);
    for (size_t i = 0; i < sizeof holes / sizeof *holes; i++)
        holes[i] = dup(listener);
    struct bench *main = open_presses();
    int first = visitor(listener, 5000);
    for (size_t i = 0; i < sizeof holes / sizeof *holes; i++)
        close(holes[i]);
    struct bench *supervision = open_supervision();
    int second = visitor(listener, 500); /* it waits for its turn */
    let_in(first);
    if (second < 0)
        second = visitor(listener, 5000);
    close_bench(main);
    let_in(second);
    close_bench(supervision);
    close(first);
    close(second);
    close(listener);
    broker.port = 0;
}

static void test_broker_forgets_us(void **state)
{
    struct bench *b = open_connected(5);
    broker_end(&broker, SIGKILL);
    run_until(b, b->states[MQTT_LOST] == 1, 5000);
    broker_forget(&broker);
    broker_start(&broker, "");
    run_until(b, b->states[MQTT_CONNECTED] == 2, 15000);
    assert_int_equal(b->states[MQTT_SESSION_LOST], 1);
    assert_int_equal(mqtt_counts(b->mqtt).reconnects, 1);
    int peer = peer_connect(&broker, "button");
    peer_publish(peer, "tocsin/v1/s/d/press", "still heard", 1, false);
    run_until(b, b->count == 1, 5000);
    close(peer);
    close_bench(b);
}

static void test_broker_stands_still(void **state)
{
    struct bench *b = open_connected(1);
    unsigned long stopped_at = now_ms();
    kill(broker.pid, SIGSTOP);
    run_until(b, b->states[MQTT_LOOPBACK_LOST] == 1, 20000);
    assert_in_range(now_ms() - stopped_at, 2000, 5000);
    kill(broker.pid, SIGCONT);
    run_until(b, b->states[MQTT_CONNECTED] == 2, 20000);
    int peer = peer_connect(&broker, "button");
    peer_publish(peer, "tocsin/v1/s/d/press", "again", 1, false);
    run_until(b, b->count == 1, 5000);
    close(peer);
    close_bench(b);
}

static void test_stops_though_the_broker_stands_still(void **state)
{
    struct bench *b = open_connected(5);
    kill(broker.pid, SIGSTOP);
    mqtt_publish(b->mqtt, "tocsin/v1/s/state", "quiet", 5, 1, true); /* will never be acknowledged */
    close_bench(b);                                                  /* asserts the time it takes */
    kill(broker.pid, SIGCONT);
}

static void test_late_release(void **state)
{
    struct bench *b = open_connected(5);
    int peer = peer_connect(&broker, "button");
    peer_publish(peer, "tocsin/v1/s/d/press", "at once", 1, false);
    peer_publish(peer, "tocsin/v1/s/late/press", "waits", 1, false);
    peer_publish(peer, "tocsin/v1/s/d/press", "behind", 1, false);
    run_until(b, b->count == 2, 5000);
    assert_null(b->kept[0].hold);
    assert_non_null(b->kept[1].hold);
    mqtt_release(b->mqtt, b->kept[1].hold);
    run_until(b, b->count == 3, 5000);
    close_bench(b);
    b = open_connected(5); /* all were acknowledged: nothing comes again */
    peer_publish(peer, "tocsin/v1/s/d/press", "the next", 1, false);
    run_until(b, b->count == 1, 5000);
    assert_string_equal(b->kept[0].payload, "the next");
    close(peer);
    close_bench(b);
}

/* The press is the first message of the next connection, which knows already that it waits. */
static void test_late_and_stopped(void **state)
{
    struct bench *b = open_connected(5);
    int peer = peer_connect(&broker, "button");
    peer_publish(peer, "tocsin/v1/s/late/press", "not committed", 1, false);
    run_until(b, b->count == 1, 5000);
    close_bench(b);
    b = open_bench(5);
    run_until(b, b->count == 1, 10000);
    assert_string_equal(b->kept[0].payload, "not committed");
    assert_true(b->kept[0].duplicate);
    assert_non_null(b->kept[0].hold);
    mqtt_release(b->mqtt, b->kept[0].hold);
    run_until(b, b->states[MQTT_CONNECTED] == 1, 10000);
    close(peer);
    close_bench(b);
}

static void test_late_no_more(void **state)
{
    struct bench *b = open_connected(5);
    mqtt_set_late_devices(b->mqtt, (struct mqtt_late){0});
    int peer = peer_connect(&broker, "button");
    peer_publish(peer, "tocsin/v1/s/late/press", "at once", 1, false);
    run_until(b, b->count == 1, 5000);
    assert_null(b->kept[0].hold);
    close(peer);
    close_bench(b);
}

/* A program of its own, for test_late_and_killed: fork() alone may come while a thread of Paho's still ends, with its locks. */
static int hold_a_press(const char *port, const char *said)
{
    int to = atoi(said);
    alarm(60);
    broker.port = (unsigned)atoi(port);
    struct bench *b = open_connected(5);
    if (write(to, "c", 1) != 1)
        return 1;
    run_until(b, b->count == 1 && b->kept[0].hold, 10000);
    if (write(to, "h", 1) != 1)
        return 1;
    pause();
    return 1;
}

/* The daemon dies between the press and its commit. */
static void test_late_and_killed(void **state)
{
    int said[2];
    char port[16], to[16];
    assert_int_equal(pipe(said), 0);
    snprintf(port, sizeof port, "%u", broker.port);
    snprintf(to, sizeof to, "%d", said[1]);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "io_mqtt", port, to, (char *)NULL);
        _exit(1);
    }
    close(said[1]); /* when it ends, its word does not come, and nobody waits for it */
    char answer;
    assert_int_equal(read(said[0], &answer, 1), 1);
    int peer = peer_connect(&broker, "button");
    peer_publish(peer, "tocsin/v1/s/late/press", "survives", 1, false);
    assert_int_equal(read(said[0], &answer, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    struct bench *b = open_bench(5);
    run_until(b, b->count == 1, 10000);
    assert_string_equal(b->kept[0].payload, "survives");
    assert_true(b->kept[0].duplicate);
    mqtt_release(b->mqtt, b->kept[0].hold);
    run_until(b, b->states[MQTT_CONNECTED] == 1, 10000);
    close(said[0]);
    close(peer);
    close_bench(b);
}

static void test_burst_in_order(void **state)
{
    struct bench *b = open_connected(5);
    int peer = peer_connect(&broker, "button");
    unsigned char body[128];
    const size_t burst = 10000;
    for (size_t i = 0; i < burst; i++) { /* not waiting for acknowledgements: they are read by nobody */
        char payload[32];
        size_t size = peer_put_text(body, "tocsin/v1/s/d/press");
        body[size++] = (unsigned char)((i + 1) >> 8);
        body[size++] = (unsigned char)(i + 1);
        size_t payload_size = (size_t)snprintf(payload, sizeof payload, "%zu", i);
        memcpy(body + size, payload, payload_size);
        peer_send(peer, 0x32, body, size + payload_size);
    }
    run_until(b, b->count == burst, 60000);
    for (size_t i = 0; i < burst; i++)
        assert_int_equal(strtoul(b->kept[i].payload, NULL, 10), i);
    assert_int_equal(mqtt_counts(b->mqtt).dropped, 0);
    close(peer);
    close_bench(b);
}

static void test_publishes_in_order(void **state)
{
    struct bench *b = open_connected(5);
    char topic[256], payload[1024];
    int peer = peer_connect(&broker, "button");
    peer_subscribe(peer, "tocsin/v1/s/d/receipt");
    const unsigned many = 3000;
    for (unsigned i = 0; i < many; i++) {
        int size = snprintf(payload, sizeof payload, "%u", i);
        mqtt_publish(b->mqtt, "tocsin/v1/s/d/receipt", payload, (size_t)size, i % 3 == 0 ? 0 : 1, false);
    }
    for (unsigned i = 0; i < many; i++) {
        assert_true(peer_read(peer, topic, payload, 20000));
        assert_int_equal(strtoul(payload, NULL, 10), i);
    }
    close(peer);
    close_bench(b);
}

/* A message's id has 16 bits: on its way to the broker, and on its way from there. */
static void test_more_messages_than_ids(void **state)
{
    struct bench *b = open_connected(5);
    const size_t many = 70000, at_a_time = 1000;
    for (size_t i = 0; i < many; i++) {
        char payload[16];
        int size = snprintf(payload, sizeof payload, "%zu", i);
        mqtt_publish(b->mqtt, "tocsin/v1/s/d/press", payload, (size_t)size, 1, false);
        if ((i + 1) % at_a_time == 0)
            run_until(b, b->count == i + 1, 20000);
    }
    for (size_t i = 0; i < many; i++)
        assert_int_equal(strtoul(b->kept[i].payload, NULL, 10), i);
    assert_int_equal(b->count, many);
    assert_int_equal(mqtt_counts(b->mqtt).publish_failed, 0);
    close_bench(b);
}

/* A lamp need not flash through everything that happened while the broker was away. */
static void test_the_last_retained_replaces_what_waits(void **state)
{
    char topic[256], payload[1024];
    const unsigned sites = 10, times = 100;
    broker_end(&broker, SIGTERM);
    struct bench *b = open_bench(5);
    run_until(b, b->states[MQTT_LOST] == 1, 10000);
    for (unsigned i = 0; i < sites * times; i++) {
        int size = snprintf(payload, sizeof payload, "%u", i / sites);
        snprintf(topic, sizeof topic, "tocsin/v1/s%u/state", i % sites);
        mqtt_publish(b->mqtt, topic, payload, (size_t)size, 1, true);
        mqtt_publish(b->mqtt, "tocsin/v1/s/d/receipt", "x", 1, 1, false); /* not retained: all of them go out */
    }
    broker_start(&broker, "");
    run_until(b, b->states[MQTT_CONNECTED] == 1, 15000);
    int peer = peer_connect(&broker, "lamp");
    peer_subscribe(peer, "tocsin/v1/+/state");
    for (unsigned i = 0; i < sites; i++) {
        assert_true(peer_read(peer, topic, payload, 5000));
        assert_int_equal(strtoul(payload, NULL, 10), times - 1);
    }
    mqtt_publish(b->mqtt, "tocsin/v1/s0/state", "the end", 7, 1, true);
    assert_true(peer_read(peer, topic, payload, 5000));
    assert_string_equal(payload, "the end");
    const unsigned published = sites * times + sites + 1;
    for (int i = 0; i < 5000 && mqtt_counts(b->mqtt).published < published; i++)
        uv_sleep(1); /* until the last one's acknowledgement */
    assert_int_equal(mqtt_counts(b->mqtt).published, published);
    assert_int_equal(mqtt_counts(b->mqtt).publish_failed, 0);
    close(peer);
    close_bench(b);
}

/* What was published before mqtt_stop() still goes out. */
static void test_stop_publishes_the_rest(void **state)
{
    char topic[256], payload[1024];
    struct bench *b = open_connected(5);
    int peer = peer_connect(&broker, "button");
    peer_subscribe(peer, "tocsin/v1/s/d/receipt");
    for (unsigned i = 0; i < 100; i++)
        mqtt_publish(b->mqtt, "tocsin/v1/s/d/receipt", "x", 1, 1, false);
    close_bench(b);
    for (unsigned i = 0; i < 100; i++)
        assert_true(peer_read(peer, topic, payload, 5000));
    close(peer);
}

/* Asked to keep a message it would end the connection, and every one that follows. */
static void test_a_broker_that_keeps_nothing(void **state)
{
    char topic[256], payload[1024];
    broker_end(&broker, SIGTERM);
    broker_start(&broker, "retain_available false\n");
    struct bench *b = open_connected(5);
    int peer = peer_connect(&broker, "lamp");
    peer_subscribe(peer, "tocsin/v1/s/state");
    mqtt_publish(b->mqtt, "tocsin/v1/s/state", "{}", 2, 1, true);
    assert_true(peer_read(peer, topic, payload, 5000));
    assert_string_equal(topic, "tocsin/v1/s/state");
    run_until(b, mqtt_counts(b->mqtt).published == 1, 5000);
    assert_int_equal(b->states[MQTT_LOST], 0);
    assert_int_equal(b->states[MQTT_KEEPS_NOTHING], 1);
    close(peer);
    broker_end(&broker, SIGTERM);
    broker_start(&broker, "");
    run_until(b, b->states[MQTT_KEEPS] == 1, 60000);
    assert_int_equal(b->states[MQTT_KEEPS_NOTHING], 1);
    close_bench(b);
}

/* Of what was written, while more comes in than anybody reads. */
static void test_a_stop_in_a_storm_takes_nothing_back(void **state)
{
    char topic[256], payload[1024];
    struct bench *b = open_connected(5);
    b->presses_only = true; /* the storm is of something else */
    int peer = peer_connect(&broker, "button"), storm = peer_connect(&broker, "storm");
    peer_subscribe(peer, "tocsin/v1/s/d/receipt");
    pid_t child = fork();
    if (child == 0)
        for (;; usleep(100)) /* the broker keeps up with it, on a busy machine, too */
            peer_publish(storm, "tocsin/v1/s/d/offline", "{}", 0, false);
    memset(payload, '.', 1000);
    run_until(b, b->batches > 10, 5000);
    for (unsigned i = 0; i < 1000; i++)
        mqtt_publish(b->mqtt, "tocsin/v1/s/d/receipt", payload, 1000, 0, false);
    run_until(b, mqtt_counts(b->mqtt).published == 1000, 10000);
    close_bench(b);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(peer_read(peer, topic, payload, 5000));
    close(storm);
    close(peer);
}

static void test_subscription_refused(void **state)
{
    char file[64];
    broker_forbid_to_subscribe(&broker, file, "\"groups\":[],\"roles\":[]");
    struct bench *b = open_bench(5);
    run_until(b, b->states[MQTT_SUBSCRIBE_FAILED] == 1, 10000);
    assert_non_null(strstr(b->text, "tocsin/v1/+/+/press"));
    assert_int_equal(b->states[MQTT_CONNECTED], 0);
    broker_end(&broker, SIGTERM);
    unlink(file);
    broker_start(&broker, "");
    run_until(b, b->states[MQTT_CONNECTED] == 1, 15000);
    close_bench(b);
}

/* What the broker says of itself is welcome, and not needed. */
static void test_a_broker_that_keeps_its_counts_to_itself(void **state)
{
    char file[64];
    broker_forbid_to_subscribe(&broker, file,
                               "\"anonymousGroup\":\"all\",\"groups\":[{\"groupname\":\"all\",\"roles\":[{\"rolename\":"
                               "\"tocsin\"}]}],\"roles\":[{\"rolename\":\"tocsin\",\"acls\":[{\"acltype\":"
                               "\"subscribePattern\",\"topic\":\"tocsin/#\",\"allow\":true}]}]");
    struct bench *b = open_bench(5);
    run_until(b, b->states[MQTT_CONNECTED] == 1, 10000);
    assert_int_equal(b->states[MQTT_SUBSCRIBE_FAILED], 0);
    close_bench(b);
    broker_end(&broker, SIGTERM);
    unlink(file);
    broker_start(&broker, "");
}

static void test_account_refused_then_right(void **state)
{
    char file[64], extra[128], line[256];
    broker_end(&broker, SIGTERM);
    snprintf(file, sizeof file, "%s/password", broker.dir);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs("wrong\n", f);
    fclose(f);
    snprintf(line, sizeof line, "mosquitto_passwd -b -c %s/accounts daemon right 2>/dev/null", broker.dir);
    assert_int_equal(system(line), 0);
    snprintf(extra, sizeof extra, "allow_anonymous false\npassword_file %s/accounts\n", broker.dir);
    struct conf_broker conf = plain_conf(5);
    conf.login.username = (char *)"daemon";
    conf.login.password_file = file;
    broker_start(&broker, extra);
    struct bench *b = open_with(&conf);
    run_until(b, b->states[MQTT_LOST] == 1, 10000);
    assert_non_null(strstr(b->text, "Not authorized"));
    f = fopen(file, "w");
    fputs("right\n", f);
    fclose(f);
    run_until(b, b->states[MQTT_CONNECTED] == 1, 15000); /* the file is read anew */
    close_bench(b);
    unlink(file);
    snprintf(line, sizeof line, "%s/accounts", broker.dir);
    unlink(line);
}

static void make_certificates(void)
{
    char line[1024];
    snprintf(
        line, sizeof line,
        "cd %s && exec 2>/dev/null && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt "
        "-days 2 -subj /CN=ca && "
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.crt -days 2 -subj /CN=other "
        "&& "
        "for who in broker daemon; do openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr "
        "-subj /CN=$who && "
        "echo subjectAltName=IP:127.0.0.1 > ext && openssl x509 -req -in $who.csr -CA ca.crt -CAkey ca.key "
        "-CAcreateserial -days 2 -extfile ext -out $who.crt || exit 1; done",
        broker.dir);
    assert_int_equal(system(line), 0);
}

static void test_tls(void **state)
{
    char extra[512], ca[64], other[64], certificate[64], key[64];
    broker_end(&broker, SIGTERM);
    make_certificates();
    snprintf(extra, sizeof extra,
             "cafile %s/ca.crt\ncertfile %s/broker.crt\nkeyfile %s/broker.key\nrequire_certificate true\n",
             broker.dir, broker.dir, broker.dir);
    snprintf(ca, sizeof ca, "%s/ca.crt", broker.dir);
    snprintf(other, sizeof other, "%s/other.crt", broker.dir);
    snprintf(certificate, sizeof certificate, "%s/daemon.crt", broker.dir);
    snprintf(key, sizeof key, "%s/daemon.key", broker.dir);
    broker_start(&broker, extra);
    struct conf_broker conf = plain_conf(5);
    conf.login.certificate_file = certificate;
    conf.login.key_file = key;
    conf.ca_file = other; /* not the one that issued the broker's */
    struct bench *b = open_with(&conf);
    run_until(b, b->states[MQTT_LOST] == 1, 10000);
    assert_non_null(strstr(b->text, "certificate verify failed"));
    close_bench(b);
    conf.ca_file = ca;
    b = open_with(&conf);
    run_until(b, b->states[MQTT_CONNECTED] == 1, 10000);
    mqtt_publish(b->mqtt, "tocsin/v1/a/b/press", "through TLS", 11, 1, false);
    run_until(b, b->count == 1, 5000);
    assert_string_equal(b->kept[0].payload, "through TLS");
    close_bench(b);
    conf.receipts = (struct conf_login){.client_id = (char *)"receipts"}; /* without a certificate */
    b = open_with(&conf);
    run_until(b, b->states[MQTT_RECEIPTS_NOT_APART] == 1, 10000);
    assert_non_null(strstr(b->text, "is our certificate one that it knows?"));
    close_bench(b);
    conf.receipts.certificate_file = certificate;
    conf.receipts.key_file = key;
    b = open_with(&conf);
    run_until(b, b->states[MQTT_RECEIPTS_APART] == 1, 10000);
    mqtt_publish(b->mqtt, "tocsin/v1/a/b/press", "through another", 15, 0, false);
    run_until(b, b->count == 1, 5000);
    assert_string_equal(b->kept[0].payload, "through another");
    close_bench(b);
    snprintf(extra, sizeof extra, "cd %s && rm -f *.crt *.key *.csr *.srl ext", broker.dir);
    assert_int_equal(system(extra), 0);
}

/* The loop does nothing for a long while: heartbeats are dropped in the end, a press never. */
static void test_flood_drops_heartbeats_only(void **state)
{
    struct bench *b = open_connected(60);
    const unsigned flood = 210000, at_a_time = 1000;
    int peer = peer_connect(&broker, "gateway"), presser = peer_connect(&broker, "button");
    unsigned char packet[64];
    size_t size = peer_put_text(packet + 2, "tocsin/v1/s/d/heartbeat");
    packet[0] = 0x30;
    packet[1] = (unsigned char)size;
    unsigned char *many = malloc(at_a_time * (size + 2));
    for (unsigned i = 0; i < at_a_time; i++)
        memcpy(many + i * (size + 2), packet, size + 2);
    unsigned long until = now_ms() + 60000;
    for (unsigned sent = 0; sent < flood; sent += at_a_time) {
        peer_write(peer, many, at_a_time * (size + 2));
        while (mqtt_counts(b->mqtt).received + 5000 < sent &&
               now_ms() < until) /* the broker drops what we do not fetch */
            usleep(1000);
    }
    while (mqtt_counts(b->mqtt).received < flood && now_ms() < until)
        usleep(1000);
    peer_publish(presser, "tocsin/v1/s/d/press", "not dropped", 1, false);
    b->presses_only = true;
    run_until(b, b->count == 1, 20000);
    assert_string_equal(b->kept[0].payload, "not dropped");
    assert_in_range(mqtt_counts(b->mqtt).dropped, 1, flood);
    free(many);
    close(peer);
    close(presser);
    close_bench(b);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3)
        return hold_a_press(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        with_broker(test_in_and_out),
        with_broker(test_heartbeat_and_offline_and_empty),
        with_broker(test_a_press_is_near),
        with_broker(test_broker_comes_later),
        with_broker(test_retained),
        with_broker(test_session_is_kept),
        with_broker(test_two_connections_divide_the_topics),
        cmocka_unit_test(test_each_connection_knows_its_socket),
        with_broker(test_broker_forgets_us),
        with_broker(test_broker_stands_still),
        with_broker(test_stops_though_the_broker_stands_still),
        with_broker(test_late_release),
        with_broker(test_late_and_stopped),
        with_broker(test_late_no_more),
        with_broker(test_late_and_killed),
        with_broker(test_burst_in_order),
        with_broker(test_publishes_in_order),
        with_broker(test_more_messages_than_ids),
        with_broker(test_the_last_retained_replaces_what_waits),
        with_broker(test_a_broker_that_keeps_nothing),
        with_broker(test_stop_publishes_the_rest),
        with_broker(test_a_stop_in_a_storm_takes_nothing_back),
        with_broker(test_subscription_refused),
        with_broker(test_a_broker_that_keeps_its_counts_to_itself),
        with_broker(test_account_refused_then_right),
        with_broker(test_tls),
        with_broker(test_flood_drops_heartbeats_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
