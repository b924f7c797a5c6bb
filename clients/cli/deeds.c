/* ack, coming, on-scene, close, note: what a person does to an alarm. */
#include "cli/alarms.h"
#include "cli/member.h"
#include "cli/terminal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The note of the command line or, for "-", of standard input; malloc'd. NULL: complained. */
static char *read_note(const char *given)
{
    char *note = NULL;
    if (strcmp(given, "-") != 0) {
        note = strdup(given);
    } else if ((note = malloc(LIMIT_NOTE + 2))) {
        size_t size = fread(note, 1, LIMIT_NOTE + 1, stdin);
        while (size > 0 && (note[size - 1] == '\n' || note[size - 1] == '\r'))
            size--;
        note[size] = '\0';
    }
    if (note && *note && strlen(note) <= LIMIT_NOTE)
        return note;
    char limit[16];
    snprintf(limit, sizeof limit, "%d", LIMIT_NOTE);
    complain_about(TEXT_USAGE_NOTE, {"limit", limit});
    free(note);
    return NULL;
}

/* {"note":…} or {}; NULL: complained. */
static json_t *body_with_note(const char *member, const char *given)
{
    json_t *body = json_object();
    if (!given)
        return body;
    char *note = read_note(given);
    json_t *value = note ? json_string(note) : NULL;
    if (note && !value)
        complain_about(TEXT_USAGE_NOTE, {"limit", "2000 (UTF-8)"});
    free(note);
    if (value && json_object_set_new(body, member, value) == 0)
        return body;
    json_decref(body);
    return NULL;
}

static void say_done(const struct invocation *inv, const char *id, enum text sentence, const json_t *done)
{
    char seq[24];
    const char *state = member_text(json_object_get(done, "alarm"), "state");
    if (inv->json) {
        member_say(done);
        return;
    }
    snprintf(seq, sizeof seq, "%" PRId64, member_number(done, "seq"));
    say_about(TONE_GOOD, sentence, {"id", id}, {"seq", seq},
              {"disposition",
               text_word("disposition", member_text(json_object_get(done, "alarm"), "disposition"))});
    if (strcmp(state, "open") == 0 && sentence != TEXT_DONE_NOTE)
        say_about(TONE_BAD, TEXT_STILL_OPEN, {"state", text_word("state", state)});
}

/* POSTs the deed to an alarm whose id is known. */
static int post(struct server *s, const struct invocation *inv, const char *id, const char *what,
                enum text sentence, json_t *take_body)
{
    char path[96];
    json_t *done, *problem;
    snprintf(path, sizeof path, "/api/v1/alarms/%s/%s", id, what);
    int result = server_post(s, path, take_body, &done, &problem);
    if (result == RESULT_OK)
        say_done(inv, id, sentence, done);
    else if (strcmp(member_text(problem, "type"), "urn:tocsin:unseen") == 0)
        remark_about(TEXT_UNSEEN_HINT, {"id", id});
    json_decref(done);
    json_decref(problem);
    return result;
}

static int deed(const struct invocation *inv, const char *what, enum text sentence, const char *member,
                const char *note)
{
    int result;
    char id[LIMIT_ALARM_ID];
    json_t *body = body_with_note(member, note);
    if (!body)
        return RESULT_USAGE;
    struct server *s = server_open(inv, &result);
    if (s)
        result = alarms_resolve(s, inv->arguments[0], id);
    if (s && result == RESULT_OK)
        result = post(s, inv, id, what, sentence, json_incref(body));
    json_decref(body);
    server_close(s);
    return result;
}

int command_ack(const struct invocation *inv)
{
    return deed(inv, "acknowledge", TEXT_DONE_ACKNOWLEDGED, "note", invocation_value(inv, "note"));
}

int command_coming(const struct invocation *inv)
{
    return deed(inv, "coming", TEXT_DONE_COMING, "note", invocation_value(inv, "note"));
}

int command_on_scene(const struct invocation *inv)
{
    return deed(inv, "on-scene", TEXT_DONE_ON_SCENE, "note", invocation_value(inv, "note"));
}

int command_note(const struct invocation *inv)
{
    return deed(inv, "notes", TEXT_DONE_NOTE, "text", inv->arguments[1]);
}

/* What is about to be closed, so that a person sees it. */
static void say_closing(const json_t *alarm, int64_t version)
{
    char count[24], number[24];
    snprintf(count, sizeof count, "%" PRId64, member_number(alarm, "press_count"));
    snprintf(number, sizeof number, "%" PRId64, version);
    say_about(TONE_PLAIN, TEXT_CLOSING, {"id", member_text(alarm, "id")},
              {"site", member_place(alarm, "site")}, {"kind", text_word("kind", member_text(alarm, "kind"))},
              {"mode", text_word("mode", member_text(alarm, "mode"))}, {"count", count}, {"version", number});
}

int command_close(const struct invocation *inv)
{
    int result;
    int64_t seen;
    char id[LIMIT_ALARM_ID];
    const char *disposition = invocation_value(inv, "disposition");
    if (!disposition) {
        complain_about(TEXT_USAGE_MISSING, {"name", "disposition"});
        remark_about(TEXT_USAGE_HINT, {"command", inv->command->name});
        return RESULT_USAGE;
    }
    json_t *body = invocation_number(inv, "seen", 1, UINT32_MAX, 0, &seen)
                       ? body_with_note("note", invocation_value(inv, "note"))
                       : NULL;
    if (!body)
        return RESULT_USAGE;
    struct server *s = server_open(inv, &result);
    json_t *alarm = NULL;
    if (s)
        result = alarms_resolve(s, inv->arguments[0], id);
    if (s && result == RESULT_OK)
        result = alarms_fetch(s, id, &alarm);
    if (s && result == RESULT_OK) {
        int64_t version = seen ? seen : member_number(alarm, "version");
        if (!inv->json)
            say_closing(alarm, version);
        json_object_set_new(body, "disposition", json_string(disposition));
        json_object_set_new(body, "seen_version", json_integer(version));
        result = post(s, inv, id, "close", TEXT_DONE_CLOSED, json_incref(body));
    }
    json_decref(alarm);
    json_decref(body);
    server_close(s);
    return result;
}
