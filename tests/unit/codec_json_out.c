/* json_out: valid JSON whatever goes in, never a byte too far, equal facts give equal bytes. */
#include "codec/json_out.h"
#include "codec/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char line[4096];

static const char *text_as_json(const char *text, size_t size)
{
    struct json_out o;
    json_out_init(&o, line, sizeof line);
    json_text_n(&o, NULL, text, size);
    assert_true(json_out_ok(&o));
    return line;
}

static void test_escapes(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *json;
    } table[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\""},
        {"警钟", 6, "\"警钟\""},
        {"\xF0\x9F\x94\x94", 4, "\"\xF0\x9F\x94\x94\""},
        {"a\x80z", 3, "\"a\xEF\xBF\xBDz\""},                             /* a lone continuation */
        {"\xC0\xAF", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                 /* overlong */
        {"\xE8\xAD", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                 /* cut off */
        {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""}, /* surrogate */
        {"\xF4\x90\x80\x80", 4, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""}, /* beyond U+10FFFF */
        {"\xFF", 1, "\"\xEF\xBF\xBD\""},
        {"\xE8\"", 2, "\"\xEF\xBF\xBD\\\"\""}, /* a lead byte does not swallow the quote */
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_string_equal(text_as_json(table[i].text, table[i].size), table[i].json);
}

/* Every pair of bytes, and random texts: jansson reads back what is valid, byte for byte. */
static void test_any_bytes_are_json(void **state)
{
    unsigned seed = 20261123;
    for (unsigned i = 0; i < 65536 + 20000; i++) {
        char text[24] = {(char)(i >> 8), (char)i};
        size_t size = 2;
        if (i >= 65536) {
            size = (size_t)rand_r(&seed) % sizeof text;
            for (size_t k = 0; k < size; k++)
                text[k] = (char)(rand_r(&seed) >> 7);
        }
        const char *json = text_as_json(text, size);
        json_t *value = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(value);
        bool valid = true;
        for (size_t at = 0, n; valid && at < size; at += n)
            valid = (n = text_char_size(text + at, size - at)) > 0;
        if (valid) {
            assert_int_equal(json_string_length(value), size);
            assert_memory_equal(json_string_value(value), text, size);
        }
        json_decref(value);
    }
}

static void write_everything(struct json_out *o)
{
    static const unsigned char bytes[32] = {0xde, 0xad, 0xbe, 0xef};
    json_open(o, NULL, '{');
    json_text(o, "text", "a\nb\"\xFF\xE8\xAD\xA6");
    json_text(o, "null", NULL);
    json_open(o, "list", '[');
    json_number(o, NULL, INT64_MIN);
    json_number(o, NULL, -1);
    json_number(o, NULL, 0);
    json_unsigned(o, NULL, UINT64_MAX);
    json_open(o, NULL, '{');
    json_close(o, '}');
    json_open(o, NULL, '[');
    json_close(o, ']');
    json_bool(o, NULL, true);
    json_close(o, ']');
    json_bool(o, "no", false);
    json_time(o, "at", 1795420800123);
    json_time(o, "never", 0);
    json_decimal(o, "latitude", 31.2304, 6);
    json_hex(o, "hex", bytes, 5);
    json_base64(o, "root", bytes, sizeof bytes);
    json_base64(o, "none", bytes, 0);
    json_raw(o, "raw", "[1]", 3);
    json_close(o, '}');
}

static const char everything[] =
    "{\"text\":\"a\\nb\\\"\xEF\xBF\xBD\xE8\xAD\xA6\",\"null\":null,\"list\":[-9223372036854775808,-1,0,"
    "18446744073709551615,{},[],true],\"no\":false,\"at\":\"2026-11-23T08:00:00.123Z\",\"never\":null,"
    "\"latitude\":31.2304,\"hex\":\"deadbeef00\",\"root\":\"3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\","
    "\"none\":\"\",\"raw\":[1]}";

static void test_every_buffer_size(void **state)
{
    size_t size = strlen(everything);
    for (size_t capacity = 1; capacity <= size + 8; capacity++) {
        char *buffer = malloc(capacity); /* exact, so that the sanitizer sees one byte too far */
        assert_non_null(buffer);
        struct json_out o;
        json_out_init(&o, buffer, capacity);
        write_everything(&o);
        bool fits = json_out_ok(&o);
        assert_int_equal(fits, capacity > size);
        assert_true(o.size < capacity);
        assert_int_equal(strlen(buffer), o.size);
        assert_memory_equal(buffer, everything, o.size);
        if (fits)
            assert_string_equal(buffer, everything);
        free(buffer);
    }
}

static void test_decimals(void **state)
{
    static const struct {
        double value;
        int digits;
        const char *json;
    } table[] = {
        {0, 6, "0"},        {31.23, 7, "31.23"},     {-121.4737021, 7, "-121.4737021"},
        {1, 0, "1"},        {2.5, 0, "3"},           {-0.00000001, 6, "0"},
        {0.05, 2, "0.05"},  {100.001, 3, "100.001"}, {-0.5, 1, "-0.5"},
        {180, 9, "180"},    {NAN, 3, "null"},        {INFINITY, 3, "null"},
        {1e300, 9, "null"}, {-1e300, 0, "null"},     {8.9e9, 9, "8900000000"},
        {0.999999, 3, "1"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct json_out o;
        json_out_init(&o, line, sizeof line);
        json_decimal(&o, NULL, table[i].value, table[i].digits);
        assert_true(json_out_ok(&o));
        assert_string_equal(line, table[i].json);
    }
}

static void test_clean(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *shown;
    } table[] = {
        {"", 0, ""},
        {"panic", 5, "panic"},
        {"a\0b\tc\r\nd\x1b[31m\x7f", 15, "abcd[31m"},
        {"\xC2\x85x\xC2\x9Fy", 6, "xy"}, /* C1 */
        {"\xE2\x80\xAE"
         "evil\xE2\x81\xA6\xE2\x80\x8F\xD8\x9C",
         15, "evil"}, /* direction */
        {"\xE2\x80\xA8\xEF\xBB\xBF"
         "z",
         7, "z"}, /* line separator, byte order mark */
        {"\xFF\xC3", 2, "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"教室", 6, "教室"},
    };
    char out[64];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        text_clean(out, sizeof out, table[i].text, table[i].size);
        assert_string_equal(out, table[i].shown);
        if (strlen(table[i].text) == table[i].size)
            assert_int_equal(text_is_plain(table[i].text), strcmp(table[i].text, table[i].shown) == 0);
    }
    for (size_t capacity = 1; capacity < 20; capacity++) { /* only whole characters, whatever the room */
        memset(out, 'x', sizeof out);
        text_clean(out, capacity, "教室教室", 12);
        assert_int_equal(strlen(out), (capacity - 1) / 3 < 4 ? (capacity - 1) / 3 * 3 : 12);
        assert_int_equal(out[capacity], 'x');
    }
}

static void test_cut(void **state)
{
    assert_int_equal(text_cut("教室", 6, 6), 6);
    assert_int_equal(text_cut("教室", 6, 5), 3);
    assert_int_equal(text_cut("教室", 6, 3), 3);
    assert_int_equal(text_cut("教室", 6, 2), 0);
    assert_int_equal(text_cut("abc", 3, 2), 2);
    assert_int_equal(text_cut("\xF0\x9F\x94\x94z", 5, 3), 0);
    assert_int_equal(text_char_size("", 0), 0);
    assert_int_equal(text_cut("\x80\x80\x80", 3, 2), 2);
    assert_int_equal(text_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_any_bytes_are_json),
        cmocka_unit_test(test_every_buffer_size),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
