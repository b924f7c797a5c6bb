#include "button_sodium.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

bool button_key_read(struct button_key *key, const char *path)
{
    char line[256];
    size_t size = 0;
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    if (!fgets(line, sizeof line, f))
        line[0] = '\0';
    fclose(f);
    line[strcspn(line, "\r\n")] = '\0';
    const char *word = strrchr(line, ' ');
    word = word ? word + 1 : line;
    bool read = sodium_base642bin(key->bytes, sizeof key->bytes, word, strlen(word), NULL, &size, NULL,
                                  sodium_base64_VARIANT_ORIGINAL) == 0 &&
                size == sizeof key->bytes;
    sodium_memzero(line, sizeof line);
    return read;
}

bool button_hmac(const struct button_key *key, const void *bytes, size_t size, unsigned char out[32])
{
    return crypto_auth_hmacsha256(out, bytes, size, key->bytes) == 0;
}

uint32_t button_random(void *unused)
{
    (void)unused;
    return randombytes_random();
}
