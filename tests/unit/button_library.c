/* The button's library in simulated time: what it sends when, what it shows, what it remembers. */
#include "button_rig.h"

static void test_press_to_closed(void **state)
{
    struct rig *r = rig_new();
    assert_int_equal(button_state(&r->button), BUTTON_IDLE);
    rig_link(r, true);
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    assert_int_equal(r->state, BUTTON_SENDING);
    assert_int_equal(r->sent_count, 1); /* at once, within the call */
    assert_string_equal(r->sent[0].topic, "tocsin/v1/school-1/room-204/press");
    rig_answer(r, n, "recorded", "a1");
    assert_int_equal(r->state, BUTTON_RECEIVED);
    rig_answer(r, n, "delivered", "a1");
    rig_answer(r, n, "acknowledged", "a1");
    assert_int_equal(r->state, BUTTON_RECEIVED);
    rig_answer(r, n, "coming", "a1");
    assert_int_equal(r->state, BUTTON_COMING);
    rig_answer(r, n, "on_scene", "a1");
    assert_int_equal(r->state, BUTTON_COMING);
    rig_answer(r, n, "closed", "a1");
    assert_int_equal(r->state, BUTTON_IDLE);
    rig_run(r, 60000);
    assert_int_equal(r->sent_count, 1); /* it had its receipt */
    free(r);
}

static void test_payload(void **state)
{
    struct rig *r = rig_new();
    char expected[256];
    rig_link(r, true);
    r->wall_ms = 1795420800123; /* 2026-11-23 08:00:00.123 UTC */
    button_battery(&r->button, 87);
    rig_press(r, "panic", BUTTON_REAL);
    snprintf(
        expected, sizeof expected,
        "{\"epoch\":\"%s\",\"n\":1,\"kind\":\"panic\",\"at\":\"2026-11-23T08:00:00.123Z\",\"battery\":87}",
        r->button.epoch);
    assert_string_equal(r->sent[0].payload, expected);
    r->wall_ms = 0;
    button_battery(&r->button, -1);
    rig_press(r, "", BUTTON_TEST);
    snprintf(expected, sizeof expected, "{\"epoch\":\"%s\",\"n\":2,\"test\":true}", r->button.epoch);
    assert_string_equal(r->sent[1].payload, expected);
    rig_press(r, "fi\"re", BUTTON_DRILL); /* nothing that breaks the JSON */
    snprintf(expected, sizeof expected, "{\"epoch\":\"%s\",\"n\":3,\"kind\":\"fire\",\"drill\":true}",
             r->button.epoch);
    assert_string_equal(r->sent[2].payload, expected);
    free(r);
}

static void test_times(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {951782400000, "2000-02-29T00:00:00.000Z"},  {1, "1970-01-01T00:00:00.001Z"},
        {4107542399999, "2100-02-28T23:59:59.999Z"}, {4107542400000, "2100-03-01T00:00:00.000Z"},
        {1735689599000, "2024-12-31T23:59:59.000Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = rig_new();
        r->wall_ms = cases[i].ms;
        rig_link(r, true);
        rig_press(r, "", BUTTON_REAL);
        assert_non_null(strstr(r->sent[0].payload, cases[i].text));
        free(r);
    }
}

/* 1, 2, 4, 8, 10, 10 … s, byte for byte, and a fault at 100 s; a late receipt ends both. */
static void test_repeats_and_fault(void **state)
{
    static const uint64_t seconds[] = {0, 1, 3, 7, 15, 25, 35, 45, 55, 65, 75, 85, 95, 105, 115};
    struct rig *r = rig_new();
    uint64_t start_ms = r->now_ms;
    rig_link(r, true);
    uint64_t n = rig_press(r, "fire", BUTTON_REAL);
    rig_run(r, 99999);
    assert_int_equal(r->state, BUTTON_SENDING);
    rig_run(r, 1);
    assert_int_equal(r->state, BUTTON_FAULT);
    assert_int_equal(r->faults, BUTTON_FAULT_UNANSWERED);
    rig_run(r, 20000);
    assert_int_equal(r->sent_count, sizeof seconds / sizeof *seconds);
    for (size_t i = 0; i < r->sent_count; i++) {
        assert_int_equal(r->sent[i].at_ms - start_ms, seconds[i] * 1000);
        assert_string_equal(r->sent[i].payload, r->sent[0].payload);
    }
    rig_answer(r, n, "recorded", "a1");
    assert_int_equal(r->state, BUTTON_RECEIVED);
    assert_int_equal(r->faults, 0);
    free(r);
}

/* A program looks at its clock, presses, and then says what it saw on the clock. */
static void test_a_moment_that_is_over_is_no_fault(void **state)
{
    struct rig *r = rig_new();
    uint64_t before_ms = r->now_ms;
    r->now_ms += 5;
    rig_link(r, true);
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    button_tick(&r->button, before_ms);
    assert_int_equal(r->state, BUTTON_SENDING);
    rig_answer(r, n, "recorded", "a1");
    button_tick(&r->button, before_ms);
    assert_int_equal(r->state, BUTTON_RECEIVED);
    assert_int_equal(r->faults, 0);
    rig_link(r, false);
    button_tick(&r->button, before_ms);
    assert_int_equal(r->faults, 0);
    free(r);
}

static void test_no_link(void **state)
{
    struct rig *r = rig_new();
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    rig_run(r, 19999);
    assert_int_equal(r->state, BUTTON_SENDING);
    assert_int_equal(r->sent_count, 0);
    assert_int_equal(r->heartbeats, 0);
    rig_link(r, true);
    assert_int_equal(r->sent_count, 1);
    rig_answer(r, n, "recorded", "a1");
    rig_answer(r, n, "closed", "a1");
    rig_link(r, false);
    rig_run(r, 19999);
    assert_int_equal(r->state, BUTTON_IDLE);
    rig_run(r, 1);
    assert_int_equal(r->state, BUTTON_FAULT);
    assert_int_equal(r->faults, BUTTON_FAULT_LINK);
    rig_link(r, true);
    assert_int_equal(r->state, BUTTON_IDLE);
    free(r);
}

static void test_heartbeats(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    rig_run(r, 60000);
    assert_int_equal(r->heartbeats, 13); /* at 0, 5, … 60 s */
    assert_int_equal(r->saves, 1);       /* a quiet button does not wear out its storage */
    free(r);
}

/* Pressing again and again while nobody answers is one press, sent at once each time. */
static void test_impatient(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    for (int i = 0; i < 5; i++)
        assert_int_equal(rig_press(r, "panic", BUTTON_REAL), n);
    assert_int_equal(r->sent_count, 6);
    assert_int_equal(button_waiting(&r->button), 1);
    rig_answer(r, n, "recorded", "a1");
    assert_int_equal(rig_press(r, "panic", BUTTON_REAL), n + 1);
    assert_int_equal(button_state(&r->button), BUTTON_SENDING);
    free(r);
}

static void test_full_outbox(void **state)
{
    struct rig *r = rig_new();
    char kind[BUTTON_KIND];
    rig_press(r, "panic", BUTTON_TEST);
    for (int i = 0; i < BUTTON_OUTBOX; i++) {
        snprintf(kind, sizeof kind, "kind_%d", i);
        assert_int_not_equal(rig_press(r, kind, BUTTON_REAL), 0); /* the test gives way */
    }
    assert_int_equal(button_waiting(&r->button), BUTTON_OUTBOX);
    assert_int_equal(rig_press(r, "one_more", BUTTON_REAL), 0);
    assert_int_not_equal(rig_press(r, "kind_3", BUTTON_REAL), 0); /* known: is sent again */
    rig_link(r, true);
    assert_int_equal(r->sent_count, BUTTON_OUTBOX);
    for (size_t i = 0; i < r->sent_count; i++)
        assert_null(strstr(r->sent[i].payload, "test"));
    free(r);
}

static void test_receipts_in_any_order(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    rig_answer(r, n, "coming", "a1"); /* overtakes */
    assert_int_equal(r->state, BUTTON_COMING);
    assert_int_equal(button_waiting(&r->button), 0);
    rig_answer(r, n, "recorded", "a1");
    rig_answer(r, n, "delivered", "a1");
    rig_answer(r, n, "recorded", "a1"); /* again */
    assert_int_equal(r->state, BUTTON_COMING);
    rig_answer(r, n, "closed", "a1");
    rig_answer(r, n, "acknowledged", "a1");
    assert_int_equal(r->state, BUTTON_IDLE);
    /* the next alarm; what is still said about the first one changes nothing */
    n = rig_press(r, "panic", BUTTON_REAL);
    rig_answer(r, n, "recorded", "a2");
    rig_answer(r, n - 1, "closed", "a1");
    rig_answer(r, n - 1, "coming", "a1");
    assert_int_equal(r->state, BUTTON_RECEIVED);
    free(r);
}

static void test_press_joins_its_alarm(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    rig_answer(r, n, "recorded", "a1");
    rig_answer(r, n, "coming", "a1");
    uint64_t next = rig_press(r, "attack", BUTTON_REAL);
    assert_int_equal(r->state, BUTTON_SENDING);
    rig_answer(r, next, "recorded", "a1");
    assert_int_equal(r->state, BUTTON_COMING); /* they are still coming */
    rig_answer(r, next, "closed", "a1");
    assert_int_equal(r->state, BUTTON_IDLE);
    free(r);
}

/* It came while somebody closed the case, which is open again. */
static void test_press_reopens_its_alarm(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    rig_answer(r, n, "recorded", "a1");
    uint64_t next = rig_press(r, "panic", BUTTON_REAL);
    rig_answer(r, n, "closed", "a1");
    rig_answer(r, next, "recorded", "a1");
    assert_int_equal(r->state, BUTTON_RECEIVED);
    rig_answer(r, next, "coming", "a1");
    assert_int_equal(r->state, BUTTON_COMING);
    rig_answer(r, next, "closed", "a1");
    rig_answer(r, next, "recorded", "a1");
    assert_int_equal(r->state, BUTTON_IDLE);
    free(r);
}

static void test_cancel_closes_nothing(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    rig_answer(r, n, "recorded", "a1");
    rig_answer(r, n, "coming", "a1");
    uint64_t cancel = rig_press(r, "cancel", BUTTON_REAL);
    rig_answer(r, cancel, "recorded", "");
    assert_int_equal(r->state, BUTTON_COMING);
    free(r);
}

static void test_a_test_hides_no_alarm(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    rig_answer(r, n, "recorded", "a1");
    rig_answer(r, n, "coming", "a1");
    uint64_t test = rig_press(r, "panic", BUTTON_TEST);
    rig_answer(r, test, "recorded", "t1");
    assert_int_equal(r->state, BUTTON_COMING);
    rig_answer(r, test, "closed", "t1");
    assert_int_equal(r->state, BUTTON_COMING);
    rig_answer(r, n, "closed", "a1");
    assert_int_equal(r->state, BUTTON_IDLE);
    free(r);
}

static void test_foreign_and_broken_receipts(void **state)
{
    static const char *const broken[] = {
        "",
        "{",
        "{}",
        "[]",
        "null",
        "{\"epoch\":\"",
        "{\"epoch\":\"%s\"}",
        "{\"epoch\":\"%s\",\"n\":1}",
        "{\"epoch\":\"%s\",\"n\":\"1\",\"stage\":\"recorded\"}",
        "{\"epoch\":\"%s\",\"n\":1.5,\"stage\":\"recorded\"}",
        "{\"epoch\":\"%s\",\"n\":-1,\"stage\":\"recorded\"}",
        "{\"epoch\":\"%s\",\"n\":1,\"stage\":\"unheard\"}",
        "{\"epoch\":\"%s\",\"n\":99999999999999999999999999,\"stage\":\"recorded\"}",
        "{\"epoch\":\"%s\",\"n\":1,\"stage\":\"recorded\"",
        "{\"epoch\":\"%s\",\"n\":1,\"stage\":\"recorded\",}",
        "{\"epoch\":\"%s\",\"n\":1,\"stage\":\"recorded\\n\"}",
        "{\"epoch\":\"%s\n\",\"n\":1,\"stage\":\"recorded\"}",
        "{\"epoch\":[\"%s\"],\"n\":1,\"stage\":\"recorded\"}",
        "{\"x\":[[[[[[[[[[[[]]]]]]]]]]]],\"epoch\":\"%s\",\"n\":1,\"stage\":\"recorded\"}",
        "{\"x\":{\"epoch\":\"%s\",\"n\":1,\"stage\":\"recorded\"}}",
    };
    struct rig *r = rig_new();
    char text[512];
    rig_link(r, true);
    rig_press(r, "panic", BUTTON_REAL);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        snprintf(text, sizeof text, broken[i], r->button.epoch);
#pragma GCC diagnostic pop
        rig_hear(r, text);
        assert_int_equal(r->receipts, 0);
    }
    rig_answer(r, 2, "recorded", "a1"); /* not pressed yet */
    rig_answer_of(r, "foreign", 1, "recorded", "a1");
    assert_int_equal(r->foreign, 2);
    assert_int_equal(r->state, BUTTON_SENDING);
    snprintf(
        text, sizeof text,
        " { \"extra\" : {\"a\":[1,\"}\\\"\"]} , \"stage\" : \"recorded\" , \"n\" : 1 , \"epoch\" : \"%s\" } ",
        r->button.epoch);
    rig_hear(r, text);
    assert_int_equal(r->state, BUTTON_RECEIVED);
    free(r);
}

/* Any prefix and any flipped byte of a receipt: no crash, no read beyond it (the sanitizer looks). */
static void test_mangled_receipts(void **state)
{
    struct rig *r = rig_new();
    char text[256];
    rig_press(r, "panic", BUTTON_REAL);
    int size =
        snprintf(text, sizeof text,
                 "{\"epoch\":\"%s\",\"n\":1,\"stage\":\"coming\",\"x\":[1,{\"y\":null}],\"alarm\":\"a\\n\"}",
                 r->button.epoch);
    for (int cut = 0; cut <= size; cut++)
        for (int at = 0; at < cut; at += 3)
            for (int value = 0; value < 256; value += 7) {
                char *copy = malloc((size_t)cut);
                memcpy(copy, text, (size_t)cut);
                copy[at] = (char)value;
                button_receive(&r->button, copy, (size_t)cut, r->now_ms);
                free(copy);
            }
    free(r);
}

static void test_refused(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    rig_answer(r, n, "refused", "");
    assert_int_equal(r->state, BUTTON_FAULT);
    assert_int_equal(r->faults, BUTTON_FAULT_REFUSED);
    assert_int_equal(button_waiting(&r->button), 0);
    n = rig_press(r, "panic", BUTTON_REAL); /* somebody mended the configuration */
    rig_answer(r, n, "recorded", "a1");
    assert_int_equal(r->state, BUTTON_RECEIVED);
    free(r);
}

/* Within a press's first publish the storage already knows that this counter is used. */
static void look_at_store(struct rig *r)
{
    struct rig *other = calloc(1, sizeof *other);
    *other = *r;
    other->on_publish = NULL;
    rig_power(other);
    assert_string_equal(other->button.epoch, r->button.epoch);
    assert_true(other->button.n >= r->button.n);
    free(other);
}

static void test_counter_is_stored_before_the_press_is_sent(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    r->on_publish = look_at_store;
    for (int i = 0; i < 100; i++)
        rig_answer(r, rig_press(r, "panic", BUTTON_REAL), "recorded", "a1");
    assert_int_equal(r->sent_count, 100);
    free(r);
}

static void test_power_loss_keeps_the_press(void **state)
{
    struct rig *r = rig_new();
    char before[BUTTON_PAYLOAD + 1];
    rig_link(r, true);
    r->wall_ms = 1795420800123;
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    rig_press(r, "fire", BUTTON_DRILL);
    char epoch[BUTTON_EPOCH];
    strcpy(epoch, r->button.epoch);
    strcpy(before, r->sent[0].payload);
    r->sent_count = 0;
    r->now_ms = 5; /* another clock */
    r->wall_ms = 1;
    rig_power(r);
    assert_int_equal(r->state, BUTTON_SENDING);
    rig_link(r, true);
    assert_int_equal(r->sent_count, 2);
    assert_string_equal(r->sent[0].payload, before);
    rig_answer_of(r, epoch, n, "recorded", "a1");
    rig_answer_of(r, epoch, n + 1, "recorded", "t1");
    assert_int_equal(r->state, BUTTON_RECEIVED);
    rig_power(r);
    assert_int_equal(button_waiting(&r->button), 0);
    free(r);
}

/* proto/mqtt.md: the receiver knows of the 64 counters up to the highest which it has heard. */
static void test_power_losses_skip_few_counters(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    uint64_t first = rig_press(r, "panic", BUTTON_REAL), last = first;
    for (int losses = 0; losses < 7; losses++) {
        rig_answer(r, last, "recorded", "a1");
        rig_power(r);
        rig_link(r, true);
        last = rig_press(r, "panic", BUTTON_REAL);
    }
    assert_in_range(last, first + 7, first + 63);
    free(r);
}

static void assert_one_payload_per_identity(const struct rig *r)
{
    for (size_t i = 0; i < r->sent_count; i++) {
        const char *kind = strstr(r->sent[i].payload, ",\"kind\"");
        assert_non_null(kind);
        size_t identity_size = (size_t)(kind - r->sent[i].payload);
        for (size_t j = 0; j < i; j++)
            if (strncmp(r->sent[i].payload, r->sent[j].payload, identity_size + 1) == 0)
                assert_string_equal(r->sent[i].payload, r->sent[j].payload);
    }
}

/* A storage that fails, lies or is lost at random moments, and power that goes at random moments: the same
 * identity is always the same press. */
static void test_identities_are_never_used_twice(void **state)
{
    for (uint32_t seed = 1; seed <= 40; seed++) {
        struct rig *r = rig_new();
        uint32_t dice = seed;
        rig_link(r, true);
        for (int step = 0; step < 1500; step++) {
            dice = dice * 1103515245u + 12345u;
            unsigned roll = dice >> 16 & 31;
            r->wall_ms = 1795420800000 + step; /* makes each press another one */
            if (roll < 2) {
                rig_power(r);
                rig_link(r, true);
            } else if (roll < 5) {
                r->save_fails = true;
                r->save_lies = roll == 2;
            } else if (roll < 8) {
                r->save_fails = false;
            } else if (roll == 8 && dice >> 29 == 0) {
                r->stored = false;
            } else if (roll < 24) {
                rig_press(r, "panic", BUTTON_REAL);
            } else if (button_waiting(&r->button)) {
                rig_answer_of(r, r->button.waiting[0].epoch, r->button.waiting[0].n, "recorded", "a1");
            }
        }
        assert_true(r->sent_count > 500);
        assert_one_payload_per_identity(r);
        free(r);
    }
}

static void test_lost_or_broken_storage_means_a_new_epoch(void **state)
{
    struct rig *r = rig_new();
    char epoch[BUTTON_EPOCH];
    strcpy(epoch, r->button.epoch);
    rig_press(r, "panic", BUTTON_REAL);
    for (size_t at = 0; at < r->store_size; at++) { /* any flipped bit is seen */
        r->store[at] ^= 0x10;
        struct rig *other = calloc(1, sizeof *other);
        *other = *r;
        rig_power(other);
        assert_string_not_equal(other->button.epoch, epoch);
        assert_int_equal(button_waiting(&other->button), 0);
        free(other);
        r->store[at] ^= 0x10;
    }
    for (size_t size = 0; size < r->store_size; size++) { /* any missing tail, too */
        struct rig *other = calloc(1, sizeof *other);
        *other = *r;
        other->store_size = size;
        rig_power(other);
        assert_string_not_equal(other->button.epoch, epoch);
        free(other);
    }
    rig_power(r);
    assert_string_equal(r->button.epoch, epoch);
    free(r);
}

static void test_failing_storage_is_shown_and_stops_no_press(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    r->save_fails = true;
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    assert_int_equal(r->sent_count, 1);
    assert_int_equal(r->state, BUTTON_SENDING);
    assert_int_equal(r->faults, BUTTON_FAULT_STORAGE);
    rig_answer(r, n, "recorded", "a1");
    rig_answer(r, n, "closed", "a1");
    assert_int_equal(r->state, BUTTON_FAULT);
    r->save_fails = false;
    n = rig_press(r, "panic", BUTTON_REAL);
    rig_answer(r, n, "recorded", "a2");
    assert_int_equal(r->faults, 0);
    free(r);
}

/* A moment without room costs nothing: the storage is tried again. */
static void test_a_storage_that_works_again_has_the_press(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    r->save_fails = true;
    rig_press(r, "panic", BUTTON_REAL);
    r->save_fails = false;
    rig_run(r, 60000);
    assert_int_equal(r->faults & BUTTON_FAULT_STORAGE, 0);
    rig_power(r);
    assert_int_equal(button_waiting(&r->button), 1);
    free(r);
}

static void test_nothing_to_cancel_is_no_fault(void **state)
{
    struct rig *r = rig_new();
    rig_link(r, true);
    uint64_t n = rig_press(r, "panic", BUTTON_REAL);
    rig_answer(r, n, "recorded", "a1");
    uint64_t cancel = rig_press(r, "cancel", BUTTON_REAL);
    rig_answer(r, cancel, "refused", "");
    rig_answer(r, n, "coming", "a1");
    assert_int_equal(r->state, BUTTON_COMING);
    rig_answer(r, n, "closed", "a1");
    assert_int_equal(r->state, BUTTON_IDLE);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_press_to_closed),
        cmocka_unit_test(test_nothing_to_cancel_is_no_fault),
        cmocka_unit_test(test_a_storage_that_works_again_has_the_press),
        cmocka_unit_test(test_payload),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_repeats_and_fault),
        cmocka_unit_test(test_a_moment_that_is_over_is_no_fault),
        cmocka_unit_test(test_no_link),
        cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_impatient),
        cmocka_unit_test(test_full_outbox),
        cmocka_unit_test(test_receipts_in_any_order),
        cmocka_unit_test(test_press_joins_its_alarm),
        cmocka_unit_test(test_press_reopens_its_alarm),
        cmocka_unit_test(test_cancel_closes_nothing),
        cmocka_unit_test(test_a_test_hides_no_alarm),
        cmocka_unit_test(test_foreign_and_broken_receipts),
        cmocka_unit_test(test_mangled_receipts),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_counter_is_stored_before_the_press_is_sent),
        cmocka_unit_test(test_power_loss_keeps_the_press),
        cmocka_unit_test(test_power_losses_skip_few_counters),
        cmocka_unit_test(test_identities_are_never_used_twice),
        cmocka_unit_test(test_lost_or_broken_storage_means_a_new_epoch),
        cmocka_unit_test(test_failing_storage_is_shown_and_stops_no_press),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
