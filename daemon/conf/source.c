#include "conf/source.h"
#include <cyaml/cyaml.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

size_t table_row_count(const struct conf_table *table)
{
    size_t count = 0;
    while (table->rows[count].key)
        count++;
    return count;
}

/* -- reading
 * ------------------------------------------------------------------------------------------------------- */

static bool source_read(struct source *s, int file, size_t size)
{
    s->text = malloc(size + 1);
    if (!s->text)
        return false;
    while (s->size < size) {
        ssize_t n = read(file, s->text + s->size, size - s->size);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return false;
        s->size += n > 0 ? (size_t)n : 0;
    }
    s->text[s->size] = '\0';
    return true;
}

const char *source_open(struct source *s)
{
    /* O_NONBLOCK: a pipe in a file's place must not hang the daemon. */
    int file = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return strerror(errno);
    struct stat status;
    const char *why = NULL;
    if (fstat(file, &status) != 0)
        why = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        why = "it is no plain file";
    else if ((uint64_t)status.st_size > SOURCE_MAX)
        why = "it is larger than 64 MB; divide it into files of sites.d";
    else if (!source_read(s, file, (size_t)status.st_size))
        why = strerror(errno);
    close(file);
    return why;
}

/* The size of the character of UTF-8 (RFC 3629) at `c`, 0 when it is none. */
static size_t utf8_size(const unsigned char *c, size_t left)
{
    static const struct {
        unsigned char first, last, second_first, second_last, size;
    } forms[] = {{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*c < forms[i].first || *c > forms[i].last)
            continue;
        if (forms[i].size > left ||
            (forms[i].size > 1 && (c[1] < forms[i].second_first || c[1] > forms[i].second_last)))
            return 0;
        for (size_t k = 2; k < forms[i].size; k++)
            if ((c[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].size;
    }
    return 0;
}

static bool source_is_text(const struct source *s, struct problems *problems)
{
    unsigned line = 1;
    for (size_t i = 0; i < s->size;) {
        size_t size = utf8_size((const unsigned char *)s->text + i, s->size - i);
        if (size == 0 || s->text[i] == '\0') {
            problem_line(problems, s->path, line, "",
                         "is not UTF-8 text (byte 0x%02x); save the file as UTF-8",
                         (unsigned char)s->text[i]);
            return false;
        }
        line += s->text[i] == '\n';
        i += size;
    }
    return true;
}

/* -- libcyaml
 * ------------------------------------------------------------------------------------------------------ */

/* libcyaml lengthens a list by one entry at a time: a piece keeps its capacity before it and at least
 * doubles. */
static void *cells_memory(void *arena, void *old, size_t size)
{
    if (size == 0)
        return NULL; /* the arena gives all back at once */
    size_t capacity = old ? ((size_t *)old)[-1] : 0;
    if (size <= capacity)
        return old;
    size_t larger = old && size < 2 * capacity ? 2 * capacity : size;
    /* Two words, so that what follows is aligned for any type. */
    size_t *piece = (size_t *)arena_take(arena, 2 * sizeof(size_t) + larger) + 2;
    piece[-1] = larger;
    if (old)
        memcpy(piece, old, capacity);
    return piece;
}

static cyaml_schema_value_t schema_value(const struct conf_row *row, struct arena *arena);

static const cyaml_schema_field_t *schema_fields(const struct conf_table *table, struct arena *arena)
{
    size_t count = table_row_count(table);
    cyaml_schema_field_t *fields =
        arena_take(arena, (count + 1) * sizeof *fields); /* the last stays zero: the end */
    for (size_t i = 0; i < count; i++)
        fields[i] = (cyaml_schema_field_t){
            .key = table->rows[i].key,
            .data_offset = (uint32_t)(i * sizeof(struct cell) + offsetof(struct cell, value)),
            .count_offset = (uint32_t)(i * sizeof(struct cell) + offsetof(struct cell, count)),
            .count_size = sizeof((struct cell *)NULL)->count,
            .value = schema_value(&table->rows[i], arena),
        };
    return fields;
}

static cyaml_schema_value_t schema_mapping(const struct conf_table *table, struct arena *arena,
                                           enum cyaml_flag flags)
{
    return (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .flags = flags,
        .data_size = (uint32_t)(table_row_count(table) * sizeof(struct cell)),
        .mapping.fields = schema_fields(table, arena),
    };
}

static cyaml_schema_value_t schema_value(const struct conf_row *row, struct arena *arena)
{
    static const cyaml_schema_value_t text = {
        CYAML_VALUE_STRING(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char, 0, CYAML_UNLIMITED)};
    const enum cyaml_flag optional = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
    if (row->type == CONF_MAPPING)
        return schema_mapping(row->table, arena, optional);
    if (row->type != CONF_LIST && row->type != CONF_TEXTS)
        return text;
    cyaml_schema_value_t *entry = arena_take(arena, sizeof *entry);
    *entry = row->type == CONF_LIST ? schema_mapping(row->table, arena, CYAML_FLAG_DEFAULT) : text;
    return (cyaml_schema_value_t){
        .type = CYAML_SEQUENCE,
        .flags = optional,
        .data_size = row->type == CONF_LIST ? entry->data_size : (uint32_t)sizeof(char *),
        .sequence = {.entry = entry, .min = 0, .max = CYAML_UNLIMITED},
    };
}

struct last_word {
    char text[LIMIT_TEXT]; /* libcyaml's first complaint; the backtrace follows */
    unsigned line;         /* from the backtrace */
};

static void schema_complaint(cyaml_log_t level, void *ctx, const char *format, va_list arguments)
{
    struct last_word *word = ctx;
    char text[LIMIT_TEXT];
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    const char *line = strstr(text, "(line: ");
    if (!word->text[0])
        memcpy(word->text, text, sizeof text);
    else if (line && !word->line)
        word->line = (unsigned)strtoul(line + 7, NULL, 10);
}

static bool source_load_cells(struct source *s, struct arena *arena, struct problems *problems)
{
    struct last_word word = {0};
    const cyaml_config_t config = {
        .log_fn = schema_complaint,
        .log_ctx = &word,
        .log_level = CYAML_LOG_WARNING,
        .mem_fn = cells_memory,
        .mem_ctx = arena,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    cyaml_schema_value_t schema = schema_mapping(s->table, arena, CYAML_FLAG_POINTER);
    cyaml_data_t *cells = NULL;
    cyaml_err_t error = cyaml_load_data((const uint8_t *)s->text, s->size, &config, &schema, &cells, NULL);
    if (error == CYAML_ERR_OOM || error == CYAML_ERR_LIBYAML_PARSER_INIT || error == CYAML_ERR_LIBYAML_PARSER) {
        problem_line(problems, s->path, 0, "", "cannot be read (no memory)"); /* it is YAML: outline_check() */
        return false;
    }
    if (error != CYAML_OK) {
        problem_line(problems, s->path, word.line, "", "%s; %s", cyaml_strerror(error), word.text);
        return false;
    }
    s->cells = cells;
    return true;
}

bool source_load(struct source *s, struct arena *arena, struct problems *problems)
{
    const char *slash = strrchr(s->path, '/');
    s->folder = arena_text(arena, s->path, slash ? (size_t)(slash - s->path) + 1 : 0);
    const char *why = s->text ? NULL : source_open(s);
    if (why) {
        problem_line(problems, s->path, 0, "", "cannot be read (%s)", why);
        return false;
    }
    return source_is_text(s, problems) && outline_check(s, problems) && source_load_cells(s, arena, problems);
}

void source_forget(struct source *s)
{
    free(s->text);
    s->text = NULL;
}
