/* press_json: any bytes give a usable press, what was odd is named, and a signature covers all that is
 * trusted. */
#include "codec/json_plain.h"
#include "codec/press_json.h"
#include "codec/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NO_ID ODD_NO_IDENTITY
#define BAD ODD_BAD_FIELD
#define JSON(text) text, sizeof(text) - 1
#define X23 "abcdefghijklmnopqrstuvw"
#define X47 "abcdefghijklmnopqrstuvwabcdefghijklmnopqrstuvwx"

static void test_full(void **state)
{
    static const char payload[] =
        "{\"epoch\":\"b3f1\",\"n\":17,\"kind\":\"attack\",\"at\":\"2026-11-23T16:00:00.5+08:00\",\"battery\":"
        "87,"
        "\"test\":false,\"drill\":true,\"sig\":\"3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}";
    struct press_fields f;
    memset(&f, 0xA5, sizeof f);
    press_decode(payload, sizeof payload - 1, &f);
    assert_int_equal(f.oddities, 0);
    assert_true(f.has_identity);
    assert_string_equal(f.epoch, "b3f1");
    assert_int_equal(f.n, 17);
    assert_true(f.has_kind);
    assert_int_equal(f.kind, KIND_ATTACK);
    assert_string_equal(f.kind_text, "attack");
    assert_int_equal(f.mode, MODE_DRILL);
    assert_int_equal(f.claimed_ms, 1795420800500);
    assert_string_equal(f.at_text, "2026-11-23T16:00:00.5+08:00");
    assert_int_equal(f.battery, 87);
    assert_true(f.has_signature);
    assert_memory_equal(f.signature, "\xde\xad\xbe\xef\0\0", 6);
    assert_string_equal(f.raw, "");
}

/* identity: 'i' = given; kind: -1 = not given. */
static const struct odd_case {
    const char *payload;
    size_t size;
    uint32_t oddities;
    bool identity;
    int kind;
    enum mode mode;
    int battery;
} table[] = {
    /* no object */
    {"", 0, ODD_EMPTY | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON(" "), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {"\0", 1, ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("\xFF\xFE\xFD"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("PRESS"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("17"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("\"panic\""), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("null"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("[]"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("[{\"epoch\":\"e\",\"n\":1}]"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":1"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"n\":1,}"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{'n':1}"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"n\":NaN}"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"n\":1e400}"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"n\":-1e400}"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"n\":01}"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"n\":+1}"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"n\":0x10}"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"\\u0000\":1}"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"kind\":\"\\ud800\"}"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}"), ODD_NOT_JSON | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"x\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"), ODD_EXTRA_FIELD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"x\":\"[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[\"}"), ODD_EXTRA_FIELD | NO_ID, 0, -1, MODE_REAL, -1},

    /* what is damaged beside good fields does not spoil them */
    {"{\"epoch\":\"e\",\"n\":1,\"test\":true}\0", 32, ODD_NOT_JSON, 1, -1, MODE_TEST, -1},
    {JSON("{\"epoch\":\"e\",\"n\":1,\"test\":true}garbage"), ODD_NOT_JSON, 1, -1, MODE_TEST, -1},
    {JSON("{\"epoch\":\"e\",\"n\":1,\"test\":true}\r\n"), 0, 1, -1, MODE_TEST, -1},
    {JSON("{\"epoch\":\"e\",\"n\":1,\"kind\":\"fire\",\"name\":\"\xBD\xCC\xCA\xD2\"}"),
     ODD_NOT_JSON | ODD_EXTRA_FIELD, 1, KIND_FIRE, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":1,\"kind\":\"fire\",\"x\":\"\xFF\",\"n\":2}"),
     ODD_NOT_JSON | ODD_EXTRA_FIELD | ODD_DUPLICATE_KEY, 1, KIND_FIRE, MODE_REAL, -1},

    /* identity */
    {JSON("{}"), NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"n\":17}"), NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"b3f1\"}"), NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":0}"), 0, 1, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":-0}"), 0, 1, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":17.0}"), 0, 1, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":1.7e1}"), 0, 1, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":9007199254740991}"), 0, 1, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":9007199254740992}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":9007199254740993}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":9223372036854775808}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":18446744073709551616}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":1e300}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":-1}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":1.5}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":\"17\"}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":true}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":null}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":[17]}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":7,\"n\":17}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"\",\"n\":17}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"-\",\"n\":17}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"a b\",\"n\":17}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"a/b\",\"n\":17}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"a\\u0000\",\"n\":17}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"警\",\"n\":17}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"" X23 "\",\"n\":17}"), 0, 1, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"" X23 "x\",\"n\":17}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},

    /* kind: what is not understood alarms like a panic */
    {JSON("{\"kind\":\"panic\"}"), NO_ID, 0, KIND_PANIC, MODE_REAL, -1},
    {JSON("{\"kind\":\"cancel\"}"), NO_ID, 0, KIND_CANCEL, MODE_REAL, -1},
    {JSON("{\"kind\":\"PANIC\"}"), ODD_UNKNOWN_KIND | NO_ID, 0, KIND_GENERIC, MODE_REAL, -1},
    {JSON("{\"kind\":\"\"}"), ODD_UNKNOWN_KIND | NO_ID, 0, KIND_GENERIC, MODE_REAL, -1},
    {JSON("{\"kind\":\"" X47 "\"}"), ODD_UNKNOWN_KIND | NO_ID, 0, KIND_GENERIC, MODE_REAL, -1},
    {JSON("{\"kind\":\"" X47 "x\"}"), BAD | NO_ID, 0, KIND_GENERIC, MODE_REAL, -1},
    {JSON("{\"kind\":5}"), BAD | NO_ID, 0, KIND_GENERIC, MODE_REAL, -1},
    {JSON("{\"kind\":null}"), BAD | NO_ID, 0, KIND_GENERIC, MODE_REAL, -1},
    {JSON("{\"kind\":[\"cancel\"]}"), BAD | NO_ID, 0, KIND_GENERIC, MODE_REAL, -1},
    {JSON("{\"kind\":\"cancel\\u0000\"}"), BAD | NO_ID, 0, KIND_GENERIC, MODE_REAL, -1},
    {JSON("{\"kind\":\"panic\\nreal\"}"), BAD | NO_ID, 0, KIND_GENERIC, MODE_REAL, -1},

    /* mode: only a clear word makes it less than real */
    {JSON("{\"test\":true}"), NO_ID, 0, -1, MODE_TEST, -1},
    {JSON("{\"drill\":true}"), NO_ID, 0, -1, MODE_DRILL, -1},
    {JSON("{\"drill\":true,\"test\":true}"), NO_ID, 0, -1, MODE_TEST, -1},
    {JSON("{\"test\":true,\"drill\":true}"), NO_ID, 0, -1, MODE_TEST, -1},
    {JSON("{\"test\":false,\"drill\":false}"), NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"test\":1}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"test\":\"true\"}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"drill\":null}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"drill\":{}}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},

    /* the rest */
    {JSON("{\"battery\":0}"), NO_ID, 0, -1, MODE_REAL, 0},
    {JSON("{\"battery\":100}"), NO_ID, 0, -1, MODE_REAL, 100},
    {JSON("{\"battery\":87.9}"), NO_ID, 0, -1, MODE_REAL, 87},
    {JSON("{\"battery\":101}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"battery\":-1}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"battery\":\"87\"}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"battery\":1e300}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"at\":\"2026-11-23T08:00:00Z\"}"), NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"at\":\"today\"}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"at\":1795420800}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"sig\":\"\"}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"sig\":7}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"sig\":\"3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\"}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"sig\":\"3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"), BAD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"hello\":1}"), ODD_EXTRA_FIELD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"\":{}}"), ODD_EXTRA_FIELD | NO_ID, 0, -1, MODE_REAL, -1},
    {JSON("{\"epoch\":\"e\",\"n\":1,\"n\":2}"), ODD_DUPLICATE_KEY, 1, -1, MODE_REAL, -1},
    {JSON("{\"x\":1,\"x\":2,\"test\":true}"), ODD_DUPLICATE_KEY | ODD_EXTRA_FIELD | NO_ID, 0, -1, MODE_TEST,
     -1},
};

/* What is read without a parser is read the same with one. */
static void assert_same_with_a_parser(const char *payload, size_t size, const struct press_fields *f)
{
    struct press_fields any;
    press_decode_any(payload, size, &any);
    if (memcmp(&any, f, sizeof any) != 0)
        fail_msg("a parser reads %.*s in another way", (int)size, payload);
}

static void check(const struct odd_case *c)
{
    struct press_fields f;
    char *exact =
        malloc(c->size ? c->size : 1); /* no byte behind it, so that the sanitizer sees one too far */
    assert_non_null(exact);
    memcpy(exact, c->payload, c->size);
    press_decode(exact, c->size, &f);
    assert_same_with_a_parser(exact, c->size, &f);
    free(exact);
    if (f.oddities != c->oddities || f.has_identity != c->identity || f.mode != c->mode ||
        f.battery != c->battery || f.has_kind != (c->kind >= 0) || (f.has_kind && (int)f.kind != c->kind) ||
        f.has_signature)
        fail_msg("%s: odd %#x (expected %#x), identity %d, kind %d/%d, mode %d, battery %d", c->payload,
                 f.oddities, c->oddities, f.has_identity, f.has_kind, f.kind, f.mode, f.battery);
    if (!f.has_identity) {
        assert_string_equal(f.epoch, "");
        assert_int_equal(f.n, 0);
    }
    if (f.oddities == 0)
        assert_string_equal(f.raw, "");
}

static void test_odd(void **state)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        check(&table[i]);
}

static bool count_member(void *ctx, const char *name, size_t name_size, const struct json_value *value)
{
    ++*(unsigned *)ctx;
    return name_size != 4 || memcmp(name, "deny", 4) != 0;
}

static void test_what_is_plain(void **state)
{
    static const struct {
        const char *text;
        unsigned members;
    } plain[] = {{"{}", 0},
                 {"{\"battery\":87}", 1},
                 {" { \"n\" : 0 ,\t\"test\"\r:\nfalse } ", 2},
                 {"{\"a\":\"\",\"b\":999999999999999,\"c\":true,\"c\":\"x\"}", 4}};
    static const char *const other[] = {"", " ", "{", "}", "{}x", "{,}", "[]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
                                        "{\"a\":1 \"b\":2}", "{\"a\":01}", "{\"a\":-1}", "{\"a\":1.5}", "{\"a\":1e3}",
                                        "{\"a\":1000000000000000}", "{\"a\":truefalse}", "{\"a\":tru", "{\"a\":null}",
                                        "{\"a\":\"\\n\"}", "{\"a\":\"\xc3\xa4\"}", "{\"a\":\"\x7f\"}", "{\"a\":\"\t\"}",
                                        "{\"a\":{}}", "{\"a\":[]}", "{\"a\":\"b}", "{\"a\":1", "{\"deny\":1}"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        unsigned count = 0;
        if (!json_plain_object(plain[i].text, strlen(plain[i].text), count_member, &count))
            fail_msg("%s is not taken", plain[i].text);
        assert_int_equal(count, plain[i].members);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        unsigned count = 0;
        if (json_plain_object(other[i], strlen(other[i]), count_member, &count))
            fail_msg("%s is taken", other[i]);
    }
}

static void test_sizes(void **state)
{
    static char big[1 << 20];
    struct press_fields f;
    memset(big, ' ', sizeof big);
    memcpy(big, "{\"epoch\":\"e\",\"n\":1,\"test\":true}", 31);
    press_decode(big, LIMIT_PAYLOAD, &f);
    assert_int_equal(f.oddities, 0);
    assert_int_equal(f.mode, MODE_TEST);
    press_decode(big, LIMIT_PAYLOAD + 1, &f); /* not read: real, the safe side */
    assert_int_equal(f.oddities, ODD_TOO_LONG | ODD_NO_IDENTITY);
    assert_int_equal(f.mode, MODE_REAL);
    press_decode(big, sizeof big, &f);
    assert_int_equal(f.oddities, ODD_TOO_LONG | ODD_NO_IDENTITY);
    assert_memory_equal(f.raw, "{\"epoch\":\"e\",\"n\":1,\"test\":true} ", 32);
    memset(big, '[', sizeof big);
    press_decode(big, LIMIT_PAYLOAD, &f);
    assert_int_equal(f.oddities, ODD_NOT_JSON | ODD_NO_IDENTITY);
}

static void test_raw_is_printable(void **state)
{
    static const char payload[] = "\x1b[2Jevil\r\n\x00\xE2\x80\xAEtxt\xC2\x9B\xFF教室";
    struct press_fields f;
    press_decode(payload, sizeof payload - 1, &f);
    assert_string_equal(f.raw, "[2Jeviltxt\xEF\xBF\xBD教室");

    unsigned seed = 7;
    for (unsigned round = 0; round < 20000; round++) {
        char bytes[600];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)(rand_r(&seed) >> 5);
        press_decode(bytes, sizeof bytes, &f);
        size_t size = strlen(f.raw);
        assert_in_range(size, 1, LIMIT_RAW - 1);
        for (size_t at = 0; at < size; at++) {
            size_t n = text_char_size(f.raw + at, size - at);
            assert_true(n > 0 && (n > 1 || ((unsigned char)f.raw[at] >= 0x20 && f.raw[at] != 0x7F)));
            at += n - 1;
        }
    }
}

/* Good payloads with a few bytes changed: no crash, and always a press within its bounds. */
static void test_damaged(void **state)
{
    unsigned seed = 20261123;
    for (unsigned round = 0; round < 100000; round++) {
        const struct odd_case *c = &table[(size_t)rand_r(&seed) % (sizeof table / sizeof table[0])];
        char bytes[256];
        struct press_fields f;
        memcpy(bytes, c->payload, c->size);
        for (unsigned i = 0; c->size && i < 1 + round % 4; i++)
            bytes[(size_t)rand_r(&seed) % c->size] = (char)(rand_r(&seed) >> 5);
        press_decode(bytes, c->size, &f);
        assert_same_with_a_parser(bytes, c->size, &f);
        assert_true(f.n <= 9007199254740991);
        assert_in_range(f.battery + 1, 0, 101);
        assert_true(f.kind < KIND_COUNT && f.mode < MODE_COUNT && f.oddities < 1u << ODD_COUNT);
        assert_int_equal(f.has_identity, !(f.oddities & ODD_NO_IDENTITY));
        assert_true(f.epoch[LIMIT_EPOCH - 1] == 0 && f.kind_text[LIMIT_ID - 1] == 0 &&
                    f.raw[LIMIT_RAW - 1] == 0);
    }
}

static void test_identity_of_payload(void **state)
{
    struct press_fields a, b;
    press_decode("help", 4, &a);
    press_identity_of_payload("help", 4, 1795420800000, &a);
    assert_false(a.has_identity);
    assert_string_equal(a.epoch, "-");
    /* printf '\x00\x00\x01\xa2\x07\x6b\x44\x00help' | sha256sum, the first 53 bits */
    assert_int_equal(a.n, 6090723147921590);

    press_identity_of_payload("help", 4, 1795420800000, &b);
    assert_int_equal(a.n, b.n);
    press_identity_of_payload("help", 4, 1795420802000, &b);
    assert_int_not_equal(a.n, b.n);
    press_identity_of_payload("help!", 5, 1795420800000, &b);
    assert_int_not_equal(a.n, b.n);
    press_identity_of_payload("", 0, 0, &b);
    assert_true(b.n <= 9007199254740991);
}

static const unsigned char key[32] = "0123456789abcdef0123456789abcde";

/* printf 'tocsin-press-v1\nschool-1\nroom-204\nb3f1\n17\npanic\nreal\n2026-11-23T08:00:00.000Z\n' |
 * openssl dgst -sha256 -mac HMAC -macopt
 * hexkey:3031323334353637383961626364656630313233343536373839616263646500 -binary | base64 */
static const char signed_press[] =
    "{\"epoch\":\"b3f1\",\"n\":17,\"kind\":\"panic\",\"at\":\"2026-11-23T08:00:00.000Z\",\"battery\":87,"
    "\"sig\":\"M5nOptAphyA9SR8efjzuQIP2c627PiF3WIsYlnOsZRQ=\"}";

static void test_known_signature(void **state)
{
    struct press_fields f;
    press_decode(signed_press, sizeof signed_press - 1, &f);
    assert_true(f.has_signature);
    assert_true(press_signature_ok(key, "school-1", "room-204", &f));
}

static void test_signature_covers_everything(void **state)
{
    struct press_fields good, f;
    press_decode(signed_press, sizeof signed_press - 1, &good);
    assert_false(press_signature_ok(key, "school-2", "room-204", &good));
    assert_false(press_signature_ok(key, "school-1", "room-205", &good));
    unsigned char other[32];
    for (unsigned bit = 0; bit < 256; bit++) {
        memcpy(other, key, 32);
        other[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_false(press_signature_ok(other, "school-1", "room-204", &good));
        f = good;
        f.signature[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_false(press_signature_ok(key, "school-1", "room-204", &f));
    }
    f = good, f.n++;
    assert_false(press_signature_ok(key, "school-1", "room-204", &f));
    f = good, f.epoch[0]++;
    assert_false(press_signature_ok(key, "school-1", "room-204", &f));
    f = good, f.mode = MODE_TEST;
    assert_false(press_signature_ok(key, "school-1", "room-204", &f));
    f = good, f.kind_text[0] = '\0';
    assert_false(press_signature_ok(key, "school-1", "room-204", &f));
    f = good, f.at_text[0] = '\0';
    assert_false(press_signature_ok(key, "school-1", "room-204", &f));
    f = good, f.has_signature = false;
    assert_false(press_signature_ok(key, "school-1", "room-204", &f));
    f = good, f.has_identity = false;
    assert_false(press_signature_ok(key, "school-1", "room-204", &f));
    f = good, f.battery = 3; /* the battery is not trusted, and not signed */
    assert_true(press_signature_ok(key, "school-1", "room-204", &f));
}

static void test_absent_fields_are_empty_lines(void **state)
{
    unsigned char a[32], b[32];
    press_sign(key, "s", "d", "e", 1, NULL, MODE_REAL, NULL, a);
    press_sign(key, "s", "d", "e", 1, "", MODE_REAL, "", b);
    assert_memory_equal(a, b, 32);
    char payload[160], sig[64];
    sodium_bin2base64(sig, sizeof sig, a, 32, sodium_base64_VARIANT_ORIGINAL);
    int size = snprintf(payload, sizeof payload, "{\"epoch\":\"e\",\"n\":1,\"sig\":\"%s\"}", sig);
    struct press_fields f;
    press_decode(payload, (size_t)size, &f);
    assert_int_equal(f.oddities, 0);
    assert_true(press_signature_ok(key, "s", "d", &f));
}

static void test_heartbeat(void **state)
{
    assert_int_equal(heartbeat_battery("", 0), -1);
    assert_int_equal(heartbeat_battery(JSON("{\"battery\":87}")), 87);
    assert_int_equal(heartbeat_battery(JSON("{\"battery\":0,\"rssi\":-70}")), 0);
    assert_int_equal(heartbeat_battery(JSON("{\"battery\":\"87\"}")), -1);
    assert_int_equal(heartbeat_battery(JSON("{\"battery\":7}")), 7);
    assert_int_equal(heartbeat_battery(JSON("{\"battery\":07}")), -1);
    assert_int_equal(heartbeat_battery(JSON("{\"battery\":}")), -1);
    assert_int_equal(heartbeat_battery(JSON("{\"battery\":8x}")), -1);
    assert_int_equal(heartbeat_battery(JSON("{\"battery\":100}")), 100);
    assert_int_equal(heartbeat_battery(JSON("{\"battery\":870}")), -1);
    assert_int_equal(heartbeat_battery(JSON("alive")), -1);
    static char big[LIMIT_PAYLOAD * 4];
    assert_int_equal(heartbeat_battery(big, sizeof big), -1);
}

static void test_print_speed(void **state)
{
    enum { ROUNDS = 20000 };
    struct press_fields f;
    clock_t start = clock();
    for (unsigned i = 0; i < ROUNDS; i++) {
        press_decode(signed_press, sizeof signed_press - 1, &f);
        assert_true(press_signature_ok(key, "school-1", "room-204", &f));
    }
    clock_t middle = clock();
    for (unsigned i = 0; i < ROUNDS; i++)
        assert_int_equal(heartbeat_battery(JSON("{\"battery\":87}")), 87);
    print_message("a signed press: decoded and checked in %.2f us; a heartbeat in %.2f us\n",
                  (double)(middle - start) / ROUNDS, (double)(clock() - middle) / ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_odd),
        cmocka_unit_test(test_what_is_plain),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_raw_is_printable),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_identity_of_payload),
        cmocka_unit_test(test_known_signature),
        cmocka_unit_test(test_signature_covers_everything),
        cmocka_unit_test(test_absent_fields_are_empty_lines),
        cmocka_unit_test(test_heartbeat),
        cmocka_unit_test(test_print_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
