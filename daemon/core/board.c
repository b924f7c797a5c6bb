#include "core/board.h"
#include "core/board_private.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct board *board_create(void)
{
    struct board *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->alarms = calloc(LIMIT_ALARMS, sizeof *b->alarms);
    b->presses = calloc(LIMIT_PRESSES, sizeof *b->presses);
    b->memories = calloc(LIMIT_DEVICES, sizeof *b->memories);
    b->troubles = calloc(LIMIT_TROUBLES, sizeof *b->troubles);
    b->trouble_used = calloc(LIMIT_TROUBLES, 1);
    b->heap = calloc(LIMIT_ALARMS, sizeof *b->heap);
    b->fresh = calloc(LIMIT_ALARMS, sizeof *b->fresh);
    b->changed = calloc(LIMIT_ALARMS, sizeof *b->changed);
    b->closed = calloc(LIMIT_ALARMS, sizeof *b->closed);
    bool ok = b->alarms && b->presses && b->memories && b->troubles && b->trouble_used && b->heap && b->fresh &&
              b->changed && b->closed;
    ok = ok && pool_create(&b->alarm_pool, LIMIT_ALARMS) && pool_create(&b->press_pool, LIMIT_PRESSES) &&
         pool_create(&b->memory_pool, LIMIT_DEVICES) && pool_create(&b->trouble_pool, LIMIT_TROUBLES);
    ok = ok && table_create(&b->alarms_by_id, LIMIT_ALARMS) && table_create(&b->alarms_by_place, LIMIT_ALARMS) &&
         table_create(&b->memory_by_device, LIMIT_DEVICES) && table_create(&b->trouble_by_part, LIMIT_TROUBLES);
    if (!ok) {
        board_destroy(b);
        return NULL;
    }
    return b;
}

void board_destroy(struct board *b)
{
    if (!b)
        return;
    struct table *tables[] = {&b->alarms_by_id, &b->alarms_by_place, &b->memory_by_device, &b->trouble_by_part};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        table_destroy(tables[i]);
    struct pool *pools[] = {&b->alarm_pool, &b->press_pool, &b->memory_pool, &b->trouble_pool};
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        pool_destroy(pools[i]);
    free(b->alarms);
    free(b->presses);
    free(b->memories);
    free(b->troubles);
    free(b->trouble_used);
    free(b->heap);
    free(b->fresh);
    free(b->changed);
    free(b->closed);
    free(b);
}

uint32_t board_number(const struct board *b, const struct alarm *a)
{
    return (uint32_t)(a - b->alarms);
}

static uint64_t place_hash(const char *site, enum alarm_class class, enum mode mode)
{
    return table_hash(site, alarm_class_str(class), mode_str(mode), NULL);
}

uint64_t board_place_hash(const struct alarm *a)
{
    return place_hash(a->site, a->class, a->mode);
}

struct alarm *board_alarm(struct board *b, const char *id)
{
    uint64_t hash = table_hash(id, NULL);
    for (uint32_t i = table_first(&b->alarms_by_id, hash); i != TABLE_NONE; i = table_next(&b->alarms_by_id, i))
        if (strcmp(b->alarms[i].id, id) == 0)
            return &b->alarms[i];
    return NULL;
}

struct alarm *board_open_alarm(struct board *b, const char *site, enum alarm_class class, enum mode mode)
{
    uint64_t hash = place_hash(site, class, mode);
    for (uint32_t i = table_first(&b->alarms_by_place, hash); i != TABLE_NONE; i = table_next(&b->alarms_by_place, i)) {
        struct alarm *a = &b->alarms[i];
        if (a->state != ALARM_CLOSED && a->class == class && a->mode == mode && strcmp(a->site, site) == 0)
            return a;
    }
    return NULL;
}

struct alarm *board_next_alarm(struct board *b, struct alarm *previous)
{
    for (uint32_t i = previous ? board_number(b, previous) + 1 : 0; i < b->alarm_pool.touched; i++)
        if (b->alarms[i].in_use)
            return &b->alarms[i];
    return NULL;
}

const struct press *board_press(const struct board *b, uint32_t index)
{
    return index == TABLE_NONE ? NULL : &b->presses[index];
}

const struct press *board_nth_press(const struct board *b, const struct alarm *a, uint32_t n)
{
    if (n >= a->press_count)
        return NULL;
    uint32_t i = a->press_first;
    while (n-- > 0)
        i = b->presses[i].next;
    return &b->presses[i];
}

/* Memory of devices. */

static struct memory *memory_find(const struct board *b, const char *site, const char *device)
{
    uint64_t hash = table_hash(site, device, NULL);
    for (uint32_t i = table_first(&b->memory_by_device, hash); i != TABLE_NONE;
         i = table_next(&b->memory_by_device, i))
        if (strcmp(b->memories[i].device, device) == 0 && strcmp(b->memories[i].site, site) == 0)
            return &b->memories[i];
    return NULL;
}

static struct memory *memory_make(struct board *b, const char *site, const char *device)
{
    struct memory *m = memory_find(b, site, device);
    if (m)
        return m;
    uint32_t i = pool_take(&b->memory_pool);
    if (i == TABLE_NONE) {
        b->capacity_lost++;
        return NULL;
    }
    m = &b->memories[i];
    memset(m, 0, sizeof *m);
    memcpy(m->site, site, strnlen(site, LIMIT_ID - 1));
    memcpy(m->device, device, strnlen(device, LIMIT_ID - 1));
    table_insert(&b->memory_by_device, table_hash(site, device, NULL), i);
    return m;
}

static uint32_t epoch_hash(const char *epoch)
{
    uint32_t hash = (uint32_t)table_hash(epoch, NULL);
    return hash ? hash : 1;
}

/* An epoch from which the device has gone over to others, so long ago that nobody knows what was heard in it. */
static bool epoch_is_left(const struct memory *m, const char *epoch)
{
    uint32_t hash = epoch_hash(epoch);
    for (unsigned i = 0; i < LIMIT_EPOCHS_LEFT; i++)
        if (m->left[i] == hash)
            return true;
    return false;
}

static void epoch_leave(struct memory *m, const char *epoch)
{
    if (epoch[0] == '\0' || strcmp(epoch, "-") == 0 || epoch_is_left(m, epoch))
        return;
    memmove(&m->left[1], &m->left[0], (LIMIT_EPOCHS_LEFT - 1) * sizeof m->left[0]);
    m->left[0] = epoch_hash(epoch);
}

/* A new one takes the place of the oldest. */
static struct memory_epoch *epoch_new(struct memory *m, const char *epoch)
{
    epoch_leave(m, m->epochs[LIMIT_EPOCHS - 1].epoch);
    memmove(&m->epochs[1], &m->epochs[0], (LIMIT_EPOCHS - 1) * sizeof m->epochs[0]);
    m->epochs[0] = (struct memory_epoch){0};
    memcpy(m->epochs[0].epoch, epoch, strnlen(epoch, LIMIT_EPOCH - 1));
    return &m->epochs[0];
}

static struct memory_epoch *epoch_to_front(struct memory *m, const char *epoch)
{
    unsigned i = 0;
    while (i < LIMIT_EPOCHS && strcmp(m->epochs[i].epoch, epoch) != 0)
        i++;
    if (i == LIMIT_EPOCHS)
        return epoch_new(m, epoch);
    struct memory_epoch found = m->epochs[i];
    memmove(&m->epochs[1], &m->epochs[0], i * sizeof m->epochs[0]);
    m->epochs[0] = found;
    return &m->epochs[0];
}

static void remember(struct board *b, const struct event *e)
{
    const struct event_press *p = &e->press;
    struct memory *m = memory_make(b, p->site, p->device);
    if (!m)
        return;
    struct memory_epoch *epoch = epoch_to_front(m, p->epoch);
    if (!p->has_identity) {
        epoch->window = epoch->highest;
        epoch->highest = p->n;
    } else if (epoch->window == 0 || p->n > epoch->highest) {
        uint64_t ahead = p->n - epoch->highest;
        epoch->window = (epoch->window != 0 && ahead < 64 ? epoch->window << ahead : 0) | 1;
        epoch->highest = p->n;
    } else if (epoch->highest - p->n < 64) {
        epoch->window |= 1ull << (epoch->highest - p->n);
    } else { /* the counter was set back and the engine let it pass: it counts from here, and from before */
        epoch = epoch_new(m, p->epoch);
        epoch->highest = p->n;
        epoch->window = 1;
    }
    m->last_n = p->n;
    memcpy(m->last_alarm, e->alarm, sizeof m->last_alarm);
}

static bool heard(const struct memory_epoch *k, uint64_t n)
{
    if (strcmp(k->epoch, "-") == 0)
        return n == k->highest || n == k->window;
    return n <= k->highest && k->highest - n < 64 && k->window >> (k->highest - n) & 1;
}

const struct press *board_find_press(const struct board *b, const struct alarm *a, const char *device, const char *epoch,
                                     uint64_t n)
{
    const struct press *p = board_press(b, a->press_first);
    while (p && (p->n != n || strcmp(p->device, device) != 0 || strcmp(p->epoch, epoch) != 0))
        p = board_press(b, p->next);
    return p;
}

/* A counter far behind, or an epoch that was left: what the window has forgotten may still be on the board. */
static bool on_board(const struct board *b, const char *site, const char *device, const char *epoch, uint64_t n,
                     char *alarm)
{
    for (uint32_t i = 0; i < b->alarm_pool.touched; i++) {
        const struct alarm *a = &b->alarms[i];
        if (!a->in_use || a->state == ALARM_CLOSED || strcmp(a->site, site) != 0)
            continue; /* a closed case does not silence a device that counts from the start again */
        if (board_find_press(b, a, device, epoch, n)) {
            memcpy(alarm, a->id, LIMIT_ALARM_ID);
            return true;
        }
    }
    return false;
}

enum seen board_seen(const struct board *b, const char *site, const char *device, const char *epoch, uint64_t n,
                     char *alarm)
{
    enum seen seen = SEEN_NEVER;
    bool known = false;
    alarm[0] = '\0';
    const struct memory *m = memory_find(b, site, device);
    for (unsigned i = 0; m && i < LIMIT_EPOCHS; i++) {
        const struct memory_epoch *k = &m->epochs[i];
        if (k->epoch[0] == '\0' || strcmp(k->epoch, epoch) != 0)
            continue;
        if (heard(k, n)) {
            if (i == 0 && n == m->last_n)
                memcpy(alarm, m->last_alarm, LIMIT_ALARM_ID);
            return SEEN_BEFORE;
        }
        if (!known && strcmp(epoch, "-") != 0 && n <= k->highest)
            seen = k->highest - n < 64 ? SEEN_OVERTAKEN : SEEN_COUNTER_BACK;
        known = true; /* an epoch stands twice when its counter was set back: the later one counts */
    }
    bool left = m && !known && epoch_is_left(m, epoch);
    if ((left || seen == SEEN_COUNTER_BACK) && on_board(b, site, device, epoch, n, alarm))
        return SEEN_BEFORE;
    return left ? SEEN_OVERTAKEN : seen;
}

bool board_is_last_press(const struct board *b, const struct alarm *a, const struct press *p)
{
    const struct memory *m = memory_find(b, a->site, p->device);
    if (!m || (m->last_n == p->n && strcmp(m->epochs[0].epoch, p->epoch) == 0))
        return true;
    if (strcmp(m->last_alarm, a->id) == 0)
        return false;
    for (const struct press *later = board_press(b, p->next); later; later = board_press(b, later->next))
        if (strcmp(later->device, p->device) == 0)
            return false;
    return true; /* its last press belongs to another case, a test perhaps */
}

struct alarm *board_alarm_of_device(struct board *b, const char *site, const char *device)
{
    const struct memory *m = memory_find(b, site, device);
    return m && m->last_alarm[0] ? board_alarm(b, m->last_alarm) : NULL;
}

/* Alarms. */

static void mark(struct board *b, struct alarm *a)
{
    uint32_t i = board_number(b, a);
    if (!a->fresh) {
        a->fresh = true;
        b->fresh[b->fresh_count++] = i;
    }
    if (!a->changed) {
        a->changed = true;
        b->changed[b->changed_count++] = i;
    }
    board_due_update(b, a);
}

static void queue_drop(uint32_t *queue, uint32_t *count, uint32_t item)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++)
        if (queue[i] != item)
            queue[kept++] = queue[i];
    *count = kept;
}

static void alarm_remove(struct board *b, struct alarm *a)
{
    uint32_t i = board_number(b, a);
    if (a->press_count > 0)
        for (uint32_t k = a->press_first, left = a->press_count; left > 0; left--) {
            uint32_t next = b->presses[k].next;
            pool_give(&b->press_pool, k);
            k = next;
        }
    if (a->fresh)
        queue_drop(b->fresh, &b->fresh_count, i);
    if (a->changed)
        queue_drop(b->changed, &b->changed_count, i);
    board_due_remove(b, a);
    table_remove(&b->alarms_by_id, table_hash(a->id, NULL), i);
    table_remove(&b->alarms_by_place, board_place_hash(a), i);
    memset(a, 0, sizeof *a);
    pool_give(&b->alarm_pool, i);
}

/* Let go of closed alarms that owe nothing. Driven by the events' clock, so that a replay forgets the same. */
static void forget_closed(struct board *b, int64_t clock_ms, bool at_any_age)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->closed_count; i++) {
        struct alarm *a = &b->alarms[b->closed[i]];
        bool old = at_any_age || clock_ms - a->closed_clock_ms >= CLOSED_KEPT_MS;
        assert(a->state == ALARM_CLOSED);
        if (old && !alarm_owes_any(a))
            alarm_remove(b, a);
        else
            b->closed[kept++] = b->closed[i];
    }
    b->closed_count = kept;
}

static void link_press(struct board *b, struct alarm *a, const struct event *e)
{
    uint32_t i = pool_take(&b->press_pool);
    if (i == TABLE_NONE) {
        a->presses_unlisted++;
        b->capacity_lost++;
        return;
    }
    struct press *p = &b->presses[i];
    memset(p, 0, sizeof *p);
    memcpy(p->device, e->press.device, sizeof p->device);
    memcpy(p->zone, e->press.zone, sizeof p->zone);
    memcpy(p->epoch, e->press.epoch, sizeof p->epoch);
    p->n = e->press.n;
    p->at_ms = e->at_ms;
    p->seq = e->seq;
    p->kind = e->press.kind;
    p->oddities = e->press.oddities;
    p->next = TABLE_NONE;
    if (a->press_count == 0)
        a->press_first = i;
    else
        b->presses[a->press_last].next = i;
    a->press_last = i;
    a->press_count++;
}

static struct alarm *alarm_make(struct board *b, const struct event *e)
{
    uint32_t i = pool_take(&b->alarm_pool);
    if (i == TABLE_NONE) {
        forget_closed(b, e->clock_ms, true);
        i = pool_take(&b->alarm_pool);
    }
    if (i == TABLE_NONE) {
        b->capacity_lost++;
        return NULL;
    }
    struct alarm *a = &b->alarms[i];
    memset(a, 0, sizeof *a);
    alarm_open(a, e);
    a->in_use = true;
    a->press_first = a->press_last = TABLE_NONE;
    table_insert(&b->alarms_by_id, table_hash(a->id, NULL), i);
    table_insert(&b->alarms_by_place, board_place_hash(a), i);
    b->open_count++;
    return a;
}

static enum step_result apply_to_alarm(struct board *b, struct alarm *a, const struct event *e)
{
    bool was_closed = a->state == ALARM_CLOSED;
    enum step_result result = alarm_step(a, e);
    bool is_closed = a->state == ALARM_CLOSED;
    if (is_closed && !was_closed) {
        assert(b->closed_count < LIMIT_ALARMS);
        b->closed[b->closed_count++] = board_number(b, a);
        b->open_count--;
    } else if (was_closed && !is_closed) {
        queue_drop(b->closed, &b->closed_count, board_number(b, a));
        b->open_count++;
    }
    if (e->type == EVENT_DEADLINE_PASSED)
        a->deadline_posted &= (uint8_t) ~(1u << e->deadline.kind);
    mark(b, a);
    return result;
}

static enum step_result apply_press(struct board *b, const struct event *e)
{
    char known[LIMIT_ALARM_ID];
    if (board_seen(b, e->press.site, e->press.device, e->press.epoch, e->press.n, known) == SEEN_BEFORE)
        return STEP_ALREADY; /* it came twice before the first was on the board */
    remember(b, e);
    struct alarm *a = board_alarm(b, e->alarm);
    if (a) {
        if (e->press.kind != KIND_CANCEL || a->state != ALARM_CLOSED)
            link_press(b, a, e);
        return apply_to_alarm(b, a, e);
    }
    if (e->press.kind == KIND_CANCEL)
        return STEP_IMPOSSIBLE;
    a = alarm_make(b, e);
    if (!a)
        return STEP_IMPOSSIBLE;
    link_press(b, a, e);
    mark(b, a);
    return STEP_CHANGED;
}

/* Troubles. */

static uint32_t trouble_find(const struct board *b, enum trouble_code code, const char *part)
{
    uint64_t hash = table_hash(trouble_code_str(code), part, NULL);
    for (uint32_t i = table_first(&b->trouble_by_part, hash); i != TABLE_NONE; i = table_next(&b->trouble_by_part, i))
        if (b->troubles[i].code == code && strcmp(b->troubles[i].part, part) == 0)
            return i;
    return TABLE_NONE;
}

/* How many troubles there may be with this one: devices' leave room for the house's, and all of them for the word that
 * there is no more room. */
static uint32_t places_for(enum trouble_code code)
{
    if (trouble_is_of_device(code))
        return LIMIT_TROUBLES - LIMIT_TROUBLES_HOUSE;
    return code == TROUBLE_CAPACITY ? LIMIT_TROUBLES : LIMIT_TROUBLES - 1;
}

bool board_has_room(const struct board *b)
{
    return b->alarm_pool.used < LIMIT_ALARMS && b->press_pool.used < LIMIT_PRESSES && b->memory_pool.used < LIMIT_DEVICES &&
           b->trouble_pool.used < places_for(TROUBLE_DEVICE_SILENT);
}

static enum step_result apply_trouble(struct board *b, const struct event *e)
{
    const struct event_trouble *t = &e->trouble;
    uint64_t hash = table_hash(trouble_code_str(t->code), t->part, NULL);
    uint32_t i = trouble_find(b, t->code, t->part);
    if (e->type == EVENT_TROUBLE_CLEARED) {
        if (i == TABLE_NONE)
            return STEP_UNCHANGED;
        table_remove(&b->trouble_by_part, hash, i);
        b->trouble_used[i] = 0;
        pool_give(&b->trouble_pool, i);
        return STEP_CHANGED;
    }
    if (i == TABLE_NONE) {
        i = b->trouble_pool.used < places_for(t->code) ? pool_take(&b->trouble_pool) : TABLE_NONE;
        if (i == TABLE_NONE) {
            b->capacity_lost++;
            return STEP_IMPOSSIBLE;
        }
        b->trouble_used[i] = 1;
        table_insert(&b->trouble_by_part, hash, i);
    }
    struct trouble *to = &b->troubles[i];
    to->code = t->code;
    memcpy(to->part, t->part, sizeof to->part);
    memcpy(to->text, t->text, sizeof to->text);
    to->at_ms = e->at_ms;
    to->seq = e->seq;
    return STEP_CHANGED;
}

const struct trouble *board_trouble(const struct board *b, enum trouble_code code, const char *part)
{
    uint32_t i = trouble_find(b, code, part);
    return i == TABLE_NONE ? NULL : &b->troubles[i];
}

const struct trouble *board_next_trouble(const struct board *b, const struct trouble *previous)
{
    for (uint32_t i = previous ? (uint32_t)(previous - b->troubles) + 1 : 0; i < b->trouble_pool.touched; i++)
        if (b->trouble_used[i])
            return &b->troubles[i];
    return NULL;
}

/* The one door. */

static enum step_result apply(struct board *b, const struct event *e)
{
    struct alarm *a;
    switch (e->type) {
    case EVENT_PRESS_RECEIVED:
        return apply_press(b, e);
    case EVENT_DEADLINE_PASSED:
    case EVENT_DELIVERY_RESULT:
    case EVENT_ACKNOWLEDGED:
    case EVENT_COMING:
    case EVENT_ON_SCENE:
    case EVENT_CLOSED:
    case EVENT_NOTE_ADDED:
        a = board_alarm(b, e->alarm);
        return a ? apply_to_alarm(b, a, e) : STEP_IMPOSSIBLE;
    case EVENT_TROUBLE_RAISED:
    case EVENT_TROUBLE_CLEARED:
        return apply_trouble(b, e);
    case EVENT_PRESS_REFUSED: /* not remembered: the same press may come again in a way that counts */
    case EVENT_DAEMON_STARTED:
    case EVENT_DAEMON_STOPPED:
    case EVENT_CONF_LOADED:
    case EVENT_JOURNAL_GAP:
    case EVENT_SIGNED_IN:
    case EVENT_SIGNED_OUT:
    case EVENT_SIGN_IN_REFUSED:
    case EVENT_ACTION_REFUSED:
    case EVENT_TYPE_COUNT:
        break;
    }
    return STEP_UNCHANGED;
}

void board_apply(struct board *b, const struct event *e)
{
    if (b->closed_count > 0 && e->clock_ms - b->forgot_clock_ms >= FORGET_EVERY_MS) {
        b->forgot_clock_ms = e->clock_ms;
        forget_closed(b, e->clock_ms, false);
    }
    b->last_result = apply(b, e);
}

static void touch(void *items, uint32_t item, size_t size)
{
    volatile char *bytes = (char *)items + (size_t)item * size;
    if (item == TABLE_NONE)
        return;
    for (size_t i = 0; i < size; i += 4096)
        bytes[i] = bytes[i];
    bytes[size - 1] = bytes[size - 1];
}

void board_make_ready(struct board *b)
{
    touch(b->alarms, pool_next(&b->alarm_pool), sizeof *b->alarms);
    touch(b->presses, pool_next(&b->press_pool), sizeof *b->presses);
    touch(b->memories, pool_next(&b->memory_pool), sizeof *b->memories);
}

void board_tell_again(struct board *b, const char *endpoint)
{
    for (struct alarm *a = NULL; (a = board_next_alarm(b, a));) {
        struct delivery *d = alarm_delivery(a, endpoint);
        if (!d || d->sending_version == 0)
            continue;
        d->sending_version = d->sending_presses = 0;
        mark(b, a);
    }
}

enum step_result board_last_result(const struct board *b)
{
    return b->last_result;
}

struct board_counts board_counts(const struct board *b)
{
    return (struct board_counts){.alarms_open = b->open_count,
                                 .alarms_kept = b->closed_count,
                                 .presses = b->press_pool.used,
                                 .devices = b->memory_pool.used,
                                 .troubles = b->trouble_pool.used,
                                 .capacity_lost = b->capacity_lost};
}
