/* Sessions: whose they are, what is said of them, and how they end. How they begin: api_sign_in.c. */
#include "conf/secrets.h"
#include "io/api_internal.h"
#include "io/clock.h"
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Life. */

bool api_sessions_init(struct api *api)
{
    const unsigned char *secret = engine_conf(api->options.engine)->daemon.journal_key;
    static const unsigned char purpose[] = "tocsin: browsers that have signed in before";
    crypto_generichash(api->known_key, sizeof api->known_key, purpose, sizeof purpose - 1, secret, 32);
    api->refusals.room = 30;
    api->sessions = sessions_create();
    api->delays = delays_create();
    api->passwords = passwords_create(api->options.loop);
    if (api->sessions && api->delays && api->passwords)
        return true;
    api_sessions_finish(api);
    return false;
}

void api_sessions_finish(struct api *api)
{
    passwords_destroy(api->passwords);
    delays_destroy(api->delays);
    sessions_destroy(api->sessions);
    sodium_memzero(api->known_key, sizeof api->known_key);
}

/* --- Sessions and accounts. */

void api_mark_of(const struct conf_account *a, unsigned char mark[SESSION_MARK])
{
    const char *text = a->password_hash ? a->password_hash : "";
    crypto_generichash(mark, SESSION_MARK, (const unsigned char *)text, strlen(text), NULL, 0);
}

/* NULL when the account is gone, or its password is another one. */
const struct conf_account *api_session_account(const struct api *api, const struct session *s)
{
    unsigned char mark[SESSION_MARK];
    const struct conf_account *a = api_account(api, s->account);
    if (!a)
        return NULL;
    api_mark_of(a, mark);
    return sodium_memcmp(mark, s->mark, sizeof mark) == 0 ? a : NULL;
}

void api_tag(const struct api_call *c, char tag[API_TAG])
{
    char hash[SECRET_TEXT];
    if (c->session) {
        snprintf(tag, API_TAG, "%s %" PRIu64, c->account->id, c->session->number);
        return;
    }
    secret_token_hash(c->token, hash);
    snprintf(tag, API_TAG, "%.*s %.71s", LIMIT_ID - 1, c->account->id, hash);
}

/* 0: it is a token's. */
static uint64_t tag_number(const char *tag)
{
    return strtoull(strchr(tag, ' ') + 1, NULL, 10);
}

static const struct conf_account *token_account(const struct api *api, const char *tag)
{
    char id[LIMIT_ID];
    const char *hash = strchr(tag, ' ') + 1;
    snprintf(id, sizeof id, "%.*s", (int)(hash - 1 - tag), tag);
    const struct conf_account *a = api_account(api, id);
    for (size_t i = 0; a && i < a->token_hash_count; i++)
        if (strcmp(a->token_hashes[i], hash) == 0)
            return a;
    return NULL;
}

const struct conf_account *api_tagged(const struct api *api, const char *tag)
{
    uint64_t number = tag_number(tag);
    if (!number)
        return token_account(api, tag);
    const struct session *s = session_numbered(api->sessions, number, clock_boottime_ms());
    return s ? api_session_account(api, s) : NULL;
}

/* --- Ending them. */

struct ending {
    struct api *api;
    const char *account; /* of this one only; NULL = whose time is over, or whose account changed */
    enum access_reason reason;
    int64_t now_ms;
};

static bool is_ending(void *ctx, const struct session *s)
{
    struct ending *e = ctx;
    if (e->account)
        return strcmp(s->account, e->account) == 0;
    bool removed = !api_session_account(e->api, s);
    e->reason = removed ? ACCESS_REMOVED : ACCESS_EXPIRED;
    return removed || session_is_over(s, e->now_ms);
}

static void on_end(void *ctx, const struct session *s)
{
    const struct ending *e = ctx;
    const struct conf_account *a = api_account(e->api, s->account);
    struct event_access access = {.reason = e->reason, .count = 1, .role = a ? a->role : ROLE_VIEWER};
    memcpy(access.by, s->account, sizeof access.by);
    engine_access(e->api->options.engine, EVENT_SIGNED_OUT, &access);
}

static bool feed_is_over(void *ctx, const char *tag)
{
    return !api_tagged(ctx, tag);
}

static bool touch_feed(void *ctx, const char *tag)
{
    struct api *api = ctx;
    int64_t now_ms = clock_boottime_ms();
    struct session *s = session_numbered(api->sessions, tag_number(tag), now_ms);
    if (s)
        session_touch(s, now_ms);
    return false;
}

static size_t end_sessions(struct api *api, struct ending *e)
{
    size_t count = sessions_close(api->sessions, is_ending, on_end, e);
    if (api->web) /* feeds of tokens, too, and those that a session began just before it ended */
        web_end_feeds(api->web, feed_is_over, api);
    return count;
}

void api_sessions_sweep(struct api *api)
{
    web_end_feeds(api->web, touch_feed, api);
    end_sessions(api, &(struct ending){.api = api, .now_ms = clock_boottime_ms()});
}

void api_end_session(struct api *api, struct session *s, enum access_reason reason)
{
    on_end(&(struct ending){.api = api, .reason = reason}, s);
    session_close(s);
    web_end_feeds(api->web, feed_is_over, api);
}

static bool feed_is_of(void *ctx, const char *tag)
{
    return tag_number(tag) == *(const uint64_t *)ctx;
}

void api_on_crowded(void *ctx, const struct session *s)
{
    struct api *api = ctx;
    uint64_t number = s->number;
    on_end(&(struct ending){.api = api, .reason = ACCESS_CROWDED}, s);
    web_end_feeds(api->web, feed_is_of, &number);
}

/* --- What is said of a session. */

/* The device that it presses as. */
static void put_presses_as(struct json_out *o, const struct conf_account *a)
{
    const struct conf_device *d = a->presses_as;
    if (!d) {
        json_text(o, "presses_as", NULL);
        return;
    }
    const struct conf_zone *zone = d->zone ? conf_zone(a->presses_at, d->zone) : NULL;
    json_open(o, "presses_as", '{');
    api_put_place(o, "site", a->presses_at->id, a->presses_at->name);
    json_text(o, "id", d->id);
    if (zone)
        api_put_place(o, "zone", zone->id, zone->name);
    json_text(o, "kind", kind_str(d->kind));
    json_bool(o, "disabled", d->disabled);
    json_close(o, '}');
}

void api_put_account(struct json_out *o, const char *id_key, const struct conf_account *a)
{
    json_text(o, id_key, a->id);
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
    put_presses_as(o, a);
    json_bool(o, "may_answer", api_may_act(a));
    json_bool(o, "may_read_journal", api_may_read_journal(a));
}

static void begin_account(struct api_out *out, const struct conf_account *a)
{
    api_out_begin(out, 8192 + a->site_count * (LIMIT_ID + 4));
    json_open(&out->o, NULL, '{');
}

void api_me(struct api_call *c)
{
    struct api_out out;
    begin_account(&out, c->account);
    api_put_account(&out.o, "id", c->account);
    json_close(&out.o, '}');
    api_out_answer(&out, c->request);
}

void api_put_session(struct api_out *out, const struct conf_account *a, const struct session *s)
{
    begin_account(out, a);
    api_put_account(&out->o, "account", a);
    json_text(&out->o, "csrf", s ? s->csrf : NULL);
    json_time(&out->o, "signed_in_at", s ? s->opened_wall_ms : 0);
    json_time(&out->o, "expires_at", s ? s->opened_wall_ms + SESSION_LONGEST_S * 1000LL : 0);
    json_close(&out->o, '}');
}

void api_session(struct api_call *c)
{
    struct api_out out;
    api_put_session(&out, c->account, c->session);
    api_out_answer(&out, c->request);
}

void api_sign_out(struct api_call *c)
{
    const char *text = web_query(c->request, "everywhere");
    bool everywhere = text && strcmp(text, "true") == 0;
    size_t count = 1;
    if (text && !everywhere && strcmp(text, "false") != 0) {
        api_bad_query(c, "everywhere", "true or false is needed");
        return;
    }
    if (!everywhere && !c->session) {
        api_bad_query(c, "everywhere",
                      "this request came with a token and has no session of its own; give true");
        return;
    }
    if (everywhere)
        count = end_sessions(
            c->api, &(struct ending){.api = c->api, .account = c->account->id, .reason = ACCESS_EVERYWHERE});
    else
        api_end_session(c->api, c->session, ACCESS_ASKED);
    char body[64];
    int size = snprintf(body, sizeof body, "{\"ended\":%zu}", count);
    web_answer(c->request, 200, "application/json",
               "Set-Cookie: " API_COOKIE "=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0", body,
               (size_t)size);
}
