#include "journal/reserve.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

uint64_t reserve_free_bytes(const char *file)
{
    struct statvfs v;
    return statvfs(file, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : 0;
}

void reserve_make(struct reserve *r, const char *beside)
{
    r->missing = access(r->file, F_OK) != 0;
    if (!r->missing || reserve_free_bytes(beside) < 2 * RESERVE_BYTES)
        return;
    int fd = open(r->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    /* The disk's figures say nothing of a quota: only what was had is there. */
    r->missing = posix_fallocate(fd, 0, 2 * RESERVE_BYTES) != 0 || ftruncate(fd, RESERVE_BYTES) != 0;
    close(fd);
    if (r->missing)
        unlink(r->file);
}

void reserve_release(struct reserve *r)
{
    unlink(r->file);
    r->missing = true;
}
