#include "codec/event_json.h"
#include "codec/event_fields.h"
#include "codec/event_line.h"
#include "codec/json_in.h"
#include "codec/json_out.h"
#include "codec/text.h"
#include "codec/time_text.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

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
    return event_load(f, place) == f->usual;
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
        json_number(o, f->name, event_load(f, place));
        break;
    case SHAPE_TIME:
        json_time(o, f->name, event_load(f, place));
        break;
    case SHAPE_WORD:
        json_text(o, f->name, f->word((unsigned)event_load(f, place)));
        break;
    case SHAPE_BOOL:
        json_bool(o, f->name, event_load(f, place));
        break;
    case SHAPE_ODD:
        encode_odd(o, f->name, (uint32_t)event_load(f, place));
        break;
    case SHAPE_PLAN:
        encode_plan(o, f->name, place);
        break;
    }
}

static void encode_fields(struct json_out *o, const struct field *f, const struct event *e)
{
    for (; f->name; f++) {
        const char *place = (const char *)e + f->offset;
        if (event_has_field(e, f) && (f->presence == ALWAYS || !is_usual(f, place)))
            encode_field(o, f, place);
    }
}

size_t event_encode(const struct event *e, char *line, size_t capacity)
{
    struct json_out o;
    json_out_init(&o, line, capacity);
    json_open(&o, NULL, '{');
    encode_fields(&o, event_head_fields, e);
    encode_fields(&o, event_fields_of(e->type), e);
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
    return text && f->word_of(text, &word) && event_store(f, place, word);
}

static bool decode_time(const struct field *f, const json_t *value, void *place)
{
    int64_t at_ms = 0;
    size_t size;
    const char *text = json_in_text(value, &size);
    if (!json_is_null(value) && !(text && time_of_text(text, size, &at_ms)))
        return false;
    return event_store(f, place, at_ms);
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
        return json_is_integer(value) && event_store(f, place, json_integer_value(value));
    case SHAPE_TIME:
        return decode_time(f, value, place);
    case SHAPE_WORD:
        return decode_word(f, value, place);
    case SHAPE_BOOL:
        return json_is_boolean(value) && event_store(f, place, json_is_true(value));
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
        if (!event_has_field(e, f))
            continue;
        const json_t *value = json_object_get(object, f->name);
        if (!value && f->presence == UNLESS) {
            if (f->usual)
                event_store(f, place, f->usual);
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

bool event_decode_any(const char *line, size_t size, struct event *out, char why[LIMIT_TEXT])
{
    json_error_t error;
    json_t *object = json_in_object(line, size, JSON_REJECT_DUPLICATES, &error);
    memset(out, 0, sizeof *out);
    if (!object) {
        char reason[sizeof error.text];
        text_clean(reason, sizeof reason, error.text, strlen(error.text));
        snprintf(why, LIMIT_TEXT, "the line is no JSON object: %s", reason);
        return false;
    }
    bool good = decode_fields(object, event_head_fields, out, why);
    good = good && decode_fields(object, event_fields_of(out->type), out, why);
    json_decref(object);
    return good;
}

bool event_decode(const char *line, size_t size, struct event *out, char why[LIMIT_TEXT])
{
    if (size > LIMIT_LINE) {
        memset(out, 0, sizeof *out);
        snprintf(why, LIMIT_TEXT, "the line has %zu bytes; at most %d are allowed", size, LIMIT_LINE);
        return false;
    }
    return event_line_read(line, size, out) || event_decode_any(line, size, out, why);
}
