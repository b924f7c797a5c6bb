/* conf.c - the configuration: the main file, then, each after a byte 0x1e, a file of sites.d, a file of
 * device keys (secrets/example-school.keys) and a webhook secret (secrets/police.secret).
 *
 * Checked: a file gives a configuration, or sentences that may be shown, each with the file's name and a line
 * that the file has; a configuration that was taken is whole: what it lists can be looked up, plans lead to
 * endpoints that exist, and every number is in the range that the manual names. */
#include "scratch.h"

static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"; /* an example of Standard Webhooks */
static const char device_keys[] = "room-204 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQA=\n";

static struct part {
    const char *name, *usual;
    size_t lines;
    bool there;
} parts[] = {{"tocsin.yaml", "", 0, false},
             {"sites.d/a.yaml", NULL, 0, false}, /* usually not there */
             {"secrets/example-school.keys", device_keys, 0, false},
             {"secrets/police.secret", secret, 0, false}};
#define PARTS (sizeof parts / sizeof parts[0])

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    scratch_make();
    mkdir(scratch_path("secrets"), 0700);
    mkdir(scratch_path("sites.d"), 0700);
    mkdir(scratch_path("state"), 0700);
    scratch_journal_key("secrets/journal.key");
    scratch_write("secrets/bureau.secret", secret, sizeof secret - 1);
    for (size_t i = 0; i < PARTS; i++)
        if (parts[i].usual)
            scratch_write(parts[i].name, parts[i].usual, strlen(parts[i].usual));
    return 0;
}

/* As YAML counts them: CR, NEL, LS and PS end a line, too. */
static size_t count_lines(const char *text, size_t size)
{
    size_t count = 1;
    for (size_t i = 0; i < size; i++)
        count += text[i] == '\n' || text[i] == '\r' || (i > 0 && memcmp(text + i - 1, "\xc2\x85", 2) == 0) ||
                 (i > 1 && memcmp(text + i - 2, "\xe2\x80", 2) == 0);
    return count;
}

static void write_parts(const uint8_t *data, size_t size)
{
    struct fuzz_parts rest = {data, size, false};
    const char *text;
    size_t text_size;
    for (size_t i = 0; i < PARTS; i++) {
        struct part *p = &parts[i];
        bool given = fuzz_part(&rest, &text, &text_size);
        if (given)
            scratch_write(p->name, text, text_size);
        else if (p->there && p->usual)
            scratch_write(p->name, p->usual, strlen(p->usual));
        else if (p->there)
            unlink(scratch_path(p->name));
        p->there = given;
        p->lines = given ? count_lines(text, text_size) : 0;
    }
}

/* "file:line: …": the file is one of ours, and has the line. */
static void check_problem(const char *line)
{
    fuzz_must_be_clean("a problem", line, strlen(line) + 1);
    must(strncmp(line, scratch, strlen(scratch)) == 0, "a problem names no file: %s", line);
    for (size_t i = 0; i < PARTS; i++) {
        size_t name = strlen(scratch_path(parts[i].name));
        if (strncmp(line, scratch_path(parts[i].name), name) != 0 || line[name] != ':')
            continue;
        unsigned long number = strtoul(line + name + 1, NULL, 10);
        must(!parts[i].there || number <= parts[i].lines, "%zu lines, and: %s", parts[i].lines, line);
        must(strlen(line) > name + 10, "no sentence: %s", line);
    }
}

static void check_plan(const struct conf *c, const struct plan *p, bool whole)
{
    must(!whole || (p->step_count >= 1 && p->endpoint_count >= 1 && p->acks_needed), "plan %s is empty",
         p->id);
    must(p->step_count <= LIMIT_STEPS && p->endpoint_count <= LIMIT_PLAN_ENDPOINTS, "plan %s is too long",
         p->id);
    for (unsigned i = 0; i < p->endpoint_count; i++) {
        const struct conf_endpoint *e = conf_endpoint(c, p->endpoints[i].id);
        must(e && e->role == p->endpoints[i].role && p->endpoints[i].step < p->step_count,
             "plan %s leads to %s", p->id, p->endpoints[i].id);
    }
}

static void check_site(const struct conf *c, const struct conf_site *s)
{
    must(fuzz_is_id(s->id, LIMIT_ID) && conf_site(c, s->id) == s, "site %s", s->id);
    check_plan(c, &s->plan, true);
    for (enum mode mode = 0; mode < MODE_COUNT; mode++) {
        struct plan plan;
        conf_plan_for(c, s, mode, &plan);
        check_plan(c, &plan, mode == MODE_REAL);
    }
    for (size_t i = 0; i < s->zone_count; i++)
        must(conf_zone(s, s->zones[i].id) == &s->zones[i], "zone %s", s->zones[i].id);
    for (size_t i = 0; i < s->device_count; i++) {
        const struct conf_device *d = &s->devices[i];
        must(conf_device(c, s->id, d->id) == d && conf_device_at(c, d->index) == d &&
                 conf_device_site(c, d->index) == s,
             "device %s/%s", s->id, d->id);
        must(!d->zone || conf_zone(s, d->zone), "device %s stands in no zone", d->id);
        must(d->kind < KIND_COUNT, "device %s has kind %u", d->id, d->kind);
    }
    must(!s->has_position ||
             (s->latitude >= -90 && s->latitude <= 90 && s->longitude >= -180 && s->longitude <= 180),
         "site %s stands at %f %f", s->id, s->latitude, s->longitude);
}

static void check_whole(const struct conf *c)
{
    char summary[LIMIT_TEXT];
    conf_summary(c, summary, sizeof summary);
    fuzz_must_be_clean("the summary", summary, sizeof summary);
    must(c->daemon.name && c->daemon.state_dir && c->daemon.journal_key && c->daemon.http_listen, "daemon");
    must(c->daemon.record_wait_ms >= 1 && c->daemon.gather_ms <= 1000 && c->daemon.test_close_s >= 5,
         "daemon's times");
    must(c->broker.address && c->broker.port >= 1 && c->broker.port <= 65535 && c->broker.loopback_s >= 1,
         "broker");
    for (size_t i = 0; i < c->endpoint_count; i++) {
        const struct conf_endpoint *e = &c->endpoints[i];
        must(conf_endpoint(c, e->id) == e && e->url_count >= 1 && e->role < ROLE_COUNT && e->probe_s >= 1 &&
                 e->connections >= 1,
             "endpoint %s", e->id);
        for (size_t k = 0; k < e->secret_count; k++)
            must(e->secret_sizes[k] >= SECRET_WEBHOOK_MIN && e->secret_sizes[k] <= SECRET_WEBHOOK_MAX,
                 "secret");
    }
    for (size_t i = 0; i < c->plan_count; i++)
        check_plan(c, &c->plans[i], true);
    for (size_t i = 0; i < c->site_count; i++)
        check_site(c, &c->sites[i]);
    for (size_t i = 0; i < c->account_count; i++)
        for (size_t k = 0; k < c->accounts[i].site_count; k++)
            must(conf_site(c, c->accounts[i].sites[k]), "account %s sees no site", c->accounts[i].id);
    must(!conf_account_by_token(c, ""), "nothing is a token");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_problems problems = {0};
    write_parts(data, size);
    struct conf *c = conf_load(scratch_path("tocsin.yaml"), &problems);
    must((c != NULL) == (problems.count == 0), "%s configuration and %zu problems", c ? "a" : "no",
         problems.count);
    for (size_t i = 0; i < problems.count && i < CONF_PROBLEMS; i++)
        check_problem(problems.lines[i]);
    if (c)
        check_whole(c);
    conf_problems_finish(&problems);
    conf_destroy(c);
    return 0;
}
