/* press.c - a press and a heartbeat (proto/mqtt.md): any bytes are a press.
 *
 * Checked: whatever comes, the fields are in range and fit to be shown; a press in which nothing was odd is
 * JSON for any other reader, too; what was understood and is said again is understood the same; the identity
 * made of a payload can be kept by every JSON reader; a heartbeat says of the battery what a press would; and
 * what is read without a parser is read the same with one. */
#include "codec/json_out.h"
#include "codec/press_json.h"
#include "codec/time_text.h"
#include "fuzz.h"
#include <jansson.h>

static void check_fields(const struct press_fields *f)
{
    must(f->kind < KIND_COUNT && f->mode < MODE_COUNT, "kind %u, mode %u", f->kind, f->mode);
    must(f->battery >= -1 && f->battery <= 100, "battery %d", f->battery);
    must(f->n <= 1ull << 53, "n %llu", (unsigned long long)f->n);
    must(f->oddities < 1u << ODD_COUNT, "oddities %x", f->oddities);
    must(!f->has_identity || fuzz_is_id(f->epoch, sizeof f->epoch), "epoch \"%s\"", f->epoch);
    must(f->has_identity || (f->epoch[0] == '\0' && f->n == 0), "half an identity");
    fuzz_must_be_clean("raw", f->raw, sizeof f->raw);
    must(f->oddities || !f->raw[0], "raw is kept of a press that was not odd");
    must(strnlen(f->kind_text, sizeof f->kind_text) < sizeof f->kind_text, "kind_text has no end");
    must(strnlen(f->at_text, sizeof f->at_text) < sizeof f->at_text, "at_text has no end");
}

/* What we call in order is so for a strict reader that is not ours. */
static void check_strict(const char *payload, size_t size, const struct press_fields *f)
{
    json_t *object = json_loadb(payload, size, JSON_REJECT_DUPLICATES, NULL);
    must(json_is_object(object), "nothing is odd about what is no JSON object");
    must(json_string_length(json_object_get(object, "epoch")) == strlen(f->epoch), "another epoch");
    must((uint64_t)json_number_value(json_object_get(object, "n")) == f->n, "another n");
    const json_t *battery = json_object_get(object, "battery");
    must(f->battery == (battery ? (int)json_number_value(battery) : -1), "another battery");
    json_decref(object);
}

static size_t say_again(const struct press_fields *f, char *out, size_t capacity)
{
    struct json_out o;
    char at[TIME_TEXT];
    json_out_init(&o, out, capacity);
    json_open(&o, NULL, '{');
    if (f->has_identity) {
        json_text(&o, "epoch", f->epoch);
        json_unsigned(&o, "n", f->n);
    }
    if (f->has_kind)
        json_text(&o, "kind", f->kind_text);
    if (f->mode != MODE_REAL)
        json_bool(&o, f->mode == MODE_TEST ? "test" : "drill", true);
    if (f->battery >= 0)
        json_number(&o, "battery", f->battery);
    if (f->claimed_ms != 0) {
        time_text(at, f->claimed_ms);
        json_text(&o, "at", at);
    }
    if (f->has_signature)
        json_base64(&o, "sig", f->signature, sizeof f->signature);
    json_close(&o, '}');
    must(json_out_ok(&o), "a press does not fit %zu bytes", capacity);
    return o.size;
}

static void check_said_again(const struct press_fields *f)
{
    char first[LIMIT_PAYLOAD], second[LIMIT_PAYLOAD];
    struct press_fields again;
    size_t size = say_again(f, first, sizeof first);
    press_decode(first, size, &again);
    must(again.oddities == (f->has_identity ? 0 : ODD_NO_IDENTITY) ||
             again.oddities == ((f->has_identity ? 0 : ODD_NO_IDENTITY) | ODD_UNKNOWN_KIND),
         "said again it is odd (%x): %s", again.oddities, first);
    must(strcmp(again.epoch, f->epoch) == 0 && again.n == f->n && again.has_identity == f->has_identity,
         "another identity: %s", first);
    must(again.kind == f->kind && again.has_kind == f->has_kind && again.mode == f->mode, "another kind: %s",
         first);
    must(again.battery == f->battery && again.claimed_ms == f->claimed_ms, "another battery or time: %s",
         first);
    must(again.has_signature == f->has_signature &&
             memcmp(again.signature, f->signature, f->has_signature ? sizeof f->signature : 0) == 0,
         "another signature: %s", first);
    must(say_again(&again, second, sizeof second) == size && memcmp(first, second, size) == 0,
         "%s becomes %s", first, second);
}

static void check_identity(const void *payload, size_t size)
{
    struct press_fields one = {.n = 1}, other = {.n = 2}, same = {.n = 3};
    press_identity_of_payload(payload, size, 1000, &one);
    press_identity_of_payload(payload, size, 1000, &same);
    press_identity_of_payload(payload, size, 2000, &other);
    must(one.n < 1ull << 53 && strcmp(one.epoch, "-") == 0, "identity %s %llu", one.epoch,
         (unsigned long long)one.n);
    must(one.n == same.n && one.n != other.n, "the identity is not that of payload and window");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct press_fields f, any;
    memset(&f, 0xa5, sizeof f);
    memset(&any, 0x5a, sizeof any);
    press_decode(data, size, &f);
    press_decode_any(data, size, &any);
    must(memcmp(&f, &any, sizeof f) == 0, "a parser reads it in another way");
    check_fields(&f);
    if (f.oddities == 0)
        check_strict((const char *)data, size, &f);
    check_said_again(&f);
    check_identity(data, size);
    must(heartbeat_battery(data, size) == f.battery, "a heartbeat is read in another way");
    return 0;
}
