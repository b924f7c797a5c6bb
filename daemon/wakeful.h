/* wakeful.h - to wait awake for something that comes within microseconds, without harm to a busy machine.
 *
 * A thread that sleeps needs tens of microseconds to wake up. One that waits awake offers its processor to
 * the others all the time; when somebody took the offer for longer than WAKEFUL_GIVEN_US the machine is busy,
 * and an offer would cost more than sleep does: then nobody waits awake for WAKEFUL_PAUSE_MS.
 *
 *     while (!there() && wakeful_may(&w, until_ns))
 *         wakeful_wait(&w);
 */
#ifndef TOCSIN_WAKEFUL_H
#define TOCSIN_WAKEFUL_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define WAKEFUL_GIVEN_US 300
#define WAKEFUL_PAUSE_MS 1000

struct wakeful { /* one a thread; zeroed before */
    uint64_t not_before_ns;
};

static inline bool wakeful_may(const struct wakeful *w, uint64_t until_ns)
{
    uint64_t now_ns = uv_hrtime();
    return now_ns >= w->not_before_ns && now_ns < until_ns;
}

static inline void wakeful_wait(struct wakeful *w)
{
    uint64_t before_ns = uv_hrtime();
    sched_yield();
    if (uv_hrtime() - before_ns > WAKEFUL_GIVEN_US * 1000)
        w->not_before_ns = before_ns + WAKEFUL_PAUSE_MS * 1000000ull;
}

#endif
