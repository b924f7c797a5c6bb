/* api.h - /api/v1, /healthz, /readyz, /metrics: the routes table over engine, board and history (proto/openapi.yaml). */
#ifndef TOCSIN_API_H
#define TOCSIN_API_H

#include "engine.h"
#include "io/dispatch_http.h"
#include "io/mqtt.h"
#include "io/web.h"
#include "journal/history.h"

struct api;

struct api_options {
    uv_loop_t *loop;
    struct engine *engine;
    struct dispatch *dispatch; /* for endpoint states */
    struct mqtt *mqtt;         /* for counts; NULL in tests */
    struct history *history;
    const char *version;
};

struct api *api_create(const struct api_options *, char error[256]); /* starts the web server of the engine's conf */
unsigned api_port(const struct api *);
void api_conf_changed(struct api *);
/* Each applied event goes to the feeds; `line` is the journal line. */
void api_event(struct api *, const struct event *, const char *line, size_t size);
void api_destroy(struct api *);

#endif
