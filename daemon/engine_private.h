/* engine_private.h - the inside of the engine, for engine.c (submit, commit, apply), engine_intake.c (what comes in),
 * engine_under_way.c (what is on its way into the journal), engine_trouble.c (what is not as it should be) and engine_out.c
 * (what goes out). */
#ifndef TOCSIN_ENGINE_PRIVATE_H
#define TOCSIN_ENGINE_PRIVATE_H

#include "codec/alarm_json.h"
#include "codec/event_json.h"
#include "codec/press_json.h"
#include "engine.h"
#include "supervision.h"
#include <sys/queue.h>

enum { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

#define INTENTS 4096
#define UNDER_WAY 1024 /* buckets */
#define SCAN_EVERY_MS 1000

/* An event on its way through the journal. One without a line is a wait for everything submitted before it. */
struct pending {
    struct pending *next;
    LIST_ENTRY(pending) same; /* a press or a trouble that is not applied yet: in its bucket of under_way */
    uint64_t seq;
    int64_t submitted_boottime_ms;
    enum event_type type;
    bool applied; /* before it was committed: the journal was slow */
    char alarm[LIMIT_ALARM_ID];
    /* what is owed once it is committed */
    bool receipt;
    bool cancels; /* a press that asks to cancel: it is nothing that a closing must have seen */
    char site[LIMIT_ID], device[LIMIT_ID], epoch[LIMIT_EPOCH];
    uint64_t n; /* of a trouble: the hash of what it is about */
    void *hold;
    void (*answer)(void *ctx, enum engine_answer, const char *who, uint64_t seq);
    void (*press_answer)(void *ctx, const struct engine_receipt *);
    void *answer_ctx; /* of either */
    enum engine_answer result;
    char who[LIMIT_ID];
    char *note;          /* salt and text, owned */
    struct event *event; /* the line read back, if possible while the disk was busy with it; owned; NULL = not yet */
    struct parting *parting; /* of a closing that the record did not have when it was applied; owned; NULL = none */
    size_t size;
    char line[]; /* what the journal keeps; empty for a wait */
};

/* Who hears that an alarm is closed: the record may take the closing only when the board has long let go of the alarm. */
struct parting {
    char site[LIMIT_ID];
    uint32_t count;
    struct press presses[]; /* of each device its last one */
};

LIST_HEAD(pending_bucket, pending);

/* Where a press of a place will go once what is under way has been applied. */
struct intent {
    uint64_t place, seq;
    bool opens; /* otherwise it closes */
    char alarm[LIMIT_ALARM_ID];
};

/* News that can wait, so that presses do not: an endpoint has the alarm. The state of its site says so from then on. */
struct late_state {
    STAILQ_ENTRY(late_state) link;
    int64_t due_boottime_ms;
    char alarm[LIMIT_ALARM_ID];
};

struct engine {
    struct engine_ports ports;
    struct journal *journal;
    const struct conf *conf;
    struct board *board;
    struct supervision supervision;
    struct engine_counts counts;
    struct journal_progress progress;
    enum journal_state journal_reported;
    enum { CONCERN_UNKNOWN, CONCERN_NONE, CONCERN_SOME } concern_reported; /* once: its words change with each look */

    struct pending *first, **last; /* in order of seq */
    struct pending *first_unapplied, *first_unshown; /* unshown: onlookers (feeds) have not heard of it */
    unsigned held; /* of them: whose PUBACK waits */
    struct pending_bucket under_way[UNDER_WAY]; /* presses and troubles on their way into the journal, by identity */
    uint64_t submitted_seq, applied_seq, lost;
    bool has_lost; /* the board may have presses that the record will never have */
    struct intent intents[INTENTS]; /* a ring, oldest at intent_first */
    uint32_t intent_first, intent_count;

    int64_t clock_base_ms, boottime_base_ms; /* the daemon's clock = base + boottime - base */
    char boot_id[40], version[24];
    int64_t next_scan_boottime_ms;
    uint64_t snapshot_seq, capacity_told;
    int64_t capacity_boottime_ms; /* when a limit of the board last cost detail; 0 = not since the start */
    int64_t refused_window_boottime_ms;
    unsigned refused_in_window;
    bool started, in_effects, settling;
    bool conf_is_new; /* troubles of what is not configured any more are still to be cleared */
    STAILQ_HEAD(, late_state) late_states; /* in order of time */
    char body[LIMIT_BODY];
    struct engine_words {
        const struct alarm *alarm;
        uint32_t first_press, press_count;
        bool first;
        int64_t at_ms;
    } words; /* of the telling in `body`, while effects are handed out */
    size_t words_size; /* 0 = none */
};

/* What submit() shall do besides recording the event. All optional. */
struct submission {
    struct event *event;
    bool receipt;
    const struct engine_message *message;
    const struct engine_deed *deed;
    const char *found_as;
};

int64_t engine_clock(const struct engine *);
void engine_submit(struct engine *, const struct submission *);
void engine_wait(struct engine *, const struct pending *like); /* the same answers, after all that was submitted */
bool engine_recorded(const struct engine *, uint64_t seq);
void engine_say(const struct engine *, int level, const char *alarm, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void engine_read(struct engine *, struct pending *); /* its line, into its event */

/* engine_under_way.c */
void engine_intend(struct engine *, uint64_t place, bool opens, const char *alarm);
uint64_t engine_place(const char *site, enum alarm_class, enum mode);
/* The alarm that a press of this place joins; NULL when it opens one. */
const char *engine_case(struct engine *, const char *site, enum alarm_class, enum mode);
void engine_comes(struct engine *, struct pending *, const struct event *); /* it has been submitted */
void engine_came(struct engine *, struct pending *);                        /* it is applied */
/* NULL: no press of this identity is on its way. */
const struct pending *engine_press_under_way(struct engine *, const char *site, const char *device, const char *epoch,
                                             uint64_t n);
/* The last word on this trouble that is on its way; NULL = none. Valid until it is applied. */
const struct event *engine_trouble_under_way(struct engine *, enum trouble_code, const char *part);

/* engine_trouble.c */
void engine_resume_troubles(struct engine *); /* what was raised before the start */
void engine_scan_troubles(struct engine *, int64_t now_boottime_ms);

void engine_apply_ahead(struct engine *); /* what the journal has not committed in time */

/* engine_start.c */
void engine_snapshot(struct engine *);

/* engine_out.c */
void engine_effects(struct engine *);
void engine_receipt(struct engine *, const struct pending *);
void engine_stage(struct engine *, struct alarm *); /* tells its buttons and its site, when there is news */
struct parting *engine_parting(struct engine *, const struct event *); /* NULL: it closed nothing, or is recorded */
void engine_part(struct engine *, const char *alarm, const struct parting *);
void engine_late_states(struct engine *, int64_t now_boottime_ms); /* those that are due */
void engine_before_apply(struct engine *, const struct event *);
void engine_tell_trouble(struct engine *, const struct event *);
void engine_new_endpoints(struct engine *, const struct conf *); /* what they are owed is told anew */
void engine_new_sites(struct engine *, const struct conf *old); /* they hear their state */

#endif
