/* Help, the manual page and completion, all printed from the table of commands. */
#include "cli/command.h"
#include <string.h>

static void print_options(const struct option_row *rows, FILE *out)
{
    for (; rows && rows->name; rows++) {
        char left[128];
        snprintf(left, sizeof left, "%c%c %s--%s%s%s", rows->letter ? '-' : ' ',
                 rows->letter ? rows->letter : ' ', rows->letter ? "" : "", rows->name,
                 rows->argument ? " " : "", rows->argument ? rows->argument : "");
        if (strlen(left) <= 30)
            fprintf(out, "  %-30s  %s\n", left, text_of(&rows->help));
        else
            fprintf(out, "  %s\n  %30s  %s\n", left, "", text_of(&rows->help));
    }
}

static void print_tool_help(FILE *out)
{
    fprintf(out, "%s\n\n%s: tocsin COMMAND [OPTION]… [ARGUMENT]…\n\n%s:\n", text(TEXT_HELP_TOOL),
            text(TEXT_HELP_USAGE), text(TEXT_HELP_COMMANDS));
    for (const struct command *c = commands; c->name; c++)
        fprintf(out, "  %-20s  %s\n", c->name, text_of(&c->help));
    fprintf(out, "\n%s:\n", text(TEXT_HELP_GENERAL));
    print_options(options_general, out);
    fprintf(out, "\n%s\n%s\n", text(TEXT_HELP_MORE), text(TEXT_HELP_EXIT));
}

void command_print_help(const struct command *c, FILE *out)
{
    if (!c) {
        print_tool_help(out);
        return;
    }
    fprintf(out, "%s: tocsin %s%s%s\n\n%s\n", text(TEXT_HELP_USAGE), c->name, *c->synopsis ? " " : "",
            c->synopsis, text_of(&c->help));
    if (c->about.in[LANGUAGE_ENGLISH])
        fprintf(out, "\n%s\n", text_of(&c->about));
    if (c->options) {
        fprintf(out, "\n%s:\n", text(TEXT_HELP_OPTIONS));
        print_options(c->options, out);
    }
    if (c->connects) {
        fprintf(out, "\n%s:\n", text(TEXT_HELP_CONNECTION));
        print_options(options_connection, out);
    }
    fprintf(out, "\n%s:\n", text(TEXT_HELP_GENERAL));
    print_options(options_general, out);
    fprintf(out, "\n%s\n", text(TEXT_HELP_EXIT));
}

/* Text in man(7) source: what would be a request or an escape is written so that it is none. */
static void roff(const char *text, FILE *out)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else if (strncmp(text, "…", strlen("…")) == 0) {
            fputs("\\&...", out);
            text += strlen("…") - 1;
        } else
            fputc(*text, out);
    }
}

static void roff_options(const struct option_row *rows, FILE *out)
{
    for (; rows && rows->name; rows++) {
        fputs(".TP\n", out);
        if (rows->letter)
            fprintf(out, "\\fB\\-%c\\fR, ", rows->letter);
        fputs("\\fB\\-\\-", out);
        roff(rows->name, out);
        fputs("\\fR", out);
        if (rows->argument) {
            fputs(" \\fI", out);
            roff(rows->argument, out);
            fputs("\\fR", out);
        }
        fputc('\n', out);
        roff(rows->help.in[LANGUAGE_ENGLISH], out);
        fputc('\n', out);
    }
}

static void roff_command(const struct command *c, FILE *out)
{
    fputs(".SS tocsin ", out);
    roff(c->name, out);
    fputc(' ', out);
    roff(c->synopsis, out);
    fputc('\n', out);
    roff(c->help.in[LANGUAGE_ENGLISH], out);
    fputs(".\n", out);
    if (c->about.in[LANGUAGE_ENGLISH]) {
        fputs(".PP\n", out);
        roff(c->about.in[LANGUAGE_ENGLISH], out);
        fputc('\n', out);
    }
    roff_options(c->options, out);
}

void command_print_manual(FILE *out)
{
    static const char *const after =
        ".SH EXIT STATUS\n"
        ".TP\n0\nGood.\n"
        ".TP\n1\nThe thing asked is not so: a bad journal, a bad configuration, a difference, no such alarm, "
        "no receipt; or what was asked for could not be made: a key that is there already, an output that cannot be "
        "written.\n"
        ".TP\n2\nThe command line is wrong.\n"
        ".TP\n3\nThe daemon, the broker or a file cannot be reached, a journal cannot be opened or "
        "read (which says nothing of the record); a configuration or an account\\(aqs password that cannot be read is 1.\n"
        ".TP\n4\nRefused: the token is missing or unknown, or its account has not that right.\n"
        ".TP\n5\nConflict: somebody was first, the alarm changed since it was seen, or a daemon works on the journal.\n"
        ".PP\nSentences about what is wrong go to standard error, as text with \\fB\\-\\-json\\fR too; standard output has the "
        "answer, or nothing.\n"
        ".SH ENVIRONMENT\n"
        ".TP\nTOCSIN_URL, TOCSIN_TOKEN_FILE, TOCSIN_CA_FILE\nUsed where \\fB\\-\\-url\\fR, "
        "\\fB\\-\\-token\\-file\\fR and "
        "\\fB\\-\\-ca\\-file\\fR are not given.\n"
        ".TP\nLC_ALL, LC_MESSAGES, LANG\nChoose the language: Chinese when it begins with zh, else English.\n"
        ".TP\nTZ\nThe zone of the times that are shown.\n"
        ".TP\nNO_COLOR\nWhen set, no colours.\n"
        ".SH FILES\n"
        ".TP\n~/.config/tocsin/url, ~/.config/tocsin/token\nAddress and token. The token's file must be "
        "readable by its "
        "owner only; a token is never given on the command line, where other users of the machine could read "
        "it.\n"
        ".SH EXAMPLES\n"
        ".EX\n"
        "tocsin check\\-config /etc/tocsin/tocsin.yaml\n"
        "tocsin simulate \\-c /etc/tocsin/tocsin.yaml \\-s school\\-1 \\-d room\\-204 \\-a "
        "police:acknowledge@45\n"
        "tocsin alarms\n"
        "tocsin close a3k5 \\-\\-disposition false \\-\\-note \"a ball hit the button\"\n"
        "tocsin journal verify evidence/ \\-\\-key journal.pub\n"
        ".EE\n"
        ".SH SEE ALSO\n"
        ".BR tocsind (8),\n.BR tocsin.yaml (5)\n";
    fprintf(out, ".TH TOCSIN 1 \"\" \"Tocsin %s\" \"Tocsin\"\n.SH NAME\n", TOCSIN_VERSION);
    fputs("tocsin \\- asks and answers the alarm daemon, checks its configuration and its journal\n.SH "
          "SYNOPSIS\n",
          out);
    for (const struct command *c = commands; c->name; c++) {
        fputs(c == commands ? ".B tocsin " : ".br\n.B tocsin ", out);
        roff(c->name, out);
        fputs("\n", out);
        roff(c->synopsis, out);
        fputs(*c->synopsis ? "\n" : "", out);
    }
    fputs(".SH DESCRIPTION\n", out);
    roff(text(TEXT_HELP_TOOL), out);
    fputs("\n.SH COMMANDS\n", out);
    for (const struct command *c = commands; c->name; c++)
        roff_command(c, out);
    fputs(".SH OPTIONS OF THE CONNECTION\nCommands that ask the daemon take:\n", out);
    roff_options(options_connection, out);
    fputs(".SH OPTIONS OF EVERY COMMAND\n", out);
    roff_options(options_general, out);
    fputs(after, out);
}

static void option_names(const struct option_row *rows, FILE *out)
{
    for (; rows && rows->name; rows++)
        fprintf(out, " --%s", rows->name);
}

/* The values of options that take one of some words, or a file. */
static void option_values(const struct option_row *rows, FILE *out)
{
    for (; rows && rows->name; rows++) {
        const char *argument = rows->argument;
        if (!argument)
            continue;
        if (strchr(argument, '|') && !strpbrk(argument, "@:")) {
            fprintf(out, "            --%s) words='", rows->name);
            for (const char *p = argument; *p; p++)
                fputc(*p == '|' ? ' ' : *p, out);
            fputs("';;\n", out);
        } else if (strcmp(argument, "FILE") == 0 || strcmp(argument, "PATH") == 0 ||
                   strcmp(argument, "DATABASE") == 0) {
            fprintf(out, "            --%s) files=yes;;\n", rows->name);
        } else {
            fprintf(out, "            --%s) return;;\n", rows->name);
        }
    }
}

static void complete_command(const struct command *c, FILE *out)
{
    fprintf(out, "    '%s')\n        words='", c->name);
    option_names(c->options, out);
    option_names(c->connects ? options_connection : NULL, out);
    option_names(options_general, out);
    fputs("'\n        case $previous in\n", out);
    option_values(c->options, out);
    option_values(c->connects ? options_connection : NULL, out);
    option_values(options_general, out);
    fputs("        esac\n", out);
    if (strstr(c->synopsis, "FILE") == c->synopsis || strstr(c->synopsis, "[FILE") == c->synopsis ||
        strstr(c->synopsis, "FOLDER") == c->synopsis || strstr(c->synopsis, "DATABASE") == c->synopsis)
        fputs("        [[ $current == -* || $previous == --* ]] || files=yes\n", out);
    fputs("        ;;\n", out);
}

/* Steps over the options before the command: `first` is where the command stands. bash takes --url=http://host:80 apart at
 * its = and colons. */
static void complete_options_before(FILE *out)
{
    const char *before = "";
    fputs("    while (( first < COMP_CWORD )) && [[ ${COMP_WORDS[first]} == -* ]]; do\n"
          "        case ${COMP_WORDS[first++]} in\n"
          "            ",
          out);
    const struct option_row *lists[] = {options_general, options_connection};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const struct option_row *row = lists[i]; row->name; row++)
            if (row->argument) {
                fprintf(out, row->letter ? "%s--%s|-%c" : "%s--%s", before, row->name, row->letter);
                before = "|";
            }
    fputs(")\n"
          "                [[ ${COMP_WORDS[first]} != = ]] || (( first++ ))\n"
          "                (( first++ ))\n"
          "                while [[ ${COMP_WORDS[first]} == : ]]; do (( first += 2 )); done;;\n"
          "        esac\n"
          "    done\n",
          out);
}

void command_print_completion(FILE *out)
{
    fputs("# bash completion for tocsin; printed by `tocsin --print-completion`\n"
          "_tocsin()\n{\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local first=1 command='' words='' files=''\n"
          "    COMPREPLY=()\n",
          out);
    complete_options_before(out);
    fputs("    (( first >= COMP_CWORD )) || command=${COMP_WORDS[first]}\n"
          "    case $command in account|journal|keygen)\n"
          "        (( COMP_CWORD == first + 1 )) || command+=\" ${COMP_WORDS[first+1]}\";;\n"
          "    esac\n"
          "    case $command in\n    '')\n        words='",
          out);
    const char *group = "";
    for (const struct command *c = commands; c->name; c++) {
        size_t size = strcspn(c->name, " ");
        if (strncmp(group, c->name, size + 1) != 0)
            fprintf(out, " %.*s", (int)size, c->name);
        group = c->name[size] ? c->name : "";
    }
    option_names(options_general, out);
    option_names(options_connection, out);
    fputs("'\n        case $previous in\n", out);
    option_values(options_general, out);
    option_values(options_connection, out);
    fputs("        esac", out);
    static const char *const groups[] = {"account", "journal", "keygen"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        size_t size = strlen(groups[i]);
        fprintf(out, ";;\n    %s)\n        words='", groups[i]);
        for (const struct command *c = commands; c->name; c++)
            if (strncmp(c->name, groups[i], size) == 0 && c->name[size] == ' ')
                fprintf(out, " %s", c->name + size + 1);
        fputc('\'', out);
    }
    fputs(";;\n", out);
    for (const struct command *c = commands; c->name; c++)
        complete_command(c, out);
    fputs("    esac\n"
          "    if [[ $files ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
          "        compopt -o filenames 2>/dev/null\n"
          "    else\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
          "    fi\n"
          "} && complete -F _tocsin tocsin\n",
          out);
}
