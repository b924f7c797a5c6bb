/* conf.h - the configuration: daemon, broker, endpoints, plans, sites, accounts, read from YAML by schema.
 *
 * Promises: a struct conf that conf_load() returned is complete and consistent: every reference resolves, every
 * value is in range, every secret was readable and well kept. A file that is not so gives one sentence per
 * problem, "file:line: key: what is wrong; what would be right", and no conf. Keys are zeroed when it goes.
 * Does not: watch files, apply anything. A loaded conf never changes and may be read by all threads.
 *
 *     struct conf_problems problems = {0};
 *     struct conf *c = conf_load("/etc/tocsin/tocsin.yaml", &problems);
 *     if (!c) for each problems.lines[i] …
 *     const struct conf_device *d = conf_device(c, "school-1", "room-204");
 *     conf_destroy(c);
 *
 * Relative file names are taken from the folder of the file they stand in; the struct has them ready to be
 * opened. Times carry their unit in the key. Sites and accounts may also stand in files of their own: those of the
 * folders sites.d and accounts.d beside the main file that end in .yaml. Every key stands in conf/table.c, which is
 * also the check and the manual page.
 */
#ifndef TOCSIN_CONF_H
#define TOCSIN_CONF_H

#include "core/kind.h"
#include "core/plan.h"
#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct conf_daemon {
    char *name;            /* who speaks in webhooks and checkpoints: the journal's origin */
    char *state_dir;       /* journal, lock, checkpoint */
    char *journal_key_file; /* Ed25519 secret key of the checkpoints, made by `tocsin keygen journal` */
    const unsigned char *journal_key; /* loaded: 64 bytes */
    char *http_listen; /* "127.0.0.1:8080", "[::1]:8080"; port 0 = any, written to state_dir/http.port */
    char *http_tls_certificate_file, *http_tls_key_file; /* both or none */
    char *http_desk_folder; /* the files of the desk's page */
    char *log_level;       /* error, warning, info, debug */
    unsigned record_wait_ms; /* 50: after this the first dispatch goes out unrecorded */
    unsigned gather_ms;      /* 100: followers of an alarm's first press wait so long for company, ≤ 1000 */
    unsigned test_close_s;   /* 60: a test alarm closes itself after this */
    unsigned stale_press_s;  /* 300: a retained press older than this is for the desk only */
    unsigned disk_free_mb;   /* 64: less than this is trouble */
};

/* As whom a connection to the broker is made. */
struct conf_login {
    char *client_id;
    char *username, *password_file; /* optional */
    char *password; /* loaded: the file's first line; NULL = none */
    char *certificate_file, *key_file;
};

struct conf_broker {
    char *address; /* numeric, or resolved off the loop */
    unsigned port;
    struct conf_login login;
    struct conf_login supervision; /* client_id NULL = heartbeats have no connection of their own */
    struct conf_login receipts;    /* client_id NULL = nor have receipts */
    char *ca_file;                 /* set = TLS */
    unsigned keep_alive_s;
    unsigned loopback_s; /* 5: between messages to ourselves through the broker; three lost = trouble */
};

enum conf_confirm { CONF_CONFIRM_STATUS, CONF_CONFIRM_ECHO }; /* 2xx is enough | the body must name the alarm */

/* Where its name may lead: io/http_address.h. */
enum conf_network { CONF_NETWORK_USUAL, CONF_NETWORK_PUBLIC, CONF_NETWORK_ANY };

struct conf_endpoint {
    char *id, *name;
    enum role role;
    char **urls; /* the first is used; the others are alternates, tried in parallel after 1 s of silence */
    size_t url_count;
    char *secret_file;          /* whsec_…, one a line; the first signs first, more = rotation */
    unsigned char (*secrets)[64]; /* loaded */
    size_t *secret_sizes;
    size_t secret_count;
    char *ca_file, *certificate_file, *key_file, *crl_file;
    enum conf_confirm confirm;
    enum conf_network network;
    bool drills, tests, troubles; /* what it wants to hear besides real alarms */
    unsigned connect_timeout_ms, attempt_timeout_ms; /* 2000, 5000 */
    unsigned probe_s;     /* 10: supervision and warm connection */
    unsigned connections; /* 4: tellings under way at once */
};

struct conf_camera {
    char *name, *url; /* http, https, rtsp or rtsps: a link for a person */
};

struct conf_map {
    char *id, *name;
    char *image_file; /* .png, .jpg, .jpeg, .webp or .svg */
};

struct conf_zone {
    char *id, *name;
    char *map;   /* the map it is on; NULL = none */
    double x, y; /* percent from the image's left and top; NAN without a map */
    struct conf_camera *cameras;
    size_t camera_count;
};

enum conf_puback { CONF_PUBACK_AT_ONCE, CONF_PUBACK_AFTER_COMMIT };

struct conf_device {
    char *id, *zone; /* zone NULL = none */
    enum kind kind;  /* what a press without a kind means */
    enum conf_puback puback;
    unsigned silent_after_s; /* 20; 0 = not supervised, as is what an account presses as */
    bool disabled;           /* lost or stolen: shown to the desk, opens nothing */
    const unsigned char *key; /* 32 bytes, NULL = presses are not signed; from the site's keys_file */
    uint32_t index;           /* 0 … conf->device_count-1, for tables beside the conf */
};

struct conf_contact {
    char *name, *phone;
};

struct conf_site {
    char *id, *name, *address;
    double latitude, longitude; /* WGS 84 degrees; has_position says whether given */
    bool has_position;
    char *access;    /* how to get in; NULL = not said */
    char *time_zone; /* IANA name */
    struct conf_map *maps;
    size_t map_count;
    struct conf_camera *cameras; /* of the site as a whole */
    size_t camera_count;
    char *plan_id;
    struct plan plan; /* resolved */
    char *keys_file;  /* lines "device-id base64(32 bytes)" */
    struct conf_contact *contacts;
    size_t contact_count;
    struct conf_zone *zones;
    size_t zone_count;
    struct conf_device *devices;
    size_t device_count;
};

struct conf_account {
    char *id, *name;
    enum role role;
    char **token_hashes; /* "sha256:" + hex SHA-256, made by `tocsin keygen token`; several = rotation */
    size_t token_hash_count;
    char *password_file;
    const char *password_hash; /* loaded: argon2id, as libsodium writes it; NULL = no sign-in with a password */
    char **sites; /* which it may see and answer; none = all */
    size_t site_count;
    char *device; /* "site/device": what it presses as; NULL = it may not press */
    const struct conf_device *presses_as; /* resolved, with its site */
    const struct conf_site *presses_at;
};

struct conf {
    struct conf_daemon daemon;
    struct conf_broker broker;
    struct conf_endpoint *endpoints;
    size_t endpoint_count;
    struct plan *plans; /* in the file's order; each site has a copy of its own */
    size_t plan_count;
    struct conf_site *sites; /* the main file's, then those of sites.d, files by name */
    size_t site_count;
    struct conf_account *accounts; /* likewise, with accounts.d */
    size_t account_count;
    size_t device_count; /* of all sites */
    void *internal;      /* arenas and indices */
};

#define CONF_PROBLEMS 50
struct conf_problems {
    bool at_start; /* set before: rather without an endpoint than not at all; a TLS file that is broken is its trouble then */
    size_t count; /* how many there were; the first CONF_PROBLEMS have a line */
    char *lines[CONF_PROBLEMS];
};

struct conf *conf_load(const char *file, struct conf_problems *); /* NULL: see problems */

/* All files of a configuration that loaded. Kept by who runs on it, it is there for a start after somebody has broken
 * them. */
struct conf_copy;
/* NULL: no copy either. The last argument NULL: none is wanted. */
struct conf *conf_load_and_copy(const char *file, struct conf_problems *, struct conf_copy **);
/* Replaces `path` as a whole. May wait for a disk. */
bool conf_copy_write(const struct conf_copy *, const char *path, char error[LIMIT_TEXT]);
void conf_copy_destroy(struct conf_copy *);
/* What conf_load(file) gave when the copy in `path` was made of it. Secrets, certificates and keys are read where they are
 * now. */
struct conf *conf_load_copy(const char *path, const char *file, struct conf_problems *);

/* Gives a conf that nobody uses yet the name, the state_dir and the journal's key of the one it follows: a journal has one
 * of each as long as it is open. */
void conf_keep_journal(struct conf *, const struct conf *before);
void conf_destroy(struct conf *);
void conf_problems_finish(struct conf_problems *);

/* What `tocsin check-config` prints: each problem on a line, or "OK: " and the summary. True: it is good. */
bool conf_check(const char *file, FILE *out);
/* "1 site, 12 devices, 2 endpoints, 1 plan, 3 accounts", cut at `size`. */
void conf_summary(const struct conf *, char *out, size_t size);

const struct conf_site *conf_site(const struct conf *, const char *id);
const struct conf_zone *conf_zone(const struct conf_site *, const char *id);
const struct conf_device *conf_device(const struct conf *, const char *site, const char *device); /* O(1) */
const struct conf_site *conf_device_site(const struct conf *, uint32_t device_index);
const struct conf_device *conf_device_at(const struct conf *, uint32_t device_index);
const struct conf_endpoint *conf_endpoint(const struct conf *, const char *id);
/* The plan for a press of this mode. Tests and drills reach only who asked for them; a test is one step that ends by
 * itself after test_close_s. */
void conf_plan_for(const struct conf *, const struct conf_site *, enum mode, struct plan *out);
const struct conf_account *conf_account_by_token(const struct conf *, const char *token); /* in constant time */
bool conf_account_sees(const struct conf_account *, const char *site);

/* The manual page tocsin.yaml(5), in man(7) source, printed from the same table that checks. */
void conf_print_manual(FILE *);

#endif
