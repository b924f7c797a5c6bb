/* press_json.h - what a button says (proto/mqtt.md) ↔ struct event_press, and its signature. PURE.
 *
 * Promises: press_decode() takes any bytes and always gives a usable press: what could not be understood is
 * named in `oddities`, and one bad field does not spoil the others. Nothing of the payload is trusted: names
 * come from the configuration, only identity, kind, mode, time and battery come from here.
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
    uint64_t n; /* 0 … 2^53-1 */
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
/* The same, always with a parser: press_decode() reads a plain press without one (json_plain.h). */
void press_decode_any(const void *payload, size_t size, struct press_fields *out);

/* Identity of a press without one: epoch "-", n = the first 53 bits of SHA-256(window_start_ms as 8 bytes,
 * big-endian ‖ payload). 53 bits, so that every JSON reader keeps the number. has_identity stays false. */
void press_identity_of_payload(const void *payload, size_t size, int64_t window_start_ms,
                               struct press_fields *out);

/* HMAC-SHA256 (RFC 2104) over the lines "tocsin-press-v1", site, device, epoch, n, kind, mode, at, each ended
 * by \n; an absent (NULL) kind or at is an empty line. */
void press_sign(const unsigned char key[32], const char *site, const char *device, const char *epoch,
                uint64_t n, const char *kind, enum mode mode, const char *at, unsigned char out[32]);
/* Constant time. False for a press without identity, too: what has no counter could be replayed for ever. */
bool press_signature_ok(const unsigned char key[32], const char *site, const char *device,
                        const struct press_fields *);

/* A heartbeat: {"battery":87}; anything else is a heartbeat, too. Returns battery percent or -1. */
int heartbeat_battery(const void *payload, size_t size);

#endif
