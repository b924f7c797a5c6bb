/* Sums over closed alarms, from the archive. */
#include "io/api_internal.h"
#include "io/clock.h"
#include <stdlib.h>
#include <string.h>

#define SUM_ROOM 4096
#define SITE_ROOM 1024
#define YEAR_MS (365 * 24 * 3600 * 1000LL)

static void put_spread(struct json_out *o, const char *key, const struct archive_sum *sum,
                       enum archive_spread which)
{
    json_open(o, key, '{');
    json_open(o, "limits_s", '[');
    for (unsigned i = 0; i < ARCHIVE_LIMITS; i++)
        json_unsigned(o, NULL, archive_limits_s[which][i]);
    json_close(o, ']');
    json_open(o, "counts", '[');
    for (unsigned i = 0; i <= ARCHIVE_LIMITS; i++)
        json_unsigned(o, NULL, sum->counts[which][i]);
    json_close(o, ']');
    json_unsigned(o, "never", sum->never[which]);
    json_close(o, '}');
}

static void put_sum(struct api_out *out, const char *key, const struct archive_sum *sum)
{
    static const char *const spreads[SPREAD_COUNT] = {[SPREAD_RECEIVED] = "received",
                                                      [SPREAD_ACKNOWLEDGED] = "acknowledged",
                                                      [SPREAD_COMING] = "coming",
                                                      [SPREAD_FEEDBACK] = "feedback"};
    struct json_out *o = &out->o;
    api_out_room(out, SUM_ROOM);
    json_open(o, key, '{');
    json_unsigned(o, "alarms", sum->alarms);
    json_unsigned(o, "presses", sum->presses);
    json_open(o, "presses_by_hour", '[');
    for (unsigned hour = 0; hour < 24; hour++)
        json_unsigned(o, NULL, sum->by_hour[hour]);
    json_close(o, ']');
    for (enum archive_spread which = 0; which < SPREAD_COUNT; which++)
        put_spread(o, spreads[which], sum, which);
    json_close(o, '}');
}

static void put_by_mode(struct json_out *o, const char *key, const uint64_t counts[MODE_COUNT])
{
    json_open(o, key, '{');
    for (enum mode mode = 0; mode < MODE_COUNT; mode++)
        json_unsigned(o, mode_str(mode), counts[mode]);
    json_close(o, '}');
}

static void put_site(struct api_out *out, const struct conf *conf, const struct archive_site *s)
{
    const struct conf_site *site = conf_site(conf, s->id);
    struct json_out *o = &out->o;
    api_out_room(out, SITE_ROOM + (site && site->name ? strlen(site->name) * 6 : 0));
    json_open(o, NULL, '{');
    json_text(o, "id", s->id);
    if (site && site->name)
        json_text(o, "name", site->name);
    put_by_mode(o, "presses", s->presses);
    put_by_mode(o, "alarms", s->alarms);
    json_open(o, "year", '{');
    json_unsigned(o, "alarms", s->year_alarms);
    json_unsigned(o, "false_alarms", s->year_false);
    if (s->year_alarms)
        json_decimal(o, "share", (double)s->year_false / (double)s->year_alarms, 4);
    else
        json_text(o, "share", NULL);
    json_close(o, '}');
    json_close(o, '}');
}

static void on_summed(void *ctx, const struct archive_sums *sums)
{
    struct api_past *past = ctx;
    const struct conf_account *account = api_past_account(past, sums->error);
    struct api_out *out = &past->out;
    for (size_t i = 0; account && i < sums->site_count; i++)
        if (api_sees(account, sums->sites[i].id))
            put_site(out, engine_conf(past->api->options.engine), &sums->sites[i]);
    if (!sums->last)
        return;
    if (account) {
        api_out_room(out, SITE_ROOM);
        json_close(&out->o, ']');
        for (enum mode mode = 0; mode < MODE_COUNT; mode++)
            put_sum(out, mode_str(mode), &sums->modes[mode]);
        json_bool(&out->o, "complete", sums->complete);
        api_past_answer(past);
    }
    api_past_end(past);
}

static bool query_offset(struct api_call *c, int *offset_min)
{
    const char *text = web_query(c->request, "offset_min");
    if (!text)
        return true;
    const char *digits = text + (*text == '-');
    long value = strlen(digits) <= 3 ? strtol(text, NULL, 10) : 1000;
    if (*digits && strspn(digits, "0123456789") == strlen(digits) && value >= -840 && value <= 840) {
        *offset_min = (int)value;
        return true;
    }
    api_bad_query(c, "offset_min", "a whole number of minutes from -840 to 840 is needed");
    return false;
}

void api_figures(struct api_call *c)
{
    struct archive_query q;
    int offset_min = 0;
    if (!query_offset(c, &offset_min))
        return;
    struct api_past *past = api_past_begin(c, &q, "sites");
    if (!past)
        return;
    q.offset_min = offset_min;
    q.year_to_ms = q.to_ms < INT64_MAX ? q.to_ms : clock_wall_ms();
    q.year_from_ms = q.year_to_ms - YEAR_MS;
    archive_sum(c->api->archive, &q, engine_journal(c->api->options.engine).committed_seq, on_summed, past);
}
