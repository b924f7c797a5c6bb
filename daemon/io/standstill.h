/* standstill.h - when the loop has stood still: the process was stopped, or the machine slept.
 *
 * Its timers ring before its sockets are read. So what is to be given up for want of an answer has it, perhaps: what is late
 * by more than STANDSTILL_MS waits STANDSTILL_READING_MS more, in which all that has come is read.
 */
#ifndef TOCSIN_STANDSTILL_H
#define TOCSIN_STANDSTILL_H

#define STANDSTILL_MS 500
#define STANDSTILL_READING_MS 20 /* and in which the threads that serve desks hand over what they have heard */

#endif
