#include "conf/check.h"
#include "conf/copy.h"
#include "conf/fill.h"
#include "conf/index.h"
#include "conf/secrets.h"
#include "conf/source.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct internal {
    struct arena arena; /* everything the conf points to; the conf itself too */
    struct index index;
    uint32_t *device_sites; /* of each device */
};

/* What only loading needs. */
struct loader {
    struct arena arena;
    struct problems problems;
    struct source *sources; /* the main file, then sites.d and accounts.d by name */
    uint32_t source_count;
};

/* -- the files
 * ----------------------------------------------------------------------------------------------------- */

/* In whatever capitals another system has written it. */
static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && strcasecmp(text + size - end_size, end) == 0;
}

static int is_part_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && (ends_with(entry->d_name, ".yaml") || ends_with(entry->d_name, ".yml"));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The folders beside the main file whose files hold one of its lists. */
static const struct part {
    const char *folder, *key;
    const struct conf_table *table;
} part_folders[] = {{"sites.d", "sites", &conf_table_sites_file},
                     {"accounts.d", "accounts", &conf_table_accounts_file}};
enum { PART_SITES, PART_ACCOUNTS, PARTS };

static void find_part(struct loader *l, const struct part *part, const char *file)
{
    const char *slash = strrchr(file, '/');
    char *folder = arena_format(&l->arena, "%.*s%s", slash ? (int)(slash - file) + 1 : 0, file, part->folder);
    struct dirent **entries = NULL;
    struct stat status;
    int count = scandir(folder, &entries, is_part_file, by_name), why = errno;
    if (count < 0 && (why != ENOENT || lstat(folder, &status) == 0)) /* a link that leads nowhere is no folder that nobody made */
        problem_line(&l->problems, folder, 0, "", "cannot be read (%s); it must be a folder of files of %s",
                     strerror(why), part->key);
    struct source *known = l->sources;
    l->sources =
        arena_take(&l->arena, (l->source_count + (size_t)(count > 0 ? count : 0)) * sizeof *l->sources);
    memcpy(l->sources, known, l->source_count * sizeof *known);
    for (int i = 0; i < count; i++) {
        char *path = arena_format(&l->arena, "%s/%s", folder, entries[i]->d_name);
        if (ends_with(path, ".yaml"))
            l->sources[l->source_count++] = (struct source){.path = path, .table = part->table};
        else
            problem_line(&l->problems, path, 0, "", "would not be read; rename it, so that it ends in .yaml");
        free(entries[i]);
    }
    free(entries);
}

static void find_sources(struct loader *l, const char *file)
{
    l->sources = arena_take(&l->arena, sizeof *l->sources);
    l->sources[l->source_count++] =
        (struct source){.path = arena_format(&l->arena, "%s", file), .table = &conf_table_main};
    for (int i = 0; i < PARTS; i++)
        find_part(l, &part_folders[i], file);
}

static void load_sources(struct loader *l)
{
    for (uint32_t i = 0; i < l->source_count; i++)
        source_load(&l->sources[i], &l->arena, &l->problems);
}

/* -- filling
 * ------------------------------------------------------------------------------------------------------- */

/* How many entries this file has in the list of that part. */
static size_t entry_count(const struct source *s, const struct part *part)
{
    for (size_t i = 0; s->table->rows[i].key; i++)
        if (strcmp(s->table->rows[i].key, part->key) == 0)
            return s->cells[i].count;
    return 0;
}

/* All files into one root; each part's entries of all files into one array, each with its place. */
static struct conf_root *fill_root(struct loader *l, struct arena *arena, const struct where *places[PARTS])
{
    size_t count[PARTS] = {0}, filled[PARTS] = {0};
    struct where *place[PARTS];
    for (int part = 0; part < PARTS; part++) {
        for (uint32_t i = 0; i < l->source_count; i++)
            count[part] += entry_count(&l->sources[i], &part_folders[part]);
        places[part] = place[part] = arena_take(&l->arena, count[part] * sizeof *place[part]);
    }
    struct conf_root *root = arena_take(&l->arena, sizeof *root);
    struct conf_site *sites = arena_take(arena, count[PART_SITES] * sizeof *sites);
    struct conf_account *accounts = arena_take(arena, count[PART_ACCOUNTS] * sizeof *accounts);
    for (uint32_t i = 0; i < l->source_count; i++) {
        const struct fill fill = {.arena = arena, .problems = &l->problems, .source = &l->sources[i]};
        const struct where where = where_file(i);
        struct conf_root other = {0}, *to = i == 0 ? root : &other;
        to->sites = sites + filled[PART_SITES];
        to->accounts = accounts + filled[PART_ACCOUNTS];
        fill_struct(&fill, l->sources[i].table, l->sources[i].cells, &where, to);
        for (int part = 0; part < PARTS; part++)
            for (uint32_t k = 0; k < entry_count(&l->sources[i], &part_folders[part]); k++)
                place[part][filled[part]++] = where_entry(where, part_folders[part].key, k);
    }
    root->sites = sites;
    root->site_count = count[PART_SITES];
    root->accounts = accounts;
    root->account_count = count[PART_ACCOUNTS];
    return root;
}

static size_t count_ids(const struct conf_root *root)
{
    size_t count = root->endpoint_count + root->plan_count + root->site_count + root->account_count;
    for (size_t i = 0; i < root->site_count; i++)
        count += root->sites[i].zone_count + root->sites[i].device_count;
    for (size_t i = 0; i < root->account_count; i++)
        count += root->accounts[i].token_hash_count + (root->accounts[i].device ? 1 : 0);
    return count;
}

static void index_devices(struct conf *c, struct internal *in)
{
    in->device_sites = arena_take(&in->arena, c->device_count * sizeof *in->device_sites);
    for (size_t i = 0, n = 0; i < c->site_count; i++)
        for (size_t k = 0; k < c->sites[i].device_count; k++)
            in->device_sites[n++] = (uint32_t)i;
}

static struct conf *conf_make(struct loader *l)
{
    struct arena arena = {0};
    struct conf *c = arena_take(&arena, sizeof *c);
    struct internal *in = c->internal = arena_take(&arena, sizeof *in);
    const struct where *places[PARTS];
    const struct conf_root *root = fill_root(l, &arena, places);
    c->daemon = root->daemon;
    c->broker = root->broker;
    c->endpoints = root->endpoints;
    c->endpoint_count = root->endpoint_count;
    c->sites = root->sites;
    c->site_count = root->site_count;
    c->accounts = root->accounts;
    c->account_count = root->account_count;
    index_init(&in->index, &arena, count_ids(root));
    check_all(&(struct check){.conf = c,
                              .root = root,
                              .arena = &arena,
                              .index = &in->index,
                              .problems = &l->problems,
                              .site_places = places[PART_SITES],
                              .account_places = places[PART_ACCOUNTS]});
    in->arena = arena;
    index_devices(c, in);
    return c;
}

/* What the loader found; a copy of it where one is asked for. */
static struct conf *load(struct loader *l, struct conf_problems *problems, struct conf_copy **copy)
{
    struct conf *c = NULL;
    load_sources(l);
    if (l->problems.count == 0)
        c = conf_make(l);
    bool good = l->problems.count == 0;
    if (copy)
        *copy = good ? copy_make(l->sources, l->source_count) : NULL;
    for (uint32_t i = 0; i < l->source_count; i++) {
        if (!good)
            outline_locate(&l->sources[i], i, &l->problems);
        source_forget(&l->sources[i]);
    }
    problems_tell(&l->problems, problems);
    arena_finish(&l->arena);
    if (!good) {
        conf_destroy(c);
        c = NULL;
    }
    malloc_trim(0); /* loading takes several times what is kept */
    return c;
}

static struct loader loader_new(const struct conf_problems *problems)
{
    if (sodium_init() < 0)
        abort();
    return (struct loader){.problems.at_start = problems->at_start};
}

struct conf *conf_load_and_copy(const char *file, struct conf_problems *problems, struct conf_copy **copy)
{
    struct loader l = loader_new(problems);
    find_sources(&l, file);
    return load(&l, problems, copy);
}

struct conf *conf_load(const char *file, struct conf_problems *problems)
{
    return conf_load_and_copy(file, problems, NULL);
}

struct conf *conf_load_copy(const char *path, const char *file, struct conf_problems *problems)
{
    struct loader l = loader_new(problems);
    copy_sources(path, file, &l.arena, &l.sources, &l.source_count, &l.problems);
    return load(&l, problems, NULL);
}

void conf_keep_journal(struct conf *c, const struct conf *before)
{
    struct arena *arena = &((struct internal *)c->internal)->arena;
    unsigned char *key = arena_take(arena, SECRET_JOURNAL_KEY);
    memcpy(key, before->daemon.journal_key, SECRET_JOURNAL_KEY);
    c->daemon.name = arena_format(arena, "%s", before->daemon.name);
    c->daemon.state_dir = arena_format(arena, "%s", before->daemon.state_dir);
    c->daemon.journal_key_file = arena_format(arena, "%s", before->daemon.journal_key_file);
    c->daemon.journal_key = key;
}

void conf_destroy(struct conf *c)
{
    if (!c)
        return;
    struct arena arena = ((struct internal *)c->internal)->arena;
    arena_finish(&arena); /* c is in it */
}

/* -- looking up
 * ---------------------------------------------------------------------------------------------------- */

static uint32_t find(const struct conf *c, uint32_t scope, const char *id)
{
    return index_get(&((const struct internal *)c->internal)->index, scope, id);
}

const struct conf_site *conf_site(const struct conf *c, const char *id)
{
    uint32_t i = find(c, SCOPE_SITE, id);
    return i == INDEX_NONE ? NULL : &c->sites[i];
}

const struct conf_endpoint *conf_endpoint(const struct conf *c, const char *id)
{
    uint32_t i = find(c, SCOPE_ENDPOINT, id);
    return i == INDEX_NONE ? NULL : &c->endpoints[i];
}

const struct conf_zone *conf_zone(const struct conf_site *s, const char *id)
{
    for (size_t i = 0; i < s->zone_count; i++)
        if (strcmp(s->zones[i].id, id) == 0)
            return &s->zones[i];
    return NULL;
}

const struct conf_device *conf_device(const struct conf *c, const char *site, const char *device)
{
    uint32_t s = find(c, SCOPE_SITE, site);
    uint32_t d = s == INDEX_NONE ? INDEX_NONE : find(c, scope_devices(s), device);
    return d == INDEX_NONE ? NULL : &c->sites[s].devices[d];
}

const struct conf_site *conf_device_site(const struct conf *c, uint32_t device_index)
{
    assert(device_index < c->device_count);
    return &c->sites[((const struct internal *)c->internal)->device_sites[device_index]];
}

const struct conf_device *conf_device_at(const struct conf *c, uint32_t device_index)
{
    const struct conf_site *s = conf_device_site(c, device_index);
    return &s->devices[device_index - s->devices[0].index];
}

void conf_plan_for(const struct conf *c, const struct conf_site *site, enum mode mode, struct plan *out)
{
    *out = site->plan;
    if (mode == MODE_REAL)
        return;
    out->endpoint_count = 0;
    for (unsigned i = 0; i < site->plan.endpoint_count; i++) {
        const struct conf_endpoint *to = conf_endpoint(c, site->plan.endpoints[i].id);
        if (!to || !(mode == MODE_TEST ? to->tests : to->drills))
            continue;
        struct plan_endpoint *kept = &out->endpoints[out->endpoint_count++];
        *kept = site->plan.endpoints[i];
        if (mode == MODE_TEST)
            kept->step = 0;
    }
    if (mode == MODE_TEST) {
        out->step_count = 1;
        out->answer_timeout_s[0] = c->daemon.test_close_s;
    }
}

const struct conf_account *conf_account_by_token(const struct conf *c, const char *token)
{
    char hash[SECRET_TEXT];
    const struct conf_account *found = NULL;
    secret_token_hash(token, hash);
    for (size_t i = 0; i < c->account_count; i++) /* all of them, so that the time tells nothing */
        for (size_t k = 0; k < c->accounts[i].token_hash_count; k++)
            if (sodium_memcmp(hash, c->accounts[i].token_hashes[k], sizeof "sha256:" - 1 + 64) == 0)
                found = &c->accounts[i];
    return found;
}

bool conf_account_sees(const struct conf_account *a, const char *site)
{
    for (size_t i = 0; i < a->site_count; i++)
        if (strcmp(a->sites[i], site) == 0)
            return true;
    return a->site_count == 0;
}

/* -- telling
 * ------------------------------------------------------------------------------------------------------- */

void conf_summary(const struct conf *c, char *out, size_t size)
{
    const struct {
        size_t count;
        const char *what;
    } parts[] = {{c->site_count, "site"},
                 {c->device_count, "device"},
                 {c->endpoint_count, "endpoint"},
                 {c->plan_count, "plan"},
                 {c->account_count, "account"}};
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%zu %s%s", i ? ", " : "", parts[i].count,
                                 parts[i].what, parts[i].count == 1 ? "" : "s");
}

bool conf_check(const char *file, FILE *out)
{
    struct conf_problems problems = {0};
    struct conf *c = conf_load(file, &problems);
    char summary[LIMIT_TEXT];
    bool good = c != NULL;
    if (good) {
        conf_summary(c, summary, sizeof summary);
        fprintf(out, "OK: %s\n", summary);
    }
    for (size_t i = 0; i < problems.count && i < CONF_PROBLEMS; i++)
        fprintf(out, "%s\n", problems.lines[i]);
    if (problems.count > CONF_PROBLEMS)
        fprintf(out, "... and %zu more\n", problems.count - CONF_PROBLEMS);
    conf_problems_finish(&problems);
    conf_destroy(c);
    return good;
}
