#include "codec/event_json.h"
#include "io/api_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_MEMORY "There is no memory for this answer; try again later."

/* The lines come from the history's thread, the folding is done on libuv's pool: an alarm of thousands of
 * events must not keep the loop from the next press. */
struct fold {
    struct api *api;
    uv_work_t work;
    char id[LIMIT_ALARM_ID];
    api_story_fn *done;
    void *ctx;
    struct board *board; /* holds just this alarm */
    size_t count;
    char **lines, **notes;
    uint64_t *seqs;
    bool more;
};

static void fold_free(struct fold *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->lines[i]);
        free(f->notes[i]);
    }
    free(f->lines);
    free(f->notes);
    free(f->seqs);
    board_destroy(f->board);
    struct api *api = f->api;
    free(f);
    api_release(api);
}

static bool copy_lines(struct fold *f, const struct history_lines *lines)
{
    f->lines = calloc(lines->count, sizeof *f->lines);
    f->notes = calloc(lines->count, sizeof *f->notes);
    f->seqs = calloc(lines->count, sizeof *f->seqs);
    if (!f->lines || !f->notes || !f->seqs)
        return false;
    bool ok = true;
    for (; ok && f->count < lines->count; f->count++) {
        size_t i = f->count;
        f->lines[i] = strdup(lines->lines[i]);
        f->notes[i] = lines->notes[i] ? strdup(lines->notes[i]) : NULL;
        f->seqs[i] = lines->seqs[i];
        ok = f->lines[i] && (f->notes[i] || !lines->notes[i]);
    }
    f->more = lines->more;
    return ok;
}

/* On the pool: only core and codec, which touch nothing but what they are given. */
static void fold_work(uv_work_t *work)
{
    struct fold *f = work->data;
    f->board = board_create();
    for (size_t i = 0; f->board && i < f->count; i++) {
        struct event e;
        char why[LIMIT_TEXT];
        if (!event_decode(f->lines[i], strlen(f->lines[i]), &e, why))
            continue;
        const struct alarm *a = board_alarm(f->board, f->id);
        if (a && a->state == ALARM_CLOSED)
            e.clock_ms = a->closed_clock_ms; /* or the board would let go of it before its last line */
        board_apply(f->board, &e);
    }
}

static void fold_worked(uv_work_t *work, int status)
{
    struct fold *f = work->data;
    struct api_story s = {.error = f->board ? NULL : NO_MEMORY,
                          .alarm = f->board ? board_alarm(f->board, f->id) : NULL,
                          .board = f->board,
                          .count = f->count,
                          .lines = (const char *const *)f->lines,
                          .notes = (const char *const *)f->notes,
                          .seqs = f->seqs,
                          .more = f->more};
    f->done(f->ctx, &s);
    fold_free(f);
}

static void on_lines(void *ctx, const struct history_lines *lines)
{
    struct fold *f = ctx;
    struct board *board = f->api->closing ? NULL : engine_board(f->api->options.engine);
    struct api_story s = {.error = lines->error ? "The journal cannot be read now; try again." : NULL,
                          .alarm = board ? board_alarm(board, f->id) : NULL,
                          .board = board,
                          .count = lines->count,
                          .lines = lines->lines,
                          .notes = lines->notes,
                          .seqs = lines->seqs,
                          .more = lines->more};
    if (!s.alarm && !s.error && s.count > 0) {
        if (copy_lines(f, lines) &&
            uv_queue_work(f->api->options.loop, &f->work, fold_work, fold_worked) == 0)
            return;
        s.error = NO_MEMORY;
    }
    f->done(f->ctx, &s);
    fold_free(f);
}

void api_story(struct api *api, const char *alarm, api_story_fn *done, void *ctx)
{
    struct fold *f = calloc(1, sizeof *f);
    if (!f) {
        done(ctx, &(struct api_story){.error = NO_MEMORY});
        return;
    }
    f->api = api;
    f->work.data = f;
    snprintf(f->id, sizeof f->id, "%.*s", LIMIT_ALARM_ID - 1, alarm);
    f->done = done;
    f->ctx = ctx;
    api_hold(api);
    history_alarm(api->options.history, f->id, API_STORY_LINES, on_lines, f);
}

/* --- For whoever asks over the API. */

struct telling {
    struct api *api;
    struct web_request *request;
    char account[LIMIT_ID];
    struct event_access access; /* who asks, should it not be his */
    api_telling_fn *tell;
    bool option;
};

static void on_story(void *ctx, const struct api_story *s)
{
    struct telling *t = ctx;
    struct api *api = t->api;
    if (api->closing) {
        api_busy(t->request, "The daemon is stopping.");
    } else if (!s->alarm && s->error) {
        api_busy(t->request, s->error);
    } else if (!s->alarm || !api_sees(api_account(api, t->account), s->alarm->site)) {
        if (s->alarm)
            api_refusal(api, EVENT_ACTION_REFUSED, &t->access);
        api_no_alarm(t->request);
    } else {
        t->tell(api, t->request, s, t->option);
    }
    free(t);
    api_release(api);
}

void api_tell_story(struct api_call *c, api_telling_fn *tell, bool option)
{
    struct telling *t = malloc(sizeof *t);
    if (!t) {
        api_busy(c->request, NO_MEMORY);
        return;
    }
    *t = (struct telling){.api = c->api, .request = c->request, .tell = tell, .option = option};
    snprintf(t->account, sizeof t->account, "%.*s", LIMIT_ID - 1, c->account->id);
    api_access_of(c, ACCESS_SITE, &t->access);
    api_hold(c->api);
    api_story(c->api, c->ids[0], on_story, t);
}
