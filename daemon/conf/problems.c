#include "conf/problems.h"
#include "codec/text.h"
#include "memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_TEXT_MIN 32 /* bytes: the key of a device is 44 characters of base64, of which some may be missing */

struct where where_file(uint32_t file)
{
    return (struct where){.file = file};
}

struct where where_entry(struct where w, const char *key, uint32_t entry)
{
    w.steps[w.depth++] = (struct where_step){.key = key, .entry = entry};
    return w;
}

struct where where_key(struct where w, const char *key)
{
    return where_entry(w, key, WHERE_WHOLE);
}

static struct problem *problem_add(struct problems *p, const char *format, va_list arguments)
{
    if (p->count++ >= CONF_PROBLEMS)
        return NULL;
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        memory_end();
    struct problem *new = &p->kept[p->count - 1];
    *new = (struct problem){
        .text = arena_text(&p->arena, text, strlen(text)), .order = (uint32_t)p->count, .key = ""};
    free(text);
    return new;
}

void problem_at(struct problems *p, const struct where *where, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct problem *new = problem_add(p, format, arguments);
    va_end(arguments);
    if (!new)
        return;
    new->where = *where;
    for (uint32_t i = 0; i < where->depth; i++)
        new->key =
            i == 0 ? where->steps[0].key : arena_format(&p->arena, "%s.%s", new->key, where->steps[i].key);
}

void problem_line(struct problems *p, const char *file, unsigned line, const char *key, const char *format,
                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct problem *new = problem_add(p, format, arguments);
    va_end(arguments);
    if (!new)
        return;
    new->file = arena_text(&p->arena, file, strlen(file));
    new->where.file = UINT32_MAX;
    new->line = line;
    new->key = arena_text(&p->arena, key, strlen(key));
}

/* By file in the order of loading, files of keys behind them; then by line; then as found. */
static int problem_order(const void *a_, const void *b_)
{
    const struct problem *a = a_, *b = b_;
    if (a->where.file != b->where.file)
        return a->where.file < b->where.file ? -1 : 1;
    int files = strcmp(a->file, b->file);
    if (files != 0)
        return files;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* Whatever bytes a file, or its name, has put into it. */
static char *shown(const char *text)
{
    size_t size = strlen(text), capacity = 3 * size + 1; /* U+FFFD for each byte */
    char *clean = memory_take(capacity);
    text_clean(clean, capacity, text, size);
    return clean;
}

void problems_tell(struct problems *p, struct conf_problems *out)
{
    size_t kept = p->count < CONF_PROBLEMS ? p->count : CONF_PROBLEMS;
    qsort(p->kept, kept, sizeof *p->kept, problem_order);
    for (size_t i = 0; i < kept; i++) {
        const struct problem *one = &p->kept[i];
        char line[16] = "", *text;
        if (one->line)
            snprintf(line, sizeof line, "%u:", one->line);
        if (asprintf(&text, "%s:%s %s%s%s", one->file, line, one->key, *one->key ? ": " : "", one->text) < 0)
            memory_end();
        out->lines[i] = shown(text);
        free(text);
    }
    out->count = p->count;
    arena_finish(&p->arena);
}

void conf_problems_finish(struct conf_problems *problems)
{
    for (size_t i = 0; i < CONF_PROBLEMS; i++)
        free(problems->lines[i]);
    *problems = (struct conf_problems){0};
}

#define NEAR_SIZE 48

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance. */
static unsigned distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned row[NEAR_SIZE + 1];
    for (unsigned j = 0; j <= b_size; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a_size; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b_size; j++) {
            unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_size];
}

const char *problem_nearest(const char *text, problem_name_fn *name, const void *ctx, size_t count)
{
    size_t size = strlen(text);
    const char *best = NULL;
    unsigned best_distance = (unsigned)(size / 3 + 2); /* farther is a guess, not a slip */
    if (size == 0 || size > NEAR_SIZE)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *other = name(ctx, i);
        size_t other_size = other ? strlen(other) : 0;
        if (other_size == 0 || other_size > NEAR_SIZE)
            continue;
        unsigned d = distance(text, size, other, other_size);
        if (d < least(best_distance, (unsigned)(size > other_size ? size : other_size))) {
            best_distance = d;
            best = other;
        }
    }
    return best;
}

const char *problem_hint(struct problems *p, const char *text, problem_name_fn *name, const void *ctx,
                         size_t count, const char *otherwise)
{
    if (p->count >= CONF_PROBLEMS) /* nobody will read it, and there may be 100,000 names */
        return otherwise;
    const char *nearest = problem_nearest(text, name, ctx, count);
    return nearest ? arena_format(&p->arena, "; did you mean \"%s\"?", nearest) : otherwise;
}

const char *problem_quote(struct problems *p, const char *text)
{
    char shown[61];
    size_t size = strnlen(text, sizeof shown - 1);
    bool cut = text[size] != '\0';
    while (cut && size && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--; /* not in the middle of a character */
    for (size_t i = 0; i < size; i++)
        shown[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    shown[size] = '\0';
    return arena_format(&p->arena, "\"%s%s\"", shown, cut ? "…" : "");
}

const char *problem_quote_address(struct problems *p, const char *text)
{
    const char *scheme = strstr(text, "://"), *host = scheme ? scheme + 3 : text;
    int size = (int)(host - text) + (int)strcspn(host, "/?#");
    if (strchr(text, '@'))
        return "this address";
    return problem_quote(p, arena_format(&p->arena, "%.*s%s", size, text, text[size] ? "/…" : ""));
}

const char *problem_quote_device(struct problems *p, const char *text)
{
    return strlen(text) < KEY_TEXT_MIN ? problem_quote(p, text) : "of this name";
}
