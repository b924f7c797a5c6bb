/* arena.h - memory that is taken piece by piece and given back all at once, zeroed.
 *
 * Promises: pieces are zeroed and aligned for any type; arena_finish() wipes everything before it gives it
 * back, so that keys may live in it. Never gives NULL: where the kernel has no page left, the process ends.
 * Does not: give back single pieces, lock.
 *
 *     struct arena a = {0};
 *     char *id = arena_text(&a, "school-1", 8);
 *     arena_finish(&a);
 */
#ifndef TOCSIN_ARENA_H
#define TOCSIN_ARENA_H

#include <stddef.h>

struct arena_chunk;
struct arena {
    struct arena_chunk *chunk; /* the newest */
};

void *arena_take(struct arena *, size_t size);
char *arena_text(struct arena *, const char *text, size_t size); /* copies and ends with NUL */
char *arena_format(struct arena *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_finish(struct arena *);

#endif
