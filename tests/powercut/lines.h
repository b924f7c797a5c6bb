/* lines.h - what is put into the journal: lines that the real engine made of a school's ordinary days. The
 * same in every run. */
#ifndef POWERCUT_LINES_H
#define POWERCUT_LINES_H

#include "journal/journal.h"

struct line {
    char *text;
    size_t size;
    char alarm[LIMIT_ALARM_ID];
    char *found_as, *note; /* NULL = none */
};

struct lines {
    struct line *all; /* line i has seq i + 1 */
    size_t count, room;
};

/* At least `count`, made in `folder`. */
void lines_make(struct lines *, size_t count, const char *folder);
void lines_finish(struct lines *);

#endif
