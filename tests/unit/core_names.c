/* What has a name has one for each value, and is found again by it; ids are what the contracts say. */
#include "core/alarm.h"
#include "core/id.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* How the enums look from here: a value is its number. */
#define NAMED(NAME, TYPE)                                                                                    \
    static const char *NAME##_word(unsigned value)                                                           \
    {                                                                                                        \
        return NAME##_str((TYPE)value);                                                                      \
    }                                                                                                        \
    static bool NAME##_value(const char *text, unsigned *out)                                                \
    {                                                                                                        \
        TYPE value = (TYPE)*out;                                                                             \
        bool known = NAME##_of(text, &value);                                                                \
        *out = (unsigned)value;                                                                              \
        return known;                                                                                        \
    }
NAMED(kind, enum kind)
NAMED(alarm_class, enum alarm_class)
NAMED(mode, enum mode)
NAMED(role, enum role)
NAMED(event_type, enum event_type)
NAMED(refusal, enum refusal)
NAMED(delivery_outcome, enum delivery_outcome)
NAMED(disposition, enum disposition)
NAMED(deadline_kind, enum deadline_kind)
NAMED(trouble_code, enum trouble_code)
NAMED(alarm_state, enum alarm_state)
NAMED(delivery_state, enum delivery_state)
NAMED(change, enum change)

#define ROW(NAME, COUNT)                                                                                     \
    {                                                                                                        \
        NAME##_word, NAME##_value, COUNT                                                                     \
    }
static const struct {
    const char *(*word)(unsigned);
    bool (*value)(const char *, unsigned *);
    unsigned count;
} named[] = {
    ROW(kind, KIND_COUNT),
    ROW(alarm_class, CLASS_COUNT),
    ROW(mode, MODE_COUNT),
    ROW(role, ROLE_COUNT),
    ROW(event_type, EVENT_TYPE_COUNT),
    ROW(refusal, REFUSAL_COUNT),
    ROW(delivery_outcome, OUTCOME_COUNT),
    ROW(disposition, DISPOSITION_COUNT),
    ROW(deadline_kind, DEADLINE_COUNT),
    ROW(trouble_code, TROUBLE_CODE_COUNT),
    ROW(alarm_state, ALARM_STATE_COUNT),
    ROW(delivery_state, DELIVERY_STATE_COUNT),
    ROW(change, CHANGE_COUNT),
};

static void test_each_value_has_a_name_of_its_own(void **unused)
{
    for (size_t row = 0; row < sizeof named / sizeof *named; row++)
        for (unsigned value = 0; value < named[row].count; value++) {
            unsigned found = named[row].count;
            assert_non_null(named[row].word(value));
            assert_true(named[row].value(named[row].word(value), &found));
            assert_int_equal(found, value);
        }
}

static void test_what_has_no_name(void **unused)
{
    for (size_t row = 0; row < sizeof named / sizeof *named; row++) {
        unsigned untouched = 1;
        assert_string_equal(named[row].word(named[row].count), "?");
        assert_string_equal(named[row].word(UINT32_MAX), "?");
        assert_false(named[row].value("?", &untouched));
        assert_false(named[row].value("", &untouched));
        assert_int_equal(untouched, 1);
    }
}

static void test_oddities(void **unused)
{
    assert_string_equal(oddity_str(0), "not_json");
    assert_string_equal(oddity_str(ODD_COUNT - 1), "duplicate_key");
    assert_int_equal(1 << (ODD_COUNT - 1), ODD_DUPLICATE_KEY);
    assert_string_equal(oddity_str(ODD_COUNT), "?");
}

static void test_classes(void **unused)
{
    for (unsigned kind = 0; kind <= KIND_COUNT; kind++)
        assert_int_equal(kind_class((enum kind)kind), kind == KIND_FIRE      ? CLASS_FIRE
                                                      : kind == KIND_MEDICAL ? CLASS_MEDICAL
                                                                             : CLASS_SECURITY);
}

static void test_ids(void **unused)
{
    static const char *const good[] = {"a",
                                       "Z",
                                       "0",
                                       "room-204",
                                       "School_1.east",
                                       "azAZ09_.-",
                                       "a23456789012345678901234567890123456789012345-7"};
    static const char *const bad[] = {
        "",  "a b", "a/b", "a+", "#", "caf\xc3\xa9", "a\n",
        "`", "{",   "@",   "[",  ":", ",",           ".", "..",
        "a234567890123456789012345678901234567890123456-8"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(id_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(id_valid(bad[i]));
}

/* printf school-1/room-204/b3f1/17 | openssl sha256 -binary | base32 | tr A-Z a-z | cut -c 1-20 */
static void test_alarm_id_can_be_worked_out_by_hand(void **unused)
{
    char id[LIMIT_ALARM_ID];
    alarm_id_of(id, "school-1", "room-204", "b3f1", 17);
    assert_string_equal(id, "arorf4o3tzlvb75jf5e7e");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_value_has_a_name_of_its_own),
        cmocka_unit_test(test_what_has_no_name),
        cmocka_unit_test(test_oddities),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_alarm_id_can_be_worked_out_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
