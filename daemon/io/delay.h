/* delay.h - who was wrong has to wait a little longer each time. Pure bookkeeping in a fixed table.
 *
 * Promises: the first DELAY_FREE wrong ones cost nothing, then 1, 2, 4, 8, 16 and at most DELAY_MOST_S
 * seconds; after DELAY_FORGET_S without a wrong one all is forgotten. The table never grows: when it is
 * crowded the entry that was wrong longest ago is forgotten, so that nobody is ever locked out by a full
 * table. Keys are hashed under a key of its own, so that nobody can choose whom to collide with. Does not:
 * know what a key stands for (browser and account, address, account), or read a clock.
 *
 *     struct delays *d = delays_create();
 *     int64_t wait_ms = delay_wait_ms(d, key, now_ms);        // > 0: not yet
 *     if (wrong) delay_wrong(d, key, now_ms); else delay_right(d, key);
 */
#ifndef TOCSIN_DELAY_H
#define TOCSIN_DELAY_H

#include <stdint.h>

#define DELAY_FREE 3       /* a person mistypes */
#define DELAY_MOST_S 30    /* a person can wait so long; a guesser gets 2,880 guesses a day */
#define DELAY_FORGET_S 900 /* a quarter of an hour */
#define DELAY_KEYS 8192    /* remembered at once, 32 bytes each */

struct delays;

struct delays *delays_create(void); /* NULL: no memory */
void delays_destroy(struct delays *);
int64_t delay_wait_ms(const struct delays *, const char *key, int64_t now_ms);
unsigned delay_wrong_count(const struct delays *, const char *key, int64_t now_ms); /* lately, in a row */
void delay_wrong(struct delays *, const char *key, int64_t now_ms);
void delay_right(struct delays *, const char *key);

#endif
