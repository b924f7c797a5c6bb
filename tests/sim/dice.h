/* dice.h - the only source of chance in a history: the same seed throws the same dice, on every machine. */
#ifndef SIM_DICE_H
#define SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_throw(struct dice *d) /* splitmix64 */
{
    uint64_t z = (d->state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline uint32_t dice_below(struct dice *d, uint32_t limit)
{
    return limit ? (uint32_t)(dice_throw(d) >> 32) % limit : 0;
}

static inline int64_t dice_between(struct dice *d, int64_t low, int64_t high)
{
    return low + (int64_t)(dice_throw(d) % (uint64_t)(high - low + 1));
}

static inline bool dice_chance(struct dice *d, uint32_t per_10000)
{
    return dice_below(d, 10000) < per_10000;
}

#endif
