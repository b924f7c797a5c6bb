/* button_sodium.h - the press signature through libsodium, for those who have it.
 *
 *     struct button_key key;
 *     if (!button_key_read(&key, "/etc/tocsin-button/key")) …
 *     button_hmac(&key, bytes, size, out); */
#ifndef TOCSIN_BUTTON_SODIUM_H
#define TOCSIN_BUTTON_SODIUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct button_key {
    unsigned char bytes[32];
};

/* Standard base64 of 32 bytes, alone on the last word of the file's first line (so a line of keys_file works,
 * too). */
bool button_key_read(struct button_key *, const char *path);
bool button_hmac(const struct button_key *, const void *bytes, size_t size, unsigned char out[32]);
uint32_t button_random(void *unused);

#endif
