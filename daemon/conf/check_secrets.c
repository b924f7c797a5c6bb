/* Loads what stands in files of its own. A file that could not be used was told of by fill.c; its path is
 * then "". */
#include "conf/check.h"
#include "conf/secrets.h"
#include <sodium.h>
#include <string.h>

#define KEYS_FILE_MAX ((size_t)16 * 1024 * 1024) /* bytes; 100,000 lines have 10 MB */
#define SECRET_FILE_MAX ((size_t)64 * 1024)
#define WEBHOOK_SECRETS 8 /* of one endpoint: a rotation needs two */

struct line {
    const char *text;
    size_t size;
    unsigned number;
};

/* The next line that is neither empty nor a comment, without spaces around it. Begin with a zeroed line. */
static bool line_next(const struct secret *s, struct line *line, const char **at)
{
    const char *end = s->text + s->size;
    if (!*at)
        *at = s->text;
    while (*at < end) {
        const char *newline = memchr(*at, '\n', (size_t)(end - *at)), *stop = newline ? newline : end;
        line->text = *at;
        line->number++;
        *at = newline ? newline + 1 : end;
        while (line->text < stop && (*line->text == ' ' || *line->text == '\t'))
            line->text++;
        while (stop > line->text && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
            stop--;
        line->size = (size_t)(stop - line->text);
        if (line->size && *line->text != '#')
            return true;
    }
    return false;
}

static bool load(const struct check *c, const char *path, size_t limit, const struct where *where,
                 struct secret *s)
{
    char error[LIMIT_TEXT];
    if (!path || !*path)
        return false;
    if (secret_file_read(path, limit, s, error))
        return true;
    problem_at(c->problems, where, "%s %s", path, error);
    return false;
}

static void load_journal_key(const struct check *c)
{
    struct conf_daemon *d = &c->conf->daemon;
    struct where where = where_key(where_key(where_file(0), "daemon"), "journal_key_file");
    char error[LIMIT_TEXT];
    if (!d->journal_key_file || !*d->journal_key_file)
        return;
    unsigned char *key = arena_take(c->arena, SECRET_JOURNAL_KEY);
    if (secret_journal_key(d->journal_key_file, key, error))
        d->journal_key = key;
    else
        problem_at(c->problems, &where, "%s %s", d->journal_key_file, error);
}

static void load_password(const struct check *c, struct conf_login *login, const struct where *at)
{
    struct where where = where_key(*at, "password_file");
    struct secret s;
    if (!load(c, login->password_file, SECRET_FILE_MAX, &where, &s))
        return;
    size_t size = strcspn(s.text, "\r\n");
    if (size == 0)
        problem_at(c->problems, &where, "%s is empty; its first line must be the password", login->password_file);
    else
        login->password = arena_text(c->arena, s.text, size);
    secret_finish(&s);
}

static void load_passwords(const struct check *c)
{
    struct conf_broker *b = &c->conf->broker;
    const struct where broker = where_key(where_file(0), "broker"), supervision = where_key(broker, "supervision"),
                       receipts = where_key(broker, "receipts");
    load_password(c, &b->login, &broker);
    load_password(c, &b->supervision, &supervision);
    load_password(c, &b->receipts, &receipts);
}

static void load_webhook_secrets(const struct check *c, size_t index)
{
    struct conf_endpoint *e = &c->conf->endpoints[index];
    struct where where = where_key(where_entry(where_file(0), "endpoints", (uint32_t)index), "secret_file");
    struct secret s;
    if (!load(c, e->secret_file, SECRET_FILE_MAX, &where, &s))
        return;
    e->secrets = arena_take(c->arena, WEBHOOK_SECRETS * sizeof *e->secrets);
    e->secret_sizes = arena_take(c->arena, WEBHOOK_SECRETS * sizeof *e->secret_sizes);
    struct line line = {0};
    bool bad = false;
    for (const char *at = NULL; !bad && line_next(&s, &line, &at);) {
        bad = true;
        if (e->secret_count == WEBHOOK_SECRETS)
            problem_line(c->problems, e->secret_file, line.number, "", "is one secret too many; at most %d",
                         WEBHOOK_SECRETS);
        else if (!secret_webhook(line.text, line.size, e->secrets[e->secret_count],
                                 &e->secret_sizes[e->secret_count]))
            problem_line(c->problems, e->secret_file, line.number, "",
                         "is no webhook secret; it must be whsec_ and the base64 of 24 to 64 bytes, as made "
                         "by `tocsin "
                         "keygen webhook FILE`");
        else
            e->secret_count++, bad = false;
    }
    if (!bad && e->secret_count == 0)
        problem_at(c->problems, &where, "%s has no secret; make one with `tocsin keygen webhook`",
                   e->secret_file);
    secret_finish(&s);
}

static const char *device_id(const void *site, size_t index)
{
    return ((const struct conf_site *)site)->devices[index].id;
}

static void load_device_key(const struct check *c, size_t site, const struct line *line)
{
    struct conf_site *s = &c->conf->sites[site];
    char id[LIMIT_ID] = "";
    size_t size = 0;
    while (size < line->size && line->text[size] != ' ' && line->text[size] != '\t')
        size++;
    memcpy(id, line->text, size < LIMIT_ID ? size : LIMIT_ID - 1);
    uint32_t found = index_get(c->index, scope_devices(site), id);
    if (size >= LIMIT_ID || found == INDEX_NONE) {
        problem_line(c->problems, s->keys_file, line->number, "", "site %s has no device %s%s",
                     s->id ? s->id : "?", problem_quote_device(c->problems, id),
                     problem_hint(c->problems, id, device_id, s, s->device_count,
                                  "; a line must be a device's id, a space and its key"));
        return;
    }
    struct conf_device *d = &s->devices[found];
    while (size < line->size && (line->text[size] == ' ' || line->text[size] == '\t'))
        size++;
    unsigned char key[SECRET_DEVICE_KEY];
    if (d->key)
        problem_line(c->problems, s->keys_file, line->number, "",
                     "device \"%s\" has a key above already; keep one line", id);
    else if (!secret_base64(line->text + size, line->size - size, key, sizeof key))
        problem_line(
            c->problems, s->keys_file, line->number, "",
            "the key of device \"%s\" must be the base64 of 32 bytes, as made by `tocsin keygen device`", id);
    else
        d->key = memcpy(arena_take(c->arena, sizeof key), key, sizeof key);
    sodium_memzero(key, sizeof key);
}

static void load_device_keys(const struct check *c, size_t site)
{
    const struct conf_site *s = &c->conf->sites[site];
    struct where where = where_key(c->site_places[site], "keys_file");
    struct secret secret;
    if (!load(c, s->keys_file, KEYS_FILE_MAX, &where, &secret))
        return;
    struct line line = {0};
    for (const char *at = NULL; line_next(&secret, &line, &at);)
        load_device_key(c, site, &line);
    secret_finish(&secret);
}

static void load_account_password(const struct check *c, size_t index)
{
    struct conf_account *a = &c->conf->accounts[index];
    struct where where = where_key(c->account_places[index], "password_file");
    struct secret s;
    if (!load(c, a->password_file, SECRET_TEXT, &where, &s))
        return;
    struct line line = {0};
    const char *at = NULL;
    char *hash = line_next(&s, &line, &at) ? arena_text(c->arena, line.text, line.size) : "";
    if (secret_password_hash_valid(hash))
        a->password_hash = hash;
    else
        problem_at(c->problems, &where,
                   "%s has no argon2id hash; its one line must be what `tocsin account` writes, never the password",
                   a->password_file);
    secret_finish(&s);
}

void check_secrets(struct check *c)
{
    load_journal_key(c);
    load_passwords(c);
    for (size_t i = 0; i < c->conf->endpoint_count; i++)
        load_webhook_secrets(c, i);
    for (size_t i = 0; i < c->conf->site_count; i++)
        load_device_keys(c, i);
    for (size_t i = 0; i < c->conf->account_count; i++)
        load_account_password(c, i);
}
