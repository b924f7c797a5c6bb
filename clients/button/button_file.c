#include "button_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

static bool sync_folder(const char *path)
{
    char folder[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool synced = fsync(fd) == 0;
    close(fd);
    return synced;
}

static bool write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool written = write_all(fd, bytes, size) && fsync(fd) == 0;
    return close(fd) == 0 && written;
}

bool button_file_save(void *file, const void *bytes, size_t size)
{
    struct button_file *f = file;
    char beside[PATH_SIZE];
    int length = snprintf(beside, sizeof beside, "%s.new", f->path);
    bool saved = length > 0 && (size_t)length < sizeof beside && write_file(beside, bytes, size) &&
                 rename(beside, f->path) == 0 && sync_folder(f->path);
    if (!saved)
        f->error = errno;
    return saved;
}

bool button_file_load(void *file, void *bytes, size_t max, size_t *size)
{
    struct button_file *f = file;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, max); /* one read gives a small file whole */
    if (n < 0)
        f->error = errno;
    if (fd >= 0)
        close(fd);
    *size = n > 0 ? (size_t)n : 0;
    return n > 0;
}
