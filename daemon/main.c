/* main.c - builds the parts, starts them in order, stops them in reverse; knows everyone, decides nothing. */
#include "house.h"
#include "io/clock.h"
#include "io/libraries.h"
#include "io/log.h"
#include "io/standstill.h"
#include "journal/lock.h"
#include "memory.h"
#include <curl/curl.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DRAIN_MS 2000            /* at stop, the journal has this long for what is under way */
#define PARTING_MS 2000          /* then, libuv's pool for what it has in hand */

/* The engine's ports. */

static int64_t port_wall(void *ctx)
{
    return clock_wall_ms();
}

static int64_t port_boottime(void *ctx)
{
    return clock_boottime_ms();
}

static void port_tell(void *ctx, struct engine_telling *t)
{
    struct house *h = ctx;
    struct dispatch_telling telling = {.priority = t->trouble ? DISPATCH_TROUBLE
                                                  : t->test    ? DISPATCH_TEST
                                                  : t->first   ? DISPATCH_FIRST
                                                               : DISPATCH_UPDATE,
                                       .give_up_s = t->give_up_s,
                                       .take_body = t->take_body,
                                       .body_size = t->body_size};
    snprintf(telling.id, sizeof telling.id, "%s", t->id);
    snprintf(telling.endpoint, sizeof telling.endpoint, "%s", t->endpoint);
    snprintf(telling.echo, sizeof telling.echo, "%s", t->alarm);
    if (dispatch_tell(h->dispatch, &telling))
        return;
    engine_result(h->engine, &(struct engine_result){.id = telling.id,
                                                     .endpoint = telling.endpoint,
                                                     .attempt = 1,
                                                     .outcome = OUTCOME_FAILED,
                                                     .text = "this endpoint is not in the configuration any more"});
}

static void port_cancel(void *ctx, const char *id, const char *endpoint)
{
    struct house *h = ctx;
    dispatch_cancel(h->dispatch, id, endpoint);
}

static void port_publish(void *ctx, const char *topic, const void *body, size_t size, int qos, bool retain)
{
    struct house *h = ctx;
    mqtt_publish(h->mqtt, topic, body, size, qos, retain);
}

static void port_release(void *ctx, void *hold)
{
    struct house *h = ctx;
    mqtt_release(h->mqtt, hold);
}

static void on_wake(uv_timer_t *timer)
{
    struct house *h = timer->data;
    int64_t late_ms = clock_boottime_ms() - h->wake_due_boottime_ms;
    h->reading = !h->reading && late_ms > STANDSTILL_MS;
    if (h->reading) { /* who has answered meanwhile is not passed over by a deadline */
        engine_stood_still(h->engine, late_ms);
        uv_timer_start(timer, on_wake, STANDSTILL_READING_MS, 0);
        return;
    }
    h->wake_boottime_ms = 0;
    engine_tick(h->engine);
}

static void port_wake_at(void *ctx, int64_t boottime_ms)
{
    struct house *h = ctx;
    if (h->wake_boottime_ms == boottime_ms || h->stopping || h->reading)
        return;
    h->wake_boottime_ms = boottime_ms;
    int64_t now_ms = clock_boottime_ms(), wait = boottime_ms - now_ms;
    h->wake_due_boottime_ms = wait > 0 ? boottime_ms : now_ms;
    uv_update_time(h->loop);
    uv_timer_start(&h->wake, on_wake, wait > 0 ? (uint64_t)wait : 0, 0);
}

static void port_applied(void *ctx, const struct event *e, const char *line, size_t size)
{
    struct house *h = ctx;
    if (h->api)
        api_event(h->api, e, line, size);
}

static void port_log(void *ctx, int level, const char *alarm, const char *text)
{
    log_line((enum log_level)level, alarm, text);
}

static void port_random(void *ctx, void *out, size_t size)
{
    randombytes_buf(out, size);
}

/* What the parts report. */

static void go_on(struct house *h)
{
    engine_progress(h->engine);
    if (!engine_awaits_commit(h->engine))
        vigil_end(&h->vigil);
}

static void on_committed(uv_async_t *async)
{
    go_on(async->data);
}

/* The commit first: its signature is waited for. Then what can be made ready for the moment after it. Who is awake sees
 * that moment earlier than he is told of it. */
static bool while_committing(void *ctx)
{
    struct house *h = ctx;
    bool helped = journal_help(h->journal);
    if (journal_committed_seq(h->journal) > engine_journal(h->engine).committed_seq)
        go_on(h);
    else if (helped)
        engine_read_ahead(h->engine);
    return helped;
}

static void wake_loop(void *ctx)
{
    struct house *h = ctx;
    uv_async_send(&h->committed);
}

static void on_result(void *ctx, const struct dispatch_result *r)
{
    struct house *h = ctx;
    engine_result(h->engine, &(struct engine_result){.id = r->id,
                                                     .endpoint = r->endpoint,
                                                     .attempt = r->attempt,
                                                     .outcome = r->outcome,
                                                     .final = r->final,
                                                     .http_status = r->http_status,
                                                     .duration_ms = r->duration_ms,
                                                     .text = r->text,
                                                     .acknowledged_by = r->acknowledged_by});
}

static void on_leaving(void *ctx, struct dispatch_telling *telling)
{
    struct house *h = ctx;
    struct engine_telling t;
    if (!engine_renew_telling(h->engine, telling->id, telling->endpoint, &t))
        return;
    free(telling->take_body);
    snprintf(telling->id, sizeof telling->id, "%s", t.id);
    telling->take_body = t.take_body;
    telling->body_size = t.body_size;
}

static void on_endpoint(void *ctx, const char *endpoint, bool up, const char *text)
{
    struct house *h = ctx;
    if (!h->stopping)
        engine_trouble(h->engine, TROUBLE_ENDPOINT, endpoint, !up, text);
}

static void on_health(void *ctx, enum trouble_code code, const char *part, bool raised, const char *text)
{
    struct house *h = ctx;
    if (!h->stopping)
        engine_trouble(h->engine, code, part, raised, text);
}

/* Stop: first what is under way is recorded, then the connections end, then everything goes in reverse order. */

/* Unreferenced, for the whole process: it rings only when something else keeps the loop from its end. */
static uv_timer_t parting;

static void on_parting(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void part_stopped(void *ctx)
{
    struct house *h = ctx;
    if (--h->parts_running > 0)
        return;
    dispatch_destroy(h->dispatch);
    mqtt_destroy(h->mqtt);
    mqtt_destroy(h->supervision);
    if (h->api)
        api_destroy(h->api);
    history_destroy(h->history);
    health_destroy(h->health);
    service_destroy(h->service);
    uv_handle_t *own[] = {(uv_handle_t *)&h->committed, (uv_handle_t *)&h->wake, (uv_handle_t *)&h->drain,
                          (uv_handle_t *)&h->session_trouble, (uv_handle_t *)&h->drops_trouble,
                          (uv_handle_t *)&h->look.timer, (uv_handle_t *)&h->api_again,
                          (uv_handle_t *)&h->vigil.idle};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        close_handle(own[i], NULL);
    uv_timer_start(&parting, on_parting, PARTING_MS, 0);
}

static void on_drain(uv_timer_t *timer)
{
    struct house *h = timer->data;
    engine_progress(h->engine);
    bool recorded = engine_journal(h->engine).committed_seq + 1 >= journal_next_seq(h->journal);
    if (!recorded && !h->start_anew && clock_boottime_ms() < h->drain_until_boottime_ms)
        return;
    if (!recorded && !h->start_anew)
        log_line(LOG_LEVEL_ERROR, "", "the journal does not answer: what it has not taken is lost with this stop");
    engine_give_up(h->engine);
    uv_timer_stop(&h->drain);
    h->parts_running = h->supervision ? 3 : 2;
    mqtt_stop(h->mqtt, part_stopped, h);
    if (h->supervision)
        mqtt_stop(h->supervision, part_stopped, h);
    dispatch_stop(h->dispatch, part_stopped, h);
}

void house_stop(struct house *h)
{
    if (h->stopping)
        return;
    h->stopping = true;
    log_line(LOG_LEVEL_INFO, "", "stopping");
    if (!h->start_anew)
        service_stopping(h->service);
    uv_timer_stop(&h->wake);
    uv_timer_stop(&h->look.timer);
    uv_timer_stop(&h->api_again);
    engine_stop(h->engine);
    h->drain_until_boottime_ms = clock_boottime_ms() + DRAIN_MS;
    uv_timer_start(&h->drain, on_drain, 0, 10);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct house *h = handle->data;
    if (number == SIGHUP) {
        house_reload(h);
    } else {
        h->start_anew = false;
        house_stop(h);
    }
}

/* Start. */

static bool fail(const char *what, const char *why)
{
    fprintf(stderr, "tocsind: %s: %s\n", what, why);
    return false;
}

/* False: another daemon has it. Without one, `error` says why, and there is no record. */
static bool take_lock(struct house *h, char error[LIMIT_TEXT])
{
    char path[4096];
    snprintf(path, sizeof path, "%s/tocsind.lock", h->conf->daemon.state_dir);
    h->lock = lock_take(path, error);
    return h->lock != LOCK_HELD || fail("start", error);
}

/* For the whole process: a signal that comes between two lives is told to the next one. They keep no life from ending. */
static void watch_signals(struct house *h)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    static uv_signal_t handles[sizeof numbers / sizeof *numbers];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uv_signal_init(h->loop, &handles[i]);
        handles[i].data = h;
        uv_signal_start(&handles[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&handles[i]);
    }
}

static void open_handles(struct house *h)
{
    uv_update_time(h->loop);
    uv_async_init(h->loop, &h->committed, on_committed);
    vigil_init(&h->vigil, h->loop, while_committing, h);
    uv_timer_t *timers[] = {&h->wake, &h->drain, &h->session_trouble, &h->drops_trouble, &h->look.timer, &h->api_again};
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) {
        uv_timer_init(h->loop, timers[i]);
        timers[i]->data = h;
    }
    h->committed.data = h;
}

static bool open_connections(struct house *h)
{
    h->dispatch = dispatch_create(
        h->loop, &(struct dispatch_options){
                     .on_result = on_result, .on_endpoint = on_endpoint, .on_leaving = on_leaving, .ctx = h});
    if (!h->dispatch || !house_open_broker(h))
        return fail("start", "no memory");
    dispatch_configure(h->dispatch, h->conf);
    return true;
}

/* A running engine on the journal that `store` holds. False: nothing is left of it, and `error` says why. */
static bool start_engine(struct house *h, struct store *store, char error[LIMIT_TEXT])
{
    const struct engine_ports ports = {.ctx = h,
                                       .wall_ms = port_wall,
                                       .boottime_ms = port_boottime,
                                       .tell = port_tell,
                                       .cancel = port_cancel,
                                       .publish = port_publish,
                                       .release = port_release,
                                       .wake_at = port_wake_at,
                                       .applied = port_applied,
                                       .log = port_log,
                                       .random = port_random};
    char boot_id[40];
    clock_boot_id(boot_id);
    h->store = store;
    h->journal = journal_create(&(struct journal_options){.store = h->store,
                                                          .origin = h->conf->daemon.name,
                                                          .secret_key = h->conf->daemon.journal_key,
                                                          .threaded = true,
                                                          .slow_ms = 2000,
                                                          .wake = wake_loop,
                                                          .ctx = h},
                                error);
    h->engine = h->journal ? engine_create(&ports, h->journal, h->conf) : NULL;
    if (h->journal && !h->engine)
        memory_end();
    if (h->engine && engine_start(h->engine, boot_id, TOCSIN_VERSION, error)) {
        atomic_store(&h->expecting, h->journal);
        return true;
    }
    journal_destroy(h->journal);
    engine_destroy(h->engine);
    store_destroy(h->store);
    return false;
}

/* A journal that cannot be used costs the record, loudly; never the alarm (design, promise 3). `error`: of the lock. */
static bool open_engine(struct house *h, char error[LIMIT_TEXT])
{
    char reason[2 * LIMIT_TEXT], path[4096];
    snprintf(path, sizeof path, "%s/journal.db", h->conf->daemon.state_dir);
    h->history = history_create(h->loop, path);
    if (!h->history)
        return fail(path, "no memory to read the record");
    /* Twice: one call that failed may not cost the record until somebody restarts it. */
    for (unsigned tries = 0; h->lock >= 0 && tries < 2; tries++)
        if (start_engine(h, store_sqlite_create(path), error))
            return true;
    snprintf(reason, sizeof reason, "%s; mended, it records again once no alarm is open", error);
    log_format(LOG_LEVEL_ERROR, "running WITHOUT A RECORD: %s", reason);
    if (!start_engine(h, store_none_create(reason), error))
        return fail("journal", error);
    house_await_record(h);
    return true;
}

/* Of a connection that is not configured any more nobody else would say that its trouble is over. */
static void forget_connections(struct house *h)
{
    static const char heartbeats[] = "heartbeats come over the connection of the presses";
    if (!h->supervision) {
        engine_trouble(h->engine, TROUBLE_BROKER, "supervision", false, heartbeats);
        engine_trouble(h->engine, TROUBLE_SUBSCRIPTION, "supervision", false, heartbeats);
    }
    if (!h->conf->broker.receipts.client_id)
        engine_trouble(h->engine, TROUBLE_BROKER, "receipts", false, "receipts go out over the connection of the presses");
}

/* One life, from the start to the stop. */
static int run(struct house *h)
{
    *h = (struct house){.conf_file = h->conf_file,
                        .last_good_file = h->last_good_file,
                        .conf = h->conf,
                        .to_keep = h->to_keep,
                        .conf_fault = h->conf_fault,
                        .loop = h->loop,
                        .reload_again = h->reload_again};
    char error[LIMIT_TEXT];
    open_handles(h);
    if (!take_lock(h, error) || !open_connections(h) || !open_engine(h, error))
        return EXIT_FAILURE;
    house_open_api(h);
    forget_connections(h);
    engine_hears(h->engine, false); /* until we are connected */
    h->health = health_create(h->loop, h->conf, on_health, h);
    h->service = service_create(h->loop);
    log_format(LOG_LEVEL_INFO, "tocsind %s: %zu sites, %zu devices, %zu endpoints", TOCSIN_VERSION, h->conf->site_count,
               h->conf->device_count, h->conf->endpoint_count);
    house_say_conf(h);
    service_ready(h->service);
    if (h->reload_again)
        house_reload(h);
    uv_run(h->loop, UV_RUN_DEFAULT);
    uv_timer_stop(&parting);
    if (!journal_destroy(h->journal)) {
        log_line(LOG_LEVEL_ERROR, "", "the disk does not answer; ending without it");
        _exit(EXIT_FAILURE); /* the writer is still inside a call: nothing it uses may go */
    }
    if (uv_loop_alive(h->loop)) {
        log_line(LOG_LEVEL_ERROR, "", "what was asked of the disk is not answered; ending without it");
        _exit(EXIT_FAILURE); /* the same of libuv's pool */
    }
    engine_destroy(h->engine);
    store_destroy(h->store);
    lock_release(h->lock);
    log_line(LOG_LEVEL_INFO, "", "stopped");
    return EXIT_SUCCESS;
}

/* The process itself: descriptors 0 to 2 exist, signals of broken pipes are not ours, room for connections, no core
 * dumps (they would hold keys), no way to anywhere but what the configuration says. */
static void settle_process(void)
{
    struct rlimit files, none = {0, 0};
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < 65536 ? files.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    setrlimit(RLIMIT_CORE, &none);
    setenv("UV_THREADPOOL_SIZE", "8", 0);
    unsetenv("http_proxy"); /* Paho would speak to the broker through them */
    unsetenv("https_proxy");
}

static void usage(FILE *out)
{
    fputs("usage: tocsind --config FILE [--last-good FILE]\n"
          "  -c, --config FILE     the configuration, see tocsin.yaml(5); `tocsin check-config FILE` checks it\n"
          "  -l, --last-good FILE  a copy of it is kept here, and used by a start that finds it broken\n"
          "  -V, --version         print the version\n"
          "  -h, --help            print this\n"
          "SIGHUP reloads the configuration, SIGTERM stops within 5 seconds. Logs go to standard error.\n",
          out);
}

/* libsodium ends the process when it has no random numbers, or was called wrongly, and says nothing itself. */
static void say_misuse(void)
{
    fail("libsodium", "it cannot go on: most likely the random numbers of this system (getrandom, /dev/urandom) "
                      "do not work");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"last-good", required_argument, NULL, 'l'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    static struct house house;
    for (int option; (option = getopt_long(argc, argv, "c:l:Vh", options, NULL)) != -1;)
        switch (option) {
        case 'c':
            house.conf_file = optarg;
            break;
        case 'l':
            house.last_good_file = optarg;
            break;
        case 'V':
            puts("tocsind " TOCSIN_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        default:
            usage(stderr);
            return 2;
        }
    if (!house.conf_file || optind < argc) {
        usage(stderr);
        return 2;
    }
    char error[LIMIT_TEXT];
    if (!libraries_fit(error))
        return fail("start", error) ? 0 : EXIT_FAILURE;
    settle_process();
    sodium_set_misuse_handler(say_misuse);
    if (sodium_init() < 0 || !libraries_need_memory())
        return fail("start", "the random numbers of this system do not work") ? 0 : EXIT_FAILURE;
    if (!house_load_conf(&house))
        return EXIT_FAILURE;
    enum log_level level;
    if (log_level_of(house.conf->daemon.log_level, &level))
        log_set_level(level);
    house.loop = uv_default_loop();
    watch_signals(&house);
    uv_timer_init(house.loop, &parting);
    uv_unref((uv_handle_t *)&parting);
    int result;
    do
        result = run(&house);
    while (house.start_anew && result == EXIT_SUCCESS);
    conf_copy_destroy(house.to_keep);
    free(house.conf_fault);
    conf_destroy(house.conf);
    curl_global_cleanup();
    return result;
}
