#include "journal/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* The holder writes its number into the file after it has the lock; 0 = not written (yet). */
static long holder(int fd)
{
    char text[24] = "";
    return pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

static int open_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 || errno != EROFS)
        return fd;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW); /* the lock holds on a file that cannot be written, too */
    errno = EROFS;
    return fd;
}

int lock_take(const char *path, char error[LIMIT_TEXT])
{
    int fd = open_file(path);
    if (fd < 0) {
        snprintf(error, LIMIT_TEXT,
                 "%.120s: the lock file cannot be opened (%s); the folder must exist and be writable "
                 "for the daemon's user",
                 path, strerror(errno));
        return LOCK_NONE;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int why = errno;
        long pid = holder(fd);
        if (why != EWOULDBLOCK)
            snprintf(error, LIMIT_TEXT, "%.120s: the lock cannot be taken (%s)", path, strerror(why));
        else if (pid > 0)
            snprintf(error, LIMIT_TEXT,
                     "%.120s: process %ld already works on this journal; there must be only one daemon, "
                     "so stop that one first",
                     path, pid);
        else
            snprintf(error, LIMIT_TEXT,
                     "%.120s: another process already works on this journal; there must be only one "
                     "daemon, so stop that one first",
                     path);
        close(fd);
        return why == EWOULDBLOCK ? LOCK_HELD : LOCK_NONE;
    }
    char text[24];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* The number is only for people: a full disk must not keep the daemon from starting. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)size, 0) != size)
        errno = 0;
    return fd;
}

void lock_release(int lock)
{
    if (lock < 0)
        return;
    /* The file stays: removing it would let two processes hold locks on two files of one name. */
    if (ftruncate(lock, 0) != 0)
        errno = 0;
    close(lock);
}
