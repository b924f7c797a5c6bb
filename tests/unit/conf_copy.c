/* A copy of a configuration: loads as its files did, and only whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "conf/conf.h"
#include "conf/folder.h"

#define SITE(id) "sites: [{id: " id ", name: School, keys_file: ../keys, devices: [{id: gate}]}]\n"

/* Files of both folders, so that names are relative to more than one. */
static void write_school(struct folder *f)
{
    folder_add(f, "sites.d");
    folder_add(f, "accounts.d");
    folder_journal_key(f, "journal.key");
    folder_secret(f, "keys", "gate MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n");
    folder_write(f, "tocsin.yaml",
                 "daemon: {name: tocsin.test, journal_key_file: journal.key}\nbroker: {port: 1883}\n"
                 "endpoints: [{id: p, name: P, role: police, urls: [\"http://127.0.0.1:1/\"]}]\n"
                 "plans: [{id: default, steps: [{answer_timeout_s: 1, endpoints: [p]}], acks_needed: [police]}]\n");
    folder_write(f, "sites.d/a.yaml", SITE("a"));
    folder_write(f, "sites.d/b.yaml", SITE("b"));
    folder_write(f, "accounts.d/desk.yaml",
                 "accounts: [{id: desk, name: Desk, role: police, token_hashes: [\"sha256:"
                 "0000000000000000000000000000000000000000000000000000000000000001\"]}]\n");
}

static struct conf_copy *copy_of(struct folder *f)
{
    struct conf_problems problems = {0};
    struct conf_copy *copy = NULL;
    struct conf *c = conf_load_and_copy(folder_path(f, "tocsin.yaml"), &problems, &copy);
    if (!c)
        fail_msg("%s", problems.lines[0]);
    conf_destroy(c);
    assert_non_null(copy);
    return copy;
}

static void write_copy(struct folder *f)
{
    char error[LIMIT_TEXT] = "";
    struct conf_copy *copy = copy_of(f);
    if (!conf_copy_write(copy, folder_path(f, "copy"), error))
        fail_msg("%s", error);
    conf_copy_destroy(copy);
}

static void what_was_copied_loads_when_the_files_are_broken(void **state)
{
    struct folder *f = *state;
    write_copy(f);
    struct stat status;
    assert_int_equal(stat(folder_path(f, "copy"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    folder_write(f, "tocsin.yaml", "");
    folder_write(f, "sites.d/a.yaml", "sites: [\n");
    remove(folder_path(f, "sites.d/b.yaml"));
    folder_write(f, "sites.d/c.yaml", SITE("c"));

    struct conf_problems problems = {0};
    struct conf *c = conf_load_copy(folder_path(f, "copy"), folder_path(f, "tocsin.yaml"), &problems);
    if (!c)
        fail_msg("%s", problems.lines[0]);
    assert_string_equal(c->daemon.journal_key_file, folder_path(f, "journal.key"));
    assert_int_equal(c->site_count, 2);
    assert_int_equal(c->account_count, 1);
    assert_memory_equal(conf_device(c, "b", "gate")->key, "01234567890123456789012345678901", 32);
    conf_destroy(c);
}

static void a_later_copy_replaces_it(void **state)
{
    struct folder *f = *state;
    write_copy(f);
    remove(folder_path(f, "sites.d/a.yaml"));
    write_copy(f);
    struct conf_problems problems = {0};
    struct conf *c = conf_load_copy(folder_path(f, "copy"), folder_path(f, "tocsin.yaml"), &problems);
    assert_non_null(c);
    assert_int_equal(c->site_count, 1);
    conf_destroy(c);
}

/* A secret that cannot be used is a problem of the copy, too, and is told with the place where it is named. */
static void secrets_are_read_where_they_are_now(void **state)
{
    struct folder *f = *state;
    write_copy(f);
    chmod(folder_path(f, "keys"), 0644);
    struct conf_problems problems = {0};
    assert_null(conf_load_copy(folder_path(f, "copy"), folder_path(f, "tocsin.yaml"), &problems));
    assert_non_null(strstr(problems.lines[0], "sites.d/a.yaml:1: sites.keys_file"));
    conf_problems_finish(&problems);
}

static void it_is_of_one_file_only(void **state)
{
    struct folder *f = *state;
    write_copy(f);
    struct conf_problems problems = {0};
    assert_null(conf_load_copy(folder_path(f, "copy"), "/etc/another.yaml", &problems));
    assert_non_null(strstr(problems.lines[0], "is a copy of"));
    conf_problems_finish(&problems);
}

static size_t read_copy(struct folder *f, char *bytes, size_t limit)
{
    FILE *file = fopen(folder_path(f, "copy"), "r");
    assert_non_null(file);
    size_t size = fread(bytes, 1, limit, file);
    fclose(file);
    return size;
}

/* Each shorter one, and each with one byte changed. */
static void only_whole_ones_are_used(void **state)
{
    struct folder *f = *state;
    char bytes[8192];
    write_copy(f);
    size_t size = read_copy(f, bytes, sizeof bytes);
    assert_in_range(size, 100, sizeof bytes - 1);
    for (size_t i = 0; i < 2 * size; i++) {
        size_t at = i / 2;
        if (i % 2)
            bytes[at] ^= 1;
        folder_write_bytes(f, "copy", bytes, i % 2 ? size : at, 0600);
        if (i % 2)
            bytes[at] ^= 1;
        struct conf_problems problems = {0};
        assert_null(conf_load_copy(folder_path(f, "copy"), folder_path(f, "tocsin.yaml"), &problems));
        assert_non_null(strstr(problems.lines[0], "is no whole copy of a configuration"));
        conf_problems_finish(&problems);
    }
}

/* A text that was made to look whole is still read with care: what follows the hash is what `rest` says. */
static void a_made_up_one_is_refused(void **state)
{
    struct folder *f = *state;
    static const char *const rests[] = {"", "0\n", "x\n", "1\n", "4294967295\n", "1\nmain 1 99999999999\na\n",
                                        "1\nmain 18446744073709551615 18446744073709551615\na\n", "1\nsites 1 0\na\n\n",
                                        "1\nnothing 1 0\na\n\n", "1\nmain 1 0 a\n\n", "1\nmain 1 0\na\n\nmore"};
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        char text[512], hex[2 * crypto_hash_sha256_BYTES + 1];
        unsigned char hash[crypto_hash_sha256_BYTES];
        crypto_hash_sha256(hash, (const unsigned char *)rests[i], strlen(rests[i]));
        sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
        snprintf(text, sizeof text, "tocsin-configuration-v1 %s\n%s", hex, rests[i]);
        folder_secret(f, "copy", text);
        struct conf_problems problems = {0};
        assert_null(conf_load_copy(folder_path(f, "copy"), "a", &problems));
        assert_non_null(strstr(problems.lines[0], "is no whole copy of a configuration"));
        conf_problems_finish(&problems);
    }
}

static void where_it_cannot_be_written_is_said(void **state)
{
    struct folder *f = *state;
    char error[LIMIT_TEXT] = "";
    struct conf_copy *copy = copy_of(f);
    assert_false(conf_copy_write(copy, folder_path(f, "nowhere/copy"), error));
    assert_string_equal(error, "cannot be written (No such file or directory)");
    folder_add(f, "copy"); /* a folder in its place */
    assert_false(conf_copy_write(copy, folder_path(f, "copy"), error));
    assert_string_equal(error, "cannot be written (Is a directory)");
    conf_copy_destroy(copy);
}

static int begin(void **state)
{
    static struct folder f;
    folder_init(&f);
    write_school(&f);
    *state = &f;
    return 0;
}

static int end(void **state)
{
    folder_finish(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(what_was_copied_loads_when_the_files_are_broken),
                                       TEST(a_later_copy_replaces_it),
                                       TEST(secrets_are_read_where_they_are_now),
                                       TEST(it_is_of_one_file_only),
                                       TEST(only_whole_ones_are_used),
                                       TEST(a_made_up_one_is_refused),
                                       TEST(where_it_cannot_be_written_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
