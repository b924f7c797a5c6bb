/* engine.h - submit → append → committed → apply → effects. Read this first.
 *
 *     press ─► engine_message ─► submit ─► journal ─► engine_progress ─► board_apply ─► effects ─► ports
 *     results, deeds, deadlines ─────────────┘
 *
 * Promises (design): what it answers yes to is committed; when the journal is slower than record_wait_ms or dead, the
 * alarm goes out all the same, marked unrecorded; after a restart it owes what it owed before.
 * Does not: touch the world. Everything it wants done goes through `struct engine_ports`, one of the two seams.
 * Everything runs on the loop thread.
 */
#ifndef TOCSIN_ENGINE_H
#define TOCSIN_ENGINE_H

#include "conf/conf.h"
#include "core/board.h"
#include "journal/journal.h"

struct engine;

struct engine_telling { /* one delivery, ready to be sent */
    char id[LIMIT_ALARM_ID + LIMIT_ID + 24];
    const char *endpoint;
    const char *alarm; /* what an echo must name; "" for troubles */
    bool first, test, trouble;
    unsigned give_up_s;
    char *take_body;
    size_t body_size;
};

struct engine_ports {
    void *ctx;
    int64_t (*wall_ms)(void *ctx);     /* CLOCK_REALTIME */
    int64_t (*boottime_ms)(void *ctx); /* CLOCK_BOOTTIME: never steps */
    void (*tell)(void *ctx, struct engine_telling *);
    void (*cancel)(void *ctx, const char *id, const char *endpoint);
    void (*publish)(void *ctx, const char *topic, const void *body, size_t size, int qos, bool retain);
    void (*release)(void *ctx, void *hold); /* the PUBACK that waited */
    void (*wake_at)(void *ctx, int64_t boottime_ms); /* call engine_tick() then, or earlier */
    /* for feeds; in order of seq, after the tellings and receipts that the event made due */
    void (*applied)(void *ctx, const struct event *, const char *line, size_t size);
    void (*log)(void *ctx, int level, const char *alarm, const char *text); /* 0 error, 1 warning, 2 info, 3 debug */
    void (*random)(void *ctx, void *out, size_t size);
};

struct engine_receipt { /* what became of a press, for who waits for an answer; valid during the call */
    const char *epoch, *alarm; /* alarm "" = none, or long forgotten */
    uint64_t n;
    const char *stage; /* as the receipt has it; NULL: the journal has not recorded it, no yes can be given */
    enum refusal refusal; /* of stage "refused" */
};

struct engine_message { /* as it came from the broker, from the desk's page, or from a test */
    const char *topic;
    const void *payload;
    size_t size;
    int qos;
    bool retained;
    void *hold;
    void (*answer)(void *ctx, const struct engine_receipt *); /* of a press: NULL or exactly once */
    void *ctx;
};

enum engine_answer {
    ENGINE_DONE,       /* committed and applied */
    ENGINE_ALREADY,    /* somebody was first; `who` says who */
    ENGINE_IMPOSSIBLE, /* the alarm's state does not allow it (closed, …) */
    ENGINE_UNKNOWN,    /* no such open alarm */
    ENGINE_UNRECORDED  /* applied, but the journal does not answer: no yes can be given */
};

struct engine_deed {
    enum event_type type; /* ACKNOWLEDGED, COMING, ON_SCENE, CLOSED, NOTE_ADDED */
    char alarm[LIMIT_ALARM_ID];
    char by[LIMIT_ID];
    char endpoint[LIMIT_ID];
    enum role role;
    enum disposition disposition;
    uint32_t seen_version; /* closing: see event_deed */
    const char *note; /* NULL or text */
    void (*answer)(void *ctx, enum engine_answer, const char *who, uint64_t seq); /* NULL or exactly once */
    void *ctx;
};

struct engine_result { /* what came of one attempt; see dispatch_http.h */
    const char *id, *endpoint;
    uint32_t attempt, duration_ms;
    enum delivery_outcome outcome;
    bool final;
    uint16_t http_status;
    const char *text, *acknowledged_by;
};

struct engine_counts {
    uint64_t presses, duplicates, refused, heartbeats, unknown_topics, events, receipts, tellings, unrecorded;
    uint64_t commits;
};

struct engine *engine_create(const struct engine_ports *, struct journal *, const struct conf *); /* conf: not owned */
void engine_destroy(struct engine *);
/* Replays the journal into the board, journals daemon_started, owes again what was owed. False: error says why. */
bool engine_start(struct engine *, const char *boot_id, const char *version, char error[LIMIT_TEXT]);
void engine_stop(struct engine *); /* journals daemon_stopped, puts a snapshot */
void engine_give_up(struct engine *); /* stopped: who still waits for the record is told that there will be none */
void engine_set_conf(struct engine *, const struct conf *); /* after a reload; the old one may be destroyed after it */

void engine_message(struct engine *, const struct engine_message *);
void engine_deed(struct engine *, const struct engine_deed *);
void engine_result(struct engine *, const struct engine_result *);
void engine_access(struct engine *, enum event_type, const struct event_access *); /* who came, who may not */
void engine_trouble(struct engine *, enum trouble_code, const char *part, bool raised, const char *text); /* idempotent */
void engine_progress(struct engine *); /* after the journal's wake */
void engine_tick(struct engine *);     /* when wake_at said, or at any time */
/* Heartbeats come through, or do not: until they do no device is called silent, and then each has its time anew. */
void engine_hears(struct engine *, bool hears);
void engine_stood_still(struct engine *, int64_t ms); /* nobody was heard for so long, which is nobody's silence */
void engine_broker_back(struct engine *); /* says again what buttons and sites may have missed */
void engine_read_ahead(struct engine *); /* while the journal commits: what can be done before it has; cheap when done */
void engine_batch_end(struct engine *); /* end of a batch of messages: lets the writer take what is gathered */

struct board *engine_board(struct engine *);
const struct conf *engine_conf(const struct engine *);
struct engine_counts engine_counts(const struct engine *);
bool engine_ready(const struct engine *); /* replayed, journal answers */
/* This telling has stood in a queue and leaves now, for the first time: what has happened since goes along. True: `out` takes
 * its place, with another id; false: nothing has. */
bool engine_renew_telling(struct engine *, const char *id, const char *endpoint, struct engine_telling *out);
bool engine_awaits_commit(const struct engine *); /* something is on its way into the journal and not yet applied */
struct journal_progress engine_journal(const struct engine *);

struct engine_device {
    bool heard;              /* since the daemon started */
    int64_t heard_at_ms;     /* wall time of the last sign of life */
    int battery;             /* -1 = unknown */
    bool silent, offline;
};
bool engine_device(const struct engine *, uint32_t device_index, struct engine_device *);

#endif
