/* wide_awake.h - the archive's thread steps back behind whatever else the machine does, which beside other tests may
 * take minutes: in a test linked with -Wl,--wrap=setpriority it is one like any other.
 */
#ifndef WIDE_AWAKE_H
#define WIDE_AWAKE_H

#include <sys/resource.h>

int __wrap_setpriority(__priority_which_t which, id_t who, int priority);
int __wrap_setpriority(__priority_which_t which, id_t who, int priority)
{
    return 0;
}

#endif
