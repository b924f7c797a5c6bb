/* check.h - starts the daemon's journal on what a power cut left, and compares it with what is true. */
#ifndef POWERCUT_CHECK_H
#define POWERCUT_CHECK_H

#include "world.h"

/* False: `why` says what is wrong. `may_fail`: a fault of the disk is armed, one try of each may go wrong. */
bool check_world(struct world *, bool may_fail, char why[LIMIT_TEXT]);

#endif
