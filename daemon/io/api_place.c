#include "core/table.h"
#include "io/api_internal.h"
#include <string.h>

bool api_sees(const struct conf_account *account, const char *site)
{
    return account && (site[0] == '\0' || conf_account_sees(account, site));
}

const struct conf_account *api_account(const struct api *api, const char *id)
{
    const struct conf *conf = engine_conf(api->options.engine);
    for (size_t i = 0; i < conf->account_count; i++)
        if (strcmp(conf->accounts[i].id, id) == 0)
            return &conf->accounts[i];
    return NULL;
}

const struct conf_site *api_site(struct api_call *c, const char *id)
{
    const struct conf_site *site = conf_site(c->conf, id);
    if (site && api_sees(c->account, id))
        return site;
    if (site)
        api_refused_site(c);
    api_bad_query(c, "site", "there is no such site, or this account does not see it");
    return NULL;
}

static void copy(char *to, const char *from, size_t size, size_t capacity)
{
    size = strnlen(from, size);
    if (size >= capacity)
        size = capacity - 1;
    memcpy(to, from, size);
    to[size] = '\0';
}

static struct api_place *place_of(struct api *api, const char *alarm)
{
    return &api->places[table_hash(alarm, NULL) % API_PLACES];
}

void api_place_put(struct api *api, const char *alarm, const char *site)
{
    struct api_place *place = place_of(api, alarm);
    copy(place->alarm, alarm, LIMIT_ALARM_ID, sizeof place->alarm);
    copy(place->site, site, LIMIT_ID, sizeof place->site);
}

static bool alarm_site(struct api *api, const char *alarm, char site[LIMIT_ID])
{
    const struct alarm *a = board_alarm(engine_board(api->options.engine), alarm);
    const struct api_place *place = place_of(api, alarm);
    bool remembered = strcmp(place->alarm, alarm) == 0;
    if (a || remembered)
        copy(site, a ? a->site : place->site, LIMIT_ID, LIMIT_ID);
    return a || remembered;
}

static bool trouble_site(struct api *api, const struct event_trouble *t, char site[LIMIT_ID])
{
    if (t->code == TROUBLE_PLAN_EXHAUSTED) /* part is the alarm */
        return alarm_site(api, t->part, site);
    copy(site, t->part, trouble_is_of_device(t->code) ? strcspn(t->part, "/") : 0, LIMIT_ID);
    return true;
}

bool api_event_site(struct api *api, const struct event *e, char site[LIMIT_ID])
{
    switch (e->type) {
    case EVENT_PRESS_RECEIVED:
        api_place_put(api, e->alarm, e->press.site);
        copy(site, e->press.site, LIMIT_ID, LIMIT_ID);
        return true;
    case EVENT_PRESS_REFUSED:
        copy(site, e->press.site, LIMIT_ID, LIMIT_ID);
        return true;
    case EVENT_TROUBLE_RAISED:
    case EVENT_TROUBLE_CLEARED:
        return trouble_site(api, &e->trouble, site);
    case EVENT_DEADLINE_PASSED:
    case EVENT_DELIVERY_RESULT:
    case EVENT_ACKNOWLEDGED:
    case EVENT_COMING:
    case EVENT_ON_SCENE:
    case EVENT_CLOSED:
    case EVENT_NOTE_ADDED:
        return alarm_site(api, e->alarm, site);
    case EVENT_SIGNED_IN:
    case EVENT_SIGNED_OUT:
    case EVENT_SIGN_IN_REFUSED:
    case EVENT_ACTION_REFUSED: /* who came is nobody's business who sees only some sites */
        memcpy(site, NOBODYS, sizeof NOBODYS);
        return true;
    case EVENT_DAEMON_STARTED:
    case EVENT_DAEMON_STOPPED:
    case EVENT_CONF_LOADED:
    case EVENT_JOURNAL_GAP:
    case EVENT_TYPE_COUNT:
        break;
    }
    site[0] = '\0';
    return true;
}
