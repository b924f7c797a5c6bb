/* sim.h - one simulated world: the real engine, core, codecs and journal between simulated clocks, disk,
 * broker, buttons, endpoints and people. One seed is one history, byte for byte.
 *
 *     struct world *w = world_create(seed, confs, options);
 *     bool good = world_run(w);       // false: w->failure says what was wrong, and when
 *     world_destroy(w);
 *
 * Everything that happens stands in the agenda; nothing runs beside it. `now_ms` is the time that really
 * passes; the daemon only sees clocks made from it. */
#ifndef SIM_H
#define SIM_H

#include "conf/conf.h"
#include "dice.h"
#include "engine.h"
#include "journal/store.h"
#include <setjmp.h>
#include <stdio.h>

#define SITES 3
#define SHOWN 32 /* alarms of one site's state */
#define ENDPOINTS 4
#define CONFS 3
#define DEVICES_A_SITE 4 /* that run the button's library: d1 … d4 */
#define BUTTONS (SITES * DEVICES_A_SITE)

enum mark {
#define MARK(NAME, TEXT) MARK_##NAME,
#include "marks.def"
#undef MARK
    MARK_COUNT
};

/* What may go wrong in this history; each seed draws its own. A part can be switched off to shrink a failure.
 */
enum fault {
    FAULT_DEATH,    /* kill -9 between any two steps, also inside a commit */
    FAULT_REBOOT,   /* a new boot, the kernel's clock begins anew */
    FAULT_CLOCK,    /* the wall clock is set */
    FAULT_DISK,     /* failing, full, slow */
    FAULT_MESSAGE,  /* lost, doubled, late, in another order */
    FAULT_BROKER,   /* restarts, forgets */
    FAULT_BUTTON,   /* power losses, failing storage */
    FAULT_ENDPOINT, /* dead, slow, refusing, … */
    FAULT_RELOAD,   /* another configuration */
    FAULT_STRANGER, /* forged, replayed, retained, odd presses */
    FAULT_STORM,    /* many presses at once */
    FAULT_PEOPLE,   /* answering, closing, two at once */
    FAULT_COUNT
};

struct world;
struct happening;
typedef void happen_fn(struct world *, const struct happening *);

struct happening {
    int64_t at_ms;
    uint64_t order; /* of equal moments */
    happen_fn *happen;
    uint32_t life; /* 0: whatever becomes of the daemon; otherwise only in this life of it */
    int a;
    void *thing;
};

/* A press as the world meant it. */
struct truth {
    char site[LIMIT_ID], device[LIMIT_ID], epoch[LIMIT_EPOCH];
    uint64_t n;
    enum kind kind;
    enum mode mode;
    bool alarms;     /* genuine, of a known device, no cancel: it must alarm once it has reached the daemon */
    bool may_refuse; /* the daemon may show it to the desk only: its device was disabled, it was retained or
                        is old */
    bool by_button;  /* somebody repeats it until it is answered */
    int64_t made_ms, taken_ms; /* taken: handed to the daemon in its present life, 0 = not */
    uint64_t seq, refused_seq; /* in the journal, 0 = not */
    char alarm[LIMIT_ALARM_ID],
        told_alarm[LIMIT_ALARM_ID]; /* of the record; that endpoints were told, in this life */
    unsigned heard;                 /* bit set of endpoints that have received it */
    unsigned attempted;             /* bit set of endpoints to which it was sent in this life */
    bool unrecorded_told;
};

/* What the disk really holds. */
struct fact {
    enum event_type type;
    char alarm[LIMIT_ALARM_ID], by[LIMIT_ID];
    int64_t at_ms, clock_ms;
    int64_t offset_ms; /* of the wall clock, when it was stamped */
    unsigned boot;     /* of a start */
    int truth;         /* of a press, -1 = none */
};

struct letter { /* a message on its way to the daemon */
    const char *topic, *payload;
    size_t size;
    int qos;
    bool retained, wants_hold;
    int truth; /* -1 = none of ours */
    unsigned tries;
};

struct telling { /* the dispatcher's */
    struct telling *next;
    char id[LIMIT_ALARM_ID + LIMIT_ID + 24], alarm[LIMIT_ALARM_ID];
    int endpoint;
    const char *body;
    size_t size;
    unsigned give_up_s, attempts;
    int64_t told_ms, ended_ms;
    bool cancelled, done;
};

struct worry { /* an alarm as the model follows it; see model.c */
    struct worry *next;
    char id[LIMIT_ALARM_ID], site[LIMIT_ID];
    enum alarm_class class;
    enum mode mode;
    struct plan plan; /* of the configuration when it opened */
    int opener;       /* truth */
    int64_t opened_ms, told_ms[LIMIT_STEPS];
    int64_t may_be_early_ms, may_be_late_ms; /* what the wall clock did over a reboot */
    unsigned heard;                          /* bit set of endpoints that have received anything about it */
    bool touched, closing, closed;           /* somebody answered; asked to close; closed */
    bool refused;                            /* an endpoint refused: the next step may be early */
};

struct rates {
    bool on[FAULT_COUNT];
    uint32_t die_in_call, lose, twice, late, commit_fails, commit_slow; /* per 10000 */
    int64_t press_every_ms, people_every_ms;
};

enum disk_mood { DISK_GOOD, DISK_FAILING, DISK_FULL, DISK_SLOW, DISK_GONE };

struct disk {
    struct store store; /* first */
    struct store *memory;
    struct world *world;
    enum disk_mood mood;
    bool dead;      /* of a daemon that is no more: nothing is written */
    uint64_t count; /* lines it holds */
};

struct world {
    uint64_t seed;
    struct dice dice;
    bool trace, calm;
    uint64_t *marks; /* counts, of the whole run */
    struct conf **confs;
    const unsigned char *key;
    struct rates rates;

    int64_t now_ms, storm_ms; /* storm_ms: when the faults end */
    int64_t wall_offset_ms, boot_at_ms;
    int64_t clock_now_ms; /* the daemon's clock before time, as it stamps */
    int64_t clock_ahead_ms, clock_low_ms,
        clock_high_ms; /* the daemon's clock before time: is, must be at the next start */
    unsigned boot;
    struct happening *agenda;
    size_t agenda_count, agenda_size;
    uint64_t orders, happened;
    struct chunk *chunks; /* memory of this history */

    /* the daemon */
    struct disk disk;
    struct journal *journal;
    struct engine *engine;
    int conf;
    bool up, starting, stopping, clock_known, broker_up, woken, in_daemon;
    uint32_t life;
    int64_t up_since_ms, down_since_ms, conf_since_ms, wake_boottime_ms;
    uint64_t wake_order;
    bool commit_planned, degraded;
    jmp_buf death, end;

    /* what is known to be true */
    struct truth *truths;
    int truth_count, truth_size;
    struct fact *facts; /* facts[seq - 1] */
    uint64_t fact_size;
    unsigned char (*roots)[32]; /* by size, for those sizes that a commit ended with */
    uint64_t root_size;
    uint64_t judged_head; /* the largest journal size an endpoint was shown */

    struct worry *worries;
    struct letter *queue[512]; /* the broker keeps these for the daemon */
    int queue_count;
    struct letter *held[64]; /* their PUBACK waits */
    int held_count;
    uint64_t closings;      /* how often somebody asked to close anything */
    struct letter *kept[8]; /* retained presses */
    int kept_count;
    struct device *devices; /* [BUTTONS] */
    struct telling *tellings;
    struct endpoint *endpoints; /* [ENDPOINTS] */
    struct content *contents;   /* of each webhook-id */
    int deeds_waiting;
    uint32_t kept_before; /* closed alarms on the board, at the last step */
    uint64_t stranger_presses, counter;
    char shown[SITES][SHOWN][LIMIT_ALARM_ID]; /* the alarms of each site's state, as this daemon said it last */
    unsigned nameless[SITES]; /* bit sets of classes: a press came that the model cannot name */

    char failure[1024];
};

/* main.c, world.c */
struct world *world_create(uint64_t seed, struct conf **confs, const unsigned char key[64], uint64_t *marks,
                           unsigned without, bool trace);
bool world_run(struct world *);
void world_destroy(struct world *);
void *world_take(struct world *, size_t size); /* zeroed, until the end of the history */
const char *world_copy(struct world *, const char *text, size_t size);
void plan_at(struct world *, int64_t at_ms, happen_fn *, uint32_t life, int a, void *thing);
void plan_in(struct world *, int64_t in_ms, happen_fn *, uint32_t life, int a, void *thing);
void say(struct world *, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void fail(struct world *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mark(struct world *, enum mark);
bool faulty(struct world *, enum fault,
            uint32_t per_10000); /* a throw that only counts while faults are on */

/* confs.c */
bool confs_load(struct conf *confs[CONFS], unsigned char key[64]);
extern const unsigned char device_key[32];
extern const char *const endpoint_names[ENDPOINTS];
int endpoint_number(const char *id);

/* disk.c */
void disk_init(struct world *);
void disk_finish(struct world *);

/* daemon.c */
void daemon_start(struct world *);
void daemon_die(struct world *, const char *why); /* kill -9 at this very instruction, when inside of it */
void daemon_bury(struct world *);
void daemon_after(struct world *); /* after each happening: plans the next commit */
void daemon_perhaps_die(struct world *, enum mark);
void daemon_faults(struct world *);
void daemon_mend(struct world *);

/* ledger.c */
int truth_find(struct world *, const char *site, const char *device, const char *epoch, uint64_t n);
bool truth_overtaken(const struct world *, const struct truth *); /* signed, and a later one has come */
int truth_make(struct world *, const struct truth *);
void ledger_keep(struct world *, uint64_t seq, const char *line, size_t size);
void ledger_commit(struct world *, const struct store_head *);
void ledger_forget_life(struct world *);

/* broker.c */
void broker_from_device(struct world *, const struct letter *);
void broker_from_daemon(struct world *, const char *topic, const char *body, size_t size, bool retain);
void broker_daemon_connects(struct world *);
void broker_release(struct world *, struct letter *);
void broker_faults(struct world *);

/* devices.c, strangers.c */
void devices_init(struct world *);
void devices_link(struct world *, bool up);
void devices_receive(struct world *, const char *topic, const char *body, size_t size);
void devices_calm(struct world *);
void devices_settled(struct world *);
void devices_press(struct world *, int device, const char *kind, enum mode);
void strangers_init(struct world *);

/* endpoints.c */
void endpoints_init(struct world *);
void endpoints_tell(struct world *, struct engine_telling *);
void endpoints_cancel(struct world *, const char *id, const char *endpoint);
void endpoints_forget(struct world *); /* the dispatcher died with the daemon */
void endpoints_calm(struct world *);
bool endpoints_trying(struct world *, const char *alarm, int endpoint);

/* people.c */
void people_init(struct world *);
void people_close_all(struct world *);
void people_answer_all(struct world *);

/* check.c: what must hold after each step; model.c: who must have been told of what by when */
void check_step(struct world *);
void check_receipt(struct world *, const char *topic, const char *body, size_t size);
void check_board(struct world *, const char *when);
void check_settled(struct world *, bool after_closing);
void model_nameless(struct world *, const char *site, enum alarm_class);
void model_taken(struct world *, int truth);
void model_told(struct world *, int endpoint, const char *id, const char *body, size_t size, bool just_made,
                bool arrives);
void model_deed(struct world *, const char *alarm, enum event_type, bool done);
void model_refused(struct world *, const char *alarm);
void model_died(struct world *);
void model_restarted(struct world *, int64_t early_ms, int64_t late_ms);
void model_watch(struct world *);
void model_settled(struct world *);

#endif
