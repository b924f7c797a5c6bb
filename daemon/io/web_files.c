#include "io/web_files.h"
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct web_files {
    size_t count, bytes;
    struct web_file files[WEB_FILES];
};

/* What a page is made of. Anything else in the folder is not for the world. */
static const char *const types[][2] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".mp3", "audio/mpeg"},
    {".ogg", "audio/ogg"},
    {".wav", "audio/wav"},
    {".txt", "text/plain; charset=utf-8"},
};

static const char *type_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    return NULL;
}

static bool name_is_plain(const char *path)
{
    return strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/") ==
               strlen(path) &&
           !strstr(path, "/.");
}

static struct web_file *find(struct web_files *f, const char *path, size_t size)
{
    for (size_t i = 0; i < f->count; i++)
        if (strlen(f->files[i].path) == size && memcmp(f->files[i].path, path, size) == 0)
            return &f->files[i];
    return NULL;
}

/* The whole file, malloc'd; NULL: error. */
static char *read_all(const char *path, size_t *size, char error[256])
{
    struct stat status;
    char *bytes = NULL;
    errno = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file >= 0 && fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size <= WEB_FILES_BYTES)
        bytes = malloc((size_t)status.st_size + 1);
    size_t done = 0;
    ssize_t got = 1;
    while (bytes && done < (size_t)status.st_size && got > 0) {
        got = read(file, bytes + done, (size_t)status.st_size - done);
        done += got > 0 ? (size_t)got : 0;
    }
    if (!bytes || done < (size_t)status.st_size) {
        snprintf(error, 256, "cannot read %.200s: %s", path, errno ? strerror(errno) : "it is too large");
        free(bytes);
        bytes = NULL;
    }
    if (file >= 0)
        close(file);
    *size = done;
    return bytes;
}

static void set_tag(struct web_file *file)
{
    unsigned char hash[16];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)file->bytes, file->size, NULL, 0);
    file->tag[0] = '"';
    sodium_bin2hex(file->tag + 1, 33, hash, sizeof hash);
    strcat(file->tag, "\"");
}

static bool add(struct web_files *f, const char *path, const char *on_disk, char error[256])
{
    size_t length = strlen(path), size;
    bool packed = length > 3 && strcmp(path + length - 3, ".gz") == 0;
    struct web_file *file = packed ? find(f, path, length - 3) : NULL;
    if (!name_is_plain(path) || (packed ? !file : !type_of(path)))
        return true;
    if (!packed && f->count == WEB_FILES) {
        snprintf(error, 256, "there are more than %d files", WEB_FILES);
        return false;
    }
    char *bytes = read_all(on_disk, &size, error);
    if (!bytes)
        return false;
    f->bytes += size;
    if (packed) {
        file->packed = bytes;
        file->packed_size = size;
    } else {
        file = &f->files[f->count++];
        *file = (struct web_file){.path = strdup(path), .type = type_of(path), .bytes = bytes, .size = size};
        set_tag(file);
    }
    if (f->bytes > WEB_FILES_BYTES)
        snprintf(error, 256, "its files are larger than %u MiB together", WEB_FILES_BYTES >> 20);
    return f->bytes <= WEB_FILES_BYTES && file->path;
}

/* A file stands before its compressed sister. */
static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool add_all(struct web_files *f, const char *folder, char error[256])
{
    char *const roots[] = {(char *)folder, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    bool good = walk != NULL;
    for (FTSENT *entry; good && (entry = fts_read(walk));)
        if (entry->fts_info == FTS_F)
            good = add(f, entry->fts_path + strlen(folder), entry->fts_path, error);
    if (walk)
        fts_close(walk);
    return good;
}

struct web_files *web_files_load(const char *folder, char error[256])
{
    char plain[4096];
    struct stat status;
    error[0] = '\0';
    snprintf(plain, sizeof plain, "%s", folder);
    for (size_t size = strlen(plain); size > 1 && plain[size - 1] == '/'; size--)
        plain[size - 1] = '\0';
    if (stat(plain, &status) != 0 && errno == ENOENT)
        return NULL;
    struct web_files *f = calloc(1, sizeof *f);
    if (!f || !add_all(f, plain, error)) {
        if (!error[0])
            snprintf(error, 256, "cannot be read (%s)", strerror(errno));
        web_files_destroy(f);
        return NULL;
    }
    return f;
}

void web_files_destroy(struct web_files *f)
{
    for (size_t i = 0; f && i < f->count; i++) {
        free(f->files[i].path);
        free(f->files[i].bytes);
        free(f->files[i].packed);
    }
    free(f);
}

size_t web_files_count(const struct web_files *f)
{
    return f ? f->count : 0;
}

const struct web_file *web_files_find(const struct web_files *f, const char *path)
{
    return f ? find((struct web_files *)f, path, strlen(path)) : NULL;
}
