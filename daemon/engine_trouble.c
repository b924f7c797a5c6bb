/* What is not as it should be: raised and cleared as events, each once. */
#include "codec/text.h"
#include "engine_private.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define CAPACITY_QUIET_MS 60000 /* so that a board on the brink is one trouble, not many */

void engine_trouble(struct engine *g, enum trouble_code code, const char *part, bool raised, const char *text)
{
    const struct event *coming = engine_trouble_under_way(g, code, part);
    const struct trouble *known = coming ? NULL : board_trouble(g->board, code, part);
    bool stands = coming ? coming->type == EVENT_TROUBLE_RAISED : known != NULL;
    struct event e = {.type = raised ? EVENT_TROUBLE_RAISED : EVENT_TROUBLE_CLEARED, .trouble = {.code = code}};
    snprintf(e.trouble.part, sizeof e.trouble.part, "%s", part);
    text_clean(e.trouble.text, sizeof e.trouble.text, text, strlen(text)); /* as the record will have it */
    if (stands == raised && (!raised || strcmp(coming ? coming->trouble.text : known->text, e.trouble.text) == 0))
        return;
    engine_say(g, raised ? LOG_WARNING : LOG_INFO, "", "trouble %s: %s: %s", raised ? "raised" : "cleared",
               trouble_code_str(code), e.trouble.text);
    engine_submit(g, &(struct submission){.event = &e});
    engine_batch_end(g);
}

static void report_device(void *ctx, const struct conf_device *device, enum trouble_code code, bool raised)
{
    struct engine *g = ctx;
    const struct conf_site *site = conf_device_site(g->conf, device->index);
    char part[LIMIT_ID * 2], text[LIMIT_TEXT];
    snprintf(part, sizeof part, "%s/%s", site->id, device->id);
    const char *sentence = code == TROUBLE_DEVICE_SILENT    ? "says nothing"
                           : code == TROUBLE_DEVICE_OFFLINE ? "is off line: the broker lost it"
                           : code == TROUBLE_BATTERY        ? "has a weak battery"
                                                            : "sent several presses that were not accepted";
    snprintf(text, sizeof text, "device %s of site %s %s", device->id, site->id, sentence);
    engine_trouble(g, code, part, raised, text);
}

/* The troubles of devices, and where supervision notes them. */
static const struct {
    enum trouble_code code;
    size_t flag;
} device_troubles[] = {{TROUBLE_DEVICE_SILENT, offsetof(struct supervised, silent)},
                       {TROUBLE_DEVICE_OFFLINE, offsetof(struct supervised, offline)},
                       {TROUBLE_BATTERY, offsetof(struct supervised, battery_low)},
                       {TROUBLE_DEVICE_SUSPECT, offsetof(struct supervised, suspect)}};

static bool *device_flag(struct engine *g, const struct conf_device *device, enum trouble_code code)
{
    for (size_t i = 0; i < sizeof device_troubles / sizeof *device_troubles; i++)
        if (device_troubles[i].code == code)
            return (bool *)((char *)&g->supervision.rows[device->index] + device_troubles[i].flag);
    return NULL;
}

static const struct conf_device *device_of(const struct engine *g, const char *part)
{
    char site[LIMIT_ID * 2];
    snprintf(site, sizeof site, "%s", part);
    char *slash = strchr(site, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return conf_device(g->conf, site, slash + 1);
}

/* Devices are judged anew, from what they were before; everything else is reported anew by its part. */
void engine_resume_troubles(struct engine *g)
{
    for (const struct trouble *t = NULL; (t = board_next_trouble(g->board, t));) {
        const struct conf_device *device = device_of(g, t->part);
        bool *flag = device ? device_flag(g, device, t->code) : NULL;
        if (flag)
            *flag = true;
    }
    if (board_trouble(g->board, TROUBLE_JOURNAL, "journal"))
        g->journal_reported = JOURNAL_DEGRADED; /* over with the first commit */
    g->conf_is_new = true;
}

void engine_hears(struct engine *g, bool hears)
{
    supervision_hears(&g->supervision, hears, g->ports.boottime_ms(g->ports.ctx));
}

void engine_stood_still(struct engine *g, int64_t ms)
{
    supervision_stood_still(&g->supervision, g->ports.boottime_ms(g->ports.ctx), ms);
}

/* Is the part that it is about still there to report that it is over? */
static bool has_part(struct engine *g, const struct trouble *t)
{
    const struct alarm *a;
    if (trouble_is_of_device(t->code))
        return device_of(g, t->part) != NULL;
    if (t->code == TROUBLE_ENDPOINT || t->code == TROUBLE_ENDPOINT_ANSWER)
        return conf_endpoint(g->conf, t->part) != NULL;
    if (t->code == TROUBLE_PLAN_EXHAUSTED)
        return (a = board_alarm(g->board, t->part)) && a->exhausted;
    return true;
}

/* The board has had no place for the troubles of these: they are judged anew. */
static void judge_unlisted_anew(struct engine *g)
{
    char part[LIMIT_ID * 2];
    for (uint32_t k = 0; k < g->supervision.count; k++) {
        const struct conf_device *device = conf_device_at(g->conf, k);
        for (size_t i = 0; i < sizeof device_troubles / sizeof *device_troubles; i++) {
            bool *flag = device_flag(g, device, device_troubles[i].code);
            snprintf(part, sizeof part, "%s/%s", conf_device_site(g->conf, k)->id, device->id);
            *flag = *flag && board_trouble(g->board, device_troubles[i].code, part);
        }
    }
}

/* There is room again, and for a while nothing was lost. */
static void end_capacity(struct engine *g, int64_t now_boottime_ms)
{
    bool lately = g->capacity_boottime_ms && now_boottime_ms - g->capacity_boottime_ms < CAPACITY_QUIET_MS;
    if (lately || !board_has_room(g->board) || !board_trouble(g->board, TROUBLE_CAPACITY, "board"))
        return;
    judge_unlisted_anew(g);
    engine_trouble(g, TROUBLE_CAPACITY, "board", false, "there is room on the board again");
}

/* Once a second. After a start or a reload also what is gone, as soon as all that was raised is on the board. */
void engine_scan_troubles(struct engine *g, int64_t now_boottime_ms)
{
    if (!g->first_unapplied)
        end_capacity(g, now_boottime_ms);
    supervision_scan(&g->supervision, g->conf, now_boottime_ms, report_device, g);
    if (!g->conf_is_new || g->first_unapplied)
        return;
    g->conf_is_new = false;
    for (const struct trouble *t = NULL; (t = board_next_trouble(g->board, t));)
        if (!has_part(g, t))
            engine_trouble(g, t->code, t->part, false, "it is not there any more");
}
