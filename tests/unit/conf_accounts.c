/* Accounts in files of their own, and their passwords. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/folder.h"
#include <sodium.h>

static const char main_text[] =
    "daemon: {name: t, journal_key_file: journal.key}\nbroker: {port: 1}\n"
    "endpoints: [{id: p, name: P, role: police, urls: [\"http://[::1]:1/x\"]}]\n"
    "plans: [{id: default, steps: [{answer_timeout_s: 1, endpoints: [p]}], acks_needed: [police]}]\n"
    "sites: [{id: s1, name: S}, {id: s2, name: T, devices: [{id: phone}, {id: button}], keys_file: keys}]\n";

static const char *main_file;

static int begin(void **state)
{
    struct folder *f = malloc(sizeof *f);
    assert_true(sodium_init() >= 0);
    folder_init(f);
    folder_add(f, "accounts.d");
    folder_journal_key(f, "journal.key");
    folder_secret(f, "keys", "button AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    main_file = folder_write(f, "tocsin.yaml", main_text);
    *state = f;
    return 0;
}

static int end(void **state)
{
    folder_finish(*state);
    free(*state);
    return 0;
}

static void a_password_arrives_and_matches(void **state)
{
    char hash[SECRET_TEXT], line[SECRET_TEXT + 2];
    struct conf_problems problems = {0};
    assert_true(secret_password_hash("correct horse", hash));
    snprintf(line, sizeof line, "%s\n", hash);
    folder_secret(*state, "accounts.d/desk.password", line);
    folder_write(*state, "accounts.d/desk.yaml",
                 "accounts: [{id: desk, name: D, role: police, password_file: desk.password}]\n");
    folder_write(*state, "accounts.d/guard.yaml",
                 "accounts: [{id: guard, name: G, role: guard, sites: [s1],\n"
                 "            token_hashes: [\"sha256:"
                 "00000000000000000000000000000000000000000000000000000000000000aa\"]}]\n");
    struct conf *c = conf_load(main_file, &problems);
    if (!c)
        fail_msg("%s", problems.lines[0]);
    assert_int_equal(c->account_count, 2);
    assert_string_equal(c->accounts[0].password_hash, hash);
    assert_true(secret_password_matches(c->accounts[0].password_hash, "correct horse", 13));
    assert_false(secret_password_matches(c->accounts[0].password_hash, "correct horsf", 13));
    assert_false(secret_password_matches(c->accounts[0].password_hash, "correct hors", 12));
    assert_string_equal(c->accounts[1].id, "guard");
    assert_null(c->accounts[1].password_hash);
    conf_destroy(c);
}

static void only_hashes_that_can_be_checked(void **state)
{
    static const char *const bad[] = {
        "", "secret", "$argon2id$v=19$m=65536,t=3,p=1$",
        /* 4 GiB, and a thousand passes: made to stop the daemon */
        "$argon2id$v=19$m=4194304,t=3,p=1$1dvlZoNerLXV3aRXNxJKpQ$RKO6Wa0y8Ai+0/j/OWas26l20Edenrd4qqoT/EDzymg",
        "$argon2id$v=19$m=65536,t=1000,p=1$1dvlZoNerLXV3aRXNxJKpQ$RKO6Wa0y8Ai+0/j/OWas26l20Edenrd4qqoT/EDzymg",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (secret_password_hash_valid(bad[i]))
            fail_msg("taken: %s", bad[i]);
    assert_true(secret_password_hash_valid(
        "$argon2id$v=19$m=65536,t=3,p=1$1dvlZoNerLXV3aRXNxJKpQ$RKO6Wa0y8Ai+0/j/OWas26l20Edenrd4qqoT/EDzymg"));
}

#define ONE(more) "accounts:\n  - {id: a, name: A, role: police, password_file: good, " more "}\n"

static void each_fault_names_its_place(void **state)
{
    static const struct {
        const char *text, *place, *says;
    } faults[] = {
        {NULL, "tocsin.yaml:1: accounts: ", "make the first with `tocsin account add`"},
        {"accounts:\n  - {id: a, name: A, role: police}\n", "accounts.d/a.yaml:2: accounts.token_hashes: ",
         "and so is password_file"},
        {"accounts:\n  - {id: a, name: A, role: police, password_file: none}\n",
         "accounts.d/a.yaml:2: accounts.password_file: ", "make it with `tocsin account add"},
        {"accounts:\n  - {id: a, name: A, role: police, password_file: open}\n",
         "accounts.d/a.yaml:2: accounts.password_file: ", "others may read"},
        {"accounts:\n  - {id: a, name: A, role: police, password_file: plain}\n",
         "accounts.d/a.yaml:2: accounts.password_file: ", "never the password"},
        {"accounts:\n  - {id: a, name: A, role: police, password_file: good}\n"
         "  - {id: a, name: A, role: police, password_file: good}\n",
         "accounts.d/a.yaml:3: accounts.id: ", "another account has the id"},
        {"accounts:\n  - {id: a, name: A, role: police, password_file: good, sites: [s9]}\n",
         "accounts.d/a.yaml:2: accounts.sites: ", "no site has the id"},
        {ONE("device: phone"), "accounts.d/a.yaml:2: accounts.device: ", "a site's id, a slash and the id of a device"},
        {ONE("device: s9/phone"), "accounts.d/a.yaml:2: accounts.device: ", "no site has the id"},
        {ONE("device: s2/phones"), "accounts.d/a.yaml:2: accounts.device: ", "did you mean \"phone\""},
        {ONE("device: s2/phone, sites: [s1]"), "accounts.d/a.yaml:2: accounts.device: ", "does not see the site s2"},
        {ONE("device: s2/button"), "accounts.d/a.yaml:2: accounts.device: ", "the device has a key"},
        {ONE("device: s2/phone") "  - {id: b, name: B, role: viewer, password_file: good, device: s2/phone}\n",
         "accounts.d/a.yaml:3: accounts.device: ", "another account presses as this device"},
        {"sites: []\n", "accounts.d/a.yaml:1: sites: ", "the keys of a file of accounts.d"},
    };
    folder_write(*state, "accounts.d/open", "x\n");
    folder_secret(*state, "accounts.d/plain", "my password\n");
    folder_secret(
        *state, "accounts.d/good",
        "$argon2id$v=19$m=65536,t=3,p=1$1dvlZoNerLXV3aRXNxJKpQ$RKO6Wa0y8Ai+0/j/OWas26l20Edenrd4qqoT/EDzymg\n");
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct conf_problems problems = {0};
        if (faults[i].text)
            folder_write(*state, "accounts.d/a.yaml", faults[i].text);
        assert_null(conf_load(main_file, &problems));
        if (problems.count != 1 || !strstr(problems.lines[0], faults[i].place) ||
            !strstr(problems.lines[0], faults[i].says))
            fail_msg("%zu: %zu problems, %s", i, problems.count, problems.lines[0]);
        conf_problems_finish(&problems);
    }
}

/* Between presses a phone says nothing: it is not supervised, whatever stands there. */
static void what_an_account_presses_as(void **state)
{
    struct conf_problems problems = {0};
    folder_secret(
        *state, "accounts.d/good",
        "$argon2id$v=19$m=65536,t=3,p=1$1dvlZoNerLXV3aRXNxJKpQ$RKO6Wa0y8Ai+0/j/OWas26l20Edenrd4qqoT/EDzymg\n");
    folder_write(*state, "accounts.d/a.yaml", ONE("device: s2/phone"));
    struct conf *c = conf_load(main_file, &problems);
    if (!c)
        fail_msg("%s", problems.lines[0]);
    const struct conf_account *a = &c->accounts[0];
    assert_string_equal(a->presses_at->id, "s2");
    assert_ptr_equal(a->presses_as, conf_device(c, "s2", "phone"));
    assert_int_equal(a->presses_as->silent_after_s, 0);
    assert_int_equal(conf_device(c, "s2", "button")->silent_after_s, 20);
    conf_destroy(c);
}

/* Of one site: its keys, and what is said of them. */
static void what_a_desk_is_shown(void **state)
{
    static const struct {
        const char *site, *says;
    } faults[] = {
        {"cameras: [{name: C, url: \"javascript:alert(1)\"}]", "sites.cameras.url: must be a link"},
        {"cameras: [{name: C, url: \"https://x/ \\\"onload\"}]", "sites.cameras.url: must be a link"},
        {"zones: [{id: z, name: Z, cameras: [{name: C, url: \"file:///etc/passwd\"}]}]", "sites.zones.cameras.url: must be"},
        {"time_zone: \"Asia/<b>\"", "sites.time_zone: "},
        {"maps: [{id: m, name: M, image_file: image.exe}]", "sites.maps.image_file: must be an image"},
        {"maps: [{id: m, name: M, image_file: gone.png}]", "sites.maps.image_file: "},
        {"maps: [{id: m, name: M, image_file: image.png}, {id: m, name: M, image_file: image.png}]",
         "sites.maps.id: another map"},
        {"zones: [{id: z, name: Z, map: m, x: 1, y: 1}]", "sites.zones.map: the site has no map"},
        {"maps: [{id: m, name: M, image_file: image.png}], zones: [{id: z, name: Z, map: m, x: 1}]",
         "sites.zones.map: is given without x and y"},
        {"maps: [{id: m, name: M, image_file: image.png}], zones: [{id: z, name: Z, map: m, x: 1, y: 101}]",
         "sites.zones.y: 101 is out of range"},
        {"zones: [{id: z, name: Z, y: 1}]", "sites.zones.y: is given without map"},
    };
    folder_write(*state, "image.exe", "x");
    folder_write(*state, "image.png", "x");
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct conf_problems problems = {0};
        char *text = NULL;
        assert_true(asprintf(&text, "%.*s{id: s1, name: S, %s}]\n"
                             "accounts: [{id: a, name: A, role: police, token_hashes: [\"sha256:%064d\"]}]\n",
                             (int)(strstr(main_text, "{id: s1") - main_text), main_text, faults[i].site, 0) > 0);
        assert_null(conf_load(folder_write(*state, "tocsin.yaml", text), &problems));
        if (problems.count != 1 || !strstr(problems.lines[0], faults[i].says))
            fail_msg("%zu: %zu problems, %s", i, problems.count, problems.lines[0]);
        conf_problems_finish(&problems);
        free(text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_password_arrives_and_matches),
        TEST(only_hashes_that_can_be_checked),
        TEST(each_fault_names_its_place),
        TEST(what_an_account_presses_as),
        TEST(what_a_desk_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
