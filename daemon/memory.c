#include "memory.h"
#include <stdlib.h>
#include <unistd.h>

void memory_end(void)
{
    static const char text[] = "no memory is left: ending here; whoever is started next resumes\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1); /* stdio might want memory, too */
    (void)written;
    abort();
}

void *memory_take(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory)
        memory_end();
    return memory;
}
