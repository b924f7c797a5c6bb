/* memory.h - the end for want of memory. A daemon without memory restarts and resumes; what it must not do is go on with
 * half a text, a lost message or a telling that nobody owes any more.
 *
 *     char *text = memory_take(size);    // never NULL; free() gives it back
 */
#ifndef TOCSIN_MEMORY_H
#define TOCSIN_MEMORY_H

#include <stddef.h>

void memory_end(void) __attribute__((noreturn)); /* says so on standard error, and aborts */

/* malloc(), calloc(), realloc(), strdup(); or memory_end() */
void *memory_take(size_t size);
void *memory_zeroed(size_t count, size_t size);
void *memory_resize(void *old, size_t size);
char *memory_text(const char *text);

#endif
