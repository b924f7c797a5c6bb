/* fill.h - from cells of text to structs: strict types, ranges, defaults, files; all by the table. */
#ifndef TOCSIN_FILL_H
#define TOCSIN_FILL_H

#include "conf/source.h"

struct fill {
    struct arena *arena; /* of what is filled in */
    struct problems *problems;
    const struct source *source;
};

/* Fill `out`, a struct of the table's size, from one entry's cells. What is wrong is told and left at its
 * default, so that the checks that follow can go on. `where` is the entry's own. */
void fill_struct(const struct fill *, const struct conf_table *, const struct cell *, const struct where *,
                 void *out);

#endif
