/* Who may ask what, how errors look, and what can be asked without an alarm. */
#include "api_rig.h"

static void test_tokens_and_roles(void **state)
{
    static const struct {
        const char *method, *path, *who;
        long status;
        const char *type, *field;
    } table[] = {
        {"GET", "/api/v1/alarms", NULL, 401, "unauthorized", NULL},
        {"GET", "/api/v1/alarms", "nobody", 401, "unauthorized", NULL},
        {"GET", "/api/v1/alarms", "", 401, "unauthorized", NULL},
        {"GET", "/api/v1/alarms", "viewer", 200, NULL, NULL},
        {"POST", "/api/v1/alarms/a2222222222222222222a/acknowledge", NULL, 401, "unauthorized", NULL},
        {"POST", "/api/v1/alarms/a2222222222222222222a/acknowledge", "viewer", 403, "forbidden", NULL},
        {"POST", "/api/v1/alarms/a2222222222222222222a/acknowledge", "desk", 404, "not-found", NULL},
        {"POST", "/api/v1/alarms/a2222222222222222222a/close", "desk", 404, "not-found", NULL},
        {"GET", "/api/v1/alarms/a2222222222222222222a", "desk", 404, "not-found", NULL},
        {"GET", "/api/v1/alarms/%27%20or%201=1--", "desk", 404, "not-found", NULL},
        {"GET", "/api/v1/journal", "desk", 200, NULL, NULL},
        {"GET", "/api/v1/journal", "viewer", 200, NULL, NULL},
        {"GET", "/api/v1/journal", "admin-2", 200, NULL, NULL},
        {"GET", "/api/v1/journal", "guard-1", 403, "forbidden", NULL},
        {"GET", "/api/v1/journal/checkpoint", "guard-1", 403, "forbidden", NULL},
        {"GET", "/api/v1/journal/proof?seq=1", "guard-1", 403, "forbidden", NULL},
        {"GET", "/api/v1/nothing", "desk", 404, "not-found", NULL},
        {"GET", "/nothing", NULL, 404, "not-found", NULL},
        {"GET", "/api/v1/alarms/", "desk", 404, "not-found", NULL},
        {"GET", "/api/v1/alarms//acknowledge", "desk", 404, "not-found", NULL},
        {"GET", "/api/v1/../../etc/passwd", "desk", 400, "bad-request", NULL},
        {"GET", "/api/v1/alarms%00", "desk", 400, "bad-request", NULL},
        {"DELETE", "/api/v1/alarms", "desk", 405, "method", NULL},
        {"POST", "/healthz", NULL, 405, "method", NULL},
        {"GET", "/api/v1/alarms/a2222222222222222222a/close", "desk", 405, "method", NULL},
        {"OPTIONS", "/api/v1/alarms", NULL, 405, "method", NULL},
        {"GET", "/api/v1/alarms?stat=open", "desk", 400, "bad-request", "stat"},
        {"GET", "/api/v1/alarms?state=opn", "desk", 400, "bad-request", "state"},
        {"GET", "/api/v1/alarms?state=open&state=closed", "desk", 400, "bad-request", "state"},
        {"GET", "/api/v1/alarms?limit=0", "desk", 400, "bad-request", "limit"},
        {"GET", "/api/v1/alarms?limit=-1", "desk", 400, "bad-request", "limit"},
        {"GET", "/api/v1/alarms?limit=10x", "desk", 400, "bad-request", "limit"},
        {"GET", "/api/v1/alarms?limit=99999999999999999999999", "desk", 400, "bad-request", "limit"},
        {"GET", "/api/v1/alarms?before=", "desk", 400, "bad-request", "before"},
        {"GET", "/api/v1/alarms?before=9999999999999999999", "desk", 400, "bad-request", "before"},
        {"GET", "/api/v1/alarms?site=school-9", "desk", 400, "bad-request", "site"},
        {"GET", "/api/v1/alarms?site=school-2", "guard-1", 400, "bad-request", "site"},
        {"GET", "/api/v1/alarms?site=school-1", "guard-1", 200, NULL, NULL},
        {"GET", "/api/v1/devices?site=school-2", "guard-1", 400, "bad-request", "site"},
        {"GET", "/api/v1/devices?after=x", "desk", 400, "bad-request", "after"},
        {"GET", "/api/v1/devices?after=4294967294", "desk", 200, NULL, NULL},
        {"GET", "/api/v1/devices?after=4294967295", "desk", 400, "bad-request", "after"},
        {"GET", "/api/v1/journal?from=0", "desk", 400, "bad-request", "from"},
        {"GET", "/api/v1/journal?limit=10001", "desk", 400, "bad-request", "limit"},
        {"GET", "/api/v1/journal/proof", "desk", 400, "bad-request", "seq"},
        {"GET", "/api/v1/journal/proof?seq=99999", "desk", 400, "bad-request", "seq"},
        {"GET", "/api/v1/journal/proof?seq=1&size=99999", "desk", 400, "bad-request", "size"},
        {"GET", "/api/v1/journal/consistency?old=2&new=1", "desk", 400, "bad-request", "old"},
        {"GET", "/api/v1/feed?from=x", "desk", 400, "bad-request", "from"},
        {"GET", "/metrics?x=1", NULL, 400, "bad-request", "x"},
        {"HEAD", "/api/v1/feed", "desk", 200, NULL, NULL},
        {"HEAD", "/healthz", NULL, 200, NULL, NULL},
    };
    struct rig *r = rig_start();
    struct rig_look look = {.place = "school-1/b1"};
    rig_settle(r, &look);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct answer a = rig_ask(r, table[i].method, table[i].path, table[i].who, NULL, NULL, NULL, 20000);
        if (a.status != table[i].status)
            fail_msg("%s %s as %s: expected %ld, got %ld %s", table[i].method, table[i].path, table[i].who,
                     table[i].status, a.status, a.body);
        if (a.status == 401)
            assert_non_null(strstr(a.headers, "WWW-Authenticate: Bearer"));
        if (a.status == 405)
            assert_non_null(strstr(a.headers, "Allow: "));
        assert_non_null(strstr(a.headers, "Cache-Control: no-store"));
        expect(a, table[i].status, table[i].type, table[i].field);
    }
    struct answer scheme =
        rig_ask(r, "GET", "/api/v1/me", NULL, NULL, NULL, "Authorization: Basic dGs6dGs=", 20000);
    expect(scheme, 401, "unauthorized", NULL);
    struct answer feed = rig_ask(r, "GET", "/api/v1/feed", "desk", NULL, NULL, "Last-Event-ID: abc", 20000);
    expect(feed, 400, "bad-request", "Last-Event-ID");
    rig_stop(r);
}

static void test_me(void **state)
{
    struct rig *r = rig_start();
    struct answer a = get(r, "/api/v1/me", "desk");
    assert_string_equal(text_of(&a, "id"), "desk");
    assert_string_equal(text_of(&a, "role"), "police");
    assert_true(json_is_null(json_object_get(a.json, "sites")));
    assert_true(json_is_true(json_object_get(a.json, "may_answer")));
    answer_free(&a);
    a = get(r, "/api/v1/me", "guard-1");
    assert_int_equal(json_array_size(json_object_get(a.json, "sites")), 1);
    assert_true(json_is_false(json_object_get(a.json, "may_read_journal")));
    answer_free(&a);
    rig_stop(r);
}

static void test_sites_and_devices(void **state)
{
    struct rig *r = rig_start();
    struct answer a = get(r, "/api/v1/sites", "desk");
    json_t *sites = json_object_get(a.json, "sites");
    assert_int_equal(json_array_size(sites), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(sites, 0), "name")), "School \"1\"");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(sites, 0), "device_count")), 3);
    answer_free(&a);
    a = get(r, "/api/v1/sites", "guard-2");
    assert_int_equal(json_array_size(json_object_get(a.json, "sites")), 1);
    answer_free(&a);

    char path[100] = "/api/v1/devices?limit=2";
    unsigned seen = 0, pages = 0;
    for (;; pages++) {
        a = get(r, path, "desk");
        seen += (unsigned)json_array_size(json_object_get(a.json, "devices"));
        json_t *next = json_object_get(a.json, "next");
        if (json_is_integer(next))
            snprintf(path, sizeof path, "/api/v1/devices?limit=2&after=%lld",
                     (long long)json_integer_value(next));
        bool more = json_is_integer(next);
        assert_true(more || json_is_null(next));
        answer_free(&a);
        if (!more)
            break;
    }
    assert_int_equal(seen, 6);
    assert_int_equal(pages, 2);
    a = get(r, "/api/v1/devices", "guard-2");
    assert_int_equal(json_array_size(json_object_get(a.json, "devices")), 3);
    json_t *device = json_array_get(json_object_get(a.json, "devices"), 0);
    assert_string_equal(json_string_value(json_object_get(device, "site")), "school-2");
    assert_true(json_is_false(json_object_get(device, "heard")));
    assert_true(json_is_null(json_object_get(device, "heard_at")));
    assert_true(json_is_null(json_object_get(device, "battery")));
    answer_free(&a);
    a = get(r, "/api/v1/endpoints", "guard-2");
    json_t *endpoint = json_array_get(json_object_get(a.json, "endpoints"), 0);
    assert_string_equal(json_string_value(json_object_get(endpoint, "state")), "unknown");
    answer_free(&a);
    rig_stop(r);
}

static void raise_troubles(struct rig *r, void *argument)
{
    bool raised = argument != NULL;
    engine_trouble(r->engine, TROUBLE_BROKER, "broker", raised, "no connection");
    engine_trouble(r->engine, TROUBLE_DEVICE_SILENT, "school-1/b1", raised, "device b1 says nothing");
    engine_trouble(r->engine, TROUBLE_BATTERY, "school-2/b1", raised, "device b1 has a weak battery");
    engine_batch_end(r->engine);
}

static void expect_ready(struct rig *r, bool ready, const char *reason)
{
    struct answer a = get(r, "/readyz", NULL);
    assert_int_equal(a.status, ready ? 200 : 503);
    assert_true(json_boolean_value(json_object_get(a.json, "ready")) == ready);
    assert_true(!reason || strstr(a.body, reason));
    answer_free(&a);
}

static void test_health_troubles_metrics(void **state)
{
    struct rig *r = rig_start();
    struct rig_look look = {.place = "school-1/b1"};
    rig_settle(r, &look);
    struct answer a = get(r, "/healthz", NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(text_of(&a, "version"), "0.0.test");
    answer_free(&a);
    expect_ready(r, true, NULL);
    rig_call(r, raise_troubles, "yes");
    rig_settle(r, &look);
    expect_ready(r, false, "broker");

    static const struct {
        const char *who;
        size_t count;
    } sees[] = {{"desk", 3}, {"guard-1", 2}, {"guard-2", 2}};
    for (size_t i = 0; i < 3; i++) {
        a = get(r, "/api/v1/troubles", sees[i].who);
        assert_int_equal(json_array_size(json_object_get(a.json, "troubles")), sees[i].count);
        answer_free(&a);
    }
    a = get(r, "/metrics", NULL);
    static const char *const has[] = {"# TYPE tocsin_presses_total counter\n",
                                      "\ntocsin_presses_total 0\n",
                                      "\ntocsin_troubles{code=\"broker\"} 1\n",
                                      "\ntocsin_alarms_open{mode=\"real\"} 0\n",
                                      "\ntocsin_ready 1\n",
                                      "\ntocsin_resident_memory_bytes ",
                                      "\ntocsin_build_info{version=\"0.0.test\"} 1\n"};
    for (size_t i = 0; i < sizeof has / sizeof has[0]; i++)
        if (!strstr(a.body, has[i]))
            fail_msg("no \"%s\" in %s", has[i], a.body);
    assert_non_null(strstr(a.headers, "text/plain; version=0.0.4"));
    answer_free(&a);
    rig_call(r, raise_troubles, NULL);
    rig_settle(r, &look);
    expect_ready(r, true, NULL);
    rig_stop(r);
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_and_roles),
        cmocka_unit_test(test_me),
        cmocka_unit_test(test_sites_and_devices),
        cmocka_unit_test(test_health_troubles_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
