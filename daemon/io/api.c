#include "core/id.h"
#include "io/api_internal.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_MAX 4 /* parameters that one route knows */

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
    {"GET", "/api/v1/alarms", API_READ, api_alarms, {"state", "site", "limit", "before"}, 0},
    {"GET", "/api/v1/alarms/{id}", API_READ, api_alarm, {0}, 0},
    {"POST", "/api/v1/alarms/{id}/acknowledge", API_ACT, api_deed, {0}, EVENT_ACKNOWLEDGED},
    {"POST", "/api/v1/alarms/{id}/coming", API_ACT, api_deed, {0}, EVENT_COMING},
    {"POST", "/api/v1/alarms/{id}/on-scene", API_ACT, api_deed, {0}, EVENT_ON_SCENE},
    {"POST", "/api/v1/alarms/{id}/close", API_ACT, api_deed, {0}, EVENT_CLOSED},
    {"POST", "/api/v1/alarms/{id}/notes", API_ACT, api_deed, {0}, EVENT_NOTE_ADDED},
    {"GET", "/api/v1/devices", API_READ, api_devices, {"site", "limit", "after"}, 0},
    {"GET", "/api/v1/endpoints", API_READ, api_endpoints, {0}, 0},
    {"GET", "/api/v1/troubles", API_READ, api_troubles, {0}, 0},
    {"GET", "/api/v1/refused", API_READ, api_refused, {"limit", "before"}, 0},
    {"GET", "/api/v1/sites", API_READ, api_sites, {0}, 0},
    {"GET", "/api/v1/feed", API_READ, api_feed, {"from"}, 0},
    {"GET", "/api/v1/journal", API_JOURNAL, api_journal, {"from", "limit"}, 0},
    {"GET", "/api/v1/journal/checkpoint", API_JOURNAL, api_checkpoint, {0}, 0},
    {"GET", "/api/v1/journal/proof", API_JOURNAL, api_proof, {"seq", "size"}, 0},
    {"GET", "/api/v1/journal/consistency", API_JOURNAL, api_consistency, {"old", "new"}, 0},
};
#define ROUTES (sizeof routes / sizeof routes[0])

/* --- Which route. */

static bool path_matches(const char *pattern, const char *path, char id[LIMIT_ID])
{
    const char *place = strstr(pattern, "{id}");
    if (!place)
        return strcmp(pattern, path) == 0;
    size_t before = (size_t)(place - pattern);
    if (strncmp(pattern, path, before) != 0)
        return false;
    size_t size = strcspn(path + before, "/");
    if (size == 0 || size >= LIMIT_ID || strcmp(place + 4, path + before + size) != 0)
        return false;
    memcpy(id, path + before, size);
    id[size] = '\0';
    return true;
}

static bool method_matches(const struct api_route *route, const char *method)
{
    return strcmp(route->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

/* NULL: answered with 404 or 405. */
static const struct api_route *find_route(struct api_call *c)
{
    const struct web_request *r = c->request;
    const char *allowed = NULL;
    for (size_t i = 0; i < ROUTES; i++) {
        if (!path_matches(routes[i].path, r->path, c->id))
            continue;
        if (method_matches(&routes[i], r->method))
            return &routes[i];
        allowed = strcmp(routes[i].method, "GET") == 0 ? "Allow: GET, HEAD" : "Allow: POST";
    }
    if (allowed)
        api_problem(c->request, &(struct api_problem){.type = API_METHOD, .headers = allowed},
                    "%.20s cannot be done here; %s.", r->method, allowed);
    else
        api_problem(c->request, &(struct api_problem){.type = API_NOT_FOUND},
                    "There is nothing at this address; proto/openapi.yaml names what there is.");
    return NULL;
}

/* --- Who, and may they. */

static bool unauthorized(struct api_call *c, const char *detail)
{
    static const char challenge[] = "WWW-Authenticate: Bearer realm=\"tocsin\"";
    api_problem(c->request, &(struct api_problem){.type = API_UNAUTHORIZED, .headers = challenge}, "%s",
                detail);
    return false;
}

static bool forbidden(struct api_call *c, const char *detail)
{
    api_problem(c->request, &(struct api_problem){.type = API_FORBIDDEN}, "%s", detail);
    return false;
}

static bool may_act(const struct conf_account *account)
{
    switch (account->role) {
    case ROLE_POLICE:
    case ROLE_BUREAU:
    case ROLE_GUARD:
    case ROLE_ADMIN:
        return true;
    case ROLE_VIEWER:
    case ROLE_COUNT:
        break;
    }
    return false;
}

static bool may_read_journal(const struct conf_account *account)
{
    return account->role == ROLE_ADMIN || account->site_count == 0;
}

/* False: answered with 401 or 403. */
static bool admitted(struct api_call *c, enum api_access access)
{
    if (access == API_PUBLIC)
        return true;
    const char *header = c->request->authorization;
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return unauthorized(c, "A token is needed: Authorization: Bearer tk_…");
    c->account = conf_account_by_token(c->conf, header + 7 + strspn(header + 7, " "));
    if (!c->account)
        return unauthorized(c, "This token is not known; ask the administrator for a new one.");
    if (access == API_ACT && !may_act(c->account))
        return forbidden(
            c, "This account may look, but not answer alarms; a police, bureau, guard or admin account may.");
    if (access == API_JOURNAL && !may_read_journal(c->account))
        return forbidden(c, "The journal holds all sites; this account sees only some of them.");
    return true;
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
    const struct api_route *route = find_route(&c);
    if (!route || !admitted(&c, route->access) || !query_known(&c, route))
        return;
    c.deed = route->deed;
    route->handler(&c);
}

void api_me(struct api_call *c)
{
    const struct conf_account *a = c->account;
    struct api_out out;
    api_out_begin(&out, 4096 + a->site_count * (LIMIT_ID + 4));
    struct json_out *o = &out.o;
    json_open(o, NULL, '{');
    json_text(o, "id", a->id);
    json_text(o, "name", a->name ? a->name : a->id);
    json_text(o, "role", role_str(a->role));
    if (a->site_count > 0) {
        json_open(o, "sites", '[');
        for (size_t i = 0; i < a->site_count; i++)
            json_text(o, NULL, a->sites[i]);
        json_close(o, ']');
    } else {
        json_text(o, "sites", NULL);
    }
    json_bool(o, "may_answer", may_act(a));
    json_bool(o, "may_read_journal", may_read_journal(a));
    json_close(o, '}');
    api_out_answer(&out, c->request);
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
    free(api);
}

struct api *api_create(const struct api_options *options, char error[256])
{
    struct api *api = calloc(1, sizeof *api);
    if (!api) {
        snprintf(error, 256, "out of memory");
        return NULL;
    }
    api->options = *options;
    api->holders = 1;
    api_feeds_init(api);
    const struct conf_daemon *conf = &engine_conf(options->engine)->daemon;
    struct web_options web = {.listen = conf->http_listen,
                              .tls_certificate_file = conf->http_tls_certificate_file,
                              .tls_key_file = conf->http_tls_key_file,
                              .on_request = on_request,
                              .ctx = api};
    api->web = web_create(options->loop, &web, error);
    if (!api->web) {
        api_release(api);
        return NULL;
    }
    return api;
}

unsigned api_port(const struct api *api)
{
    return web_port(api->web);
}

void api_conf_changed(struct api *api)
{
    memset(api->places, 0,
           sizeof api->places); /* nothing else is kept: accounts and sites are looked up by id */
}

void api_destroy(struct api *api)
{
    assert(!api->closing);
    api->closing = true;
    web_destroy(api->web);
    api->web = NULL;
    api_release(api);
}
