#include "io/password.h"
#include "conf/secrets.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Of a password that nobody knows. */
static const char nobodys_hash[] =
    "$argon2id$v=19$m=65536,t=3,p=1$G2fPnCTj3U1dkB/aJLrkzA$5b/QDq8flxldWInWSAhvDAa1zCGrCa9xU8mrFE7mzpo";

struct check {
    uv_work_t work;
    struct passwords *owner;
    struct check *next;
    password_fn *answer; /* NULL: answered when its owner went */
    void *ctx;
    bool exists, right;
    char hash[SECRET_TEXT];
    size_t size;
    char password[];
};

struct line {
    struct check *first, **last;
};

struct passwords {
    uv_loop_t *loop;
    unsigned under_way, waiting;
    bool closing;
    struct line known, strangers; /* waiting */
    struct check *at_work[PASSWORDS_AT_ONCE];
};

struct passwords *passwords_create(uv_loop_t *loop)
{
    struct passwords *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->loop = loop;
    p->known.last = &p->known.first;
    p->strangers.last = &p->strangers.first;
    return p;
}

static void check_free(struct check *c)
{
    sodium_memzero(c->password, c->size);
    free(c);
}

/* On the pool. */
static void work(uv_work_t *w)
{
    struct check *c = w->data;
    bool matches = secret_password_matches(c->hash, c->password, c->size);
    c->right = matches && c->exists;
}

static void give_work(struct passwords *p);

static void worked(uv_work_t *w, int status)
{
    struct check *c = w->data;
    struct passwords *p = c->owner;
    for (int i = 0; i < PASSWORDS_AT_ONCE; i++)
        if (p->at_work[i] == c)
            p->at_work[i] = NULL;
    if (c->answer)
        c->answer(c->ctx,
                  c->right && status == 0); /* which may destroy p: it lives as long as work is under way */
    check_free(c);
    p->under_way--;
    if (!p->closing)
        give_work(p);
    else if (p->under_way == 0)
        free(p);
}

/* NULL: nobody waits. */
static struct check *take_next(struct passwords *p)
{
    struct line *line = p->known.first ? &p->known : &p->strangers;
    struct check *c = line->first;
    if (!c)
        return NULL;
    line->first = c->next;
    if (!line->first)
        line->last = &line->first;
    p->waiting--;
    return c;
}

static void give_work(struct passwords *p)
{
    for (int i = 0; i < PASSWORDS_AT_ONCE && p->waiting > 0; i++) {
        if (p->at_work[i])
            continue;
        struct check *c = p->at_work[i] = take_next(p);
        p->under_way++;
        uv_queue_work(p->loop, &c->work, work, worked);
    }
}

bool password_check(struct passwords *p, const struct password_try *one, password_fn *answer, void *ctx)
{
    struct line *line = one->known ? &p->known : &p->strangers;
    unsigned places = one->known ? PASSWORDS_WAITING : PASSWORDS_WAITING - PASSWORDS_KNOWN;
    struct check *c = p->waiting < places ? calloc(1, sizeof *c + one->size + 1) : NULL;
    if (!c)
        return false;
    c->work.data = c;
    c->owner = p;
    c->answer = answer;
    c->ctx = ctx;
    c->exists = one->hash != NULL;
    strncpy(c->hash, one->hash ? one->hash : nobodys_hash, sizeof c->hash - 1);
    c->size = one->size;
    memcpy(c->password, one->text, one->size);
    *line->last = c;
    line->last = &c->next;
    p->waiting++;
    give_work(p);
    return true;
}

void passwords_destroy(struct passwords *p)
{
    if (!p)
        return;
    p->closing = true;
    for (int i = 0; i < PASSWORDS_AT_ONCE; i++)
        if (p->at_work[i]) {
            p->at_work[i]->answer(p->at_work[i]->ctx, false);
            p->at_work[i]->answer = NULL;
        }
    for (struct check *c; (c = take_next(p));) {
        c->answer(c->ctx, false);
        check_free(c);
    }
    if (p->under_way == 0)
        free(p);
}
