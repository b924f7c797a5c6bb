/* scratch.h - a folder in memory for the targets that need files, gone at the end; and a small installation
 * in it: signed, unsigned and stolen buttons, two schools, an account of each kind ("tk_<id>" is its token).
 */
#ifndef TOCSIN_FUZZ_SCRATCH_H
#define TOCSIN_FUZZ_SCRATCH_H

#include "conf/conf.h"
#include "conf/secrets.h"
#include "fuzz.h"
#include <ftw.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[64];

static int scratch_remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    return remove(path);
}

static void scratch_remove(void)
{
    nftw(scratch, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void scratch_make(void)
{
    strcpy(scratch,
           access("/dev/shm", W_OK) == 0 ? "/dev/shm/tocsin-fuzz-XXXXXX" : "/tmp/tocsin-fuzz-XXXXXX");
    must(mkdtemp(scratch), "no folder");
    atexit(scratch_remove);
}

static const char *scratch_path(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

static void scratch_write(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(scratch_path(name), "w");
    must(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0, "%s cannot be written",
         scratch_path(name));
    chmod(scratch_path(name), 0600);
}

static __attribute__((unused)) void scratch_journal_key(const char *name)
{
    char error[LIMIT_TEXT];
    must(secret_new_journal_key(scratch_path(name), "tocsin.test", error), "%s", error);
}

#define SCRATCH_DEVICE_KEY "0123456789abcdef0123456789abcde" /* with its NUL: 32 bytes */

static const char scratch_conf_head[] =
    "daemon: {name: tocsin.test, state_dir: ., journal_key_file: journal.key, http_listen: '127.0.0.1:0'}\n"
    "broker: {address: 127.0.0.1, port: 1}\n"
    "endpoints:\n"
    "  - {id: police, name: Police, role: police, urls: ['http://127.0.0.1:9/p'], confirm: echo}\n"
    "  - {id: bureau, name: Bureau, role: bureau, urls: ['http://127.0.0.1:9/b'], tests: true, drills: true,"
    " troubles: true}\n"
    "  - {id: guard, name: Guard, role: guard, urls: ['http://127.0.0.1:9/g'], drills: true}\n"
    "plans:\n"
    "  - id: default\n"
    "    steps: [{answer_timeout_s: 15, endpoints: [police, bureau]}, {answer_timeout_s: 20, endpoints: "
    "[guard]}]\n"
    "    acks_needed: [police]\n"
    "    coming_timeout_s: 40\n"
    "sites:\n"
    "  - {id: school-1, name: \"School \\\"1\\\"\", plan: default, keys_file: keys, zones: [{id: z1, name: "
    "Room 1}],\n"
    "     devices: [{id: room-1, zone: z1}, {id: room-204, zone: z1}, {id: late, puback: after_commit}, {id: "
    "stolen,"
    " disabled: true}]}\n"
    "  - {id: school-2, name: School 2, plan: default, devices: [{id: secret-room}]}\n"
    "accounts:\n";

static __attribute__((unused)) struct conf *scratch_conf(void)
{
    static const struct {
        const char *id, *role, *sites;
    } accounts[] = {{"desk", "police", NULL}, {"viewer", "viewer", NULL}, {"guard-1", "guard", "school-1"}};
    char text[4096], hash[SECRET_TEXT], token[64], key[64], keys[128];
    struct conf_problems problems = {0};
    int size = snprintf(text, sizeof text, "%s", scratch_conf_head);
    for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
        snprintf(token, sizeof token, "tk_%s", accounts[i].id);
        secret_token_hash(token, hash);
        size += snprintf(text + size, sizeof text - (size_t)size,
                         "  - {id: %s, name: %s, role: %s, token_hashes: [\"%s\"]%s%s%s}\n", accounts[i].id,
                         accounts[i].id, accounts[i].role, hash, accounts[i].sites ? ", sites: [" : "",
                         accounts[i].sites ? accounts[i].sites : "", accounts[i].sites ? "]" : "");
    }
    scratch_make();
    scratch_journal_key("journal.key");
    sodium_bin2base64(key, sizeof key, (const unsigned char *)SCRATCH_DEVICE_KEY, 32,
                      sodium_base64_VARIANT_ORIGINAL);
    scratch_write("keys", keys, (size_t)snprintf(keys, sizeof keys, "room-204 %s\n", key));
    scratch_write("tocsin.yaml", text, (size_t)size);
    struct conf *conf = conf_load(scratch_path("tocsin.yaml"), &problems);
    must(conf, "%s", problems.lines[0]);
    conf_problems_finish(&problems);
    return conf;
}

#endif
