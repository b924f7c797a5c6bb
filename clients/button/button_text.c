#include "button_parts.h"
#include <stdio.h>
#include <string.h>

#define AT_SIZE 40 /* "2026-11-23T08:00:00.000Z" is 24; the compiler reckons with odd numbers */
#define SIGNED_SIZE 320
#define MAX_DEPTH 8

/* RFC 3339, from the civil-from-days algorithm: no locale, no library clock. */
static void format_time(int64_t ms, char text[AT_SIZE])
{
    int64_t days = ms / 86400000, rest = ms % 86400000;
    int64_t z = days + 719468, era = z / 146097;
    unsigned day_of_era = (unsigned)(z - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * day_of_year + 2) / 153;
    unsigned day = day_of_year - (153 * shifted + 2) / 5 + 1,
             month = shifted < 10 ? shifted + 3 : shifted - 9;
    unsigned year = (unsigned)(year_of_era + era * 400) + (month <= 2);
    snprintf(text, AT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year % 10000, month, day,
             (unsigned)(rest / 3600000), (unsigned)(rest / 60000 % 60), (unsigned)(rest / 1000 % 60),
             (unsigned)(rest % 1000));
}

static void base64(const unsigned char in[32], char out[45])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (unsigned i = 0, o = 0; i < 32; i += 3, o += 4) {
        uint32_t bits = (uint32_t)in[i] << 16 | (uint32_t)(i + 1 < 32 ? in[i + 1] : 0) << 8 |
                        (i + 2 < 32 ? in[i + 2] : 0);
        for (unsigned j = 0; j < 4; j++)
            out[o + j] = letters[bits >> (18 - 6 * j) & 63];
    }
    out[43] = '=';
    out[44] = '\0';
}

static bool sign(const struct button *b, const struct button_waiting *w, const char *at, char signature[45])
{
    static const char *const modes[BUTTON_MODE_COUNT] = {"real", "drill", "test"};
    char text[SIGNED_SIZE];
    unsigned char mac[32];
    if (!b->options.hmac)
        return false;
    int size = snprintf(text, sizeof text, "tocsin-press-v1\n%s\n%s\n%s\n%llu\n%s\n%s\n%s\n", b->site,
                        b->device, w->epoch, (unsigned long long)w->n, w->kind, modes[w->mode], at);
    if (!b->options.hmac(b->options.ctx, text, (size_t)size, mac))
        return false; /* without a signature the desk still sees it */
    base64(mac, signature);
    return true;
}

void button_text_press(const struct button *b, struct button_waiting *w)
{
    char at[AT_SIZE] = "", signature[45];
    int64_t wall_ms = b->options.wall_ms ? b->options.wall_ms(b->options.ctx) : 0;
    if (wall_ms > 0)
        format_time(wall_ms, at);
    char *to = w->payload;
    size_t max = sizeof w->payload, used;
    used = (size_t)snprintf(to, max, "{\"epoch\":\"%s\",\"n\":%llu", w->epoch, (unsigned long long)w->n);
    if (w->kind[0])
        used += (size_t)snprintf(to + used, max - used, ",\"kind\":\"%s\"", w->kind);
    if (at[0])
        used += (size_t)snprintf(to + used, max - used, ",\"at\":\"%s\"", at);
    if (b->battery >= 0)
        used += (size_t)snprintf(to + used, max - used, ",\"battery\":%d", b->battery);
    if (w->mode != BUTTON_REAL)
        used += (size_t)snprintf(to + used, max - used, ",\"%s\":true",
                                 w->mode == BUTTON_TEST ? "test" : "drill");
    if (sign(b, w, at, signature))
        used += (size_t)snprintf(to + used, max - used, ",\"sig\":\"%s\"", signature);
    used += (size_t)snprintf(to + used, max - used, "}");
    w->size = (uint16_t)used;
}

size_t button_text_heartbeat(const struct button *b, char payload[BUTTON_PAYLOAD])
{
    if (b->battery < 0)
        return (size_t)snprintf(payload, BUTTON_PAYLOAD, "{}");
    return (size_t)snprintf(payload, BUTTON_PAYLOAD, "{\"battery\":%d}", b->battery);
}

/* --- the receipt: a JSON object, of which five members matter; the site's state lists alarms with two of them --- */

struct scan {
    const char *at, *end;
};

static void skip_space(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool take(struct scan *s, char c)
{
    skip_space(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* What does not fit, is written with an escape or is not ASCII becomes something that matches nothing: none of our
 * texts need it, and whoever shows them shows them as they are. */
static bool take_string(struct scan *s, char *out, size_t max)
{
    size_t used = 0;
    bool fits = true;
    if (!take(s, '"'))
        return false;
    for (; s->at < s->end && *s->at != '"'; s->at++) {
        if (*s->at == '\\') {
            fits = false;
            if (++s->at == s->end)
                return false;
        }
        if (used + 1 < max && *s->at >= ' ' && *s->at <= '~')
            out[used++] = *s->at;
        else
            fits = false;
    }
    out[fits ? used : 0] = '\0';
    return take(s, '"');
}

static bool take_number(struct scan *s, uint64_t *out)
{
    const char *start = s->at;
    *out = 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
        if (*out > (1ull << 53) / 10)
            return false;
        *out = *out * 10 + (unsigned)(*s->at - '0');
    }
    return s->at > start && s->at < s->end && strchr(",} \t\r\n", *s->at);
}

/* Any value of no interest, strings and nesting respected. */
static bool skip_value(struct scan *s)
{
    char ignored[2];
    unsigned depth = 0;
    skip_space(s);
    while (s->at < s->end) {
        char c = *s->at;
        if (c == '"') {
            if (!take_string(s, ignored, sizeof ignored))
                return false;
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}'))
            return true;
        if (c == '{' || c == '[')
            depth++;
        if ((c == '}' || c == ']') && depth-- == 0)
            return false;
        if (depth > MAX_DEPTH)
            return false;
        s->at++;
    }
    return false;
}

static enum button_stage stage_of(const char *text)
{
    for (int stage = BUTTON_STAGE_RECORDED; stage < BUTTON_STAGE_COUNT; stage++)
        if (strcmp(text, button_stage_str((enum button_stage)stage)) == 0)
            return (enum button_stage)stage;
    return BUTTON_STAGE_NONE;
}

/* Of another form: "", as such a text does not sort as its time. */
static bool take_at(struct scan *s, char at[BUTTON_AT])
{
    bool taken = take_string(s, at, BUTTON_AT);
    if (strlen(at) != BUTTON_AT - 1 || at[10] != 'T' || at[BUTTON_AT - 2] != 'Z')
        at[0] = '\0';
    return taken;
}

static bool take_member(struct scan *s, struct button_receipt *out, bool *has_n)
{
    char name[8], stage[16];
    if (!take_string(s, name, sizeof name) || !take(s, ':'))
        return false;
    skip_space(s);
    bool text = s->at < s->end && *s->at == '"';
    if (text && strcmp(name, "epoch") == 0)
        return take_string(s, out->epoch, sizeof out->epoch);
    if (text && strcmp(name, "alarm") == 0)
        return take_string(s, out->alarm, sizeof out->alarm);
    if (text && strcmp(name, "at") == 0)
        return take_at(s, out->at);
    if (text && strcmp(name, "stage") == 0) {
        bool taken = take_string(s, stage, sizeof stage);
        out->stage = taken ? stage_of(stage) : BUTTON_STAGE_NONE;
        return taken;
    }
    if (strcmp(name, "n") == 0)
        return *has_n = take_number(s, &out->n);
    return skip_value(s);
}

static bool take_object(struct scan *s, struct button_receipt *out, bool *has_n)
{
    memset(out, 0, sizeof *out);
    if (!take(s, '{'))
        return false;
    do {
        if (!take_member(s, out, has_n))
            return false;
    } while (take(s, ','));
    return take(s, '}');
}

bool button_text_receipt(const void *payload, size_t size, struct button_receipt *out)
{
    struct scan s = {payload, (const char *)payload + size};
    bool has_n = false;
    return take_object(&s, out, &has_n) && has_n && out->epoch[0] && out->stage != BUTTON_STAGE_NONE;
}

static bool take_alarms(struct scan *s, const struct button *b, struct button_site *out)
{
    struct button_receipt alarm;
    bool has_n;
    if (!take(s, '['))
        return false;
    if (take(s, ']'))
        return true;
    do {
        if (!take_object(s, &alarm, &has_n))
            return false;
        for (unsigned mode = 0; mode < BUTTON_MODE_COUNT; mode++)
            if (alarm.alarm[0] && strcmp(alarm.alarm, b->follow[mode].alarm) == 0) {
                out->listed[mode] = true;
                out->stage[mode] = alarm.stage;
            }
    } while (take(s, ','));
    return take(s, ']');
}

static bool take_site_member(struct scan *s, const struct button *b, struct button_site *out, bool *has_alarms)
{
    char name[8];
    if (!take_string(s, name, sizeof name) || !take(s, ':'))
        return false;
    skip_space(s);
    if (strcmp(name, "at") == 0)
        return take_at(s, out->at);
    if (strcmp(name, "alarms") == 0)
        return *has_alarms = take_alarms(s, b, out);
    return skip_value(s);
}

bool button_text_site(const struct button *b, const void *payload, size_t size, struct button_site *out)
{
    struct scan s = {payload, (const char *)payload + size};
    bool has_alarms = false;
    memset(out, 0, sizeof *out);
    if (!take(&s, '{'))
        return false;
    do {
        if (!take_site_member(&s, b, out, &has_alarms))
            return false;
    } while (take(&s, ','));
    return take(&s, '}') && has_alarms && out->at[0];
}
