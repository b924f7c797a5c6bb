/* receipt.c - what reaches a button (clients/button): its receipts, and what its storage gives back after a
 * power loss.
 *
 * Checked: no bytes take a waiting press away but a receipt that names it; a receipt that any JSON reader
 * understands, and that is written without escapes as the daemon does, is understood by the button, too, and
 * the daemon's own always is; a record of ours that was read and is written again is the same; a changed
 * record is not taken, and a button whose storage lies still never uses an identity twice. */
#include "button_parts.h"
#include "codec/alarm_json.h"
#include "fuzz.h"
#include <jansson.h>

struct rig {
    struct button button;
    struct button_receipt heard;
    unsigned heard_count;
    const uint8_t *stored;
    size_t stored_size;
};

static bool publish(void *ctx, const char *topic, const void *payload, size_t size, int qos)
{
    return true;
}

static void on_receipt(void *ctx, const struct button_receipt *r, bool ours)
{
    struct rig *rig = ctx;
    rig->heard = *r;
    rig->heard_count++;
}

static bool load(void *ctx, void *bytes, size_t max, size_t *size)
{
    struct rig *rig = ctx;
    *size = rig->stored_size < max ? rig->stored_size : max;
    if (*size)
        memcpy(bytes, rig->stored, *size);
    return *size > 0;
}

static bool save(void *ctx, const void *bytes, size_t size)
{
    must(size <= BUTTON_RECORD, "a record of %zu bytes", size);
    return true;
}

static uint32_t random32(void *ctx)
{
    return 4; /* the epoch is then the same each time */
}

static void begin(struct rig *rig, const uint8_t *stored, size_t size)
{
    *rig = (struct rig){.stored = stored, .stored_size = size};
    const struct button_options options = {.site = "school-1",
                                           .device = "room-204",
                                           .publish = publish,
                                           .load = load,
                                           .save = save,
                                           .random = random32,
                                           .on_receipt = on_receipt,
                                           .ctx = rig};
    button_init(&rig->button, &options, 0);
}

static bool plain_text(const json_t *value, size_t capacity)
{
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) && strlen(text) < capacity;
}

/* A receipt for jansson, in the daemon's spelling: then it must be one for the button. */
static void check_against_another_reader(const char *payload, size_t size)
{
    json_t *object = json_loadb(payload, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *epoch = json_object_get(object, "epoch"), *n = json_object_get(object, "n");
    const json_t *stage = json_object_get(object, "stage"), *alarm = json_object_get(object, "alarm");
    struct button_receipt r;
    bool taken = button_text_receipt(payload, size, &r);
    bool good = plain_text(epoch, BUTTON_EPOCH) && json_string_length(epoch) > 0 && json_is_integer(n) &&
                json_integer_value(n) >= 0 && json_integer_value(n) <= 1ll << 53 && plain_text(stage, 16) &&
                (!alarm || plain_text(alarm, BUTTON_ALARM));
    bool known = false;
    for (int s = BUTTON_STAGE_RECORDED; good && s < BUTTON_STAGE_COUNT; s++)
        known |= strcmp(json_string_value(stage), button_stage_str((enum button_stage)s)) == 0;
    bool flat = true; /* the button passes over some nesting only */
    json_t *member;
    const char *name;
    json_object_foreach(object, name, member) flat &= !json_is_object(member) && !json_is_array(member);
    /* jansson passes over a NUL behind a number, and takes -0 for a whole number */
    bool plain =
        !memchr(payload, '\\', size) && !memchr(payload, '\0', size) && !memmem(payload, size, "-0", 2);
    if (good && known && flat && plain) {
        must(taken, "a receipt is not understood: %.*s", (int)size, payload);
        must(strcmp(r.epoch, json_string_value(epoch)) == 0 && r.n == (uint64_t)json_integer_value(n) &&
                 strcmp(button_stage_str(r.stage), json_string_value(stage)) == 0 &&
                 strcmp(r.alarm, alarm ? json_string_value(alarm) : "") == 0,
             "understood differently: %.*s", (int)size, payload);
    }
    json_decref(object);
}

static void check_daemons_own(const struct button_receipt *r)
{
    char body[512];
    struct button_receipt again;
    size_t size = receipt_body(body, sizeof body, r->epoch, r->n, button_stage_str(r->stage), r->alarm, 1);
    bool plain =
        fuzz_is_id(r->epoch, sizeof r->epoch) && (!r->alarm[0] || fuzz_is_id(r->alarm, sizeof r->alarm));
    if (!plain)
        return;
    must(button_text_receipt(body, size, &again), "the daemon's receipt is not understood: %s", body);
    must(strcmp(r->epoch, again.epoch) == 0 && r->n == again.n && r->stage == again.stage &&
             strcmp(r->alarm, again.alarm) == 0,
         "understood differently: %s", body);
}

static void check_receipt(const char *payload, size_t size)
{
    struct rig rig;
    struct button_receipt r;
    begin(&rig, NULL, 0);
    /* the press that the examples of proto/ are about */
    strcpy(rig.button.epoch, "b3f1");
    rig.button.n = 16;
    rig.button.reserved = 100;
    uint64_t n = button_press(&rig.button, "panic", BUTTON_REAL, 1);
    button_press(&rig.button, "fire", BUTTON_TEST, 1);
    must(n == 17 && button_waiting(&rig.button) == 2, "the presses");
    bool taken = button_text_receipt(payload, size, &r);
    button_receive(&rig.button, payload, size, 2);
    must(rig.heard_count == taken, "heard of %u receipts", rig.heard_count);
    bool names = taken && strcmp(r.epoch, "b3f1") == 0 && (r.n == 17 || r.n == 18);
    must(button_waiting(&rig.button) == 2u - names, "%u presses wait after: %.*s",
         button_waiting(&rig.button), (int)size, payload);
    button_tick(&rig.button, 200000);
    must(names || button_state(&rig.button) == BUTTON_FAULT, "a press that nobody received is no fault");
    check_against_another_reader(payload, size);
    if (taken)
        check_daemons_own(&r);
}

static uint32_t crc32(const uint8_t *bytes, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/* The bytes as a record, as they are and with the sum set right. */
static void check_record(const uint8_t *bytes, size_t size)
{
    static struct rig rig;
    uint8_t sealed[BUTTON_RECORD];
    begin(&rig, bytes, size);
    if (size < 4 || size > sizeof sealed)
        return;
    memcpy(sealed, bytes, size - 4);
    uint32_t sum = crc32(bytes, size - 4);
    for (unsigned i = 0; i < 4; i++)
        sealed[size - 4 + i] = (uint8_t)(sum >> 8 * i);
    static struct button b;
    memset(&b, 0, sizeof b);
    if (!button_record_read(&b, sealed, size))
        return;
    must(b.epoch[0] && strnlen(b.epoch, sizeof b.epoch) < sizeof b.epoch && b.waiting_count <= BUTTON_OUTBOX,
         "a record");
    size_t again = button_record_write(&b);
    must(again <= size, "%zu bytes become %zu", size, again);
    begin(&rig, sealed, size);
    must(button_waiting(&rig.button) == b.waiting_count, "a press was lost with the power");
    must(rig.button.n >= b.reserved, "an identity could be used twice");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_receipt((const char *)data, size);
    check_record(data, size);
    return 0;
}
