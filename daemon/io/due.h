/* due.h - many moments on one timer of the loop: a heap of things that are to ring.
 *
 *     due_init(&dues, loop);
 *     thing->due.ring = ring;             // zeroed before
 *     due_set(&dues, &thing->due, due_now_ms() + 1000);   // again: moves it
 *     due_clear(&dues, &thing->due);      // always allowed
 *     due_close(&dues, closed);           // `closed` gets &dues, which may be freed then
 *
 * After a standstill of the loop its sockets are read before anything rings (standstill.h).
 */
#ifndef TOCSIN_DUE_H
#define TOCSIN_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct due {
    uint64_t at_ms;
    size_t place;               /* in the heap, from 1; 0 = not set */
    void (*ring)(struct due *); /* on the loop; it is not set any more then, and may be set again or freed */
};

struct dues {
    uv_timer_t timer;
    struct due **heap;
    size_t count, capacity;
    uint64_t timer_at_ms; /* 0 = not running */
    bool reading;         /* what is late waits for it: standstill.h */
    void (*closed)(struct dues *);
};

void due_init(struct dues *, uv_loop_t *);
uint64_t due_now_ms(void);                                 /* a clock that never steps */
void due_set(struct dues *, struct due *, uint64_t at_ms);
void due_clear(struct dues *, struct due *);
void due_close(struct dues *, void (*closed)(struct dues *));

#endif
