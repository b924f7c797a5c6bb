/* Signing in with a password. Whatever way it was found out who somebody is, it ends in open_session(). */
#include "conf/secrets.h"
#include "io/api_internal.h"
#include "io/clock.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD 64          /* sign-ins held back at once; more are told to come again */
#define TRIED_OFTEN 10   /* wrong ones from wherever, before answers take longer */
#define HOLD_STEP_MS 250 /* longer with each more */
#define HOLD_MOST_MS 5000
#define KNOWN_S (365 * 86400)
#define NONCE 24 /* bytes: 128 bits in base64url, NUL */
#define KEY 320  /* bytes of what is counted: address and account as typed; of a cookie */

/* --- Browsers that have signed in before: "account.nonce.proof". What others try from the same address is
 * none of theirs. */

static void known_proof(const struct api *api, const char *account, const char *nonce, char proof[SESSION_ID])
{
    unsigned char bytes[32];
    char text[LIMIT_ID + NONCE + 1];
    int size = snprintf(text, sizeof text, "%s.%s", account, nonce);
    crypto_generichash(bytes, sizeof bytes, (const unsigned char *)text, (size_t)size, api->known_key,
                       sizeof api->known_key);
    sodium_bin2base64(proof, SESSION_ID, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* False: not one that this account has signed in with. */
static bool is_known(const struct api *api, const char *cookie, const char *account, char nonce[NONCE])
{
    char proof[SESSION_ID];
    size_t size = strlen(account);
    if (!cookie || strncmp(cookie, account, size) != 0 || cookie[size] != '.' ||
        strlen(cookie) != size + 1 + (NONCE - 2) + 1 + (SESSION_ID - 1) || cookie[size + NONCE - 1] != '.')
        return false;
    snprintf(nonce, NONCE, "%.*s", NONCE - 2, cookie + size + 1);
    known_proof(api, account, nonce, proof);
    return sodium_memcmp(proof, cookie + size + NONCE, SESSION_ID - 1) == 0;
}

static void make_known(const struct api *api, const char *account, char out[KEY])
{
    unsigned char bytes[16];
    char nonce[NONCE], proof[SESSION_ID];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(nonce, sizeof nonce, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    known_proof(api, account, nonce, proof);
    snprintf(out, KEY, "%s.%s.%s", account, nonce, proof);
}

/* --- Signing in. */

struct sign_in {
    struct api *api;
    struct web_request *request;
    uv_timer_t hold;
    struct sign_in *previous, *next; /* in api.held */
    bool exists, known;
    struct event_access access;
    uint64_t renewed; /* the session that came along, of the same account */
    char account[LIMIT_ID], known_cookie[KEY];
    char of_browser[KEY], of_account[KEY], of_address[KEY]; /* what is counted */
    unsigned char mark[SESSION_MARK];
    char *password;
    size_t size;
};

static void sign_in_free(struct sign_in *s)
{
    struct api *api = s->api;
    sodium_memzero(s->password, s->size);
    free(s->password);
    free(s);
    api_release(api);
}

static unsigned seconds(int64_t ms)
{
    return (unsigned)((ms + 999) / 1000);
}

static void answer_wrong(struct sign_in *s)
{
    int64_t now_ms = clock_boottime_ms();
    delay_wrong(s->api->delays, s->of_browser, now_ms);
    delay_wrong(s->api->delays, s->of_account, now_ms);
    delay_wrong(s->api->delays, s->of_address, now_ms);
    unsigned retry_s = seconds(delay_wait_ms(s->api->delays, s->of_browser, now_ms));
    api_refusal(s->api, EVENT_SIGN_IN_REFUSED, &s->access);
    const struct api_problem problem = {.type = API_WRONG, .retry_after_s = &retry_s};
    if (retry_s)
        api_problem(s->request, &problem, "Wrong account or password; try again in %u s.", retry_s);
    else
        api_problem(s->request, &problem, "Wrong account or password.");
}

/* The one way into a session. */
static void open_session(struct sign_in *s, const struct conf_account *a)
{
    struct api *api = s->api;
    char id[SESSION_ID], headers[KEY * 3];
    int64_t now_ms = clock_boottime_ms();
    struct session *old = session_numbered(api->sessions, s->renewed, now_ms);
    if (old)
        api_end_session(api, old, ACCESS_RENEWED);
    struct session *session =
        session_open(api->sessions, a->id, s->mark, now_ms, clock_wall_ms(), id, api_on_crowded, api);
    if (!s->known)
        make_known(api, a->id, s->known_cookie);
    s->access.role = a->role;
    engine_access(api->options.engine, EVENT_SIGNED_IN, &s->access);
    snprintf(headers, sizeof headers,
             "Set-Cookie: " API_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict\n"
             "Set-Cookie: " API_KNOWN_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=%d",
             id, s->known_cookie, KNOWN_S);
    struct api_out out;
    api_put_session(&out, a, session);
    if (out.failed || !json_out_ok(&out.o))
        api_busy(s->request, "There is no memory for this answer; try again.");
    else
        web_answer(s->request, 200, "application/json", headers, out.o.buffer, out.o.size);
    api_out_free(&out);
    sodium_memzero(id, sizeof id);
    sodium_memzero(headers, sizeof headers);
}

static void on_checked(void *ctx, bool right)
{
    struct sign_in *s = ctx;
    struct api *api = s->api;
    const struct conf_account *a = right && !api->closing ? api_account(api, s->account) : NULL;
    unsigned char mark[SESSION_MARK] = {0};
    if (a)
        api_mark_of(a, mark);
    if (api->closing) {
        api_busy(s->request, "The daemon is stopping.");
    } else if (a && sodium_memcmp(mark, s->mark, sizeof mark) == 0) { /* not changed while it was checked */
        delay_right(api->delays, s->of_browser);
        open_session(s, a);
    } else {
        answer_wrong(s);
    }
    sign_in_free(s);
}

static void answer_too_many(struct sign_in *s)
{
    static const unsigned soon_s = 2;
    api_problem(s->request, &(struct api_problem){.type = API_UNAVAILABLE, .retry_after_s = &soon_s},
                "Too many sign in at this moment; try again at once.");
    sign_in_free(s);
}

static void check(struct sign_in *s)
{
    if (s->api->closing) {
        api_busy(s->request, "The daemon is stopping.");
        sign_in_free(s);
        return;
    }
    const struct conf_account *a = s->exists ? api_account(s->api, s->account) : NULL;
    const struct password_try one = {
        .hash = a ? a->password_hash : NULL, .text = s->password, .size = s->size, .known = s->known};
    if (!password_check(s->api->passwords, &one, on_checked, s))
        answer_too_many(s);
}

static void on_held(uv_handle_t *handle)
{
    check(handle->data);
}

static void on_hold_over(uv_timer_t *timer)
{
    struct sign_in *s = timer->data;
    *(s->previous ? &s->previous->next : &s->api->held) = s->next;
    if (s->next)
        s->next->previous = s->previous;
    s->api->held_count--;
    uv_close((uv_handle_t *)timer, on_held);
}

void api_sessions_stop(struct api *api)
{
    while (api->held)
        on_hold_over(&api->held->hold);
}

/* How long an answer is held back because account or address was tried again and again. */
static uint64_t hold_ms(const struct sign_in *s)
{
    int64_t now_ms = clock_boottime_ms();
    unsigned account = delay_wrong_count(s->api->delays, s->of_account, now_ms);
    unsigned address = delay_wrong_count(s->api->delays, s->of_address, now_ms);
    unsigned wrong = account > address ? account : address;
    if (s->known || wrong <= TRIED_OFTEN)
        return 0;
    uint64_t ms = (uint64_t)(wrong - TRIED_OFTEN) * HOLD_STEP_MS;
    return ms < HOLD_MOST_MS ? ms : HOLD_MOST_MS;
}

static void hold_or_check(struct sign_in *s)
{
    uint64_t ms = hold_ms(s);
    struct api *api = s->api;
    if (ms == 0) {
        check(s);
        return;
    }
    if (api->held_count == HELD) {
        answer_too_many(s);
        return;
    }
    s->next = api->held;
    if (s->next)
        s->next->previous = s;
    api->held = s;
    api->held_count++;
    s->hold.data = s;
    uv_timer_init(api->options.loop, &s->hold);
    uv_timer_start(&s->hold, on_hold_over, ms, 0);
}

/* --- The request. */

static bool text_member(struct api_call *c, json_t *body, const char *name, size_t most, const char *right,
                        const char **out, size_t *size)
{
    const json_t *value = json_object_get(body, name);
    *out = json_in_text(value, size);
    if (!*out)
        return api_bad_field(c, API_BAD_REQUEST, name, right);
    return (*size > 0 && *size <= most) || api_bad_field(c, API_UNPROCESSABLE, name, right);
}

static bool members_known(struct api_call *c, json_t *body)
{
    const char *name;
    json_t *value;
    json_object_foreach(body, name, value)
    {
        if (strcmp(name, "account") != 0 && strcmp(name, "password") != 0)
            return api_bad_field(c, API_BAD_REQUEST, name, "there is no such member here");
    }
    return true;
}

static void set_keys(struct sign_in *s, const char *account)
{
    char nonce[NONCE];
    const char *cookie = web_cookie(s->request, API_KNOWN_COOKIE);
    s->known = s->exists && is_known(s->api, cookie, s->account, nonce);
    if (s->known)
        snprintf(s->known_cookie, sizeof s->known_cookie, "%s", cookie);
    if (s->known)
        snprintf(s->of_browser, sizeof s->of_browser, "browser %s", nonce);
    else
        snprintf(s->of_browser, sizeof s->of_browser, "pair %s %.200s", s->access.address, account);
    snprintf(s->of_account, sizeof s->of_account, "account %.200s", account);
    snprintf(s->of_address, sizeof s->of_address, "address %s", s->access.address);
}

/* The session that came along ends when the same account signs in with it again. */
static uint64_t renewed(struct api_call *c, const char *account)
{
    const char *id = web_cookie(c->request, API_COOKIE);
    const struct session *s = id ? session_find(c->api->sessions, id, clock_boottime_ms()) : NULL;
    return s && strcmp(s->account, account) == 0 ? s->number : 0;
}

static bool foreign_page(struct api_call *c)
{
    struct event_access access;
    if (api_own_page(c, false))
        return false;
    api_access_of(c, ACCESS_FOREIGN, &access);
    api_refusal(c->api, EVENT_SIGN_IN_REFUSED, &access);
    api_problem(c->request, &(struct api_problem){.type = API_FOREIGN},
                "This request does not come from the desk's own page.");
    return true;
}

static void begin(struct api_call *c, const char *account, const char *password, size_t size)
{
    struct sign_in *s = calloc(1, sizeof *s);
    if (!s || !(s->password = malloc(size))) {
        free(s);
        api_busy(c->request, "There is no memory for this; try again.");
        return;
    }
    s->api = c->api;
    s->request = c->request;
    s->size = size;
    memcpy(s->password, password, size);
    const struct conf_account *a = api_account(c->api, account);
    s->exists = a && a->password_hash;
    if (s->exists) {
        snprintf(s->account, sizeof s->account, "%s", account);
        api_mark_of(a, s->mark);
    }
    api_access_of(c, ACCESS_WRONG, &s->access);
    s->access.action[0] = '\0';
    memcpy(s->access.by, s->account, sizeof s->access.by);
    s->renewed = renewed(c, s->account);
    set_keys(s, account);
    api_hold(c->api);
    int64_t wait_ms = delay_wait_ms(c->api->delays, s->of_browser, clock_boottime_ms());
    if (wait_ms == 0) {
        hold_or_check(s);
        return;
    }
    unsigned retry_s = seconds(wait_ms);
    s->access.reason = ACCESS_TOO_SOON;
    api_refusal(c->api, EVENT_SIGN_IN_REFUSED, &s->access);
    api_problem(c->request, &(struct api_problem){.type = API_TOO_SOON, .retry_after_s = &retry_s},
                "Too soon after a wrong password; try again in %u s.", retry_s);
    sign_in_free(s);
}

void api_sign_in(struct api_call *c)
{
    const char *account, *password;
    size_t size, password_size;
    if (foreign_page(c))
        return;
    json_t *body = api_body(c);
    if (body && members_known(c, body) &&
        text_member(c, body, "account", 100, "the account's name is needed, a text", &account, &size) &&
        text_member(c, body, "password", SECRET_PASSWORD_MAX,
                    "a text of 1 to 1000 bytes without NUL is needed", &password, &password_size))
        begin(c, account, password, password_size);
    json_decref(body);
}
