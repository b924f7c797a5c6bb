/* replay: an alarm or a period, told again at the pace it happened. */
#include "cli/alarms.h"
#include "cli/lines.h"
#include "cli/member.h"
#include "cli/terminal.h"
#include "codec/time_text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct replay {
    struct story *story;
    const char *alarm; /* its id or the beginning of it; NULL = everything */
    int64_t from_ms, to_ms;
    double speed;    /* 0 = at once */
    bool json, past; /* past: an entry after the period was seen */
    int64_t last_clock_ms;
    uint64_t told, next_seq;
};

/* Waits as long as it was between the event before and this one. */
static void keep_pace(struct replay *r, int64_t clock_ms)
{
    int64_t gap_ms = r->told > 0 ? clock_ms - r->last_clock_ms : 0;
    r->last_clock_ms = clock_ms;
    if (gap_ms <= 0 || r->speed <= 0)
        return;
    (void)terminal_flush();
    double seconds = (double)gap_ms / 1000 / r->speed;
    struct timespec pause = {.tv_sec = (time_t)seconds,
                             .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
        ;
}

static void tell(struct replay *r, const char *text, size_t size, const char *note, int64_t clock_ms)
{
    struct story_line line;
    keep_pace(r, clock_ms);
    r->told++;
    if (r->json) {
        say_json(text, size);
        return;
    }
    story_tell_line(r->story, text, size, note, &line);
    story_say(&line, !r->alarm);
}

static bool take_line(void *ctx, uint64_t seq, const char *text, size_t size, const char *note)
{
    struct replay *r = ctx;
    r->next_seq = seq + 1;
    json_t *event = json_loadb(text, size, 0, NULL);
    int64_t at_ms = member_time(event, "at"), clock_ms = member_number(event, "clock");
    bool wanted = !r->alarm || strncmp(member_text(event, "alarm"), r->alarm, strlen(r->alarm)) == 0;
    r->past = at_ms > r->to_ms;
    if (wanted && at_ms >= r->from_ms && !r->past)
        tell(r, text, size, note, clock_ms);
    json_decref(event);
    return true;
}

static int replay_period(struct replay *r, struct lines *l)
{
    uint64_t count = 0, from = 1;
    int result = lines_count(l, &count);
    if (result == RESULT_OK && r->from_ms > INT64_MIN)
        result = lines_from_moment(l, r->from_ms, &from);
    /* A wall clock that stepped back may hide a few more entries of the period: one page further is looked
     * at. */
    bool past_before = false;
    while (result == RESULT_OK && from <= count && !(past_before && r->past)) {
        past_before = r->past;
        r->next_seq = from;
        result = lines_page(l, from, LINES_PAGE, take_line, r);
        if (r->next_seq == from)
            break;
        from = r->next_seq;
        terminal_progress("", from - 1, count);
    }
    return result;
}

/* Asks the daemon for one alarm, which it finds faster than we in the whole journal. */
static int replay_alarm(struct replay *r, struct server *s, const char *given)
{
    char id[LIMIT_ALARM_ID];
    json_t *alarm = NULL;
    int result = alarms_resolve(s, given, id);
    if (result == RESULT_OK)
        result = alarms_fetch(s, id, &alarm);
    if (result == RESULT_OK)
        alarms_names(r->story, alarm);
    size_t i;
    const json_t *event;
    json_array_foreach(json_object_get(alarm, "events"), i, event)
    {
        char *text = json_dumps(event, JSON_COMPACT);
        int64_t at_ms = member_time(event, "at");
        if (text && at_ms >= r->from_ms && at_ms <= r->to_ms)
            tell(r, text, strlen(text), alarms_note(alarm, (uint64_t)member_number(event, "seq")),
                 member_number(event, "clock"));
        free(text);
    }
    json_decref(alarm);
    return result;
}

static bool read_moment(const struct invocation *inv, const char *name, int64_t otherwise, int64_t *out)
{
    const char *value = invocation_value(inv, name);
    *out = otherwise;
    if (!value || time_of_text(value, strlen(value), out))
        return true;
    complain_about(TEXT_USAGE_TIME, {"name", name}, {"value", value});
    return false;
}

static bool read_speed(const struct invocation *inv, double *out)
{
    const char *value = invocation_value(inv, "speed");
    char *end = NULL;
    *out = value ? strtod(value, &end) : 1;
    if (!value || (end != value && *end == '\0' && *out >= 0 && *out <= 1e6))
        return true;
    complain_about(TEXT_USAGE_SPEED, {"value", value});
    return false;
}

static int replay(const struct invocation *inv, struct replay *r)
{
    int result = RESULT_UNREACHABLE;
    const char *path = invocation_value(inv, "journal");
    struct server *s = path ? NULL : server_open(inv, &result);
    struct lines *l = path ? lines_of_path(path) : s && !r->alarm ? lines_of_server(s) : NULL;
    if (s && !r->json)
        server_names(s, r->story);
    if (l)
        result = replay_period(r, l);
    else if (s)
        result = replay_alarm(r, s, r->alarm);
    lines_close(l);
    server_close(s);
    return result;
}

int command_replay(const struct invocation *inv)
{
    struct replay r = {.json = inv->json, .alarm = inv->argument_count ? inv->arguments[0] : NULL};
    if (!read_moment(inv, "from", INT64_MIN, &r.from_ms) || !read_moment(inv, "to", INT64_MAX, &r.to_ms) ||
        !read_speed(inv, &r.speed))
        return RESULT_USAGE;
    r.story = story_create();
    if (!r.story)
        return RESULT_UNREACHABLE;
    int result = replay(inv, &r);
    char count[24];
    snprintf(count, sizeof count, "%" PRIu64, r.told);
    if (result == RESULT_OK && r.told == 0) {
        remark("%s", text(TEXT_REPLAY_NOTHING));
        result = RESULT_NOT_SO;
    } else if (result == RESULT_OK) {
        remark_about(TEXT_REPLAY_END, {"count", count});
    }
    story_destroy(r.story);
    return result;
}
