#include "journal/seal.h"
#include "wakeful.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define RESTS 50 /* about as long as a signature takes: he who makes it has a processor, most of the time */

void seal_ask(struct seal *s, uint64_t size, const unsigned char root[32])
{
    s->checkpoint.size = size;
    memcpy(s->checkpoint.root, root, sizeof s->checkpoint.root);
    snprintf(s->checkpoint.origin, sizeof s->checkpoint.origin, "%s", s->origin);
    atomic_store(&s->state, SEAL_ASKED);
}

bool seal_asked(struct seal *s)
{
    return atomic_load(&s->state) != SEAL_NONE;
}

/* Whoever finds it asked for makes it; only one does. */
static void make(struct seal *s)
{
    enum seal_state asked = SEAL_ASKED;
    if (!atomic_compare_exchange_strong(&s->state, &asked, SEAL_BEING_MADE))
        return;
    note_sign(&s->checkpoint, s->secret_key, s->note);
    atomic_store(&s->state, SEAL_MADE);
}

bool seal_help(struct seal *s)
{
    make(s);
    return seal_asked(s);
}

const char *seal_take(struct seal *s)
{
    make(s);
    for (int i = 0; atomic_load(&s->state) != SEAL_MADE; i++) /* somebody is at it */
        if (i < RESTS)
            wakeful_rest();
        else
            sched_yield();
    return s->note;
}

void seal_over(struct seal *s)
{
    atomic_store(&s->state, SEAL_NONE);
}
