#include "conf/check.h"
#include "conf/secrets.h"
#include <arpa/inet.h>
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define WRONG(c, where, ...) problem_at((c)->problems, where, __VA_ARGS__)

/* -- ids
 * -----------------------------------------------------------------------------------------------------------
 */

/* An array of structs whose first member is their id. */
struct things {
    const char *what;
    const void *array;
    size_t count, size;
    uint32_t scope;
};

_Static_assert(offsetof(struct conf_endpoint, id) == 0 && offsetof(struct conf_plan, id) == 0 &&
                   offsetof(struct conf_site, id) == 0 && offsetof(struct conf_account, id) == 0 &&
                   offsetof(struct conf_zone, id) == 0 && offsetof(struct conf_device, id) == 0,
               "struct things");

static const char *thing_id(const void *things, size_t index)
{
    const struct things *t = things;
    return *(char *const *)((const char *)t->array + index * t->size);
}

static struct things endpoints_of(const struct check *c)
{
    return (struct things){"endpoint", c->conf->endpoints, c->conf->endpoint_count,
                           sizeof(struct conf_endpoint), SCOPE_ENDPOINT};
}

static struct things plans_of(const struct check *c)
{
    return (struct things){"plan", c->root->plans, c->root->plan_count, sizeof(struct conf_plan), SCOPE_PLAN};
}

static struct things sites_of(const struct check *c)
{
    return (struct things){"site", c->conf->sites, c->conf->site_count, sizeof(struct conf_site), SCOPE_SITE};
}

static struct things accounts_of(const struct check *c)
{
    return (struct things){"account", c->conf->accounts, c->conf->account_count, sizeof(struct conf_account),
                           SCOPE_ACCOUNT};
}

static struct things zones_of(const struct check *c, size_t site)
{
    const struct conf_site *s = &c->conf->sites[site];
    return (struct things){"zone", s->zones, s->zone_count, sizeof *s->zones, scope_zones(site)};
}

static struct things devices_of(const struct check *c, size_t site)
{
    const struct conf_site *s = &c->conf->sites[site];
    return (struct things){"device", s->devices, s->device_count, sizeof *s->devices, scope_devices(site)};
}

static void put_id(const struct check *c, const struct things *t, size_t i, const struct where *entry)
{
    const char *id = thing_id(t, i);
    if (!id || index_put(c->index, t->scope, id, (uint32_t)i))
        return;
    struct where where = where_key(*entry, "id");
    WRONG(c, &where, "another %s has the id \"%s\" already; each needs its own", t->what, id);
}

static void put_ids(const struct check *c, struct things t, const struct where *parent, const char *key)
{
    for (size_t i = 0; i < t.count; i++) {
        struct where entry = where_entry(*parent, key, (uint32_t)i);
        put_id(c, &t, i, &entry);
    }
}

/* The index of the thing that `id` names, or INDEX_NONE after saying so. */
static uint32_t resolve(const struct check *c, const struct things *t, const char *id,
                        const struct where *where)
{
    uint32_t found = index_get(c->index, t->scope, id);
    if (found == INDEX_NONE)
        WRONG(c, where, "no %s has the id %s%s", t->what, problem_quote(c->problems, id),
              problem_hint(c->problems, id, thing_id, t, t->count, "; define it, or name another"));
    return found;
}

static void check_ids(const struct check *c)
{
    const struct where top = where_file(0);
    put_ids(c, endpoints_of(c), &top, "endpoints");
    put_ids(c, plans_of(c), &top, "plans");
    const struct things sites = sites_of(c), accounts = accounts_of(c);
    for (size_t i = 0; i < accounts.count; i++)
        put_id(c, &accounts, i, &c->account_places[i]);
    for (size_t i = 0; i < sites.count; i++) {
        put_id(c, &sites, i, &c->site_places[i]);
        put_ids(c, zones_of(c, i), &c->site_places[i], "zones");
        put_ids(c, devices_of(c, i), &c->site_places[i], "devices");
    }
}

/* -- daemon and broker
 * --------------------------------------------------------------------------------------------- */

static void check_both(const struct check *c, const struct where *at, const char *key_a, const char *a,
                       const char *key_b, const char *b)
{
    if (!a == !b)
        return;
    struct where where = where_key(*at, a ? key_a : key_b);
    WRONG(c, &where, "is given without %s; give both or none", a ? key_b : key_a);
}

static void check_needs(const struct check *c, const struct where *at, const char *key, const char *value,
                        const char *needed_key, const char *needed)
{
    struct where where = where_key(*at, key);
    if (value && !needed)
        WRONG(c, &where, "has no use without %s; give that too, or leave this out", needed_key);
}

static bool port_valid(const char *text, bool zero)
{
    size_t digits = strspn(text, "0123456789");
    long port = digits >= 1 && digits <= 5 && !text[digits] ? strtol(text, NULL, 10) : -1;
    return port >= (zero ? 0 : 1) && port <= 65535;
}

/* "127.0.0.1:8080", "[::1]:8080" */
static bool listen_valid(const char *text)
{
    char host[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    const char *colon = strrchr(text, ':');
    bool six = text[0] == '[';
    if (!colon || !port_valid(colon + 1, true) || (six && (colon == text || colon[-1] != ']')))
        return false;
    size_t size = (size_t)(colon - text) - (six ? 2 : 0);
    if (size >= sizeof host)
        return false;
    memcpy(host, text + six, size);
    host[size] = '\0';
    return inet_pton(six ? AF_INET6 : AF_INET, host, address) == 1;
}

static void check_daemon(const struct check *c)
{
    const struct conf_daemon *d = &c->conf->daemon;
    const struct where at = where_key(where_file(0), "daemon");
    struct where name = where_key(at, "name"), listen = where_key(at, "http_listen");
    if (d->name && !secret_journal_name(d->name))
        WRONG(c, &name,
              "%s cannot name the journal's key; write it without spaces and plus signs, such as "
              "tocsin.example.edu",
              problem_quote(c->problems, d->name));
    if (d->http_listen && !listen_valid(d->http_listen))
        WRONG(c, &listen, "%s is no numeric address and port; write it as 127.0.0.1:8080 or [::1]:8080",
              problem_quote(c->problems, d->http_listen));
    check_both(c, &at, "http_tls_certificate_file", d->http_tls_certificate_file, "http_tls_key_file",
               d->http_tls_key_file);
}

static void check_login(const struct check *c, const struct conf_login *login, const struct where *at, const char *ca_key)
{
    check_both(c, at, "certificate_file", login->certificate_file, "key_file", login->key_file);
    check_needs(c, at, "certificate_file", login->certificate_file, ca_key, c->conf->broker.ca_file);
    check_needs(c, at, "password_file", login->password_file, "username", login->username);
}

static bool same_file(const char *a, const char *b)
{
    struct stat one, other;
    return a && b && stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* The broker's connections: each has a name of its own, or the broker ends the one when the other comes. */
static void check_logins(const struct check *c, const struct where *broker)
{
    const struct conf_broker *b = &c->conf->broker;
    const struct {
        const char *key, *as;
        const struct conf_login *login;
    } logins[] = {{"", "broker", &b->login},
                  {"supervision", "broker.supervision", &b->supervision},
                  {"receipts", "broker.receipts", &b->receipts}};
    for (size_t i = 1; i < sizeof logins / sizeof *logins; i++) {
        const struct conf_login *one = logins[i].login;
        const struct where at = where_key(*broker, logins[i].key);
        struct where client_id = where_key(at, "client_id"), certificate = where_key(at, "certificate_file");
        for (size_t k = 0; k < i; k++) {
            const struct conf_login *other = logins[k].login;
            if (one->client_id && other->client_id && strcmp(one->client_id, other->client_id) == 0)
                WRONG(c, &client_id,
                      "\"%s\" is %s.client_id, too; two connections under one client id throw each other out: write "
                      "another, such as tocsin-%s",
                      one->client_id, logins[k].as, logins[i].key);
            if (same_file(one->certificate_file, other->certificate_file))
                WRONG(c, &certificate,
                      "is %s.certificate_file, too; its name is the client id, and two connections under one client id "
                      "throw each other out: issue another with `certificates renew %s`",
                      logins[k].as, logins[i].key);
        }
        check_login(c, one, &at, "broker.ca_file");
    }
}

static void check_broker(const struct check *c)
{
    const struct conf_broker *b = &c->conf->broker;
    const struct where at = where_key(where_file(0), "broker");
    struct where address = where_key(at, "address");
    if (b->address && (strpbrk(b->address, " /@") || strstr(b->address, "://")))
        WRONG(c, &address,
              "%s is no host; write the address alone, such as 10.0.0.2, and the port under port",
              problem_quote_address(c->problems, b->address));
    check_login(c, &b->login, &at, "ca_file");
    check_logins(c, &at);
}

/* -- endpoints
 * ----------------------------------------------------------------------------------------------------- */

/* A host that ends in a number is an address, of which there are many ways to write (RFC 3986, section 7.4): 010.0.0.1 is
 * 8.0.0.1 for some. */
static const char *host_fault(const char *host)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    unsigned char address[sizeof(struct in_addr)];
    const char *last = strrchr(host, '.');
    last = last ? last + 1 : host;
    if (host[0] == '\0')
        return "has no host";
    if (host[strspn(host, allowed)] != '\0')
        return "has a host with other characters than A-Z a-z 0-9 _ . -";
    bool is_number = last[0] != '\0' && (last[strspn(last, "0123456789")] == '\0' || strncasecmp(last, "0x", 2) == 0);
    if (is_number && inet_pton(AF_INET, host, address) != 1)
        return "has no valid numeric address; write four numbers without leading zeros, such as 10.0.0.2";
    return NULL;
}

/* What is wrong with an http or https URL, or NULL. */
static const char *url_fault(const char *url)
{
    if (strlen(url) >= LIMIT_URL)
        return "is longer than 1023 bytes";
    size_t scheme = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0)
        return "must begin with https:// or http://";
    for (const unsigned char *u = (const unsigned char *)url; *u; u++)
        if (*u <= ' ' || *u >= 0x7f)
            return "must be plain ASCII without spaces; write other characters as %XX";
    const char *host = url + scheme;
    size_t authority = strcspn(host, "/?#");
    if (memchr(host, '@', authority))
        return "must not hold a user name or password; use secret_file or certificate_file";
    char text[300];
    if (authority >= sizeof text)
        return "has a host name that is too long";
    memcpy(text, host, authority);
    text[authority] = '\0';
    char *colon = text[0] == '[' ? strchr(text, ']') : strchr(text, ':');
    if (text[0] == '[') {
        unsigned char address[sizeof(struct in6_addr)];
        if (!colon || (*colon++ = '\0', inet_pton(AF_INET6, text + 1, address)) != 1)
            return "has no valid numeric address in [ ]";
        if (*colon && *colon != ':')
            return "needs a colon before its port";
    }
    if (colon && *colon == ':') {
        if (!port_valid(colon + 1, false))
            return "has no valid port; it must be from 1 to 65535";
        *colon = '\0';
    }
    return text[0] == '[' ? NULL : host_fault(text);
}

static void check_endpoint(const struct check *c, const struct conf_endpoint *e, const struct where *at)
{
    for (size_t i = 0; i < e->url_count; i++) {
        struct where where = where_entry(*at, "urls", (uint32_t)i);
        const char *fault = url_fault(e->urls[i]);
        if (fault)
            WRONG(c, &where, "%s %s; such as https://police.example:8443/alarm",
                  problem_quote_address(c->problems, e->urls[i]), fault);
        for (size_t k = 0; k < i; k++)
            if (strcmp(e->urls[i], e->urls[k]) == 0)
                WRONG(c, &where, "stands here twice; an alternate is another way to the endpoint");
    }
    check_both(c, at, "certificate_file", e->certificate_file, "key_file", e->key_file);
    check_needs(c, at, "crl_file", e->crl_file, "ca_file", e->ca_file);
    struct where timeout = where_key(*at, "attempt_timeout_ms");
    if (e->attempt_timeout_ms < e->connect_timeout_ms)
        WRONG(c, &timeout, "%u is less than connect_timeout_ms (%u), which is a part of it; make it larger",
              e->attempt_timeout_ms, e->connect_timeout_ms);
}

/* -- plans
 * ---------------------------------------------------------------------------------------------------------
 */

static void plan_add(const struct check *c, struct plan *plan, uint8_t step, const char *id,
                     const struct where *where)
{
    const struct things endpoints = endpoints_of(c);
    uint32_t found = resolve(c, &endpoints, id, where);
    if (found == INDEX_NONE)
        return;
    for (uint8_t i = 0; i < plan->endpoint_count; i++)
        if (strcmp(plan->endpoints[i].id, id) == 0) {
            WRONG(c, where,
                  "\"%s\" is told in step %u already, and goes on being told; name it once in a plan", id,
                  plan->endpoints[i].step + 1);
            return;
        }
    if (plan->endpoint_count == LIMIT_PLAN_ENDPOINTS) {
        WRONG(c, where, "is one endpoint too many; a plan tells at most %d", LIMIT_PLAN_ENDPOINTS);
        return;
    }
    struct plan_endpoint *e = &plan->endpoints[plan->endpoint_count++];
    strcpy(e->id, id);
    e->role = c->conf->endpoints[found].role;
    e->step = step;
}

static bool plan_has_role(const struct plan *plan, enum role role)
{
    for (uint8_t i = 0; i < plan->endpoint_count; i++)
        if (plan->endpoints[i].role == role)
            return true;
    return false;
}

static void check_acks(const struct check *c, const struct conf_plan *from, struct plan *plan,
                       const struct where *at)
{
    for (size_t i = 0; i < from->ack_count; i++) {
        struct where where = where_entry(*at, "acks_needed", (uint32_t)i);
        enum role role;
        if (!role_of(from->acks_needed[i], &role) || role > ROLE_GUARD)
            WRONG(c, &where, "%s cannot acknowledge; it must be police, bureau or guard",
                  problem_quote(c->problems, from->acks_needed[i]));
        else if (plan->acks_needed & 1u << role)
            WRONG(c, &where, "%s stands here twice; keep one", role_str(role));
        else if (!plan_has_role(plan, role))
            WRONG(c, &where,
                  "%s is the role of no endpoint of this plan, so nobody could ever satisfy it; tell such an "
                  "endpoint in a step, or take the role out",
                  role_str(role));
        else
            plan->acks_needed |= (uint8_t)(1u << role);
    }
}

static void check_plan(const struct check *c, size_t index)
{
    const struct conf_plan *from = &c->root->plans[index];
    const struct where at = where_entry(where_file(0), "plans", (uint32_t)index);
    struct plan *plan = &c->conf->plans[index];
    if (from->id)
        strcpy(plan->id, from->id);
    plan->coming_timeout_s = from->coming_timeout_s;
    for (size_t s = 0; s < from->step_count; s++) {
        const struct where step = where_entry(at, "steps", (uint32_t)s);
        plan->answer_timeout_s[s] = from->steps[s].answer_timeout_s;
        for (size_t i = 0; i < from->steps[s].endpoint_count; i++) {
            struct where where = where_entry(step, "endpoints", (uint32_t)i);
            plan_add(c, plan, (uint8_t)s, from->steps[s].endpoints[i], &where);
        }
    }
    plan->step_count = (uint8_t)from->step_count;
    check_acks(c, from, plan, &at);
}

/* -- sites
 * ---------------------------------------------------------------------------------------------------------
 */

static void check_position(const struct check *c, struct conf_site *s, const struct where *at)
{
    bool latitude = !isnan(s->latitude), longitude = !isnan(s->longitude);
    s->has_position = latitude && longitude;
    if (latitude != longitude) {
        struct where where = where_key(*at, latitude ? "latitude" : "longitude");
        WRONG(c, &where, "is given without %s; give both or none", latitude ? "longitude" : "latitude");
    }
    if (!s->has_position)
        s->latitude = s->longitude = 0;
}

static void check_devices(const struct check *c, size_t site)
{
    struct conf_site *s = &c->conf->sites[site];
    const struct things zones = zones_of(c, site);
    for (size_t i = 0; i < s->device_count; i++) {
        struct conf_device *d = &s->devices[i];
        d->index = (uint32_t)(c->conf->device_count + i);
        if (!d->zone)
            continue;
        uint32_t zone = index_get(c->index, zones.scope, d->zone);
        if (zone == INDEX_NONE) {
            struct where where = where_key(where_entry(c->site_places[site], "devices", (uint32_t)i), "zone");
            resolve(c, &zones, d->zone, &where);
        }
    }
    c->conf->device_count += s->device_count;
}

static void check_site(const struct check *c, size_t site)
{
    struct conf_site *s = &c->conf->sites[site];
    const struct where *at = &c->site_places[site];
    struct where id = where_key(*at, "id"), plan_id = where_key(*at, "plan");
    if (s->id && strcmp(s->id, "daemon") == 0)
        WRONG(c, &id, "\"daemon\" is taken: the daemon's own topics have it; choose another id");
    const struct things plans = plans_of(c);
    uint32_t plan = s->plan_id ? resolve(c, &plans, s->plan_id, &plan_id) : INDEX_NONE;
    if (plan != INDEX_NONE)
        s->plan = c->conf->plans[plan];
    check_position(c, s, at);
    check_devices(c, site);
    check_guide(c, s, at);
}

static void check_sites(const struct check *c)
{
    const struct where at = where_key(where_file(0), "sites");
    for (size_t i = 0; i < c->conf->site_count; i++)
        check_site(c, i);
    if (c->conf->site_count == 0)
        WRONG(c, &at, "there is no site, so nobody could press; add one here or in a file of sites.d");
    if (c->conf->device_count > LIMIT_DEVICES)
        WRONG(c, &at, "there are %zu devices in all; one daemon takes at most %d", c->conf->device_count,
              LIMIT_DEVICES);
}

/* -- accounts
 * ------------------------------------------------------------------------------------------------------ */

static bool token_hash_valid(const char *text)
{
    return strncmp(text, "sha256:", 7) == 0 && strlen(text) == 7 + 64 &&
           strspn(text + 7, "0123456789abcdef") == 64;
}

static void check_account(const struct check *c, const struct conf_account *a, const struct where *at)
{
    struct where hashes = where_key(*at, "token_hashes");
    if (a->token_hash_count == 0 && !a->password_file)
        WRONG(c, &hashes,
              "is missing, and so is password_file: nobody could use this account; give one of them, with "
              "`tocsin keygen token` or `tocsin account add`");
    for (size_t i = 0; i < a->token_hash_count; i++) {
        struct where where = where_entry(*at, "token_hashes", (uint32_t)i);
        if (!token_hash_valid(a->token_hashes[i]))
            WRONG(c, &where,
                  "must be \"sha256:\" and 64 hexadecimal digits in lower case, as `tocsin keygen token` "
                  "prints "
                  "it; never write the token itself here");
        else if (!index_put(c->index, SCOPE_TOKEN, a->token_hashes[i], (uint32_t)i))
            WRONG(c, &where, "stands in the configuration twice; a token belongs to one account");
    }
    const struct things sites = sites_of(c);
    for (size_t i = 0; i < a->site_count; i++) {
        struct where where = where_entry(*at, "sites", (uint32_t)i);
        resolve(c, &sites, a->sites[i], &where);
    }
}

static void check_accounts(const struct check *c)
{
    bool answers = false;
    for (size_t i = 0; i < c->conf->account_count; i++) {
        check_account(c, &c->conf->accounts[i], &c->account_places[i]);
        answers |= c->conf->accounts[i].role <= ROLE_GUARD;
    }
    struct where where = where_key(where_file(0), "accounts");
    if (c->conf->account_count == 0)
        WRONG(c, &where, "there is none, so nobody could answer an alarm; make the first with `tocsin account add`");
    else if (!answers)
        WRONG(c, &where, "no account can acknowledge an alarm; give one the role police, bureau or guard");
}

/* The device that an account presses as; NULL: a problem was said, or it has none. */
static struct conf_device *pressing_device(const struct check *c, struct conf_account *a, const struct where *where)
{
    const char *slash = strchr(a->device, '/');
    char site_id[LIMIT_ID];
    size_t size = slash ? (size_t)(slash - a->device) : sizeof site_id;
    if (size >= sizeof site_id) {
        WRONG(c, where, "must be a site's id, a slash and the id of a device of that site: school-1/phone-li");
        return NULL;
    }
    memcpy(site_id, a->device, size);
    site_id[size] = '\0';
    const struct things sites = sites_of(c);
    uint32_t site = resolve(c, &sites, site_id, where);
    if (site == INDEX_NONE)
        return NULL;
    const struct things devices = devices_of(c, site);
    uint32_t device = resolve(c, &devices, slash + 1, where);
    a->presses_at = &c->conf->sites[site];
    return device == INDEX_NONE ? NULL : &c->conf->sites[site].devices[device];
}

/* After the keys were loaded. */
static void check_pressing(const struct check *c, struct conf_account *a, const struct where *at)
{
    const struct where where = where_key(*at, "device");
    struct conf_device *device = a->device ? pressing_device(c, a, &where) : NULL;
    if (!device)
        return;
    if (!conf_account_sees(a, a->presses_at->id))
        WRONG(c, &where, "the account does not see the site %s; add it to sites", a->presses_at->id);
    if (device->key)
        WRONG(c, &where, "the device has a key, so only its own signed presses count; name a device without one");
    if (!index_put(c->index, SCOPE_PRESSES_AS, a->device, 0))
        WRONG(c, &where, "another account presses as this device; each needs its own, or the record could not tell "
                         "who pressed");
    device->silent_after_s = 0;
    a->presses_as = device;
}

void check_all(struct check *c)
{
    check_ids(c);
    check_daemon(c);
    check_broker(c);
    for (size_t i = 0; i < c->conf->endpoint_count; i++) {
        struct where at = where_entry(where_file(0), "endpoints", (uint32_t)i);
        check_endpoint(c, &c->conf->endpoints[i], &at);
    }
    c->conf->plans = arena_take(c->arena, c->root->plan_count * sizeof *c->conf->plans);
    c->conf->plan_count = c->root->plan_count;
    for (size_t i = 0; i < c->root->plan_count; i++)
        check_plan(c, i);
    check_sites(c);
    check_accounts(c);
    if (!c->problems->at_start)
        check_tls(c);
    check_secrets(c);
    for (size_t i = 0; i < c->conf->account_count; i++)
        check_pressing(c, &c->conf->accounts[i], &c->account_places[i]);
}
