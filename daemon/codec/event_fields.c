#include "codec/event_fields.h"
#include <stddef.h>
#include <string.h>

#define AT(member) .offset = offsetof(struct event, member), .size = sizeof((struct event *)0)->member
#define WORDS(name) .word = name##_str, .word_of = name##_of

const struct field event_head_fields[] = {
    {"seq", SHAPE_UNSIGNED, AT(seq)},         {"at", SHAPE_TIME, AT(at_ms)},
    {"clock", SHAPE_SIGNED, AT(clock_ms)},    {"type", SHAPE_WORD, AT(type), WORDS(event_type)},
    {"alarm", SHAPE_NAME, AT(alarm), UNLESS}, {NULL},
};
static const struct field daemon_fields[] = {
    {"boot_id", SHAPE_NAME, AT(daemon.boot_id)},
    {"boottime", SHAPE_SIGNED, AT(daemon.boottime_ms)},
    {"version", SHAPE_NAME, AT(daemon.version)},
    {NULL},
};
static const struct field press_fields[] = {
    {"site", SHAPE_NAME, AT(press.site)},
    {"device", SHAPE_NAME, AT(press.device)},
    {"zone", SHAPE_NAME, AT(press.zone), UNLESS},
    {"epoch", SHAPE_NAME, AT(press.epoch)},
    {"n", SHAPE_UNSIGNED, AT(press.n)},
    {"identity", SHAPE_BOOL, AT(press.has_identity), UNLESS, .usual = true},
    {"kind", SHAPE_WORD, AT(press.kind), WORDS(kind)},
    {"mode", SHAPE_WORD, AT(press.mode), WORDS(mode)},
    {"refusal", SHAPE_WORD, AT(press.refusal), .types = 1u << EVENT_PRESS_REFUSED, WORDS(refusal)},
    {"odd", SHAPE_ODD, AT(press.oddities), UNLESS},
    {"claimed", SHAPE_TIME, AT(press.claimed_ms), UNLESS},
    {"battery", SHAPE_SIGNED, AT(press.battery), UNLESS, .usual = -1},
    {"raw", SHAPE_TEXT, AT(press.raw), UNLESS},
    {"plan", SHAPE_PLAN, AT(press.plan), UNLESS},
    {NULL},
};
static const struct field deadline_fields[] = {
    {"deadline", SHAPE_WORD, AT(deadline.kind), WORDS(deadline_kind)},
    {"step", SHAPE_UNSIGNED, AT(deadline.step)},
    {NULL},
};
static const struct field delivery_fields[] = {
    {"endpoint", SHAPE_NAME, AT(delivery.endpoint)},
    {"version", SHAPE_UNSIGNED, AT(delivery.version)},
    {"presses", SHAPE_UNSIGNED, AT(delivery.presses)},
    {"attempt", SHAPE_UNSIGNED, AT(delivery.attempt)},
    {"outcome", SHAPE_WORD, AT(delivery.outcome), WORDS(delivery_outcome)},
    {"status", SHAPE_UNSIGNED, AT(delivery.http_status)},
    {"ms", SHAPE_UNSIGNED, AT(delivery.duration_ms)},
    {"recorded", SHAPE_BOOL, AT(delivery.recorded), UNLESS, .usual = true},
    {"text", SHAPE_TEXT, AT(delivery.text)},
    {NULL},
};
static const struct field deed_fields[] = {
    {"by", SHAPE_NAME, AT(deed.by)},
    {"role", SHAPE_WORD, AT(deed.role), WORDS(role)},
    {"endpoint", SHAPE_NAME, AT(deed.endpoint), UNLESS},
    {"disposition", SHAPE_WORD, AT(deed.disposition), .types = 1u << EVENT_CLOSED, WORDS(disposition)},
    {"seen", SHAPE_UNSIGNED, AT(deed.seen_version), UNLESS},
    {"note", SHAPE_NAME, AT(deed.note_hash), UNLESS},
    {NULL},
};
static const struct field trouble_fields[] = {
    {"code", SHAPE_WORD, AT(trouble.code), WORDS(trouble_code)},
    {"part", SHAPE_NAME, AT(trouble.part)},
    {"text", SHAPE_TEXT, AT(trouble.text)},
    {NULL},
};
static const struct field gap_fields[] = {
    {"lost", SHAPE_UNSIGNED, AT(gap.lost)},
    {NULL},
};

static const struct field access_fields[] = {
    {"by", SHAPE_NAME, AT(access.by), UNLESS},
    {"role", SHAPE_WORD, AT(access.role), .types = ~(1u << EVENT_SIGN_IN_REFUSED), WORDS(role)},
    {"address", SHAPE_NAME, AT(access.address), UNLESS},
    {"reason", SHAPE_WORD, AT(access.reason), .types = ~(1u << EVENT_SIGNED_IN), WORDS(access_reason)},
    {"action", SHAPE_TEXT, AT(access.action), UNLESS},
    {"count", SHAPE_UNSIGNED, AT(access.count), UNLESS, .usual = 1},
    {NULL},
};

static const struct field *const fields_of[EVENT_TYPE_COUNT] = {
    [EVENT_DAEMON_STARTED] = daemon_fields,
    [EVENT_DAEMON_STOPPED] = daemon_fields,
    [EVENT_CONF_LOADED] = daemon_fields,
    [EVENT_PRESS_RECEIVED] = press_fields,
    [EVENT_PRESS_REFUSED] = press_fields,
    [EVENT_DEADLINE_PASSED] = deadline_fields,
    [EVENT_DELIVERY_RESULT] = delivery_fields,
    [EVENT_ACKNOWLEDGED] = deed_fields,
    [EVENT_COMING] = deed_fields,
    [EVENT_ON_SCENE] = deed_fields,
    [EVENT_CLOSED] = deed_fields,
    [EVENT_NOTE_ADDED] = deed_fields,
    [EVENT_TROUBLE_RAISED] = trouble_fields,
    [EVENT_TROUBLE_CLEARED] = trouble_fields,
    [EVENT_JOURNAL_GAP] = gap_fields,
    [EVENT_SIGNED_IN] = access_fields,
    [EVENT_SIGNED_OUT] = access_fields,
    [EVENT_SIGN_IN_REFUSED] = access_fields,
    [EVENT_ACTION_REFUSED] = access_fields,
};

const struct field *event_fields_of(enum event_type type)
{
    return fields_of[type];
}

bool event_has_field(const struct event *e, const struct field *f)
{
    return f->types == 0 || f->types & 1u << e->type;
}

union number {
    bool flag;
    uint16_t u16;
    uint32_t u32;
    int32_t i32;
    int64_t i64;
};

int64_t event_load(const struct field *f, const void *place)
{
    union number u;
    memcpy(&u, place, f->size);
    if (f->size == sizeof u.flag)
        return u.flag;
    if (f->size == sizeof u.u16)
        return u.u16;
    if (f->size == sizeof u.u32)
        return f->shape == SHAPE_SIGNED ? u.i32 : (int64_t)u.u32;
    return u.i64;
}

bool event_store(const struct field *f, void *place, int64_t value)
{
    union number u;
    if (f->size == sizeof u.flag)
        u.flag = value != 0;
    else if (f->size == sizeof u.u16)
        u.u16 = (uint16_t)value;
    else if (f->size == sizeof u.u32)
        u.u32 = (uint32_t)value;
    else
        u.i64 = value;
    memcpy(place, &u, f->size);
    return event_load(f, place) == value && (f->shape != SHAPE_UNSIGNED || value >= 0);
}
