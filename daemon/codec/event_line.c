#include "codec/event_line.h"
#include "codec/event_fields.h"
#include "codec/time_text.h"
#include <string.h>

#define WORD 40   /* bytes of the longest word, and more */
#define DIGITS 18 /* always an int64_t; more are rare */

struct cursor {
    const char *at, *end;
    char before; /* what stands before the next member */
};

static bool skip(struct cursor *c, const char *text, size_t size)
{
    if ((size_t)(c->end - c->at) < size || memcmp(c->at, text, size) != 0)
        return false;
    c->at += size;
    return true;
}

static bool skip_char(struct cursor *c, char wanted)
{
    return skip(c, &wanted, 1);
}

/* ,"name": */
static bool skip_name(struct cursor *c, const char *name)
{
    struct cursor ahead = *c;
    if (!skip_char(&ahead, c->before) || !skip_char(&ahead, '"') || !skip(&ahead, name, strlen(name)) ||
        !skip(&ahead, "\":", 2))
        return false;
    *c = ahead;
    c->before = ',';
    return true;
}

/* Text that stands for itself. */
static bool take_text(struct cursor *c, const char **text, size_t *size)
{
    if (!skip_char(c, '"'))
        return false;
    *text = c->at;
    while (c->at < c->end && *c->at >= 0x20 && *c->at < 0x7f && *c->at != '"' && *c->at != '\\')
        c->at++;
    *size = (size_t)(c->at - *text);
    return skip_char(c, '"');
}

static bool read_text(struct cursor *c, char *place, size_t capacity)
{
    const char *text;
    size_t size;
    if (!take_text(c, &text, &size) || size >= capacity)
        return false;
    memcpy(place, text, size);
    return true;
}

static bool take_digits(struct cursor *c, int64_t *value)
{
    const char *first = c->at;
    *value = 0;
    while (c->at < c->end && c->at - first < DIGITS && *c->at >= '0' && *c->at <= '9')
        *value = *value * 10 + (*c->at++ - '0');
    return c->at > first && (*first != '0' || c->at - first == 1);
}

static bool read_number(struct cursor *c, const struct field *f, void *place)
{
    bool negative = skip_char(c, '-');
    int64_t value;
    return take_digits(c, &value) && !(negative && value == 0) && event_store(f, place, negative ? -value : value);
}

static bool read_time(struct cursor *c, const struct field *f, void *place)
{
    const char *text;
    size_t size;
    int64_t at_ms = 0;
    if (!skip(c, "null", 4) && !(take_text(c, &text, &size) && time_of_text(text, size, &at_ms)))
        return false;
    return event_store(f, place, at_ms);
}

static bool read_word(struct cursor *c, const struct field *f, void *place)
{
    char text[WORD] = "";
    unsigned word;
    return read_text(c, text, sizeof text) && f->word_of(text, &word) && event_store(f, place, word);
}

/* A plan: objects in arrays. */

static bool begin_object(struct cursor *c)
{
    c->before = '{'; /* stands before the first member */
    return true;
}

static bool end_object(struct cursor *c)
{
    c->before = ',';
    return skip_char(c, '}');
}

static bool read_list(struct cursor *c, bool (*read_item)(struct cursor *, struct plan *), struct plan *plan)
{
    if (!skip_char(c, '['))
        return false;
    for (bool first = true; !skip_char(c, ']'); first = false)
        if ((!first && !skip_char(c, ',')) || !read_item(c, plan))
            return false;
    return true;
}

static bool read_u32(struct cursor *c, uint32_t *out)
{
    int64_t value;
    if (!take_digits(c, &value) || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool read_role(struct cursor *c, enum role *out)
{
    char text[WORD] = "";
    return read_text(c, text, sizeof text) && role_of(text, out);
}

static bool read_ack(struct cursor *c, struct plan *plan)
{
    enum role role;
    if (!read_role(c, &role) || plan->acks_needed >> role) /* each once, in order */
        return false;
    plan->acks_needed |= (uint8_t)(1u << role);
    return true;
}

static bool read_plan_endpoint(struct cursor *c, struct plan *plan)
{
    if (plan->endpoint_count == LIMIT_PLAN_ENDPOINTS)
        return false;
    struct plan_endpoint *p = &plan->endpoints[plan->endpoint_count++];
    p->step = plan->step_count;
    return begin_object(c) && skip_name(c, "id") && read_text(c, p->id, sizeof p->id) && skip_name(c, "role") &&
           read_role(c, &p->role) && end_object(c);
}

static bool read_step(struct cursor *c, struct plan *plan)
{
    if (plan->step_count == LIMIT_STEPS || !begin_object(c) || !skip_name(c, "answer_timeout_s") ||
        !read_u32(c, &plan->answer_timeout_s[plan->step_count]) || !skip_name(c, "endpoints") ||
        !read_list(c, read_plan_endpoint, plan))
        return false;
    plan->step_count++;
    return end_object(c);
}

static bool read_plan(struct cursor *c, struct plan *plan)
{
    return begin_object(c) && skip_name(c, "id") && read_text(c, plan->id, sizeof plan->id) &&
           skip_name(c, "acks_needed") && read_list(c, read_ack, plan) && skip_name(c, "coming_timeout_s") &&
           read_u32(c, &plan->coming_timeout_s) && skip_name(c, "steps") && read_list(c, read_step, plan) &&
           plan->step_count > 0 && end_object(c);
}

static bool read_value(struct cursor *c, const struct field *f, void *place)
{
    switch (f->shape) {
    case SHAPE_NAME:
    case SHAPE_TEXT:
        return read_text(c, place, f->size);
    case SHAPE_UNSIGNED:
    case SHAPE_SIGNED:
        return read_number(c, f, place);
    case SHAPE_TIME:
        return read_time(c, f, place);
    case SHAPE_WORD:
        return read_word(c, f, place);
    case SHAPE_BOOL:
        return skip(c, "true", 4) ? event_store(f, place, true)
                                  : skip(c, "false", 5) && event_store(f, place, false);
    case SHAPE_PLAN:
        return read_plan(c, place);
    case SHAPE_ODD:
        break;
    }
    return false;
}

static bool read_fields(struct cursor *c, const struct field *f, struct event *e)
{
    for (; f->name; f++) {
        char *place = (char *)e + f->offset;
        if (!event_has_field(e, f))
            continue;
        if (skip_name(c, f->name) ? !read_value(c, f, place)
                                  : f->presence == ALWAYS || (f->usual && !event_store(f, place, f->usual)))
            return false;
    }
    return true;
}

bool event_line_read(const char *line, size_t size, struct event *out)
{
    struct cursor c = {.at = line, .end = line + size, .before = '{'};
    memset(out, 0, sizeof *out);
    return read_fields(&c, event_head_fields, out) && read_fields(&c, event_fields_of(out->type), out) &&
           skip_char(&c, '}') && c.at == c.end;
}
