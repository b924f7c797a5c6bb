/* The configurations between which a history moves: read once, from real files, by the real reader. */
#include "conf/secrets.h"
#include "sim.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const unsigned char device_key[32] = "a key that everybody here knows";
const char *const endpoint_names[ENDPOINTS] = {"police", "bureau", "guard", "night"};

static const char head[] =
    "daemon: {name: sim, state_dir: ., journal_key_file: journal.key, http_listen: '127.0.0.1:0', "
    "record_wait_ms: 50, "
    "gather_ms: %u, test_close_s: 30, stale_press_s: 60}\n"
    "broker: {address: 127.0.0.1, port: 1883, client_id: tocsin}\n"
    "accounts: [{id: desk, name: D, role: police, token_hashes: ['sha256:%064x']}]\n"
    "endpoints:\n"
    "  - {id: police, name: P, role: police, urls: ['http://127.0.0.1:9/p']}\n"
    "  - {id: bureau, name: B, role: bureau, urls: ['http://127.0.0.1:9/b'], tests: true, drills: true, "
    "troubles: true}\n"
    "  - {id: night, name: N, role: police, urls: ['http://127.0.0.1:9/n'], confirm: echo}\n"
    "%s"
    "plans:\n%s";

static const char guard[] =
    "  - {id: guard, name: G, role: guard, urls: ['http://127.0.0.1:9/g'], drills: true, confirm: echo}\n";

/* The school, the campus, the small one; in three versions. */
static const char *const plans[CONFS] = {
    "  - {id: school, steps: [{answer_timeout_s: 15, endpoints: [police, bureau]}, {answer_timeout_s: 20, "
    "endpoints: [guard]}, {answer_timeout_s: 25, endpoints: [night]}], acks_needed: [police], "
    "coming_timeout_s: 40}\n"
    "  - {id: campus, steps: [{answer_timeout_s: 10, endpoints: [police, night]}, {answer_timeout_s: 10, "
    "endpoints: [bureau, guard]}], acks_needed: [police, bureau], coming_timeout_s: 0}\n"
    "  - {id: small, steps: [{answer_timeout_s: 30, endpoints: [night, bureau]}], acks_needed: [police], "
    "coming_timeout_s: 30}\n",
    "  - {id: school, steps: [{answer_timeout_s: 25, endpoints: [police]}, {answer_timeout_s: 5, "
    "endpoints: [bureau]}], acks_needed: [police], coming_timeout_s: 20}\n"
    "  - {id: campus, steps: [{answer_timeout_s: 40, endpoints: [night, police, bureau]}], acks_needed: "
    "[police], "
    "coming_timeout_s: 15}\n"
    "  - {id: small, steps: [{answer_timeout_s: 12, endpoints: [bureau]}, {answer_timeout_s: 12, endpoints: "
    "[night]}], "
    "acks_needed: [bureau], coming_timeout_s: 30}\n",
    "  - {id: school, steps: [{answer_timeout_s: 8, endpoints: [guard]}, {answer_timeout_s: 8, endpoints: "
    "[police, "
    "bureau, night]}], acks_needed: [police], coming_timeout_s: 25}\n"
    "  - {id: campus, steps: [{answer_timeout_s: 20, endpoints: [police]}, {answer_timeout_s: 20, endpoints: "
    "[night]}, "
    "{answer_timeout_s: 20, endpoints: [bureau, guard]}], acks_needed: [police], coming_timeout_s: 60}\n"
    "  - {id: small, steps: [{answer_timeout_s: 18, endpoints: [police, guard, night, bureau]}], "
    "acks_needed: [police, "
    "guard], coming_timeout_s: 0}\n",
};

static const char site[] =
    "  - id: s%d\n    name: Site %d\n    address: A\n    plan: %s\n    keys_file: keys\n    zones: [{id: z1, "
    "name: Z1}, "
    "{id: z2, name: Z2}]\n    devices: [{id: d1, zone: z1, silent_after_s: 20}, {id: d2, zone: z2, "
    "silent_after_s: 0, "
    "kind: panic%s}, {id: d3, zone: z1, silent_after_s: 0}, {id: d4, silent_after_s: 0, puback: "
    "after_commit}, {id: odd, "
    "zone: z2, silent_after_s: 0, kind: intrusion}, {id: stolen, silent_after_s: 0, disabled: true}]\n";

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
    chmod(path, 0600);
}

static struct conf *load(const char *folder, int number)
{
    static const char *const plan_of[SITES] = {"school", "campus", "small"};
    static const unsigned gather_ms[CONFS] = {100, 500, 0};
    char text[8192], path[300];
    int size =
        snprintf(text, sizeof text, head, gather_ms[number], 1, number == 1 ? "" : guard, plans[number]);
    size += snprintf(text + size, sizeof text - (size_t)size, "sites:\n");
    for (int i = 0; i < SITES; i++)
        size += snprintf(text + size, sizeof text - (size_t)size, site, i + 1, i + 1, plan_of[i],
                         number == 2 && i == 1 ? ", disabled: true" : "");
    write_file(folder, "tocsin.yaml", text);
    snprintf(path, sizeof path, "%s/tocsin.yaml", folder);
    struct conf_problems problems = {0};
    struct conf *c = conf_load(path, &problems);
    for (size_t i = 0; i < problems.count && i < CONF_PROBLEMS; i++)
        fprintf(stderr, "%s\n", problems.lines[i]);
    conf_problems_finish(&problems);
    return c;
}

bool confs_load(struct conf *confs[CONFS], unsigned char key[64])
{
    char folder[] = "/tmp/tocsin-sim-XXXXXX", path[300], error[LIMIT_TEXT], keys[128], base64[64];
    if (sodium_init() < 0 || !mkdtemp(folder))
        return false;
    snprintf(path, sizeof path, "%s/journal.key", folder);
    bool good = secret_new_journal_key(path, "sim", error);
    sodium_bin2base64(base64, sizeof base64, device_key, 32, sodium_base64_VARIANT_ORIGINAL);
    snprintf(keys, sizeof keys, "d3 %s\n", base64);
    write_file(folder, "keys", keys);
    for (int i = 0; i < CONFS && good; i++)
        good = (confs[i] = load(folder, i)) != NULL;
    unsigned char seed[32] = {1}, public[32];
    crypto_sign_seed_keypair(public, key, seed); /* every run seals the same bytes */
    static const char *const names[] = {"journal.key", "journal.key.pub", "keys", "tocsin.yaml"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return good;
}

int endpoint_number(const char *id)
{
    for (int i = 0; i < ENDPOINTS; i++)
        if (strcmp(endpoint_names[i], id) == 0)
            return i;
    return -1;
}
