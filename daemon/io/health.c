#include "io/health.h"
#include "io/clock.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#define LOOK_EVERY_MS 5000

struct health {
    uv_timer_t timer;
    const struct conf *conf;
    health_report_fn *report;
    void *ctx;
};

static void look_at_disk(struct health *h)
{
    struct statvfs disk;
    char text[LIMIT_TEXT];
    const char *folder = h->conf->daemon.state_dir;
    if (statvfs(folder, &disk) != 0) {
        snprintf(text, sizeof text, "the folder %.150s cannot be read", folder);
        h->report(h->ctx, TROUBLE_DISK, "disk", true, text);
        return;
    }
    unsigned long long free_mb = (unsigned long long)disk.f_bavail * disk.f_frsize >> 20;
    bool low = free_mb < h->conf->daemon.disk_free_mb;
    snprintf(text, sizeof text, "the disk of %.150s has less than %u MB free: make room", folder,
             h->conf->daemon.disk_free_mb);
    h->report(h->ctx, TROUBLE_DISK, "disk", low, text);
}

static void look(uv_timer_t *timer)
{
    struct health *h = timer->data;
    look_at_disk(h);
    h->report(h->ctx, TROUBLE_CLOCK, "clock", !clock_synchronised(),
              "the wall clock is not synchronised: times in the record may be wrong, alarms and deadlines are not affected");
}

struct health *health_create(uv_loop_t *loop, const struct conf *conf, health_report_fn *report, void *ctx)
{
    struct health *h = calloc(1, sizeof *h);
    assert(h);
    *h = (struct health){.conf = conf, .report = report, .ctx = ctx};
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    uv_timer_start(&h->timer, look, 0, LOOK_EVERY_MS);
    return h;
}

void health_conf_changed(struct health *h, const struct conf *conf)
{
    h->conf = conf;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void health_destroy(struct health *h)
{
    uv_close((uv_handle_t *)&h->timer, closed);
}
