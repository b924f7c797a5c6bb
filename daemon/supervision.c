#include "supervision.h"
#include <stdlib.h>

#define BATTERY_LOW 20    /* percent: below it is trouble */
#define BATTERY_GOOD 30   /* percent: from it on it is over */
#define SUSPICIONS 3      /* refused presses that make a device suspect */
#define SUSPECT_MS 600000 /* after this long without another it is not suspect any more */

bool supervision_init(struct supervision *s, size_t devices, int64_t now_boottime_ms)
{
    s->count = devices;
    s->rows = calloc(devices ? devices : 1, sizeof *s->rows);
    if (!s->rows)
        return false;
    for (size_t i = 0; i < devices; i++)
        s->rows[i] = (struct supervised){.heard_boottime_ms = now_boottime_ms, .battery = -1};
    return true;
}

void supervision_finish(struct supervision *s)
{
    free(s->rows);
}

void supervision_hears(struct supervision *s, bool hears, int64_t boottime_ms)
{
    if (s->deaf == !hears)
        return;
    s->deaf = !hears;
    for (size_t i = 0; i < s->count; i++) {
        s->rows[i].heard = false;
        if (s->rows[i].heard_boottime_ms != INT64_MIN)
            s->rows[i].heard_boottime_ms = boottime_ms;
    }
}

void supervision_stood_still(struct supervision *s, int64_t boottime_ms, int64_t ms)
{
    for (size_t i = 0; i < s->count; i++) {
        int64_t *heard = &s->rows[i].heard_boottime_ms;
        if (*heard != INT64_MIN)
            *heard = *heard + ms < boottime_ms ? *heard + ms : boottime_ms;
    }
}

void supervision_heard(struct supervision *s, uint32_t device_index, int64_t boottime_ms, int64_t at_ms, int battery)
{
    struct supervised *row = &s->rows[device_index];
    row->heard = true;
    row->heard_boottime_ms = boottime_ms;
    row->heard_at_ms = at_ms;
    if (battery >= 0)
        row->battery = (int8_t)(battery > 100 ? 100 : battery);
}

void supervision_offline(struct supervision *s, uint32_t device_index)
{
    s->rows[device_index].heard_boottime_ms = INT64_MIN; /* until it is heard again */
}

void supervision_suspect(struct supervision *s, uint32_t device_index, int64_t boottime_ms)
{
    struct supervised *row = &s->rows[device_index];
    row->suspicions += row->suspicions < SUSPICIONS;
    row->suspect_boottime_ms = boottime_ms;
}

static void judge(bool *state, bool now, const struct conf_device *device, enum trouble_code code,
                  supervision_report_fn *report, void *ctx)
{
    if (*state == now)
        return;
    *state = now;
    report(ctx, device, code, now);
}

void supervision_scan(struct supervision *s, const struct conf *conf, int64_t boottime_ms, supervision_report_fn *report,
                      void *ctx)
{
    for (uint32_t i = 0; i < s->count; i++) {
        struct supervised *row = &s->rows[i];
        const struct conf_device *device = conf_device_at(conf, i);
        bool offline = row->heard_boottime_ms == INT64_MIN || (!row->heard && row->offline);
        int64_t quiet_ms = offline ? 0 : boottime_ms - row->heard_boottime_ms;
        bool supervised = device->silent_after_s > 0 && !device->disabled;
        bool too_long = !s->deaf && quiet_ms > (int64_t)device->silent_after_s * 1000;
        bool quiet = too_long || (!row->heard && row->silent);
        bool silent = supervised && !offline && quiet;
        bool low = row->battery < 0 ? row->battery_low : row->battery < (row->battery_low ? BATTERY_GOOD : BATTERY_LOW);
        if (boottime_ms - row->suspect_boottime_ms > SUSPECT_MS)
            row->suspicions = 0;
        judge(&row->offline, offline, device, TROUBLE_DEVICE_OFFLINE, report, ctx);
        judge(&row->silent, silent, device, TROUBLE_DEVICE_SILENT, report, ctx);
        judge(&row->battery_low, low, device, TROUBLE_BATTERY, report, ctx);
        judge(&row->suspect, row->suspicions >= SUSPICIONS, device, TROUBLE_DEVICE_SUSPECT, report, ctx);
    }
}
