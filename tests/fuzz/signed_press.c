/* signed_press.c - may a signed press be believed (proto/mqtt.md)?
 *
 * The reference button makes a press from what the input's end says; the daemon must understand all of it and
 * believe it. Then the fuzzer's bytes are spliced into the payload: what is still believed must say the same.
 * The beginning of the input is also a payload of its own: it is believed exactly when its signature is the
 * one an independent HMAC over its members gives. */
#include "button_parts.h"
#include "codec/press_json.h"
#include "fuzz.h"
#include <sodium.h>

static const unsigned char key[32] =
    "0123456789abcdef0123456789abcde"; /* that of proto/examples/press/signed.json */
#define SITE "school-1"
#define DEVICE "room-204"

static int64_t wall_ms;

static int64_t wall(void *ctx)
{
    return wall_ms;
}

static bool hmac(void *ctx, const void *bytes, size_t size, unsigned char out[32])
{
    crypto_auth_hmacsha256(out, bytes, size, key);
    return true;
}

/* The text that is signed, put together from what was decoded. */
static bool signature_is_right(const struct press_fields *f)
{
    static const char *const modes[MODE_COUNT] = {"real", "drill", "test"};
    char text[512];
    unsigned char mac[32];
    int size = snprintf(text, sizeof text, "tocsin-press-v1\n" SITE "\n" DEVICE "\n%s\n%llu\n%s\n%s\n%s\n",
                        f->epoch, (unsigned long long)f->n, f->kind_text, modes[f->mode], f->at_text);
    crypto_auth_hmacsha256(mac, (const unsigned char *)text, (size_t)size, key);
    return memcmp(mac, f->signature, sizeof mac) == 0;
}

static bool same(const struct press_fields *a, const struct press_fields *b)
{
    return strcmp(a->epoch, b->epoch) == 0 && a->n == b->n && strcmp(a->kind_text, b->kind_text) == 0 &&
           a->mode == b->mode && strcmp(a->at_text, b->at_text) == 0;
}

static void check_own(const struct button_waiting *w, const struct press_fields *f, int battery)
{
    static const enum mode modes[BUTTON_MODE_COUNT] = {MODE_REAL, MODE_DRILL, MODE_TEST};
    enum kind kind = KIND_GENERIC;
    bool known = !w->kind[0] || kind_of(w->kind, &kind);
    must(f->oddities == (known ? 0 : ODD_UNKNOWN_KIND), "the button's own press is odd (%x): %s", f->oddities,
         w->payload);
    must(strcmp(f->epoch, w->epoch) == 0 && f->n == w->n, "another identity: %s", w->payload);
    must(strcmp(f->kind_text, w->kind) == 0 && f->kind == kind && f->mode == modes[w->mode],
         "another kind: %s", w->payload);
    must(f->battery == battery && (wall_ms <= 0 || f->claimed_ms == wall_ms), "another battery or time: %s",
         w->payload);
    must(press_signature_ok(key, SITE, DEVICE, f), "it is not believed: %s", w->payload);
    must(!press_signature_ok(key, SITE, "room-205", f), "another device is believed: %s", w->payload);
}

/* Replaces `cut` bytes at `at` by `size` others. */
static void check_edited(const struct button_waiting *w, const struct press_fields *honest,
                         const uint8_t *bytes, size_t size, size_t at, size_t cut)
{
    char edited[BUTTON_PAYLOAD + 64];
    struct press_fields f;
    at %= w->size + 1u;
    cut %= w->size - at + 1;
    size = size < 64 ? size : 64;
    memcpy(edited, w->payload, at);
    memcpy(edited + at, bytes, size);
    memcpy(edited + at + size, w->payload + at + cut, w->size - at - cut);
    press_decode(edited, w->size - cut + size, &f);
    must(!press_signature_ok(key, SITE, DEVICE, &f) || same(&f, honest), "a changed press is believed: %.*s",
         (int)(w->size - cut + size), edited);
}

static void fill(struct button_waiting *w, const uint8_t *data, size_t *size)
{
    static const char *const kinds[] = {"",        "panic", "cancel", "intrusion",
                                        "medical", "fire",  "attack", "earthquake"};
    static const char letters[] = "ABCxyz019_-b";
    w->mode = (enum button_mode)(fuzz_take(data, size) % BUTTON_MODE_COUNT);
    strcpy(w->kind, kinds[fuzz_take(data, size) % 8]);
    w->n = fuzz_take_number(data, size, 7) & ((1ull << 53) - 1);
    w->epoch[0] = 'e';
    for (unsigned i = 1, end = fuzz_take(data, size) % (BUTTON_EPOCH - 1); i <= end; i++)
        w->epoch[i] = letters[fuzz_take(data, size) % 12];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct press_fields f;
    press_decode(data, size, &f);
    must(press_signature_ok(key, SITE, DEVICE, &f) ==
             (f.has_signature && f.has_identity && signature_is_right(&f)),
         "believed without a right signature, or not believed with one");

    struct button b = {.options = {.wall_ms = wall, .hmac = hmac}, .site = SITE, .device = DEVICE};
    struct button_waiting w = {.size = 0};
    size_t at = fuzz_take(data, &size), cut = fuzz_take(data, &size);
    fill(&w, data, &size);
    wall_ms = (int64_t)(fuzz_take_number(data, &size, 6) % 253402300800000ull);
    b.battery = (int)(fuzz_take(data, &size) % 102) - 1;
    button_text_press(&b, &w);
    must(w.size < sizeof w.payload, "a press does not fit its room");
    press_decode(w.payload, w.size, &f);
    check_own(&w, &f, b.battery);
    check_edited(&w, &f, data, size, at, cut);
    return 0;
}
