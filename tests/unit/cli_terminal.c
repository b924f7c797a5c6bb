/* Nothing that came from outside steers the terminal; tables line up with Chinese in them; texts are
 * compared. */
#include "cli/difference.h"
#include "cli/terminal.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static char *said;
static size_t said_size;
static FILE *memory;

static int listen_to_it(void **state)
{
    memory = open_memstream(&said, &said_size);
    terminal_redirect(memory);
    return memory ? 0 : -1;
}

static int stop_listening(void **state)
{
    terminal_redirect(NULL);
    fclose(memory);
    free(said);
    return 0;
}

static void assert_said(const char *expected)
{
    fflush(memory);
    assert_string_equal(said, expected);
}

/* Bytes that would be more than text to a terminal or to a reader's eye. */
static const char *const hostile[] = {
    "\x1b[2J\x1b]0;title\x07",  /* ANSI: clear, set the title */
    "line\nbreak\r\ttab\b\x7f", /* C0 and DEL */
    "\xC2\x9B"
    "31m \xC2\x85", /* C1: CSI, NEL */
    "\xE2\x80\xAE"
    "evil\xE2\x80\xAC",                 /* right-to-left override */
    "\xE2\x81\xA6iso\xE2\x81\xA9",      /* isolates */
    "\xD8\x9C\xE2\x80\x8E\xE2\x80\x8F", /* Arabic letter mark, LRM, RLM */
    "\xE2\x80\xA8\xE2\x80\xA9",         /* line and paragraph separator */
    "\xFF\xFE\xC0\xAF\xED\xA0\x80\xF5", /* no UTF-8 at all, overlong, surrogate */
    "%s%n%x",                           /* formats */
};

static bool steers(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i], next = i + 1 < size ? (unsigned char)text[i + 1] : 0;
        unsigned char third = i + 2 < size ? (unsigned char)text[i + 2] : 0;
        if (c < 0x20 || c == 0x7f || (c == 0xC2 && next >= 0x80 && next < 0xA0))
            return true;
        if (c == 0xE2 && next == 0x80 && (third == 0x8E || third == 0x8F || (third >= 0xA8 && third <= 0xAE)))
            return true;
        if ((c == 0xE2 && next == 0x81 && third >= 0xA6 && third <= 0xA9) || (c == 0xD8 && next == 0x9C))
            return true;
    }
    return false;
}

static void what_is_said_is_one_clean_line(void **state)
{
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        fflush(memory);
        size_t before = said_size;
        say(TONE_BAD, "the desk answered: %s", hostile[i]);
        fflush(memory);
        assert_true(said_size > before + 1);
        assert_int_equal(said[said_size - 1], '\n');
        assert_false(steers(said + before, said_size - before - 1));
    }
}

static void what_is_said_stays_readable(void **state)
{
    say(TONE_PLAIN, "示例小学 · Room 204 – 警钟 🔔 %s", "\xC3\xA9");
    assert_said("示例小学 · Room 204 – 警钟 🔔 é\n");
}

static void a_table_is_clean_too(void **state)
{
    struct columns *t = columns_create(1);
    columns_cell(t, TONE_PLAIN, "HEAD");
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
        columns_cell(t, TONE_PLAIN, "%s", hostile[i]);
    columns_print_and_destroy(t);
    fflush(memory);
    size_t lines = 0;
    for (char *rest = said, *line; (line = strsep(&rest, "\n")) && rest;) {
        assert_false(steers(line, strlen(line)));
        lines++;
    }
    assert_int_equal(lines, 1 + sizeof hostile / sizeof *hostile);
}

static void columns_line_up(void **state)
{
    struct columns *t = columns_create(3);
    const char *const cells[] = {"NAME", "STATE", "X", "公安局", "ok", "1", "desk", "", "22"};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        columns_cell(t, TONE_PLAIN, "%s", cells[i]);
    columns_print_and_destroy(t);
    assert_said("NAME    STATE  X\n公安局  ok     1\ndesk           22\n");
}

static void json_stays_the_same_json(void **state)
{
    static const char *const values[] = {"\x1b[2J", "\xC2\x9B", "\xE2\x80\xAE", "\xE2\x81\xA6", "plain",
                                         "警钟",    "🔔",        "a\nb"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        json_t *value = json_pack("{s:s}", "text", values[i]);
        char *text = json_dumps(value, JSON_COMPACT), *safe = terminal_safe_json(text, strlen(text));
        json_t *again = json_loads(safe, 0, NULL);
        assert_false(steers(safe, strlen(safe)));
        assert_true(json_equal(value, again));
        free(text);
        free(safe);
        json_decref(value);
        json_decref(again);
    }
    char *safe = terminal_safe_json("{\n  \"a\": \"\xFF\"\n}", 14);
    assert_string_equal(safe, "{\n  \"a\": \"\\ufffd\"\n}"); /* the line breaks of a printed object stay */
    free(safe);
    safe = terminal_safe_json("{\t\"a\":\r1}", 9);
    assert_string_equal(safe, "{ \"a\": 1}");
    free(safe);
}

static void moments_are_shown_in_utc(void **state)
{
    char out[TERMINAL_TIME];
    terminal_init(true);
    terminal_time(out, 1795420800123);
    assert_string_equal(out, "2026-11-23 08:00:00.123 UTC");
    terminal_clock(out, 1795420800007);
    assert_string_equal(out, "08:00:00.007");
    terminal_time(out, -1);
    assert_string_equal(out, "1969-12-31 23:59:59.999 UTC");
}

static void moments_are_shown_in_local_time(void **state)
{
    char out[TERMINAL_TIME];
    setenv("TZ", "Asia/Shanghai", 1);
    tzset();
    terminal_init(false);
    terminal_time(out, 1795420800123);
    assert_string_equal(out, "2026-11-23 16:00:00.123 +08:00");
    terminal_date(out, 1795420800123);
    assert_string_equal(out, "2026-11-23 +08:00");
    setenv("TZ", "America/St_Johns", 1);
    tzset();
    terminal_time(out, 1795420800123);
    assert_string_equal(out, "2026-11-23 04:30:00.123 -03:30");
    terminal_init(true);
}

static void differences_name_the_lines(void **state)
{
    difference_say("a\nb\nc\nd\n", "a\nc\nx\nd\n");
    assert_said("  a\n- b\n  c\n+ x\n  d\n");
}

static void differences_of_nothing_and_of_everything(void **state)
{
    difference_say("", "a\n");
    difference_say("a\nb", "");
    difference_say("same\n", "same\n");
    assert_said("+ a\n- a\n- b\n  same\n");
}

int main(void)
{
    terminal_init(true);
#define HEARD(TEST) cmocka_unit_test_setup_teardown(TEST, listen_to_it, stop_listening)
    const struct CMUnitTest tests[] = {
        HEARD(what_is_said_is_one_clean_line),
        HEARD(what_is_said_stays_readable),
        HEARD(a_table_is_clean_too),
        HEARD(columns_line_up),
        cmocka_unit_test(json_stays_the_same_json),
        cmocka_unit_test(moments_are_shown_in_utc),
        cmocka_unit_test(moments_are_shown_in_local_time),
        HEARD(differences_name_the_lines),
        HEARD(differences_of_nothing_and_of_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
