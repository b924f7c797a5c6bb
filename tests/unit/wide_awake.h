/* wide_awake.h - the archive's thread gives way to whatever else the machine does (SCHED_IDLE), which beside
 * other tests may take minutes: in a test linked with -Wl,--wrap=sched_setscheduler it is one like any other.
 */
#ifndef WIDE_AWAKE_H
#define WIDE_AWAKE_H

#include <sched.h>

int __wrap_sched_setscheduler(pid_t thread, int policy, const struct sched_param *param);
int __wrap_sched_setscheduler(pid_t thread, int policy, const struct sched_param *param)
{
    return 0;
}

#endif
