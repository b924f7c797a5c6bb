/* clock.h - the one door to the clocks.
 *
 *     clock_wall_ms()      CLOCK_REALTIME: for people; may step
 *     clock_boottime_ms()  CLOCK_BOOTTIME: never steps, goes on in suspend
 */
#ifndef TOCSIN_CLOCK_H
#define TOCSIN_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_wall_ms(void);
int64_t clock_boottime_ms(void);
/* The kernel's id of this boot; "" where there is none. `out` has 40 bytes. */
void clock_boot_id(char out[40]);
bool clock_synchronised(void); /* adjtimex(2): somebody disciplines the wall clock */

#endif
