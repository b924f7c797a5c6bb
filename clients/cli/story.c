#include "cli/story.h"
#include "cli/texts.h"
#include "codec/event_json.h"
#include "core/alarm.h"
#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ALARMS 256 /* alarms whose opening is remembered; a longer replay forgets the oldest */

struct story {
    json_t *names;               /* "what/id" → name */
    struct alarm alarms[ALARMS]; /* followed with the daemon's own core: it knows what changed something */
    unsigned next;
};

struct story *story_create(void)
{
    struct story *s = calloc(1, sizeof *s);
    if (s)
        s->names = json_object();
    return s;
}

void story_destroy(struct story *s)
{
    if (!s)
        return;
    json_decref(s->names);
    free(s);
}

void story_name(struct story *s, const char *what, const char *id, const char *name)
{
    char key[LIMIT_ID * 3];
    snprintf(key, sizeof key, "%s/%s", what, id);
    json_object_set_new(s->names, key, json_string(name));
}

const char *story_name_of(const struct story *s, const char *what, const char *id)
{
    char key[LIMIT_ID * 3];
    snprintf(key, sizeof key, "%s/%s", what, id);
    const char *name = json_string_value(json_object_get(s->names, key));
    return name && *name ? name : id;
}

void story_zone(struct story *s, const char *site, const char *zone, const char *name)
{
    char id[LIMIT_ID * 2 + 2];
    snprintf(id, sizeof id, "%s/%s", site, zone);
    story_name(s, "zone", id, name);
}

static const char *zone_name(const struct story *s, const char *site, const char *zone)
{
    char id[LIMIT_ID * 2 + 2];
    snprintf(id, sizeof id, "%s/%s", site, zone);
    const char *name = story_name_of(s, "zone", id);
    return name == id || strcmp(name, id) == 0 ? zone : name;
}

static struct alarm *find(struct story *s, const char *id)
{
    for (unsigned i = 0; i < ALARMS; i++)
        if (*id && strcmp(s->alarms[i].id, id) == 0)
            return &s->alarms[i];
    return NULL;
}

/* What the event does to its alarm; `opened`: it is the press that opened it. STEP_CHANGED also when nobody
 * knows. */
static enum step_result follow(struct story *s, const struct event *e, bool *opened)
{
    struct alarm *a = find(s, e->alarm);
    *opened = !a && e->type == EVENT_PRESS_RECEIVED && e->press.plan.step_count > 0 && e->alarm[0];
    if (*opened) {
        a = &s->alarms[s->next++ % ALARMS];
        memset(a, 0, sizeof *a);
        alarm_open(a, e);
        return STEP_CHANGED;
    }
    return a ? alarm_step(a, e) : STEP_CHANGED;
}

static void append(char *out, const char *more)
{
    size_t used = strlen(out);
    snprintf(out + used, STORY_TEXT - used, "%s", more);
}

static void place(const struct story *s, const struct event_press *p, char out[LIMIT_TEXT * 2])
{
    text_fill(out, LIMIT_TEXT * 2, text(p->zone[0] ? TEXT_PLACE_ZONE : TEXT_PLACE_DEVICE),
              (struct text_value[]){{"zone", zone_name(s, p->site, p->zone)},
                                    {"site", story_name_of(s, "site", p->site)},
                                    {"device", p->device},
                                    {NULL, NULL}});
}

static void what_is_odd(const struct event_press *p, char *out)
{
    char list[1024] = "", more[1200];
    for (unsigned bit = 0; bit < ODD_COUNT; bit++)
        if (p->oddities & 1u << bit) {
            size_t used = strlen(list);
            snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "",
                     text_word("odd", oddity_str(bit)));
        }
    TEXT_FILL(more, TEXT_PRESS_ODD, {"what", list});
    if (*list)
        append(out, more);
    if (p->oddities & (ODD_NOT_JSON | ODD_TOO_LONG | ODD_UNKNOWN_KIND | ODD_BAD_FIELD | ODD_DUPLICATE_KEY) &&
        *p->raw) {
        TEXT_FILL(more, TEXT_PRESS_RAW, {"raw", p->raw});
        append(out, more);
    }
    if (p->oddities & ODD_CLOCK_SKEW && p->claimed_ms != 0) {
        char at[TERMINAL_TIME];
        terminal_time(at, p->claimed_ms);
        TEXT_FILL(more, TEXT_PRESS_CLAIMED, {"at", at});
        append(out, more);
    }
}

static void tell_press(const struct story *s, const struct event *e, bool opens, struct story_line *out)
{
    const struct event_press *p = &e->press;
    char where[LIMIT_TEXT * 2], more[256], percent[16];
    place(s, p, where);
    enum text sentence = p->kind == KIND_CANCEL ? TEXT_PRESS_CANCELS
                         : opens                ? TEXT_PRESS_OPENS
                                                : TEXT_PRESS_JOINS;
    TEXT_FILL(out->text, sentence, {"kind", text_word("kind", kind_str(p->kind))}, {"place", where},
              {"plan", p->plan.id});
    if (p->mode != MODE_REAL) {
        TEXT_FILL(more, TEXT_PRESS_MODE, {"mode", text_word("mode", mode_str(p->mode))});
        append(out->text, more);
    }
    what_is_odd(p, out->text);
    if (p->battery >= 0 && p->battery <= 20) {
        snprintf(percent, sizeof percent, "%d", p->battery);
        TEXT_FILL(more, TEXT_PRESS_BATTERY, {"percent", percent});
        append(out->text, more);
    }
    out->tone = p->mode == MODE_REAL ? TONE_ALARM : TONE_STRONG;
}

static void tell_refused(const struct story *s, const struct event *e, struct story_line *out)
{
    char where[LIMIT_TEXT * 2];
    place(s, &e->press, where);
    TEXT_FILL(out->text, TEXT_PRESS_REFUSED, {"place", where},
              {"reason", text_word("refusal", refusal_str(e->press.refusal))});
    what_is_odd(&e->press, out->text);
    out->tone = TONE_BAD;
}

static void tell_no_answer(const struct alarm *a, unsigned step, struct story_line *out)
{
    bool known = a && step < a->plan.step_count;
    bool last = known && step + 1 >= a->plan.step_count;
    char number[16], next[16], steps[16], seconds[16];
    snprintf(number, sizeof number, "%u", step + 1);
    snprintf(next, sizeof next, "%u", step + 2);
    snprintf(steps, sizeof steps, "%u", known ? a->plan.step_count : 0u);
    snprintf(seconds, sizeof seconds, "%" PRIu32, known ? a->plan.answer_timeout_s[step] : 0);
    enum text sentence = !known ? TEXT_DEADLINE_ANSWER
                         : last ? TEXT_DEADLINE_ANSWER_LAST
                                : TEXT_DEADLINE_ANSWER_NEXT;
    TEXT_FILL(out->text, sentence, {"step", number}, {"next", next}, {"steps", steps}, {"seconds", seconds});
    out->tone = TONE_BAD;
}

static void tell_deadline(struct story *s, const struct event *e, struct story_line *out)
{
    const struct alarm *a = find(s, e->alarm);
    char seconds[16];
    switch (e->deadline.kind) {
    case DEADLINE_ANSWER:
        tell_no_answer(a, e->deadline.step, out);
        return;
    case DEADLINE_COMING:
        snprintf(seconds, sizeof seconds, "%" PRIu32, a ? a->plan.coming_timeout_s : 0);
        TEXT_FILL(out->text, a ? TEXT_DEADLINE_COMING_TIME : TEXT_DEADLINE_COMING, {"seconds", seconds});
        out->tone = TONE_BAD;
        return;
    case DEADLINE_TEST:
        TEXT_FILL(out->text, TEXT_DEADLINE_TEST, {"step", ""});
        return;
    case DEADLINE_FORGET:
        TEXT_FILL(out->text, TEXT_DEADLINE_FORGET, {"step", ""});
        out->tone = TONE_QUIET;
        return;
    case DEADLINE_COUNT:
        break;
    }
    assert(false);
}

static void tell_delivery(const struct story *s, const struct event *e, struct story_line *out)
{
    static const struct {
        enum text sentence;
        enum tone tone;
    } told[OUTCOME_COUNT] = {[OUTCOME_RECEIVED] = {TEXT_DELIVERY_RECEIVED, TONE_PLAIN},
                             [OUTCOME_UNCONFIRMED] = {TEXT_DELIVERY_UNCONFIRMED, TONE_BAD},
                             [OUTCOME_REFUSED] = {TEXT_DELIVERY_REFUSED, TONE_BAD},
                             [OUTCOME_FAILED] = {TEXT_DELIVERY_FAILED, TONE_BAD}};
    const struct event_delivery *d = &e->delivery;
    char attempt[16], duration[16];
    snprintf(attempt, sizeof attempt, "%" PRIu32, d->attempt);
    snprintf(duration, sizeof duration, "%" PRIu32, d->duration_ms);
    TEXT_FILL(out->text, told[d->outcome].sentence, {"endpoint", story_name_of(s, "endpoint", d->endpoint)},
              {"attempt", attempt}, {"ms", duration}, {"text", d->text});
    if (!d->recorded)
        append(out->text, text(TEXT_DELIVERY_UNRECORDED));
    out->tone = told[d->outcome].tone;
}

static void tell_deed(const struct story *s, const struct event *e, const char *note, struct story_line *out)
{
    static const enum text sentences[EVENT_TYPE_COUNT] = {[EVENT_ACKNOWLEDGED] = TEXT_ACKNOWLEDGED,
                                                          [EVENT_COMING] = TEXT_COMING,
                                                          [EVENT_ON_SCENE] = TEXT_ON_SCENE,
                                                          [EVENT_CLOSED] = TEXT_CLOSED,
                                                          [EVENT_NOTE_ADDED] = TEXT_NOTE_ADDED};
    const struct event_deed *d = &e->deed;
    char who[LIMIT_TEXT * 2], more[LIMIT_NOTE + 64];
    TEXT_FILL(who, d->endpoint[0] ? TEXT_WHO_ENDPOINT : TEXT_WHO_PERSON,
              {"by", story_name_of(s, "account", d->by)}, {"role", text_word("role", role_str(d->role))},
              {"endpoint", story_name_of(s, "endpoint", d->endpoint)});
    TEXT_FILL(out->text, sentences[e->type], {"who", who},
              {"disposition", text_word("disposition", disposition_str(d->disposition))});
    if (note) {
        TEXT_FILL(more, TEXT_WITH_NOTE, {"note", note});
        append(out->text, more);
    } else if (d->note_hash[0]) {
        append(out->text, text(TEXT_NOTE_MISSING));
    }
    out->tone = e->type == EVENT_NOTE_ADDED ? TONE_PLAIN : TONE_GOOD;
}

static void tell_trouble(const struct event *e, struct story_line *out)
{
    bool raised = e->type == EVENT_TROUBLE_RAISED;
    const char *code = trouble_code_str(e->trouble.code);
    bool one_of_many = strcmp(code, e->trouble.part) != 0; /* "clock: clock" says nothing more */
    TEXT_FILL(out->text, raised ? TEXT_TROUBLE_RAISED : TEXT_TROUBLE_CLEARED,
              {"code", text_word("trouble", code)}, {"part", one_of_many ? e->trouble.part : ""},
              {"space", one_of_many ? " " : ""}, {"text", e->trouble.text});
    out->tone = raised ? TONE_BAD : TONE_GOOD;
}

static void tell_access(const struct story *s, const struct event *e, struct story_line *out)
{
    const struct event_access *a = &e->access;
    char count[16] = "";
    if (a->count > 1)
        snprintf(count, sizeof count, " (%" PRIu32 ")", a->count);
    TEXT_FILL(out->text,
              e->type == EVENT_SIGNED_IN         ? TEXT_SIGNED_IN
              : e->type == EVENT_SIGNED_OUT      ? TEXT_SIGNED_OUT
              : e->type == EVENT_ACTION_REFUSED  ? TEXT_ACTION_REFUSED
                                                 : TEXT_SIGN_IN_REFUSED,
              {"by", a->by[0] ? story_name_of(s, "account", a->by) : "?"}, {"address", a->address},
              {"reason", text_word("access", access_reason_str(a->reason))}, {"action", a->action}, {"count", count});
    out->tone = e->type == EVENT_SIGNED_IN || e->type == EVENT_SIGNED_OUT ? TONE_QUIET : TONE_BAD;
}

static void tell(struct story *s, const struct event *e, const char *note, bool opened,
                 struct story_line *out)
{
    char count[24];
    switch (e->type) {
    case EVENT_DAEMON_STARTED:
        TEXT_FILL(out->text, TEXT_DAEMON_STARTED, {"version", e->daemon.version});
        break;
    case EVENT_DAEMON_STOPPED:
        append(out->text, text(TEXT_DAEMON_STOPPED));
        break;
    case EVENT_CONF_LOADED:
        append(out->text, text(TEXT_CONF_LOADED));
        break;
    case EVENT_PRESS_RECEIVED:
        tell_press(s, e, opened, out);
        break;
    case EVENT_PRESS_REFUSED:
        tell_refused(s, e, out);
        break;
    case EVENT_DEADLINE_PASSED:
        tell_deadline(s, e, out);
        break;
    case EVENT_DELIVERY_RESULT:
        tell_delivery(s, e, out);
        break;
    case EVENT_ACKNOWLEDGED:
    case EVENT_COMING:
    case EVENT_ON_SCENE:
    case EVENT_CLOSED:
    case EVENT_NOTE_ADDED:
        tell_deed(s, e, note, out);
        break;
    case EVENT_TROUBLE_RAISED:
    case EVENT_TROUBLE_CLEARED:
        tell_trouble(e, out);
        break;
    case EVENT_JOURNAL_GAP:
        snprintf(count, sizeof count, "%" PRIu64, e->gap.lost);
        TEXT_FILL(out->text, TEXT_JOURNAL_GAP, {"count", count});
        out->tone = TONE_BAD;
        break;
    case EVENT_SIGNED_IN:
    case EVENT_SIGNED_OUT:
    case EVENT_SIGN_IN_REFUSED:
    case EVENT_ACTION_REFUSED:
        tell_access(s, e, out);
        break;
    case EVENT_TYPE_COUNT:
        assert(false);
    }
}

/* Deeds that came too late are in the record, too; whoever reads it must see that they changed nothing. */
static void tell_useless(const struct event *e, enum step_result result, struct story_line *out)
{
    char more[256];
    bool deed = e->type == EVENT_ACKNOWLEDGED || e->type == EVENT_COMING || e->type == EVENT_ON_SCENE ||
                e->type == EVENT_CLOSED;
    bool late = e->type == EVENT_DEADLINE_PASSED && e->deadline.kind != DEADLINE_FORGET;
    if (result == STEP_CHANGED || !(deed || late))
        return;
    out->useless = true;
    TEXT_FILL(more, TEXT_USELESS,
              {"reason", text(result == STEP_ALREADY ? TEXT_REASON_ALREADY : TEXT_REASON_IMPOSSIBLE)});
    append(out->text, more);
    out->tone = TONE_QUIET;
}

void story_tell(struct story *s, const struct event *e, const char *note, struct story_line *out)
{
    bool opened;
    memset(out, 0, sizeof *out);
    memcpy(out->alarm, e->alarm, sizeof out->alarm);
    out->at_ms = e->at_ms;
    enum step_result result = follow(s, e, &opened);
    tell(s, e, note, opened, out);
    tell_useless(e, result, out);
    const struct alarm *a = find(s, e->alarm);
    out->after_ms = a ? e->clock_ms - a->opened_clock_ms : -1;
}

void story_tell_line(struct story *s, const char *line, size_t size, const char *note, struct story_line *out)
{
    struct event e;
    char why[LIMIT_TEXT], copy[LIMIT_TEXT];
    if (event_decode(line, size, &e, why)) {
        story_tell(s, &e, note, out);
        return;
    }
    memset(out, 0, sizeof *out);
    snprintf(copy, sizeof copy, "%.*s", (int)(size < sizeof copy ? size : sizeof copy - 1), line);
    TEXT_FILL(out->text, TEXT_UNKNOWN_EVENT, {"line", copy});
    out->after_ms = -1;
}

void story_after(char out[STORY_AFTER], int64_t after_ms)
{
    if (after_ms < 0)
        snprintf(out, STORY_AFTER, "%14s", "");
    else
        snprintf(out, STORY_AFTER, "%+8" PRId64 ".%03d s", after_ms / 1000, (int)(after_ms % 1000));
}

void story_say(const struct story_line *line, bool with_alarm)
{
    char clock[TERMINAL_TIME] = "            ", after[STORY_AFTER], before[128];
    if (line->at_ms)
        terminal_clock(clock, line->at_ms);
    story_after(after, line->after_ms);
    if (with_alarm)
        snprintf(before, sizeof before, "%s %s  %-9.9s ", clock, after, line->alarm[0] ? line->alarm : "-");
    else
        snprintf(before, sizeof before, "%s %s  ", clock, after);
    say_pair(TONE_QUIET, before, line->tone, line->text);
}
