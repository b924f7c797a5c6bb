/* Who goes first, how often what waits is tried, and what is due while the loop has no time. Against the endpoints from
 * hell. */
#include "dispatch_bench.h"
#include "io/due.h"

#define PATIENCE_MS 60000

static struct hell hell;

static unsigned place_of(const char *path, const char *id)
{
    json_t *seen = hell_requests(&hell, path);
    size_t place = 0;
    while (place < json_array_size(seen) &&
           strcmp(json_string_value(json_object_get(json_array_get(seen, place), "id")), id) != 0)
        place++;
    json_decref(seen);
    return (unsigned)place;
}

static uint64_t received_by_police(const struct bench *b)
{
    struct dispatch_endpoint_status status;
    assert_true(dispatch_endpoint_status(b->dispatch, "police", &status));
    return status.received;
}

/* After an outage everything that waits is tried at once; an alarm of this moment does not stand behind it. */
static void test_a_new_alarm_stands_behind_no_repetition(void **state)
{
    struct bench b;
    char id[64];
    bench_open(&b);
    bench_add(&b, &hell, "police", "@refused/x")->connections = 2;
    bench_configure(&b);
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "old-%d", i);
        bench_tell_with(&b, id, "police", i % 2 ? DISPATCH_UPDATE : DISPATCH_FIRST, 0);
    }
    BENCH_UNTIL(&b, PATIENCE_MS, bench_result(&b, "old-18", 0) && bench_result(&b, "old-19", 0));
    hell_url(&hell, b.url_texts[0][0], "late/back?s=0.1");
    bench_configure(&b); /* at most two are under way from here on */
    bench_tell_with(&b, "new-update", "police", DISPATCH_UPDATE, 0);
    bench_tell(&b, "new-1", "police");
    bench_tell(&b, "new-2", "police");
    BENCH_UNTIL(&b, PATIENCE_MS, received_by_police(&b) == 23);
    assert_in_range(place_of("/late/back", "new-1"), 0, 3);
    assert_in_range(place_of("/late/back", "new-2"), 0, 3);
    assert_in_range(place_of("/late/back", "new-update"), 10, 14); /* after the alarms, before most of the other updates */
    bench_close(&b);
}

static unsigned under_way(const struct bench *b)
{
    struct dispatch_endpoint_status status;
    assert_true(dispatch_endpoint_status(b->dispatch, "police", &status));
    return status.under_way;
}

/* Whatever hangs, and however many of them: what is tried again, and updates, leave one connection free. */
static void test_a_new_alarm_waits_for_no_connection_that_hangs(void **state)
{
    struct bench b;
    char id[64];
    bench_open(&b);
    struct conf_endpoint *e = bench_add(&b, &hell, "police", "silent-but?to=new");
    e->connections = 2;
    e->attempt_timeout_ms = 5000;
    bench_configure(&b);
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "hangs-%d", i);
        bench_tell_with(&b, id, "police", DISPATCH_UPDATE, 0);
    }
    assert_int_equal(under_way(&b), 2);
    for (int i = 0; i < 3; i++) { /* what is answered leaves its place to the next */
        snprintf(id, sizeof id, "new-%d", i);
        bench_tell(&b, id, "police");
        BENCH_UNTIL(&b, 4000, bench_result(&b, id, 0));
        assert_int_equal(bench_result(&b, id, 0)->outcome, OUTCOME_RECEIVED);
    }
    assert_int_equal(b.count, 3);
    bench_tell(&b, "hangs-first", "police");
    assert_int_equal(under_way(&b), 3);
    bench_tell(&b, "hangs-next", "police");
    assert_int_equal(under_way(&b), 3); /* one, and not one for each */
    bench_close(&b);
}

/* It answers whatever else comes, and leaves a telling without an answer, which the alternate takes after a while. The next
 * alarm does not wait for that again; what comes later of it asks whether it has mended. */
static void test_who_left_a_telling_is_not_asked_first_of_the_next_alarm(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "police", "late-first/mended?s=30");
    bench_alternate(&b, &hell, "echo/alternate");
    bench_configure(&b);
    bench_tell(&b, "first", "police");
    BENCH_UNTIL(&b, 5000, received_by_police(&b) == 1);
    bench_tell(&b, "second", "police");
    BENCH_UNTIL(&b, 5000, received_by_police(&b) == 2);
    bench_tell_with(&b, "update", "police", DISPATCH_UPDATE, 0);
    BENCH_UNTIL(&b, 5000, received_by_police(&b) == 3);
    bench_tell(&b, "third", "police");
    BENCH_UNTIL(&b, 5000, received_by_police(&b) == 4);
    assert_int_equal(place_of("/late-first/mended", "first"), 0);
    assert_int_equal(place_of("/late-first/mended", "update"), 1);
    assert_int_equal(place_of("/late-first/mended", "third"), 2);
    assert_int_equal(place_of("/echo/alternate", "second"), 1);
    bench_close(&b);
}

/* Whatever an attempt may take: a dead endpoint is seen within 20 s. */
static void test_a_probe_ends_in_time_for_a_dead_one_to_be_seen(void **state)
{
    struct bench b;
    bench_open(&b);
    struct conf_endpoint *e = bench_add(&b, &hell, "police", "silent/probes");
    e->attempt_timeout_ms = 20000;
    e->probe_s = 15;
    bench_configure(&b);
    BENCH_UNTIL(&b, 19000, b.downs == 1);
    assert_non_null(strstr(b.said, "within 4.5 s"));
    bench_close(&b);
}

/* How often it was asked again earlier than was said, and not because its time had come. */
static unsigned early(const struct bench *b, const char *id)
{
    const struct bench_result *before, *after;
    unsigned count = 0;
    for (size_t n = 0; (before = bench_result(b, id, n)) && (after = bench_result(b, id, n + 1)); n++) {
        const char *wait = strstr(before->text, "; trying again in ");
        unsigned said_ms = wait ? 1000 * (unsigned)atoi(wait + strlen("; trying again in ")) : 0;
        count += after->at_ms - after->duration_ms + 1000 < before->at_ms + said_ms;
    }
    return count;
}

static void test_who_answers_probes_alone_is_asked_again_once(void **state)
{
    struct bench b;
    bench_open(&b);
    struct conf_endpoint *e = bench_add(&b, &hell, "police", "probes-only/once");
    e->probe_s = 1;
    e->connect_timeout_ms = e->attempt_timeout_ms = 3000; /* a probe that is late is none that is not answered */
    bench_configure(&b);
    BENCH_UNTIL(&b, PATIENCE_MS, b.ups == 1);
    bench_tell(&b, "t1", "police");
    size_t probes = 0;
    for (int i = 0; probes < 24 && i < PATIENCE_MS / 100; i++) {
        bench_rest(&b, 100);
        json_t *seen = hell_requests(&hell, "/probes-only/once");
        probes = json_array_size(seen) > b.count ? json_array_size(seen) - b.count : 0;
        json_decref(seen);
    }
    assert_true(probes >= 24 && b.count >= 5);
    assert_in_range(early(&b, "t1"), 0, 1);
    assert_non_null(strstr(bench_result(&b, "t1", 0)->text, "no answer from 127.0.0.1:")); /* it was connected */
    bench_close(&b);
}

static unsigned rung, rung_when_read;

static void on_ring(struct due *due)
{
    rung++;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    rung_when_read = rung;
    uv_poll_stop(poll);
}

static void on_dues_closed(struct dues *dues)
{
}

/* The probes of a whole city are due at one moment; that they are late by now, each turn more, is not one standstill after
 * another. */
static void test_what_is_due_together_keeps_nobody_from_being_heard(void **state)
{
    static struct due due[2000];
    uv_loop_t loop;
    struct dues dues;
    uv_poll_t poll;
    int ends[2];
    unsigned waits = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    uv_loop_init(&loop);
    due_init(&dues, &loop);
    for (size_t i = 0; i < 2000; i++) {
        due[i].ring = on_ring;
        due_set(&dues, &due[i], due_now_ms() - 60000);
    }
    uv_sleep(5);
    uv_poll_init(&loop, &poll, ends[0]);
    uv_poll_start(&poll, UV_READABLE, on_readable);
    while (rung < 2000) {
        uv_run(&loop, UV_RUN_ONCE);
        waits += dues.reading;
    }
    assert_in_range(rung_when_read, 0, 200);
    assert_in_range(waits, 0, 5); /* it does not stand still so often between two turns */
    due_close(&dues, on_dues_closed);
    uv_close((uv_handle_t *)&poll, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(ends[0]);
    close(ends[1]);
}

/* The process was stopped, or the machine slept: what came meanwhile is looked at before anything is given up. */
static void test_an_answer_that_came_during_a_standstill_counts(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "police", "late/standstill?s=0.3");
    bench_configure(&b);
    bench_tell(&b, "warm", "police"); /* from now on a telling is on the wire when it is told */
    BENCH_UNTIL(&b, PATIENCE_MS, bench_result(&b, "warm", 0));
    bench_tell(&b, "t1", "police");
    uv_sleep(3000);
    BENCH_UNTIL(&b, PATIENCE_MS, bench_result(&b, "t1", 0));
    if (bench_result(&b, "t1", 0)->outcome != OUTCOME_RECEIVED)
        fail_msg("%s", bench_result(&b, "t1", 0)->text);
    bench_close(&b);
}

static int start(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    hell_start(&hell);
    return 0;
}

static int end(void **state)
{
    hell_end(&hell);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_alarm_stands_behind_no_repetition),
        cmocka_unit_test(test_a_new_alarm_waits_for_no_connection_that_hangs),
        cmocka_unit_test(test_who_left_a_telling_is_not_asked_first_of_the_next_alarm),
        cmocka_unit_test(test_a_probe_ends_in_time_for_a_dead_one_to_be_seen),
        cmocka_unit_test(test_who_answers_probes_alone_is_asked_again_once),
        cmocka_unit_test(test_what_is_due_together_keeps_nobody_from_being_heard),
        cmocka_unit_test(test_an_answer_that_came_during_a_standstill_counts),
    };
    return cmocka_run_group_tests(tests, start, end);
}
