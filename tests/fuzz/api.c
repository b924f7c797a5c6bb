/* api.c - the HTTP API (proto/openapi.yaml) behind the web server: any method, path, query, header and body.
 *
 * The input: method, path, query ("name=value&…", decoded already), account, content type, Last-Event-ID,
 * body, divided by 0x1e. In front of it stands the real engine with an open alarm in each of two schools, and
 * the real journal and history; the web server is this file. Checked: each request has exactly one answer,
 * with a status the contract knows; a refusal is problem+json with a sentence; what says it is JSON, is; no
 * account learns of a school that it does not see; who may only look changes nothing; nobody acts without a
 * token. */
#include "io/api.h"
#include "engine.h"
#include "io/web.h"
#include "scratch.h"
#include <jansson.h>

struct web {
    struct web_options options;
};

static struct web web;
static struct conf *conf;
static uv_loop_t loop;
static struct world {
    struct store *store;
    struct journal *journal;
    struct history *history;
    struct engine *engine;
    struct api *api;
    uint64_t lines, changed[2]; /* how far the journal goes; what changed the two alarms last */
} world;

static struct answer {
    unsigned count, status;
    char type[64];
    char *body;
    size_t size;
} answer;

/* The web server, as io/web.h promises it. */

struct web *web_create(uv_loop_t *l, const struct web_options *options, char error[256])
{
    web.options = *options;
    return &web;
}

void web_destroy(struct web *w)
{
}

unsigned web_port(const struct web *w)
{
    return 1;
}

unsigned web_feeds(const struct web *w)
{
    return 0;
}

const char *web_query(const struct web_request *r, const char *name)
{
    for (size_t i = 0; i < r->query_count; i++)
        if (strcmp(r->query[i].name, name) == 0)
            return r->query[i].value;
    return NULL;
}

static struct header {
    const char *name, *value;
} given_headers[8];

const char *web_header(const struct web_request *r, const char *name)
{
    for (size_t i = 0; i < sizeof given_headers / sizeof given_headers[0] && given_headers[i].name; i++)
        if (strcasecmp(given_headers[i].name, name) == 0)
            return given_headers[i].value;
    return NULL;
}

const char *web_cookie(const struct web_request *r, const char *name)
{
    return web_header(r, name);
}

void web_address(const struct web_request *r, char out[WEB_ADDRESS])
{
    strcpy(out, "192.0.2.7");
}

void web_end_feeds(struct web *w, bool (*ends)(void *ctx, const char *tag), void *ctx)
{
}

void web_answer_take(struct web_request *r, unsigned status, const char *type, const char *headers,
                     char *take_body, size_t size)
{
    free(answer.body);
    answer = (struct answer){.count = answer.count + 1, .status = status, .body = take_body, .size = size};
    snprintf(answer.type, sizeof answer.type, "%s", type ? type : "");
}

void web_answer(struct web_request *r, unsigned status, const char *type, const char *headers,
                const void *body, size_t size)
{
    char *copy = malloc(size + 1);
    must(copy, "no memory");
    if (size)
        memcpy(copy, body, size);
    web_answer_take(r, status, type, headers, copy, size);
}

void web_feed(struct web_request *r, const char *tag, const char *backlog, size_t size)
{
    web_answer(r, 200, "text/event-stream", NULL, backlog, size);
}

void web_publish(struct web *w, const char *text, size_t size, bool (*accept)(void *ctx, const char *tag),
                 void *ctx)
{
}

/* The daemon around the API. */

static int64_t wall(void *ctx)
{
    return 1795000000000;
}

static int64_t boottime(void *ctx)
{
    return 1000000;
}

static void tell(void *ctx, struct engine_telling *t)
{
    free(t->take_body);
}

static void cancel(void *ctx, const char *id, const char *endpoint)
{
}

static void publish(void *ctx, const char *topic, const void *body, size_t size, int qos, bool retain)
{
}

static void release(void *ctx, void *hold)
{
}

static void wake_at(void *ctx, int64_t boottime_ms)
{
}

static void applied(void *ctx, const struct event *e, const char *line, size_t size)
{
    if (world.api)
        api_event(world.api, e, line, size);
}

static void say(void *ctx, int level, const char *alarm, const char *text)
{
}

static void randomly(void *ctx, void *out, size_t size)
{
    memset(out, 7, size);
}

static void wake(void *ctx)
{
}

static void settle(void)
{
    engine_batch_end(world.engine);
    for (int i = 0; i < 3; i++) {
        journal_commit_now(world.journal);
        engine_progress(world.engine);
    }
}

static void press(const char *place)
{
    char topic[100];
    snprintf(topic, sizeof topic, "tocsin/v1/%s/press", place);
    const struct engine_message m = {
        .topic = topic, .payload = "{\"epoch\":\"e\",\"n\":1}", .size = 19, .qos = 1};
    engine_message(world.engine, &m);
    settle();
}

static const struct alarm *alarm_of(unsigned school)
{
    static const char *const places[2][2] = {{"school-1", "room-1"}, {"school-2", "secret-room"}};
    return board_alarm_of_device(engine_board(world.engine), places[school][0], places[school][1]);
}

static uint64_t last_change(unsigned school)
{
    const struct alarm *a = alarm_of(school);
    return a ? a->last_seq : 0;
}

static void begin(void)
{
    const struct engine_ports ports = {NULL,    wall,    boottime, tell, cancel,  publish,
                                       release, wake_at, applied,  say,  randomly};
    char error[LIMIT_TEXT];
    unlink(scratch_path("journal.db"));
    unlink(scratch_path("journal.db-wal"));
    unlink(scratch_path("journal.db-shm"));
    world = (struct world){.store = store_sqlite_create(scratch_path("journal.db"))};
    const struct journal_options options = {.store = world.store,
                                            .origin = "tocsin.test",
                                            .secret_key = conf->daemon.journal_key,
                                            .slow_ms = 2000,
                                            .wake = wake};
    world.journal = journal_create(&options, error);
    must(world.journal, "%s", error);
    world.history = history_create(&loop, scratch_path("journal.db"));
    world.engine = engine_create(&ports, world.journal, conf);
    must(world.engine && engine_start(world.engine, "boot", "fuzz", error), "%s", error);
    settle();
    world.api = api_create(
        &(struct api_options){
            .loop = &loop, .engine = world.engine, .history = world.history, .version = "fuzz"},
        error);
    must(world.api, "%s", error);
    press("school-1/room-1");
    press("school-2/secret-room");
    world.lines = journal_next_seq(world.journal);
    for (unsigned i = 0; i < 2; i++)
        world.changed[i] = last_change(i);
}

static void end(void)
{
    engine_stop(world.engine);
    settle();
    api_destroy(world.api);
    history_destroy(world.history);
    uv_run(&loop, UV_RUN_DEFAULT);
    journal_destroy(world.journal);
    engine_destroy(world.engine);
    store_destroy(world.store);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    conf = scratch_conf();
    uv_loop_init(&loop);
    begin();
    return 0;
}

/* The request. */

static char *text_of(const char *bytes, size_t size)
{
    char *text = malloc(size + 1);
    must(text, "no memory");
    if (size)
        memcpy(text, bytes, size);
    text[size] = '\0';
    return text;
}

/* As io/web.c hands it over: UTF-8 without NUL, at most WEB_QUERY pairs. */
static bool is_text(const char *text)
{
    json_t *value = json_string(text);
    json_decref(value);
    return value != NULL;
}

static void split_query(char *text, struct web_request *r)
{
    for (char *pair; r->query_count < WEB_QUERY && (pair = strsep(&text, "&"));) {
        char *value = strchr(pair, '=');
        if (value)
            *value++ = '\0';
        r->query[r->query_count++] = (struct web_pair){pair, value ? value : ""};
    }
}

static void split_headers(char *text)
{
    size_t count = 0;
    memset(given_headers, 0, sizeof given_headers);
    for (char *line;
         count + 1 < sizeof given_headers / sizeof given_headers[0] && (line = strsep(&text, "\n"));) {
        char *value = strstr(line, ": ");
        if (!value)
            continue;
        *value = '\0';
        given_headers[count++] = (struct header){line, value + 2};
    }
}

enum { METHOD, PATH, QUERY, ACCOUNT, TYPE, LAST_ID, BODY, HEADERS, PARTS };

/* {id} in a path stands for the alarm of school-1, {other} for that of school-2. */
static char *make_path(const char *given)
{
    static char path[512];
    static const char *const names[] = {"{id}", "{other}"};
    for (unsigned i = 0; i < 2; i++) {
        const char *place = strstr(given, names[i]);
        const struct alarm *alarm = alarm_of(i);
        if (place && alarm) {
            snprintf(path, sizeof path, "%.*s%s%.200s", (int)(place - given < 200 ? place - given : 200),
                     given, alarm->id, place + strlen(names[i]));
            return path;
        }
    }
    snprintf(path, sizeof path, "%.400s", given);
    return path;
}

/* What only school-2 has stands in the answer. A refusal may repeat what the asker has said. */
static bool tells_of_another_school(const uint8_t *asked, size_t asked_size)
{
    static const char *const words[] = {"secret-room", "School 2"};
    for (size_t i = 0; answer.body && i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);
        bool repeated = answer.status != 200 && memmem(asked, asked_size, words[i], length);
        if (!repeated && memmem(answer.body, answer.size, words[i], length))
            return true;
    }
    return false;
}

static void check_answer(const char *account, const char *path, const uint8_t *asked, size_t asked_size)
{
    static const unsigned known[] = {200, 400, 401, 403, 404, 405, 409, 415, 422, 429, 503};
    bool listed = false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        listed |= answer.status == known[i];
    must(answer.count == 1 && listed, "%u answers, status %u", answer.count, answer.status);
    bool page =
        strncmp(answer.type, "text/html", 9) == 0 && strncmp(path, "/api", 4) != 0; /* the desk's own */
    must(answer.status == 200 || page || strcmp(answer.type, "application/problem+json") == 0, "%u as %s",
         answer.status, answer.type);
    if (strstr(answer.type, "json") && !strstr(answer.type, "ndjson")) {
        json_error_t why;
        json_t *body = json_loadb(answer.body, answer.size, JSON_REJECT_DUPLICATES, &why);
        must(body, "no JSON (%s): %.*s", why.text, (int)answer.size, answer.body);
        must(answer.status == 200 || json_string_length(json_object_get(body, "detail")) > 0,
             "%u without a sentence", answer.status);
        json_decref(body);
    }
    bool sees_all = strcmp(account, "desk") == 0 || strcmp(account, "viewer") == 0;
    must(sees_all || !tells_of_another_school(asked, asked_size), "\"%s\" learns of another school: %.*s",
         account, (int)answer.size, answer.body);
    bool answers = strcmp(account, "desk") == 0, one = strcmp(account, "guard-1") == 0;
    must(answers || one || last_change(0) == world.changed[0], "\"%s\" has changed an alarm", account);
    must(answers || last_change(1) == world.changed[1], "\"%s\" has changed an alarm of another school",
         account);
}

static void ask(struct web_request *r, const char *account, const uint8_t *asked, size_t asked_size)
{
    char authorization[100];
    snprintf(authorization, sizeof authorization, "Bearer tk_%.50s", account);
    r->authorization = account[0] ? authorization : NULL;
    answer.count = 0;
    web.options.on_request(web.options.ctx, r);
    settle();
    for (int i = 0; i < 1000 && answer.count == 0; i++) {
        uv_run(&loop, UV_RUN_ONCE);
        settle();
    }
    uv_run(&loop, UV_RUN_NOWAIT);
    settle();
    check_answer(account, r->path, asked, asked_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_parts rest = {data, size, false};
    char *parts[PARTS];
    size_t sizes[PARTS] = {0};
    bool good = true, session = false;
    for (unsigned i = 0; i < PARTS; i++) {
        const char *bytes = NULL;
        if (!fuzz_part(&rest, &bytes, &sizes[i]))
            sizes[i] = 0;
        parts[i] = text_of(bytes, sizes[i]);
        good = good && (i == BODY || is_text(parts[i]));
    }
    if (good) {
        struct web_request r = {.method = parts[METHOD],
                                .path = make_path(parts[PATH]),
                                .content_type = parts[TYPE][0] ? parts[TYPE] : NULL,
                                .last_event_id = parts[LAST_ID][0] ? parts[LAST_ID] : NULL,
                                .body = parts[BODY],
                                .body_size = sizes[BODY]};
        split_headers(parts[HEADERS]);
        if (parts[QUERY][0])
            split_query(parts[QUERY], &r);
        session = strstr(r.path, "session"); /* sign-ins that failed make the next ones wait */
        ask(&r, parts[ACCOUNT], data, size);
    }
    for (unsigned i = 0; i < PARTS; i++)
        free(parts[i]);
    if (session ||
        journal_next_seq(world.journal) != world.lines) { /* the next input finds things as this one did */
        end();
        begin();
    }
    return 0;
}
