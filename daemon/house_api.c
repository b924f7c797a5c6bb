/* house_api.c - the API and the desk's page. Without them alarms go on, and their address is tried again until it is free,
 * there, and its certificate can be used. */
#include "house.h"
#include "io/log.h"
#include <stdio.h>

#define AGAIN_MS 5000

static bool open_api(struct house *h, char error[LIMIT_TEXT])
{
    char path[4096];
    snprintf(path, sizeof path, "%s/journal.db", h->conf->daemon.state_dir);
    h->api = api_create(&(struct api_options){.loop = h->loop,
                                              .engine = h->engine,
                                              .dispatch = h->dispatch,
                                              .mqtt = h->mqtt,
                                              .supervision = h->supervision,
                                              .history = h->history,
                                              .journal_file = path,
                                              .version = TOCSIN_VERSION},
                        error);
    if (!h->api)
        return false;
    log_format(LOG_LEVEL_INFO, "HTTP on port %u", api_port(h->api));
    snprintf(path, sizeof path, "%s/http.port", h->conf->daemon.state_dir);
    FILE *file = fopen(path, "we");
    if (file) {
        fprintf(file, "%u\n", api_port(h->api));
        fclose(file);
    }
    return true;
}

static void on_again(uv_timer_t *timer)
{
    house_open_api(timer->data);
}

void house_open_api(struct house *h)
{
    char error[LIMIT_TEXT], text[2 * LIMIT_TEXT] = "desks and tools are served";
    bool open = open_api(h, error);
    if (!open) {
        snprintf(text, sizeof text, "no desk and no tool can be served, alarms go on: %s", error);
        uv_timer_start(&h->api_again, on_again, AGAIN_MS, 0);
    }
    engine_trouble(h->engine, TROUBLE_CONF, "http_listen", !open, text);
}
