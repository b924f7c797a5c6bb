#include "conf/fill.h"
#include "codec/text.h"
#include "conf/secrets.h"
#include "core/id.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One value on its way from `text` (NULL: neither given nor a default) to `out`. */
struct value {
    const struct fill *fill;
    const struct conf_row *row;
    const struct cell *cell;
    const struct where *where;
    const char *text;
    char *out;
};

#define WRONG(v, ...) problem_at((v)->fill->problems, (v)->where, __VA_ARGS__)

static const char *quote(const struct value *v)
{
    return problem_quote(v->fill->problems, v->text);
}

static void put_text(const struct value *v, const char *text)
{
    *(char **)v->out = arena_text(v->fill->arena, text, strlen(text));
}

static void fill_text(const struct value *v)
{
    size_t size = strlen(v->text);
    if (v->row->maximum > 0 && size > v->row->maximum)
        WRONG(v, "is %zu bytes long; at most %.0f are possible", size, v->row->maximum);
    else if (!text_is_plain(v->text))
        WRONG(v, "%s has a control character; write plain text in one line", quote(v));
    else
        put_text(v, v->text);
}

static void fill_id(const struct value *v)
{
    if (!id_valid(v->text))
        WRONG(v, "%s is no id; it must be 1 to %d of A-Z a-z 0-9 _ . -, and not . or .. alone", quote(v), LIMIT_ID - 1);
    if (strlen(v->text) < LIMIT_ID)
        put_text(v, v->text); /* also a bad one: what refers to it is not wrong too */
}

struct names {
    const struct conf_row *row;
    unsigned first;
};

static const char *names_at(const void *names, size_t index)
{
    const struct names *n = names;
    return n->row->name(n->first + (unsigned)index);
}

/* The number of the row's name, or UINT32_MAX. */
static unsigned fill_name(const struct value *v)
{
    struct names names = {.row = v->row, .first = (unsigned)v->row->minimum};
    unsigned count = 0;
    while (names_at(&names, count) && (v->row->type == CONF_WORD || names.first + count <= v->row->maximum))
        count++;
    for (unsigned i = 0; i < count; i++)
        if (strcmp(names_at(&names, i), v->text) == 0)
            return names.first + i;
    const char *list = "";
    for (unsigned i = 0; i < count; i++)
        list = arena_format(&v->fill->problems->arena, "%s%s%s", list,
                            i == 0           ? ""
                            : i + 1 == count ? " or "
                                             : ", ",
                            names_at(&names, i));
    WRONG(v, "%s is not possible; it must be %s", quote(v), list);
    return UINT32_MAX;
}

static void fill_word(const struct value *v)
{
    if (fill_name(v) != UINT32_MAX)
        put_text(v, v->text);
}

static void fill_choice(const struct value *v)
{
    unsigned number = fill_name(v);
    if (number != UINT32_MAX)
        *(unsigned *)v->out = number;
}

static const char *unit_of(const struct conf_row *row)
{
    return row->unit ? row->unit : "";
}

static void fill_number(const struct value *v)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(v->text, &end, 10);
    bool digits = v->text[0] >= '0' && v->text[0] <= '9' && !(v->text[0] == '0' && v->text[1]);
    bool range = errno == 0 && number >= v->row->minimum && number <= v->row->maximum;
    if (digits && *end && v->row->unit && strspn(end, " abcdefghijklmnopqrstuvwxyz") == strlen(end))
        WRONG(v, "%s has a unit; the key has it already (%s): write the number alone", quote(v),
              v->row->unit);
    else if (!digits || *end)
        WRONG(v, "%s is no whole number; it must be one from %.0f to %.0f%s", quote(v), v->row->minimum,
              v->row->maximum, unit_of(v->row));
    else if (!range)
        WRONG(v, "%.40s is out of range; it must be from %.0f to %.0f%s%s", v->text, v->row->minimum,
              v->row->maximum, v->row->unit ? " " : "", unit_of(v->row));
    else
        *(unsigned *)v->out = (unsigned)number;
}

static void fill_real(const struct value *v)
{
    char *end;
    double number = strtod(v->text, &end);
    bool plain = strspn(v->text, "+-.0123456789") == strlen(v->text) && end != v->text && !*end;
    *(double *)v->out = 0; /* given, whatever it is */
    if (!plain)
        WRONG(v, "%s is no decimal number such as 31.2304", quote(v));
    else if (!(number >= v->row->minimum && number <= v->row->maximum))
        WRONG(v, "%.40s is out of range; it must be from %g to %g", v->text, v->row->minimum,
              v->row->maximum);
    else
        *(double *)v->out = number;
}

static void fill_bool(const struct value *v)
{
    bool yes = strcmp(v->text, "true") == 0;
    if (yes || strcmp(v->text, "false") == 0)
        *(bool *)v->out = yes;
    else
        WRONG(v, "%s is not possible; it must be true or false", quote(v));
}

/* What a file that cannot be used leaves behind: given, so that "both or none" holds, but not to be opened
 * again. */
static char no_path[] = "";

/* A path relative to the file it stands in. */
static const char *fill_path(const struct value *v)
{
    const char *folder = v->text[0] == '/' ? "" : v->fill->source->folder;
    if (!text_is_plain(v->text) || strlen(folder) + strlen(v->text) > 1000) {
        WRONG(v, "%s is no file name; write plain text of at most 1000 bytes, its folder included", quote(v));
        *(char **)v->out = no_path;
        return NULL;
    }
    return *(char **)v->out = arena_format(v->fill->arena, "%s%s", folder, v->text);
}

static void fill_folder(const struct value *v)
{
    fill_path(v);
}

static void fill_file(const struct value *v)
{
    const char *path = fill_path(v);
    if (!path)
        return;
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        WRONG(v, "%s cannot be read (%s)", path, strerror(errno));
    else if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode))
        WRONG(v, "%s is no plain file", path);
    else
        path = NULL;
    if (path)
        *(char **)v->out = no_path;
    if (file >= 0)
        close(file);
}

static void fill_secret_file(const struct value *v)
{
    char error[LIMIT_TEXT];
    const char *path = fill_path(v);
    if (!path)
        return;
    if (v->row->hint && access(path, F_OK) != 0 && errno == ENOENT)
        WRONG(v, "%s is not there; make it with `%s`", path, v->row->hint);
    else if (!secret_file_check(path, error))
        WRONG(v, "%s %s", path, error);
    else
        return;
    *(char **)v->out = no_path;
}

static void put_count(const struct value *v, size_t count)
{
    memcpy(v->out - v->row->offset + v->row->count_offset, &count, sizeof count);
}

static void fill_texts(const struct value *v)
{
    char **texts = *(char ***)v->out = arena_take(v->fill->arena, v->cell->count * sizeof *texts);
    char *const *cells = v->cell->value;
    for (uint32_t i = 0; i < v->cell->count; i++) {
        struct where where = *v->where;
        where.steps[where.depth - 1].entry = i;
        if (!text_is_plain(cells[i]) || strlen(cells[i]) > 2000)
            problem_at(v->fill->problems, &where, "%s must be plain text of at most 2000 bytes",
                       problem_quote(v->fill->problems, cells[i]));
        texts[i] = arena_text(v->fill->arena, cells[i], strlen(cells[i]));
    }
    put_count(v, v->cell->count);
}

static void fill_list(const struct value *v)
{
    const struct conf_table *table = v->row->table;
    size_t rows = table_row_count(table);
    if (!*(char **)v->out) /* an array that is there already has room */
        *(char **)v->out = arena_take(v->fill->arena, v->cell->count * table->size);
    char *array = *(char **)v->out;
    const struct cell *cells = v->cell->value;
    struct where where = *v->where;
    for (uint32_t i = 0; i < v->cell->count; i++) {
        where.steps[where.depth - 1].entry = i;
        fill_struct(v->fill, table, cells + i * rows, &where, array + i * table->size);
    }
    put_count(v, v->cell->count);
}

static void fill_mapping(const struct value *v)
{
    fill_struct(v->fill, v->row->table, v->cell->value, v->where, v->out);
}

static void tell_missing(const struct value *v)
{
    const char *end = strpbrk(v->row->help, ".:;");
    WRONG(v, "is missing; it is required: %c%.*s", v->row->help[0] | 0x20, (int)(end - v->row->help - 1),
          v->row->help + 1);
}

void fill_struct(const struct fill *fill, const struct conf_table *table, const struct cell *cells,
                 const struct where *where, void *out)
{
    static void (*const functions[CONF_TYPE_COUNT])(const struct value *) = {
        [CONF_TEXT] = fill_text,       [CONF_ID] = fill_id,         [CONF_WORD] = fill_word,
        [CONF_FILE] = fill_file,       [CONF_FOLDER] = fill_folder, [CONF_SECRET_FILE] = fill_secret_file,
        [CONF_CHOICE] = fill_choice,   [CONF_NUMBER] = fill_number, [CONF_REAL] = fill_real,
        [CONF_BOOL] = fill_bool,       [CONF_TEXTS] = fill_texts,   [CONF_LIST] = fill_list,
        [CONF_MAPPING] = fill_mapping,
    };
    for (const struct conf_row *row = table->rows; row->key; row++) {
        const struct cell *cell = &cells[row - table->rows];
        struct where here = where_key(*where, row->key);
        struct value value = {
            .fill = fill, .row = row, .cell = cell, .where = &here, .out = (char *)out + row->offset};
        bool text = row->type != CONF_TEXTS && row->type != CONF_LIST && row->type != CONF_MAPPING;
        value.text = text && cell->value ? cell->value : row->fallback;
        if (row->type == CONF_REAL)
            *(double *)value.out = NAN;
        if (cell->value || value.text) {
            /* The default first, so that a value that is wrong leaves it in place. */
            if (text && cell->value && row->fallback && row->type >= CONF_CHOICE) {
                struct value fallback = value;
                fallback.text = row->fallback;
                functions[row->type](&fallback);
            }
            functions[row->type](&value);
        } else if (row->required) {
            tell_missing(&value);
        }
    }
}
