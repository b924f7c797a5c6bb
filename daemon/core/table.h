/* table.h - items by hash, and free places by number: the two structures of the board. No allocation after create.
 *
 * Items are numbered from 0 and kept by the caller in an array; TABLE_NONE ends every chain.
 *
 *     for (uint32_t i = table_first(&t, hash); i != TABLE_NONE; i = table_next(&t, i))
 *         if (same(&items[i], key)) …
 */
#ifndef TOCSIN_TABLE_H
#define TOCSIN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_NONE UINT32_MAX

struct table { /* all zero is empty: links are stored as number + 1 */
    uint32_t *buckets, *links;
    uint32_t mask;
};
bool table_create(struct table *, uint32_t items);
void table_destroy(struct table *);
void table_insert(struct table *, uint64_t hash, uint32_t item);
void table_remove(struct table *, uint64_t hash, uint32_t item);
uint32_t table_first(const struct table *, uint64_t hash);
uint32_t table_next(const struct table *, uint32_t item);

/* FNV-1a, 64 bit, over texts joined by NUL: (…, NULL) ends the list. */
uint64_t table_hash(const char *first, ...) __attribute__((sentinel));

struct pool {
    uint32_t *links; /* of free places */
    uint32_t capacity, touched, free_first, used;
};
bool pool_create(struct pool *, uint32_t capacity);
void pool_destroy(struct pool *);
uint32_t pool_next(const struct pool *); /* what pool_take() would give */
uint32_t pool_take(struct pool *);       /* TABLE_NONE: full */
void pool_give(struct pool *, uint32_t item);

#endif
