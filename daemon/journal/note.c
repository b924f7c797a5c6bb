#include "journal/note.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ED25519 0x01         /* algorithm byte of c2sp.org/signed-note */
#define DASH "\xe2\x80\x94 " /* em dash and space: a signature line */
#define BASE64_MOST 93       /* 68 bytes in base64, with NUL: key id and signature, the longest here */
#define NOTE_SIGNATURES 16   /* lines looked at; a note of ours has one, a cosigned one a handful */

bool note_origin_valid(const char *origin)
{
    size_t size = strlen(origin);
    if (size == 0 || size >= NOTE_ORIGIN)
        return false;
    for (const char *c = origin; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '+')
            return false;
    return true;
}

/* Exactly out_size bytes in their one right spelling: libsodium's reader takes some bytes over 0x7f for
 * others. */
static bool decode_base64(const char *text, size_t size, unsigned char *out, size_t out_size)
{
    char again[BASE64_MOST];
    size_t decoded = 0;
    return sodium_base642bin(out, out_size, text, size, NULL, &decoded, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           decoded == out_size &&
           strlen(sodium_bin2base64(again, sizeof again, out, out_size, sodium_base64_VARIANT_ORIGINAL)) ==
               size &&
           memcmp(again, text, size) == 0;
}

static void key_id(const char *origin, const unsigned char public_key[32], unsigned char out[4])
{
    static const unsigned char middle[2] = {0x0A, ED25519};
    unsigned char hash[32];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)origin, strlen(origin));
    crypto_hash_sha256_update(&state, middle, sizeof middle);
    crypto_hash_sha256_update(&state, public_key, 32);
    crypto_hash_sha256_final(&state, hash);
    memcpy(out, hash, 4);
}

size_t note_sign(const struct note_checkpoint *c, const unsigned char secret_key[64], char out[NOTE_TEXT])
{
    assert(note_origin_valid(c->origin));
    char root[BASE64_MOST];
    sodium_bin2base64(root, sizeof root, c->root, sizeof c->root, sodium_base64_VARIANT_ORIGINAL);
    int text_size = snprintf(out, NOTE_TEXT, "%s\n%" PRIu64 "\n%s\n", c->origin, c->size, root);

    unsigned char signature[4 + crypto_sign_BYTES];
    key_id(c->origin, secret_key + 32, signature); /* libsodium keeps the public key in the second half */
    crypto_sign_detached(signature + 4, NULL, (const unsigned char *)out, (size_t)text_size, secret_key);
    char encoded[BASE64_MOST];
    sodium_bin2base64(encoded, sizeof encoded, signature, sizeof signature, sodium_base64_VARIANT_ORIGINAL);

    int size = text_size + snprintf(out + text_size, NOTE_TEXT - (size_t)text_size, "\n" DASH "%s %s\n",
                                    c->origin, encoded);
    assert(size < NOTE_TEXT);
    return (size_t)size;
}

/* Cuts the next line off [*at, end); the line's end, or NULL when no newline is left. */
static const char *line_end(const char **at, const char *end)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    if (newline)
        *at = newline + 1;
    return newline;
}

static bool parse_size(const char *text, size_t size, uint64_t *out)
{
    char digits[21];
    if (size == 0 || size >= sizeof digits || (text[0] == '0' && size > 1))
        return false;
    memcpy(digits, text, size);
    digits[size] = 0;
    if (strspn(digits, "0123456789") != size)
        return false;
    errno = 0;
    *out = strtoull(digits, NULL, 10);
    return errno == 0;
}

/* Also gives where the signed text ends. */
static const char *parse_body(const char *text, size_t size, struct note_checkpoint *out,
                              char error[LIMIT_TEXT])
{
    const char *at = text, *end = text + size, *from = at, *stop;
    *out = (struct note_checkpoint){0};
    if (!(stop = line_end(&at, end)) || (size_t)(stop - from) >= sizeof out->origin) {
        snprintf(error, LIMIT_TEXT, "the checkpoint has no proper first line: its origin is expected there");
        return NULL;
    }
    memcpy(out->origin, from, (size_t)(stop - from));
    if (strlen(out->origin) != (size_t)(stop - from) || !note_origin_valid(out->origin)) {
        snprintf(error, LIMIT_TEXT,
                 "the checkpoint's first line is not an origin: a name without spaces is expected");
        return NULL;
    }
    from = at;
    if (!(stop = line_end(&at, end)) || !parse_size(from, (size_t)(stop - from), &out->size)) {
        snprintf(error, LIMIT_TEXT, "the checkpoint's second line is not a number of entries");
        return NULL;
    }
    from = at;
    if (!(stop = line_end(&at, end)) ||
        !decode_base64(from, (size_t)(stop - from), out->root, sizeof out->root)) {
        snprintf(error, LIMIT_TEXT, "the checkpoint's third line is not a hash of 32 bytes in base64");
        return NULL;
    }
    /* Further lines before the empty one are allowed extensions. */
    for (;;) {
        from = at;
        if (!(stop = line_end(&at, end))) {
            snprintf(error, LIMIT_TEXT, "the checkpoint has no empty line and signature after its text");
            return NULL;
        }
        if (stop == from)
            return from;
    }
}

bool note_parse(const char *text, size_t size, struct note_checkpoint *out, char error[LIMIT_TEXT])
{
    return parse_body(text, size, out, error) != NULL;
}

/* One line "— name base64". True: signed by this key. */
static bool signature_good(const char *line, size_t size, const char *origin,
                           const unsigned char public_key[32], const char *text, size_t text_size)
{
    size_t name = strlen(origin), head = strlen(DASH);
    if (size <= head + name + 1 || memcmp(line, DASH, head) != 0 || memcmp(line + head, origin, name) != 0 ||
        line[head + name] != ' ')
        return false;
    unsigned char signature[4 + crypto_sign_BYTES], id[4];
    size_t skip = head + name + 1;
    if (!decode_base64(line + skip, size - skip, signature, sizeof signature))
        return false;
    key_id(origin, public_key, id);
    return memcmp(id, signature, 4) == 0 &&
           crypto_sign_verify_detached(signature + 4, (const unsigned char *)text, text_size, public_key) ==
               0;
}

bool note_verify(const char *text, size_t size, const unsigned char public_key[32],
                 struct note_checkpoint *out, char error[LIMIT_TEXT])
{
    const char *body_end = parse_body(text, size, out, error);
    if (!body_end)
        return false;
    const char *at = body_end + 1, *end = text + size;
    for (int i = 0; i < NOTE_SIGNATURES; i++) {
        const char *from = at, *stop = line_end(&at, end);
        if (!stop)
            break;
        if (signature_good(from, (size_t)(stop - from), out->origin, public_key, text,
                           (size_t)(body_end - text)))
            return true;
    }
    unsigned char id[4];
    key_id(out->origin, public_key, id);
    snprintf(error, LIMIT_TEXT,
             "the checkpoint of \"%.80s\" bears no good signature of the key %02x%02x%02x%02x", out->origin,
             id[0], id[1], id[2], id[3]);
    return false;
}

void note_key_text(const char *origin, const unsigned char public_key[32], char out[NOTE_KEY_TEXT])
{
    assert(note_origin_valid(origin));
    unsigned char key[33] = {ED25519}, id[4];
    memcpy(key + 1, public_key, 32);
    key_id(origin, public_key, id);
    char encoded[BASE64_MOST];
    sodium_bin2base64(encoded, sizeof encoded, key, sizeof key, sodium_base64_VARIANT_ORIGINAL);
    int size =
        snprintf(out, NOTE_KEY_TEXT, "%s+%02x%02x%02x%02x+%s", origin, id[0], id[1], id[2], id[3], encoded);
    assert(size < NOTE_KEY_TEXT);
}

bool note_key_parse(const char *text, char origin[NOTE_ORIGIN], unsigned char public_key[32],
                    char error[LIMIT_TEXT])
{
    snprintf(error, LIMIT_TEXT,
             "the public key is not of the form name+key id+key, as in "
             "tocsin.example.edu+1a2b3c4d+AWk…");
    size_t size = strcspn(text, "\r\n");
    const char *first = memchr(text, '+', size);
    if (!first || (size_t)(first - text) >= NOTE_ORIGIN)
        return false;
    memcpy(origin, text, (size_t)(first - text));
    origin[first - text] = 0;
    const char *second = first + 9;
    if (!note_origin_valid(origin) || size < (size_t)(second - text) + 2 || *second != '+')
        return false;
    unsigned char id[4], key[33], expected[4];
    size_t decoded = 0;
    if (sodium_hex2bin(id, sizeof id, first + 1, 8, NULL, &decoded, NULL) != 0 || decoded != sizeof id)
        return false;
    const char *encoded = second + 1;
    if (!decode_base64(encoded, size - (size_t)(encoded - text), key, sizeof key) || key[0] != ED25519)
        return false;
    memcpy(public_key, key + 1, 32);
    key_id(origin, public_key, expected);
    if (memcmp(id, expected, 4) != 0) {
        snprintf(error, LIMIT_TEXT,
                 "the public key's id %02x%02x%02x%02x does not belong to its name and key: "
                 "it was mistyped or changed",
                 id[0], id[1], id[2], id[3]);
        return false;
    }
    error[0] = 0;
    return true;
}
