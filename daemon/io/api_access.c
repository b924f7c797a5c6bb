/* Who asks, may he, and what the journal is told of those who may not. */
#include "core/id.h"
#include "io/api_internal.h"
#include "io/clock.h"
#include <stdio.h>
#include <string.h>

#define REFUSALS_AT_ONCE 30 /* lines; a sweep makes room for one more */

static bool unauthorized(struct api_call *c, const char *detail)
{
    static const char challenge[] = "WWW-Authenticate: Bearer realm=\"tocsin\"";
    api_problem(c->request, &(struct api_problem){.type = API_UNAUTHORIZED, .headers = challenge}, "%s",
                detail);
    return false;
}

bool api_may_act(const struct conf_account *account)
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

bool api_may_read_journal(const struct conf_account *account)
{
    return account->role == ROLE_ADMIN || account->site_count == 0;
}

/* --- The journal is told. */

void api_access_of(struct api_call *c, enum access_reason reason, struct event_access *out)
{
    *out = (struct event_access){.reason = reason, .count = 1};
    web_address(c->request, out->address);
    if (c->account) {
        snprintf(out->by, sizeof out->by, "%.*s", LIMIT_ID - 1, c->account->id);
        out->role = c->account->role;
    }
    bool plain = c->route && id_valid(c->ids[0]) && (!c->ids[1][0] || id_valid(c->ids[1])) &&
                 strlen(c->request->path) < 80; /* words of others stay out */
    if (c->route)
        snprintf(out->action, sizeof out->action, "%.7s %.80s", c->request->method,
                 plain ? c->request->path : c->route);
}

void api_refusal(struct api *api, enum event_type type, const struct event_access *access)
{
    bool action = type == EVENT_ACTION_REFUSED;
    struct event_access *last = &api->refusals.gathered[action].last;
    unsigned *count = &api->refusals.gathered[action].count;
    *last = *access;
    ++*count;
    if (api->refusals.room == 0)
        return;
    api->refusals.room--;
    last->count = *count;
    *count = 0;
    engine_access(api->options.engine, type, last);
}

void api_refusals_sweep(struct api *api)
{
    struct api_refusals *r = &api->refusals;
    r->room += r->room < REFUSALS_AT_ONCE;
    for (int action = 0; action < 2 && r->room > 0; action++) {
        if (r->gathered[action].count == 0)
            continue;
        r->room--;
        r->gathered[action].last.count = r->gathered[action].count;
        r->gathered[action].count = 0;
        engine_access(api->options.engine, action ? EVENT_ACTION_REFUSED : EVENT_SIGN_IN_REFUSED,
                      &r->gathered[action].last);
    }
}

static void refused(struct api_call *c, enum access_reason reason)
{
    struct event_access access;
    api_access_of(c, reason, &access);
    api_refusal(c->api, EVENT_ACTION_REFUSED, &access);
}

void api_refused_site(struct api_call *c)
{
    refused(c, ACCESS_SITE);
}

static bool forbidden(struct api_call *c, const char *detail)
{
    refused(c, ACCESS_ROLE);
    api_problem(c->request, &(struct api_problem){.type = API_FORBIDDEN}, "%s", detail);
    return false;
}

static bool foreign(struct api_call *c, const char *detail)
{
    refused(c, ACCESS_FOREIGN);
    api_problem(c->request, &(struct api_problem){.type = API_FOREIGN}, "%s", detail);
    return false;
}

/* --- Is it our own page that asks? */

/* With TLS ended in front of us the page has https and we have not; the other way round is no page of ours.
 */
static bool own_origin(const struct api *api, const char *origin, const char *host)
{
    const char *rest = strncasecmp(origin, "https://", 8) == 0               ? origin + 8
                       : !api->tls && strncasecmp(origin, "http://", 7) == 0 ? origin + 7
                                                                             : NULL;
    return rest && host && host[0] && strcasecmp(rest, host) == 0;
}

bool api_own_page(struct api_call *c, bool must_say)
{
    const char *origin = web_header(c->request, "Origin"), *site = web_header(c->request, "Sec-Fetch-Site");
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return false;
    if (origin)
        return own_origin(c->api, origin, web_header(c->request, "Host"));
    return site != NULL || !must_say;
}

static bool is_reading(const struct api_call *c)
{
    return c->head || strcmp(c->request->method, "GET") == 0;
}

/* A browser sends the cookie whoever made it send the request. */
static bool own_request(struct api_call *c)
{
    if (!api_own_page(c, !is_reading(c)))
        return foreign(c, "This request does not come from the desk's own page.");
    if (!is_reading(c) && !session_csrf_matches(c->session, web_header(c->request, "X-CSRF-Token")))
        return foreign(
            c, "The header X-CSRF-Token must be the csrf of GET /api/v1/session; load the page anew.");
    return true;
}

/* --- Who. */

/* From the token or the cookie; false: there is neither, or it is not good. */
static bool recognised(struct api_call *c)
{
    const char *header = c->request->authorization, *id = web_cookie(c->request, API_COOKIE);
    if (header && strncasecmp(header, "Bearer ", 7) == 0) {
        c->token = header + 7 + strspn(header + 7, " ");
        c->account = conf_account_by_token(c->conf, c->token);
    } else if (!header && id) {
        c->session = session_find(c->api->sessions, id, clock_boottime_ms());
        c->account = c->session ? api_session_account(c->api, c->session) : NULL;
    }
    return c->account != NULL;
}

bool api_admitted(struct api_call *c, enum api_access access)
{
    if (access == API_PUBLIC)
        return true;
    if (!recognised(c)) {
        const char *header = c->request->authorization;
        bool bearer = header && strncasecmp(header, "Bearer ", 7) == 0;
        return unauthorized(
            c, bearer ? "This token is not known; ask the administrator for a new one."
               : !header && web_cookie(c->request, API_COOKIE)
                   ? "This session is over; sign in again."
                   : "A token is needed: Authorization: Bearer tk_…, or a session: POST /api/v1/session");
    }
    if (c->session && !own_request(c))
        return false;
    if (access == API_ACT && !api_may_act(c->account))
        return forbidden(
            c, "This account may look, but not answer alarms; a police, bureau, guard or admin account may.");
    if (access == API_PRESS && !c->account->presses_as)
        return forbidden(c, "This account may not press: its configuration names no device that it presses as.");
    if (access == API_JOURNAL && !api_may_read_journal(c->account))
        return forbidden(c, "The journal holds all sites; this account sees only some of them.");
    return true;
}

bool api_admitted_wrong_method(struct api_call *c)
{
    if (!is_reading(c) || !recognised(c) || !c->session)
        return true;
    return foreign(c, "This changes something and needs POST; the desk's own page never asks so.");
}
