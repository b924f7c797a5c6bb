#include "codec/event_json.h"
#include "codec/json_in.h"
#include "codec/json_out.h"
#include "codec/text.h"
#include "codec/time_text.h"
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* How a member looks as JSON and as C. */
enum shape {
    SHAPE_NAME,     /* char[]: an id or a hash; one that does not fit is an error */
    SHAPE_TEXT,     /* char[]: for people; one that does not fit is cut */
    SHAPE_UNSIGNED, /* uint16_t, uint32_t, uint64_t, by size */
    SHAPE_SIGNED,   /* int, int64_t */
    SHAPE_TIME,     /* int64_t, 0 = null */
    SHAPE_WORD,     /* an enum with names */
    SHAPE_BOOL,
    SHAPE_ODD,  /* bit set of enum oddity: a list of names */
    SHAPE_PLAN, /* struct plan */
};

static const char *const shape_meanings[] = {
    [SHAPE_NAME] = "a name that is not too long",
    [SHAPE_TEXT] = "text",
    [SHAPE_UNSIGNED] = "a whole number from 0 that is not too large",
    [SHAPE_SIGNED] = "a whole number that is not too large",
    [SHAPE_TIME] = "a moment like 2026-11-23T08:00:00.000Z",
    [SHAPE_WORD] = "one of the words of proto/journal.md",
    [SHAPE_BOOL] = "true or false",
    [SHAPE_ODD] = "a list of names",
    [SHAPE_PLAN] = "a plan with steps, endpoints and acks_needed within the limits",
};

enum presence {
    ALWAYS,
    UNLESS, /* left out when it is `usual`; `usual` when it is missing */
};

struct field {
    const char *name;
    enum shape shape;
    uint16_t offset, size;
    enum presence presence;
    int64_t usual;
    uint32_t types; /* bit set of the event types that have it; 0 = all of this list */
    const char *(*word)(unsigned);
    bool (*word_of)(const char *, unsigned *);
};

#define AT(member) .offset = offsetof(struct event, member), .size = sizeof((struct event *)0)->member
#define WORDS(name) .word = name##_str, .word_of = name##_of

static const struct field head_fields[] = {
    {"seq", SHAPE_UNSIGNED, AT(seq)},
    {"at", SHAPE_TIME, AT(at_ms)},
    {"clock", SHAPE_SIGNED, AT(clock_ms)},
    {"type", SHAPE_WORD, AT(type), WORDS(event_type)},
    {"alarm", SHAPE_NAME, AT(alarm), UNLESS},
    {NULL},
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
    [EVENT_DAEMON_STARTED] = daemon_fields,    [EVENT_DAEMON_STOPPED] = daemon_fields,
    [EVENT_CONF_LOADED] = daemon_fields,       [EVENT_PRESS_RECEIVED] = press_fields,
    [EVENT_PRESS_REFUSED] = press_fields,      [EVENT_DEADLINE_PASSED] = deadline_fields,
    [EVENT_DELIVERY_RESULT] = delivery_fields, [EVENT_ACKNOWLEDGED] = deed_fields,
    [EVENT_COMING] = deed_fields,              [EVENT_ON_SCENE] = deed_fields,
    [EVENT_CLOSED] = deed_fields,              [EVENT_NOTE_ADDED] = deed_fields,
    [EVENT_TROUBLE_RAISED] = trouble_fields,   [EVENT_TROUBLE_CLEARED] = trouble_fields,
    [EVENT_JOURNAL_GAP] = gap_fields,          [EVENT_SIGNED_IN] = access_fields,
    [EVENT_SIGNED_OUT] = access_fields,        [EVENT_SIGN_IN_REFUSED] = access_fields,
    [EVENT_ACTION_REFUSED] = access_fields,
};

union number {
    bool flag;
    uint16_t u16;
    uint32_t u32;
    int32_t i32;
    int64_t i64;
};

/* The number behind a field of any numeric shape. */
static int64_t load(const struct field *f, const void *place)
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

/* False: out of the range of the field. */
static bool store(const struct field *f, void *place, int64_t value)
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
    return load(f, place) == value && (f->shape != SHAPE_UNSIGNED || value >= 0);
}

/* ---- event → line ---- */

static void encode_odd(struct json_out *o, const char *key, uint32_t oddities)
{
    json_open(o, key, '[');
    for (unsigned bit = 0; bit < ODD_COUNT; bit++)
        if (oddities & 1u << bit)
            json_text(o, NULL, oddity_str(bit));
    json_close(o, ']');
}

static void encode_plan(struct json_out *o, const char *key, const struct plan *plan)
{
    json_open(o, key, '{');
    json_text(o, "id", plan->id);
    json_open(o, "acks_needed", '[');
    for (unsigned role = 0; role < ROLE_COUNT; role++)
        if (plan->acks_needed & 1u << role)
            json_text(o, NULL, role_str((enum role)role));
    json_close(o, ']');
    json_unsigned(o, "coming_timeout_s", plan->coming_timeout_s);
    json_open(o, "steps", '[');
    for (unsigned step = 0; step < plan->step_count; step++) {
        json_open(o, NULL, '{');
        json_unsigned(o, "answer_timeout_s", plan->answer_timeout_s[step]);
        json_open(o, "endpoints", '[');
        for (unsigned i = 0; i < plan->endpoint_count; i++)
            if (plan->endpoints[i].step == step) {
                json_open(o, NULL, '{');
                json_text(o, "id", plan->endpoints[i].id);
                json_text(o, "role", role_str(plan->endpoints[i].role));
                json_close(o, '}');
            }
        json_close(o, ']');
        json_close(o, '}');
    }
    json_close(o, ']');
    json_close(o, '}');
}

static bool is_usual(const struct field *f, const void *place)
{
    switch (f->shape) {
    case SHAPE_NAME:
    case SHAPE_TEXT:
        return *(const char *)place == '\0';
    case SHAPE_PLAN:
        return ((const struct plan *)place)->step_count == 0;
    case SHAPE_UNSIGNED:
    case SHAPE_SIGNED:
    case SHAPE_TIME:
    case SHAPE_WORD:
    case SHAPE_BOOL:
    case SHAPE_ODD:
        break;
    }
    return load(f, place) == f->usual;
}

/* A name takes as many bytes in the line as in the event, so that it is never too long to be read back. */
static void encode_name(struct json_out *o, const struct field *f, const char *name)
{
    char utf8[LIMIT_ID * 2];
    assert(f->size <= sizeof utf8);
    size_t size = strnlen(name, f->size);
    text_make_utf8(utf8, name, size);
    json_text_n(o, f->name, utf8, size);
}

static void encode_field(struct json_out *o, const struct field *f, const void *place)
{
    switch (f->shape) {
    case SHAPE_NAME:
        encode_name(o, f, place);
        break;
    case SHAPE_TEXT:
        json_text_n(o, f->name, place, strnlen(place, f->size));
        break;
    case SHAPE_UNSIGNED:
    case SHAPE_SIGNED:
        json_number(o, f->name, load(f, place));
        break;
    case SHAPE_TIME:
        json_time(o, f->name, load(f, place));
        break;
    case SHAPE_WORD:
        json_text(o, f->name, f->word((unsigned)load(f, place)));
        break;
    case SHAPE_BOOL:
        json_bool(o, f->name, load(f, place));
        break;
    case SHAPE_ODD:
        encode_odd(o, f->name, (uint32_t)load(f, place));
        break;
    case SHAPE_PLAN:
        encode_plan(o, f->name, place);
        break;
    }
}

static bool has_field(const struct event *e, const struct field *f)
{
    return f->types == 0 || f->types & 1u << e->type;
}

static void encode_fields(struct json_out *o, const struct field *f, const struct event *e)
{
    for (; f->name; f++) {
        const char *place = (const char *)e + f->offset;
        if (has_field(e, f) && (f->presence == ALWAYS || !is_usual(f, place)))
            encode_field(o, f, place);
    }
}

size_t event_encode(const struct event *e, char *line, size_t capacity)
{
    struct json_out o;
    json_out_init(&o, line, capacity);
    json_open(&o, NULL, '{');
    encode_fields(&o, head_fields, e);
    encode_fields(&o, fields_of[e->type], e);
    json_close(&o, '}');
    return json_out_ok(&o) ? o.size : 0;
}

/* ---- line → event ---- */

static bool decode_text(const json_t *value, char *out, size_t capacity, bool cut)
{
    size_t size;
    const char *text = json_in_text(value, &size);
    if (!text || (size >= capacity && !cut))
        return false;
    size = text_cut(text, size, capacity - 1);
    memcpy(out, text, size);
    out[size] = '\0';
    return true;
}

static bool decode_word(const struct field *f, const json_t *value, void *place)
{
    unsigned word;
    size_t size;
    const char *text = json_in_text(value, &size);
    return text && f->word_of(text, &word) && store(f, place, word);
}

static bool decode_time(const struct field *f, const json_t *value, void *place)
{
    int64_t at_ms = 0;
    size_t size;
    const char *text = json_in_text(value, &size);
    if (!json_is_null(value) && !(text && time_of_text(text, size, &at_ms)))
        return false;
    return store(f, place, at_ms);
}

/* Names this version does not know are passed over. */
static bool decode_odd(const json_t *list, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t size;
        const char *text = json_in_text(json_array_get(list, i), &size);
        for (unsigned bit = 0; text && bit < ODD_COUNT; bit++)
            if (strcmp(text, oddity_str(bit)) == 0)
                *out |= 1u << bit;
    }
    return json_is_array(list);
}

static bool decode_role(const json_t *value, enum role *out)
{
    size_t size;
    const char *text = json_in_text(value, &size);
    return text && role_of(text, out);
}

static bool decode_u32(const json_t *value, uint32_t *out)
{
    json_int_t number = json_integer_value(value);
    *out = (uint32_t)number;
    return json_is_integer(value) && number >= 0 && number <= UINT32_MAX;
}

static bool decode_step(const json_t *step, struct plan *plan)
{
    const json_t *endpoints = json_object_get(step, "endpoints");
    if (plan->step_count == LIMIT_STEPS || !json_is_array(endpoints) ||
        json_array_size(endpoints) > LIMIT_PLAN_ENDPOINTS - (size_t)plan->endpoint_count ||
        !decode_u32(json_object_get(step, "answer_timeout_s"), &plan->answer_timeout_s[plan->step_count]))
        return false;
    for (size_t i = 0; i < json_array_size(endpoints); i++) {
        const json_t *endpoint = json_array_get(endpoints, i);
        struct plan_endpoint *p = &plan->endpoints[plan->endpoint_count++];
        p->step = plan->step_count;
        if (!decode_text(json_object_get(endpoint, "id"), p->id, sizeof p->id, false) ||
            !decode_role(json_object_get(endpoint, "role"), &p->role))
            return false;
    }
    plan->step_count++;
    return true;
}

static bool decode_plan(const json_t *value, struct plan *plan)
{
    const json_t *acks = json_object_get(value, "acks_needed"), *steps = json_object_get(value, "steps");
    memset(plan, 0, sizeof *plan);
    if (!decode_text(json_object_get(value, "id"), plan->id, sizeof plan->id, false) ||
        !json_is_array(acks) ||
        !decode_u32(json_object_get(value, "coming_timeout_s"), &plan->coming_timeout_s) ||
        !json_is_array(steps))
        return false;
    for (size_t i = 0; i < json_array_size(acks); i++) {
        enum role role;
        if (!decode_role(json_array_get(acks, i), &role))
            return false;
        plan->acks_needed |= (uint8_t)(1u << role);
    }
    for (size_t i = 0; i < json_array_size(steps); i++)
        if (!decode_step(json_array_get(steps, i), plan))
            return false;
    return plan->step_count > 0;
}

static bool decode_field(const struct field *f, const json_t *value, void *place)
{
    switch (f->shape) {
    case SHAPE_NAME:
    case SHAPE_TEXT:
        return decode_text(value, place, f->size, f->shape == SHAPE_TEXT);
    case SHAPE_UNSIGNED:
    case SHAPE_SIGNED:
        return json_is_integer(value) && store(f, place, json_integer_value(value));
    case SHAPE_TIME:
        return decode_time(f, value, place);
    case SHAPE_WORD:
        return decode_word(f, value, place);
    case SHAPE_BOOL:
        return json_is_boolean(value) && store(f, place, json_is_true(value));
    case SHAPE_ODD:
        return decode_odd(value, place);
    case SHAPE_PLAN:
        return decode_plan(value, place);
    }
    return false;
}

static bool decode_fields(const json_t *object, const struct field *f, struct event *e, char why[LIMIT_TEXT])
{
    for (; f->name; f++) {
        char *place = (char *)e + f->offset;
        if (!has_field(e, f))
            continue;
        const json_t *value = json_object_get(object, f->name);
        if (!value && f->presence == UNLESS) {
            if (f->usual)
                store(f, place, f->usual);
            continue;
        }
        if (!value || !decode_field(f, value, place)) {
            snprintf(why, LIMIT_TEXT, "\"%s\" is %s; it must be %s", f->name, value ? "wrong" : "missing",
                     shape_meanings[f->shape]);
            return false;
        }
    }
    return true;
}

bool event_decode(const char *line, size_t size, struct event *out, char why[LIMIT_TEXT])
{
    memset(out, 0, sizeof *out);
    if (size > LIMIT_LINE) {
        snprintf(why, LIMIT_TEXT, "the line has %zu bytes; at most %d are allowed", size, LIMIT_LINE);
        return false;
    }
    json_error_t error;
    json_t *object = json_in_object(line, size, JSON_REJECT_DUPLICATES, &error);
    if (!object) {
        char reason[sizeof error.text];
        text_clean(reason, sizeof reason, error.text, strlen(error.text));
        snprintf(why, LIMIT_TEXT, "the line is no JSON object: %s", reason);
        return false;
    }
    bool good = decode_fields(object, head_fields, out, why);
    good = good && decode_fields(object, fields_of[out->type], out, why);
    json_decref(object);
    return good;
}
