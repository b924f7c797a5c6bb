#include "conf/arena.h"
#include "memory.h"
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT _Alignof(max_align_t)
#define CHUNK_SIZE ((size_t)256 * 1024)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size; /* bytes of `bytes` */
    _Alignas(max_align_t) unsigned char bytes[];
};

static struct arena_chunk *chunk_add(struct arena *a, size_t size)
{
    struct arena_chunk *chunk = calloc(1, sizeof *chunk + size);
    if (!chunk)
        memory_end();
    chunk->size = size;
    chunk->next = a->chunk;
    a->chunk = chunk;
    return chunk;
}

void *arena_take(struct arena *a, size_t size)
{
    struct arena_chunk *chunk = a->chunk;
    size_t place = chunk ? (chunk->used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : 0;
    if (!chunk || place > chunk->size || chunk->size - place < size) {
        chunk = chunk_add(a, size > CHUNK_SIZE ? size : CHUNK_SIZE);
        place = 0;
    }
    chunk->used = place + size;
    return chunk->bytes + place;
}

char *arena_text(struct arena *a, const char *text, size_t size)
{
    struct arena_chunk *chunk = a->chunk;
    /* Text needs no alignment: a city's ids are packed. */
    if (!chunk || chunk->size - chunk->used <= size)
        chunk = chunk_add(a, size < CHUNK_SIZE ? CHUNK_SIZE : size + 1);
    char *copy = (char *)chunk->bytes + chunk->used;
    chunk->used += size + 1;
    memcpy(copy, text, size);
    return copy;
}

char *arena_format(struct arena *a, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0)
        memory_end();
    char *copy = arena_text(a, text, (size_t)size);
    free(text);
    return copy;
}

void arena_finish(struct arena *a)
{
    while (a->chunk) {
        struct arena_chunk *chunk = a->chunk;
        a->chunk = chunk->next;
        sodium_memzero(chunk->bytes, chunk->used);
        free(chunk);
    }
}
