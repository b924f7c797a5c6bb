/* note.h - checkpoints as C2SP signed notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), Ed25519. PURE
 * but for libsodium.
 *
 *     <origin>\n<size>\n<root, base64>\n\n— <origin> <base64(key id, 4 bytes ‖ signature, 64 bytes)>\n
 *
 * A public key as text is `<origin>+<key id, 8 hex digits>+<base64(0x01 ‖ key)>`; the key id is the first
 * four bytes of SHA-256(origin ‖ 0x0A ‖ 0x01 ‖ key).
 *
 *     struct note_checkpoint c = {.origin = "tocsin.example.edu", .size = 4711};
 *     size_t size = note_sign(&c, secret_key, text);
 *     if (!note_verify(text, size, public_key, &c, error)) …
 */
#ifndef TOCSIN_NOTE_H
#define TOCSIN_NOTE_H

#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTE_ORIGIN 128   /* bytes with NUL; a host name, perhaps with a path */
#define NOTE_TEXT 512     /* bytes with NUL of a whole checkpoint of ours */
#define NOTE_KEY_TEXT 200 /* bytes with NUL of a public key as text */

struct note_checkpoint {
    char origin[NOTE_ORIGIN];
    uint64_t size;
    unsigned char root[32];
};

/* 1 … NOTE_ORIGIN-1 bytes, without white space, control bytes and '+'. */
bool note_origin_valid(const char *origin);
/* Writes the NUL-terminated note and returns its size. The origin must be valid. */
size_t note_sign(const struct note_checkpoint *, const unsigned char secret_key[64], char out[NOTE_TEXT]);
/* Reads the checkpoint without asking who signed it. False: `error` says what is wrong with it. */
bool note_parse(const char *text, size_t size, struct note_checkpoint *out, char error[LIMIT_TEXT]);
/* Reads it, and some signature line must be of this key under the checkpoint's own origin; others are passed
 * over. */
bool note_verify(const char *text, size_t size, const unsigned char public_key[32],
                 struct note_checkpoint *out, char error[LIMIT_TEXT]);

void note_key_text(const char *origin, const unsigned char public_key[32], char out[NOTE_KEY_TEXT]);
/* `text` may end with a newline. */
bool note_key_parse(const char *text, char origin[NOTE_ORIGIN], unsigned char public_key[32],
                    char error[LIMIT_TEXT]);

#endif
