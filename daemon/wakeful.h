/* wakeful.h - to wait awake for something that comes within microseconds, without harm to a busy machine.
 *
 * A thread that sleeps needs tens of microseconds to wake up. One that waits awake offers its processor to
 * the others all the time; when somebody took the offer for longer than WAKEFUL_GIVEN_US the machine is busy,
 * and an offer would cost more than sleep does: then it sleeps instead for a few milliseconds, and for twice as
 * long each time that this comes again soon.
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
#define WAKEFUL_RESTS 20 /* pauses of the processor: a microsecond or less */
#define WAKEFUL_PAUSE_MIN_NS (8 * 1000000ull)
#define WAKEFUL_PAUSE_MAX_NS (1000 * 1000000ull)

struct wakeful { /* one a thread; zeroed before */
    uint64_t not_before_ns, pause_ns;
};

static inline bool wakeful_may(const struct wakeful *w, uint64_t until_ns)
{
    uint64_t now_ns = uv_hrtime();
    return now_ns >= w->not_before_ns && now_ns < until_ns;
}

static inline void wakeful_given(struct wakeful *w, uint64_t now_ns)
{
    bool again = w->pause_ns && now_ns < w->not_before_ns + 4 * w->pause_ns;
    uint64_t pause_ns = again ? 2 * w->pause_ns : WAKEFUL_PAUSE_MIN_NS;
    w->pause_ns = pause_ns < WAKEFUL_PAUSE_MAX_NS ? pause_ns : WAKEFUL_PAUSE_MAX_NS;
    w->not_before_ns = now_ns + w->pause_ns;
}

/* Two processors may be one core's two threads: who waits leaves that core to the one that works. */
static inline void wakeful_rest(void)
{
    for (int i = 0; i < WAKEFUL_RESTS; i++)
#if defined __x86_64__ || defined __i386__
        __builtin_ia32_pause();
#elif defined __aarch64__
        __asm__ volatile("yield" ::: "memory");
#else
        __asm__ volatile("" ::: "memory");
#endif
}

static inline void wakeful_wait(struct wakeful *w)
{
    wakeful_rest();
    uint64_t before_ns = uv_hrtime();
    sched_yield();
    uint64_t now_ns = uv_hrtime();
    if (now_ns - before_ns > WAKEFUL_GIVEN_US * 1000)
        wakeful_given(w, now_ns);
}

#endif
