/* What was known at a moment: the daemon's own core, applied to the journal up to a line.
 *
 * Lines are read in pages by the history (its own connections, a second at most each) and applied on libuv's
 * pool, so the loop never waits. One replay is under way at a time. Its board is kept: stepping on from there
 * is quick, and a question that was not answered in time goes on, and is answered when it is asked again. On
 * its way it is saved now and then, so that going back does not begin at the journal's first line either. */
#include "codec/event_json.h"
#include "io/api_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 5000 /* lines applied at once */
#define ITEM_ROOM 8192
#define PRESS_ROOM 2048
#define SAVES 32
#define SAVES_BYTES (32 << 20)
#define SAVE_EVERY 10000 /* lines, at first: a tenth of a second's work */

/* The board as it was after line `seq`. */
struct save {
    uint64_t seq;
    int64_t at_ms;
    size_t size;
    void *bytes;
};

/* The board that is kept, and the question that it is being made ready for. */
struct api_replay {
    struct api *api;
    uv_work_t work;
    struct board *board;
    uint64_t applied;           /* the last line that it knows of */
    int64_t at_ms;              /* when that was */
    char alarm[LIMIT_ALARM_ID]; /* only this one's lines; "" = all */
    struct save saves[SAVES];   /* of boards of all lines, in order */
    unsigned save_count;
    uint64_t save_every;
    struct web_request *request; /* NULL: nothing is under way */
    uint64_t wanted;
    char account[LIMIT_ID];
    size_t count;
    char **lines;
    bool ended; /* there are no more lines */
    bool cut;   /* the alarm has more than were read */
};

static void lines_free(struct api_replay *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->lines[i]);
    free(r->lines);
    r->lines = NULL;
    r->count = 0;
}

/* --- Boards that are kept for going back. */

/* Every second one goes, and from now on they are twice as far apart. */
static void saves_thin_out(struct api_replay *r)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < r->save_count; i++) {
        if (i % 2 == 1)
            r->saves[kept++] = r->saves[i];
        else
            free(r->saves[i].bytes);
    }
    r->save_count = kept;
    r->save_every *= 2;
}

static bool saves_are_full(const struct api_replay *r, size_t more)
{
    size_t bytes = more;
    for (unsigned i = 0; i < r->save_count; i++)
        bytes += r->saves[i].size;
    return r->save_count == SAVES || bytes > SAVES_BYTES;
}

/* On the pool. Without memory for it going back only takes longer. */
static void save(struct api_replay *r)
{
    uint64_t last = r->save_count ? r->saves[r->save_count - 1].seq : 0;
    if (r->alarm[0] || r->applied < last + r->save_every)
        return;
    struct save s = {.seq = r->applied, .at_ms = r->at_ms, .size = board_save(r->board, NULL, 0)};
    while (r->save_count && saves_are_full(r, s.size))
        saves_thin_out(r);
    if (s.size > SAVES_BYTES || !(s.bytes = malloc(s.size)))
        return;
    board_save(r->board, s.bytes, s.size);
    r->saves[r->save_count++] = s;
}

/* The newest that is not behind `seq`; NULL: none. */
static const struct save *save_before(const struct api_replay *r, uint64_t seq)
{
    const struct save *found = NULL;
    for (unsigned i = 0; i < r->save_count && r->saves[i].seq <= seq; i++)
        found = &r->saves[i];
    return found;
}

void api_replay_finish(struct api *api)
{
    if (!api->replay)
        return;
    for (unsigned i = 0; i < api->replay->save_count; i++)
        free(api->replay->saves[i].bytes);
    board_destroy(api->replay->board);
    free(api->replay);
}

static void put_alarms(struct api_out *out, struct api_replay *r)
{
    struct engine *engine = r->api->options.engine;
    json_open(&out->o, "alarms", '[');
    for (struct alarm *a = NULL; (a = board_next_alarm(r->board, a));) {
        json_open(&out->o, NULL, '{');
        api_put_alarm_members(out, engine, a);
        api_out_room(out, (size_t)a->press_count * PRESS_ROOM + ITEM_ROOM);
        alarm_json_presses(&out->o, engine_conf(engine), r->board, a, 0, a->press_count);
        json_close(&out->o, '}');
    }
    json_close(&out->o, ']');
}

static void put_troubles(struct api_out *out, const struct api_replay *r)
{
    struct json_out *o = &out->o;
    json_open(o, "troubles", '[');
    for (const struct trouble *t = NULL; (t = board_next_trouble(r->board, t));) {
        api_out_room(out, ITEM_ROOM);
        json_open(o, NULL, '{');
        json_text(o, "code", trouble_code_str(t->code));
        json_text(o, "part", t->part);
        json_text(o, "text", t->text);
        json_time(o, "at", t->at_ms);
        json_unsigned(o, "seq", t->seq);
        json_close(o, '}');
    }
    api_out_room(out, 64);
    json_close(o, ']');
}

static void answer(struct api_replay *r)
{
    struct api *api = r->api;
    struct web_request *request = r->request;
    r->request = NULL;
    if (api->closing) {
        api_busy(request, "The daemon is stopping.");
    } else if (r->alarm[0] && !board_next_alarm(r->board, NULL)) {
        api_no_alarm(request);
    } else {
        struct api_out out;
        api_out_begin(&out, ITEM_ROOM);
        json_open(&out.o, NULL, '{');
        json_unsigned(&out.o, "seq", r->applied);
        json_time(&out.o, "at", r->at_ms);
        json_unsigned(&out.o, "first_seq", 1);
        json_unsigned(&out.o, "last_seq", engine_journal(api->options.engine).committed_seq);
        json_bool(&out.o, "cut", r->cut);
        put_alarms(&out, r);
        put_troubles(&out, r);
        json_close(&out.o, '}');
        api_out_answer(&out, request);
    }
    api_release(api);
}

/* On the pool: only core and codec, which touch nothing but what they are given. */
static void apply_lines(uv_work_t *work)
{
    struct api_replay *r = work->data;
    for (size_t i = 0; i < r->count; i++) {
        struct event e;
        char why[LIMIT_TEXT];
        if (!event_decode(r->lines[i], strlen(r->lines[i]), &e, why))
            continue;
        board_apply(r->board, &e);
        r->applied = e.seq;
        r->at_ms = e.at_ms;
    }
    save(r);
}

static void read_on(struct api_replay *r);

static void applied(uv_work_t *work, int status)
{
    struct api_replay *r = work->data;
    lines_free(r);
    if (r->api->closing || r->ended || r->applied >= r->wanted)
        answer(r);
    else
        read_on(r);
}

static void on_lines(void *ctx, const struct history_lines *lines)
{
    struct api_replay *r = ctx;
    r->lines = calloc(lines->count + 1, sizeof *r->lines);
    for (size_t i = 0; r->lines && i < lines->count && lines->seqs[i] <= r->wanted; i++)
        if ((r->lines[r->count] = strdup(lines->lines[i])))
            r->count++;
    r->cut = r->alarm[0] && lines->more;
    r->ended = r->alarm[0] ? true : !lines->more;
    if (!lines->error && !r->api->closing && r->lines &&
        uv_queue_work(r->api->options.loop, &r->work, apply_lines, applied) == 0)
        return;
    lines_free(r);
    api_busy(r->request, "The journal cannot be read now; try again.");
    r->request = NULL;
    api_release(r->api);
}

static void read_on(struct api_replay *r)
{
    if (r->alarm[0])
        history_alarm(r->api->options.history, r->alarm, API_STORY_LINES, on_lines, r);
    else
        history_range(r->api->options.history, r->applied + 1, PAGE, on_lines, r);
}

/* A board on which the question can go on: the kept one or a saved one, whichever is nearer, else an empty
 * one. */
static bool make_ready(struct api_replay *r, const char *alarm, uint64_t seq)
{
    bool goes_on = r->board && !alarm && !r->alarm[0] && r->applied <= seq;
    const struct save *saved = alarm ? NULL : save_before(r, seq);
    if (!goes_on || (saved && saved->seq > r->applied)) {
        board_destroy(r->board);
        r->board = board_create();
        bool loaded = r->board && saved && board_load(r->board, saved->bytes, saved->size);
        r->applied = loaded ? saved->seq : 0;
        r->at_ms = loaded ? saved->at_ms : 0;
    }
    snprintf(r->alarm, sizeof r->alarm, "%s", alarm ? alarm : "");
    r->wanted = seq;
    return r->board != NULL;
}

void api_replay(struct api_call *c)
{
    struct api *api = c->api;
    const char *alarm = web_query(c->request, "alarm");
    uint64_t seq = 0;
    if (!api_query_number(c, "seq", 1, UINT64_MAX, &seq))
        return;
    if (seq == 0) {
        api_bad_query(c, "seq", "the number of a journal line is needed");
        return;
    }
    if (alarm && (!alarm[0] || strlen(alarm) >= LIMIT_ALARM_ID)) {
        api_bad_query(c, "alarm", "the id of an alarm is needed");
        return;
    }
    if (!api->replay && (api->replay = calloc(1, sizeof *api->replay))) {
        api->replay->api = api;
        api->replay->work.data = api->replay;
        api->replay->save_every = SAVE_EVERY;
    }
    struct api_replay *r = api->replay;
    if (!r || r->request || !make_ready(r, alarm, seq)) {
        api_busy(c->request, "Another replay is under way; try again in a moment.");
        return;
    }
    r->request = c->request;
    api_hold(api);
    if (r->applied == seq)
        answer(r);
    else
        read_on(r);
}
