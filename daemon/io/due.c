#include "io/due.h"
#include "io/standstill.h"
#include "memory.h"
#include <assert.h>
#include <stdlib.h>

#define RINGS_MAX 100 /* in one turn of the loop, so that sockets are looked at in between: a probe takes 0.15 ms */

static void put(struct dues *dues, size_t place, struct due *due)
{
    dues->heap[place - 1] = due;
    due->place = place;
}

static void sift_up(struct dues *dues, struct due *due)
{
    size_t place = due->place;
    while (place > 1 && dues->heap[place / 2 - 1]->at_ms > due->at_ms) {
        put(dues, place, dues->heap[place / 2 - 1]);
        place /= 2;
    }
    put(dues, place, due);
}

static void sift_down(struct dues *dues, struct due *due)
{
    size_t place = due->place;
    for (;;) {
        size_t child = place * 2;
        if (child > dues->count)
            break;
        if (child < dues->count && dues->heap[child]->at_ms < dues->heap[child - 1]->at_ms)
            child++;
        if (dues->heap[child - 1]->at_ms >= due->at_ms)
            break;
        put(dues, place, dues->heap[child - 1]);
        place = child;
    }
    put(dues, place, due);
}

static void on_timer(uv_timer_t *);

/* The timer is only ever moved earlier; one that fires too early looks and goes on waiting. With no time to wait it would
 * fire again in the same turn of the loop (libuv 1.44). */
static void arm(struct dues *dues)
{
    if (dues->count == 0 || dues->reading)
        return;
    uint64_t now_ms = due_now_ms(), at_ms = dues->heap[0]->at_ms > now_ms ? dues->heap[0]->at_ms : now_ms;
    if (dues->timer_at_ms != 0 && dues->timer_at_ms <= at_ms)
        return;
    dues->timer_at_ms = at_ms;
    uv_update_time(dues->timer.loop);
    uv_timer_start(&dues->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 1, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct dues *dues = timer->data;
    dues->reading = !dues->reading && due_now_ms() > dues->timer_at_ms + STANDSTILL_MS;
    dues->timer_at_ms = 0;
    if (dues->reading) {
        uv_timer_start(timer, on_timer, STANDSTILL_READING_MS, 0);
        return;
    }
    for (int i = 0; i < RINGS_MAX && dues->count > 0 && dues->heap[0]->at_ms <= due_now_ms(); i++) {
        struct due *due = dues->heap[0];
        due_clear(dues, due);
        due->ring(due);
    }
    if (!uv_is_closing((uv_handle_t *)timer))
        arm(dues);
}

void due_init(struct dues *dues, uv_loop_t *loop)
{
    *dues = (struct dues){.heap = NULL};
    uv_timer_init(loop, &dues->timer);
    dues->timer.data = dues;
}

uint64_t due_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

void due_set(struct dues *dues, struct due *due, uint64_t at_ms)
{
    assert(due->ring);
    if (due->place == 0) {
        if (dues->count == dues->capacity) {
            size_t capacity = dues->capacity ? dues->capacity * 2 : 64;
            dues->heap = memory_resize(dues->heap, capacity * sizeof(struct due *));
            dues->capacity = capacity;
        }
        due->place = ++dues->count;
        dues->heap[due->place - 1] = due;
    }
    due->at_ms = at_ms;
    sift_up(dues, due);
    sift_down(dues, due);
    arm(dues);
}

void due_clear(struct dues *dues, struct due *due)
{
    if (due->place == 0)
        return;
    struct due *last = dues->heap[--dues->count];
    if (last != due) {
        put(dues, due->place, last);
        sift_up(dues, last);
        sift_down(dues, last);
    }
    due->place = 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct dues *dues = handle->data;
    free(dues->heap);
    dues->heap = NULL;
    dues->closed(dues);
}

void due_close(struct dues *dues, void (*closed)(struct dues *))
{
    dues->closed = closed;
    uv_close((uv_handle_t *)&dues->timer, on_closed);
}
