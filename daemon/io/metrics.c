#include "io/metrics.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP tocsin_%s %s\n# TYPE tocsin_%s %s\n", name, help, name, type);
}

static void one(FILE *out, const char *name, const char *type, const char *help, double value)
{
    head(out, name, type, help);
    fprintf(out, "tocsin_%s %.15g\n", name, value);
}

static double resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file || fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void put_engine(FILE *out, struct engine *engine)
{
    struct engine_counts n = engine_counts(engine);
    const struct {
        const char *name, *help;
        uint64_t value;
    } counters[] = {
        {"presses_total", "Presses that arrived.", n.presses},
        {"presses_duplicate_total", "Presses that had been heard before.", n.duplicates},
        {"presses_refused_total", "What looked like a press and was shown to the desk only.", n.refused},
        {"heartbeats_total", "Heartbeats of devices.", n.heartbeats},
        {"unknown_topics_total", "Messages on topics that mean nothing to us.", n.unknown_topics},
        {"events_total", "Events submitted to the journal.", n.events},
        {"events_unrecorded_total", "Events that were applied before the journal had them.", n.unrecorded},
        {"receipts_total", "Receipts sent to devices.", n.receipts},
        {"tellings_total", "Tellings handed to dispatch.", n.tellings},
        {"commits_total", "Events that the journal committed.", n.commits},
    };
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        one(out, counters[i].name, "counter", counters[i].help, (double)counters[i].value);
}

static void put_journal(FILE *out, struct engine *engine)
{
    struct journal_progress p = engine_journal(engine);
    one(out, "journal_events", "gauge", "Committed events: the size of the tree.", (double)p.committed_seq);
    one(out, "journal_last_commit_seconds", "gauge", "Duration of the last commit.", p.last_commit_us / 1e6);
    one(out, "journal_state", "gauge", "0 recording, 1 slow, 2 not recording.", (double)p.state);
    one(out, "ready", "gauge", "1 when the journal records and everything was replayed.",
        engine_ready(engine));
}

static void put_board(FILE *out, struct engine *engine)
{
    struct board *board = engine_board(engine);
    struct board_counts n = board_counts(board);
    uint64_t deliveries[DELIVERY_STATE_COUNT] = {0}, troubles[TROUBLE_CODE_COUNT] = {0},
             modes[MODE_COUNT] = {0};
    for (const struct alarm *a = NULL; (a = board_next_alarm(board, (struct alarm *)a));) {
        for (unsigned i = 0; i < a->delivery_count; i++)
            deliveries[a->deliveries[i].state]++;
        modes[a->mode] += a->state != ALARM_CLOSED;
    }
    for (const struct trouble *t = NULL; (t = board_next_trouble(board, t));)
        troubles[t->code]++;
    head(out, "alarms_open", "gauge", "Alarms that are not closed.");
    for (enum mode m = 0; m < MODE_COUNT; m++)
        fprintf(out, "tocsin_alarms_open{mode=\"%s\"} %" PRIu64 "\n", mode_str(m), modes[m]);
    one(out, "alarms_kept", "gauge", "Closed alarms that somebody has still to be told of.", n.alarms_kept);
    one(out, "alarm_presses", "gauge", "Presses of the alarms on the board.", n.presses);
    one(out, "board_capacity_lost_total", "counter", "How often a limit of the board cost detail.",
        (double)n.capacity_lost);
    head(out, "alarm_deliveries", "gauge", "Deliveries of the alarms on the board, by state.");
    for (enum delivery_state s = 0; s < DELIVERY_STATE_COUNT; s++)
        fprintf(out, "tocsin_alarm_deliveries{state=\"%s\"} %" PRIu64 "\n", delivery_state_str(s),
                deliveries[s]);
    head(out, "troubles", "gauge", "Parts that are not as they should be, by code.");
    for (enum trouble_code t = 0; t < TROUBLE_CODE_COUNT; t++)
        fprintf(out, "tocsin_troubles{code=\"%s\"} %" PRIu64 "\n", trouble_code_str(t), troubles[t]);
    one(out, "devices", "gauge", "Devices in the configuration.", (double)engine_conf(engine)->device_count);
}

static double up_of(const struct dispatch_endpoint_status *s)
{
    return s->up;
}

static double queued_of(const struct dispatch_endpoint_status *s)
{
    return s->queued;
}

static double under_way_of(const struct dispatch_endpoint_status *s)
{
    return s->under_way;
}

static double sent_of(const struct dispatch_endpoint_status *s)
{
    return (double)s->sent;
}

static double received_of(const struct dispatch_endpoint_status *s)
{
    return (double)s->received;
}

static double failed_of(const struct dispatch_endpoint_status *s)
{
    return (double)s->failed;
}

static double last_of(const struct dispatch_endpoint_status *s)
{
    return s->last_ms / 1e3;
}

static void put_endpoints(FILE *out, struct dispatch *dispatch, const struct conf *conf)
{
    static const struct {
        const char *name, *type, *help;
        double (*value)(const struct dispatch_endpoint_status *);
    } table[] = {
        {"endpoint_up", "gauge", "1 when every address of the endpoint answers as it should.", up_of},
        {"endpoint_queued", "gauge", "Tellings that wait for their turn or their next attempt.", queued_of},
        {"endpoint_under_way", "gauge", "Tellings on the wire.", under_way_of},
        {"endpoint_sent_total", "counter", "Attempts.", sent_of},
        {"endpoint_received_total", "counter", "Tellings that were received.", received_of},
        {"endpoint_failed_total", "counter", "Attempts that failed.", failed_of},
        {"endpoint_last_answer_seconds", "gauge", "Duration of the last good answer.", last_of},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct dispatch_endpoint_status s;
        head(out, table[i].name, table[i].type, table[i].help);
        for (size_t k = 0; k < conf->endpoint_count; k++) /* ids need no escaping */
            if (dispatch_endpoint_status(dispatch, conf->endpoints[k].id, &s))
                fprintf(out, "tocsin_%s{endpoint=\"%s\"} %.15g\n", table[i].name, conf->endpoints[k].id, table[i].value(&s));
    }
}

static void put_mqtt(FILE *out, struct mqtt *mqtt, struct mqtt *supervision)
{
    struct mqtt_counts n = mqtt_counts(mqtt);
    if (supervision) {
        struct mqtt_counts s = mqtt_counts(supervision);
        n.received += s.received;
        n.published += s.published;
        n.publish_failed += s.publish_failed;
        n.dropped += s.dropped;
        n.reconnects += s.reconnects;
    }
    one(out, "mqtt_connections", "gauge", "Connections to the broker that hear what they are for.",
        mqtt_hears(mqtt) + (supervision && mqtt_hears(supervision)));
    one(out, "mqtt_receipts_apart", "gauge", "1 while receipts go out over a connection of their own.", n.receipts_apart);
    one(out, "mqtt_received_total", "counter", "Messages from the broker.", (double)n.received);
    one(out, "mqtt_published_total", "counter", "Messages to the broker.", (double)n.published);
    one(out, "mqtt_publish_failed_total", "counter", "Messages that could not be sent.",
        (double)n.publish_failed);
    one(out, "mqtt_dropped_total", "counter", "Messages dropped because a queue was full.",
        (double)n.dropped);
    one(out, "mqtt_reconnects_total", "counter", "Connections made again.", (double)n.reconnects);
}

char *metrics_text(const struct metrics_source *source, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    if (!out)
        return NULL;
    head(out, "build_info", "gauge", "The version that runs.");
    fprintf(out, "tocsin_build_info{version=\"%s\"} 1\n", source->version);
    put_engine(out, source->engine);
    put_journal(out, source->engine);
    put_board(out, source->engine);
    if (source->dispatch)
        put_endpoints(out, source->dispatch, engine_conf(source->engine));
    if (source->mqtt)
        put_mqtt(out, source->mqtt, source->supervision);
    one(out, "feeds", "gauge", "Open event feeds.", source->feeds);
    one(out, "resident_memory_bytes", "gauge", "Memory in use.", resident_bytes());
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
