/* difference.h - two texts, line by line: what is gone (-) and what is new (+). */
#ifndef TOCSIN_CLI_DIFFERENCE_H
#define TOCSIN_CLI_DIFFERENCE_H

/* A whole text file, NUL-terminated; NULL: complained. */
char *difference_read(const char *file);
/* Each line of both, in order: ' ' stands in both, '-' is gone, '+' is new. */
void difference_each(const char *expected, const char *now, void (*take)(void *ctx, char sign, const char *line), void *ctx);
void difference_say(const char *expected, const char *now);

#endif
