/* How tellings live: schedule, alternates, queues, cancelling, supervision, reloading, stopping; and a storm
 * of everything at once. Against the endpoints from hell. */
#include "dispatch_bench.h"

static struct hell hell;

static double seen_s(const json_t *seen, size_t i)
{
    return json_real_value(json_object_get(json_array_get(seen, i), "at"));
}

/* ---- schedule ---- */

static void test_attempts_follow_the_schedule_with_one_id_and_body(void **state)
{
    static const double at_s[] = {0, 1, 2, 5};
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "police", "fail-first/schedule?n=3");
    bench_add(&b, &hell, "slow", "status/slow?code=404");
    bench_configure(&b);
    bench_tell(&b, "t1", "police");
    bench_tell(&b, "t2", "slow");
    BENCH_UNTIL(&b, 8000, bench_result(&b, "t1", 3));
    json_t *seen = hell_requests(&hell, "/fail-first/schedule");
    assert_int_equal(json_array_size(seen), 4);
    for (size_t i = 0; i < 4; i++) {
        const struct bench_result *r = bench_result(&b, "t1", i);
        assert_int_equal(r->attempt, i + 1);
        assert_int_equal(r->final, i == 3);
        /* Each, the first too, is seen late on a busy machine. */
        double late_s = seen_s(seen, i) - seen_s(seen, 0) - at_s[i];
        assert_true(late_s > -0.5 && late_s < 1.5);
        assert_string_equal(json_string_value(json_object_get(json_array_get(seen, i), "id")), "t1");
        assert_true(json_equal(json_object_get(json_array_get(seen, i), "body"),
                               json_object_get(json_array_get(seen, 0), "body")));
    }
    json_decref(seen);
    assert_non_null(strstr(bench_result(&b, "t1", 1)->text, "503 Service Unavailable; trying again"));
    assert_non_null(strstr(bench_result(&b, "t1", 2)->text, "; trying again in "));
    assert_null(bench_result(&b, "t2", 1)); /* somebody must mend it: every 30 s */
    const char *wait = strstr(bench_result(&b, "t2", 0)->text, "trying again in ");
    assert_in_range(atoi(wait + strlen("trying again in ")), 27, 33);
    bench_close(&b);
}

static void test_given_up_in_time(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "police", "@refused/x");
    bench_configure(&b);
    bench_tell_with(&b, "t1", "police", DISPATCH_TEST, 2);
    BENCH_UNTIL(&b, 4000, bench_result(&b, "t1", 2));
    assert_false(b.results[1].final);
    assert_true(b.results[2].final);
    assert_int_equal(b.results[2].outcome, OUTCOME_FAILED);
    assert_non_null(strstr(b.results[2].text, "; given up"));
    bench_rest(&b, 1500);
    assert_int_equal(b.count, 3);
    bench_close(&b);
}

/* ---- alternates ---- */

struct alternate_case {
    const char *id, *first, *second;
    enum delivery_outcome outcome;
    unsigned from_ms, to_ms;
    const char *text;
};

static const struct alternate_case alternate_cases[] = {
    {"black hole", "@black-hole/x", "echo/a0", OUTCOME_RECEIVED, 390, 1000, "200"}, /* connecting: 400 ms */
    {"silence", "silent/a1", "echo/a1", OUTCOME_RECEIVED, 590, 1000, "200"},        /* half of 1200 ms */
    {"late", "late-first/a2?s=1", "echo/a2", OUTCOME_RECEIVED, 590, 950, "answered 200 OK"},
    {"not found", "status/a3?code=404", "echo/a3", OUTCOME_RECEIVED, 0, 400, "answered 200 OK"},
    {"refused", "@refused/x", "echo/a4", OUTCOME_RECEIVED, 0, 400, "answered 200 OK"},
    {"unconfirmed", "html/a5", "echo/a5", OUTCOME_RECEIVED, 0, 400, "answered 200 OK"},
    {"a refusal is an answer", "refuse/a6", "echo/a6", OUTCOME_REFUSED, 0, 400, "refuses: not our district"},
    {"both bad", "@refused/x", "status/a7?code=404", OUTCOME_FAILED, 0, 400,
     "connection refused at 127.0.0.1:"},
    {"better of two", "html/a8", "@refused/x", OUTCOME_UNCONFIRMED, 0, 400,
     "; connection refused at 127.0.0.1:"},
    {"both silent", "silent/a9", "silent/a9b", OUTCOME_FAILED, 1100, 1750, "; no answer from 127.0.0.1:"},
};
#define ALTERNATE_CASES (sizeof alternate_cases / sizeof alternate_cases[0])

static void test_alternates_are_tried_in_time(void **state)
{
    struct bench b;
    bench_open(&b);
    for (size_t i = 0; i < ALTERNATE_CASES; i++) {
        bench_add(&b, &hell, alternate_cases[i].id, alternate_cases[i].first)->confirm = CONF_CONFIRM_ECHO;
        bench_alternate(&b, &hell, alternate_cases[i].second);
    }
    bench_configure(&b);
    for (size_t i = 0; i < ALTERNATE_CASES; i++)
        bench_tell(&b, alternate_cases[i].id, alternate_cases[i].id);
    bench_rest(&b, 800);
    BENCH_UNTIL(&b, 3000, bench_result(&b, "both silent", 0));
    for (size_t i = 0; i < ALTERNATE_CASES; i++) {
        const struct alternate_case *c = &alternate_cases[i];
        const struct bench_result *r = bench_result(&b, c->id, 0);
        if (!r || r->outcome != c->outcome || r->duration_ms < c->from_ms || r->duration_ms > c->to_ms ||
            !strstr(r->text, c->text))
            fail_msg("%s: %u ms: %s", c->id, r ? r->duration_ms : 0, r ? r->text : "no result");
        if (c->outcome == OUTCOME_RECEIVED) /* the slower try was given up: one result, not two */
            assert_null(bench_result(&b, c->id, 1));
    }
    /* one of them may come back, so this one is not at the slow pace */
    const char *again = strstr(bench_result(&b, "both bad", 0)->text, "; trying again");
    assert_non_null(again);
    assert_true(strstr(again, "at once") || atoi(again + strlen("; trying again in ")) < 10);
    assert_true(bench_tell(&b, "again", "black hole")); /* known to be silent: the alternate goes first */
    BENCH_UNTIL(&b, 1000, bench_result(&b, "again", 0));
    assert_true(bench_result(&b, "again", 0)->duration_ms < 200);
    bench_close(&b);
}

/* ---- queues ---- */

static void test_the_gravest_goes_first(void **state)
{
    static const struct {
        const char *id;
        enum dispatch_priority priority;
    } told[] = {{"occupies", DISPATCH_TROUBLE}, {"test-1", DISPATCH_TEST},     {"test-2", DISPATCH_TEST},
                {"trouble", DISPATCH_TROUBLE},  {"update-1", DISPATCH_UPDATE}, {"update-2", DISPATCH_UPDATE}};
    static const char *const expected[] = {"occupies", "update-1", "update-2", "trouble", "test-1", "test-2"};
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "police", "late/order?s=0.05")->connections = 1;
    bench_configure(&b);
    for (size_t i = 0; i < 6; i++)
        bench_tell_with(&b, told[i].id, "police", told[i].priority, 0);
    struct dispatch_endpoint_status status;
    assert_true(dispatch_endpoint_status(b.dispatch, "police", &status));
    assert_int_equal(status.under_way, 1);
    assert_int_equal(status.queued, 5);
    BENCH_UNTIL(&b, 3000, b.count == 6);
    json_t *seen = hell_requests(&hell, "/late/order");
    assert_int_equal(json_array_size(seen), 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(seen, i), "id")), expected[i]);
    json_decref(seen);
    assert_true(dispatch_endpoint_status(b.dispatch, "police", &status));
    assert_int_equal(status.sent, 6);
    assert_int_equal(status.received, 6);
    assert_false(dispatch_endpoint_status(b.dispatch, "nobody", &status));
    bench_close(&b);
}

static unsigned received_by(const struct bench *b, const char *endpoint)
{
    unsigned count = 0;
    for (size_t i = 0; i < b->count; i++)
        count += b->results[i].outcome == OUTCOME_RECEIVED && strcmp(b->results[i].endpoint, endpoint) == 0;
    return count;
}

/* Also with hundreds of tellings waiting for each of the bad ones. */
static void test_bad_endpoints_delay_no_good_one(void **state)
{
    static const char *const bad[] = {"@black-hole/x", "slow-loris/bad", "@refused/x", "status/bad?code=500"};
    struct bench b;
    char id[64];
    bench_open(&b);
    for (size_t i = 0; i < 4; i++)
        bench_add(&b, &hell, bad[i], bad[i]);
    bench_add(&b, &hell, "good", "echo/among-bad")->confirm = CONF_CONFIRM_ECHO;
    bench_configure(&b);
    for (int n = 0; n < 300; n++)
        for (size_t i = 0; i < 4; i++) {
            snprintf(id, sizeof id, "bad-%zu-%d", i, n);
            bench_tell(&b, id, bad[i]);
        }
    for (unsigned n = 0; n < 200; n++) {
        snprintf(id, sizeof id, "good-%u", n);
        bench_tell(&b, id, "good");
        BENCH_UNTIL(&b, 1000, received_by(&b, "good") == n + 1);
        assert_true(bench_result(&b, id, 0)->duration_ms < 300);
    }
    bench_close(&b);
}

/* ---- what waited for a connection is asked for its news when it leaves ---- */

static void renew(struct bench *b, struct dispatch_telling *t)
{
    char id[sizeof t->id];
    if (strcmp(t->id, "as-it-was") == 0)
        return;
    snprintf(id, sizeof id, "%.*s-renewed", (int)sizeof id - 16, t->id);
    memcpy(t->id, id, sizeof t->id);
    free(t->take_body);
    t->take_body = strdup("{\"renewed\":true}");
    t->body_size = strlen(t->take_body);
}

static void test_what_waited_is_renewed_when_it_leaves(void **state)
{
    static const char *const expected[] = {"at-once", "waited-renewed", "as-it-was", "fails-first-renewed"};
    struct bench b;
    bench_open(&b);
    b.on_leaving = renew;
    bench_add(&b, &hell, "police", "late/renew?s=0.05")->connections = 1;
    bench_add(&b, &hell, "bad", "status/renew?code=500")->connections = 1;
    bench_configure(&b);
    bench_tell_with(&b, "at-once", "police", DISPATCH_UPDATE, 0);
    bench_tell_with(&b, "waited", "police", DISPATCH_UPDATE, 0);
    bench_tell_with(&b, "as-it-was", "police", DISPATCH_UPDATE, 0);
    bench_tell_with(&b, "cancelled", "police", DISPATCH_UPDATE, 0);
    dispatch_cancel(b.dispatch, "cancelled", "police");
    bench_tell_with(&b, "occupies", "bad", DISPATCH_UPDATE, 0);
    bench_tell_with(&b, "fails-first", "bad", DISPATCH_UPDATE, 0);
    BENCH_UNTIL(&b, 4000, bench_result(&b, "as-it-was", 0) && bench_result(&b, "fails-first-renewed", 1));
    json_t *seen = hell_requests(&hell, "/late/renew");
    assert_int_equal(json_array_size(seen), 3);
    for (size_t i = 0; i < 3; i++) {
        json_t *request = json_array_get(seen, i);
        assert_string_equal(json_string_value(json_object_get(request, "id")), expected[i]);
        assert_true((strstr(json_string_value(json_object_get(request, "body")), "renewed\":true") != NULL) == (i == 1));
        assert_non_null(bench_result(&b, expected[i], 0));
    }
    json_decref(seen);
    assert_null(bench_result(&b, "fails-first-renewed-renewed", 0)); /* once: a repetition carries the same id and body */
    dispatch_cancel(b.dispatch, "fails-first-renewed", "bad");
    dispatch_cancel(b.dispatch, "occupies", "bad");
    bench_close(&b);
}

/* ---- cancelling ---- */

static void cancel_from_result(struct bench *b, const struct dispatch_result *r)
{
    dispatch_cancel(b->dispatch, r->id, r->endpoint);
    dispatch_cancel(b->dispatch, r->id, r->endpoint);
}

static void test_cancelled_in_every_state(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "busy", "late/cancel?s=0.3")->connections = 1;
    bench_add(&b, &hell, "bad", "@refused/x");
    bench_configure(&b);
    bench_tell_with(&b, "under-way", "busy", DISPATCH_UPDATE, 0);
    bench_tell_with(&b, "queued", "busy", DISPATCH_UPDATE, 0);
    bench_tell_with(&b, "stays", "busy", DISPATCH_UPDATE, 0);
    dispatch_cancel(b.dispatch, "queued", "busy");
    dispatch_cancel(b.dispatch, "under-way", "busy");
    dispatch_cancel(b.dispatch, "stays", "bad"); /* not that endpoint's */
    dispatch_cancel(b.dispatch, "unknown", "busy");
    bench_tell(&b, "waiting", "bad");
    BENCH_UNTIL(&b, 2000, bench_result(&b, "waiting", 0));
    dispatch_cancel(b.dispatch, "waiting", "bad");
    BENCH_UNTIL(&b, 2000, bench_result(&b, "stays", 0));
    b.on_result = cancel_from_result;
    bench_tell(&b, "in-result", "bad");
    bench_tell(&b, "in-last-result", "busy");
    BENCH_UNTIL(&b, 2000, bench_result(&b, "in-result", 0) && bench_result(&b, "in-last-result", 0));
    bench_rest(&b, 1300);
    assert_int_equal(b.count, 4);
    json_t *seen = hell_requests(&hell, "/late/cancel");
    assert_int_equal(json_array_size(seen), 3); /* "queued" never left; "under-way" was let end */
    json_decref(seen);
    bench_close(&b);
}

/* ---- supervision ---- */

static void test_probes_see_an_endpoint_go_and_come(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "police", "fail-first/probed?n=2&code=404")->probe_s = 1;
    bench_configure(&b);
    bench_tell(&b, "t1", "police"); /* 404 as well: due again in 30 s, or when a probe is answered */
    BENCH_UNTIL(&b, 2000, b.downs == 1);
    assert_non_null(strstr(b.said, "police: the probe was answered 404 Not Found"));
    BENCH_UNTIL(&b, 3000, b.ups == 1 && bench_result(&b, "t1", 1));
    assert_int_equal(bench_result(&b, "t1", 1)->outcome, OUTCOME_RECEIVED);
    struct dispatch_endpoint_status status;
    assert_true(dispatch_endpoint_status(b.dispatch, "police", &status));
    assert_true(status.known && status.up);
    assert_int_equal(b.downs, 1);
    json_t *seen = hell_requests(&hell, "/fail-first/probed");
    unsigned probes = 0;
    for (size_t i = 0; i < json_array_size(seen); i++) {
        json_t *body =
            json_loads(json_string_value(json_object_get(json_array_get(seen, i), "body")), 0, NULL);
        probes += strcmp(json_string_value(json_object_get(body, "type")), "probe") == 0;
        json_decref(body);
    }
    json_decref(seen);
    assert_int_equal(probes, 2); /* one answered 404, one well; the telling likewise */
    bench_close(&b);
}

static void test_who_answers_probes_alone_is_dead_until_nothing_waits(void **state)
{
    struct bench b;
    bench_open(&b);
    struct conf_endpoint *e = bench_add(&b, &hell, "police", "probes-only/x");
    e->probe_s = 1;
    e->connect_timeout_ms = e->attempt_timeout_ms = 1500;
    bench_configure(&b);
    BENCH_UNTIL(&b, 5000, b.ups == 1);
    bench_tell(&b, "t1", "police");
    BENCH_UNTIL(&b, 30000, bench_result(&b, "t1", 4));
    assert_true(b.downs == 1 && b.ups == 1);
    dispatch_cancel(b.dispatch, "t1", "police");
    BENCH_UNTIL(&b, 10000, b.ups == 2);
    bench_close(&b);
}

static void test_each_address_is_supervised(void **state)
{
    struct bench b;
    bench_open(&b);
    struct conf_endpoint *e = bench_add(&b, &hell, "police", "echo/supervised");
    e->probe_s = 1;
    bench_alternate(&b, &hell, "@refused/x");
    bench_configure(&b);
    BENCH_UNTIL(&b, 2000, b.downs == 1);
    bench_rest(&b, 1500);
    assert_non_null(strstr(b.said, "police: connection refused at 127.0.0.1:"));
    assert_true(b.downs == 1 && b.ups == 0); /* said once */
    bench_close(&b);
}

/* ---- reload ---- */

static void test_a_reload_takes_effect_and_loses_nothing(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "moves", "@refused/x");
    bench_add(&b, &hell, "goes", "late/goes?s=0.4");
    bench_configure(&b);
    bench_tell(&b, "t1", "moves");
    bench_tell(&b, "t2", "goes");
    BENCH_UNTIL(&b, 1000, bench_result(&b, "t1", 0));
    hell_url(&hell, b.url_texts[0][0], "echo/moved");
    b.endpoint_count = 1;
    bench_configure(&b);
    bench_configure(&b); /* nothing changed: nothing happens */
    assert_false(bench_tell(&b, "t3", "goes"));
    assert_false(bench_tell(&b, "t4", "never-was"));
    BENCH_UNTIL(&b, 3000, bench_result(&b, "t1", 1) && bench_result(&b, "t2", 0));
    assert_int_equal(bench_result(&b, "t1", 1)->outcome, OUTCOME_RECEIVED);
    assert_int_equal(bench_result(&b, "t2", 0)->outcome, OUTCOME_RECEIVED);
    b.endpoint_count = 2;
    bench_configure(&b);
    assert_true(bench_tell(&b, "t5", "goes"));
    BENCH_UNTIL(&b, 3000, bench_result(&b, "t5", 0));
    bench_close(&b);
}

static void test_what_waits_is_told_at_once_where_a_reload_says(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "police", "status/mistyped?code=404")->probe_s = 1;
    bench_configure(&b);
    bench_tell(&b, "t1", "police");
    BENCH_UNTIL(&b, 2000, b.downs == 1 && bench_result(&b, "t1", 0)); /* due again in 30 s */
    bench_add(&b, &hell, "bureau", "status/mistyped-and-slow?code=404&s=0.3");
    bench_configure(&b);
    bench_tell(&b, "t2", "bureau"); /* under way */
    hell_url(&hell, b.url_texts[1][0], "echo/corrected-meanwhile");
    hell_url(&hell, b.url_texts[0][0], "echo/corrected");
    bench_configure(&b);
    BENCH_UNTIL(&b, 3000, b.ups == 1 && bench_result(&b, "t1", 1));
    assert_int_equal(bench_result(&b, "t1", 1)->outcome, OUTCOME_RECEIVED);
    BENCH_UNTIL(&b, 3000, bench_result(&b, "t2", 1));
    assert_int_equal(bench_result(&b, "t2", 0)->status, 404);
    assert_int_equal(bench_result(&b, "t2", 1)->outcome, OUTCOME_RECEIVED);
    bench_close(&b);
}

static void test_an_endpoint_that_comes_back_dead_is_said_to_be(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "bureau", "echo/stays");
    bench_add(&b, &hell, "police", "@refused/x")->probe_s = 1;
    bench_configure(&b);
    bench_tell(&b, "t1", "police"); /* it is kept for its sake */
    BENCH_UNTIL(&b, 2000, b.downs == 1);
    b.endpoint_count = 1;
    bench_configure(&b);
    b.endpoint_count = 2;
    bench_configure(&b);
    BENCH_UNTIL(&b, 3000, b.downs == 2);
    bench_close(&b);
}

static void test_what_is_said_of_an_address_goes_with_it(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "police", "@refused/x")->probe_s = 1;
    bench_configure(&b);
    BENCH_UNTIL(&b, 2000, b.downs == 1);
    assert_non_null(strstr(b.said, "connection refused"));
    hell_url(&hell, b.url_texts[0][0], "status/wrong?code=404");
    bench_configure(&b);
    BENCH_UNTIL(&b, 3000, strstr(b.said, "the probe was answered 404"));
    bench_close(&b);
}

static void test_another_reason_is_said_when_it_is_no_accident(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "police", "fail-first/worse?n=1&code=404&then=500")->probe_s = 1;
    bench_configure(&b);
    BENCH_UNTIL(&b, 2000, b.downs == 1);
    assert_non_null(strstr(b.said, "the probe was answered 404"));
    BENCH_UNTIL(&b, 6000, b.downs == 2);
    assert_non_null(strstr(b.said, "the probe was answered 500"));
    json_t *seen = hell_requests(&hell, "/fail-first/worse");
    assert_true(json_array_size(seen) >= 3);
    json_decref(seen);
    struct dispatch_endpoint_status status;
    assert_true(dispatch_endpoint_status(b.dispatch, "police", &status));
    assert_string_equal(status.text, b.said);
    bench_close(&b);
}

static void copy_file(const char *from, const char *to)
{
    char command[800];
    snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

/* A renewed file under the same name; what the minute's look does, a reload does at once. */
static void test_renewed_certificates_are_taken(void **state)
{
    struct bench b;
    char ca[300], wrong[300], right[300];
    snprintf(ca, sizeof ca, "%s/used.pem", hell.certificates);
    snprintf(wrong, sizeof wrong, "%s/other-client.pem", hell.certificates);
    snprintf(right, sizeof right, "%s/ca.pem", hell.certificates);
    copy_file(wrong, ca);
    bench_open(&b);
    bench_add(&b, &hell, "police", "@tls:good/ok")->ca_file = ca;
    bench_configure(&b);
    bench_tell(&b, "t1", "police");
    BENCH_UNTIL(&b, 2000, bench_result(&b, "t1", 0));
    assert_int_equal(bench_result(&b, "t1", 0)->outcome, OUTCOME_FAILED);
    copy_file(right, ca);
    bench_configure(&b);
    BENCH_UNTIL(&b, 2000, bench_result(&b, "t1", 1));
    assert_int_equal(bench_result(&b, "t1", 1)->outcome, OUTCOME_RECEIVED);
    copy_file(wrong, ca); /* and a kept connection does not outlive the trust in it */
    bench_configure(&b);
    bench_tell(&b, "t2", "police");
    BENCH_UNTIL(&b, 2000, bench_result(&b, "t2", 0));
    assert_int_equal(bench_result(&b, "t2", 0)->outcome, OUTCOME_FAILED);
    bench_close(&b);
}

/* ---- stopping ---- */

static void test_stopping_lets_requests_end_but_not_for_long(void **state)
{
    struct bench b;
    char id[64];
    bench_open(&b);
    bench_add(&b, &hell, "late", "late/stop?s=0.3");
    struct conf_endpoint *silent = bench_add(&b, &hell, "silent", "silent/stop");
    silent->attempt_timeout_ms = 60000;
    silent->probe_s = 1;
    bench_configure(&b);
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "t%d", i);
        bench_tell(&b, id, i % 2 ? "late" : "silent");
    }
    bench_close(&b); /* keeps the time, and that nothing comes after it has stopped */
}

static void test_stopping_reports_what_still_ended(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "late", "late/stop2?s=0.3")->connections = 2;
    bench_configure(&b);
    bench_tell_with(&b, "t1", "late", DISPATCH_UPDATE, 0);
    bench_tell_with(&b, "t2", "late", DISPATCH_UPDATE, 0);
    bench_tell_with(&b, "t3", "late", DISPATCH_UPDATE, 0);
    dispatch_cancel(b.dispatch, "t2", "late");
    dispatch_stop(b.dispatch, bench_on_stopped, &b);
    assert_true(bench_tell(&b, "t4", "late"));
    BENCH_UNTIL(&b, 2500, b.stopped);
    assert_int_equal(b.count, 1);
    assert_string_equal(b.results[0].id, "t1");
    assert_int_equal(b.results[0].outcome, OUTCOME_RECEIVED);
    dispatch_destroy(b.dispatch);
    uv_close((uv_handle_t *)&b.limit, NULL);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b.loop), 0);
    bench_check_files(&b);
    free(b.results);
}

static void test_stopping_at_once(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_close(&b);
}

/* ---- a storm ---- */

#define STORM_TELLINGS 900
static unsigned storm_told;

/* Deeds at random, also from within results: tell more, cancel, reload. */
static void storm_more(struct bench *b)
{
    char id[64];
    if (storm_told >= STORM_TELLINGS)
        return;
    snprintf(id, sizeof id, "storm-%u", storm_told++);
    size_t endpoint = (size_t)rand() % b->endpoint_count;
    bench_tell_with(b, id, b->ids[endpoint], (enum dispatch_priority)(rand() % DISPATCH_PRIORITY_COUNT),
                    (unsigned)(1 + rand() % 2));
    if (rand() % 10 == 0) { /* some other one, in whatever state it is; marked by its cookie in `cancelled` */
        snprintf(id, sizeof id, "storm-%d", rand() % (int)storm_told);
        for (size_t i = 0; i < b->endpoint_count; i++)
            dispatch_cancel(b->dispatch, id, b->ids[i]);
    }
}

static void storm_result(struct bench *b, const struct dispatch_result *r)
{
    storm_more(b);
    if (rand() % 3 == 0)
        storm_more(b);
}

/* Each telling's results are attempts 1, 2, 3 …, and nothing after the final one. */
static void check_accounts(const struct bench *b)
{
    static uint32_t attempts[STORM_TELLINGS];
    static bool ended[STORM_TELLINGS];
    memset(attempts, 0, sizeof attempts);
    memset(ended, 0, sizeof ended);
    for (size_t i = 0; i < b->count; i++) {
        const struct bench_result *r = &b->results[i];
        unsigned n = (unsigned)atoi(r->id + strlen("storm-"));
        assert_false(ended[n]);
        assert_int_equal(r->attempt, ++attempts[n]);
        ended[n] = r->final;
    }
}

static unsigned left_over(const struct bench *b)
{
    struct dispatch_endpoint_status s;
    unsigned count = 0;
    for (size_t i = 0; i < b->endpoint_count && dispatch_endpoint_status(b->dispatch, b->ids[i], &s); i++)
        count += s.queued + s.under_way;
    return count;
}

static void test_a_storm_loses_and_doubles_nothing(void **state)
{
    static const char *const paths[] = {
        "echo/storm",
        "flapping/storm",
        "@refused/x",
        "reset-after-request/storm",
        "close-when-idle/storm",
        "reset-on-reuse/storm",
        "slow-loris/storm",
        "huge-body/storm",
        "two-answers/storm",
        "late/storm?s=0.1",
        "@black-hole/x",
        "@tls:expired/storm",
        "@tls:good/echo",
        "@resetting/x",
        "status/storm?code=404",
    };
    const char *seed = getenv("TOCSIN_TEST_SEED");
    srand(seed ? (unsigned)atoi(seed) : 7);
    struct bench b;
    bench_open(&b);
    storm_told = 0;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct conf_endpoint *e = bench_add(&b, &hell, paths[i], paths[i]);
        e->probe_s = 1;
        e->attempt_timeout_ms = 200;
        if (i % 3 == 0)
            bench_alternate(&b, &hell, paths[(i + 1) % (sizeof paths / sizeof paths[0])]);
    }
    bench_configure(&b);
    b.on_result = storm_result;
    for (int i = 0; i < 200; i++)
        storm_more(&b);
    for (int round = 0; left_over(&b) > 0 && round < 300; round++) {
        b.endpoints[round % b.endpoint_count].connections = 1 + (unsigned)rand() % 4;
        bench_configure(&b);
        bench_rest(&b, 100);
        storm_more(&b);
    }
    assert_int_equal(left_over(&b), 0);
    check_accounts(&b);
    assert_true(b.count > STORM_TELLINGS / 2);
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
        cmocka_unit_test(test_attempts_follow_the_schedule_with_one_id_and_body),
        cmocka_unit_test(test_given_up_in_time),
        cmocka_unit_test(test_alternates_are_tried_in_time),
        cmocka_unit_test(test_the_gravest_goes_first),
        cmocka_unit_test(test_bad_endpoints_delay_no_good_one),
        cmocka_unit_test(test_what_waited_is_renewed_when_it_leaves),
        cmocka_unit_test(test_cancelled_in_every_state),
        cmocka_unit_test(test_probes_see_an_endpoint_go_and_come),
        cmocka_unit_test(test_who_answers_probes_alone_is_dead_until_nothing_waits),
        cmocka_unit_test(test_each_address_is_supervised),
        cmocka_unit_test(test_a_reload_takes_effect_and_loses_nothing),
        cmocka_unit_test(test_what_waits_is_told_at_once_where_a_reload_says),
        cmocka_unit_test(test_an_endpoint_that_comes_back_dead_is_said_to_be),
        cmocka_unit_test(test_what_is_said_of_an_address_goes_with_it),
        cmocka_unit_test(test_another_reason_is_said_when_it_is_no_accident),
        cmocka_unit_test(test_renewed_certificates_are_taken),
        cmocka_unit_test(test_stopping_lets_requests_end_but_not_for_long),
        cmocka_unit_test(test_stopping_reports_what_still_ended),
        cmocka_unit_test(test_stopping_at_once),
        cmocka_unit_test(test_a_storm_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests(tests, start, end);
}
