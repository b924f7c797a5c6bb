#include "core/id.h"
#include "io/api_internal.h"
#include "io/log.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_MAX 9   /* parameters that one route knows */
#define SWEEP_MS 6000 /* between looks at what is over; ten refusals a minute reach the journal */

static const struct api_route {
    const char *method, *path; /* {id} stands for one part */
    enum api_access access;
    api_handler *handler;
    const char *query[QUERY_MAX];
    enum event_type deed;
} routes[] = {
    {"GET", "/healthz", API_PUBLIC, api_health, {0}, 0},
    {"GET", "/readyz", API_PUBLIC, api_ready, {0}, 0},
    {"GET", "/metrics", API_PUBLIC, api_metrics, {0}, 0},
    {"GET", "/api/v1/me", API_READ, api_me, {0}, 0},
    {"POST", "/api/v1/session", API_PUBLIC, api_sign_in, {0}, 0},
    {"GET", "/api/v1/session", API_READ, api_session, {0}, 0},
    {"DELETE", "/api/v1/session", API_READ, api_sign_out, {"everywhere"}, 0},
    {"GET", "/api/v1/alarms", API_READ, api_alarms, {"state", "site", "limit", "before"}, 0},
    {"GET", "/api/v1/alarms/{id}", API_READ, api_alarm, {0}, 0},
    {"POST", "/api/v1/alarms/{id}/acknowledge", API_ACT, api_deed, {0}, EVENT_ACKNOWLEDGED},
    {"POST", "/api/v1/alarms/{id}/coming", API_ACT, api_deed, {0}, EVENT_COMING},
    {"POST", "/api/v1/alarms/{id}/on-scene", API_ACT, api_deed, {0}, EVENT_ON_SCENE},
    {"POST", "/api/v1/alarms/{id}/close", API_ACT, api_deed, {0}, EVENT_CLOSED},
    {"POST", "/api/v1/alarms/{id}/notes", API_ACT, api_deed, {0}, EVENT_NOTE_ADDED},
    {"GET", "/api/v1/alarms/{id}/bundle", API_READ, api_bundle, {0}, 0},
    {"GET", "/api/v1/alarms/{id}/today", API_READ, api_today, {"answered"}, 0},
    {"POST", "/api/v1/presses", API_PRESS, api_press, {0}, 0},
    {"GET", "/api/v1/devices", API_READ, api_devices, {"site", "limit", "after"}, 0},
    {"GET", "/api/v1/endpoints", API_READ, api_endpoints, {0}, 0},
    {"GET", "/api/v1/troubles", API_READ, api_troubles, {0}, 0},
    {"GET", "/api/v1/refused", API_READ, api_refused, {"limit", "before"}, 0},
    {"GET", "/api/v1/sites", API_READ, api_sites, {0}, 0},
    {"GET", "/api/v1/sites/{id}", API_READ, api_guide, {0}, 0},
    {"GET", "/api/v1/maps/{id}/{id}", API_READ, api_map, {0}, 0},
    {"GET", "/api/v1/replay", API_JOURNAL, api_replay, {"seq", "alarm"}, 0},
    {"GET", "/api/v1/history", API_READ, api_history,
     {"site", "from", "to", "kind", "disposition", "mode", "text", "limit", "before"}, 0},
    {"GET", "/api/v1/figures", API_READ, api_figures, {"site", "from", "to", "offset_min"}, 0},
    {"GET", "/api/v1/feed", API_READ, api_feed, {"from"}, 0},
    {"GET", "/api/v1/journal", API_JOURNAL, api_journal, {"from", "limit"}, 0},
    {"GET", "/api/v1/journal/checkpoint", API_JOURNAL, api_checkpoint, {0}, 0},
    {"GET", "/api/v1/journal/proof", API_JOURNAL, api_proof, {"seq", "size"}, 0},
    {"GET", "/api/v1/journal/consistency", API_JOURNAL, api_consistency, {"old", "new"}, 0},
};
#define ROUTES (sizeof routes / sizeof routes[0])

/* --- Which route. */

static bool path_matches(const char *pattern, const char *path, char ids[API_IDS][LIMIT_ID])
{
    for (size_t count = 0;; count++) {
        const char *place = strstr(pattern, "{id}");
        if (!place)
            return strcmp(pattern, path) == 0;
        size_t before = (size_t)(place - pattern);
        if (strncmp(pattern, path, before) != 0)
            return false;
        path += before;
        size_t size = strcspn(path, "/");
        if (size == 0 || size >= LIMIT_ID)
            return false;
        memcpy(ids[count], path, size);
        ids[count][size] = '\0';
        pattern = place + 4;
        path += size;
    }
}

static bool method_matches(const struct api_route *route, const char *method)
{
    return strcmp(route->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

/* NULL: answered with 403, 404 or 405. */
static const struct api_route *find_route(struct api_call *c)
{
    const struct web_request *r = c->request;
    char allowed[64] = "";
    bool deed = false;
    for (size_t i = 0; i < ROUTES; i++) {
        if (!path_matches(routes[i].path, r->path, c->ids))
            continue;
        c->route = routes[i].path;
        if (method_matches(&routes[i], r->method))
            return &routes[i];
        deed = routes[i].access == API_ACT || routes[i].access == API_PRESS;
        snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), "%s%s", allowed[0] ? ", " : "Allow: ",
                 strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method);
    }
    if (!allowed[0])
        api_problem(c->request, &(struct api_problem){.type = API_NOT_FOUND},
                    "There is nothing at this address; proto/openapi.yaml names what there is.");
    else if (!deed || api_admitted_wrong_method(c))
        api_problem(c->request, &(struct api_problem){.type = API_METHOD, .headers = allowed},
                    "%.20s cannot be done here; %s.", r->method, allowed);
    return NULL;
}

/* False: a parameter that the route does not know, or one twice, was answered with 400. */
static bool query_known(struct api_call *c, const struct api_route *route)
{
    const struct web_request *r = c->request;
    for (size_t i = 0; i < r->query_count; i++) {
        bool known = false;
        for (size_t k = 0; k < QUERY_MAX; k++)
            known = known || (route->query[k] && strcmp(route->query[k], r->query[i].name) == 0);
        if (known && web_query(r, r->query[i].name) == r->query[i].value)
            continue;
        api_bad_query(c, r->query[i].name, known ? "is given twice" : "there is no such parameter here");
        return false;
    }
    return true;
}

static void on_request(void *ctx, struct web_request *r)
{
    struct api *api = ctx;
    struct api_call c = {.api = api, .request = r, .conf = engine_conf(api->options.engine)};
    c.head = strcmp(r->method, "HEAD") == 0;
    if (api_desk(&c))
        return;
    const struct api_route *route = find_route(&c);
    if (!route || !api_admitted(&c, route->access) || !query_known(&c, route))
        return;
    c.deed = route->deed;
    route->handler(&c);
}

/* --- Life. */

void api_hold(struct api *api)
{
    api->holders++;
}

void api_release(struct api *api)
{
    if (--api->holders > 0)
        return;
    api_feeds_finish(api);
    api_sessions_finish(api);
    api_replay_finish(api);
    web_files_destroy(api->files);
    free(api);
}

static void on_sweep(uv_timer_t *timer)
{
    api_sessions_sweep(timer->data);
    api_refusals_sweep(timer->data);
}

static void on_swept(uv_handle_t *handle)
{
    api_release(handle->data);
}

static void sweep_begin(struct api *api)
{
    uv_timer_init(api->options.loop, &api->sweep);
    uv_timer_start(&api->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    api->sweep.data = api;
    api_hold(api);
}

/* Without the page the API works all the same: only the log tells. */
static struct web_files *desk_files(const struct api *api)
{
    char error[256];
    const char *folder = engine_conf(api->options.engine)->daemon.http_desk_folder;
    struct web_files *files = web_files_load(folder, error);
    if (error[0])
        log_format(LOG_LEVEL_ERROR, "the desk's page in %s: %s", folder, error);
    return files;
}

struct api *api_create(const struct api_options *options, char error[256])
{
    struct api *api = calloc(1, sizeof *api);
    if (!api || !(api->options = *options, api_sessions_init(api))) {
        snprintf(error, 256, "out of memory");
        free(api);
        return NULL;
    }
    api->holders = 1;
    api_feeds_init(api);
    api->files = desk_files(api);
    const struct conf_daemon *conf = &engine_conf(options->engine)->daemon;
    struct web_options web = {.listen = conf->http_listen,
                              .tls_certificate_file = conf->http_tls_certificate_file,
                              .tls_key_file = conf->http_tls_key_file,
                              .on_request = on_request,
                              .ctx = api};
    api->tls = conf->http_tls_key_file != NULL;
    api->web = web_create(options->loop, &web, error);
    if (!api->web) {
        api_release(api);
        return NULL;
    }
    sweep_begin(api);
    api_archive_begin(api);
    return api;
}

unsigned api_port(const struct api *api)
{
    return web_port(api->web);
}

void api_conf_changed(struct api *api, struct web_files *take_files)
{
    memset(api->places, 0, sizeof api->places);
    api_sessions_sweep(api); /* of accounts that changed */
    if (!take_files)
        return;
    web_files_destroy(api->files);
    api->files = take_files;
}

void api_destroy(struct api *api)
{
    assert(!api->closing);
    api->closing = true;
    uv_close((uv_handle_t *)&api->sweep, on_swept);
    api_sessions_stop(api);
    web_destroy(api->web);
    api->web = NULL;
    api_archive_finish(api);
    api_release(api);
}
