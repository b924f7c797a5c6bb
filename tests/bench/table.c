#include "table.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

_Noreturn void bench_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

static struct table *map(int fd, size_t size, const char *file)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        bench_fail(file);
    close(fd);
    return memory;
}

struct table *table_create(const char *file, uint32_t devices, uint32_t rows)
{
    size_t size = sizeof(struct table) + rows * sizeof(struct table_row);
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
        bench_fail(file);
    struct table *t = map(fd, size, file);
    t->devices = devices;
    t->rows = rows;
    return t;
}

struct table *table_open(const char *file)
{
    struct stat status;
    int fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        bench_fail(file);
    return map(fd, (size_t)status.st_size, file);
}

bool table_seen_by_all(const struct table *t, uint32_t row)
{
    for (unsigned k = 0; k < TABLE_SINKS; k++)
        if (atomic_load(&t->row[row].seen_ns[k]) == 0)
            return false;
    return true;
}

uint64_t table_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
