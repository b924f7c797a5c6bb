#include "codec/webhook.h"
#include "codec/json_in.h"
#include "codec/text.h"
#include <nettle/hmac.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SECRET_PREFIX "whsec_"

bool webhook_secret(const char *text, unsigned char key[64], size_t *key_size)
{
    size_t prefix = strlen(SECRET_PREFIX), size = 0;
    bool good = strncmp(text, SECRET_PREFIX, prefix) == 0 &&
                sodium_base642bin(key, 64, text + prefix, strlen(text + prefix), NULL, &size, NULL,
                                  sodium_base64_VARIANT_ORIGINAL) == 0 &&
                size >= 24;
    if (!good)
        sodium_memzero(key, 64);
    *key_size = good ? size : 0;
    return good;
}

void webhook_signature(char out[WEBHOOK_SIGNATURE], const unsigned char *key, size_t key_size, const char *id,
                       int64_t timestamp_s, const void *body, size_t body_size)
{
    char timestamp[24];
    int timestamp_size = snprintf(timestamp, sizeof timestamp, ".%lld.", (long long)timestamp_s);
    unsigned char mac[SHA256_DIGEST_SIZE];
    struct hmac_sha256_ctx state;
    hmac_sha256_set_key(&state, key_size, key);
    hmac_sha256_update(&state, strlen(id), (const unsigned char *)id);
    hmac_sha256_update(&state, (size_t)timestamp_size, (const unsigned char *)timestamp);
    hmac_sha256_update(&state, body_size, body);
    hmac_sha256_digest(&state, sizeof mac, mac);
    memcpy(out, "v1,", 3);
    sodium_bin2base64(out + 3, WEBHOOK_SIGNATURE - 3, mac, sizeof mac, sodium_base64_VARIANT_ORIGINAL);
}

/* A name from outside becomes an id: each character that an id cannot have, one '-'. */
static void make_id(char out[LIMIT_ID], const char *text, size_t size)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t used = 0;
    for (size_t at = 0; at < size && used < LIMIT_ID - 1;) {
        size_t n = text_char_size(text + at, size - at);
        out[used++] = n == 1 && strchr(allowed, text[at]) ? text[at] : '-';
        at += n ? n : 1;
    }
    out[used] = '\0';
}

static void decode_ack(const json_t *object, struct webhook_answer *out)
{
    size_t size;
    const char *by = json_in_text(json_object_get(json_object_get(object, "ack"), "by"), &size);
    const json_t *alarm = json_object_get(object, "alarm");
    bool of_another = alarm && !json_is_null(alarm) && !out->echo;
    if (!by || size == 0 || out->refused || of_another)
        return;
    out->acknowledged = true;
    make_id(out->acknowledged_by, by, size);
}

static void decode_refuse(const json_t *object, struct webhook_answer *out)
{
    size_t size;
    const json_t *refuse = json_object_get(object, "refuse");
    if (!refuse || json_is_null(refuse) || json_is_false(refuse))
        return;
    out->refused = true;
    const char *reason = json_in_text(json_object_get(refuse, "reason"), &size);
    if (reason)
        text_clean(out->reason, sizeof out->reason, reason, size);
    if (out->reason[0] == '\0')
        snprintf(out->reason, sizeof out->reason, "no reason given");
}

void webhook_answer_decode(const char *body, size_t size, const char *alarm, struct webhook_answer *out)
{
    memset(out, 0, sizeof *out);
    json_error_t error;
    if (size > LIMIT_BODY)
        return;
    json_t *object = json_in_object(body, size, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        return;
    size_t echo_size;
    const char *echo = json_in_text(json_object_get(object, "alarm"), &echo_size);
    out->echo = echo && strcmp(echo, alarm) == 0;
    decode_refuse(object, out);
    decode_ack(object, out);
    json_decref(object);
}
