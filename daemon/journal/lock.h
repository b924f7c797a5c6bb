/* lock.h - one daemon on one journal: a lock on a file that names its holder, gone with the process.
 *
 *     int lock = lock_take("/var/lib/tocsin/tocsind.lock", error);   // -1: error names the process that
 * holds it lock_release(lock);
 */
#ifndef TOCSIN_LOCK_H
#define TOCSIN_LOCK_H

#include "limits.h"

int lock_take(const char *path, char error[LIMIT_TEXT]); /* a descriptor, or -1 */
void lock_release(int lock);                             /* -1 is fine */

#endif
