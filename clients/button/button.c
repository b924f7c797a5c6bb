#include "button_parts.h"
#include <string.h>

/* Counters reserved ahead in the storage, so that a press need not wait for it. A power loss skips them, and the
 * receiver remembers which of the last 64 it has heard: few, so that even after several power losses a press that the
 * broker delivers once more is known. */
#define RESERVE 8
#define FIRST_WAIT_MS 1000
#define MAX_WAIT_MS 10000
/* A "closed" that got lost must not leave the lamp on for ever. */
#define FOLLOW_MS (4 * 3600 * 1000ull)

static const char *const stages[BUTTON_STAGE_COUNT] = {
    [BUTTON_STAGE_NONE] = "none",           [BUTTON_STAGE_RECORDED] = "recorded",
    [BUTTON_STAGE_DELIVERED] = "delivered", [BUTTON_STAGE_ACKNOWLEDGED] = "acknowledged",
    [BUTTON_STAGE_COMING] = "coming",       [BUTTON_STAGE_ON_SCENE] = "on_scene",
    [BUTTON_STAGE_CLOSED] = "closed",       [BUTTON_STAGE_REFUSED] = "refused",
};

const char *button_stage_str(enum button_stage stage)
{
    return stages[stage];
}

const char *button_state_str(enum button_state state)
{
    switch (state) {
    case BUTTON_IDLE:
        return "idle";
    case BUTTON_SENDING:
        return "sending";
    case BUTTON_RECEIVED:
        return "received";
    case BUTTON_COMING:
        return "help is coming";
    case BUTTON_FAULT:
        return "fault";
    }
    return "?";
}

const char *button_fault_str(enum button_fault fault)
{
    switch (fault) {
    case BUTTON_FAULT_UNANSWERED:
        return "nobody has confirmed the press for 100 s: call for help another way";
    case BUTTON_FAULT_REFUSED:
        return "the press opened no alarm: the button's key or its entry in the configuration is wrong";
    case BUTTON_FAULT_LINK:
        return "no connection to the broker";
    case BUTTON_FAULT_STORAGE:
        return "the storage does not work: a press would not survive a power loss";
    }
    return "?";
}

static void join_parts(char topic[BUTTON_TOPIC], const char *const parts[], size_t count)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        for (const char *c = parts[i]; *c && used < BUTTON_TOPIC - 1; c++)
            topic[used++] = *c;
    topic[used] = '\0';
}

void button_topic(const struct button *b, const char *leaf, char topic[BUTTON_TOPIC])
{
    join_parts(topic, (const char *const[]){"tocsin/v1/", b->site, "/", b->device, "/", leaf}, 6);
}

void button_site_topic(const struct button *b, char topic[BUTTON_TOPIC])
{
    join_parts(topic, (const char *const[]){"tocsin/v1/", b->site, "/state"}, 3);
}

static void new_epoch(struct button *b)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint64_t bits = (uint64_t)b->options.random(b->options.ctx) << 32 | b->options.random(b->options.ctx);
    for (unsigned i = 0; i < 10; i++, bits >>= 5)
        b->epoch[i] = letters[bits & 31];
    b->epoch[10] = '\0';
    b->n = b->reserved = 0;
}

/* Writes what must outlive a power loss. After a failure the storage may hold the old record or the new one:
 * then only the counters that both allow are ours, and all that a new epoch has reserved, as no other record
 * knows it. */
static bool save(struct button *b)
{
    uint64_t before = b->reserved;
    if (b->n + RESERVE / 2 >= b->reserved)
        b->reserved = b->n + RESERVE;
    if (b->options.save && b->options.save(b->options.ctx, b->record, button_record_write(b))) {
        b->faults &= ~(unsigned)BUTTON_FAULT_STORAGE;
        return true;
    }
    if (before)
        b->reserved = before;
    b->faults |= BUTTON_FAULT_STORAGE;
    return false;
}

/* An identity that was never used and never will be: reserved in the storage, or of an epoch that was just
 * thrown. */
static void next_identity(struct button *b)
{
    if (b->n >= b->reserved && !save(b))
        new_epoch(b);
    b->n++;
}

static void send(struct button *b, struct button_waiting *w, uint64_t now_ms)
{
    char topic[BUTTON_TOPIC];
    button_topic(b, "press", topic);
    b->options.publish(b->options.ctx, topic, w->payload, w->size, 1);
    w->due_ms = now_ms + w->wait_ms;
    w->wait_ms = w->wait_ms * 2 < MAX_WAIT_MS ? w->wait_ms * 2 : MAX_WAIT_MS;
}

static void send_anew(struct button *b, struct button_waiting *w, uint64_t now_ms)
{
    w->wait_ms = FIRST_WAIT_MS;
    w->due_ms = now_ms;
    if (b->link_up)
        send(b, w, now_ms);
}

static void forget(struct button *b, struct button_waiting *w)
{
    struct button_waiting *end = b->waiting + --b->waiting_count;
    memmove(w, w + 1, (size_t)((char *)end - (char *)w));
}

enum button_state button_state(const struct button *b)
{
    if (b->faults & (BUTTON_FAULT_UNANSWERED | BUTTON_FAULT_REFUSED))
        return BUTTON_FAULT;
    if (b->waiting_count)
        return BUTTON_SENDING;
    for (unsigned mode = 0; mode < BUTTON_MODE_COUNT; mode++)
        switch (b->follow[mode].stage) {
        case BUTTON_STAGE_RECORDED:
        case BUTTON_STAGE_DELIVERED:
        case BUTTON_STAGE_ACKNOWLEDGED:
            return BUTTON_RECEIVED;
        case BUTTON_STAGE_COMING:
        case BUTTON_STAGE_ON_SCENE:
            return BUTTON_COMING;
        case BUTTON_STAGE_NONE:
        case BUTTON_STAGE_CLOSED:
        case BUTTON_STAGE_REFUSED:
        case BUTTON_STAGE_COUNT:
            break;
        }
    return b->faults ? BUTTON_FAULT : BUTTON_IDLE;
}

unsigned button_faults(const struct button *b)
{
    return b->faults;
}

unsigned button_waiting(const struct button *b)
{
    return b->waiting_count;
}

static void set_fault(struct button *b, enum button_fault fault, bool on)
{
    b->faults = on ? b->faults | fault : b->faults & ~(unsigned)fault;
}

/* What time alone changes, and the word to the observer. A caller may have looked at his clock before the last press. */
static void look(struct button *b, uint64_t now_ms)
{
    bool unanswered = false;
    for (unsigned i = 0; i < b->waiting_count; i++)
        unanswered |= now_ms >= b->waiting[i].first_ms + BUTTON_UNANSWERED_MS;
    set_fault(b, BUTTON_FAULT_UNANSWERED, unanswered);
    set_fault(b, BUTTON_FAULT_LINK, !b->link_up && now_ms >= b->link_since_ms + BUTTON_LINK_LOST_MS);
    for (unsigned mode = 0; mode < BUTTON_MODE_COUNT; mode++)
        if (now_ms >= b->follow[mode].since_ms + FOLLOW_MS)
            b->follow[mode].stage = BUTTON_STAGE_NONE;
    enum button_state state = button_state(b);
    if (state == b->told && b->faults == b->told_faults)
        return;
    b->told = state;
    b->told_faults = b->faults;
    if (b->options.on_change)
        b->options.on_change(b->options.ctx, state, b->faults);
}

void button_init(struct button *b, const struct button_options *options, uint64_t now_ms)
{
    size_t size = 0;
    memset(b, 0, sizeof *b);
    b->options = *options;
    strncpy(b->site, options->site, sizeof b->site - 1);
    strncpy(b->device, options->device, sizeof b->device - 1);
    b->options.site = b->site;
    b->options.device = b->device;
    b->battery = -1;
    b->link_since_ms = now_ms;
    bool loaded = options->load && options->load(options->ctx, b->record, sizeof b->record, &size) &&
                  button_record_read(b, b->record, size);
    if (!loaded)
        new_epoch(b);
    b->n = b->reserved;
    for (unsigned i = 0; i < b->waiting_count; i++) {
        b->waiting[i].first_ms = b->waiting[i].due_ms = now_ms;
        b->waiting[i].wait_ms = FIRST_WAIT_MS;
    }
    save(b);
    look(b, now_ms);
}

static struct button_waiting *make_room(struct button *b)
{
    for (unsigned i = 0; b->waiting_count == BUTTON_OUTBOX && i < BUTTON_OUTBOX; i++)
        if (b->waiting[i].mode != BUTTON_REAL)
            forget(b, &b->waiting[i]);
    return b->waiting_count < BUTTON_OUTBOX ? &b->waiting[b->waiting_count] : NULL;
}

static void copy_kind(char to[BUTTON_KIND], const char *kind)
{
    size_t used = 0;
    for (; kind && *kind && used < BUTTON_KIND - 1; kind++)
        if ((*kind >= 'a' && *kind <= 'z') || (*kind >= '0' && *kind <= '9') || *kind == '_')
            to[used++] = *kind;
        else if (*kind >= 'A' && *kind <= 'Z')
            to[used++] = (char)(*kind - 'A' + 'a');
    to[used] = '\0';
}

uint64_t button_press(struct button *b, const char *kind_text, enum button_mode mode, uint64_t now_ms)
{
    char kind[BUTTON_KIND];
    copy_kind(kind, kind_text);
    for (unsigned i = 0; i < b->waiting_count; i++) {
        struct button_waiting *w = &b->waiting[i];
        if (w->mode == mode && strcmp(w->kind, kind) == 0) {
            send_anew(b, w, now_ms);
            return w->n;
        }
    }
    struct button_waiting *w = make_room(b);
    if (!w)
        return 0;
    next_identity(b);
    memset(w, 0, sizeof *w);
    memcpy(w->epoch, b->epoch, sizeof w->epoch);
    memcpy(w->kind, kind, sizeof w->kind);
    w->n = b->n;
    w->mode = mode;
    w->first_ms = now_ms;
    button_text_press(b, w);
    b->waiting_count++;
    send_anew(b, w, now_ms); /* first: a slow storage delays no alarm, its identity is reserved already */
    save(b);
    look(b, now_ms);
    return w->n;
}

/* An alarm of ours goes on. Receipts may come twice and in any order: a stage never goes back, and what is
 * said about an older alarm changes nothing. */
static void follow(struct button *b, struct button_follow *f, const struct button_receipt *r, uint64_t now_ms)
{
    bool open = f->stage != BUTTON_STAGE_NONE && f->stage != BUTTON_STAGE_CLOSED;
    bool same = strcmp(f->epoch, r->epoch) == 0;
    bool same_alarm = (same && f->n == r->n) || (r->alarm[0] && strcmp(f->alarm, r->alarm) == 0);
    bool newer = same ? r->n > f->n : strcmp(r->epoch, b->epoch) == 0;
    if (!same_alarm && !newer && (open || f->stage == BUTTON_STAGE_CLOSED))
        return;
    bool again = newer && f->stage == BUTTON_STAGE_CLOSED; /* a press that comes when its case was closed opens it again */
    enum button_stage stage = same_alarm && f->stage > r->stage && !again ? f->stage : r->stage;
    if (newer || !same_alarm) {
        memcpy(f->epoch, r->epoch, sizeof f->epoch);
        f->n = r->n;
    }
    if (r->alarm[0])
        memcpy(f->alarm, r->alarm, sizeof f->alarm);
    if (!same_alarm || strcmp(r->at, f->at) > 0)
        memcpy(f->at, r->at, sizeof f->at);
    f->stage = stage;
    f->since_ms = now_ms;
}

static struct button_waiting *find_waiting(struct button *b, const struct button_receipt *r)
{
    for (unsigned i = 0; i < b->waiting_count; i++)
        if (b->waiting[i].n == r->n && strcmp(b->waiting[i].epoch, r->epoch) == 0)
            return &b->waiting[i];
    return NULL;
}

static bool is_ours(const struct button *b, const struct button_receipt *r)
{
    if (strcmp(r->epoch, b->epoch) == 0)
        return r->n <= b->n;
    for (unsigned mode = 0; mode < BUTTON_MODE_COUNT; mode++)
        if (b->follow[mode].epoch[0] && strcmp(r->epoch, b->follow[mode].epoch) == 0)
            return true;
    return false;
}

/* Of which mode is a press that is no longer waiting? The alarm tells; without one we know of, take it for
 * real. */
static enum button_mode mode_of(const struct button *b, const struct button_receipt *r)
{
    for (unsigned mode = 0; mode < BUTTON_MODE_COUNT; mode++) {
        const struct button_follow *f = &b->follow[mode];
        if ((f->n == r->n && strcmp(f->epoch, r->epoch) == 0) ||
            (r->alarm[0] && strcmp(f->alarm, r->alarm) == 0))
            return (enum button_mode)mode;
    }
    return BUTTON_REAL;
}

void button_receive(struct button *b, const void *payload, size_t size, uint64_t now_ms)
{
    struct button_receipt r;
    if (!button_text_receipt(payload, size, &r))
        return;
    struct button_waiting *w = find_waiting(b, &r);
    bool ours = w || is_ours(b, &r);
    if (b->options.on_receipt)
        b->options.on_receipt(b->options.ctx, &r, ours);
    if (!ours)
        return;
    enum button_mode mode = w ? w->mode : mode_of(b, &r);
    bool cancel = w && strcmp(w->kind, "cancel") == 0;
    if (w) {
        if (!cancel) /* that there is nothing to cancel is no fault */
            set_fault(b, BUTTON_FAULT_REFUSED, r.stage == BUTTON_STAGE_REFUSED);
        forget(b, w);
        save(b);
    }
    if (r.stage != BUTTON_STAGE_REFUSED && !(cancel && r.stage == BUTTON_STAGE_RECORDED))
        follow(b, &b->follow[mode], &r, now_ms);
    look(b, now_ms);
}

/* What a state says of an alarm: how far it is when it is open, and that it is over when it is not listed. A state that
 * is not younger than all that we heard of the alarm may be from before it was opened, or opened again: it says nothing. */
static enum button_stage stage_in(const struct button_site *site, unsigned mode, const struct button_follow *f)
{
    bool knows_it = f->alarm[0] && f->at[0] && strcmp(site->at, f->at) > 0;
    if (!knows_it || f->stage == BUTTON_STAGE_NONE)
        return BUTTON_STAGE_NONE;
    enum button_stage stage = site->listed[mode] ? site->stage[mode] : BUTTON_STAGE_CLOSED;
    bool is_news = stage > f->stage || (f->stage == BUTTON_STAGE_CLOSED && stage < f->stage);
    return is_news ? stage : BUTTON_STAGE_NONE;
}

void button_receive_site(struct button *b, const void *payload, size_t size, uint64_t now_ms)
{
    struct button_site site;
    if (!button_text_site(b, payload, size, &site))
        return;
    for (unsigned mode = 0; mode < BUTTON_MODE_COUNT; mode++) {
        struct button_follow *f = &b->follow[mode];
        enum button_stage stage = stage_in(&site, mode, f);
        if (stage == BUTTON_STAGE_NONE)
            continue;
        struct button_receipt r = {.n = f->n, .stage = stage};
        memcpy(r.epoch, f->epoch, sizeof r.epoch);
        memcpy(r.alarm, f->alarm, sizeof r.alarm);
        memcpy(r.at, site.at, sizeof r.at);
        memcpy(f->at, site.at, sizeof f->at);
        f->stage = stage;
        f->since_ms = now_ms;
        if (b->options.on_receipt)
            b->options.on_receipt(b->options.ctx, &r, true);
    }
    look(b, now_ms);
}

void button_link(struct button *b, bool up, uint64_t now_ms)
{
    if (up == b->link_up)
        return;
    b->link_up = up;
    b->link_since_ms = now_ms;
    if (up) {
        b->heartbeat_due_ms = now_ms;
        for (unsigned i = 0; i < b->waiting_count; i++)
            send_anew(b, &b->waiting[i], now_ms);
    }
    look(b, now_ms);
}

void button_battery(struct button *b, int percent)
{
    b->battery = percent;
}

static void heartbeat(struct button *b, uint64_t now_ms)
{
    char topic[BUTTON_TOPIC], payload[BUTTON_PAYLOAD];
    button_topic(b, "heartbeat", topic);
    size_t size = button_text_heartbeat(b, payload);
    b->options.publish(b->options.ctx, topic, payload, size, 0);
    b->heartbeat_due_ms = now_ms + BUTTON_HEARTBEAT_MS;
}

static void earlier(uint64_t *due_ms, uint64_t at_ms)
{
    if (at_ms < *due_ms)
        *due_ms = at_ms;
}

uint64_t button_tick(struct button *b, uint64_t now_ms)
{
    uint64_t due_ms = now_ms + BUTTON_HEARTBEAT_MS;
    for (unsigned i = 0; i < b->waiting_count; i++) {
        struct button_waiting *w = &b->waiting[i];
        if (b->link_up && now_ms >= w->due_ms)
            send(b, w, now_ms);
        if (b->link_up)
            earlier(&due_ms, w->due_ms);
        if (now_ms < w->first_ms + BUTTON_UNANSWERED_MS)
            earlier(&due_ms, w->first_ms + BUTTON_UNANSWERED_MS);
    }
    if (b->link_up && now_ms >= b->heartbeat_due_ms)
        heartbeat(b, now_ms);
    if (b->link_up)
        earlier(&due_ms, b->heartbeat_due_ms);
    else if (now_ms < b->link_since_ms + BUTTON_LINK_LOST_MS)
        earlier(&due_ms, b->link_since_ms + BUTTON_LINK_LOST_MS);
    if (b->faults & BUTTON_FAULT_STORAGE) {
        if (now_ms >= b->save_due_ms) {
            b->save_due_ms = now_ms + BUTTON_HEARTBEAT_MS;
            save(b);
        }
        earlier(&due_ms, b->save_due_ms);
    }
    look(b, now_ms);
    return due_ms > now_ms ? due_ms - now_ms : 0;
}
