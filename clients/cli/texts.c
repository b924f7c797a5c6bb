#include "cli/texts.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum language language;

static const struct text_pair texts[TEXT_COUNT] = {
#define TEXT(NAME, ENGLISH, CHINESE) [TEXT_##NAME] = {{ENGLISH, CHINESE}},
#define WORD(SET, NAME, ENGLISH, CHINESE)
#include "cli/texts.def"
#undef TEXT
#undef WORD
};

static const struct {
    const char *set, *name;
    struct text_pair word;
} words[] = {
#define TEXT(NAME, ENGLISH, CHINESE)
#define WORD(SET, NAME, ENGLISH, CHINESE) {SET, NAME, {{ENGLISH, CHINESE}}},
#include "cli/texts.def"
#undef TEXT
#undef WORD
};

bool text_choose(const char *name)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    if (name && strncmp(name, "zh", 2) != 0 && strncmp(name, "en", 2) != 0)
        return false;
    for (size_t i = 0; i < 3 && !(name && *name); i++)
        name = getenv(variables[i]);
    language = name && strncmp(name, "zh", 2) == 0 ? LANGUAGE_CHINESE : LANGUAGE_ENGLISH;
    return true;
}

enum language text_language(void)
{
    return language;
}

const char *text_of(const struct text_pair *pair)
{
    return pair->in[language] ? pair->in[language] : pair->in[LANGUAGE_ENGLISH];
}

const char *text(enum text which)
{
    assert((unsigned)which < TEXT_COUNT);
    return text_of(&texts[which]);
}

const char *text_word(const char *set, const char *name)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].set, set) == 0 && strcmp(words[i].name, name) == 0)
            return text_of(&words[i].word);
    return name;
}

/* The value for the {name} at `pattern`, and its length with the braces; NULL: not a name of the list. */
static const char *value_at(const char *pattern, const struct text_value *values, size_t *length)
{
    for (; values->name; values++) {
        size_t n = strlen(values->name);
        if (strncmp(pattern + 1, values->name, n) == 0 && pattern[1 + n] == '}') {
            *length = n + 2;
            return values->value ? values->value : "";
        }
    }
    return NULL;
}

void text_fill(char *out, size_t capacity, const char *pattern, const struct text_value *values)
{
    assert(capacity > 0);
    size_t used = 0;
    while (*pattern) {
        size_t length = 1;
        const char *value = *pattern == '{' ? value_at(pattern, values, &length) : NULL;
        const char *from = value ? value : pattern;
        size_t bytes = value ? strlen(value) : 1;
        if (bytes > capacity - 1 - used)
            bytes = capacity - 1 - used;
        memcpy(out + used, from, bytes);
        used += bytes;
        pattern += length;
    }
    out[used] = '\0';
}
