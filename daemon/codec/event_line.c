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

static bool read_number(struct cursor *c, const struct field *f, void *place)
{
    bool negative = skip_char(c, '-');
    const char *first = c->at;
    int64_t value = 0;
    while (c->at < c->end && c->at - first < DIGITS && *c->at >= '0' && *c->at <= '9')
        value = value * 10 + (*c->at++ - '0');
    if (c->at == first || (*first == '0' && (negative || c->at - first > 1)))
        return false;
    return event_store(f, place, negative ? -value : value);
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
    case SHAPE_ODD:
    case SHAPE_PLAN:
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
