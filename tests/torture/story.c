/* story.c - one alarm from the press to the closing, a kill in between, and the questions to the record, in one process:
 * configuration, codecs, engine, core, journal on SQLite, history. Clock, chance and endpoints are made up, so that the
 * same folder gives the same output, byte for byte.
 *
 *     story FOLDER     in it: tocsin.yaml and what it names; journal.db is written there
 *
 * Ends with 0 and the whole story, or with 1 and a sentence. A line of output is what somebody was told: it stands. */
#include "conf/conf.h"
#include "engine.h"
#include "io/libraries.h"
#include "journal/history.h"
#include "journal/store.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct house {
    struct conf *conf;
    struct store *store;
    struct journal *journal;
    struct engine *engine;
    int64_t now_ms;
    char telling[2][128]; /* the last one of each endpoint */
    unsigned answers;
};

static const char *const endpoints[2] = {"police", "bureau"};

static int64_t wall(void *ctx)
{
    return 1800000000000 + ((struct house *)ctx)->now_ms;
}

static int64_t boottime(void *ctx)
{
    return 1000000 + ((struct house *)ctx)->now_ms;
}

static void told(const char *what, const char *whom, const char *text, size_t size)
{
    printf("%s %s %.*s\n", what, whom, (int)size, text);
    fflush(stdout); /* said is said, whatever happens next */
}

static void tell(void *ctx, struct engine_telling *t)
{
    struct house *h = ctx;
    for (unsigned i = 0; i < 2; i++)
        if (strcmp(t->endpoint, endpoints[i]) == 0)
            snprintf(h->telling[i], sizeof h->telling[i], "%s", t->id);
    told("tell", t->id, t->take_body, t->body_size);
    free(t->take_body);
}

static void cancel(void *ctx, const char *id, const char *endpoint)
{
    told("cancel", id, endpoint, strlen(endpoint));
}

static void publish(void *ctx, const char *topic, const void *body, size_t size, int qos, bool retain)
{
    told("publish", topic, body, size);
}

static void release(void *ctx, void *hold)
{
    told("release", hold, "", 0);
}

static void wake_at(void *ctx, int64_t boottime_ms)
{
}

static void applied(void *ctx, const struct event *e, const char *line, size_t size)
{
}

static void log_text(void *ctx, int level, const char *alarm, const char *text)
{
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    memset(out, 7, size);
}

static bool start(struct house *h, const char *database, char error[LIMIT_TEXT])
{
    const struct engine_ports ports = {h,       wall,    boottime, tell,     cancel,      publish,
                                       release, wake_at, applied,  log_text, random_bytes};
    h->store = store_sqlite_create(database);
    h->journal = h->store ? journal_create(&(struct journal_options){.store = h->store,
                                                                     .origin = h->conf->daemon.name,
                                                                     .secret_key = h->conf->daemon.journal_key,
                                                                     .slow_ms = 2000},
                                           error)
                          : NULL;
    h->engine = h->journal ? engine_create(&ports, h->journal, h->conf) : NULL;
    return h->engine && engine_start(h->engine, "boot", "test", error);
}

static void end(struct house *h)
{
    journal_destroy(h->journal);
    engine_destroy(h->engine);
    store_destroy(h->store);
    h->engine = NULL;
    h->journal = NULL;
    h->store = NULL;
}

/* Until nothing waits for the disk, which may fail a few times. */
static void commit(struct house *h)
{
    for (int tries = 0; tries < 10 && engine_journal(h->engine).committed_seq + 1 < journal_next_seq(h->journal); tries++) {
        journal_commit_now(h->journal);
        engine_progress(h->engine);
    }
}

static void press(struct house *h, const char *device, const char *payload)
{
    char topic[128];
    snprintf(topic, sizeof topic, "tocsin/v1/school/%s/press", device);
    h->now_ms += 1000;
    engine_message(h->engine, &(struct engine_message){.topic = topic,
                                                       .payload = payload,
                                                       .size = strlen(payload),
                                                       .qos = 1,
                                                       .hold = (void *)device});
    engine_batch_end(h->engine);
    commit(h);
}

static void received(struct house *h)
{
    for (unsigned i = 0; i < 2; i++)
        engine_result(h->engine, &(struct engine_result){.id = h->telling[i],
                                                         .endpoint = endpoints[i],
                                                         .attempt = 1,
                                                         .outcome = OUTCOME_RECEIVED,
                                                         .final = true,
                                                         .http_status = 200,
                                                         .text = "200"});
    commit(h);
}

static void answered(void *ctx, enum engine_answer answer, const char *who, uint64_t seq)
{
    ((struct house *)ctx)->answers++;
    printf("answer %d %s %llu\n", answer, who, (unsigned long long)seq);
    fflush(stdout);
}

static void deed(struct house *h, enum event_type type, const char *note)
{
    struct alarm *a = board_next_alarm(engine_board(h->engine), NULL);
    struct engine_deed d = {
        .type = type, .by = "desk", .role = ROLE_POLICE, .note = note, .answer = answered, .ctx = h};
    if (!a)
        return;
    h->now_ms += 1000;
    memcpy(d.alarm, a->id, sizeof d.alarm);
    d.disposition = DISPOSITION_REAL;
    engine_deed(h->engine, &d);
    commit(h);
}

/* The record as others read it. */

static void on_lines(void *ctx, const struct history_lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        printf("line %s %s\n", l->lines[i], l->notes[i] ? l->notes[i] : "-");
    if (l->error)
        *(bool *)ctx = !fprintf(stderr, "history: %s\n", l->error);
}

static void on_text(void *ctx, const char *text, size_t size, const char *error)
{
    if (error)
        *(bool *)ctx = !fprintf(stderr, "history: %s\n", error);
    else
        printf("checkpoint %.*s\n", (int)size, text);
}

static void on_proof(void *ctx, const struct history_proof *p)
{
    if (p->error)
        *(bool *)ctx = !fprintf(stderr, "history: %s\n", p->error);
    else
        printf("proof %llu of %llu: %zu\n", (unsigned long long)p->index, (unsigned long long)p->size, p->path_count);
}

static bool ask_history(const char *database)
{
    bool good = true;
    uv_loop_t loop;
    if (uv_loop_init(&loop) != 0) {
        fputs("story: no memory\n", stderr);
        return false;
    }
    struct history *history = history_create(&loop, database);
    history_range(history, 1, 100, on_lines, &good);
    uv_run(&loop, UV_RUN_DEFAULT);
    history_found_as(history, "opened", 0, 10, on_lines, &good);
    uv_run(&loop, UV_RUN_DEFAULT);
    history_checkpoint(history, on_text, &good);
    uv_run(&loop, UV_RUN_DEFAULT);
    history_inclusion(history, 2, 0, on_proof, &good);
    uv_run(&loop, UV_RUN_DEFAULT);
    history_consistency(history, 2, 0, on_proof, &good);
    uv_run(&loop, UV_RUN_DEFAULT);
    history_destroy(history);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    uv_library_shutdown(); /* the pool's threads */
    return good;
}

static bool live(struct house *h, const char *database, char error[LIMIT_TEXT])
{
    if (!start(h, database, error))
        return false;
    commit(h);
    press(h, "room", "{\"epoch\":\"an-epoch-of-20-bytes\",\"n\":1,\"kind\":\"panic\",\"battery\":87}");
    press(h, "room", "{\"epoch\":\"an-epoch-of-20-bytes\",\"n\":2,\"test\":true,\"kind\":\"panic\"}");
    press(h, "gate", "\"no press at all\"");
    received(h);
    deed(h, EVENT_ACKNOWLEDGED, "the caretaker is at the north gate");
    end(h); /* as a kill does */
    if (!start(h, database, error))
        return false;
    commit(h);
    received(h);
    deed(h, EVENT_NOTE_ADDED, "ambulance at 8:04");
    deed(h, EVENT_CLOSED, NULL);
    received(h);
    engine_stop(h->engine);
    commit(h);
    end(h);
    return true;
}

int main(int argc, char **argv)
{
    struct house h = {0};
    struct conf_problems problems = {0};
    char path[512], error[LIMIT_TEXT] = "no memory";
    if (argc != 2 || sodium_init() < 0 || !libraries_need_memory()) {
        fprintf(stderr, "usage: story FOLDER\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/tocsin.yaml", argv[1]);
    h.conf = conf_load(path, &problems);
    for (size_t i = 0; !h.conf && i < problems.count && i < CONF_PROBLEMS; i++)
        fprintf(stderr, "%s\n", problems.lines[i]);
    conf_problems_finish(&problems);
    snprintf(path, sizeof path, "%s/journal.db", argv[1]);
    bool good = h.conf && live(&h, path, error);
    if (h.conf && !good)
        fprintf(stderr, "story: %s\n", error);
    end(&h);
    conf_destroy(h.conf);
    good = good && ask_history(path);
    return good ? 0 : 1;
}
