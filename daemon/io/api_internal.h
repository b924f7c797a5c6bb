/* api_internal.h - what the api_*.c share: a call, its answer, problems, and who sees what.
 *
 * A handler runs on the loop with a struct api_call that is valid during the handler only. One that answers
 * later keeps the request in a structure of its own, holds the api with api_hold() and lets go with
 * api_release(); meanwhile the configuration may have been reloaded and the api closed: look accounts up
 * again by id, check `closing`. */
#ifndef TOCSIN_API_INTERNAL_H
#define TOCSIN_API_INTERNAL_H

#include "codec/alarm_json.h"
#include "codec/json_in.h"
#include "codec/json_out.h"
#include "io/api.h"
#include "io/delay.h"
#include "io/password.h"
#include "io/session.h"
#include "io/web_files.h"
#include "journal/archive.h"

#define API_STORY_LINES                                                                                      \
    5000 /* journal lines of one alarm that are told; `events_cut` says that there were more */
#define API_RECENT                                                                                           \
    1024 /* applied events kept for feeds that resume: minutes of a calm day, a second of a storm */
#define NOBODYS "?"    /* a site that no restricted account sees: better withheld than told */
#define API_PLACES 512 /* alarms whose site is remembered; a direct-mapped cache */

struct api_recent {      /* one applied event as it goes over a feed */
    uint64_t seq;        /* 0 = never recorded */
    char site[LIMIT_ID]; /* "" = for everybody */
    char *text;
    size_t size, capacity, id_size; /* of it the id: line at the beginning */
};

struct api_place {
    char alarm[LIMIT_ALARM_ID], site[LIMIT_ID];
};

/* Refusals that the journal gets one line for, so that nobody can fill it: api_access.c. */
struct api_refusals {
    unsigned room; /* lines that may still be written at once */
    struct {
        struct event_access last;
        unsigned count; /* not written yet; 0 = none */
    } gathered[2];      /* of sign-ins, of actions */
};

struct api_images {
    unsigned under_way, waiting;
    struct image *first, *last; /* waiting */
};

struct api {
    struct api_options options;
    struct web *web;
    unsigned holders;
    bool closing;
    uint64_t last_seq; /* of the newest event that was applied */
    uint64_t untold_seq; /* the first that went over the feeds without its id; 0 = they know all ids */
    struct api_recent recent[API_RECENT];
    uint64_t recent_count; /* ever; the newest is recent[(recent_count - 1) % API_RECENT] */
    struct api_place places[API_PLACES];
    bool tls;
    struct web_files *files; /* the desk's page; NULL = not installed */
    struct sessions *sessions;
    struct delays *delays;
    struct passwords *passwords;
    unsigned char known_key[32]; /* signs the cookie of browsers that have signed in */
    struct api_replay *replay; /* NULL until somebody asks: api_replay.c */
    struct archive *archive;           /* NULL: there is no journal file */
    struct api_refusals refusals;
    struct api_images images; /* being read, and waiting for that: api_guide.c */
    struct sign_in *held; /* sign-ins whose answer takes longer: api_session.c */
    unsigned held_count;
    uv_timer_t sweep;
};

enum api_access { API_PUBLIC, API_READ, API_ACT, API_PRESS, API_JOURNAL };
#define API_COOKIE "__Host-tocsin"
#define API_KNOWN_COOKIE "__Host-tocsin-known"

#define API_IDS 2 /* {id}s of one path */

struct api_call {
    struct api *api;
    struct web_request *request;
    const struct conf *conf;
    const struct conf_account *account; /* NULL for public routes */
    struct session *session;            /* NULL: it came with a token, or without anything */
    const char *token;                  /* NULL: it came with a session, or without anything */
    const char *route;                  /* its path, with {id} */
    char ids[API_IDS][LIMIT_ID];        /* each {id} of the path */
    enum event_type deed;               /* of the routes that are a person's deed */
    bool head;
};
typedef void api_handler(struct api_call *);

void api_hold(struct api *);
void api_release(struct api *);

/* api_answer.c: what comes back */

enum api_problem_type {
    API_BAD_REQUEST,
    API_UNAUTHORIZED,
    API_FORBIDDEN,
    API_NOT_FOUND,
    API_METHOD,
    API_ALREADY,
    API_UNSEEN,
    API_IMPOSSIBLE,
    API_MEDIA_TYPE,
    API_UNPROCESSABLE,
    API_REFUSED,
    API_WRONG,
    API_TOO_SOON,
    API_FOREIGN,
    API_UNRECORDED,
    API_UNAVAILABLE,
    API_PROBLEM_COUNT
};

struct api_problem {
    enum api_problem_type type;
    const char *field, *by, *state, *alarm, *refusal; /* NULL = not said */
    uint32_t version;               /* 0 = not said */
    const unsigned *retry_after_s;  /* NULL = not said; it is then also a header */
    const char *headers;            /* as web_answer takes them */
};
/* Answers with problem+json; `format` makes the sentence for a person. */
void api_problem(struct web_request *, const struct api_problem *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void api_bad_query(struct api_call *, const char *field, const char *what_would_be_right);
void api_busy(struct web_request *, const char *why); /* 503 */

/* An answer that grows: make room for what comes, then write to o. Without memory the answer becomes 503. */
struct api_out {
    struct json_out o;
    bool failed;
};
void api_out_begin(struct api_out *, size_t room);
void api_out_room(struct api_out *, size_t room);
void api_out_answer(struct api_out *, struct web_request *); /* 200, JSON; frees */
void api_out_answer_as(struct api_out *, struct web_request *, const char *headers);
void api_out_free(struct api_out *);

/* A query parameter that is a number; false: a problem was answered. Not given: *value stays. */
bool api_query_number(struct api_call *, const char *name, uint64_t min, uint64_t max, uint64_t *value);

/* api_body.c: the body as an object; an absent one is {}. NULL: answered. */
json_t *api_body(struct api_call *);
bool api_bad_field(struct api_call *, enum api_problem_type, const char *field, const char *right); /* false */

/* api_access.c: who asks, and may he */

bool api_admitted(struct api_call *, enum api_access); /* false: answered with 401 or 403 */
/* A deed's path that was asked for with GET, by somebody signed in: only another page does so. False: answered. */
bool api_admitted_wrong_method(struct api_call *);
bool api_may_act(const struct conf_account *);
bool api_may_read_journal(const struct conf_account *);
/* Whether a request comes from our own page, as far as the browser says so. `must_say`: silence is no. */
bool api_own_page(struct api_call *, bool must_say);
/* An attempt at another site's: for the journal. The answer is the caller's. */
void api_refused_site(struct api_call *);
void api_refusal(struct api *, enum event_type, const struct event_access *); /* written, or gathered */
void api_refusals_sweep(struct api *);
void api_access_of(struct api_call *, enum access_reason, struct event_access *); /* who, whence, what */

/* api_session.c, api_sign_in.c */
bool api_sessions_init(struct api *);
void api_sessions_finish(struct api *);
void api_sessions_stop(struct api *);         /* nobody is held back any longer */
void api_sessions_sweep(struct api *);        /* those whose time is over, or whose account changed */
const struct conf_account *api_session_account(const struct api *, const struct session *);
void api_put_account(struct json_out *, const char *id_key, const struct conf_account *);
void api_put_session(struct api_out *, const struct conf_account *, const struct session *); /* NULL: a token */
void api_mark_of(const struct conf_account *, unsigned char mark[SESSION_MARK]); /* of its present password */
void api_end_session(struct api *, struct session *, enum access_reason);
void api_on_crowded(void *api, const struct session *);
/* A feed's tag: the account, a space, and the session's number or the token's hash. The account, or NULL when the
 * session is over, or the token is none of the account's any more. */
#define API_TAG (LIMIT_ID + 80)
void api_tag(const struct api_call *, char tag[API_TAG]);
const struct conf_account *api_tagged(const struct api *, const char *tag);

/* api_desk.c: the files of the page. False: it is about none of them. */
bool api_desk(struct api_call *);

/* api_place.c: whose is it */

bool api_sees(const struct conf_account *, const char *site);               /* "" is for everybody */
const struct conf_account *api_account(const struct api *, const char *id); /* NULL: no longer configured */
/* The site that a query names; NULL: there is none, or it is not his: answered. */
const struct conf_site *api_site(struct api_call *, const char *id);
void api_place_put(struct api *, const char *alarm, const char *site);
/* The site an event is about, "" = everybody's business. False: it is about an alarm whose site is not at
 * hand. */
bool api_event_site(struct api *, const struct event *, char site[LIMIT_ID]);

/* api_story.c: an alarm and every line about it; when it has left the board it is made again from its lines
 */

struct api_story {
    const char
        *error; /* NULL or a sentence: the lines could not be read; `alarm` may be there all the same */
    const struct alarm *alarm; /* NULL: there is none of this id */
    const struct board *board; /* the one that holds it */
    size_t count;
    const char *const *lines, *const *notes; /* notes[i] NULL = none */
    const uint64_t *seqs;
    bool more; /* than API_STORY_LINES */
};
typedef void api_story_fn(void *ctx, const struct api_story *); /* valid during the call */
void api_story(struct api *, const char *alarm, api_story_fn *, void *ctx);
/* The story of the path's alarm, when there is one that the account sees; otherwise it is answered. `tell` answers the
 * request; what goes on after it needs a hold of its own. */
typedef void api_telling_fn(struct api *, struct web_request *, const struct api_story *, bool option);
void api_tell_story(struct api_call *, api_telling_fn *tell, bool option);

/* api_alarms.c: an alarm as the API shows it, without its presses */
void api_put_alarm(struct api_out *, const char *key, const struct engine *, const struct alarm *);
void api_put_alarm_members(struct api_out *, const struct engine *, const struct alarm *); /* … into an open object */
void api_no_alarm(struct web_request *); /* 404 */

/* api_state.c: a site or a zone, {"id", "name"} */
void api_put_place(struct json_out *, const char *key, const char *id, const char *name);

/* api_guide.c: all that a desk needs to find a site and get in */
void api_put_guide(struct api_out *, const char *key, const struct api *, const struct conf_site *);

/* api_replay.c */
void api_replay_finish(struct api *);

/* api_archive.c */
void api_archive_begin(struct api *);
void api_archive_finish(struct api *); /* answers whatever still waits for it */
void api_archive_kick(struct api *);   /* something was recorded */

/* api_history.c: a question to the archive on its way */
struct api_past {
    struct api *api;
    struct web_request *request; /* NULL: answered */
    char account[LIMIT_ID];
    struct api_out out; /* {"list":[ …, written a portion at a time */
};
/* site, from and to, and which sites the account sees. NULL: answered. The archive takes q->sites. */
struct api_past *api_past_begin(struct api_call *, struct archive_query *q, const char *list);
/* For each portion, whose account it is for; NULL: answered, it is no longer there, or `error` says why there is
 * nothing. */
const struct conf_account *api_past_account(struct api_past *, const char *error);
void api_past_answer(struct api_past *);
void api_past_end(struct api_past *); /* after the last portion */

/* api_feed.c */
void api_feeds_init(struct api *);
void api_feeds_finish(struct api *);

/* the handlers */
api_handler api_guide, api_map, api_replay, api_me, api_sites, api_devices, api_endpoints, api_troubles, api_health, api_ready, api_metrics;
api_handler api_alarms, api_alarm, api_deed, api_press, api_bundle, api_today, api_feed, api_sign_in, api_session, api_sign_out;
api_handler api_refused, api_journal, api_checkpoint, api_proof, api_consistency;
api_handler api_history, api_figures;

#endif
