/* archive_file.h - the archive's file: how it is opened and thrown away, filled from the journal's file, and
 * asked. Used by archive.c alone, one thread at a time; nothing here runs on the loop. */
#ifndef TOCSIN_ARCHIVE_FILE_H
#define TOCSIN_ARCHIVE_FILE_H

#include "journal/archive.h"
#include "journal/sqlite_file.h"
#include <stdatomic.h>

#define ARCHIVE_STEP_LINES 128 /* of the journal: some ten milliseconds */

struct archive_file {
    char *journal_file, *file;
    sqlite3 *journal, *db; /* NULL = to be opened */
    uint64_t position;     /* the last line that was taken in */
    uint64_t deadline_ns;  /* of what is under way; 0 = none */
    uint64_t pause_ns;     /* that the question under way may still stand back */
    atomic_ullong calm_ns; /* it stands back until then */
    atomic_bool stopping;
};

/* What was read of the journal and is to be written. */
struct archive_step {
    uint64_t position; /* 0: there was nothing */
    unsigned char leaf[TREE_HASH];
    uint64_t notes, note_sum;
    size_t row_count, gone_count;
    struct archive_row rows[ARCHIVE_STEP_LINES];
    char gone[ARCHIVE_STEP_LINES][LIMIT_ALARM_ID]; /* not closed, or not any more */
};

/* Both files are open and of one journal, if need be with an empty archive. */
bool archive_file_ready(struct archive_file *, char error[LIMIT_TEXT]);
void archive_file_close(struct archive_file *);
/* After a call that failed: throws the file away when it is damaged. */
void archive_file_failed(struct archive_file *);
bool archive_file_read(struct archive_file *, const struct archive_maker *, struct archive_step *,
                       char error[LIMIT_TEXT]);
bool archive_file_write(struct archive_file *, const struct archive_step *, char error[LIMIT_TEXT]);
void archive_step_finish(struct archive_step *);

/* archive_query.c. The caller frees *rows, sums->sites. */
bool archive_file_find(struct archive_file *, const struct archive_query *, struct archive_row **rows,
                       size_t *count, bool *more, char error[LIMIT_TEXT]);
bool archive_file_sum(struct archive_file *, const struct archive_query *, struct archive_sums *,
                      char error[LIMIT_TEXT]);

#endif
