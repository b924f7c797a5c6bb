#include "io/session.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sessions {
    uint64_t opened; /* ever */
    size_t used;     /* places at the beginning of `all` that were ever used */
    struct session all[SESSIONS];
};

struct sessions *sessions_create(void)
{
    return calloc(1, sizeof(struct sessions)); /* touched only as far as it is used */
}

void sessions_destroy(struct sessions *s)
{
    if (s)
        sodium_memzero(s, sizeof *s);
    free(s);
}

static void make_id(char id[SESSION_ID])
{
    unsigned char bytes[32];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(id, SESSION_ID, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, sizeof bytes);
}

static void hash_id(unsigned char hash[32], const char *id, size_t size)
{
    crypto_generichash(hash, 32, (const unsigned char *)id, size, NULL, 0);
}

/* A free place, or that of the session which was heard of longest ago: of this account when it has its fill,
 * of all otherwise. */
static struct session *make_room(struct sessions *s, const char *account)
{
    struct session *free_one = NULL, *oldest = NULL, *own_oldest = NULL;
    size_t own = 0;
    for (struct session *i = s->all; i < s->all + SESSIONS; i++) {
        bool is_own = i->number && strcmp(i->account, account) == 0;
        own += is_own;
        if (!i->number) {
            free_one = free_one ? free_one : i;
            continue;
        }
        if (!oldest || i->heard_ms < oldest->heard_ms)
            oldest = i;
        if (is_own && (!own_oldest || i->heard_ms < own_oldest->heard_ms))
            own_oldest = i;
    }
    return own >= SESSIONS_OF_ACCOUNT ? own_oldest : free_one ? free_one : oldest;
}

struct session *session_open(struct sessions *s, const char *account, const unsigned char mark[SESSION_MARK],
                             int64_t now_ms, int64_t wall_ms, char id[SESSION_ID], session_fn *crowded,
                             void *ctx)
{
    struct session *i = make_room(s, account);
    if (i->number && crowded)
        crowded(ctx, i);
    memset(i, 0, sizeof *i);
    size_t place = (size_t)(i - s->all);
    s->used = place < s->used ? s->used : place + 1;
    i->number = ++s->opened * SESSIONS + place;
    snprintf(i->account, sizeof i->account, "%s", account);
    memcpy(i->mark, mark, SESSION_MARK);
    make_id(id);
    hash_id(i->id_hash, id, strlen(id));
    make_id(i->csrf);
    i->opened_ms = i->heard_ms = now_ms;
    i->opened_wall_ms = wall_ms;
    return i;
}

bool session_is_over(const struct session *s, int64_t now_ms)
{
    return now_ms - s->opened_ms >= SESSION_LONGEST_S * 1000 || now_ms - s->heard_ms >= SESSION_IDLE_S * 1000;
}

/* What is compared are hashes: the time a comparison takes tells nothing about an id. */
struct session *session_find(struct sessions *s, const char *id, int64_t now_ms)
{
    unsigned char hash[32];
    size_t size = strnlen(id, SESSION_ID);
    if (size != SESSION_ID - 1)
        return NULL;
    hash_id(hash, id, size);
    for (struct session *i = s->all; i < s->all + s->used; i++) {
        if (!i->number || memcmp(i->id_hash, hash, sizeof hash) != 0)
            continue;
        if (session_is_over(i, now_ms))
            return NULL;
        i->heard_ms = now_ms;
        return i;
    }
    return NULL;
}

struct session *session_numbered(struct sessions *s, uint64_t number, int64_t now_ms)
{
    struct session *i = &s->all[number % SESSIONS];
    return number && i->number == number && !session_is_over(i, now_ms) ? i : NULL;
}

void session_touch(struct session *s, int64_t now_ms)
{
    s->heard_ms = now_ms;
}

void session_close(struct session *s)
{
    sodium_memzero(s, sizeof *s);
}

size_t sessions_close(struct sessions *s, bool (*over)(void *ctx, const struct session *), session_fn *ended,
                      void *ctx)
{
    size_t count = 0;
    for (struct session *i = s->all; i < s->all + s->used; i++) {
        if (!i->number || !over(ctx, i))
            continue;
        if (ended)
            ended(ctx, i);
        session_close(i);
        count++;
    }
    return count;
}

bool session_csrf_matches(const struct session *s, const char *text)
{
    return text && strnlen(text, SESSION_ID) == SESSION_ID - 1 &&
           sodium_memcmp(text, s->csrf, SESSION_ID - 1) == 0;
}

size_t sessions_count(const struct sessions *s)
{
    size_t count = 0;
    for (const struct session *i = s->all; i < s->all + s->used; i++)
        count += i->number != 0;
    return count;
}
