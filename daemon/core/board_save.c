/* The board as bytes: a cache, so it may be as plain as this. Whatever does not fit exactly is not used. */
#include "board_layout.h"
#include "core/board_private.h"
#include <sodium.h>
#include <stddef.h>
#include <string.h>

struct header {
    char magic[16];
    uint64_t layout;   /* a hash of the headers: another build may have the same sizes and mean something else */
    uint32_t sizes[4]; /* of the structs: another machine, another layout */
    uint32_t counts[4];
    uint64_t capacity_lost;
    int64_t forgot_clock_ms;
    unsigned char hash[32]; /* of what stands before it, and of what follows */
};

struct part {
    void *items;
    size_t size;
    struct pool *pool;
    uint32_t limit;
};
#define PARTS 4

static void parts_of(struct board *b, struct part parts[PARTS])
{
    parts[0] = (struct part){b->alarms, sizeof *b->alarms, &b->alarm_pool, LIMIT_ALARMS};
    parts[1] = (struct part){b->presses, sizeof *b->presses, &b->press_pool, LIMIT_PRESSES};
    parts[2] = (struct part){b->memories, sizeof *b->memories, &b->memory_pool, LIMIT_DEVICES};
    parts[3] = (struct part){b->troubles, sizeof *b->troubles, &b->trouble_pool, LIMIT_TROUBLES};
}

static void header_of(struct board *b, struct header *h, size_t *body)
{
    struct part parts[PARTS];
    parts_of(b, parts);
    *h = (struct header){.magic = "tocsin-board-2", .layout = BOARD_LAYOUT, .capacity_lost = b->capacity_lost,
                          .forgot_clock_ms = b->forgot_clock_ms};
    *body = LIMIT_TROUBLES;
    for (unsigned i = 0; i < PARTS; i++) {
        h->sizes[i] = (uint32_t)parts[i].size;
        h->counts[i] = parts[i].pool->touched;
        *body += parts[i].size * parts[i].pool->touched + sizeof(uint32_t) * (parts[i].pool->touched + 2);
    }
    *body -= LIMIT_TROUBLES - b->trouble_pool.touched;
}

static void hash_of(unsigned char hash[32], const struct header *h, const void *body, size_t size)
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)h, offsetof(struct header, hash));
    crypto_hash_sha256_update(&state, body, size);
    crypto_hash_sha256_final(&state, hash);
}

size_t board_save(const struct board *constant, void *out, size_t capacity)
{
    struct board *b = (struct board *)constant; /* only read */
    struct header h;
    size_t body;
    header_of(b, &h, &body);
    if (!out || capacity < sizeof h + body)
        return sizeof h + body;
    struct part parts[PARTS];
    parts_of(b, parts);
    unsigned char *to = (unsigned char *)out + sizeof h;
    for (unsigned i = 0; i < PARTS; i++) {
        const struct pool *p = parts[i].pool;
        memcpy(to, parts[i].items, parts[i].size * p->touched);
        to += parts[i].size * p->touched;
        memcpy(to, p->links, sizeof(uint32_t) * p->touched);
        to += sizeof(uint32_t) * p->touched;
        memcpy(to, (uint32_t[]){p->free_first, p->used}, 2 * sizeof(uint32_t));
        to += 2 * sizeof(uint32_t);
    }
    memcpy(to, b->trouble_used, b->trouble_pool.touched);
    hash_of(h.hash, &h, (unsigned char *)out + sizeof h, body);
    memcpy(out, &h, sizeof h);
    return sizeof h + body;
}

static void rebuild(struct board *b)
{
    for (uint32_t i = 0; i < b->alarm_pool.touched; i++) {
        struct alarm *a = &b->alarms[i];
        if (!a->in_use)
            continue;
        table_insert(&b->alarms_by_id, table_hash(a->id, NULL), i);
        table_insert(&b->alarms_by_place, board_place_hash(a), i);
        a->heap_place = 0;
        a->gather_due_clock_ms = 0;
        a->deadline_posted = 0;
        a->published[0] = '\0';
        a->fresh = a->changed = true;
        b->fresh[b->fresh_count++] = i;
        b->changed[b->changed_count++] = i;
        for (unsigned k = 0; k < a->delivery_count; k++) {
            struct delivery *d = &a->deliveries[k];
            d->sending_version = d->sending_presses = 0;
            d->sent_clock_ms = 0;
            if (d->state == DELIVERY_SENT)
                d->state = DELIVERY_PENDING;
        }
        board_due_update(b, a);
        if (a->state != ALARM_CLOSED)
            b->open_count++;
        else
            b->closed[b->closed_count++] = i;
    }
    /* oldest first, as they were closed */
    for (uint32_t i = 1; i < b->closed_count; i++)
        for (uint32_t k = i; k > 0 && b->alarms[b->closed[k - 1]].closed_clock_ms >
                                          b->alarms[b->closed[k]].closed_clock_ms; k--) {
            uint32_t swap = b->closed[k];
            b->closed[k] = b->closed[k - 1];
            b->closed[k - 1] = swap;
        }
    for (uint32_t i = 0; i < b->memory_pool.touched; i++)
        table_insert(&b->memory_by_device, table_hash(b->memories[i].site, b->memories[i].device, NULL), i);
    for (uint32_t i = 0; i < b->trouble_pool.touched; i++)
        if (b->trouble_used[i])
            table_insert(&b->trouble_by_part,
                         table_hash(trouble_code_str(b->troubles[i].code), b->troubles[i].part, NULL), i);
}

/* Of this build, whole and undamaged? Then the pools have their sizes. */
static bool usable(struct board *b, struct part parts[PARTS], const struct header *h, const void *bytes, size_t size)
{
    for (unsigned i = 0; i < PARTS; i++) {
        if (h->sizes[i] != parts[i].size || h->counts[i] > parts[i].limit)
            return false;
        parts[i].pool->touched = h->counts[i];
    }
    struct header mine;
    size_t body;
    header_of(b, &mine, &body);
    if (memcmp(h->magic, mine.magic, sizeof h->magic) != 0 || h->layout != mine.layout || size != sizeof *h + body)
        return false;
    unsigned char hash[32];
    hash_of(hash, h, (const unsigned char *)bytes + sizeof *h, body);
    return memcmp(hash, h->hash, sizeof hash) == 0;
}

bool board_load(struct board *b, const void *bytes, size_t size)
{
    struct header h;
    if (size < sizeof h)
        return false;
    memcpy(&h, bytes, sizeof h);
    struct part parts[PARTS];
    parts_of(b, parts);
    if (!usable(b, parts, &h, bytes, size)) {
        for (unsigned i = 0; i < PARTS; i++)
            parts[i].pool->touched = 0;
        return false;
    }
    const unsigned char *from = (const unsigned char *)bytes + sizeof h;
    for (unsigned i = 0; i < PARTS; i++) {
        struct pool *p = parts[i].pool;
        uint32_t rest[2];
        memcpy(parts[i].items, from, parts[i].size * p->touched);
        from += parts[i].size * p->touched;
        memcpy(p->links, from, sizeof(uint32_t) * p->touched);
        from += sizeof(uint32_t) * p->touched;
        memcpy(rest, from, sizeof rest);
        from += sizeof rest;
        p->free_first = rest[0];
        p->used = rest[1];
    }
    memcpy(b->trouble_used, from, b->trouble_pool.touched);
    b->capacity_lost = h.capacity_lost;
    b->forgot_clock_ms = h.forgot_clock_ms;
    rebuild(b);
    return true;
}
