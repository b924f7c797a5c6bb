/* The meaning of the archive: rows of closed alarms, made from their lines by the daemon's own core. */
#include "codec/event_json.h"
#include "io/api_internal.h"
#include "memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOARD_ALARMS 500

/* The alarm whose row is being made. The archive's thread's. */
struct api_archive {
    struct api *api;
    char id[LIMIT_ALARM_ID];
    struct board *board;   /* alarms do not meet on it: each is known by its id */
    unsigned board_alarms; /* that were made on it */
    bool closed;
    struct archive_row row;
    size_t press_at_capacity;
};

/* --- On the archive's thread: only core and codec, which touch nothing but what they are given. */

static enum archive_concern concern(void *ctx, const char *line, size_t size)
{
    struct event e;
    char why[LIMIT_TEXT];
    if (!event_decode(line, size, &e, why))
        return ARCHIVE_NOTHING;
    switch (e.type) {
    case EVENT_CLOSED:
        return ARCHIVE_MAKES;
    case EVENT_DEADLINE_PASSED:
        return e.deadline.kind == DEADLINE_TEST ? ARCHIVE_MAKES : ARCHIVE_NOTHING;
    case EVENT_DELIVERY_RESULT:
        return e.delivery.outcome == OUTCOME_RECEIVED ? ARCHIVE_RECEIVES : ARCHIVE_NOTHING;
    case EVENT_PRESS_RECEIVED:
    case EVENT_NOTE_ADDED:
        return ARCHIVE_CHANGES;
    case EVENT_ACKNOWLEDGED: /* a closed alarm takes none of them */
    case EVENT_COMING:
    case EVENT_ON_SCENE:
    case EVENT_DAEMON_STARTED:
    case EVENT_DAEMON_STOPPED:
    case EVENT_PRESS_REFUSED:
    case EVENT_TROUBLE_RAISED:
    case EVENT_TROUBLE_CLEARED:
    case EVENT_CONF_LOADED:
    case EVENT_JOURNAL_GAP:
    case EVENT_SIGNED_IN:
    case EVENT_SIGNED_OUT:
    case EVENT_SIGN_IN_REFUSED:
    case EVENT_ACTION_REFUSED:
    case EVENT_TYPE_COUNT:
        break;
    }
    return ARCHIVE_NOTHING;
}

/* Making a board takes as long as dozens of alarms: one is used for many, each once. */
static void renew_board(struct api_archive *m)
{
    if (m->board && m->board_alarms++ < BOARD_ALARMS && !board_alarm(m->board, m->id))
        return;
    board_destroy(m->board);
    m->board = board_create();
    m->board_alarms = 1;
    if (!m->board)
        memory_end();
}

static void begin(void *ctx, const char *alarm)
{
    struct api_archive *m = ctx;
    snprintf(m->id, sizeof m->id, "%s", alarm);
    renew_board(m);
    m->closed = false;
    m->press_at_capacity = 0;
    m->row = (struct archive_row){0};
    for (int i = 0; i < ARCHIVE_MOMENTS; i++)
        m->row.moment_ms[i] = ARCHIVE_NEVER;
}

static void add_zone(struct archive_row *row, const char *zone)
{
    unsigned i = 0;
    while (i < row->zone_count && strcmp(row->zones[i], zone) != 0)
        i++;
    if (i < row->zone_count || i == ARCHIVE_ZONES || !zone[0])
        return;
    snprintf(row->zones[row->zone_count++], LIMIT_ID, "%s", zone);
    archive_add_words(row, zone);
}

static void add_press(struct api_archive *m, const struct event *e)
{
    struct archive_row *row = &m->row;
    if (row->press_at_count == m->press_at_capacity) {
        m->press_at_capacity = m->press_at_capacity * 2 + 4;
        row->press_at_ms = memory_resize(row->press_at_ms, m->press_at_capacity * sizeof *row->press_at_ms);
    }
    row->press_at_ms[row->press_at_count++] = e->at_ms;
    add_zone(row, e->press.zone);
    if (!row->words || !memmem(row->words, row->words_size, e->press.device, strlen(e->press.device)))
        archive_add_words(row, e->press.device);
}

/* What has happened for the first time. An alarm that was opened again forgets who took it; the archive does
 * not. */
static void watch(struct archive_row *row, const struct alarm *a, int64_t ms)
{
    const struct {
        const char *by;
        char *first;
        enum archive_moment moment;
    } people[] = {{a->acknowledged_by, row->acknowledged_by, ARCHIVE_ACKNOWLEDGED},
                  {a->coming_by, row->coming_by, ARCHIVE_COMING},
                  {a->on_scene_by, row->on_scene_by, ARCHIVE_ON_SCENE}};
    for (size_t i = 0; i < sizeof people / sizeof *people; i++) {
        if (!people[i].by[0] || people[i].first[0])
            continue;
        snprintf(people[i].first, LIMIT_ID, "%s", people[i].by);
        row->moment_ms[people[i].moment] = ms;
    }
    for (unsigned i = 0; i < a->delivery_count && row->moment_ms[ARCHIVE_RECEIVED] == ARCHIVE_NEVER; i++)
        if (a->deliveries[i].told_version > 0)
            row->moment_ms[ARCHIVE_RECEIVED] = ms;
}

static void on_line(void *ctx, const char *line, size_t size, const char *note)
{
    struct api_archive *m = ctx;
    struct event e;
    char why[LIMIT_TEXT];
    if (!event_decode(line, size, &e, why))
        return;
    int64_t clock_ms = e.clock_ms;
    if (m->closed)
        e.clock_ms = board_alarm(m->board, m->id)
                         ->closed_clock_ms; /* or the board would let go of it before its last line */
    board_apply(m->board, &e);
    const struct alarm *a = board_alarm(m->board, m->id);
    if (!a)
        return;
    if (e.type == EVENT_PRESS_RECEIVED)
        add_press(m, &e);
    if (note)
        archive_add_words(&m->row, note);
    watch(&m->row, a, clock_ms - a->opened_clock_ms);
    bool closed = a->state == ALARM_CLOSED;
    if (closed && !m->closed) {
        m->row.closed_at_ms = e.at_ms;
        m->row.closed_ms = clock_ms - a->opened_clock_ms;
    }
    m->closed = closed;
}

static bool end(void *ctx, struct archive_row *out)
{
    struct api_archive *m = ctx;
    const struct alarm *a = board_alarm(m->board, m->id);
    struct archive_row *row = &m->row;
    if (m->closed) {
        memcpy(row->id, a->id, sizeof row->id);
        memcpy(row->site, a->site, sizeof row->site);
        memcpy(row->closed_by, a->closed_by, sizeof row->closed_by);
        row->seq = a->opened_seq;
        row->kind = a->kind;
        row->mode = a->mode;
        row->disposition = a->disposition;
        row->opened_at_ms = a->opened_at_ms;
        row->press_count = a->press_count;
        const char *words[] = {row->id,        row->site,        row->acknowledged_by,
                               row->coming_by, row->on_scene_by, row->closed_by};
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            archive_add_words(row, words[i]);
        *out = *row;
    } else {
        free(row->words);
        free(row->press_at_ms);
    }
    return m->closed;
}

/* --- On the loop. */

static void name(void *ctx, struct archive_row *row)
{
    struct api_archive *m = ctx;
    const struct conf_site *site = conf_site(engine_conf(m->api->options.engine), row->site);
    if (!site)
        return;
    archive_add_words(row, site->name ? site->name : "");
    archive_add_words(row, site->address ? site->address : "");
    for (unsigned i = 0; i < row->zone_count; i++) {
        const struct conf_zone *zone = conf_zone(site, row->zones[i]);
        archive_add_words(row, zone && zone->name ? zone->name : "");
    }
}

static void finish(void *ctx)
{
    struct api_archive *m = ctx;
    board_destroy(m->board);
    free(m);
}

void api_archive_begin(struct api *api)
{
    if (!api->options.journal_file)
        return;
    struct api_archive *m = memory_zeroed(1, sizeof *m);
    m->api = api;
    api->archive = archive_create(
        api->options.loop, api->options.journal_file,
        &(struct archive_maker){
            .ctx = m, .concern = concern, .begin = begin, .line = on_line, .end = end, .name = name, .finish = finish});
    api_archive_kick(api);
}

void api_archive_kick(struct api *api)
{
    if (api->archive)
        archive_kick(api->archive, engine_journal(api->options.engine).committed_seq);
}

void api_archive_finish(struct api *api)
{
    archive_destroy(api->archive);
    api->archive = NULL;
}
