#include "codec/json_in.h"
#include "io/api_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- What a body may say: one table. */

enum field { FIELD_NOTE, FIELD_TEXT, FIELD_DISPOSITION, FIELD_SEEN_VERSION, FIELD_COUNT };

static const struct {
    const char *name, *right; /* what would be right */
} fields[FIELD_COUNT] = {
    [FIELD_NOTE] = {"note", "a text of 1 to 2000 bytes without NUL is needed"},
    [FIELD_TEXT] = {"text", "a text of 1 to 2000 bytes without NUL is needed"},
    [FIELD_DISPOSITION] = {"disposition", "real, false, accidental, test, drill or duplicate is needed"},
    [FIELD_SEEN_VERSION] = {"seen_version",
                            "the alarm's version that was seen, a whole number from 1, is needed"},
};

/* Bit sets of fields. */
static unsigned allowed(enum event_type deed)
{
    if (deed == EVENT_NOTE_ADDED)
        return 1u << FIELD_TEXT;
    return deed == EVENT_CLOSED ? 1u << FIELD_NOTE | 1u << FIELD_DISPOSITION | 1u << FIELD_SEEN_VERSION
                                : 1u << FIELD_NOTE;
}

static unsigned required(enum event_type deed)
{
    return allowed(deed) & ~(1u << FIELD_NOTE);
}

static bool read_note(struct api_call *c, enum field field, const json_t *value, struct engine_deed *d)
{
    size_t size = 0;
    d->note = json_in_text(value, &size);
    if (!d->note)
        return api_bad_field(c, API_BAD_REQUEST, fields[field].name, fields[field].right);
    return (size > 0 && size <= LIMIT_NOTE) ||
           api_bad_field(c, API_UNPROCESSABLE, fields[field].name, fields[field].right);
}

static bool read_field(struct api_call *c, enum field field, const json_t *value, struct engine_deed *d)
{
    bool right_type = true, right_value = true;
    switch (field) {
    case FIELD_NOTE:
    case FIELD_TEXT:
        return read_note(c, field, value, d);
    case FIELD_DISPOSITION:
        right_type = json_is_string(value);
        right_value = right_type && disposition_of(json_string_value(value), &d->disposition);
        break;
    case FIELD_SEEN_VERSION:
        right_type = json_is_integer(value);
        right_value = right_type && json_integer_value(value) >= 1 && json_integer_value(value) <= UINT32_MAX;
        d->seen_version = right_value ? (uint32_t)json_integer_value(value) : 0;
        break;
    case FIELD_COUNT:
        break;
    }
    return right_value || api_bad_field(c, right_type ? API_UNPROCESSABLE : API_BAD_REQUEST, fields[field].name,
                                    fields[field].right);
}

/* Fills `d` from the body's members; texts stay `body`'s. False: answered. */
static bool read_fields(struct api_call *c, json_t *body, struct engine_deed *d)
{
    unsigned seen = 0;
    const char *name;
    json_t *value;
    json_object_foreach(body, name, value)
    {
        enum field field = 0;
        while (field < FIELD_COUNT && strcmp(fields[field].name, name) != 0)
            field++;
        if (field == FIELD_COUNT || !(allowed(c->deed) & 1u << field))
            return api_bad_field(c, API_BAD_REQUEST, name, "there is no such member here");
        if (!read_field(c, field, value, d))
            return false;
        seen |= 1u << field;
    }
    for (enum field field = 0; field < FIELD_COUNT; field++)
        if (required(c->deed) & ~seen & 1u << field)
            return api_bad_field(c, API_BAD_REQUEST, fields[field].name, fields[field].right);
    return true;
}

/* --- Doing it. */

struct doing {
    struct api *api;
    struct web_request *request;
    enum event_type deed;
    char alarm[LIMIT_ALARM_ID];
};

static void answer_done(const struct doing *d, const struct alarm *a, uint64_t seq)
{
    struct api_out out;
    api_out_begin(&out, 1024);
    json_open(&out.o, NULL, '{');
    json_unsigned(&out.o, "seq", seq);
    if (a)
        api_put_alarm(&out, "alarm", d->api->options.engine, a);
    api_out_room(&out, 16);
    json_close(&out.o, '}');
    api_out_answer(&out, d->request);
}

static const char *has_done(enum event_type deed)
{
    return deed == EVENT_ACKNOWLEDGED ? "has already acknowledged this alarm"
           : deed == EVENT_COMING     ? "is already coming"
           : deed == EVENT_ON_SCENE   ? "is already on the scene"
                                      : "has already closed this alarm";
}

static void answer_impossible(const struct doing *d, const struct alarm *a)
{
    struct api_problem p = {.type = API_IMPOSSIBLE};
    if (a) {
        p.state = alarm_state_str(a->state);
        p.version = a->version;
    }
    if (d->deed == EVENT_CLOSED && a && a->state != ALARM_CLOSED) {
        p.type = API_UNSEEN;
        api_problem(d->request, &p,
                    "A press has joined that you have not seen; look at the alarm, then close it with "
                    "seen_version %u.",
                    a->version);
    } else {
        api_problem(d->request, &p, "The alarm is %s; this can no longer be done.", a ? p.state : "over");
    }
}

static void answer_already(const struct doing *d, const char *who)
{
    api_problem(d->request, &(struct api_problem){.type = API_ALREADY, .by = who}, "%s %s.",
                who && who[0] ? who : "Somebody", has_done(d->deed));
}

static void on_answer(void *ctx, enum engine_answer answer, const char *who, uint64_t seq)
{
    struct doing *d = ctx;
    struct api *api = d->api;
    const struct alarm *a = api->closing ? NULL : board_alarm(engine_board(api->options.engine), d->alarm);
    switch (answer) {
    case ENGINE_DONE:
        answer_done(d, a, seq);
        break;
    case ENGINE_ALREADY:
        answer_already(d, who);
        break;
    case ENGINE_IMPOSSIBLE:
        answer_impossible(d, a);
        break;
    case ENGINE_UNKNOWN:
        api_no_alarm(d->request);
        break;
    case ENGINE_UNRECORDED:
        api_problem(
            d->request, &(struct api_problem){.type = API_UNRECORDED},
            "It was done, but the journal does not answer: it may be forgotten when the daemon restarts.");
        break;
    }
    free(d);
    api_release(api);
}

static void submit(struct api_call *c, struct engine_deed *deed)
{
    struct doing *d = malloc(sizeof *d);
    if (!d) {
        api_busy(c->request, "There is no memory for this; try again.");
        return;
    }
    *d = (struct doing){.api = c->api, .request = c->request, .deed = c->deed};
    memcpy(d->alarm, deed->alarm, sizeof d->alarm);
    deed->answer = on_answer;
    deed->ctx = d;
    api_hold(c->api);
    engine_deed(c->api->options.engine, deed);
}

/* One that has left the board is over, not unknown: who comes late hears so. */
static void tell_over(struct api *api, struct web_request *request, const struct api_story *s, bool closing)
{
    const struct doing d = {
        .api = api, .request = request, .deed = closing ? EVENT_CLOSED : EVENT_NOTE_ADDED};
    if (s->alarm->state != ALARM_CLOSED)
        api_busy(request, "The alarm is not on the board now; try again.");
    else if (closing)
        answer_already(&d, s->alarm->closed_by);
    else
        answer_impossible(&d, s->alarm);
}

void api_deed(struct api_call *c)
{
    const struct alarm *a = board_alarm(engine_board(c->api->options.engine), c->ids[0]);
    if (!a) {
        api_tell_story(c, tell_over, c->deed == EVENT_CLOSED);
        return;
    }
    if (!api_sees(c->account, a->site)) {
        api_refused_site(c);
        api_no_alarm(c->request);
        return;
    }
    struct engine_deed deed = {.type = c->deed, .role = c->account->role};
    memcpy(deed.alarm, a->id, sizeof deed.alarm);
    snprintf(deed.by, sizeof deed.by, "%.*s", LIMIT_ID - 1, c->account->id);
    json_t *body = api_body(c);
    if (body && read_fields(c, body, &deed))
        submit(c, &deed);
    json_decref(body);
}
