/* source.h - one YAML file: read, looked over, loaded by libcyaml into cells of text.
 *
 * libcyaml takes "20s" for 20 and "flase" for true, and stops at the first fault. So it loads the structure,
 * by a schema made from the table, and every scalar as text; fill.c reads the texts strictly, and outline.c
 * finds all faults of the structure with their lines before libcyaml is called.
 *
 * One cell for each row of a table:
 *     text               value = char *                    NULL = the key is not there
 *     CONF_TEXTS         value = char **, count
 *     CONF_MAPPING, CONF_LIST   value = cells of the row's table, one run of them per entry; count
 */
#ifndef TOCSIN_SOURCE_H
#define TOCSIN_SOURCE_H

#include "conf/problems.h"
#include "conf/table.h"

#define SOURCE_MAX ((size_t)64 * 1024 * 1024) /* bytes of one file; a city of 100,000 devices has 10 MB */
#define SOURCE_NESTING 16                     /* more is no configuration */

struct cell {
    void *value;
    uint32_t count, unused;
};

struct source {
    char *path, *folder; /* folder: of the path, what relative names start from; "" = the working folder */
    const struct conf_table *table;
    char *text;
    size_t size;
    struct cell *cells;
};

/* Reads its text; the sentence that says why the file cannot be used, or NULL. */
const char *source_open(struct source *);
/* Reads where there is no text yet, checks and loads; what is wrong goes to `problems`. The cells live in `arena`. Call
 * source_forget() anyway. */
bool source_load(struct source *, struct arena *, struct problems *);
void source_forget(struct source *); /* the text */

/* outline.c: every fault of the structure. True: none. */
bool outline_check(const struct source *, struct problems *);
/* outline.c: gives the problems kept that have a path in sources[file_index] their line. */
void outline_locate(const struct source *, uint32_t file_index, struct problems *);

size_t table_row_count(const struct conf_table *);

#endif
