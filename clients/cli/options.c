#include "cli/command.h"
#include "cli/terminal.h"
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Edit distance (Levenshtein) of short words, for "did you mean". */
static unsigned distance(const char *a, const char *b)
{
    size_t n = strlen(b);
    unsigned row[64];
    if (n >= sizeof row / sizeof *row)
        return 99;
    for (size_t k = 0; k <= n; k++)
        row[k] = (unsigned)k;
    for (size_t i = 0; a[i]; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t k = 0; k < n; k++) {
            unsigned best = diagonal + (a[i] != b[k]);
            diagonal = row[k + 1];
            if (row[k] + 1 < best)
                best = row[k] + 1;
            if (diagonal + 1 < best)
                best = diagonal + 1;
            row[k + 1] = best;
        }
    }
    return row[n];
}

/* "journal" alone: which commands begin with it. False: none does. */
static bool say_group(const char *name)
{
    char list[512] = "";
    size_t size = strlen(name);
    for (const struct command *c = commands; c->name; c++)
        if (strncmp(c->name, name, size) == 0 && c->name[size] == ' ') {
            size_t used = strlen(list);
            snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", c->name);
        }
    if (*list)
        complain_about(TEXT_USAGE_GROUP, {"name", name}, {"list", list});
    return *list;
}

static void say_unknown(const char *one, const char *two)
{
    const struct command *near = NULL;
    unsigned best = 3;
    for (const struct command *c = commands; c->name; c++) {
        unsigned far = distance(strchr(c->name, ' ') && *two ? two : one, c->name);
        if (far < best) {
            best = far;
            near = c;
        }
    }
    complain_about(near ? TEXT_USAGE_COMMAND_NEAR : TEXT_USAGE_COMMAND, {"name", one},
                   {"near", near ? near->name : ""});
}

const struct command *command_find(int count, char **argv, int *words)
{
    char two[128] = "";
    if (count == 0) {
        complain("%s", text(TEXT_USAGE_NO_COMMAND));
        return NULL;
    }
    if (count > 1)
        snprintf(two, sizeof two, "%s %s", argv[0], argv[1]);
    for (const struct command *c = commands; c->name; c++) {
        *words = strcmp(c->name, argv[0]) == 0 ? 1 : 2;
        if (*words == 1 || strcmp(c->name, two) == 0)
            return c;
    }
    if (!say_group(argv[0]))
        say_unknown(argv[0], two);
    return NULL;
}

static void add_rows(struct invocation *inv, const struct option_row *rows)
{
    for (; rows && rows->name; rows++) {
        assert(inv->row_count < INVOCATION_OPTIONS);
        inv->rows[inv->row_count++] = rows;
    }
}

static int row_of_letter(const struct invocation *inv, int letter)
{
    for (int i = 0; i < inv->row_count; i++)
        if (letter && inv->rows[i]->letter == letter)
            return i;
    return -1;
}

/* What getopt_long() could not make sense of. */
static bool bad_option(const struct command *c, const char *argument, int letter, bool value_missing)
{
    char name[128];
    if (letter > 0 && letter < 256)
        snprintf(name, sizeof name, "-%c", letter);
    else
        snprintf(name, sizeof name, "%.*s", (int)strcspn(argument, "="), argument);
    complain_about(value_missing ? TEXT_USAGE_OPTION_VALUE : TEXT_USAGE_OPTION, {"name", name});
    if (c)
        remark_about(TEXT_USAGE_HINT, {"command", c->name});
    return false;
}

/* Long options get the values 256 + their row. Stops at the first argument when there is no command yet. */
static bool take_options(struct invocation *inv, int count, char **argv)
{
    struct option table[INVOCATION_OPTIONS + 1] = {{0}};
    char letters[INVOCATION_OPTIONS * 2 + 3] = "";
    strcpy(letters, inv->command ? ":" : "+:");
    for (int i = 0; i < inv->row_count; i++) {
        const struct option_row *row = inv->rows[i];
        table[i] = (struct option){row->name, row->argument ? required_argument : no_argument, NULL, 256 + i};
        char one[3] = {row->letter, row->argument ? ':' : '\0', '\0'};
        if (row->letter)
            strcat(letters, one);
    }
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    for (int found; (found = getopt_long(count, argv, letters, table, NULL)) != -1;) {
        if (found == '?' || found == ':')
            return bad_option(inv->command, argv[optind > 0 ? optind - 1 : 0], optopt >= 256 ? 0 : optopt,
                              found == ':');
        int row = found >= 256 ? found - 256 : row_of_letter(inv, found);
        inv->values[row] = optarg ? optarg : "";
    }
    return true;
}

/* An option whose argument is "A|B|C" in capitals-free words takes one of them. */
static bool check_choices(const struct invocation *inv)
{
    for (int i = 0; i < inv->row_count; i++) {
        const char *choices = inv->rows[i]->argument, *value = inv->values[i];
        if (!value || !choices || !strchr(choices, '|') || strpbrk(choices, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
            continue;
        bool good = false;
        for (const char *p = choices; p && !good; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
            good = strcspn(p, "|") == strlen(value) && strncmp(p, value, strlen(value)) == 0;
        if (good)
            continue;
        complain_about(TEXT_USAGE_CHOICE, {"name", inv->rows[i]->name}, {"value", value}, {"list", choices});
        remark_about(TEXT_USAGE_HINT, {"command", inv->command->name});
        return false;
    }
    return true;
}

bool invocation_parse_general(struct invocation *inv, int count, char **argv, int *first)
{
    memset(inv, 0, sizeof *inv);
    add_rows(inv, options_general);
    add_rows(inv, options_connection);
    bool good = take_options(inv, count, argv);
    *first = optind;
    return good;
}

bool invocation_parse(struct invocation *inv, const struct command *c, int count, char **argv)
{
    memset(inv, 0, sizeof *inv);
    inv->command = c;
    add_rows(inv, options_general);
    add_rows(inv, c->connects ? options_connection : NULL);
    add_rows(inv, c->options);
    if (!take_options(inv, count, argv))
        return false;
    if (invocation_given(inv, "help") || invocation_given(inv, "version"))
        return true;
    int given = count - optind;
    if (given > c->arguments_most)
        complain_about(TEXT_USAGE_MANY, {"argument", argv[optind + c->arguments_most]},
                       {"synopsis", c->synopsis});
    else if (given < c->arguments_least)
        complain_about(TEXT_USAGE_FEW, {"synopsis", c->synopsis});
    if (given > c->arguments_most || given < c->arguments_least) {
        remark_about(TEXT_USAGE_HINT, {"command", c->name});
        return false;
    }
    for (int i = 0; i < given; i++)
        inv->arguments[inv->argument_count++] = argv[optind + i];
    return check_choices(inv);
}

const char *invocation_value(const struct invocation *inv, const char *name)
{
    for (int i = 0; i < inv->row_count; i++)
        if (strcmp(inv->rows[i]->name, name) == 0)
            return inv->values[i];
    assert(!"an option that is not in the command's table");
    return NULL;
}

bool invocation_given(const struct invocation *inv, const char *name)
{
    return invocation_value(inv, name) != NULL;
}

bool invocation_number(const struct invocation *inv, const char *name, int64_t least, int64_t most,
                       int64_t otherwise, int64_t *out)
{
    const char *value = invocation_value(inv, name);
    *out = otherwise;
    if (!value)
        return true;
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno == 0 && end != value && *end == '\0' && number >= least && number <= most) {
        *out = number;
        return true;
    }
    char from[24], to[24];
    snprintf(from, sizeof from, "%" PRId64, least);
    snprintf(to, sizeof to, "%" PRId64, most);
    complain_about(TEXT_USAGE_NUMBER, {"name", name}, {"value", value}, {"least", from}, {"most", to});
    return false;
}

int usage(const struct command *c, const char *format, ...)
{
    char line[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    complain("%s", line);
    remark_about(TEXT_USAGE_HINT, {"command", c->name});
    return RESULT_USAGE;
}
