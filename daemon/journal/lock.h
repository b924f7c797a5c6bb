/* lock.h - one daemon on one journal: a lock on a file that names its holder, gone with the process.
 *
 *     int lock = lock_take("/var/lib/tocsin/tocsind.lock", error);   // LOCK_HELD: error names the process that holds it
 *     lock_release(lock);
 */
#ifndef TOCSIN_LOCK_H
#define TOCSIN_LOCK_H

#include "limits.h"

#define LOCK_NONE (-1) /* the folder is not there, not ours or broken: nobody can work on a journal in it */
#define LOCK_HELD (-2) /* another process works on the journal */

int lock_take(const char *path, char error[LIMIT_TEXT]); /* a descriptor, or one of the two */
void lock_release(int lock);                             /* one of the two is fine */

#endif
