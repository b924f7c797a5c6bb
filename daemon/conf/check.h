/* check.h - what a table cannot say: references, uniqueness, plans that can be satisfied, the content of key
 * files. */
#ifndef TOCSIN_CHECK_H
#define TOCSIN_CHECK_H

#include "conf/index.h"
#include "conf/problems.h"
#include "conf/table.h"

/* Scopes of the index. A site has two of its own, for its zones and its devices. */
enum { SCOPE_ENDPOINT, SCOPE_PLAN, SCOPE_SITE, SCOPE_ACCOUNT, SCOPE_TOKEN, SCOPE_PRESSES_AS, SCOPE_OF_SITES };

static inline uint32_t scope_zones(size_t site)
{
    return (uint32_t)(SCOPE_OF_SITES + 2 * site);
}

static inline uint32_t scope_devices(size_t site)
{
    return (uint32_t)(SCOPE_OF_SITES + 2 * site + 1);
}

struct check {
    struct conf *conf;
    const struct conf_root *root; /* its plans */
    struct arena *arena;          /* the conf's */
    struct index *index;          /* empty and large enough; filled here */
    struct problems *problems;
    const struct where *site_places, *account_places; /* where each of conf->sites, ->accounts stands */
    const char *main_file;
};

void check_all(struct check *);
/* check_guide.c: maps, places on them, cameras, the time zone of one site. */
void check_guide(const struct check *, const struct conf_site *, const struct where *at);
/* check_tls.c: certificates, their keys and authorities, lists of revoked ones. */
void check_tls(const struct check *);
/* check_secrets.c: loads the keys and secrets of the conf. */
void check_secrets(struct check *);

#endif
