#include "codec/event_json.h"
#include "io/api_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX (4 << 20) /* bytes of journal lines in one answer; the rest is the next page */
#define NOT_READABLE "The journal cannot be read now; try again."

/* One question to the history on its way. */
struct question {
    struct api *api;
    struct web_request *request;
    char account[LIMIT_ID];
    uint64_t a, b; /* from and limit | before and limit | old and new size | seq and size */
    struct api_out out;
    uint64_t count, scanned;
};

static struct question *question_make(struct api_call *c)
{
    struct question *q = calloc(1, sizeof *q);
    if (!q) {
        api_busy(c->request, "There is no memory for this answer; try again later.");
        return NULL;
    }
    q->api = c->api;
    q->request = c->request;
    snprintf(q->account, sizeof q->account, "%.*s", LIMIT_ID - 1, c->account->id);
    api_hold(c->api);
    return q;
}

static void question_end(struct question *q)
{
    struct api *api = q->api;
    free(q);
    api_release(api);
}

/* --- The lines. */

static void on_range(void *ctx, const struct history_lines *lines)
{
    struct question *q = ctx;
    size_t size = 0, count = 0;
    for (; count < lines->count && size < LINES_MAX; count++)
        size += strlen(lines->lines[count]) + 1;
    char *text = malloc(size + 1);
    if (lines->error || !text) {
        free(text);
        api_busy(q->request, NOT_READABLE);
        question_end(q);
        return;
    }
    char *end = text;
    for (size_t i = 0; i < count; i++)
        end = stpcpy(stpcpy(end, lines->lines[i]), "\n");
    char link[160] = "";
    if (lines->more || count < lines->count)
        snprintf(link, sizeof link,
                 "Link: </api/v1/journal?from=%" PRIu64 "&limit=%" PRIu64 ">; rel=\"next\"",
                 lines->seqs[count - 1] + 1, q->b);
    web_answer_take(q->request, 200, "application/x-ndjson", link, text, size);
    question_end(q);
}

void api_journal(struct api_call *c)
{
    uint64_t from = 1, limit = 1000;
    if (!api_query_number(c, "from", 1, UINT64_MAX, &from) || !api_query_number(c, "limit", 1, 10000, &limit))
        return;
    struct question *q = question_make(c);
    if (!q)
        return;
    q->b = limit;
    history_range(c->api->options.history, from, (unsigned)limit, on_range, q);
}

/* --- What was refused. */

static void refused_answer(struct question *q, bool more)
{
    struct json_out *o = &q->out.o;
    api_out_room(&q->out, 64);
    json_close(o, ']');
    if (more)
        json_unsigned(o, "next", q->a);
    else
        json_text(o, "next", NULL);
    json_close(o, '}');
    api_out_answer(&q->out, q->request);
    question_end(q);
}

static void on_refused(void *ctx, const struct history_lines *lines)
{
    struct question *q = ctx;
    const struct conf_account *account = q->api->closing ? NULL : api_account(q->api, q->account);
    if (lines->error || !account) {
        api_out_free(&q->out);
        api_busy(q->request, NOT_READABLE);
        question_end(q);
        return;
    }
    size_t i = 0;
    for (; i < lines->count && q->count < q->b; i++) {
        struct event e;
        char why[LIMIT_TEXT];
        size_t size = strlen(lines->lines[i]);
        q->a = lines->seqs[i];
        q->scanned++;
        if (!event_decode(lines->lines[i], size, &e, why) || e.type != EVENT_PRESS_REFUSED ||
            !api_sees(account, e.press.site))
            continue;
        api_out_room(&q->out, size + 16);
        json_raw(&q->out.o, NULL, lines->lines[i], size);
        q->count++;
    }
    bool more = lines->more || i < lines->count;
    if (!more || q->count == q->b || q->scanned >= 10 * q->b)
        refused_answer(q, more);
    else
        history_found_as(q->api->options.history, "refused", q->a, (unsigned)q->b, on_refused, q);
}

void api_refused(struct api_call *c)
{
    uint64_t before = 0, limit = 100;
    if (!api_query_number(c, "limit", 1, 1000, &limit) ||
        !api_query_number(c, "before", 1, UINT64_MAX, &before))
        return;
    struct question *q = question_make(c);
    if (!q)
        return;
    q->a = before;
    q->b = limit;
    api_out_begin(&q->out, 16 * 1024);
    json_open(&q->out.o, NULL, '{');
    json_open(&q->out.o, "refused", '[');
    history_found_as(c->api->options.history, "refused", before, (unsigned)limit, on_refused, q);
}

/* --- What proves it. */

static void on_checkpoint(void *ctx, const char *text, size_t size, const char *error)
{
    struct question *q = ctx;
    if (error)
        api_busy(q->request, NOT_READABLE);
    else if (!text || size == 0)
        api_problem(q->request, &(struct api_problem){.type = API_NOT_FOUND}, "There is no checkpoint yet.");
    else
        web_answer(q->request, 200, "text/plain; charset=utf-8", NULL, text, size);
    question_end(q);
}

void api_checkpoint(struct api_call *c)
{
    struct question *q = question_make(c);
    if (q)
        history_checkpoint(c->api->options.history, on_checkpoint, q);
}

static void put_path(struct json_out *o, const struct history_proof *proof)
{
    json_open(o, "path", '[');
    for (size_t i = 0; i < proof->path_count; i++)
        json_base64(o, NULL, proof->path[i], 32);
    json_close(o, ']');
}

static void on_inclusion(void *ctx, const struct history_proof *proof)
{
    struct question *q = ctx;
    if (proof->error) {
        api_busy(q->request, NOT_READABLE);
    } else {
        struct api_out out;
        api_out_begin(&out, 8192 + proof->path_count * 64);
        json_open(&out.o, NULL, '{');
        json_unsigned(&out.o, "seq", proof->index + 1);
        json_unsigned(&out.o, "index", proof->index);
        json_unsigned(&out.o, "size", proof->size);
        json_base64(&out.o, "leaf", proof->leaf, sizeof proof->leaf);
        put_path(&out.o, proof);
        json_close(&out.o, '}');
        api_out_answer(&out, q->request);
    }
    question_end(q);
}

static void on_consistency(void *ctx, const struct history_proof *proof)
{
    struct question *q = ctx;
    if (proof->error) {
        api_busy(q->request, NOT_READABLE);
    } else {
        struct api_out out;
        api_out_begin(&out, 8192 + proof->path_count * 64);
        json_open(&out.o, NULL, '{');
        json_unsigned(&out.o, "old", q->a);
        json_unsigned(&out.o, "new", q->b);
        put_path(&out.o, proof);
        json_close(&out.o, '}');
        api_out_answer(&out, q->request);
    }
    question_end(q);
}

/* Two numbers, the first needed and not above the second, which is the present size when it is not given. */
static bool two_numbers(struct api_call *c, const char *first, const char *second, uint64_t *a, uint64_t *b)
{
    uint64_t size = engine_journal(c->api->options.engine).committed_seq;
    *b = size;
    if (!web_query(c->request, first)) {
        api_bad_query(c, first, "is needed");
        return false;
    }
    if (size == 0) {
        api_problem(c->request, &(struct api_problem){.type = API_NOT_FOUND}, "The journal is still empty.");
        return false;
    }
    return api_query_number(c, second, 1, size, b) && api_query_number(c, first, 1, *b, a);
}

void api_proof(struct api_call *c)
{
    uint64_t seq, size;
    struct question *q = two_numbers(c, "seq", "size", &seq, &size) ? question_make(c) : NULL;
    if (q)
        history_inclusion(c->api->options.history, seq, size, on_inclusion, q);
}

void api_consistency(struct api_call *c)
{
    uint64_t old_size, new_size;
    struct question *q = two_numbers(c, "old", "new", &old_size, &new_size) ? question_make(c) : NULL;
    if (!q)
        return;
    q->a = old_size;
    q->b = new_size;
    history_consistency(c->api->options.history, old_size, new_size, on_consistency, q);
}
