/* event.h - the facts of the journal, past tense. Everything that ever changes the board is one of these.
 *
 * An event is a value without pointers. It is stamped once, by the engine on entry:
 *   at_ms     wall clock, milliseconds since 1970 UTC: for people, may step;
 *   clock_ms  the daemon's own clock: never steps, goes on over restarts: for every duration and deadline.
 * How an event looks as a line of the journal: proto/journal.md, codec/event_json.h. */
#ifndef TOCSIN_EVENT_H
#define TOCSIN_EVENT_H

#include "core/kind.h"
#include "core/plan.h"
#include "limits.h"
#include <stdbool.h>
#include <stdint.h>

enum event_type {
    EVENT_DAEMON_STARTED,
    EVENT_DAEMON_STOPPED,
    EVENT_PRESS_RECEIVED,  /* opens an alarm or joins one */
    EVENT_PRESS_REFUSED,   /* a security matter for the desk: no alarm */
    EVENT_DEADLINE_PASSED, /* somebody had to do something by a moment */
    EVENT_DELIVERY_RESULT, /* what came of one attempt towards one endpoint */
    EVENT_ACKNOWLEDGED,    /* a person took it */
    EVENT_COMING,
    EVENT_ON_SCENE,
    EVENT_CLOSED,
    EVENT_NOTE_ADDED,
    EVENT_TROUBLE_RAISED,
    EVENT_TROUBLE_CLEARED,
    EVENT_CONF_LOADED,
    EVENT_JOURNAL_GAP, /* events that could not be kept while the disk was dead */
    EVENT_SIGNED_IN,   /* the last four: who came to the desk and what he may not; the board does not care */
    EVENT_SIGNED_OUT,
    EVENT_SIGN_IN_REFUSED,
    EVENT_ACTION_REFUSED,
    EVENT_TYPE_COUNT
};

/* What was odd about a press: recorded with it, never a reason to turn it away. Bit set. */
enum oddity {
    ODD_NOT_JSON = 1 << 0,
    ODD_EMPTY = 1 << 1,
    ODD_TOO_LONG = 1 << 2,
    ODD_UNKNOWN_KIND = 1 << 3,
    ODD_NO_IDENTITY = 1 << 4,  /* no epoch or no n */
    ODD_BAD_FIELD = 1 << 5,    /* a known field of a wrong type or range */
    ODD_EXTRA_FIELD = 1 << 6,
    ODD_CLOCK_SKEW = 1 << 7,   /* its time is more than 5 min from ours */
    ODD_RETAINED = 1 << 8,     /* recovered from a retained message */
    ODD_COUNTER_BACK = 1 << 9, /* its counter went back within an epoch */
    ODD_QOS0 = 1 << 10,
    ODD_DUPLICATE_KEY = 1 << 11,
    ODD_COUNT = 12
};

/* Why a message that looked like a press is shown to the desk and opens nothing. */
enum refusal {
    REFUSAL_NONE,
    REFUSAL_UNKNOWN_DEVICE,
    REFUSAL_NO_SIGNATURE,
    REFUSAL_BAD_SIGNATURE,
    REFUSAL_REPLAYED,
    REFUSAL_STALE_RETAINED,
    REFUSAL_DEVICE_DISABLED,
    REFUSAL_NOTHING_TO_CANCEL,
    REFUSAL_COUNT
};

enum delivery_outcome {
    OUTCOME_RECEIVED,    /* 2xx, and the echo where one is asked for */
    OUTCOME_UNCONFIRMED, /* 2xx without the echo: tried again */
    OUTCOME_REFUSED,     /* the endpoint said why it will not take it */
    OUTCOME_FAILED,      /* no answer, or a bad one: tried again */
    OUTCOME_COUNT
};

enum disposition {
    DISPOSITION_REAL,
    DISPOSITION_FALSE,
    DISPOSITION_ACCIDENTAL,
    DISPOSITION_TEST,
    DISPOSITION_DRILL,
    DISPOSITION_DUPLICATE,
    DISPOSITION_COUNT
};

enum deadline_kind {
    DEADLINE_ANSWER, /* nobody acknowledged within the step's time */
    DEADLINE_COMING, /* acknowledged, but nobody said they are coming */
    DEADLINE_TEST,   /* a test has had its time and closes itself */
    DEADLINE_FORGET, /* a closed alarm's last word was tried long enough */
    DEADLINE_COUNT
};

enum trouble_code {
    TROUBLE_BROKER,         /* no connection, or the loop-back message is lost */
    TROUBLE_BROKER_SESSION, /* the broker lost our session: presses may have been lost with it */
    TROUBLE_BROKER_DROPS,   /* the broker throws messages away */
    TROUBLE_SUBSCRIPTION,
    TROUBLE_ENDPOINT,
    TROUBLE_ENDPOINT_ANSWER, /* it answers, but not as agreed */
    TROUBLE_DEVICE_SILENT,
    TROUBLE_DEVICE_OFFLINE,
    TROUBLE_BATTERY,
    TROUBLE_DEVICE_SUSPECT, /* bad signatures, replays, retained presses */
    TROUBLE_DISK,           /* nearly full, or failing */
    TROUBLE_JOURNAL,        /* the record is degraded or slow */
    TROUBLE_CLOCK,
    TROUBLE_PLAN_EXHAUSTED, /* everybody of the plan was told and nobody answered */
    TROUBLE_CONF,           /* a reload was refused */
    TROUBLE_CAPACITY,       /* a limit was reached */
    TROUBLE_CODE_COUNT
};

/* Why somebody was signed out, or was not let. */
enum access_reason {
    ACCESS_ASKED,      /* signed out: by his own wish */
    ACCESS_EVERYWHERE, /* … of all his sessions */
    ACCESS_EXPIRED,    /* … its time was over */
    ACCESS_RENEWED,    /* … he signed in anew with it */
    ACCESS_CROWDED,    /* … it made room for a newer one */
    ACCESS_REMOVED,    /* … the account is no longer configured, or its password was changed */
    ACCESS_WRONG,      /* sign-in refused: account or password */
    ACCESS_TOO_SOON,   /* … too soon after a wrong one */
    ACCESS_FOREIGN,    /* another page's request, or one without the session's csrf */
    ACCESS_ROLE,       /* action refused: not with this role */
    ACCESS_SITE,       /* … another site's */
    ACCESS_REASON_COUNT
};

struct event_daemon {
    char boot_id[40];    /* the kernel's boot id */
    int64_t boottime_ms; /* CLOCK_BOOTTIME when the event was stamped */
    char version[24];
};

struct event_press {
    char site[LIMIT_ID], device[LIMIT_ID];
    char zone[LIMIT_ID]; /* "" = the device has no zone */
    char epoch[LIMIT_EPOCH];
    uint64_t n;
    bool has_identity;   /* epoch and n were given; otherwise epoch is "-" and n a hash of the payload and its 2 s window */
    enum kind kind;
    enum mode mode;
    enum refusal refusal; /* EVENT_PRESS_REFUSED only */
    uint32_t oddities;    /* bit set of enum oddity */
    int64_t claimed_ms;   /* the device's own time, 0 = not given */
    int battery;          /* percent, -1 = not given */
    char raw[LIMIT_RAW];  /* start of the payload as printable text, only when it was odd */
    struct plan plan;     /* step_count 0 when the press is known to join an open alarm */
};

struct event_delivery {
    char endpoint[LIMIT_ID];
    uint32_t version;   /* which telling of the alarm this was about */
    uint32_t presses;   /* how many of the alarm's presses the endpoint has been told with it */
    uint32_t attempt;   /* 1, 2, … */
    enum delivery_outcome outcome;
    uint16_t http_status; /* 0 = no answer */
    uint32_t duration_ms;
    bool recorded;        /* false: it was sent before the journal had the press */
    char text[LIMIT_TEXT]; /* the sentence that says what happened */
};

/* A person's deed. */
struct event_deed {
    char by[LIMIT_ID];        /* account id, or the name the endpoint gave */
    char endpoint[LIMIT_ID];  /* "" unless it came as an endpoint's answer */
    enum role role;
    enum disposition disposition; /* EVENT_CLOSED only */
    uint32_t seen_version;        /* EVENT_CLOSED: the alarm's version the person saw; 0 = not said. A press that
                                     joined later makes the closing impossible: nobody closes what they have not seen. */
    char note_hash[65];           /* hex SHA-256 of salt and note; "" = no note. The note itself is stored beside. */
};

struct event_deadline {
    enum deadline_kind kind;
    uint32_t step; /* DEADLINE_ANSWER: the rung that did not answer */
};

struct event_trouble {
    enum trouble_code code;
    char part[LIMIT_ID * 2]; /* which one: "broker", "supervision", an endpoint id, "site/device", … */
    char text[LIMIT_TEXT];   /* a sentence a guard can understand */
};

struct event_access {
    char by[LIMIT_ID]; /* account id; "" = nobody that exists */
    enum role role;    /* of an account that exists */
    char address[48];  /* where the request came from */
    enum access_reason reason;
    char action[LIMIT_ID * 2]; /* EVENT_ACTION_REFUSED: "POST /api/v1/alarms/…/close" */
    uint32_t count;            /* how many such this one stands for, from 1 */
};

struct event_gap {
    uint64_t lost; /* events that were applied and never recorded */
};

struct event {
    uint64_t seq; /* place in the journal, from 1; 0 = not recorded */
    int64_t at_ms, clock_ms;
    enum event_type type;
    char alarm[LIMIT_ALARM_ID]; /* "" = about no alarm. A press carries the id of the alarm it belongs to: one with a
                                   plan opens it when it is not there, one without joins it. */
    union {
        struct event_daemon daemon; /* DAEMON_STARTED, DAEMON_STOPPED, CONF_LOADED */
        struct event_press press;
        struct event_delivery delivery;
        struct event_deed deed;
        struct event_deadline deadline;
        struct event_trouble trouble;
        struct event_gap gap;
        struct event_access access;
    };
};

const char *event_type_str(enum event_type);
bool event_type_of(const char *text, enum event_type *out);
const char *oddity_str(unsigned bit_index);
const char *refusal_str(enum refusal);
bool refusal_of(const char *text, enum refusal *out);
const char *delivery_outcome_str(enum delivery_outcome);
bool delivery_outcome_of(const char *text, enum delivery_outcome *out);
const char *disposition_str(enum disposition);
bool disposition_of(const char *text, enum disposition *out);
const char *deadline_kind_str(enum deadline_kind);
bool deadline_kind_of(const char *text, enum deadline_kind *out);
const char *access_reason_str(enum access_reason);
bool access_reason_of(const char *text, enum access_reason *out);
const char *trouble_code_str(enum trouble_code);
bool trouble_is_of_device(enum trouble_code); /* its part is "site/device" */
bool trouble_code_of(const char *text, enum trouble_code *out);

#endif
