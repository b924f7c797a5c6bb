/* session.h - who is signed in at a desk. Pure bookkeeping: ids, times, limits.
 *
 * Promises: an id is 256 random bits and is kept only as its hash, so that a look into memory or a core gives
 * no session away; each sign-in has a new id. A session ends SESSION_LONGEST_S after it began, and when
 * nothing was heard of it for SESSION_IDLE_S; an open feed counts as being heard (session_touch()).
 *
 * Why so: a shift has twelve hours, and a duty desk that stands open must not go blind while nobody touches
 * it, so an open page is never idle. A page that was closed, a machine that was switched off, is over after
 * an hour. Who has the password can renew a session while it lasts: the new one takes its place without a
 * gap.
 *
 * Does not: read a clock (`now_ms` never steps), know passwords, or speak HTTP. A way to sign in (a password
 * today) ends in session_open(); another one, OpenID Connect, would too.
 *
 *     char id[SESSION_ID];
 *     struct session *s = session_open(sessions, "desk-3", mark, now_ms, wall_ms, id);
 *     … Set-Cookie: id … later, with what the cookie says:
 *     s = session_find(sessions, id, now_ms);          // NULL: sign in
 */
#ifndef TOCSIN_SESSION_H
#define TOCSIN_SESSION_H

#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_LONGEST_S (12 * 3600)
#define SESSION_IDLE_S 3600
#define SESSION_ID 44          /* bytes: 256 bits in base64url and NUL */
#define SESSION_MARK 16        /* bytes of what the account's password was */
#define SESSIONS 4096          /* at once; the one that was heard of longest ago makes room */
#define SESSIONS_OF_ACCOUNT 32 /* likewise: a desk with that many screens has one account for two of them */

struct session {
    uint64_t number; /* never used again; 0 = free. For tags and logs: it gives nothing away */
    char account[LIMIT_ID], csrf[SESSION_ID];
    unsigned char id_hash[32], mark[SESSION_MARK];
    int64_t opened_ms, heard_ms; /* of the clock that never steps */
    int64_t opened_wall_ms;
};

struct sessions;
typedef void session_fn(void *ctx, const struct session *);

struct sessions *sessions_create(void); /* NULL: no memory */
void sessions_destroy(struct sessions *);

/* `crowded` (NULL = nobody asks) is called with the session that makes room, if one must. */
struct session *session_open(struct sessions *, const char *account, const unsigned char mark[SESSION_MARK],
                             int64_t now_ms, int64_t wall_ms, char id[SESSION_ID], session_fn *crowded,
                             void *ctx);
/* NULL: none, or its time is over. It has then been heard of. `id` may be any text. */
struct session *session_find(struct sessions *, const char *id, int64_t now_ms);
struct session *session_numbered(struct sessions *, uint64_t number,
                                 int64_t now_ms); /* NULL likewise; not heard */
void session_touch(struct session *, int64_t now_ms);
void session_close(struct session *);
/* Closes those for which `over` says true; `ended` hears of each before. How many. */
size_t sessions_close(struct sessions *, bool (*over)(void *ctx, const struct session *), session_fn *ended,
                      void *ctx);
bool session_is_over(const struct session *, int64_t now_ms);
bool session_csrf_matches(const struct session *, const char *text); /* in constant time; NULL = no */
size_t sessions_count(const struct sessions *);

#endif
