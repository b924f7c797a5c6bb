/* password.h - checks passwords on libuv's pool: argon2id takes 0.15 s and 64 MiB by design.
 *
 * Promises: never on the loop; PASSWORDS_AT_ONCE at most are under way, so that the pool, the processors and
 * the memory stay the alarms'; PASSWORDS_WAITING more wait in turn, others are told to come again. Who is known
 * comes before who is not, and has places that strangers cannot take, however many of them there are. Without a
 * hash it takes as long and says no: who asks cannot tell an account that does not exist. The password is
 * wiped.
 *
 *     const struct password_try one = {.hash = account ? account->password_hash : NULL, .text = text, .size = size};
 *     if (!password_check(p, &one, on_checked, ctx))
 *         … 503, come again
 */
#ifndef TOCSIN_PASSWORD_H
#define TOCSIN_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define PASSWORDS_AT_ONCE 2  /* 128 MiB and two processors, for as long as somebody signs in */
#define PASSWORDS_WAITING 32 /* five seconds of work */
#define PASSWORDS_KNOWN 8    /* places among them for who is known: a room of desks at the change of shifts */

struct password_try {
    const char *hash; /* NULL: there is no such account */
    const char *text;
    size_t size;
    bool known; /* its browser has signed in before */
};

struct passwords;
typedef void password_fn(void *ctx, bool right); /* on the loop */

struct passwords *passwords_create(uv_loop_t *); /* NULL: no memory */
/* What was not answered yet is answered no; what is under way is let go of when it comes back. */
void passwords_destroy(struct passwords *);
/* False: too many; nothing will be called. */
bool password_check(struct passwords *, const struct password_try *, password_fn *, void *ctx);

#endif
