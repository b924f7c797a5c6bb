#include "io/delay.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8 /* places a key may be in */

struct entry {
    uint64_t hash; /* 0 = free */
    unsigned wrong;
    int64_t last_ms;
};

struct delays {
    unsigned char key[crypto_shorthash_KEYBYTES];
    struct entry entries[DELAY_KEYS];
};

_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "a hash is a number");

struct delays *delays_create(void)
{
    struct delays *d = calloc(1, sizeof *d);
    if (d)
        crypto_shorthash_keygen(d->key);
    return d;
}

void delays_destroy(struct delays *d)
{
    free(d);
}

static uint64_t hash_of(const struct delays *d, const char *key)
{
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key, strlen(key), d->key);
    return hash ? hash : 1;
}

static const struct entry *set_of(const struct delays *d, uint64_t hash)
{
    return &d->entries[hash % (DELAY_KEYS / WAYS) * WAYS];
}

static const struct entry *find(const struct delays *d, const char *key, int64_t now_ms)
{
    uint64_t hash = hash_of(d, key);
    const struct entry *set = set_of(d, hash);
    for (int i = 0; i < WAYS; i++)
        if (set[i].hash == hash && now_ms - set[i].last_ms < DELAY_FORGET_S * 1000)
            return &set[i];
    return NULL;
}

int64_t delay_wait_ms(const struct delays *d, const char *key, int64_t now_ms)
{
    const struct entry *e = find(d, key, now_ms);
    if (!e || e->wrong < DELAY_FREE)
        return 0;
    unsigned doublings = e->wrong - DELAY_FREE;
    int64_t wait_s = doublings < 5 ? 1 << doublings : DELAY_MOST_S;
    int64_t wait_ms = e->last_ms + wait_s * 1000 - now_ms;
    return wait_ms > 0 ? wait_ms : 0;
}

unsigned delay_wrong_count(const struct delays *d, const char *key, int64_t now_ms)
{
    const struct entry *e = find(d, key, now_ms);
    return e ? e->wrong : 0;
}

void delay_wrong(struct delays *d, const char *key, int64_t now_ms)
{
    struct entry *e = (struct entry *)find(d, key, now_ms);
    if (!e) {
        uint64_t hash = hash_of(d, key);
        struct entry *set = (struct entry *)set_of(d, hash);
        e = &set[0];
        for (int i = 0; i < WAYS; i++) {
            if (set[i].hash == hash || !set[i].hash) {
                e = &set[i];
                break;
            }
            if (set[i].last_ms < e->last_ms)
                e = &set[i];
        }
        *e = (struct entry){.hash = hash};
    }
    e->wrong += e->wrong < 1000;
    e->last_ms = now_ms;
}

void delay_right(struct delays *d, const char *key)
{
    uint64_t hash = hash_of(d, key);
    struct entry *set = (struct entry *)set_of(d, hash);
    for (int i = 0; i < WAYS; i++)
        if (set[i].hash == hash)
            set[i] = (struct entry){0};
}
