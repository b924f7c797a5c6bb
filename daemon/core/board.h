/* board.h - all open alarms in memory, the troubles, and what each device has said before.
 *
 * Promises: the board is a function of the events applied to it, in order: running, starting and replaying are the
 * same board_apply(). It allocates once, in board_create(). When a pool is full it goes on with less detail and
 * says so in `capacity_lost`. However many devices are in trouble, there is a place for the troubles of the house, and
 * for the one that says that a limit is reached.
 * Does not: read a clock, send, log.
 *
 *     struct board *b = board_create();
 *     board_apply(b, &event);
 *     board_take_effects(b, now, deliver, ctx);      // what is owed and not yet on its way
 *     while (board_next_deadline(b, now, &due))      // what should have happened by now
 *         submit(&due);
 *     board_destroy(b);
 */
#ifndef TOCSIN_BOARD_H
#define TOCSIN_BOARD_H

#include "core/alarm.h"

struct board;

struct trouble {
    enum trouble_code code;
    char part[LIMIT_ID * 2];
    char text[LIMIT_TEXT];
    int64_t at_ms;
    uint64_t seq;
};

struct board_counts {
    uint32_t alarms_open, alarms_kept; /* kept: closed, but an endpoint has not been told yet */
    uint32_t presses, devices, troubles;
    uint64_t capacity_lost; /* how often a pool was full */
};

/* What has been heard of this press before. Overtaken: not heard as far as is remembered, but a later one was, perhaps of a
 * later epoch. */
enum seen { SEEN_NEVER, SEEN_BEFORE, SEEN_OVERTAKEN, SEEN_COUNTER_BACK };

/* An effect: something the daemon now owes the world. */
struct effect {
    const struct alarm *alarm;
    struct delivery *delivery;
    uint32_t first_press; /* presses first_press … first_press + press_count - 1 of the alarm are news to it */
    uint32_t press_count;
};

struct board *board_create(void); /* NULL: no memory */
void board_destroy(struct board *);

void board_apply(struct board *, const struct event *);

/* Touches the places that the next press will take, so that it does not wait for the kernel to find memory. Changes
 * nothing. */
void board_make_ready(struct board *);

/* Is there a place for one more of everything? */
bool board_has_room(const struct board *);

/* The result of the last event applied, for whoever asked for it. */
enum step_result board_last_result(const struct board *);

struct alarm *board_alarm(struct board *, const char *id); /* NULL when not on the board */
struct alarm *board_open_alarm(struct board *, const char *site, enum alarm_class, enum mode);
struct alarm *board_next_alarm(struct board *, struct alarm *previous); /* NULL starts and ends; oldest first not promised */
/* Below LIMIT_ALARMS; its own as long as it is on the board. */
uint32_t board_number(const struct board *, const struct alarm *);
const struct press *board_press(const struct board *, uint32_t index); /* NULL at the end of a list */
const struct press *board_nth_press(const struct board *, const struct alarm *, uint32_t n);
/* NULL: the alarm does not list it */
const struct press *board_find_press(const struct board *, const struct alarm *, const char *device, const char *epoch,
                                     uint64_t n);

/* `alarm` (LIMIT_ALARM_ID bytes) gets the alarm of a press seen before, "" when it is forgotten. */
enum seen board_seen(const struct board *, const char *site, const char *device, const char *epoch, uint64_t n,
                     char *alarm);

/* True when no later press of the same device is known: the one that its receipts name. */
bool board_is_last_press(const struct board *, const struct alarm *, const struct press *);
/* The alarm of the device's last press, NULL when there is none on the board. */
struct alarm *board_alarm_of_device(struct board *, const char *site, const char *device);

const struct trouble *board_trouble(const struct board *, enum trouble_code, const char *part);
const struct trouble *board_next_trouble(const struct board *, const struct trouble *previous);

struct board_counts board_counts(const struct board *);

/* Deadlines that have passed at `clock_ms` and were not handed out before; false when there is none. */
bool board_next_deadline(struct board *, int64_t clock_ms, struct event *out);
/* The next moment at which something is due (deadline or gathered delivery); INT64_MAX when nothing is. */
int64_t board_due(const struct board *);

/* The board as bytes, a cache for a quick start: only the same build reads it back. `out` NULL asks for the size. */
size_t board_save(const struct board *, void *out, size_t capacity);
bool board_load(struct board *, const void *bytes, size_t size); /* false: not usable, the board is empty */

/* Hand out the deliveries that are owed and not under way, and mark them as on their way. `gather_ms`: presses that
 * follow a telling more closely than this wait until then for company. The effect is valid during the call only,
 * which must not change the board. */
typedef void board_effect_fn(void *ctx, const struct effect *);
void board_take_effects(struct board *, int64_t clock_ms, int64_t gather_ms, board_effect_fn *, void *ctx);
/* The telling of this delivery is made now, of all that it is owed; also in the place of one that has not left yet.
 * Allowed within an effect, for another delivery. */
void board_send(struct alarm *, struct delivery *, int64_t clock_ms, board_effect_fn *, void *ctx);

/* Nothing is on its way to this endpoint any more: what it is owed is handed out anew. */
void board_tell_again(struct board *, const char *endpoint);

/* An alarm that changed since it was last handed out, for receipts and the site's state; NULL when no more. */
struct alarm *board_take_changed(struct board *);

#endif
