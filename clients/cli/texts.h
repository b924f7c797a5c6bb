/* texts.h - what the tool says, in English and Chinese. All sentences and words are in texts.def.
 *
 *     text_choose(NULL);                              // from LC_ALL, LC_MESSAGES, LANG
 *     TEXT_FILL(line, TEXT_ACKNOWLEDGED, {"who", by});
 *     text_word("role", "police");                    // "police", 公安
 */
#ifndef TOCSIN_CLI_TEXTS_H
#define TOCSIN_CLI_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

enum language { LANGUAGE_ENGLISH, LANGUAGE_CHINESE, LANGUAGE_COUNT };

struct text_pair {
    const char *in[LANGUAGE_COUNT];
};

enum text {
#define TEXT(NAME, ENGLISH, CHINESE) TEXT_##NAME,
#define WORD(SET, NAME, ENGLISH, CHINESE)
#include "cli/texts.def"
#undef TEXT
#undef WORD
    TEXT_COUNT
};

/* "en", "zh", "zh-CN", "zh_CN.UTF-8", …; NULL asks the environment. False: not a language of ours,
 * nothing changes. */
bool text_choose(const char *name);
enum language text_language(void);

const char *text(enum text);
const char *text_of(const struct text_pair *);
/* The word for `name` of a set ("kind", "role", "state", …); the name itself when it is not in the table. */
const char *text_word(const char *set, const char *name);

/* `pattern` with each {name} replaced by its value; one that is not given is left as it stands. The list ends
 * with a NULL name. Cut at the capacity, always NUL-terminated. */
struct text_value {
    const char *name, *value;
};
void text_fill(char *out, size_t capacity, const char *pattern, const struct text_value *values);
/* TEXT_FILL(line, TEXT_ACKNOWLEDGED, {"who", by}) into an array. */
#define TEXT_FILL(OUT, WHICH, ...)                                                                           \
    text_fill(OUT, sizeof(OUT), text(WHICH), (struct text_value[]){__VA_ARGS__, {NULL, NULL}})

#endif
