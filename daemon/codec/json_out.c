#include "codec/json_out.h"
#include "codec/text.h"
#include "codec/time_text.h"
#include <assert.h>
#include <math.h>
#include <sodium.h>
#include <string.h>

void json_out_init(struct json_out *o, char *buffer, size_t capacity)
{
    assert(capacity > 0);
    *o = (struct json_out){.buffer = buffer, .capacity = capacity};
}

bool json_out_ok(struct json_out *o)
{
    o->buffer[o->size] = '\0';
    return !o->full;
}

/* One byte always stays free for the NUL. */
static bool room(struct json_out *o, size_t size)
{
    if (o->full || size >= o->capacity - o->size)
        o->full = true;
    return !o->full;
}

static void put(struct json_out *o, const char *bytes, size_t size)
{
    if (!room(o, size))
        return;
    memcpy(o->buffer + o->size, bytes, size);
    o->size += size;
}

static void put_char(struct json_out *o, char c)
{
    if (room(o, 1))
        o->buffer[o->size++] = c;
}

/* The comma and the key before a value; every value goes through here. */
static void begin(struct json_out *o, const char *key)
{
    if (o->comma)
        put_char(o, ',');
    o->comma = true;
    if (!key)
        return;
    put_char(o, '"');
    put(o, key, strlen(key));
    put(o, "\":", 2);
}

void json_open(struct json_out *o, const char *key, char bracket)
{
    begin(o, key);
    put_char(o, bracket);
    o->comma = false;
}

void json_close(struct json_out *o, char bracket)
{
    put_char(o, bracket);
    o->comma = true;
}

static void put_escaped(struct json_out *o, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = c ? strchr(plain, c) : NULL;
    if (found) {
        char two[2] = {'\\', letters[found - plain]};
        put(o, two, 2);
    } else {
        char six[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        put(o, six, 6);
    }
}

void json_text_n(struct json_out *o, const char *key, const char *value, size_t size)
{
    begin(o, key);
    put_char(o, '"');
    size_t run = 0, at = 0; /* value[run..at) needs no change and is copied in one piece */
    while (at < size) {
        unsigned char c = (unsigned char)value[at];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            at++;
            continue;
        }
        size_t n = c >= 0x80 ? text_char_size(value + at, size - at) : 0;
        if (n) {
            at += n;
            continue;
        }
        put(o, value + run, at - run);
        if (c >= 0x80)
            put(o, "\xEF\xBF\xBD", 3); /* U+FFFD */
        else
            put_escaped(o, c);
        run = ++at;
    }
    put(o, value + run, at - run);
    put_char(o, '"');
}

void json_text(struct json_out *o, const char *key, const char *value)
{
    if (value)
        json_text_n(o, key, value, strlen(value));
    else
        json_raw(o, key, "null", 4);
}

static void put_digits(struct json_out *o, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    put(o, digits + at, sizeof digits - at);
}

static void put_signed(struct json_out *o, int64_t value)
{
    if (value < 0)
        put_char(o, '-');
    put_digits(o, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_number(struct json_out *o, const char *key, int64_t value)
{
    begin(o, key);
    put_signed(o, value);
}

void json_unsigned(struct json_out *o, const char *key, uint64_t value)
{
    begin(o, key);
    put_digits(o, value);
}

void json_decimal(struct json_out *o, const char *key, double value, int digits)
{
    static const int64_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
    assert(digits >= 0 && digits <= 9);
    if (!isfinite(value) || fabs(value) >= 9e9) { /* JSON has no word for it, or it is no measurement */
        json_raw(o, key, "null", 4);
        return;
    }
    int64_t scaled = llround(value * (double)tens[digits]);
    uint64_t size = scaled < 0 ? 0 - (uint64_t)scaled : (uint64_t)scaled, one = (uint64_t)tens[digits];
    begin(o, key);
    if (scaled < 0)
        put_char(o, '-');
    put_digits(o, size / one);
    uint64_t rest = size % one;
    if (rest)
        put_char(o, '.');
    while (rest) { /* digit by digit, so that zeros at the end are never written */
        one /= 10;
        put_char(o, (char)('0' + rest / one));
        rest %= one;
    }
}

void json_bool(struct json_out *o, const char *key, bool value)
{
    json_raw(o, key, value ? "true" : "false", value ? 4 : 5);
}

void json_time(struct json_out *o, const char *key, int64_t at_ms)
{
    if (at_ms == 0) {
        json_raw(o, key, "null", 4);
        return;
    }
    char text[TIME_TEXT];
    time_text(text, at_ms);
    begin(o, key);
    put_char(o, '"');
    put(o, text, strlen(text));
    put_char(o, '"');
}

void json_hex(struct json_out *o, const char *key, const unsigned char *bytes, size_t size)
{
    begin(o, key);
    put_char(o, '"');
    if (room(o, size * 2)) {
        sodium_bin2hex(o->buffer + o->size, size * 2 + 1, bytes, size);
        o->size += size * 2;
    }
    put_char(o, '"');
}

void json_base64(struct json_out *o, const char *key, const unsigned char *bytes, size_t size)
{
    size_t encoded = sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL) - 1;
    begin(o, key);
    put_char(o, '"');
    if (room(o, encoded)) {
        sodium_bin2base64(o->buffer + o->size, encoded + 1, bytes, size, sodium_base64_VARIANT_ORIGINAL);
        o->size += encoded;
    }
    put_char(o, '"');
}

void json_raw(struct json_out *o, const char *key, const char *json, size_t size)
{
    begin(o, key);
    put(o, json, size);
}
