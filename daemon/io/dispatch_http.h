/* dispatch_http.h - tells endpoints over HTTP: libcurl multi on the loop, one queue per endpoint.
 *
 * Promises: a telling is tried at 0, 1, 2, 5, 10, 20, 30 s after it was told and then every 30 s with jitter
 * until it is received, given up or cancelled; an attempt that took longer is followed by the next at once,
 * never by two together. What a person must mend (redirects, most 4xx) or has decided (a refusal) is tried
 * every 30 s, and at once when the endpoint's probe is answered again or its settings have changed. What waits for one of
 * the endpoint's connections leaves by priority, and of one priority first what has not been tried yet; one connection
 * more is for the first attempt of a DISPATCH_FIRST alone, whatever the others hang on. Each attempt ends within
 * attempt_timeout_ms + 500 ms whatever the peer does, or as soon as the loop has read what came during a standstill
 * (standstill.h); the alternates are tried as well after 1 s of silence (or half of attempt_timeout_ms, if that is less),
 * and at once after a bad answer. The first attempt of a DISPATCH_FIRST asks last who left the telling before without an
 * answer. One bad endpoint delays no other; from its first attempt on a telling carries the same webhook-id and the same
 * body, until it is answered with a no (refused, unconfirmed, most 4xx). Every attempt gives exactly one on_result, never
 * from within dispatch_tell(). Endpoints are probed every probe_s (0: never) at each of their addresses, which keeps
 * connections warm and supervises them: a probe ends in time for a dead one to be seen within 20 s; one that answers
 * nothing but probes is dead until nothing waits for it. Changed certificate files are taken within a minute.
 * Does not: decide who is told; remember anything over a restart. The process ignores SIGPIPE.
 *
 *     struct dispatch *d = dispatch_create(loop, &options);
 *     dispatch_configure(d, conf);
 *     dispatch_tell(d, &telling);
 *     dispatch_stop(d, stopped, ctx);
 */
#ifndef TOCSIN_DISPATCH_HTTP_H
#define TOCSIN_DISPATCH_HTTP_H

#include "conf/conf.h"
#include "core/event.h"
#include <uv.h>

struct dispatch;

enum dispatch_priority {
    DISPATCH_FIRST,
    DISPATCH_UPDATE,
    DISPATCH_TROUBLE,
    DISPATCH_TEST,
    DISPATCH_PRIORITY_COUNT
};

#define DISPATCH_ID (LIMIT_ALARM_ID + LIMIT_ID + 24)

struct dispatch_telling {
    char id[DISPATCH_ID]; /* webhook-id: stable over retries, no '.' */
    char endpoint[LIMIT_ID];
    char echo[LIMIT_ALARM_ID]; /* the alarm id that an endpoint with confirm: echo must name; "" = none */
    enum dispatch_priority priority;
    unsigned give_up_s; /* 0 = never; otherwise the last result is final */
    char *take_body;    /* malloc'd; owned by dispatch from now on */
    size_t body_size;
    uint64_t cookie; /* given back with each result */
};

struct dispatch_result {
    const char *id, *endpoint;
    uint64_t cookie;
    uint32_t attempt;
    enum delivery_outcome outcome;
    bool final;           /* no further attempt: received, or given up */
    uint16_t http_status; /* 0 = none */
    uint32_t duration_ms;
    const char *text; /* a sentence: "police: answered 503 Service Unavailable; trying again in 2 s" */
    const char *acknowledged_by; /* from {"ack":{"by":"…"}}; NULL = none */
};

struct dispatch_endpoint_status {
    bool up, known;             /* up: every address of it answers as it should; known: each has been tried */
    bool reachable;             /* known, and one of them answers as it should */
    const char *text;           /* a sentence; while one address is bad and another good it names both */
    unsigned queued, under_way; /* queued: waiting for their next attempt as well */
    uint64_t sent, received, failed;
    uint32_t last_ms; /* duration of the last good answer */
};

struct dispatch_options {
    /* The result is valid during the call; may call dispatch_tell() and dispatch_cancel(). */
    void (*on_result)(void *ctx, const struct dispatch_result *);
    /* When each address has been tried, and on change; not up again: from some of its addresses bad to all,
     * or back, or for another reason, which then has been seen twice in a row. */
    void (*on_endpoint)(void *ctx, const char *endpoint, bool up, const char *text);
    /* NULL, or: before the first attempt of a telling that has waited for one of the endpoint's connections, and before
     * those after a no. It may put another id and another body (whose owner dispatch becomes) in the place of these;
     * also from within dispatch_tell(). */
    void (*on_leaving)(void *ctx, struct dispatch_telling *);
    void *ctx;
};

struct dispatch *dispatch_create(uv_loop_t *, const struct dispatch_options *);
/* Take the endpoints of `conf` (copied). Those no longer there are kept while tellings are under way. */
void dispatch_configure(struct dispatch *, const struct conf *);
/* False only when the endpoint is unknown; the body is freed then. */
bool dispatch_tell(struct dispatch *, struct dispatch_telling *);
/* Forget a telling; a request already on the wire is let end, its result is not reported. */
void dispatch_cancel(struct dispatch *, const char *id, const char *endpoint);
/* False: it was never configured, or is gone. A look-up, so that all of thousands can be asked for in one turn of the loop. */
bool dispatch_endpoint_status(struct dispatch *, const char *id, struct dispatch_endpoint_status *);
/* Lets requests on the wire end, for at most 2 s; what still ends is reported. */
void dispatch_stop(struct dispatch *, void (*stopped)(void *ctx), void *ctx);
void dispatch_destroy(struct dispatch *);

#endif
