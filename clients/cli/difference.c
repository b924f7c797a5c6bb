#include "cli/difference.h"
#include "cli/terminal.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES (4u << 20) /* of a saved timeline: a simulated week is below 1 MB */
#define LINES 4000            /* lines that are compared with each other */

char *difference_read(const char *file)
{
    FILE *in = fopen(file, "re");
    char *text = in ? malloc(FILE_BYTES + 1) : NULL;
    size_t size = text ? fread(text, 1, FILE_BYTES, in) : 0;
    if (!text || ferror(in)) {
        complain_about(TEXT_CANNOT_READ, {"file", file}, {"why", strerror(errno)});
        free(text);
        text = NULL;
    } else {
        text[size] = '\0';
    }
    if (in)
        fclose(in);
    return text;
}

struct lines {
    char *copy;
    char **line;
    unsigned count;
};

static bool split(struct lines *l, const char *text)
{
    l->copy = strdup(text);
    l->line = calloc(LINES, sizeof *l->line);
    l->count = 0;
    char *rest = l->copy;
    for (char *one; l->copy && l->line && l->count < LINES && (one = strsep(&rest, "\n")) && (rest || *one);)
        l->line[l->count++] = one;
    return l->copy && l->line;
}

/* table[i][k]: length of the longest common rest of expected from line i and now from line k. */
static uint16_t *common_rests(const struct lines *expected, const struct lines *now)
{
    size_t width = now->count + 1;
    uint16_t *table = calloc((expected->count + 1) * width, sizeof *table);
    for (unsigned i = expected->count; table && i-- > 0;)
        for (unsigned k = now->count; k-- > 0;) {
            uint16_t below = table[(i + 1) * width + k], right = table[i * width + k + 1];
            table[i * width + k] = strcmp(expected->line[i], now->line[k]) == 0
                                       ? (uint16_t)(table[(i + 1) * width + k + 1] + 1)
                                   : below > right ? below
                                                   : right;
        }
    return table;
}

void difference_each(const char *expected_text, const char *now_text, void (*take)(void *ctx, char sign, const char *line),
                     void *ctx)
{
    struct lines expected, now;
    bool good = split(&expected, expected_text);
    good = split(&now, now_text) && good;
    uint16_t *table = good ? common_rests(&expected, &now) : NULL;
    size_t width = now.count + 1;
    for (unsigned i = 0, k = 0; table && (i < expected.count || k < now.count);) {
        bool both = i < expected.count && k < now.count;
        if (both && strcmp(expected.line[i], now.line[k]) == 0) {
            take(ctx, ' ', expected.line[i++]);
            k++;
        } else if (i < expected.count && (!both || table[(i + 1) * width + k] >= table[i * width + k + 1])) {
            take(ctx, '-', expected.line[i++]);
        } else {
            take(ctx, '+', now.line[k++]);
        }
    }
    free(table);
    free(expected.copy);
    free(expected.line);
    free(now.copy);
    free(now.line);
}

static void say_line(void *ctx, char sign, const char *line)
{
    say(sign == '-' ? TONE_BAD : sign == '+' ? TONE_GOOD : TONE_QUIET, "%c %s", sign, line);
}

void difference_say(const char *expected, const char *now)
{
    difference_each(expected, now, say_line, NULL);
}
