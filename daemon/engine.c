#include "engine.h"
#include "engine_private.h"
#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT_EVERY 20000 /* events: so many at most are replayed at start */
#define READ_AHEAD 16        /* lines read back before they are committed: the rest is read as it comes */
#define ANSWER_MS 2000       /* a person waits this long for the record before being told that there is none */

void engine_say(const struct engine *g, int level, const char *alarm, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    g->ports.log(g->ports.ctx, level, alarm, text);
}

struct engine *engine_create(const struct engine_ports *ports, struct journal *journal, const struct conf *conf)
{
    struct engine *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->ports = *ports;
    g->journal = journal;
    g->conf = conf;
    g->last = &g->first;
    STAILQ_INIT(&g->late_states);
    g->board = board_create();
    if (!g->board || !supervision_init(&g->supervision, conf->device_count, ports->boottime_ms(ports->ctx))) {
        engine_destroy(g);
        return NULL;
    }
    return g;
}

static void pending_free(struct pending *p)
{
    free(p->note);
    free(p->event);
    free(p->parting);
    free(p);
}

void engine_destroy(struct engine *g)
{
    if (!g)
        return;
    while (g->first) {
        struct pending *p = g->first;
        g->first = p->next;
        pending_free(p);
    }
    for (struct late_state *late; (late = STAILQ_FIRST(&g->late_states));) {
        STAILQ_REMOVE_HEAD(&g->late_states, link);
        free(late);
    }
    supervision_finish(&g->supervision);
    board_destroy(g->board);
    free(g);
}

int64_t engine_clock(const struct engine *g)
{
    return g->clock_base_ms + g->ports.boottime_ms(g->ports.ctx) - g->boottime_base_ms;
}

bool engine_recorded(const struct engine *g, uint64_t seq)
{
    return seq != 0 && seq <= g->progress.committed_seq;
}

/* Submit. */

static char *salted_note(struct engine *g, const char *note, char hash_hex[65])
{
    unsigned char salt[16], hash[crypto_hash_sha256_BYTES];
    size_t size = strnlen(note, LIMIT_NOTE);
    char *text = malloc(33 + size);
    assert(text); /* a note that is answered yes is kept */
    g->ports.random(g->ports.ctx, salt, sizeof salt);
    sodium_bin2hex(text, 33, salt, sizeof salt);
    memcpy(text + 32, note, size);
    text[32 + size] = '\0';
    crypto_hash_sha256(hash, (const unsigned char *)text, 32 + size);
    sodium_bin2hex(hash_hex, 65, hash, sizeof hash);
    return text;
}

static struct pending *pending_make(struct engine *g, size_t size)
{
    struct pending *p = calloc(1, sizeof *p + size + 1);
    assert(p); /* a daemon without memory restarts and resumes */
    p->submitted_boottime_ms = g->ports.boottime_ms(g->ports.ctx);
    return p;
}

static void pending_push(struct engine *g, struct pending *p)
{
    *g->last = p;
    g->last = &p->next;
    if (!g->first_unapplied && !p->applied)
        g->first_unapplied = p;
    if (!g->first_unshown)
        g->first_unshown = p;
}

static void apply_event(struct engine *g, const struct event *e, struct pending *p);

/* The onlookers come last: neither the log nor a hundred screens keep the police waiting. */
static void show(struct engine *g, const struct event *e, const char *line, size_t size)
{
    const struct alarm *a = e->type == EVENT_PRESS_RECEIVED ? board_alarm(g->board, e->alarm) : NULL;
    if (a && a->opened_seq == e->seq)
        engine_say(g, LOG_INFO, a->id, "%s %s from %s/%s opens an alarm", mode_str(a->mode), kind_str(e->press.kind),
                   e->press.site, e->press.device);
    g->ports.applied(g->ports.ctx, e, line, size);
}

/* Who waits for a yes is told that there will be none. A no needs no record. */
static void answer_no_record(struct pending *p)
{
    if (p->answer)
        p->answer(p->answer_ctx, p->result == ENGINE_DONE ? ENGINE_UNRECORDED : p->result, p->who, p->seq);
    if (p->press_answer)
        p->press_answer(p->answer_ctx, &(struct engine_receipt){.epoch = p->epoch, .n = p->n, .alarm = p->alarm});
    p->answer = NULL;
    p->press_answer = NULL;
}

static void take_hold(struct engine *g, struct pending *p, void *hold)
{
    p->hold = hold;
    g->held += hold != NULL;
}

static void end_hold(struct engine *g, struct pending *p)
{
    if (!p->hold)
        return;
    g->ports.release(g->ports.ctx, p->hold);
    p->hold = NULL;
    g->held--;
}

/* While the journal is in trouble: a PUBACK that waits keeps every other press of the connection waiting. Without it the
 * broker would keep this press for the case that we die; but this one has been told, and the others have not. */
static void end_vain_holds(struct engine *g)
{
    bool in_vain = g->held > 0 && g->started && g->progress.state != JOURNAL_OK;
    for (struct pending *p = in_vain ? g->first : NULL; p; p = p->next)
        if (p->applied)
            end_hold(g, p);
}

/* It may be back, and the loop has not come to hear of it: then the record of what comes now is near, and waited for. */
static bool journal_is_dead(const struct engine *g)
{
    return g->progress.state == JOURNAL_DEGRADED && journal_poll(g->journal).state == JOURNAL_DEGRADED;
}

void engine_submit(struct engine *g, const struct submission *s)
{
    struct event *e = s->event;
    char line[LIMIT_LINE + 1], *note = NULL;
    e->at_ms = g->ports.wall_ms(g->ports.ctx);
    e->clock_ms = engine_clock(g);
    e->seq = journal_next_seq(g->journal);
    if (s->deed && s->deed->note && s->deed->note[0])
        note = salted_note(g, s->deed->note, e->deed.note_hash);
    size_t size = event_encode(e, line, sizeof line);
    assert(size > 0); /* every field of an event is bounded, so its line is */

    struct pending *p = pending_make(g, size);
    p->seq = e->seq;
    p->type = e->type;
    p->size = size;
    p->note = note;
    memcpy(p->line, line, size);
    memcpy(p->alarm, e->alarm, sizeof p->alarm);
    if (s->message) {
        take_hold(g, p, s->message->hold);
        p->press_answer = s->message->answer;
        p->answer_ctx = s->message->ctx;
    }
    if (s->deed) {
        p->answer = s->deed->answer;
        p->answer_ctx = s->deed->ctx;
    }
    if (e->type == EVENT_PRESS_RECEIVED || e->type == EVENT_PRESS_REFUSED) {
        p->receipt = s->receipt;
        p->cancels = e->press.kind == KIND_CANCEL;
        memcpy(p->site, e->press.site, sizeof p->site);
        memcpy(p->device, e->press.device, sizeof p->device);
        memcpy(p->epoch, e->press.epoch, sizeof p->epoch);
        p->n = e->press.n;
    }
    struct journal_entry entry = {
        .seq = p->seq, .line = p->line, .size = p->size, .alarm = p->alarm, .found_as = s->found_as, .note = p->note};
    g->counts.events++;
    if (journal_append(g->journal, &entry)) {
        g->submitted_seq = p->seq;
        pending_push(g, p);
        engine_comes(g, p, e);
        if (!g->in_effects && journal_is_dead(g)) { /* the board is not changed while it is handed out */
            engine_apply_ahead(g);
            end_vain_holds(g);
        }
        return;
    }
    /* The backlog is full: the record loses this one, the alarm does not. */
    g->lost++;
    g->has_lost = true;
    g->counts.unrecorded++;
    if (g->in_effects) { /* that an endpoint is not configured: it is found out again */
        pending_free(p);
        return;
    }
    engine_apply_ahead(g);
    e->seq = 0;
    size = event_encode(e, line, sizeof line);
    apply_event(g, e, p);
    show(g, e, line, size);
    answer_no_record(p);
    end_hold(g, p);
    pending_free(p);
}

void engine_wait(struct engine *g, const struct pending *like)
{
    struct pending *p = pending_make(g, 0);
    p->seq = g->submitted_seq;
    p->applied = true;
    p->receipt = like->receipt;
    memcpy(p->alarm, like->alarm, sizeof p->alarm);
    memcpy(p->site, like->site, sizeof p->site);
    memcpy(p->device, like->device, sizeof p->device);
    memcpy(p->epoch, like->epoch, sizeof p->epoch);
    p->n = like->n;
    take_hold(g, p, like->hold);
    p->press_answer = like->press_answer;
    p->answer_ctx = like->answer_ctx;
    p->type = EVENT_PRESS_RECEIVED;
    pending_push(g, p);
}

/* Apply. */

/* Somebody of the same role: what another role did stands in nobody's way. */
static const char *who_was_first(const struct alarm *a, const struct event *e)
{
    if (a->state == ALARM_CLOSED)
        return a->closed_by;
    return e->type == EVENT_ACKNOWLEDGED ? a->acked_by[e->deed.role] : a->reached_by[e->deed.role];
}

static void keep_answer(struct engine *g, struct pending *p, const struct event *e)
{
    static const enum engine_answer answers[] = {[STEP_CHANGED] = ENGINE_DONE,
                                                 [STEP_UNCHANGED] = ENGINE_DONE,
                                                 [STEP_ALREADY] = ENGINE_ALREADY,
                                                 [STEP_IMPOSSIBLE] = ENGINE_IMPOSSIBLE};
    const struct alarm *a = board_alarm(g->board, e->alarm);
    p->result = a ? answers[board_last_result(g->board)] : ENGINE_UNKNOWN;
    if (a && p->result != ENGINE_DONE)
        memcpy(p->who, who_was_first(a, e), LIMIT_ID);
}

static void after_apply(struct engine *g, const struct event *e)
{
    if (e->type == EVENT_TROUBLE_RAISED || e->type == EVENT_TROUBLE_CLEARED)
        engine_tell_trouble(g, e);
    const struct alarm *a = e->alarm[0] ? board_alarm(g->board, e->alarm) : NULL;
    if (a && a->exhausted != (board_trouble(g->board, TROUBLE_PLAN_EXHAUSTED, a->id) != NULL))
        engine_trouble(g, TROUBLE_PLAN_EXHAUSTED, a->id, a->exhausted,
                       "everybody of the plan was told and nobody has answered; the last step is repeated");
    uint64_t lost = board_counts(g->board).capacity_lost;
    if (lost > g->capacity_told) {
        g->capacity_told = lost;
        g->capacity_boottime_ms = g->ports.boottime_ms(g->ports.ctx);
        engine_trouble(g, TROUBLE_CAPACITY, "board", true,
                       "a limit of the board is reached: alarms go on, with less detail");
    }
}

static void read_back(struct engine *g, const char *line, size_t size, struct event *out)
{
    char why[LIMIT_TEXT];
    if (!event_decode(line, size, out, why)) {
        engine_say(g, LOG_ERROR, "", "an event of our own cannot be read back: %s", why);
        assert(false);
    }
}

void engine_read(struct engine *g, struct pending *p)
{
    if (p->event || p->size == 0)
        return;
    p->event = malloc(sizeof *p->event);
    assert(p->event); /* a daemon without memory restarts and resumes */
    read_back(g, p->line, p->size, p->event);
}

/* While the disk is busy with them, the first lines are read back: the alarm need not wait for that afterwards. */
void engine_read_ahead(struct engine *g)
{
    struct pending *p = g->first_unapplied;
    if (p && !p->event)
        board_make_ready(g->board);
    for (unsigned i = 0; p && i < READ_AHEAD; p = p->next, i++)
        engine_read(g, p);
}

static void apply_event(struct engine *g, const struct event *e, struct pending *p)
{
    engine_before_apply(g, e);
    board_apply(g->board, e);
    if (e->seq)
        g->applied_seq = e->seq;
    if (p->answer)
        keep_answer(g, p, e);
    p->parting = engine_parting(g, e);
    after_apply(g, e);
}

static void apply_pending(struct engine *g, struct pending *p)
{
    assert(p == g->first_unapplied);
    p->applied = true;
    do
        g->first_unapplied = g->first_unapplied->next;
    while (g->first_unapplied && g->first_unapplied->applied);
    engine_came(g, p);
    engine_read(g, p);
    apply_event(g, p->event, p);
}

static void show_applied(struct engine *g)
{
    for (struct pending *p; (p = g->first_unshown) && p->applied; g->first_unshown = p->next)
        if (p->event)
            show(g, p->event, p->line, p->size);
}

/* The journal is late: the alarm does not wait for it (design, promise 3). */
void engine_apply_ahead(struct engine *g)
{
    while (g->first_unapplied) {
        g->counts.unrecorded++;
        apply_pending(g, g->first_unapplied);
    }
}

/* What was owed once the event is on disk: here, and only here, somebody is told yes. */
static void settle(struct engine *g, struct pending *p)
{
    if (p->receipt)
        engine_receipt(g, p);
    end_hold(g, p);
    if (p->answer)
        p->answer(p->answer_ctx, p->result, p->who, p->seq);
    struct alarm *a = p->alarm[0] ? board_alarm(g->board, p->alarm) : NULL;
    if (a)
        engine_stage(g, a);
    else if (p->parting)
        engine_part(g, p->alarm, p->parting);
}

static void report_journal(struct engine *g)
{
    enum journal_state state = g->progress.state;
    if (g->concern_reported != (g->progress.concern ? CONCERN_SOME : CONCERN_NONE)) {
        g->concern_reported = g->progress.concern ? CONCERN_SOME : CONCERN_NONE;
        engine_trouble(g, TROUBLE_DISK, "journal", g->progress.concern, g->progress.text);
    }
    if (state == g->journal_reported)
        return;
    g->journal_reported = state;
    engine_trouble(g, TROUBLE_JOURNAL, "journal", state != JOURNAL_OK, g->progress.text);
    engine_say(g, state == JOURNAL_OK ? LOG_INFO : LOG_ERROR, "", "journal: %s",
               state == JOURNAL_OK ? "recording" : g->progress.text);
    if (state == JOURNAL_OK && g->lost > 0) {
        struct event e = {.type = EVENT_JOURNAL_GAP, .gap = {.lost = g->lost}};
        g->lost = 0;
        engine_submit(g, &(struct submission){.event = &e});
        engine_snapshot(g); /* what was lost is known to the board alone */
    }
}

static void settle_committed(struct engine *g)
{
    if (g->settling)
        return;
    g->settling = true;
    struct pending *end = g->first;
    for (; end && end->seq <= g->progress.committed_seq; end = end->next) {
        settle(g, end);
        g->counts.commits++;
    }
    show_applied(g);
    for (struct pending *p; (p = g->first) != end;) {
        g->first = p->next;
        pending_free(p);
    }
    if (!g->first)
        g->last = &g->first;
    g->settling = false;
}

static void apply_committed(struct engine *g)
{
    g->progress = journal_poll(g->journal);
    const uint64_t committed = g->progress.committed_seq;
    while (g->first_unapplied && g->first_unapplied->seq <= committed)
        apply_pending(g, g->first_unapplied);
}

void engine_progress(struct engine *g)
{
    apply_committed(g);
    engine_effects(g); /* the endpoints first, then receipts and answers, then the onlookers */
    settle_committed(g);
    report_journal(g);
    if (g->applied_seq - g->snapshot_seq >= SNAPSHOT_EVERY && !g->first_unapplied)
        engine_snapshot(g);
    engine_batch_end(g);
}

static void arrange_wake(struct engine *g)
{
    int64_t wake = g->next_scan_boottime_ms;
    int64_t due = board_due(g->board);
    if (due != INT64_MAX) {
        int64_t at = due - g->clock_base_ms + g->boottime_base_ms;
        wake = at < wake ? at : wake;
    }
    if (g->first_unapplied) {
        int64_t at = g->first_unapplied->submitted_boottime_ms + g->conf->daemon.record_wait_ms;
        wake = at < wake ? at : wake;
    }
    g->ports.wake_at(g->ports.ctx, wake);
}

void engine_batch_end(struct engine *g)
{
    if (!g->first_unapplied)
        settle_committed(g); /* a press that was heard before: no commit will come for it */
    journal_kick(g->journal);
    if (g->progress.state == JOURNAL_DEGRADED)
        engine_effects(g); /* nobody waits for a dead disk */
    show_applied(g);
    arrange_wake(g);
}

void engine_give_up(struct engine *g)
{
    for (struct pending *p = g->first; p; p = p->next)
        answer_no_record(p);
}

static void answer_unrecorded(struct engine *g, int64_t now)
{
    for (struct pending *p = g->first; p && now - p->submitted_boottime_ms >= ANSWER_MS; p = p->next)
        if (p->applied)
            answer_no_record(p);
}

void engine_tick(struct engine *g)
{
    int64_t now = g->ports.boottime_ms(g->ports.ctx);
    apply_committed(g); /* what the journal has is not late, whenever the loop comes to hear of it */
    if (g->first_unapplied &&
        now - g->first_unapplied->submitted_boottime_ms >= (int64_t)g->conf->daemon.record_wait_ms)
        engine_apply_ahead(g);
    answer_unrecorded(g, now);
    struct event e;
    while (board_next_deadline(g->board, engine_clock(g), &e)) {
        struct alarm *a = board_alarm(g->board, e.alarm);
        if (e.deadline.kind == DEADLINE_TEST)
            engine_intend(g, engine_place(a->site, a->class, a->mode), false, a->id);
        engine_submit(g, &(struct submission){.event = &e});
    }
    if (now >= g->next_scan_boottime_ms) {
        g->next_scan_boottime_ms = now + SCAN_EVERY_MS;
        engine_scan_troubles(g, now);
        engine_late_states(g, now);
    }
    end_vain_holds(g);
    engine_progress(g); /* a stuck commit shows itself only when it is asked for */
}

/* Questions. */

struct board *engine_board(struct engine *g)
{
    return g->board;
}

const struct conf *engine_conf(const struct engine *g)
{
    return g->conf;
}

struct engine_counts engine_counts(const struct engine *g)
{
    return g->counts;
}

bool engine_ready(const struct engine *g)
{
    return g->started && g->progress.state == JOURNAL_OK;
}

bool engine_awaits_commit(const struct engine *g)
{
    return g->first_unapplied != NULL;
}

struct journal_progress engine_journal(const struct engine *g)
{
    return g->progress;
}

bool engine_device(const struct engine *g, uint32_t device_index, struct engine_device *out)
{
    if (device_index >= g->supervision.count)
        return false;
    const struct supervised *row = &g->supervision.rows[device_index];
    *out = (struct engine_device){.heard = row->heard_at_ms != 0,
                                  .heard_at_ms = row->heard_at_ms,
                                  .battery = row->battery,
                                  .silent = row->silent,
                                  .offline = row->offline};
    return true;
}
