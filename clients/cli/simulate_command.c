/* simulate: the command line, the timeline, and its comparison with a saved one. */
#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/difference.h"
#include "cli/member.h"
#include "cli/story.h"
#include "cli/terminal.h"
#include "core/id.h"
#include "simulate.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define QUESTION_ITEMS 64 /* presses and answers of one command line */

struct question {
    struct simulation s;
    const struct conf *conf;
    const struct conf_site *site;
    struct simulated items[QUESTION_ITEMS];
};

struct timeline {
    const struct conf *conf;
    struct story *story;
    json_t *lines;              /* NULL = text is said at once */
    char alarm[LIMIT_ALARM_ID]; /* the one that the press opened */
    enum alarm_state state;     /* of it; ALARM_STATE_COUNT = there is none */
};

/* One line of the timeline, about `alarm` (NULL = none); `facts` (taken, may be NULL) are further members for
 * --json. */
static void add_line(struct timeline *t, int64_t after_ms, const struct alarm *alarm, const char *what,
                     enum tone tone, const char *sentence, json_t *take_facts)
{
    char after[STORY_AFTER], before[STORY_AFTER + 4], whole[STORY_TEXT + 128], other[128] = "";
    if (alarm && strcmp(alarm->id, t->alarm) != 0)
        TEXT_FILL(other, TEXT_SIMULATE_OTHER, {"class", text_word("class", alarm_class_str(alarm->class))});
    if (!t->lines) {
        story_after(after, after_ms);
        snprintf(before, sizeof before, "%s  ", after);
        snprintf(whole, sizeof whole, "%s%s", sentence, other);
        say_pair(TONE_QUIET, before, tone, whole);
    } else {
        json_t *line = json_pack("{s:I, s:s}", "after_ms", (json_int_t)after_ms, "what", what);
        if (alarm)
            json_object_set_new(line, "class", json_string(alarm_class_str(alarm->class)));
        json_object_update(line, take_facts);
        json_object_set_new(line, "text", json_string(sentence));
        json_array_append_new(t->lines, line);
    }
    json_decref(take_facts);
}

static void told(void *ctx, int64_t after_ms, const struct effect *effect)
{
    struct timeline *t = ctx;
    char sentence[STORY_TEXT], step[16];
    const struct delivery *d = effect->delivery;
    const char *change = change_str(effect->alarm->change);
    snprintf(step, sizeof step, "%d", d->step + 1);
    TEXT_FILL(sentence, TEXT_SIMULATE_TOLD, {"endpoint", story_name_of(t->story, "endpoint", d->endpoint)},
              {"role", text_word("role", role_str(d->role))}, {"step", step},
              {"change", text_word("change", d->told_version == 0 ? "opened" : change)});
    add_line(t, after_ms, effect->alarm, "told", TONE_PLAIN, sentence,
             json_pack("{s:s, s:s, s:i, s:s}", "endpoint", d->endpoint, "role", role_str(d->role), "step",
                       d->step + 1, "change", d->told_version == 0 ? "opened" : change));
}

static void happened(void *ctx, int64_t after_ms, const struct event *e, const struct alarm *alarm,
                     enum alarm_state before, bool exhausted_before, enum step_result result)
{
    struct timeline *t = ctx;
    char sentence[STORY_TEXT];
    struct story_line line;
    if (alarm && t->alarm[0] == '\0')
        memcpy(t->alarm, alarm->id, sizeof t->alarm);
    if (alarm && strcmp(alarm->id, t->alarm) == 0)
        t->state = alarm->state;
    story_tell(t->story, e, NULL, &line);
    if (e->type == EVENT_DELIVERY_RESULT ||
        (e->type == EVENT_DEADLINE_PASSED && e->deadline.kind == DEADLINE_FORGET))
        return; /* "told" has said it: here it is received at once */
    add_line(t, after_ms, alarm, event_type_str(e->type), line.tone, line.text,
             line.useless ? json_pack("{s:b}", "useless", true) : NULL);
    if (alarm && before != ALARM_STATE_COUNT && alarm->state != before) {
        const char *state = alarm_state_str(alarm->state);
        TEXT_FILL(sentence, TEXT_SIMULATE_STATE, {"state", text_word("state", state)});
        add_line(t, after_ms, alarm, "state", TONE_STRONG, sentence, json_pack("{s:s}", "state", state));
    }
    if (alarm && alarm->exhausted && !exhausted_before)
        add_line(t, after_ms, alarm, "exhausted", TONE_BAD, text(TEXT_SIMULATE_EXHAUSTED), NULL);
}

static bool parse_seconds(const char *text, int64_t *after_ms)
{
    char *end;
    errno = 0;
    double seconds = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(seconds >= 0 && seconds <= 604800)) /* nan is neither */
        return false;
    *after_ms = (int64_t)(seconds * 1000 + 0.5);
    return true;
}

/* WHO:DEED@SECONDS */
static bool add_answer(struct question *q, char *answer)
{
    static const struct {
        const char *name;
        enum event_type type;
    } deeds[] = {{"acknowledge", EVENT_ACKNOWLEDGED},
                 {"ack", EVENT_ACKNOWLEDGED},
                 {"coming", EVENT_COMING},
                 {"on-scene", EVENT_ON_SCENE},
                 {"close", EVENT_CLOSED}};
    int64_t after_ms;
    char *deed = strchr(answer, ':'), *at = strrchr(answer, '@');
    if (!deed || !at || at < deed || !parse_seconds(at + 1, &after_ms))
        return false;
    *deed++ = *at = '\0';
    const struct conf_endpoint *endpoint = conf_endpoint(q->conf, answer);
    enum role role = ROLE_VIEWER;
    if (endpoint)
        role = endpoint->role;
    else if (!role_of(answer, &role) || role > ROLE_GUARD)
        return false;
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
        if (strcmp(deeds[i].name, deed) == 0)
            return simulate_deed(&q->s, after_ms, deeds[i].type, role, answer, endpoint ? answer : "");
    return false;
}

/* SECONDS[:KIND[:DEVICE]] */
static bool add_press(struct question *q, char *press, const struct conf_device *device, enum kind kind)
{
    int64_t after_ms;
    char *kind_text = strchr(press, ':'), *device_text = kind_text ? strchr(kind_text + 1, ':') : NULL;
    if (device_text)
        *device_text++ = '\0';
    if (kind_text)
        *kind_text++ = '\0';
    if (device_text)
        device = conf_device(q->conf, q->site->id, device_text);
    return parse_seconds(press, &after_ms) && (!kind_text || kind_of(kind_text, &kind)) && device &&
           simulate_press(&q->s, after_ms, device, kind);
}

/* Takes a list apart at its commas. */
static bool add_list(const char *list, struct question *q, const struct conf_device *device, enum kind kind)
{
    char *copy = strdup(list), *rest = copy;
    bool good = copy != NULL;
    for (char *one; good && (one = strsep(&rest, ","));)
        good = device ? add_press(q, one, device, kind) : add_answer(q, one);
    free(copy);
    return good;
}

static int wrong(const struct invocation *inv, enum text which, const char *value)
{
    complain_about(which, {"value", value});
    remark_about(TEXT_USAGE_HINT, {"command", inv->command->name});
    return RESULT_USAGE;
}

/* Fills the simulation from the command line. */
static int set_up(const struct invocation *inv, struct question *q)
{
    const char *kind_text = invocation_value(inv, "kind"), *mode = invocation_value(inv, "mode");
    const char *answers = invocation_value(inv, "answers"), *again = invocation_value(inv, "press-again");
    const struct conf_device *device = configuration_device(inv, q->conf, &q->site);
    int64_t until_s;
    if (!device || !invocation_number(inv, "until", 1, 604800, 1800, &until_s))
        return RESULT_USAGE;
    enum kind kind = device->kind;
    if (kind_text)
        kind_of(kind_text, &kind); /* one of the choices: checked */
    if (mode)
        mode_of(mode, &q->s.mode);
    q->s.until_ms = until_s * 1000;
    q->s.site = q->site->id;
    q->s.items = q->items;
    q->s.item_capacity = QUESTION_ITEMS;
    q->s.gather_ms = q->conf->daemon.gather_ms;
    conf_plan_for(q->conf, q->site, q->s.mode, &q->s.plan);
    simulate_press(&q->s, 0, device, kind);
    if (answers && strcmp(answers, "never") != 0 && !add_list(answers, q, NULL, kind))
        return wrong(inv, TEXT_USAGE_ANSWERS, answers);
    if (again && !add_list(again, q, device, kind))
        return wrong(inv, TEXT_USAGE_AGAIN, again);
    return RESULT_OK;
}

static void say_head(const struct question *q, struct timeline *t)
{
    char roles[256] = "", steps[16], head[STORY_TEXT];
    const struct event_press *p = &q->s.items[0].event.press;
    const struct plan *plan = &q->site->plan;
    for (int role = 0; role < ROLE_COUNT; role++)
        if (plan->acks_needed & 1u << role) {
            size_t used = strlen(roles);
            snprintf(roles + used, sizeof roles - used, "%s%s", used ? ", " : "",
                     text_word("role", role_str((enum role)role)));
        }
    snprintf(steps, sizeof steps, "%d", plan->step_count);
    TEXT_FILL(head, TEXT_SIMULATE_PRESS, {"kind", text_word("kind", kind_str(p->kind))},
              {"mode", text_word("mode", mode_str(q->s.mode))}, {"device", p->device}, {"site", q->site->name},
              {"plan", plan->id}, {"steps", steps}, {"roles", roles});
    if (!t->lines) {
        say_text(TONE_QUIET, text(TEXT_SIMULATE_HEAD));
        say_text(TONE_STRONG, head);
    }
}

static void say_end(const struct question *q, struct timeline *t)
{
    char sentence[STORY_TEXT];
    bool opened = t->state != ALARM_STATE_COUNT;
    bool refused = q->s.items[0].event.type == EVENT_PRESS_REFUSED;
    const char *state = opened ? alarm_state_str(t->state) : "none";
    if (opened)
        TEXT_FILL(sentence, TEXT_SIMULATE_END, {"state", text_word("state", state)});
    else
        TEXT_FILL(sentence, refused ? TEXT_SIMULATE_DISABLED : TEXT_SIMULATE_NO_ALARM, {"state", ""});
    if (!t->lines) {
        add_line(t, q->s.until_ms, NULL, "end", TONE_STRONG, sentence, NULL);
        return;
    }
    json_t *whole = json_pack("{s:s, s:s, s:s, s:s, s:s, s:O}", "site", q->site->id, "device",
                              q->s.items[0].event.press.device, "plan", q->site->plan.id, "mode",
                              mode_str(q->s.mode), "state_at_end", state, "timeline", t->lines);
    member_say(whole);
    json_decref(whole);
}

static bool run(struct question *q, bool json)
{
    struct timeline t = {.conf = q->conf, .story = story_create(), .state = ALARM_STATE_COUNT};
    if (!t.story)
        return false;
    configuration_names(q->conf, t.story);
    t.lines = json ? json_array() : NULL;
    q->s.told = told;
    q->s.happened = happened;
    q->s.ctx = &t;
    say_head(q, &t);
    bool good = simulate(&q->s);
    if (good)
        say_end(q, &t);
    json_decref(t.lines);
    story_destroy(t.story);
    return good;
}

static void add_difference(void *ctx, char sign, const char *line)
{
    char *whole = NULL;
    if (asprintf(&whole, "%c %s", sign, line) >= 0)
        json_array_append_new(ctx, member_path(whole));
    free(whole);
}

static void say_comparison(const char *file, const char *expected, const char *now)
{
    if (strcmp(expected, now) == 0) {
        say_about(TONE_GOOD, TEXT_SIMULATE_SAME, {"file", file});
        return;
    }
    complain_about(TEXT_SIMULATE_DIFFERS, {"file", file});
    difference_say(expected, now);
}

/* {"file", "same", "difference": ["  line", "- line", "+ line"]}; the difference is empty when they are the same. */
static void say_comparison_json(const char *file, const char *expected, const char *now)
{
    bool same = strcmp(expected, now) == 0;
    json_t *lines = json_array();
    if (!same)
        difference_each(expected, now, add_difference, lines);
    json_t *answer = json_pack("{s:o, s:b, s:o}", "file", member_path(file), "same", same, "difference", lines);
    member_say(answer);
    json_decref(answer);
}

/* Runs into memory and compares. */
static int run_and_compare(struct question *q, bool json, const char *file)
{
    char *now = NULL, *expected = NULL;
    size_t now_size = 0;
    FILE *memory = open_memstream(&now, &now_size);
    if (!memory)
        return RESULT_UNREACHABLE;
    terminal_redirect(memory);
    bool good = run(q, json);
    terminal_redirect(NULL);
    fclose(memory);
    int result = RESULT_UNREACHABLE;
    if (good && (expected = difference_read(file))) {
        result = strcmp(expected, now) == 0 ? RESULT_OK : RESULT_NOT_SO;
        (json ? say_comparison_json : say_comparison)(file, expected, now);
    }
    free(expected);
    free(now);
    return result;
}

int command_simulate(const struct invocation *inv)
{
    static const char *const needed[] = {"config", "site", "device"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!invocation_given(inv, needed[i])) {
            complain_about(TEXT_USAGE_MISSING, {"name", needed[i]});
            remark_about(TEXT_USAGE_HINT, {"command", inv->command->name});
            return RESULT_USAGE;
        }
    struct conf *conf = configuration_load(invocation_value(inv, "config"));
    struct question *q = conf ? calloc(1, sizeof *q) : NULL;
    int result = conf ? RESULT_UNREACHABLE : RESULT_NOT_SO;
    const char *expect = invocation_value(inv, "expect");
    if (q) {
        q->conf = conf;
        result = set_up(inv, q);
    }
    if (q && result == RESULT_OK && expect)
        result = run_and_compare(q, inv->json, expect);
    else if (q && result == RESULT_OK && !run(q, inv->json))
        result = RESULT_UNREACHABLE;
    if (conf && result == RESULT_UNREACHABLE && !expect)
        complain("%s", text(TEXT_NO_MEMORY));
    free(q);
    conf_destroy(conf);
    return result;
}
