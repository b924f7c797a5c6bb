/* The daemon's life: engine and journal between the simulated ports; starts, deaths, reboots, reloads. */
#include "sim.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void start(struct world *w, const struct happening *h);

/* Death. */

void daemon_die(struct world *w, const char *why)
{
    say(w, "daemon    dies: %s", why);
    longjmp(w->death, 1);
}

void daemon_perhaps_die(struct world *w, enum mark m)
{
    uint32_t per_10000 = w->rates.die_in_call * (m == MARK_die_in_port ? 1 : 4);
    if (!w->starting && !w->up)
        return;
    if (!faulty(w, FAULT_DEATH, w->starting ? per_10000 * 4 : per_10000))
        return;
    mark(w, w->starting ? MARK_die_while_starting : m);
    daemon_die(w, w->starting                   ? "while starting"
                  : m == MARK_die_before_commit ? "before the commit"
                  : m == MARK_die_after_commit  ? "after the commit"
                                                : "in the middle of it");
}

/* Takes the dead daemon away. Nothing of it reaches the disk any more. */
void daemon_bury(struct world *w)
{
    w->disk.dead = true;
    journal_destroy(w->journal); /* it still looks at the engine's lines */
    engine_destroy(w->engine);
    w->engine = NULL;
    w->journal = NULL;
    w->up = w->starting = w->stopping = w->commit_planned = false;
    w->life++;
    w->down_since_ms = w->now_ms;
    ledger_forget_life(w);
    endpoints_forget(w);
    model_died(w);
    w->deeds_waiting = 0;
    int64_t pause_ms =
        dice_chance(&w->dice, 8000) ? dice_between(&w->dice, 20, 2000) : dice_between(&w->dice, 2000, 60000);
    plan_in(w, w->calm ? 500 : pause_ms, start, 0, 0, NULL);
}

/* Ports. */

static int64_t port_wall(void *ctx)
{
    const struct world *w = ctx;
    return w->now_ms + w->wall_offset_ms;
}

static int64_t port_boottime(void *ctx)
{
    const struct world *w = ctx;
    return w->now_ms - w->boot_at_ms;
}

static void port_tell(void *ctx, struct engine_telling *t)
{
    daemon_perhaps_die(ctx, MARK_die_in_port);
    endpoints_tell(ctx, t);
}

static void port_cancel(void *ctx, const char *id, const char *endpoint)
{
    endpoints_cancel(ctx, id, endpoint);
}

static void port_publish(void *ctx, const char *topic, const void *body, size_t size, int qos, bool retain)
{
    daemon_perhaps_die(ctx, MARK_die_in_port);
    check_receipt(ctx, topic, body, size);
    broker_from_daemon(ctx, topic, body, size, retain);
}

static void port_release(void *ctx, void *hold)
{
    daemon_perhaps_die(ctx, MARK_die_in_port);
    broker_release(ctx, hold);
}

static void tick(struct world *w, const struct happening *h)
{
    if ((uint64_t)h->a != w->wake_order || w->stopping)
        return;
    w->wake_boottime_ms = 0;
    engine_tick(w->engine);
}

static void port_wake_at(void *ctx, int64_t boottime_ms)
{
    struct world *w = ctx;
    if (w->wake_boottime_ms == boottime_ms)
        return;
    w->wake_boottime_ms = boottime_ms;
    int64_t at_ms = boottime_ms + w->boot_at_ms;
    if (at_ms < w->now_ms)
        at_ms = w->now_ms;
    w->wake_order = (w->wake_order + 1) & 0x3fffffff;
    plan_at(w, at_ms + dice_between(&w->dice, 0, 3), tick, w->life, (int)w->wake_order, NULL);
}

/* Only looks: what was reached. */
static void port_applied(void *ctx, const struct event *e, const char *line, size_t size)
{
    struct world *w = ctx;
    say(w, "applied   %.*s", (int)size, line);
    if (e->type == EVENT_DAEMON_STARTED) {
        w->clock_known = true;
        w->clock_now_ms = e->clock_ms - w->up_since_ms;
    }
    const struct alarm *a = e->alarm[0] && w->engine ? board_alarm(engine_board(w->engine), e->alarm) : NULL;
    if (!a)
        return;
    if (e->type == EVENT_DEADLINE_PASSED && e->deadline.kind == DEADLINE_ANSWER)
        mark(w, a->exhausted ? MARK_exhausted : MARK_escalated);
    if (e->type == EVENT_DEADLINE_PASSED && e->deadline.kind == DEADLINE_COMING &&
        a->change == CHANGE_REOPENED)
        mark(w, MARK_reopened_by_time);
    if (e->type == EVENT_DEADLINE_PASSED && e->deadline.kind == DEADLINE_TEST && a->state == ALARM_CLOSED)
        mark(w, MARK_test_closed_itself);
    if (e->type == EVENT_DELIVERY_RESULT && a->change == CHANGE_ESCALATED &&
        e->delivery.outcome == OUTCOME_REFUSED)
        mark(w, MARK_refused_by_all);
    if (e->type == EVENT_PRESS_RECEIVED && a->change == CHANGE_REOPENED)
        mark(w, MARK_reopened_by_press);
    if (e->type == EVENT_PRESS_RECEIVED && a->change == CHANGE_RAISED)
        mark(w, MARK_raised);
    if (a->press_count >= 30)
        mark(w, MARK_storm);
    if (e->type == EVENT_CLOSED && a->state != ALARM_CLOSED)
        mark(w, MARK_closing_met_press);
    if (e->type == EVENT_PRESS_RECEIVED && a->mode == MODE_REAL &&
        board_open_alarm(engine_board(w->engine), a->site, a->class, MODE_DRILL))
        mark(w, MARK_real_in_drill);
    unsigned sites = 0;
    for (int i = 1; i <= SITES; i++) {
        char id[8];
        snprintf(id, sizeof id, "s%d", i);
        sites += board_open_alarm(engine_board(w->engine), id, CLASS_SECURITY, MODE_REAL) != NULL;
    }
    if (sites == SITES)
        mark(w, MARK_sites_at_once);
}

static void port_log(void *ctx, int level, const char *alarm, const char *text)
{
    struct world *w = ctx;
    say(w, "log       %s", text);
    if (strstr(text, "cannot be read back") || strstr(text, "another build"))
        fail(w, "the daemon does not understand what it wrote itself");
}

static void port_random(void *ctx, void *out, size_t size)
{
    struct world *w = ctx;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = (unsigned char)dice_throw(&w->dice);
}

/* The writer: in the daemon a thread, here a happening. */

static void progress(struct world *w, const struct happening *h)
{
    if (w->up)
        engine_progress(w->engine);
}

static void on_journal_wake(void *ctx)
{
    ((struct world *)ctx)->woken = true;
}

static void commit(struct world *w, const struct happening *h)
{
    w->commit_planned = false;
    w->woken = false;
    journal_commit_now(w->journal);
    w->degraded = journal_poll(w->journal).state != JOURNAL_OK;
    if (w->woken)
        plan_in(w, dice_between(&w->dice, 0, 2), progress, w->life, 0, NULL);
}

void daemon_after(struct world *w)
{
    if (!w->up || w->commit_planned)
        return;
    if (journal_next_seq(w->journal) - 1 == journal_poll(w->journal).committed_seq && !w->degraded)
        return;
    int64_t in_ms = dice_between(&w->dice, 1, 8);
    if (faulty(w, FAULT_DISK, w->rates.commit_slow + (w->disk.mood == DISK_SLOW ? 8000 : 0))) {
        in_ms = dice_between(&w->dice, 30, dice_chance(&w->dice, 3000) ? 6000 : 300);
        mark(w, MARK_disk_slow);
    }
    plan_in(w, w->degraded ? 1000 : in_ms, commit, w->life, 0, NULL);
    w->commit_planned = true;
}

/* Start. */

/* How far a start may be from the time that really passed: within one boot not at all; over a reboot as far
 * as somebody has set the wall clock meanwhile. Told to the model before the daemon starts. */
static void expect_clock(struct world *w)
{
    uint64_t size = w->disk.count;
    w->clock_low_ms = w->clock_high_ms = w->clock_ahead_ms;
    for (uint64_t i = size; i > 0; i--)
        if (w->facts[i - 1].type == EVENT_DAEMON_STARTED && w->facts[i - 1].boot == w->boot)
            return; /* the kernel's own clock goes on */
    int64_t moved = size ? w->wall_offset_ms - w->facts[size - 1].offset_ms : 0;
    int64_t passed = size ? w->now_ms - (w->facts[size - 1].clock_ms - w->clock_ahead_ms) : 0;
    if (moved > 0) {
        mark(w, MARK_reboot_clock_forward);
        w->clock_high_ms += moved;
    }
    if (moved < 0) {
        mark(w, MARK_reboot_clock_back);
        w->clock_low_ms -= -moved < passed ? -moved : passed;
    }
    model_restarted(w, w->clock_high_ms - w->clock_ahead_ms, w->clock_ahead_ms - w->clock_low_ms);
}

static bool start_journal(struct world *w)
{
    char error[LIMIT_TEXT] = "";
    w->disk.dead = false;
    w->journal = journal_create(&(struct journal_options){.store = &w->disk.store,
                                                          .origin = "sim",
                                                          .secret_key = w->key,
                                                          .slow_ms = 2000,
                                                          .wake = on_journal_wake,
                                                          .ctx = w},
                                error);
    if (!w->journal)
        say(w, "daemon    cannot start: %s", error);
    return w->journal != NULL;
}

static void note_overdue(struct world *w)
{
    int64_t clock_ms = 0;
    if (w->disk.count > 0)
        clock_ms = w->facts[w->disk.count - 1].clock_ms;
    for (struct alarm *a = NULL; (a = board_next_alarm(engine_board(w->engine), a));)
        if (a->due_clock_ms[DEADLINE_ANSWER] &&
            a->due_clock_ms[DEADLINE_ANSWER] < clock_ms + w->now_ms - w->down_since_ms)
            mark(w, MARK_overdue_at_start);
}

static void start(struct world *w, const struct happening *h)
{
    char error[LIMIT_TEXT] = "", boot[16];
    const struct engine_ports ports = {w,
                                       port_wall,
                                       port_boottime,
                                       port_tell,
                                       port_cancel,
                                       port_publish,
                                       port_release,
                                       port_wake_at,
                                       port_applied,
                                       port_log,
                                       port_random};
    if (w->up)
        return; /* calm has started it already */
    assert(!w->engine && !w->journal);
    w->life++;
    w->starting = true;
    w->up_since_ms = w->now_ms;
    w->degraded = w->clock_known = false;
    w->wake_boottime_ms = 0;
    memset(w->shown, 0, sizeof w->shown);
    if (!start_journal(w)) {
        w->starting = false;
        plan_in(w, 1000, start, 0, 0, NULL);
        return;
    }
    expect_clock(w);
    w->engine = engine_create(&ports, w->journal, w->confs[w->conf]);
    assert(w->engine);
    snprintf(boot, sizeof boot, "boot-%u", w->boot);
    say(w, "daemon    starts (life %u, %s)", w->life, boot);
    if (!engine_start(w->engine, boot, "sim", error))
        fail(w, "the daemon cannot start: %s", error);
    w->starting = false;
    w->up = true;
    note_overdue(w);
    check_board(w, "after a start");
    if (w->broker_up)
        broker_daemon_connects(w);
}

void daemon_start(struct world *w)
{
    if (setjmp(w->death) == 0)
        start(w, NULL);
    else
        daemon_bury(w);
}

/* What is done to it. */

static void stop_in_order(struct world *w)
{
    say(w, "daemon    stops in order");
    if (board_counts(engine_board(w->engine)).alarms_open)
        mark(w, MARK_stopped_in_order);
    w->stopping = true;
    engine_stop(w->engine);
    for (int i = 0; i < 3; i++) {
        journal_commit_now(w->journal);
        engine_progress(w->engine);
    }
    if (engine_journal(w->engine).committed_seq + 1 == journal_next_seq(w->journal))
        check_board(w, "after a stop");
    struct engine *engine = w->engine;
    struct journal *journal = w->journal;
    w->engine = NULL;
    w->journal = NULL;
    journal_destroy(journal); /* may write what the engine still holds */
    engine_destroy(engine);
    daemon_bury(w);
}

static void reload(struct world *w)
{
    int next = (int)dice_below(&w->dice, CONFS);
    say(w, "daemon    reads configuration %d", next);
    if (board_counts(engine_board(w->engine)).alarms_open)
        mark(w, MARK_reload_with_alarm);
    w->conf = next;
    w->conf_since_ms = w->now_ms;
    engine_set_conf(w->engine, w->confs[next]);
}

static void set_clock(struct world *w)
{
    static const int64_t largest_ms[] = {2000, 120000, 3600000, 315360000000};
    int64_t most = largest_ms[dice_below(&w->dice, 4)];
    int64_t by = dice_between(&w->dice, -most, most);
    say(w, "clock     is set by %lld s", (long long)(by / 1000));
    if (w->up && board_counts(engine_board(w->engine)).alarms_open)
        mark(w, MARK_clock_step_with_alarm);
    w->wall_offset_ms += by;
    if (w->wall_offset_ms < 1000000000000 || w->wall_offset_ms > 4000000000000)
        w->wall_offset_ms = 1800000000000;
}

static void reboot(struct world *w)
{
    say(w, "machine   reboots");
    w->boot++;
    w->boot_at_ms = w->now_ms - dice_between(&w->dice, 0, 3000);
    if (faulty(w, FAULT_CLOCK, 6000))
        set_clock(w);
    daemon_die(w, "reboot");
}

static void disk_changes(struct world *w, const struct happening *h)
{
    w->disk.mood = faulty(w, FAULT_DISK, 4000)
                       ? (enum disk_mood)dice_between(&w->dice, DISK_FAILING, DISK_GONE)
                       : DISK_GOOD;
    say(w, "disk      is %s now", (const char *[]){"good", "failing", "full", "slow", "gone"}[w->disk.mood]);
    bool gone = w->disk.mood == DISK_GONE; /* perhaps for longer than a closed alarm stays on the board */
    if (!w->calm)
        plan_in(w, dice_between(&w->dice, gone ? 40000 : 1000, gone ? 120000 : 40000), disk_changes, 0, 0, NULL);
}

static void misfortune(struct world *w, const struct happening *h)
{
    if (w->calm)
        return;
    plan_in(w, dice_between(&w->dice, 5000, 60000), misfortune, 0, 0, NULL);
    uint32_t what = dice_below(&w->dice, 5);
    if (what == 0 && faulty(w, FAULT_CLOCK, 10000))
        set_clock(w);
    if (!w->up)
        return;
    if (what == 1 && faulty(w, FAULT_DEATH, 8000))
        daemon_die(w, "killed");
    if (what == 2 && faulty(w, FAULT_REBOOT, 8000))
        reboot(w);
    if (what == 3 && faulty(w, FAULT_RELOAD, 10000))
        reload(w);
    if (what == 4 && faulty(w, FAULT_DEATH, 6000))
        stop_in_order(w);
}

void daemon_faults(struct world *w)
{
    plan_in(w, dice_between(&w->dice, 5000, 60000), misfortune, 0, 0, NULL);
    plan_in(w, dice_between(&w->dice, 1000, 40000), disk_changes, 0, 0, NULL);
}

void daemon_mend(struct world *w)
{
    w->disk.mood = DISK_GOOD;
    if (!w->up)
        plan_in(w, 10, start, 0, 0, NULL);
}
