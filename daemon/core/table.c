#include "core/table.h"
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

bool table_create(struct table *t, uint32_t items)
{
    uint32_t buckets = 64;
    while (buckets < items)
        buckets *= 2;
    t->mask = buckets - 1;
    t->buckets = calloc(buckets, sizeof *t->buckets);
    t->links = calloc(items, sizeof *t->links);
    return t->buckets && t->links;
}

void table_destroy(struct table *t)
{
    free(t->buckets);
    free(t->links);
}

void table_insert(struct table *t, uint64_t hash, uint32_t item)
{
    uint32_t *bucket = &t->buckets[hash & t->mask];
    t->links[item] = *bucket;
    *bucket = item + 1;
}

void table_remove(struct table *t, uint64_t hash, uint32_t item)
{
    uint32_t *link = &t->buckets[hash & t->mask];
    while (*link != item + 1) {
        assert(*link != 0);
        link = &t->links[*link - 1];
    }
    *link = t->links[item];
}

uint32_t table_first(const struct table *t, uint64_t hash)
{
    return t->buckets[hash & t->mask] - 1; /* 0 - 1 is TABLE_NONE */
}

uint32_t table_next(const struct table *t, uint32_t item)
{
    return t->links[item] - 1;
}

uint64_t table_hash(const char *first, ...)
{
    uint64_t hash = 14695981039346656037u;
    va_list texts;
    va_start(texts, first);
    for (const char *text = first; text; text = va_arg(texts, const char *)) {
        for (const char *c = text; *c; c++)
            hash = (hash ^ (unsigned char)*c) * 1099511628211u;
        hash *= 1099511628211u;
    }
    va_end(texts);
    return hash ^ hash >> 32;
}

bool pool_create(struct pool *p, uint32_t capacity)
{
    *p = (struct pool){.capacity = capacity, .free_first = TABLE_NONE};
    p->links = calloc(capacity, sizeof *p->links);
    return p->links != NULL;
}

void pool_destroy(struct pool *p)
{
    free(p->links);
}

uint32_t pool_next(const struct pool *p)
{
    if (p->free_first != TABLE_NONE)
        return p->free_first;
    return p->touched < p->capacity ? p->touched : TABLE_NONE;
}

uint32_t pool_take(struct pool *p)
{
    uint32_t item = pool_next(p);
    if (item == TABLE_NONE)
        return TABLE_NONE;
    if (item == p->free_first)
        p->free_first = p->links[item];
    else
        p->touched++;
    p->used++;
    return item;
}

void pool_give(struct pool *p, uint32_t item)
{
    assert(item < p->touched && p->used > 0);
    p->links[item] = p->free_first;
    p->free_first = item;
    p->used--;
}
