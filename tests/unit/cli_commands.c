/* The table of commands, from which parser, help, manual and completion are made, is whole. */
#include "cli/command.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What help, manual and completion are made from. */
static void the_table_of_commands_is_whole(void **state)
{
    for (const struct command *c = commands; c->name; c++) {
        for (int language = 0; language < LANGUAGE_COUNT; language++) {
            assert_non_null(c->help.in[language]);
            assert_true((c->about.in[language] != NULL) == (c->about.in[LANGUAGE_ENGLISH] != NULL));
        }
        assert_non_null(c->run);
        assert_non_null(c->synopsis);
        assert_true(c->arguments_most <= INVOCATION_ARGUMENTS && c->arguments_least <= c->arguments_most);
        for (const struct option_row *o = c->options; o && o->name; o++) {
            assert_non_null(o->help.in[LANGUAGE_ENGLISH]);
            assert_non_null(o->help.in[LANGUAGE_CHINESE]);
            const struct option_row *lists[] = {c->options, options_general,
                                                c->connects ? options_connection : NULL};
            for (size_t i = 0; i < 3; i++)
                for (const struct option_row *other = lists[i]; other && other->name; other++)
                    if (other != o &&
                        (strcmp(other->name, o->name) == 0 || (o->letter && other->letter == o->letter)))
                        fail_msg("%s: --%s and --%s cannot be told apart", c->name, o->name, other->name);
        }
    }
}

static void a_command_line_is_taken_apart(void **state)
{
    char *argv[] = {"close", "--json", "a3k5", "-d", "false", "--note=a ball"};
    int words = 0;
    struct invocation inv;
    const struct command *c = command_find(6, argv, &words);
    assert_non_null(c);
    assert_int_equal(words, 1);
    assert_true(invocation_parse(&inv, c, 6, argv));
    assert_true(inv.argument_count == 1 && strcmp(inv.arguments[0], "a3k5") == 0);
    assert_string_equal(invocation_value(&inv, "disposition"), "false");
    assert_string_equal(invocation_value(&inv, "note"), "a ball");
    assert_true(invocation_given(&inv, "json"));
    assert_false(invocation_given(&inv, "seen"));
    assert_null(invocation_value(&inv, "url"));
}

static void a_command_may_have_two_words(void **state)
{
    char *argv[] = {"journal", "prove", "17", "--", "-x"};
    int words = 0;
    struct invocation inv;
    const struct command *c = command_find(5, argv, &words);
    assert_non_null(c);
    assert_string_equal(c->name, "journal prove");
    assert_int_equal(words, 2);
    assert_true(invocation_parse(&inv, c, 2, argv + 1));
    assert_string_equal(inv.arguments[0], "17");
}

static void numbers_are_whole_and_within_bounds(void **state)
{
    static const struct {
        char *value;
        bool good;
        int64_t number;
    } cases[] = {{"1", true, 1},    {"10", true, 10},
                 {"0", false, 0},   {"11", false, 0},
                 {"", false, 0},    {"1x", false, 0},
                 {"1.5", false, 0}, {"-1", false, 0},
                 {"0x1", false, 0}, {"18446744073709551617", false, 0}};
    int words = 0;
    char *name[] = {"alarms"};
    const struct command *c = command_find(1, name, &words);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *argv[] = {"alarms", "--limit", cases[i].value, NULL};
        struct invocation inv;
        int64_t number = -7;
        assert_true(invocation_parse(&inv, c, 3, argv));
        assert_int_equal(invocation_number(&inv, "limit", 1, 10, 5, &number), cases[i].good);
        if (cases[i].good)
            assert_int_equal(number, cases[i].number);
    }
    struct invocation inv;
    int64_t number;
    assert_true(invocation_parse(&inv, c, 1, name));
    assert_true(invocation_number(&inv, "limit", 1, 10, 5, &number));
    assert_int_equal(number, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_commands_is_whole),
        cmocka_unit_test(a_command_line_is_taken_apart),
        cmocka_unit_test(a_command_may_have_two_words),
        cmocka_unit_test(numbers_are_whole_and_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
