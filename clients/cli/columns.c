/* The columns of terminal.h. */
#include "cli/terminal.h"
#include "codec/text.h"
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct cell {
    char *text;
    enum tone tone;
};

struct columns {
    int columns;
    size_t count, capacity;
    struct cell *cells;
};

struct columns *columns_create(int columns)
{
    assert(columns > 0);
    struct columns *t = calloc(1, sizeof *t);
    if (t)
        t->columns = columns;
    return t;
}

void columns_cell(struct columns *t, enum tone tone, const char *format, ...)
{
    if (!t)
        return;
    if (t->count == t->capacity) {
        size_t capacity = t->capacity ? t->capacity * 2 : 64;
        struct cell *cells = realloc(t->cells, capacity * sizeof *cells);
        if (!cells)
            return;
        t->cells = cells;
        t->capacity = capacity;
    }
    char text[4096], safe[4096];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    text_clean(safe, sizeof safe, text, strlen(text));
    t->cells[t->count++] = (struct cell){strdup(safe), tone};
}

/* "text" and the spaces to the next column. */
static char *padded(const char *text, int columns)
{
    int missing = columns - terminal_columns(text);
    char *out = NULL;
    return asprintf(&out, "%s%*s", text, missing > 0 ? missing : 0, "") < 0 ? NULL : out;
}

static void print_row(const struct columns *t, size_t first, const int *widths)
{
    char line[16384] = "";
    enum tone tone = first == 0 ? TONE_QUIET : TONE_PLAIN;
    size_t used = 0;
    for (int column = 0; column < t->columns; column++) {
        const struct cell *cell = &t->cells[first + (size_t)column];
        bool last = column == t->columns - 1;
        char *text = padded(cell->text ? cell->text : "", last ? 0 : widths[column] + 2);
        if (text && used + strlen(text) < sizeof line) {
            strcpy(line + used, text);
            used += strlen(text);
        }
        free(text);
        if (cell->tone != TONE_PLAIN && first > 0)
            tone = cell->tone;
    }
    while (used > 0 && line[used - 1] == ' ')
        line[--used] = '\0';
    say_text(tone, line);
}

void columns_print_and_destroy(struct columns *t)
{
    if (!t)
        return;
    int *widths = calloc((size_t)t->columns, sizeof *widths);
    for (size_t i = 0; widths && i < t->count; i++) {
        int columns = t->cells[i].text ? terminal_columns(t->cells[i].text) : 0;
        if (columns > widths[i % (size_t)t->columns])
            widths[i % (size_t)t->columns] = columns;
    }
    for (size_t i = 0; widths && i + (size_t)t->columns <= t->count; i += (size_t)t->columns)
        print_row(t, i, widths);
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i].text);
    free(widths);
    free(t->cells);
    free(t);
}
