/* alarm_json.h - an alarm as the world sees it: webhook bodies, API answers, receipts, the site's state.
 * PURE.
 *
 * Promises: one shape of an alarm everywhere (proto/openapi.yaml, schema Alarm; proto/webhook.schema.json).
 * Names and places come from the configuration; where a thing is no longer configured, its id stands alone. A
 * body always fits: where it would not, names of zones are left out first, then the site's texts, never a
 * press.
 *
 *     size_t size = webhook_body(body, LIMIT_BODY, conf, board, effect, &head, true, now_ms);
 *
 * The first three write into an object that is already open.
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

/* id, site {id, name, address, latitude, longitude, contacts}, class, mode, kind, state, stage, version,
 * opened_at, changed_at, plan, step, steps, press_count; when there is something to say also cancels,
 * exhausted, by (who did what changed last), acknowledged_by, coming_by, on_scene_by, closed_by, disposition;
 * and, for the API alone, acks [{role, by}]: the roles that the plan needs, `by` null while one is waited
 * for. */
void alarm_json_members(struct json_out *, const struct conf *, const struct alarm *);
/* "deliveries": [{endpoint, name, role, step, state, version, presses, attempts, since, http_status}] */
void alarm_json_deliveries(struct json_out *, const struct conf *, const struct alarm *);
/* "presses": [{device, epoch, n, kind, zone {id, name}, at, odd}], at most `count` from the alarm's press
 * `first` (from 0) on. Each begins with exactly {"device":"…","epoch":"…","n":17, */
void alarm_json_presses(struct json_out *, const struct conf *, const struct board *, const struct alarm *,
                        uint32_t first, uint32_t count);

/* The body of one telling (proto/webhook.md), with at most LIMIT_BODY_PRESSES presses; returns its size, 0
 * when `capacity` is too small (LIMIT_BODY never is). `timestamp` is when it changed, `told_at` is now. */
size_t webhook_body(char *out, size_t capacity, const struct conf *, const struct board *,
                    const struct effect *, const struct journal_head *, bool recorded, int64_t now_ms);
/* `daemon`: who speaks, conf's daemon name. */
size_t webhook_trouble_body(char *out, size_t capacity, const char *daemon, const struct event *,
                            const struct journal_head *);

/* The receipt for one press, and the site's retained state (proto/mqtt.md). `alarm` "" = there is none. */
size_t receipt_body(char *out, size_t capacity, const char *epoch, uint64_t n, const char *stage,
                    const char *alarm, int64_t now_ms);
size_t site_state_body(char *out, size_t capacity, const struct conf *, struct board *, const char *site,
                       int64_t now_ms);

#endif
