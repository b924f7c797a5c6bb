#include "io/mqtt_login.h"
#include <stdlib.h>
#include <string.h>

#define PASSWORD_MAX 1024

static bool copy(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

bool mqtt_login_copy(struct mqtt_login *l, const struct conf_broker *b, const struct conf_login *as)
{
    bool numeric6 = strchr(b->address, ':') != NULL;
    l->port = b->port;
    l->keep_alive_s = b->keep_alive_s;
    l->loopback_ms = b->loopback_s * 1000;
    snprintf(l->where, sizeof l->where, numeric6 ? "[%s]:%u" : "%s:%u", b->address, b->port);
    if (asprintf(&l->uri, "%s://%s", b->ca_file ? "ssl" : "tcp", l->where) < 0)
        l->uri = NULL;
    return l->uri && copy(&l->ca_file, b->ca_file) && copy(&l->client_id, as->client_id) &&
           copy(&l->username, as->username) && copy(&l->password_file, as->password_file) &&
           copy(&l->certificate_file, as->certificate_file) && copy(&l->key_file, as->key_file);
}

void mqtt_login_finish(struct mqtt_login *l)
{
    char *texts[] = {l->uri, l->client_id, l->username, l->password_file, l->ca_file, l->certificate_file, l->key_file};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
}

char *mqtt_login_password(const struct mqtt_login *l)
{
    FILE *f = l->password_file ? fopen(l->password_file, "re") : NULL;
    char *text = f ? calloc(1, PASSWORD_MAX) : NULL;
    if (text && !fgets(text, PASSWORD_MAX, f))
        text[0] = '\0';
    if (text)
        text[strcspn(text, "\r\n")] = '\0';
    if (f)
        fclose(f);
    return text;
}

void mqtt_tls_reason(const char *text, size_t size, char *reason, size_t reason_size)
{
    const char *from = text, *end = text + size;
    for (unsigned field = 0; from && field < 5; field++) {
        const char *colon = memchr(from, ':', (size_t)(end - from));
        from = colon ? colon + 1 : NULL;
    }
    from = from ? from : text;
    const char *colon = memchr(from, ':', (size_t)(end - from));
    snprintf(reason, reason_size, "%.*s", (int)((colon ? colon : end) - from), from);
}
