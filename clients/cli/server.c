#include "cli/server.h"
#include "cli/terminal.h"
#include "conf/secrets.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_BYTES (256u << 20) /* of one answer: far above any page the daemon gives */
#define SILENCE_S 10              /* the feed pings every 2 s */
#define TOKEN_BYTES 512

struct answer {
    char *bytes;
    size_t size;
    bool full;
};

struct server {
    CURL *curl;
    struct curl_slist *headers;
    char *url, *ca_file;
    char token[TOKEN_BYTES + 32]; /* the whole header */
    long timeout_s;
    bool json, quiet;
    char fault[CURL_ERROR_SIZE];
};

static char *settings_file(const char *name)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = NULL;
    if (base && *base == '/')
        return asprintf(&path, "%s/tocsin/%s", base, name) < 0 ? NULL : path;
    return asprintf(&path, "%s/.config/tocsin/%s", home ? home : "", name) < 0 ? NULL : path;
}

/* The first line of a file; NULL: it is not there. */
static char *first_line(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    char line[2048] = "";
    char *got = fgets(line, sizeof line, file);
    fclose(file);
    if (!got)
        return NULL;
    line[strcspn(line, "\r\n")] = '\0';
    return strdup(line);
}

static char *find_url(const struct invocation *inv)
{
    const char *given = invocation_value(inv, "url");
    if (!given)
        given = getenv("TOCSIN_URL");
    if (given && *given)
        return strdup(given);
    char *path = settings_file("url"), *url = path ? first_line(path) : NULL;
    if (!url)
        complain_about(TEXT_NO_URL, {"file", path ? path : "~/.config/tocsin/url"});
    free(path);
    return url;
}

/* True when http:// to this host stays on this machine: libcurl does not ask a name server for localhost, and has written
 * 127.1 and 0x7f000001 as 127.0.0.1 already. Any other name leads where a name server says, one that begins with 127.
 * too. */
static bool is_loopback(const char *host)
{
    struct in_addr address;
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET);
}

static bool check_url(char *url, bool plain_allowed)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL;
    bool good = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0);
    bool open = good && strcmp(scheme, "http") == 0 && !plain_allowed && !is_loopback(host);
    if (!good)
        complain_about(TEXT_URL_BAD, {"url", url});
    else if (open)
        complain_about(TEXT_URL_PLAIN, {"url", url});
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    while (good && *url && url[strlen(url) - 1] == '/')
        url[strlen(url) - 1] = '\0';
    return good && !open;
}

static bool read_token(struct server *s, const char *path)
{
    struct secret secret;
    char error[LIMIT_TEXT];
    if (!secret_file_read(path, TOKEN_BYTES, &secret, error)) {
        complain("%s: %s", path, error);
        return false;
    }
    size_t size = strcspn(secret.text, "\r\n");
    bool good = size > 3 && strncmp(secret.text, "tk_", 3) == 0 && strcspn(secret.text, " \t") >= size;
    if (good)
        snprintf(s->token, sizeof s->token, "Authorization: Bearer %.*s", (int)size, secret.text);
    else
        complain_about(TEXT_TOKEN_BAD, {"file", path});
    secret_finish(&secret);
    return good;
}

static int find_token(struct server *s, const struct invocation *inv)
{
    const char *given = invocation_value(inv, "token-file");
    if (!given)
        given = getenv("TOCSIN_TOKEN_FILE");
    if (given && *given)
        return read_token(s, given) ? RESULT_OK : RESULT_REFUSED;
    char *path = settings_file("token");
    FILE *there = path ? fopen(path, "re") : NULL;
    int result = RESULT_REFUSED;
    if (!there)
        complain_about(TEXT_NO_TOKEN, {"file", path ? path : "~/.config/tocsin/token"});
    else
        result = read_token(s, path) ? RESULT_OK : RESULT_REFUSED;
    if (there)
        fclose(there);
    free(path);
    return result;
}

static bool prepare(struct server *s)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(s->curl = curl_easy_init()))
        return false;
    struct curl_slist *list = NULL;
    static const char *const fixed[] = {"Accept: application/json, text/event-stream, */*", "Expect:"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        list = curl_slist_append(list, fixed[i]);
    list = curl_slist_append(list, s->token);
    s->headers = curl_slist_append(list, text_language() == LANGUAGE_CHINESE ? "Accept-Language: zh-CN"
                                                                             : "Accept-Language: en");
    return s->headers != NULL;
}

struct server *server_open(const struct invocation *inv, int *result)
{
    int64_t timeout_s;
    *result = RESULT_USAGE;
    if (!invocation_number(inv, "timeout", 1, 600, 10, &timeout_s))
        return NULL;
    struct server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    const char *ca_file = invocation_value(inv, "ca-file");
    s->ca_file = ca_file                    ? strdup(ca_file)
                 : getenv("TOCSIN_CA_FILE") ? strdup(getenv("TOCSIN_CA_FILE"))
                                            : NULL;
    s->timeout_s = (long)timeout_s;
    s->json = inv->json;
    s->url = find_url(inv);
    if (s->url && check_url(s->url, invocation_given(inv, "plain-http")))
        *result = find_token(s, inv);
    if (*result == RESULT_OK && !prepare(s)) {
        complain("%s", text(TEXT_NO_MEMORY));
        *result = RESULT_UNREACHABLE;
    }
    if (*result == RESULT_OK)
        return s;
    server_close(s);
    return NULL;
}

void server_close(struct server *s)
{
    if (!s)
        return;
    curl_slist_free_all(s->headers);
    if (s->curl)
        curl_easy_cleanup(s->curl);
    free(s->url);
    free(s->ca_file);
    explicit_bzero(s->token, sizeof s->token);
    free(s);
}

const char *server_url(const struct server *s)
{
    return s->url;
}

/* A request with everything that is the same for all. */
static bool set_up(struct server *s, const char *path)
{
    char *url = NULL;
    if (asprintf(&url, "%s%s", s->url, path) < 0)
        return false;
    curl_easy_reset(s->curl);
    curl_easy_setopt(s->curl, CURLOPT_URL, url);
    free(url);
    curl_easy_setopt(s->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(s->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(s->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(s->curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(s->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(s->curl, CURLOPT_CONNECTTIMEOUT, s->timeout_s < 5 ? s->timeout_s : 5L);
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
    curl_easy_setopt(s->curl, CURLOPT_USERAGENT, "tocsin/" TOCSIN_VERSION);
    curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, s->fault);
    if (s->ca_file)
        curl_easy_setopt(s->curl, CURLOPT_CAINFO, s->ca_file);
    s->fault[0] = '\0';
    return true;
}

static size_t gather(char *bytes, size_t one, size_t count, void *ctx)
{
    struct answer *a = ctx;
    if (a->size + count > ANSWER_BYTES) {
        a->full = true;
        return 0;
    }
    char *more = realloc(a->bytes, a->size + count + 1);
    if (!more)
        return 0;
    memcpy(more + a->size, bytes, count);
    a->bytes = more;
    a->size += count;
    a->bytes[a->size] = '\0';
    return count;
}

void server_quiet(struct server *s, bool quiet)
{
    s->quiet = quiet;
}

static int unreachable(struct server *s, CURLcode code)
{
    if (s->quiet)
        return RESULT_UNREACHABLE;
    complain_about(TEXT_UNREACHABLE, {"url", s->url},
                   {"why", *s->fault ? s->fault : curl_easy_strerror(code)});
    return RESULT_UNREACHABLE;
}

static int result_of_status(long status)
{
    switch (status) {
    case 401:
    case 403:
        return RESULT_REFUSED;
    case 409:
        return RESULT_CONFLICT;
    case 404:
        return RESULT_NOT_SO;
    default:
        return status >= 500 ? RESULT_UNREACHABLE : status >= 400 ? RESULT_USAGE : RESULT_UNREACHABLE;
    }
}

/* Says what the daemon said was wrong. */
static int refuse(struct server *s, long status, const struct answer *a, json_t **problem)
{
    char number[16];
    if (s->quiet)
        return result_of_status(status);
    json_t *said = a->size ? json_loadb(a->bytes, a->size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *detail = json_string_value(json_object_get(said, "detail"));
    const char *title = json_string_value(json_object_get(said, "title"));
    snprintf(number, sizeof number, "%ld", status);
    if (detail || title)
        complain("%s", detail ? detail : title);
    else
        complain_about(TEXT_ANSWER_STATUS, {"url", s->url}, {"status", number});
    if (said && s->json)
        say_json(a->bytes, strcspn(a->bytes, "\r\n"));
    if (problem)
        *problem = said;
    else
        json_decref(said);
    return result_of_status(status);
}

static int perform(struct server *s, struct answer *a, json_t **problem)
{
    long status = 0;
    if (problem)
        *problem = NULL;
    curl_easy_setopt(s->curl, CURLOPT_TIMEOUT, s->timeout_s);
    curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, gather);
    curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, a);
    CURLcode code = curl_easy_perform(s->curl);
    if (code != CURLE_OK)
        return unreachable(s, code);
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300 ? RESULT_OK : refuse(s, status, a, problem);
}

static int decode(struct server *s, int result, struct answer *a, json_t **out)
{
    json_error_t why;
    *out = NULL;
    if (result == RESULT_OK) {
        *out = json_loadb(a->size ? a->bytes : "", a->size, JSON_REJECT_DUPLICATES, &why);
        if (!json_is_object(*out)) {
            complain_about(TEXT_ANSWER_BAD, {"url", s->url}, {"why", *out ? "not an object" : why.text});
            json_decref(*out);
            *out = NULL;
            result = RESULT_UNREACHABLE;
        }
    }
    free(a->bytes);
    return result;
}

int server_get(struct server *s, const char *path, json_t **out)
{
    struct answer a = {0};
    *out = NULL;
    return set_up(s, path) ? decode(s, perform(s, &a, NULL), &a, out) : RESULT_UNREACHABLE;
}

int server_get_text(struct server *s, const char *path, char **out, size_t *size)
{
    struct answer a = {0};
    int result = set_up(s, path) ? perform(s, &a, NULL) : RESULT_UNREACHABLE;
    if (result == RESULT_OK && !a.bytes)
        a.bytes = strdup("");
    if (result != RESULT_OK)
        free(a.bytes);
    *out = result == RESULT_OK ? a.bytes : NULL;
    *size = a.size;
    return result;
}

int server_post(struct server *s, const char *path, json_t *take_body, json_t **out, json_t **problem)
{
    struct answer a = {0};
    *out = NULL;
    char *body = json_dumps(take_body, JSON_COMPACT);
    json_decref(take_body);
    if (!body || !set_up(s, path)) {
        free(body);
        return RESULT_UNREACHABLE;
    }
    struct curl_slist type = {.data = (char[]){"Content-Type: application/json"}, .next = s->headers};
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, &type);
    curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, body);
    int result = decode(s, perform(s, &a, problem), &a, out);
    free(body);
    return result;
}

struct following {
    struct server *server;
    bool (*take)(void *, const char *, size_t);
    void *ctx;
    struct answer refusal; /* what came with a status that is not 200 */
    time_t heard;
    bool ended, silent;
};

static time_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static size_t take_feed(char *bytes, size_t one, size_t count, void *ctx)
{
    struct following *f = ctx;
    long status = 0;
    f->heard = now_s();
    curl_easy_getinfo(f->server->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return gather(bytes, one, count, &f->refusal);
    if (f->take(f->ctx, bytes, count))
        return count;
    f->ended = true;
    return 0;
}

static int watch_silence(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct following *f = ctx;
    f->silent = now_s() - f->heard > SILENCE_S;
    return f->silent;
}

int server_follow(struct server *s, const char *path, const char *last_event_id,
                  bool (*take)(void *ctx, const char *bytes, size_t size), void *ctx, char why[256])
{
    struct following f = {.server = s, .take = take, .ctx = ctx, .heard = now_s()};
    if (!set_up(s, path))
        return RESULT_UNREACHABLE;
    char header[64];
    snprintf(header, sizeof header, "Last-Event-ID: %s", last_event_id);
    struct curl_slist resume = {.data = header, .next = s->headers};
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, *last_event_id ? &resume : s->headers);
    curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, take_feed);
    curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, &f);
    curl_easy_setopt(s->curl, CURLOPT_XFERINFOFUNCTION, watch_silence);
    curl_easy_setopt(s->curl, CURLOPT_XFERINFODATA, &f);
    curl_easy_setopt(s->curl, CURLOPT_NOPROGRESS, 0L);
    CURLcode code = curl_easy_perform(s->curl);
    long status = 0;
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    int result = RESULT_UNREACHABLE;
    if (f.ended)
        result = RESULT_OK;
    else if (f.silent)
        snprintf(why, 256, "%s", text(TEXT_WATCH_SILENT));
    else if (code != CURLE_OK)
        snprintf(why, 256, "%s", *s->fault ? s->fault : curl_easy_strerror(code));
    else if (status == 200)
        snprintf(why, 256, "%s", text(TEXT_WATCH_ENDED));
    else if (status >= 500 || status == 429)
        snprintf(why, 256, "HTTP %ld", status);
    else
        result = refuse(s, status, &f.refusal, NULL);
    free(f.refusal.bytes);
    return result;
}
