/* Sessions, delays, passwords and the table of a page's files: each alone, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/folder.h"
#include "io/delay.h"
#include "io/password.h"
#include "io/session.h"
#include "io/web_files.h"
#include <sodium.h>

#define S 1000
static const unsigned char mark[SESSION_MARK];

static int begin(void **state)
{
    return sodium_init() < 0;
}

static void count(void *ctx, const struct session *s)
{
    ++*(unsigned *)ctx;
}

static void a_session_has_its_time(void **state)
{
    struct sessions *all = sessions_create();
    char id[SESSION_ID], other[SESSION_ID];
    int64_t now = 5 * S;
    struct session *s = session_open(all, "desk", mark, now, 0, id, NULL, NULL);
    session_open(all, "desk", mark, now, 0, other, NULL, NULL);
    assert_int_equal(strlen(id), SESSION_ID - 1);
    assert_string_not_equal(id, other);
    assert_string_not_equal(id, s->csrf);
    assert_ptr_equal(session_find(all, id, now), s);
    assert_null(session_find(all, "", now));
    assert_null(session_find(all, s->csrf, now));
    assert_ptr_equal(session_numbered(all, s->number, now), s);
    assert_null(session_numbered(all, s->number + SESSIONS, now));
    assert_null(session_numbered(all, 0, now));
    assert_true(session_csrf_matches(s, s->csrf));
    assert_false(session_csrf_matches(s, id));
    assert_false(session_csrf_matches(s, NULL));

    int64_t almost = now + SESSION_IDLE_S * S - 1;
    assert_non_null(session_find(all, id, almost)); /* heard of */
    assert_null(session_find(all, other, almost + 1));
    for (int64_t at = almost; at < now + SESSION_LONGEST_S * S; at += SESSION_IDLE_S * S / 2)
        session_touch(s, at); /* an open feed */
    assert_non_null(session_find(all, id, now + SESSION_LONGEST_S * S - 1));
    assert_null(session_find(all, id, now + SESSION_LONGEST_S * S));

    uint64_t number = s->number;
    session_close(s);
    s = session_open(all, "desk", mark, now, 0, id, NULL, NULL);
    assert_int_not_equal(s->number, number); /* the place is the same, the session is not */
    assert_null(session_numbered(all, number, now));
    sessions_destroy(all);
}

static void who_comes_last_finds_room(void **state)
{
    struct sessions *all = sessions_create();
    char first[SESSION_ID], id[SESSION_ID], account[LIMIT_ID];
    unsigned crowded = 0;
    session_open(all, "desk", mark, 1, 0, first, count, &crowded);
    for (int i = 1; i < SESSIONS_OF_ACCOUNT; i++)
        session_open(all, "desk", mark, 1 + i, 0, id, count, &crowded);
    assert_int_equal(crowded, 0);
    session_open(all, "desk", mark, 100, 0, id, count, &crowded);
    assert_int_equal(crowded, 1);
    assert_null(session_find(all, first, 100));
    for (int i = 0; i < SESSIONS; i++) {
        snprintf(account, sizeof account, "a%d", i);
        assert_non_null(session_open(all, account, mark, 200 + i, 0, id, count, &crowded));
    }
    assert_int_equal(sessions_count(all), SESSIONS);
    assert_int_equal(crowded, 1 + SESSIONS_OF_ACCOUNT);
    sessions_destroy(all);
}

static void waits_grow_and_end(void **state)
{
    static const int64_t waits_s[] = {0, 0, 1, 2, 4, 8, 16, DELAY_MOST_S, DELAY_MOST_S, DELAY_MOST_S};
    struct delays *d = delays_create();
    int64_t now = 1000 * S;
    for (size_t i = 0; i < sizeof waits_s / sizeof *waits_s; i++) {
        delay_wrong(d, "a", now);
        assert_int_equal(delay_wait_ms(d, "a", now), waits_s[i] * S);
        assert_int_equal(delay_wait_ms(d, "b", now), 0);
        if (waits_s[i])
            assert_int_equal(delay_wait_ms(d, "a", now + waits_s[i] * S - 1), 1);
        assert_int_equal(delay_wait_ms(d, "a", now + waits_s[i] * S), 0);
        now += 60 * S;
    }
    assert_int_equal(delay_wrong_count(d, "a", now), sizeof waits_s / sizeof *waits_s);
    assert_int_equal(delay_wrong_count(d, "a", now + DELAY_FORGET_S * S), 0);
    delay_right(d, "a");
    assert_int_equal(delay_wrong_count(d, "a", now), 0);
    delays_destroy(d);
}

/* Whoever fills the table makes others forgotten, never waiting. */
static void a_full_table_keeps_nobody_out(void **state)
{
    struct delays *d = delays_create();
    char key[32];
    for (int i = 0; i < 20 * DELAY_KEYS; i++) {
        snprintf(key, sizeof key, "attacker %d", i);
        delay_wrong(d, key, 1000 * S + i);
    }
    assert_int_equal(delay_wait_ms(d, "officer", 1000 * S + 20 * DELAY_KEYS), 0);
    for (int i = 0; i < 5; i++)
        delay_wrong(d, "officer", 2000 * S);
    assert_int_equal(delay_wait_ms(d, "officer", 2000 * S), 4 * S);
    delays_destroy(d);
}

struct answers {
    unsigned right, wrong;
};

static void on_checked(void *ctx, bool right)
{
    struct answers *a = ctx;
    *(right ? &a->right : &a->wrong) += 1;
}

static bool try_password(struct passwords *p, const char *hash, const char *text, bool known, struct answers *a)
{
    return password_check(p, &(struct password_try){hash, text, strlen(text), known}, on_checked, a);
}

static void passwords_are_checked_in_turn(void **state)
{
    char hash[SECRET_TEXT];
    uv_loop_t loop;
    struct answers a = {0};
    unsigned taken = 0;
    uv_loop_init(&loop);
    struct passwords *p = passwords_create(&loop);
    assert_true(secret_password_hash("correct horse", hash));
    assert_true(try_password(p, hash, "correct horse", false, &a));
    assert_true(try_password(p, hash, "correct horsf", false, &a));
    assert_true(try_password(p, NULL, "correct horse", false, &a));
    assert_int_equal(a.right + a.wrong, 0); /* never from within the call */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(a.right, 1);
    assert_int_equal(a.wrong, 2);
    while (taken < 1000 && try_password(p, hash, "x", taken % 2, &a))
        taken++;
    passwords_destroy(p);
    assert_int_equal(a.wrong, 2 + taken); /* every one has its answer */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* A flood of strangers leaves room for who is known, and lets him pass. */
static void strangers_keep_nobody_out_who_is_known(void **state)
{
    char hash[SECRET_TEXT];
    uv_loop_t loop;
    struct answers known = {0}, strangers = {0};
    unsigned taken = 0;
    uv_loop_init(&loop);
    struct passwords *p = passwords_create(&loop);
    assert_true(secret_password_hash("correct horse", hash));
    while (taken < 1000 && try_password(p, NULL, "x", false, &strangers))
        taken++;
    assert_int_equal(taken, PASSWORDS_AT_ONCE + PASSWORDS_WAITING - PASSWORDS_KNOWN);
    for (unsigned i = 0; i < PASSWORDS_KNOWN; i++)
        assert_true(try_password(p, hash, "correct horse", true, &known));
    assert_false(try_password(p, hash, "correct horse", true, &known)); /* then: come again */
    while (known.right < PASSWORDS_KNOWN)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(strangers.wrong <= 2 * PASSWORDS_AT_ONCE);
    passwords_destroy(p);
    assert_int_equal(strangers.wrong, taken);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void only_what_is_in_the_table(void **state)
{
    struct folder f;
    char error[256];
    folder_init(&f);
    assert_null(web_files_load(folder_path(&f, "nothing"), error));
    assert_string_equal(error, "");
    folder_add(&f, "page");
    folder_add(&f, "page/assets");
    folder_write(&f, "page/index.html", "<p>");
    folder_write(&f, "page/index.html.gz", "packed");
    folder_write(&f, "page/assets/a-1.js", "1");
    folder_write(&f, "page/lonely.css.gz", "no sister");
    folder_write(&f, "page/.secret.js", "x");
    folder_write(&f, "page/key.pem", "x");
    folder_write(&f, "page/odd name.js", "x");
    folder_write(&f, "outside.js", "x");
    assert_int_equal(symlink(folder_path(&f, "outside.js"), folder_path(&f, "page/link.js")), 0);
    struct web_files *files = web_files_load(folder_path(&f, "page"), error);
    assert_non_null(files);
    assert_int_equal(web_files_count(files), 2);
    const struct web_file *index = web_files_find(files, "/index.html");
    assert_memory_equal(index->bytes, "<p>", 3);
    assert_int_equal(index->packed_size, 6);
    assert_string_equal(index->type, "text/html; charset=utf-8");
    assert_null(web_files_find(files, "/assets/a-1.js")->packed);
    static const char *const none[] = {"", "/", "index.html", "/assets", "/index.html.gz", "/link.js", "/.secret.js",
                                       "/key.pem", "/odd name.js", "//index.html", "/assets/../index.html"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(web_files_find(files, none[i]));
    web_files_destroy(files);
    FILE *large = fopen(folder_write(&f, "page/large.js", ""), "w");
    assert_int_equal(ftruncate(fileno(large), WEB_FILES_BYTES + 1), 0);
    fclose(large);
    assert_null(web_files_load(folder_path(&f, "page"), error));
    assert_non_null(strstr(error, "large.js"));
    folder_finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_has_its_time),        cmocka_unit_test(who_comes_last_finds_room),
        cmocka_unit_test(waits_grow_and_end),            cmocka_unit_test(a_full_table_keeps_nobody_out),
        cmocka_unit_test(passwords_are_checked_in_turn), cmocka_unit_test(strangers_keep_nobody_out_who_is_known),
        cmocka_unit_test(only_what_is_in_the_table),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
