/* event.c - a line of the journal (proto/journal.md) → event → line: decoded when the daemon starts, when an
 * old alarm is told, and when the tool replays what others exported.
 *
 * Checked: what is not taken leaves a sentence; what is taken can be written again within LIMIT_LINE, and
 * what was written is read as the same event and written as the same bytes; every word of it is in range;
 * what is read without a parser is what the parser reads. */
#include "codec/event_fields.h"
#include "codec/event_json.h"
#include "codec/event_line.h"
#include "fuzz.h"
#include <jansson.h>

static void check_words(const struct event *e)
{
    must(e->type < EVENT_TYPE_COUNT, "type %u", e->type);
    if (e->type == EVENT_PRESS_RECEIVED || e->type == EVENT_PRESS_REFUSED) {
        const struct plan *p = &e->press.plan;
        must(e->press.kind < KIND_COUNT && e->press.mode < MODE_COUNT && e->press.refusal < REFUSAL_COUNT,
             "a word");
        must(e->press.oddities < 1u << ODD_COUNT, "oddities %x", e->press.oddities);
        must(p->step_count <= LIMIT_STEPS && p->endpoint_count <= LIMIT_PLAN_ENDPOINTS,
             "a plan of %u steps, %u endpoints", p->step_count, p->endpoint_count);
        for (unsigned i = 0; i < p->endpoint_count; i++)
            must(p->endpoints[i].step < p->step_count && p->endpoints[i].role < ROLE_COUNT &&
                     (i == 0 || p->endpoints[i].step >= p->endpoints[i - 1].step),
                 "endpoint %u of a plan", i);
    }
}

static void check_both_ways(const char *line, size_t size)
{
    struct event near, any;
    char why[LIMIT_TEXT] = "";
    memset(&near, 0xa5, sizeof near);
    if (size > LIMIT_LINE || !event_line_read(line, size, &near))
        return;
    must(event_decode_any(line, size, &any, why), "a parser does not take what is taken without: %s", why);
    must(memcmp(&near, &any, sizeof any) == 0, "another event without a parser: %.*s", (int)size, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event e, again;
    char why[LIMIT_TEXT] = "", first[LIMIT_LINE + 1], second[LIMIT_LINE + 1];
    memset(&e, 0xa5, sizeof e);
    check_both_ways((const char *)data, size);
    if (!event_decode((const char *)data, size, &e, why)) {
        must(why[0], "a line is not taken, and nobody says why");
        fuzz_must_be_clean("why", why, sizeof why);
        return 0;
    }
    check_words(&e);
    size_t first_size = event_encode(&e, first, sizeof first);
    must(first_size > 0 && first_size <= LIMIT_LINE, "an event does not fit a line");
    json_t *object = json_loadb(first, first_size, JSON_REJECT_DUPLICATES, NULL);
    must(json_is_object(object), "what is written is no JSON object: %s", first);
    json_decref(object);
    must(event_decode(first, first_size, &again, why), "what is written is not read back: %s: %s", why,
         first);
    must(memcmp(&e, &again, sizeof e) == 0, "another event: %s", first);
    check_both_ways(first, first_size);
    must(event_encode(&again, second, sizeof second) == first_size && memcmp(first, second, first_size) == 0,
         "%s becomes %s", first, second);
    return 0;
}
