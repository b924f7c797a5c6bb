/* table.h - the configuration's keys: one row each, which checks, documents and loads the key.
 *
 * From these rows come the libcyaml schema (source.c), types, ranges, defaults and files (fill.c), the faults
 * of a document's shape and the nearest key (outline.c), and the manual page (manual.c). A new option is a
 * new row and the struct member it fills.
 */
#ifndef TOCSIN_TABLE_H
#define TOCSIN_TABLE_H

#include "conf/conf.h"

enum conf_type {
    CONF_TEXT,        /* char *; minimum and maximum count bytes */
    CONF_ID,          /* char *; id_valid() */
    CONF_WORD,        /* char *; one of the row's names */
    CONF_FILE,        /* char *; a readable plain file */
    CONF_SECRET_FILE, /* char *; the same, and nobody else may read it */
    CONF_FOLDER,      /* char *; need not exist yet */
    CONF_CHOICE,      /* enum; one of the row's names, its value between minimum and maximum */
    CONF_NUMBER,      /* unsigned, between minimum and maximum */
    CONF_REAL,        /* double, between minimum and maximum; NAN when absent */
    CONF_BOOL,        /* bool; true or false */
    CONF_TEXTS,       /* char ** and a size_t count; as many as minimum to maximum */
    CONF_MAPPING,     /* a struct of the row's table */
    CONF_LIST,        /* an array of structs of the row's table, and a size_t count */
    CONF_TYPE_COUNT
};

struct conf_table;

struct conf_row {
    const char *key; /* NULL ends a table */
    enum conf_type type;
    bool required;
    size_t offset, count_offset;
    const char *fallback;                /* the default, as it would stand in the file; NULL = none */
    double minimum, maximum;             /* both 0 = the type's own */
    const char *unit;                    /* "ms", "s"; NULL = none. It is also the end of the key. */
    const char *(*name)(unsigned value); /* CONF_WORD, CONF_CHOICE: NULL behind the last */
    const struct conf_table *table;      /* CONF_MAPPING, CONF_LIST */
    const char *hint;                    /* the command that makes a file that is not there */
    const char *help;                    /* a sentence or more, man(7) text */
};

struct conf_table {
    const char *title; /* whose keys these are */
    const char *help;
    size_t size; /* of the struct */
    const struct conf_row *rows;
};

/* What only this module has: plans as they stand in the file, before they are resolved. */
struct conf_step {
    unsigned answer_timeout_s;
    char **endpoints;
    size_t endpoint_count;
};

struct conf_plan {
    char *id;
    struct conf_step *steps;
    size_t step_count;
    char **acks_needed;
    size_t ack_count;
    unsigned coming_timeout_s;
};

struct conf_root { /* the main file, and each file of sites.d and accounts.d */
    struct conf_daemon daemon;
    struct conf_broker broker;
    struct conf_endpoint *endpoints;
    struct conf_plan *plans;
    struct conf_site *sites;
    struct conf_account *accounts;
    size_t endpoint_count, plan_count, site_count, account_count;
};

extern const struct conf_table conf_table_main, conf_table_sites_file, conf_table_accounts_file;

#endif
