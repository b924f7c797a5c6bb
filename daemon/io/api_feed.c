#include "codec/event_json.h"
#include "io/api_internal.h"
#include "memory.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG_MAX (200 * 1024) /* bytes sent to one that resumes before it has to ask again */
#define PAGE 500                 /* journal lines read at once */
#define PUT_ID 32                /* bytes of a block that is only an id, with NUL */

/* --- What was applied lately. */

void api_feeds_init(struct api *api)
{
    api->last_seq = engine_journal(api->options.engine).committed_seq;
}

void api_feeds_finish(struct api *api)
{
    for (size_t i = 0; i < API_RECENT; i++)
        free(api->recent[i].text);
}

struct heard {
    const struct api *api;
    const char *site;
};

static bool hears(void *ctx, const char *tag)
{
    const struct heard *h = ctx;
    return api_sees(api_tagged(h->api, tag), h->site);
}

/* One event as server-sent text into `m`. */
static void message_set(struct api_recent *m, uint64_t seq, const char *type, const char *line, size_t size)
{
    size_t wanted = size + 128;
    if (m->capacity < wanted) {
        m->text = memory_resize(m->text, wanted); /* a desk that misses an event would not know it */
        m->capacity = wanted;
    }
    m->id_size = seq ? (size_t)snprintf(m->text, m->capacity, "id: %" PRIu64 "\n", seq) : 0;
    size_t head = m->id_size;
    head += (size_t)snprintf(m->text + head, m->capacity - head, "event: %s\ndata: ", type);
    memcpy(m->text + head, line, size);
    memcpy(m->text + head + size, "\n\n", 2);
    m->size = head + size + 2;
    m->seq = seq;
}

/* Who has heard everything may resume from here. After a crash, the number of what the journal does not have yet is
 * another event's. */
static uint64_t resumable(const struct api *api)
{
    uint64_t committed = engine_journal(api->options.engine).committed_seq;
    return committed < api->last_seq ? committed : api->last_seq;
}

/* What has to be left out at the beginning: the id of what is not recorded yet. */
static size_t without_id(const struct api *api, const struct api_recent *m)
{
    return m->seq <= resumable(api) ? 0 : m->id_size;
}

static size_t put_id(char text[PUT_ID], uint64_t seq)
{
    return (size_t)snprintf(text, PUT_ID, "id: %" PRIu64 "\n\n", seq);
}

/* What went out without its id is recorded by now, or the beginning of it. */
static void tell_id(struct api *api)
{
    char text[PUT_ID];
    uint64_t seq = resumable(api);
    if (!api->untold_seq || api->untold_seq > seq)
        return;
    web_publish(api->web, text, put_id(text, seq), NULL, NULL);
    api->untold_seq = seq < api->last_seq ? seq + 1 : 0;
}

void api_event(struct api *api, const struct event *e, const char *line, size_t size)
{
    struct api_recent *m = &api->recent[api->recent_count % API_RECENT];
    tell_id(api);
    if (!api_event_site(api, e, m->site))
        memcpy(m->site, NOBODYS, sizeof NOBODYS);
    if (e->seq > api->last_seq)
        api->last_seq = e->seq;
    message_set(m, e->seq, event_type_str(e->type), line, size);
    api->recent_count++;
    size_t skip = without_id(api, m);
    if (skip && !api->untold_seq)
        api->untold_seq = e->seq;
    struct heard heard = {.api = api, .site = m->site};
    web_publish(api->web, m->text + skip, m->size - skip, hears, &heard);
    api_archive_kick(api);
}

/* --- One that resumes: first from the journal, then from what was applied lately, then live. */

struct resume {
    struct api *api;
    struct web_request *request;
    char tag[API_TAG];
    uint64_t after;               /* everything up to here was sent or withheld */
    char unknown[LIMIT_ALARM_ID]; /* the alarm whose site is being looked up */
    size_t size;
    char text[WEB_FEED_BUFFER];
};

static void resume_step(struct resume *);

static bool resume_add(struct resume *f, const char *text, size_t size)
{
    if (f->size + size > BACKLOG_MAX)
        return false;
    memcpy(f->text + f->size, text, size);
    f->size += size;
    return true;
}

static void resume_end(struct resume *f)
{
    struct api *api = f->api;
    free(f);
    api_release(api);
}

static void resume_fail(struct resume *f)
{
    api_busy(f->request, "The journal cannot be read now; try again.");
    resume_end(f);
}

/* It is too much for once: an answer that ends, and says how far it came, recorded or not: from an earlier place it
 * would come no further the next time. */
static void resume_later(struct resume *f)
{
    f->size += put_id(f->text + f->size, f->after);
    web_answer(f->request, 200, "text/event-stream", NULL, f->text, f->size);
    resume_end(f);
}

static void resume_live(struct resume *f)
{
    uint64_t most = resumable(f->api);
    f->size += put_id(f->text + f->size, f->after < most ? f->after : most);
    web_feed(f->request, f->tag, f->text, f->size);
    resume_end(f);
}

/* The oldest place among the recent events from which on there is no gap; 0 = there are none. */
static uint64_t recent_first(const struct api *api)
{
    uint64_t i = api->recent_count > API_RECENT ? api->recent_count - API_RECENT : 0;
    for (; i < api->recent_count; i++)
        if (api->recent[i % API_RECENT].seq)
            return api->recent[i % API_RECENT].seq;
    return 0;
}

static void resume_recent(struct resume *f)
{
    const struct api *api = f->api;
    const struct conf_account *account = api_tagged(api, f->tag);
    uint64_t i = api->recent_count > API_RECENT ? api->recent_count - API_RECENT : 0;
    for (; i < api->recent_count; i++) {
        const struct api_recent *m = &api->recent[i % API_RECENT];
        if (m->seq <= f->after)
            continue;
        size_t skip = without_id(api, m);
        if (api_sees(account, m->site) && !resume_add(f, m->text + skip, m->size - skip)) {
            resume_later(f);
            return;
        }
        f->after = m->seq;
    }
    resume_live(f);
}

static void on_first_line(void *ctx, const struct history_lines *lines)
{
    struct resume *f = ctx;
    struct event e;
    char why[LIMIT_TEXT];
    if (lines->error) { /* whose it is may be known the next time: to withhold it now would leave a gap */
        resume_fail(f);
        return;
    }
    bool ok = lines->count > 0 && event_decode(lines->lines[0], strlen(lines->lines[0]), &e, why) &&
              e.type == EVENT_PRESS_RECEIVED;
    api_place_put(f->api, f->unknown, ok ? e.press.site : NOBODYS);
    resume_step(f);
}

/* False: this line has to wait: its alarm's site is being looked up, or there is no more room. */
static bool resume_line(struct resume *f, const struct conf_account *account, uint64_t seq, const char *line)
{
    struct event e;
    char why[LIMIT_TEXT], site[LIMIT_ID];
    size_t size = strlen(line);
    if (!event_decode(line, size, &e, why))
        return true; /* of another version; a gap in the screen is better than no screen */
    if (account->site_count == 0)
        site[0] = '\0';
    else if (!api_event_site(f->api, &e, site)) {
        snprintf(f->unknown, sizeof f->unknown, "%.*s", LIMIT_ALARM_ID - 1,
                 e.alarm[0] ? e.alarm : e.trouble.part);
        return false;
    }
    struct api_recent m = {0};
    if (!api_sees(account, site))
        return true;
    message_set(&m, seq, event_type_str(e.type), line, size);
    bool ok = resume_add(f, m.text, m.size);
    free(m.text);
    return ok;
}

static void on_page(void *ctx, const struct history_lines *lines)
{
    struct resume *f = ctx;
    const struct conf_account *account = f->api->closing ? NULL : api_tagged(f->api, f->tag);
    bool lost = lines->error && engine_journal(f->api->options.engine).state == JOURNAL_DEGRADED;
    size_t count = lost ? 0 : lines->count;
    if (!account || (lines->error && !lost)) {
        resume_fail(f);
        return;
    }
    for (size_t i = 0; i < count && lines->seqs[i] <= f->api->last_seq; i++) {
        f->unknown[0] = '\0';
        if (!resume_line(f, account, lines->seqs[i], lines->lines[i])) {
            if (f->unknown[0])
                history_alarm(f->api->options.history, f->unknown, 1, on_first_line, f);
            else
                resume_later(f);
            return;
        }
        f->after = lines->seqs[i];
    }
    if (count == 0) { /* the journal does not have it (yet), or is itself lost: go on with what we have */
        uint64_t first = recent_first(f->api);
        f->after = first ? first - 1 : f->api->last_seq;
    }
    resume_step(f);
}

static void resume_step(struct resume *f)
{
    if (f->api->closing) {
        api_busy(f->request, "The daemon is stopping.");
        resume_end(f);
        return;
    }
    uint64_t first = recent_first(f->api);
    if ((first > 0 && f->after + 1 >= first) || f->after >= f->api->last_seq)
        resume_recent(f);
    else
        history_range(f->api->options.history, f->after + 1, PAGE, on_page, f);
}

/* How far the client came; false: answered. Without a word about it, it starts now. */
static bool starting_point(struct api_call *c, uint64_t *after)
{
    uint64_t from = *after + 1;
    if (!api_query_number(c, "from", 0, UINT64_MAX, &from))
        return false;
    *after = from ? from - 1 : 0;
    const char *id = c->request->last_event_id;
    if (!id)
        return true;
    if (id[0] == '\0' || strspn(id, "0123456789") != strlen(id) || strlen(id) > 18) {
        api_bad_query(c, "Last-Event-ID", "the id of an event of this feed is needed, a whole number");
        return false;
    }
    *after = strtoull(id, NULL, 10);
    return true;
}

void api_feed(struct api_call *c)
{
    uint64_t after = c->api->last_seq;
    if (!starting_point(c, &after))
        return;
    if (c->head) {
        web_answer(c->request, 200, "text/event-stream", NULL, NULL, 0);
        return;
    }
    struct resume *f = malloc(sizeof *f);
    if (!f) {
        api_busy(c->request, "There is no memory for another feed; try again later.");
        return;
    }
    f->api = c->api;
    f->request = c->request;
    f->after = after < c->api->last_seq ? after : c->api->last_seq;
    api_tag(c, f->tag);
    f->size = (size_t)snprintf(f->text, sizeof f->text, "retry: 1000\n\n");
    api_hold(c->api);
    resume_step(f);
}
