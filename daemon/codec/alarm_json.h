/* alarm_json.h - an alarm as the world sees it: webhook bodies, API answers, receipts, the site's state. PURE.
 *
 * Promises: one shape of an alarm everywhere (proto/openapi.yaml, schema Alarm). Names and places come from the
 * configuration; where a thing is no longer configured, its id stands alone.
 */
#ifndef TOCSIN_ALARM_JSON_H
#define TOCSIN_ALARM_JSON_H

#include "codec/json_out.h"
#include "conf/conf.h"
#include "core/board.h"

struct journal_head {
    uint64_t size;
    unsigned char root[32];
};

/* The alarm's members, into an object that is already open: id, site{…}, class, kind, mode, state, … without presses. */
void alarm_json_members(struct json_out *, const struct conf *, const struct alarm *);
void alarm_json_deliveries(struct json_out *, const struct conf *, const struct alarm *);
void alarm_json_presses(struct json_out *, const struct conf *, const struct board *, const struct alarm *,
                        uint32_t first, uint32_t count);

/* The body of one telling (proto/webhook.md); returns its size, 0 when it did not fit. */
size_t webhook_body(char *out, size_t capacity, const struct conf *, const struct board *, const struct effect *,
                    const struct journal_head *, bool recorded, int64_t now_ms);
size_t webhook_trouble_body(char *out, size_t capacity, const char *daemon, const struct event *, const struct journal_head *);

/* The receipt for one press, and the site's retained state (proto/mqtt.md). */
size_t receipt_body(char *out, size_t capacity, const char *epoch, uint64_t n, const char *stage, const char *alarm,
                    int64_t now_ms);
size_t site_state_body(char *out, size_t capacity, const struct conf *, struct board *, const char *site, int64_t now_ms);

#endif
