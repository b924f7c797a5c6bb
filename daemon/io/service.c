#include "io/service.h"
#include "io/clock.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef TOCSIN_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

struct service {
    uv_timer_t watchdog;
};

static void tell(const char *state)
{
#ifdef TOCSIN_SYSTEMD
    sd_notify(0, state);
#endif
}

static uint64_t watchdog_us(void)
{
    uint64_t us = 0;
#ifdef TOCSIN_SYSTEMD
    if (sd_watchdog_enabled(0, &us) <= 0)
        return 0;
#endif
    return us;
}

static void feed(uv_timer_t *timer)
{
    tell("WATCHDOG=1");
}

struct service *service_create(uv_loop_t *loop)
{
    struct service *s = calloc(1, sizeof *s);
    assert(s);
    uv_timer_init(loop, &s->watchdog);
    s->watchdog.data = s;
    uint64_t us = watchdog_us();
    if (us > 0)
        uv_timer_start(&s->watchdog, feed, 0, us / 2000);
    return s;
}

void service_ready(struct service *s)
{
    tell("READY=1\nSTATUS=watching");
}

void service_reloading(struct service *s)
{
    struct timespec now;
    char text[80];
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell(text);
}

void service_reloaded(struct service *s)
{
    tell("READY=1\nSTATUS=watching");
}

void service_stopping(struct service *s)
{
    tell("STOPPING=1\nSTATUS=stopping");
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void service_destroy(struct service *s)
{
    uv_close((uv_handle_t *)&s->watchdog, closed);
}
