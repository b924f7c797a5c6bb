/* password.h - checks passwords on libuv's pool: argon2id takes 0.15 s and 64 MiB by design.
 *
 * Promises: never on the loop; PASSWORDS_AT_ONCE at most are under way, so that the pool, the processors and
 * the memory stay the alarms'; PASSWORDS_WAITING more wait in turn, others are told to come again. Without a
 * hash it takes as long and says no: who asks cannot tell an account that does not exist. The password is
 * wiped.
 *
 *     if (!password_check(p, account ? account->password_hash : NULL, text, size, on_checked, ctx))
 *         … 503, come again
 */
#ifndef TOCSIN_PASSWORD_H
#define TOCSIN_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define PASSWORDS_AT_ONCE 2  /* 128 MiB and two processors, for as long as somebody signs in */
#define PASSWORDS_WAITING 32 /* five seconds of work */

struct passwords;
typedef void password_fn(void *ctx, bool right); /* on the loop */

struct passwords *passwords_create(uv_loop_t *); /* NULL: no memory */
/* What was not answered yet is answered no; what is under way is let go of when it comes back. */
void passwords_destroy(struct passwords *);
/* False: too many; nothing will be called. */
bool password_check(struct passwords *, const char *hash, const char *password, size_t size, password_fn *,
                    void *ctx);

#endif
