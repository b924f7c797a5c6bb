/* The desk's page: files of a table, and nothing else. */
#include "io/api_internal.h"
#include <stdio.h>
#include <string.h>

#define PAGE_HEADERS                                                                                         \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "                     \
    "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; media-src 'self' data: blob:; "        \
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\n"                     \
    "Cross-Origin-Opener-Policy: same-origin\n"                                                              \
    "Cross-Origin-Resource-Policy: same-origin\n"

/* Names of built assets hold a hash of what is in them. */
static const char *cache_of(const char *path)
{
    return strncmp(path, "/assets/", 8) == 0 ? "public, max-age=31536000, immutable" : "no-cache";
}

static bool takes_gzip(const struct web_request *r)
{
    const char *accepted = web_header(r, "Accept-Encoding"),
               *gzip = accepted ? strcasestr(accepted, "gzip") : NULL;
    if (!gzip)
        return false;
    const char *quality = gzip + 4 + strspn(gzip + 4, " ");
    return strncmp(quality, ";q=0", 4) != 0 || quality[4] == '.';
}

static void answer_file(struct api_call *c, const struct web_file *file)
{
    const char *had = web_header(c->request, "If-None-Match");
    bool packed = file->packed && takes_gzip(c->request), same = had && strstr(had, file->tag);
    char headers[1024];
    snprintf(headers, sizeof headers, PAGE_HEADERS "Cache-Control: %s\nETag: %s\nVary: Accept-Encoding\n%s",
             cache_of(file->path), file->tag, packed && !same ? "Content-Encoding: gzip\n" : "");
    if (same)
        web_answer(c->request, 304, NULL, headers, NULL, 0);
    else
        web_answer(c->request, 200, file->type, headers, packed ? file->packed : file->bytes,
                   packed ? file->packed_size : file->size);
}

static void answer_not_installed(struct api_call *c)
{
    static const char page[] =
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tocsin</title>"
        "<h1>The desk's page is not installed</h1>"
        "<p>The daemon works; its page was not found in <code>daemon.http_desk_folder</code>. Build it with "
        "<code>meson setup -Ddesk=enabled</code> and <code>meson install</code>, or name the folder it was "
        "built "
        "into, then reload the daemon.</p>"
        "<p lang=\"zh-CN\">值班台页面未安装。服务正在运行，但在 <code>daemon.http_desk_folder</code> "
        "中未找到页面。</p>\n";
    web_answer(c->request, 404, "text/html; charset=utf-8", PAGE_HEADERS, page,
               sizeof page - 1);
}

bool api_desk(struct api_call *c)
{
    const char *path = c->request->path;
    bool root = strcmp(path, "/") == 0;
    if (strncmp(path, "/api/", 5) == 0 || (!c->head && strcmp(c->request->method, "GET") != 0))
        return false;
    const struct web_file *file = web_files_find(c->api->files, root ? "/index.html" : path);
    if (file)
        answer_file(c, file);
    else if (root)
        answer_not_installed(c);
    return file || root;
}
