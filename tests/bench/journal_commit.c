/* journal_commit.c - what the journal costs beside a bare SQLite commit, in one run on one machine.
 *
 *     gcc -O2 -D_GNU_SOURCE -Idaemon -o /tmp/journal_commit tests/bench/journal_commit.c
 * BUILD/daemon/journal/libjournal.a \ -lsqlite3 -lsodium -luv -lpthread /tmp/journal_commit FOLDER [events of
 * the start test]        prints one JSON object, times in microseconds
 *
 * single: one event at a time, append to committed, signature and thread hops included; bare: the floor's
 * one-row commit (WAL, synchronous=FULL), taken in turns with it. group: how many events a second, and CPU
 * for each. start: opening and replaying a journal of many events with a snapshot 1,000 events before its
 * end. */
#include "journal/journal.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <uv.h>

static uv_mutex_t mutex;
static uv_cond_t woken;
static unsigned char public_key[32], secret_key[64];

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double cpu_us(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *name, double *times, size_t count) {
    qsort(times, count, sizeof *times, compare);
    printf("\"%s_us\":{\"p50\":%.0f,\"p90\":%.0f,\"p99\":%.0f,\"max\":%.0f},", name, times[count / 2],
           times[count * 9 / 10], times[count * 99 / 100], times[count - 1]);
}

static void on_wake(void *ctx) {
    uv_mutex_lock(&mutex);
    uv_cond_signal(&woken);
    uv_mutex_unlock(&mutex);
}

static void await_committed(struct journal *j, uint64_t seq) {
    uv_mutex_lock(&mutex);
    while (journal_poll(j).committed_seq < seq)
        uv_cond_wait(&woken, &mutex);
    uv_mutex_unlock(&mutex);
}

/* A press as it stands in the journal: about 400 bytes; lines are never freed. */
static void append(struct journal *j, unsigned alarms) {
    char line[600], alarm[24];
    uint64_t seq = journal_next_seq(j);
    unsigned a = (unsigned)(seq * 2654435761u) % alarms;
    snprintf(alarm, sizeof alarm, "a%08x%08xabcd", a * 2246822519u, a);
    int size = snprintf(
        line, sizeof line,
        "{\"seq\":%llu,\"at\":\"2026-11-23T08:00:00.203Z\",\"clock\":%llu,\"type\":\"press_received\","
        "\"alarm\":\"%s\",\"site\":\"school-%u\",\"device\":\"room-%llu\",\"zone\":\"%llu\",\"epoch\":"
        "\"b3f1\","
        "\"n\":%llu,\"kind\":\"panic\",\"mode\":\"real\",\"claimed\":\"2026-11-23T08:00:00.200Z\","
        "\"battery\":87,"
        "\"plan\":{\"id\":\"school\",\"acks\":[\"police\"],\"steps\":[{\"s\":30,\"to\":[\"police\","
        "\"bureau\"]},"
        "{\"s\":60,\"to\":[\"deputy\"]}]}}",
        (unsigned long long)seq, (unsigned long long)seq * 7, alarm, a, (unsigned long long)seq % 40,
        (unsigned long long)seq % 40, (unsigned long long)seq);
    struct journal_entry e = {.seq = seq,
                              .line = strdup(line),
                              .size = (size_t)size,
                              .alarm = strdup(alarm),
                              .found_as = seq % 4 ? NULL : "opened"};
    while (!journal_append(j, &e)) {
        journal_kick(j);
        await_committed(j, journal_poll(j).committed_seq + 1);
    }
}

static struct journal *open_journal(struct store *s) {
    char error[LIMIT_TEXT];
    struct journal *j = journal_create(&(struct journal_options){.store = s,
                                                                 .origin = "bench.example",
                                                                 .secret_key = secret_key,
                                                                 .threaded = true,
                                                                 .slow_ms = 2000,
                                                                 .wake = on_wake},
                                       error);
    if (!j) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    return j;
}

static void bare_commit(sqlite3 *db, sqlite3_stmt *s, unsigned row) {
    static const char payload[100] = "x";
    char id[24];
    snprintf(id, sizeof id, "prs-%09u", row);
    sqlite3_bind_text(s, 1, id, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(s, 2, row);
    sqlite3_bind_blob(s, 3, payload, sizeof payload, SQLITE_STATIC);
    if (sqlite3_step(s) != SQLITE_DONE)
        exit(1);
    sqlite3_reset(s);
}

static void single(const char *folder) {
    enum { TIMES = 3000 };
    static double ours[TIMES], bare[TIMES];
    char file[300];
    snprintf(file, sizeof file, "%s/single.db", folder);
    struct store *store = store_sqlite_create(file);
    struct journal *j = open_journal(store);
    snprintf(file, sizeof file, "%s/bare.db", folder);
    sqlite3 *db;
    sqlite3_stmt *s;
    sqlite3_open(file, &db);
    sqlite3_exec(db,
                 "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
                 "CREATE TABLE press(id TEXT PRIMARY KEY,ts INTEGER,payload BLOB) WITHOUT ROWID",
                 NULL, NULL, NULL);
    sqlite3_prepare_v2(db, "INSERT INTO press VALUES(?,?,?)", -1, &s, NULL);
    for (unsigned i = 0; i < TIMES; i++) {
        double t = now_us();
        append(j, 1000);
        journal_kick(j);
        await_committed(j, i + 1);
        ours[i] = now_us() - t;
        t = now_us();
        bare_commit(db, s, i);
        bare[i] = now_us() - t;
    }
    print_times("single", ours, TIMES);
    print_times("bare", bare, TIMES);
    sqlite3_finalize(s);
    sqlite3_close(db);
    journal_destroy(j);
    store_destroy(store);
}

static void group(const char *folder, const char *name, unsigned alarms, unsigned events) {
    char file[300];
    snprintf(file, sizeof file, "%s/group-%s.db", folder, name);
    struct store *store = store_sqlite_create(file);
    struct journal *j = open_journal(store);
    double t = now_us(), c = cpu_us();
    for (unsigned i = 0; i < events; i++) {
        append(j, alarms);
        if (i % 50 == 49)
            journal_kick(j);
    }
    journal_kick(j);
    await_committed(j, events);
    t = now_us() - t;
    c = cpu_us() - c;
    printf("\"group_%s_per_s\":%.0f,\"group_%s_cpu_us\":%.1f,", name, events / (t / 1e6), name, c / events);
    journal_destroy(j);
    store_destroy(store);
}

static uint64_t replayed;

static void on_snapshot(void *ctx, uint64_t seq, const void *bytes, size_t size) {
    *(uint64_t *)ctx = seq;
}

static bool on_line(void *ctx, uint64_t seq, const char *line, size_t size) {
    replayed++;
    return true;
}

static void start(const char *folder, unsigned events) {
    char file[300], error[LIMIT_TEXT];
    snprintf(file, sizeof file, "%s/start.db", folder);
    struct store *store = store_sqlite_create(file);
    struct journal *j = open_journal(store);
    uint64_t snapshot = 0, have = journal_next_seq(j) - 1;
    for (uint64_t i = have; i < events; i++) {
        append(j, 100000);
        if (i % 1000 == 999)
            journal_kick(j);
        if (i == events - 1000u)
            journal_put_snapshot(j, i, "state", 5);
    }
    journal_kick(j);
    journal_destroy(j);
    store_destroy(store);
    double t = now_us();
    store = store_sqlite_create(file);
    j = open_journal(store);
    if (!journal_replay(j, on_snapshot, on_line, &snapshot, error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    printf("\"start_events\":%u,\"start_snapshot\":%llu,\"start_replayed\":%llu,\"start_us\":%.0f,", events,
           (unsigned long long)snapshot, (unsigned long long)replayed, now_us() - t);
    journal_destroy(j);
    store_destroy(store);
}

int main(int count, char **words) {
    if (count < 2 || sodium_init() < 0)
        return 2;
    crypto_sign_seed_keypair(public_key, secret_key,
                             (const unsigned char *)"bench bench bench bench bench be");
    uv_mutex_init(&mutex);
    uv_cond_init(&woken);
    printf("{");
    single(words[1]);
    group(words[1], "one_site", 1, 50000);
    group(words[1], "sites", 1000, 50000);
    if (count > 2)
        start(words[1], (unsigned)atoi(words[2]));
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    printf("\"max_rss_kb\":%ld}\n", r.ru_maxrss);
    return 0;
}
