#include "lines.h"
#include "../sim/dice.h"
#include "conf/secrets.h"
#include "engine.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char conf_text[] =
    "daemon: {name: powercut, state_dir: ., journal_key_file: journal.key, http_listen: '127.0.0.1:0'}\n"
    "broker: {address: 127.0.0.1, port: 1883, client_id: tocsin}\n"
    "accounts: [{id: desk, name: D, role: police, token_hashes: "
    "['sha256:0000000000000000000000000000000000000000000000000000000000000001']}]\n"
    "endpoints:\n"
    "  - {id: police, name: P, role: police, urls: ['http://127.0.0.1:9/p']}\n"
    "  - {id: bureau, name: B, role: bureau, urls: ['http://127.0.0.1:9/b'], tests: true, drills: true}\n"
    "plans:\n"
    "  - {id: school, steps: [{answer_timeout_s: 15, endpoints: [police, bureau]}], acks_needed: [police]}\n"
    "sites:\n"
    "  - {id: s1, name: North, address: A, plan: school, zones: [{id: z1, name: Hall}],\n"
    "     devices: [{id: d1, zone: z1, silent_after_s: 0}, {id: d2, silent_after_s: 0}]}\n"
    "  - {id: s2, name: South, address: B, plan: school, zones: [{id: z1, name: Hall}],\n"
    "     devices: [{id: d1, zone: z1, silent_after_s: 0}]}\n";

struct telling {
    char id[sizeof((struct engine_telling *)NULL)->id], endpoint[LIMIT_ID];
};

struct school {
    struct conf *conf;
    struct journal *journal;
    struct engine *engine;
    struct dice dice;
    int64_t now_ms;
    struct telling tellings[64];
    size_t telling_count;
    unsigned notes;
};

static bool copy_line(void *ctx, const struct store_event *e)
{
    struct lines *l = ctx;
    if (l->count == l->room) {
        l->room = l->room * 2 + 1024;
        l->all = realloc(l->all, l->room * sizeof *l->all);
        assert(l->all);
    }
    struct line *to = &l->all[l->count++];
    *to = (struct line){.text = strndup(e->line, e->size),
                        .size = e->size,
                        .found_as = e->found_as ? strdup(e->found_as) : NULL,
                        .note = e->note ? strdup(e->note) : NULL};
    snprintf(to->alarm, sizeof to->alarm, "%s", e->alarm);
    assert(to->text && e->seq == l->count);
    return true;
}

/* The engine's ports: a world in which everything works. */

static int64_t now(void *ctx)
{
    return ((struct school *)ctx)->now_ms;
}

static void tell(void *ctx, struct engine_telling *t)
{
    struct school *w = ctx;
    if (w->telling_count < sizeof w->tellings / sizeof *w->tellings) {
        struct telling *kept = &w->tellings[w->telling_count++];
        memcpy(kept->id, t->id, sizeof kept->id);
        snprintf(kept->endpoint, sizeof kept->endpoint, "%s", t->endpoint);
    }
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
}

static void log_text(void *ctx, int level, const char *alarm, const char *text)
{
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = (unsigned char)dice_throw(&((struct school *)ctx)->dice);
}

static void settle(struct school *w)
{
    do {
        for (; w->telling_count > 0; w->telling_count--) {
            const struct telling *t = &w->tellings[w->telling_count - 1];
            engine_result(w->engine, &(struct engine_result){.id = t->id,
                                                             .endpoint = t->endpoint,
                                                             .attempt = 1,
                                                             .outcome = OUTCOME_RECEIVED,
                                                             .final = true,
                                                             .http_status = 204,
                                                             .duration_ms = 12});
        }
        journal_commit_now(w->journal);
        engine_progress(w->engine);
    } while (w->telling_count > 0 ||
             engine_journal(w->engine).committed_seq + 1 < journal_next_seq(w->journal));
}

static void press(struct school *w, const char *device, unsigned n)
{
    char topic[80], payload[400];
    snprintf(topic, sizeof topic, "tocsin/v1/%s/press", device);
    int size = snprintf(payload, sizeof payload,
                        "{\"epoch\":\"days\",\"n\":%u,\"kind\":\"panic\",\"battery\":%u", n, n % 100);
    if (n % 5 == 0) /* odd: some of it is kept */
        size += snprintf(payload + size, sizeof payload - (size_t)size, ",\"more\":\"%0*u\"", 200, n);
    snprintf(payload + size, sizeof payload - (size_t)size, "}");
    engine_message(w->engine, &(struct engine_message){
                                  .topic = topic, .payload = payload, .size = strlen(payload), .qos = 1});
    settle(w);
}

static void deed(struct school *w, enum event_type type)
{
    char note[LIMIT_NOTE];
    snprintf(note, sizeof note, "note %06u: the caretaker waits at the north gate%*s", ++w->notes,
             (int)dice_below(&w->dice, 1500), ".");
    w->now_ms += 7000;
    engine_tick(w->engine);
    for (struct alarm *a = NULL; (a = board_next_alarm(engine_board(w->engine), a));) {
        struct engine_deed d = {.type = type,
                                .by = "police-desk",
                                .role = ROLE_POLICE,
                                .disposition = DISPOSITION_FALSE,
                                .seen_version = type == EVENT_CLOSED ? a->version : 0,
                                .note = type == EVENT_NOTE_ADDED || type == EVENT_CLOSED ? note : NULL};
        memcpy(d.alarm, a->id, sizeof d.alarm);
        if (a->state != ALARM_CLOSED)
            engine_deed(w->engine, &d);
    }
    settle(w);
}

static void play_day(struct school *w, unsigned n)
{
    press(w, "s1/d1", n);
    press(w, "s2/d1", n);
    press(w, "s1/d2", n);
    static const enum event_type deeds[] = {EVENT_ACKNOWLEDGED, EVENT_NOTE_ADDED, EVENT_COMING,
                                            EVENT_ON_SCENE, EVENT_CLOSED};
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
        deed(w, deeds[i]);
    engine_trouble(w->engine, TROUBLE_BROKER, "", n % 2, "the broker does not answer");
    w->now_ms += 24 * 3600000;
    engine_tick(w->engine);
    settle(w);
}

static struct conf *read_conf(const char *folder)
{
    char file[200], error[LIMIT_TEXT];
    snprintf(file, sizeof file, "%s/journal.key", folder);
    bool good = secret_new_journal_key(file, "powercut", error);
    snprintf(file, sizeof file, "%s/tocsin.yaml", folder);
    FILE *f = fopen(file, "w");
    good = good && f && fputs(conf_text, f) >= 0 && fclose(f) == 0;
    struct conf_problems problems = {0};
    struct conf *c = good ? conf_load(file, &problems) : NULL;
    for (size_t i = 0; i < problems.count && i < CONF_PROBLEMS; i++)
        fprintf(stderr, "%s\n", problems.lines[i]);
    conf_problems_finish(&problems);
    return c;
}

void lines_make(struct lines *l, size_t count, const char *folder)
{
    static struct school w;
    char error[LIMIT_TEXT] = "";
    unsigned char public_key[32], secret_key[64], seed[32] = {1};
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    *l = (struct lines){0};
    struct store *memory = store_memory_create();
    struct store_head head;
    w = (struct school){.conf = read_conf(folder), .dice = {1}, .now_ms = 1795507200000};
    assert(w.conf);
    w.journal = journal_create(
        &(struct journal_options){.store = memory, .origin = "powercut", .secret_key = secret_key}, error);
    const struct engine_ports ports = {&w,      now,     now,     tell,     cancel,      publish,
                                       release, wake_at, applied, log_text, random_bytes};
    w.engine = engine_create(&ports, w.journal, w.conf);
    bool good = engine_start(w.engine, "boot", "test", error);
    for (unsigned day = 1; good && journal_next_seq(w.journal) <= count; day++)
        play_day(&w, day);
    engine_destroy(w.engine);
    journal_destroy(w.journal);
    good = good && memory->open(memory, &head, error) && memory->read(memory, 1, copy_line, l, error);
    assert(good);
    store_destroy(memory);
    conf_destroy(w.conf);
}

void lines_finish(struct lines *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->all[i].text);
        free(l->all[i].found_as);
        free(l->all[i].note);
    }
    free(l->all);
}
