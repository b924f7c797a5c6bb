#include "io/vigil.h"
#include <sched.h>

#define VIGIL_US 1000 /* longer than a healthy commit */

static void on_idle(uv_idle_t *idle)
{
    struct vigil *v = idle->data;
    if (uv_hrtime() >= v->until_ns)
        vigil_end(v);
    else
        sched_yield();
}

void vigil_init(struct vigil *v, uv_loop_t *loop)
{
    uv_idle_init(loop, &v->idle);
    v->idle.data = v;
}

void vigil_begin(struct vigil *v)
{
    v->until_ns = uv_hrtime() + VIGIL_US * 1000;
    uv_idle_start(&v->idle, on_idle);
}

void vigil_end(struct vigil *v)
{
    uv_idle_stop(&v->idle);
}
