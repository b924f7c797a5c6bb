/* scenario.h - the life of a journal in which every sync is cut: from an empty folder over commits of all
 * sizes, snapshots, erased notes, readers, closings, deaths and disks that fail, to a log that outgrows its
 * warm part. */
#ifndef POWERCUT_SCENARIO_H
#define POWERCUT_SCENARIO_H

#include "world.h"

#define SCENARIO_LINES 2500 /* enough for it and for what images append */

/* Chapters from this one on write many megabytes; an image of them takes long. */
#define SCENARIO_HEAVY "a checkpoint fails"

/* `chapter` hears the name of what begins, and may end it with false. False: `why` says what did not work
 * although nothing failed. */
typedef bool scenario_chapter_fn(void *ctx, const char *name);
bool scenario_play(struct world *, struct dice *, scenario_chapter_fn *chapter, void *ctx,
                   char why[LIMIT_TEXT]);

#endif
