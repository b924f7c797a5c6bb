/* webhook.h - Standard Webhooks 1.0.0: signatures and secrets; and what an endpoint may answer. PURE.
 *
 *     unsigned char key[64]; size_t size;
 *     webhook_secret("whsec_…", key, &size);
 *     webhook_signature(out, key, size, id, timestamp_s, body, body_size);   // "v1,…"
 */
#ifndef TOCSIN_WEBHOOK_H
#define TOCSIN_WEBHOOK_H

#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEBHOOK_SIGNATURE 48 /* bytes of "v1," + base64 of 32 bytes, with NUL */

/* "whsec_" + base64 (RFC 4648 section 4, padded) of 24..64 bytes. False: not such a text, nothing is kept of
 * it. */
bool webhook_secret(const char *text, unsigned char key[64], size_t *key_size);
/* HMAC-SHA256 over "{id}.{timestamp}.{body}". */
void webhook_signature(char out[WEBHOOK_SIGNATURE], const unsigned char *key, size_t key_size, const char *id,
                       int64_t timestamp_s, const void *body, size_t body_size);

/* What an endpoint's 2xx or 4xx body said; everything is optional. A body that is no JSON object, has a key
 * twice, is nested too deeply or is longer than LIMIT_BODY says nothing. Where it is unclear the alarm goes
 * on: an `ack` without a name, beside a `refuse`, or beside the name of another alarm acknowledges nothing. */
struct webhook_answer {
    bool echo; /* {"alarm":"…"} names the alarm */
    bool acknowledged;
    char acknowledged_by[LIMIT_ID]; /* {"ack":{"by":"…"}}: made an id: other characters become '-' */
    bool refused;                   /* {"refuse":…}, whatever it holds but null and false */
    char reason[LIMIT_TEXT]; /* {"refuse":{"reason":"…"}}, printable; "no reason given" without one */
};
void webhook_answer_decode(const char *body, size_t size, const char *alarm, struct webhook_answer *out);

#endif
