/* alarms, show. */
#include "cli/alarms.h"
#include "cli/member.h"
#include "cli/terminal.h"
#include "core/id.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BASE32 "abcdefghijklmnopqrstuvwxyz234567"
#define RESOLVE_LEAST 4     /* characters of an id's beginning */
#define RESOLVE_PAGE "1000" /* alarms that are looked through for it */

/* The one alarm of a page whose id begins with `given`: how many there are. */
static int matches(const json_t *page, const char *given, char id[LIMIT_ALARM_ID])
{
    int count = 0;
    size_t i;
    const json_t *alarm;
    json_array_foreach(json_object_get(page, "alarms"), i, alarm)
    {
        const char *its = member_text(alarm, "id");
        if (strncmp(its, given, strlen(given)) != 0 || strlen(its) >= LIMIT_ALARM_ID)
            continue;
        count++;
        strcpy(id, its);
    }
    return count;
}

int alarms_resolve(struct server *s, const char *given, char id[LIMIT_ALARM_ID])
{
    size_t size = strlen(given);
    if (size < RESOLVE_LEAST || size > 21 || given[0] != 'a' || strspn(given, BASE32) != size) {
        complain_about(TEXT_ALARM_ID_BAD, {"id", given});
        return RESULT_USAGE;
    }
    if (size == 21) {
        strcpy(id, given);
        return RESULT_OK;
    }
    /* Open ones first: a closed one that begins alike is not meant. */
    static const char *const pages[] = {"/api/v1/alarms?state=open&limit=" RESOLVE_PAGE,
                                        "/api/v1/alarms?state=all&limit=" RESOLVE_PAGE};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        json_t *page;
        int result = server_get(s, pages[i], &page);
        if (result != RESULT_OK)
            return result;
        int count = matches(page, given, id);
        json_decref(page);
        if (count == 1)
            return RESULT_OK;
        if (count > 1) {
            complain_about(TEXT_ALARM_AMBIGUOUS, {"id", given});
            return RESULT_USAGE;
        }
    }
    complain_about(TEXT_ALARM_UNKNOWN, {"id", given});
    return RESULT_NOT_SO;
}

int alarms_fetch(struct server *s, const char *id, json_t **out)
{
    char path[64];
    snprintf(path, sizeof path, "/api/v1/alarms/%s", id);
    return server_get(s, path, out);
}

void alarms_names(struct story *s, const json_t *alarm)
{
    size_t i;
    const json_t *one;
    const json_t *site = json_object_get(alarm, "site");
    story_name(s, "site", member_text(site, "id"), member_place(alarm, "site"));
    json_array_foreach(json_object_get(alarm, "presses"), i, one)
    {
        const json_t *zone = json_object_get(one, "zone");
        if (zone)
            story_zone(s, member_text(site, "id"), member_text(zone, "id"), member_place(one, "zone"));
    }
}

bool server_names(struct server *s, struct story *story)
{
    json_t *answer;
    size_t i, k;
    const json_t *one, *zone;
    server_quiet(s, true);
    bool good = server_get(s, "/api/v1/endpoints", &answer) == RESULT_OK;
    json_array_foreach(json_object_get(answer, "endpoints"), i, one)
        story_name(story, "endpoint", member_text(one, "id"), member_text(one, "name"));
    json_decref(answer);
    good = good && server_get(s, "/api/v1/sites", &answer) == RESULT_OK;
    if (good) {
        json_array_foreach(json_object_get(answer, "sites"), i, one)
        {
            story_name(story, "site", member_text(one, "id"), member_text(one, "name"));
            json_array_foreach(json_object_get(one, "zones"), k, zone)
                story_zone(story, member_text(one, "id"), member_text(zone, "id"), member_text(zone, "name"));
        }
        json_decref(answer);
    }
    server_quiet(s, false);
    return good;
}

const char *alarms_note(const json_t *alarm, uint64_t seq)
{
    size_t i;
    const json_t *note;
    json_array_foreach(json_object_get(alarm, "notes"), i, note) if ((uint64_t)member_number(note, "seq") ==
                                                                     seq) return member_text(note, "text");
    return NULL;
}

static enum tone tone_of(const json_t *alarm)
{
    const char *state = member_text(alarm, "state");
    if (strcmp(state, "closed") == 0)
        return TONE_QUIET;
    if (strcmp(state, "open") != 0)
        return TONE_PLAIN;
    return strcmp(member_text(alarm, "mode"), "real") == 0 ? TONE_ALARM : TONE_STRONG;
}

static const char *last_by(const json_t *alarm)
{
    static const char *const members[] = {"closed_by", "on_scene_by", "coming_by", "acknowledged_by"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (*member_text(alarm, members[i]))
            return member_text(alarm, members[i]);
    return "";
}

static void list(const json_t *page)
{
    struct columns *t = columns_create(8);
    static const enum text heads[] = {TEXT_HEAD_ALARM, TEXT_HEAD_SINCE, TEXT_HEAD_SITE,    TEXT_HEAD_KIND,
                                      TEXT_HEAD_STATE, TEXT_HEAD_STEP,  TEXT_HEAD_PRESSES, TEXT_HEAD_BY};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        columns_cell(t, TONE_QUIET, "%s", text(heads[i]));
    size_t i;
    const json_t *alarm;
    json_array_foreach(json_object_get(page, "alarms"), i, alarm)
    {
        char since[TERMINAL_TIME];
        const char *mode = member_text(alarm, "mode");
        bool real = strcmp(mode, "real") == 0;
        terminal_time(since, member_time(alarm, "opened_at"));
        columns_cell(t, tone_of(alarm), "%s", member_text(alarm, "id"));
        columns_cell(t, tone_of(alarm), "%s", since);
        columns_cell(t, tone_of(alarm), "%s", member_place(alarm, "site"));
        columns_cell(t, tone_of(alarm), "%s%s%s%s", text_word("kind", member_text(alarm, "kind")),
                     real ? "" : " [", real ? "" : text_word("mode", mode), real ? "" : "]");
        columns_cell(t, tone_of(alarm), "%s", text_word("state", member_text(alarm, "state")));
        columns_cell(t, tone_of(alarm), "%" PRId64 "/%" PRId64, member_number(alarm, "step"),
                     member_number(alarm, "steps"));
        columns_cell(t, tone_of(alarm), "%" PRId64, member_number(alarm, "press_count"));
        columns_cell(t, tone_of(alarm), "%s", last_by(alarm));
    }
    columns_print_and_destroy(t);
}

int command_alarms(const struct invocation *inv)
{
    int64_t limit;
    int result;
    char path[256];
    const char *site = invocation_value(inv, "site");
    if (!invocation_number(inv, "limit", 1, 1000, 100, &limit))
        return RESULT_USAGE;
    if (site && !id_valid(site)) {
        complain_about(TEXT_USAGE_ID, {"value", site});
        return RESULT_USAGE;
    }
    struct server *s = server_open(inv, &result);
    if (!s)
        return result;
    snprintf(path, sizeof path, "/api/v1/alarms?state=%s&limit=%" PRId64 "%s%.60s",
             invocation_given(inv, "all")      ? "all"
             : invocation_given(inv, "closed") ? "closed"
                                               : "open",
             limit, site ? "&site=" : "", site ? site : "");
    json_t *page = NULL;
    result = server_get(s, path, &page);
    if (result == RESULT_OK && inv->json)
        member_say(page);
    else if (result == RESULT_OK && json_array_size(json_object_get(page, "alarms")) == 0)
        say_text(TONE_GOOD, text(TEXT_NO_ALARMS));
    else if (result == RESULT_OK)
        list(page);
    if (result == RESULT_OK && !inv->json && json_is_integer(json_object_get(page, "next"))) {
        char number[24];
        snprintf(number, sizeof number, "%" PRId64, limit);
        remark_about(TEXT_MORE, {"limit", number});
    }
    json_decref(page);
    server_close(s);
    return result;
}

/* The facts above the story. */
static void show_facts(const json_t *alarm)
{
    char at[TERMINAL_TIME], step[24], steps[24], count[24], latitude[32], longitude[32];
    const json_t *site = json_object_get(alarm, "site");
    say_about(tone_of(alarm), TEXT_SHOW_HEAD, {"id", member_text(alarm, "id")},
              {"kind", text_word("kind", member_text(alarm, "kind"))},
              {"mode", text_word("mode", member_text(alarm, "mode"))},
              {"state", text_word("state", member_text(alarm, "state"))});
    say_about(TONE_PLAIN, TEXT_SHOW_SITE, {"site", member_place(alarm, "site")},
              {"address", member_text(site, "address")});
    if (json_is_number(json_object_get(site, "latitude"))) {
        snprintf(latitude, sizeof latitude, "%.6f", json_number_value(json_object_get(site, "latitude")));
        snprintf(longitude, sizeof longitude, "%.6f", json_number_value(json_object_get(site, "longitude")));
        say_about(TONE_PLAIN, TEXT_SHOW_POSITION, {"latitude", latitude}, {"longitude", longitude});
    }
    size_t i;
    const json_t *contact;
    json_array_foreach(json_object_get(site, "contacts"), i, contact)
        say_about(TONE_PLAIN, TEXT_SHOW_CONTACT, {"name", member_text(contact, "name")},
                  {"phone", member_text(contact, "phone")});
    terminal_time(at, member_time(alarm, "opened_at"));
    say_about(TONE_PLAIN, TEXT_SHOW_OPENED, {"at", at});
    snprintf(step, sizeof step, "%" PRId64, member_number(alarm, "step"));
    snprintf(steps, sizeof steps, "%" PRId64, member_number(alarm, "steps"));
    say_about(TONE_PLAIN, TEXT_SHOW_PLAN, {"plan", member_text(alarm, "plan")}, {"step", step},
              {"steps", steps});
    terminal_time(at, member_time(alarm, "step_due_at"));
    if (member_time(alarm, "step_due_at"))
        say_about(TONE_PLAIN, TEXT_SHOW_DUE, {"at", at});
    if (member_true(alarm, "exhausted"))
        say_text(TONE_BAD, text(TEXT_SHOW_EXHAUSTED));
    if (json_is_false(json_object_get(alarm, "recorded")))
        say_text(TONE_BAD, text(TEXT_SHOW_UNRECORDED));
    snprintf(count, sizeof count, "%" PRId64, member_number(alarm, "cancels"));
    if (member_number(alarm, "cancels") > 0)
        say_about(TONE_BAD, TEXT_SHOW_CANCELS, {"count", count});
}

static void show_presses(const json_t *alarm)
{
    char count[24];
    snprintf(count, sizeof count, "%" PRId64, member_number(alarm, "press_count"));
    say_text(TONE_PLAIN, "");
    say_about(TONE_STRONG, TEXT_SHOW_PRESSES, {"count", count});
    struct columns *t = columns_create(4);
    static const enum text heads[] = {TEXT_HEAD_SINCE, TEXT_HEAD_PLACE, TEXT_HEAD_DEVICE, TEXT_HEAD_KIND};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        columns_cell(t, TONE_QUIET, "%s", text(heads[i]));
    size_t i;
    const json_t *press;
    json_array_foreach(json_object_get(alarm, "presses"), i, press)
    {
        char at[TERMINAL_TIME];
        terminal_clock(at, member_time(press, "at"));
        columns_cell(t, TONE_PLAIN, "%s", at);
        columns_cell(t, TONE_PLAIN, "%s", member_place(press, "zone"));
        columns_cell(t, TONE_PLAIN, "%s", member_text(press, "device"));
        columns_cell(t, TONE_PLAIN, "%s", text_word("kind", member_text(press, "kind")));
    }
    columns_print_and_destroy(t);
}

static enum tone delivery_tone(const char *state)
{
    return strcmp(state, "received") == 0                                ? TONE_GOOD
           : strcmp(state, "waiting") == 0                               ? TONE_QUIET
           : strcmp(state, "pending") == 0 || strcmp(state, "sent") == 0 ? TONE_PLAIN
                                                                         : TONE_BAD;
}

static void show_deliveries(const json_t *alarm, const struct story *story)
{
    say_text(TONE_PLAIN, "");
    say_text(TONE_STRONG, text(TEXT_SHOW_DELIVERIES));
    struct columns *t = columns_create(7);
    static const enum text heads[] = {TEXT_HEAD_ENDPOINT, TEXT_HEAD_ROLE,  TEXT_HEAD_STEP,
                                      TEXT_HEAD_STATE,    TEXT_HEAD_SINCE, TEXT_HEAD_ATTEMPTS,
                                      TEXT_HEAD_ANSWER};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        columns_cell(t, TONE_QUIET, "%s", text(heads[i]));
    size_t i;
    const json_t *d;
    json_array_foreach(json_object_get(alarm, "deliveries"), i, d)
    {
        const char *state = member_text(d, "state");
        enum tone tone = delivery_tone(state);
        char since[TERMINAL_TIME] = "", status[24] = "";
        if (member_time(d, "since"))
            terminal_clock(since, member_time(d, "since"));
        if (member_number(d, "http_status"))
            snprintf(status, sizeof status, "%" PRId64, member_number(d, "http_status"));
        columns_cell(t, tone, "%s", story_name_of(story, "endpoint", member_text(d, "endpoint")));
        columns_cell(t, tone, "%s", text_word("role", member_text(d, "role")));
        columns_cell(t, tone, "%" PRId64, member_number(d, "step"));
        columns_cell(t, tone, "%s", text_word("delivery", state));
        columns_cell(t, tone, "%s", since);
        columns_cell(t, tone, "%" PRId64, member_number(d, "attempts"));
        columns_cell(t, tone, "%s", status);
    }
    columns_print_and_destroy(t);
}

static void show_story(const json_t *alarm, struct story *story)
{
    char date[TERMINAL_TIME];
    terminal_date(date, member_time(alarm, "opened_at"));
    say_text(TONE_PLAIN, "");
    say_about(TONE_STRONG, TEXT_SHOW_STORY, {"date", date});
    size_t i;
    const json_t *event;
    json_array_foreach(json_object_get(alarm, "events"), i, event)
    {
        struct story_line line;
        char *text = json_dumps(event, JSON_COMPACT);
        if (text) {
            story_tell_line(story, text, strlen(text),
                            alarms_note(alarm, (uint64_t)member_number(event, "seq")), &line);
            story_say(&line, false);
        }
        free(text);
    }
    if (member_true(alarm, "events_cut"))
        say_text(TONE_BAD, text(TEXT_SHOW_CUT));
}

int command_show(const struct invocation *inv)
{
    int result;
    char id[LIMIT_ALARM_ID];
    struct server *s = server_open(inv, &result);
    if (!s)
        return result;
    json_t *alarm = NULL;
    result = alarms_resolve(s, inv->arguments[0], id);
    if (result == RESULT_OK)
        result = alarms_fetch(s, id, &alarm);
    struct story *story = result == RESULT_OK && !inv->json ? story_create() : NULL;
    if (result == RESULT_OK && inv->json)
        member_say(alarm);
    if (story) {
        server_names(s, story);
        alarms_names(story, alarm);
        show_facts(alarm);
        show_presses(alarm);
        show_deliveries(alarm, story);
        show_story(alarm, story);
        story_destroy(story);
    }
    json_decref(alarm);
    server_close(s);
    return result;
}
