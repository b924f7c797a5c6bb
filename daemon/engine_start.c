/* Start, stop, reload: from the journal's lines to a running engine, and back to a snapshot. */
#include "engine_private.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Kept in front of the board's bytes. */
struct snapshot {
    int64_t clock_ms, at_ms;           /* of the last event */
    int64_t clock_base_ms, boottime_base_ms;
    char boot_id[40];
};

void engine_snapshot(struct engine *g)
{
    size_t size = board_save(g->board, NULL, 0);
    char *bytes = malloc(sizeof(struct snapshot) + size);
    if (!bytes)
        return; /* only a cache */
    struct snapshot s = {.clock_ms = engine_clock(g),
                         .at_ms = g->ports.wall_ms(g->ports.ctx),
                         .clock_base_ms = g->clock_base_ms,
                         .boottime_base_ms = g->boottime_base_ms};
    memcpy(s.boot_id, g->boot_id, sizeof s.boot_id);
    memcpy(bytes, &s, sizeof s);
    board_save(g->board, bytes + sizeof s, size);
    journal_put_snapshot(g->journal, g->applied_seq, bytes, sizeof s + size);
    g->snapshot_seq = g->applied_seq;
    free(bytes);
}

struct replay {
    struct engine *g;
    int64_t last_clock_ms, last_at_ms, base_clock_ms, base_boottime_ms;
    char boot_id[40];
    char why[LIMIT_TEXT];
};

static void replay_snapshot(void *ctx, uint64_t seq, const void *bytes, size_t size)
{
    struct replay *r = ctx;
    struct snapshot s;
    if (!bytes || size < sizeof s)
        return;
    memcpy(&s, bytes, sizeof s);
    if (!board_load(r->g->board, (const char *)bytes + sizeof s, size - sizeof s)) {
        engine_say(r->g, LOG_WARNING, "", "the snapshot at event %llu is of another build; replaying everything",
                   (unsigned long long)seq);
        return;
    }
    r->last_clock_ms = s.clock_ms;
    r->last_at_ms = s.at_ms;
    r->base_clock_ms = s.clock_base_ms;
    r->base_boottime_ms = s.boottime_base_ms;
    memcpy(r->boot_id, s.boot_id, sizeof r->boot_id);
    r->g->snapshot_seq = r->g->applied_seq = seq;
}

static bool replay_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
    struct replay *r = ctx;
    struct event e;
    if (!event_decode(line, size, &e, r->why))
        return false;
    if (e.type == EVENT_DAEMON_STARTED) {
        r->base_clock_ms = e.clock_ms;
        r->base_boottime_ms = e.daemon.boottime_ms;
        memcpy(r->boot_id, e.daemon.boot_id, sizeof r->boot_id);
    }
    r->last_clock_ms = e.clock_ms;
    r->last_at_ms = e.at_ms;
    board_apply(r->g->board, &e);
    r->g->applied_seq = seq;
    return true;
}

/* The daemon's clock goes on: by the kernel's own clock within one boot; over a reboot by the wall clock, of which a
 * step back counts as nothing, so that it can never postpone. */
static void resume_clock(struct engine *g, const struct replay *r)
{
    int64_t boottime = g->ports.boottime_ms(g->ports.ctx), wall = g->ports.wall_ms(g->ports.ctx);
    int64_t clock = r->last_clock_ms + (r->last_at_ms && wall > r->last_at_ms ? wall - r->last_at_ms : 0);
    if (r->boot_id[0] && strcmp(r->boot_id, g->boot_id) == 0 && boottime >= r->base_boottime_ms)
        clock = r->base_clock_ms + boottime - r->base_boottime_ms;
    g->clock_base_ms = clock > r->last_clock_ms ? clock : r->last_clock_ms;
    if (g->clock_base_ms < 1)
        g->clock_base_ms = 1; /* 0 means "no moment" */
    g->boottime_base_ms = boottime;
}

/* Of a snapshot: the record has lost them, and a restart does not find them. */
static bool has_lost_presses(struct board *b)
{
    for (struct alarm *a = NULL; (a = board_next_alarm(b, a));)
        for (const struct press *p = board_press(b, a->press_first); p; p = board_press(b, p->next))
            if (p->seq == 0)
                return true;
    return false;
}

static void submit_daemon_event(struct engine *g, enum event_type type)
{
    struct event e = {.type = type, .daemon = {.boottime_ms = g->ports.boottime_ms(g->ports.ctx)}};
    snprintf(e.daemon.boot_id, sizeof e.daemon.boot_id, "%s", g->boot_id);
    snprintf(e.daemon.version, sizeof e.daemon.version, "%s", g->version);
    engine_submit(g, &(struct submission){.event = &e});
}

bool engine_start(struct engine *g, const char *boot_id, const char *version, char error[LIMIT_TEXT])
{
    struct replay r = {.g = g};
    snprintf(g->boot_id, sizeof g->boot_id, "%s", boot_id);
    snprintf(g->version, sizeof g->version, "%s", version);
    if (!journal_replay(g->journal, replay_snapshot, replay_line, &r, error)) {
        if (r.why[0])
            snprintf(error, LIMIT_TEXT, "event %llu cannot be read: %.180s",
                     (unsigned long long)g->applied_seq + 1, r.why);
        return false;
    }
    resume_clock(g, &r);
    engine_resume_troubles(g);
    g->capacity_told = board_counts(g->board).capacity_lost;
    g->submitted_seq = g->applied_seq;
    g->has_lost = has_lost_presses(g->board);
    g->progress = journal_poll(g->journal);
    g->next_scan_boottime_ms = g->ports.boottime_ms(g->ports.ctx) + SCAN_EVERY_MS;
    g->started = true;
    submit_daemon_event(g, EVENT_DAEMON_STARTED);
    engine_trouble(g, TROUBLE_BROKER_SESSION, "broker", false, "the daemon was started anew");
    engine_trouble(g, TROUBLE_BROKER_SESSION, "supervision", false, "the daemon was started anew");
    engine_trouble(g, TROUBLE_BROKER_DROPS, "broker", false, "the daemon was started anew");
    engine_effects(g);
    engine_batch_end(g);
    return true;
}

void engine_stop(struct engine *g)
{
    submit_daemon_event(g, EVENT_DAEMON_STOPPED);
    engine_apply_ahead(g);
    engine_snapshot(g);
    journal_kick(g->journal);
    g->started = false;
}

void engine_set_conf(struct engine *g, const struct conf *conf)
{
    struct supervision fresh;
    const struct conf *old = g->conf;
    int64_t now = g->ports.boottime_ms(g->ports.ctx);
    bool ok = supervision_init(&fresh, conf->device_count, now);
    assert(ok);
    fresh.deaf = g->supervision.deaf;
    for (uint32_t i = 0; i < conf->device_count; i++) {
        const struct conf_device *device = conf_device_at(conf, i);
        const struct conf_device *before = conf_device(old, conf_device_site(conf, i)->id, device->id);
        if (before)
            fresh.rows[i] = g->supervision.rows[before->index];
    }
    supervision_finish(&g->supervision);
    g->supervision = fresh;
    engine_new_endpoints(g, conf);
    g->conf = conf;
    g->conf_is_new = true;
    submit_daemon_event(g, EVENT_CONF_LOADED);
    engine_batch_end(g);
    engine_new_sites(g, old);
}
