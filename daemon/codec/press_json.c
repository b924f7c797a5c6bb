#include "codec/press_json.h"
#include "codec/json_in.h"
#include "codec/json_plain.h"
#include "codec/text.h"
#include "codec/time_text.h"
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_MAX 9007199254740991.0 /* 2^53-1: the largest whole number every JSON reader keeps */

/* A text that can be one line of what is signed: it fits, and has no control characters. */
static bool take_line(const struct json_value *value, char *out, size_t capacity)
{
    if (value->type != JSON_VALUE_TEXT || value->size >= capacity)
        return false;
    for (size_t i = 0; i < value->size; i++)
        if ((unsigned char)value->text[i] < 0x20 || value->text[i] == 0x7F)
            return false;
    memcpy(out, value->text, value->size);
    out[value->size] = '\0';
    return true;
}

static bool take_epoch(const struct json_value *value, struct press_fields *f)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    char epoch[LIMIT_EPOCH];
    if (!take_line(value, epoch, sizeof epoch) || epoch[0] == '\0' || epoch[strspn(epoch, allowed)] != '\0')
        return false;
    if (strcmp(epoch, "-") == 0) /* stands for "no identity given" */
        return false;
    memcpy(f->epoch, epoch, strlen(epoch) + 1);
    return true;
}

static bool take_n(const struct json_value *value, struct press_fields *f)
{
    double n = value->number;
    if (value->type != JSON_VALUE_NUMBER || !(n >= 0 && n <= NUMBER_MAX) || n != floor(n))
        return false;
    f->n = (uint64_t)n;
    f->has_identity = true; /* half of it: finished when all fields are read */
    return true;
}

static bool take_kind(const struct json_value *value, struct press_fields *f)
{
    f->has_kind = true; /* also when it is no text: something was meant, and generic alarms like a panic */
    f->kind = KIND_GENERIC;
    if (!take_line(value, f->kind_text, sizeof f->kind_text))
        return false;
    if (!kind_of(f->kind_text, &f->kind))
        f->oddities |= ODD_UNKNOWN_KIND;
    return true;
}

static bool take_at(const struct json_value *value, struct press_fields *f)
{
    return take_line(value, f->at_text, sizeof f->at_text) &&
           time_of_text(f->at_text, strlen(f->at_text), &f->claimed_ms);
}

static bool take_battery(const struct json_value *value, struct press_fields *f)
{
    double percent = value->number;
    if (value->type != JSON_VALUE_NUMBER || !(percent >= 0 && percent <= 100))
        return false;
    f->battery = (int)percent;
    return true;
}

/* Anything but true and false is no clear word that this is not real: it stays real. */
static bool take_test(const struct json_value *value, struct press_fields *f)
{
    if (value->type == JSON_VALUE_TRUTH && value->truth)
        f->mode = MODE_TEST;
    return value->type == JSON_VALUE_TRUTH;
}

static bool take_drill(const struct json_value *value, struct press_fields *f)
{
    if (value->type == JSON_VALUE_TRUTH && value->truth && f->mode != MODE_TEST)
        f->mode = MODE_DRILL;
    return value->type == JSON_VALUE_TRUTH;
}

static bool take_sig(const struct json_value *value, struct press_fields *f)
{
    size_t decoded = 0;
    f->has_signature = value->type == JSON_VALUE_TEXT &&
                       sodium_base642bin(f->signature, sizeof f->signature, value->text, value->size, NULL, &decoded,
                                         NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
                       decoded == sizeof f->signature;
    return f->has_signature;
}

static const struct {
    const char *name;
    bool (*take)(const struct json_value *, struct press_fields *); /* false: of a wrong type or range */
} fields[] = {
    {"epoch", take_epoch},     {"n", take_n},       {"kind", take_kind},   {"at", take_at},
    {"battery", take_battery}, {"test", take_test}, {"drill", take_drill}, {"sig", take_sig},
};
#define FIELDS (sizeof fields / sizeof fields[0])

/* FIELDS when there is no such field. */
static size_t field_named(const char *name, size_t size)
{
    size_t i = 0;
    while (i < FIELDS && (strncmp(name, fields[i].name, size) != 0 || fields[i].name[size] != '\0'))
        i++;
    return i;
}

static void take_field(size_t i, const struct json_value *value, struct press_fields *f)
{
    if (i == FIELDS)
        f->oddities |= ODD_EXTRA_FIELD;
    else if (!fields[i].take(value, f))
        f->oddities |= ODD_BAD_FIELD;
}

static void take_fields(json_t *object, struct press_fields *f)
{
    const char *name;
    json_t *member;
    json_object_foreach(object, name, member) {
        struct json_value value = {.type = JSON_VALUE_OTHER, .number = json_number_value(member)};
        if ((value.text = json_in_text(member, &value.size)))
            value.type = JSON_VALUE_TEXT;
        else if (json_is_number(member))
            value.type = JSON_VALUE_NUMBER;
        else if (json_is_boolean(member))
            value.type = JSON_VALUE_TRUTH;
        value.truth = json_is_true(member);
        take_field(field_named(name, strlen(name)), &value, f);
    }
}

struct plain_press {
    struct press_fields *fields;
    unsigned seen; /* a bit for each field */
};

/* A name that is not ours may be there twice, and one of ours as well: that is for the parser to say. */
static bool take_plain(void *ctx, const char *name, size_t size, const struct json_value *value)
{
    struct plain_press *press = ctx;
    size_t i = field_named(name, size);
    if (i == FIELDS || press->seen & 1u << i)
        return false;
    press->seen |= 1u << i;
    take_field(i, value, press->fields);
    return true;
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

static void begin(struct press_fields *f)
{
    memset(f, 0, sizeof *f);
    f->kind = KIND_GENERIC;
    f->mode = MODE_REAL;
    f->battery = -1;
}

static void read_any(const char *payload, size_t size, struct press_fields *f)
{
    begin(f);
    if (size == 0)
        f->oddities |= ODD_EMPTY;
    else if (size > LIMIT_PAYLOAD)
        f->oddities |= ODD_TOO_LONG;
    else {
        json_t *object = read_payload(payload, size, &f->oddities);
        if (object)
            take_fields(object, f);
        json_decref(object);
    }
}

static void read_fields(const char *payload, size_t size, struct press_fields *f)
{
    begin(f);
    if (size > LIMIT_PAYLOAD || !json_plain_object(payload, size, take_plain, &(struct plain_press){.fields = f}))
        read_any(payload, size, f);
}

/* What can be said of a press when all of its fields are read. */
static void end(const char *payload, size_t size, struct press_fields *f)
{
    f->has_identity = f->has_identity && f->epoch[0] != '\0';
    if (!f->has_identity) {
        f->epoch[0] = '\0';
        f->n = 0;
        f->oddities |= ODD_NO_IDENTITY;
    }
    if (f->oddities)
        text_clean(f->raw, sizeof f->raw, payload, size < 4 * LIMIT_RAW ? size : 4 * LIMIT_RAW);
}

void press_decode(const void *payload, size_t size, struct press_fields *out)
{
    read_fields(payload, size, out);
    end(payload, size, out);
}

void press_decode_any(const void *payload, size_t size, struct press_fields *out)
{
    read_any(payload, size, out);
    end(payload, size, out);
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

int heartbeat_battery(const void *payload, size_t size)
{
    struct press_fields f;
    read_fields(payload, size, &f);
    return f.battery;
}
