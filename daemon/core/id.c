#include "core/id.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

bool id_valid_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool id_valid(const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n >= LIMIT_ID || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!id_valid_char(text[i]))
            return false;
    return true;
}

void alarm_id_of(char out[LIMIT_ALARM_ID], const char *site, const char *device, const char *epoch, uint64_t n)
{
    static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";
    char text[2 * LIMIT_ID + LIMIT_EPOCH + 24];
    int size = snprintf(text, sizeof text, "%s/%s/%s/%llu", site, device, epoch, (unsigned long long)n);
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)text, (unsigned long long)size);
    out[0] = 'a';
    for (unsigned i = 0; i < 20; i++) {
        unsigned bit = i * 5, byte = bit / 8, shift = bit % 8;
        unsigned pair = (unsigned)hash[byte] << 8 | hash[byte + 1];
        out[1 + i] = base32[pair >> (11 - shift) & 31];
    }
    out[21] = '\0';
}
