/* json_out.h - writes JSON text into a fixed buffer: no allocation, one fixed order, so equal facts give
 * equal bytes.
 *
 * Promises: the output is valid UTF-8 JSON whatever goes in: control characters and invalid UTF-8 are escaped
 * or replaced by U+FFFD. When the buffer is too small nothing is written past it and `full` is set;
 * json_out_ok() is to be checked once, at the end. Parsing is jansson's work; this exists because the
 * journal's lines are bytes that are hashed, and because a press must not wait for an allocator.
 *
 *     struct json_out o;
 *     json_out_init(&o, buffer, sizeof buffer);
 *     json_open(&o, NULL, '{');
 *     json_text(&o, "type", "press_received");
 *     json_number(&o, "n", 17);
 *     json_close(&o, '}');
 *     if (json_out_ok(&o)) use(buffer, o.size);
 *
 * `key` is NULL inside arrays and at the top.
 */
#ifndef TOCSIN_JSON_OUT_H
#define TOCSIN_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_out {
    char *buffer;
    size_t size, capacity;
    bool full, comma;
};

void json_out_init(struct json_out *, char *buffer, size_t capacity);
bool json_out_ok(struct json_out *); /* NUL-terminates; false when it did not fit */
void json_open(struct json_out *, const char *key, char bracket);
void json_close(struct json_out *, char bracket);
void json_text(struct json_out *, const char *key, const char *value); /* NULL value = null */
void json_text_n(struct json_out *, const char *key, const char *value, size_t size);
void json_number(struct json_out *, const char *key, int64_t value);
void json_unsigned(struct json_out *, const char *key, uint64_t value);
void json_decimal(struct json_out *, const char *key, double value, int digits);
void json_bool(struct json_out *, const char *key, bool value);
void json_time(struct json_out *, const char *key, int64_t at_ms); /* RFC 3339, UTC, milliseconds; 0 = null */
void json_hex(struct json_out *, const char *key, const unsigned char *bytes, size_t size);
void json_base64(struct json_out *, const char *key, const unsigned char *bytes, size_t size);
void json_raw(struct json_out *, const char *key, const char *json,
              size_t size); /* a value that is JSON already */

#endif
