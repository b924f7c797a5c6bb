/* Buttons: the real library, pressed by people, losing power and storage. */
#include "sim.h"
#include "tocsin_button.h"
#include <sodium.h>
#include <string.h>

#define UPTIME_MS 1000000 /* a button's own clock, before the history begins */

struct device {
    struct world *world;
    struct button button;
    char site[LIMIT_ID], id[LIMIT_ID];
    unsigned char record[BUTTON_RECORD];
    size_t record_size;
    int64_t skew_ms;
    uint32_t order; /* of the planned tick */
    bool off, may_refuse;
};

static uint64_t device_ms(const struct world *w)
{
    return (uint64_t)(w->now_ms + UPTIME_MS);
}

static int truth_of_waiting(struct world *w, struct device *d, const struct button_waiting *p)
{
    static const enum mode modes[] = {
        [BUTTON_REAL] = MODE_REAL, [BUTTON_DRILL] = MODE_DRILL, [BUTTON_TEST] = MODE_TEST};
    int known = truth_find(w, d->site, d->id, p->epoch, p->n);
    if (known >= 0)
        return known;
    struct truth t = {
        .n = p->n, .mode = modes[p->mode], .alarms = true, .by_button = true, .may_refuse = d->may_refuse};
    snprintf(t.site, sizeof t.site, "%s", d->site);
    snprintf(t.device, sizeof t.device, "%s", d->id);
    snprintf(t.epoch, sizeof t.epoch, "%s", p->epoch);
    kind_of(p->kind, &t.kind);
    return truth_make(w, &t);
}

/* What the library asks for. */

static bool publish(void *ctx, const char *topic, const void *payload, size_t size, int qos)
{
    struct device *d = ctx;
    struct world *w = d->world;
    struct letter l = {.qos = qos, .truth = -1, .size = size};
    for (unsigned i = 0; i < d->button.waiting_count; i++)
        if (payload == d->button.waiting[i].payload)
            l.truth = truth_of_waiting(w, d, &d->button.waiting[i]);
    l.topic = world_copy(w, topic, strlen(topic));
    l.payload = world_copy(w, payload, size);
    l.wants_hold = l.truth >= 0 && strcmp(d->id, "d4") == 0;
    broker_from_device(w, &l);
    return w->broker_up;
}

static bool save(void *ctx, const void *bytes, size_t size)
{
    struct device *d = ctx;
    bool fails = faulty(d->world, FAULT_BUTTON, 300);
    if (!fails || dice_chance(&d->world->dice, 5000)) {
        memcpy(d->record, bytes, size);
        d->record_size = size;
    }
    return !fails;
}

static bool load(void *ctx, void *bytes, size_t max, size_t *size)
{
    struct device *d = ctx;
    if (d->record_size == 0 || d->record_size > max)
        return false;
    memcpy(bytes, d->record, d->record_size);
    *size = d->record_size;
    return true;
}

static uint32_t throw(void *ctx)
{
    return (uint32_t)dice_throw(&((struct device *)ctx)->world->dice);
}

static int64_t wall(void *ctx)
{
    const struct device *d = ctx;
    return d->world->now_ms + 1800000000000 + d->skew_ms;
}

static bool sign(void *ctx, const void *bytes, size_t size, unsigned char out[32])
{
    return crypto_auth_hmacsha256(out, bytes, size, device_key) == 0;
}

/* Its life. */

static void look(struct device *d);

static void tick(struct world *w, const struct happening *h)
{
    struct device *d = h->thing;
    if ((uint32_t)h->a == d->order && !d->off)
        look(d);
}

static void look(struct device *d)
{
    uint64_t in_ms = button_tick(&d->button, device_ms(d->world));
    d->order = (d->order + 1) & 0x3fffffff;
    plan_in(d->world, in_ms > 0 && in_ms < 60000 ? (int64_t)in_ms : 1, tick, 0, (int)d->order, d);
}

static void power_on(struct world *w, const struct happening *h)
{
    struct device *d = h->thing;
    const struct button_options options = {.site = d->site,
                                           .device = d->id,
                                           .publish = publish,
                                           .save = save,
                                           .load = load,
                                           .random = throw,
                                           .wall_ms = wall,
                                           .hmac = strcmp(d->id, "d3") == 0 ? sign : NULL,
                                           .ctx = d};
    d->off = false;
    button_init(&d->button, &options, device_ms(w));
    button_link(&d->button, w->broker_up, device_ms(w));
    look(d);
}

static void power_loss(struct world *w, const struct happening *h)
{
    if (w->calm)
        return;
    plan_in(w, dice_between(&w->dice, 5000, 60000), power_loss, 0, 0, NULL);
    struct device *d = &w->devices[dice_below(&w->dice, BUTTONS)];
    if (!faulty(w, FAULT_BUTTON, 8000) || d->off)
        return;
    say(w, "button    %s/%s loses power", d->site, d->id);
    if (button_waiting(&d->button))
        mark(w, MARK_button_power_loss);
    /* A press whose record was not kept dies with the power; the person sees no lamp and presses again. */
    for (int i = 0; i < w->truth_count; i++)
        if (strcmp(w->truths[i].site, d->site) == 0 && strcmp(w->truths[i].device, d->id) == 0)
            w->truths[i].by_button = false;
    d->off = true;
    plan_in(w, dice_between(&w->dice, 500, 20000), power_on, 0, 0, d);
}

void devices_link(struct world *w, bool up)
{
    for (int i = 0; i < BUTTONS; i++) {
        struct device *d = &w->devices[i];
        if (d->off)
            continue;
        button_link(&d->button, up, device_ms(w));
        look(d);
    }
}

void devices_receive(struct world *w, const char *topic, const char *body, size_t size)
{
    for (int i = 0; i < BUTTONS; i++) {
        struct device *d = &w->devices[i];
        char mine[BUTTON_TOPIC];
        if (d->off)
            continue;
        button_topic(&d->button, "receipt", mine);
        if (strcmp(mine, topic) != 0)
            continue;
        button_receive(&d->button, body, size, device_ms(w));
        look(d);
    }
}

/* People press. */

void devices_press(struct world *w, int number, const char *kind, enum mode mode)
{
    static const enum button_mode modes[MODE_COUNT] = {
        [MODE_REAL] = BUTTON_REAL, [MODE_DRILL] = BUTTON_DRILL, [MODE_TEST] = BUTTON_TEST};
    struct device *d = &w->devices[number];
    if (d->off)
        return;
    uint64_t n = button_press(&d->button, kind, modes[mode], device_ms(w));
    say(w, "button    %s/%s is pressed: %s %s (%llu)", d->site, d->id, mode_str(mode), kind,
        (unsigned long long)n);
    for (unsigned i = 0; i < d->button.waiting_count; i++)
        truth_of_waiting(w, d, &d->button.waiting[i]);
    look(d);
}

static void press(struct world *w, const struct happening *h)
{
    static const char *const kinds[] = {"panic", "panic",   "panic",     "attack",
                                        "fire",  "medical", "intrusion", "generic"};
    if (w->calm)
        return;
    uint32_t which = dice_below(&w->dice, BUTTONS), kind = dice_below(&w->dice, sizeof kinds / sizeof *kinds);
    uint32_t mode = dice_below(&w->dice, 10);
    devices_press(w, (int)which, kinds[kind], mode == 0 ? MODE_TEST : mode == 1 ? MODE_DRILL : MODE_REAL);
    plan_in(w, dice_between(&w->dice, 1, 2 * w->rates.press_every_ms), press, 0, 0, NULL);
}

static void press_in_storm(struct world *w, const struct happening *h)
{
    if (!w->calm)
        devices_press(w, h->a, "panic", MODE_REAL);
}

static void storm(struct world *w, const struct happening *h)
{
    if (!faulty(w, FAULT_STORM, 10000))
        return;
    say(w, "people    press everywhere");
    for (int i = 0; i < 60; i++)
        plan_in(w, dice_between(&w->dice, 0, 20000), press_in_storm, 0, (int)dice_below(&w->dice, BUTTONS),
                NULL);
}

void devices_init(struct world *w)
{
    w->devices = world_take(w, BUTTONS * sizeof *w->devices);
    for (int i = 0; i < BUTTONS; i++) {
        struct device *d = &w->devices[i];
        d->world = w;
        snprintf(d->site, sizeof d->site, "s%d", i / DEVICES_A_SITE + 1);
        snprintf(d->id, sizeof d->id, "d%d", i % DEVICES_A_SITE + 1);
        d->skew_ms = dice_chance(&w->dice, 2000) ? dice_between(&w->dice, -1000000, 1000000) : 0;
        d->may_refuse =
            strcmp(d->site, "s2") == 0 && strcmp(d->id, "d2") == 0; /* disabled in one configuration */
        plan_in(w, dice_between(&w->dice, 0, 5000), power_on, 0, 0, d);
        d->off = true;
    }
    plan_in(w, dice_between(&w->dice, 1000, 15000), press, 0, 0, NULL);
    plan_in(w, dice_between(&w->dice, 10000, 200000), storm, 0, 0, NULL);
    plan_in(w, dice_between(&w->dice, 5000, 60000), power_loss, 0, 0, NULL);
}

void devices_calm(struct world *w)
{
    for (int i = 0; i < BUTTONS; i++)
        if (w->devices[i].off)
            plan_in(w, 100, power_on, 0, 0, &w->devices[i]);
}

/* Every press has had its answer. */
void devices_settled(struct world *w)
{
    for (int i = 0; i < BUTTONS; i++) {
        const struct device *d = &w->devices[i];
        if (!d->off && button_waiting(&d->button))
            fail(w, "button %s/%s still has no receipt for %s %llu", d->site, d->id,
                 d->button.waiting[0].epoch, (unsigned long long)d->button.waiting[0].n);
    }
}
