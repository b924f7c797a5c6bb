/* supervision.h - which devices are alive: a table beside the configuration, one row a device.
 *
 * Promises: a device that is supervised and says nothing for silent_after_s is reported once, and once again when it
 * is back; heartbeats cost one write to the table. While nothing can be heard nobody is called silent, and afterwards each
 * has its time anew: a broker that is away is one trouble, not one for each device. While the daemon stood still nobody was
 * silent. Does not: remember over a restart (the board's troubles do).
 *
 *     supervision_hears(s, true, now);                  // the connection over which heartbeats come is there, or not
 *     supervision_heard(s, index, now, battery);        // any message of the device
 *     supervision_scan(s, conf, now, report, ctx);      // once a second
 */
#ifndef TOCSIN_SUPERVISION_H
#define TOCSIN_SUPERVISION_H

#include "conf/conf.h"
#include "core/event.h"

struct supervised {
    int64_t heard_boottime_ms;
    int64_t heard_at_ms; /* wall; 0 = not since start */
    int64_t suspect_boottime_ms;
    bool heard;     /* since we can hear; until then it is what it was before */
    int8_t battery; /* -1 = unknown */
    uint8_t suspicions;
    bool silent, offline, battery_low, suspect; /* the trouble is raised */
};

struct supervision {
    struct supervised *rows;
    size_t count;
    bool deaf;
};

typedef void supervision_report_fn(void *ctx, const struct conf_device *, enum trouble_code, bool raised);

bool supervision_init(struct supervision *, size_t devices, int64_t now_boottime_ms);
void supervision_finish(struct supervision *);
void supervision_hears(struct supervision *, bool hears, int64_t boottime_ms);
void supervision_stood_still(struct supervision *, int64_t boottime_ms, int64_t ms); /* the last `ms` before now */
void supervision_heard(struct supervision *, uint32_t device_index, int64_t boottime_ms, int64_t at_ms, int battery);
void supervision_offline(struct supervision *, uint32_t device_index);
void supervision_suspect(struct supervision *, uint32_t device_index, int64_t boottime_ms);
void supervision_scan(struct supervision *, const struct conf *, int64_t boottime_ms, supervision_report_fn *, void *ctx);

#endif
