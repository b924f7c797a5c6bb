#include "cli/press.h"
#include "cli/member.h"
#include "codec/json_in.h"
#include "codec/press_json.h"
#include "codec/time_text.h"
#include <sodium.h>
#include <string.h>

char *press_payload(const struct press_words *p)
{
    char at[TIME_TEXT], signature_text[64];
    unsigned char signature[32];
    time_text(at, p->at_ms);
    json_t *press = json_pack("{s:s, s:I, s:s}", "epoch", p->epoch, "n", (json_int_t)p->n, "at", at);
    if (p->kind)
        json_object_set_new(press, "kind", json_string(p->kind));
    if (p->mode != MODE_REAL)
        json_object_set_new(press, p->mode == MODE_TEST ? "test" : "drill", json_true());
    if (p->key) {
        press_sign(p->key, p->site, p->device, p->epoch, p->n, p->kind, p->mode, at, signature);
        sodium_bin2base64(signature_text, sizeof signature_text, signature, sizeof signature,
                          sodium_base64_VARIANT_ORIGINAL);
        json_object_set_new(press, "sig", json_string(signature_text));
    }
    char *text = json_dumps(press, JSON_COMPACT);
    json_decref(press);
    return text;
}

bool receipt_read(const void *payload, size_t size, const char *epoch, uint64_t n, const char *alarm,
                  struct receipt *out)
{
    json_error_t why;
    json_t *receipt = size <= LIMIT_PAYLOAD ? json_in_object(payload, size, 0, &why) : NULL;
    const char *its_alarm = member_text(receipt, "alarm"), *stage = member_text(receipt, "stage");
    bool ours =
        strcmp(member_text(receipt, "epoch"), epoch) == 0 && (uint64_t)member_number(receipt, "n") == n;
    bool good = receipt && (ours || (*alarm && strcmp(its_alarm, alarm) == 0)) &&
                strlen(stage) < sizeof out->stage && strlen(its_alarm) < sizeof out->alarm;
    if (good) {
        strcpy(out->stage, stage);
        strcpy(out->alarm, its_alarm);
    }
    json_decref(receipt);
    return good;
}

int stage_rank(const char *stage)
{
    static const char *const stages[] = {"recorded", "delivered", "acknowledged",
                                         "coming",   "on_scene",  "closed"};
    for (int i = 0; i < (int)(sizeof stages / sizeof *stages); i++)
        if (strcmp(stages[i], stage) == 0)
            return i;
    return -1;
}
