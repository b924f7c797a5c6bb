/* A city of 100,000 devices, each with a key. Prints how long it takes and what it holds; asserts no time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/folder.h"
#include <sodium.h>
#include <time.h>

#ifdef __SANITIZE_ADDRESS__
#define DEVICES 10000 /* each is looked at in the same way, and takes ten times as long */
#else
#define DEVICES 100000
#endif
#define ZONES 1000

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double resident_mb(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_int_equal(fscanf(file, "%ld %ld", &pages, &resident), 2);
    fclose(file);
    return (double)(resident * sysconf(_SC_PAGESIZE)) / 1e6;
}

static void write_city(struct folder *f)
{
    folder_add(f, "sites.d");
    folder_journal_key(f, "journal.key");
    folder_write(
        f, "tocsin.yaml",
        "daemon: {name: t, journal_key_file: journal.key}\nbroker: {port: 1883}\n"
        "endpoints: [{id: p, name: P, role: police, urls: [\"http://127.0.0.1:1/\"]}]\n"
        "plans: [{id: default, steps: [{answer_timeout_s: 1, endpoints: [p]}], acks_needed: [police]}]\n"
        "accounts: [{id: a, name: A, role: police, token_hashes: [\"sha256:"
        "0000000000000000000000000000000000000000000000000000000000000001\"]}]\n");
    FILE *sites = fopen(folder_path(f, "sites.d/city.yaml"), "w");
    FILE *keys = fopen(folder_secret(f, "keys", ""), "w");
    fprintf(sites, "sites:\n  - id: city\n    name: City\n    keys_file: ../keys\n    zones:\n");
    for (int i = 0; i < ZONES; i++)
        fprintf(sites, "      - {id: zone-%d, name: Building %d}\n", i, i);
    fprintf(sites, "    devices:\n");
    for (int i = 0; i < DEVICES; i++) {
        char key[SECRET_TEXT];
        secret_make_device_key(key);
        fprintf(sites, "      - {id: button-%d, zone: zone-%d, kind: panic, silent_after_s: 20}\n", i,
                i % ZONES);
        fprintf(keys, "button-%d %s\n", i, key);
    }
    fclose(sites);
    fclose(keys);
}

static void a_hundred_thousand_devices(void **state)
{
    struct folder f;
    folder_init(&f);
    write_city(&f);
    double before_mb = resident_mb();
    for (int i = 0; i < 3; i++) { /* as after reloads */
        struct conf_problems problems = {0};
        double start = now_s();
        struct conf *c = conf_load(folder_path(&f, "tocsin.yaml"), &problems);
        double loaded = now_s();
        if (!c)
            fail_msg("%s", problems.lines[0]);
        assert_int_equal(c->device_count, DEVICES);
        uint32_t found = 0;
        for (uint32_t d = 0; d < DEVICES; d++) {
            char id[LIMIT_ID];
            snprintf(id, sizeof id, "button-%u", d);
            const struct conf_device *device = conf_device(c, "city", id);
            found += device && device->index == d && device->key;
        }
        assert_int_equal(found, DEVICES);
        print_message("%d devices: loaded in %.2f s, found in %.0f ns each, %.0f MB more resident\n", DEVICES,
                      loaded - start, (now_s() - loaded) / DEVICES * 1e9, resident_mb() - before_mb);
        conf_destroy(c);
    }
    folder_finish(&f);
}

/* The worst file: every device is wrong. Problems are bounded, and so is the time. */
static void a_hundred_thousand_problems(void **state)
{
    struct folder f;
    folder_init(&f);
    write_city(&f);
    FILE *sites = fopen(folder_path(&f, "sites.d/city.yaml"), "w");
    fprintf(sites, "sites:\n  - id: city\n    name: City\n    devices:\n");
    for (int i = 0; i < DEVICES; i++)
        fprintf(sites, "      - {id: button-%d, zone: nowhere-%d}\n", i, i);
    fclose(sites);
    struct conf_problems problems = {0};
    double start = now_s();
    assert_null(conf_load(folder_path(&f, "tocsin.yaml"), &problems));
    print_message("%zu problems: told in %.2f s\n", problems.count, now_s() - start);
    assert_int_equal(problems.count, DEVICES);
    assert_non_null(strstr(problems.lines[0], "city.yaml:5: sites.devices.zone"));
    conf_problems_finish(&problems);
    folder_finish(&f);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_hundred_thousand_devices),
                                       cmocka_unit_test(a_hundred_thousand_problems)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
