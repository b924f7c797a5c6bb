/* event_json: every event survives the journal, line by line and byte by byte. */
#include "codec/event_fields.h"
#include "codec/event_json.h"
#include "codec/event_line.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned seed = 20261123;

static uint64_t any(uint64_t below)
{
    uint64_t value = (uint64_t)rand_r(&seed) << 42 ^ (uint64_t)rand_r(&seed) << 21 ^ (uint64_t)rand_r(&seed);
    return below ? value % below : value;
}

static void any_id(char *out, size_t capacity, size_t least)
{
    static const char allowed[] = "ABCXYZabcxyz0189_.-";
    size_t size = least + any(capacity - least);
    for (size_t i = 0; i < size; i++)
        out[i] = allowed[any(sizeof allowed - 1)];
    out[size] = '\0';
}

static void any_text(char *out, size_t capacity)
{
    static const char *const pieces[] = {"a", "\"", "\\", "\n", "\x01", "警", "\xC2\xA0", "\xF0\x9F\x94\x94",
                                         " ", "/"};
    size_t used = 0, size = any(capacity);
    for (;;) {
        const char *piece = pieces[any(sizeof pieces / sizeof pieces[0])];
        if (used + strlen(piece) >= size)
            break;
        memcpy(out + used, piece, strlen(piece));
        used += strlen(piece);
    }
    out[used] = '\0';
}

static void any_plan(struct plan *plan)
{
    any_id(plan->id, sizeof plan->id, 1);
    plan->step_count = (uint8_t)any(LIMIT_STEPS + 1);
    plan->acks_needed = (uint8_t)any(1u << ROLE_COUNT);
    plan->coming_timeout_s = (uint32_t)any(UINT32_MAX);
    if (plan->step_count == 0) {
        memset(plan, 0, sizeof *plan);
        return;
    }
    for (unsigned i = 0; i < plan->step_count; i++)
        plan->answer_timeout_s[i] = (uint32_t)any(UINT32_MAX);
    plan->endpoint_count = (uint8_t)any(LIMIT_PLAN_ENDPOINTS + 1);
    uint8_t step = 0;
    for (unsigned i = 0; i < plan->endpoint_count; i++) {
        any_id(plan->endpoints[i].id, sizeof plan->endpoints[i].id, 1);
        plan->endpoints[i].role = (enum role)any(ROLE_COUNT);
        plan->endpoints[i].step = step;
        step = (uint8_t)(step + any(plan->step_count - step));
    }
}

static void any_press(struct event_press *p, bool refused)
{
    any_id(p->site, sizeof p->site, 1);
    any_id(p->device, sizeof p->device, 1);
    any_id(p->zone, sizeof p->zone, 0);
    any_id(p->epoch, sizeof p->epoch, 1);
    p->n = any(9007199254740992);
    p->has_identity = any(2);
    p->kind = (enum kind)any(KIND_COUNT);
    p->mode = (enum mode)any(MODE_COUNT);
    p->refusal = refused ? (enum refusal)any(REFUSAL_COUNT) : REFUSAL_NONE;
    p->oddities = (uint32_t)any(1u << ODD_COUNT);
    p->claimed_ms = any(2) ? (int64_t)any(253402300800000) : 0;
    p->battery = (int)any(102) - 1;
    any_text(p->raw, sizeof p->raw);
    any_plan(&p->plan);
}

static void any_deed(struct event_deed *d, bool closed)
{
    any_id(d->by, sizeof d->by, 0);
    any_id(d->endpoint, sizeof d->endpoint, 0);
    any_id(d->note_hash, sizeof d->note_hash, 0);
    d->role = (enum role)any(ROLE_COUNT);
    d->disposition = closed ? (enum disposition)any(DISPOSITION_COUNT) : 0;
    d->seen_version = (uint32_t)any(3);
}

static void any_body(struct event *e)
{
    switch (e->type) {
    case EVENT_DAEMON_STARTED:
    case EVENT_DAEMON_STOPPED:
    case EVENT_CONF_LOADED:
        any_id(e->daemon.boot_id, sizeof e->daemon.boot_id, 0);
        any_id(e->daemon.version, sizeof e->daemon.version, 0);
        e->daemon.boottime_ms = (int64_t)any(INT64_MAX);
        break;
    case EVENT_PRESS_RECEIVED:
    case EVENT_PRESS_REFUSED:
        any_press(&e->press, e->type == EVENT_PRESS_REFUSED);
        break;
    case EVENT_DEADLINE_PASSED:
        e->deadline.kind = (enum deadline_kind)any(DEADLINE_COUNT);
        e->deadline.step = (uint32_t)any(UINT32_MAX);
        break;
    case EVENT_DELIVERY_RESULT:
        any_id(e->delivery.endpoint, sizeof e->delivery.endpoint, 1);
        any_text(e->delivery.text, sizeof e->delivery.text);
        e->delivery.version = (uint32_t)any(UINT32_MAX);
        e->delivery.presses = (uint32_t)any(UINT32_MAX);
        e->delivery.attempt = (uint32_t)any(UINT32_MAX);
        e->delivery.outcome = (enum delivery_outcome)any(OUTCOME_COUNT);
        e->delivery.http_status = (uint16_t)any(UINT16_MAX + 1);
        e->delivery.duration_ms = (uint32_t)any(UINT32_MAX);
        e->delivery.recorded = any(2);
        break;
    case EVENT_ACKNOWLEDGED:
    case EVENT_COMING:
    case EVENT_ON_SCENE:
    case EVENT_CLOSED:
    case EVENT_NOTE_ADDED:
        any_deed(&e->deed, e->type == EVENT_CLOSED);
        break;
    case EVENT_TROUBLE_RAISED:
    case EVENT_TROUBLE_CLEARED:
        e->trouble.code = (enum trouble_code)any(TROUBLE_CODE_COUNT);
        any_id(e->trouble.part, sizeof e->trouble.part, 0);
        any_text(e->trouble.text, sizeof e->trouble.text);
        break;
    case EVENT_JOURNAL_GAP:
        e->gap.lost = any(INT64_MAX);
        break;
    case EVENT_SIGNED_IN:
    case EVENT_SIGNED_OUT:
    case EVENT_SIGN_IN_REFUSED:
    case EVENT_ACTION_REFUSED:
        any_id(e->access.by, sizeof e->access.by, 0);
        any_id(e->access.address, sizeof e->access.address, 0);
        any_text(e->access.action, sizeof e->access.action);
        e->access.role = e->type == EVENT_SIGN_IN_REFUSED ? 0 : (enum role)any(ROLE_COUNT);
        e->access.reason = e->type == EVENT_SIGNED_IN ? 0 : (enum access_reason)any(ACCESS_REASON_COUNT);
        e->access.count = (uint32_t)any(UINT32_MAX);
        break;
    case EVENT_TYPE_COUNT:
        fail();
    }
}

static void any_event(struct event *e, enum event_type type)
{
    memset(e, 0, sizeof *e);
    e->type = type;
    e->seq = any(INT64_MAX);
    e->at_ms = 1 + (int64_t)any(253402300799999);
    e->clock_ms = (int64_t)any(INT64_MAX);
    any_id(e->alarm, sizeof e->alarm, 0);
    any_body(e);
}

static void test_every_type_comes_back(void **state)
{
    for (unsigned round = 0; round < 2000; round++)
        for (enum event_type type = 0; type < EVENT_TYPE_COUNT; type++) {
            static struct event e, back;
            char line[LIMIT_LINE + 1], again[LIMIT_LINE + 1], why[LIMIT_TEXT] = "";
            any_event(&e, type);
            size_t size = event_encode(&e, line, sizeof line);
            assert_true(size > 0);
            assert_null(memchr(line, '\n', size));
            memset(&back, 0xA5, sizeof back);
            if (!event_decode(line, size, &back, why))
                fail_msg("%s: %s", why, line);
            assert_int_equal(event_encode(&back, again, sizeof again), size);
            assert_memory_equal(line, again, size);
            assert_int_equal(back.type, type);
            assert_int_equal(back.seq, e.seq);
            assert_int_equal(back.at_ms, e.at_ms);
            assert_int_equal(back.clock_ms, e.clock_ms);
        }
}

/* As most events are: small numbers, nothing odd, texts of a few plain words. */
static void make_plain(struct event *e)
{
    e->seq %= 1000000000000;
    e->clock_ms %= 1000000000000;
    switch (e->type) {
    case EVENT_PRESS_RECEIVED:
    case EVENT_PRESS_REFUSED:
        e->press.n %= 1000;
        e->press.oddities = 0;
        e->press.raw[0] = '\0';
        break;
    case EVENT_DELIVERY_RESULT:
        strcpy(e->delivery.text, "police: answered 204 No Content");
        break;
    case EVENT_TROUBLE_RAISED:
    case EVENT_TROUBLE_CLEARED:
        strcpy(e->trouble.text, "it answers nothing");
        break;
    case EVENT_DAEMON_STARTED:
    case EVENT_DAEMON_STOPPED:
    case EVENT_CONF_LOADED:
        e->daemon.boottime_ms %= 1000000000000;
        break;
    default:
        break;
    }
}

/* What is read without a parser is what the parser reads; and what is plain is read so. */
static void test_both_ways_of_reading_agree(void **state)
{
    unsigned taken = 0, all = 0, plans = 0;
    for (unsigned round = 0; round < 2000; round++)
        for (enum event_type type = 0; type < EVENT_TYPE_COUNT; type++) {
            static struct event e, near, parsed;
            char line[LIMIT_LINE + 1], why[LIMIT_TEXT] = "";
            any_event(&e, type);
            if (round % 4 < 3)
                make_plain(&e);
            size_t size = event_encode(&e, line, sizeof line);
            if (round % 2) /* one byte of it is another one */
                line[any(size)] = (char)any(256);
            memset(&near, 0xA5, sizeof near);
            all++;
            if (!event_line_read(line, size, &near))
                continue;
            taken++;
            plans += type == EVENT_PRESS_RECEIVED && near.press.plan.step_count > 0;
            if (!event_decode_any(line, size, &parsed, why))
                fail_msg("%s: %s", why, line);
            if (memcmp(&near, &parsed, sizeof parsed) != 0)
                fail_msg("it is read as another event: %s", line);
        }
    print_message("%u of %u lines were read without a parser, %u with a plan\n", taken, all, plans);
    assert_true(taken > all / 3);
    assert_true(plans > 500);
}

static void any_bytes(char *out, size_t capacity)
{
    for (size_t i = 0; i + 1 < capacity; i++)
        out[i] = (char)(1 + any(255));
    out[capacity - 1] = '\0';
}

/* An event that cannot be read back would stop the daemon, now and at every start. */
static void test_any_bytes_come_back(void **state)
{
    for (unsigned round = 0; round < 3000; round++) {
        static struct event e, back;
        static const enum event_type types[] = {EVENT_PRESS_REFUSED, EVENT_DELIVERY_RESULT, EVENT_CLOSED,
                                                EVENT_TROUBLE_RAISED, EVENT_DAEMON_STARTED,
                                                EVENT_ACTION_REFUSED};
        any_event(&e, types[round % 6]);
        any_bytes(e.alarm, sizeof e.alarm);
        struct {
            enum event_type type;
            char *place;
            size_t size;
        } texts[] = {
            {EVENT_PRESS_REFUSED, e.press.site, sizeof e.press.site},
            {EVENT_PRESS_REFUSED, e.press.device, sizeof e.press.device},
            {EVENT_PRESS_REFUSED, e.press.zone, sizeof e.press.zone},
            {EVENT_PRESS_REFUSED, e.press.epoch, sizeof e.press.epoch},
            {EVENT_PRESS_REFUSED, e.press.raw, sizeof e.press.raw},
            {EVENT_DELIVERY_RESULT, e.delivery.endpoint, sizeof e.delivery.endpoint},
            {EVENT_DELIVERY_RESULT, e.delivery.text, sizeof e.delivery.text},
            {EVENT_CLOSED, e.deed.by, sizeof e.deed.by},
            {EVENT_CLOSED, e.deed.endpoint, sizeof e.deed.endpoint},
            {EVENT_TROUBLE_RAISED, e.trouble.part, sizeof e.trouble.part},
            {EVENT_TROUBLE_RAISED, e.trouble.text, sizeof e.trouble.text},
            {EVENT_DAEMON_STARTED, e.daemon.version, sizeof e.daemon.version},
            {EVENT_ACTION_REFUSED, e.access.by, sizeof e.access.by},
            {EVENT_ACTION_REFUSED, e.access.address, sizeof e.access.address},
            {EVENT_ACTION_REFUSED, e.access.action, sizeof e.access.action},
        };
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            if (texts[i].type == e.type)
                any_bytes(texts[i].place, texts[i].size);
        char line[LIMIT_LINE + 1], why[LIMIT_TEXT] = "";
        size_t size = event_encode(&e, line, sizeof line);
        assert_true(size > 0);
        if (!event_decode(line, size, &back, why))
            fail_msg("%s: %s", why, line);
    }
}

/* The bytes are hashed: these lines may never look different. */
static void test_known_lines(void **state)
{
    static const char line[] =
        "{\"seq\":1,\"at\":\"2026-11-23T08:00:00.123Z\",\"clock\":77,\"type\":\"press_received\","
        "\"alarm\":\"aaaaaaaaaaaaaaaaaaaaa\",\"site\":\"school-1\",\"device\":\"room-204\",\"zone\":\"204\","
        "\"epoch\":\"b3f1\",\"n\":17,\"kind\":\"panic\",\"mode\":\"real\",\"odd\":[\"bad_field\","
        "\"retained\"],"
        "\"claimed\":\"2026-11-23T08:00:00.000Z\",\"battery\":87,\"raw\":\"{\\\"n\\\":17\","
        "\"plan\":{\"id\":\"school\",\"acks_needed\":[\"police\"],\"coming_timeout_s\":300,\"steps\":["
        "{\"answer_timeout_s\":60,\"endpoints\":[{\"id\":\"police\",\"role\":\"police\"},"
        "{\"id\":\"bureau\",\"role\":\"bureau\"}]},{\"answer_timeout_s\":30,\"endpoints\":[]}]}}";
    struct event e = {.seq = 1,
                      .at_ms = 1795420800123,
                      .clock_ms = 77,
                      .type = EVENT_PRESS_RECEIVED,
                      .alarm = "aaaaaaaaaaaaaaaaaaaaa"};
    e.press =
        (struct event_press){.site = "school-1",
                             .device = "room-204",
                             .zone = "204",
                             .epoch = "b3f1",
                             .n = 17,
                             .has_identity = true,
                             .kind = KIND_PANIC,
                             .oddities = ODD_BAD_FIELD | ODD_RETAINED,
                             .claimed_ms = 1795420800000,
                             .battery = 87,
                             .raw = "{\"n\":17",
                             .plan = {.id = "school",
                                      .step_count = 2,
                                      .endpoint_count = 2,
                                      .acks_needed = 1u << ROLE_POLICE,
                                      .answer_timeout_s = {60, 30},
                                      .coming_timeout_s = 300,
                                      .endpoints = {{"police", ROLE_POLICE, 0}, {"bureau", ROLE_BUREAU, 0}}}};
    char out[LIMIT_LINE + 1], why[LIMIT_TEXT];
    assert_int_equal(event_encode(&e, out, sizeof out), sizeof line - 1);
    assert_string_equal(out, line);

    struct event back;
    assert_true(event_decode(line, sizeof line - 1, &back, why));
    assert_int_equal(back.press.plan.endpoint_count, 2);
    assert_string_equal(back.press.plan.endpoints[1].id, "bureau");
    assert_int_equal(back.press.plan.answer_timeout_s[1], 30);
    assert_int_equal(back.press.battery, 87);
    assert_true(back.press.has_identity);

    e = (struct event){.seq = 2, .at_ms = 1795420801000, .clock_ms = 80, .type = EVENT_CLOSED, .alarm = "a"};
    e.deed = (struct event_deed){
        .by = "desk-3", .role = ROLE_POLICE, .disposition = DISPOSITION_FALSE, .seen_version = 4};
    event_encode(&e, out, sizeof out);
    assert_string_equal(out,
                        "{\"seq\":2,\"at\":\"2026-11-23T08:00:01.000Z\",\"clock\":80,\"type\":\"closed\","
                        "\"alarm\":\"a\",\"by\":\"desk-3\",\"role\":\"police\",\"disposition\":\"false\","
                        "\"seen\":4}");
}

#define HEAD "{\"seq\":1,\"at\":\"2026-11-23T08:00:00.000Z\",\"clock\":1,\"type\":"
#define PRESS                                                                                                \
    HEAD "\"press_received\",\"site\":\"s\",\"device\":\"d\",\"epoch\":\"e\",\"n\":1,\"kind\":\"fire\","     \
         "\"mode\":\"real\""

static void test_defaults(void **state)
{
    static const char press[] =
        "{\"seq\":1,\"at\":null,\"clock\":0,\"type\":\"press_received\",\"site\":\"s\","
        "\"device\":\"d\",\"epoch\":\"e\",\"n\":0,\"kind\":\"fire\",\"mode\":\"test\","
        "\"added_by_a_newer_version\":{\"x\":[1,2]}}";
    struct event e;
    char why[LIMIT_TEXT];
    assert_true(event_decode(press, sizeof press - 1, &e, why));
    assert_true(e.press.has_identity);
    assert_int_equal(e.press.battery, -1);
    assert_int_equal(e.press.plan.step_count, 0);
    assert_int_equal(e.press.claimed_ms, 0);
    assert_string_equal(e.alarm, "");
}

static void test_what_a_newer_version_wrote(void **state)
{
    static const char press[] = PRESS ",\"odd\":[\"smells\",7,\"retained\",[]]}";
    struct event e;
    char why[LIMIT_TEXT];
    assert_true(event_decode(press, sizeof press - 1, &e, why));
    assert_int_equal(e.press.oddities, ODD_RETAINED); /* what is not known is passed over */
}

static void test_largest_line_fits(void **state)
{
    struct event e = {.seq = INT64_MAX, .at_ms = 1, .clock_ms = INT64_MAX, .type = EVENT_PRESS_REFUSED};
    struct event_press *p = &e.press;
    memset(e.alarm, 'a', sizeof e.alarm - 1);
    memset(p->site, 's', sizeof p->site - 1);
    memset(p->device, 'd', sizeof p->device - 1);
    memset(p->zone, 'z', sizeof p->zone - 1);
    memset(p->epoch, 'e', sizeof p->epoch - 1);
    memset(p->raw, '\x01', sizeof p->raw - 1); /* six bytes each */
    p->oddities = (1u << ODD_COUNT) - 1;
    p->n = 9007199254740991;
    p->claimed_ms = 1;
    p->kind = KIND_INTRUSION;
    p->refusal = REFUSAL_NOTHING_TO_CANCEL;
    p->plan = (struct plan){.step_count = LIMIT_STEPS,
                            .endpoint_count = LIMIT_PLAN_ENDPOINTS,
                            .acks_needed = 31,
                            .coming_timeout_s = UINT32_MAX};
    memset(p->plan.id, 'p', sizeof p->plan.id - 1);
    for (unsigned i = 0; i < LIMIT_PLAN_ENDPOINTS; i++) {
        memset(p->plan.endpoints[i].id, 'x', LIMIT_ID - 1);
        p->plan.endpoints[i].step = (uint8_t)(i / 2);
        p->plan.answer_timeout_s[i / 2] = UINT32_MAX;
    }
    char line[LIMIT_LINE + 1], why[LIMIT_TEXT];
    struct event back;
    size_t size = event_encode(&e, line, sizeof line);
    assert_in_range(size, 3000, LIMIT_LINE);
    assert_true(event_decode(line, size, &back, why));
    assert_int_equal(event_encode(&e, line, size), 0); /* one byte too small */
    assert_int_equal(event_encode(&e, line, size + 1), size);

    memset(p->raw, '\xFF', sizeof p->raw - 1); /* grows threefold, and is cut between characters when read */
    size = event_encode(&e, line, sizeof line);
    assert_true(event_decode(line, size, &back, why));
    assert_int_equal(strlen(back.press.raw), 255);
}

#define DELIVERY                                                                                             \
    HEAD "\"delivery_result\",\"endpoint\":\"e\",\"version\":1,\"presses\":1,\"attempt\":1,"                 \
         "\"outcome\":\"failed\",\"ms\":1,\"text\":\"\","
#define X48 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_refused(void **state)
{
    static const struct {
        const char *line, *named; /* what the sentence must name */
    } table[] = {
        {"", "JSON"},
        {"]}", "JSON"}, /* more is closed than was opened */
        {"[]", "JSON"},
        {"{}", "seq"},
        {"{\"seq\":1", "JSON"},
        {"{\"seq\":\"1\"}", "seq"},
        {"{\"seq\":-1}", "seq"},
        {"{\"seq\":1.0}", "seq"},
        {"{\"seq\":1,\"seq\":1}", "duplicate"},
        {"{\"seq\":9223372036854775808}", "big"},
        {"{\"seq\":1,\"at\":\"yesterday\"}", "at"},
        {"{\"seq\":1,\"at\":5}", "at"},
        {HEAD "\"tea_served\"}", "type"},
        {HEAD "\"closed\",\"by\":\"x\",\"role\":7,\"disposition\":\"real\"}", "role"},
        {HEAD "7}", "type"},
        {DELIVERY "\"status\":65536}", "status"},
        {DELIVERY "\"status\":0,\"recorded\":1}", "recorded"},
        {HEAD "\"closed\",\"alarm\":\"" X48 "\"}", "alarm"},
        {HEAD "\"closed\",\"by\":\"x\",\"role\":\"police\"}", "disposition"},
        {HEAD "\"closed\",\"by\":\"x\",\"role\":\"king\",\"disposition\":\"real\"}", "role"},
        {HEAD "\"acknowledged\",\"by\":\"" X48 "\",\"role\":\"police\"}", "by"},
        {HEAD "\"acknowledged\",\"by\":\"x\\u0000y\",\"role\":\"police\"}", "JSON"},
        {HEAD "\"journal_gap\",\"lost\":-3}", "lost"},
        {HEAD "\"deadline_passed\",\"deadline\":\"answer\",\"step\":4294967296}", "step"},
        {HEAD "\"press_refused\",\"site\":\"s\",\"device\":\"d\",\"epoch\":\"e\",\"n\":1,\"kind\":\"fire\","
              "\"mode\":\"real\"}",
         "refusal"},
        {PRESS ",\"identity\":0}", "identity"},
        {PRESS ",\"odd\":\"bad_field\"}", "odd"},
        {PRESS ",\"battery\":2147483648}", "battery"},
        {PRESS ",\"battery\":null}", "battery"},
        {PRESS ",\"raw\":[]}", "raw"},
        {PRESS ",\"plan\":[]}", "plan"},
        {PRESS ",\"plan\":{}}", "plan"},
        {PRESS ",\"plan\":{\"id\":\"p\",\"acks_needed\":[],\"coming_timeout_s\":0,\"steps\":[]}}", "plan"},
        {PRESS ",\"plan\":{\"id\":\"p\",\"acks_needed\":[\"king\"],\"coming_timeout_s\":0,\"steps\":[{"
               "\"answer_timeout_s\":1,"
               "\"endpoints\":[]}]}}",
         "plan"},
        {PRESS ",\"plan\":{\"id\":\"p\",\"acks_needed\":[],\"coming_timeout_s\":0,\"steps\":[{\"answer_"
               "timeout_s\":-1,"
               "\"endpoints\":[]}]}}",
         "plan"},
        {PRESS ",\"plan\":{\"id\":\"p\",\"acks_needed\":[],\"coming_timeout_s\":0,\"steps\":[{},{},{},{},{},{"
               "},{},{},{}]}}",
         "plan"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct event e;
        char why[LIMIT_TEXT] = "";
        if (event_decode(table[i].line, strlen(table[i].line), &e, why))
            fail_msg("taken: %s", table[i].line);
        if (!strstr(why, table[i].named))
            fail_msg("%s: the sentence is \"%s\"", table[i].line, why);
    }
}

/* Each part of a plan, wrong or missing: a plan that was understood in part would tell the wrong people. */
static void test_a_plan_is_whole_or_refused(void **state)
{
    enum { ID, ACKS, COMING, STEPS, PARTS };
    static const char *const good[PARTS] = {"\"p\"", "[\"police\"]", "0",
                                            "[{\"answer_timeout_s\":1,\"endpoints\":[]}]"};
    static const char *const wrong[][PARTS] = {
        {[ID] = "7"},
        {[ID] = "\"" X48 "\""},
        {[ACKS] = "\"police\""},
        {[ACKS] = "[7]"},
        {[COMING] = "\"0\""},
        {[COMING] = "-1"},
        {[COMING] = "4294967296"},
        {[STEPS] = "{}"},
        {[STEPS] = "[7]"},
        {[STEPS] = "[{\"answer_timeout_s\":1}]"},
        {[STEPS] = "[{\"answer_timeout_s\":1,\"endpoints\":[7]}]"},
        {[STEPS] = "[{\"answer_timeout_s\":1,\"endpoints\":[{\"id\":\"e\"}]}]"},
        {[STEPS] = "[{\"answer_timeout_s\":1,\"endpoints\":[{\"id\":\"e\",\"role\":\"king\"}]}]"},
        {[STEPS] = "[{\"answer_timeout_s\":1,\"endpoints\":[{\"role\":\"police\"}]}]"},
    };
    for (size_t i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
        const bool is_good = i == sizeof wrong / sizeof *wrong;
        const char *part[PARTS];
        for (unsigned k = 0; k < PARTS; k++)
            part[k] = is_good || !wrong[i][k] ? good[k] : wrong[i][k];
        char line[LIMIT_LINE], why[LIMIT_TEXT] = "";
        struct event e;
        int size = snprintf(line, sizeof line,
                            PRESS ",\"plan\":{\"id\":%s,\"acks_needed\":%s,\"coming_timeout_s\":%s,\"steps\":%s}}",
                            part[ID], part[ACKS], part[COMING], part[STEPS]);
        if (event_decode(line, (size_t)size, &e, why) != is_good)
            fail_msg("%s: %s", line, why);
        assert_true(is_good || strstr(why, "\"plan\" is wrong"));
    }
}

static void test_plan_is_bounded(void **state)
{
    char line[LIMIT_LINE], why[LIMIT_TEXT];
    struct event e;
    for (unsigned count = LIMIT_PLAN_ENDPOINTS; count <= LIMIT_PLAN_ENDPOINTS + 1; count++) {
        int size = snprintf(line, sizeof line,
                            PRESS ",\"plan\":{\"id\":\"p\",\"acks_needed\":[],\"coming_timeout_s\":0,"
                                  "\"steps\":[{\"answer_timeout_s\":1,\"endpoints\":[");
        for (unsigned i = 0; i < count; i++)
            size += snprintf(line + size, sizeof line - (size_t)size, "%s{\"id\":\"e\",\"role\":\"police\"}",
                             i ? "," : "");
        size += snprintf(line + size, sizeof line - (size_t)size, "]}]}}");
        assert_int_equal(event_decode(line, (size_t)size, &e, why), count == LIMIT_PLAN_ENDPOINTS);
    }
    for (unsigned count = LIMIT_STEPS; count <= LIMIT_STEPS + 1; count++) {
        int size = snprintf(line, sizeof line,
                            PRESS ",\"plan\":{\"id\":\"p\",\"acks_needed\":[],\"coming_timeout_s\":0,"
                                  "\"steps\":[");
        for (unsigned i = 0; i < count; i++)
            size += snprintf(line + size, sizeof line - (size_t)size,
                             "%s{\"answer_timeout_s\":1,\"endpoints\":[]}", i ? "," : "");
        size += snprintf(line + size, sizeof line - (size_t)size, "]}}");
        assert_int_equal(event_decode(line, (size_t)size, &e, why), count == LIMIT_STEPS);
    }
}

#ifdef __SANITIZE_ADDRESS__
#define FLIPS 500 /* of each line; takes ten times as long */
#else
#define FLIPS 3000
#endif

/* A flipped bit gives another event or a sentence, never a crash; and so does every beginning of a line. */
static void test_damaged_lines(void **state)
{
    for (enum event_type type = 0; type < EVENT_TYPE_COUNT; type++) {
        static struct event e;
        char line[LIMIT_LINE + 1], why[LIMIT_TEXT];
        any_event(&e, type);
        size_t size = event_encode(&e, line, sizeof line);
        for (size_t i = 0; i < size; i++)
            assert_false(event_decode(line, i, &e, why));
        for (unsigned i = 0; i < FLIPS; i++) {
            size_t bit = any(size * 8);
            line[bit / 8] ^= (char)(1 << bit % 8);
            event_decode(line, size, &e, why);
            line[bit / 8] ^= (char)(1 << bit % 8);
        }
    }
    char deep[LIMIT_LINE], why[LIMIT_TEXT];
    memset(deep, '[', sizeof deep);
    struct event e;
    assert_false(event_decode(deep, sizeof deep, &e, why));
    assert_non_null(strstr(why, "deep"));
    static char huge[LIMIT_LINE + 1];
    assert_false(event_decode(huge, sizeof huge, &e, why));
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_print_speed(void **state)
{
    enum { ROUNDS = 20000 };
    struct event e = {.seq = 4711,
                      .at_ms = 1795420800123,
                      .clock_ms = 77000,
                      .type = EVENT_PRESS_RECEIVED,
                      .alarm = "aaaaaaaaaaaaaaaaaaaaa"},
                 back;
    e.press = (struct event_press){
        .site = "school-1",
        .device = "room-204",
        .zone = "204",
        .epoch = "b3f1",
        .n = 17,
        .has_identity = true,
        .kind = KIND_PANIC,
        .claimed_ms = 1795420800000,
        .battery = 87,
        .plan = {
            .id = "school",
            .step_count = 2,
            .endpoint_count = 3,
            .acks_needed = 1,
            .answer_timeout_s = {60, 30},
            .endpoints = {{"police", ROLE_POLICE, 0}, {"bureau", ROLE_BUREAU, 0}, {"guard", ROLE_GUARD, 1}}}};
    char line[LIMIT_LINE + 1], why[LIMIT_TEXT];
    for (unsigned with_plan = 0; with_plan < 2; with_plan++) {
        e.press.plan.step_count = with_plan ? 2 : 0;
        double start = seconds();
        size_t size = 0;
        for (unsigned i = 0; i < ROUNDS; i++)
            size = event_encode(&e, line, sizeof line);
        double middle = seconds();
        for (unsigned i = 0; i < ROUNDS; i++)
            assert_true(event_decode(line, size, &back, why));
        print_message("a press of %zu bytes: encoded in %.2f us, decoded in %.2f us\n", size,
                      (middle - start) / ROUNDS * 1e6, (seconds() - middle) / ROUNDS * 1e6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_comes_back),
        cmocka_unit_test(test_both_ways_of_reading_agree),
        cmocka_unit_test(test_any_bytes_come_back),
        cmocka_unit_test(test_known_lines),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_largest_line_fits),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_plan_is_bounded),
        cmocka_unit_test(test_damaged_lines),
        cmocka_unit_test(test_print_speed),
        cmocka_unit_test(test_a_plan_is_whole_or_refused),
        cmocka_unit_test(test_what_a_newer_version_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
