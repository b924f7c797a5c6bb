/* check-config, and what other commands need of a configuration. */
#include "cli/configuration.h"
#include "cli/member.h"
#include "cli/terminal.h"
#include "conf/secrets.h"
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_TEXT 512 /* bytes of "it has: …" */

struct conf *configuration_load(const char *file)
{
    struct conf_problems problems = {0};
    struct conf *conf = conf_load(file, &problems);
    for (size_t i = 0; i < problems.count && i < CONF_PROBLEMS; i++)
        remark("%s", problems.lines[i]);
    if (!conf)
        complain_about(TEXT_CONF_BAD, {"file", file});
    conf_problems_finish(&problems);
    return conf;
}

static void add_to_list(char list[LIST_TEXT], const char *id)
{
    size_t used = strlen(list);
    if (used + strlen(id) + 8 < LIST_TEXT)
        snprintf(list + used, LIST_TEXT - used, "%s%s", used ? ", " : "", id);
    else if (used + 8 < LIST_TEXT && list[used - 1] != '.')
        strcat(list, ", ...");
}

const struct conf_device *configuration_device(const struct invocation *inv, const struct conf *conf,
                                               const struct conf_site **site)
{
    const char *site_id = invocation_value(inv, "site"), *device_id = invocation_value(inv, "device");
    char list[LIST_TEXT] = "";
    *site = conf_site(conf, site_id);
    if (!*site) {
        for (size_t i = 0; i < conf->site_count; i++)
            add_to_list(list, conf->sites[i].id);
        complain_about(TEXT_SITE_UNKNOWN, {"file", invocation_value(inv, "config")}, {"site", site_id},
                       {"list", list});
        return NULL;
    }
    const struct conf_device *device = conf_device(conf, site_id, device_id);
    if (!device) {
        for (size_t i = 0; i < (*site)->device_count; i++)
            add_to_list(list, (*site)->devices[i].id);
        complain_about(TEXT_DEVICE_UNKNOWN, {"site", site_id}, {"device", device_id}, {"list", list});
    }
    return device;
}

void configuration_names(const struct conf *conf, struct story *story)
{
    for (size_t i = 0; i < conf->endpoint_count; i++)
        story_name(story, "endpoint", conf->endpoints[i].id,
                   conf->endpoints[i].name ? conf->endpoints[i].name : "");
    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_site *site = &conf->sites[i];
        story_name(story, "site", site->id, site->name ? site->name : "");
        for (size_t k = 0; k < site->zone_count; k++)
            story_zone(story, site->id, site->zones[k].id, site->zones[k].name ? site->zones[k].name : "");
    }
}

static void say_problems(const struct conf_problems *problems)
{
    char more[24];
    for (size_t i = 0; i < problems->count && i < CONF_PROBLEMS; i++)
        remark("%s", problems->lines[i]);
    snprintf(more, sizeof more, "%zu", problems->count - CONF_PROBLEMS);
    if (problems->count > CONF_PROBLEMS)
        remark_about(TEXT_CHECK_MORE, {"count", more});
}

static void say_problems_json(const char *file, const struct conf *conf, const struct conf_problems *problems)
{
    json_t *lines = json_array();
    for (size_t i = 0; i < problems->count && i < CONF_PROBLEMS; i++)
        json_array_append_new(lines, json_string(problems->lines[i]));
    json_t *answer = json_pack("{s:o, s:b, s:I, s:o}", "file", member_path(file), "good", conf != NULL, "problem_count",
                               (json_int_t)problems->count, "problems", lines);
    member_say(answer);
    json_decref(answer);
}

/* -- As the daemon reads it: root may read everything, and would call good what the daemon cannot start with. */

static bool be(uid_t user, gid_t group)
{
    return geteuid() == 0 ? setegid(group) == 0 && seteuid(user) == 0 : seteuid(user) == 0 && setegid(group) == 0;
}

static bool reachable(const char *file)
{
    char *copy = strdup(file);
    bool can = copy && faccessat(AT_FDCWD, dirname(copy), X_OK, AT_EACCESS) == 0;
    free(copy);
    return can;
}

/* From now on root reads as the daemon's user, where there is one; a folder that is closed to him is not the daemon's.
 * His name, or NULL. */
static const char *read_as_daemon(const char *file)
{
    const struct passwd *daemon = geteuid() == 0 ? getpwnam(SECRET_DAEMON_USER) : NULL;
    if (!daemon || initgroups(daemon->pw_name, daemon->pw_gid) != 0 || !be(daemon->pw_uid, daemon->pw_gid))
        return NULL;
    if (reachable(file))
        return daemon->pw_name;
    be(0, getgid());
    remark_about(TEXT_CHECK_NOT_AS, {"user", daemon->pw_name}, {"file", file});
    return NULL;
}

int command_check_config(const struct invocation *inv)
{
    const char *file = inv->arguments[0], *reader = read_as_daemon(file);
    struct conf_problems problems = {0};
    struct conf *conf = conf_load(file, &problems);
    char summary[LIMIT_TEXT];
    if (reader)
        be(0, getgid());
    if (reader && !conf)
        remark_about(TEXT_CHECK_AS, {"user", reader});
    if (inv->json)
        say_problems_json(file, conf, &problems);
    else
        say_problems(&problems);
    if (conf && !inv->json) {
        conf_summary(conf, summary, sizeof summary);
        say_about(TONE_GOOD, TEXT_CHECK_GOOD, {"file", file}, {"summary", summary});
    }
    int result = conf ? RESULT_OK : RESULT_NOT_SO;
    conf_problems_finish(&problems);
    conf_destroy(conf);
    return result;
}
