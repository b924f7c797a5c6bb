/* The agenda, the memory of one history, and its course: a storm of faults, then calm, in which all must be
 * settled. */
#include "sim.h"
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (128 * 1024)
#define ANSWER_AFTER_MS 5000   /* of calm: people answer what is open, in every second history */
#define SETTLED_AFTER_MS 45000 /* a retry comes every 30 s and takes up to 6 s */

struct chunk {
    struct chunk *next;
    size_t used, size;
    char bytes[];
};

void *world_take(struct world *w, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (!w->chunks || w->chunks->size - w->chunks->used < size) {
        size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        struct chunk *c = malloc(sizeof *c + room);
        assert(c);
        *c = (struct chunk){.next = w->chunks, .size = room};
        w->chunks = c;
    }
    void *out = w->chunks->bytes + w->chunks->used;
    w->chunks->used += size;
    return memset(out, 0, size);
}

const char *world_copy(struct world *w, const char *text, size_t size)
{
    char *out = world_take(w, size + 1);
    memcpy(out, text, size);
    return out;
}

/* What is said and what is wrong. */

static void say_list(struct world *w, const char *format, va_list arguments)
{
    printf("%4lld.%03lld  ", (long long)(w->now_ms / 1000), (long long)(w->now_ms % 1000));
    vprintf(format, arguments);
    putchar('\n');
}

void say(struct world *w, const char *format, ...)
{
    if (!w->trace)
        return;
    va_list arguments;
    va_start(arguments, format);
    say_list(w, format, arguments);
    va_end(arguments);
}

_Noreturn void fail(struct world *w, const char *format, ...)
{
    char what[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(w->failure, sizeof w->failure, "at %lld.%03lld s: %s", (long long)(w->now_ms / 1000),
             (long long)(w->now_ms % 1000), what);
    longjmp(w->end, 1);
}

void mark(struct world *w, enum mark m)
{
    w->marks[m]++;
}

bool faulty(struct world *w, enum fault fault, uint32_t per_10000)
{
    bool thrown = dice_chance(
        &w->dice, per_10000); /* thrown in any case: parts are switched off without moving the rest */
    return thrown && w->rates.on[fault] && !w->calm;
}

/* The agenda: a heap by moment, then by order. */

static bool sooner(const struct happening *a, const struct happening *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void plan_at(struct world *w, int64_t at_ms, happen_fn *happen, uint32_t life, int a, void *thing)
{
    if (w->agenda_count == w->agenda_size) {
        w->agenda_size = w->agenda_size ? w->agenda_size * 2 : 1024;
        w->agenda = realloc(w->agenda, w->agenda_size * sizeof *w->agenda);
        assert(w->agenda);
    }
    struct happening h = {
        .at_ms = at_ms, .order = ++w->orders, .happen = happen, .life = life, .a = a, .thing = thing};
    size_t i = w->agenda_count++;
    for (; i > 0 && sooner(&h, &w->agenda[(i - 1) / 2]); i = (i - 1) / 2)
        w->agenda[i] = w->agenda[(i - 1) / 2];
    w->agenda[i] = h;
}

void plan_in(struct world *w, int64_t in_ms, happen_fn *happen, uint32_t life, int a, void *thing)
{
    plan_at(w, w->now_ms + in_ms, happen, life, a, thing);
}

static struct happening next_happening(struct world *w)
{
    struct happening first = w->agenda[0], last = w->agenda[--w->agenda_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->agenda_count; i = child) {
        if (child + 1 < w->agenda_count && sooner(&w->agenda[child + 1], &w->agenda[child]))
            child++;
        if (!sooner(&w->agenda[child], &last))
            break;
        w->agenda[i] = w->agenda[child];
    }
    if (w->agenda_count > 0)
        w->agenda[i] = last;
    return first;
}

/* The course of a history. */

static void after_closing(struct world *w, const struct happening *h)
{
    check_settled(w, true);
    w->agenda_count = 0; /* the end */
}

static void after_calm(struct world *w, const struct happening *h)
{
    check_settled(w, false);
    people_close_all(w);
    plan_in(w, SETTLED_AFTER_MS, after_closing, 0, 0, NULL);
}

static void answer_all(struct world *w, const struct happening *h)
{
    people_answer_all(w);
}

static void calm(struct world *w, const struct happening *h)
{
    say(w, "-- calm: nothing fails any more");
    w->calm = true;
    daemon_mend(w);
    devices_calm(w);
    endpoints_calm(w);
    if (dice_chance(&w->dice, 5000))
        plan_in(w, ANSWER_AFTER_MS, answer_all, 0, 0, NULL);
    plan_in(w, SETTLED_AFTER_MS, after_calm, 0, 0, NULL);
}

static void step(struct world *w)
{
    struct happening h = next_happening(w);
    if (h.life && h.life != w->life)
        return;
    assert(h.at_ms >= w->now_ms);
    w->now_ms = h.at_ms;
    w->happened++;
    if (setjmp(w->death) == 0)
        h.happen(w, &h);
    else
        daemon_bury(w);
    daemon_after(w);
    check_step(w);
}

bool world_run(struct world *w)
{
    if (setjmp(w->end) != 0)
        return false;
    daemon_start(w);
    daemon_after(w);
    while (w->agenda_count > 0)
        step(w);
    return true;
}

static void draw_rates(struct world *w, unsigned without)
{
    struct rates *r = &w->rates;
    for (int i = 0; i < FAULT_COUNT; i++) {
        r->on[i] = dice_chance(&w->dice, i == FAULT_PEOPLE ? 8000 : 5500);
        if (without & 1u << i)
            r->on[i] = false;
    }
    r->die_in_call = (uint32_t)dice_between(&w->dice, 1, 40);
    r->lose = (uint32_t)dice_between(&w->dice, 0, 3000);
    r->twice = (uint32_t)dice_between(&w->dice, 0, 2000);
    r->late = (uint32_t)dice_between(&w->dice, 0, 1000);
    r->commit_fails = (uint32_t)dice_between(&w->dice, 0, 300);
    r->commit_slow = (uint32_t)dice_between(&w->dice, 0, 1000);
    r->press_every_ms = dice_between(&w->dice, 3000, 40000);
    r->people_every_ms = dice_between(&w->dice, 2000, 30000);
}

struct world *world_create(uint64_t seed, struct conf **confs, const unsigned char key[64], uint64_t *marks,
                           unsigned without, bool trace)
{
    struct world *w = calloc(1, sizeof *w);
    assert(w);
    w->seed = seed;
    w->dice.state = seed * 0x2545f4914f6cdd1du + 1;
    w->trace = trace;
    w->confs = confs;
    w->key = key;
    w->marks = marks;
    draw_rates(w, without);
    w->storm_ms = dice_between(&w->dice, 90, 300) * 1000;
    w->wall_offset_ms = 1800000000000;
    w->boot_at_ms = -dice_between(&w->dice, 5000, 1000000);
    w->boot = 1;
    w->conf = (int)dice_below(&w->dice, CONFS);
    w->broker_up = true;
    disk_init(w);
    devices_init(w);
    strangers_init(w);
    endpoints_init(w);
    people_init(w);
    daemon_faults(w);
    broker_faults(w);
    plan_at(w, w->storm_ms, calm, 0, 0, NULL);
    return w;
}

void world_destroy(struct world *w)
{
    w->disk.dead = true;
    engine_destroy(w->engine);
    journal_destroy(w->journal);
    disk_finish(w);
    while (w->chunks) {
        struct chunk *c = w->chunks;
        w->chunks = c->next;
        free(c);
    }
    free(w->agenda);
    free(w->truths);
    free(w->facts);
    free(w->roots);
    free(w);
}
