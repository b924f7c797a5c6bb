/* dispatch_parts.h - what the files of the dispatcher share; nobody else includes it.
 *
 *     dispatch_http.c    tellings: queues, schedule, results; the public functions
 *     dispatch_round.c   a round: one attempt at one telling or probe, at one or several addresses
 *     dispatch_target.c  a target: an endpoint's settings, frozen, with its addresses and connections
 *     dispatch_probe.c   supervision: which address answers, what is said when that changes
 *     dispatch_answer.c  what an answer means
 *
 *     endpoint ── target ── addresses, http_client
 *        └─ tellings: queued → under way (a round) → received, or waiting → queued …
 */
#ifndef TOCSIN_DISPATCH_PARTS_H
#define TOCSIN_DISPATCH_PARTS_H

#include "io/dispatch_answer.h"
#include "io/dispatch_http.h"
#include "io/due.h"
#include "io/http_client.h"
#include <curl/curl.h>
#include <sys/queue.h>

#define DISPATCH_ADDRESSES 8  /* urls of one endpoint that are used */
#define DISPATCH_SECRETS 4    /* secrets of one endpoint that sign */
#define DISPATCH_URL LIMIT_URL
#define DISPATCH_FILE 1024    /* bytes of a file name */
#define DISPATCH_SPARE 1      /* connections of an endpoint beside those configured */
#define DISPATCH_FILES 4      /* ca, certificate, key, revocation list */
#define DISPATCH_BUCKETS 8192 /* of the table of tellings by id */
#define DISPATCH_ENDPOINT_BUCKETS 1024

/* The thing that `member` is in. */
#define DISPATCH_OWNER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* ---- target ---- */

/* One flat value: two of them are the same settings when their bytes are. */
struct settings {
    size_t url_count, secret_count;
    char urls[DISPATCH_ADDRESSES][DISPATCH_URL];
    unsigned char secrets[DISPATCH_SECRETS][64];
    size_t secret_sizes[DISPATCH_SECRETS];
    char files[DISPATCH_FILES][DISPATCH_FILE];
    uint64_t file_marks[DISPATCH_FILES]; /* changes when the file does */
    enum conf_confirm confirm;
    enum conf_network network;
    unsigned connect_timeout_ms, attempt_timeout_ms, probe_s, connections;
};

enum health {
    HEALTH_UNKNOWN,
    HEALTH_GOOD,
    HEALTH_SILENT,       /* no HTTP answer */
    HEALTH_ANSWERS_BADLY /* a probe was not answered 2xx */
};

struct address {
    struct target *target;
    const char *url;
    char place[128]; /* host:port */
    enum health health;
    bool hangs;              /* the last telling had no answer, or not before another address took it */
    bool asked_again;        /* since the probes are answered, what waits has been tried once */
    char text[LIMIT_TEXT];   /* why it is not good */
    char latest[LIMIT_TEXT]; /* what was the matter last time */
    char known_ip[64];       /* where it was last reached */
    uint64_t heard_ms;       /* last good answer */
    struct due probe_due;
    struct round *probe; /* under way */
};

struct target {
    struct endpoint *endpoint;
    struct settings settings;
    struct http_client *client;
    unsigned refs; /* the endpoint's, and one for each round */
    struct address addresses[DISPATCH_ADDRESSES];
};

void settings_take(struct settings *, const struct conf_endpoint *);
void settings_look_at_files(struct settings *);
void settings_free(struct settings *);                                    /* and forgets the secrets */
struct target *target_create(struct endpoint *, const struct settings *);
void target_inherit(struct target *, const struct target *before);
struct target *target_hold(struct target *);
void target_release(struct target *);
struct http_client *target_client(struct target *); /* NULL: no memory */

/* ---- round ---- */

struct trial {
    struct round *round;
    struct address *address;
    struct http_request *request; /* NULL = ended */
    uint64_t started_ms;
    bool by_known_ip;
};

struct round {
    struct target *target;
    struct telling *telling; /* NULL: a probe of … */
    struct address *probed;
    struct due due; /* the next address is tried as well, or the end */
    uint64_t started_ms;
    struct address *order[DISPATCH_ADDRESSES];
    unsigned order_count, next; /* of `order` */
    struct trial tries[2 * DISPATCH_ADDRESSES];
    unsigned try_count, running;
    struct dispatch_judgement judgement; /* the best so far */
    bool judged;
    const char *body;
    size_t body_size;
    const char *echo;
    enum conf_confirm confirm;
    char id[16 + DISPATCH_ID], timestamp[48], signature[32 + DISPATCH_SECRETS * 48], probe_body[96];
    struct curl_slist headers[5];
    LIST_ENTRY(round) entry;
};

bool round_start(struct target *, struct telling *, struct address *probed); /* false: no memory */
void round_abort(struct round *);                                            /* nothing is reported */

/* ---- endpoint and tellings ---- */

enum telling_state { TELLING_QUEUED, TELLING_UNDER_WAY, TELLING_WAITING };

struct telling {
    struct dispatch_telling told;
    struct endpoint *endpoint;
    enum telling_state state;
    bool cancelled, untaken; /* untaken: not tried yet, or answered with a no; its content may change */
    uint32_t attempts;
    uint64_t told_ms;
    struct due due;             /* waiting: to be queued again */
    TAILQ_ENTRY(telling) queue; /* queued or waiting */
    LIST_ENTRY(telling) by_id;
};
TAILQ_HEAD(telling_queue, telling);

/* Of each priority first what has not been tried yet, then what has. */
#define DISPATCH_LANES (2 * DISPATCH_PRIORITY_COUNT)

/* Of all addresses of an endpoint together. */
enum standing { STANDING_UNKNOWN, STANDING_GOOD, STANDING_PARTLY, STANDING_BAD };

struct endpoint {
    struct dispatch *dispatch;
    char id[LIMIT_ID];
    struct target *target;
    bool removed; /* no longer configured, kept for its tellings */
    struct telling_queue queues[DISPATCH_LANES], waiting; /* queues: the first one is emptied first */
    unsigned queued, waiting_count, under_way;
    unsigned failures_in_row;
    uint64_t started_ms; /* the last round */
    struct due pace;
    enum standing standing;
    char text[LIMIT_TEXT]; /* of its standing */
    uint64_t sent, received, failed;
    uint32_t last_ms;
    TAILQ_ENTRY(endpoint) entry;
    LIST_ENTRY(endpoint) by_id;
};

struct dispatch {
    uv_loop_t *loop;
    struct dispatch_options options;
    struct dues dues;
    struct due minute, stop_due;
    TAILQ_HEAD(, endpoint) endpoints;
    LIST_HEAD(endpoint_bucket, endpoint) endpoints_by_id[DISPATCH_ENDPOINT_BUCKETS];
    LIST_HEAD(, telling) by_id[DISPATCH_BUCKETS];
    LIST_HEAD(, round) rounds, spare_rounds;
    unsigned clients; /* not yet closed */
    uint64_t probes;  /* sent so far */
    bool stopping, closing, stopped;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
};

/* The round of `telling` has ended: queue again, or done; reports. `outdated`: it began under settings that are no more. */
void telling_ended(struct telling *, const struct dispatch_judgement *, uint32_t duration_ms, bool outdated);
void endpoint_start(struct endpoint *);     /* what is queued, as far as it may */
void endpoint_recovered(struct endpoint *); /* what waits is tried at once */
void dispatch_closed_client(void *dispatch);
void dispatch_ended_round(struct dispatch *);

/* ---- supervision ---- */

void probe_begin(struct target *); /* of all its addresses */
void probe_stop(struct target *);
void probe_ended(struct round *);
/* One address has answered or not; `probe`: to a probe, not to a telling. */
void probe_note(struct address *, bool probe, const struct dispatch_judgement *);

#endif
