/* Closed alarms, searched in the archive. */
#include "codec/time_text.h"
#include "io/api_internal.h"
#include "memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_ROOM 4096 /* bytes of one row without the names of its places */
#define WORDS_MAX 8

/* --- What all questions to the archive have in common. */

static bool query_time(struct api_call *c, const char *name, int64_t *at_ms)
{
    const char *text = web_query(c->request, name);
    if (!text || time_of_text(text, strlen(text), at_ms))
        return true;
    api_bad_query(c, name, "a moment such as 2026-11-24T08:00:00Z is needed");
    return false;
}

static char *sites_of(const struct conf_account *account)
{
    if (account->site_count == 0)
        return NULL;
    size_t capacity = account->site_count * (LIMIT_ID + 3) + 3;
    struct json_out o;
    json_out_init(&o, memory_take(capacity), capacity);
    json_open(&o, NULL, '[');
    for (size_t i = 0; i < account->site_count; i++)
        json_text(&o, NULL, account->sites[i]);
    json_close(&o, ']');
    json_out_ok(&o);
    return o.buffer;
}

struct api_past *api_past_begin(struct api_call *c, struct archive_query *q, const char *list)
{
    *q = (struct archive_query){
        .from_ms = INT64_MIN, .to_ms = INT64_MAX, .kind = -1, .mode = -1, .disposition = -1};
    const char *site = web_query(c->request, "site");
    if ((site && !api_site(c, site)) || !query_time(c, "from", &q->from_ms) ||
        !query_time(c, "to", &q->to_ms))
        return NULL;
    if (q->from_ms >= q->to_ms) {
        api_bad_query(c, "to", "a moment after `from` is needed");
        return NULL;
    }
    if (!c->api->archive) {
        api_busy(c->request, "There is no journal to search in.");
        return NULL;
    }
    snprintf(q->site, sizeof q->site, "%.*s", LIMIT_ID - 1, site ? site : "");
    q->sites = sites_of(c->account);
    struct api_past *past = memory_zeroed(1, sizeof *past);
    past->api = c->api;
    past->request = c->request;
    snprintf(past->account, sizeof past->account, "%.*s", LIMIT_ID - 1, c->account->id);
    api_out_begin(&past->out, ROW_ROOM);
    json_open(&past->out.o, NULL, '{');
    json_open(&past->out.o, list, '[');
    api_hold(c->api);
    return past;
}

void api_past_end(struct api_past *past)
{
    struct api *api = past->api;
    api_out_free(&past->out);
    free(past);
    api_release(api);
}

const struct conf_account *api_past_account(struct api_past *past, const char *error)
{
    if (!past->request)
        return NULL;
    const struct conf_account *account = past->api->closing ? NULL : api_account(past->api, past->account);
    if (account && !error)
        return account;
    api_problem(past->request, &(struct api_problem){.type = API_UNAVAILABLE},
                "Past alarms cannot be searched now: %s.",
                error ? error : "the daemon is stopping, or this account is no longer there");
    past->request = NULL;
    return NULL;
}

void api_past_answer(struct api_past *past)
{
    json_close(&past->out.o, '}');
    api_out_answer(&past->out, past->request);
    past->request = NULL;
}

/* --- The parameters of a search. */

static const char *kind_name(int i)
{
    return kind_str((enum kind)i);
}

static const char *mode_name(int i)
{
    return mode_str((enum mode)i);
}

static const char *disposition_name(int i)
{
    return disposition_str((enum disposition)i);
}

static bool query_choice(struct api_call *c, const char *name, const char *(*name_of)(int), int count,
                         int *choice)
{
    char right[160] = "one of";
    const char *text = web_query(c->request, name);
    for (int i = 0; text && i < count; i++) {
        if (strcmp(text, name_of(i)) == 0) {
            *choice = i;
            return true;
        }
        snprintf(right + strlen(right), sizeof right - strlen(right), " %s", name_of(i));
    }
    if (text)
        api_bad_query(c, name, right);
    return !text;
}

/* Blanks of any kind are one kind: other spaces, and the wide one of Chinese keyboards. */
static void even_blanks(char *text)
{
    for (char *wide; (wide = strstr(text, "\xe3\x80\x80"));)
        memset(wide, ' ', 3);
    for (char *c = text; *c; c++)
        if (*c == '\t' || *c == '\n' || *c == '\r')
            *c = ' ';
}

static bool query_text(struct api_call *c, char out[ARCHIVE_TEXT + 1])
{
    const char *text = web_query(c->request, "text");
    if (!text)
        return true;
    if (strlen(text) > ARCHIVE_TEXT) {
        api_bad_query(c, "text", "at most 200 bytes can be searched for");
        return false;
    }
    strcpy(out, text);
    even_blanks(out);
    unsigned words = 0;
    for (const char *w = out; *(w += strspn(w, " ")); w += strcspn(w, " "))
        words++;
    if (words >= 1 && words <= WORDS_MAX)
        return true;
    api_bad_query(c, "text", "1 to 8 words are needed");
    return false;
}

/* --- The answer. */

static void put_seconds(struct json_out *o, const char *key, int64_t ms)
{
    if (ms == ARCHIVE_NEVER)
        json_text(o, key, NULL);
    else
        json_decimal(o, key, (double)ms / 1000, 3);
}

static void put_place(struct api_out *out, const char *key, const char *id, const char *name)
{
    api_out_room(out, ROW_ROOM + (name ? strlen(name) * 6 : 0));
    json_open(&out->o, key, '{');
    json_text(&out->o, "id", id);
    if (name)
        json_text(&out->o, "name", name);
    json_close(&out->o, '}');
}

static void put_by(struct json_out *o, const char *key, const char *by)
{
    json_text(o, key, by[0] ? by : NULL);
}

static void put_row(struct api_out *out, const struct conf *conf, const struct archive_row *row)
{
    const struct conf_site *site = conf_site(conf, row->site);
    struct json_out *o = &out->o;
    api_out_room(out, ROW_ROOM);
    json_open(o, NULL, '{');
    json_text(o, "id", row->id);
    json_unsigned(o, "seq", row->seq);
    put_place(out, "site", row->site, site ? site->name : NULL);
    json_open(o, "zones", '[');
    for (unsigned i = 0; i < row->zone_count; i++) {
        const struct conf_zone *zone = site ? conf_zone(site, row->zones[i]) : NULL;
        put_place(out, NULL, row->zones[i], zone ? zone->name : NULL);
    }
    json_close(o, ']');
    json_text(o, "kind", kind_str(row->kind));
    json_text(o, "mode", mode_str(row->mode));
    json_text(o, "disposition", disposition_str(row->disposition));
    json_time(o, "opened_at", row->opened_at_ms);
    json_time(o, "closed_at", row->closed_at_ms);
    put_seconds(o, "received_s", row->moment_ms[ARCHIVE_RECEIVED]);
    put_seconds(o, "acknowledged_s", row->moment_ms[ARCHIVE_ACKNOWLEDGED]);
    put_seconds(o, "coming_s", row->moment_ms[ARCHIVE_COMING]);
    put_seconds(o, "on_scene_s", row->moment_ms[ARCHIVE_ON_SCENE]);
    json_unsigned(o, "press_count", row->press_count);
    put_by(o, "acknowledged_by", row->acknowledged_by);
    put_by(o, "coming_by", row->coming_by);
    put_by(o, "on_scene_by", row->on_scene_by);
    put_by(o, "closed_by", row->closed_by);
    json_close(o, '}');
}

static void on_found(void *ctx, const struct archive_rows *found)
{
    struct api_past *past = ctx;
    const struct conf_account *account = api_past_account(past, found->error);
    struct api_out *out = &past->out;
    for (size_t i = 0; account && i < found->count; i++)
        if (api_sees(account, found->rows[i].site))
            put_row(out, engine_conf(past->api->options.engine), &found->rows[i]);
    if (!found->last)
        return;
    if (account) {
        api_out_room(out, ROW_ROOM);
        json_close(&out->o, ']');
        if (found->more && found->count > 0)
            json_unsigned(&out->o, "next", found->rows[found->count - 1].seq);
        else
            json_text(&out->o, "next", NULL);
        json_bool(&out->o, "complete", found->complete);
        api_past_answer(past);
    }
    api_past_end(past);
}

void api_history(struct api_call *c)
{
    struct archive_query q;
    uint64_t limit = 100, before = 0;
    int kind = -1, mode = -1, disposition = -1;
    char text[ARCHIVE_TEXT + 1] = "";
    if (!query_choice(c, "kind", kind_name, KIND_COUNT, &kind) ||
        !query_choice(c, "mode", mode_name, MODE_COUNT, &mode) ||
        !query_choice(c, "disposition", disposition_name, DISPOSITION_COUNT, &disposition) ||
        !query_text(c, text) || !api_query_number(c, "limit", 1, 1000, &limit) ||
        !api_query_number(c, "before", 1, UINT64_MAX, &before))
        return;
    struct api_past *past = api_past_begin(c, &q, "alarms");
    if (!past)
        return;
    q.kind = kind;
    q.mode = mode;
    q.disposition = disposition;
    q.limit = (unsigned)limit;
    q.before = before;
    strcpy(q.text, text);
    archive_find(c->api->archive, &q, engine_journal(c->api->options.engine).committed_seq, on_found, past);
}
