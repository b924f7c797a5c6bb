/* index.h - finds a thing by its id, at once, among those of the same scope.
 *
 *     struct index ix;
 *     index_init(&ix, &arena, 1000);               // room for 1000 ids
 *     index_put(&ix, SCOPE_SITES, "school-1", 0);   // true; false: the id was there, the first stays
 *     uint32_t n = index_get(&ix, SCOPE_SITES, "school-1"); // 0, or INDEX_NONE
 *
 * Keeps pointers to the ids, no copies. The memory is the arena's.
 */
#ifndef TOCSIN_INDEX_H
#define TOCSIN_INDEX_H

#include "conf/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_NONE UINT32_MAX

struct index_slot {
    const char *id; /* NULL = free */
    uint32_t scope, value;
};

struct index {
    struct index_slot *slots;
    uint32_t mask;
};

void index_init(struct index *, struct arena *, size_t count);
bool index_put(struct index *, uint32_t scope, const char *id, uint32_t value);
uint32_t index_get(const struct index *, uint32_t scope, const char *id);

#endif
