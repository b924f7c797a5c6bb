#include "conf/index.h"
#include <assert.h>
#include <string.h>

/* FNV-1a: the ids are the administrator's own, nobody floods this table. */
static uint32_t hash(uint32_t scope, const char *id)
{
    uint64_t h = 14695981039346656037u ^ scope * 2654435761u;
    for (; *id; id++)
        h = (h ^ (unsigned char)*id) * 1099511628211u;
    return (uint32_t)(h ^ h >> 32);
}

void index_init(struct index *ix, struct arena *arena, size_t count)
{
    uint32_t size = 16;
    while (size < count + count / 2)
        size *= 2;
    ix->mask = size - 1;
    ix->slots = arena_take(arena, size * sizeof *ix->slots);
}

static struct index_slot *slot_of(const struct index *ix, uint32_t scope, const char *id)
{
    uint32_t place = hash(scope, id) & ix->mask;
    for (uint32_t tries = 0; tries <= ix->mask; tries++, place = (place + 1) & ix->mask) {
        struct index_slot *slot = &ix->slots[place];
        if (!slot->id || (slot->scope == scope && strcmp(slot->id, id) == 0))
            return slot;
    }
    assert(!"index_init() was told how many ids there are");
    return NULL;
}

bool index_put(struct index *ix, uint32_t scope, const char *id, uint32_t value)
{
    struct index_slot *slot = slot_of(ix, scope, id);
    if (slot->id)
        return false;
    *slot = (struct index_slot){.id = id, .scope = scope, .value = value};
    return true;
}

uint32_t index_get(const struct index *ix, uint32_t scope, const char *id)
{
    const struct index_slot *slot = slot_of(ix, scope, id);
    return slot->id ? slot->value : INDEX_NONE;
}
