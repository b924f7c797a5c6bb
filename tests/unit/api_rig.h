/* api_rig.h - for the api_*.c tests: the real engine, journal, SQLite store, history and web server on a loop
 * of its own thread, with a clock that tests can move and without a broker and endpoints; and an HTTP client.
 */
#ifndef TOCSIN_TEST_API_RIG_H
#define TOCSIN_TEST_API_RIG_H

#include "conf/secrets.h"
#include "io/api.h"
#include "journal/store.h"
#include "temporary.h"
#include <curl/curl.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
    char folder[64];
    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t call, committed;
    uv_timer_t wake;
    uv_sem_t ready, called;
    void (*function)(struct rig *, void *argument);
    void *argument;
    int64_t ahead_ms; /* how far the clocks were moved; the loop's */
    struct conf *conf;
    struct store *store;
    struct journal *journal;
    struct history *history;
    struct engine *engine;
    struct api *api;
    unsigned port;
};

static int64_t rig_now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t rig_wall(void *ctx)
{
    return rig_now(CLOCK_REALTIME) + ((struct rig *)ctx)->ahead_ms;
}

static int64_t rig_boottime(void *ctx)
{
    return rig_now(CLOCK_BOOTTIME) + ((struct rig *)ctx)->ahead_ms;
}

static void rig_tell(void *ctx, struct engine_telling *t)
{
    free(t->take_body);
}

static void rig_cancel(void *ctx, const char *id, const char *endpoint)
{
}

static void rig_publish(void *ctx, const char *topic, const void *body, size_t size, int qos, bool retain)
{
}

static void rig_release(void *ctx, void *hold)
{
}

static void rig_on_wake(uv_timer_t *timer)
{
    engine_tick(((struct rig *)timer->data)->engine);
}

static void rig_wake_at(void *ctx, int64_t boottime_ms)
{
    struct rig *r = ctx;
    int64_t wait = boottime_ms - rig_boottime(r);
    uv_update_time(&r->loop);
    if (!uv_is_closing((uv_handle_t *)&r->wake))
        uv_timer_start(&r->wake, rig_on_wake, wait > 0 ? (uint64_t)wait : 0, 0);
}

static void rig_applied(void *ctx, const struct event *e, const char *line, size_t size)
{
    struct rig *r = ctx;
    if (r->api)
        api_event(r->api, e, line, size);
}

static void rig_log(void *ctx, int level, const char *alarm, const char *text)
{
}

static void rig_random(void *ctx, void *out, size_t size)
{
    randombytes_buf(out, size);
}

static void rig_commit_wake(void *ctx)
{
    uv_async_send(&((struct rig *)ctx)->committed);
}

static void rig_on_committed(uv_async_t *handle)
{
    engine_progress(((struct rig *)handle->data)->engine);
}

static void rig_on_call(uv_async_t *handle)
{
    struct rig *r = handle->data;
    r->function(r, r->argument);
    uv_sem_post(&r->called);
}

/* Runs `function` on the loop and waits for it. */
static void rig_call(struct rig *r, void (*function)(struct rig *, void *), void *argument)
{
    r->function = function;
    r->argument = argument;
    uv_async_send(&r->call);
    uv_sem_wait(&r->called);
}

static void rig_write(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

/* Accounts by their token "tk_<id>": desk and bureau see all, guard-1 and guard-2 one school each, viewer may
 * only look, teacher may press, too (school-2's phone), admin-2 is restricted to school-2. */
static void rig_write_conf(struct rig *r)
{
    static const struct {
        const char *id, *role, *sites, *device;
    } accounts[] = {{"desk", "police", NULL, NULL},         {"bureau", "bureau", NULL, NULL},
                    {"viewer", "viewer", NULL, NULL},       {"guard-1", "guard", "school-1", NULL},
                    {"guard-2", "guard", "school-2", NULL}, {"admin-2", "admin", "school-2", NULL},
                    {"teacher", "viewer", "school-2", "school-2/phone"}};
    char path[128], error[LIMIT_TEXT], text[8192], hash[SECRET_TEXT], token[64];
    snprintf(path, sizeof path, "%s/journal.key", r->folder);
    assert_true(secret_new_journal_key(path, "tocsin.test", error));
    int size = snprintf(
        text, sizeof text,
        "daemon: {name: tocsin.test, state_dir: %s, journal_key_file: journal.key,\n"
        "  http_listen: \"127.0.0.1:0\", record_wait_ms: 50}\n"
        "broker: {address: 127.0.0.1, port: 1}\n"
        "endpoints:\n"
        "  - {id: police, name: Police, role: police, urls: [\"http://127.0.0.1:9/a\"]}\n"
        "plans:\n"
        "  - id: default\n"
        "    steps: [{answer_timeout_s: 60, endpoints: [police]}]\n"
        "    acks_needed: [police]\n"
        "sites:\n"
        "  - {id: school-1, name: \"School \\\"1\\\"\", plan: default, zones: [{id: z1, name: Room 1}],\n"
        "     devices: [{id: b1, zone: z1}, {id: b2}, {id: b3}]}\n"
        "  - {id: school-2, name: School 2, plan: default, devices: [{id: b1}, {id: b2}, {id: phone}]}\n"
        "accounts:\n",
        r->folder);
    for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
        snprintf(token, sizeof token, "tk_%s", accounts[i].id);
        secret_token_hash(token, hash);
        size += snprintf(text + size, sizeof text - (size_t)size,
                         "  - {id: %s, name: %s, role: %s, token_hashes: [\"%s\"]%s%s%s%s%s}\n", accounts[i].id,
                         accounts[i].id, accounts[i].role, hash, accounts[i].sites ? ", sites: [" : "",
                         accounts[i].sites ? accounts[i].sites : "", accounts[i].sites ? "]" : "",
                         accounts[i].device ? ", device: " : "", accounts[i].device ? accounts[i].device : "");
    }
    rig_write(r->folder, "tocsin.yaml", text);
}

static void rig_load_conf(struct rig *r)
{
    char path[128];
    struct conf_problems problems = {0};
    snprintf(path, sizeof path, "%s/tocsin.yaml", r->folder);
    r->conf = conf_load(path, &problems);
    if (!r->conf)
        fail_msg("%s", problems.lines[0]);
    conf_problems_finish(&problems);
}

static void rig_open(struct rig *r)
{
    const struct engine_ports ports = {.ctx = r,
                                       .wall_ms = rig_wall,
                                       .boottime_ms = rig_boottime,
                                       .tell = rig_tell,
                                       .cancel = rig_cancel,
                                       .publish = rig_publish,
                                       .release = rig_release,
                                       .wake_at = rig_wake_at,
                                       .applied = rig_applied,
                                       .log = rig_log,
                                       .random = rig_random};
    char error[LIMIT_TEXT], path[128];
    snprintf(path, sizeof path, "%s/journal.db", r->folder);
    const struct journal_options options = {.store = r->store,
                                            .origin = "tocsin.test",
                                            .secret_key = r->conf->daemon.journal_key,
                                            .threaded = true,
                                            .slow_ms = 500,
                                            .wake = rig_commit_wake,
                                            .ctx = r};
    r->journal = journal_create(&options, error);
    r->history = history_create(&r->loop, path);
    r->engine = engine_create(&ports, r->journal, r->conf);
    if (!r->journal || !engine_start(r->engine, "boot-1", "0.0.test", error)) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    const struct api_options api = {
        .loop = &r->loop, .engine = r->engine, .history = r->history, .journal_file = path, .version = "0.0.test"};
    r->api = api_create(&api, error);
    if (!r->api) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    r->port = api_port(r->api);
}

static void rig_main(void *ctx)
{
    struct rig *r = ctx;
    rig_open(r);
    uv_sem_post(&r->ready);
    uv_run(&r->loop, UV_RUN_DEFAULT);
}

static struct rig *rig_start(void)
{
    struct rig *r = calloc(1, sizeof *r);
    signal(SIGPIPE, SIG_IGN);
    assert_true(sodium_init() >= 0);
    temporary_folder(r->folder, sizeof r->folder, "api_rig");
    rig_write_conf(r);
    rig_load_conf(r);
    char path[128];
    snprintf(path, sizeof path, "%s/journal.db", r->folder);
    r->store = store_sqlite_create(path);
    uv_loop_init(&r->loop);
    uv_async_init(&r->loop, &r->call, rig_on_call);
    uv_async_init(&r->loop, &r->committed, rig_on_committed);
    uv_timer_init(&r->loop, &r->wake);
    r->call.data = r->committed.data = r->wake.data = r;
    uv_sem_init(&r->ready, 0);
    uv_sem_init(&r->called, 0);
    uv_thread_create(&r->thread, rig_main, r);
    uv_sem_wait(&r->ready);
    return r;
}

static void rig_close(struct rig *r, void *argument)
{
    engine_stop(r->engine);
    api_destroy(r->api);
    r->api = NULL;
    history_destroy(r->history);
    uv_close((uv_handle_t *)&r->call, NULL);
    uv_close((uv_handle_t *)&r->committed, NULL);
    uv_close((uv_handle_t *)&r->wake, NULL);
}

static void rig_stop(struct rig *r)
{
    rig_call(r, rig_close, NULL);
    uv_thread_join(&r->thread);
    journal_destroy(r->journal);
    engine_destroy(r->engine);
    store_destroy(r->store);
    conf_destroy(r->conf);
    assert_int_equal(uv_loop_close(&r->loop), 0);
    uv_sem_destroy(&r->ready);
    uv_sem_destroy(&r->called);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", r->folder);
    assert_int_equal(system(command), 0);
    free(r);
}

/* --- Presses. */

struct rig_press {
    const char *place; /* "school-1/b1" */
    unsigned n;
    const char *kind;
};

static void rig_do_press(struct rig *r, void *argument)
{
    const struct rig_press *p = argument;
    char topic[128], body[128];
    snprintf(topic, sizeof topic, "tocsin/v1/%s/press", p->place);
    int size = snprintf(body, sizeof body, "{\"epoch\":\"e1\",\"n\":%u,\"kind\":\"%s\"}", p->n, p->kind);
    const struct engine_message m = {.topic = topic, .payload = body, .size = (size_t)size, .qos = 1};
    engine_message(r->engine, &m);
    engine_batch_end(r->engine);
}

struct rig_look {
    const char *place;
    uint64_t committed;
    char alarm[LIMIT_ALARM_ID];
};

static void rig_do_look(struct rig *r, void *argument)
{
    struct rig_look *look = argument;
    char site[LIMIT_ID];
    snprintf(site, sizeof site, "%.*s", (int)strcspn(look->place, "/"), look->place);
    const struct alarm *a =
        board_alarm_of_device(engine_board(r->engine), site, look->place + strcspn(look->place, "/") + 1);
    snprintf(look->alarm, sizeof look->alarm, "%s", a ? a->id : "");
    look->committed = journal_next_seq(r->journal) == engine_journal(r->engine).committed_seq + 1;
}

/* Waits until everything that was submitted is committed. */
static void rig_settle(struct rig *r, struct rig_look *look)
{
    for (int i = 0; i < 5000; i++) {
        rig_call(r, rig_do_look, look);
        if (look->committed)
            return;
        usleep(1000);
    }
    fail_msg("the journal does not commit");
}

/* Presses and gives the alarm's id. */
static __attribute__((unused)) void rig_press(struct rig *r, const char *place, unsigned n, const char *kind,
                                              char alarm[LIMIT_ALARM_ID])
{
    struct rig_press p = {place, n, kind};
    struct rig_look look = {.place = place};
    rig_call(r, rig_do_press, &p);
    rig_settle(r, &look);
    memcpy(alarm, look.alarm, LIMIT_ALARM_ID);
}

/* --- The disk dies. */

static enum store_answer rig_append_fails(struct store *s, const struct store_head *head,
                                          const struct store_batch *batch, char error[LIMIT_TEXT])
{
    snprintf(error, LIMIT_TEXT, "the disk is gone");
    return STORE_FAILED;
}

static bool rig_open_fails(struct store *s, struct store_head *head, char error[LIMIT_TEXT])
{
    snprintf(error, LIMIT_TEXT, "the disk is gone");
    return false;
}

static __attribute__((unused)) void rig_kill_disk(struct rig *r, void *argument)
{
    r->store->append = rig_append_fails;
    r->store->open = rig_open_fails;
}

/* --- A client. */

struct answer {
    long status;
    char *body, *headers;
    size_t size;
    json_t *json; /* NULL: no object */
    CURLcode code;
};

static size_t rig_collect(char *data, size_t size, size_t count, void *ctx)
{
    struct answer *a = ctx;
    a->body = realloc(a->body, a->size + size * count + 1);
    memcpy(a->body + a->size, data, size * count);
    a->size += size * count;
    a->body[a->size] = 0;
    return size * count;
}

static size_t rig_collect_header(char *data, size_t size, size_t count, void *ctx)
{
    struct answer *a = ctx;
    size_t before = a->headers ? strlen(a->headers) : 0;
    a->headers = realloc(a->headers, before + size * count + 1);
    memcpy(a->headers + before, data, size * count);
    a->headers[before + size * count] = 0;
    return size * count;
}

/* `who`: an account, NULL = no token; `type`: NULL = application/json; `extra`: NULL or one header more. */
static struct answer rig_ask(struct rig *r, const char *method, const char *path, const char *who,
                             const char *body, const char *type, const char *extra, long timeout_ms)
{
    struct answer a = {0};
    char url[400], header[200];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", r->port, path);
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = NULL;
    if (who) {
        snprintf(header, sizeof header, "Authorization: Bearer tk_%s", who);
        headers = curl_slist_append(headers, header);
    }
    if (extra)
        headers = curl_slist_append(headers, extra);
    snprintf(header, sizeof header, "Content-Type: %s", type ? type : "application/json");
    headers = curl_slist_append(headers, header);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (strcmp(method, "POST") == 0 || body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body ? body : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, body ? (long)strlen(body) : 0L);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, rig_collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, rig_collect_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &a);
    a.code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a.status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (!a.body)
        rig_collect("", 0, 0, &a);
    a.json = json_loads(a.body, JSON_REJECT_DUPLICATES, NULL);
    return a;
}

static __attribute__((unused)) struct answer get(struct rig *r, const char *path, const char *who)
{
    return rig_ask(r, "GET", path, who, NULL, NULL, NULL, 20000);
}

static __attribute__((unused)) struct answer post(struct rig *r, const char *alarm, const char *deed,
                                                  const char *who, const char *body)
{
    char path[200];
    snprintf(path, sizeof path, "/api/v1/alarms/%s/%s", alarm, deed);
    return rig_ask(r, "POST", path, who, body, NULL, NULL, 20000);
}

static void answer_free(struct answer *a)
{
    free(a->body);
    free(a->headers);
    json_decref(a->json);
    *a = (struct answer){0};
}

static const char *text_of(const struct answer *a, const char *key)
{
    const char *text = json_string_value(json_object_get(a->json, key));
    return text ? text : "";
}

/* Frees the answer; fails with its body when the status is another. */
static __attribute__((unused)) void expect(struct answer a, long status, const char *type, const char *field)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "urn:tocsin:%s", type ? type : "");
    if (a.status != status || (type && strcmp(text_of(&a, "type"), wanted) != 0) ||
        (field && strcmp(text_of(&a, "field"), field) != 0))
        fail_msg("expected %ld %s %s, got %ld %s", status, type ? type : "", field ? field : "", a.status,
                 a.body);
    if (type) {
        assert_true(json_integer_value(json_object_get(a.json, "status")) == status);
        assert_true(text_of(&a, "title")[0] && text_of(&a, "detail")[0]);
        assert_non_null(strstr(a.headers, "application/problem+json"));
    }
    answer_free(&a);
}

#endif
