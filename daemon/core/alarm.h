/* alarm.h - one case: its state, whom it has told, who took it.
 *
 *     open → acknowledged → coming → on_scene → closed
 *
 * Promises: only a person's deed (or, for a test, its time) closes an alarm; every endpoint of the plan that was
 * reached by its step is in a named delivery state; alarm_step() is the only function that changes the state,
 * with one function per state behind it.
 * Does not: read a clock, allocate, send. What it owes the world is read off it with board_take_effects().
 */
#ifndef TOCSIN_ALARM_H
#define TOCSIN_ALARM_H

#include "core/event.h"

enum alarm_state { ALARM_OPEN, ALARM_ACKNOWLEDGED, ALARM_COMING, ALARM_ON_SCENE, ALARM_CLOSED, ALARM_STATE_COUNT };

/* The state of what is owed to one endpoint. */
enum delivery_state {
    DELIVERY_WAITING,     /* its step has not come */
    DELIVERY_PENDING,     /* owed, not yet tried */
    DELIVERY_SENT,        /* on its way; never journaled, so a restart shows pending */
    DELIVERY_RECEIVED,
    DELIVERY_UNCONFIRMED, /* answered, without the agreed echo: tried again */
    DELIVERY_REFUSED,     /* it will not take it and said why: tried again, slowly */
    DELIVERY_FAILING,     /* no answer or a bad one: tried again */
    DELIVERY_STATE_COUNT
};

/* What was told last; the type of a webhook body ("alarm.opened", …). */
enum change {
    CHANGE_OPENED,
    CHANGE_JOINED,
    CHANGE_RAISED,
    CHANGE_ESCALATED,
    CHANGE_REOPENED,
    CHANGE_ACKNOWLEDGED,
    CHANGE_COMING,
    CHANGE_ON_SCENE,
    CHANGE_CLOSED,
    CHANGE_COUNT
};

/* One telling of the alarm's present to one endpoint. Versions count the alarm's changes; a telling is complete
 * when the endpoint has received version == alarm.version and presses == alarm.press_count. */
struct delivery {
    char endpoint[LIMIT_ID];
    enum role role;
    uint8_t step;
    enum delivery_state state;
    uint32_t wanted_version;             /* what it shall be told; stays behind alarm.version where that would only pester */
    uint32_t told_version, told_presses; /* what it has received */
    uint32_t sending_version, sending_presses; /* what is on its way or being retried; version 0 = nothing */
    int64_t sending_changed_ms;                /* when what is on its way happened, wall; never journaled */
    bool sending_unrecorded;             /* it left before the journal had the press */
    uint32_t attempts;                   /* of the telling under way */
    int64_t since_ms;                    /* wall time of the last change of state */
    int64_t sent_clock_ms;               /* when the last telling left; never journaled */
    uint16_t http_status;
};

struct press {
    char device[LIMIT_ID], zone[LIMIT_ID], epoch[LIMIT_EPOCH];
    uint64_t n;
    int64_t at_ms;
    uint64_t seq; /* journal place, 0 = not recorded */
    enum kind kind;
    uint32_t oddities;
    uint32_t next; /* index of the alarm's next press; board's own */
};

struct alarm {
    char id[LIMIT_ALARM_ID], site[LIMIT_ID];
    enum alarm_class class;
    enum mode mode;
    enum kind kind; /* the gravest so far */
    enum alarm_state state;
    enum change change;
    uint32_t version; /* counts changes worth telling, from 1 */
    uint32_t joined_version; /* the version that the last press made */
    struct plan plan;
    uint8_t step;     /* the rung that is answering, from 0 */
    uint32_t rounds;  /* how often the end of the plan was reached */
    uint8_t acked;    /* bit set of roles that acknowledged since the alarm was (re)opened, or got graver */
    uint8_t reached[ROLE_COUNT]; /* enum alarm_state: the furthest deed of each role since then */
    bool exhausted;   /* the whole plan was told and nobody answered */
    uint8_t cancels;  /* how often a button asked to cancel */

    int64_t opened_at_ms, changed_at_ms; /* wall */
    int64_t opened_clock_ms, closed_clock_ms;
    int64_t due_clock_ms[DEADLINE_COUNT]; /* 0 = not set */
    uint64_t opened_seq, last_seq;        /* last_seq decides whether all of it is recorded */

    char acked_by[ROLE_COUNT][LIMIT_ID];   /* per role, since the alarm was (re)opened */
    char reached_by[ROLE_COUNT][LIMIT_ID]; /* who brought each role as far as it is */
    char acknowledged_by[LIMIT_ID], coming_by[LIMIT_ID], on_scene_by[LIMIT_ID], closed_by[LIMIT_ID];
    enum disposition disposition;

    uint32_t press_count;             /* all presses */
    uint32_t press_first, press_last; /* indices into the board's pool */
    uint32_t presses_unlisted;        /* presses beyond the pool: counted, not kept */
    uint8_t delivery_count;
    struct delivery deliveries[LIMIT_PLAN_ENDPOINTS];

    /* the board's own */
    uint32_t heap_place;                     /* 1-based; 0 = not in the heap */
    int64_t next_due_clock_ms, gather_due_clock_ms;
    uint8_t deadline_posted;                 /* bit set of deadlines handed out and not yet applied */
    char published[40];                      /* stage and kind last sent to buttons and the site's state */
    bool in_use, fresh, changed;             /* fresh: effects not looked at; changed: not yet reported */
};

/* Open `a` from the press of `e`. `a` is zeroed by the caller. Sets state, plan, deliveries of step 0. */
void alarm_open(struct alarm *a, const struct event *e);

/* Apply one event to an alarm that exists. Events that do not fit its state change nothing but last_seq; what was
 * allowed is answered, so that the caller can tell a person "already acknowledged by …".
 * Joining presses: the caller links the press itself, alarm_step() decides what it means. */
enum step_result { STEP_CHANGED, STEP_UNCHANGED, STEP_ALREADY, STEP_IMPOSSIBLE };
enum step_result alarm_step(struct alarm *a, const struct event *e);

/* Has the deadline that the event says has passed the time that the alarm gives now? Otherwise what came in between, as it
 * was on its way into the journal, has set it anew, or taken it away: it changes nothing, and will be due again. */
bool alarm_is_due(const struct alarm *a, const struct event *deadline);

/* Will this press make it graver? Then what an endpoint has refused, or not confirmed, is replaced at once, also while it is
 * being tried again: the engine cancels that before the press is applied. */
bool alarm_gets_graver(const struct alarm *a, const struct event *press);
bool alarm_said_no(const struct delivery *d);

/* True when `d` has something to be told that is newer than what it has received. */
bool alarm_owes(const struct alarm *a, const struct delivery *d);
bool alarm_owes_any(const struct alarm *a);

struct delivery *alarm_delivery(struct alarm *a, const char *endpoint); /* NULL when the plan has no such endpoint */

/* The stage a button is shown: recorded, delivered, acknowledged, coming, on_scene, closed. */
const char *alarm_stage(const struct alarm *a);

const char *alarm_state_str(enum alarm_state);
bool alarm_state_of(const char *text, enum alarm_state *out);
const char *delivery_state_str(enum delivery_state);
bool delivery_state_of(const char *text, enum delivery_state *out);
const char *change_str(enum change);
bool change_of(const char *text, enum change *out);

#endif
