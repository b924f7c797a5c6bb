/* What is true whatever the daemon thinks: which presses people made, and what the disk holds. */
#include "codec/event_json.h"
#include "sim.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int truth_find(struct world *w, const char *site, const char *device, const char *epoch, uint64_t n)
{
    for (int i = w->truth_count - 1; i >= 0; i--) {
        const struct truth *t = &w->truths[i];
        if (t->n == n && strcmp(t->epoch, epoch) == 0 && strcmp(t->device, device) == 0 &&
            strcmp(t->site, site) == 0)
            return i;
    }
    return -1;
}

int truth_make(struct world *w, const struct truth *t)
{
    if (w->truth_count == w->truth_size) {
        w->truth_size = w->truth_size ? w->truth_size * 2 : 128;
        w->truths = realloc(w->truths, (size_t)w->truth_size * sizeof *w->truths);
        assert(w->truths);
    }
    w->truths[w->truth_count] = *t;
    w->truths[w->truth_count].made_ms = w->now_ms;
    return w->truth_count++;
}

/* A signed press that was held back may be a replay: a later one of the same device has come. */
bool truth_overtaken(const struct world *w, const struct truth *t)
{
    if (strcmp(t->device, "d3") != 0)
        return false;
    for (int i = 0; i < w->truth_count; i++)
        if (w->truths[i].taken_ms && w->truths[i].n > t->n && strcmp(w->truths[i].epoch, t->epoch) == 0 &&
            strcmp(w->truths[i].device, t->device) == 0 && strcmp(w->truths[i].site, t->site) == 0)
            return true;
    return false;
}

/* A press that identifies itself must be one that somebody made. */
static int truth_of(struct world *w, const struct event *e)
{
    const struct event_press *p = &e->press;
    return p->has_identity ? truth_find(w, p->site, p->device, p->epoch, p->n) : -1;
}

static void keep_press(struct world *w, const struct event *e, struct fact *f)
{
    f->truth = truth_of(w, e);
    if (f->truth < 0) {
        if (e->press.has_identity)
            fail(w, "event %llu accepts %s/%s %s %llu, which nobody pressed", (unsigned long long)e->seq,
                 e->press.site, e->press.device, e->press.epoch, (unsigned long long)e->press.n);
        mark(w, MARK_press_without_identity);
        return;
    }
    struct truth *t = &w->truths[f->truth];
    if (!t->alarms && t->kind != KIND_CANCEL)
        fail(w, "event %llu accepts a press of %s/%s that is not genuine", (unsigned long long)e->seq,
             t->site, t->device);
    if (t->mode != e->press.mode)
        fail(w, "event %llu takes a %s press for a %s one", (unsigned long long)e->seq, mode_str(t->mode),
             mode_str(e->press.mode));
    if (t->seq)
        fail(w, "event %llu accepts %s/%s %s %llu again, which is event %llu", (unsigned long long)e->seq,
             t->site, t->device, t->epoch, (unsigned long long)t->n, (unsigned long long)t->seq);
    t->seq = e->seq;
    memcpy(t->alarm, e->alarm, sizeof t->alarm);
    if (e->press.oddities & ODD_RETAINED)
        mark(w, MARK_press_retained_fresh);
    if (e->press.oddities & ODD_COUNTER_BACK)
        mark(w, MARK_press_counter_back);
    if (t->kind == KIND_CANCEL)
        mark(w, MARK_press_cancel);
    for (const struct worry *y = w->worries; y; y = y->next)
        if (y->closing && strcmp(y->site, t->site) == 0 && y->class == kind_class(t->kind) &&
            y->mode == t->mode && strcmp(y->id, t->alarm) != 0)
            mark(w, MARK_press_after_closing);
}

static void keep_refusal(struct world *w, const struct event *e, struct fact *f)
{
    static const enum mark marks[REFUSAL_COUNT] = {[REFUSAL_UNKNOWN_DEVICE] = MARK_press_unknown_device,
                                                   [REFUSAL_NO_SIGNATURE] = MARK_press_forged,
                                                   [REFUSAL_BAD_SIGNATURE] = MARK_press_forged,
                                                   [REFUSAL_REPLAYED] = MARK_press_replayed,
                                                   [REFUSAL_STALE_RETAINED] = MARK_press_retained_stale,
                                                   [REFUSAL_DEVICE_DISABLED] = MARK_press_disabled_device,
                                                   [REFUSAL_NOTHING_TO_CANCEL] = MARK_press_cancel};
    f->truth = truth_of(w, e);
    mark(w, marks[e->press.refusal]);
    if (f->truth < 0)
        return;
    struct truth *t = &w->truths[f->truth];
    if (t->alarms && !t->may_refuse && !(e->press.refusal == REFUSAL_REPLAYED && truth_overtaken(w, t)))
        fail(w, "a genuine press of %s/%s (%s %llu) was refused: %s", t->site, t->device, t->epoch,
             (unsigned long long)t->n, refusal_str(e->press.refusal));
    t->refused_seq = e->seq;
}

/* The daemon's clock goes on over every start as time really passed, but for what was done to the wall clock.
 */
static void keep_start(struct world *w, const struct event *e, struct fact *f)
{
    int64_t ahead_ms = e->clock_ms - w->up_since_ms;
    f->boot = (unsigned)strtoul(e->daemon.boot_id + strlen("boot-"), NULL, 10);
    if (e->seq > 1 && (ahead_ms < w->clock_low_ms || ahead_ms > w->clock_high_ms))
        fail(w, "after a start the daemon's clock is %lld ms ahead of time, it should be %lld to %lld",
             (long long)ahead_ms, (long long)w->clock_low_ms, (long long)w->clock_high_ms);
    w->clock_ahead_ms = ahead_ms;
}

void ledger_keep(struct world *w, uint64_t seq, const char *line, size_t size)
{
    struct event e;
    char why[LIMIT_TEXT];
    if (seq != w->disk.count + 1)
        fail(w, "the journal got event %llu after %llu", (unsigned long long)seq,
             (unsigned long long)w->disk.count);
    if (!event_decode(line, size, &e, why))
        fail(w, "the journal got an event that cannot be read: %s", why);
    if (seq > w->fact_size) {
        w->fact_size = w->fact_size ? w->fact_size * 2 : 1024;
        w->facts = realloc(w->facts, w->fact_size * sizeof *w->facts);
        assert(w->facts);
    }
    struct fact *f = &w->facts[seq - 1];
    *f = (struct fact){.type = e.type, .at_ms = e.at_ms, .clock_ms = e.clock_ms, .truth = -1};
    memcpy(f->alarm, e.alarm, sizeof f->alarm);
    if (e.type == EVENT_DAEMON_STARTED)
        keep_start(w, &e, f);
    f->offset_ms = e.at_ms - (e.clock_ms - w->clock_ahead_ms);
    if (e.type >= EVENT_ACKNOWLEDGED && e.type <= EVENT_NOTE_ADDED)
        memcpy(f->by, e.deed.by, sizeof f->by);
    w->disk.count = seq;
    if (seq > 1 && e.clock_ms < w->facts[seq - 2].clock_ms)
        fail(w, "the daemon's clock went back at event %llu", (unsigned long long)seq);
    if (e.type == EVENT_PRESS_RECEIVED)
        keep_press(w, &e, f);
    else if (e.type == EVENT_PRESS_REFUSED)
        keep_refusal(w, &e, f);
    else if (e.type == EVENT_CLOSED && w->up && !board_alarm(engine_board(w->engine), e.alarm))
        mark(w, MARK_closed_long_ago);
}

void ledger_commit(struct world *w, const struct store_head *head)
{
    uint64_t size = head->frontier.size;
    if (size >= w->root_size) {
        uint64_t before = w->root_size;
        w->root_size = size * 2 + 64;
        w->roots = realloc(w->roots, w->root_size * sizeof *w->roots);
        assert(w->roots);
        memset(w->roots + before, 0, (w->root_size - before) * sizeof *w->roots);
    }
    tree_root(&head->frontier, w->roots[size]);
}

/* The daemon is dead: what it had taken and not recorded it has never heard of. */
void ledger_forget_life(struct world *w)
{
    for (int i = 0; i < w->truth_count; i++) {
        struct truth *t = &w->truths[i];
        if (t->taken_ms && !t->seq && t->attempted)
            mark(w, MARK_told_then_lost);
        if (!t->seq)
            t->taken_ms = 0;
        t->attempted = 0;
        t->told_alarm[0] = '\0';
    }
}
