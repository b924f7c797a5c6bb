/* Presses that do not come from a well-behaved button: odd, retained, forged, replayed, of nobody's device.
 */
#include "codec/press_json.h"
#include "codec/time_text.h"
#include "sim.h"
#include <sodium.h>
#include <string.h>

struct raw {
    const char *site;                  /* NULL: any */
    const char *device, *epoch, *rest; /* rest: further members, beginning with a comma */
    uint64_t n;
    enum kind kind;
    enum mode mode;
    bool alarms, may_refuse;
    int qos;
};

static struct letter *letter_of(struct world *w, const struct raw *r)
{
    char site[8], topic[128], text[600];
    snprintf(site, sizeof site, "s%u", 1 + dice_below(&w->dice, SITES));
    if (r->site)
        snprintf(site, sizeof site, "%s", r->site);
    snprintf(topic, sizeof topic, "tocsin/v1/%s/%s/press", site, r->device);
    int size = snprintf(text, sizeof text, "{\"epoch\":\"%s\",\"n\":%llu%s%s}", r->epoch,
                        (unsigned long long)r->n, r->mode == MODE_DRILL ? ",\"drill\":true" : "", r->rest);
    struct truth t = {
        .n = r->n, .kind = r->kind, .mode = r->mode, .alarms = r->alarms, .may_refuse = r->may_refuse};
    snprintf(t.site, sizeof t.site, "%s", site);
    snprintf(t.device, sizeof t.device, "%s", r->device);
    snprintf(t.epoch, sizeof t.epoch, "%s", r->epoch);
    struct letter *l = world_take(w, sizeof *l);
    *l = (struct letter){.topic = world_copy(w, topic, strlen(topic)),
                         .payload = world_copy(w, text, (size_t)size),
                         .size = (size_t)size,
                         .qos = r->qos};
    l->truth = truth_find(w, t.site, t.device, t.epoch, t.n);
    if (l->truth < 0)
        l->truth = truth_make(w, &t);
    return l;
}

static uint64_t fresh_number(struct world *w)
{
    return 1000000 + ++w->stranger_presses;
}

static void send(struct world *w, const char *what, const struct raw *r)
{
    struct letter *l = letter_of(w, r);
    say(w, "stranger  %s: %s %s", what, l->topic, l->payload);
    broker_from_device(w, l);
}

static void forged(struct world *w)
{
    static const char *const rest[] = {
        "", ",\"sig\":\"AAAA\"",
        ",\"kind\":\"panic\",\"sig\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""};
    send(w, "a forgery",
         &(struct raw){.device = "d3",
                       .epoch = "forged",
                       .n = fresh_number(w),
                       .qos = 1,
                       .rest = rest[dice_below(&w->dice, 3)],
                       .kind = KIND_PANIC});
}

static void nobodys(struct world *w)
{
    bool stolen = dice_chance(&w->dice, 5000);
    send(w, "nobody's",
         &(struct raw){.device = stolen ? "stolen" : "ghost",
                       .epoch = "e",
                       .n = fresh_number(w),
                       .rest = ",\"kind\":\"attack\"",
                       .kind = KIND_ATTACK,
                       .qos = 1});
}

static void odd(struct world *w)
{
    static const char *const rest[] = {",\"kind\":\"zombies\"", ",\"extra\":[1,2,{}],\"kind\":7",
                                       ",\"battery\":-3",
                                       ",\"at\":\"1970-01-01T00:00:00Z\",\"kind\":\"panic\""};
    static const enum kind kinds[] = {KIND_GENERIC, KIND_GENERIC, KIND_INTRUSION, KIND_PANIC};
    uint32_t which = dice_below(&w->dice, 4);
    send(w, "odd",
         &(struct raw){.device = "odd",
                       .epoch = "o",
                       .n = fresh_number(w),
                       .rest = rest[which],
                       .kind = kinds[which],
                       .alarms = true,
                       .qos = (int)dice_below(&w->dice, 2)});
}

/* A device that counts from 1 again without saying so. */
static void counter_back(struct world *w)
{
    uint64_t n = ++w->counter < 6 ? 5000 + w->counter : w->counter;
    send(w, "counts",
         &(struct raw){.site = "s1",
                       .device = "d2",
                       .epoch = "b",
                       .n = n,
                       .rest = ",\"kind\":\"panic\"",
                       .kind = KIND_PANIC,
                       .alarms = true,
                       .qos = 1});
}

static void cancel(struct world *w)
{
    send(w, "cancel",
         &(struct raw){.device = "odd",
                       .epoch = "o",
                       .n = fresh_number(w),
                       .rest = ",\"kind\":\"cancel\"",
                       .kind = KIND_CANCEL,
                       .qos = 1});
}

static void drill(struct world *w)
{
    send(w, "drill",
         &(struct raw){.device = "odd",
                       .epoch = "o",
                       .n = fresh_number(w),
                       .rest = "",
                       .kind = KIND_INTRUSION,
                       .mode = MODE_DRILL,
                       .alarms = true,
                       .qos = 1});
}

/* Signed long ago, kept by somebody, sent now. When it comes as the first of its epoch nobody can know. */
static void replayed(struct world *w)
{
    char rest[128], base64[64];
    unsigned char signature[32];
    bool old = dice_chance(&w->dice, 5000);
    uint64_t n = old ? 1 + dice_below(&w->dice, 100) : fresh_number(w);
    char site[8];
    snprintf(site, sizeof site, "s%u", 1 + dice_below(&w->dice, SITES));
    press_sign(device_key, site, "d3", "k", n, "panic", MODE_REAL, NULL, signature);
    sodium_bin2base64(base64, sizeof base64, signature, sizeof signature, sodium_base64_VARIANT_ORIGINAL);
    snprintf(rest, sizeof rest, ",\"kind\":\"panic\",\"sig\":\"%s\"", base64);
    send(w, "replays",
         &(struct raw){.site = site,
                       .device = "d3",
                       .epoch = "k",
                       .n = n,
                       .rest = rest,
                       .kind = KIND_PANIC,
                       .alarms = true,
                       .may_refuse = true,
                       .qos = 1});
}

/* A press that somebody left in the broker: of now, of long ago, or of nobody knows when. */
static void retained(struct world *w)
{
    if (w->kept_count == (int)(sizeof w->kept / sizeof *w->kept))
        return;
    char at[TIME_TEXT], rest[64] = "";
    uint32_t age = dice_below(&w->dice, 3);
    time_text(at, w->now_ms + w->wall_offset_ms - (age == 0 ? 0 : 600000));
    if (age < 2)
        snprintf(rest, sizeof rest, ",\"at\":\"%s\"", at);
    bool clock_moves = w->rates.on[FAULT_CLOCK];
    struct raw r = {.device = "odd",
                    .epoch = "r",
                    .n = fresh_number(w),
                    .rest = rest,
                    .kind = KIND_INTRUSION,
                    .qos = 1,
                    .alarms = age == 0 || (age == 1 && clock_moves),
                    .may_refuse = true};
    struct letter *l = letter_of(w, &r);
    l->retained = true;
    say(w, "stranger  leaves a retained press: %s %s", l->topic, l->payload);
    w->kept[w->kept_count++] = l;
}

struct nameless {
    char site[8];
    uint64_t closings;
};

/* Whatever it said, it was a press. */
static void nameless_alarmed(struct world *w, const struct happening *h)
{
    const struct nameless *n = h->thing;
    if (w->closings == n->closings &&
        !board_open_alarm(engine_board(w->engine), n->site, CLASS_SECURITY, MODE_REAL))
        fail(w, "a press without identity of %s alarmed nobody", n->site);
}

static void nameless_arrives(struct world *w, const struct happening *h)
{
    static const char *const payloads[] = {"", "{\"kind\":\"panic\"}", "\xff\xfe not json {{{",
                                           "[[[[[[[[[[[[[[[[[[[[", "17"};
    const struct nameless *n = h->thing;
    uint32_t which = dice_below(&w->dice, 5);
    char topic[64];
    if (!w->up || w->stopping || !w->broker_up)
        return;
    snprintf(topic, sizeof topic, "tocsin/v1/%s/odd/press", n->site);
    say(w, "stranger  presses without identity: %s %s", topic, payloads[which]);
    if (which > 1)
        mark(w, MARK_press_garbage);
    model_nameless(w, n->site, CLASS_SECURITY);
    plan_in(w, 1000, nameless_alarmed, w->life, 0, h->thing);
    engine_message(w->engine, &(struct engine_message){.topic = topic,
                                                       .payload = payloads[which],
                                                       .size = strlen(payloads[which]),
                                                       .qos = 1});
    engine_batch_end(w->engine);
}

static void nameless(struct world *w)
{
    struct nameless *n = world_take(w, sizeof *n);
    snprintf(n->site, sizeof n->site, "s%u", 1 + dice_below(&w->dice, SITES));
    n->closings = w->closings;
    plan_in(w, 1, nameless_arrives, 0, 0, n);
}

static void stranger(struct world *w, const struct happening *h)
{
    static void (*const deeds[])(struct world *) = {forged, nobodys,  odd,      counter_back, cancel,
                                                    drill,  retained, nameless, replayed};
    if (w->calm)
        return;
    uint32_t which = dice_below(&w->dice, sizeof deeds / sizeof *deeds);
    if (faulty(w, FAULT_STRANGER, 10000))
        deeds[which](w);
    plan_in(w, dice_between(&w->dice, 500, 20000), stranger, 0, 0, NULL);
}

void strangers_init(struct world *w)
{
    plan_in(w, dice_between(&w->dice, 500, 20000), stranger, 0, 0, NULL);
}
