/* difference.h - two texts, line by line: what is gone (-) and what is new (+). */
#ifndef TOCSIN_CLI_DIFFERENCE_H
#define TOCSIN_CLI_DIFFERENCE_H

#include <stdbool.h>

/* A whole text file, NUL-terminated; NULL: complained. */
char *difference_read(const char *file);
void difference_say(const char *expected, const char *now);

#endif
