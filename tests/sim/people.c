/* People at the desk: they look, think for a while, and answer what they saw; sometimes two at once. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

#define VIEWS 32

struct seen_view { /* what somebody saw of an alarm */
    char alarm[LIMIT_ALARM_ID];
    uint32_t version, presses;
    uint32_t life;
    bool recorded;
};

struct act {
    struct world *world;
    struct seen_view view;
    enum event_type type;
    char by[LIMIT_ID];
    enum role role;
    bool names_version, answered;
    int64_t asked_ms;
};

static bool press_counts(const struct world *w, const char *alarm, uint64_t before_seq, uint32_t *count)
{
    *count = 0;
    for (uint64_t s = 1; s < before_seq; s++) {
        const struct fact *f = &w->facts[s - 1];
        if (f->type != EVENT_PRESS_RECEIVED || strcmp(f->alarm, alarm) != 0)
            continue;
        if (f->truth < 0)
            return false; /* without identity: cannot be counted from outside */
        const struct truth *t = &w->truths[f->truth];
        *count += t->seq == s && t->kind != KIND_CANCEL;
    }
    return true;
}

/* Nobody closes what they have not seen. */
static void check_closing(struct act *a, uint64_t seq)
{
    struct world *w = a->world;
    uint32_t count;
    if (!a->names_version || a->view.life != w->life || !press_counts(w, a->view.alarm, seq, &count))
        return;
    if (count > a->view.presses)
        fail(w, "%s closed %s having seen %u of its %u presses", a->by, a->view.alarm, a->view.presses,
             count);
}

static void answered(void *ctx, enum engine_answer answer, const char *who, uint64_t seq)
{
    static const char *const words[] = {"done", "already", "impossible", "unknown", "unrecorded"};
    struct act *a = ctx;
    struct world *w = a->world;
    say(w, "person    %s is answered: %s %s", a->by, words[answer], who);
    if (a->answered)
        fail(w, "%s was answered twice", a->by);
    a->answered = true;
    w->deeds_waiting--;
    model_deed(w, a->view.alarm, a->type, answer == ENGINE_DONE);
    if (answer == ENGINE_UNKNOWN)
        mark(w, MARK_deed_unknown);
    if (answer == ENGINE_UNRECORDED)
        mark(w, MARK_deed_unrecorded);
    if (answer == ENGINE_ALREADY) {
        mark(w, MARK_second_was_told_who);
        if (!who[0])
            fail(w, "%s was told that somebody was first, but not who", a->by);
    }
    if (answer == ENGINE_UNKNOWN || answer == ENGINE_UNRECORDED)
        return;
    bool recorded = seq > 0 && seq <= w->disk.count;
    if (!recorded && answer != ENGINE_DONE && w->now_ms - a->asked_ms >= 2000)
        return; /* a no needs no record; while there is hope for one it waits like a yes */
    if (!recorded)
        fail(w, "%s was answered \"%s\" before it was recorded", a->by, words[answer]);
    const struct fact *f = &w->facts[seq - 1];
    if (f->type != a->type || strcmp(f->by, a->by) != 0 || strcmp(f->alarm, a->view.alarm) != 0)
        fail(w, "%s was answered \"%s\" for another event than their own", a->by, words[answer]);
    if (answer == ENGINE_DONE && a->type == EVENT_CLOSED)
        check_closing(a, seq);
}

static void do_it(struct world *w, const struct happening *h)
{
    struct act *a = h->thing;
    struct engine_deed deed = {.type = a->type,
                               .role = a->role,
                               .disposition = DISPOSITION_REAL,
                               .seen_version = a->names_version ? a->view.version : 0,
                               .note = a->type == EVENT_NOTE_ADDED ? "a note" : NULL,
                               .answer = answered,
                               .ctx = a};
    if (!w->up || w->stopping)
        return;
    memcpy(deed.alarm, a->view.alarm, sizeof deed.alarm);
    snprintf(deed.by, sizeof deed.by, "%s", a->by);
    say(w, "person    %s as %s: %s %s (saw version %u, %u presses)", a->by, role_str(a->role),
        event_type_str(a->type), a->view.alarm, deed.seen_version, a->view.presses);
    w->closings += a->type == EVENT_CLOSED;
    w->deeds_waiting++;
    a->asked_ms = w->now_ms;
    model_deed(w, a->view.alarm, a->type, false);
    engine_deed(w->engine, &deed);
}

static struct act *act_on(struct world *w, const struct alarm *alarm)
{
    static const enum event_type types[] = {EVENT_ACKNOWLEDGED, EVENT_ACKNOWLEDGED, EVENT_COMING,
                                            EVENT_ON_SCENE,     EVENT_CLOSED,       EVENT_CLOSED,
                                            EVENT_NOTE_ADDED};
    static const enum role roles[] = {ROLE_POLICE, ROLE_POLICE, ROLE_BUREAU, ROLE_GUARD, ROLE_ADMIN};
    struct act *a = world_take(w, sizeof *a);
    *a = (struct act){.world = w,
                      .view = {.version = alarm->version, .presses = alarm->press_count, .life = w->life},
                      .type = types[dice_below(&w->dice, sizeof types / sizeof *types)],
                      .role = roles[dice_below(&w->dice, sizeof roles / sizeof *roles)]};
    memcpy(a->view.alarm, alarm->id, sizeof a->view.alarm);
    a->names_version = a->type == EVENT_CLOSED && dice_chance(&w->dice, 7000);
    snprintf(a->by, sizeof a->by, "desk-%llu", (unsigned long long)w->orders);
    return a;
}

static const struct alarm *any_alarm(struct world *w)
{
    const struct alarm *found = NULL;
    uint32_t count = 0;
    for (struct alarm *a = NULL; (a = board_next_alarm(engine_board(w->engine), a));)
        if (dice_below(&w->dice, ++count) == 0)
            found = a;
    return found;
}

static void look(struct world *w, const struct happening *h)
{
    if (w->calm)
        return;
    plan_in(w, dice_between(&w->dice, 100, w->rates.people_every_ms), look, 0, 0, NULL);
    const struct alarm *alarm = w->up && w->rates.on[FAULT_PEOPLE] ? any_alarm(w) : NULL;
    if (!alarm)
        return;
    struct act *a = act_on(w, alarm);
    int64_t think_ms =
        dice_chance(&w->dice, 7000) ? dice_between(&w->dice, 0, 300) : dice_between(&w->dice, 300, 20000);
    plan_in(w, think_ms, do_it, 0, 0, a);
    if (dice_chance(&w->dice, 2000)) { /* a colleague does the same */
        struct act *b = world_take(w, sizeof *b);
        *b = *a;
        snprintf(b->by, sizeof b->by, "colleague-%llu", (unsigned long long)w->orders);
        plan_in(w, think_ms + dice_between(&w->dice, 0, 20), do_it, 0, 0, b);
    }
}

void people_init(struct world *w)
{
    plan_in(w, dice_between(&w->dice, 3000, 20000), look, 0, 0, NULL);
}

static void all_do(struct world *w, enum event_type type, enum role role)
{
    for (struct alarm *alarm = NULL; w->up && (alarm = board_next_alarm(engine_board(w->engine), alarm));) {
        if (alarm->state == ALARM_CLOSED)
            continue;
        struct act *a = act_on(w, alarm);
        a->type = type;
        a->role = role;
        a->names_version = false;
        plan_in(w, 0, do_it, 0, 0, a);
    }
}

void people_answer_all(struct world *w)
{
    all_do(w, EVENT_ACKNOWLEDGED, ROLE_POLICE);
    all_do(w, EVENT_ACKNOWLEDGED, ROLE_BUREAU);
    all_do(w, EVENT_COMING, ROLE_GUARD);
}

void people_close_all(struct world *w)
{
    all_do(w, EVENT_CLOSED, ROLE_POLICE);
}
