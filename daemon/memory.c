#include "memory.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void memory_end(void)
{
    static const char text[] = "no memory is left: ending here; whoever is started next resumes\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1); /* stdio might want memory, too */
    (void)written;
    abort();
}

static void *needed(void *memory)
{
    if (!memory)
        memory_end();
    return memory;
}

void *memory_take(size_t size)
{
    return needed(malloc(size ? size : 1));
}

void *memory_zeroed(size_t count, size_t size)
{
    return needed(count && size ? calloc(count, size) : calloc(1, 1));
}

void *memory_resize(void *old, size_t size)
{
    return needed(realloc(old, size ? size : 1));
}

char *memory_text(const char *text)
{
    return needed(strdup(text));
}
