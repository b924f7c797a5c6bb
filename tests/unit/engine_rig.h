/* The engine in a simulated world, for its tests: its own clock, a journal that commits when the test says so, a disk that
 * dies when it says so, and ports that write down what they were asked to do. */
#ifndef TOCSIN_ENGINE_RIG_H
#define TOCSIN_ENGINE_RIG_H

#include "codec/press_json.h"
#include "conf/secrets.h"
#include "engine.h"
#include "journal_faulty.h"
#include "temporary.h"
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SAID 512
#define LONG_NAME "a-name-of-47-characters-is-the-longest-there-is"

struct said {
    char kind; /* t tell, c cancel, p publish, r release, a shown to onlookers (presses only) */
    char to[128];
    char text[1024];
};

struct lab {
    char folder[64], conf_file[128];
    struct conf *conf;
    struct faulty disk;
    struct journal *journal;
    struct engine *engine;
    int64_t wall_ms, boottime_ms;
    struct said said[SAID];
    unsigned said_count;
    unsigned char key[64], device_key[32];
    enum engine_answer answer;
    char who[64];
    unsigned answers;
    char boot[8];
};

static inline void say(struct lab *l, char kind, const char *to, const char *text, size_t size)
{
    assert_true(l->said_count < SAID);
    struct said *s = &l->said[l->said_count++];
    s->kind = kind;
    snprintf(s->to, sizeof s->to, "%s", to);
    snprintf(s->text, sizeof s->text, "%.*s", (int)size, text);
}

static inline int64_t wall(void *ctx)
{
    return ((struct lab *)ctx)->wall_ms;
}

static inline int64_t boottime(void *ctx)
{
    return ((struct lab *)ctx)->boottime_ms;
}

static inline void tell(void *ctx, struct engine_telling *t)
{
    say(ctx, 't', t->id, t->take_body, t->body_size);
    free(t->take_body);
}

static inline void cancel(void *ctx, const char *id, const char *endpoint)
{
    say(ctx, 'c', id, endpoint, strlen(endpoint));
}

static inline void publish(void *ctx, const char *topic, const void *body, size_t size, int qos, bool retain)
{
    say(ctx, 'p', topic, body, size);
}

static inline void release(void *ctx, void *hold)
{
    say(ctx, 'r', hold, "", 0);
}

static inline void wake_at(void *ctx, int64_t boottime_ms)
{
}

static inline void applied(void *ctx, const struct event *e, const char *line, size_t size)
{
    if (e->type == EVENT_PRESS_RECEIVED)
        say(ctx, 'a', e->alarm, line, size);
}

static inline void log_text(void *ctx, int level, const char *alarm, const char *text)
{
    if (getenv("TOCSIN_TEST_LOG"))
        fprintf(stderr, "%d %s %s\n", level, alarm, text);
}

static inline void no_random(void *ctx, void *out, size_t size)
{
    memset(out, 7, size);
}

static inline void start(struct lab *l)
{
    char error[LIMIT_TEXT] = "";
    l->journal = journal_create(
        &(struct journal_options){.store = &l->disk.store, .origin = "test", .secret_key = l->key, .slow_ms = 2000}, error);
    if (!l->journal)
        fail_msg("%s", error);
    const struct engine_ports ports = {l,       wall,    boottime, tell,     cancel, publish,
                                       release, wake_at, applied,  log_text, no_random};
    l->engine = engine_create(&ports, l->journal, l->conf);
    if (!engine_start(l->engine, l->boot, "test", error))
        fail_msg("%s", error);
}

static inline void write_file(const struct lab *l, const char *name, unsigned mode, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", l->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
}

static const char conf_text[] =
    "daemon: {name: test, state_dir: ., journal_key_file: journal.key, http_listen: '127.0.0.1:0'}\n"
    "broker: {address: 127.0.0.1, port: 1883, client_id: tocsin}\n"
    "endpoints:\n"
    "  - {id: police, name: P, role: police, urls: ['http://127.0.0.1:9/p']}\n"
    "  - {id: bureau, name: B, role: bureau, urls: ['http://127.0.0.1:9/b'], tests: true, drills: true, troubles: true}\n"
    "  - {id: guard, name: G, role: guard, urls: ['http://127.0.0.1:9/g']}\n"
    "plans:\n"
    "  - id: p\n"
    "    steps: [{answer_timeout_s: 30, endpoints: [police, bureau]}, {answer_timeout_s: 30, endpoints: [guard]}]\n"
    "    acks_needed: [police]\n"
    "    coming_timeout_s: 60\n"
    "accounts:\n"
    "  - {id: desk, name: D, role: police, token_hashes: "
    "['sha256:0000000000000000000000000000000000000000000000000000000000000001']}\n"
    "sites:\n"
    "  - id: s\n    name: S\n    address: A\n    plan: p\n    keys_file: s.keys\n"
    "    zones: [{id: z, name: Z}]\n"
    "    devices: [{id: d1, zone: z, silent_after_s: 0}, {id: d2, zone: z, silent_after_s: 20}, "
    "{id: signed, zone: z, silent_after_s: 0}, {id: lost, zone: z, disabled: true}, "
    "{id: " LONG_NAME ", zone: z, silent_after_s: 0}]\n";

static inline int set_up(void **state)
{
    struct lab *l = calloc(1, sizeof *l);
    assert_true(sodium_init() >= 0);
    temporary_folder(l->folder, sizeof l->folder, "tocsin-engine");
    snprintf(l->conf_file, sizeof l->conf_file, "%s/tocsin.yaml", l->folder);
    char path[256], error[LIMIT_TEXT], line[256], base64[64];
    snprintf(path, sizeof path, "%s/journal.key", l->folder);
    assert_true(secret_new_journal_key(path, "test", error));
    assert_true(secret_journal_key(path, l->key, error));
    memset(l->device_key, 3, sizeof l->device_key);
    sodium_bin2base64(base64, sizeof base64, l->device_key, 32, sodium_base64_VARIANT_ORIGINAL);
    snprintf(line, sizeof line, "signed %s\n", base64);
    write_file(l, "s.keys", 0600, line);
    write_file(l, "tocsin.yaml", 0644, conf_text);
    struct conf_problems problems = {0};
    l->conf = conf_load(l->conf_file, &problems);
    if (!l->conf)
        fail_msg("%s", problems.lines[0]);
    conf_problems_finish(&problems);
    l->wall_ms = 1800000000000;
    l->boottime_ms = 1000000;
    strcpy(l->boot, "boot-1");
    faulty_make(&l->disk, store_memory_create());
    start(l);
    *state = l;
    return 0;
}

static inline void kill_daemon(struct lab *l) /* nothing is said, nothing is stopped */
{
    journal_destroy(l->journal);
    engine_destroy(l->engine);
}

static inline void new_disk(struct lab *l)
{
    faulty_finish(&l->disk);
    faulty_make(&l->disk, store_memory_create());
}

/* From now on it takes nothing, or works again. */
static inline void disk_dies(struct lab *l, bool dies)
{
    l->disk.fail_before = l->disk.fail_open = dies ? 1000000 : 0;
}

static inline int tear_down(void **state)
{
    struct lab *l = *state;
    kill_daemon(l);
    faulty_finish(&l->disk);
    conf_destroy(l->conf);
    const char *names[] = {"journal.key", "journal.key.pub", "s.keys", "tocsin.yaml"};
    for (size_t i = 0; i < 4; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", l->folder, names[i]);
        unlink(path);
    }
    rmdir(l->folder);
    free(l);
    return 0;
}

static inline void forget_said(struct lab *l)
{
    l->said_count = 0;
}

static inline void pass(struct lab *l, int64_t ms)
{
    l->wall_ms += ms;
    l->boottime_ms += ms;
    engine_tick(l->engine);
}

/* Commit until nothing new is submitted. */
static inline void commit(struct lab *l)
{
    while (engine_journal(l->engine).committed_seq + 1 < journal_next_seq(l->journal)) {
        journal_commit_now(l->journal);
        engine_progress(l->engine);
    }
}

static inline void message(struct lab *l, const char *device, const char *verb, const char *payload, bool retained, void *hold)
{
    char topic[128];
    snprintf(topic, sizeof topic, "tocsin/v1/s/%s/%s", device, verb);
    engine_message(l->engine, &(struct engine_message){.topic = topic,
                                                       .payload = payload,
                                                       .size = strlen(payload),
                                                       .qos = 1,
                                                       .retained = retained,
                                                       .hold = hold});
    engine_batch_end(l->engine);
}

static inline void press(struct lab *l, const char *device, const char *payload)
{
    message(l, device, "press", payload, false, NULL);
}

static inline unsigned count(const struct lab *l, char kind, const char *to, const char *text)
{
    unsigned n = 0;
    for (unsigned i = 0; i < l->said_count; i++)
        n += l->said[i].kind == kind && strstr(l->said[i].to, to) && strstr(l->said[i].text, text);
    return n;
}

static inline struct alarm *the_alarm(struct lab *l)
{
    return board_next_alarm(engine_board(l->engine), NULL);
}

static inline void result(struct lab *l, const char *id, const char *endpoint, enum delivery_outcome outcome, bool final)
{
    engine_result(l->engine, &(struct engine_result){.id = id,
                                                     .endpoint = endpoint,
                                                     .attempt = 1,
                                                     .outcome = outcome,
                                                     .final = final,
                                                     .http_status = 200,
                                                     .text = "test"});
}

static inline const char *last_telling(const struct lab *l, const char *endpoint)
{
    const char *id = NULL;
    for (unsigned i = 0; i < l->said_count; i++)
        if (l->said[i].kind == 't' && strstr(l->said[i].to, endpoint) && l->said[i].to[0] == 'a')
            id = l->said[i].to;
    assert_non_null(id);
    return id;
}

static inline void result_of(struct lab *l, const char *endpoint, enum delivery_outcome outcome)
{
    char id[128]; /* what is said moves on */
    snprintf(id, sizeof id, "%s", last_telling(l, endpoint));
    result(l, id, endpoint, outcome, outcome == OUTCOME_RECEIVED);
}

static inline void answered(void *ctx, enum engine_answer answer, const char *who, uint64_t seq)
{
    struct lab *l = ctx;
    l->answer = answer;
    l->answers++;
    snprintf(l->who, sizeof l->who, "%s", who);
}

static inline void deed_of(struct lab *l, enum role role, enum event_type type, const char *by, uint32_t seen_version)
{
    struct engine_deed d = {.type = type, .role = role, .seen_version = seen_version, .answer = answered, .ctx = l};
    memcpy(d.alarm, the_alarm(l)->id, sizeof d.alarm);
    snprintf(d.by, sizeof d.by, "%s", by);
    engine_deed(l->engine, &d);
}

static inline void deed(struct lab *l, enum event_type type, const char *by, uint32_t seen_version)
{
    deed_of(l, ROLE_POLICE, type, by, seen_version);
}

#endif
