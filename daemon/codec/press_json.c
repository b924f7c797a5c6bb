#include "codec/press_json.h"
#include "codec/json_in.h"
#include "codec/text.h"
#include "codec/time_text.h"
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_MAX 9007199254740991.0 /* 2^53-1: the largest whole number every JSON reader keeps */

/* A text that can be one line of what is signed: it fits, and has no control characters. */
static bool take_line(const json_t *value, char *out, size_t capacity)
{
    size_t size;
    const char *text = json_in_text(value, &size);
    if (!text || size >= capacity)
        return false;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return false;
    memcpy(out, text, size + 1);
    return true;
}

static bool take_epoch(const json_t *value, struct press_fields *f)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    char epoch[LIMIT_EPOCH];
    if (!take_line(value, epoch, sizeof epoch) || epoch[0] == '\0' || epoch[strspn(epoch, allowed)] != '\0')
        return false;
    if (strcmp(epoch, "-") == 0) /* stands for "no identity given" */
        return false;
    memcpy(f->epoch, epoch, sizeof epoch);
    return true;
}

static bool take_n(const json_t *value, struct press_fields *f)
{
    double n = json_number_value(value);
    if (!json_is_number(value) || !(n >= 0 && n <= NUMBER_MAX) || n != floor(n))
        return false;
    f->n = (uint64_t)n;
    f->has_identity = true; /* half of it: finished when all fields are read */
    return true;
}

static bool take_kind(const json_t *value, struct press_fields *f)
{
    f->has_kind = true; /* also when it is no text: something was meant, and generic alarms like a panic */
    f->kind = KIND_GENERIC;
    if (!take_line(value, f->kind_text, sizeof f->kind_text))
        return false;
    if (!kind_of(f->kind_text, &f->kind))
        f->oddities |= ODD_UNKNOWN_KIND;
    return true;
}

static bool take_at(const json_t *value, struct press_fields *f)
{
    return take_line(value, f->at_text, sizeof f->at_text) &&
           time_of_text(f->at_text, strlen(f->at_text), &f->claimed_ms);
}

static bool take_battery(const json_t *value, struct press_fields *f)
{
    double percent = json_number_value(value);
    if (!json_is_number(value) || !(percent >= 0 && percent <= 100))
        return false;
    f->battery = (int)percent;
    return true;
}

/* Anything but true and false is no clear word that this is not real: it stays real. */
static bool take_test(const json_t *value, struct press_fields *f)
{
    if (json_is_true(value))
        f->mode = MODE_TEST;
    return json_is_boolean(value);
}

static bool take_drill(const json_t *value, struct press_fields *f)
{
    if (json_is_true(value) && f->mode != MODE_TEST)
        f->mode = MODE_DRILL;
    return json_is_boolean(value);
}

static bool take_sig(const json_t *value, struct press_fields *f)
{
    size_t size, decoded = 0;
    const char *text = json_in_text(value, &size);
    f->has_signature = text &&
                       sodium_base642bin(f->signature, sizeof f->signature, text, size, NULL, &decoded, NULL,
                                         sodium_base64_VARIANT_ORIGINAL) == 0 &&
                       decoded == sizeof f->signature;
    return f->has_signature;
}

static const struct {
    const char *name;
    bool (*take)(const json_t *value, struct press_fields *); /* false: of a wrong type or range */
} fields[] = {
    {"epoch", take_epoch},     {"n", take_n},       {"kind", take_kind},   {"at", take_at},
    {"battery", take_battery}, {"test", take_test}, {"drill", take_drill}, {"sig", take_sig},
};

static void take_fields(json_t *object, struct press_fields *f)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        size_t i = 0;
        while (i < sizeof fields / sizeof fields[0] && strcmp(name, fields[i].name) != 0)
            i++;
        if (i == sizeof fields / sizeof fields[0])
            f->oddities |= ODD_EXTRA_FIELD;
        else if (!fields[i].take(value, f))
            f->oddities |= ODD_BAD_FIELD;
    }
}

/* Reads as strictly as it can and as tolerantly as it must; each step down leaves its mark in `oddities`.
 * Whole numbers are read as reals: one of 2^64 is then a bad field and not the end of the reading. */
static json_t *read_payload(const char *payload, size_t size, uint32_t *oddities)
{
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK;
    char utf8[LIMIT_PAYLOAD];
    json_error_t error;
    json_t *object = json_in_object(payload, size, flags, &error);
    if (!object && json_error_code(&error) == json_error_invalid_utf8) {
        *oddities |= ODD_NOT_JSON; /* text in another encoding spoils only itself */
        text_make_utf8(utf8, payload, size);
        payload = utf8;
        object = json_in_object(payload, size, flags, &error);
    }
    if (!object && json_error_code(&error) == json_error_duplicate_key) {
        *oddities |= ODD_DUPLICATE_KEY;
        object = json_in_object(payload, size, flags & ~(size_t)JSON_REJECT_DUPLICATES, &error);
    }
    if (!object) {
        *oddities |= ODD_NOT_JSON;
        return NULL;
    }
    for (size_t i = (size_t)error.position; i < size; i++) /* such as the NUL that ends a string in C */
        if (!strchr(" \t\r\n", payload[i]) || payload[i] == '\0')
            *oddities |= ODD_NOT_JSON;
    return object;
}

static void read_fields(const void *payload, size_t size, struct press_fields *out)
{
    memset(out, 0, sizeof *out);
    out->kind = KIND_GENERIC;
    out->mode = MODE_REAL;
    out->battery = -1;
    if (size == 0)
        out->oddities |= ODD_EMPTY;
    else if (size > LIMIT_PAYLOAD)
        out->oddities |= ODD_TOO_LONG;
    else {
        json_t *object = read_payload(payload, size, &out->oddities);
        if (object)
            take_fields(object, out);
        json_decref(object);
    }
}

void press_decode(const void *payload, size_t size, struct press_fields *out)
{
    read_fields(payload, size, out);
    out->has_identity = out->has_identity && out->epoch[0] != '\0';
    if (!out->has_identity) {
        out->epoch[0] = '\0';
        out->n = 0;
        out->oddities |= ODD_NO_IDENTITY;
    }
    if (out->oddities)
        text_clean(out->raw, sizeof out->raw, payload, size < 4 * LIMIT_RAW ? size : 4 * LIMIT_RAW);
}

void press_identity_of_payload(const void *payload, size_t size, int64_t window_start_ms,
                               struct press_fields *out)
{
    unsigned char window[8], hash[crypto_hash_sha256_BYTES];
    for (unsigned i = 0; i < 8; i++)
        window[i] = (unsigned char)((uint64_t)window_start_ms >> (56 - 8 * i));
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, window, sizeof window);
    crypto_hash_sha256_update(&state, payload, size);
    crypto_hash_sha256_final(&state, hash);
    out->n = 0;
    for (unsigned i = 0; i < 8; i++)
        out->n = out->n << 8 | hash[i];
    out->n >>= 11;
    snprintf(out->epoch, sizeof out->epoch, "-");
}

void press_sign(const unsigned char key[32], const char *site, const char *device, const char *epoch,
                uint64_t n, const char *kind, enum mode mode, const char *at, unsigned char out[32])
{
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)n);
    const char *lines[] = {"tocsin-press-v1", site, device, epoch, number, kind, mode_str(mode), at};
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, 32);
    for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (lines[i])
            crypto_auth_hmacsha256_update(&state, (const unsigned char *)lines[i], strlen(lines[i]));
        crypto_auth_hmacsha256_update(&state, (const unsigned char *)"\n", 1);
    }
    crypto_auth_hmacsha256_final(&state, out);
}

bool press_signature_ok(const unsigned char key[32], const char *site, const char *device,
                        const struct press_fields *f)
{
    unsigned char expected[32];
    if (!f->has_signature || !f->has_identity)
        return false;
    press_sign(key, site, device, f->epoch, f->n, f->kind_text, f->mode, f->at_text, expected);
    return sodium_memcmp(expected, f->signature, sizeof expected) == 0;
}

/* As most are: {"battery":87}. There are many of them, and a parser takes more time than everything else of a heartbeat. */
static bool plain_battery(const char *payload, size_t size, int *percent)
{
    static const char before[] = "{\"battery\":";
    const size_t from = sizeof before - 1;
    if (size < from + 2 || size > from + 3 || memcmp(payload, before, from) != 0 || payload[size - 1] != '}')
        return false;
    *percent = 0;
    for (size_t i = from; i < size - 1; i++) {
        if (payload[i] < '0' || payload[i] > '9')
            return false;
        *percent = *percent * 10 + (payload[i] - '0');
    }
    return size == from + 2 || payload[from] != '0'; /* 07 is no number */
}

int heartbeat_battery(const void *payload, size_t size)
{
    struct press_fields f;
    int percent;
    if (plain_battery(payload, size, &percent))
        return percent;
    read_fields(payload, size, &f);
    return f.battery;
}
