/* The replay in a long journal: whichever way one comes to a moment, the board of that moment is the same;
 * and going back does not begin at the first line. */
#include "api_rig.h"
#include "codec/event_json.h"
#include <stdatomic.h>

#define TURNS 60     /* each presses, and raises TROUBLES */
#define TROUBLES 500 /* together 30,000 lines: more than the first boards that are kept */
#define STEP 1709    /* lines between moments that are looked at */
#define MOMENTS 17
#define KEPT 10000 /* daemon/io/api_replay.c: SAVE_EVERY */

static atomic_uint lines_read;

bool __real_event_decode(const char *line, size_t size, struct event *out, char why[LIMIT_TEXT]);
bool __wrap_event_decode(const char *line, size_t size, struct event *out, char why[LIMIT_TEXT]);
bool __wrap_event_decode(const char *line, size_t size, struct event *out, char why[LIMIT_TEXT])
{
    lines_read++;
    return __real_event_decode(line, size, out, why);
}

static void raise_troubles(struct rig *r, void *argument)
{
    const unsigned *turn = argument;
    char part[40], text[40];
    for (unsigned i = 0; i < TROUBLES; i++) {
        snprintf(part, sizeof part, "school-1/b%u", 1 + i % 3);
        snprintf(text, sizeof text, "at %u percent", (*turn * TROUBLES + i) % 99);
        engine_trouble(r->engine, TROUBLE_BATTERY, part, true, text);
    }
    engine_batch_end(r->engine);
}

static void clear_one(struct rig *r, void *argument)
{
    const unsigned *turn = argument;
    if (*turn % 2)
        engine_trouble(r->engine, TROUBLE_BATTERY, "school-1/b2", false, "has a new one");
}

static struct rig *long_journal(void)
{
    struct rig *r = rig_start();
    struct rig_look look = {.place = "school-1/b1"};
    char alarm[LIMIT_ALARM_ID];
    for (unsigned turn = 0; turn < TURNS; turn++) {
        rig_press(r, turn % 3 ? "school-1/b1" : "school-2/b2", turn + 1, turn % 5 ? "panic" : "fire", alarm);
        rig_call(r, raise_troubles, &turn);
        rig_settle(r, &look);
        rig_call(r, clear_one, &turn);
    }
    return r;
}

/* What was known then; the caller frees it. */
static char *board_at(struct rig *r, unsigned seq)
{
    char path[100];
    snprintf(path, sizeof path, "/api/v1/replay?seq=%u", seq);
    struct answer a = get(r, path, "desk");
    if (a.status != 200)
        fail_msg("%s: %ld %s", path, a.status, a.body);
    assert_int_equal(json_integer_value(json_object_get(a.json, "seq")), seq);
    json_object_del(a.json, "last_seq"); /* the journal goes on */
    char *board = json_dumps(a.json, JSON_COMPACT);
    answer_free(&a);
    return board;
}

static void test_forth_and_back_is_the_same(void **state)
{
    struct rig *r = long_journal();
    char *forth[MOMENTS], *other = NULL;
    for (unsigned i = 0; i < MOMENTS; i++) /* one after the other: no board is loaded */
        forth[i] = board_at(r, (i + 1) * STEP);
    assert_string_not_equal(forth[MOMENTS / 2], forth[MOMENTS - 1]);
    for (unsigned i = MOMENTS; i-- > 0;) {
        char *back = board_at(r, (i + 1) * STEP);
        assert_string_equal(back, forth[i]);
        free(back);
    }
    for (unsigned i = 0; i < MOMENTS; i++) { /* to and fro, and one alarm alone in between */
        unsigned k = i * 7 % MOMENTS;
        char *there = board_at(r, (k + 1) * STEP);
        assert_string_equal(there, forth[k]);
        free(there);
        struct answer a = get(r, "/api/v1/alarms?state=open", "desk");
        const char *id =
            json_string_value(json_object_get(json_array_get(json_object_get(a.json, "alarms"), 0), "id"));
        char path[100];
        snprintf(path, sizeof path, "/api/v1/replay?seq=%u&alarm=%s", MOMENTS * STEP, id);
        answer_free(&a);
        a = get(r, path, "desk");
        assert_int_equal(a.status, 200);
        json_object_del(a.json, "last_seq");
        char *alone = json_dumps(a.json, JSON_COMPACT);
        if (other)
            assert_string_equal(alone, other);
        free(other);
        other = alone;
        answer_free(&a);
    }
    free(other);
    for (unsigned i = 0; i < MOMENTS; i++)
        free(forth[i]);
    rig_stop(r);
}

/* How many lines are read to come there from the end. */
static unsigned lines_to(struct rig *r, unsigned seq)
{
    free(board_at(r, MOMENTS * STEP));
    unsigned before = lines_read;
    free(board_at(r, seq));
    return lines_read - before;
}

/* Just behind the first board that is kept, and just before it, where all has to be read. */
static void test_going_back_does_not_begin_at_the_first_line(void **state)
{
    struct rig *r = long_journal();
    assert_true(lines_to(r, KEPT + 100) < 1000);
    assert_true(lines_to(r, KEPT - 100) >= KEPT - 100);
    rig_stop(r);
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forth_and_back_is_the_same),
        cmocka_unit_test(test_going_back_does_not_begin_at_the_first_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
