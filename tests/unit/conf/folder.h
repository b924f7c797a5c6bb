/* folder.h - a folder of its own for a test of the configuration, with files in it, and gone when the test is
 * over. */
#ifndef TEST_CONF_FOLDER_H
#define TEST_CONF_FOLDER_H

#include "conf/secrets.h"
#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char path[64];
    char *names[256]; /* paths handed out, kept until the end */
    size_t name_count;
};

static inline const char *folder_path(struct folder *f, const char *name)
{
    for (size_t i = 0; i < f->name_count; i++)
        if (strcmp(f->names[i] + strlen(f->path) + 1, name) == 0)
            return f->names[i];
    char *path = NULL;
    int size = asprintf(&path, "%s/%s", f->path, name);
    assert(size > 0 && f->name_count < sizeof f->names / sizeof *f->names);
    return f->names[f->name_count++] = path;
}

static inline void folder_init(struct folder *f)
{
    *f = (struct folder){0};
    strcpy(f->path, "/tmp/tocsin-conf-XXXXXX");
    char *made = mkdtemp(f->path);
    assert(made);
}

static inline int folder_remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    return remove(path);
}

static inline void folder_finish(struct folder *f)
{
    nftw(f->path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < f->name_count; i++)
        free(f->names[i]);
}

static inline void folder_add(struct folder *f, const char *name)
{
    int made = mkdir(folder_path(f, name), 0755);
    assert(made == 0 || errno == EEXIST);
}

static inline const char *folder_write_bytes(struct folder *f, const char *name, const void *bytes,
                                             size_t size, mode_t mode)
{
    const char *path = folder_path(f, name);
    FILE *file = fopen(path, "w");
    assert(file);
    size_t written = fwrite(bytes, 1, size, file);
    assert(written == size);
    fclose(file);
    chmod(path, mode);
    return path;
}

static inline const char *folder_write(struct folder *f, const char *name, const char *text)
{
    return folder_write_bytes(f, name, text, strlen(text), 0644);
}

static inline const char *folder_secret(struct folder *f, const char *name, const char *text)
{
    return folder_write_bytes(f, name, text, strlen(text), 0600);
}

static inline void folder_journal_key(struct folder *f, const char *name)
{
    char error[LIMIT_TEXT];
    bool made = secret_new_journal_key(folder_path(f, name), "tocsin.test", error);
    assert(made);
}

#endif
