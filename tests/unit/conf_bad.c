/* Every way in which a configuration can be wrong: told with file, line, key, and what would be right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/folder.h"
#include "conf/pem.h"

#define HASH_1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define HASH_2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define KEY "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" /* 32 bytes */
#define WEBHOOK "whsec_" KEY

/* A good configuration; each case replaces one text of it. Line 1 is "daemon:". */
static const char good[] = "daemon:\n"                                             /*  1 */
                           "  name: tocsin.test\n"                                 /*  2 */
                           "  journal_key_file: journal.key\n"                     /*  3 */
                           "  http_listen: 127.0.0.1:0\n"                          /*  4 */
                           "  gather_ms: 100\n"                                    /*  5 */
                           "  log_level: info\n"                                   /*  6 */
                           "broker:\n"                                             /*  7 */
                           "  address: 127.0.0.1\n"                                /*  8 */
                           "  port: 1883\n"                                        /*  9 */
                           "  username: tocsin\n"                                  /* 10 */
                           "  password_file: password\n"                           /* 11 */
                           "endpoints:\n"                                          /* 12 */
                           "  - id: police\n"                                      /* 13 */
                           "    name: Police\n"                                    /* 14 */
                           "    role: police\n"                                    /* 15 */
                           "    urls: [\"https://police.example/alarm\"]\n"        /* 16 */
                           "    secret_file: police.secret\n"                      /* 17 */
                           "    confirm: echo\n"                                   /* 18 */
                           "  - id: bureau\n"                                      /* 19 */
                           "    name: Bureau\n"                                    /* 20 */
                           "    role: bureau\n"                                    /* 21 */
                           "    urls:\n"                                           /* 22 */
                           "      - http://127.0.0.1:9002/alarm\n"                 /* 23 */
                           "      - http://[::1]:9002/alarm\n"                     /* 24 */
                           "plans:\n"                                              /* 25 */
                           "  - id: default\n"                                     /* 26 */
                           "    steps:\n"                                          /* 27 */
                           "      - answer_timeout_s: 60\n"                        /* 28 */
                           "        endpoints: [police]\n"                         /* 29 */
                           "      - answer_timeout_s: 90\n"                        /* 30 */
                           "        endpoints: [bureau]\n"                         /* 31 */
                           "    acks_needed: [police]\n"                           /* 32 */
                           "    coming_timeout_s: 300\n"                           /* 33 */
                           "sites:\n"                                              /* 34 */
                           "  - id: school-1\n"                                    /* 35 */
                           "    name: School\n"                                    /* 36 */
                           "    latitude: 31.5\n"                                  /* 37 */
                           "    longitude: 121.5\n"                                /* 38 */
                           "    plan: default\n"                                   /* 39 */
                           "    keys_file: keys\n"                                 /* 40 */
                           "    contacts: [{name: Office, phone: \"+86 1\"}]\n"    /* 41 */
                           "    zones:\n"                                          /* 42 */
                           "      - {id: r204, name: Room 204}\n"                  /* 43 */
                           "      - {id: gate, name: Gate}\n"                      /* 44 */
                           "    devices:\n"                                        /* 45 */
                           "      - id: button-1\n"                                /* 46 */
                           "        zone: r204\n"                                  /* 47 */
                           "        kind: panic\n"                                 /* 48 */
                           "        silent_after_s: 20\n"                          /* 49 */
                           "        disabled: false\n"                             /* 50 */
                           "      - {id: button-2, zone: gate, puback: at_once}\n" /* 51 */
                           "accounts:\n"                                           /* 52 */
                           "  - id: desk\n"                                        /* 53 */
                           "    name: Desk\n"                                      /* 54 */
                           "    role: police\n"                                    /* 55 */
                           "    token_hashes: [\"" HASH_1 "\"]\n"                  /* 56 */
                           "    sites: [school-1]\n";                              /* 57 */

#define X10 "XXXXXXXXXX"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100

struct bad {
    const char *find, *replace; /* once */
    unsigned line;              /* of the problem, in the main file */
    const char *key;            /* "" = none */
    const char *says;
};

static const struct bad bads[] = {
    /* keys: unknown, twice, missing, out of place */
    {"  gather_ms: 100", "  gather: 100", 5, "daemon.gather",
     "there is no such key here; did you mean \"gather_ms\"?"},
    {"  gather_ms: 100", "  gather_s: 1", 5, "daemon.gather_s", "did you mean \"gather_ms\"?"},
    {"endpoints:\n  - id", "endpoint:\n  - id", 12, "endpoint", "did you mean \"endpoints\"?"},
    {"    role: police\n    urls", "    rôle: police\n    urls", 15, "endpoints.\"rôle\"",
     "did you mean \"role\"?"},
    {"        zone: r204", "        room: r204", 47, "sites.devices.room", "there is no such key here"},
    {"      - {id: gate, name: Gate}", "      - {id: gate, nam: Gate}", 44, "sites.zones.nam",
     "did you mean \"name\"?"},
    {"  port: 1883", "  keepalive_s: 10", 9, "broker.keepalive_s", "did you mean \"keep_alive_s\"?"},
    {"        endpoints: [police]\n", "        endpoints: [police]\n        timeout: 3\n", 30,
     "plans.steps.timeout", "there is no such key here"},
    {"  log_level: info", "  log_level: info\n  gather_ms: 90", 7, "daemon.gather_ms", "stands here twice"},
    {"accounts:\n", "sites: []\naccounts:\n", 52, "sites", "stands here twice"},
    {"        kind: panic", "        id: button-9", 48, "sites.devices.id", "stands here twice"},
    {"  name: tocsin.test\n", "", 1, "daemon.name", "is missing; it is required: who speaks"},
    {"    role: police\n    urls", "    urls", 13, "endpoints.role", "is missing; it is required"},
    {"      - answer_timeout_s: 60\n        endpoints", "      - endpoints", 28,
     "plans.steps.answer_timeout_s", "is missing"},
    {"    acks_needed: [police]\n", "", 26, "plans.acks_needed", "is missing"},
    {"    token_hashes: [\"" HASH_1 "\"]\n", "", 53, "accounts.token_hashes", "is missing"},
    {"broker:\n  address: 127.0.0.1\n  port: 1883\n  username: tocsin\n  password_file: password\n", "", 1,
     "broker", "is missing"},
    {"  port: 1883", "  supervision: {username: s}", 9, "broker.supervision.client_id",
     "is missing; it is required: its name at the broker"},
    {"  port: 1883", "  supervision: {client_id: s, port: 1883}", 9, "broker.supervision.port",
     "there is no such key here"},
    {"  - id: desk\n    name: Desk\n", "  - name: Desk\n", 53, "accounts.id", "is missing"},
    {"phone: \"+86 1\"", "phone: \"\"", 41, "sites.contacts.phone", "has no value"},
    {"contacts: [{name: Office, phone: \"+86 1\"}]", "contacts: [{name: Office}]", 41, "sites.contacts.phone",
     "is missing"},
    {"id: gate, name: Gate", "id: gate, name: Gate, east side", 44, "sites.zones.\"east side\"",
     "a text with a comma inside { } or [ ] needs quotation marks"},
    /* shapes */
    {"        zone: r204", "        zone:", 47, "sites.devices.zone",
     "has no value; give it one value after the colon"},
    {"        zone: r204", "        zone: ~", 47, "sites.devices.zone", "has no value"},
    {"        zone: r204", "        zone: null", 47, "sites.devices.zone", "has no value"},
    {"  port: 1883", "  supervision: s", 9, "broker.supervision", "is one value; it must be keys below it"},
    {"        zone: r204", "        zone: [r204]", 47, "sites.devices.zone",
     "is a list; it must be one value"},
    {"    urls: [\"https://police.example/alarm\"]", "    urls: https://police.example/alarm", 16,
     "endpoints.urls", "is one value; it must be a list"},
    {"    acks_needed: [police]", "    acks_needed: []", 32, "plans.acks_needed",
     "is a list without entries"},
    {"    sites: [school-1]", "    sites: []", 57, "accounts.sites",
     "write at least one, or leave the key out"},
    {"    sites: [school-1]", "    sites: [[school-1]]", 57, "accounts.sites",
     "is a list; it must be one value"},
    {"        endpoints: [bureau]", "        endpoints: {bureau: 1}", 31, "plans.steps.endpoints",
     "is a mapping; it must be a list"},
    {"  address: 127.0.0.1", "  ? [a, b]\n  : 3", 8, "broker", "a key must be one word"},
    {"        endpoints: [bureau]", "        endpoints: *other", 31, "plans.steps.endpoints",
     "is a YAML alias (*other); aliases are not read"},
    {"    name: School", "    name: \"School\\0\"", 36, "sites.name", "has a NUL character"},
    {"accounts:\n", "---\naccounts:\n", 52, "", "a second document begins here"},
    {"  gather_ms: 100", "\tgather_ms: 100", 5, "", "not with tabs"},
    {"    name: Police", "    name: Police: desk", 14, "", "this is not YAML"},
    {"    name: Police", "    name: \"Police", 16, "", "this is not YAML"},
    /* numbers, words */
    {"  gather_ms: 100", "  gather_ms: 100ms", 5, "daemon.gather_ms",
     "has a unit; the key has it already (ms)"},
    {"  gather_ms: 100", "  gather_ms: 1001", 5, "daemon.gather_ms", "must be from 0 to 1000 ms"},
    {"  gather_ms: 100", "  gather_ms: -1", 5, "daemon.gather_ms",
     "is no whole number; it must be one from 0 to 1000ms"},
    {"  gather_ms: 100", "  gather_ms: 0x10", 5, "daemon.gather_ms", "is no whole number"},
    {"  gather_ms: 100", "  gather_ms: 010", 5, "daemon.gather_ms", "is no whole number"},
    {"  gather_ms: 100", "  gather_ms: 1.5", 5, "daemon.gather_ms", "is no whole number"},
    {"  gather_ms: 100", "  gather_ms: 99999999999999999999999", 5, "daemon.gather_ms", "is out of range"},
    {"  port: 1883", "  port: 0", 9, "broker.port", "must be from 1 to 65535"},
    {"      - answer_timeout_s: 60", "      - answer_timeout_s: 0", 28, "plans.steps.answer_timeout_s",
     "must be from 1 to 3600 s"},
    {"    coming_timeout_s: 300", "    coming_timeout_s: 86401", 33, "plans.coming_timeout_s",
     "must be from 0 to 86400 s"},
    {"    confirm: echo", "    probe_s: 16", 18, "endpoints.probe_s", "must be from 1 to 15 s"},
    {"    confirm: echo", "    attempt_timeout_ms: 1000", 18, "endpoints.attempt_timeout_ms",
     "is less than connect_timeout_ms (2000)"},
    {"  log_level: info", "  log_level: verbose", 6, "daemon.log_level",
     "it must be error, warning, info or debug"},
    {"    confirm: echo", "    confirm: yes", 18, "endpoints.confirm", "it must be status or echo"},
    {"    role: bureau", "    role: beureau", 21, "endpoints.role",
     "must be police, bureau, guard, admin or viewer"},
    {"        kind: panic", "        kind: cancel", 48, "sites.devices.kind",
     "must be intrusion, medical, generic, panic"},
    {"        disabled: false", "        disabled: flase", 50, "sites.devices.disabled",
     "it must be true or false"},
    {"        disabled: false", "        disabled: no", 50, "sites.devices.disabled",
     "it must be true or false"},
    {"puback: at_once", "puback: late", 51, "sites.devices.puback", "it must be at_once or after_commit"},
    {"    latitude: 31.5", "    latitude: 90.1", 37, "sites.latitude", "must be from -90 to 90"},
    {"    latitude: 31.5", "    latitude: nan", 37, "sites.latitude", "is no decimal number"},
    {"    longitude: 121.5", "    longitude: 121,5", 38, "sites.longitude", "is no decimal number"},
    {"    longitude: 121.5\n", "", 37, "sites.latitude", "is given without longitude"},
    /* ids, names */
    {"  - id: desk", "  - id: " KEY KEY, 53, "accounts.id", "is no id"},
    {"id: button-2", "id: button-1", 51, "sites.devices.id",
     "another device has the id \"button-1\" already"},
    {"  port: 1883", "  supervision: {client_id: tocsin}", 9, "broker.supervision.client_id",
     "is broker.client_id, too; two connections under one client id throw each other out: write another, such as "
     "tocsin-supervision"},
    {"  port: 1883", "  receipts: {client_id: tocsin}", 9, "broker.receipts.client_id",
     "is broker.client_id, too; two connections under one client id throw each other out: write another, such as "
     "tocsin-receipts"},
    {"  port: 1883", "  supervision: {client_id: s}\n  receipts: {client_id: s}", 10, "broker.receipts.client_id",
     "is broker.supervision.client_id, too"},
    {"  name: tocsin.test", "  name: my tocsin", 2, "daemon.name", "without spaces and plus signs"},
    {"    name: School", "    name: \"a\\nb\"", 36, "sites.name", "has a control character"},
    {"    name: School", "    name: \"a\\u202Eb\"", 36, "sites.name", "has a control character"},
    {"    name: School", "    name: \"\\e[31m\"", 36, "sites.name", "has a control character"},
    {"    name: School", "    name: \"a\\u2028b\"", 36, "sites.name", "has a control character"},
    {"    name: School", "    name: \"a\\uFEFFb\"", 36, "sites.name", "has a control character"},
    {"    name: School", "    name: \"a\\u061Cb\"", 36, "sites.name", "has a control character"},
    /* references */
    {"    plan: default", "    plan: defualt", 39, "sites.plan",
     "no plan has the id \"defualt\"; did you mean \"default\"?"},
    {"        endpoints: [bureau]", "        endpoints: [bureua]", 31, "plans.steps.endpoints",
     "no endpoint has the id \"bureua\"; did you mean \"bureau\"?"},
    {"        zone: r204", "        zone: r205", 47, "sites.devices.zone",
     "no zone has the id \"r205\"; did you mean \"r204\"?"},
    {"    sites: [school-1]", "    sites: [school-1, school-2]", 57, "accounts.sites",
     "no site has the id \"school-2\""},
    {"        endpoints: [bureau]", "        endpoints: [bureau, police]", 31, "plans.steps.endpoints",
     "is told in step 1 already"},
    {"    acks_needed: [police]", "    acks_needed: [guard]", 32, "plans.acks_needed",
     "is the role of no endpoint of this plan, so nobody could ever satisfy it"},
    {"    acks_needed: [police]", "    acks_needed: [viewer]", 32, "plans.acks_needed", "cannot acknowledge"},
    {"    acks_needed: [police]", "    acks_needed: [police, police]", 32, "plans.acks_needed",
     "stands here twice"},
    {"    role: police\n    token", "    role: viewer\n    token", 52, "accounts",
     "no account can acknowledge an alarm"},
    {"[\"" HASH_1 "\"]", "[\"" HASH_1 "\", \"" HASH_1 "\"]", 56, "accounts.token_hashes",
     "stands in the configuration twice"},
    {"[\"" HASH_1 "\"]", "[tk_abcdef]", 56, "accounts.token_hashes", "never write the token itself here"},
    /* addresses */
    {"  http_listen: 127.0.0.1:0", "  http_listen: localhost:8080", 4, "daemon.http_listen",
     "127.0.0.1:8080 or [::1]:8080"},
    {"  http_listen: 127.0.0.1:0", "  http_listen: \"::1:80\"", 4, "daemon.http_listen",
     "is no numeric address and port"},
    {"  http_listen: 127.0.0.1:0", "  http_listen: 127.0.0.1:65536", 4, "daemon.http_listen",
     "is no numeric address"},
    {"  http_listen: 127.0.0.1:0", "  http_listen: 127.0.0.1", 4, "daemon.http_listen",
     "is no numeric address"},
    {"  address: 127.0.0.1", "  address: tcp://10.0.0.1", 8, "broker.address", "write the address alone"},
    {"https://police.example/alarm", "ftp://police.example", 16, "endpoints.urls",
     "must begin with https:// or http://"},
    {"https://police.example/alarm", "https:///alarm", 16, "endpoints.urls", "has no host"},
    {"https://police.example/alarm", "https://:443/alarm", 16, "endpoints.urls", "has no host"},
    {"https://police.example/alarm", "https://police.example:99999/", 16, "endpoints.urls",
     "has no valid port"},
    {"https://police.example/alarm", "https://police.example:/", 16, "endpoints.urls", "has no valid port"},
    {"https://police.example/alarm", "https://a:b@police.example/", 16, "endpoints.urls",
     "must not hold a user name"},
    {"https://police.example/alarm", "https://警察.example/", 16, "endpoints.urls", "must be plain ASCII"},
    {"https://police.example/alarm", "https://010.0.0.2/alarm", 16, "endpoints.urls", "without leading zeros"},
    {"https://police.example/alarm", "https://192.168.001.010:8443/", 16, "endpoints.urls", "without leading zeros"},
    {"https://police.example/alarm", "https://0x0a000002/", 16, "endpoints.urls", "write four numbers"},
    {"https://police.example/alarm", "https://10.2/alarm", 16, "endpoints.urls", "write four numbers"},
    {"https://police.example/alarm", "https://police;example/", 16, "endpoints.urls", "other characters"},
    {"https://police.example/alarm", "https://police.example/?token=" X1000, 16, "endpoints.urls", "is longer than 1023 bytes"},
    {"https://police.example/alarm", "https://[::zz]/", 16, "endpoints.urls",
     "no valid numeric address in [ ]"},
    {"      - http://[::1]:9002/alarm", "      - http://127.0.0.1:9002/alarm", 24, "endpoints.urls",
     "stands here twice"},
    /* files */
    {"  journal_key_file: journal.key", "  journal_key_file: other.key", 3, "daemon.journal_key_file",
     "is not there; make it with `tocsin keygen journal FILE"},
    {"  journal_key_file: journal.key", "  journal_key_file: password", 3, "daemon.journal_key_file",
     "is no journal key"},
    {"  journal_key_file: journal.key", "  journal_key_file: open.key", 3, "daemon.journal_key_file",
     "do: chmod 600"},
    {"  password_file: password", "  password_file: open.key", 11, "broker.password_file", "do: chmod 600"},
    {"  password_file: password", "  password_file: .", 11, "broker.password_file", "is no plain file"},
    {"  password_file: password", "  password_file: empty", 11, "broker.password_file",
     "is empty; its first line must be"},
    {"  password_file: password", "  password_file: loop", 11, "broker.password_file", "cannot be read"},
    {"  username: tocsin\n", "", 10, "broker.password_file", "has no use without username"},
    {"  port: 1883", "  key_file: journal.key", 9, "broker.key_file", "is given without certificate_file"},
    {"  port: 1883", "  supervision: {client_id: s, username: s, password_file: empty}", 9,
     "broker.supervision.password_file", "is empty; its first line must be"},
    {"  port: 1883", "  supervision: {client_id: s, password_file: password}", 9, "broker.supervision.password_file",
     "has no use without username"},
    {"  port: 1883", "  receipts: {client_id: s, username: s, password_file: empty}", 9,
     "broker.receipts.password_file", "is empty; its first line must be"},
    {"  port: 1883", "  supervision: {client_id: s, certificate_file: a.pem, key_file: a.key}", 9,
     "broker.supervision.certificate_file", "has no use without broker.ca_file"},
    {"  port: 1883",
     "  ca_file: a.pem\n  certificate_file: a.pem\n  key_file: a.key\n"
     "  supervision: {client_id: s, certificate_file: ./a.pem, key_file: a.key}",
     12, "broker.supervision.certificate_file", "is broker.certificate_file, too"},
    {"  port: 1883", "  ca_file: missing.pem", 9, "broker.ca_file", "cannot be read (No such file"},
    {"  port: 1883", "  ca_file: " X100 X100 X100 X100 X100 X100 X100 X100 X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 "XXXXX", 9,
     "broker.ca_file", "at most 1000 bytes, its folder included"},
    {"  port: 1883", "  ca_file: .", 9, "broker.ca_file", "is no plain file"},
    {"  log_level: info", "  http_tls_key_file: journal.key", 6, "daemon.http_tls_key_file",
     "is given without http_tls_certificate_file"},
    {"    confirm: echo", "    crl_file: crl.pem", 18, "endpoints.crl_file", "has no use without ca_file"},
    {"  port: 1883", "  ca_file: broken.pem", 9, "broker.ca_file", "cannot be used (OpenSSL: "},
    {"  port: 1883", "  ca_file: password", 9, "broker.ca_file", "it must be the authority's certificate, in PEM"},
    {"  port: 1883", "  ca_file: crl.pem", 9, "broker.ca_file", "it must be the authority's certificate, in PEM"},
    {"  port: 1883", "  ca_file: a.pem\n  certificate_file: broken.pem\n  key_file: a.key", 10, "broker.certificate_file",
     "it must be a certificate, in PEM"},
    {"  port: 1883", "  ca_file: a.pem\n  certificate_file: a.pem\n  key_file: password", 11, "broker.key_file",
     "it must be a secret key, in PEM"},
    {"  port: 1883", "  ca_file: a.pem\n  certificate_file: a.pem\n  key_file: locked.key", 11, "broker.key_file",
     "without a passphrase"},
    {"  port: 1883", "  ca_file: a.pem\n  certificate_file: a.pem\n  key_file: foreign.key", 11, "broker.key_file",
     "is not the key of the certificate in "},
    {"  port: 1883",
     "  ca_file: a.pem\n  receipts: {client_id: s, certificate_file: a.pem, key_file: ed.key}", 10,
     "broker.receipts.key_file", "is not the key of the certificate in "},
    {"  port: 1883",
     "  ca_file: a.pem\n  supervision: {client_id: s, certificate_file: crl.pem, key_file: a.key}", 10,
     "broker.supervision.certificate_file", "it must be a certificate, in PEM"},
    {"  log_level: info", "  http_tls_certificate_file: a.pem\n  http_tls_key_file: foreign.key", 7,
     "daemon.http_tls_key_file", "is not the key of the certificate in "},
    {"  log_level: info", "  http_tls_certificate_file: broken.pem\n  http_tls_key_file: a.key", 6,
     "daemon.http_tls_certificate_file", "it must be a certificate, in PEM"},
    {"    confirm: echo", "    ca_file: broken.pem", 18, "endpoints.ca_file", "it must be the authority's certificate"},
    {"    confirm: echo", "    ca_file: a.pem\n    crl_file: a.pem", 19, "endpoints.crl_file",
     "it must be a list of revoked certificates, in PEM"},
    {"    confirm: echo", "    certificate_file: a.pem\n    key_file: foreign.key", 19, "endpoints.key_file",
     "is not the key of the certificate in "},
    {"    secret_file: police.secret", "    secret_file: none.secret", 17, "endpoints.secret_file",
     "`tocsin keygen webhook"},
    {"    secret_file: police.secret", "    secret_file: empty", 17, "endpoints.secret_file",
     "has no secret"},
    {"    keys_file: keys", "    keys_file: open.key", 40, "sites.keys_file",
     "others may read or change it (mode 0644)"},
    {"    keys_file: keys", "    keys_file: no-keys", 40, "sites.keys_file", "`tocsin keygen device"},
};

/* Each of these makes one more thing wrong. */
static const struct bad followed[] = {
    {"  - id: school-1", "  - id: school/1", 35, "sites.id",
     "is no id; it must be 1 to 47 of A-Z a-z 0-9 _ . -"},
    {"  - id: school-1", "  - id: ..", 35, "sites.id", "is no id; it must be 1 to 47 of A-Z a-z 0-9 _ . -, and not . or .. alone"},
    {"  - id: school-1", "  - id: 学校", 35, "sites.id", "is no id"},
    {"  - id: bureau", "  - id: police", 19, "endpoints.id",
     "another endpoint has the id \"police\" already"},
    {"  port: 1883", "  certificate_file: a.pem", 9, "broker.certificate_file", "is given without key_file"},
    {"      - {id: gate, name: Gate}", "      - {name: Gate}", 44, "sites.zones.id", "is missing"},
    {"  - id: school-1", "  - id: daemon", 35, "sites.id", "\"daemon\" is taken"},
    {"id: gate, name: Gate", "id: r204, name: Gate", 44, "sites.zones.id",
     "another zone has the id \"r204\" already"},
};

static char *replaced(const char *text, const char *find, const char *replace)
{
    const char *at = strstr(text, find);
    assert_non_null(at);
    assert_null(strstr(at + 1, find));
    char *out = NULL;
    assert_true(asprintf(&out, "%.*s%s%s", (int)(at - text), text, replace, at + strlen(find)) > 0);
    return out;
}

static void make_files(struct folder *f)
{
    folder_init(f);
    folder_journal_key(f, "journal.key");
    folder_secret(f, "password", "secret\n");
    folder_secret(f, "police.secret", "# first the new one\n" WEBHOOK "\n");
    folder_secret(f, "keys", "button-1 " KEY "\n");
    folder_secret(f, "empty", "\n# nothing\n");
    folder_write(f, "open.key", "secret\n");
    const struct pem pem = pem_make();
    folder_write(f, "a.pem", pem.certificate);
    folder_write(f, "broken.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    folder_write(f, "crl.pem", pem.crl);
    folder_secret(f, "a.key", pem.key);
    folder_secret(f, "locked.key", pem.locked_key);
    folder_secret(f, "foreign.key", pem.other_key);
    folder_secret(f, "ed.key", pem.ed25519_key);
    assert_int_equal(symlink("loop", folder_path(f, "loop")), 0);
}

static int begin(void **state)
{
    struct folder *f = malloc(sizeof *f);
    make_files(f);
    *state = f;
    return 0;
}

static int end(void **state)
{
    folder_finish(*state);
    free(*state);
    return 0;
}

/* Loads, and expects this problem and as many more. */
static bool is_told(const char *path, const char *place, const char *says, size_t more)
{
    struct conf_problems problems = {0};
    struct conf *c = conf_load(path, &problems);
    assert_null(c);
    bool as_expected = false;
    for (size_t i = 0; problems.count == 1 + more && i <= more; i++)
        as_expected |= strncmp(problems.lines[i], place, strlen(place)) == 0 &&
                       strstr(problems.lines[i] + strlen(place), says);
    if (!as_expected) {
        print_error("expected %s…%s\n", place, says);
        for (size_t i = 0; i < problems.count && i < CONF_PROBLEMS; i++)
            print_error("     got %s\n", problems.lines[i]);
    }
    conf_problems_finish(&problems);
    return as_expected;
}

static void expect_only(const char *path, const char *place, const char *says)
{
    assert_true(is_told(path, place, says, 0));
}

static void the_good_one_loads(void **state)
{
    struct conf_problems problems = {0};
    struct conf *c = conf_load(folder_write(*state, "tocsin.yaml", good), &problems);
    assert_int_equal(problems.count, 0);
    assert_non_null(c);
    conf_destroy(c);
    assert_true(sizeof bads / sizeof *bads >= 100);
}

/* One endpoint, or the broker, is in trouble then; without a daemon all are. */
static void a_start_goes_on_with_a_broken_tls_file(void **state)
{
    struct conf_problems problems = {.at_start = true};
    char *text = replaced(good, "    confirm: echo", "    ca_file: broken.pem");
    struct conf *c = conf_load(folder_write(*state, "tocsin.yaml", text), &problems);
    assert_int_equal(problems.count, 0);
    assert_non_null(c);
    conf_destroy(c);
    free(text);
}

static size_t not_told(void **state, const struct bad *bad, size_t count, size_t more)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        char *text = replaced(good, bad[i].find, bad[i].replace), place[512];
        const char *path = folder_write(*state, "tocsin.yaml", text);
        const char *key = bad[i].key;
        snprintf(place, sizeof place, "%s:%u: %s%s", path, bad[i].line, key, *key ? ": " : "");
        wrong += !is_told(path, place, bad[i].says, more);
        free(text);
    }
    return wrong;
}

static void each_fault_is_told_at_its_place(void **state)
{
    assert_int_equal(not_told(state, bads, sizeof bads / sizeof *bads, 0), 0);
    assert_int_equal(not_told(state, followed, sizeof followed / sizeof *followed, 1), 0);
}

static void problems_come_together_and_in_order(void **state)
{
    char *one = replaced(good, "  gather_ms: 100", "  gather_ms: 9999"),
         *two = replaced(one, "        zone: r204", "        zone: r999"),
         *three = replaced(two, "    role: bureau", "    role: x");
    struct conf_problems problems = {0};
    const char *path = folder_write(*state, "tocsin.yaml", three);
    assert_null(conf_load(path, &problems));
    assert_int_equal(problems.count, 3);
    static const char *const places[] = {":5: daemon.gather_ms", ":21: endpoints.role",
                                         ":47: sites.devices.zone"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(strncmp(problems.lines[i] + strlen(path), places[i], strlen(places[i])), 0);
    conf_problems_finish(&problems);
    free(one);
    free(two);
    free(three);
}

static void more_problems_than_lines_are_counted(void **state)
{
    char *zones = calloc(1, 200 * 40);
    for (int i = 0; i < 200; i++)
        sprintf(zones + strlen(zones), "      - {id: \"z %d\", name: Z}\n", i);
    char *text = replaced(good, "      - {id: gate, name: Gate}\n", zones);
    struct conf_problems problems = {0};
    assert_null(conf_load(folder_write(*state, "tocsin.yaml", text), &problems));
    assert_int_equal(problems.count, 201); /* and button-2 stands in a zone that is gone */
    assert_non_null(problems.lines[CONF_PROBLEMS - 1]);
    conf_problems_finish(&problems);
    free(text);
    free(zones);
}

static void odd_files(void **state)
{
    struct folder *f = *state;
    const struct {
        const char *bytes;
        size_t size;
        unsigned line;
        const char *says;
    } files[] = {
        {"", 0, 0, "is empty"},
        {"# only a comment\n", 17, 0, "is empty"},
        {"daemon:\n  name: \xff\xfe\n", 19, 2, "is not UTF-8 text (byte 0xff)"},
        {"daemon:\n  name: \xc0\xaf\n", 19, 2, "is not UTF-8 text (byte 0xc0)"},
        {"daemon:\n  name: \xed\xa0\x80\n", 20, 2, "is not UTF-8 text (byte 0xed)"},
        {"daemon: \0\n", 10, 1, "is not UTF-8 text (byte 0x00)"},
        {"\xff\xfe"
         "d\0",
         4, 1, "is not UTF-8 text"},
        {"- a\n- b\n", 8, 1, "is a list; it must be keys"},
        {"hello\n", 6, 1, "is one value; it must be keys"},
        {"---\n", 4, 2, "has no value"},
        {"a: &a [x,x]\nb: &b [*a,*a]\n", 26, 1, "a: there is no such key"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = folder_write_bytes(f, "tocsin.yaml", files[i].bytes, files[i].size, 0644);
        char place[300], *expected = place;
        snprintf(place, sizeof place, files[i].line ? "%s:%u: " : "%s: ", path, files[i].line);
        struct conf_problems problems = {0};
        assert_null(conf_load(path, &problems));
        assert_true(problems.count >= 1);
        if (strncmp(problems.lines[0], expected, strlen(expected)) != 0 ||
            !strstr(problems.lines[0], files[i].says))
            fail_msg("expected %s…%s, got %s", expected, files[i].says, problems.lines[0]);
        conf_problems_finish(&problems);
    }
}

static void files_that_cannot_be_read(void **state)
{
    struct folder *f = *state;
    char place[300];
    const char *const names[][2] = {{"nothing.yaml", "cannot be read (No such file or directory)"},
                                    {"loop", "cannot be read (Too many levels of symbolic links)"},
                                    {".", "cannot be read (it is no plain file)"},
                                    {"pipe", "cannot be read (it is no plain file)"},
                                    {"huge.yaml", "it is larger than 64 MB"}};
    assert_int_equal(mkfifo(folder_path(f, "pipe"), 0600), 0);
    folder_write(f, "huge.yaml", "");
    assert_int_equal(truncate(folder_path(f, "huge.yaml"), 65 * 1024 * 1024), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(place, sizeof place, "%s: ", folder_path(f, names[i][0]));
        expect_only(folder_path(f, names[i][0]), place, names[i][1]);
    }
}

static void a_file_we_may_not_read(void **state)
{
    if (geteuid() == 0)
        skip(); /* root may read all */
    const char *path = folder_path(*state, "tocsin.yaml");
    char place[300];
    snprintf(place, sizeof place, "%s: ", path);
    folder_write(*state, "tocsin.yaml", good);
    chmod(path, 0);
    expect_only(path, place, "cannot be read (Permission denied)");
}

static void deep_nesting_ends_soon(void **state)
{
    size_t size = 200000;
    char *text = malloc(size + 1);
    memset(text, '[', size);
    text[size] = '\0';
    memcpy(text, "daemon: ", 8);
    struct conf_problems problems = {0};
    assert_null(conf_load(folder_write(*state, "tocsin.yaml", text), &problems));
    assert_true(problems.count >= 1);
    conf_problems_finish(&problems);
    free(text);
}

static void key_files(void **state)
{
    struct folder *f = *state;
    const struct {
        const char *name, *text;
        unsigned line;
        const char *says;
    } files[] = {
        {"keys", "button-1 " KEY "\nbutton-1 " KEY "\n", 2, "device \"button-1\" has a key above already"},
        {"keys", "# keys\n\nbutton-3 " KEY "\n", 3,
         "site school-1 has no device \"button-3\"; did you mean \"button-"},
        {"keys", "button-1 MDEy\n", 1, "must be the base64 of 32 bytes"},
        {"keys", "button-1\n", 1, "must be the base64 of 32 bytes"},
        {"keys", "button-1 " KEY " x\n", 1, "must be the base64 of 32 bytes"},
        {"keys", "gymnasium\xb7\xc2\x9b " KEY "\n", 1,
         "site school-1 has no device \"gymnasium\xEF\xBF\xBD\"; a line must be"},
        {"keys", KEY "\n", 1, "a line must be a device's id, a space and its key"},
        {"police.secret", KEY "\n", 1, "it must be whsec_ and the base64 of 24 to 64 bytes"},
        {"police.secret", WEBHOOK "\nwhsec_MDEy\n", 2, "it must be whsec_ and the base64 of 24 to 64 bytes"},
        {"police.secret", "whsec_" KEY KEY "\n", 1, "it must be whsec_"},
    };
    const char *path = folder_write(f, "tocsin.yaml", good);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char place[300];
        snprintf(place, sizeof place, "%s:%u: ", folder_secret(f, files[i].name, files[i].text),
                 files[i].line);
        expect_only(path, place, files[i].says);
        folder_secret(f, "keys", "button-1 " KEY "\n");
        folder_secret(f, "police.secret", WEBHOOK "\n");
    }
}

/* What is told goes to every desk, to endpoints and into the journal, where it stays. */
static void no_secret_is_told(void **state)
{
    struct folder *f = *state;
    const struct {
        const char *find, *replace, *keys; /* in the configuration; the file of keys */
    } slips[] = {
        {"https://police.example/alarm", "https://us:S3cret@police.example/", NULL},
        {"https://police.example/alarm", "https://us:S3c/ret@police.example/", NULL},
        {"https://police.example/alarm", "ftp://us:S3cret@police.example/", NULL},
        {"https://police.example/alarm", "https://police.example:0/S3cret", NULL},
        {"https://police.example/alarm", "https://police.example:0?token=S3cret", NULL},
        {"https://police.example/alarm", "police.example/S3cret", NULL},
        {"  address: 127.0.0.1", "  address: mqtt://us:S3cret@10.0.0.2", NULL},
        {"  address: 127.0.0.1", "  address: us:S3cret@10.0.0.2", NULL},
        {"[\"" HASH_1 "\"]", "[tk_S3cret]", NULL},
        {NULL, NULL, "S3cretU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTE=\n"},            /* the id forgotten */
        {NULL, NULL, "S3cretU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTE button-1\n"},    /* the wrong way round */
        {NULL, NULL, "button-1S3cretU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTE=\n"},    /* no space */
        {NULL, NULL, "button-1 S3cretU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTE= x\n"}, /* something behind it */
    };
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        struct conf_problems problems = {0};
        char *text = slips[i].find ? replaced(good, slips[i].find, slips[i].replace) : strdup(good);
        folder_secret(f, "keys", slips[i].keys ? slips[i].keys : "button-1 " KEY "\n");
        assert_null(conf_load(folder_write(f, "tocsin.yaml", text), &problems));
        assert_true(problems.count > 0);
        for (size_t k = 0; k < problems.count && k < CONF_PROBLEMS; k++)
            if (strstr(problems.lines[k], "S3c"))
                fail_msg("a secret is told: %s", problems.lines[k]);
        conf_problems_finish(&problems);
        free(text);
    }
}

static void sites_d(void **state)
{
    struct folder *f = *state;
    const char *main_path = folder_write(f, "tocsin.yaml", good);
    folder_add(f, "sites.d");
    const struct {
        const char *name, *text;
        unsigned line;
        const char *says;
    } files[] = {
        {"sites.d/b.yaml", "sites:\n  - id: school-1\n    name: X\n", 2,
         "sites.id: another site has the id \"school-1\""},
        {"sites.d/b.yaml", "sites:\n  - {id: s2, name: X, plan: x}\n", 2,
         "sites.plan: no plan has the id \"x\""},
        {"sites.d/b.yaml", "daemon: {}\n", 1,
         "daemon: there is no such key here; the keys of a file of sites.d"},
        {"sites.d/b.yaml", "sites:\n  - {id: s2, name: X, keys_file: ../open.key}\n", 2, "others may read"},
        {"sites.d/b.yaml", "", 0, "is empty"},
        {"sites.d/b.yml", "sites: []\n", 0, "rename it, so that it ends in .yaml"},
        {"sites.d/B.YAML", "sites:\n  - {id: s2, name: X, plan: x}\n", 2, "sites.plan: no plan has the id \"x\""},
        {"sites.d/B.YML", "sites: []\n", 0, "rename it, so that it ends in .yaml"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char place[300];
        const char *path = folder_write(f, files[i].name, files[i].text);
        snprintf(place, sizeof place, files[i].line ? "%s:%u: " : "%s: ", path, files[i].line);
        expect_only(main_path, place, files[i].says);
        unlink(folder_path(f, files[i].name));
    }
    folder_write(f, "sites.d/.hidden.yaml", "rubbish: [");
    folder_write(f, "sites.d/a.yaml~", "rubbish: [");
    struct conf_problems problems = {0};
    struct conf *c = conf_load(main_path, &problems);
    assert_non_null(c);
    conf_destroy(c);
}

static void sites_d_that_is_no_folder(void **state)
{
    struct folder *f = *state;
    const char *main_path = folder_write(f, "tocsin.yaml", good);
    char place[300];
    snprintf(place, sizeof place, "%s: ", folder_write(f, "sites.d", "x"));
    expect_only(main_path, place, "it must be a folder of files of sites");
    const char *folder = folder_path(f, "sites.d");
    assert_int_equal(unlink(folder), 0);
    assert_int_equal(symlink("/nowhere/sites.d", folder), 0);
    expect_only(main_path, place, "it must be a folder of files of sites");
    assert_int_equal(unlink(folder), 0);
}

static void nobody_could_press(void **state)
{
    char *text = strdup(good), place[300];
    char *sites = strstr(text, "sites:\n"), *accounts = strstr(text, "accounts:\n");
    memmove(sites, accounts, strlen(accounts) + 1);
    *strstr(text, "    sites: [school-1]") = '#';
    const char *path = folder_write(*state, "tocsin.yaml", text);
    snprintf(place, sizeof place, "%s:1: sites: ", path);
    expect_only(path, place, "there is no site");
    free(text);
}

static void check_prints_each_problem(void **state)
{
    struct folder *f = *state;
    char *text = NULL, *bad = replaced(good, "  port: 1883", "  port: x");
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_false(conf_check(folder_write(f, "tocsin.yaml", bad), out));
    assert_true(conf_check(folder_write(f, "tocsin.yaml", good), out));
    fclose(out);
    assert_non_null(strstr(text, "tocsin.yaml:9: broker.port: \"x\" is no whole number"));
    assert_non_null(strstr(text, "\nOK: 1 site, 2 devices, 2 endpoints, 1 plan, 1 account\n"));
    free(text);
    free(bad);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_good_one_loads),
        TEST(a_start_goes_on_with_a_broken_tls_file),
        TEST(each_fault_is_told_at_its_place),
        TEST(problems_come_together_and_in_order),
        TEST(more_problems_than_lines_are_counted),
        TEST(odd_files),
        TEST(files_that_cannot_be_read),
        TEST(a_file_we_may_not_read),
        TEST(deep_nesting_ends_soon),
        TEST(key_files),
        TEST(no_secret_is_told),
        TEST(sites_d),
        TEST(sites_d_that_is_no_folder),
        TEST(nobody_could_press),
        TEST(check_prints_each_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
