/* secrets.h - files that hold keys: read with a look at who else may read them, written so that nobody else
 * can.
 *
 * Promises: a secret is only read from a plain file that belongs to us or to root (or, when we are root, to the
 * daemon's user) and that neither group nor others may touch; what was read is zeroed by secret_finish(). A new
 * file never replaces one, is 0600 from its first byte, and is on the disk (fsync of file and folder) when the
 * function returns true. Does not: hold secrets in locked memory, rotate, know the configuration.
 *
 * Every error is a sentence that says what would be right, without the file's name (the caller knows it).
 *
 *     unsigned char key[SECRET_JOURNAL_KEY];
 *     char error[LIMIT_TEXT];
 *     if (!secret_journal_key("/etc/tocsin/secrets/journal.key", key, error))
 *         fprintf(stderr, "/etc/tocsin/secrets/journal.key: %s\n", error);
 *     sodium_memzero(key, sizeof key);
 */
#ifndef TOCSIN_SECRETS_H
#define TOCSIN_SECRETS_H

#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SECRET_DAEMON_USER "tocsin" /* the user of deploy/tocsind.service */
#define SECRET_JOURNAL_KEY 64 /* bytes; Ed25519 secret key as libsodium has it: seed and public key */
#define SECRET_DEVICE_KEY 32  /* bytes; HMAC-SHA256 key of a device */
#define SECRET_WEBHOOK_MIN 24 /* bytes; Standard Webhooks 1.0.0: a secret has 24 to 64 bytes */
#define SECRET_WEBHOOK_MAX 64
#define SECRET_TEXT 512 /* bytes of the longest text a secret_make_ function writes, with NUL */

#define SECRET_PASSWORD_MIN 10   /* bytes; shorter ones are guessed sooner or later, however slow each guess is */
#define SECRET_PASSWORD_MAX 1000 /* bytes */

struct secret {
    char *text; /* ends with a NUL that size does not count */
    size_t size;
};

/* Whether `us` may trust a secret of this owner: it is ours or root's, or we are root and it is the daemon's user's.
 * `daemon` is 0 where there is no such user. */
bool secret_owner_good(uid_t owner, uid_t us, uid_t daemon);

/* Whether the file may be trusted with a secret: exists, is a plain file, has a good owner, no bit of 077 set. */
bool secret_file_check(const char *path, char error[LIMIT_TEXT]);
/* The same check on the open file, then its content, at most `limit` bytes. True: secret_finish() it. */
bool secret_file_read(const char *path, size_t limit, struct secret *, char error[LIMIT_TEXT]);
void secret_finish(struct secret *);

/* A new file of this text. `mode` 0600 for a secret, 0644 for a public key. False when the file exists. */
bool secret_file_write(const char *path, const char *text, unsigned mode, char error[LIMIT_TEXT]);

/* One line of base64 into exactly `size` bytes; false when it is anything else. */
bool secret_base64(const char *text, size_t text_size, unsigned char *out, size_t size);
/* "whsec_" and the base64 of 24 to 64 bytes. */
bool secret_webhook(const char *text, size_t text_size, unsigned char out[SECRET_WEBHOOK_MAX], size_t *size);

/* The file's one line `tocsin-journal-key-v1 <base64(64 bytes)>`. The caller zeroes the key. */
bool secret_journal_key(const char *path, unsigned char key[SECRET_JOURNAL_KEY], char error[LIMIT_TEXT]);

/* The public key as a C2SP signed-note verifier key, `<name>+<key id, 8 hex>+<base64(0x01 || key)>`. */
void secret_journal_vkey(const char *name, const unsigned char key[SECRET_JOURNAL_KEY],
                         char out[SECRET_TEXT]);
/* True when `name` can be a checkpoint's origin and key name: not empty, no space, no control character, no
 * "+". */
bool secret_journal_name(const char *name);

/* New secrets, as the text that belongs in the file or in the button, without a newline. */
void secret_make_device_key(char out[SECRET_TEXT]); /* base64 of 32 bytes */
void secret_make_webhook(char out[SECRET_TEXT]);    /* whsec_ and base64 of 32 bytes */
void secret_make_token(char out[SECRET_TEXT]);      /* tk_ and base64url of 32 bytes */
void secret_token_hash(const char *token,
                       char out[SECRET_TEXT]); /* "sha256:" and hex: what the configuration holds */

/* argon2id (RFC 9106) with 64 MiB and 3 passes: about 0.15 s and that memory, so never on a loop. */
bool secret_password_hash(const char *password, char out[SECRET_TEXT]); /* false: no memory */
bool secret_password_matches(const char *hash, const char *password, size_t size);
/* Whether it is such a hash, and one that does not ask for more than four times the memory or passes. */
bool secret_password_hash_valid(const char *text);

/* A new journal key in `path`, its verifier key in `path`.pub. */
bool secret_new_journal_key(const char *path, const char *name, char error[LIMIT_TEXT]);

#endif
