/* tocsin - the command-line tool. See command.h; the commands are in commands.c. */
#include "cli/command.h"
#include "cli/terminal.h"
#include "memory.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static int print(void (*what)(FILE *))
{
    what(stdout);
    return RESULT_OK;
}

/* Language and clock hold wherever they stand, before the command or after it. */
static bool settle(const struct invocation *inv)
{
    const char *language = invocation_value(inv, "lang");
    if (language && !text_choose(language)) {
        complain_about(TEXT_USAGE_LANGUAGE, {"name", language});
        return false;
    }
    if (invocation_given(inv, "utc"))
        terminal_init(true);
    return true;
}

static int run_command(const struct command *c, const struct invocation *before, int count, char **argv)
{
    struct invocation inv;
    if (!invocation_parse(&inv, c, count, argv) || !settle(&inv))
        return RESULT_USAGE;
    for (int i = 0; i < before->row_count; i++)
        for (int k = 0; k < inv.row_count; k++)
            if (inv.rows[k] == before->rows[i] && !inv.values[k])
                inv.values[k] = before->values[i];
    inv.json = invocation_given(&inv, "json");
    if (invocation_given(&inv, "help") || invocation_given(&inv, "version")) {
        command_print_help(c, stdout);
        return RESULT_OK;
    }
    return c->run(&inv);
}

static int run(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--print-manual") == 0)
        return print(command_print_manual);
    if (argc == 2 && strcmp(argv[1], "--print-completion") == 0)
        return print(command_print_completion);
    int first = 0, words = 0;
    struct invocation before;
    if (!invocation_parse_general(&before, argc, argv, &first) || !settle(&before))
        return RESULT_USAGE;
    if (invocation_given(&before, "version")) {
        say(TONE_PLAIN, "tocsin %s", TOCSIN_VERSION);
        return RESULT_OK;
    }
    if (invocation_given(&before, "help") || (first < argc && strcmp(argv[first], "help") == 0)) {
        first += first < argc && strcmp(argv[first], "help") == 0;
        const struct command *c = first < argc ? command_find(argc - first, argv + first, &words) : NULL;
        if (first < argc && !c)
            return RESULT_USAGE;
        command_print_help(c, stdout);
        return RESULT_OK;
    }
    const struct command *c = command_find(argc - first, argv + first, &words);
    if (!c)
        return RESULT_USAGE;
    first += words - 1; /* the command's last word takes the place of the program's name */
    return run_command(c, &before, argc - first, argv + first);
}

int main(int argc, char **argv)
{
    json_set_alloc_funcs(memory_take, free); /* it would drop letters of a text and go on */
    text_choose(NULL);
    terminal_init(false);
    return terminal_finish(run(argc, argv));
}
