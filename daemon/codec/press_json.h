/* press_json.h - what a button says (proto/mqtt.md) ↔ struct event_press, and its signature. PURE.
 *
 * Promises: press_decode() takes any bytes and always gives a usable press: what could not be understood is named in
 * `oddities`. Nothing of the payload is trusted: names come from the configuration, only identity, kind, mode, time and
 * battery come from here.
 *
 *     struct press_fields f;
 *     press_decode(payload, size, &f);
 *     if (device->key && !press_signature_ok(device->key, "school-1", "room-204", &f)) refuse(…);
 */
#ifndef TOCSIN_PRESS_JSON_H
#define TOCSIN_PRESS_JSON_H

#include "core/event.h"

struct press_fields {
    char epoch[LIMIT_EPOCH];
    uint64_t n;
    bool has_identity, has_kind, has_signature;
    enum kind kind;
    char kind_text[LIMIT_ID]; /* as sent: it is what was signed */
    enum mode mode;
    int64_t claimed_ms; /* 0 = none */
    char at_text[40];   /* as sent: it is what was signed */
    int battery;        /* -1 = none */
    unsigned char signature[32];
    uint32_t oddities;
    char raw[LIMIT_RAW]; /* printable start of the payload when odd */
};

void press_decode(const void *payload, size_t size, struct press_fields *out);

/* Identity of a press without one: epoch "-", n = first 8 bytes of SHA-256(payload) mixed with its 2 s window. */
void press_identity_of_payload(const void *payload, size_t size, int64_t window_start_ms, struct press_fields *out);

/* HMAC-SHA256 (RFC 2104) over the lines "tocsin-press-v1", site, device, epoch, n, kind, mode, at, each ended by \n;
 * an absent field is an empty line. */
void press_sign(const unsigned char key[32], const char *site, const char *device, const char *epoch, uint64_t n,
                const char *kind, enum mode mode, const char *at, unsigned char out[32]);
bool press_signature_ok(const unsigned char key[32], const char *site, const char *device,
                        const struct press_fields *); /* constant time */

/* A heartbeat: {"battery":87}; anything else is a heartbeat, too. Returns battery percent or -1. */
int heartbeat_battery(const void *payload, size_t size);

#endif
