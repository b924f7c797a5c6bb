/* floor.c - the pipeline that somebody would write first, and that Tocsin is measured against: one MQTT
 * subscriber, one SQLite commit a press (WAL, synchronous=FULL), one HTTP POST after the other. One thread,
 * connections kept alive.
 *
 *     floor --port BROKER_PORT --folder STATE --urls URL,URL
 *
 * It makes no promise: libmosquitto acknowledges a press before the callback has stored it, nothing is tried
 * again, nobody is supervised, nothing escalates. Heartbeats set a time in memory. It writes the number of
 * heartbeats to STATE/heartbeats, which is there once it is subscribed. */
#include <curl/curl.h>
#include <getopt.h>
#include <mosquitto.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEVICES 131072
#define ENDPOINTS 2
#define COUNT_EVERY_MS 200

struct floor {
    const char *folder;
    sqlite3 *database;
    sqlite3_stmt *insert;
    CURL *endpoints[ENDPOINTS];
    struct curl_slist *headers;
    time_t heard_at[DEVICES];
    unsigned long long heartbeats, written;
    bool subscribed;
};

static volatile sig_atomic_t stopping;

static void on_stop(int number)
{
    stopping = 1;
}

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "floor: %s: %s\n", what, why);
    exit(2);
}

static void open_database(struct floor *f)
{
    static const char setup[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE press(device TEXT, epoch TEXT, n INTEGER, at INTEGER, payload BLOB,"
        " PRIMARY KEY(device, epoch, n)) WITHOUT ROWID";
    char path[4096];
    snprintf(path, sizeof path, "%s/floor.db", f->folder);
    if (sqlite3_open(path, &f->database) != SQLITE_OK ||
        sqlite3_exec(f->database, setup, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(f->database, "INSERT OR IGNORE INTO press VALUES(?,?,?,?,?)", -1, &f->insert,
                           NULL) != SQLITE_OK)
        fail(path, sqlite3_errmsg(f->database));
}

static size_t ignore_body(char *bytes, size_t size, size_t count, void *ctx)
{
    return size * count;
}

static void open_endpoints(struct floor *f, char *urls)
{
    f->headers = curl_slist_append(NULL, "Content-Type: application/json");
    f->headers = curl_slist_append(f->headers, "Expect:");
    for (int i = 0; i < ENDPOINTS; i++) {
        const char *url = strsep(&urls, ",");
        CURL *easy = f->endpoints[i] = curl_easy_init();
        if (!easy || !url)
            fail("--urls", "two addresses with a comma between them are needed");
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, f->headers);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore_body);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 5000L);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    }
}

/* False: it was known already. */
static bool store(struct floor *f, const char *device, const char *epoch, long long n,
                  const struct mosquitto_message *m)
{
    sqlite3_bind_text(f->insert, 1, device, -1, SQLITE_STATIC);
    sqlite3_bind_text(f->insert, 2, epoch, -1, SQLITE_STATIC);
    sqlite3_bind_int64(f->insert, 3, n);
    sqlite3_bind_int64(f->insert, 4, time(NULL));
    sqlite3_bind_blob(f->insert, 5, m->payload, m->payloadlen, SQLITE_STATIC);
    int code = sqlite3_step(f->insert);
    sqlite3_reset(f->insert);
    if (code != SQLITE_DONE)
        fail("commit", sqlite3_errmsg(f->database));
    return sqlite3_changes(f->database) > 0;
}

static void on_press(struct floor *f, const char *site, const char *device, const struct mosquitto_message *m)
{
    char body[1024], epoch[24];
    long long n;
    if (sscanf(m->payload, "{\"epoch\":\"%23[^\"]\",\"n\":%lld", epoch, &n) !=
        2) /* libmosquitto ends it with a NUL */
        return;
    if (!store(f, device, epoch, n, m))
        return;
    int size = snprintf(body, sizeof body,
                        "{\"site\":\"%s\",\"device\":\"%s\",\"epoch\":\"%s\",\"n\":%lld,\"press\":%s}", site,
                        device, epoch, n, (const char *)m->payload);
    for (int i = 0; i < ENDPOINTS; i++) {
        curl_easy_setopt(f->endpoints[i], CURLOPT_POSTFIELDSIZE, (long)size);
        curl_easy_setopt(f->endpoints[i], CURLOPT_POSTFIELDS, body);
        CURLcode code = curl_easy_perform(f->endpoints[i]);
        if (code != CURLE_OK)
            fprintf(stderr, "floor: %s\n", curl_easy_strerror(code));
    }
}

static void on_message(struct mosquitto *mosquitto, void *ctx, const struct mosquitto_message *m)
{
    struct floor *f = ctx;
    char site[48], device[48], verb[16];
    if (sscanf(m->topic, "tocsin/v1/%47[^/]/%47[^/]/%15s", site, device, verb) != 3)
        return;
    if (strcmp(verb, "press") == 0) {
        on_press(f, site, device, m);
    } else {
        f->heard_at[strtoul(device + 1, NULL, 10) % DEVICES] = time(NULL);
        f->heartbeats++;
    }
}

static void on_connect(struct mosquitto *mosquitto, void *ctx, int code)
{
    if (code != 0)
        fail("the broker", mosquitto_connack_string(code));
    mosquitto_subscribe(mosquitto, NULL, "tocsin/v1/+/+/heartbeat", 0);
    mosquitto_subscribe(mosquitto, NULL, "tocsin/v1/+/+/press", 1);
}

static void on_subscribe(struct mosquitto *mosquitto, void *ctx, int id, int count, const int *granted)
{
    ((struct floor *)ctx)->subscribed = true;
}

static void write_count(struct floor *f)
{
    static long long written_ms;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    long long now_ms = t.tv_sec * 1000LL + t.tv_nsec / 1000000;
    if (!f->subscribed || now_ms - written_ms < COUNT_EVERY_MS || (written_ms && f->written == f->heartbeats))
        return;
    char path[4096], partial[4200];
    snprintf(path, sizeof path, "%s/heartbeats", f->folder);
    snprintf(partial, sizeof partial, "%s.partial", path);
    FILE *file = fopen(partial, "w");
    if (!file)
        fail(partial, "cannot be written");
    fprintf(file, "%llu\n", f->heartbeats);
    fclose(file);
    rename(partial, path);
    f->written = f->heartbeats;
    written_ms = now_ms;
}

static void run(struct floor *f, int port)
{
    struct mosquitto *mosquitto = mosquitto_new("floor", false, f);
    mosquitto_connect_callback_set(mosquitto, on_connect);
    mosquitto_subscribe_callback_set(mosquitto, on_subscribe);
    mosquitto_message_callback_set(mosquitto, on_message);
    mosquitto_int_option(mosquitto, MOSQ_OPT_TCP_NODELAY, 1);
    int code = mosquitto_connect(mosquitto, "127.0.0.1", port, 60);
    while (code == MOSQ_ERR_SUCCESS && !stopping) {
        code = mosquitto_loop(mosquitto, COUNT_EVERY_MS, 1);
        write_count(f);
    }
    if (code != MOSQ_ERR_SUCCESS && !stopping)
        fail("the broker", mosquitto_strerror(code));
    mosquitto_destroy(mosquitto);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"folder", required_argument, NULL, 'f'},
                                            {"urls", required_argument, NULL, 'u'},
                                            {0}};
    static struct floor f;
    struct sigaction stop = {.sa_handler = on_stop};
    int port = 0;
    char *urls = NULL;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (option == 'p')
            port = atoi(optarg);
        else if (option == 'f')
            f.folder = optarg;
        else if (option == 'u')
            urls = optarg;
        else
            return 2;
    if (!port || !f.folder || !urls)
        fail("options", "--port, --folder and --urls are needed");
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_ALL);
    mosquitto_lib_init();
    open_database(&f);
    open_endpoints(&f, urls);
    run(&f, port);
    sqlite3_finalize(f.insert);
    sqlite3_close(f.database);
    return 0;
}
