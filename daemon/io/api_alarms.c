#include "codec/event_json.h"
#include "io/api_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALARM_ROOM                                                                                           \
    (128 * 1024) /* bytes one alarm may take without its presses: its site's texts are the most of it */
#define PRESS_ROOM 2048 /* bytes of one press */
#define SCAN_MAX 5000   /* opened alarms looked at for one page */
#define PLACES_UNRECORDED                                                                                    \
    (UINT64_C(1) << 52) /* above all seqs, and below the whole numbers that every JSON reader has */
#define PAGE_MS 6000    /* a page that takes longer is answered as far as it came: the web gives up after 15 s */

/* Every moment at which something happens by itself, the next first. On the daemon's clock; people read the wall's. */
static void put_due(struct json_out *o, const struct alarm *a)
{
    int64_t after = 0;
    json_open(o, "due", '[');
    for (unsigned told = 0; told < DEADLINE_COUNT; told++) {
        enum deadline_kind next = DEADLINE_COUNT;
        for (enum deadline_kind k = 0; k < DEADLINE_COUNT; k++)
            if (a->due_clock_ms[k] > after && (next == DEADLINE_COUNT || a->due_clock_ms[k] < a->due_clock_ms[next]))
                next = k;
        if (next == DEADLINE_COUNT)
            break;
        after = a->due_clock_ms[next];
        json_open(o, NULL, '{');
        json_text(o, "what", deadline_kind_str(next));
        json_time(o, "at", a->opened_at_ms + after - a->opened_clock_ms);
        json_close(o, '}');
    }
    json_close(o, ']');
}

void api_put_alarm_members(struct api_out *out, const struct engine *engine, const struct alarm *a)
{
    api_out_room(out, ALARM_ROOM);
    struct json_out *o = &out->o;
    alarm_json_members(o, engine_conf(engine), a);
    int64_t due = a->due_clock_ms[DEADLINE_ANSWER]; /* on the daemon's clock; people read the wall's */
    json_time(o, "step_due_at", due ? a->opened_at_ms + due - a->opened_clock_ms : 0);
    put_due(o, a);
    json_unsigned(o, "opened_seq", a->opened_seq);
    json_bool(o, "recorded", a->opened_seq > 0 && a->last_seq <= engine_journal(engine).committed_seq);
    alarm_json_deliveries(o, engine_conf(engine), a);
}

void api_put_alarm(struct api_out *out, const char *key, const struct engine *engine, const struct alarm *a)
{
    json_open(&out->o, key, '{');
    api_put_alarm_members(out, engine, a);
    json_close(&out->o, '}');
}

void api_no_alarm(struct web_request *r)
{
    api_problem(r, &(struct api_problem){.type = API_NOT_FOUND},
                "There is no such alarm, or it is of a site that this account does not see.");
}

/* --- One alarm: its present, and every line about it. */

static void put_events(struct api_out *out, const struct api_story *s)
{
    struct json_out *o = &out->o;
    json_open(o, "events", '[');
    for (size_t i = 0; i < s->count; i++) {
        size_t size = strlen(s->lines[i]);
        api_out_room(out, size + 16);
        json_raw(o, NULL, s->lines[i], size);
    }
    json_close(o, ']');
    json_bool(o, "events_cut", s->more);
    json_open(o, "notes", '[');
    for (size_t i = 0; i < s->count; i++) {
        if (!s->notes[i])
            continue;
        api_out_room(out, strlen(s->notes[i]) * 6 + 64);
        json_open(o, NULL, '{');
        json_unsigned(o, "seq", s->seqs[i]);
        json_text(o, "text", s->notes[i]);
        json_close(o, '}');
    }
    json_close(o, ']');
}

static void put_story(struct api_out *out, const struct api *api, const struct api_story *s)
{
    const struct engine *engine = api->options.engine;
    const struct conf_site *site = conf_site(engine_conf(engine), s->alarm->site);
    json_open(&out->o, NULL, '{');
    api_put_alarm_members(out, engine, s->alarm);
    api_out_room(out, (size_t)s->alarm->press_count * PRESS_ROOM + 1024);
    alarm_json_presses(&out->o, engine_conf(engine), s->board, s->alarm, 0, s->alarm->press_count);
    put_events(out, s);
    if (site)
        api_put_guide(out, "guide", api, site);
    api_out_room(out, 16);
    json_close(&out->o, '}');
}

static void tell_alarm(struct api *api, struct web_request *request, const struct api_story *s, bool option)
{
    struct api_out out;
    api_out_begin(&out, ALARM_ROOM);
    put_story(&out, api, s);
    api_out_answer(&out, request);
}

void api_alarm(struct api_call *c)
{
    api_tell_story(c, tell_alarm, false);
}

/* --- Many alarms: the open ones are on the board, the others are told from their lines, one after the other.
 */

enum wanted { WANTED_OPEN, WANTED_CLOSED, WANTED_ALL };

struct list {
    struct api *api;
    struct web_request *request;
    struct api_out out;
    enum wanted wanted;
    char account[LIMIT_ID], site[LIMIT_ID];
    uint64_t before, limit, count, scanned;
    uint64_t began_ns;
    bool full, ended; /* there is more than it may hold | there is no more */
    /* the opened alarms of the page of the journal that is being looked at */
    char (*ids)[LIMIT_ALARM_ID];
    uint64_t *seqs;
    size_t id_count, id_next;
};

static void list_step(struct list *);

static void list_free(struct list *l)
{
    struct api *api = l->api;
    api_out_free(&l->out);
    free(l->ids);
    free(l->seqs);
    free(l);
    api_release(api);
}

static void list_answer(struct list *);

/* What was found until something went wrong is a page, too. */
static void list_fail(struct list *l, const char *why)
{
    if (l->count > 0 && !l->api->closing && api_account(l->api, l->account)) {
        l->full = true;
        list_answer(l);
        return;
    }
    api_busy(l->request, why);
    list_free(l);
}

static void list_answer(struct list *l)
{
    struct json_out *o = &l->out.o;
    api_out_room(&l->out, 64);
    json_close(o, ']');
    if (l->full)
        json_unsigned(o, "next", l->before);
    else
        json_text(o, "next", NULL);
    json_close(o, '}');
    api_out_answer(&l->out, l->request);
    l->out = (struct api_out){0};
    list_free(l);
}

static bool list_wants(const struct list *l, const struct alarm *a)
{
    bool closed = a->state == ALARM_CLOSED;
    return (l->wanted == WANTED_ALL || closed == (l->wanted == WANTED_CLOSED)) &&
           (l->site[0] == '\0' || strcmp(l->site, a->site) == 0) &&
           api_sees(api_account(l->api, l->account), a->site);
}

static void list_put(struct list *l, const struct alarm *a)
{
    if (!list_wants(l, a))
        return;
    api_put_alarm(&l->out, NULL, l->api->options.engine, a);
    l->count++;
}

struct placed {
    uint64_t place;
    struct alarm *alarm;
};

static int newest_first(const void *a, const void *b)
{
    uint64_t x = ((const struct placed *)a)->place, y = ((const struct placed *)b)->place;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Where an alarm of the board stands among all, for `before`. One that the journal never took has no place in it, and
 * may be the newest: it stands in front of all that have one. */
static uint64_t place_of(const struct board *board, const struct alarm *a)
{
    return a->opened_seq ? a->opened_seq : PLACES_UNRECORDED + board_number(board, a);
}

/* The alarms of the board that are wanted, the newest first; with `unrecorded` only those that the journal
 * does not have, or not yet. Ends the list when it is full. */
static bool list_board(struct list *l, bool unrecorded)
{
    struct board *board = engine_board(l->api->options.engine);
    uint64_t committed = engine_journal(l->api->options.engine).committed_seq;
    struct placed *found = calloc(LIMIT_ALARMS, sizeof *found); /* touched only as far as it is used */
    size_t count = 0;
    if (!found)
        return false;
    for (struct alarm *a = NULL; (a = board_next_alarm(board, a));) {
        uint64_t place = place_of(board, a);
        if (list_wants(l, a) && (!unrecorded || place > committed) && (!l->before || place < l->before))
            found[count++] = (struct placed){place, a};
    }
    qsort(found, count, sizeof *found, newest_first);
    for (size_t i = 0; i < count && l->count < l->limit; i++) {
        list_put(l, found[i].alarm);
        l->before = found[i].place;
    }
    l->full = count > l->count;
    free(found);
    return true;
}

static void on_list_story(void *ctx, const struct api_story *s)
{
    struct list *l = ctx;
    if (l->api->closing || s->error) {
        list_fail(l, s->error ? s->error : "The daemon is stopping.");
        return;
    }
    if (s->alarm)
        list_put(l, s->alarm);
    l->before = l->seqs[l->id_next - 1];
    list_step(l);
}

/* Keeps of a page of "opened" lines what may be wanted, so that as little as possible is read again. */
static void on_opened(void *ctx, const struct history_lines *lines)
{
    struct list *l = ctx;
    const struct conf_account *account = l->api->closing ? NULL : api_account(l->api, l->account);
    if (lines->error || !account) {
        list_fail(l, "The journal cannot be read now; try again.");
        return;
    }
    l->id_count = l->id_next = 0;
    for (size_t i = 0; i < lines->count; i++) {
        struct event e;
        char why[LIMIT_TEXT];
        l->scanned++;
        if (!event_decode(lines->lines[i], strlen(lines->lines[i]), &e, why) ||
            e.type != EVENT_PRESS_RECEIVED)
            continue;
        if ((l->site[0] && strcmp(l->site, e.press.site) != 0) || !api_sees(account, e.press.site))
            continue;
        memcpy(l->ids[l->id_count], e.alarm, LIMIT_ALARM_ID);
        l->seqs[l->id_count++] = lines->seqs[i];
    }
    l->ended = !lines->more;
    if (l->id_count == 0 && lines->count > 0)
        l->before = lines->seqs[lines->count - 1];
    list_step(l);
}

static void list_step(struct list *l)
{
    bool late = l->count > 0 && uv_hrtime() - l->began_ns > PAGE_MS * 1000000ULL;
    while (l->id_next < l->id_count && l->count < l->limit && !late) {
        size_t i = l->id_next++;
        const struct alarm *a = board_alarm(engine_board(l->api->options.engine), l->ids[i]);
        if (!a) {
            api_story(l->api, l->ids[i], on_list_story, l);
            return;
        }
        list_put(l, a);
        l->before = l->seqs[i];
    }
    l->full = l->full || l->id_next < l->id_count ||
              (!l->ended && (late || l->count == l->limit || l->scanned >= SCAN_MAX));
    if (l->full || l->ended)
        list_answer(l);
    else
        history_found_as(l->api->options.history, "opened", l->before, (unsigned)l->limit, on_opened, l);
}

static bool wanted_of(struct api_call *c, enum wanted *wanted)
{
    static const char *const names[] = {
        [WANTED_OPEN] = "open", [WANTED_CLOSED] = "closed", [WANTED_ALL] = "all"};
    const char *text = web_query(c->request, "state");
    for (int i = 0; text && i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *wanted = (enum wanted)i;
            return true;
        }
    if (text)
        api_bad_query(c, "state", "open, closed or all is needed");
    return !text;
}

static void list_begin(struct list *l)
{
    api_out_begin(&l->out, ALARM_ROOM * 2);
    json_open(&l->out.o, NULL, '{');
    json_open(&l->out.o, "alarms", '[');
    if (!list_board(l, l->wanted != WANTED_OPEN)) {
        list_fail(l, "There is no memory for this answer; try again later.");
        return;
    }
    l->ended = l->wanted == WANTED_OPEN;
    list_step(l);
}

void api_alarms(struct api_call *c)
{
    struct list l = {.api = c->api, .request = c->request, .limit = 100, .began_ns = uv_hrtime()};
    const char *site = web_query(c->request, "site");
    if (!wanted_of(c, &l.wanted) || !api_query_number(c, "limit", 1, 1000, &l.limit) ||
        !api_query_number(c, "before", 1, UINT64_MAX, &l.before))
        return;
    if (site && !api_site(c, site))
        return;
    snprintf(l.site, sizeof l.site, "%.*s", LIMIT_ID - 1, site ? site : "");
    snprintf(l.account, sizeof l.account, "%.*s", LIMIT_ID - 1, c->account->id);
    struct list *list = malloc(sizeof l);
    l.ids = calloc(l.limit, sizeof *l.ids);
    l.seqs = calloc(l.limit, sizeof *l.seqs);
    if (!list || !l.ids || !l.seqs) {
        free(list);
        free(l.ids);
        free(l.seqs);
        api_busy(c->request, "There is no memory for this answer; try again later.");
        return;
    }
    *list = l;
    api_hold(c->api);
    list_begin(list);
}
