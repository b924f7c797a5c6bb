/* account add, account password: files of accounts.d beside the configuration. */
#include "cli/command.h"
#include "cli/member.h"
#include "cli/terminal.h"
#include "conf/conf.h"
#include "conf/secrets.h"
#include "core/id.h"
#include <errno.h>
#include <pwd.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* What people say, and the role of the configuration it is. */
static const struct {
    const char *word;
    enum role role;
} roles[] = {{"police", ROLE_POLICE},       {"duty", ROLE_POLICE},   {"bureau", ROLE_BUREAU},
             {"guard", ROLE_GUARD},         {"school", ROLE_GUARD},  {"admin", ROLE_ADMIN},
             {"administrator", ROLE_ADMIN}, {"viewer", ROLE_VIEWER}, {"auditor", ROLE_VIEWER}};

struct places {
    const char *conf;
    char folder[2048], yaml[2200], password[2200], fresh[2200];
};

static int failed(const char *file, const char *error)
{
    complain("%s: %s", file, error);
    return RESULT_NOT_SO;
}

static bool places_of(const struct invocation *inv, const char *id, struct places *p)
{
    const char *given = invocation_value(inv, "config");
    p->conf = given ? given : "/etc/tocsin/tocsin.yaml";
    const char *slash = strrchr(p->conf, '/');
    int size = snprintf(p->folder, sizeof p->folder, "%.*saccounts.d", slash ? (int)(slash - p->conf) + 1 : 0,
                        p->conf);
    snprintf(p->yaml, sizeof p->yaml, "%s/%s.yaml", p->folder, id);
    snprintf(p->password, sizeof p->password, "%s/%s.password", p->folder, id);
    snprintf(p->fresh, sizeof p->fresh, "%s/.%s.new", p->folder, id);
    return size > 0 && (size_t)size < sizeof p->folder;
}

/* --- The password: from a file, or typed twice without showing. */

static bool read_line(FILE *file, char *out, size_t capacity)
{
    bool got = fgets(out, (int)capacity, file) != NULL;
    size_t size = got ? strcspn(out, "\r\n") : 0;
    bool whole = got && (out[size] != '\0' || feof(file)); /* not cut */
    out[size] = '\0';
    return whole;
}

static bool type_line(enum text prompt, char *out, size_t capacity)
{
    struct termios before, quiet;
    FILE *terminal = fopen("/dev/tty", "r+e");
    if (!terminal || tcgetattr(fileno(terminal), &before) != 0) {
        if (terminal)
            fclose(terminal);
        complain("%s", text(TEXT_ACCOUNT_NO_TERMINAL));
        return false;
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fileno(terminal), TCSAFLUSH, &quiet);
    fprintf(terminal, "%s ", text(prompt));
    fflush(terminal);
    bool got = read_line(terminal, out, capacity);
    fputc('\n', terminal);
    tcsetattr(fileno(terminal), TCSAFLUSH, &before);
    fclose(terminal);
    return got;
}

static bool ask_password(const char *file, char *out, size_t capacity)
{
    char again[SECRET_PASSWORD_MAX + 3] = "";
    bool good;
    if (file) {
        FILE *in = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
        good = in && read_line(in, out, capacity);
        if (!good)
            complain_about(TEXT_CANNOT_READ, {"file", file},
                           {"why", in ? text(TEXT_ACCOUNT_NO_LINE) : strerror(errno)});
        if (in && in != stdin)
            fclose(in);
        return good;
    }
    good =
        type_line(TEXT_ACCOUNT_PASSWORD, out, capacity) && type_line(TEXT_ACCOUNT_AGAIN, again, sizeof again);
    if (good && strcmp(out, again) != 0) {
        complain("%s", text(TEXT_ACCOUNT_DIFFERENT));
        good = false;
    }
    sodium_memzero(again, sizeof again);
    return good;
}

/* The argon2id hash and a newline. */
static bool make_hash(const struct invocation *inv, const char *id, char hash[SECRET_TEXT])
{
    char password[SECRET_PASSWORD_MAX + 3] = "", least[16];
    snprintf(least, sizeof least, "%d", SECRET_PASSWORD_MIN);
    bool good = ask_password(invocation_value(inv, "password-file"), password, sizeof password);
    size_t size = strlen(password);
    if (good && (size < SECRET_PASSWORD_MIN || size > SECRET_PASSWORD_MAX || strcmp(password, id) == 0)) {
        complain_about(TEXT_ACCOUNT_SHORT, {"least", least});
        good = false;
    }
    if (good && !secret_password_hash(password, hash)) {
        complain("%s", strerror(ENOMEM));
        good = false;
    }
    sodium_memzero(password, sizeof password);
    if (good)
        strcat(hash, "\n");
    return good;
}

/* --- The files. */

/* Root makes them for the daemon's user; anybody else for himself. */
static bool give_away(const struct invocation *inv, const char *file, char error[LIMIT_TEXT])
{
    const char *name = invocation_value(inv, "owner");
    const struct passwd *user = geteuid() == 0 || name ? getpwnam(name ? name : SECRET_DAEMON_USER) : NULL;
    if (name && !user) {
        snprintf(error, LIMIT_TEXT, "there is no user %.64s", name);
        return false;
    }
    if (!user || chown(file, user->pw_uid, user->pw_gid) == 0)
        return true;
    snprintf(error, LIMIT_TEXT, "cannot be given to user %.64s (%s)", user->pw_name, strerror(errno));
    return false;
}

static bool make_folder(const struct invocation *inv, const char *folder, char error[LIMIT_TEXT])
{
    if (mkdir(folder, 0750) == 0)
        return give_away(inv, folder, error);
    if (errno == EEXIST)
        return true;
    snprintf(error, LIMIT_TEXT, "cannot be made (%s)", strerror(errno));
    return false;
}

/* The file appears whole or not at all: a reload may read at any moment. */
static bool put_file(const struct invocation *inv, const struct places *p, const char *file,
                     const char *content, unsigned mode, bool replace, char error[LIMIT_TEXT])
{
    unlink(p->fresh);
    bool good = secret_file_write(p->fresh, content, mode, error) && give_away(inv, p->fresh, error);
    if (good && (replace ? rename(p->fresh, file) : link(p->fresh, file)) != 0) {
        snprintf(error, LIMIT_TEXT, "cannot be written (%s)", strerror(errno));
        good = false;
    }
    unlink(p->fresh);
    return good;
}

/* A text as YAML takes it: JSON's strings are YAML's, too. */
static void append_text(char *out, size_t capacity, const char *key, const char *value)
{
    json_t *text_value = json_string(value);
    char *quoted = text_value ? json_dumps(text_value, JSON_ENCODE_ANY) : NULL;
    size_t used = strlen(out);
    snprintf(out + used, capacity - used, "    %s: %s\n", key, quoted ? quoted : "\"\"");
    free(quoted);
    json_decref(text_value);
}

static bool make_yaml(const struct invocation *inv, const char *id, enum role role, char *out,
                      size_t capacity)
{
    const char *name = invocation_value(inv, "name"), *sites = invocation_value(inv, "site");
    snprintf(out, capacity, "accounts:\n  - id: \"%s\"\n", id);
    append_text(out, capacity, "name", name ? name : id);
    append_text(out, capacity, "role", role_str(role));
    size_t used = strlen(out);
    used += (size_t)snprintf(out + used, capacity - used, "    password_file: \"%s.password\"\n%s", id,
                             sites ? "    sites: [" : "");
    for (const char *s = sites; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL) {
        char site[LIMIT_ID + 1] = "";
        memcpy(site, s, strcspn(s, ",") < LIMIT_ID ? strcspn(s, ",") : LIMIT_ID);
        if (!id_valid(site)) {
            complain_about(TEXT_USAGE_ID, {"value", site});
            return false;
        }
        if (used < capacity)
            used += (size_t)snprintf(out + used, capacity - used, "%s\"%s\"", s == sites ? "" : ", ", site);
    }
    if (sites && used < capacity)
        used += (size_t)snprintf(out + used, capacity - used, "]\n");
    if (used < capacity && invocation_value(inv, "device"))
        append_text(out, capacity, "device", invocation_value(inv, "device"));
    return strlen(out) + 1 < capacity;
}

/* --- Telling. */

/* Looks at the whole configuration with the new files in it, and says what is not right: a file whose name begins with a
 * dot, for one, is not read. */
static bool configuration_good(const struct places *p, const char *id)
{
    struct conf_problems problems = {0};
    struct conf *conf = conf_load(p->conf, &problems);
    bool good = false;
    for (size_t i = 0; conf && i < conf->account_count && !good; i++)
        good = strcmp(conf->accounts[i].id, id) == 0;
    for (size_t i = 0; i < problems.count && i < CONF_PROBLEMS; i++)
        complain("%s", problems.lines[i]);
    if (conf && !good)
        complain_about(TEXT_ACCOUNT_NOT_READ, {"file", p->yaml});
    conf_problems_finish(&problems);
    conf_destroy(conf);
    return good;
}

static int tell(const struct invocation *inv, const struct places *p, const char *id, enum text done, bool good)
{
    if (inv->json) {
        json_t *answer = json_pack("{s:s, s:o, s:o, s:b}", "account", id, "file", member_path(p->yaml), "password_file",
                                   member_path(p->password), "configuration_good", good);
        member_say(answer);
        json_decref(answer);
    } else {
        say_about(TONE_GOOD, done, {"account", id}, {"file", p->yaml}, {"password", p->password});
        say_text(TONE_PLAIN, text(good ? TEXT_ACCOUNT_NEXT : TEXT_ACCOUNT_MEND));
    }
    return good ? RESULT_OK : RESULT_NOT_SO;
}

static bool role_given(const struct invocation *inv, enum role *role)
{
    const char *word = invocation_value(inv, "role");
    if (!word) {
        complain_about(TEXT_USAGE_MISSING, {"name", "role"});
        remark_about(TEXT_USAGE_HINT, {"command", inv->command->name});
        return false;
    }
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i].word, word) == 0)
            *role = roles[i].role;
    return true; /* the command's table knows no other words */
}

/* Without sites an account has all of them, which is not what is meant by a school's. */
static bool site_given(const struct invocation *inv, enum role role)
{
    if (role != ROLE_GUARD || invocation_value(inv, "site"))
        return true;
    complain_about(TEXT_ACCOUNT_SITE, {"role", invocation_value(inv, "role")});
    remark_about(TEXT_USAGE_HINT, {"command", inv->command->name});
    return false;
}

int command_account_add(const struct invocation *inv)
{
    const char *id = inv->arguments[0];
    char yaml[65536], hash[SECRET_TEXT], error[LIMIT_TEXT];
    struct places p;
    enum role role = ROLE_VIEWER;
    if (!id_valid(id)) {
        complain_about(TEXT_USAGE_ID, {"value", id});
        return RESULT_USAGE;
    }
    if (!role_given(inv, &role) || !site_given(inv, role) || !make_yaml(inv, id, role, yaml, sizeof yaml))
        return RESULT_USAGE;
    if (!places_of(inv, id, &p) || access(p.conf, F_OK) != 0)
        return failed(p.conf, strerror(ENOENT));
    if (access(p.yaml, F_OK) == 0) {
        complain_about(TEXT_ACCOUNT_THERE, {"account", id}, {"file", p.yaml});
        return RESULT_NOT_SO;
    }
    if (!make_hash(inv, id, hash))
        return RESULT_NOT_SO;
    bool good = make_folder(inv, p.folder, error);
    if (!good)
        return failed(p.folder, error);
    good = put_file(inv, &p, p.password, hash, 0600, true, error);
    sodium_memzero(hash, sizeof hash);
    if (!good)
        return failed(p.password, error);
    if (!put_file(inv, &p, p.yaml, yaml, 0640, false, error))
        return failed(p.yaml, error);
    if (!configuration_good(&p, id)) { /* a bad file that stayed would hold up every reload */
        unlink(p.yaml);
        unlink(p.password);
        complain_about(TEXT_ACCOUNT_REFUSED, {"account", id});
        return RESULT_NOT_SO;
    }
    return tell(inv, &p, id, TEXT_ACCOUNT_ADDED, true);
}

int command_account_password(const struct invocation *inv)
{
    const char *id = inv->arguments[0];
    char hash[SECRET_TEXT], error[LIMIT_TEXT];
    struct places p;
    if (!id_valid(id)) {
        complain_about(TEXT_USAGE_ID, {"value", id});
        return RESULT_USAGE;
    }
    if (!places_of(inv, id, &p) || access(p.password, F_OK) != 0)
        return failed(p.password, strerror(ENOENT));
    if (!make_hash(inv, id, hash))
        return RESULT_NOT_SO;
    bool good = put_file(inv, &p, p.password, hash, 0600, true, error);
    sodium_memzero(hash, sizeof hash);
    return good ? tell(inv, &p, id, TEXT_ACCOUNT_CHANGED, configuration_good(&p, id)) : failed(p.password, error);
}
