/* The bundle of one alarm: who is given it, and that each way to spoil it is found and named. */
#include "api_rig.h"
#include "cli/bundle.h"
#include "journal/note.h"
#include "journal/tree.h"

struct kit {
    struct rig *r;
    char alarm[LIMIT_ALARM_ID], key[NOTE_KEY_TEXT];
    json_t *bundle;
};

static struct answer bundle_as(struct rig *r, const char *alarm, const char *who)
{
    char path[100];
    snprintf(path, sizeof path, "/api/v1/alarms/%s/bundle", alarm);
    return get(r, path, who);
}

/* An alarm of three presses among those of another school, acknowledged and closed. */
static int begin(void **state)
{
    struct kit *k = calloc(1, sizeof *k);
    char other[LIMIT_ALARM_ID];
    k->r = rig_start();
    for (unsigned n = 1; n <= 3; n++) {
        rig_press(k->r, "school-1/b1", n, "panic", k->alarm);
        rig_press(k->r, "school-2/b1", n, "panic", other);
    }
    expect(post(k->r, k->alarm, "acknowledge", "desk", "{\"note\":\"a note\"}"), 200, NULL, NULL);
    note_key_text("tocsin.test", k->r->conf->daemon.journal_key + 32, k->key);
    struct answer a = bundle_as(k->r, k->alarm, "desk");
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.headers, "Content-Disposition: attachment; filename=\"alarm-a"));
    assert_null(strstr(a.body, "a note"));
    k->bundle = json_incref(a.json);
    answer_free(&a);
    *state = k;
    return 0;
}

static int end(void **state)
{
    struct kit *k = *state;
    json_decref(k->bundle);
    rig_stop(k->r);
    free(k);
    return 0;
}

static json_t *entry(const struct kit *k, size_t index)
{
    return json_array_get(json_object_get(k->bundle, "entries"), index);
}

/* The finding; "" when it is good. */
static const char *verify(const struct kit *k, size_t bytes, const char *key)
{
    static struct journal_verify_report report;
    char file[100], alarm[LIMIT_ALARM_ID], *text = json_dumps(k->bundle, JSON_COMPACT);
    snprintf(file, sizeof file, "%s/bundle.json", k->r->folder);
    FILE *out = fopen(file, "w");
    assert_true(fwrite(text, 1, bytes ? bytes : strlen(text), out) > 0);
    fclose(out);
    free(text);
    bool good = bundle_verify(file, &(struct journal_verify_options){.public_key = key}, &report, alarm);
    assert_true(good == report.good);
    return good ? "" : report.text;
}

static void finds(const struct kit *k, const char *what)
{
    const char *finding = verify(k, 0, k->key);
    if (!strstr(finding, what))
        fail_msg("expected \"%s\", got \"%s\"", what, finding);
}

static void test_it_is_good(void **state)
{
    const struct kit *k = *state;
    assert_string_equal(verify(k, 0, k->key), "");
    assert_string_equal(verify(k, 0, NULL), "");
    assert_int_equal(json_array_size(json_object_get(k->bundle, "entries")), 4);
    assert_non_null(strstr(k->key, json_string_value(json_object_get(k->bundle, "key"))));
}

static void test_who_may_not(void **state)
{
    const struct kit *k = *state;
    struct answer a = bundle_as(k->r, k->alarm, "guard-1");
    assert_int_equal(a.status, 200);
    answer_free(&a);
    expect(bundle_as(k->r, k->alarm, NULL), 401, "unauthorized", NULL);
    expect(bundle_as(k->r, k->alarm, "guard-2"), 404, "not-found", NULL); /* another school's */
    expect(bundle_as(k->r, "a2222222222222222222a", "desk"), 404, "not-found", NULL);
    char path[100];
    snprintf(path, sizeof path, "/api/v1/alarms/%s/bundle?all=1", k->alarm);
    expect(get(k->r, path, "desk"), 400, "bad-request", "all");
    a = get(k->r, "/api/v1/journal?limit=10000", "desk");
    struct rig_look look = {.place = "school-1/b1"};
    rig_settle(k->r, &look);
    answer_free(&a);
    a = get(k->r, "/api/v1/journal?limit=10000", "desk");
    assert_non_null(strstr(a.body, "\"type\":\"action_refused\",\"by\":\"guard-2\""));
    answer_free(&a);
}

static void test_a_changed_line(void **state)
{
    const struct kit *k = *state;
    char *line = strdup(json_string_value(json_object_get(entry(k, 1), "line"))), leaf[48];
    unsigned char hash[32];
    memcpy(strstr(line, "panic"), "attac", 5);
    json_object_set_new(entry(k, 1), "line", json_string(line));
    finds(k, "was changed: it does not give the hash beside it");
    tree_leaf(hash, line, strlen(line));
    sodium_bin2base64(leaf, sizeof leaf, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    json_object_set_new(entry(k, 1), "leaf", json_string(leaf));
    finds(k, "is not in the record that this checkpoint seals");
    free(line);
}

static void test_missing_and_swapped_entries(void **state)
{
    const struct kit *k = *state;
    json_t *entries = json_object_get(k->bundle, "entries"), *first = json_incref(entry(k, 0)),
           *last = json_incref(entry(k, 3));
    json_array_remove(entries, 3);
    finds(k, "says that it has 4 entries, and has 3");
    json_array_append(entries, last);
    json_array_remove(entries, 0);
    finds(k, "the beginning is missing");
    json_array_append_new(entries, first);
    json_array_remove(entries, 0);
    json_array_insert_new(entries, 0, first = json_incref(entry(k, 2)));
    finds(k, "stands behind entry");
    json_decref(last);
}

static void test_an_entry_of_another_alarm(void **state)
{
    const struct kit *k = *state;
    json_object_set_new(k->bundle, "alarm", json_string("a2222222222222222222a"));
    finds(k, "is not about this alarm");
}

static void test_a_foreign_checkpoint(void **state)
{
    const struct kit *k = *state;
    unsigned char public_key[32], secret_key[64];
    char key[NOTE_KEY_TEXT], note[NOTE_TEXT], error[LIMIT_TEXT];
    struct note_checkpoint c;
    crypto_sign_keypair(public_key, secret_key);
    note_key_text("tocsin.test", public_key, key);
    const char *mine = json_string_value(json_object_get(k->bundle, "checkpoint"));
    assert_true(note_parse(mine, strlen(mine), &c, error));
    assert_non_null(strstr(verify(k, 0, key), "the checkpoint is not that of this key"));
    note_sign(&c, secret_key, note); /* the same entries, signed by somebody else */
    json_object_set_new(k->bundle, "checkpoint", json_string(note));
    finds(k, "the checkpoint is not that of this key");
    memset(c.root, 7, sizeof c.root); /* another record of the same key */
    note_sign(&c, k->r->conf->daemon.journal_key, note);
    json_object_set_new(k->bundle, "checkpoint", json_string(note));
    finds(k, "is not in the record that this checkpoint seals");
    json_object_del(k->bundle, "checkpoint");
    finds(k, "no checkpoint");
}

static void test_a_file_that_is_cut_off(void **state)
{
    const struct kit *k = *state;
    assert_non_null(strstr(verify(k, 700, k->key), "the file is cut off"));
    json_object_set_new(k->bundle, "format", json_string("tocsin-alarm-bundle-v9"));
    finds(k, "no bundle of an alarm");
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_good),
        TEST(test_who_may_not),
        TEST(test_a_changed_line),
        TEST(test_missing_and_swapped_entries),
        TEST(test_an_entry_of_another_alarm),
        TEST(test_a_foreign_checkpoint),
        TEST(test_a_file_that_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
