/* make_journal.c - a long record such as years of alarms leave, for the measurement of the start.
 *
 *     make_journal --config FILE --events N      prints {"events":…,"snapshot":…}
 *     make_journal --config FILE --alarms N      as many closed alarms, over a year
 *
 * The real engine, journal and store work in one thread on a clock of their own: every school presses, both
 * endpoints receive each telling, and people acknowledge, come and close, all about once a minute. The record
 * ends where a start has most to do: as a kill leaves it, with the newest snapshot almost as old as the
 * daemon lets it become. With --alarms kinds, dispositions and notes are various, and most alarms are closed
 * at once. */
#include "engine.h"
#include <getopt.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AFTER_SNAPSHOT 18000 /* events; the engine makes a snapshot every 20,000 */
#define CASES 1000           /* alarms at a time: an ordinary round */
#define LAST_CASES 20        /* towards the end, to stop close to where it is wanted */
#define ROUND_MS 60000
#define YEAR_MS (365 * 24 * 3600 * 1000LL)
#define LADDER_EVERY                                                                                         \
    10 /* of the various alarms: one of so many is acknowledged, reached and left before it is closed */

struct telling {
    char id[sizeof((struct engine_telling *)NULL)->id], endpoint[LIMIT_ID];
};

struct maker {
    struct conf *conf;
    struct store *store;
    struct journal *journal;
    struct engine *engine;
    int64_t now_ms;
    bool various;
    struct telling *tellings; /* not yet answered */
    size_t telling_count, telling_capacity;
};

static _Noreturn void fail(const char *why)
{
    fprintf(stderr, "make_journal: %s\n", why);
    exit(2);
}

/* The engine's ports: a world in which everything works. */

static int64_t now(void *ctx)
{
    return ((struct maker *)ctx)->now_ms;
}

static void tell(void *ctx, struct engine_telling *t)
{
    struct maker *m = ctx;
    if (m->telling_count == m->telling_capacity) {
        m->telling_capacity = m->telling_capacity * 2 + 64;
        m->tellings = realloc(m->tellings, m->telling_capacity * sizeof *m->tellings);
        if (!m->tellings)
            fail("no memory");
    }
    struct telling *kept = &m->tellings[m->telling_count++];
    memcpy(kept->id, t->id, sizeof kept->id);
    snprintf(kept->endpoint, sizeof kept->endpoint, "%s", t->endpoint);
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
    if (level == 0)
        fail(text);
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    randombytes_buf(out, size);
}

static void open_house(struct maker *m, const char *file)
{
    char error[LIMIT_TEXT] = "", path[4096];
    struct conf_problems problems = {0};
    m->conf = conf_load(file, &problems);
    if (!m->conf)
        fail(problems.lines[0]);
    snprintf(path, sizeof path, "%s/journal.db", m->conf->daemon.state_dir);
    m->store = store_sqlite_create(path);
    m->journal = journal_create(&(struct journal_options){.store = m->store,
                                                          .origin = m->conf->daemon.name,
                                                          .secret_key = m->conf->daemon.journal_key,
                                                          .slow_ms = 2000},
                                error);
    if (!m->journal)
        fail(error);
    const struct engine_ports ports = {m,       now,     now,     tell,     cancel,      publish,
                                       release, wake_at, applied, log_text, random_bytes};
    m->engine = engine_create(&ports, m->journal, m->conf);
    if (!m->engine || !engine_start(m->engine, "bench", "bench", error))
        fail(error);
}

/* Until everything is recorded and every telling was received. */
static void settle(struct maker *m)
{
    while (m->telling_count > 0 ||
           engine_journal(m->engine).committed_seq + 1 < journal_next_seq(m->journal)) {
        for (; m->telling_count > 0; m->telling_count--) {
            const struct telling *t = &m->tellings[m->telling_count - 1];
            engine_result(m->engine, &(struct engine_result){.id = t->id,
                                                             .endpoint = t->endpoint,
                                                             .attempt = 1,
                                                             .outcome = OUTCOME_RECEIVED,
                                                             .final = true,
                                                             .http_status = 204,
                                                             .duration_ms = 12});
        }
        journal_commit_now(m->journal);
        engine_progress(m->engine);
        if (engine_journal(m->engine).state != JOURNAL_OK)
            fail(engine_journal(m->engine).text);
    }
}

/* A number that looks like chance and is the same in each run. */
static unsigned dice(unsigned a, unsigned b)
{
    unsigned x = a * 2654435761u ^ (b + 1) * 2246822519u;
    x ^= x >> 15;
    x *= 2654435761u;
    return x >> 8;
}

static const char *note_of(unsigned number)
{
    static const char *const who[] = {"Caretaker", "保安",      "Teacher on duty",
                                      "值班老师",  "Neighbour", "校长"};
    static const char *const what[] = {
        "a ball hit the button", "误触报警按钮",       "pupils were fighting, parted", "厨房冒烟，已经扑灭",
        "stranger at the gate",  "学生晕倒，已送医院", "loose cable behind panel",     "演习后忘记复位"};
    static char text[160];
    snprintf(text, sizeof text, "%s %u: %s", who[number % 6], number % 997, what[number / 7 % 8]);
    return text;
}

static void press_all(struct maker *m, size_t cases, unsigned round)
{
    for (size_t i = 0; i < cases && i < m->conf->device_count; i++) {
        const struct conf_device *device = conf_device_at(m->conf, (uint32_t)i);
        char topic[160], payload[128];
        snprintf(topic, sizeof topic, "tocsin/v1/%s/%s/press", conf_device_site(m->conf, (uint32_t)i)->id,
                 device->id);
        static const char *const kinds[] = {"panic",   "panic",     "attack", "fire",
                                            "medical", "intrusion", "generic"};
        snprintf(payload, sizeof payload, "{\"epoch\":\"years\",\"n\":%u,\"kind\":\"%s\",\"battery\":87}",
                 round, m->various ? kinds[dice((unsigned)i, round) % 7] : "panic");
        engine_message(m->engine, &(struct engine_message){
                                      .topic = topic, .payload = payload, .size = strlen(payload), .qos = 1});
    }
}

static void deed_all(struct maker *m, enum event_type type)
{
    for (struct alarm *a = NULL; (a = board_next_alarm(engine_board(m->engine), a));) {
        struct engine_deed deed = {.type = type,
                                   .by = "police-desk",
                                   .role = ROLE_POLICE,
                                   .disposition = DISPOSITION_FALSE,
                                   .seen_version = type == EVENT_CLOSED ? a->version : 0};
        memcpy(deed.alarm, a->id, sizeof deed.alarm);
        if (m->various) {
            unsigned chance = dice((unsigned)a->opened_seq, 7);
            if (type != EVENT_CLOSED && chance % LADDER_EVERY != 0)
                continue;
            deed.disposition = (enum disposition)(chance / 16 % DISPOSITION_COUNT);
            deed.note = type == EVENT_CLOSED ? note_of(chance) : NULL;
        }
        if (a->state != ALARM_CLOSED)
            engine_deed(m->engine, &deed);
    }
}

/* A minute in the life of so many schools. */
static void play_round(struct maker *m, size_t cases, unsigned round)
{
    static const enum event_type deeds[] = {EVENT_ACKNOWLEDGED, EVENT_COMING, EVENT_ON_SCENE, EVENT_CLOSED};
    enum { DEEDS = sizeof deeds / sizeof *deeds };
    press_all(m, cases, round);
    settle(m);
    for (unsigned i = 0; i < DEEDS; i++) {
        m->now_ms += ROUND_MS / (DEEDS + 1);
        engine_tick(m->engine);
        deed_all(m, deeds[i]);
        settle(m);
    }
    m->now_ms += ROUND_MS / (DEEDS + 1);
    engine_tick(m->engine);
    settle(m);
}

static uint64_t newest_snapshot(struct store *store)
{
    struct store_snapshot s;
    if (!store->get_snapshot(store, UINT64_MAX >> 1, &s))
        return 0;
    free(s.bytes);
    return s.seq;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"events", required_argument, NULL, 'e'},
                                            {"alarms", required_argument, NULL, 'a'},
                                            {0}};
    static struct maker m;
    const char *file = NULL;
    uint64_t wanted = 0, alarms = 0, events;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (option == 'c')
            file = optarg;
        else if (option == 'e')
            wanted = strtoull(optarg, NULL, 10);
        else if (option == 'a')
            alarms = strtoull(optarg, NULL, 10);
        else
            return 2;
    if (!file || !wanted == !alarms || sodium_init() < 0)
        fail("--config and one of --events and --alarms are needed");
    m.various = alarms > 0;
    uint64_t rounds = m.various ? (alarms + CASES - 1) / CASES : wanted / (CASES * 10) + 2;
    int64_t round_ms = m.various ? YEAR_MS / (int64_t)rounds : ROUND_MS;
    m.now_ms = ((int64_t)time(NULL) - 3600) * 1000 - (int64_t)rounds * round_ms;
    open_house(&m, file);
    for (unsigned round = 0; m.various && round < rounds; round++) {
        play_round(&m, CASES, round);
        m.now_ms += round_ms - ROUND_MS;
    }
    for (unsigned round = 0;; round++) {
        events = engine_journal(m.engine).committed_seq;
        bool enough = events >= wanted;
        if (m.various || (enough && events - newest_snapshot(m.store) >= AFTER_SNAPSHOT))
            break;
        play_round(&m, enough ? LAST_CASES : CASES, round);
    }
    printf("{\"events\":%" PRIu64 ",\"snapshot\":%" PRIu64 "}\n", events, newest_snapshot(m.store));
    engine_destroy(m.engine);
    journal_destroy(m.journal);
    store_destroy(m.store);
    conf_destroy(m.conf);
    free(m.tellings);
    return 0;
}
