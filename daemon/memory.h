/* memory.h - the end for want of memory. A daemon without memory restarts and resumes; what it must not do is go on with
 * half a text or a lost message.
 *
 *     char *text = memory_take(size);    // never NULL
 */
#ifndef TOCSIN_MEMORY_H
#define TOCSIN_MEMORY_H

#include <stddef.h>

void memory_end(void) __attribute__((noreturn)); /* says so on standard error, and aborts */
void *memory_take(size_t size);                  /* malloc(), or memory_end() */

#endif
