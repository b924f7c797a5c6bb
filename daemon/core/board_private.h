/* board_private.h - the inside of the board, for board.c, board_due.c and board_save.c only. */
#ifndef TOCSIN_BOARD_PRIVATE_H
#define TOCSIN_BOARD_PRIVATE_H

#include "core/board.h"
#include "core/table.h"

#define CLOSED_KEPT_MS 60000 /* a closed alarm stays this long, so that late answers find it */
#define FORGET_EVERY_MS 1000

struct memory_epoch {
    char epoch[LIMIT_EPOCH];
    uint64_t highest; /* highest n heard */
    uint64_t window;  /* bit i: n == highest - i was heard; for presses without identity: the n before */
};

struct memory { /* what a device has said before */
    char site[LIMIT_ID], device[LIMIT_ID];
    struct memory_epoch epochs[LIMIT_EPOCHS]; /* the most recent first */
    uint32_t left[LIMIT_EPOCHS_LEFT];         /* hashes of those before them, the same way; 0 = none */
    uint64_t last_n;
    char last_alarm[LIMIT_ALARM_ID];
};

struct board {
    struct alarm *alarms;
    struct press *presses;
    struct memory *memories;
    struct trouble *troubles;
    struct pool alarm_pool, press_pool, memory_pool, trouble_pool;
    struct table alarms_by_id, alarms_by_place, memory_by_device, trouble_by_part;
    uint8_t *trouble_used; /* one byte a place, for walking */

    uint32_t *heap; /* alarm numbers, by next_due_clock_ms */
    uint32_t heap_size;
    uint32_t *fresh, *changed, *closed; /* queues of alarm numbers */
    uint32_t fresh_count, changed_count, closed_count;
    uint32_t open_count;
    uint64_t capacity_lost;
    int64_t forgot_clock_ms;
    enum step_result last_result;
};

uint64_t board_place_hash(const struct alarm *);
void board_due_update(struct board *, struct alarm *); /* after anything that may have changed its next moment */
void board_due_remove(struct board *, struct alarm *);

#endif
