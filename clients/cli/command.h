/* command.h - the table of commands: what help, completion, the manual page and the parser are all made from.
 *
 *     const struct command *c = command_find(argc - 1, argv + 1, &words);
 *     struct invocation inv;
 *     if (invocation_parse(&inv, c, argc - words, argv + words)) return c->run(&inv);
 */
#ifndef TOCSIN_CLI_COMMAND_H
#define TOCSIN_CLI_COMMAND_H

#include "cli/texts.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes, part of the contract: tocsin(1). */
enum result {
    RESULT_OK = 0,
    RESULT_NOT_SO = 1,      /* the thing asked is not so: a bad journal, a difference, no such alarm */
    RESULT_USAGE = 2,       /* the command line is wrong */
    RESULT_UNREACHABLE = 3, /* the daemon, the broker or a file cannot be reached */
    RESULT_REFUSED = 4,     /* the daemon says no: token missing, unknown, or without that right */
    RESULT_CONFLICT = 5     /* somebody was first, or the alarm changed meanwhile */
};

struct option_row {
    const char *name;
    char letter;          /* 0 = none */
    const char *argument; /* NULL = a flag; "A|B|C" is completed */
    struct text_pair help;
};

struct invocation;

struct command {
    const char *name;     /* one or two words */
    const char *synopsis; /* its arguments, and the options one must give */
    struct text_pair help;
    struct text_pair about;           /* a paragraph for its help and the manual */
    const struct option_row *options; /* ends with a row without name; NULL = none of its own */
    int arguments_least, arguments_most;
    bool connects; /* takes the options of the connection to the daemon */
    int (*run)(const struct invocation *);
};

#define INVOCATION_OPTIONS 48
#define INVOCATION_ARGUMENTS 8
struct invocation {
    const struct command *command;
    const struct option_row *rows[INVOCATION_OPTIONS];
    const char *values[INVOCATION_OPTIONS]; /* NULL = not given; "" for a flag */
    int row_count;
    const char *arguments[INVOCATION_ARGUMENTS];
    int argument_count;
    bool json;
};

extern const struct command commands[]; /* ends with a row without name */
extern const struct option_row options_general[], options_connection[];

/* The command named by argv[0] or argv[0..1]; `words` says how many were used. NULL: complained. */
const struct command *command_find(int count, char **argv, int *words);
/* The options before the command; `first` is where the command stands. False: complained. */
bool invocation_parse_general(struct invocation *, int count, char **argv, int *first);
/* The rest of the command line; argv[0] is the command's last word. False: complained. */
bool invocation_parse(struct invocation *, const struct command *, int count, char **argv);

/* NULL = not given. The name must be in the command's table: anything else is our bug. */
const char *invocation_value(const struct invocation *, const char *name);
bool invocation_given(const struct invocation *, const char *name);
/* A whole number between `least` and `most`; `otherwise` when it is not given. False: complained. */
bool invocation_number(const struct invocation *, const char *name, int64_t least, int64_t most,
                       int64_t otherwise, int64_t *out);
/* A wrong command line: a sentence, a hint at --help, and RESULT_USAGE. */
int usage(const struct command *, const char *format, ...) __attribute__((format(printf, 2, 3)));

void command_print_help(const struct command *, FILE *); /* NULL = of the tool */
void command_print_manual(FILE *);                       /* tocsin(1), man(7) source */
void command_print_completion(FILE *);                   /* for bash */

/* One function a command. */
int command_check_config(const struct invocation *);
int command_simulate(const struct invocation *);
int command_press(const struct invocation *);
int command_alarms(const struct invocation *);
int command_show(const struct invocation *);
int command_ack(const struct invocation *);
int command_coming(const struct invocation *);
int command_on_scene(const struct invocation *);
int command_close(const struct invocation *);
int command_note(const struct invocation *);
int command_watch(const struct invocation *);
int command_replay(const struct invocation *);
int command_troubles(const struct invocation *);
int command_devices(const struct invocation *);
int command_endpoints(const struct invocation *);
int command_journal_verify(const struct invocation *);
int command_journal_export(const struct invocation *);
int command_journal_prove(const struct invocation *);
int command_journal_erase_note(const struct invocation *);
int command_account_add(const struct invocation *);
int command_account_password(const struct invocation *);
int command_keygen_journal(const struct invocation *);
int command_keygen_device(const struct invocation *);
int command_keygen_webhook(const struct invocation *);
int command_keygen_token(const struct invocation *);

#endif
