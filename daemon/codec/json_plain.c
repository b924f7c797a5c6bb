#include "codec/json_plain.h"
#include <string.h>

#define DIGITS 15 /* always exact in a double */

struct plain {
    const char *at, *end;
};

static void skip_space(struct plain *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == '\n'))
        p->at++;
}

static bool skip_char(struct plain *p, char wanted)
{
    skip_space(p);
    if (p->at == p->end || *p->at != wanted)
        return false;
    p->at++;
    return true;
}

static bool skip_word(struct plain *p, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(p->end - p->at) < size || memcmp(p->at, word, size) != 0)
        return false;
    p->at += size;
    return true;
}

static bool read_text(struct plain *p, const char **text, size_t *size)
{
    if (!skip_char(p, '"'))
        return false;
    *text = p->at;
    while (p->at < p->end && *p->at >= 0x20 && *p->at < 0x7f && *p->at != '"' && *p->at != '\\')
        p->at++;
    *size = (size_t)(p->at - *text);
    return p->at < p->end && *p->at++ == '"';
}

static bool read_number(struct plain *p, double *number)
{
    const char *first = p->at;
    *number = 0;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
        *number = *number * 10 + (*p->at++ - '0');
    ptrdiff_t digits = p->at - first;
    return digits == 1 || (digits > 1 && digits <= DIGITS && *first != '0');
}

/* What stands behind it is the caller's to look at: 1.5 and truefalse are not taken. */
static bool read_value(struct plain *p, struct json_value *value)
{
    skip_space(p);
    if (p->at == p->end)
        return false;
    switch (*p->at) {
    case '"':
        value->type = JSON_VALUE_TEXT;
        return read_text(p, &value->text, &value->size);
    case 't':
    case 'f':
        value->type = JSON_VALUE_TRUTH;
        value->truth = *p->at == 't';
        return skip_word(p, value->truth ? "true" : "false");
    default:
        value->type = JSON_VALUE_NUMBER;
        return read_number(p, &value->number);
    }
}

bool json_plain_object(const char *text, size_t size, json_member_fn *member, void *ctx)
{
    struct plain p = {text, text + size};
    if (!skip_char(&p, '{'))
        return false;
    bool more = !skip_char(&p, '}');
    while (more) {
        const char *name;
        size_t name_size;
        struct json_value value = {0};
        if (!read_text(&p, &name, &name_size) || !skip_char(&p, ':') || !read_value(&p, &value) ||
            !member(ctx, name, name_size, &value))
            return false;
        more = skip_char(&p, ',');
        if (!more && !skip_char(&p, '}'))
            return false;
    }
    skip_space(&p);
    return p.at == p.end;
}
