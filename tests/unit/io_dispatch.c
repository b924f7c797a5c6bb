/* What endpoints may answer and what is made of it, against the endpoints from hell. All cases run at once:
 * an endpoint each, a telling each. */
#include "codec/webhook.h"
#include "dispatch_bench.h"
#include "io/http_client.h"

static struct hell hell;

/* ---- answers ---- */

struct answer_case {
    const char *path; /* and the name */
    enum conf_confirm confirm;
    enum delivery_outcome outcome;
    uint16_t status;
    const char *text; /* a part of the sentence */
};

#define BY_STATUS CONF_CONFIRM_STATUS
#define BY_ECHO CONF_CONFIRM_ECHO

static const struct answer_case answer_cases[] = {
    {"ok", BY_STATUS, OUTCOME_RECEIVED, 200, "answered 200 OK"},
    {"ok/echo", BY_ECHO, OUTCOME_UNCONFIRMED, 200, "did not name the alarm"},
    {"echo", BY_ECHO, OUTCOME_RECEIVED, 200, "answered 200 OK"},
    {"chunked", BY_ECHO, OUTCOME_RECEIVED, 200, "200"},
    {"http10", BY_ECHO, OUTCOME_RECEIVED, 200, "200"},
    {"hints-first", BY_ECHO, OUTCOME_RECEIVED, 200, "200"},
    {"continue-never", BY_ECHO, OUTCOME_RECEIVED, 200, "200"},
    {"created", BY_STATUS, OUTCOME_RECEIVED, 201, "answered 201 Created"},
    {"accepted", BY_STATUS, OUTCOME_RECEIVED, 202, "answered 202 Accepted"},
    {"no-content", BY_STATUS, OUTCOME_RECEIVED, 204, "answered 204 No Content"},
    {"no-content/echo", BY_ECHO, OUTCOME_UNCONFIRMED, 204, "did not name the alarm"},
    {"ack?by=desk-3", BY_ECHO, OUTCOME_RECEIVED, 200, "acknowledged by desk-3"},
    {"refuse", BY_ECHO, OUTCOME_REFUSED, 200, "refuses: not our district"},
    {"refuse/422?code=422", BY_STATUS, OUTCOME_REFUSED, 422, "refuses: not our district"},
    {"control-characters", BY_STATUS, OUTCOME_REFUSED, 200, "[2JnoX-Injected: yes."},
    {"garbage", BY_ECHO, OUTCOME_UNCONFIRMED, 200, "did not name the alarm"},
    {"empty", BY_ECHO, OUTCOME_UNCONFIRMED, 200, "did not name the alarm"},
    {"html", BY_ECHO, OUTCOME_UNCONFIRMED, 200, "did not name the alarm"},
    {"wrong-id", BY_ECHO, OUTCOME_UNCONFIRMED, 200, "did not name the alarm"},
    {"deep-json", BY_ECHO, OUTCOME_UNCONFIRMED, 200, "did not name the alarm"},
    {"duplicate-keys", BY_ECHO, OUTCOME_UNCONFIRMED, 200, "did not name the alarm"},
    {"redirect?code=301", BY_STATUS, OUTCOME_FAILED, 301, "redirects are never followed"},
    {"redirect/302", BY_STATUS, OUTCOME_FAILED, 302, "redirects are never followed"},
    {"redirect/307?code=307", BY_STATUS, OUTCOME_FAILED, 307, "redirects are never followed"},
    {"redirect/308?code=308", BY_STATUS, OUTCOME_FAILED, 308, "redirects are never followed"},
    {"redirect/file?to=file:///etc/passwd", BY_STATUS, OUTCOME_FAILED, 302, "redirects are never followed"},
    {"redirect-loop", BY_STATUS, OUTCOME_FAILED, 302, "redirects are never followed"},
    {"status/400?code=400", BY_STATUS, OUTCOME_FAILED, 400, "does not take our message"},
    {"status/401?code=401", BY_STATUS, OUTCOME_FAILED, 401, "check secret_file"},
    {"status/403?code=403", BY_STATUS, OUTCOME_FAILED, 403, "check secret_file"},
    {"status/404?code=404", BY_STATUS, OUTCOME_FAILED, 404, "check the path in the endpoint's url"},
    {"status/405?code=405", BY_STATUS, OUTCOME_FAILED, 405, "takes no POST"},
    {"status/410?code=410", BY_STATUS, OUTCOME_FAILED, 410, "given up"},
    {"status/413?code=413", BY_STATUS, OUTCOME_FAILED, 413, "does not take our message"},
    {"status/415?code=415", BY_STATUS, OUTCOME_FAILED, 415, "does not take our message"},
    {"status/417?code=417", BY_STATUS, OUTCOME_FAILED, 417, "does not take our message"},
    {"status/408?code=408", BY_STATUS, OUTCOME_FAILED, 408,
     "answered 408 Request Timeout; trying again"},
    {"status/429?code=429&retry=3600", BY_STATUS, OUTCOME_FAILED, 429,
     "answered 429 Too Many Requests; trying again in 5 s"},
    {"status/500?code=500", BY_STATUS, OUTCOME_FAILED, 500,
     "answered 500 Internal Server Error; trying again"},
    {"status/503?retry=3600", BY_STATUS, OUTCOME_FAILED, 503,
     "answered 503 Service Unavailable; trying again in 5 s"},
    {"status/999?code=999", BY_STATUS, OUTCOME_FAILED, 999, "answered 999; trying again"},
    {"silent", BY_STATUS, OUTCOME_FAILED, 0, "no answer from 127.0.0.1:"},
    {"slow-loris", BY_STATUS, OUTCOME_FAILED, 0, " answer from 127.0.0.1:"},
    {"slow-body", BY_STATUS, OUTCOME_FAILED, 0, " answer from 127.0.0.1:"},
    {"endless-headers", BY_STATUS, OUTCOME_FAILED, 0, " answer from 127.0.0.1:"},
    {"endless-continue", BY_STATUS, OUTCOME_FAILED, 0, " answer from 127.0.0.1:"},
    {"stall-in-head", BY_STATUS, OUTCOME_FAILED, 0, " answer from 127.0.0.1:"},
    {"stall-in-body", BY_STATUS, OUTCOME_FAILED, 0, "no whole answer from 127.0.0.1:"},
    {"late?s=2", BY_ECHO, OUTCOME_FAILED, 0, " answer from 127.0.0.1:"},
    {"late/soon?s=0.5", BY_ECHO, OUTCOME_RECEIVED, 200, "200"},
    {"close-after-request", BY_STATUS, OUTCOME_FAILED, 0, "closed the connection without an answer"},
    {"reset-after-request", BY_STATUS, OUTCOME_FAILED, 0, "broke the connection before its answer"},
    {"reset-in-head", BY_STATUS, OUTCOME_FAILED, 0, "broke the connection"},
    {"reset-in-body", BY_STATUS, OUTCOME_FAILED, 0, "broke the connection"},
    {"short-body", BY_STATUS, OUTCOME_FAILED, 0, "broke off in the middle of its answer"},
    {"half-close", BY_STATUS, OUTCOME_FAILED, 0, "broke off in the middle of its answer"},
    {"not-http", BY_STATUS, OUTCOME_FAILED, 0, "did not answer in HTTP"},
    {"bad-status", BY_STATUS, OUTCOME_FAILED, 0, "did not answer in HTTP"},
    {"bad-version", BY_STATUS, OUTCOME_FAILED, 0, "did not answer in HTTP: it gave no status"},
    {"bad-length", BY_STATUS, OUTCOME_FAILED, 0, "did not answer in HTTP"},
    {"bad-chunk", BY_STATUS, OUTCOME_FAILED, 0, "its chunks are wrong"},
    {"two-lengths", BY_STATUS, OUTCOME_FAILED, 0, "in two ways"},
    {"two-lengths-apart", BY_STATUS, OUTCOME_FAILED, 0, "in two ways"},
    {"two-ends", BY_STATUS, OUTCOME_FAILED, 0, "begins with CR"},
    {"two-answers", BY_STATUS, OUTCOME_FAILED, 503, "answered 503 Service Unavailable"},
    {"two-answers-apart", BY_STATUS, OUTCOME_FAILED, 503, "answered 503 Service Unavailable"},
    {"upgrade", BY_STATUS, OUTCOME_FAILED, 0, ""},
    {"cookie", BY_ECHO, OUTCOME_RECEIVED, 200, "200"},
    {"huge-body", BY_STATUS, OUTCOME_FAILED, 0, "more than 64 KiB"},
    {"header-bomb", BY_STATUS, OUTCOME_FAILED, 0, "more than 64 KiB of headers"},
    {"long-header", BY_STATUS, OUTCOME_FAILED, 0, "headers"},
    {"gzip", BY_ECHO, OUTCOME_UNCONFIRMED, 200, "did not name the alarm"},
    {"@refused/x", BY_STATUS, OUTCOME_FAILED, 0, "connection refused at 127.0.0.1:"},
    {"@black-hole/x", BY_STATUS, OUTCOME_FAILED, 0, "no connection to 127.0.0.1:"},
    {"@closing/x", BY_STATUS, OUTCOME_FAILED, 0, "the connection"},
    {"@resetting/x", BY_STATUS, OUTCOME_FAILED, 0, "the connection"},
};
#define ANSWER_CASES (sizeof answer_cases / sizeof answer_cases[0])

#define PATIENCE_MS 20000 /* of everything that does come, on a busy machine */

/* Where the end is that time is over. */
static bool waits(const struct answer_case *c)
{
    return strstr(c->text, " answer from ") || strstr(c->text, "no connection to ");
}

static void check_case(const struct answer_case *c, const struct bench_result *r)
{
    if (!r)
        fail_msg("%s: no result", c->path);
    bool good = r->outcome == c->outcome && r->status == c->status && strstr(r->text, c->text) &&
                r->attempt == 1 && r->final == (c->outcome == OUTCOME_RECEIVED);
    if (!good)
        fail_msg("%s: outcome %d status %u attempt %u %u ms final %d: %s", c->path, r->outcome, r->status,
                 r->attempt, r->duration_ms, r->final, r->text);
    for (const char *t = r->text; *t; t++)
        assert_true((unsigned char)*t >= ' ');
}

static unsigned first_results(const struct bench *b)
{
    unsigned count = 0;
    for (size_t i = 0; i < b->count; i++)
        count += b->results[i].attempt == 1;
    return count;
}

static void test_every_answer_means_what_the_contract_says(void **state)
{
    struct bench b;
    char id[LIMIT_ID];
    bench_open(&b);
    for (size_t i = 0; i < ANSWER_CASES; i++) {
        snprintf(id, sizeof id, "endpoint-%zu", i);
        struct conf_endpoint *e = bench_add(&b, &hell, id, answer_cases[i].path);
        e->confirm = answer_cases[i].confirm;
        if (!waits(&answer_cases[i]))
            e->connect_timeout_ms = e->attempt_timeout_ms = PATIENCE_MS;
    }
    bench_configure(&b);
    for (size_t i = 0; i < ANSWER_CASES; i++) {
        snprintf(id, sizeof id, "telling-%zu", i);
        assert_true(bench_tell(&b, id, b.ids[i]));
    }
    assert_int_equal(b.count, 0); /* nothing is reported from within dispatch_tell() */
    BENCH_UNTIL(&b, PATIENCE_MS, first_results(&b) == ANSWER_CASES);
    for (size_t i = 0; i < ANSWER_CASES; i++) {
        snprintf(id, sizeof id, "telling-%zu", i);
        check_case(&answer_cases[i], bench_result(&b, id, 0));
        assert_int_equal(bench_result(&b, id, 0)->cookie, i);
    }
    bench_close(&b);
    json_t *followed = hell_requests(&hell, "/ok/redirected");
    assert_int_equal(json_array_size(followed), 0);
    json_decref(followed);
}

/* ---- TLS ---- */

struct tls_case {
    const char *path;
    bool own_authority, client, other_client, revocations;
    enum delivery_outcome outcome;
    const char *text;
};

static const struct tls_case tls_cases[] = {
    {"@tls:good/echo", true, false, false, false, OUTCOME_RECEIVED, "200"},
    {"@tls:good/echo", true, true, false, true, OUTCOME_RECEIVED, "200"},
    {"@tls:good/echo", false, false, false, false, OUTCOME_FAILED, "not issued by an authority"},
    {"@tls:expired/echo", true, false, false, false, OUTCOME_FAILED, "has expired"},
    {"@tls:not-yet-valid/echo", true, false, false, false, OUTCOME_FAILED, "is not yet valid"},
    {"@tls:wrong-host/echo", true, false, false, false, OUTCOME_FAILED, "is for another host"},
    {"@tls:self-signed/echo", true, false, false, false, OUTCOME_FAILED, "is self-signed"},
    {"@tls:revoked/echo", true, false, false, true, OUTCOME_FAILED, "has been revoked"},
    {"@tls:old-version/echo", true, false, false, false, OUTCOME_FAILED, "does not speak TLS 1.2"},
    {"@tls:client-required/echo", true, true, false, false, OUTCOME_RECEIVED, "200"},
    {"@tls:client-required/echo", true, false, false, false, OUTCOME_FAILED, "client certificate"},
    {"@tls:client-required/echo", true, false, true, false, OUTCOME_FAILED, "client certificate"},
};
#define TLS_CASES (sizeof tls_cases / sizeof tls_cases[0])

static char *certificate(const char *name)
{
    static char names[64][256];
    static unsigned next;
    char *out = names[next++ % 64];
    snprintf(out, sizeof names[0], "%s/%s", hell.certificates, name);
    return out;
}

static void test_no_certificate_that_is_wrong_is_taken(void **state)
{
    struct bench b;
    char id[LIMIT_ID];
    bench_open(&b);
    for (size_t i = 0; i < TLS_CASES; i++) {
        const struct tls_case *c = &tls_cases[i];
        snprintf(id, sizeof id, "tls-%zu", i);
        struct conf_endpoint *e = bench_add(&b, &hell, id, c->path);
        e->confirm = CONF_CONFIRM_ECHO;
        e->connect_timeout_ms = e->attempt_timeout_ms = 20000; /* twelve handshakes at once, on a busy machine */
        e->ca_file = c->own_authority ? certificate("ca.pem") : NULL;
        e->crl_file = c->revocations ? certificate("crl.pem") : NULL;
        if (c->client || c->other_client) {
            e->certificate_file = certificate(c->client ? "client.pem" : "other-client.pem");
            e->key_file = certificate(c->client ? "client.key" : "other-client.key");
        }
    }
    bench_configure(&b);
    for (size_t i = 0; i < TLS_CASES; i++)
        assert_true(bench_tell(&b, b.ids[i], b.ids[i]));
    BENCH_UNTIL(&b, 30000, first_results(&b) == TLS_CASES);
    for (size_t i = 0; i < TLS_CASES; i++) {
        const struct bench_result *r = bench_result(&b, b.ids[i], 0);
        if (r->outcome != tls_cases[i].outcome || !strstr(r->text, tls_cases[i].text))
            fail_msg("case %zu %s: %d %s", i, tls_cases[i].path, r->outcome, r->text);
    }
    bench_close(&b);
}

static void test_a_file_that_is_missing_is_named(void **state)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, &hell, "ca", "@tls:good/ok")->ca_file = certificate("none.pem");
    struct conf_endpoint *e = bench_add(&b, &hell, "crl", "@tls:good/ok");
    e->ca_file = certificate("ca.pem");
    e->crl_file = certificate("none.crl");
    bench_configure(&b);
    bench_tell(&b, "t-ca", "ca");
    bench_tell(&b, "t-crl", "crl");
    BENCH_UNTIL(&b, 3000, b.count >= 2);
    assert_non_null(strstr(bench_result(&b, "t-ca", 0)->text, "none.pem"));
    assert_non_null(strstr(bench_result(&b, "t-crl", 0)->text, "none.crl"));
    bench_close(&b);
}

/* ---- what is sent ---- */

static const char *field(const json_t *entry, const char *key)
{
    const char *text = json_string_value(json_object_get(entry, key));
    return text ? text : "";
}

static void test_each_request_is_signed_by_every_secret(void **state)
{
    static unsigned char secrets[2][64] = {"the first secret, 32 bytes long.", "the other one"};
    static size_t sizes[2] = {32, 24};
    struct bench b;
    char expected[2 * WEBHOOK_SIGNATURE], second[WEBHOOK_SIGNATURE];
    bench_open(&b);
    struct conf_endpoint *e = bench_add(&b, &hell, "police", "fail-first/signed");
    e->secrets = secrets;
    e->secret_sizes = sizes;
    e->secret_count = 2;
    bench_configure(&b);
    bench_tell(&b, "alarm-police-1", "police");
    BENCH_UNTIL(&b, 4000, b.count == 2);
    json_t *seen = hell_requests(&hell, "/fail-first/signed");
    assert_int_equal(json_array_size(seen), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *entry = json_array_get(seen, i);
        const char *body = field(entry, "body");
        int64_t at_s = atoll(field(entry, "timestamp"));
        assert_true(llabs(at_s - (long long)time(NULL)) < 10);
        webhook_signature(expected, secrets[0], sizes[0], "alarm-police-1", at_s, body, strlen(body));
        webhook_signature(second, secrets[1], sizes[1], "alarm-police-1", at_s, body, strlen(body));
        strcat(strcat(expected, " "), second);
        assert_string_equal(field(entry, "signature"), expected);
        assert_string_equal(field(entry, "id"), "alarm-police-1");
        assert_string_equal(body, field(json_array_get(seen, 0), "body"));
        assert_string_equal(field(entry, "expect"), "");
    }
    json_decref(seen);
    bench_close(&b);
}

/* Whether a name server says no or nothing at all. */
static void test_a_name_without_an_address(void **state)
{
    struct bench b;
    bench_open(&b);
    struct conf_endpoint *e = bench_add(&b, &hell, "police", "ok");
    snprintf(b.url_texts[0][0], HELL_URL, "http://user:password@nowhere.invalid:8080/x?key=secret");
    e->probe_s = 1;
    bench_configure(&b);
    bench_tell(&b, "t1", "police");
    BENCH_UNTIL(&b, 3000, b.count == 1 && b.downs == 1);
    assert_non_null(strstr(b.results[0].text, "of nowhere.invalid:8080"));
    assert_true(strstr(b.results[0].text, "has no address") ||
                strstr(b.results[0].text, "did not say the address"));
    assert_false(strstr(b.results[0].text, "secret") || strstr(b.results[0].text, "password"));
    bench_close(&b);
}

static struct http_answer known;
static char known_body[64], known_fault[LIMIT_TEXT];

static void on_known(void *ctx, const struct http_answer *answer)
{
    known = *answer;
    snprintf(known_fault, sizeof known_fault, "%s", answer->fault ? answer->fault : "");
    snprintf(known_body, sizeof known_body, "%.*s", (int)answer->body_size, answer->body ? answer->body : "");
}

static void on_client_closed(void *ctx)
{
    *(bool *)ctx = true;
}

/* What is done when the name server is dead: the address of a moment ago is used. */
static void test_a_name_whose_address_is_known(void **state)
{
    struct bench b;
    bool closed = false;
    char local[HELL_URL], url[HELL_URL];
    hell_url(&hell, local, "echo/known");
    snprintf(url, sizeof url, "http://nowhere.invalid:%s", strchr(local + 5, ':') + 1);
    bench_open(&b);
    struct http_client_options options = {.ca_file = "",
                                          .certificate_file = "",
                                          .key_file = "",
                                          .crl_file = "",
                                          .network = CONF_NETWORK_ANY,
                                          .connect_timeout_ms = 500,
                                          .connections = 1,
                                          .closed = on_client_closed,
                                          .ctx = &closed};
    struct http_client *client = http_client_create(&b.loop, &options);
    struct http_post post = {.url = url,
                             .body = "{}",
                             .body_size = 2,
                             .timeout_ms = 1000,
                             .known_ip = "127.0.0.1",
                             .done = on_known};
    assert_non_null(http_client_post(client, &post));
    BENCH_UNTIL(&b, 3000, known.status != 0 || known.fault);
    assert_int_equal(known.status, 200);
    assert_string_equal(known_body, "{\"alarm\": \"\"}");
    http_client_retire(client);
    BENCH_UNTIL(&b, 1000, closed);
    bench_close(&b);
}

/* A name server that lies, or a name that was taken over. */
static void test_a_name_that_leads_to_this_machine(void **state)
{
    static const struct {
        enum conf_network network;
        const char *known_ip;
        unsigned status;
        const char *says;
    } rows[] = {{CONF_NETWORK_USUAL, "127.0.0.1", 0, "leads to 127.0.0.1, an address of this machine"},
                {CONF_NETWORK_PUBLIC, "127.0.0.1", 0, "leads to 127.0.0.1, an address of this machine"},
                {CONF_NETWORK_PUBLIC, "10.1.2.3", 0, "leads to 10.1.2.3, an address of a private network"},
                {CONF_NETWORK_USUAL, "[::1]", 0, "leads to ::1, an address of this machine"},
                {CONF_NETWORK_ANY, "127.0.0.1", 200, ""}};
    char local[HELL_URL], url[HELL_URL];
    hell_url(&hell, local, "echo/led-astray");
    snprintf(url, sizeof url, "http://nowhere.invalid:%s", strchr(local + 5, ':') + 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b;
        bool closed = false;
        bench_open(&b);
        struct http_client_options options = {.ca_file = "",
                                              .certificate_file = "",
                                              .key_file = "",
                                              .crl_file = "",
                                              .network = rows[i].network,
                                              .connect_timeout_ms = 500,
                                              .connections = 1,
                                              .closed = on_client_closed,
                                              .ctx = &closed};
        struct http_client *client = http_client_create(&b.loop, &options);
        struct http_post post = {.url = url, .body = "{}", .body_size = 2, .timeout_ms = 1000,
                                 .known_ip = rows[i].known_ip, .done = on_known};
        known = (struct http_answer){0};
        known_fault[0] = '\0';
        assert_non_null(http_client_post(client, &post));
        BENCH_UNTIL(&b, 3000, known.status != 0 || known_fault[0]);
        assert_int_equal(known.status, rows[i].status);
        if (!strstr(known_fault, rows[i].says))
            fail_msg("%s: %s", rows[i].says, known_fault);
        assert_true(rows[i].status || strstr(known_fault, "the name of nowhere.invalid:"));
        assert_int_equal(known.unresolved, rows[i].status == 0); /* where it was before is tried */
        http_client_retire(client);
        BENCH_UNTIL(&b, 1000, closed);
        bench_close(&b);
    }
    json_t *seen = hell_requests(&hell, "/echo/led-astray");
    assert_int_equal(json_array_size(seen), 1);
    json_decref(seen);
}

/* The environment of a service has surprised many a program. */
static void test_no_proxy_of_the_environment_is_used(void **state)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"};
    struct bench b;
    char proxy[HELL_URL];
    hell_url(&hell, proxy, "@refused/");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        setenv(names[i], proxy, 1);
    bench_open(&b);
    bench_add(&b, &hell, "police", "cookie/proxy");
    bench_configure(&b);
    bench_tell(&b, "t1", "police");
    BENCH_UNTIL(&b, 2000, b.count == 1);
    bench_tell(&b, "t2", "police");
    BENCH_UNTIL(&b, 2000, b.count == 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(b.results[i].outcome, OUTCOME_RECEIVED);
    json_t *seen = hell_requests(&hell, "/cookie/proxy");
    assert_string_equal(field(json_array_get(seen, 1), "cookie"), "");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(seen, 1), "nth")),
                     2); /* a warm connection */
    json_decref(seen);
    bench_close(&b);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
}

/* A connection that was closed or broken just before it is used again costs no attempt. */
static void test_a_dead_kept_connection_costs_nothing(void **state)
{
    static const char *const paths[] = {"close-when-idle/reuse", "reset-on-reuse/reuse", "two-answers/reuse",
                                        "http10/reuse"};
    struct bench b;
    char id[64];
    bench_open(&b);
    for (size_t i = 0; i < 4; i++)
        bench_add(&b, &hell, paths[i], paths[i])->confirm = i == 2 ? CONF_CONFIRM_STATUS : CONF_CONFIRM_ECHO;
    bench_configure(&b);
    for (size_t n = 0; n < 5; n++)
        for (size_t i = 0; i < 4; i++) {
            size_t before = b.count;
            snprintf(id, sizeof id, "reuse-%zu-%zu", i, n);
            bench_tell(&b, id, paths[i]);
            BENCH_UNTIL(&b, 3000, b.count > before && bench_result(&b, id, 0));
            dispatch_cancel(b.dispatch, id, paths[i]);
            const struct bench_result *r = bench_result(&b, id, 0);
            if (i == 2 ? r->status != 503 || r->by[0] : r->outcome != OUTCOME_RECEIVED)
                fail_msg("%s, telling %zu: %s", paths[i], n, r->text);
        }
    bench_close(&b);
}

/* Neither an answer nor an acknowledgement, over HTTP and over TLS. */
static void test_what_an_idle_connection_says_answers_nothing(void **state)
{
    static const char *const paths[] = {"two-answers-apart/idle", "@tls:good/two-answers-apart/idle"};
    struct bench b;
    char id[64];
    bench_open(&b);
    for (size_t i = 0; i < 2; i++)
        bench_add(&b, &hell, paths[i], paths[i])->ca_file = certificate("ca.pem");
    bench_configure(&b);
    for (size_t n = 0; n < 4; n++)
        for (size_t i = 0; i < 2; i++) {
            snprintf(id, sizeof id, "idle-%zu-%zu", i, n);
            bench_tell(&b, id, paths[i]);
            BENCH_UNTIL(&b, 3000, bench_result(&b, id, 0));
            dispatch_cancel(b.dispatch, id, paths[i]);
            const struct bench_result *r = bench_result(&b, id, 0);
            if (r->status != 503 || r->by[0])
                fail_msg("%s, telling %zu: %s", paths[i], n, r->text);
            bench_rest(&b, 100); /* it says more */
        }
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
        cmocka_unit_test(test_every_answer_means_what_the_contract_says),
        cmocka_unit_test(test_no_certificate_that_is_wrong_is_taken),
        cmocka_unit_test(test_a_file_that_is_missing_is_named),
        cmocka_unit_test(test_what_an_idle_connection_says_answers_nothing),
        cmocka_unit_test(test_each_request_is_signed_by_every_secret),
        cmocka_unit_test(test_a_name_without_an_address),
        cmocka_unit_test(test_a_name_whose_address_is_known),
        cmocka_unit_test(test_a_name_that_leads_to_this_machine),
        cmocka_unit_test(test_no_proxy_of_the_environment_is_used),
        cmocka_unit_test(test_a_dead_kept_connection_costs_nothing),
    };
    return cmocka_run_group_tests(tests, start, end);
}
