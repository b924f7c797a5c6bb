/* The texts of the tool: both languages complete, with the same blanks; filling them in; choosing the
 * language. */
#include "cli/texts.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name, *in[LANGUAGE_COUNT];
} rows[] = {
#define TEXT(NAME, ENGLISH, CHINESE) {#NAME, {ENGLISH, CHINESE}},
#define WORD(SET, NAME, ENGLISH, CHINESE) {SET "." NAME, {ENGLISH, CHINESE}},
#include "cli/texts.def"
#undef TEXT
#undef WORD
};

/* The blanks of a pattern: every {name} of it occurs in the other, too. */
static void assert_blanks_within(const char *name, const char *pattern, const char *other)
{
    for (const char *p = pattern; (p = strchr(p, '{')); p++) {
        const char *end = strchr(p, '}');
        assert_non_null(end);
        char blank[64] = "";
        assert_true((size_t)(end - p) + 1 < sizeof blank);
        memcpy(blank, p, (size_t)(end - p) + 1);
        if (!strstr(other, blank))
            fail_msg("%s: %s is missing in \"%s\"", name, blank, other);
    }
}

static void both_languages_say_the_same(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *english = rows[i].in[LANGUAGE_ENGLISH], *chinese = rows[i].in[LANGUAGE_CHINESE];
        assert_true(*english && *chinese);
        assert_blanks_within(rows[i].name, english, chinese);
        assert_blanks_within(rows[i].name, chinese, english);
        assert_null(strpbrk(english, "\n\x1b"));
        assert_null(strpbrk(chinese, "\n\x1b"));
    }
}

static void no_word_is_there_twice(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(rows[i].name, rows[k].name) == 0)
                fail_msg("%s is there twice", rows[i].name);
}

static void blanks_are_filled(void **state)
{
    static const struct {
        const char *pattern, *expected;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"{who} acknowledged", "desk-3 acknowledged"},
        {"{who}{who}", "desk-3desk-3"},
        {"{nobody} and {who}", "{nobody} and desk-3"},
        {"{", "{"},
        {"{who", "{who"},
        {"{empty}|{what}", "|{who}"}, /* a value is never filled in again */
        {"{missing}", ""},
    };
    const struct text_value values[] = {
        {"who", "desk-3"}, {"what", "{who}"}, {"empty", ""}, {"missing", NULL}, {NULL, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[64];
        text_fill(out, sizeof out, cases[i].pattern, values);
        assert_string_equal(out, cases[i].expected);
    }
}

static void filling_stops_at_the_capacity(void **state)
{
    char *out = malloc(8); /* so that a sanitizer sees one byte too many */
    text_fill(out, 8, "{a}-{a}", (struct text_value[]){{"a", "12345"}, {NULL, NULL}});
    assert_string_equal(out, "12345-1");
    text_fill(out, 1, "{a}", (struct text_value[]){{"a", "12345"}, {NULL, NULL}});
    assert_string_equal(out, "");
    free(out);
}

static void the_environment_chooses(void **state)
{
    static const struct {
        const char *all, *messages, *lang;
        enum language expected;
    } cases[] = {
        {NULL, NULL, NULL, LANGUAGE_ENGLISH},
        {NULL, NULL, "C.UTF-8", LANGUAGE_ENGLISH},
        {NULL, NULL, "zh_CN.UTF-8", LANGUAGE_CHINESE},
        {NULL, "en_US.UTF-8", "zh_CN.UTF-8", LANGUAGE_ENGLISH},
        {"zh_CN.UTF-8", "en_US.UTF-8", "en_US.UTF-8", LANGUAGE_CHINESE},
        {"", "", "zh_CN", LANGUAGE_CHINESE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
        const char *const values[] = {cases[i].all, cases[i].messages, cases[i].lang};
        for (size_t k = 0; k < 3; k++) {
            if (values[k])
                setenv(names[k], values[k], 1);
            else
                unsetenv(names[k]);
        }
        assert_true(text_choose(NULL));
        assert_int_equal(text_language(), cases[i].expected);
    }
    assert_true(text_choose("zh-CN"));
    assert_string_equal(text_word("role", "police"), "公安");
    assert_true(text_choose("en"));
    assert_string_equal(text_word("role", "police"), "police");
    assert_string_equal(text_word("role", "unheard-of"), "unheard-of");
    assert_false(text_choose("fr"));
    assert_true(text_choose("en"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_languages_say_the_same), cmocka_unit_test(no_word_is_there_twice),
        cmocka_unit_test(blanks_are_filled),           cmocka_unit_test(filling_stops_at_the_capacity),
        cmocka_unit_test(the_environment_chooses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
