/* message.c - whatever the broker brings, through the real engine, board and journal (in memory): topics,
 * payloads, retained or not.
 *
 * The input is up to eight messages, each a topic, a byte 0x1e, a payload, a byte 0x1e; the bytes at the end
 * of the input say for each whether it is retained, its QoS, and how much later it comes. Checked: a press of
 * a known, unsigned button is taken whatever it says, unless it is retained or a cancel; each PUBACK that
 * waits is released once, after the commit; each receipt is one that the button library understands; only
 * real presses reach the police as real; what is told is JSON; what is recorded can be read back. */
#include "button_parts.h"
#include "codec/event_json.h"
#include "codec/press_json.h"
#include "engine.h"
#include "scratch.h"
#include <jansson.h>

#define MESSAGES 8

static struct conf *conf;

static struct world {
    struct engine *engine;
    struct journal *journal;
    int64_t now_ms;
    bool woken;
    unsigned released, lines;
} world;

static int64_t wall(void *ctx)
{
    return 1795000000000 + world.now_ms;
}

static int64_t boottime(void *ctx)
{
    return 1000000 + world.now_ms;
}

static void must_be_json(const char *what, const char *text, size_t size)
{
    json_error_t why;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    must(json_is_object(object), "%s is no JSON (%s): %.*s", what, why.text, (int)size, text);
    json_decref(object);
}

static void tell(void *ctx, struct engine_telling *t)
{
    must(t->body_size <= LIMIT_BODY, "a telling of %zu bytes", t->body_size);
    must_be_json("a telling", t->take_body, t->body_size);
    bool test = memmem(t->take_body, t->body_size, "\"mode\":\"test\"", 13) != NULL;
    bool drill = memmem(t->take_body, t->body_size, "\"mode\":\"drill\"", 14) != NULL;
    must(strcmp(t->endpoint, "police") != 0 || (!test && !drill && !t->trouble), "the police are told: %s",
         t->take_body);
    free(t->take_body);
}

static void cancel(void *ctx, const char *id, const char *endpoint)
{
}

static void publish(void *ctx, const char *topic, const void *body, size_t size, int qos, bool retain)
{
    struct button_receipt r;
    must_be_json(topic, body, size);
    const char *leaf = strrchr(topic, '/');
    must(leaf && strspn(topic, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/") ==
                     strlen(topic),
         "a topic like %s", topic);
    must(strcmp(leaf, "/receipt") != 0 || button_text_receipt(body, size, &r),
         "the button does not understand %.*s", (int)size, (const char *)body);
}

static void release(void *ctx, void *hold)
{
    unsigned *released = hold;
    ++*released;
    world.released++;
}

static void wake_at(void *ctx, int64_t boottime_ms)
{
}

static void applied(void *ctx, const struct event *e, const char *line, size_t size)
{
    struct event again;
    char why[LIMIT_TEXT], written[LIMIT_LINE + 1];
    must(event_decode(line, size, &again, why), "a recorded line is not read back: %s: %.*s", why, (int)size,
         line);
    must(event_encode(&again, written, sizeof written) == size && memcmp(line, written, size) == 0,
         "another line: %s", written);
    world.lines++;
}

static void say(void *ctx, int level, const char *alarm, const char *text)
{
    must(text[0], "a log line without a word");
}

static void randomly(void *ctx, void *out, size_t size)
{
    memset(out, 7, size);
}

static void wake(void *ctx)
{
    world.woken = true;
}

static void settle(void)
{
    engine_batch_end(world.engine);
    for (int i = 0; i < 10; i++) {
        world.woken = false;
        journal_commit_now(world.journal);
        engine_progress(world.engine);
        if (!world.woken && engine_journal(world.engine).committed_seq + 1 == journal_next_seq(world.journal))
            return;
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    conf = scratch_conf();
    return 0;
}

/* Promise 1: one press is enough. */
static bool must_be_taken(const char *topic, const char *payload, size_t size, bool retained)
{
    static const char *const unsigned_ones[] = {"tocsin/v1/school-1/room-1/press",
                                                "tocsin/v1/school-1/late/press",
                                                "tocsin/v1/school-2/secret-room/press"};
    struct press_fields f;
    bool known = false;
    for (size_t i = 0; i < 3; i++)
        known |= strcmp(topic, unsigned_ones[i]) == 0;
    press_decode(payload, size, &f);
    return known && !retained && f.kind != KIND_CANCEL;
}

static void deliver(const char *topic, size_t topic_size, const char *payload, size_t size, unsigned how)
{
    char name[300];
    unsigned released = 0;
    snprintf(name, sizeof name, "%.*s", (int)(topic_size < 299 ? topic_size : 299), topic);
    bool retained = how & 1;
    struct engine_message m = {.topic = name,
                               .payload = payload,
                               .size = size,
                               .qos = how & 2 ? 0 : 1,
                               .retained = retained,
                               .hold = how & 4 ? &released : NULL};
    struct engine_counts before = engine_counts(world.engine), after;
    engine_message(world.engine, &m);
    must(!released || !must_be_taken(name, payload, size, retained), "a PUBACK before the commit");
    settle();
    after = engine_counts(world.engine);
    uint64_t taken = after.presses - before.presses + after.duplicates - before.duplicates;
    must(!must_be_taken(name, payload, size, retained) || taken == 1, "a press is not taken: %s %.*s", name,
         (int)size, payload);
    must(released == (m.hold != NULL), "a PUBACK is released %u times: %s", released, name);
    world.now_ms += (how >> 3) * 700;
    engine_tick(world.engine);
    settle();
}

static void deliver_all(const uint8_t *data, size_t size)
{
    uint8_t how[MESSAGES];
    for (unsigned i = 0; i < MESSAGES; i++)
        how[i] = (uint8_t)fuzz_take(data, &size);
    struct fuzz_parts parts = {data, size, false};
    const char *topic, *payload;
    size_t topic_size, payload_size;
    for (unsigned i = 0; i < MESSAGES && fuzz_part(&parts, &topic, &topic_size); i++) {
        if (!fuzz_part(&parts, &payload, &payload_size))
            payload_size = 0;
        char *copy = malloc(payload_size + 1); /* of its own size, for the sanitizer to see its end */
        must(copy, "no memory");
        if (payload_size)
            memcpy(copy, payload, payload_size);
        deliver(topic, topic_size, copy, payload_size, how[i]);
        free(copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct engine_ports ports = {NULL,    wall,    boottime, tell, cancel,  publish,
                                       release, wake_at, applied,  say,  randomly};
    char error[LIMIT_TEXT];
    struct store *store = store_memory_create();
    world = (struct world){.now_ms = 0};
    world.journal = journal_create(&(struct journal_options){.store = store,
                                                             .origin = "tocsin.test",
                                                             .secret_key = conf->daemon.journal_key,
                                                             .slow_ms = 2000,
                                                             .wake = wake},
                                   error);
    must(world.journal, "%s", error);
    world.engine = engine_create(&ports, world.journal, conf);
    must(world.engine && engine_start(world.engine, "boot", "fuzz", error), "%s", error);
    settle();
    deliver_all(data, size);
    engine_stop(world.engine);
    settle();
    must(world.lines + 1 >= journal_next_seq(world.journal), "%u lines of %llu were applied", world.lines,
         (unsigned long long)journal_next_seq(world.journal) - 1);
    journal_destroy(world.journal);
    engine_destroy(world.engine);
    store_destroy(store);
    return 0;
}
