/* Files that hold keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/folder.h"
#include "conf/secrets.h"
#include <sodium.h>

static int begin(void **state)
{
    assert_true(sodium_init() >= 0);
    struct folder *f = malloc(sizeof *f);
    folder_init(f);
    *state = f;
    return 0;
}

static int end(void **state)
{
    folder_finish(*state);
    free(*state);
    return 0;
}

static unsigned mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void a_journal_key_comes_back(void **state)
{
    const char *path = folder_path(*state, "journal.key"),
               *public_path = folder_path(*state, "journal.key.pub");
    char error[LIMIT_TEXT], vkey[SECRET_TEXT], expected[SECRET_TEXT];
    unsigned char key[SECRET_JOURNAL_KEY];
    mode_t old = umask(0777); /* whatever the umask, the file is as promised */
    assert_true(secret_new_journal_key(path, "tocsin.test", error));
    umask(old);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(mode_of(public_path), 0644);
    assert_true(secret_journal_key(path, key, error));

    FILE *file = fopen(public_path, "r");
    assert_non_null(fgets(vkey, sizeof vkey, file));
    fclose(file);
    secret_journal_vkey("tocsin.test", key, expected);
    strcat(expected, "\n");
    assert_string_equal(vkey, expected);

    assert_false(secret_new_journal_key(path, "tocsin.test", error)); /* never over an old one */
    assert_non_null(strstr(error, "never overwritten"));
    unsigned char again[SECRET_JOURNAL_KEY];
    assert_true(secret_journal_key(path, again, error));
    assert_memory_equal(key, again, sizeof key);
}

/* The example of C2SP signed-note: PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW */
static void a_vkey_is_as_c2sp_says(void **state)
{
    unsigned char key[SECRET_JOURNAL_KEY] = {0}, typed[33];
    char vkey[SECRET_TEXT];
    assert_true(secret_base64("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", 44, typed, sizeof typed));
    memcpy(key + 32, typed + 1, 32);
    secret_journal_vkey("PeterNeumann", key, vkey);
    assert_string_equal(vkey, "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
}

static void a_half_journal_key_leaves_nothing(void **state)
{
    char error[LIMIT_TEXT];
    folder_write(*state, "journal.key.pub", "an older one\n");
    assert_false(secret_new_journal_key(folder_path(*state, "journal.key"), "tocsin.test", error));
    assert_int_equal(access(folder_path(*state, "journal.key"), F_OK), -1);
}

static void journal_keys_that_are_none(void **state)
{
    unsigned char key[SECRET_JOURNAL_KEY], zero[SECRET_JOURNAL_KEY] = {0};
    char error[LIMIT_TEXT], line[SECRET_TEXT], text[SECRET_TEXT];
    randombytes_buf(key, sizeof key); /* its halves do not belong together */
    sodium_bin2base64(text, sizeof text, key, sizeof key, sodium_base64_VARIANT_ORIGINAL);
    snprintf(line, sizeof line, "tocsin-journal-key-v1 %.400s\n", text);
    const char *const texts[] = {line,
                                 "",
                                 "\n",
                                 "tocsin-journal-key-v1 \n",
                                 "tocsin-journal-key-v2 AAAA\n",
                                 "tocsin-journal-key-v1 AAAA\n",
                                 "rubbish"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(secret_journal_key(folder_secret(*state, "journal.key", texts[i]), key, error));
        assert_non_null(strstr(error, "is no journal key"));
        assert_memory_equal(key, zero, sizeof key);
    }
}

static void who_else_may_read_it(void **state)
{
    char error[LIMIT_TEXT];
    static const unsigned open_modes[] = {0640, 0604, 0660, 0601, 0620, 0700 | 07};
    const char *path = folder_secret(*state, "secret", "x");
    assert_true(secret_file_check(path, error));
    for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
        chmod(path, open_modes[i]);
        assert_false(secret_file_check(path, error));
        assert_non_null(strstr(error, "chmod 600 "));
        assert_non_null(strstr(error, path));
    }
    chmod(path, 0400);
    assert_true(secret_file_check(path, error));
    if (geteuid() == 0) { /* only root can give a file away */
        assert_int_equal(chown(path, 12345, 12345), 0);
        assert_false(secret_file_check(path, error));
        assert_non_null(strstr(error, "belongs to user 12345"));
        assert_non_null(strstr(error, "user tocsin's"));
    }
}

static void whose_it_may_be(void **state)
{
    enum { ROOT = 0, US = 1000, DAEMON = 107, OTHER = 1001 };
    assert_true(secret_owner_good(US, US, DAEMON));
    assert_true(secret_owner_good(ROOT, US, DAEMON));
    assert_true(secret_owner_good(ROOT, ROOT, DAEMON));
    assert_true(secret_owner_good(DAEMON, ROOT, DAEMON)); /* root checks what the daemon will read */
    assert_true(secret_owner_good(DAEMON, DAEMON, DAEMON));
    assert_false(secret_owner_good(DAEMON, US, DAEMON));
    assert_false(secret_owner_good(OTHER, US, DAEMON));
    assert_false(secret_owner_good(OTHER, ROOT, DAEMON));
    assert_false(secret_owner_good(OTHER, DAEMON, DAEMON));
    assert_false(secret_owner_good(DAEMON, ROOT, 0)); /* no such user */
}

static void no_plain_files(void **state)
{
    struct folder *f = *state;
    char error[LIMIT_TEXT];
    struct secret s;
    assert_int_equal(mkfifo(folder_path(f, "pipe"), 0600), 0);
    assert_int_equal(symlink("loop", folder_path(f, "loop")), 0);
    const char *const names[] = {"pipe", "loop", "", "nothing"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_false(secret_file_read(folder_path(f, names[i]), 100, &s, error));
    assert_false(secret_file_read(folder_secret(f, "long", "12345"), 4, &s, error));
    assert_non_null(strstr(error, "too large"));
    assert_true(secret_file_read(folder_path(f, "long"), 5, &s, error));
    assert_int_equal(s.size, 5);
    assert_string_equal(s.text, "12345");
    secret_finish(&s);
}

static void new_files_are_never_over_old_ones(void **state)
{
    struct folder *f = *state;
    char error[LIMIT_TEXT];
    const char *path = folder_path(f, "new");
    assert_true(secret_file_write(path, "text\n", 0600, error));
    assert_int_equal(mode_of(path), 0600);
    assert_false(secret_file_write(path, "other\n", 0600, error));
    assert_int_equal(symlink("elsewhere", folder_path(f, "link")), 0);
    assert_false(secret_file_write(folder_path(f, "link"), "text\n", 0600, error));
    assert_int_equal(access(folder_path(f, "elsewhere"), F_OK), -1);
    assert_false(secret_file_write(folder_path(f, "no/folder"), "text\n", 0600, error));
}

static void what_is_made_can_be_read(void **state)
{
    char text[SECRET_TEXT], other[SECRET_TEXT];
    unsigned char bytes[SECRET_WEBHOOK_MAX];
    size_t size;
    secret_make_webhook(text);
    assert_true(secret_webhook(text, strlen(text), bytes, &size));
    assert_int_equal(size, 32);
    secret_make_device_key(text);
    assert_true(secret_base64(text, strlen(text), bytes, SECRET_DEVICE_KEY));
    secret_make_device_key(other);
    assert_string_not_equal(text, other);
    secret_make_token(text);
    assert_int_equal(strlen(text), 3 + 43);
    assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"), 46);
    secret_token_hash("abc", text); /* FIPS 180-2, appendix B.1 */
    assert_string_equal(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void webhook_secrets(void **state)
{
    unsigned char out[SECRET_WEBHOOK_MAX];
    size_t size;
    /* The known answer of Standard Webhooks: 24 bytes. */
    assert_true(secret_webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 38, out, &size));
    assert_int_equal(size, 24);
    static const unsigned char start[] = {0x31, 0xf2, 0x90, 0xf6};
    assert_memory_equal(out, start, sizeof start);
    static const char *const none[] = {"",
                                       "whsec_",
                                       "whsec_MDEy",
                                       "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                       "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
                                       "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(secret_webhook(none[i], strlen(none[i]), out, &size));
}

static void names_of_journals(void **state)
{
    assert_true(secret_journal_name("tocsin.example.edu"));
    assert_true(secret_journal_name("警钟.example"));
    static const char *const none[] = {"", "a b", "a+b", "a\nb", "a\tb"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(secret_journal_name(none[i]));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_journal_key_comes_back),
        TEST(a_vkey_is_as_c2sp_says),
        TEST(a_half_journal_key_leaves_nothing),
        TEST(journal_keys_that_are_none),
        TEST(who_else_may_read_it),
        TEST(whose_it_may_be),
        TEST(no_plain_files),
        TEST(new_files_are_never_over_old_ones),
        TEST(what_is_made_can_be_read),
        TEST(webhook_secrets),
        TEST(names_of_journals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
