/* house_reload.c - the configuration is read beside the loop and exchanged on it. */
#include "house.h"
#include "io/log.h"
#include "memory.h"
#include <stdio.h>
#include <stdlib.h>

struct reload {
    uv_work_t work;
    struct house *house;
    struct conf *conf;
    struct conf_copy *copy;
    struct web_files *files; /* the desk's page; NULL = the old one stays */
    struct conf_problems problems;
};

struct mqtt_late house_late_devices(const struct conf *conf)
{
    struct mqtt_late late = {.names = memory_take((conf->device_count + 1) * sizeof *late.names)};
    for (uint32_t i = 0; i < conf->device_count; i++) {
        const struct conf_device *device = conf_device_at(conf, i);
        if (device->puback != CONF_PUBACK_AFTER_COMMIT)
            continue;
        if (asprintf(&late.names[late.count++], "%s/%s", conf_device_site(conf, i)->id, device->id) < 0)
            memory_end();
    }
    return late;
}

static void read_conf(uv_work_t *work)
{
    struct reload *r = work->data;
    char error[256] = "";
    r->conf = conf_load_and_copy(r->house->conf_file, &r->problems, r->house->last_good_file ? &r->copy : NULL);
    if (r->conf)
        r->files = web_files_load(r->conf->daemon.http_desk_folder, error);
    if (error[0])
        log_format(LOG_LEVEL_ERROR, "the desk's page in %s: %s; the old one stays", r->conf->daemon.http_desk_folder, error);
}

static void log_problems(const struct conf_problems *problems)
{
    for (size_t i = 0; i < problems->count && i < CONF_PROBLEMS; i++)
        log_line(LOG_LEVEL_ERROR, "", problems->lines[i]);
}

/* `problem`: the first of them. */
static void refused(struct house *h, const char *problem)
{
    char *text;
    if (asprintf(&text, "the new configuration was refused, the old one stays: %s", problem) < 0)
        memory_end();
    engine_trouble(h->engine, TROUBLE_CONF, "configuration", true, text);
    free(text);
}

static void exchange_conf(uv_work_t *work, int status)
{
    struct reload *r = work->data;
    struct house *h = r->house;
    h->reloading = false;
    if (h->stopping || !r->conf) {
        log_problems(&r->problems);
        if (!h->stopping)
            refused(h, r->problems.lines[0]);
        conf_destroy(r->conf);
        conf_copy_destroy(r->copy);
        web_files_destroy(r->files);
    } else {
        struct conf *old = h->conf;
        h->conf = r->conf;
        conf_keep_journal(h->conf, old);
        engine_set_conf(h->engine, h->conf);
        dispatch_configure(h->dispatch, h->conf);
        if (h->api)
            api_conf_changed(h->api, r->files);
        else
            web_files_destroy(r->files);
        mqtt_set_late_devices(h->mqtt, house_late_devices(h->conf));
        health_conf_changed(h->health, h->conf);
        house_configured(h, r->copy, "the configuration was reloaded");
        log_line(LOG_LEVEL_INFO, "",
                 "the configuration was reloaded; what counts from the next start only stands in tocsin.yaml(5)");
        conf_destroy(old);
    }
    conf_problems_finish(&r->problems);
    free(r);
    service_reloaded(h->service);
    if (h->reload_again || h->stopping)
        house_reload(h);
}

void house_reload(struct house *h)
{
    h->reload_again = h->reloading || h->stopping; /* the file may have changed after it was read */
    if (h->reload_again)
        return;
    struct reload *r = memory_zeroed(1, sizeof *r);
    service_reloading(h->service);
    h->reloading = true;
    r->work.data = r;
    r->house = h;
    uv_queue_work(h->loop, &r->work, read_conf, exchange_conf);
}
