/* Closed alarms, searched and summed: every filter, every bad parameter, whose they are, and what the archive
 * does when its file is damaged, foreign, or knows of a note that was erased. */
#include "api_rig.h"
#include "wide_awake.h"
#include "codec/time_text.h"
#include <sqlite3.h>

static json_t *ask(struct rig *r, const char *path, const char *who)
{
    struct answer a = get(r, path, who);
    if (a.status != 200)
        fail_msg("%s: %ld %s", path, a.status, a.body);
    json_t *json = json_incref(a.json);
    answer_free(&a);
    return json;
}

/* The ids found, in order, "a b "; the archive has all. */
static const char *found(struct rig *r, const char *query, const char *who)
{
    static char ids[2000];
    char path[300];
    snprintf(path, sizeof path, "/api/v1/history%s", query);
    json_t *json = ask(r, path, who), *alarms = json_object_get(json, "alarms");
    assert_true(json_is_true(json_object_get(json, "complete")));
    ids[0] = '\0';
    for (size_t i = 0; i < json_array_size(alarms); i++)
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s ",
                 json_string_value(json_object_get(json_array_get(alarms, i), "id")));
    json_decref(json);
    return ids;
}

static unsigned version_of(struct rig *r, const char *alarm)
{
    char path[100];
    snprintf(path, sizeof path, "/api/v1/alarms/%s", alarm);
    json_t *json = ask(r, path, "desk");
    unsigned version = (unsigned)json_integer_value(json_object_get(json, "version"));
    json_decref(json);
    return version;
}

static void close_alarm(struct rig *r, const char *alarm, const char *disposition, const char *note)
{
    char body[400];
    snprintf(body, sizeof body, "{\"disposition\":\"%s\",\"seen_version\":%u,\"note\":\"%s\"}", disposition,
             version_of(r, alarm), note);
    expect(post(r, alarm, "close", "desk", body), 200, NULL, NULL);
}

static void do_ahead(struct rig *r, void *argument)
{
    r->ahead_ms += *(int64_t *)argument;
}

/* Three closed alarms, the oldest first, and an open one. */
struct story {
    char panic[LIMIT_ALARM_ID], fire[LIMIT_ALARM_ID], medical[LIMIT_ALARM_ID], open[LIMIT_ALARM_ID];
};

static struct story tell(struct rig *r)
{
    struct story s;
    int64_t minute_ms = 45000;
    rig_press(r, "school-1/b1", 1, "panic", s.panic);
    rig_press(r, "school-1/b2", 1, "attack", s.panic);
    rig_call(r, do_ahead, &minute_ms);
    expect(post(r, s.panic, "acknowledge", "bureau", "{\"note\":\"张老师说 50% of \\\"NEAR(\\\" * \"}"), 200,
           NULL, NULL);
    expect(post(r, s.panic, "coming", "desk", NULL), 200, NULL, NULL);
    close_alarm(r, s.panic, "real", "二楼");
    rig_press(r, "school-2/b1", 1, "fire", s.fire);
    close_alarm(r, s.fire, "false", "A ball hit the button");
    rig_press(r, "school-1/b3", 1, "medical", s.medical);
    expect(post(r, s.medical, "on-scene", "guard-1", NULL), 200, NULL, NULL);
    close_alarm(r, s.medical, "accidental", "\\u202egnorw \\ud83d\\udea8");
    rig_press(r, "school-2/b2", 7, "panic", s.open);
    return s;
}

static const char *ids(const char *a, const char *b, const char *c)
{
    static char texts[64][100];
    static unsigned turn;
    char *text = texts[turn++ % 64];
    snprintf(text, sizeof texts[0], "%s%s%s%s%s%s", a, *a ? " " : "", b, *b ? " " : "", c, *c ? " " : "");
    return text;
}

static void test_each_filter(void **state)
{
    struct rig *r = rig_start();
    struct story s = tell(r);
    const struct {
        const char *query, *found;
    } cases[] = {
        {"", ids(s.medical, s.fire, s.panic)},
        {"?site=school-1", ids(s.medical, "", s.panic)},
        {"?kind=fire", ids("", s.fire, "")},
        {"?kind=attack", ids("", "", s.panic)},
        {"?disposition=accidental", ids(s.medical, "", "")},
        {"?mode=real", ids(s.medical, s.fire, s.panic)},
        {"?mode=drill", ""},
        {"?limit=1", ids(s.medical, "", "")},
        {"?from=2000-01-01T00:00:00Z", ids(s.medical, s.fire, s.panic)},
        {"?to=2000-01-01T00:00:00Z", ""},
        {"?text=ball", ids("", s.fire, "")},
        {"?text=BALL%20but", ids("", s.fire, "")},
        {"?text=ball%20nothing", ""},
        {"?text=room%201", ids("", "", s.panic)},                    /* the zone's name */
        {"?text=%221%22", ids(s.medical, "", s.panic)},              /* the site's name */
        {"?text=guard-1", ids(s.medical, "", "")},                   /* who was there */
        {"?text=%E5%BC%A0%E8%80%81", ids("", "", s.panic)},          /* 张老 */
        {"?text=%E4%BA%8C", ids("", "", s.panic)},                   /* 二 */
        {"?text=%E5%BC%A0%E3%80%80%E4%BA%8C", ids("", "", s.panic)}, /* 张　二, with a wide blank */
        {"?text=%22NEAR(%22", ids("", "", s.panic)},
        {"?text=50%25", ids("", "", s.panic)},
        {"?text=5_%25", ""},
        {"?text=*", ids("", "", s.panic)},
        {"?text=%F0%9F%9A%A8", ids(s.medical, "", "")},
        {"?text=%E2%80%AEgnorw", ids(s.medical, "", "")},
        {"?text=%27%20OR%201=1%20--", ""},
        {"?text=school&site=school-1&disposition=real&kind=attack&mode=real&limit=5", ids("", "", s.panic)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(found(r, cases[i].query, "desk"), cases[i].found) != 0)
            fail_msg("%s: found %s, not %s", cases[i].query, found(r, cases[i].query, "desk"),
                     cases[i].found);
    rig_stop(r);
}

static void test_a_row_says_who_and_how_fast(void **state)
{
    struct rig *r = rig_start();
    struct story s = tell(r);
    json_t *json = ask(r, "/api/v1/history?kind=attack", "desk"),
           *row = json_array_get(json_object_get(json, "alarms"), 0);
    const struct {
        const char *key, *value;
    } texts[] = {{"id", s.panic},
                 {"kind", "attack"},
                 {"mode", "real"},
                 {"disposition", "real"},
                 {"coming_by", "desk"},
                 {"closed_by", "desk"},
                 {"acknowledged_by", "bureau"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_string_equal(json_string_value(json_object_get(row, texts[i].key)), texts[i].value);
    assert_int_equal(json_integer_value(json_object_get(row, "press_count")), 2);
    assert_true(json_number_value(json_object_get(row, "acknowledged_s")) >= 45);
    assert_true(json_number_value(json_object_get(row, "coming_s")) < 60);
    assert_true(json_is_null(json_object_get(row, "on_scene_s")) &&
                json_is_null(json_object_get(row, "received_s")));
    assert_true(json_is_null(json_object_get(row, "on_scene_by")));
    json_t *zone = json_array_get(json_object_get(row, "zones"), 0);
    assert_string_equal(json_string_value(json_object_get(zone, "name")), "Room 1");
    assert_string_equal(json_string_value(json_object_get(json_object_get(row, "site"), "name")),
                        "School \"1\"");
    json_decref(json);
    rig_stop(r);
}

static void test_pages_are_without_gap_and_double(void **state)
{
    struct rig *r = rig_start();
    struct story s = tell(r);
    const char *expected[] = {s.medical, s.fire, s.panic};
    char path[100] = "/api/v1/history?limit=1";
    for (int i = 0; i < 3; i++) {
        json_t *json = ask(r, path, "desk");
        json_t *row = json_array_get(json_object_get(json, "alarms"), 0),
               *next = json_object_get(json, "next");
        assert_string_equal(json_string_value(json_object_get(row, "id")), expected[i]);
        assert_int_equal(json_is_integer(next), i < 2);
        snprintf(path, sizeof path, "/api/v1/history?limit=1&before=%lld",
                 (long long)json_integer_value(next));
        json_decref(json);
    }
    rig_stop(r);
}

static void test_whose_they_are(void **state)
{
    struct rig *r = rig_start();
    struct story s = tell(r);
    assert_string_equal(found(r, "", "guard-1"), ids(s.medical, "", s.panic));
    assert_string_equal(found(r, "", "admin-2"), ids("", s.fire, ""));
    assert_string_equal(found(r, "?text=school", "guard-2"), ids("", s.fire, ""));
    assert_string_equal(found(r, "?kind=attack", "guard-2"), "");
    expect(get(r, "/api/v1/history?site=school-1", "guard-2"), 400, "bad-request", "site");
    expect(get(r, "/api/v1/figures?site=school-1", "guard-2"), 400, "bad-request", "site");
    expect(get(r, "/api/v1/history", NULL), 401, "unauthorized", NULL);
    json_t *json = ask(r, "/api/v1/figures", "guard-2");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "real"), "alarms")), 1);
    assert_int_equal(json_array_size(json_object_get(json, "sites")), 1);
    json_decref(json);
    rig_stop(r);
}

static void test_bad_parameters_are_named(void **state)
{
    static const char *const cases[][2] = {
        {"history?site=none", "site"},
        {"history?kind=Fire", "kind"},
        {"history?disposition=", "disposition"},
        {"history?mode=real,test", "mode"},
        {"history?from=yesterday", "from"},
        {"history?to=2026-13-01T00:00:00Z", "to"},
        {"history?limit=0", "limit"},
        {"history?limit=1001", "limit"},
        {"history?before=-1", "before"},
        {"history?text=", "text"},
        {"history?text=%20%E3%80%80", "text"},
        {"history?text=a%20b%20c%20d%20e%20f%20g%20h%20i", "text"},
        {"history?words=a", "words"},
        {"history?kind=fire&kind=fire", "kind"},
        {"figures?offset_min=841", "offset_min"},
        {"figures?offset_min=-", "offset_min"},
        {"figures?offset_min=1e2", "offset_min"},
        {"figures?kind=fire", "kind"},
        {"figures?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"},
        {"history?from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "to"}};
    struct rig *r = rig_start();
    char path[400];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(path, sizeof path, "/api/v1/%s", cases[i][0]);
        expect(get(r, path, "desk"), 400, "bad-request", cases[i][1]);
    }
    size_t size = (size_t)snprintf(path, sizeof path, "/api/v1/history?text=");
    memset(path + size, 'x', 201);
    path[size + 201] = '\0';
    expect(get(r, path, "desk"), 400, "bad-request", "text");
    path[size + 200] = '\0';
    expect(get(r, path, "desk"), 200, NULL, NULL);
    rig_stop(r);
}

static int64_t at(json_t *json, const char *list, size_t index)
{
    json_t *value = json_object_get(json, list);
    return json_integer_value(
        json_array_get(json_is_object(value) ? json_object_get(value, "counts") : value, index));
}

static void test_figures(void **state)
{
    struct rig *r = rig_start();
    tell(r);
    char path[100], to[TIME_TEXT];
    time_text(to, rig_wall(r) + 1000);
    snprintf(path, sizeof path, "/api/v1/figures?offset_min=480&to=%s", to);
    json_t *json = ask(r, path, "desk"), *real = json_object_get(json, "real");
    assert_int_equal(json_integer_value(json_object_get(real, "alarms")), 3);
    assert_int_equal(json_integer_value(json_object_get(real, "presses")), 4);
    assert_int_equal(at(real, "acknowledged", 1), 1); /* of 45 s */
    assert_int_equal(at(real, "acknowledged", 0), 1); /* on the scene at once */
    assert_int_equal(json_integer_value(json_object_get(json_object_get(real, "acknowledged"), "never")), 1);
    assert_int_equal(at(real, "feedback", 0), 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(real, "received"), "never")), 3);
    int64_t presses = 0, now_hour = (rig_wall(r) / 60000 + 480) / 60 % 24;
    for (size_t hour = 0; hour < 24; hour++)
        presses += at(real, "presses_by_hour", hour);
    assert_int_equal(presses, 4);
    assert_true(at(real, "presses_by_hour", (size_t)now_hour) +
                    at(real, "presses_by_hour", (size_t)(now_hour + 23) % 24) ==
                4);
    json_t *site = json_array_get(json_object_get(json, "sites"), 0), *year = json_object_get(site, "year");
    assert_string_equal(json_string_value(json_object_get(site, "id")), "school-1");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(site, "presses"), "real")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(site, "alarms"), "real")), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(site, "alarms"), "test")), 0);
    assert_int_equal(json_integer_value(json_object_get(year, "false_alarms")), 1);
    assert_true(json_number_value(json_object_get(year, "share")) == 0.5);
    json_decref(json);
    json = ask(r, "/api/v1/figures?to=2000-01-01T00:00:00Z", "desk");
    assert_int_equal(json_array_size(json_object_get(json, "sites")), 0);
    json_decref(json);
    rig_stop(r);
}

static void test_a_later_note_is_found(void **state)
{
    struct rig *r = rig_start();
    struct story s = tell(r);
    char path[200], body[100];
    snprintf(path, sizeof path, "?text=%s", s.medical);
    assert_string_equal(found(r, path, "desk"), ids(s.medical, "", ""));
    snprintf(body, sizeof body, "{\"text\":\"later found: a loose cable\"}");
    expect(post(r, s.medical, "notes", "desk", body), 200, NULL, NULL);
    assert_string_equal(found(r, "?text=loose%20cable", "desk"), ids(s.medical, "", ""));
    rig_stop(r);
}

/* --- The file. */

static void do_close_api(struct rig *r, void *argument)
{
    api_destroy(r->api);
    r->api = NULL;
}

/* The archive's thread ends after the api; with its connection the log goes. */
static void close_api(struct rig *r)
{
    char log[160];
    snprintf(log, sizeof log, "%s/journal.db-archive-wal", r->folder);
    rig_call(r, do_close_api, NULL);
    while (access(log, F_OK) == 0)
        usleep(1000);
}

static void do_open_api(struct rig *r, void *argument)
{
    char error[256], path[128];
    snprintf(path, sizeof path, "%s/journal.db", r->folder);
    const struct api_options options = {.loop = &r->loop,
                                        .engine = r->engine,
                                        .history = r->history,
                                        .journal_file = path,
                                        .version = "0.0.test"};
    r->api = api_create(&options, error);
    r->port = api_port(r->api);
}

static void run_sql(const char *file, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void overwrite(const char *file, off_t from, const char *bytes, size_t size)
{
    int fd = open(file, O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, bytes, size, from) == (ssize_t)size);
    close(fd);
}

static const char zeros[8192];

static void damage(const char *file, int which)
{
    switch (which) {
    case 0:
        overwrite(file, 0, "this is no database", 19);
        return;
    case 1:
        overwrite(file, 4096, zeros, 8192);
        return;
    case 2:
        assert_int_equal(truncate(file, 5000), 0);
        return;
    case 3:
        assert_int_equal(truncate(file, 0), 0);
        return;
    case 4:
        run_sql(file, "PRAGMA user_version=99");
        return;
    case 5:
        run_sql(file, "DELETE FROM alarm; UPDATE state SET leaf = zeroblob(32)");
        return;
    case 6:
        run_sql(file, "DELETE FROM alarm; UPDATE state SET position = 1000000");
        return;
    case 7:
        run_sql(file, "DROP TABLE state");
        return;
    default:
        unlink(file);
    }
}
#define DAMAGES 9

static void test_a_bad_file_is_made_anew(void **state)
{
    struct rig *r = rig_start();
    struct story s = tell(r);
    char file[128];
    snprintf(file, sizeof file, "%s/journal.db-archive", r->folder);
    for (int which = 0; which < DAMAGES; which++) {
        assert_string_equal(found(r, "", "desk"), ids(s.medical, s.fire, s.panic));
        close_api(r);
        damage(file, which);
        rig_call(r, do_open_api, NULL);
        if (strcmp(found(r, "", "desk"), ids(s.medical, s.fire, s.panic)) != 0)
            fail_msg("after damage %d: %s", which, found(r, "", "desk"));
    }
    rig_stop(r);
}

static bool file_has(const char *file, const char *word)
{
    char command[300];
    snprintf(command, sizeof command, "cat %s* | grep -q '%s'", file, word);
    return system(command) == 0;
}

static bool note_is_there(struct rig *r, uint64_t seq)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *s;
    snprintf(path, sizeof path, "%s/journal.db", r->folder);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT 1 FROM note WHERE seq = ?", -1, &s, NULL), SQLITE_OK);
    sqlite3_bind_int64(s, 1, (int64_t)seq);
    bool there = sqlite3_step(s) == SQLITE_ROW;
    sqlite3_finalize(s);
    sqlite3_close(db);
    return there;
}

static void test_an_erased_note_is_not_found(void **state)
{
    struct rig *r = rig_start();
    struct story s = tell(r);
    char file[128], path[100];
    snprintf(file, sizeof file, "%s/journal.db-archive", r->folder);
    snprintf(path, sizeof path, "/api/v1/alarms/%s", s.fire);
    assert_string_equal(found(r, "?text=ball", "desk"), ids("", s.fire, ""));
    json_t *json = ask(r, path, "desk"), *note = json_array_get(json_object_get(json, "notes"), 0);
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(note, "seq"));
    json_decref(json);
    assert_true(file_has(file, "ball hit"));
    close_api(r);
    journal_erase_note(r->journal, seq);
    for (int i = 0; i < 5000 && note_is_there(r, seq); i++)
        usleep(1000); /* the journal erases in a quiet moment */
    rig_call(r, do_open_api, NULL);
    assert_string_equal(found(r, "?text=ball", "desk"), "");
    assert_string_equal(found(r, "?kind=fire", "desk"), ids("", s.fire, ""));
    assert_false(file_has(file, "ball hit"));
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_filter),
        cmocka_unit_test(test_a_row_says_who_and_how_fast),
        cmocka_unit_test(test_pages_are_without_gap_and_double),
        cmocka_unit_test(test_whose_they_are),
        cmocka_unit_test(test_bad_parameters_are_named),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_a_later_note_is_found),
        cmocka_unit_test(test_a_bad_file_is_made_anew),
        cmocka_unit_test(test_an_erased_note_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
