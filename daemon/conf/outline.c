/* One pass of libyaml over a document, beside its table: finds what does not fit, and where a path stands. */
#include "conf/source.h"
#include "core/id.h"
#include "memory.h"
#include <assert.h>
#include <string.h>
#include <yaml.h>

enum shape { SHAPE_TEXT, SHAPE_LIST, SHAPE_MAPPING };
static const char *const shape_names[] = {
    [SHAPE_TEXT] = "one value", [SHAPE_LIST] = "a list", [SHAPE_MAPPING] = "a mapping"};
static const char *const shape_examples[] = {[SHAPE_TEXT] = "one value after the colon",
                                             [SHAPE_LIST] =
                                                 "a list, an entry on each line that begins with \"- \"",
                                             [SHAPE_MAPPING] = "keys below it, indented: \"key: value\""};

/* A mapping or list that is open. */
struct frame {
    const struct conf_table *table; /* a mapping's; NULL = a list */
    const struct conf_row *row;     /* a mapping: the row of the value that follows, NULL = a key follows */
    struct where where;             /* of a mapping itself, of a list's entry 0 */
    unsigned line;
    uint64_t seen;    /* a mapping's rows */
    uint32_t entries; /* a list's, so far */
};

struct pass {
    const struct source *source;
    struct problems *problems;
    uint32_t locate; /* WHERE_WHOLE: tell of faults; else the index of the file whose lines are wanted */
    uint32_t found[CONF_PROBLEMS]; /* steps of each problem's path that have been found */
    struct frame frames[SOURCE_NESTING];
    unsigned depth;
    unsigned skip;   /* containers open in what is passed over */
    bool skip_value; /* the value of a key that does not fit */
    unsigned key_line;
    unsigned documents;
    bool broken;
};

static unsigned line_of(const yaml_event_t *event)
{
    return (unsigned)event->start_mark.line + 1;
}

static const char *dotted(struct pass *pass, const struct where *where, const char *key)
{
    const char *text = "";
    for (uint32_t i = 0; i < where->depth; i++)
        text = arena_format(&pass->problems->arena, "%s%s%s", text, *text ? "." : "", where->steps[i].key);
    if (key)
        text = arena_format(&pass->problems->arena, "%s%s%s", text, *text ? "." : "", key);
    return text;
}

#define FAULT(pass, line, where, key, ...)                                                                   \
    do {                                                                                                     \
        if ((pass)->locate == WHERE_WHOLE)                                                                   \
            problem_line((pass)->problems, (pass)->source->path, line, dotted(pass, where, key),             \
                         __VA_ARGS__);                                                                       \
    } while (0)

/* The node at `where` begins in `line`: it is the place of every problem whose path leads to it or through
 * it. */
static void locate(struct pass *pass, const struct where *where, unsigned line)
{
    if (pass->locate == WHERE_WHOLE)
        return;
    for (size_t i = 0; i < pass->problems->count && i < CONF_PROBLEMS; i++) {
        struct problem *p = &pass->problems->kept[i];
        if (p->where.file != pass->locate || where->depth > p->where.depth)
            continue;
        const struct where_step *want = p->where.steps, *here = where->steps;
        uint32_t same = 0;
        while (same < where->depth && strcmp(want[same].key, here[same].key) == 0 &&
               (want[same].entry == here[same].entry ||
                (same + 1 == where->depth && here[same].entry == WHERE_WHOLE)))
            same++;
        uint32_t reach =
            2 * same - (same && here[same - 1].entry == WHERE_WHOLE && want[same - 1].entry != WHERE_WHOLE);
        if (same == where->depth && (reach > pass->found[i] || p->line == 0)) {
            pass->found[i] = reach;
            p->line = line;
        }
    }
}

static enum shape row_shape(const struct conf_row *row)
{
    switch (row->type) {
    case CONF_TEXT:
    case CONF_ID:
    case CONF_WORD:
    case CONF_FILE:
    case CONF_SECRET_FILE:
    case CONF_FOLDER:
    case CONF_CHOICE:
    case CONF_NUMBER:
    case CONF_REAL:
    case CONF_BOOL:
        return SHAPE_TEXT;
    case CONF_TEXTS:
    case CONF_LIST:
        return SHAPE_LIST;
    case CONF_MAPPING:
        return SHAPE_MAPPING;
    case CONF_TYPE_COUNT:
        break;
    }
    assert(!"a row has a type");
    return SHAPE_TEXT;
}

static const char *row_key(const void *table, size_t index)
{
    return ((const struct conf_table *)table)->rows[index].key;
}

static void key_begins(struct pass *pass, struct frame *frame, const yaml_event_t *event)
{
    pass->key_line = line_of(event);
    pass->skip_value = true;
    const char *key = event->type == YAML_SCALAR_EVENT ? (const char *)event->data.scalar.value : NULL;
    if (!key) {
        FAULT(pass, pass->key_line, &frame->where, NULL, "a key must be one word, followed by a colon");
        pass->broken = true; /* what follows would be taken for something else */
        return;
    }
    size_t i = 0;
    while (frame->table->rows[i].key && strcmp(frame->table->rows[i].key, key) != 0)
        i++;
    if (!frame->table->rows[i].key) {
        const char *otherwise =
            id_valid(key) ? arena_format(&pass->problems->arena, "; the keys of %s are in tocsin.yaml(5)",
                                         frame->table->title)
                          : "; a text with a comma inside { } or [ ] needs quotation marks";
        FAULT(pass, pass->key_line, &frame->where, id_valid(key) ? key : problem_quote(pass->problems, key),
              "there is no such key here%s",
              problem_hint(pass->problems, key, row_key, frame->table, i, otherwise));
        return;
    }
    frame->row = &frame->table->rows[i];
    if (frame->seen >> i & 1)
        FAULT(pass, pass->key_line, &frame->where, key, "stands here twice; keep one");
    else
        pass->skip_value = false;
    frame->seen |= (uint64_t)1 << i;
}

static void frame_push(struct pass *pass, const struct conf_table *table, const struct conf_row *row,
                       const struct where *where, unsigned line)
{
    assert(pass->depth < SOURCE_NESTING); /* the tables are not so deep */
    pass->frames[pass->depth++] = (struct frame){.table = table, .row = row, .where = *where, .line = line};
}

static void frame_pop(struct pass *pass)
{
    const struct frame *frame = &pass->frames[--pass->depth];
    if (frame->table)
        return;
    struct where where = frame->where;
    if (frame->entries < frame->row->minimum)
        FAULT(pass, frame->line, &where, NULL, "is a list without entries; write at least one%s",
              frame->row->required ? "" : ", or leave the key out");
    else if (frame->entries > frame->row->maximum)
        FAULT(pass, frame->line, &where, NULL, "has %u entries; at most %.0f are possible", frame->entries,
              frame->row->maximum);
}

/* Nothing behind the colon, or one of YAML's words for nothing. */
static bool value_is_empty(const yaml_event_t *event)
{
    static const char *const nothing[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; event->type == YAML_SCALAR_EVENT && i < sizeof nothing / sizeof *nothing; i++)
        if (strcmp((const char *)event->data.scalar.value, nothing[i]) == 0)
            return i == 0 ? event->data.scalar.length == 0 : event->data.scalar.plain_implicit;
    return false;
}

/* A value that fits its place? If not, says so. */
static bool value_fits(struct pass *pass, const yaml_event_t *event, enum shape wanted,
                       const struct where *where, unsigned line)
{
    if (event->type == YAML_ALIAS_EVENT) {
        FAULT(pass, line, where, NULL, "is a YAML alias (*%s); aliases are not read, write the value itself",
              (const char *)event->data.alias.anchor);
        return false;
    }
    enum shape is = event->type == YAML_SCALAR_EVENT           ? SHAPE_TEXT
                    : event->type == YAML_SEQUENCE_START_EVENT ? SHAPE_LIST
                                                               : SHAPE_MAPPING;
    bool text = event->type == YAML_SCALAR_EVENT;
    if (value_is_empty(event))
        FAULT(pass, line, where, NULL, "has no value; give it %s, or leave the key out",
              shape_examples[wanted]);
    else if (text && wanted == SHAPE_TEXT &&
             strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
        FAULT(pass, line, where, NULL, "has a NUL character; plain text is needed");
    else if (is != wanted)
        FAULT(pass, line, where, NULL, "is %s; it must be %s", shape_names[is], shape_examples[wanted]);
    else
        return true;
    return false;
}

static void value_begins(struct pass *pass, const yaml_event_t *event)
{
    struct frame *frame = pass->depth ? &pass->frames[pass->depth - 1] : NULL;
    bool opens = event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;
    const struct conf_row *row = frame ? frame->row : NULL;
    bool entry = frame && !frame->table;
    struct where where = !frame ? where_file(0) : frame->where;
    unsigned line = line_of(event);
    if (entry) {
        where.steps[where.depth - 1].entry = frame->entries++;
    } else if (frame) {
        line = pass->key_line;
        frame->row = NULL;
        if (pass->skip_value) {
            pass->skip = opens;
            return;
        }
        where = where_key(where, row->key);
    }
    enum shape wanted = !frame || (entry && row->type == CONF_LIST) ? SHAPE_MAPPING
                        : entry                                     ? SHAPE_TEXT
                                                                    : row_shape(row);
    if (!value_fits(pass, event, wanted, &where, line)) {
        pass->skip = opens;
        return;
    }
    locate(pass, &where, line);
    if (wanted == SHAPE_MAPPING)
        frame_push(pass, frame ? row->table : pass->source->table, NULL, &where, line);
    else if (wanted == SHAPE_LIST)
        frame_push(pass, NULL, row, &where, line);
}

/* Whether the pass goes on. */
static bool event_take(struct pass *pass, const yaml_event_t *event)
{
    struct frame *frame = pass->depth ? &pass->frames[pass->depth - 1] : NULL;
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    case YAML_STREAM_END_EVENT:
        if (pass->documents == 0)
            FAULT(pass, 0, &(struct where){0}, NULL,
                  "is empty; a configuration has at least the keys daemon, broker, "
                  "endpoints and plans, a file of sites.d the key sites, one of accounts.d the key accounts");
        return false;
    case YAML_DOCUMENT_START_EVENT:
        if (pass->documents++ == 0)
            return true;
        FAULT(pass, line_of(event), &(struct where){0}, NULL,
              "a second document begins here (---), which would not be read; make it one");
        return false;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        if (pass->skip)
            pass->skip--;
        else
            frame_pop(pass);
        return true;
    case YAML_ALIAS_EVENT:
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        break;
    }
    if (pass->skip) {
        pass->skip += event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;
        if (pass->skip > SOURCE_NESTING) {
            FAULT(pass, line_of(event), &(struct where){0}, NULL, "is nested more than %d deep",
                  SOURCE_NESTING);
            return false;
        }
    } else if (frame && frame->table && !frame->row && !pass->skip_value) {
        key_begins(pass, frame, event);
    } else {
        value_begins(pass, event);
        pass->skip_value = false;
    }
    return !pass->broken;
}

/* Without it a problem would be told of a wrong line: then rather nothing. */
static void no_memory(struct pass *pass)
{
    if (pass->locate != WHERE_WHOLE)
        memory_end();
    FAULT(pass, 0, &(struct where){0}, NULL, "cannot be read (no memory)");
}

static size_t line_count(const struct source *s)
{
    size_t count = s->size > 0 && s->text[s->size - 1] != '\n';
    for (size_t i = 0; i < s->size; i++)
        count += s->text[i] == '\n';
    return count;
}

static void syntax_fault(struct pass *pass, const yaml_parser_t *parser)
{
    /* libyaml finds what is missing at the end of the file on a line that the file does not have. */
    size_t line = parser->problem_mark.line + 1, last = line_count(pass->source);
    if (line > last)
        line = last;
    const char *hint = "";
    if (parser->problem && strstr(parser->problem, "cannot start any token"))
        hint = "; indent with spaces, not with tabs, and put a text that begins with @, ` or % in quotation "
               "marks";
    else if (parser->problem && strstr(parser->problem, "tab character"))
        hint = "; indent with spaces, not with tabs";
    else if (parser->problem && strstr(parser->problem, "mapping values are not allowed"))
        hint = "; put a text that has \": \" in it in quotation marks, and indent keys of one mapping alike";
    else if (parser->problem && strstr(parser->problem, "did not find expected"))
        hint = "; look at the indentation and the quotation marks here and in the lines above";
    if (parser->problem)
        FAULT(pass, (unsigned)line, &(struct where){0}, NULL, "this is not YAML: %s%s%s%s",
              parser->context ? parser->context : "", parser->context ? ", " : "", parser->problem, hint);
    else
        no_memory(pass);
}

static void outline_pass(struct pass *pass)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        no_memory(pass);
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)pass->source->text, pass->source->size);
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            syntax_fault(pass, &parser);
            break;
        }
        more = event_take(pass, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
}

bool outline_check(const struct source *source, struct problems *problems)
{
    size_t before = problems->count;
    outline_pass(&(struct pass){.source = source, .problems = problems, .locate = WHERE_WHOLE});
    return problems->count == before;
}

void outline_locate(const struct source *source, uint32_t file_index, struct problems *problems)
{
    size_t kept = problems->count < CONF_PROBLEMS ? problems->count : CONF_PROBLEMS;
    bool any = false;
    for (size_t i = 0; i < kept; i++)
        if (problems->kept[i].where.file == file_index) {
            problems->kept[i].file = source->path;
            any = true;
        }
    if (any)
        outline_pass(&(struct pass){.source = source, .problems = problems, .locate = file_index});
}
