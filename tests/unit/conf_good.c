/* The examples load, every value arrives, everything is found, and nothing is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/folder.h"
#include "conf/pem.h"
#include <malloc.h>

#define KEY "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" /* 32 bytes */

/* The folder conf/ of the source, linked file by file, so that secrets can be put beside them. */
static void link_example(struct folder *f, const char *const names[])
{
    const char *source = getenv("TOCSIN_SOURCE");
    if (!source)
        fail_msg("TOCSIN_SOURCE must name the source folder; `meson test` sets it");
    for (size_t i = 0; names[i]; i++) {
        char *target = NULL;
        assert_true(asprintf(&target, "%s/conf/%s", source, names[i]) > 0);
        assert_int_equal(symlink(target, folder_path(f, names[i])), 0);
        free(target);
    }
}

static int begin(void **state)
{
    struct folder *f = malloc(sizeof *f);
    folder_init(f);
    folder_add(f, "sites.d");
    folder_add(f, "secrets");
    folder_journal_key(f, "secrets/journal.key");
    folder_secret(f, "secrets/police.secret", "whsec_" KEY "\n");
    folder_secret(f, "secrets/bureau.secret",
                  "# new, then old\nwhsec_" KEY "\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    folder_secret(f, "secrets/example-school.keys", "room-204 " KEY "\n");
    link_example(f, (const char *const[]){"tocsin.yaml", "sites.d/example-school.yaml", NULL});
    *state = f;
    return 0;
}

static int end(void **state)
{
    folder_finish(*state);
    free(*state);
    return 0;
}

static struct conf *load(const char *path)
{
    struct conf_problems problems = {0};
    struct conf *c = conf_load(path, &problems);
    for (size_t i = 0; i < problems.count && i < CONF_PROBLEMS; i++)
        print_error("%s\n", problems.lines[i]);
    assert_non_null(c);
    conf_problems_finish(&problems);
    return c;
}

static void the_example_arrives(void **state)
{
    struct conf *c = load(folder_path(*state, "tocsin.yaml"));
    assert_string_equal(c->daemon.name, "tocsin.example.edu");
    assert_string_equal(c->daemon.state_dir, folder_path(*state, "state"));
    assert_string_equal(c->daemon.journal_key_file, folder_path(*state, "secrets/journal.key"));
    assert_non_null(c->daemon.journal_key);
    assert_int_equal(c->daemon.record_wait_ms, 50);
    assert_int_equal(c->broker.port, 1883);
    assert_null(c->broker.login.username);
    assert_null(c->broker.login.password);
    assert_null(c->broker.supervision.client_id);

    assert_int_equal(c->endpoint_count, 2);
    const struct conf_endpoint *bureau = conf_endpoint(c, "bureau");
    assert_ptr_equal(bureau, &c->endpoints[1]);
    assert_int_equal(bureau->role, ROLE_BUREAU);
    assert_int_equal(bureau->confirm, CONF_CONFIRM_ECHO);
    assert_true(bureau->drills && bureau->tests && bureau->troubles);
    assert_int_equal(bureau->secret_count, 2);
    assert_int_equal(bureau->secret_sizes[0], 32);
    assert_int_equal(bureau->secret_sizes[1], 24);
    assert_memory_equal(bureau->secrets[0], "01234567890123456789012345678901", 32);
    assert_int_equal(bureau->connect_timeout_ms, 2000); /* a default */
    assert_null(conf_endpoint(c, "nobody"));

    const struct conf_site *school = conf_site(c, "example-school");
    assert_non_null(school);
    assert_true(school->has_position);
    assert_true(school->latitude == 31.2304 && school->longitude == 121.4737);
    assert_int_equal(school->plan.step_count, 1);
    assert_int_equal(school->plan.endpoint_count, 2);
    assert_int_equal(school->plan.acks_needed, 1u << ROLE_POLICE);
    assert_int_equal(school->plan.coming_timeout_s, 300);
    assert_string_equal(school->plan.endpoints[1].id, "bureau");
    assert_int_equal(school->plan.endpoints[1].role, ROLE_BUREAU);
    assert_string_equal(conf_zone(school, "canteen")->name, "食堂 · canteen");
    assert_null(conf_zone(school, "cellar"));
    conf_destroy(c);
}

static void devices_are_found(void **state)
{
    struct conf *c = load(folder_path(*state, "tocsin.yaml"));
    const struct conf_device *signing = conf_device(c, "example-school", "room-204");
    assert_non_null(signing);
    assert_memory_equal(signing->key, "01234567890123456789012345678901", 32);
    assert_int_equal(signing->kind, KIND_PANIC);
    assert_int_equal(signing->silent_after_s, 20);
    assert_null(conf_device(c, "example-school", "room-101")->key);
    assert_true(conf_device(c, "example-school", "spare-1")->disabled);
    assert_null(conf_device(c, "example-school", "spare-1")->zone);
    assert_int_equal(conf_device(c, "example-school", "back-door")->puback, CONF_PUBACK_AFTER_COMMIT);
    assert_null(conf_device(c, "example-school", "example-school"));
    assert_null(conf_device(c, "no-school", "room-204"));
    for (uint32_t i = 0; i < c->device_count; i++) {
        assert_int_equal(conf_device_at(c, i)->index, i);
        assert_ptr_equal(conf_device(c, conf_device_site(c, i)->id, conf_device_at(c, i)->id),
                         conf_device_at(c, i));
    }
    conf_destroy(c);
}

static void a_city_loads(void **state)
{
    struct folder f;
    folder_init(&f);
    folder_add(&f, "city");
    folder_add(&f, "city/sites.d");
    folder_add(&f, "city/secrets");
    folder_add(&f, "city/tls");
    link_example(&f, (const char *const[]){"city/tocsin.yaml", "city/sites.d/no-1-primary.yaml",
                                           "city/sites.d/no-1-kindergarten.yaml",
                                           "city/sites.d/south-district.yaml", NULL});
    folder_journal_key(&f, "city/secrets/journal.key");
    static const char *const secrets[] = {"police", "bureau", "guards", "duty", "district"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        char name[64];
        snprintf(name, sizeof name, "city/secrets/%s.secret", secrets[i]);
        folder_secret(&f, name, "whsec_" KEY "\n");
    }
    folder_secret(&f, "city/secrets/no-1-primary.keys", "");
    static const char *const certificates[] = {"tocsin.pem",    "broker-ca.pem",   "tocsin-client.pem", "tocsin-supervision.pem",
                                               "tocsin-receipts.pem",
                                               "police-ca.pem", "district-ca.pem", "district-crl.pem"};
    const struct pem pem = pem_make();
    for (size_t i = 0; i < sizeof certificates / sizeof *certificates; i++) {
        char name[64];
        snprintf(name, sizeof name, "city/tls/%s", certificates[i]);
        folder_write(&f, name, strstr(name, "-crl") ? pem.crl : pem.certificate);
    }
    folder_secret(&f, "city/tls/tocsin.key", pem.key);
    folder_secret(&f, "city/tls/tocsin-client.key", pem.key);
    folder_secret(&f, "city/tls/tocsin-supervision.key", pem.key);
    folder_secret(&f, "city/tls/tocsin-receipts.key", pem.key);

    struct conf *c = load(folder_path(&f, "city/tocsin.yaml"));
    char summary[LIMIT_TEXT];
    conf_summary(c, summary, sizeof summary);
    assert_string_equal(summary, "4 sites, 18 devices, 5 endpoints, 2 plans, 4 accounts");
    assert_string_equal(c->broker.login.client_id, "tocsin-city");
    assert_string_equal(c->broker.supervision.client_id, "tocsin-supervision");
    assert_string_equal(c->broker.supervision.key_file, folder_path(&f, "city/tls/tocsin-supervision.key"));
    assert_string_equal(c->broker.receipts.client_id, "tocsin-receipts");
    assert_string_equal(c->broker.receipts.certificate_file, folder_path(&f, "city/tls/tocsin-receipts.pem"));
    assert_string_equal(c->sites[0].id, "no-1-kindergarten"); /* files by name */
    const struct plan *plan = &conf_site(c, "no-5-middle")->plan;
    assert_string_equal(plan->id, "security");
    assert_int_equal(plan->step_count, 3);
    assert_int_equal(plan->endpoint_count, 5);
    assert_int_equal(plan->answer_timeout_s[1], 120);
    assert_int_equal(plan->endpoints[4].step, 2);
    assert_int_equal(conf_site(c, "special-education")->plan.acks_needed,
                     1u << ROLE_POLICE | 1u << ROLE_GUARD);
    assert_false(conf_site(c, "special-education")->has_position);
    conf_destroy(c);
    folder_finish(&f);
}

static void tokens_and_what_they_see(void **state)
{
    struct folder *f = *state;
    char tokens[3][SECRET_TEXT], hashes[3][SECRET_TEXT], *text = NULL;
    for (int i = 0; i < 3; i++) {
        secret_make_token(tokens[i]);
        secret_token_hash(tokens[i], hashes[i]);
    }
    assert_true(
        asprintf(
            &text,
            "daemon: {name: t, journal_key_file: secrets/journal.key}\nbroker: {port: 1}\n"
            "endpoints: [{id: p, name: P, role: police, urls: [\"http://[::1]:1/x?y=1#z\", \"https://Police_1.example.:443\", \"http://10.0.0.2\", \"http://2a4f\"]}]\n"
            "plans: [{id: default, steps: [{answer_timeout_s: 1, endpoints: [p]}], acks_needed: [police]}]\n"
            "sites: [{id: s1, name: S}, {id: s2, name: S}]\n"
            "accounts:\n"
            "  - {id: desk, name: D, role: police, token_hashes: [\"%s\", \"%s\"]}\n"
            "  - {id: guard, name: G, role: guard, token_hashes: [\"%s\"], sites: [s2]}\n",
            hashes[0], hashes[1], hashes[2]) > 0);
    struct conf *c = load(folder_write(f, "small.yaml", text));
    assert_ptr_equal(conf_account_by_token(c, tokens[0]), &c->accounts[0]);
    assert_ptr_equal(conf_account_by_token(c, tokens[1]), &c->accounts[0]);
    assert_ptr_equal(conf_account_by_token(c, tokens[2]), &c->accounts[1]);
    assert_null(conf_account_by_token(c, ""));
    assert_null(conf_account_by_token(c, hashes[0]));
    assert_true(conf_account_sees(&c->accounts[0], "s1"));
    assert_false(conf_account_sees(&c->accounts[1], "s1"));
    assert_true(conf_account_sees(&c->accounts[1], "s2"));
    conf_destroy(c);
    free(text);
}

static void loading_again_and_again_leaves_nothing(void **state)
{
    const char *good = folder_path(*state, "tocsin.yaml"),
               *bad = folder_write(*state, "bad.yaml", "daemon: {x: 1}\n");
    size_t before = 0;
    for (int i = 0; i < 40; i++) {
        struct conf_problems problems = {0};
        conf_destroy(load(good));
        assert_null(conf_load(bad, &problems));
        conf_problems_finish(&problems);
        if (i == 9) /* libraries have made what they keep */
            before = mallinfo2().uordblks;
    }
    assert_true(mallinfo2().uordblks <= before + 4096);
}

static void the_manual_names_every_kind_of_key(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    conf_print_manual(out);
    fclose(out);
    static const char *const parts[] = {".TH TOCSIN.YAML 5",
                                        ".SS daemon",
                                        ".BR gather_ms \" (0 to 1000 ms; default 100)\"",
                                        ".BR latitude \" (\\-90 to 90)\"",
                                        ".BR x \" (0 to 100)\"",
                                        ".SS supervision",
                                        ".BR client_id \" (id; required)\"",
                                        ".SS steps",
                                        ".BR kind ",
                                        "intrusion | medical",
                                        ".BR acks_needed ",
                                        "tocsin keygen journal FILE",
                                        ".SH SEE ALSO"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text, parts[i]))
            fail_msg("the manual lacks %s", parts[i]);
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_example_arrives),
        TEST(devices_are_found),
        TEST(a_city_loads),
        TEST(tokens_and_what_they_see),
        TEST(loading_again_and_again_leaves_nothing),
        TEST(the_manual_names_every_kind_of_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
