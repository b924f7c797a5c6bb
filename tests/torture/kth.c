/* kth.c - lets the k-th allocation of a process fail; preloaded (LD_PRELOAD), see README.md.
 *
 *     TOCSIN_KTH="FILE K LAST"    allocations K to LAST fail, counted over all threads from 1; K 0: none does
 *
 * FILE holds a struct account afterwards, whatever end the process takes: how many allocations there were, how many of
 * them failed, and who wanted the first one that did. malloc, calloc, realloc, the aligned ones and anonymous mappings
 * count; strdup, asprintf, getline … of the C library come by here, too. A program that is started by the process is left
 * alone; the process itself ends with its parent. */
#undef _FILE_OFFSET_BITS /* mmap and mmap64 are the same here, and both are ours */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FRAMES 24
#define EARLY_BYTES (64 * 1024) /* what the loader wants before the real functions are known */

struct account { /* programs.py reads it: little-endian, no padding */
    uint64_t allocations, failed;
    struct {
        char object[96];
        uint64_t offset; /* in it */
    } caller[FRAMES];
};

static struct account nowhere, *account = &nowhere;
static uint64_t first, last;
static atomic_bool counting, told;
static __thread bool inside __attribute__((tls_model("initial-exec"))); /* what is asked for here is not counted */

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void *(*real_memalign)(size_t, size_t);
static void *(*real_aligned_alloc)(size_t, size_t);
static int (*real_posix_memalign)(void **, size_t, size_t);
static void *(*real_mmap)(void *, size_t, int, int, int, off_t);
static void (*real_free)(void *);

static char early[EARLY_BYTES] __attribute__((aligned(16)));
static size_t early_used;

static void *early_alloc(size_t size)
{
    size_t at = early_used;
    early_used += (size + 31) & ~(size_t)15;
    if (early_used > EARLY_BYTES)
        abort();
    *(size_t *)(early + at) = size;
    return early + at + 16; /* zeroed: it was never used */
}

static bool is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + EARLY_BYTES;
}

static void find_real(void)
{
    static bool finding;
    if (finding)
        return;
    finding = true;
    real_calloc = dlsym(RTLD_NEXT, "calloc");
    real_malloc = dlsym(RTLD_NEXT, "malloc");
    real_realloc = dlsym(RTLD_NEXT, "realloc");
    real_memalign = dlsym(RTLD_NEXT, "memalign");
    real_aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
    real_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    real_mmap = dlsym(RTLD_NEXT, "mmap");
    real_free = dlsym(RTLD_NEXT, "free");
    finding = false;
}

static void tell_who(void)
{
    void *frames[FRAMES + 3];
    int count = backtrace(frames, FRAMES + 3);
    for (int i = 3; i < count; i++) { /* after ours: this one, fails(), the allocator */
        Dl_info info;
        if (!dladdr((char *)frames[i] - 1, &info) || !info.dli_fname)
            continue;
        strncpy(account->caller[i - 3].object, info.dli_fname, sizeof account->caller[0].object - 1);
        account->caller[i - 3].offset = (uint64_t)((char *)frames[i] - 1 - (char *)info.dli_fbase);
    }
}

static __attribute__((noinline)) bool fails(void)
{
    if (!atomic_load(&counting) || inside)
        return false;
    uint64_t number = __atomic_add_fetch(&account->allocations, 1, __ATOMIC_RELAXED);
    if (number < first || number > last)
        return false;
    inside = true;
    __atomic_add_fetch(&account->failed, 1, __ATOMIC_RELAXED);
    if (!atomic_exchange(&told, true))
        tell_who();
    inside = false;
    errno = ENOMEM;
    return true;
}

static __attribute__((constructor)) void begin(void)
{
    char file[4096];
    const char *order = getenv("TOCSIN_KTH");
    unsigned long long from, to;
    find_real();
    if (!order || sscanf(order, "%4095s %llu %llu", file, &from, &to) != 3)
        return;
    unsetenv("LD_PRELOAD"); /* of what is started from here */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *account) != 0)
        abort();
    account = real_mmap(NULL, sizeof *account, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (account == MAP_FAILED)
        abort();
    close(fd);
    void *frames[1];
    backtrace(frames, 1); /* loads what it needs now: later there is no memory */
    first = from ? from : UINT64_MAX;
    last = to;
    atomic_store(&counting, true);
}

/* Only the first process counts: after fork() and before exec() a child is nobody's business. */
static __attribute__((destructor)) void end(void)
{
    atomic_store(&counting, false); /* the libraries' own ends, and a leak report */
}

void *malloc(size_t size)
{
    if (!real_malloc)
        find_real();
    if (!real_malloc)
        return early_alloc(size);
    return fails() ? NULL : real_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (!real_calloc)
        find_real();
    if (!real_calloc)
        return early_alloc(count * size);
    return fails() ? NULL : real_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    if (!real_realloc)
        find_real();
    if (is_early(old) || !real_realloc) {
        size_t had = old ? *(size_t *)((char *)old - 16) : 0;
        void *fresh = malloc(size);
        return fresh ? memcpy(fresh, old ? old : fresh, had < size ? had : size) : NULL;
    }
    return size && fails() ? NULL : real_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, count * size);
}

void *memalign(size_t alignment, size_t size)
{
    return fails() ? NULL : real_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : real_aligned_alloc(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    return fails() ? ENOMEM : real_posix_memalign(out, alignment, size);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (!real_mmap)
        find_real();
    return (flags & MAP_ANONYMOUS) && fails() ? MAP_FAILED : real_mmap(address, size, protection, flags, fd, offset);
}

void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));

void free(void *p)
{
    if (!is_early(p) && real_free)
        real_free(p);
}
