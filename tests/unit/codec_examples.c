/* Every example of proto/examples, read by the daemon's own codec. An odd press's file name says what is
 * recorded with it: press/odd/bad_field+no_identity.n-as-text.json. */
#include "codec/press_json.h"
#include "codec/webhook.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char bytes[8192];
static size_t size;

static void load(const char *folder, const char *name)
{
    char path[1024];
    const char *source = getenv("TOCSIN_SOURCE");
    snprintf(path, sizeof path, "%s/proto/examples/%s/%s", source ? source : ".", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s cannot be read", path);
    size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_true(size < sizeof bytes);
}

static unsigned each_of(const char *folder, void (*check)(const char *name))
{
    char path[1024];
    const char *source = getenv("TOCSIN_SOURCE");
    snprintf(path, sizeof path, "%s/proto/examples/%s", source ? source : ".", folder);
    DIR *d = opendir(path);
    if (!d)
        fail_msg("%s cannot be read", path);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(d));)
        if (strstr(entry->d_name, ".json")) {
            load(folder, entry->d_name);
            check(entry->d_name);
            count++;
        }
    closedir(d);
    return count;
}

static void check_press(const char *name)
{
    struct press_fields f;
    press_decode(bytes, size, &f);
    if (f.oddities || !f.has_identity)
        fail_msg("press/%s is odd: %#x", name, f.oddities);
}

static uint32_t oddities_named(const char *name)
{
    char words[256];
    uint32_t named = 0;
    snprintf(words, sizeof words, "%.*s", (int)strcspn(name, "."), name);
    for (char *save, *word = strtok_r(words, "+", &save); word; word = strtok_r(NULL, "+", &save)) {
        unsigned bit = 0;
        while (bit < ODD_COUNT && strcmp(oddity_str(bit), word) != 0)
            bit++;
        if (bit == ODD_COUNT)
            fail_msg("%s: there is no oddity \"%s\"", name, word);
        named |= 1u << bit;
    }
    return named;
}

static void check_odd_press(const char *name)
{
    struct press_fields f;
    press_decode(bytes, size, &f);
    if (f.oddities != oddities_named(name))
        fail_msg("press/odd/%s: %#x instead of %#x", name, f.oddities, oddities_named(name));
    assert_true(size == 0 || f.raw[0] != '\0');
}

static void check_heartbeat(const char *name)
{
    assert_in_range(heartbeat_battery(bytes, size) + 1, 0, 101);
}

static void check_answer(const char *name)
{
    struct webhook_answer a;
    webhook_answer_decode(bytes, size, "aqwsxedcrfvtgbyhnujmi", &a);
    bool ack = strcmp(name, "ack.json") == 0;
    assert_int_equal(a.acknowledged, ack);
    assert_int_equal(a.echo, ack || strcmp(name, "echo.json") == 0);
    assert_int_equal(a.refused, strcmp(name, "refuse.json") == 0);
}

static void test_all(void **state)
{
    assert_true(each_of("press", check_press) > 0);
    assert_true(each_of("press/odd", check_odd_press) > 0);
    assert_true(each_of("heartbeat", check_heartbeat) > 0);
    assert_int_equal(each_of("answer", check_answer), 4);
}

static void test_what_they_say(void **state)
{
    static const unsigned char key[32] = "0123456789abcdef0123456789abcde";
    struct press_fields f;
    load("press", "signed.json");
    press_decode(bytes, size, &f);
    assert_true(press_signature_ok(key, "school-1", "room-204", &f));
    load("press", "test.json");
    press_decode(bytes, size, &f);
    assert_int_equal(f.mode, MODE_TEST);
    load("press", "drill.json");
    press_decode(bytes, size, &f);
    assert_int_equal(f.mode, MODE_DRILL);
    load("press/odd", "not_json.nul-at-the-end.json"); /* damaged, and still no real alarm */
    press_decode(bytes, size, &f);
    assert_int_equal(f.mode, MODE_TEST);
    load("heartbeat", "battery.json");
    assert_int_equal(heartbeat_battery(bytes, size), 87);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
