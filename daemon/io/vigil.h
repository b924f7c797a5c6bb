/* vigil.h - keeps the loop awake for the short time that a commit takes.
 *
 * A loop that sleeps in the kernel lets its processor sleep, too, and waking both costs tens of microseconds
 * that an alarm would wait for after its commit. So while a press is being committed the loop goes round
 * without sleeping, and handles whatever comes meanwhile. It offers its processor to
 * everybody else all the time (wakeful.h), and ends by itself after VIGIL_US: a slow disk does not make a
 * busy daemon.
 *
 *     vigil_init(&v, loop, meanwhile, ctx);  // meanwhile(ctx): useful short things, again and again; true: all done
 *     vigil_begin(&v);   // a press went to the journal; another one meanwhile changes nothing: in a storm it sleeps
 *     vigil_end(&v);     // everything is committed; always allowed
 *     uv_close(&v.idle)  // at the end
 */
#ifndef TOCSIN_VIGIL_H
#define TOCSIN_VIGIL_H

#include "wakeful.h"
#include <uv.h>

struct vigil {
    uv_idle_t idle;
    struct wakeful wakeful;
    uint64_t until_ns; /* 0 = none has begun */
    bool (*meanwhile)(void *ctx);
    void *ctx;
};

void vigil_init(struct vigil *, uv_loop_t *, bool (*meanwhile)(void *ctx), void *ctx);
void vigil_begin(struct vigil *);
void vigil_end(struct vigil *);

#endif
