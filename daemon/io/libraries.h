/* libraries.h - what has to be said to our libraries, and asked of them, before they are used.
 *
 * What they would make of a lack of memory: jansson drops letters of a text and goes on, so that a
 * test becomes a real press; Paho acknowledges a message that it has dropped; SQLite says that a good journal cannot be
 * opened; curl forgets an option, such as whose certificates to trust. Instead the process ends (memory.h). The others fail
 * in ways that can be tried again. */
#ifndef TOCSIN_IO_LIBRARIES_H
#define TOCSIN_IO_LIBRARIES_H

#include "limits.h"
#include <stdbool.h>

/* False: one is older than what we were built and tested with; `error` names it and what would be right. */
bool libraries_fit(char error[LIMIT_TEXT]);
bool libraries_need_memory(void); /* once, before any of them is used; false: curl cannot be used */

#endif
