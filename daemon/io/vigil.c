#include "io/vigil.h"

#define VIGIL_US 1000 /* longer than a healthy commit */
#define ATTEND_US 20  /* what is to be done meanwhile comes within this, or later than one round of the loop */

static void on_idle(uv_idle_t *idle)
{
    struct vigil *v = idle->data;
    v->meanwhile(v->ctx);
    if (wakeful_may(&v->wakeful, v->until_ns))
        wakeful_wait(&v->wakeful);
    else
        uv_idle_stop(idle);
}

void vigil_init(struct vigil *v, uv_loop_t *loop, bool (*meanwhile)(void *ctx), void *ctx)
{
    uv_idle_init(loop, &v->idle);
    v->idle.data = v;
    v->wakeful = (struct wakeful){0};
    v->meanwhile = meanwhile;
    v->ctx = ctx;
}

void vigil_begin(struct vigil *v)
{
    if (v->until_ns)
        return;
    uint64_t now_ns = uv_hrtime();
    v->until_ns = now_ns + VIGIL_US * 1000;
    if (!wakeful_may(&v->wakeful, v->until_ns))
        return;
    uv_idle_start(&v->idle, on_idle);
    while (!v->meanwhile(v->ctx) && uv_hrtime() < now_ns + ATTEND_US * 1000)
        ;
}

void vigil_end(struct vigil *v)
{
    v->until_ns = 0;
    uv_idle_stop(&v->idle);
}
