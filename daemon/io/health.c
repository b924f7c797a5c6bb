#include "io/health.h"
#include "io/clock.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#define LOOK_EVERY_MS 5000

struct health {
    uv_timer_t timer;
    uv_work_t work;
    const struct conf *conf;
    health_report_fn *report;
    void *ctx;
    bool asking; /* the disk; what follows belongs to a thread of libuv's pool meanwhile */
    char folder[4096];
    struct statvfs disk;
    bool readable;
};

/* On libuv's pool: on a disk that hangs the question is not answered until it goes on. */
static void ask_disk(uv_work_t *work)
{
    struct health *h = work->data;
    h->readable = statvfs(h->folder, &h->disk) == 0;
}

static void disk_answered(uv_work_t *work, int status)
{
    struct health *h = work->data;
    char text[LIMIT_TEXT];
    h->asking = false;
    if (!h->report) { /* health_destroy() */
        free(h);
        return;
    }
    if (!h->readable) {
        snprintf(text, sizeof text, "the folder %.150s cannot be read", h->folder);
        h->report(h->ctx, TROUBLE_DISK, "disk", true, text);
        return;
    }
    unsigned long long free_mb = (unsigned long long)h->disk.f_bavail * h->disk.f_frsize >> 20;
    bool low = free_mb < h->conf->daemon.disk_free_mb;
    snprintf(text, sizeof text, "the disk of %.150s has less than %u MB free: make room", h->folder,
             h->conf->daemon.disk_free_mb);
    h->report(h->ctx, TROUBLE_DISK, "disk", low, text);
}

static void look_at_disk(struct health *h)
{
    char text[LIMIT_TEXT];
    if (h->asking) {
        snprintf(text, sizeof text, "the disk of %.150s does not answer", h->folder);
        h->report(h->ctx, TROUBLE_DISK, "disk", true, text);
        return;
    }
    h->asking = true;
    snprintf(h->folder, sizeof h->folder, "%s", h->conf->daemon.state_dir);
    uv_queue_work(h->timer.loop, &h->work, ask_disk, disk_answered);
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
    h->timer.data = h->work.data = h;
    uv_timer_start(&h->timer, look, 0, LOOK_EVERY_MS);
    return h;
}

void health_conf_changed(struct health *h, const struct conf *conf)
{
    h->conf = conf;
}

static void closed(uv_handle_t *handle)
{
    struct health *h = handle->data;
    h->report = NULL;
    if (!h->asking)
        free(h);
}

void health_destroy(struct health *h)
{
    uv_close((uv_handle_t *)&h->timer, closed);
}
