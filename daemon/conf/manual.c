/* Prints tocsin.yaml(5) from the table. man(7). */
#include "conf/table.h"
#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* Text as man(7) wants it: backslashes and minus signs escaped, no line that begins with a request. */
static void print_text(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
    }
}

static void print_names(FILE *out, const struct conf_row *row)
{
    unsigned first = (unsigned)row->minimum;
    for (unsigned i = first; row->name(i) && (row->type == CONF_WORD || i <= row->maximum); i++) {
        fputs(i == first ? "" : " | ", out);
        print_text(out, row->name(i));
    }
}

/* What may stand behind the colon. */
static void print_values(FILE *out, const struct conf_row *row)
{
    switch (row->type) {
    case CONF_TEXT:
        fprintf(out, "text, at most %.0f bytes", row->maximum);
        break;
    case CONF_ID:
        fprintf(out, "id");
        break;
    case CONF_WORD:
    case CONF_CHOICE:
        print_names(out, row);
        break;
    case CONF_FILE:
        fprintf(out, "file name");
        break;
    case CONF_SECRET_FILE:
        fprintf(out, "name of a secret file");
        break;
    case CONF_FOLDER:
        fprintf(out, "folder");
        break;
    case CONF_NUMBER:
        fprintf(out, "%.0f to %.0f%s%s", row->minimum, row->maximum, row->unit ? " " : "",
                row->unit ? row->unit : "");
        break;
    case CONF_REAL:
        fprintf(out, "%s%g to %g", row->minimum < 0 ? "\\" : "", row->minimum, row->maximum);
        break;
    case CONF_BOOL:
        fprintf(out, "true | false");
        break;
    case CONF_TEXTS:
        fprintf(out, "list of %.0f to %.0f texts", row->minimum, row->maximum);
        break;
    case CONF_MAPPING:
        fprintf(out, "mapping, see below");
        break;
    case CONF_LIST:
        fprintf(out, "list of %.0f to %.0f, see below", row->minimum, row->maximum);
        break;
    case CONF_TYPE_COUNT:
        break;
    }
}

static void print_rows(FILE *out, const struct conf_table *table)
{
    for (const struct conf_row *row = table->rows; row->key; row++) {
        fprintf(out, ".TP\n.BR %s \" (", row->key);
        print_values(out, row);
        if (row->fallback) {
            fputs("; default ", out);
            print_text(out, row->fallback);
        }
        fprintf(out, "%s)\"\n", row->required ? "; required" : "");
        print_text(out, row->help);
        fputc('\n', out);
        if (row->hint) {
            fputs("Made with \\fB", out);
            print_text(out, row->hint);
            fputs("\\fR.\n", out);
        }
    }
}

/* The tables below this one, each under its own heading, outer ones first. */
static void print_tables(FILE *out, const struct conf_table *table)
{
    for (const struct conf_row *row = table->rows; row->key; row++) {
        if (!row->table)
            continue;
        fputs(".SS ", out);
        print_text(out, row->key);
        fputc('\n', out);
        print_text(out, row->table->help);
        fputc('\n', out);
        print_rows(out, row->table);
        print_tables(out, row->table);
    }
}

void conf_print_manual(FILE *out)
{
    fputs(".TH TOCSIN.YAML 5 \"\" \"Tocsin " TOCSIN_VERSION "\" \"Tocsin\"\n"
          ".SH NAME\ntocsin.yaml \\- the configuration of tocsind\n"
          ".SH SYNOPSIS\n.I /etc/tocsin/tocsin.yaml\n.br\n.I /etc/tocsin/sites.d/*.yaml\n.br\n.I /etc/tocsin/accounts.d/*.yaml\n"
          ".SH DESCRIPTION\n"
          "YAML in UTF\\-8, without aliases, one document a file, at most 64 MB. The main file has the keys "
          "below; each file "
          "of the folder sites.d beside it that ends in .yaml has the key sites only, each of accounts.d the "
          "key accounts, and they are read in "
          "the order of "
          "their names. An unknown key, a key that stands twice and a value out of range are errors: the "
          "daemon does "
          "not start, and a reload (SIGHUP) changes nothing and says why.\n.PP\n"
          "An id is 1 to 47 of A\\-Z a\\-z 0\\-9 _ . \\-. Times carry their unit in the key. Relative file "
          "names start from "
          "the folder of the file they stand in. A secret file must belong to the daemon's user or to root, "
          "and neither "
          "group nor others may read it (chmod 600).\n.PP\n"
          "Check a configuration before it is used:\n.PP\n.RS\ntocsin check\\-config "
          "/etc/tocsin/tocsin.yaml\n.RE\n"
          ".SH KEYS\n",
          out);
    print_rows(out, &conf_table_main);
    print_tables(out, &conf_table_main);
    fputs(".SH SEE ALSO\n.BR tocsin (1),\n.BR tocsind (8)\n", out);
}
